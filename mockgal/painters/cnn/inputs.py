"""The network's inputs from a simulation: two fields, and the voxels and features of subhalos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, warn
from ...fields.matter import matter_field, warn_of_moved
from ...fields.planes import mass_planes
from ...fields.subhalos import subhalo_field
from ...fields.tiles import Planes
from ...system import progress
from ...types import HaloCatalog, Scene
from .features import FURTHER_FEATURES, LOGARITHMS, OFFSETS, check_columns

if TYPE_CHECKING:
    from .weights.header import WeightsHeader
    from .weights.named import Weights

Array = NDArray[Any]

SAME_VOXEL = 1e-3  # relative difference of voxel sizes that count as the same


class Grid(NamedTuple):
    """The grid on which a network sees a box.

    ``size`` is the number of voxels along each side; see `mockgal.fields.origin.on_corners` for
    ``origin``; ``given`` is true for the scene's density field, false if the grid is made from the
    particles.
    """

    size: int
    voxel_size: float
    origin: str
    given: bool

    def voxels(self, position: Array) -> tuple[Array, Array]:
        """Return the voxel of each position, and the offset from its centre [voxels], (n, 3)."""
        place = position / self.voxel_size + (0.5 if self.origin == "centre" else 0.0)
        voxel = np.floor(place)
        return np.mod(voxel, self.size).astype(np.int64), place - (voxel + 0.5)


def grid_of(scene: Scene, weights: WeightsHeader) -> Grid:
    """Return the grid on which weights see a scene."""
    domain = weights.domain
    return grid_for(scene, domain.voxel_size, domain.origin, domain.assignment)


def grid_for(scene: Scene, voxel_size: float, origin: str, assignment: str) -> Grid:
    """Return the grid of the scene's density field if it matches, or if there are no particles.

    Otherwise return the grid to make from the particles, with voxels as near to the requested size
    as fits the box.
    """
    field, box_size = scene.field, scene.snapshot.box_size
    if field is not None:
        matches = (
            fits(field.voxel_size, voxel_size)
            and field.origin == origin
            and field.assignment == assignment
        )
        if matches or scene.particles is None:
            return Grid(field.grid_size, field.voxel_size, field.origin, given=True)
    size = max(1, round(box_size / voxel_size))
    return Grid(size, box_size / size, origin, given=False)


def fits(voxel_size: float, wanted: float) -> bool:
    """Return whether a voxel size counts as the wanted one."""
    return abs(voxel_size / wanted - 1.0) <= SAME_VOXEL


class MassChannels(NamedTuple):
    """Mass per voxel [Msun/h] of matter and of subhalos, plane by plane, and counts."""

    matter: Planes
    subhalos: Planes
    record: dict[str, Any]


@contextmanager
def channels(
    scene: Scene, weights: Weights, grid: Grid, memory: int, scratch: Path | None
) -> Iterator[list[Planes]]:
    """Yield the standardised fields of matter and subhalos, plane by plane.

    Parameters
    ----------
    scene : Scene
    weights : Weights
    grid, memory, scratch
        See `mass_channels`.
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
    """Yield the two fields that a network sees, not standardised.

    Parameters
    ----------
    scene : Scene
    grid : Grid
        The result of `grid_for`.
    assignment : str
        How mass is assigned to voxels, if the scene does not come with a grid of matter.
    least_mass : float
        Bound mass of the smallest subhalo that is deposited [Msun/h].
    memory : int
        Bytes for the matter's grid, if it is made from particles.
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
            f"{field.origin}) is not the one that the network needs ({grid.size}^3, {assignment}, "
            f"{grid.origin}); the grid is made from the particles instead",
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
    ) as deposited:
        warn_of_moved(deposited.record)
        matter = partial(mass_planes, deposited.field, snapshot)
        yield MassChannels(matter, subhalos, record | {"matter": deposited.record})


def standardised(planes: Planes, mean: float, deviation: float, start: int, stop: int) -> Array:
    """Return log10 (1 + mass per voxel), standardised by mean and deviation, float32."""
    value = np.log1p(planes(start, stop))
    value *= 1.0 / (np.log(10.0) * deviation)
    value -= mean / deviation
    return value.astype(np.float32)


def features(scene: Scene, weights: Weights, rows: Array, offset: Array) -> tuple[Array, Array]:
    """Return features of some subhalos, and whether they are outside the weights' ranges.

    Parameters
    ----------
    scene, rows, offset
        See `feature_values`.
    weights : Weights

    Returns
    -------
    features : ndarray of float64, shape (n, f)
        Not standardised, in the architecture's order.
    outside : ndarray of bool, shape (n,)

    Raises
    ------
    MissingDatasetError, BadValueError
        See `feature_values`.
    """
    names, halos = weights.architecture.features, scene.halos
    values = feature_values(scene, names, rows, offset, asked_by=f"weights {weights.name}")
    outside = np.zeros(len(rows), dtype=bool)
    for name in FURTHER_FEATURES:
        if name in names:
            low, high = weights.domain.history[name]["range"]
            value = values[:, names.index(name)]
            outside |= (value < low) | (value > high)
    for name in ("log_mass", "log_vmax", "log_host_mass"):
        limits, column = getattr(weights.domain, name), LOGARITHMS[name]
        if limits is None or column not in halos:
            continue
        if name in names:
            value = values[:, names.index(name)]
        else:
            value = _log10(scene, halos, column, rows, needed=False)
        outside |= (value < limits[0]) | (value > limits[1])
    return values, outside


def feature_values(
    scene: Scene, names: Sequence[str], rows: Array, offset: Array, *, asked_by: str
) -> Array:
    """Return features of some subhalos.

    Parameters
    ----------
    scene : Scene
    names : sequence of str
        Some of `mockgal.painters.cnn.features.FEATURES`.
    rows : ndarray of int, shape (n,)
    offset : ndarray, shape (n, 3)
        Offsets from the centres of their voxels, in voxels.
    asked_by : str
        The user of the features, for the error message.

    Returns
    -------
    ndarray of float64, shape (n, f)
        Not standardised, in the order of the names.

    Raises
    ------
    MissingDatasetError
        The catalogue lacks a column.
    BadValueError
        A value has no logarithm.
    """
    check_columns(scene, names, asked_by)
    halos, values = scene.halos, np.empty((len(rows), len(names)))
    for place, name in enumerate(names):
        if name in OFFSETS:
            values[:, place] = offset[:, OFFSETS.index(name)]
        elif name == "scale_factor":
            values[:, place] = 1.0 / (1.0 + scene.snapshot.redshift)
        elif name in LOGARITHMS:
            values[:, place] = _log10(scene, halos, LOGARITHMS[name], rows, needed=True)
        else:
            values[:, place] = halos[name][rows]
    return values


def _log10(scene: Scene, halos: HaloCatalog, column: str, rows: Array, *, needed: bool) -> Array:
    """Return logarithms; those of zeros are -inf, outside of all ranges, unless ``needed``."""
    value = halos[column][rows]
    bad = np.flatnonzero(~(value > 0))
    if bad.size and needed:
        ids = halos["halo_id"][rows][bad]
        raise BadValueError(
            f"{scene.snapshot.name}:{column}",
            f"{bad.size} values that are not positive, the first {value[bad[0]]} for halo_id "
            f"{ids.min()}",
            "positive numbers for subhalos that are painted",
            "--drop-bad leaves hosts without a mass out and counts them, or choose another "
            "--mass-definition"
            if column not in FURTHER_FEATURES.values()
            else f"leave {column} out of the features, or these subhalos out of the catalogue",
        )
    return np.log10(value, out=np.full(len(value), -np.inf), where=value > 0)
