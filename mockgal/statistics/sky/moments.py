"""Moments of a field along lines of sight that differ from place to place, on a grid.

The multipole of degree l needs, for each wave, the field times L_l of the cosine mu between the
wave and the line of sight at each place (Yamamoto et al. 2006, arXiv:astro-ph/0505115). mu**4 is a
sum over the 15 monomials of degree 4 of the unit vector to the place, each times one of the unit
vector of the wave, so that 15 transforms suffice (Bianchi et al. 2015, arXiv:1505.05341;
Scoccimarro 2015, arXiv:1506.02729). As the squares of a unit vector add up to 1, they also give
mu**2.

Importing this module compiles a function or loads it from numba's cache.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from ...fields.waves.fourier import transform
from ...system.parallel import compiled, over
from ...system.progress import advance
from ..power.shells import SLAB, Shells, in_order, power_sums

Array = NDArray[Any]

MONOMIALS = tuple(e for e in product(range(5), repeat=3) if sum(e) == 4)

_f8, _i8, _c16 = types.float64, types.int64, types.complex128


def _in(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


@compiled(_f8, _i8)
def raised(x: float, power: int) -> float:
    """Return a small whole power of a number; 0 for a negative power."""
    if power < 0:
        return 0.0
    result = 1.0
    for _ in range(power):
        result *= x
    return result


@compiled(
    *(_in(_c16, 3), _in(_c16, 3), _i8, _in(_f8), _in(types.uint16), _i8, _in(_i8), _in(_f8)),
    types.Array(_f8, 2, "C"),
)
def add_moments(
    first: Array,
    second: Array,
    start: int,
    gain: Array,
    shell: Array,
    limit: int,
    exponents: Array,
    ways: Array,
    sums: Array,
) -> None:
    """Add Re(first conj(second)) times the share of a monomial in mu**2 and mu**4, wave by wave.

    Parameters
    ----------
    first, second : ndarray of complex, shape (planes, N, N // 2 + 1)
        Planes of the transforms of a field, and of the field times a monomial.
    start, gain, shell, limit
        See `mockgal.statistics.power.kernels`.
    exponents : ndarray of int, shape (3,)
    ways : ndarray, shape (4,)
        Multinomial coefficients: of the monomial, and of it without the square of each axis.
    sums : ndarray, shape (shells, 2)
        Sums to add to.
    """
    size, bound = first.shape[1], limit * limit
    a, b, c = exponents
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
                row = shell[square]
                if row == 0:
                    continue
                one, two = first[plane, y, z], second[plane, y, z]
                power = one.real * two.real + one.imag * two.imag
                power *= gain_across * (gain[z] if z > 0 else 0.5)
                length = math.sqrt(square)
                ux, uy, uz = nx / length, ny / length, z / length
                of_two = ways[1] * raised(ux, a - 2) * raised(uy, b) * raised(uz, c)
                of_two += ways[2] * raised(ux, a) * raised(uy, b - 2) * raised(uz, c)
                of_two += ways[3] * raised(ux, a) * raised(uy, b) * raised(uz, c - 2)
                sums[row, 0] += of_two * power
                sums[row, 1] += ways[0] * raised(ux, a) * raised(uy, b) * raised(uz, c) * power


def moment_sums(
    field: Array, shells: Shells, gain: Array, *, corner: Array, voxel: float, label: str
) -> Array:
    """Return the sums over each shell of the power of a field times 1, mu**2 and mu**4.

    Parameters
    ----------
    field : ndarray of float64, shape (N, N, N)
    shells : Shells
    gain : ndarray, shape (N,)
        Gain of each component of a wave, in the order of the transform.
    corner : ndarray, shape (3,)
        Corner of the grid relative to the observer.
    voxel : float
        Side of a voxel, in the unit of ``corner``.
    label : str
        Name of the work in progress reports.

    Returns
    -------
    ndarray, shape (3, shells.number)
        Independent of the number of threads.
    """
    total = len(MONOMIALS) + 1
    advance(0, total, label)
    waves = transform(field)
    sums = np.zeros((3, shells.number))
    sums[0] = power_sums(waves, waves, shells, gain)[0]
    advance(1, total, label)
    for done, exponents in enumerate(MONOMIALS, 2):
        others = transform(_times(field, exponents, corner, voxel))
        sums[1:] += _sums(waves, others, shells, gain, exponents)
        advance(done, total, label)
    return sums


def _times(field: Array, exponents: tuple[int, ...], corner: Array, voxel: float) -> Array:
    """Return the field times a monomial of the unit vector to each voxel's centre."""
    size = len(field)
    x, y, z = (corner[axis] + (np.arange(size) + 0.5) * voxel for axis in range(3))
    result = np.empty_like(field)
    flat = y[:, None] ** exponents[1] * z ** exponents[2]
    squares = y[:, None] ** 2 + z**2

    def some(start: int) -> None:
        part = slice(start, start + SLAB)
        distance = np.maximum(x[part, None, None] ** 2 + squares, np.finfo(float).tiny)
        result[part] = field[part] * (x[part, None, None] ** exponents[0] * flat) / distance**2

    over(some, range(0, size, SLAB))
    return result


def _sums(
    waves: Array, others: Array, shells: Shells, gain: Array, exponents: tuple[int, ...]
) -> Array:
    """Return what a monomial adds to the sums times mu**2 and mu**4, shape (2, shells.number)."""
    powers = np.array(exponents, dtype=np.int64)
    ways = [_ways(exponents)]
    ways += [_ways(powers - 2 * np.eye(3, dtype=np.int64)[axis]) for axis in range(3)]
    multinomial = np.array(ways, dtype=np.float64)

    def slab(start: int) -> Array:
        sums = np.zeros((shells.number + 1, 2))
        part = slice(start, start + SLAB)
        add_moments(
            *(waves[part], others[part], start, gain, shells.of_square, shells.limit),
            *(powers, multinomial, sums),
        )
        return sums

    return in_order(over(slab, range(0, shells.grid_size, SLAB)))


def _ways(exponents: Any) -> int:
    """Return the multinomial coefficient of exponents; 0 if one is negative."""
    if min(exponents) < 0:
        return 0
    a, b, c = (int(e) for e in exponents)
    return math.factorial(a + b + c) // (math.factorial(a) * math.factorial(b) * math.factorial(c))
