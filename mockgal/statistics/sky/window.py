"""The window of a survey: multipoles of the pair counts of its randoms, and their limit at 0.

With n_w the expected density of the weights of galaxies, Q(s) is the integral of n_w(x) n_w(x + s)
over x, over that of n_w^2. Its multipoles turn those of a model of xi into the transform of the
survey's power spectrum (Wilson et al. 2017, arXiv:1511.07799; Beutler et al. 2017,
arXiv:1607.03150). The integral of n_w^2, which also normalises the power, is the limit of the
randoms' pair counts at small separations: so Q_0(0) = 1, and power and window share their
normalisation, as Beutler & McDonald 2021 (arXiv:2106.06324) ask for. Whatever the footprint and its
completeness, no column of densities is needed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...errors import BadValueError
from ...types import GalaxyCatalog
from ..pairs.correlation import MU_BINS, ORDERS, Found, legendre_weights, pairs_result
from ..pairs.separations import check_bins
from ..result import Field, Measurement, Style
from .correlation import edges_of
from .counts import Counts, Wedges, count
from .estimator import LINES_OF_SIGHT
from .sample import SkySample
from .surveys import Survey, survey_of

Array = NDArray[Any]

R_MIN, BINS = 1.0, 40
MOST_POINTS = 50_000  # of the randoms, in the counts at all separations
NORMALISATION = (
    "integral of the squared density of weights, from pairs of randoms closer than {:.3g} Mpc/h"
)
_CLOSE_PAIRS, _TRIED, _FEWEST = 1e7, 20_000, 30
_SHELLS = 6
_CLOSE = 0.1  # of the least extent of the survey


def window_on_the_sky(
    galaxies: GalaxyCatalog,
    randoms: GalaxyCatalog,
    *,
    r_min: float = R_MIN,
    r_max: float | None = None,
    bins: int = BINS,
    spacing: str = "log",
    mu_bins: int = MU_BINS,
    weigh_by: str | None = None,
    redshifts: str | None = None,
    fiducial_cosmology: Cosmology | str | None = None,
) -> Measurement:
    """Measure the multipoles of the window of galaxies on the sky, from their randoms.

    Parameters
    ----------
    galaxies, randoms : GalaxyCatalog
        On the sky.
    r_min, r_max : float
        Ends of the bins of the separation s [Mpc/h]; by default up to the largest in the survey.
    bins : int
        Number of bins.
    spacing : str
        ``"log"`` or ``"linear"``.
    mu_bins : int
        Number of bins of mu from 0 to 1, the cosine of the angle to the line of sight.
    weigh_by, redshifts, fiducial_cosmology
        See `mockgal.statistics.sky.surveys.survey_of`.

    Returns
    -------
    Measurement
        Columns ``s_low``, ``s_high``, ``s`` [Mpc/h], ``window_0``, ``window_2``, ``window_4`` with
        their Poisson errors, and ``pairs`` of randoms, of which `MOST_POINTS` at most are taken.

    Raises
    ------
    UsageError, BadValueError, ResourceError
        An option is not allowed, or the catalogues are not of one survey.
    """
    survey = survey_of(
        galaxies,
        randoms,
        weigh_by=weigh_by,
        redshifts=redshifts,
        fiducial_cosmology=fiducial_cosmology,
        jackknife=0,
    )
    far = 2.0 * float(survey.randoms.distance.max())
    if r_max is None:
        place = survey.randoms.position
        r_max = min(far, float(np.linalg.norm(place.max(axis=0) - place.min(axis=0))))
    edges = edges_of(r_min, r_max, bins, spacing)
    check_bins("mu_bins", mu_bins)
    return window_of(survey, Wedges(edges, mu_bins))


def window_of(survey: Survey, bins: Wedges) -> Measurement:
    """Measure the window of a survey made of arrays (`Survey`, `SkySample.of`)."""
    norm, words = normalisation(survey)
    step = max(1, math.ceil(len(survey.randoms) / MOST_POINTS))
    some = survey.randoms.take(slice(None, None, step))
    (counts,) = count([(some, None)], bins, "pairs of sky_window")
    volume = 4.0 / 3.0 * np.pi * np.diff(bins.edges**3)[:, None] / bins.parts
    density = survey.data.weight.sum() ** 2 * counts.normalised() / (volume * norm)
    weights = legendre_weights(bins.parts)
    values = density @ weights.T
    errors = np.sqrt((density**2 / np.maximum(counts.pairs, 1)) @ weights.T**2)
    names = ("monopole", "quadrupole", "hexadecapole")
    estimates = {
        f"window_{order}": Field("", f"{name} of the window", rf"$Q_{order}(s)$")
        for order, name in zip(ORDERS, names, strict=True)
    }
    settings = {
        **survey.settings,
        "estimator": "pairs of randoms over the volume of the bin and the normalisation",
        "normalisation_h3_mpc3": norm,
        "normalisation": words,
        "points": len(some),
        "mu_bins": bins.parts,
        "lines_of_sight": LINES_OF_SIGHT,
        "bins": f"{len(values)}, lower edge in",
        "pair_counter": "mockgal",
        "errors": "Poisson, of the pairs of randoms",
    }
    found = Found(values, errors, counts.pairs.sum(axis=1), np.inf, settings)
    style = Style(log_y=False, labels=(r"$Q_\ell(s)$",))
    return pairs_result("sky_window", "s", bins.edges, 3, estimates, found, style)


def normalisation(survey: Survey) -> tuple[float, str]:
    """Return the integral of n_w^2 [(h/Mpc)^3], and how it was found.

    The density of pairs at small separations falls linearly with them, as those near the border of
    the survey miss partners; the value at 0 is extrapolated by a line.

    Raises
    ------
    BadValueError
        There are too few randoms for close pairs.
    """
    randoms = survey.randoms
    edges, counts = _close_pairs(randoms)
    number = counts.pairs[:, 0]
    if (number < _FEWEST).any():
        raise BadValueError(
            "randoms",
            f"{int(number.sum())} pairs closer than {edges[-1]:.3g} Mpc/h",
            f"{_FEWEST} or more in each of {_SHELLS} shells, for the density of close pairs",
            "give more randoms",
        )
    density = counts.normalised()[:, 0] / (4.0 / 3.0 * np.pi * np.diff(edges**3))
    middle = 0.75 * np.diff(edges**4) / np.diff(edges**3)
    _, limit = np.polyfit(middle, density, 1, w=np.sqrt(number) / density)
    return float(survey.data.weight.sum() ** 2 * limit), NORMALISATION.format(edges[-1])


def _close_pairs(randoms: SkySample) -> tuple[Array, Counts]:
    """Return edges of shells of small separations, and the pairs in them.

    The largest separation is a tenth of the least extent of the survey; or less, as far as about
    `_CLOSE_PAIRS` pairs reach, which a first count of a part of the randoms tells.
    """
    place = randoms.position
    extent = place.max(axis=0) - place.min(axis=0)
    reach = _CLOSE * min(float(extent.min()), float(np.ptp(randoms.distance)))
    step = math.ceil(len(randoms) / _TRIED)
    for sample in (randoms.take(slice(None, None, step)), randoms):
        edges = np.linspace(0.0, reach, _SHELLS + 1)
        edges[0] = 1e-6 * reach
        (counts,) = count([(sample, None)], Wedges(edges, 1), "close pairs of randoms")
        if sample is not randoms:
            expected = counts.pairs.sum() * step**2
            reach *= min(1.0, (_CLOSE_PAIRS / max(expected, 1)) ** (1.0 / 3.0))
    return edges, counts
