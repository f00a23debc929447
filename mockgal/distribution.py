"""The law of stellar mass that a painter predicts: its distribution function, and the inverse."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .types import Distribution

Array = NDArray[Any]


def inverse_cdf(distribution: Distribution, probability: Array) -> Array:
    """log10 of the stellar mass below which a luminous galaxy lies with ``probability``.

    Parameters
    ----------
    distribution : Distribution
        n predictions.
    probability : ndarray, shape (n,)
        In (0, 1).

    Returns
    -------
    ndarray, shape (n,)
        log10 (M* / (Msun/h)), at or above the floor.
    """
    d = distribution
    below = _residual_cdf(d, (d.floor - d.location) / d.scale)
    u = below + (1.0 - below) * probability
    residual = np.empty(len(d))
    for row in np.unique(d.residual_row):
        chosen = d.residual_row == row
        residual[chosen] = np.interp(u[chosen], d.residual_probability, d.residual_quantiles[row])
    return np.maximum(d.location + d.scale * residual, d.floor)


def cdf(distribution: Distribution, log_stellar_mass: Array) -> Array:
    """Probability that a luminous galaxy lies below ``log_stellar_mass``, shape (n,).

    The inverse of `inverse_cdf`; at the true masses it is the probability integral transform.
    """
    d = distribution
    below = _residual_cdf(d, (d.floor - d.location) / d.scale)
    value = _residual_cdf(d, (log_stellar_mass - d.location) / d.scale)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip((value - below) / (1.0 - below), 0.0, 1.0)


def _residual_cdf(d: Distribution, residual: Array) -> Array:
    result = np.empty(len(d))
    for row in np.unique(d.residual_row):
        chosen = d.residual_row == row
        result[chosen] = np.interp(
            residual[chosen], d.residual_quantiles[row], d.residual_probability, left=0.0, right=1.0
        )
    return result
