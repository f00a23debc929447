"""Laws of the number of satellites of a host: Poisson, or with the mean and variance measured.

All are of one family (Panjer 1981, doi:10.1017/S0515036100006796, the class (a, b, 0)), in which

    P(k + 1) = P(k) (first + k slope) / (k + 1),

so that one loop inverts them all. With mean m, variance v and D = (m - v) / m^2:

- Poisson, v = m: P(0) = exp(-m), first = m, slope = 0.
- Negative binomial, v > m: slope = (v - m) / v, first = m^2 / v, P(0) = (1 - slope)^(first/slope).
- Binomial with n trials, v = m - m^2 / n, which means D = 1/n: P(0) = (1 - m/n)^n,
  slope = -m / (n - m), first = -n slope. For v < m, D lies between 1/(n + 1) and 1/n, where n is
  the whole part of 1/D. A mixture of two binomials of mean m, with n and n + 1 trials, the second
  with weight w = (n + 1) (1 - n D), has the mean m and the variance v: the variance of a mixture of
  laws with equal means is the mean of their variances. There cannot be fewer trials than the mean:
  n = ceil(m) gives the least variance of the family, m (1 - m / ceil(m)), which replaces every
  smaller v.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LEAST_START = 1e-290  # below, P(0) is too near underflow to start from
_ROUNDING = 1e-9  # of 1/D, which is whole for a binomial


class NumberLaw(NamedTuple):
    """Laws of n numbers, columns of shape (n,).

    ``start`` is P(0); ``first`` and ``slope`` are those of the module's docstring. ``other_`` marks
    the law that has the ``weight`` in a mixture of two. ``trials`` are those of the first of two
    binomials, and 0 for other laws.
    """

    mean: Array
    variance: Array
    start: Array
    first: Array
    slope: Array
    other_start: Array
    other_first: Array
    other_slope: Array
    weight: Array
    trials: Array


def poisson(mean: Array) -> NumberLaw:
    """Return Poisson laws with these means, shape (n,)."""
    none = np.zeros(len(mean))
    return NumberLaw(mean, mean, np.exp(-mean), mean, *(none for _ in range(6)))


def measured(mean: Array, variance: Array) -> tuple[NumberLaw, int]:
    """Return laws of this mean and variance, and how many variances are below the least possible.

    Parameters
    ----------
    mean, variance : ndarray, shape (n,)
        Not negative.

    Returns
    -------
    NumberLaw
        Its ``variance`` is that of the laws.
    int
        Number of laws of positive mean whose variance is larger than requested.
    """
    law = NumberLaw(mean, variance.copy(), *(column.copy() for column in poisson(mean)[2:]))
    over = np.flatnonzero((variance > mean) & (mean > 0))
    m, v = mean[over], variance[over]
    slope = (v - m) / v
    law.first[over], law.slope[over] = m * (m / v), slope
    law.start[over] = np.exp(law.first[over] * (np.log1p(-slope) / slope))

    under = np.flatnonzero((variance < mean) & (mean > 0))
    m, v = mean[under], variance[under]
    least = np.ceil(m)
    inverse = m * (m / (m - v))  # 1/D
    reached = inverse >= least * (1.0 - _ROUNDING)
    trials = np.where(reached, np.maximum(np.floor(inverse), least), least)
    with np.errstate(over="ignore", divide="ignore"):  # for means near 0, never reached
        weight = np.clip((trials + 1.0) * (1.0 - trials / inverse), 0.0, 1.0)
    weight[~reached] = 0.0
    for prefix, n in (("", trials), ("other_", trials + 1.0)):
        for name, values in zip(("start", "first", "slope"), _binomial(m, n), strict=True):
            getattr(law, prefix + name)[under] = values
    law.weight[under], law.trials[under] = weight, trials
    law.variance[under] = np.where(reached, v, m - m * (m / trials))
    law.variance[mean == 0] = 0.0
    return law, int(np.count_nonzero(~reached))


def _binomial(mean: Array, trials: Array) -> tuple[Array, Array, Array]:
    """Return ``start``, ``first`` and ``slope``, each of shape (n,)."""
    with np.errstate(divide="ignore"):
        start = np.exp(trials * np.log1p(-mean / trials))
        slope = -mean / (trials - mean)
    slope[start < LEAST_START] = 0.0  # infinite if the trials equal the mean; not used
    return start, -trials * slope, slope


def quantile(law: NumberLaw, u: Array) -> Array:
    """Return the least k with P(number <= k) >= u, for each law.

    Parameters
    ----------
    law : NumberLaw
        n laws.
    u : ndarray, shape (n,)
        In (0, 1).

    Returns
    -------
    ndarray of int64, shape (n,)
        -1 where P(0) is below `LEAST_START`: use `far_quantile` for these.
    """
    k = np.zeros(len(u), dtype=np.int64)
    (rest,) = np.nonzero(u > (1.0 - law.weight) * law.start + law.weight * law.other_start)
    here = NumberLaw(*(column[rest] for column in law))
    far = here.start < LEAST_START
    far |= (here.weight > 0) & (here.other_start < LEAST_START)
    k[rest[far]] = -1
    p, q, w, u = here.start, here.other_start, here.weight, u[rest]
    total = (1.0 - w) * p + w * q
    active = np.flatnonzero(~far)
    step = 0
    while active.size:
        i = active
        p[i] *= (here.first[i] + step * here.slope[i]) / (step + 1.0)
        q[i] *= (here.other_first[i] + step * here.other_slope[i]) / (step + 1.0)
        more = total[i] + ((1.0 - w[i]) * p[i] + w[i] * q[i])
        # Rounding can keep the sum below u; it ends where it no longer grows.
        grows = (more != total[i]) | (step < here.mean[i])
        active = i[grows]
        total[active] = more[grows]
        step += 1
        k[rest[active]] = step
        active = active[u[active] > total[active]]
    return k


def far_quantile(law: NumberLaw, u: Array) -> Array:
    """Return `quantile` by bisection of the incomplete beta and gamma functions, shape (n,).

    Use it for means of hundreds and more.
    """
    low = np.full(len(u), -1.0)
    high = np.ceil(law.mean + 10.0 * np.sqrt(law.variance) + 10.0)
    while np.any(short := _cdf(law, high) < u):
        high[short] *= 2.0
    while np.any(high - low > 1.0):
        middle = np.floor(0.5 * (low + high))
        enough = _cdf(law, middle) >= u
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return high.astype(np.int64)


def _cdf(law: NumberLaw, k: Array) -> Array:
    from scipy.special import betainc, betaincc, pdtr

    m, v, n = law.mean, law.variance, law.trials
    result = np.asarray(pdtr(k, m))
    over, under = np.flatnonzero(law.slope > 0), np.flatnonzero(n)
    result[over] = betainc(m[over] ** 2 / (v[over] - m[over]), k[over] + 1.0, m[over] / v[over])
    m, k, n, w = m[under], k[under], n[under], law.weight[under]
    first, second = (
        np.where(k < t, betaincc(k + 1.0, np.maximum(t - k, 1.0), m / t), 1.0) for t in (n, n + 1.0)
    )
    result[under] = (1.0 - w) * first + w * second
    return result
