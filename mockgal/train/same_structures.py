"""Whether boxes that are kept apart are different universes, and not one under two names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
from .samples import Volume
from .split import Split

Array = NDArray[Any]

CELLS = 16  # along each axis, that matter is compared in
MOST = 0.5  # correlation of boxes that have nothing to do with each other


def check_unrelated(volumes: Sequence[Volume], split: Split) -> list[dict[str, Any]]:
    """Refuse whole boxes of one part that are a box of another at another redshift or name.

    A network that has seen a box at one time knows where its halos are at another. Compared are the
    means of log matter per voxel in 16^3 cells of boxes of one size, by their correlation.

    Parameters
    ----------
    volumes : sequence of Volume
    split : Split

    Returns
    -------
    list of dict
        Names and correlation of each pair that was compared: plain JSON values.

    Raises
    ------
    DomainError
        A correlation above `MOST`.
    """
    if split.kind != "box":
        return []
    parts = [box.regions[0].part if box.regions else 0 for box in split.boxes]
    cells = [_cells(volume) for volume in volumes]
    found = []
    for a, b in combinations(range(len(volumes)), 2):
        one, other = volumes[a], volumes[b]
        if parts[a] == parts[b] or abs(one.box_size / other.box_size - 1.0) > 1e-3:
            continue
        correlation = float(np.corrcoef(cells[a], cells[b])[0, 1])
        found.append({"boxes": [one.name, other.name], "correlation": correlation})
        if correlation > MOST:
            raise DomainError(
                "split",
                f"{one.name} and {other.name} in different parts, whose matter has a correlation "
                f"of {correlation:.2f}",
                f"boxes of different initial conditions, below {MOST}",
                "keep all redshifts and versions of a box in one part, or split by regions",
            )
    return found


def _cells(volume: Volume) -> Array:
    """Mean of the matter channel in cells, shape (CELLS^3,)."""
    number = min(CELLS, volume.grid_size)
    edges = np.arange(number) * volume.grid_size // number
    rows = np.zeros((volume.grid_size, number, number))
    for plane, values in zip(rows, volume.channels[0], strict=True):
        along = np.add.reduceat(values.astype(np.float64), edges, axis=0)
        plane[:] = np.add.reduceat(along, edges, axis=1)
    width = np.diff(edges, append=volume.grid_size)
    voxels = width[:, None, None] * width[:, None] * width
    return np.asarray((np.add.reduceat(rows, edges, axis=0) / voxels).ravel())
