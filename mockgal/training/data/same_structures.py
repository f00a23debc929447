"""Check that boxes in different parts are different universes, not one under two names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DomainError
from .samples import Volume
from .split import Split

Array = NDArray[Any]

CELLS = 16  # cells along each axis in which matter is compared
MOST = 0.5  # largest correlation of unrelated boxes


class Structures(NamedTuple):
    """Which boxes are the same universe, at several times or under several names.

    Parameters
    ----------
    number : list of int
        Number of the universe of each box, from 0.
    compared : list of dict
        Names and correlation of each pair of boxes of different names and one size: plain JSON
        values.
    """

    number: list[int]
    compared: list[dict[str, Any]]


def structures_of(volumes: Sequence[Volume]) -> Structures:
    """Return the universe of each box; boxes of one name, or that are alike, share a universe.

    Boxes of the same size are alike if the means of log matter per voxel in 16^3 cells have a
    correlation above `MOST`.
    """
    number, compared = list(range(len(volumes))), []
    several = len({volume.name for volume in volumes}) > 1
    cells = [_cells(volume) for volume in volumes if several]
    for a, b in combinations(range(len(volumes)), 2):
        one, other = volumes[a], volumes[b]
        alike = one.name == other.name
        if not alike and abs(one.box_size / other.box_size - 1.0) <= 1e-3:
            correlation = float(np.corrcoef(cells[a], cells[b])[0, 1])
            compared.append({"boxes": [one.name, other.name], "correlation": correlation})
            alike = correlation > MOST
        if alike:
            number = [number[a] if k == number[b] else k for k in number]
    return Structures(number, compared)


def check_unrelated(volumes: Sequence[Volume], split: Split, structures: Structures) -> None:
    """Raise if whole boxes of different parts are the same box at another redshift or name.

    A network that has seen a box at one time knows where its halos are at another.

    Raises
    ------
    DomainError
        Two boxes of one universe are in different parts.
    """
    if split.kind != "box":
        return
    parts = [box.regions[0].part if box.regions else 0 for box in split.boxes]
    for a, b in combinations(range(len(volumes)), 2):
        if parts[a] != parts[b] and structures.number[a] == structures.number[b]:
            names = [volumes[a].name, volumes[b].name]
            raise DomainError(
                "split",
                f"{names[0]} and {names[1]} in different parts, although the correlation of their "
                f"matter is above {MOST}",
                "boxes of different initial conditions in different parts",
                "keep all redshifts and versions of a box in one part, or split by regions",
            )


def _cells(volume: Volume) -> Array:
    """Return the mean of the matter channel in cells, shape (CELLS^3,)."""
    number = min(CELLS, volume.grid_size)
    edges = np.arange(number) * volume.grid_size // number
    rows = np.zeros((volume.grid_size, number, number))
    for plane, values in zip(rows, volume.channels[0], strict=True):
        along = np.add.reduceat(values.astype(np.float64), edges, axis=0)
        plane[:] = np.add.reduceat(along, edges, axis=1)
    width = np.diff(edges, append=volume.grid_size)
    voxels = width[:, None, None] * width[:, None] * width
    return np.asarray((np.add.reduceat(rows, edges, axis=0) / voxels).ravel())
