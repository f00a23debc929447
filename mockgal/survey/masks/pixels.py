"""HEALPix pixels of places, compiled (Gorski et al. 2005, doi:10.1086/427976, section 4 and 5).

astropy-healpix is the reference: tests hold both together. Importing this module compiles the
function or loads it from numba's cache.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from ...system.parallel import compiled

Array = NDArray[Any]

_f8, _i8, _flag = types.float64, types.int64, types.boolean
_IN = types.Array(_f8, 1, "C", readonly=True)
_TABLE = types.Array(_f8, 2, "C", readonly=True)
_OUT = types.Array(_i8, 1, "C")
_RADIAN = math.pi / 180.0
_POLAR = 2.0 / 3.0  # of sin(latitude), beyond which the polar caps begin


@njit(inline="always")  # type: ignore[untyped-decorator]
def _spread(number: Any) -> Any:
    """Return a number of up to 32 bits with a 0 before each of its bits."""
    bits = np.uint64(number)
    bits = (bits | (bits << np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    bits = (bits | (bits << np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    bits = (bits | (bits << np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    bits = (bits | (bits << np.uint64(2))) & np.uint64(0x3333333333333333)
    return (bits | (bits << np.uint64(1))) & np.uint64(0x5555555555555555)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _place(ra: Any, dec: Any, turned: Any, turn: Any) -> Any:
    """Return sin(dec), cos(dec), and the right ascension in quarters of the circle, in [0, 4).

    The cosine is 0 where pixels do not depend on it.
    """
    z, across, quarters = math.sin(dec * _RADIAN), 0.0, ra / 90.0
    if turned or abs(z) > _POLAR:
        across = math.cos(dec * _RADIAN)
    if turned:
        x, y = across * math.cos(ra * _RADIAN), across * math.sin(ra * _RADIAN)
        u = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] * z
        v = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] * z
        z = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] * z
        across = math.sqrt(u * u + v * v)
        quarters = math.atan2(v, u) / (0.5 * math.pi)
    quarters -= 4.0 * math.floor(quarters / 4.0)
    return z, across, quarters if quarters < 4.0 else 0.0


@njit(inline="always")  # type: ignore[untyped-decorator]
def _ring(nside: Any, z: Any, across: Any, quarters: Any) -> Any:
    if abs(z) <= _POLAR:
        north = np.int64(math.floor(nside * (0.5 + quarters - 0.75 * z)))
        south = np.int64(math.floor(nside * (0.5 + quarters + 0.75 * z)))
        ring = nside + 1 + north - south  # from 1, in the equatorial belt
        shift = 1 - (ring & 1)
        column = (north + south - nside + shift + 1) >> 1
        return 2 * nside * (nside - 1) + (ring - 1) * 4 * nside + column % (4 * nside)
    part = quarters - math.floor(quarters)
    # across sqrt(3 / (1 + |z|)) is sqrt(3 (1 - |z|)), without its rounding at the pole
    to_pole = nside * across * math.sqrt(3.0 / (1.0 + abs(z)))
    ring = np.int64(part * to_pole) + np.int64((1.0 - part) * to_pole) + 1
    column = np.int64(quarters * ring) % (4 * ring)
    before = 2 * ring * (ring - 1) if z > 0 else 12 * nside * nside - 2 * ring * (ring + 1)
    return before + column


@njit(inline="always")  # type: ignore[untyped-decorator]
def _nested(nside: Any, order: Any, z: Any, across: Any, quarters: Any) -> Any:
    if abs(z) <= _POLAR:
        north = np.int64(math.floor(nside * (0.5 + quarters - 0.75 * z)))
        south = np.int64(math.floor(nside * (0.5 + quarters + 0.75 * z)))
        first, second = north >> order, south >> order
        if first == second:
            face = (first & 3) + 4
        elif first < second:
            face = first & 3
        else:
            face = (second & 3) + 8
        x, y = south & (nside - 1), nside - (north & (nside - 1)) - 1
    else:
        face = np.int64(min(math.floor(quarters), 3.0))
        part = quarters - face
        to_pole = nside * across * math.sqrt(3.0 / (1.0 + abs(z)))
        along = min(np.int64(part * to_pole), nside - 1)
        other = min(np.int64((1.0 - part) * to_pole), nside - 1)
        if z > 0:
            x, y = nside - other - 1, nside - along - 1
        else:
            face, x, y = face + 8, along, other
    within = np.int64(_spread(x) | (_spread(y) << np.uint64(1)))
    return (face << (2 * order)) + within


@compiled(_IN, _IN, _i8, _flag, _flag, _TABLE, _OUT)
def pixels(
    ra: Array, dec: Array, nside: int, nested: bool, turned: bool, turn: Array, out: Array
) -> None:
    """Fill ``out`` with the pixel of each place [deg].

    Parameters
    ----------
    ra, dec : ndarray, shape (n,)
    nside : int
    nested : bool
        In NESTED order, for which ``nside`` is a power of 2; else in RING order.
    turned : bool
        Whether ``turn``, shape (3, 3), takes places to the coordinates of the pixels.
    out : ndarray of int64, shape (n,)
    """
    order = 0
    while (1 << order) < nside:
        order += 1
    for i in range(len(ra)):
        z, across, quarters = _place(ra[i], dec[i], turned, turn)
        if nested:
            out[i] = _nested(nside, order, z, across, quarters)
        else:
            out[i] = _ring(nside, z, across, quarters)


@njit(inline="always")  # type: ignore[untyped-decorator]
def _gathered(number: Any) -> Any:
    """Return a number of every second bit of another."""
    bits = np.uint64(number) & np.uint64(0x5555555555555555)
    bits = (bits | (bits >> np.uint64(1))) & np.uint64(0x3333333333333333)
    bits = (bits | (bits >> np.uint64(2))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    bits = (bits | (bits >> np.uint64(4))) & np.uint64(0x00FF00FF00FF00FF)
    bits = (bits | (bits >> np.uint64(8))) & np.uint64(0x0000FFFF0000FFFF)
    return np.int64((bits | (bits >> np.uint64(16))) & np.uint64(0x00000000FFFFFFFF))


@njit(inline="always")  # type: ignore[untyped-decorator]
def _middle(nside: Any, nested: Any, pixel: Any) -> Any:
    """Return the sine of the latitude of a pixel's centre, and its longitude in quarters."""
    if nested:
        within = pixel % (nside * nside)
        face = pixel // (nside * nside)
        x, y = _gathered(within), _gathered(np.uint64(within) >> np.uint64(1))
        ring = (2 + face // 4) * nside - x - y - 1  # from 1 in the north
        half = 2 * (face & 3) + np.int64(face // 4 != 1)  # of the face's middle, in eighths
        near = min(ring, 4 * nside - ring, nside)
        eighths = half * near + x - y
        eighths += 8 * near if eighths < 0 else 0
        quarters = 0.5 * eighths / near
    else:
        polar = 2 * nside * (nside - 1)
        if pixel < polar:
            ring = (1 + np.int64(math.sqrt(1.0 + 2.0 * pixel))) >> 1
            quarters = (pixel - 2 * ring * (ring - 1) + 0.5) / ring
        elif pixel < 12 * nside * nside - polar:
            ring = (pixel - polar) // (4 * nside) + nside
            quarters = ((pixel - polar) % (4 * nside) + 0.5 * (1 - ((ring + nside) & 1))) / nside
        else:
            left = 12 * nside * nside - pixel
            near = (1 + np.int64(math.sqrt(2.0 * left - 1.0))) >> 1
            quarters = (4 * near - (left - 2 * near * (near - 1)) + 0.5) / near
            ring = 4 * nside - near
    if ring < nside:
        z = 1.0 - ring * ring / (3.0 * nside * nside)
    elif ring > 3 * nside:
        z = (4 * nside - ring) * (4 * nside - ring) / (3.0 * nside * nside) - 1.0
    else:
        z = (2 * nside - ring) * 2.0 / (3.0 * nside)
    return z, quarters


@compiled(_IN, _i8, _flag, types.UniTuple(_f8, 3))
def around(values: Array, nside: int, nested: bool, axis: Any) -> Any:
    """Return where the pixels lie whose values are not 0.

    Parameters
    ----------
    values : ndarray, shape (12 nside^2,)
    nside : int
    nested : bool
    axis : tuple of three float
        A unit vector.

    Returns
    -------
    tuple of four float
        The sum of the unit vectors of their centres, and the least cosine of the angles between
        these and the axis.
    """
    x, y, z, least = 0.0, 0.0, 0.0, 1.0
    for pixel in range(len(values)):
        if values[pixel] == 0.0:
            continue
        height, quarters = _middle(nside, nested, pixel)
        across = math.sqrt((1.0 - height) * (1.0 + height))
        u, v = (
            across * math.cos(90.0 * _RADIAN * quarters),
            across * math.sin(90.0 * _RADIAN * quarters),
        )
        x, y, z = x + u, y + v, z + height
        least = min(least, axis[0] * u + axis[1] * v + axis[2] * height)
    return x, y, z, least
