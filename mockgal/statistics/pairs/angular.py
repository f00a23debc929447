"""Pair counts of galaxies on the sky by angle, and the angular correlation function w(theta)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import BadValueError, UsageError
from ...system.memory import check_memory
from ..result import Field, Measurement
from .counts import PairCounter, pair_counter
from .separations import BYTES, Shells, count_pairs

Array = NDArray[Any]


def angular_correlation_function(
    right_ascension: ArrayLike,
    declination: ArrayLike,
    random_right_ascension: ArrayLike,
    random_declination: ArrayLike,
    *,
    edges: ArrayLike,
) -> Measurement:
    """Measure w(theta) with the estimator of Landy & Szalay 1993, ApJ 412, 64.

    w = (DD - 2 DR + RR) / RR, with each count divided by the total number of its pairs.

    Parameters
    ----------
    right_ascension, declination : array_like, shape (n,)
        Coordinates of the galaxies [deg].
    random_right_ascension, random_declination : array_like, shape (m,)
        Coordinates of random points on the same part of the sky [deg].
    edges : array_like, shape (bins + 1,)
        Edges of the bins of theta [deg].

    Returns
    -------
    Measurement
        Columns ``theta_low``, ``theta_high``, ``theta`` (the mean over the bin's area on a plane)
        [deg], ``w`` with ``w_error`` (Poisson: sqrt(DD) / RR, too small for clustered galaxies; in
        bins without galaxy pairs the error of one pair), ``pairs`` and ``random_pairs``, each
        counted once. In bins without galaxy pairs w is the value of the estimator, so that the mean
        over realisations is unbiased; w is NaN only without random pairs, or with fewer than two
        galaxies.

    Raises
    ------
    UsageError, BadValueError, ResourceError
        See `angular_pairs`.
    """
    edges = check_edges(edges)
    check_room(right_ascension, random_right_ascension)
    galaxies = unit_vectors(right_ascension, declination)
    random = unit_vectors(random_right_ascension, random_declination)
    counter = pair_counter()
    samples = [(galaxies, None), (random, None), (galaxies, random)]
    dd, rr, dr = _count(counter, samples, edges)
    n, m = len(galaxies), len(random)
    with np.errstate(divide="ignore", invalid="ignore"):
        normal = rr / (m * (m - 1.0) / 2.0)
        w = (dd / (n * (n - 1.0) / 2.0) - 2.0 * dr / (n * m) + normal) / normal
        error = np.sqrt(np.maximum(dd, 1.0)) / (n * (n - 1.0) / 2.0) / normal
    unknown = (rr == 0) | (n < 2)
    w[unknown] = error[unknown] = np.nan
    deg = "deg"
    return Measurement(
        "w_theta",
        {
            "theta_low": edges[:-1],
            "theta_high": edges[1:],
            "theta": 2.0 / 3.0 * np.diff(edges**3) / np.diff(edges**2),
            "w": w,
            "w_error": error,
            "pairs": dd,
            "random_pairs": rr,
        },
        {
            "theta_low": Field(deg, "least angle in the bin"),
            "theta_high": Field(deg, "upper edge of the bin, which is not in it"),
            "theta": Field(deg, "mean angle over the bin's area on a plane", r"$\theta$ [deg]"),
            "w": Field("", "angular correlation function", r"$w(\theta)$"),
            "w_error": Field("", "standard error of w"),
            "pairs": Field("", "pairs of galaxies in the bin, each counted once", "pairs"),
            "random_pairs": Field("", "pairs of random points in the bin, each counted once"),
        },
        axis="theta",
        estimates=("w",),
        count="pairs",
        settings={
            "estimator": "Landy & Szalay 1993",
            "galaxies": n,
            "random_points": m,
            "pair_counter": counter.name,
            "bins_without_pairs": "as the estimator gives; not a number where RR = 0",
            "errors": "Poisson, sqrt(max(DD, 1)) / RR; too small for clustered galaxies",
        },
    )


def angular_pairs(
    right_ascension: ArrayLike,
    declination: ArrayLike,
    edges: ArrayLike,
    *,
    other: tuple[ArrayLike, ArrayLike] | None = None,
) -> Array:
    """Return the exact number of pairs of positions on the sky in each bin of angle.

    Parameters
    ----------
    right_ascension, declination : array_like, shape (n,)
        [deg]
    edges : array_like, shape (bins + 1,)
        [deg], above 0 and at most 180. A bin includes its lower edge but not its upper one.
    other : tuple of two array_like, shape (m,)
        Right ascension and declination of another sample, which supplies the second member of each
        pair.

    Returns
    -------
    ndarray of int, shape (bins,)
        Each pair counted once.

    Raises
    ------
    UsageError
        The edges are out of range or do not increase.
    BadValueError
        Coordinates are not positions on the sky, or differ in number.
    ResourceError
        The memory is too small for so many points.
    """
    check_room(right_ascension, () if other is None else other[0])
    first = unit_vectors(right_ascension, declination)
    second = None if other is None else unit_vectors(*other)
    return _count(pair_counter(), [(first, second)], check_edges(edges))[0]


def _count(
    counter: PairCounter, samples: Sequence[tuple[Array, Array | None]], edges: Array
) -> list[Array]:
    """Return the pairs in each bin for each two samples; pairs within one sample count once."""
    # For small angles the chord is exact to rounding, and the cosine of the angle is not.
    chords = 2.0 * np.sin(np.radians(edges) / 2.0)
    counts = count_pairs(Shells(chords), counter, samples, None, "pairs by angle")[:, :, 0]
    return [
        count // 2 if second is None else count
        for count, (_, second) in zip(counts, samples, strict=True)
    ]


def check_room(*samples: ArrayLike) -> None:
    """Raise if the available memory is too small to count pairs of so many points.

    Raises
    ------
    ResourceError
        The memory is too small.
    """
    number = sum(np.size(sample) for sample in samples)
    check_memory("pairs by angle", BYTES * number, "count fewer points, such as one in ten")


def unit_vectors(right_ascension: ArrayLike, declination: ArrayLike) -> Array:
    """Return points on the unit sphere, shape (n, 3), for coordinates in degrees.

    They are multiples of 2**-52, so that differences of coordinates are exact: counts do not depend
    on which points are counted together.

    Raises
    ------
    BadValueError
        Coordinates are not finite, a declination is beyond the poles, or their numbers differ.
    """
    ra = np.asarray(right_ascension, dtype=np.float64)
    dec = np.asarray(declination, dtype=np.float64)
    if ra.ndim != 1 or ra.shape != dec.shape:
        raise BadValueError(
            "positions on the sky",
            f"shapes {ra.shape} and {dec.shape}",
            "two columns of one length",
        )
    bad = ~(np.isfinite(ra) & (np.abs(dec) <= 90.0))
    if bad.any():
        row = np.flatnonzero(bad)[0]
        raise BadValueError(
            "positions on the sky",
            f"{np.count_nonzero(bad)} impossible rows, the first {row}: {ra[row]}, {dec[row]}",
            "finite right ascensions, and declinations in [-90, 90], in degrees",
        )
    ra, dec = np.radians(ra), np.radians(dec)
    places = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    places *= 2.0**52
    np.rint(places, out=places)
    places *= 2.0**-52
    return places


def check_edges(edges: ArrayLike) -> Array:
    """Return the edges of bins of angle, shape (bins + 1,) [deg].

    Raises
    ------
    UsageError
        There are fewer than two edges, or they do not increase from above 0 to at most 180.
    """
    values = np.asarray(edges, dtype=np.float64)
    if (
        values.ndim != 1
        or len(values) < 2
        or not (values[0] > 0.0 and values[-1] <= 180.0 and np.all(np.diff(values) > 0.0))
    ):
        raise UsageError(
            "edges", str(values), "two or more angles that increase from above 0 to 180 deg at most"
        )
    return values
