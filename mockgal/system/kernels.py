"""Compiled loops that several rooms need: random numbers and linear interpolation.

Importing this module compiles the functions or loads them from numba's cache, so it is imported
only once there are many rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import njit, types
from numpy.typing import NDArray

from .parallel import compiled

Array = NDArray[Any]

_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _ZERO = np.uint64(0xFFFFFFFF), np.uint64(0)
_12, _32 = np.uint64(12), np.uint64(32)

_f8, _u8 = types.float64, types.uint64
_PLACES = types.Array(types.int64, 1, "C")
_IDS, _INDEX = (types.Array(kind, 1, "C", readonly=True) for kind in (_u8, types.int64))
# A function that is not inlined would keep the loop that calls it from being vectorized.
_inlined: Callable[[Callable[..., Any]], Any] = njit(inline="always")


@compiled(types.UniTuple(_u8, 4), types.UniTuple(_u8, 2))
def _round(counter: Any, key: Any) -> Any:
    product0, product1 = _MULTIPLIER_0 * counter[0], _MULTIPLIER_1 * counter[2]
    return (
        (product1 >> _32) ^ counter[1] ^ key[0],
        product1 & _LOW,
        (product0 >> _32) ^ counter[3] ^ key[1],
        product0 & _LOW,
    ), ((key[0] + _WEYL_0) & _LOW, (key[1] + _WEYL_1) & _LOW)


@_inlined
def bits(number: Any, draw: Any, index: Any, key0: Any, key1: Any) -> Any:
    """Return the first two words of Philox4x32-10 as one 64-bit word, for `uniform`'s counter."""
    state = (number & _LOW, number >> _32, draw, index), (key0 & _LOW, key1 & _LOW)
    # Written out: with a loop here the loop over ids is not vectorized and costs 7 times as much.
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
    return (words[0] << _32) | words[1]


@compiled(_IDS, _u8, _u8, types.Array(_f8, 1, "C"))
def uniform(ids: Array, key0: int, key1: int, out: Array) -> None:
    """Fill ``out`` with `mockgal.random.uniform` of each id, for a stream's key of two words."""
    for i in range(len(ids)):
        out[i] = (np.float64(bits(ids[i], _ZERO, _ZERO, key0, key1) >> _12) + 0.5) * 2.0**-52


@compiled(_IDS, _INDEX, _u8, _u8, _u8, types.Array(_f8, 1, "C"))
def uniform_of(ids: Array, sub_index: Array, draw: int, key0: int, key1: int, out: Array) -> None:
    """Do as `uniform`, with a ``draw`` and with a ``sub_index`` for each id, shape (n,)."""
    for i in range(len(ids)):
        number = bits(ids[i], draw, np.uint64(sub_index[i]), key0, key1)
        out[i] = (np.float64(number >> _12) + 0.5) * 2.0**-52


def slopes(nodes: Array, values: Array) -> Array:
    """Return the slopes of the lines between nodes along the last axis, then 0; same shape.

    The slope between equal nodes is arbitrary: nothing is interpolated there.
    """
    result = np.zeros(np.broadcast_shapes(nodes.shape, values.shape))
    with np.errstate(divide="ignore", invalid="ignore"):
        result[..., :-1] = np.diff(values) / np.diff(nodes)
    return result


@compiled(_f8, *3 * (types.Array(_f8, 1, "C", readonly=True),), _f8, _f8)
def interpolate(x: Any, nodes: Any, values: Any, slope: Any, left: Any, right: Any) -> Any:
    """Return `numpy.interp` of one number, using the slopes of the lines."""
    # Counting is vectorized, and neither it nor the choices below branch: twice as fast as
    # bisection for the tens of nodes that tables have, and as fast for hundreds.
    last = len(nodes) - 1
    at_or_below: Any = 0
    for k in range(len(nodes)):
        at_or_below += np.int64(nodes[k] <= x)
    j = max(at_or_below - 1, 0)
    result = slope[j] * (x - nodes[j]) + values[j]
    result = values[j] if (j == last) | (nodes[j] == x) else result
    result = left if x < nodes[0] else result
    return right if x > nodes[last] else result


@compiled(
    *2 * (types.Array(_f8, 1, "C", readonly=True),),
    types.Array(_f8, 2, "C", readonly=True),
    _INDEX,
    _f8,
    types.Array(_f8, 1, "C"),
)
def cubic(
    x: Array, nodes: Array, coefficients: Array, start: Array, step: float, out: Array
) -> None:
    """Fill ``out`` with a cubic spline at ``x``, as SciPy's PPoly does.

    Parameters
    ----------
    x : ndarray, shape (n,)
    nodes : ndarray, shape (m + 1,)
        Increasing from 0.
    coefficients : ndarray, shape (4, m)
        Of powers 3 to 0 of the distance to the node below; the first and the last go on beyond.
    start : ndarray of int64, shape (b,)
        For each step of ``x``, the last node that is not above its beginning.
    step : float
    out : ndarray, shape (n,)
    """
    last = len(nodes) - 2
    for i in range(len(x)):
        cell: Any = min(np.int64(x[i] / step), len(start) - 1) if x[i] >= 0.0 else 0
        k = start[cell]
        k -= k > 0 and nodes[k] > x[i]  # where the division is rounded up
        while k < last and nodes[k + 1] <= x[i]:
            k += 1
        s = x[i] - nodes[k]
        value = coefficients[3, k] + coefficients[2, k] * s
        value += coefficients[1, k] * (s * s)
        out[i] = value + coefficients[0, k] * (s * s * s)


def _pick(first: Any, at: Any, second: Any, later: Any, at_later: Any, out: Any) -> None:
    for i in range(len(at)):
        out[i] = first[at[i]]
    for j in range(len(later)):
        out[later[j]] = second[at_later[j]]


@compiled(_INDEX, _INDEX, types.Array(types.uint8, 1, "C", readonly=True), *3 * [_PLACES])
def places(
    rows: Array, host: Array, is_central: Array, first: Array, later: Array, second: Array
) -> int:
    """See `mockgal.system.deferred.places`; return the length of ``later`` and ``second``."""
    n = 0
    for i in range(len(rows)):
        row = rows[i]
        first[i], later[n], second[n] = host[row], i, row - host[row] - 1
        n += 1 - is_central[row]
    return n


def _column(kind: Any) -> tuple[Any, ...]:
    part = types.Array(kind, 1, "A", readonly=True)
    return part, _INDEX, part, _INDEX, _INDEX, types.Array(kind, 1, "A")


_PICKS = {
    1: (compiled(*_column(types.uint8))(_pick), np.uint8),
    8: (compiled(*_column(_u8))(_pick), np.uint64),
}


def pick(held: Sequence[Array], at: tuple[Array, Array, Array], out: Array) -> None:
    """See `mockgal.system.deferred.pick`."""
    copy, seen_as = _PICKS[out.itemsize]
    first, second = (np.require(x, requirements="A").view(seen_as) for x in (held[0], held[-1]))
    later = slice(None) if len(held) == 2 else slice(0)
    copy(first, at[0], second, at[1][later], at[2][later], out.view(seen_as))
