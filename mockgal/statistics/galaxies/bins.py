"""Bins of mass on a fixed lattice, the numbers in them, and the errors of these numbers.

Edges are multiples of the bin width in log10 of the mass, so that two catalogues share bins. Bins
run from the lowest to the highest occupied one, so that nothing lies outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, UsageError
from .. import jackknife as jackknives
from ..result import Field

Array = NDArray[Any]

BIN_WIDTH = 0.25  # dex
NARROWEST, WIDEST = 0.001, 10.0  # dex
MASS = "Msun / littleh"


@dataclass(frozen=True)
class MassBins:
    """``number`` bins of log10 of mass [Msun/h] that begin at ``first * width``, lower edge in.

    Parameters
    ----------
    width : float
        [dex]
    first, number : int
    """

    width: float
    first: int
    number: int

    def __len__(self) -> int:
        return self.number

    @property
    def edges(self) -> Array:
        """Mass at the edges [Msun/h], shape (n + 1,); empty without bins."""
        if not self.number:
            return np.empty(0)
        return _edges(self.first, self.first + self.number, self.width)

    def columns(self, name: str) -> dict[str, Array]:
        """Return the columns ``name`` (middle of the bin in log10), ``name_low``, ``name_high``."""
        low, high = self.edges[:-1], self.edges[1:]
        return {name: np.sqrt(low * high), f"{name}_low": low, f"{name}_high": high}

    def settings(self) -> dict[str, Any]:
        """Return a description of the bins for `Measurement.settings`."""
        return {
            "bin_width_dex": float(self.width),
            "bins": "between multiples of the bin width in log10 of mass / (Msun/h), lower edge in",
        }


def axis_fields(name: str, meaning: str, label: str) -> dict[str, Field]:
    """Return the fields of `MassBins.columns`."""
    return {
        name: Field(MASS, f"{meaning} at the middle of the bin in log10", label),
        f"{name}_low": Field(MASS, f"least {meaning} in the bin"),
        f"{name}_high": Field(MASS, f"upper edge of the bin in {meaning}, which is not in it"),
    }


def _edges(first: int, last: int, width: float) -> Array:
    return np.asarray(10.0 ** np.round(np.arange(first, last + 1) * width, 10))


def check_width(bin_width: float) -> float:
    """Return ``bin_width`` [dex] if it is allowed.

    Raises
    ------
    UsageError
        The width is not from `NARROWEST` to `WIDEST`.
    """
    if not NARROWEST <= bin_width <= WIDEST:
        raise UsageError(
            "bin width", f"{bin_width} dex", f"{NARROWEST} to {WIDEST} dex", "leave it out"
        )
    return float(bin_width)


def bin_masses(mass: Array, width: float, what: str) -> tuple[MassBins, Array]:
    """Return the bins that cover ``mass``, and the bin of each mass.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        [Msun/h]
    width : float
        [dex]
    what : str
        Name of the masses, for messages.

    Returns
    -------
    bins : MassBins
    number : ndarray of int, shape (n,)
        Counted from 0; -1 where the mass is zero.

    Raises
    ------
    UsageError
        See `check_width`.
    BadValueError
        A mass is negative or not finite.
    """
    width, mass = check_width(width), np.asarray(mass, dtype=np.float64)
    check_masses(mass, what)
    number = np.full(len(mass), -1, dtype=np.int64)
    positive = mass > 0
    if not positive.any():
        return MassBins(width, 0, 0), number
    ends = np.log10([mass[positive].min(), mass[positive].max()]) / width
    first, last = int(np.floor(ends[0])) - 1, int(np.floor(ends[1])) + 2  # allow for rounding
    place = np.searchsorted(_edges(first, last, width), mass[positive], side="right") - 1
    lowest, highest = int(place.min()), int(place.max())
    number[positive] = place - lowest
    return MassBins(width, first + lowest, highest - lowest + 1), number


def check_masses(mass: Array, what: str) -> None:
    """Raise if a mass is impossible.

    Raises
    ------
    BadValueError
        A mass is negative or not finite.
    """
    bad = np.flatnonzero(~((mass >= 0) & (mass < np.inf)))
    if bad.size:
        raise BadValueError(
            what,
            f"{bad.size} values that are negative or not finite, the first {mass.flat[bad[0]]}",
            "masses of 0 or more [Msun/h]",
        )


def count(number: Array, bins: int) -> Array:
    """Return how many are in each bin, shape (bins,); a number of -1 means no bin."""
    return np.bincount(number[number >= 0], minlength=bins)


def count_by_region(number: Array, region: Array, bins: int, regions: int) -> Array:
    """Return how many are in each bin of each sub-volume, shape (regions, bins)."""
    known = number >= 0
    both = np.bincount(region[known] * bins + number[known], minlength=regions * bins)
    return both.reshape(regions, bins)


def left_out(by_region: Array) -> Array:
    """Return the totals with each of R sub-volumes left out, for numbers of shape (R, ...)."""
    return np.asarray(by_region.sum(axis=0) - by_region)


def ratio(above: Array, below: Array) -> Array:
    """Return ``above / below``; NaN where both are 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(above / below)


def mean_error(variance: Array, number: Array) -> Array:
    """Return the standard error of the mean of ``number`` independent values.

    It is sqrt(n variance + 1/4) / n, half the width of the score interval at one sigma (Wilson
    1927, JASA 22, 209; for a binomial to order 1/n). Unlike sqrt(variance / n) it is not 0 for 0
    out of n, or n out of n. The shape is that of the arguments.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(number * variance + 0.25) / number
    return np.where(number > 0, error, np.nan)


def safe_jackknife(error: Array, independent: Array, number: Array, regions: int) -> Array:
    """Return jackknife errors, with a lower limit in bins where a jackknife is unreliable.

    In bins with fewer objects than sub-volumes, a jackknife is one over single objects and may be 0
    by chance. There, and where it is 0 or NaN, ``independent`` is the lower limit.

    Parameters
    ----------
    error : ndarray, shape (n,)
        Jackknife error.
    independent : ndarray, shape (n,)
        Error if the objects were independent.
    number : ndarray, shape (n,)
        Objects in the bin.
    regions : int
        Number of sub-volumes.
    """
    return np.where(_unreliable(error, number, regions), np.fmax(error, independent), error)


def _unreliable(error: Array, number: Array, regions: int) -> Array:
    return np.asarray((number < regions) | ~(error > 0))


def reliable_left_out(left_out: Array, number: Array) -> Array:
    """Return a statistic with each of R sub-volumes left out, NaN where a jackknife is unreliable.

    Parameters
    ----------
    left_out : ndarray, shape (R, n)
    number : ndarray, shape (n,)
        Objects in the bin: see `safe_jackknife`.
    """
    bad = _unreliable(jackknives.error(left_out), number, len(left_out))
    return np.where(bad, np.nan, left_out)


def describe_safe(per_side: int, objects: str, independent: str, voxels: int = 0) -> str:
    """Return a description of errors from `safe_jackknife` for `Measurement.settings`."""
    return (
        f"{jackknives.describe(per_side, voxels)}; in bins of fewer than {per_side**3} {objects}, "
        f"or where that is 0 or cannot be made, not less than {independent}"
    )
