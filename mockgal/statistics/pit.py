"""Probability integral transform: a test of whether predicted stellar-mass laws are calibrated.

For a value drawn from a continuous law F, F(value) is uniform (Dawid 1984, JRSS A 147, 278). The
law of a subhalo's stellar mass has an atom, as the subhalo may not be luminous. With p the
probability that it is luminous, and F the law given that it is, the transform is 1 - p + p F(M*)
for a luminous subhalo, and u (1 - p) with u uniform for any other (Smith 1985, J. Forecasting 4,
283; Czado, Gneiting & Held 2009, Biometrics 65, 1254). Predictions are called calibrated if the
transform is uniform.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from .. import random
from ..errors import BadValueError, UsageError
from ..laws.distribution import Distribution, cdf
from .galaxies.bins import check_masses
from .result import POWER, SIGNIFICANCE, Field, Measurement, Style

Array = NDArray[Any]

STREAM = "pit"
MOST_BINS = 1000
DETECTABLE_DISTANCE = (
    "largest distance between distribution functions that a test at "
    f"{SIGNIFICANCE:.0%} significance finds with {POWER:.0%} probability, or more, whatever the "
    "distribution is"
)


def probability_integral_transform(
    distribution: Distribution, stellar_mass: Array, *, ids: ArrayLike, seed: int, bins: int = 20
) -> Measurement:
    """Return the histogram of the transform at the true stellar masses: 1 if calibrated.

    Parameters
    ----------
    distribution : Distribution
        n predictions.
    stellar_mass : ndarray, shape (n,)
        The true masses [Msun/h], 0 without stars. Subhalos below the distribution's floor are not
        luminous.
    ids : array_like of int64, shape (n,)
        Ids of the subhalos: keys of the random numbers for those that are not luminous.
    seed : int
    bins : int
        Number of bins of equal width, from 0 to 1.

    Returns
    -------
    Measurement
        ``probability`` (the middle of the bin) with its edges; ``density``, of all subhalos;
        ``density_luminous``, of luminous subhalos with the law given that they are luminous, which
        is independent of p_luminous; ``subhalos`` and ``luminous``, their numbers. Errors are
        multinomial, for calibrated predictions. ``settings`` has, for ``all`` and ``luminous``, the
        Kolmogorov-Smirnov statistic, its p-value, and `smallest_detectable_distance`.

    Raises
    ------
    UsageError
        The number of bins or the seed is not allowed.
    BadValueError
        Lengths differ; or masses are negative or not finite, or probabilities are not from 0 to 1.
    """
    if not 2 <= bins <= MOST_BINS:
        raise UsageError("bins", f"{bins}", f"2 to {MOST_BINS}")
    mass, keys = np.asarray(stellar_mass, dtype=np.float64), np.asarray(ids)
    p = np.asarray(distribution.p_luminous, dtype=np.float64)
    if not len(distribution) == len(mass) == len(keys):
        lengths = f"{len(distribution)} predictions, {len(mass)} masses, {len(keys)} ids"
        raise BadValueError("stellar_mass", lengths, "one of each for every subhalo")
    check_masses(mass, "stellar_mass")
    if not np.all((p >= 0) & (p <= 1)):
        raise BadValueError("p_luminous", "values that are NaN or outside 0 to 1", "probabilities")
    value, luminous, outside = transform(distribution, mass, keys, seed)
    both = np.where(luminous, 1.0 - p + p * value, value * (1.0 - p))
    edges = np.linspace(0.0, 1.0, bins + 1)
    columns: dict[str, Array] = {
        "probability": 0.5 * (edges[1:] + edges[:-1]),
        "probability_low": edges[:-1],
        "probability_high": edges[1:],
    }
    fields = {
        "probability": Field("", "the transform, at the middle of the bin", "PIT"),
        "probability_low": Field("", "lower edge of the bin"),
        "probability_high": Field("", "upper edge of the bin"),
    }
    tests = {}
    samples = (
        ("", "subhalos", "all", both),
        ("_luminous", "luminous", "luminous", value[luminous]),
    )
    for end, count, name, sample in samples:
        counts, density, error = _histogram(sample, edges)
        columns |= {f"density{end}": density, f"density{end}_error": error, count: counts}
        fields |= {
            f"density{end}": Field("", f"number over that expected, {name} subhalos", name),
            f"density{end}_error": Field("", f"standard error of density{end} if calibrated"),
            count: Field("", f"{name} subhalos in the bin", name),
        }
        if len(sample):
            tests[name] = kolmogorov_smirnov(sample)
    return Measurement(
        "pit",
        columns,
        fields,
        axis="probability",
        estimates=("density", "density_luminous"),
        count="subhalos",
        settings={
            "errors": "multinomial, of calibrated predictions",
            "seed": random.check_seed(seed),
            "floor_msun_h": float(10.0**distribution.floor),
            "luminous": int(np.sum(luminous)),
            "not_luminous": int(np.sum(~luminous)),
            "not_luminous_with_stars": int(np.sum(~luminous & (mass > 0))),
            "luminous_outside_the_law": outside,
            "kolmogorov_smirnov": tests,
            "smallest_detectable_distance": DETECTABLE_DISTANCE,
        },
        style=Style(log_x=False, log_y=False, labels=("number over that expected",)),
    )


def _histogram(sample: Array, edges: Array) -> tuple[Array, Array, Array]:
    """Return numbers in bins, the density over that of a uniform law, and its multinomial error."""
    bins, total = len(edges) - 1, max(len(sample), 1)
    counts = np.histogram(sample, edges)[0]
    density = np.where(len(sample) > 0, counts * (bins / total), np.nan)
    error = np.full(bins, math.sqrt((bins - 1) / total) if len(sample) else np.nan)
    return counts, density, error


def transform(
    distribution: Distribution, mass: Array, ids: Array, seed: int
) -> tuple[Array, Array, int]:
    """Return the conditional transform of luminous subhalos, and a uniform number for the others.

    Returns
    -------
    value : ndarray, shape (n,)
    luminous : ndarray of bool, shape (n,)
    outside : int
        Number of luminous subhalos outside their law: above or below all of it, or with a law that
        lies entirely below the floor.
    """
    value = random.uniform(seed, STREAM, ids)
    with np.errstate(divide="ignore"):
        log_mass = np.log10(mass)
    luminous = (mass > 0) & (log_mass >= distribution.floor)
    known = cdf(distribution.take(luminous), log_mass[luminous])
    known = np.where(np.isnan(known), 1.0, known)  # a law that ends below the floor
    value[luminous] = known
    return value, luminous, int(np.sum((known <= 0.0) | (known >= 1.0)))


def kolmogorov_smirnov(sample: Array) -> dict[str, float]:
    """Return the test of ``sample``, shape (n,), against a uniform law, as plain numbers."""
    statistic, p_value = stats.kstest(sample, "uniform")
    return {
        "statistic": float(statistic),
        "p_value": float(p_value),
        "smallest_detectable_distance": smallest_detectable_distance(len(sample)),
    }


def smallest_detectable_distance(number: int) -> float:
    """Return the distance between distribution functions that n values detect in 80% of cases.

    Let the true distribution be off by d at x, where it is q. The statistic is at least the
    distance at x, where the number of values below is binomial: it is above the critical value D
    with a probability of at least Phi((d - D) / sqrt(q (1 - q) / n)), unless n is small. As
    q (1 - q) <= 1/4, that is 80% for d = D + z(0.80) / (2 sqrt(n)), whatever the distribution. Many
    smaller deviations are detected, too.
    """
    critical = stats.kstwo.ppf(1.0 - SIGNIFICANCE, number)
    distance = critical + stats.norm.ppf(POWER) / (2.0 * math.sqrt(number))
    return float(min(distance, 1.0))
