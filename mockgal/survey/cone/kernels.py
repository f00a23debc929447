"""Compiled loops of the sky: copies of a box as an observer sees them.

Importing this module compiles the functions or loads them from numba's cache.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from ...system.parallel import compiled

Array = NDArray[Any]

SEEN = ("ra", "dec", "distance", "along")  # rows of what `see` gives
PLACED = (*(f"{what}_{x}" for what in ("position", "velocity") for x in "xyz"), *SEEN)

_f8, _i8 = types.float64, types.int64
_IN, _INDEX = (types.Array(kind, 1, "C", readonly=True) for kind in (_f8, _i8))
_TABLE = types.Array(_f8, 2, "C", readonly=True)
_VECTORS = types.UniTuple(_IN, 3)
_VECTOR = types.UniTuple(_f8, 3)
_TURN = types.UniTuple(_VECTOR, 3)
_OUT = types.Array(_f8, 2, "C")
_NUMBERS = types.Array(_i8, 2, "C")
_DEGREE = 180.0 / math.pi
_SURE = 1e-9  # relative, of squares that need no root to be compared


@njit(inline="always")  # type: ignore[untyped-decorator]
def _angles(x: Any, y: Any, z: Any) -> Any:
    ra = math.atan2(y, x) * _DEGREE
    ra = ra + 360.0 if ra < 0.0 else ra
    ra = 0.0 if ra >= 360.0 else ra  # of a tiny negative angle
    return ra, math.atan2(z, math.sqrt(x * x + y * y)) * _DEGREE


@njit(inline="always")  # type: ignore[untyped-decorator]
def _times(turn: Any, x: Any, y: Any, z: Any) -> Any:
    return (
        turn[0][0] * x + turn[0][1] * y + turn[0][2] * z,
        turn[1][0] * x + turn[1][1] * y + turn[1][2] * z,
        turn[2][0] * x + turn[2][1] * y + turn[2][2] * z,
    )


@compiled(_VECTORS, _VECTORS, _VECTOR, _OUT)
def see(position: Any, velocity: Any, observer: Any, out: Array) -> None:
    """Fill the rows `SEEN` of ``out``: angles [deg], distance, and speed away from the observer."""
    for i in range(len(position[0])):
        x = position[0][i] - observer[0]
        y = position[1][i] - observer[1]
        z = position[2][i] - observer[2]
        far = math.sqrt(x * x + y * y + z * z)
        speed = velocity[0][i] * x + velocity[1][i] * y + velocity[2][i] * z
        out[0, i], out[1, i] = _angles(x, y, z)
        out[2, i], out[3, i] = far, speed / far if far > 0.0 else 0.0


@compiled(
    *(_VECTORS, _VECTORS, _INDEX, _TABLE, _f8, _VECTOR, types.UniTuple(_f8, 2), types.boolean),
    *(_TURN, _VECTOR, _f8, _i8, _NUMBERS, _OUT),
)
def place(
    position: Any,
    velocity: Any,
    centre: Array,
    shifts: Array,
    size: float,
    observer: Any,
    shell: Any,
    turned: bool,
    turn: Any,
    axis: Any,
    least: float,
    first: int,
    which: Array,
    out: Array,
) -> Any:
    """Place the copies of galaxies whose halos lie in a shell.

    Parameters
    ----------
    position, velocity : tuple of three arrays, shape (n,)
    centre : ndarray of int, shape (n,)
        Row of the galaxy whose place is that of the halo.
    shifts : ndarray, shape (c, 3)
        Of the copies of the box.
    size : float
        Side of the box.
    observer : tuple of three float
    shell : tuple of two float
        Distances of the halos' places: from the first, up to the second.
    turned : bool
        Whether ``turn``, a matrix, turns all about the observer.
    axis : tuple of three float
        Galaxies farther from this direction than the angle whose cosine is ``least`` are left out.
    first : int
        The row to begin with.
    which : ndarray of int64, shape (2, m)
        Filled with the row and the number of the copy of each galaxy; m is c or more.
    out : ndarray, shape (10, m)
        Filled with the quantities `PLACED`.

    Returns
    -------
    tuple of int
        How many were placed, and the row to go on with; n if that was all.
    """
    near, far = shell
    near2, far2 = near * near * (1.0 - _SURE), far * far * (1.0 + _SURE)
    count, copies, n = 0, len(shifts), len(position[0])
    for i in range(first, n):
        if count + copies > out.shape[1]:
            return count, i
        c = centre[i]
        cx, cy, cz = position[0][c], position[1][c], position[2][c]
        dx, dy, dz = position[0][i] - cx, position[1][i] - cy, position[2][i] - cz
        dx -= size * np.rint(dx / size)
        dy -= size * np.rint(dy / size)
        dz -= size * np.rint(dz / size)
        for k in range(copies):
            x = cx + shifts[k, 0] - observer[0]
            y = cy + shifts[k, 1] - observer[1]
            z = cz + shifts[k, 2] - observer[2]
            square = x * x + y * y + z * z
            if square < near2 or square > far2:
                continue
            away = math.sqrt(square)
            if away < near or away >= far:
                continue
            x, y, z = x + dx, y + dy, z + dz
            vx, vy, vz = velocity[0][i], velocity[1][i], velocity[2][i]
            if turned:
                x, y, z = _times(turn, x, y, z)
                vx, vy, vz = _times(turn, vx, vy, vz)
            x, y, z = x + observer[0], y + observer[1], z + observer[2]
            out[0, count], out[1, count], out[2, count] = x, y, z
            x, y, z = x - observer[0], y - observer[1], z - observer[2]
            away = math.sqrt(x * x + y * y + z * z)
            if axis[0] * x + axis[1] * y + axis[2] * z < least * away:
                continue
            out[3, count], out[4, count], out[5, count] = vx, vy, vz
            out[6, count], out[7, count] = _angles(x, y, z)
            out[8, count] = away
            out[9, count] = (vx * x + vy * y + vz * z) / away if away > 0.0 else 0.0
            which[0, count], which[1, count] = i, k
            count += 1
    return count, n
