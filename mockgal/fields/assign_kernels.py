"""Compiled loops of mass assignment; `mockgal.fields.assign` runs them in threads.

Masses are whole numbers of a unit. Dividing one among voxels is exact: all shares but one are
rounded down, and a large one gets the rest. Sums of whole numbers do not depend on their order, so
neither does the field.

Importing this module compiles the functions, or loads them from numba's cache; `depositor` does so
for one scheme when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from ..system.parallel import compiled

Array = NDArray[Any]

_LINE = 8  # voxels in a line of the processors' caches
_DENSE = 8  # lines of a tile per particle below which all of it is fetched


def _in(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


def _out(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C")


f8, i8, i4 = types.float64, types.int64, types.int32


@compiled(f8, i8, i8)
def _place(u: float, support: int, grid_size: int) -> Any:
    """A voxel of the cloud, -1 or above, and the distance from its lower edge or its centre.

    For odd supports the voxel that holds u; for even ones the last whose centre is not above u.
    """
    shifted = u if support % 2 == 1 else u - 0.5
    voxel = np.floor(shifted)
    if voxel == grid_size:  # u was rounded up to the far edge
        voxel -= 1.0
    return np.int64(voxel), shifted - voxel


@compiled(i8, f8, i8)
def _split(mass: Any, d: float, support: int) -> Any:
    """Shares of a mass along one axis, from the first voxel of the cloud on; they add up to it.

    B-splines of order ``support``: Hockney & Eastwood 1988, section 5-3; Chaniotis & Poulikakos
    2004, J. Comput. Phys. 197, 253, for the last.
    """
    m, e = np.float64(mass), 1.0 - d
    if support == 1:
        return mass, 0, 0, 0
    if support == 2:
        upper = min(np.int64(m * d), mass)  # m may have been rounded up, and m * d with it
        return mass - upper, upper, 0, 0
    if support == 3:
        lower, upper = np.int64(m * (0.5 * e * e)), np.int64(m * (0.5 * d * d))
        return lower, mass - lower - upper, upper, 0
    lowest, highest = np.int64(m * (e * e * e / 6.0)), np.int64(m * (d * d * d / 6.0))
    upper = np.int64(m * ((4.0 + e * e * (3.0 * e - 6.0)) / 6.0))
    return lowest, mass - lowest - upper - highest, upper, highest


@compiled(
    _in(f8, 2),
    _in(f8),
    *(f8, f8, f8, i8, i8, i8),
    *(_in(i4), _in(i4)),
    *(_out(i4), _out(i8)),
)
def count(
    position: Array,
    weight: Array,
    box_size: float,
    per_length: float,
    scale: float,
    most: int,
    grid_size: int,
    support: int,
    tile_of_plane: Array,
    tile_of_row: Array,
    tile: Array,
    number: Array,
) -> int:
    """The tile of each row, -1 for none, and how many rows each tile has more.

    Returns
    -------
    int
        The sum of the masses, in their unit; -1 if it is above ``most``, or if a position is not
        in the box or a mass not a number from 0 on.
    """
    total = 0
    for row in range(len(position)):
        x, y, z = position[row, 0], position[row, 1], position[row, 2]
        inside = (
            (x >= 0.0) & (x < box_size) & (y >= 0.0) & (y < box_size) & (z >= 0.0) & (z < box_size)
        )
        mass = np.rint(weight[row] * scale)
        if not (inside and mass >= 0.0 and mass <= most - total):
            return -1
        total += int(mass)
        plane, _ = _place(x * per_length, support, grid_size)
        line, _ = _place(y * per_length, support, grid_size)
        first = tile_of_plane[plane]  # -1 is the last, as it should be in a periodic box
        if first < 0:
            tile[row] = -1
        else:
            tile[row] = first + tile_of_row[line]
            number[tile[row]] += 1
    return total


@compiled(_in(f8, 2), _in(f8), f8, f8, _in(i4), _out(i8), _out(f8, 2), _out(i8))
def sort(
    position: Array,
    weight: Array,
    per_length: float,
    scale: float,
    tile: Array,
    place: Array,
    sorted_position: Array,
    sorted_mass: Array,
) -> None:
    """Positions in voxels and whole masses, each tile's rows from its ``place`` on."""
    for row in range(len(position)):
        t = tile[row]
        if t >= 0:
            to = place[t]
            place[t] = to + 1
            for axis in range(3):
                sorted_position[to, axis] = position[row, axis] * per_length
            sorted_mass[to] = np.int64(np.rint(weight[row] * scale))


