"""Correlation functions of galaxies on the sky: w_p(r_p), multipoles and wedges of xi(s, mu).

The separation of two galaxies is that of their comoving places, from angles and redshifts in the
fiducial cosmology. mu is the cosine of its angle to the line of sight, which is that to the
midpoint of the pair; pi = mu s, and r_p^2 = s^2 - pi^2. The estimator is that of
`mockgal.statistics.sky.estimator`.

- w_p = 2 times the sum of xi(r_p, pi) over equal bins of pi from 0 to pi_max, times their width
  (Davis & Peebles 1983, ApJ 267, 465).
- xi_l = (2 l + 1) times the integral of xi(s, mu) L_l(mu) over mu from 0 to 1, with L_l integrated
  over each bin of mu.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...errors import UsageError
from ...types import GalaxyCatalog
from ..pairs.correlation import BINS, LENGTH, MU_BINS, ORDERS, R_MIN, legendre_weights
from ..pairs.separations import PI_MAX, R_MAX, check_bins, warn_of_pi_max
from ..result import Field, Measurement, Style
from .counts import Cylinders, Wedges
from .estimator import LINES_OF_SIGHT, count_survey, result
from .surveys import Survey, survey_of

Array = NDArray[Any]

PI_WIDTH = 1.0  # Mpc/h, at most
WEDGES = 3


def projected_correlation_on_the_sky(
    galaxies: GalaxyCatalog,
    randoms: GalaxyCatalog,
    *,
    r_min: float = R_MIN,
    r_max: float = R_MAX,
    bins: int = BINS,
    spacing: str = "log",
    pi_max: float = PI_MAX,
    weigh_by: str | None = None,
    redshifts: str | None = None,
    fiducial_cosmology: Cosmology | str | None = None,
    random_parts: int | None = None,
    jackknife: int | None = None,
) -> Measurement:
    """Measure the projected correlation function w_p(r_p) of galaxies on the sky.

    Parameters
    ----------
    galaxies, randoms : GalaxyCatalog
        On the sky.
    r_min, r_max : float
        Ends of the bins of r_p, the separation across the line of sight [Mpc/h].
    bins : int
        Number of bins.
    spacing : str
        ``"log"`` or ``"linear"``.
    pi_max : float
        Largest separation along the line of sight [Mpc/h]; in bins of `PI_WIDTH` at most.
    weigh_by, redshifts, fiducial_cosmology, jackknife
        See `mockgal.statistics.sky.surveys.survey_of`.
    random_parts : int, optional
        See `mockgal.statistics.sky.estimator.count_survey`.

    Returns
    -------
    Measurement
        Columns ``r_p_low``, ``r_p_high``, ``r_p`` (the mean over the bin's area) [Mpc/h], ``w_p``
        with ``w_p_error`` [Mpc/h], ``pairs`` and ``random_pairs``. With a jackknife, ``left_out``
        has w_p without each region, and `jackknife_covariance` is that of the bins.

    Raises
    ------
    UsageError, BadValueError, ResourceError
        An option is not allowed, or the catalogues are not of one survey.
    """
    edges = edges_of(r_min, r_max, bins, spacing)
    if not 0.0 < pi_max < math.inf:
        raise UsageError("pi_max", f"{pi_max} Mpc/h", "a length above 0")
    parts = math.ceil(pi_max / PI_WIDTH - 1e-9)
    if not parts <= 1000:
        raise UsageError("pi_max", f"{pi_max} Mpc/h", "at most 1000 Mpc/h")
    warn_of_pi_max(pi_max, edges)
    survey = survey_of(
        galaxies,
        randoms,
        weigh_by=weigh_by,
        redshifts=redshifts,
        fiducial_cosmology=fiducial_cosmology,
        jackknife=jackknife,
    )
    return w_p_of(survey, Cylinders(edges, parts, float(pi_max)), random_parts=random_parts)


def w_p_of(survey: Survey, bins: Cylinders, *, random_parts: int | None = None) -> Measurement:
    """Measure w_p of a survey made of arrays (`Survey`, `SkySample.of`)."""
    pairs = count_survey(survey, bins, "pairs of sky_wp", check_parts(random_parts))
    length = np.full((1, bins.parts), 2.0 * bins.pi_max / bins.parts)
    what = Field(LENGTH, "projected correlation function", r"$w_p(r_p)$ [Mpc/$h$]")
    return result(
        survey,
        pairs,
        length,
        bins,
        {"w_p": what},
        ("sky_wp", "r_p", 2),
        pi_max_mpc_h=bins.pi_max,
        pi_bins=bins.parts,
        lines_of_sight=LINES_OF_SIGHT,
    )


def correlation_multipoles_on_the_sky(
    galaxies: GalaxyCatalog,
    randoms: GalaxyCatalog,
    *,
    r_min: float = R_MIN,
    r_max: float = R_MAX,
    bins: int = BINS,
    spacing: str = "log",
    mu_bins: int = MU_BINS,
    weigh_by: str | None = None,
    redshifts: str | None = None,
    fiducial_cosmology: Cosmology | str | None = None,
    random_parts: int | None = None,
    jackknife: int | None = None,
) -> Measurement:
    """Measure the multipoles xi_0(s), xi_2(s) and xi_4(s) of galaxies on the sky.

    Parameters
    ----------
    galaxies, randoms : GalaxyCatalog
        On the sky.
    r_min, r_max : float
        Ends of the bins of the separation s [Mpc/h].
    bins : int
        Number of bins.
    spacing : str
        ``"log"`` or ``"linear"``.
    mu_bins : int
        Number of bins of mu from 0 to 1, the cosine of the angle to the line of sight.
    weigh_by, redshifts, fiducial_cosmology, jackknife
        See `mockgal.statistics.sky.surveys.survey_of`.
    random_parts : int, optional
        See `mockgal.statistics.sky.estimator.count_survey`.

    Returns
    -------
    Measurement
        Columns ``s_low``, ``s_high``, ``s`` (the mean over the bin's volume) [Mpc/h], ``xi_0``,
        ``xi_2``, ``xi_4`` with their errors, ``pairs`` and ``random_pairs``; ``left_out`` as in
        `projected_correlation_on_the_sky`.

    Raises
    ------
    UsageError, BadValueError, ResourceError
        An option is not allowed, or the catalogues are not of one survey.
    """
    edges = edges_of(r_min, r_max, bins, spacing)
    check_bins("mu_bins", mu_bins)
    survey = survey_of(
        galaxies,
        randoms,
        weigh_by=weigh_by,
        redshifts=redshifts,
        fiducial_cosmology=fiducial_cosmology,
        jackknife=jackknife,
    )
    return multipoles_of(survey, Wedges(edges, mu_bins), random_parts=random_parts)


def multipoles_of(survey: Survey, bins: Wedges, *, random_parts: int | None = None) -> Measurement:
    """Measure the multipoles of a survey made of arrays (`Survey`, `SkySample.of`)."""
    pairs = count_survey(survey, bins, "pairs of sky_xi_multipoles", check_parts(random_parts))
    names = ("monopole", "quadrupole", "hexadecapole")
    estimates = {
        f"xi_{order}": Field("", f"{name} of the correlation function", rf"$\xi_{order}(s)$")
        for order, name in zip(ORDERS, names, strict=True)
    }
    return result(
        survey,
        pairs,
        legendre_weights(bins.parts),
        bins,
        estimates,
        ("sky_xi_multipoles", "s", 3),
        Style(labels=(r"$\xi_\ell(s)$",)),
        mu_bins=bins.parts,
        lines_of_sight=LINES_OF_SIGHT,
    )


def correlation_wedges_on_the_sky(
    galaxies: GalaxyCatalog,
    randoms: GalaxyCatalog,
    *,
    r_min: float = R_MIN,
    r_max: float = R_MAX,
    bins: int = BINS,
    spacing: str = "log",
    mu_bins: int = WEDGES,
    weigh_by: str | None = None,
    redshifts: str | None = None,
    fiducial_cosmology: Cosmology | str | None = None,
    random_parts: int | None = None,
    jackknife: int | None = None,
) -> Measurement:
    """Measure xi(s, mu) of galaxies on the sky, in wedges of mu.

    Parameters
    ----------
    galaxies, randoms : GalaxyCatalog
        On the sky.
    r_min, r_max, bins, spacing
        See `correlation_multipoles_on_the_sky`.
    mu_bins : int
        Number of wedges: equal bins of mu from 0 to 1.
    weigh_by, redshifts, fiducial_cosmology, random_parts, jackknife
        See `correlation_multipoles_on_the_sky`.

    Returns
    -------
    Measurement
        Columns ``s_low``, ``s_high``, ``s`` [Mpc/h], ``xi_mu_1``, ``xi_mu_2`` and so on with their
        errors, the first across the line of sight; ``pairs`` and ``random_pairs``.

    Raises
    ------
    UsageError, BadValueError, ResourceError
        An option is not allowed, or the catalogues are not of one survey.
    """
    edges = edges_of(r_min, r_max, bins, spacing)
    check_bins("mu_bins", mu_bins)
    survey = survey_of(
        galaxies,
        randoms,
        weigh_by=weigh_by,
        redshifts=redshifts,
        fiducial_cosmology=fiducial_cosmology,
        jackknife=jackknife,
    )
    return wedges_of(survey, Wedges(edges, mu_bins), random_parts=random_parts)


def wedges_of(survey: Survey, bins: Wedges, *, random_parts: int | None = None) -> Measurement:
    """Measure xi(s, mu) of a survey made of arrays (`Survey`, `SkySample.of`)."""
    pairs = count_survey(survey, bins, "pairs of sky_xi_wedges", check_parts(random_parts))
    ends = np.linspace(0.0, 1.0, bins.parts + 1)
    estimates = {
        f"xi_mu_{k + 1}": Field(
            "",
            f"correlation function for mu from {low:.4g} to {high:.4g}",
            rf"$\xi(s)$, ${low:.3g} < \mu < {high:.3g}$",
        )
        for k, (low, high) in enumerate(pairwise(ends))
    }
    return result(
        survey,
        pairs,
        np.eye(bins.parts),
        bins,
        estimates,
        ("sky_xi_wedges", "s", 3),
        Style(labels=(r"$\xi(s, \mu)$",)),
        mu_bins=bins.parts,
        lines_of_sight=LINES_OF_SIGHT,
    )


def edges_of(
    low: float, high: float, bins: int, spacing: str, *, what: str = "r", unit: str = "Mpc/h"
) -> Array:
    """Return the edges of bins, shape (bins + 1,).

    Raises
    ------
    UsageError
        The ends do not increase from above 0, there is no bin, or the spacing is unknown.
    """
    if not 0.0 < low < high < math.inf:
        raise UsageError(
            f"{what}_min",
            f"{low} {unit}",
            f"more than 0 and less than {what}_max, {high:.6g} {unit}",
        )
    check_bins("bins", bins)
    if spacing not in ("log", "linear"):
        raise UsageError("spacing", repr(spacing), "log or linear")
    edges = (np.geomspace if spacing == "log" else np.linspace)(low, high, bins + 1)
    edges[[0, -1]] = low, high
    return np.asarray(edges)


def check_parts(parts: int | None) -> int | None:
    """Return the number of parts of the randoms, if it is sensible.

    Raises
    ------
    UsageError
        It is not from 1 to 1000.
    """
    if parts is not None and not 1 <= parts <= 1000:
        raise UsageError("random_parts", f"{parts}", "1 to 1000", "leave it out")
    return parts
