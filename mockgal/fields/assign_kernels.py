"""Compiled loops of mass assignment; `mockgal.fields.assign` runs them in threads.

Masses are integers in some unit. Dividing a mass among voxels is exact: all shares but one are
rounded down, and a large one gets the remainder. Sums of integers do not depend on their order, so
neither does the field.

Importing this module compiles the functions or loads them from numba's cache; `depositor` does the
same for one scheme on its first call.
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

_LINE = 8  # voxels in a cache line
_DENSE = 8  # cache lines of a tile per particle below which the whole tile is fetched


def _in(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


def _out(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C")


f8, i8, i4 = types.float64, types.int64, types.int32


@compiled(f8, i8, i8)
def _place(u: float, support: int, grid_size: int) -> Any:
    """Return a voxel of the cloud, -1 or above, and the distance from its lower edge or its centre.

    For odd supports it is the voxel that contains u; for even ones the last voxel whose centre is
    not above u.
    """
    shifted = u if support % 2 == 1 else u - 0.5
    voxel = np.floor(shifted)
    if voxel == grid_size:  # u was rounded up to the far edge
        voxel -= 1.0
    return np.int64(voxel), shifted - voxel


@compiled(i8, f8, i8)
def _split(mass: Any, d: float, support: int) -> Any:
    """Return the shares of a mass along one axis, from the cloud's first voxel; they sum to it.

    The shares are B-splines of order ``support``: Hockney & Eastwood 1988, section 5-3; for PCS
    Chaniotis & Poulikakos 2004, J. Comput. Phys. 197, 253.
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
    """Write the tile of each row to ``tile``, -1 for none, and add rows per tile to ``number``.

    Returns
    -------
    int
        The sum of the masses, in their unit; -1 if it is above ``most``, or if a position is
        outside the box or a mass is negative or not a number.
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
    """Write positions in voxels and integer masses, each tile's rows starting at its ``place``."""
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
    """Fill ``field`` with integer masses times their unit; both may be the same memory."""
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
    """Read a part of the grid into the caches in order, which is faster than random access."""
    seen = 0
    for i in range(max(plane, 0), min(stop_plane, grid.shape[0])):
        for j in range(max(line, 0), min(stop_line, grid.shape[1])):
            for k in range(0, grid.shape[2], _LINE):
                seen |= grid[i, j, k]
    return seen


@cache
def depositor(support: int) -> Callable[..., int]:
    """Return the loop that deposits with the scheme of this support.

    ``deposit(position, mass, first, start, plane, stop_plane, lines, grid)`` adds the particles of
    one slab to ``grid``, shape (P, N, N), which holds the planes of all N from ``start`` on.

    position : ndarray, shape (n, 3)
        In voxels.
    mass : ndarray of int, shape (n,)
    first : ndarray of int, shape (tiles + 1,)
        First row of each tile of the slab, then the end of the last.
    plane, stop_plane : int
        The slab's first plane, and the one after its last.
    lines : int
        Lines in each tile.
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
                            # Unsigned: checking for negative indices would cost a tenth more time.
                            grid[np.uintp(i), np.uintp(j), np.uintp(k)] += shares[c]
        return seen  # without meaning, but without it the fetch would be optimised away

    return deposit
