"""Tiles of fields on a periodic grid, one after another, each with the margin that its voxels see.

The grid is read along its first axis, some planes at a time, so that it is never in memory as a
whole; planes that two tiles need are computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Planes = Callable[[int, int], Array]

_BYTES = 32 << 20  # of the planes read at a time, as float64


class Tile(NamedTuple):
    """A tile with its margin.

    ``first`` is the tile's first voxel, shape (3,). ``values`` are float32 of shape
    (channels, X, Y, Z): they begin ``reach[0]`` voxels (0 or less) from the first voxel and end
    ``reach[1]`` voxels beyond the tile's last.
    """

    first: Array
    values: Array


def tile_rows(voxel: Array, tile_size: int) -> Array:
    """Return the tile of each voxel, shape (n, 3)."""
    return np.asarray(voxel // tile_size)


def held_bytes(grid_size: int, tile_size: int, reach: tuple[int, int], channels: int) -> int:
    """Return the memory for the planes held, a tile, and the next tile or the planes read for it.

    In bytes.
    """
    side = min(tile_size, grid_size) + reach[1] - reach[0]
    planes, tile = min(side, grid_size), channels * 4 * side**3
    read = 3 * max(_BYTES, 8 * grid_size**2)
    return channels * 4 * planes * grid_size**2 + tile + max(tile, read)


def tiles(
    channels: Sequence[Planes],
    *,
    grid_size: int,
    tile_size: int,
    reach: tuple[int, int],
    occupied: Array,
) -> Iterator[Tile]:
    """Yield tiles in the order of their indices.

    Parameters
    ----------
    channels : sequence of callable
        ``channel(start, stop)`` returns planes of the first axis, shape (stop - start, N, N), for
        0 <= start < stop <= N.
    grid_size : int
        N.
    tile_size : int
        Voxels along each side of a tile; the last tile along an axis may have fewer.
    reach : tuple of int
        The first and the last voxel that a voxel of a tile sees, relative to itself.
    occupied : ndarray of int, shape (m, 3)
        Tiles to yield, each once, in the order of their indices; planes that none of them needs are
        not read.

    Yields
    ------
    Tile
    """
    held = _Held(channels, grid_size)
    for index in occupied:
        first = index * tile_size
        last = np.minimum(first + tile_size, grid_size) - 1
        spans = [
            np.arange(low + reach[0], high + reach[1] + 1)
            for low, high in zip(first.tolist(), last.tolist(), strict=True)
        ]
        held.hold(int(spans[0][0]), int(spans[0][-1]) + 1)
        every = np.arange(len(channels))
        rows = held.rows(spans[0])
        yield Tile(first, held.values[np.ix_(every, rows, *(s % grid_size for s in spans[1:]))])


class _Held:
    """Planes of the channels with their periodic neighbours, as float32."""

    def __init__(self, channels: Sequence[Planes], grid_size: int) -> None:
        self._channels, self._size = channels, grid_size
        self._step = max(1, _BYTES // (8 * grid_size**2))
        self._start = self._stop = 0
        self.values = np.empty((len(channels), 0, grid_size, grid_size), dtype=np.float32)

    def rows(self, planes: Array) -> Array:
        """Return the rows of ``values`` that hold the planes."""
        whole = self._stop - self._start == self._size
        return np.asarray(planes % self._size if whole else planes - self._start)

    def hold(self, start: int, stop: int) -> None:
        """Hold planes ``start`` to ``stop``; the whole grid if they are at least N."""
        if stop - start >= self._size:
            start, stop = 0, self._size
        if start == self._start and stop == self._stop:
            return
        kept = max(0, self._stop - start) if self._start <= start <= self._stop else 0
        if stop - start > self.values.shape[1]:  # the first call: only the last tile is smaller
            kept = 0
            self.values = np.empty((len(self._channels), stop - start, *2 * (self._size,)), "f4")
        for plane in range(kept):
            self.values[:, plane] = self.values[:, start - self._start + plane]
        self._start, self._stop = start, stop
        for first in range(start + kept, stop, self._step):
            self._read(first, min(first + self._step, stop))

    def _read(self, start: int, stop: int) -> None:
        while start < stop:
            inside = start % self._size
            number = min(stop - start, self._size - inside)
            for channel, planes in enumerate(self._channels):
                row = start - self._start
                self.values[channel, row : row + number] = planes(inside, inside + number)
            start += number
