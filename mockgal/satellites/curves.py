"""Smooth functions as cubics on equal intervals, much cheaper than those of NumPy or SciPy.

They use only products and sums, so that compiled code gives the same bits as NumPy.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NORMAL_RANGE = (1.0 / 64.0, 63.0 / 64.0)  # probabilities in the table of the normal quantile


class Curve(NamedTuple):
    """A smooth function: a cubic on each of n intervals of equal length.

    Parameters
    ----------
    first, step : float
        Beginning of the first interval, and length of the intervals.
    coefficients : ndarray, shape (n, 4)
        Coefficients of the powers 0 to 3 of the distance from the beginning of the interval.
    """

    first: float
    step: float
    coefficients: Array


def hermite(first: float, step: float, value: Array, slope: Array) -> Curve:
    """Return the cubics with these values and slopes, shape (n + 1,), at the interval ends."""
    rise = (value[1:] - value[:-1]) / step
    left, right = slope[:-1], slope[1:]
    columns = (
        value[:-1],
        left,
        (3.0 * rise - 2.0 * left - right) / step,
        (left + right - 2.0 * rise) / step**2,
    )
    return Curve(first, step, np.ascontiguousarray(np.stack(columns, axis=1)))


def evaluate(curve: Curve, at: Array) -> Array:
    """Return the value of the curve at points within it, shape (n,)."""
    place = (at - curve.first) / curve.step
    interval = np.clip(place.astype(np.int64), 0, len(curve.coefficients) - 1)
    d = at - (curve.first + interval * curve.step)
    c = curve.coefficients[interval]
    return np.asarray(c[:, 0] + d * (c[:, 1] + d * (c[:, 2] + d * c[:, 3])))


@cache
def normal_curve() -> Curve:
    """Return the quantile function of the normal distribution, for probabilities in `NORMAL_RANGE`.

    Error below 1e-9.
    """
    from scipy.special import ndtri

    per_unit = 4096
    first, last = (round(p * per_unit) for p in NORMAL_RANGE)
    p = np.arange(first, last + 1) / per_unit
    value = ndtri(p)
    slope = math.sqrt(2.0 * math.pi) * np.exp(0.5 * value**2)
    return hermite(NORMAL_RANGE[0], 1.0 / per_unit, value, slope)


@cache
def circle_curves() -> tuple[Curve, Curve]:
    """Return the cosine and sine of 2 pi t for t in [0, 1]. Error below 1e-11."""
    per_unit = 1024
    angle = 2.0 * math.pi * np.arange(per_unit + 1) / per_unit
    cosine, sine = np.cos(angle), np.sin(angle)
    return (
        hermite(0.0, 1.0 / per_unit, cosine, -2.0 * math.pi * sine),
        hermite(0.0, 1.0 / per_unit, sine, 2.0 * math.pi * cosine),
    )


def normal(u: Array, middle: Array) -> Array:
    """Return quantiles of the normal distribution.

    Parameters
    ----------
    u : ndarray, shape (n,)
        Probabilities in (0, 1).
    middle : ndarray, shape (n,)
        Values of `normal_curve` at ``u``, valid within `NORMAL_RANGE`. Replaced in place elsewhere.

    Returns
    -------
    ndarray, shape (n,)
    """
    from scipy.special import ndtri

    tails = np.flatnonzero((u < NORMAL_RANGE[0]) | (u > NORMAL_RANGE[1]))
    middle[tails] = ndtri(u[tails])
    return middle
