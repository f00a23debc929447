"""The angular correlation function w(theta) of galaxies on the sky, with weights and regions."""

from __future__ import annotations

import numpy as np

from ...types import GalaxyCatalog
from ..pairs.angular import check_edges
from ..pairs.correlation import BINS
from ..result import Field, Measurement
from .correlation import check_parts, edges_of
from .counts import Angles
from .estimator import count_survey, result
from .surveys import Survey, survey_of

THETA_MIN, THETA_MAX = 0.01, 10.0  # deg


def angular_correlation_on_the_sky(
    galaxies: GalaxyCatalog,
    randoms: GalaxyCatalog,
    *,
    theta_min: float = THETA_MIN,
    theta_max: float = THETA_MAX,
    bins: int = BINS,
    spacing: str = "log",
    weigh_by: str | None = None,
    random_parts: int | None = None,
    jackknife: int | None = None,
) -> Measurement:
    """Measure the angular correlation function w(theta) of galaxies on the sky.

    Parameters
    ----------
    galaxies, randoms : GalaxyCatalog
        On the sky.
    theta_min, theta_max : float
        Ends of the bins of the angle between two galaxies [deg].
    bins : int
        Number of bins.
    spacing : str
        ``"log"`` or ``"linear"``.
    weigh_by, jackknife
        See `mockgal.statistics.sky.surveys.survey_of`.
    random_parts : int, optional
        See `mockgal.statistics.sky.estimator.count_survey`.

    Returns
    -------
    Measurement
        Columns ``theta_low``, ``theta_high``, ``theta`` (the mean over the bin's area on a plane)
        [deg], ``w`` with ``w_error``, ``pairs`` and ``random_pairs``; ``left_out`` as in
        `mockgal.statistics.sky.correlation.projected_correlation_on_the_sky`.

    Raises
    ------
    UsageError, BadValueError, ResourceError
        An option is not allowed, or the catalogues are not of one survey.
    """
    edges = edges_of(theta_min, theta_max, bins, spacing, what="theta", unit="deg")
    check_edges(edges)
    survey = survey_of(galaxies, randoms, weigh_by=weigh_by, jackknife=jackknife)
    return w_theta_of(survey, Angles(edges), random_parts=random_parts)


def w_theta_of(survey: Survey, bins: Angles, *, random_parts: int | None = None) -> Measurement:
    """Measure w(theta) of a survey made of arrays (`Survey`, `SkySample.of`)."""
    pairs = count_survey(survey, bins, "pairs of w_theta", check_parts(random_parts))
    what = Field("", "angular correlation function", r"$w(\theta)$")
    described = ("w_theta", "theta", 2)
    return result(survey, pairs, np.ones((1, 1)), bins, {"w": what}, described)
