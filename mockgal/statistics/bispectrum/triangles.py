"""Closed triangles of waves with sides in three shells: sums over them, and their exact number.

A shell holds the waves with low <= abs(n) < high; n = k / k_F has integer components.
The sum over all closed triangles

    S = sum of a(n1) b(n2) c(n3),   n1 in shell 1, n2 in shell 2, n3 in shell 3, n1 + n2 + n3 = 0,

is the mean over a grid of the product of three fields, each made of the waves of one shell
(Scoccimarro 2000, ApJ 544, 597; 2015, arXiv:1506.02729). So it is the sum over shell 3 of c times
the conjugate waves of the product of the first two. That product is the same for all third shells,
so three transforms suffice. It is exact on a grid with more points along each side than the sum of
the longest sides; the transform of the field itself may be on any grid.
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ...errors import InternalError
from ...fields.waves.modes import along_first, components, product_waves
from ...system.parallel import over, threads
from ..power.shells import SLAB, in_order

Array = NDArray[Any]
Range = tuple[int, int]  # of abs(n)**2: the first, and the one after the last

_ROUNDING = 0.1  # largest allowed deviation of counts from whole numbers


class Triangles:
    """Triangles of two fixed shells with each of several third shells.

    Sums are kept in bins of abs(n)**2 between all edges of all shells: the sum over any shell, or
    over the overlap of two shells, is a sum over bins.

    Parameters
    ----------
    low, high : ndarray, shape (2 + m,)
        Edges of shell 1, of shell 2 and of m third shells, in units of the fundamental. The wave
        n = 0 is in no shell.
    """

    def __init__(self, low: Array, high: Array) -> None:
        lengths = np.sqrt(np.arange(math.ceil(float(np.max(high))) ** 2 + 1))
        starts = np.maximum(np.searchsorted(lengths, low), 1)
        stops = np.maximum(np.searchsorted(lengths, high), starts)
        self.shells: list[Range] = list(zip(starts.tolist(), stops.tolist(), strict=True))
        self.first, self.second, *self.thirds = self.shells
        self._edges = np.unique([starts, stops])
        reach = [math.isqrt(stop - 1) for _, stop in self.shells]
        self.limit = 1 + max(reach)
        self.grid_size = grid_size_above(reach[0] + reach[1] + max(reach[2:]))
        bins = np.searchsorted(self._edges, np.arange(self.limit**2), side="right")
        bins[self._edges[-1] :] = 0
        self._bin = bins.astype(np.uint16)  # from 1 on
        self._pairs_known: dict[tuple[Range, Range], Array] = {}

    def in_shell(self, bins: Array, shell: Range) -> Any:
        """Return the sum over a shell of sums in bins, which have shape (..., bins)."""
        first, last = np.searchsorted(self._edges, shell)
        return bins[..., first:last].sum(axis=-1)

    def in_shells(self, bins: Array) -> Array:
        """Return `in_shell` of every shell, shape (..., 2 + m)."""
        return np.stack([self.in_shell(bins, shell) for shell in self.shells], axis=-1)

    def in_third_shells(self, bins: Array) -> Array:
        """Return `in_shell` of every third shell, shape (..., m)."""
        return self.in_shells(bins)[..., 2:]

    def powers(self, first: Array, second: Array) -> Array:
        """Return the sums over all waves of each bin of Re(first conj(second)), shape (bins,).

        Parameters
        ----------
        first, second : ndarray of complex128, shape (2 limit - 1, 2 limit - 1, limit)
        """
        from ..power.kernels import add_power

        size, add = len(first), add_power[first.dtype]
        gain = np.ones(size)

        def slab(start: int) -> Array:
            sums = np.zeros((len(self._edges), 1))
            part = slice(start, start + SLAB)
            add(first[part], second[part], start, gain, self._bin, self.limit, 0, sums)
            return sums

        return np.asarray(2.0 * in_order(over(slab, range(0, size, SLAB)))[0])

    def side(self, waves: Array, shell: Range) -> Array:
        """Return the waves in a shell, as `product` takes them."""
        limit = math.isqrt(shell[1] - 1) + 1
        kept = components(limit)
        square = kept[:, None, None] ** 2 + kept[:, None] ** 2 + kept[:limit] ** 2
        inside = (square >= shell[0]) & (square < shell[1])
        return along_first(waves[np.ix_(kept, kept, kept[:limit])] * inside, self.grid_size)

    def product(self, first: Array, second: Array) -> Array:
        """Return the waves of the product of two fields, each from `side`."""
        return product_waves(first, second, self.limit)

    @cached_property
    def waves(self) -> Array:
        """Number of waves in each shell, shape (2 + m,); a wave and its opposite count as two."""
        return self.in_shells(self._binned(np.ones((self.limit,) * 3)))

    @cached_property
    def number(self) -> Array:
        """Number of triangles with each third shell, shape (m,).

        Counts ordered (n1, n2, n3), so that a triangle and its opposite are two.
        """
        return np.array([self._count(self.first, self.second, third) for third in self.thirds])

    @cached_property
    def pairings(self) -> Array:
        """Ways to pair the sides of a triangle with those of triangles of the same shells.

        Shape (m,), averaged over the triangles: 1 for shells without common waves, 2 if two shells
        are the same, 6 if all are, and in between for overlapping shells. 0 without triangles.
        """
        result = np.zeros(len(self.number))
        for j, third in enumerate(self.thirds):
            sides = (self.first, self.second, third)
            for order in permutations(sides):
                a, b, c = map(_both, sides, order)
                result[j] += self._count(a, b, c)
        return result / np.maximum(self.number, 1)

    def _count(self, first: Range, second: Range, third: Range) -> int:
        if any(start >= stop for start, stop in (first, second, third)):
            return 0
        if (first, second) not in self._pairs_known:
            self._pairs_known[first, second] = self._pairs(first, second)
        return int(self.in_shell(self._pairs_known[first, second], third))

    def _pairs(self, first: Range, second: Range) -> Array:
        """Return the number of pairs n1, n2 of two shells with n1 + n2 in each bin, shape (bins,).

        Both shells are even along each axis, and so is their convolution: cosine transforms of one
        octant suffice.
        """
        square = _squares(self.grid_size // 2 + 1)
        inside = [((square >= a) & (square < b)).astype(np.float64) for a, b in (first, second)]
        fields = [fft.dctn(shell, type=1, workers=threads(), overwrite_x=True) for shell in inside]
        fields[0] *= fields[1]
        pairs = fft.dctn(fields[0], type=1, workers=threads(), overwrite_x=True)
        pairs /= self.grid_size**3
        pairs = pairs[: self.limit, : self.limit, : self.limit]
        counts = np.rint(pairs)
        if np.max(np.abs(pairs - counts)) > _ROUNDING:
            raise InternalError("bispectrum", "numbers of triangles that are not whole numbers")
        return self._binned(counts)

    def _binned(self, counts: Array) -> Array:
        """Return the sums over all waves of whole numbers for one octant, shape (bins,)."""
        square, sign = _squares(self.limit), np.where(np.arange(self.limit) > 0, 2.0, 1.0)
        counts = counts * (sign[:, None, None] * sign[:, None] * sign)  # of each change of sign
        near = square < len(self._bin)
        bins = np.bincount(self._bin[square[near]], counts[near], len(self._edges))
        return np.rint(bins[1:]).astype(np.int64)


def grid_size_above(number: int) -> int:
    """Return the smallest even grid size above ``number`` that is fast to transform."""
    size = int(fft.next_fast_len(number + 1, real=True))
    while size % 2:
        size = int(fft.next_fast_len(size + 1, real=True))
    return size


def _squares(number: int) -> Array:
    """Return abs(n)**2 for components from 0 to ``number`` - 1, shape (number, number, number)."""
    square = np.arange(number, dtype=np.int32) ** 2
    return np.asarray(square[:, None, None] + square[:, None] + square)


def _both(one: Range, other: Range) -> Range:
    return max(one[0], other[0]), min(one[1], other[1])
