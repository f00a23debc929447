"""What the network sees of a simulation: its two fields, voxels of subhalos, and their features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, MissingDatasetError, warn
from ...fields.matter import matter_field, warn_of_moved
from ...fields.planes import mass_planes
from ...fields.subhalos import subhalo_field
from ...fields.tiles import Planes
from ...system import progress
from ...types import HaloCatalog, Scene

if TYPE_CHECKING:
    from .weights.header import WeightsHeader
    from .weights.named import Weights

Array = NDArray[Any]

_COLUMNS = {"log_mass": "mass", "log_vmax": "vmax", "log_host_mass": "host_mass"}
OFFSETS = ("offset_x", "offset_y", "offset_z")
SAME_VOXEL = 1e-3  # relative difference of voxel sizes that are taken for the same


class Grid(NamedTuple):
    """The grid that a network sees a box on.

    ``size`` voxels along each side, ``origin`` as of `mockgal.fields.origin.on_corners`; ``given``
    if it is the scene's density field, and not made of its particles.
    """

    size: int
    voxel_size: float
    origin: str
    given: bool

    def voxels(self, position: Array) -> tuple[Array, Array]:
        """The voxel of each position, and the offset from its centre in voxels, shapes (n, 3)."""
        place = position / self.voxel_size + (0.5 if self.origin == "centre" else 0.0)
        voxel = np.floor(place)
        return np.mod(voxel, self.size).astype(np.int64), place - (voxel + 0.5)


def grid_of(scene: Scene, weights: WeightsHeader) -> Grid:
    """The grid for a scene that weights see."""
    domain = weights.domain
    return grid_for(scene, domain.voxel_size, domain.origin, domain.assignment)


def grid_for(scene: Scene, voxel_size: float, origin: str, assignment: str) -> Grid:
    """The scene's density field if it is as it is wanted, or if there is nothing else.

    If not, the grid to make of the particles, whose voxels are as near to those wanted as the box
    takes.
    """
    field, box_size = scene.field, scene.snapshot.box_size
    if field is not None:
        as_wanted = (
            fits(field.voxel_size, voxel_size)
            and field.origin == origin
            and field.assignment == assignment
        )
        if as_wanted or scene.particles is None:
            return Grid(field.grid_size, field.voxel_size, field.origin, given=True)
    size = max(1, round(box_size / voxel_size))
    return Grid(size, box_size / size, origin, given=False)


def fits(voxel_size: float, wanted: float) -> bool:
    """Whether voxels are taken for those of another size."""
    return abs(voxel_size / wanted - 1.0) <= SAME_VOXEL


class MassChannels(NamedTuple):
    """Mass per voxel [Msun/h] of matter and of subhalos, plane by plane, and what was counted."""

    matter: Planes
    subhalos: Planes
    record: dict[str, Any]


@contextmanager
def channels(
    scene: Scene, weights: Weights, grid: Grid, memory: int, scratch: Path | None
) -> Iterator[list[Planes]]:
    """The standardised fields of matter and subhalos, plane by plane.

    Parameters
    ----------
    scene : Scene
    weights : Weights
    grid, memory, scratch
        As for `mass_channels`.
    """
    domain, normalisation = weights.domain, weights.normalisation
    with mass_channels(
        scene,
        grid,
        assignment=domain.assignment,
        least_mass=domain.least_subhalo_mass,
        memory=memory,
        scratch=scratch,
    ) as mass:
        yield [
            partial(standardised, mass.matter, *normalisation.matter),
            partial(standardised, mass.subhalos, *normalisation.subhalos),
        ]


@contextmanager
def mass_channels(
    scene: Scene,
    grid: Grid,
    *,
    assignment: str,
    least_mass: float,
    memory: int,
    scratch: Path | None = None,
) -> Iterator[MassChannels]:
    """The two fields that a network sees, not standardised.

    Parameters
    ----------
    scene : Scene
    grid : Grid
        That `grid_for` gave.
    assignment : str
        How mass is assigned to voxels, where the scene does not come with a grid of matter.
    least_mass : float
        Bound mass of the smallest subhalo that is deposited [Msun/h].
    memory : int
        Bytes for the matter's grid, where it is made from particles.
    scratch : Path, optional
        See `mockgal.fields.matter.matter_field`.
    """
    snapshot, field = scene.snapshot, scene.field
    mass = subhalo_field(
        scene.halos,
        snapshot.box_size,
        grid.size,
        least_mass=least_mass,
        assignment=assignment,
        origin=grid.origin,
    )
    subhalos = partial(mass_planes, mass.field, snapshot)
    record = {"subhalos": mass.record}
    if grid.given:
        assert field is not None
        yield MassChannels(partial(mass_planes, field, snapshot), subhalos, record)
        return
    assert scene.particles is not None
    if field is not None:
        warn(
            f"the density grid of {field.grid_size}^3 voxels ({field.assignment}, origin "
            f"{field.origin}) is not the one that is wanted ({grid.size}^3, {assignment}, "
            f"{grid.origin}); the matter is made of the particles",
            stacklevel=7,
        )
    with matter_field(
        scene.particles,
        snapshot,
        grid_size=grid.size,
        assignment=assignment,
        origin=grid.origin,
        memory=memory,
        scratch=scratch,
        progress=progress.advance,
    ) as made:
        warn_of_moved(made.record, stacklevel=6)
        matter = partial(mass_planes, made.field, snapshot)
        yield MassChannels(matter, subhalos, record | {"matter": made.record})


def standardised(planes: Planes, mean: float, deviation: float, start: int, stop: int) -> Array:
    """log10 (1 + mass per voxel) in units of the deviation, float32."""
    value = np.log1p(planes(start, stop))
    value *= 1.0 / (np.log(10.0) * deviation)
    value -= mean / deviation
    return value.astype(np.float32)


def features(scene: Scene, weights: Weights, rows: Array, offset: Array) -> tuple[Array, Array]:
    """Features of some subhalos, and whether they are outside the weights' ranges.

    Parameters
    ----------
    scene, rows, offset
        As for `feature_values`.
    weights : Weights

    Returns
    -------
    features : ndarray of float64, shape (n, f)
        Not standardised, in the architecture's order.
    outside : ndarray of bool, shape (n,)

    Raises
    ------
    MissingDatasetError, BadValueError
        As of `feature_values`.
    """
    names, halos = weights.architecture.features, scene.halos
    found = feature_values(scene, names, rows, offset, asked_by=f"weights {weights.name}")
    outside = np.zeros(len(rows), dtype=bool)
    for name, column in _COLUMNS.items():
        limits = getattr(weights.domain, name)
        if limits is None or column not in halos:
            continue
        if name in names:
            value = found[:, names.index(name)]
        else:
            value = _log10(scene, halos, column, rows, needed=False)
        outside |= (value < limits[0]) | (value > limits[1])
    return found, outside


def feature_values(
    scene: Scene, names: Sequence[str], rows: Array, offset: Array, *, asked_by: str
) -> Array:
    """Features of some subhalos.

    Parameters
    ----------
    scene : Scene
    names : sequence of str
        Some of `mockgal.painters.cnn.architecture.FEATURES`.
    rows : ndarray of int, shape (n,)
    offset : ndarray, shape (n, 3)
        From the centres of their voxels, in voxels.
    asked_by : str
        What the features are for, to be named in an error.

    Returns
    -------
    ndarray of float64, shape (n, f)
        Not standardised, in the order of the names.

    Raises
    ------
    MissingDatasetError
        The catalogue lacks a column.
    BadValueError
        A value whose logarithm there is not.
    """
    halos, found = scene.halos, np.empty((len(rows), len(names)))
    for place, name in enumerate(names):
        if name in OFFSETS:
            found[:, place] = offset[:, OFFSETS.index(name)]
        elif name == "scale_factor":
            found[:, place] = 1.0 / (1.0 + scene.snapshot.redshift)
        elif name not in _COLUMNS:
            found[:, place] = halos[name][rows]
        elif _COLUMNS[name] in halos:
            found[:, place] = _log10(scene, halos, _COLUMNS[name], rows, needed=True)
        else:
            raise MissingDatasetError(
                f"simulation {scene.snapshot.name}",
                f"no {_COLUMNS[name]}",
                f"the feature {name} of {asked_by}",
                "take weights that were trained without it",
            )
    return found


def _log10(scene: Scene, halos: HaloCatalog, column: str, rows: Array, *, needed: bool) -> Array:
    """Logarithms; those of zeros are outside of all ranges where they are not ``needed``."""
    value = halos[column][rows]
    bad = np.flatnonzero(~(value > 0))
    if bad.size and needed:
        ids = halos["halo_id"][rows][bad]
        raise BadValueError(
            f"{scene.snapshot.name}:{column}",
            f"{bad.size} values that are zero or no numbers, the first {value[bad[0]]} for halo_id "
            f"{ids.min()}",
            "positive numbers for subhalos that are painted",
            "--drop-bad leaves hosts without a mass out and counts them, or choose another "
            "--mass-definition",
        )
    return np.log10(value, out=np.full(len(value), -np.inf), where=value > 0)
