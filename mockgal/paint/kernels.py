"""Compiled loops over rows: what `mockgal.paint.draw` and `hod` do with NumPy, many times faster.

Each function does the operations of its NumPy reference, one for one and in the same order, without
contraction or reassociation, so that results are equal bit for bit. Transcendental functions
differ in their last bit between libraries and are left to NumPy. All release the interpreter's
lock and touch nothing but their arguments: `mockgal.paint.blocks` runs them in threads.

Importing this module compiles the functions, or loads them from numba's cache; nothing does so
before there is a large catalogue to paint.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

Array = NDArray[Any]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _ZERO = np.uint64(0xFFFFFFFF), np.uint64(0)
_12, _32 = np.uint64(12), np.uint64(32)
LIMBS, LIMB_BITS = 4, 31  # of exact sums
_LIMB = float(1 << LIMB_BITS)


def compiled(*signature: Any) -> Decorator:
    """Compile for these argument types now; in memory only where numba's cache is out of order.

    The cache lies beside this file or in the user's cache folder, or wherever NUMBA_CACHE_DIR
    says; none of them need be writable, have room, or hold what was once put there.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        options = {"nogil": True, "error_model": "numpy"}
        try:
            return njit(signature, cache=True, **options)(function)  # type: ignore[no-any-return]
        except Exception:  # numba lets through whatever the disk or a damaged file raises
            return njit(signature, **options)(function)  # type: ignore[no-any-return]

    return decorate


def _in(kind: Any, dimensions: int = 1, layout: str = "C") -> Any:
    return types.Array(kind, dimensions, layout, readonly=True)


def _out(kind: Any) -> Any:
    return types.Array(kind, 1, "C")


f8, i8, u8, u1 = types.float64, types.int64, types.uint64, types.uint8


@compiled(types.UniTuple(u8, 4), types.UniTuple(u8, 2))
def _round(counter: Any, key: Any) -> Any:
    product0, product1 = _MULTIPLIER_0 * counter[0], _MULTIPLIER_1 * counter[2]
    return (
        (product1 >> _32) ^ counter[1] ^ key[0],
        product1 & _LOW,
        (product0 >> _32) ^ counter[3] ^ key[1],
        product0 & _LOW,
    ), ((key[0] + _WEYL_0) & _LOW, (key[1] + _WEYL_1) & _LOW)


@compiled(_in(u8), u8, u8, _out(f8))
def uniform(ids: Array, key0: int, key1: int, out: Array) -> None:
    """`mockgal.random.uniform` of each id, for the two words of a stream's key."""
    for i in range(len(ids)):
        state = (ids[i] & _LOW, ids[i] >> _32, _ZERO, _ZERO), (key0 & _LOW, key1 & _LOW)
        # Written out: with a loop here, the one over ids is not vectorized, at 7 times the cost.
        state = _round(*state)
        state = _round(*state)
        state = _round(*state)
        state = _round(*state)
        state = _round(*state)
        state = _round(*state)
        state = _round(*state)
        state = _round(*state)
        state = _round(*state)
        words, _ = _round(*state)
        out[i] = (np.float64(((words[0] << _32) | words[1]) >> _12) + 0.5) * 2.0**-52


@compiled(f8, _in(f8), _in(f8), f8, f8)
def _interpolate(x: Any, nodes: Any, values: Any, left: Any, right: Any) -> Any:
    # Counting is vectorized, and neither it nor the choices below have branches to mispredict:
    # twice as fast as bisection for the tens of nodes that tables have, as fast for hundreds.
    last = len(nodes) - 1
    at_or_below: Any = 0
    for k in range(len(nodes)):
        at_or_below += np.int64(nodes[k] <= x)
    j = max(at_or_below - 1, 0)
    following = min(j + 1, last)
    slope = (values[following] - values[j]) / (nodes[following] - nodes[j])
    result = slope * (x - nodes[j]) + values[j]
    result = values[j] if (j == last) | (nodes[j] == x) else result
    result = left if x < nodes[0] else result
    return right if x > nodes[last] else result


@compiled(_in(f8), _in(f8), _in(f8), _out(f8))
def interpolate(x: Array, nodes: Array, values: Array, out: Array) -> None:
    """``np.interp(x, nodes, values)``, all finite but ``x``, and nodes not decreasing."""
    for i in range(len(x)):
        out[i] = _interpolate(x[i], nodes, values, values[0], values[-1])


@compiled(f8, _in(f8))
def _left_node(x: Any, nodes: Any) -> Any:
    at_or_below: Any = 0
    for k in range(len(nodes)):
        at_or_below += np.int64(nodes[k] <= x)
    return min(max(at_or_below - 1, 0), len(nodes) - 2)


@compiled(_in(f8), _in(f8), _out(i8))
def bin_of(x: Array, edges: Array, out: Array) -> None:
    """Bin of each ``x``, the first or the last for those outside; the last for NaN."""
    for i in range(len(x)):
        out[i] = len(edges) - 2 if math.isnan(x[i]) else _left_node(x[i], edges)


