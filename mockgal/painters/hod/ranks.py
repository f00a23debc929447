"""Ranks of subhalos among those of their kind and bin, for conditional abundance matching."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...random import uniform

Array = NDArray[Any]

_DIGITS = 9  # of log10 of a property


def ranks(ids: Array, row: Array, log_mass: Array, log_property: Array, weight: Array) -> Array:
    """Return the rank of each subhalo among those of its row, by a property at fixed mass.

    The property's trend with mass within a row, a straight line by weighted least squares, is
    removed first: the median curve of stellar mass has that trend already. Ranks are weighted with
    the probability of being luminous, so that the ranks of the galaxies are uniform, and the
    distribution of stellar mass in a row does not change.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,)
        Ids of the subhalos; equal properties are ranked by a number drawn for the id.
    row : ndarray of int, shape (n,)
        Row of the table: kind and bin.
    log_mass : ndarray, shape (n,)
        log10 of the mass that rows are binned by.
    log_property : ndarray, shape (n,)
        Finite where ``weight`` is positive.
    weight : ndarray, shape (n,)
        Probability of being luminous.

    Returns
    -------
    ndarray, shape (n,)
        In (0, 1), independent of the order of rows; 0.5 where the weight is zero.
    """
    result = np.full(len(ids), 0.5)
    lot = uniform(0, "equal ranks", ids)
    chosen = np.flatnonzero(weight > 0)
    chosen = chosen[np.argsort(ids[chosen], kind="stable")]
    for r in np.unique(row[chosen]):
        members = chosen[row[chosen] == r]
        w = weight[members]
        share = w / np.sum(w)
        x, y = log_mass[members], log_property[members]
        x = x - np.sum(share * x)
        spread = np.sum(share * x * x)
        slope = np.sum(share * x * y) / spread if spread > 0 else 0.0
        residual = np.round(y - slope * x, _DIGITS)  # rounding errors must not set ranks
        order = np.lexsort((lot[members], residual))
        sorted_share = share[order]
        result[members[order]] = np.cumsum(sorted_share) - sorted_share / 2
    return np.asarray(np.clip(result, 1e-12, 1.0 - 1e-12))
