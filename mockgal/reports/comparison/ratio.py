"""The ratio of a statistic of a mock to that of the truth, bin by bin, with its error."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...statistics import jackknife as jackknives
from ...statistics.bins import common_bins
from ...statistics.result import ERROR, Measurement, student

Array = NDArray[Any]

PAIRED = (
    "Errors of ratios are from the jackknife of the ratio: each sub-volume is left out of truth "
    "and mock alike, so that the structure that both share in one volume does not count."
)
INDEPENDENT = (
    "The errors of truth and mock are added in quadrature, as if the two were independent. Where "
    "both are in one volume they share its structure, and the error of their ratio is smaller."
)
BOTH = (
    f"{PAIRED} In bins with too little for a jackknife the two errors are added in quadrature, as "
    "if truth and mock were independent: such errors are too large."
)


class Ratio(NamedTuple):
    """Ratios in the m bins that both have, each array of shape (m,).

    Parameters
    ----------
    rows : ndarray of int
        Rows of the truth.
    axis : ndarray
        Abscissa of the truth.
    value, error : ndarray
        Estimate of the mock over that of the truth, and its standard error; NaN where the truth is
        zero or not a number.
    detectable : ndarray
        Smallest deviation from 1 that a two-sided test at 5% significance finds with a probability
        of 80%.
    critical : float
        Number of standard errors at which that test rejects.
    paired : ndarray of bool
        Whether the error is from the jackknife of the ratio.
    """

    rows: Array
    axis: Array
    value: Array
    error: Array
    detectable: Array
    critical: float
    paired: Array

    @property
    def deviation(self) -> Array:
        """Relative deviation of the mock from the truth, shape (m,)."""
        return self.value - 1.0


def ratio(mock: Measurement, truth: Measurement, estimate: str) -> Ratio:
    """Return the ratio of a mock's estimate to that of the truth in their common bins.

    Where both have jackknife vectors of the same sub-volumes, the error is that of the jackknife of
    the ratio (`PAIRED`). Elsewhere errors are propagated to first order, see `INDEPENDENT`.
    Quantiles are those of Student's distribution with the fewer degrees of freedom of the two.

    Parameters
    ----------
    mock, truth : Measurement
        Of one statistic; in equal volumes if both have ``left_out``.
    estimate : str
    """
    rows, own = common_bins(truth, mock)
    m, t = mock[estimate][own].astype(float), truth[estimate][rows].astype(float)
    error_m, error_t = (
        one[estimate + ERROR][at].astype(float) for one, at in ((mock, own), (truth, rows))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(t != 0, m / t, np.nan)
        error = np.hypot(error_m / t, m * error_t / t**2)
    of_ratio = _paired(mock, truth, estimate, own, rows)
    paired = np.isfinite(value) & (of_ratio > 0)
    error = np.where(paired, of_ratio, np.where(np.isfinite(error), error, np.nan))
    dof = min(mock.error_degrees_of_freedom, truth.error_degrees_of_freedom)
    critical, power = student(dof)
    return Ratio(
        rows,
        truth[truth.axis][rows].astype(float),
        value,
        error,
        (critical + power) * error,
        float(critical),
        paired,
    )


def _paired(mock: Measurement, truth: Measurement, estimate: str, own: Array, rows: Array) -> Array:
    """Return the jackknife's error of the ratio, shape (m,); NaN where there is none."""
    above, below = (one.left_out.get(estimate) for one in (mock, truth))
    if above is None or below is None or len(above) != len(below):
        return np.full(len(rows), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = jackknives.error(above[:, own] / below[:, rows])
    return np.where(np.isfinite(error), error, np.nan)
