"""Compiled loop over pairs of points on the sky: weighted counts by separation and by region.

Importing this module compiles the function or loads it from numba's cache.
"""

from __future__ import annotations

import math
from typing import Any

from numba import types
from numpy.typing import NDArray

from ...system.parallel import compiled

Array = NDArray[Any]
ANGLE, WEDGES, CYLINDERS = range(3)  # kinds of separations

_f8, _i8 = types.float64, types.int64


def _in(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


_POINTS = (_in(_f8, 2), _in(_f8, 2), _in(_i8))


@compiled(_f8, _f8, _f8, _i8)
def half_angle(distance: float, reach: float, depth: float, kind: int) -> float:
    """Return sin(theta / 2)**2 of the largest angle between a point and its partners; 1 for all.

    A partner is within ``reach`` of the point, or for `CYLINDERS` within ``reach`` across the line
    of sight and within ``depth`` along it.
    """
    if kind == ANGLE:
        return min(1.0, reach * reach / 4.0)
    far = reach if kind == WEDGES else math.sqrt(reach * reach + depth * depth)
    if distance <= far:
        return 1.0
    square = (far / distance) ** 2
    half = square / (2.0 * (1.0 + math.sqrt(1.0 - square)))
    near = distance - depth
    if kind == CYLINDERS and near > 0.0:
        # r_p = r1 r2 sin(theta) / abs(L), and the midpoint L is no farther than (r1 + r2) / 2.
        sine = reach * (distance + near) / (2.0 * distance * near)
        if sine < 1.0:
            half = min(half, sine * sine / (2.0 * (1.0 + math.sqrt(1.0 - sine * sine))))
    return half


@compiled(_in(_f8, 2), _i8, _i8, _f8)
def first_from(polar: Array, begin: int, end: int, distance: float) -> int:
    """Return the first row from ``begin`` on that is as distant as ``distance``, or ``end``."""
    while begin < end:
        middle = (begin + end) // 2
        if polar[middle, 0] < distance:
            begin = middle + 1
        else:
            end = middle
    return begin


@compiled(_f8, _f8, _f8)
def beyond(value: float, low: float, high: float) -> float:
    """Return by how much a value is outside a range."""
    return max(low - value, value - high, 0.0)


@compiled(
    *(*_POINTS, _i8, _i8, *_POINTS, _in(_i8), _in(_i8), _i8, _i8, _f8, _f8, _in(_f8), _in(_i8)),
    *(_i8, types.Array(_f8, 2, "C"), types.Array(_f8, 2, "C"), types.Array(_i8, 1, "C")),
)
def count(
    points: Array,
    polar: Array,
    region: Array,
    start: int,
    stop: int,
    others: Array,
    other_polar: Array,
    other_region: Array,
    rows: Array,
    bands: Array,
    same: int,
    kind: int,
    reach: float,
    depth: float,
    squares: Array,
    guess: Array,
    parts: int,
    within: Array,
    across: Array,
    pairs: Array,
) -> int:
    """Add the pairs of points ``start`` to ``stop`` with others; return how many were looked at.

    Parameters
    ----------
    points, others : ndarray, shape (n, 5) and (m, 5)
        x, y, z, weight and squared distance; the others are sorted by cell, and by distance within
        it.
    polar, other_polar : ndarray, shape (n, 3) and (m, 3)
        Distance, right ascension in [0, 2 pi) and declination [rad].
    region, other_region : ndarray of int, shape (n,) and (m,)
    start, stop : int
    rows : ndarray of int, shape (cells + 1,)
        First of the others in each cell.
    bands : ndarray of int, shape (bands + 1,)
        First cell of each band of declination; bands are equally high, and cells in a band equally
        wide.
    same : int
        1 if the others are the points, each pair of which counts once; else 0.
    kind : int
        `ANGLE`, `WEDGES` or `CYLINDERS`.
    reach, depth : float
        See `half_angle`.
    squares : ndarray, shape (bins + 1,)
        Squared edges of separations; lower edges are in.
    guess : ndarray of int
        Highest bin of squared separations in each of equal parts up to the last edge, and at it.
    parts : int
        Bins of mu or pi.
    within, across : ndarray, shape (regions, bins * parts)
        Weights of pairs with both members in a region, and with one, are added to these; a pair
        across two regions to both of them.
    pairs : ndarray of int, shape (bins * parts,)
    """
    number = bands.size - 1
    height = math.pi / number
    least, most = squares[0], squares[squares.size - 1]
    scale = (guess.size - 1) / most
    looked = 0
    for i in range(start, stop):
        x, y, z, weight = points[i, 0], points[i, 1], points[i, 2], points[i, 3]
        origin = points[i, 4]
        distance, ra, dec = polar[i, 0], polar[i, 1], polar[i, 2]
        own = region[i]
        half = half_angle(distance, reach, depth, kind) * (1.0 + 1e-9)
        theta = math.pi if half >= 1.0 else 2.0 * math.asin(math.sqrt(half)) + 1e-12
        lowest = max(0, math.floor((dec - theta + 0.5 * math.pi) / height))
        highest = min(number - 1, math.floor((dec + theta + 0.5 * math.pi) / height))
        for band in range(lowest, highest + 1):
            south = band * height - 0.5 * math.pi
            gap = math.sin(0.5 * beyond(dec, south, south + height)) ** 2
            if gap > half:
                continue
            narrow = math.cos(dec) * max(0.0, min(math.cos(south), math.cos(south + height)))
            cells = bands[band + 1] - bands[band]
            first, last, turn = 0, cells - 1, True
            width = 2.0 * math.pi / cells
            if half < 1.0 and half - gap < narrow:
                side = 2.0 * math.asin(math.sqrt((half - gap) / narrow)) + 1e-12
                low, high = math.floor((ra - side) / width), math.floor((ra + side) / width)
                if high - low + 1 < cells:
                    first, last, turn = int(low), int(high), False
            for cell in range(first, last + 1):
                at = bands[band] + cell % cells
                begin, end = rows[at], rows[at + 1]
                if same == 1:
                    begin = max(begin, i + 1)
                if begin >= end:
                    continue
                if kind != ANGLE:
                    radial = depth
                    if kind == WEDGES and not turn:
                        apart = beyond(ra, cell * width, (cell + 1) * width)
                        apart = gap + narrow * math.sin(0.5 * apart) ** 2
                        left = depth * depth - 4.0 * distance * max(0.0, distance - depth) * apart
                        radial = math.sqrt(max(left, 0.0))
                    radial = radial * (1.0 + 1e-12) + 1e-12 * distance
                    begin = first_from(other_polar, begin, end, distance - radial)
                    end = first_from(other_polar, begin, end, distance + radial)
                looked += end - begin
                for j in range(begin, end):
                    dx, dy, dz = others[j, 0] - x, others[j, 1] - y, others[j, 2] - z
                    square = dx * dx + dy * dy + dz * dz
                    part = 0
                    if kind == CYLINDERS:
                        # With d and 2 L the difference and the sum of both places, whose squares
                        # add up to 2 (r1^2 + r2^2), pi^2 = (d . 2 L)^2 / (2 L)^2.
                        along = (others[j, 4] - origin) ** 2
                        line = 2.0 * (others[j, 4] + origin) - square
                        if along >= depth * depth * line:
                            continue
                        along /= line
                        square = max(square - along, 0.0)
                        if square >= most or square < least:
                            continue
                        part = min(int(math.sqrt(along) / depth * parts), parts - 1)
                    elif square >= most or square < least:
                        continue
                    elif kind == WEDGES and parts > 1:
                        along = others[j, 4] - origin
                        line = (2.0 * (others[j, 4] + origin) - square) * square
                        part = min(int(math.sqrt(along * along / line) * parts), parts - 1)
                    k = guess[int(square * scale)]
                    while square < squares[k]:
                        k -= 1
                    k = k * parts + part
                    product = weight * others[j, 3]
                    pairs[k] += 1
                    if other_region[j] == own:
                        within[own, k] += product
                    else:
                        across[own, k] += product
                        across[other_region[j], k] += product
    return looked
