"""Planes of a field with their periodic neighbours, as mass per voxel whatever the field's kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDatasetError, UsageError, warn
from ..types import DensityField, Snapshot

Array = NDArray[Any]


def planes(field: DensityField, start: int, stop: int) -> Array:
    """Planes of the first axis of a periodic grid, as they are.

    Parameters
    ----------
    field : DensityField
    start, stop : int
        From one up to the other: below 0 and from N on are those of the other side of the box.

    Returns
    -------
    ndarray of float64, shape (stop - start, N, N)
        It may be a view that cannot be written to.
    """
    size = field.grid_size
    if not start < stop:
        raise UsageError("planes", f"{start} to {stop}", "one or more")
    pieces = []
    while start < stop:
        first = start % size
        last = min(first + stop - start, size)
        pieces.append(field.read_slab(first, last))
        start += last - first
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def mass_planes(field: DensityField, snapshot: Snapshot, start: int, stop: int) -> Array:
    """Planes of a field of matter as mass per voxel.

    Which position a voxel belongs to is told by ``field.origin``, and is not looked at here:
    with ``corner`` voxel i holds [i, i + 1) voxel sizes, so that x is in voxel floor(x / D); with
    ``centre`` it is centred on i, and x is in voxel floor(x / D + 1/2), the last being the first.

    Parameters
    ----------
    field : DensityField
        Of kind ``mass``, as it is; ``counts``, times the particle mass; or ``delta``, the mass of
        a voxel over the mean being 1 + delta.
    snapshot : Snapshot
        That the field is of.
    start, stop : int
        As for `planes`.

    Returns
    -------
    ndarray of float64, shape (stop - start, N, N)
        [Msun/h]; it may be a view that cannot be written to.

    Raises
    ------
    MissingDatasetError
        Counts, and the snapshot does not say what a particle's mass is.
    """
    if field.kind == "counts" and snapshot.particle_mass is None:
        raise MissingDatasetError(
            snapshot.name,
            "no particle mass",
            "one, to turn the counts of the density grid into mass",
            "give a grid of kind mass or delta",
        )
    values = planes(field, start, stop)
    if field.kind == "mass":
        return values
    if field.kind == "counts":
        return values * np.float64(snapshot.particle_mass)
    relative = 1.0 + values
    below = int(np.count_nonzero(relative < 0.0))
    if below:
        warn(
            f"density grid: {below} voxels in planes {start} to {stop} have a delta below -1, by "
            "rounding; they are taken for empty",
            stacklevel=2,
        )
        relative = np.maximum(relative, 0.0)
    return relative * (snapshot.cosmology.matter_mass(snapshot.box_size) / field.grid_size**3)
