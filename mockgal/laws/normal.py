"""Quantiles of the standard normal law, for painters that predict normal laws.

A law whose floor lies beyond the end of the table is replaced by a similar one that the table
resolves.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Nodes get closer towards both ends, as an end may be all that is left above a floor.
_TAIL = 10.0 ** -np.arange(1.0, 8.95, 0.1)
PROBABILITY = np.concatenate([[0.0], _TAIL[::-1], np.linspace(0.11, 0.89, 79), 1 - _TAIL, [1.0]])
FARTHEST = 5.0  # scales from a mean up to a floor: beyond, too little of the table is left
_LEAST_SCALE = 1e-9  # dex: less is below the precision of the output


@cache
def normal_quantiles() -> Array:
    """Return quantiles of the standard normal law at `PROBABILITY`, shape (q,).

    The ends are those at 1e-9 and 1 - 1e-9.
    """
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(PROBABILITY, 1e-9, 1 - 1e-9)))


def resolved(location: Array, scale: Array, floor: float) -> tuple[Array, Array, Array]:
    """Replace normal laws truncated at a floor, and far below it, by ones nearer to it.

    Where targets pile up at the floor, the likelihood drives a mean ever farther below it and the
    scatter up: in the limit the law is exponential above the floor. Beyond `FARTHEST` scales the
    law is replaced by the one at `FARTHEST` with the same mean above the floor, scale (h(a) - a),
    where a is the distance in scales and h the hazard of the standard normal law. The law changes
    continuously with a; its 99% quantile is at most 5% nearer to the floor.

    Parameters
    ----------
    location, scale : ndarray, shape (n,)
    floor : float
        -inf for none.

    Returns
    -------
    location, scale : ndarray, shape (n,)
    replaced : ndarray of bool, shape (n,)
    """
    distance = (floor - location) / scale
    replaced = distance > FARTHEST
    if not replaced.any():
        return location, scale, replaced
    location, scale = location.copy(), scale.copy()
    above = scale[replaced] * _mean_above(distance[replaced])
    scale[replaced] = np.maximum(above / float(_mean_above(np.array(FARTHEST))), _LEAST_SCALE)
    location[replaced] = floor - FARTHEST * scale[replaced]
    return location, scale, replaced


def mean_above(location: Array, scale: Array, floor: float) -> Array:
    """Return the means of normal laws truncated at a floor, as from `resolved`, shape (n,)."""
    from scipy.special import erfcx

    distance = (floor - location) / scale
    hazard = math.sqrt(2.0 / math.pi) / erfcx(distance / math.sqrt(2.0))
    return np.asarray(location + scale * hazard)


def _mean_above(distance: Array) -> Array:
    """Return the mean of a standard normal variable above a distance of 1 or more, minus it."""
    from scipy.special import erfcx

    hazard = math.sqrt(2.0 / math.pi) / erfcx(distance / math.sqrt(2.0))
    return np.asarray(np.where(distance < 1e3, hazard - distance, 1.0 / distance))
