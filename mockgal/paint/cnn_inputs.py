"""What the network sees of a simulation: its two fields, voxels of subhalos, and their features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import progress
from ..errors import BadValueError, MissingDatasetError, warn
from ..fields.matter import matter_field
from ..fields.planes import mass_planes
from ..fields.subhalos import subhalo_field
from ..fields.tiles import Planes
from ..types import DensityField, HaloCatalog, Scene
from .weights import Weights

Array = NDArray[Any]

_COLUMNS = {"log_mass": "mass", "log_vmax": "vmax", "log_host_mass": "host_mass"}
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


def grid_of(scene: Scene, weights: Weights) -> Grid:
    """The scene's density field if it is as the weights want it, or if there is nothing else.

    If not, the grid to make of the particles, whose voxels are as near to the weights' as the box
    takes.
    """
    domain, field, box_size = weights.domain, scene.field, scene.snapshot.box_size
    if field is not None:
        fits = (
            abs(field.voxel_size / domain.voxel_size - 1.0) <= SAME_VOXEL
            and field.origin == domain.origin
            and field.assignment == domain.assignment
        )
        if fits or scene.particles is None:
            return Grid(field.grid_size, field.voxel_size, field.origin, given=True)
    size = max(1, round(box_size / domain.voxel_size))
    return Grid(size, box_size / size, domain.origin, given=False)


@contextmanager
def channels(
    scene: Scene, weights: Weights, grid: Grid, memory: int, scratch: Path | None
) -> Iterator[list[Planes]]:
    """The standardised fields of matter and subhalos, plane by plane.

    Parameters
    ----------
    scene : Scene
    weights : Weights
    grid : Grid
        That `grid_of` gave.
    memory : int
        Bytes for the matter's grid, where it is made from particles.
    scratch : Path or None
        See `mockgal.fields.matter.matter_field`.
    """
    domain, normalisation, snapshot = weights.domain, weights.normalisation, scene.snapshot
    subhalos = subhalo_field(
        scene.halos,
        snapshot.box_size,
        grid.size,
        least_mass=domain.least_subhalo_mass,
        assignment=domain.assignment,
        origin=grid.origin,
    ).field

    def both(matter: DensityField) -> list[Planes]:
        fields = (matter, normalisation.matter), (subhalos, normalisation.subhalos)
        return [
            partial(_standardised, partial(mass_planes, field, snapshot), *pair)
            for field, pair in fields
        ]

    if grid.given:
        assert scene.field is not None
        yield both(scene.field)
        return
    assert scene.particles is not None
    if scene.field is not None:
        warn(
            f"the density grid of {scene.field.grid_size}^3 voxels ({scene.field.assignment}, "
            f"origin {scene.field.origin}) is not as weights {weights.name} want it; the matter is "
            "made of the particles",
            stacklevel=5,
        )
    with matter_field(
        scene.particles,
        snapshot,
        grid_size=grid.size,
        assignment=domain.assignment,
        origin=grid.origin,
        memory=memory,
        scratch=scratch,
        progress=progress.advance,
    ) as made:
        wrapped, at_edge = (made.record[f"positions_{k}"] for k in ("wrapped", "at_box_edge"))
        if wrapped or at_edge:
            warn(
                f"particles: {wrapped} coordinates outside the box were wrapped, {at_edge} at its "
                "far edge became 0",
                stacklevel=5,
            )
        yield both(made.field)


def _standardised(planes: Planes, mean: float, deviation: float, start: int, stop: int) -> Array:
    """log10 (1 + mass per voxel) in units of the deviation, float32."""
    value = np.log1p(planes(start, stop))
    value *= 1.0 / (np.log(10.0) * deviation)
    value -= mean / deviation
    return value.astype(np.float32)


def features(scene: Scene, weights: Weights, rows: Array, offset: Array) -> tuple[Array, Array]:
    """Features of some subhalos, and whether they are outside the weights' ranges.

    Parameters
    ----------
    scene : Scene
    weights : Weights
    rows : ndarray of int, shape (n,)
    offset : ndarray, shape (n, 3)
        From the centres of their voxels, in voxels.

    Returns
    -------
    features : ndarray of float64, shape (n, f)
        Not standardised, in the architecture's order.
    outside : ndarray of bool, shape (n,)

    Raises
    ------
    MissingDatasetError
        The catalogue lacks a column.
    BadValueError
        A value whose logarithm there is not.
    """
    halos, names = scene.halos, weights.architecture.features
    outside, found = np.zeros(len(rows), dtype=bool), np.empty((len(rows), len(names)))
    for name, column in _COLUMNS.items():
        limits = getattr(weights.domain, name)
        if name not in names and (limits is None or column not in halos):
            continue
        if column not in halos:
            raise MissingDatasetError(
                f"simulation {scene.snapshot.name}",
                f"no {column}",
                f"the feature {name} of weights {weights.name}",
                "take weights that were trained without it",
            )
        log_value = _log10(scene, halos, column, rows, needed=name in names)
        if limits is not None:
            outside |= (log_value < limits[0]) | (log_value > limits[1])
        if name in names:
            found[:, names.index(name)] = log_value
    for axis, name in enumerate(("offset_x", "offset_y", "offset_z")):
        if name in names:
            found[:, names.index(name)] = offset[:, axis]
    if "is_central" in names:
        found[:, names.index("is_central")] = halos["is_central"][rows]
    return found, outside


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
