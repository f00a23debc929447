"""Planes of a field with their periodic neighbours, as mass per voxel for every kind of field."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDatasetError, UsageError, warn
from ..types import DensityField, Snapshot

Array = NDArray[Any]


def planes(field: DensityField, start: int, stop: int) -> Array:
    """Return planes of the first axis of a periodic grid, in the field's own unit.

    Parameters
    ----------
    field : DensityField
    start, stop : int
        First plane, and the one after the last. Numbers below 0 and from N on are wrapped to the
        other side of the box.

    Returns
    -------
    ndarray of float64, shape (stop - start, N, N)
        May be a read-only view.
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
    """Return planes of a matter field as mass per voxel.

    ``field.origin`` states which position a voxel has, and is not used here. With ``corner`` voxel
    i covers [i, i + 1) voxel sizes, so that x is in voxel floor(x / D); with ``centre`` it is
    centred on i, and x is in voxel floor(x / D + 1/2), where N stands for voxel 0.

    Parameters
    ----------
    field : DensityField
        Of kind ``mass``, returned unchanged; ``counts``, multiplied by the particle mass; or
        ``delta``, where the mass of a voxel over the mean is 1 + delta.
    snapshot : Snapshot
        Snapshot of the field.
    start, stop : int
        See `planes`.

    Returns
    -------
    ndarray of float64, shape (stop - start, N, N)
        [Msun/h]; may be a read-only view.

    Raises
    ------
    MissingDatasetError
        The field holds counts, and the snapshot does not state the mass of a particle.
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
        )
        relative = np.maximum(relative, 0.0)
    return relative * (snapshot.cosmology.matter_mass(snapshot.box_size) / field.grid_size**3)
