"""Jackknife errors: how far a statistic moves when one sub-volume of the box is left out.

The box is cut into ``per_side``**3 equal cubes. Norberg et al. 2009, arXiv:0810.1885, section 2.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

Array = NDArray[Any]
MOST_PER_SIDE = 16


def check_per_side(per_side: int) -> int:
    """``per_side``, if a jackknife can have so many cubes along each side, or 0 for none.

    Raises
    ------
    UsageError
        1, negative, or more than `MOST_PER_SIDE`.
    """
    if per_side != 0 and not 2 <= per_side <= MOST_PER_SIDE:
        raise UsageError(
            "jackknife",
            f"{per_side} sub-volumes along each side",
            f"2 to {MOST_PER_SIDE}, or 0 for no jackknife",
            "leave it out for the default",
        )
    return per_side


def regions(position: Array, box_size: float, per_side: int) -> Array:
    """Number of the sub-volume that each position is in.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        In [0, box_size).
    box_size : float
    per_side : int

    Returns
    -------
    ndarray of int, shape (n,)
        (i * per_side + j) * per_side + k.
    """
    cell = (position * (per_side / box_size)).astype(np.int64)
    cell = np.minimum(cell, per_side - 1)  # rounding up to the far edge
    return np.asarray((cell[:, 0] * per_side + cell[:, 1]) * per_side + cell[:, 2])


def error(left_out: Array) -> Array:
    """Standard error from the statistic with each of R sub-volumes left out.

    Parameters
    ----------
    left_out : ndarray, shape (R, ...)

    Returns
    -------
    ndarray, shape (...)
        sqrt((R - 1) / R * sum of squared deviations from their mean); NaN where any is NaN.
    """
    number = len(left_out)
    deviation = left_out - np.mean(left_out, axis=0)
    return np.asarray(np.sqrt((number - 1) / number * np.sum(deviation**2, axis=0)))


def covariance(left_out: Array) -> Array:
    """Covariance matrix of n bins, shape (n, n), from ``left_out`` of shape (R, n)."""
    number = len(left_out)
    deviation = left_out - np.mean(left_out, axis=0)
    return np.asarray((number - 1) / number * deviation.T @ deviation)


def describe(per_side: int) -> str:
    """What the errors are, for `Measurement.settings`."""
    return f"jackknife over {per_side**3} cubic sub-volumes ({per_side} along each side)"
