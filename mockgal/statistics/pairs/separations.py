"""Bins of separation in a periodic box: the pairs in them, and their volumes.

Each class is one way to divide separations into n x m bins. The line of sight is the z axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError, warn
from ...system.progress import advance
from .counts import PairCounter

Array = NDArray[Any]
MOST_OF_BOX = 1.0 / 3.0  # halotools' limit; separations are unique up to one half
ROWS = 1 << 16  # most first members of pairs in one call
OTHERS = 1 << 18  # most second members of pairs in one call
AT_ONCE = 10**8  # pairs of points, near or not, that one call handles quickly
BYTES = 96  # per point, beside the catalogue; measured: 90 with halotools and a jackknife
SECONDS = 0.5  # target duration of a call, which cannot be interrupted
R_MAX, PI_MAX = 30.0, 40.0  # Mpc/h, the defaults unless the box is too small


class Separations(Protocol):
    """Bins, with ``edges`` [Mpc/h] of shape (n + 1,) along the first of their axes.

    No separation in a bin is longer than ``reach`` across and along the line of sight [Mpc/h], in
    the Minkowski norm of order ``norm`` of its parts across and along in units of these.
    """

    norm: ClassVar[float]

    @property
    def edges(self) -> Array: ...  # noqa: D102

    def count(
        self, counter: PairCounter, first: Array, second: Array | None, box_size: float | None
    ) -> Array:
        """Return the ordered pairs in each bin, shape (n, m); see `PairCounter`."""

    @property
    def reach(self) -> tuple[float, float]: ...  # noqa: D102

    def index(self, apart: Array) -> Array:
        """Return the bin of each separation, i * m + j, or -1 outside.

        ``apart``, shape (q, 3) [Mpc/h], has no negative components.
        """

    def volumes(self) -> Array:
        """Return the volume of each bin in the space of separations [(Mpc/h)^3], shape (n, m)."""

    def places(self, uniform: Array) -> Array:
        """Return separations spread evenly over each bin, shape (n, m, 3, q) [Mpc/h].

        Parameters
        ----------
        uniform : ndarray, shape (3, q)
            Points spread evenly over the unit cube.
        """


@dataclass(frozen=True)
class Shells:
    """Bins of distance: m = 1."""

    edges: Array
    norm: ClassVar[float] = 2.0

    def count(
        self, counter: PairCounter, first: Array, second: Array | None, box_size: float | None
    ) -> Array:
        """See `Separations.count`."""
        return _pairs(counter.spherical, first, second, self.edges, box_size)[:, None]

    @property
    def reach(self) -> tuple[float, float]:
        """See `Separations`."""
        return float(self.edges[-1]), float(self.edges[-1])

    def index(self, apart: Array) -> Array:
        """See `Separations.index`."""
        return _bin(np.sqrt(np.einsum("ij,ij->i", apart, apart)), self.edges)

    def volumes(self) -> Array:
        """See `Separations.volumes`."""
        return 4.0 / 3.0 * np.pi * np.diff(self.edges**3)[:, None]

    def places(self, uniform: Array) -> Array:
        """See `Separations.places`."""
        return Wedges(self.edges, 1).places(uniform)


@dataclass(frozen=True)
class Wedges:
    """Bins of distance, and m equal bins of mu, the cosine of the angle to the line of sight."""

    edges: Array
    mu_bins: int
    norm: ClassVar[float] = 2.0

    def count(
        self, counter: PairCounter, first: Array, second: Array | None, box_size: float | None
    ) -> Array:
        """See `Separations.count`."""
        return _pairs(
            counter.wedges, first, second, self.edges, self.mu_bins, box_size, more=self.mu_bins
        )

    @property
    def reach(self) -> tuple[float, float]:
        """See `Separations`."""
        return float(self.edges[-1]), float(self.edges[-1])

    def index(self, apart: Array) -> Array:
        """See `Separations.index`."""
        distance = np.sqrt(np.einsum("ij,ij->i", apart, apart))
        row = _bin(distance, self.edges)
        with np.errstate(invalid="ignore", divide="ignore"):
            mu = apart[:, 2] / distance
        inside = row >= 0
        column = np.minimum((mu[inside] * self.mu_bins).astype(np.int64), self.mu_bins - 1)
        row[inside] = row[inside] * self.mu_bins + column
        return row

    def volumes(self) -> Array:
        """See `Separations.volumes`."""
        return np.repeat(Shells(self.edges).volumes() / self.mu_bins, self.mu_bins, axis=1)

    def places(self, uniform: Array) -> Array:
        """See `Separations.places`."""
        s = np.cbrt(_between(self.edges**3, uniform[0]))[:, None]
        mu, sign = _both_signs(uniform[1])
        mu = _between(np.linspace(0.0, 1.0, self.mu_bins + 1), mu)
        across = s * np.sqrt(1.0 - mu**2)
        angle = 2.0 * np.pi * uniform[2]
        return np.stack([across * np.cos(angle), across * np.sin(angle), s * mu * sign], axis=2)


@dataclass(frozen=True)
class Cylinders:
    """Bins of distance across the line of sight of pairs closer than ``pi_max`` along it: m = 1."""

    edges: Array
    pi_max: float
    norm: ClassVar[float] = math.inf

    def count(
        self, counter: PairCounter, first: Array, second: Array | None, box_size: float | None
    ) -> Array:
        """See `Separations.count`."""
        return _pairs(counter.projected, first, second, self.edges, self.pi_max, box_size)[:, None]

    @property
    def reach(self) -> tuple[float, float]:
        """See `Separations`."""
        return float(self.edges[-1]), float(self.pi_max)

    def index(self, apart: Array) -> Array:
        """See `Separations.index`."""
        row = _bin(np.hypot(apart[:, 0], apart[:, 1]), self.edges)
        row[apart[:, 2] >= self.pi_max] = -1
        return row

    def volumes(self) -> Array:
        """See `Separations.volumes`."""
        return 2.0 * np.pi * self.pi_max * np.diff(self.edges**2)[:, None]

    def places(self, uniform: Array) -> Array:
        """See `Separations.places`."""
        across = np.sqrt(_between(self.edges**2, uniform[0]))[:, None]
        angle = 2.0 * np.pi * uniform[2]
        along = np.broadcast_to(self.pi_max * (2.0 * uniform[1] - 1.0), across.shape)
        return np.stack([across * np.cos(angle), across * np.sin(angle), along], axis=2)


def _bin(values: Array, edges: Array) -> Array:
    """Return the bin of each value, -1 outside; a bin has its lower edge."""
    row = np.searchsorted(edges, values, side="right") - 1
    row[row == len(edges) - 1] = -1
    return np.asarray(row)


def _pairs(
    count: Any, first: Array, second: Array | None, edges: Array, *options: Any, more: int = 0
) -> Array:
    """Return the result of ``count``, or 0 for an empty sample, which the libraries refuse."""
    if len(first) == 0 or (second is not None and len(second) == 0):
        shape = (len(edges) - 1, more) if more else len(edges) - 1
        return np.zeros(shape, dtype=np.int64)
    return np.asarray(count(first, second, edges, *options))


def count_pairs(
    bins: Separations,
    counter: PairCounter,
    samples: Sequence[tuple[Array, Array | None]],
    box_size: float | None,
    label: str,
) -> Array:
    """Return the ordered pairs in each bin for each two samples, and report progress.

    Large samples are counted in pieces that take about half a second, of at most `ROWS` first
    points and of at most `OTHERS` second points near them. Between these calls an interruption is
    handled, and the memory that the libraries need beside the points does not grow with their
    number. Counts do not depend on how the points are divided.

    Parameters
    ----------
    bins : Separations
    counter : PairCounter
    samples : sequence of (first, second)
        See `mockgal.statistics.pairs.counts.PairCounter`.
    box_size : float or None
        [Mpc/h]; None means no periodicity.
    label : str
        Name of the work in progress reports, which count the points of all first samples.

    Returns
    -------
    ndarray of int, shape (len(samples), n, m)
    """
    done, total = 0, sum(len(first) for first, _ in samples)
    counts = np.zeros((len(samples), *bins.volumes().shape), dtype=np.int64)
    reach = bins.edges[-1] * (1.0 + 1e-9)  # beyond it no pair counts, whatever the rounding
    sorted_of, along = None, np.zeros((0, 3))
    advance(done, total, label)
    for pairs, (first, second) in zip(counts, samples, strict=True):
        if not len(first):
            continue
        others = first if second is None else second
        if len(first) * len(others) <= AT_ONCE and len(first) <= ROWS:
            pairs += bins.count(counter, first, second, box_size)
            done += len(first)
            advance(done, total, label)
            continue
        if sorted_of is not others:  # many samples may share the same others
            sorted_of, along = others, _sorted(others)
        for piece in _pieces(along if second is None else _sorted(first), 1):
            for near in _near(piece, along, reach, box_size):
                pairs += bins.count(counter, piece, near, box_size)
            done += len(piece)
            advance(done, total, label)
    return counts


def _sorted(points: Array) -> Array:
    """Return the points sorted by x, with each coordinate contiguous in memory."""
    order = np.argsort(points[:, 0])
    return np.array([axis[order] for axis in points.T]).T


def _near(piece: Array, others: Array, reach: float, box_size: float | None) -> Iterator[Array]:
    """Yield all of the others within ``reach`` of the piece in x, `OTHERS` at a time.

    Both are sorted by x.
    """
    reach += 4.0 * np.spacing(np.max(np.abs(others[[0, -1], 0])))  # allow for rounding below
    low, high, shifts = piece[0, 0] - reach, piece[-1, 0] + reach, np.zeros(1)
    if box_size is not None:
        shifts = np.array([-box_size, 0.0, box_size])
        if high - low > 0.9 * box_size:
            low, high = 0.0, box_size
    ends = np.searchsorted(others[:, 0], np.stack([low + shifts, high + shifts], axis=1))
    for start, stop in ends:
        for begin in range(start, stop, OTHERS):
            yield others[begin : min(begin + OTHERS, stop)]


def _pieces(points: Array, rows: int) -> Iterator[Array]:
    """Yield parts of the points that each take about `SECONDS`, however many others are near.

    The calls for a part also have a fixed cost, that of the others. The first part, of only
    ``rows`` points, measures it.
    """
    start, fixed = 0, math.inf
    while start < len(points):
        began = perf_counter()
        yield points[start : start + rows]
        took = perf_counter() - began
        start, fixed = start + rows, min(fixed, took)
        growth = (SECONDS + fixed) / max(took - fixed, 1e-9)
        rows = int(np.clip(rows * np.clip(growth, 0.125, 8.0), 1, ROWS))


def _between(edges: Array, uniform: Array) -> Array:
    """Return values between each two neighbouring edges, shape (n, q)."""
    return np.asarray(edges[:-1, None] + np.diff(edges)[:, None] * uniform)


def _both_signs(uniform: Array) -> tuple[Array, Array]:
    """Return numbers in [0, 1), half of which have each sign, and the signs."""
    return 2.0 * uniform % 1.0, np.where(uniform < 0.5, -1.0, 1.0)


def logarithmic_edges(low: float, high: float | None, bins: int, box_size: float) -> Array:
    """Return the edges of logarithmic bins of separation, shape (bins + 1,) [Mpc/h].

    Parameters
    ----------
    low, high : float
        [Mpc/h]; if ``high`` is None see `reach`.
    bins : int
    box_size : float
        [Mpc/h]

    Raises
    ------
    UsageError
        The ends do not increase from above 0 to below a third of the box, or there is no bin.
    """
    high = reach("r_max", high, box_size, R_MAX)
    if not 0.0 < low < high:
        raise UsageError(
            "r_min",
            f"{low} Mpc/h",
            f"more than 0 and less than r_max, {high:.6g} Mpc/h",
            "choose r_min and r_max to fit the box",
        )
    check_bins("bins", bins)
    edges = np.geomspace(low, high, bins + 1)
    edges[[0, -1]] = low, high
    return edges


def reach(what: str, given: float | None, box_size: float, most: float) -> float:
    """Return the largest separation: ``given``, or a quarter of the box but at most ``most``.

    Raises
    ------
    UsageError
        ``given`` is not above 0, or is a third of the box or more.
    """
    if given is None:
        return min(box_size / 4.0, most)
    if not 0.0 < given < box_size * MOST_OF_BOX:
        raise UsageError(
            what,
            f"{given} Mpc/h in a box of {box_size:.6g} Mpc/h",
            f"more than 0 and less than a third of the box, {box_size * MOST_OF_BOX:.6g} Mpc/h",
            "ask for smaller separations, or measure a larger box",
        )
    return given


def warn_of_pi_max(pi_max: float, edges: Array) -> None:
    """Warn if pairs are counted along the line of sight over less than they are apart across it.

    Parameters
    ----------
    pi_max : float
        [Mpc/h]
    edges : ndarray of float
        Of the bins across the line of sight [Mpc/h].

    Warns
    -----
    MockgalWarning
        ``pi_max`` is below the first edge.
    """
    if pi_max < edges[0]:
        warn(
            f"pi_max, {pi_max:g} Mpc/h, is below r_min, {edges[0]:g} Mpc/h: w_p has only pairs "
            "that are further apart across the line of sight than along it; it is usually measured "
            "with a pi_max well above r_max"
        )


def check_bins(what: str, bins: int) -> None:
    """Raise if a number of bins is not sensible.

    Raises
    ------
    UsageError
        The number is not from 1 to 1000.
    """
    if not 1 <= bins <= 1000:
        raise UsageError(what, str(bins), "1 to 1000")