@compiled(_in(f8), _in(i8), _in(f8, 2), _in(f8, 2), _in(f8), _out(f8))
def luminous_probability(
    log_mass: Array, row: Array, nodes: Array, values: Array, thinning: Array, out: Array
) -> None:
    """`mockgal.paint.hod_rows.luminous_probability`.

    Parameters
    ----------
    log_mass : ndarray, shape (n,)
    row : ndarray of int64, shape (n,)
    nodes, values : ndarray, shape (rows, any)
    thinning : ndarray, shape (rows,)
    out : ndarray, shape (n,)
    """
    for i in range(len(log_mass)):
        y = values[row[i]]
        p = thinning[row[i]] * _interpolate(log_mass[i], nodes[row[i]], y, y[0], y[-1])
        out[i] = 1.0 if p > 1.0 else p


@compiled(_in(f8), _in(f8), _in(f8), _in(f8, 2), _out(f8))
def median_curve(at: Array, x: Array, y: Array, coefficients: Array, out: Array) -> None:
    """`mockgal.paint.hod_table.median_curve`, from two nodes on.

    Parameters
    ----------
    at : ndarray, shape (n,)
    x, y : ndarray, shape (nodes,)
    coefficients : ndarray, shape (4, nodes - 1)
        Of SciPy's ``PchipInterpolator(x, y)``, the cubic one first.
    out : ndarray, shape (n,)
    """
    first, last = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
    for i in range(len(at)):
        inside = x[0] if at[i] < x[0] else at[i]
        inside = x[-1] if inside > x[-1] else inside
        j = _left_node(inside, x)
        s = inside - x[j]
        value = coefficients[3, j] + coefficients[2, j] * s
        value = value + coefficients[1, j] * (s * s) + coefficients[0, j] * (s * s * s)
        beyond = first * min(at[i] - x[0], 0.0) + last * max(at[i] - x[-1], 0.0)
        out[i] = value + beyond


@compiled(_in(f8), _in(f8), _in(i8), _in(f8), _in(f8, 2), f8, _out(f8))
def inverse_cdf(
    location: Array,
    scale: Array,
    residual_row: Array,
    probability: Array,
    quantiles: Array,
    floor: float,
    value: Array,
) -> None:
    """`mockgal.paint.draw.inverse_cdf` in place.

    Parameters
    ----------
    location, scale, residual_row : ndarray, shape (n,)
    probability : ndarray, shape (q,)
    quantiles : ndarray, shape (any, q)
    floor : float
        As in `mockgal.types.Distribution`.
    value : ndarray, shape (n,)
        Probabilities, replaced by log10 of stellar mass.
    """
    for i in range(len(value)):
        residuals = quantiles[residual_row[i]]
        cut = (floor - location[i]) / scale[i]
        below = _interpolate(cut, residuals, probability, 0.0, 1.0)
        u = below + (1.0 - below) * value[i]
        residual = _interpolate(u, probability, residuals, residuals[0], residuals[-1])
        drawn = location[i] + scale[i] * residual
        value[i] = floor if drawn < floor else drawn


@compiled(_in(f8, 1, "A"), _in(i8), _out(f8))
def take8(source: Array, rows: Array, out: Array) -> None:
    """``source[rows]`` of anything of 8 bytes, seen as float64 and copied as it is."""
    for i in range(len(rows)):
        out[i] = source[rows[i]]


@compiled(_in(u1, 1, "A"), _in(i8), _out(u1))
def take1(source: Array, rows: Array, out: Array) -> None:
    """``source[rows]`` of anything of 1 byte."""
    for i in range(len(rows)):
        out[i] = source[rows[i]]


@compiled(_in(f8), _in(u1), types.Array(i8, 2, "C"))
def add_exactly(probability: Array, group: Array, limbs: Array) -> bool:
    """Add numbers in [0, 1] to the sums of their groups, without rounding.

    Parameters
    ----------
    probability : ndarray, shape (n,)
    group : ndarray of uint8, shape (n,)
        Row of ``limbs`` that a number goes to.
    limbs : ndarray of int64, shape (groups, `LIMBS`)
        Column k counts in units of ``2**(-31 (k + 1))``. Whole numbers: the sum does not depend
        on the order. What is below ``2**-124`` is left out. For fewer than 2**32 numbers.

    Returns
    -------
    bool
        Whether all numbers were in [0, 1]; the sums mean nothing otherwise.
    """
    for i in range(len(probability)):
        rest = probability[i]
        if not 0.0 <= rest <= 1.0:
            return False
        g = group[i]
        for k in range(LIMBS):
            rest *= _LIMB
            whole = np.int64(rest)
            limbs[g, k] += whole
            rest -= np.float64(whole)
    return True


def exact_value(limbs: Array) -> float:
    """The number that limbs of `add_exactly` stand for, shape (`LIMBS`,): rounded once."""
    total = 0
    for limb in limbs:
        total = (total << LIMB_BITS) + int(limb)
    return total / (1 << LIMBS * LIMB_BITS)
