"""Compiled loop over the waves of a real field that sums powers in shells of wavenumber.

Importing this module compiles the function or loads it from numba's cache.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from ...system.parallel import compiled

Array = NDArray[Any]


def _in(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


f8, i8 = types.float64, types.int64
_REST = (i8, _in(f8), _in(types.uint16), i8, i8, types.Array(f8, 2, "C"))


def _add_power(
    first: Array,
    second: Array,
    start: int,
    gain: Array,
    shell: Array,
    limit: int,
    axis: int,
    sums: Array,
) -> None:
    """Add Re(first conj(second)) of every pair of waves k, -k in some planes to its shell's sum.

    Parameters
    ----------
    first, second : ndarray of complex, shape (planes, N, at least the waves that are read)
        Planes of real transforms.
    start : int
        Index of the first of these planes in the transform.
    gain : ndarray, shape (N,)
        Each power is multiplied by the gains of its three components.
    shell : ndarray of uint16, shape (limit**2,)
        Shell of each squared length n**2 (in units of the fundamental).
    limit : int
        Waves with n < limit are read; at most (N + 1) // 2, so that no wave is its own partner.
    axis : int
        0, 1 or 2: the axis that mu is the cosine of the angle to.
    sums : ndarray, shape (shells, m)
        Sums to add to: of powers times 1, mu**2 and mu**4 if m is 3, of powers alone if m is 1.
    """
    size, bound = first.shape[1], limit * limit
    for plane in range(first.shape[0]):
        x = start + plane
        nx = x if 2 * x < size else x - size
        for y in range(size):
            ny = y if 2 * y < size else y - size
            across = nx * nx + ny * ny
            if across >= bound:
                continue
            gain_across = gain[x] * gain[y]
            for z in range(np.int64(math.sqrt(bound - 1.0 - across)) + 1):
                square = across + z * z
                a, b = first[plane, y, z], second[plane, y, z]
                power = np.float64(a.real) * np.float64(b.real)
                power += np.float64(a.imag) * np.float64(b.imag)
                # For z = 0 the transform holds both partners, otherwise one of them.
                power *= gain_across * (gain[z] if z > 0 else 0.5)
                row = shell[square]
                sums[row, 0] += power
                if sums.shape[1] > 1 and square > 0:
                    along = nx if axis == 0 else (ny if axis == 1 else z)
                    mu_squared = along * along / square
                    sums[row, 1] += mu_squared * power
                    sums[row, 2] += mu_squared * mu_squared * power


add_power = {
    np.dtype(precision): compiled(_in(kind, 3), _in(kind, 3), *_REST)(_add_power)
    for precision, kind in (("complex64", types.complex64), ("complex128", types.complex128))
}
