"""Read the values of a dataset directly from their places in the file.

HDF5 reports the places, which are checked against the file's size. The values are then read without
HDF5, which would trust what damaged files declare.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .unpack import Damaged, unpack

Array = NDArray[Any]

_BLOCK = 1 << 17  # bytes read at a time where they must be converted
_KEPT = 1 << 30  # bytes of unpacked chunks kept for the next rows, at most


class Chunks(NamedTuple):
    """Stored chunks in grid order: first byte, size in bytes, and skipped filters as bits."""

    shape: tuple[int, ...]
    filters: tuple[int, ...]
    start: NDArray[np.int64]
    size: NDArray[np.int64]
    skipped: NDArray[np.int64]


class Places:
    """Places of a dataset's values: contiguous from byte ``start`` on, or in ``chunks``."""

    def __init__(
        self,
        kind: np.dtype[Any],
        shape: tuple[int, ...],
        start: int = 0,
        chunks: Chunks | None = None,
    ) -> None:
        self.kind, self.shape, self.start, self.chunks = kind, shape, start, chunks
        self._kept: dict[int, Array] = {}  # unpacked chunks, by number

    def read(self, descriptor: int, start: int, stop: int, out: Array) -> None:
        """Read rows ``start`` to ``stop``.

        Parameters
        ----------
        descriptor : int
            Descriptor of the open file.
        start, stop : int
        out : ndarray, shape (stop - start, ...)
            Receives the rows; for records, the fields that it has.

        Raises
        ------
        Damaged
            The rows are not what was written; the text names the chunk.
        OSError
            The disk fails.
        """
        if not out.size:
            return
        if self.chunks is not None:
            self._read_chunks(descriptor, self.chunks, start, stop, out)
            return
        width = prod(self.shape[1:]) * self.kind.itemsize
        first = self.start + start * width
        if out.dtype == self.kind and out.flags.c_contiguous:
            _fill(descriptor, out, first)
            return
        step = max(1, _BLOCK // width)
        for begin in range(0, len(out), step):
            piece = np.empty((min(step, len(out) - begin), *self.shape[1:]), self.kind)
            _fill(descriptor, piece, first + begin * width)
            put(out[begin : begin + len(piece)], piece)

    def _read_chunks(
        self, descriptor: int, chunks: Chunks, start: int, stop: int, out: Array
    ) -> None:
        tall = chunks.shape[0]
        across = [-(-n // c) for n, c in zip(self.shape[1:], chunks.shape[1:], strict=True)]
        kept: dict[int, Array] = {}
        for row in range(start // tall, -(-stop // tall)):
            low, high = max(start, row * tall), min(stop, (row + 1) * tall)
            # The next rows are in the rest of these chunks.
            keep = high == stop and stop % tall != 0 and stop < self.shape[0]
            for column, place in enumerate(product(*map(range, across))):
                number = row * prod(across) + column
                values = self._kept.get(number)
                if values is None:
                    values = self._chunk(descriptor, chunks, number, (row, *place))
                if keep and (len(kept) + 1) * values.nbytes <= _KEPT:
                    kept[number] = values
                beside = [
                    slice(i * c, min((i + 1) * c, n))
                    for i, n, c in zip(place, self.shape[1:], chunks.shape[1:], strict=True)
                ]
                here = [slice(0, part.stop - part.start) for part in beside]
                put(
                    out[(slice(low - start, high - start), *beside)],
                    values[(slice(low - row * tall, high - row * tall), *here)],
                )
        self._kept = kept

    def _chunk(self, descriptor: int, chunks: Chunks, number: int, place: tuple[int, ...]) -> Array:
        stored = np.empty(int(chunks.size[number]), np.uint8)
        size = prod(chunks.shape) * self.kind.itemsize
        try:
            _fill(descriptor, stored, int(chunks.start[number]))
            values = unpack(
                stored, chunks.filters, int(chunks.skipped[number]), self.kind.itemsize, size
            )
            result = values.view(self.kind).reshape(chunks.shape)
            _check_truths(result)
        except Damaged as error:
            row = place[0] * chunks.shape[0]
            raise Damaged(f"{error}, in chunk {place}, from row {row} on") from error
        return result


def _fill(descriptor: int, values: Array, start: int) -> None:
    """Read bytes from ``start`` on into contiguous ``values``."""
    view = values.reshape(-1).view(np.uint8).data
    while view:
        count = os.preadv(descriptor, [view], start)
        if not count:
            raise Damaged(f"the end of the file {len(view)} bytes too early")
        view, start = view[count:], start + count
    _check_truths(values)


def put(out: Array, values: Array) -> None:
    """Copy ``values``; for records, the fields that ``out`` has."""
    if out.dtype.names is None:
        out[...] = values
    else:
        for name in out.dtype.names:
            out[name] = values[name]


def _truths(values: Array) -> Iterator[Array]:
    """Yield the boolean columns of ``values``."""
    for name in values.dtype.names or ():
        yield from _truths(values[name])
    if values.dtype.kind == "b":
        yield values


def _check_truths(values: Array) -> None:
    """Raise if booleans are bytes other than 0 and 1, which NumPy does not expect."""
    for column in _truths(values):
        if column.size and column.view(np.uint8).max() > 1:
            raise Damaged("bytes that are neither true nor false")
