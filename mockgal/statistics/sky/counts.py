"""Weighted pair counts of points on the sky, by separation and by region of the jackknife.

Points are sorted into cells on the sky, and by distance within each, so that the partners of a
point are in few slices (`mockgal.statistics.sky.kernels`). All regions are counted at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...system.memory import check_memory
from ...system.parallel import over, threads
from ...system.progress import advance
from .sample import SkySample

Array = NDArray[Any]

_BYTES = 200  # per point: sorted columns, and what sorting needs
_LOOKED_AT = 40_000_000  # pairs in one call, which takes a fraction of a second
_TRIALS = 64  # points whose pairs are counted first, to divide the others
_PARTS = 16  # at least, for as many threads
_GUESSES = 4096
_FINER = 3.0  # cells over the angle of the largest separation


@dataclass(frozen=True)
class Angles:
    """Bins of the angle between two points, ``edges`` [deg]."""

    edges: Array
    parts: int = 1

    def plan(self) -> tuple[int, Array, float]:
        """Return the kind, the squared edges as the kernel takes them, and the depth."""
        from .kernels import ANGLE

        # For small angles the chord is exact to rounding, and the cosine of the angle is not.
        return ANGLE, (2.0 * np.sin(np.radians(self.edges) / 2.0)) ** 2, 0.0


@dataclass(frozen=True)
class Wedges:
    """Bins of distance, ``edges`` [Mpc/h], and equal ``parts`` of abs(mu) from 0 to 1.

    mu is the cosine of the angle between the pair and the line of sight to its midpoint.
    """

    edges: Array
    parts: int

    def plan(self) -> tuple[int, Array, float]:
        """See `Angles.plan`."""
        from .kernels import WEDGES

        return WEDGES, self.edges**2, float(self.edges[-1])


@dataclass(frozen=True)
class Cylinders:
    """Bins of distance across the line of sight, and equal ``parts`` along it up to ``pi_max``.

    The line of sight is that to the midpoint of the pair. Lengths are in Mpc/h.
    """

    edges: Array
    parts: int
    pi_max: float

    def plan(self) -> tuple[int, Array, float]:
        """See `Angles.plan`."""
        from .kernels import CYLINDERS

        return CYLINDERS, self.edges**2, self.pi_max


Bins = Angles | Wedges | Cylinders


class Counts(NamedTuple):
    """Pairs in n x m bins, in all and by region; each pair of two points counts once.

    Parameters
    ----------
    pairs : ndarray of int, shape (n, m)
    within : ndarray, shape (R, n, m)
        Products of the weights of pairs with both members in a region.
    across : ndarray, shape (R, n, m)
        The same with one member in it: such a pair is in two regions.
    norm_within, norm_across : ndarray, shape (R,)
        The same of all pairs at any separation.
    """

    pairs: Array
    within: Array
    across: Array
    norm_within: Array
    norm_across: Array

    def normalised(self) -> Array:
        """Return the weight of the pairs in each bin over that of all pairs, shape (n, m)."""
        total = self.within.sum(axis=0) + self.across.sum(axis=0) / 2.0
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(total / (self.norm_within.sum() + self.norm_across.sum() / 2.0))

    def left_out(self, share: float) -> Array:
        """Return `normalised` without each region, shape (R, n, m).

        Pairs across its border are taken out with the weight ``share``.
        """
        total = self.within.sum(axis=0) + self.across.sum(axis=0) / 2.0
        norm = self.norm_within.sum() + self.norm_across.sum() / 2.0
        rest = norm - self.norm_within - share * self.norm_across
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((total - self.within - share * self.across) / rest[:, None, None])

    def add(self, other: Counts) -> Counts:
        """Return the counts of both together."""
        return Counts(*(one + two for one, two in zip(self, other, strict=True)))


def count(
    samples: Sequence[tuple[SkySample, SkySample | None]], bins: Bins, label: str
) -> list[Counts]:
    """Count the pairs of each two samples, and report progress.

    Parameters
    ----------
    samples : sequence of (first, second)
        ``second`` is None for pairs within the first. All have the same regions.
    bins : Bins
    label : str
        Name of the work in progress reports, which count the points of all first samples.

    Returns
    -------
    list of Counts
        They do not depend on the number of threads.

    Raises
    ------
    ResourceError
        The memory is too small for so many points.
    """
    points = sum(len(one) for pair in samples for one in pair if one is not None)
    regions = max(max(one.regions for pair in samples for one in pair if one is not None), 1)
    held = 16 * regions * (len(bins.edges) - 1) * bins.parts * (threads() + 2 * len(samples))
    check_memory(
        label,
        _BYTES * points + held,
        "count fewer points (fewer randoms, or a cut), or in fewer bins or regions",
    )
    done, total = 0, sum(len(first) for first, _ in samples)
    advance(0, total, label)
    results = []
    for first, second in samples:
        size = (len(bins.edges) - 1) * bins.parts
        sums = _Sums.of(regions, size)
        if len(first) and (second is None or len(second)):
            work = _Work(first, second, bins)
            for stop, part in work.parts(regions, size):
                sums = sums.add(part)
                advance(done + stop, total, label)
        done += len(first)
        advance(done, total, label)
        shape = (len(bins.edges) - 1, bins.parts)
        results.append(
            Counts(
                sums.pairs.reshape(shape),
                sums.within.reshape(-1, *shape),
                sums.across.reshape(-1, *shape),
                *_norms(first, second),
            )
        )
    return results


class _Sums(NamedTuple):
    within: Array
    across: Array
    pairs: Array

    @classmethod
    def of(cls, regions: int, size: int) -> _Sums:
        within, across = np.zeros((2, regions, size))
        return cls(within, across, np.zeros(size, dtype=np.int64))

    def add(self, other: _Sums) -> _Sums:
        return _Sums(*(one + two for one, two in zip(self, other, strict=True)))


class _Work:
    """The pairs of two samples, whose points are sorted into cells."""

    def __init__(self, first: SkySample, second: SkySample | None, bins: Bins) -> None:
        self.kind, self.squares, self.depth = bins.plan()
        self.reach = math.sqrt(self.squares[-1])
        self.pieces = bins.parts
        ends = self.squares[-1] / _GUESSES * np.arange(1, _GUESSES + 2)
        guess = np.searchsorted(self.squares, ends, side="right")  # rounding costs one bin at most
        self.guess = np.clip(guess, 0, len(self.squares) - 2).astype(np.int64)
        flat = isinstance(bins, Angles)
        others = first if second is None else second
        self.bands = _bands(self._typical_angle(first, flat), len(others))
        self.first = _Sorted.of(first, self.bands, flat)
        self.others = self.first if second is None else _Sorted.of(others, self.bands, flat)
        self.same = int(second is None)

    def _typical_angle(self, sample: SkySample, flat: bool) -> float:
        from .kernels import half_angle

        far = 1.0 if flat else float(np.median(sample.distance))
        return 2.0 * math.asin(math.sqrt(half_angle(far, self.reach, self.depth, self.kind)))

    def rows(self, start: int, stop: int, sums: _Sums) -> int:
        """Add the pairs of some points of the first sample; return how many were looked at."""
        from .kernels import count as add

        return int(
            add(
                *(self.first.points, self.first.polar, self.first.region, start, stop),
                *(self.others.points, self.others.polar, self.others.region, self.others.rows),
                *(self.bands, self.same, self.kind, self.reach, self.depth, self.squares),
                *(self.guess, self.pieces, *sums),
            )
        )

    def parts(self, regions: int, size: int) -> Any:
        """Yield the sums of a few points after another, and the row after these."""
        number = len(self.first.points)
        trial = _Sums.of(regions, size)
        trials = np.unique(np.linspace(0, number - 1, _TRIALS).astype(np.int64))
        looked = sum(self.rows(int(i), int(i) + 1, trial) for i in trials)
        each = max(1, round(_LOOKED_AT * len(trials) / max(looked, 1)))
        step = int(min(each, -(-number // _PARTS)))

        def some(start: int) -> _Sums:
            sums = _Sums.of(regions, size)
            self.rows(start, min(start + step, number), sums)
            return sums

        starts = list(range(0, number, step))
        for first in range(0, len(starts), threads()):
            batch = starts[first : first + threads()]
            for start, sums in zip(batch, over(some, batch), strict=True):
                yield min(start + step, number), sums


class _Sorted(NamedTuple):
    """A sample sorted by cell and distance, as the kernel takes it."""

    points: Array
    polar: Array
    region: Array
    rows: Array

    @classmethod
    def of(cls, sample: SkySample, bands: Array, flat: bool) -> _Sorted:
        """Sort a sample; if ``flat``, put it on the unit sphere."""
        x, y, z = sample.direction.T
        ra = np.mod(np.arctan2(y, x), 2.0 * np.pi)
        ra[ra >= 2.0 * np.pi] = 0.0  # of a tiny negative angle
        dec = np.arctan2(z, np.hypot(x, y))
        far = np.ones(len(ra)) if flat else sample.distance
        number = len(bands) - 1
        band = ((dec + 0.5 * np.pi) * (number / np.pi)).astype(np.int64).clip(0, number - 1)
        cells = np.diff(bands)[band]
        cell = bands[band] + np.minimum((ra * (cells / (2.0 * np.pi))).astype(np.int64), cells - 1)
        order = np.lexsort((far, cell))
        rows = np.searchsorted(cell[order], np.arange(bands[-1] + 1))
        place = sample.direction if flat else sample.direction * far[:, None]
        square = np.einsum("ij,ij->i", place, place)
        return cls(
            np.ascontiguousarray(np.column_stack([place, sample.weight, square])[order]),
            np.ascontiguousarray(np.column_stack([far, ra, dec])[order]),
            np.ascontiguousarray(sample.region[order]),
            rows.astype(np.int64),
        )


def _bands(angle: float, points: int) -> Array:
    """Return the first cell of each band of declination, and the number of cells.

    Cells are a third as wide as the largest angle, or hold a point each if it is small.
    """
    height = max(angle / _FINER, math.sqrt(4.0 * math.pi / max(points, 12)), 1e-4)
    number = max(1, int(math.pi / height))
    south = np.pi * (np.arange(number) / number - 0.5)
    nearest = np.clip(0.0, south, south + np.pi / number)  # to the equator
    cells = np.maximum(1, (2.0 * number * np.cos(nearest)).astype(np.int64))
    return np.concatenate([[0], np.cumsum(cells)]).astype(np.int64)


def _norms(first: SkySample, second: SkySample | None) -> tuple[Array, Array]:
    """Return the products of the weights of all pairs within and across each region."""
    own = first.sums()
    if second is None:
        squares = first.sums(first.weight**2)
        return (own**2 - squares) / 2.0, own * (own.sum() - own)
    other = second.sums()
    return own * other, own * (other.sum() - other) + other * (own.sum() - own)
