"""Bins of mass on a fixed lattice, numbers in them, and what such numbers are uncertain by.

Edges are multiples of the bin width in log10 of the mass, so that two catalogues share bins. Bins
run from the lowest to the highest that holds anything, so that nothing lies outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, UsageError
from ..jackknife import describe
from ..result import Field

Array = NDArray[Any]

BIN_WIDTH = 0.25  # dex
NARROWEST, WIDEST = 0.001, 10.0  # dex
MASS = "Msun / littleh"


@dataclass(frozen=True)
class MassBins:
    """Bins of log10 of mass [Msun/h] from ``first * width`` on, ``number`` of them, lower edge in.

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
        """The columns ``name``, at the middle of the bin in log10, ``name_low``, ``name_high``."""
        low, high = self.edges[:-1], self.edges[1:]
        return {name: np.sqrt(low * high), f"{name}_low": low, f"{name}_high": high}

    def settings(self) -> dict[str, Any]:
        """What the bins are, for `Measurement.settings`."""
        return {
            "bin_width_dex": float(self.width),
            "bins": "between multiples of the bin width in log10 of mass / (Msun/h), lower edge in",
        }


def axis_fields(name: str, meaning: str, label: str) -> dict[str, Field]:
    """Fields of `MassBins.columns`."""
    return {
        name: Field(MASS, f"{meaning} at the middle of the bin in log10", label),
        f"{name}_low": Field(MASS, f"least {meaning} in the bin"),
        f"{name}_high": Field(MASS, f"upper edge of the bin in {meaning}, which is not in it"),
    }


def _edges(first: int, last: int, width: float) -> Array:
    return np.asarray(10.0 ** np.round(np.arange(first, last + 1) * width, 10))


def check_width(bin_width: float) -> float:
    """``bin_width``, if bins can be that wide [dex].

    Raises
    ------
    UsageError
        It is not from `NARROWEST` to `WIDEST`.
    """
    if not NARROWEST <= bin_width <= WIDEST:
        raise UsageError(
            "bin width", f"{bin_width} dex", f"{NARROWEST} to {WIDEST} dex", "leave it out"
        )
    return float(bin_width)


def bin_masses(mass: Array, width: float, what: str) -> tuple[MassBins, Array]:
    """The bins that hold ``mass``, and which of them holds each.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        [Msun/h]
    width : float
        [dex]
    what : str
        Whose mass, for messages.

    Returns
    -------
    bins : MassBins
    number : ndarray of int, shape (n,)
        From 0; -1 where the mass is zero.

    Raises
    ------
    UsageError
        Of `check_width`.
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
    first, last = int(np.floor(ends[0])) - 1, int(np.floor(ends[1])) + 2  # whatever log10 rounds to
    place = np.searchsorted(_edges(first, last, width), mass[positive], side="right") - 1
    lowest, highest = int(place.min()), int(place.max())
    number[positive] = place - lowest
    return MassBins(width, first + lowest, highest - lowest + 1), number


def check_masses(mass: Array, what: str) -> None:
    """Refuse masses that cannot be.

    Raises
    ------
    BadValueError
        One is negative or not finite.
    """
    bad = np.flatnonzero(~((mass >= 0) & (mass < np.inf)))
    if bad.size:
        raise BadValueError(
            what,
            f"{bad.size} values that are negative or not finite, the first {mass.flat[bad[0]]}",
            "masses of 0 or more [Msun/h]",
        )


def count(number: Array, bins: int) -> Array:
    """How many are in each bin, shape (bins,); those with the number -1 are in none."""
    return np.bincount(number[number >= 0], minlength=bins)


def count_by_region(number: Array, region: Array, bins: int, regions: int) -> Array:
    """How many are in each bin of each sub-volume, shape (regions, bins)."""
    known = number >= 0
    both = np.bincount(region[known] * bins + number[known], minlength=regions * bins)
    return both.reshape(regions, bins)


def left_out(by_region: Array) -> Array:
    """Totals with each sub-volume left out, shape as given, of numbers of shape (R, ...)."""
    return np.asarray(by_region.sum(axis=0) - by_region)


def ratio(above: Array, below: Array) -> Array:
    """``above / below``; NaN where both are 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(above / below)


def mean_error(variance: Array, number: Array) -> Array:
    """Standard error of the mean of ``number`` independent values, shape as given.

    sqrt(n variance + 1/4) / n: half the width of the score interval at one sigma (Wilson 1927,
    JASA 22, 209; for a binomial to order 1/n). Unlike sqrt(variance / n) it is not 0 for 0 out of
    n, or n out of n.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(number * variance + 0.25) / number
    return np.where(number > 0, error, np.nan)


def safe_jackknife(error: Array, independent: Array, number: Array, regions: int) -> Array:
    """Jackknife errors, mended where a jackknife cannot know better.

    A jackknife over bins that hold less than there are sub-volumes is one over single objects, and
    chance may make it 0. There, and where it is 0 or cannot be made, ``independent`` is the least.

    Parameters
    ----------
    error : ndarray, shape (n,)
        Of the jackknife.
    independent : ndarray, shape (n,)
        Error that the objects would give if they were independent.
    number : ndarray, shape (n,)
        Objects in the bin.
    regions : int
        Sub-volumes.
    """
    mended = (number < regions) | ~(error > 0)
    return np.where(mended, np.fmax(error, independent), error)


def describe_safe(per_side: int, objects: str, independent: str, voxels: int = 0) -> str:
    """What errors of `safe_jackknife` are, for `Measurement.settings`."""
    return (
        f"{describe(per_side, voxels)}; in bins of fewer than {per_side**3} {objects}, or where "
        f"that is 0 or cannot be made, not less than {independent}"
    )
