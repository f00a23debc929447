"""The estimator of Landy & Szalay 1993, ApJ 412, 64, with weights and a jackknife of regions.

xi = (DD - 2 DR + RR) / RR, each count being the sum of the products of the weights of its pairs,
over that of all pairs. Without a region, pairs within it are missing; pairs across its border are
taken out with the weight n / (2 + sqrt(2) (n - 1)), with n the number of regions, since each of
them is in two regions (Mohammad & Percival 2022, arXiv:2109.07071, eq. 27). All of this comes from
counts by region: nothing is counted again.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from .. import jackknife as jackknives
from ..galaxies.bins import reliable_left_out, safe_jackknife
from ..pairs.correlation import Found, pairs_result
from ..result import Field, Measurement, Style
from .counts import Bins, Counts, count
from .surveys import Survey

Array = NDArray[Any]

ESTIMATOR = "(DD - 2 DR + RR) / RR (Landy & Szalay 1993)"
POISSON = "Poisson, of weighted pairs of galaxies; too small for clustered galaxies"
LINES_OF_SIGHT = "to the midpoint of each pair"
# Least randoms in a part: over galaxies, so that RR costs as much as DR; and at all.
_RANDOMS_EACH, _LEAST_EACH = 2, 250_000
_LEAST_IN_A_PART = 100  # of parts that the user wants


class Pairs(NamedTuple):
    """The counts of a survey."""

    dd: Counts
    dr: Counts
    rr: Counts
    parts: int
    spread: float = 1.0  # mean square of the weights of pairs over the square of their mean

    def correlation(self) -> Array:
        """Return xi in each bin, shape (n, m); NaN without pairs of randoms."""
        return _estimate(*(one.normalised() for one in (self.dd, self.dr, self.rr)))

    def left_out(self) -> Array:
        """Return `correlation` without each region, shape (R, n, m)."""
        share = across_share(len(self.dd.within))
        return _estimate(*(one.left_out(share) for one in (self.dd, self.dr, self.rr)))

    def variance(self) -> Array:
        """Return the Poisson variance of xi in each bin, shape (n, m).

        In rows of bins without a pair of galaxies, one pair is spread over the bins.
        """
        number, dd = self.dd.pairs, self.dd.normalised()
        with np.errstate(invalid="ignore", divide="ignore"):
            each = np.nansum(dd) / number.sum() if number.sum() else 1.0 / self._all()
            none = number.sum(axis=1, keepdims=True) == 0
            spread = each**2 / number.shape[1]
            squares = np.where(none, spread, self.spread * dd**2 / np.maximum(number, 1))
            return np.asarray(squares / self.rr.normalised() ** 2)

    def _all(self) -> float:
        return float(self.dd.norm_within.sum() + self.dd.norm_across.sum() / 2.0) or 1.0


def _estimate(dd: Array, dr: Array, rr: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(rr > 0, (dd - 2.0 * dr + rr) / rr, np.nan)


def across_share(regions: int) -> float:
    """Return the weight with which pairs across a border are taken out."""
    return regions / (2.0 + math.sqrt(2.0) * (regions - 1))


def count_survey(survey: Survey, bins: Bins, label: str, parts: int | None = None) -> Pairs:
    """Count all pairs of a survey.

    Parameters
    ----------
    survey : Survey
    bins : Bins
    label : str
        Name of the work in progress reports.
    parts : int, optional
        Parts into which the randoms are divided for RR, whose pairs are counted within each
        (Keihanen et al. 2019, arXiv:1905.01133); by default as many as make RR cost what DR does,
        but of `_LEAST_EACH` randoms at least.
    """
    data, randoms = survey.data, survey.randoms
    least = max(_RANDOMS_EACH * len(data), _LEAST_EACH)
    number = max(1, len(randoms) // least) if parts is None else parts
    if number > 1 and len(randoms) < _LEAST_IN_A_PART * number:
        raise UsageError(
            "random_parts",
            f"{number} of {len(randoms)} randoms",
            f"parts of at least {_LEAST_IN_A_PART}",
            "leave it out, or give fewer parts",
        )
    pieces = [randoms.take(slice(k, None, number)) for k in range(number)] if number > 1 else []
    samples = [(data, None), (data, randoms), *((piece, None) for piece in pieces or [randoms])]
    dd, dr, rr, *others = count(samples, bins, label)
    for other in others:
        rr = rr.add(other)
    weight = data.weight
    each = len(data) * float((weight**2).sum()) / float(weight.sum()) ** 2 if len(data) else 1.0
    return Pairs(dd, dr, rr, number, each**2)


def result(
    survey: Survey,
    pairs: Pairs,
    weights: Array,
    bins: Bins,
    estimates: dict[str, Field],
    described: tuple[str, str, int],
    style: Style | None = None,
    **settings: Any,
) -> Measurement:
    """Return estimates that are sums of xi over the m bins of each row times ``weights``.

    Parameters
    ----------
    survey : Survey
    pairs : Pairs
    weights : ndarray, shape (estimates, m)
    bins : Bins
    estimates : dict of str to Field
    described : tuple
        Name of the statistic, axis, and dimensions of a bin.
    style : Style, optional
    **settings
        More to record.
    """
    statistic, axis, dimensions = described
    values = pairs.correlation() @ weights.T
    errors = np.sqrt(pairs.variance() @ weights.T**2)
    number, regions = pairs.dd.pairs.sum(axis=1), survey.data.regions
    left_out = None
    words = POISSON
    if regions:
        left_out = pairs.left_out() @ weights.T
        counted = np.broadcast_to(number[:, None], errors.shape)
        errors = safe_jackknife(jackknives.error(left_out), errors, counted, regions)
        left_out = reliable_left_out(left_out, counted)
        words = (
            f"jackknife over {regions} regions of the sky, pairs across their borders weighted; in "
            f"bins of fewer than {regions} pairs, or where that is 0 or cannot be made, not less "
            f"than {POISSON}"
        )
    noted = {
        **survey.settings,
        "estimator": ESTIMATOR,
        "bins_without_pairs": "as the estimator gives; not a number where RR = 0",
        "parts_of_the_randoms_for_rr": pairs.parts,
        **settings,
        "bins": f"{len(number)}, lower edge in",
        "pair_counter": "mockgal",
        "errors": words,
    }
    freedom = regions - 1 if regions else np.inf
    found = Found(values, errors, number, freedom, noted, left_out)
    made = pairs_result(statistic, axis, bins.edges, dimensions, estimates, found, style)
    random = {"random_pairs": pairs.rr.pairs.sum(axis=1)}
    about = {"random_pairs": Field("", "pairs of randoms in the bin, each counted once")}
    return replace(made, columns={**made.columns, **random}, fields={**made.fields, **about})
