"""The compiled loop of `mockgal.universe.groups`: a forest in which every tree is a group."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from ..system.parallel import compiled

Array = NDArray[Any]

f8, i8 = types.float64, types.int64
_PLACES = types.Array(i8, 1, "C")


@compiled(_PLACES, i8)
def _root(parent: Array, i: Any) -> Any:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@compiled(types.Array(f8, 2, "C"), _PLACES, _PLACES, _PLACES, i8, f8, f8, _PLACES)
def link(
    position: Array,
    row: Array,
    cell: Array,
    first: Array,
    side: int,
    box_size: float,
    square: float,
    parent: Array,
) -> None:
    """Make ``parent`` the lowest row of each particle's group.

    Particles are sorted by cell: those of ``cell[c]`` begin at ``first[c]``; ``row`` is their row
    in ``parent``. Every pair of adjacent cells is examined from one of the two only.
    """
    half = box_size / 2.0
    for c in range(len(cell)):
        x, rest = cell[c] // (side * side), cell[c] % (side * side)
        y, z = rest // side, rest % side
        for neighbour in range(14):  # the cell itself, and the 13 of its 26 neighbours after it
            code = neighbour + 13
            to_x, to_y, to_z = code // 9 - 1, code // 3 % 3 - 1, code % 3 - 1
            wanted = ((x + to_x + side) % side * side + (y + to_y + side) % side) * side
            wanted += (z + to_z + side) % side
            other = np.searchsorted(cell, wanted) if neighbour > 0 else c
            if other == len(cell) or cell[other] != wanted:
                continue
            for i in range(first[c], first[c + 1]):
                start = i + 1 if neighbour == 0 else first[other]
                for j in range(start, first[other + 1]):
                    distance = 0.0
                    for axis in range(3):
                        d = abs(position[i, axis] - position[j, axis])
                        d = box_size - d if d > half else d
                        distance += d * d
                    if distance <= square:
                        a, b = _root(parent, row[i]), _root(parent, row[j])
                        if a < b:
                            parent[b] = a
                        elif b < a:
                            parent[a] = b
    for i in range(len(parent)):
        parent[i] = _root(parent, i)
