"""Compiled loops over pairs of points, and over the table of them.

Each has a plain counterpart in `mockgal.fitting.tables.reference`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from ...system.parallel import compiled

Array = NDArray[Any]

_f8, _i8 = types.float64, types.int64


def _in(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


_OUT = types.Array(_f8, 2, "C")


@compiled(
    _i8, _i8, _in(_f8, 2), _in(_f8), _in(_i8), _in(_i8), _in(_f8),
    _in(_i8), _in(_i8), _in(_i8), _f8, _in(_f8), _f8, _OUT,
)  # fmt: skip
def count(
    start: int,
    stop: int,
    points: Array,
    weight: Array,
    label: Array,
    host: Array,
    factor: Array,
    rows: Array,
    sides: Array,
    reaches: Array,
    box_size: float,
    squares: Array,
    depth: float,
    table: Array,
) -> None:
    """Add the weights of pairs of points ``start`` to ``stop`` with points after them to a table.

    Parameters
    ----------
    start, stop : int
    points : ndarray, shape (n, 3)
        In [0, box_size), sorted by cell.
    weight : ndarray, shape (n,)
    label : ndarray of int, shape (n,)
        Number of the class of each point.
    host : ndarray of int, shape (n,)
    factor : ndarray, shape (n,)
        By which the weight of a pair of one class in one host is multiplied.
    rows : ndarray of int, shape (cells + 1,)
        First point in each cell.
    sides : ndarray of int, shape (3,)
        Cells along each axis.
    reaches : ndarray of int, shape (3,)
        How many cells away along each axis a partner of a pair can be.
    box_size : float
    squares : ndarray, shape (bins + 1,)
        Squared edges of separations; lower edges are in.
    depth : float
        Least separation along z of pairs that do not count, in bins of the separation across z; 0
        for bins of distance.
    table : ndarray, shape (labels * (labels + 1) / 2, bins)
        The weight of each pair is added in the row of its labels, in the order of the lower
        triangle of a matrix.
    """
    bins = squares.size - 1
    least, most = squares[0], squares[bins]
    nx, ny, nz = sides[0], sides[1], sides[2]
    for i in range(start, stop):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        a, own, home = label[i], weight[i], host[i]
        cx = min(int(x / box_size * nx), nx - 1)
        cy = min(int(y / box_size * ny), ny - 1)
        cz = min(int(z / box_size * nz), nz - 1)
        for dx in range(-reaches[0], nx - reaches[0] if nx <= 2 * reaches[0] else reaches[0] + 1):
            ox = cx + dx
            ex = ox % nx
            for dy in range(
                -reaches[1], ny - reaches[1] if ny <= 2 * reaches[1] else reaches[1] + 1
            ):
                oy = cy + dy
                ey = oy % ny
                for dz in range(
                    -reaches[2], nz - reaches[2] if nz <= 2 * reaches[2] else reaches[2] + 1
                ):
                    oz = cz + dz
                    ez = oz % nz
                    cell = (ex * ny + ey) * nz + ez
                    begin, end = max(rows[cell], i + 1), rows[cell + 1]
                    for j in range(begin, end):
                        px = abs(points[j, 0] - x)
                        py = abs(points[j, 1] - y)
                        pz = abs(points[j, 2] - z)
                        px = min(px, box_size - px)
                        py = min(py, box_size - py)
                        pz = min(pz, box_size - pz)
                        square = px * px + py * py
                        if depth > 0.0:
                            if pz >= depth:
                                continue
                        else:
                            square += pz * pz
                        if square >= most or square < least:
                            continue
                        k = bins - 1
                        while square < squares[k]:
                            k -= 1
                        b = label[j]
                        together = own * weight[j]
                        if home == host[j] and a == b:
                            together *= factor[i]
                        first, second = max(a, b), min(a, b)
                        table[first * (first + 1) // 2 + second, k] += together


@compiled(_i8, _i8, _in(_f8, 2), _in(_f8, 2), _OUT)
def quadratic(start: int, stop: int, occupation: Array, table: Array, out: Array) -> None:
    """Fill in rows ``start`` to ``stop`` of sums over a table of products of two occupations.

    Parameters
    ----------
    start, stop : int
    occupation : ndarray, shape (p, labels)
    table : ndarray, shape (labels * (labels + 1) / 2, bins)
        See `count`.
    out : ndarray, shape (p, bins)
    """
    labels, bins = occupation.shape[1], table.shape[1]
    for p in range(start, stop):
        for k in range(bins):
            out[p, k] = 0.0
        for a in range(labels):
            first = occupation[p, a]
            if first == 0.0:
                continue
            row = a * (a + 1) // 2
            for b in range(a + 1):
                together = first * occupation[p, b]
                if together == 0.0:
                    continue
                for k in range(bins):
                    out[p, k] += together * table[row + b, k]


def cells_of(
    points: Array, label: Array, box_size: float, reach: tuple[float, float, float]
) -> tuple[Array, Array, Array, Array]:
    """Return the order of points by cell, the first point in each cell, cells and reaches.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
    label : ndarray of int, shape (n,)
        Points of a cell are in the order of their labels, whose rows of the table are then used
        one after the other.
    box_size : float
    reach : tuple of float
        Largest separation along each axis of a pair that counts.
    """
    few = max(1.0, (len(points) / 4) ** (1 / 3))
    sides = [int(max(1, min(few, math.floor(2.0 * box_size / length)))) for length in reach]
    reaches = [
        min(math.ceil(length * n / box_size + 1e-9), n)
        for length, n in zip(reach, sides, strict=True)
    ]
    place = [
        np.minimum((points[:, axis] / box_size * n).astype(np.int64), n - 1)
        for axis, n in enumerate(sides)
    ]
    cell = (place[0] * sides[1] + place[1]) * sides[2] + place[2]
    order = np.lexsort((label, cell))
    rows = np.searchsorted(cell[order], np.arange(np.prod(sides) + 1))
    return order, rows.astype(np.int64), np.array(sides), np.array(reaches)
