"""Compiled loops over rows: the functions of `mockgal.satellites.reference`, many times faster.

Each performs the operations of its reference in the same order, without contraction or
reassociation: results are equal bit for bit. Logarithms, powers and the like differ in their last
bit between libraries, so both use those of NumPy and SciPy.

Importing this module compiles the functions, or loads them from numba's cache; it is imported only
for many hosts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from .. import random
from ..system import kernels as shared
from ..system.parallel import compiled
from .curves import Curve
from .ids import SATELLITE_BIT
from .numbers import LEAST_START, NumberLaw

Array = NDArray[Any]

f8, i8, u8, u1 = types.float64, types.int64, types.uint64, types.uint8
_ZERO, _SHIFT = np.uint64(0), np.uint64(64 - SATELLITE_BIT)


def _in(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


def _out(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C")


def _key(seed: int, stream: str) -> tuple[Any, Any]:
    key0, key1 = random.stream_key(seed, stream)
    return np.uint64(key0), np.uint64(key1)


def uniform(seed: int, stream: str, ids: Array) -> Array:
    """See `mockgal.satellites.reference.uniform`."""
    result = np.empty(len(ids))
    shared.uniform(ids.view(np.uint64), *_key(seed, stream), result)
    return result


def uniform_of(seed: int, stream: str, ids: Array, index: Array, draw: int = 0) -> Array:
    """See `mockgal.satellites.reference.uniform_of`."""
    result = np.empty(len(ids))
    shared.uniform_of(ids.view(np.uint64), index, np.uint64(draw), *_key(seed, stream), result)
    return result


@compiled(_in(f8), *[_in(f8)] * 8, _out(i8))
def _quantile(
    u: Any,
    mean: Any,
    start: Any,
    first: Any,
    slope: Any,
    other_start: Any,
    other_first: Any,
    other_slope: Any,
    weight: Any,
    out: Any,
) -> None:
    for i in range(len(u)):
        p, q, w = start[i], other_start[i], weight[i]
        total = (1.0 - w) * p + w * q
        if u[i] <= total:
            out[i] = 0
            continue
        if p < LEAST_START or (w > 0.0 and q < LEAST_START):
            out[i] = -1
            continue
        k = 0
        while u[i] > total:
            p *= (first[i] + k * slope[i]) / (k + 1.0)
            q *= (other_first[i] + k * other_slope[i]) / (k + 1.0)
            more = total + ((1.0 - w) * p + w * q)
            if more == total and not k < mean[i]:
                break
            total = more
            k += 1
        out[i] = k


def quantile(law: NumberLaw, u: Array) -> Array:
    """See `mockgal.satellites.numbers.quantile`."""
    k = np.empty(len(u), dtype=np.int64)
    columns = (law.mean, law.start, law.first, law.slope)
    _quantile(u, *columns, law.other_start, law.other_first, law.other_slope, law.weight, k)
    return k


@compiled(_in(u8), u8, u8, u8, _out(u8))
def _id_hash(hosts: Any, attempt: Any, key0: Any, key1: Any, out: Any) -> None:
    for i in range(len(hosts)):
        out[i] = shared.bits(hosts[i], attempt, _ZERO, key0, key1) >> _SHIFT


def id_hash(seed: int, hosts: Array, attempt: int) -> Array:
    """See `mockgal.satellites.reference.id_hash`."""
    result = np.empty(len(hosts), dtype=np.int64)
    key, ids = _key(seed, "satellite id"), hosts.view(np.uint64)
    _id_hash(ids, np.uint64(attempt), *key, result.view(np.uint64))
    return result


@compiled(_in(f8), _in(i8), _in(f8), _in(f8, 2), _in(f8, 2), _out(f8))
def _interpolate(u: Any, row: Any, probability: Any, values: Any, slopes: Any, out: Any) -> None:
    for i in range(len(u)):
        v = values[row[i]]
        out[i] = shared.interpolate(u[i], probability, v, slopes[row[i]], v[0], v[-1])


def lines(probability: Array, values: Array) -> tuple[Array, ...]:
    """See `mockgal.satellites.reference.lines`; the slopes as well."""
    p, v = (np.require(x, np.float64, ("C", "A")) for x in (probability, values))
    return p, v, shared.slopes(p, v)


def interpolate(u: Array, row: Array, lines: tuple[Array, ...]) -> Array:
    """See `mockgal.satellites.reference.interpolate`."""
    result = np.empty(len(u))
    _interpolate(u, row, *lines, result)
    return result


@compiled(_in(f8), f8, f8, _in(f8, 2), _out(f8))
def _evaluate(at: Any, first: float, step: float, coefficients: Any, out: Any) -> None:
    last = len(coefficients) - 1
    for i in range(len(at)):
        place: Any = np.int64((at[i] - first) / step)
        j = min(max(place, 0), last)
        d = at[i] - (first + j * step)
        c = coefficients[j]
        out[i] = c[0] + d * (c[1] + d * (c[2] + d * c[3]))


def evaluate(curve: Curve, at: Array) -> Array:
    """See `mockgal.satellites.curves.evaluate`."""
    result = np.empty(len(at))
    _evaluate(at, *curve, result)
    return result


@compiled(_in(i8), *[_in(f8, 2)] * 4, f8, *[_out(f8, 2)] * 2)
def _place(
    of: Any,
    host_position: Any,
    host_velocity: Any,
    displacement: Any,
    kick: Any,
    box_size: float,
    position: Any,
    velocity: Any,
) -> int:
    wrapped, periodic = 0, box_size < math.inf
    for s in range(len(of)):
        i, moved = of[s], False
        for axis in range(3):
            x = unwrapped = host_position[i, axis] + displacement[s, axis]
            if periodic:
                x = unwrapped - box_size * math.floor(unwrapped / box_size)
                x = 0.0 if x >= box_size or x < 0.0 else x
            moved |= x != unwrapped
            position[s, axis] = x
            velocity[s, axis] = host_velocity[i, axis] + kick[s, axis]
        wrapped += moved
    return wrapped


def place(
    of: Array,
    host: Sequence[Array],
    offset: Sequence[Array],
    box_size: float,
    out: Sequence[Array],
) -> int:
    """See `mockgal.satellites.reference.place`."""
    return int(_place(of, *host, *offset, box_size, *out))


@compiled(_in(i8), i8, _out(i8), _out(u1))
def _order(number: Any, first: int, host: Any, is_central: Any) -> None:
    row = 0
    for i in range(len(number)):
        host[row], is_central[row] = first + i, 1
        row += 1
        for _ in range(number[i]):
            host[row], is_central[row] = first + i, 0
            row += 1


def order(number: Array, first: int, host: Array, is_central: Array) -> None:
    """See `mockgal.satellites.reference.order`."""
    _order(number, first, host, is_central.view(np.uint8))
