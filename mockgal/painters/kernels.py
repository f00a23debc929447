"""Compiled loops over rows: what `mockgal.painters.draw` and `hod` do with NumPy, but faster.

Each function does the operations of its NumPy reference, one for one and in the same order, without
contraction or reassociation, so that results are equal bit for bit. Transcendental functions
differ in their last bit between libraries and are left to NumPy. All release the interpreter's
lock and touch nothing but their arguments: `mockgal.painters.blocks` runs them in threads.

Importing this module compiles the functions, or loads them from numba's cache; nothing does so
before there is a large catalogue to paint.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from ..system.kernels import interpolate
from ..system.kernels import slopes as slopes
from ..system.kernels import uniform as uniform
from ..system.parallel import compiled

Array = NDArray[Any]

LIMBS, LIMB_BITS = 4, 31  # of exact sums
_LIMB = float(1 << LIMB_BITS)


def _in(kind: Any, dimensions: int = 1, layout: str = "C") -> Any:
    return types.Array(kind, dimensions, layout, readonly=True)


def _out(kind: Any) -> Any:
    return types.Array(kind, 1, "C")


f8, i8, u1, b1 = types.float64, types.int64, types.uint8, types.boolean


@compiled(*4 * (_in(f8),), _out(f8))
def interp(x: Array, nodes: Array, values: Array, slope: Array, out: Array) -> None:
    """`numpy.interp`, with the slopes of the lines as `slopes` gives them."""
    for i in range(len(x)):
        out[i] = interpolate(x[i], nodes, values, slope, values[0], values[-1])


@compiled(f8, _in(f8), i8)
def _interval(x: Any, nodes: Any, intervals: Any) -> Any:
    """Number of the interval between nodes that holds ``x``; the first or the last if none does."""
    at_or_below: Any = 0
    for k in range(len(nodes)):
        at_or_below += np.int64(nodes[k] <= x)
    return min(max(at_or_below - 1, 0), intervals - 1)


@compiled(f8, _in(f8), _in(f8, 2), _in(f8), i8)
def _median(x: Any, nodes: Any, coefficients: Any, ends: Any, intervals: Any) -> Any:
    inside = ends[0] if x < ends[0] else x
    inside = ends[1] if inside > ends[1] else inside
    j = _interval(inside, nodes, intervals)
    s = inside - nodes[j]
    value = coefficients[3, j] + coefficients[2, j] * s
    value = value + coefficients[1, j] * (s * s) + coefficients[0, j] * (s * s * s)
    value = value + (ends[2] * min(x - ends[0], 0.0) + ends[3] * max(x - ends[1], 0.0))
    return coefficients[3, 0] if ends[0] == ends[1] else value  # one node, or none and NaN


class Masses(NamedTuple):
    """Columns of a block of subhalos, read-only, of shape (n,).

    Parameters
    ----------
    log_host, log_own, host, own : ndarray
        Masses as in the catalogue [Msun/h], and their log10.
    central : ndarray of uint8
    """

    log_host: Array
    log_own: Array
    host: Array
    own: Array
    central: Array


class Law(NamedTuple):
    """A calibration table, read-only; kinds are side by side, centrals first.

    Parameters
    ----------
    has_ratio : bool
    ratio_nodes, ratio_values, ratio_slopes : ndarray, shape (any,)
        log10 of the host-mass ratio; slopes as `slopes` gives them.
    centrals_by_host, satellites_by_host : bool
        Whether the kind has bins of host mass, or of own mass.
    edges : ndarray, shape (2, any)
        Of the mass bins of each kind, then infinity.
    bins : ndarray of int64, shape (2,)
        Number of bins of each kind.
    luminous_nodes, luminous_values, luminous_slopes : ndarray, shape (rows, any)
    thinning : ndarray, shape (rows,)
    curve_nodes : ndarray, shape (2, any)
        Of the median curve of each kind, then infinity.
    coefficients : ndarray, shape (2, 4, any)
        Of SciPy's ``PchipInterpolator``, the cubic ones first.
    ends : ndarray, shape (2, 4)
        First and last node of the curve, and the slopes beyond them.
    intervals : ndarray of int64, shape (2,)
        Number of intervals of the curve.
    highest : ndarray, shape (rows,)
        The last residual quantile.
    floor : float
        log10 of the luminosity floor.
    """

    has_ratio: bool
    ratio_nodes: Array
    ratio_values: Array
    ratio_slopes: Array
    centrals_by_host: bool
    satellites_by_host: bool
    edges: Array
    bins: Array
    luminous_nodes: Array
    luminous_values: Array
    luminous_slopes: Array
    thinning: Array
    curve_nodes: Array
    coefficients: Array
    ends: Array
    intervals: Array
    highest: Array
    floor: float


class Results(NamedTuple):
    """What `predict_rows` fills, of shape (n,), and what it adds to.

    Parameters
    ----------
    p_luminous, location : ndarray
    row : ndarray of int16
    above : ndarray of uint8
    hosts : ndarray of int64, shape (rows,)
        Added to.
    counts : ndarray of int64, shape (6,)
        Added to.
    """

    p_luminous: Array
    location: Array
    row: Array
    above: Array
    hosts: Array
    counts: Array


def read_only(arguments: Any) -> Any:
    """Return a named tuple with its arrays as kernels take them: in C order, and not writable."""
    arrays = {
        name: np.ascontiguousarray(value)[...]
        for name, value in arguments._asdict().items()
        if isinstance(value, np.ndarray)
    }
    for array in arrays.values():
        array.flags.writeable = False
    return arguments._replace(**arrays)


_MASSES = types.NamedTuple([*4 * (_in(f8),), _in(u1)], Masses)
_LAW = types.NamedTuple(
    [
        *(b1, _in(f8), _in(f8), _in(f8)),
        *(b1, b1, _in(f8, 2), _in(i8)),
        *(_in(f8, 2), _in(f8, 2), _in(f8, 2), _in(f8)),
        *(_in(f8, 2), _in(f8, 3), _in(f8, 2), _in(i8)),
        *(_in(f8), f8),
    ],
    Law,
)
_RESULTS = types.NamedTuple(
    [_out(f8), _out(f8), _out(types.int16), _out(u1), _out(i8), _out(i8)], Results
)


@compiled(_MASSES, f8, _LAW, _RESULTS)
def predict_rows(masses: Masses, least_mass: float, law: Law, results: Results) -> None:
    """`mockgal.painters.hod.rows.predict_rows`.

    Parameters
    ----------
    masses : Masses
    least_mass : float
        Of a subhalo that is painted [Msun/h].
    law : Law
    results : Results
    """
    edges, bins, counts, hosts = law.edges, law.bins, results.counts, results.hosts
    for i in range(len(masses.log_host)):
        x_host, x_own = masses.log_host[i], masses.log_own[i]
        if law.has_ratio and math.isfinite(x_host):
            ratio = interpolate(
                x_host,
                law.ratio_nodes,
                law.ratio_values,
                law.ratio_slopes,
                law.ratio_values[0],
                law.ratio_values[-1],
            )
            x_host, x_own = x_host + ratio, x_own + ratio
        kind = 1 - np.int64(masses.central[i])
        by_host = law.centrals_by_host if kind == 0 else law.satellites_by_host
        x = x_host if by_host else x_own
        number = bins[kind] - 1 if math.isnan(x) else _interval(x, edges[kind], bins[kind])
        r = kind * bins[0] + number
        beyond = x >= edges[kind, bins[kind]]
        results.row[i], results.above[i] = r, beyond
        results.p_luminous[i], results.location[i] = 0.0, 0.0
        if not masses.own[i] >= least_mass:
            counts[0] += 1
            continue
        counts[4] += beyond
        if kind == 0:
            counts[5] += masses.host[i] <= 0.0
            other = x_host if law.satellites_by_host else x_own
            if other >= edges[1, 0]:
                hosts[bins[0] + _interval(other, edges[1], bins[1])] += 1
        if x < edges[kind, 0]:
            counts[1 + kind] += 1
            continue
        if kind == 0 and x >= edges[0, 0]:  # not NaN
            hosts[r] += 1
        median = _median(
            x, law.curve_nodes[kind], law.coefficients[kind], law.ends[kind], law.intervals[kind]
        )
        if not median + law.highest[r] > law.floor:
            counts[3] += 1
            continue
        values = law.luminous_values[r]
        p = law.thinning[r] * interpolate(
            x if kind == 0 else x_own,
            law.luminous_nodes[r],
            values,
            law.luminous_slopes[r],
            values[0],
            values[-1],
        )
        results.p_luminous[i], results.location[i] = 1.0 if p > 1.0 else p, median


@compiled(
    *(_in(f8), _in(f8), _in(i8), _in(f8)), *(_in(f8, 2), _in(f8, 2), _in(f8, 2), f8, _out(f8))
)
def inverse_cdf(
    location: Array,
    scale: Array,
    residual_row: Array,
    probability: Array,
    quantiles: Array,
    slopes_up: Array,
    slopes_down: Array,
    floor: float,
    value: Array,
) -> None:
    """`mockgal.laws.distribution.inverse_cdf` in place.

    Parameters
    ----------
    location, scale, residual_row : ndarray, shape (n,)
    probability : ndarray, shape (q,)
    quantiles : ndarray, shape (any, q)
    slopes_up, slopes_down : ndarray, shape (any, q)
        `slopes` of quantiles by probability, and of probability by quantiles.
    floor : float
        As in `mockgal.laws.distribution.Distribution`.
    value : ndarray, shape (n,)
        Probabilities, replaced by log10 of stellar mass.
    """
    for i in range(len(value)):
        r = residual_row[i]
        residuals = quantiles[r]
        cut = (floor - location[i]) / scale[i]
        below = 0.0
        if not cut < residuals[0]:  # the floor is far below most galaxies
            below = interpolate(cut, residuals, probability, slopes_down[r], 0.0, 1.0)
        u = below + (1.0 - below) * value[i]
        residual = interpolate(u, probability, residuals, slopes_up[r], residuals[0], residuals[-1])
        drawn = location[i] + scale[i] * residual
        value[i] = floor if drawn < floor else drawn


@compiled(_in(f8), _in(u1), types.Array(i8, 2, "C"))
def add_exactly(probability: Array, group: Array, limbs: Array) -> bool:
    """Add numbers in [0, 1] to the sums of their groups, without rounding.

    Parameters
    ----------
    probability : ndarray, shape (n,)
    group : ndarray of uint8, shape (n,)
        0 or 1: the row of ``limbs`` that a number goes to.
    limbs : ndarray of int64, shape (2, `LIMBS`)
        Column k counts in units of ``2**(-31 (k + 1))``. Whole numbers: the sum does not depend
        on the order. What is below ``2**-124`` is left out. For fewer than 2**32 numbers.

    Returns
    -------
    bool
        Whether all numbers were in [0, 1]; the sums mean nothing otherwise.
    """
    possible = True
    all0 = all1 = all2 = all3 = chosen0 = chosen1 = chosen2 = chosen3 = np.int64(0)
    for i in range(len(probability)):
        valid = (probability[i] >= 0.0) & (probability[i] <= 1.0)
        possible &= valid
        g = np.int64(group[i])
        rest = (probability[i] if valid else 0.0) * _LIMB
        whole = np.int64(rest)
        all0, chosen0 = all0 + whole, chosen0 + g * whole
        rest = (rest - np.float64(whole)) * _LIMB
        whole = np.int64(rest)
        all1, chosen1 = all1 + whole, chosen1 + g * whole
        rest = (rest - np.float64(whole)) * _LIMB
        whole = np.int64(rest)
        all2, chosen2 = all2 + whole, chosen2 + g * whole
        rest = (rest - np.float64(whole)) * _LIMB
        whole = np.int64(rest)
        all3, chosen3 = all3 + whole, chosen3 + g * whole
    for k, (both, chosen) in enumerate(
        ((all0, chosen0), (all1, chosen1), (all2, chosen2), (all3, chosen3))
    ):
        limbs[0, k] += both - chosen
        limbs[1, k] += chosen
    return possible


def exact_value(limbs: Array) -> float:
    """The number that limbs of `add_exactly` stand for, shape (`LIMBS`,): rounded once."""
    total = 0
    for limb in limbs:
        total = (total << LIMB_BITS) + int(limb)
    return total / (1 << LIMBS * LIMB_BITS)
