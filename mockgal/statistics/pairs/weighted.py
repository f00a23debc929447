"""Pairs of weighted points in a periodic box, by separation and by sub-volume of the jackknife.

The libraries of `mockgal.statistics.pairs.counts` count points. A pair of weighted points counts as
the product of their weights. Pairs are listed with SciPy's k-d tree, a few million at a time, and
sums are in an order that depends on the points alone: the same bits for any order of rows, any
number of threads and any speed of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, UsageError, warn
from ...system.memory import check_memory
from ...system.progress import advance
from ...types import GalaxyCatalog
from ..jackknife import regions
from ..two_samples import shared_rows
from .separations import Separations

Array = NDArray[Any]

NO_WEIGHTS = "none"
_AT_ONCE = 2_000_000  # pairs, in a fraction of a second
_FIRST_ROWS = 256  # points whose pairs are listed first
_BYTES = 100  # per point, and per pair at once: the trees; separations and what they need


class Sample(NamedTuple):
    """Points in a box, shape (n, 3) [Mpc/h], and their weights, shape (n,), or None for 1 each."""

    place: Array
    weight: Array | None = None

    def sum(self, power: int = 1) -> float:
        """Return the sum of the weights to a power."""
        return float(len(self.place) if self.weight is None else np.sum(self.weight**power))

    def sums(self, per_side: int, box_size: float, power: int = 1) -> Array:
        """Return the sums of the weights to a power in each sub-volume, shape (R,)."""
        values = None if self.weight is None else self.weight**power
        where = regions(self.place, box_size, per_side)
        return np.bincount(where, values, minlength=per_side**3).astype(np.float64)

    def take(self, rows: Any) -> Sample:
        """Return some of the points."""
        return Sample(self.place[rows], None if self.weight is None else self.weight[rows])


def weights_of(galaxies: GalaxyCatalog, weigh_by: str | None) -> Array | None:
    """Return the product of columns, shape (n,); None for 1 each.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    weigh_by : str or None
        Names of columns, joined by commas; ``"none"`` or None for no weights.

    Raises
    ------
    UsageError
        There is no such column of numbers.
    BadValueError
        A weight is negative or not finite, or all are 0.
    """
    if weigh_by in (None, NO_WEIGHTS):
        return None
    weight = np.ones(len(galaxies))
    for name in (part.strip() for part in str(weigh_by).split(",")):
        usable = [key for key in galaxies.columns if galaxies[key].ndim == 1]
        if name not in usable:
            raise UsageError(
                f"weights {weigh_by}",
                f"no column {name!r} with a number for each galaxy",
                "one of " + ", ".join(usable),
                "name one with --weigh-by, or leave it out to count each galaxy once",
            )
        values = galaxies[name].astype(np.float64)
        bad = np.flatnonzero(~((values >= 0.0) & (values < np.inf)))
        if bad.size:
            raise BadValueError(
                f"weights, column {name}",
                f"{bad.size} that are negative or not finite, the first {values[bad[0]]} in row "
                f"{bad[0]}",
                "finite numbers from 0 on",
                "weigh by another column, or leave these galaxies out with --cut",
            )
        weight = weight * values
    if len(weight) and not weight.any():
        raise BadValueError(
            f"weights {weigh_by}", "0 of all galaxies", "weights above 0", "weigh by another column"
        )
    without = int(np.count_nonzero(weight == 0.0))
    if without:
        warn(f"{without} galaxies have a weight of 0: they count for nothing")
    return weight


def themselves(catalogues: Sequence[GalaxyCatalog], samples: Sequence[Sample]) -> Sample:
    """Return the galaxies that would form pairs with themselves, with the weights of these.

    They are all of one sample, or those that two samples share.
    """
    first, second = samples[0], samples[-1]
    if len(samples) == 2:
        places = first.place, second.place
        rows, others = shared_rows(catalogues[0], catalogues[1], *places)
        first, second = first.take(rows), second.take(others)
    if first.weight is None or second.weight is None:
        return Sample(first.place)
    return Sample(first.place, first.weight * second.weight)


def mean_square(samples: Sequence[Sample]) -> float:
    """Return the root mean square of the product of the weights of two independent points."""
    means = [one.sum(2) / max(len(one.place), 1) for one in (samples[0], samples[-1])]
    return float(np.sqrt(means[0] * means[1]))


class Sums(NamedTuple):
    """Ordered pairs in n x m bins.

    Parameters
    ----------
    pairs : ndarray of int, shape (n, m)
        Their number.
    first, second, both : ndarray, shape (R, n, m)
        Products of the weights of the pairs with the first, the second, or both members in each
        sub-volume; R is 1 without a jackknife.
    """

    pairs: Array
    first: Array
    second: Array
    both: Array

    def total(self) -> Array:
        """Return the products of the weights of all pairs, shape (n, m)."""
        return np.asarray(self.first.sum(axis=0))

    def left_out(self) -> Array:
        """Return the same of the pairs with no member in each sub-volume, shape (R, n, m)."""
        return np.asarray(self.total() - self.first - self.second + self.both)


def count_weighted(
    first: Sample,
    second: Sample | None,
    box_size: float,
    per_side: int,
    bins: Separations,
    label: str,
) -> Sums:
    """Return the pairs of two samples in each bin, or of one with itself, and report progress.

    Parameters
    ----------
    first, second : Sample
        Places in [0, box_size); ``second`` is None for pairs within the first.
    box_size : float
        [Mpc/h]
    per_side : int
        Sub-volumes along each side of the box, or 0.
    bins : Separations
    label : str
        Name of the work in progress reports, which count the points of the first sample.

    Raises
    ------
    ResourceError
        The memory is too small for so many points.
    """
    points = len(first.place) + (0 if second is None else len(second.place))
    shape = bins.volumes().shape
    parts = max(per_side, 1) ** 3
    check_memory(
        label,
        _BYTES * (points + _AT_ONCE) + 32 * parts * shape[0] * shape[1],
        "count fewer galaxies, with --cut",
    )
    one = _Sorted.of(first, box_size, per_side)
    two = one if second is None else _Sorted.of(second, box_size, per_side)
    size = shape[0] * shape[1]
    pairs = np.zeros(size, dtype=np.int64)
    sums = np.zeros((3, parts * size))
    for rows, others, shift in _pairs(one, two, box_size, bins, label):
        bin_of = bins.index(np.abs(shift))
        inside = bin_of >= 0
        rows, others, bin_of = rows[inside], others[inside], bin_of[inside]
        pairs += np.bincount(bin_of, minlength=size)
        product = one.weight[rows] * two.weight[others]
        own, other = one.region[rows], two.region[others]
        same = own == other
        sums[0] += np.bincount(own * size + bin_of, product, minlength=parts * size)
        sums[1] += np.bincount(other * size + bin_of, product, minlength=parts * size)
        sums[2] += np.bincount((own * size + bin_of)[same], product[same], minlength=parts * size)
    return Sums(pairs.reshape(shape), *sums.reshape(3, parts, *shape))


class _Sorted(NamedTuple):
    """Points in an order that depends on them alone, with their weights and sub-volumes."""

    place: Array
    weight: Array
    region: Array

    @classmethod
    def of(cls, sample: Sample, box_size: float, per_side: int) -> _Sorted:
        number = len(sample.place)
        weight = np.ones(number) if sample.weight is None else sample.weight
        region = np.zeros(number, dtype=np.int64)
        if per_side:
            region = regions(sample.place, box_size, per_side)
        order = np.lexsort((weight, *sample.place.T))
        return cls(sample.place[order], weight[order], region[order])


def _pairs(
    one: _Sorted, two: _Sorted, box_size: float, bins: Separations, label: str
) -> Iterator[tuple[Array, Array, Array]]:
    """Yield the rows of all pairs in bins, and some others, and their separations (n, 3)."""
    from scipy.spatial import KDTree

    total = len(one.place)
    advance(0, total, label)
    if not total or not len(two.place):
        return
    across, along = bins.reach
    stretched = np.array([1.0, 1.0, across / along])  # so that it reaches as far along as across
    box = {"boxsize": box_size * stretched}
    tree = KDTree(_within(two.place * stretched, **box), **box)
    start, rows = 0, _FIRST_ROWS
    while start < total:
        part = one.place[start : start + rows]
        found = KDTree(_within(part * stretched, **box), **box).sparse_distance_matrix(
            tree,
            across * (1.0 + 1e-12),  # the bins decide at its end
            p=bins.norm,
            output_type="ndarray",
        )
        first, others = found["i"] + start, found["j"]
        shift = one.place[first] - two.place[others]
        shift -= box_size * np.rint(shift / box_size)
        yield first, others, shift
        start += len(part)
        advance(start, total, label)
        growth = _AT_ONCE / max(len(found), 1)  # of the points alone, not of the time
        rows = max(1, int(rows * min(growth, 2.0)))


def _within(place: Array, boxsize: Array) -> Array:
    """Return places that rounding has put at the end of the box just before it."""
    return np.minimum(place, np.nextafter(boxsize, 0.0))