@compiled(_in(i8, 3), f8, _out(f8, 3))
def convert(grid: Array, unit: float, field: Array) -> None:
    """Whole masses times their unit; both may be the same memory."""
    for i in range(grid.shape[0]):
        for j in range(grid.shape[1]):
            for k in range(grid.shape[2]):
                field[i, j, k] = grid[i, j, k] * unit


@compiled(i8, i8)
def _wrapped(index: int, grid_size: int) -> int:
    if index < 0:
        return index + grid_size
    return index - grid_size if index >= grid_size else index


@compiled(_in(i8, 3), i8, i8, i8, i8)
def _fetch(grid: Array, plane: int, stop_plane: int, line: int, stop_line: int) -> int:
    """Read a part of the grid in order, which is faster than at random, into the caches."""
    seen = 0
    for i in range(max(plane, 0), min(stop_plane, grid.shape[0])):
        for j in range(max(line, 0), min(stop_line, grid.shape[1])):
            for k in range(0, grid.shape[2], _LINE):
                seen |= grid[i, j, k]
    return seen


@cache
def depositor(support: int) -> Callable[..., int]:
    """The loop that deposits by the scheme of this support.

    ``deposit(position, mass, first, start, planes, lines, grid)`` adds to ``grid``, shape
    (P, N, N), the planes from ``start`` on of all N, the particles of one slab.

    position : ndarray, shape (n, 3)
        In voxels.
    mass : ndarray of int, shape (n,)
    first : ndarray of int, shape (tiles + 1,)
        Rows of each tile of the slab: from one number to the next.
    planes, lines : int, int
        The slab's first and last plane; the lines of each tile.
    """
    before = (support - 1) // 2

    @compiled(_in(f8, 2), _in(i8), _in(i8), i8, i8, i8, i8, _out(i8, 3))
    def deposit(
        position: Array,
        mass: Array,
        first: Array,
        start: int,
        plane: int,
        stop_plane: int,
        lines: int,
        grid: Array,
    ) -> int:
        size, seen = grid.shape[1], 0
        for tile in range(len(first) - 1):
            number = first[tile + 1] - first[tile]
            if number * _DENSE * _LINE > (stop_plane - plane) * lines * size:
                seen |= _fetch(
                    grid,
                    plane - before - start,
                    stop_plane - before + support - 1 - start,
                    tile * lines - before,
                    (tile + 1) * lines - before + support - 1,
                )
            for row in range(first[tile], first[tile + 1]):
                x, dx = _place(position[row, 0], support, size)
                y, dy = _place(position[row, 1], support, size)
                z, dz = _place(position[row, 2], support, size)
                of_planes = _split(mass[row], dx, support)
                for a in range(support):
                    i = _wrapped(x - before + a, size) - start
                    if i < 0 or i >= grid.shape[0]:
                        continue
                    of_lines = _split(of_planes[a], dy, support)
                    for b in range(support):
                        j = _wrapped(y - before + b, size)
                        shares = _split(of_lines[b], dz, support)
                        for c in range(support):
                            k = _wrapped(z - before + c, size)
                            # Unsigned: negative ones would be looked for, at a tenth of the time.
                            grid[np.uintp(i), np.uintp(j), np.uintp(k)] += shares[c]
        return seen  # of no meaning, but without it nothing would be fetched

    return deposit
