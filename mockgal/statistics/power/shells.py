"""Shells of wavenumber: the waves of a grid in each shell, and sums of their powers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...system.parallel import over

Array = NDArray[Any]
SLAB = 8  # planes summed in one call: fixed, so that sums do not depend on the number of threads


@dataclass(frozen=True)
class Shells:
    """Shells of |n|, with n the wave vector in units of the fundamental; lower edges included.

    All waves of a shell are below the Nyquist wavenumber, n < N / 2, so that its waves come in
    pairs k, -k, and one of each pair is independent. The wave n = 0 is in no shell.

    Parameters
    ----------
    grid_size : int
        N.
    width : int
        w: shells from i w to (i + 1) w for i = 1, 2, ...
    given_edges : tuple of float
        Edges to use instead, which increase up to N / 2 at most.
    """

    grid_size: int
    width: int = 1
    given_edges: tuple[float, ...] = ()

    @cached_property
    def edges(self) -> Array:
        """Edges of the shells, shape (number + 1,)."""
        if self.given_edges:
            return np.array(self.given_edges)
        last = max(1, (self.grid_size + 1) // 2 // self.width)
        return np.arange(1, last + 1) * float(self.width)

    @property
    def number(self) -> int:
        """Number of shells."""
        return len(self.edges) - 1

    @property
    def limit(self) -> int:
        """The smallest whole number that is at least the length of all waves in shells."""
        return math.ceil(float(self.edges[-1]))

    @cached_property
    def of_square(self) -> Array:
        """Shell of each n**2 below limit**2, counted from 1; 0 for no shell."""
        length = np.sqrt(np.arange(self.limit**2))  # exact if n**2 is a square
        shell = np.searchsorted(self.edges, length, side="right")
        shell[(shell > self.number) | (length == 0)] = 0
        return shell.astype(np.uint16)

    @cached_property
    def _ways(self) -> Array:
        """Number of vectors of each n**2 below limit**2."""
        bound = self.limit**2
        squares = np.arange(self.limit) ** 2
        signs = np.where(squares > 0, 2, 1)
        pairs, signs_of_pairs = squares[:, None] + squares, signs[:, None] * signs
        inside = pairs < bound
        two = np.bincount(pairs[inside], signs_of_pairs[inside], bound)
        three = np.zeros(bound)  # whole numbers, exact in double precision
        for square, sign in zip(squares, signs, strict=True):
            three[square:] += sign * two[: bound - square]
        return three

    @cached_property
    def modes(self) -> Array:
        """Number of independent waves in each shell, shape (number,)."""
        waves = np.bincount(self.of_square, self._ways, self.number + 1)[1:]
        return (waves / 2).astype(np.int64)

    @cached_property
    def mean(self) -> Array:
        """Mean length of the waves in each shell, shape (number,); NaN without waves."""
        lengths = self._ways * np.sqrt(np.arange(self.limit**2))
        total = np.bincount(self.of_square, lengths, self.number + 1)[1:]
        with np.errstate(invalid="ignore"):
            return np.asarray(total / (2 * self.modes))


def power_sums(
    first: Array, second: Array, shells: Shells, gain: Array, *, axis: int = 0, moments: int = 1
) -> Array:
    """Return the sums over each shell's independent waves of Re(first conj(second)) times gains.

    Parameters
    ----------
    first, second : ndarray of complex, shape (N, N, N // 2 + 1)
        Coefficients of real fields.
    shells : Shells
    gain : ndarray, shape (N,)
        Gain of each component, in the order of the transform.
    axis : int
        Axis that mu is the cosine of the angle to.
    moments : int
        1, or 3 to include the sums times mu**2 and mu**4.

    Returns
    -------
    ndarray, shape (moments, shells.number)
        Independent of the number of threads.
    """
    from .kernels import add_power

    add = add_power[first.dtype]

    def slab(start: int) -> Array:
        sums = np.zeros((shells.number + 1, moments))
        part = slice(start, start + SLAB)
        add(first[part], second[part], start, gain, shells.of_square, shells.limit, axis, sums)
        return sums

    return in_order(over(slab, range(0, shells.grid_size, SLAB)))


def white_mean(shells: Shells, gains: list[Array], *, axis: int = 0, moments: int = 1) -> Array:
    """Return the mean over each shell of white noise times gains, averaged over several gains.

    Parameters
    ----------
    shells : Shells
    gains : list of ndarray, shape (N,)
        Each holds the gain of every component, as in `power_sums`.
    axis, moments : int
        See `power_sums`.

    Returns
    -------
    ndarray, shape (moments, shells.number)
        NaN in shells without waves.
    """
    from .kernels import add_power

    waves = np.ones((1, shells.grid_size, shells.limit), dtype=np.complex64)
    add = add_power[waves.dtype]

    def plane(x: int) -> Array:
        sums = np.zeros((shells.number + 1, moments))
        for gain in gains:
            add(waves, waves, x, gain, shells.of_square, shells.limit, axis, sums)
        return sums if x == 0 else 2.0 * sums  # plane -x has the same sums

    total = in_order(over(plane, range(shells.limit)))
    with np.errstate(invalid="ignore"):
        return np.asarray(total / (len(gains) * shells.modes))


def in_order(sums: list[Array]) -> Array:
    """Return the sums of slabs added in order, without the row of no shell, transposed."""
    total = np.zeros_like(sums[0])
    for part in sums:
        total += part
    return np.ascontiguousarray(total[1:].T)
