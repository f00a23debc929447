"""The second properties of hosts that galaxies may depend on: concentration, density and shear."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, MissingDatasetError, UsageError
from ...fields.assign import deposit
from ...fields.matter import matter_field
from ...fields.planes import mass_planes
from ...system.memory import check_memory
from ...types import DensityField, HaloCatalog, Scene
from .decoration import BALANCED, RANKED, Split, split_hosts

Array = NDArray[Any]

VOXELS = 4.0  # at least, in a radius
_PEAK = 4  # grids of the size of the field in memory at a time
_LEAST = 1e-3  # density over the mean below which surroundings are all the same
_LEAST_SHEAR = 1e-12
_RADIUS_OF_BOX = 0.25  # largest radius of a sphere over the side of the box


class Property(NamedTuple):
    """A property of hosts that galaxies may depend on beside mass.

    Parameters
    ----------
    name : str
        One of `mockgal.painters.halotools.parameters.PROPERTIES`.
    split : float
        Share of hosts of a mass below the split into two groups.
    radius : float
        Of the spheres in which density and shear are averaged [Mpc/h].
    source : str
        Of the density: one of `mockgal.painters.halotools.parameters.SOURCES`.
    """

    name: str
    split: float
    radius: float
    source: str

    def split_of(self, scene: Scene, least: float) -> Split:
        """Split the hosts of a scene by the property at fixed mass.

        Parameters
        ----------
        scene : Scene
            The whole box.
        least : float
            Mass of the lightest hosts to split [Msun/h].

        Returns
        -------
        Split
            With the rows of the scene.

        Raises
        ------
        MissingDatasetError, BadValueError, UsageError, ResourceError
            The simulation lacks what the property is computed from, or cannot give it.
        """
        halos, hosts = scene.halos, scene.halos.hosts  # satellites that were made have few columns
        chosen = np.flatnonzero(hosts["is_central"] & (hosts["host_mass"] >= least))

        def make() -> Split:
            log_mass = np.log10(hosts["host_mass"][chosen])
            value = self._log_values(scene, hosts, chosen) if len(chosen) else log_mass
            return split_hosts(hosts["halo_id"][chosen], log_mass, value, self.split)

        split: Split = hosts.once(f"split by {self} from {least!r} Msun/h", make)
        if hosts is not halos:  # which come in the same order
            chosen = np.flatnonzero(halos["is_central"])[chosen]
        return split._replace(rows=chosen[split.rows])

    def describe(self, scene: Scene) -> dict[str, Any]:
        """Return what the property is: JSON values."""
        about: dict[str, Any] = {
            "property": self.name,
            "split": self.split,
            "ranked_among_hosts_next_in_mass": list(RANKED),
            "balanced_among_hosts_next_in_mass": list(BALANCED),
        }
        if self.name == "concentration":
            return about | {"computed_from": _column(scene.halos.hosts) or "none"}
        return about | {"computed_from": self.source, "radius_mpc_h": self.radius}

    def _log_values(self, scene: Scene, hosts: HaloCatalog, rows: Array) -> Array:
        """Return log10 of the property of some hosts, shape (n,)."""
        if self.name == "concentration":
            return _log_concentration(scene, hosts, rows)
        from ...fields.smooth import Smoothed

        box_size, radius = self._checked_box(scene), self.radius
        if self.source == "matter":
            mass, origin = _of_matter(scene, radius)
        else:
            mass, origin = _of_halos(hosts, box_size, radius), "corner"
        smoothed, position = Smoothed(mass, box_size, radius, origin), hosts["position"][rows]
        own = hosts["host_mass"][rows] if self.source == "halos" else None  # other halos only
        if self.name == "shear":
            return np.asarray(np.log10(np.maximum(smoothed.shear(position, own), _LEAST_SHEAR)))
        value = 1.0 + smoothed.density(position, own)
        return np.asarray(np.log10(np.maximum(value, _LEAST)))

    def _checked_box(self, scene: Scene) -> float:
        snapshot = scene.snapshot
        snapshot.check_periodic(
            f"assembly bias by {self.name}", "take the concentration, or paint the box of the cone"
        )
        if not 0.0 < self.radius <= _RADIUS_OF_BOX * snapshot.box_size:
            raise UsageError(
                "painter hod:environment_radius",
                f"{self.radius:g} Mpc/h in a box of {snapshot.box_size:g} Mpc/h",
                f"above 0, and at most {_RADIUS_OF_BOX * snapshot.box_size:g} Mpc/h",
                f'--environment-radius "{_RADIUS_OF_BOX * snapshot.box_size:g} Mpc/h", or a larger '
                "box",
            )
        return snapshot.box_size


def _column(hosts: HaloCatalog) -> str | None:
    """Return the column that tells the concentration at a given mass; None if there is none."""
    return next((name for name in ("concentration", "vmax") if name in hosts), None)


def _log_concentration(scene: Scene, hosts: HaloCatalog, rows: Array) -> Array:
    column = _column(hosts)
    if column is None:
        raise MissingDatasetError(
            f"simulation {scene.snapshot.name}",
            "no column concentration, and no vmax, which tells it at a given mass",
            "one of them, for assembly bias by concentration",
            "--assembly-bias environment needs neither",
        )
    value = np.asarray(hosts[column][rows], dtype=np.float64)
    bad = np.flatnonzero(~((value > 0) & (value < math.inf)))
    if bad.size:
        ids = hosts["halo_id"][rows[bad]]
        raise BadValueError(
            f"{scene.snapshot.name}:{column}",
            f"{value[bad[np.argmin(ids)]]:g} for host {ids.min()}, and {bad.size} like it",
            "a positive number for each host",
            "--assembly-bias environment does not need it",
        )
    return np.asarray(np.log10(value))


def _grid_size(box_size: float, radius: float) -> int:
    from scipy.fft import next_fast_len

    # Whole voxels in a quarter of the box, so that a shift by that changes nothing.
    return 4 * int(next_fast_len(max(2, math.ceil(VOXELS * box_size / radius / 4)), real=True))


def _check_grid(size: int) -> None:
    check_memory(
        f"a grid of {size}^3 voxels, {VOXELS:g} in --environment-radius", _PEAK * 8 * size**3
    )


def _of_halos(hosts: HaloCatalog, box_size: float, radius: float) -> Array:
    """Return the mass of hosts per voxel."""
    size = _grid_size(box_size, radius)
    _check_grid(size)
    central = np.flatnonzero(hosts["is_central"])
    mass = hosts["host_mass"][central]
    return deposit(hosts["position"][central], mass, grid_size=size, box_size=box_size)


def _of_matter(scene: Scene, radius: float) -> tuple[Array, str]:
    """Return the mass of matter per voxel, and the origin of the grid."""
    snapshot = scene.snapshot
    if scene.field is not None:
        return _rebinned(scene, scene.field, radius)
    if scene.particles is None:
        raise MissingDatasetError(
            f"simulation {snapshot.name}",
            "no particles or density grid",
            "matter, to compute the surroundings of halos from",
            "give --matter PATH, or leave --environment-from out",
        )
    size = _grid_size(snapshot.box_size, radius)
    _check_grid(size)
    with matter_field(scene.particles, snapshot, grid_size=size) as made:
        return np.array(made.field.read_slab(0, size)), "corner"


def _rebinned(scene: Scene, field: DensityField, radius: float) -> tuple[Array, str]:
    """Return a grid with about `VOXELS` in a radius, of voxels of the field put together."""
    snapshot, n = scene.snapshot, field.grid_size
    if field.voxel_size > radius:
        raise UsageError(
            "painter hod:environment_radius",
            f"{radius:g} Mpc/h on a grid with voxels of {field.voxel_size:g} Mpc/h",
            "at least a voxel",
            "give a larger radius, a finer --matter grid, or leave --environment-from out",
        )
    least = min(n, math.ceil(VOXELS * snapshot.box_size / radius))
    together = max(f for f in range(1, n + 1) if n % f == 0 and n // f >= least)
    if field.origin == "centre":
        together = 1  # else voxels would be centred between whole numbers
    size = n // together
    _check_grid(size)
    mass = np.empty((size, size, size))
    shape = (together, size, together, size, together)
    for plane in range(size):
        slab = mass_planes(field, snapshot, plane * together, (plane + 1) * together)
        mass[plane] = np.asarray(slab, dtype=np.float64).reshape(shape).sum(axis=(0, 2, 4))
    return mass, field.origin
