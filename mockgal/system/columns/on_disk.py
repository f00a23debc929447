"""Columns in scratch files: read by slices, or as an array where somebody needs the whole."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from ..files.lock import output_error

Array = NDArray[Any]

BLOCK_ROWS = 1 << 20  # rows of a catalogue that are looked at together


class OnDisk(NDArrayOperatorsMixin):
    """A column of n rows in a file that has no name, and ends with the last column that uses it.

    A slice is read from the file. Anything else is done with the whole column, which is read for
    that moment.

    Parameters
    ----------
    folder : Path
        Where the file lies.
    dtype : dtype
    shape : tuple of int, optional
        Of a row.
    """

    def __init__(self, folder: Path, dtype: Any, shape: tuple[int, ...] = ()) -> None:
        self.folder, self.dtype = folder, np.dtype(dtype)
        self._row_shape, self._rows = tuple(shape), 0
        try:
            self._file, path = tempfile.mkstemp(dir=folder)
            os.unlink(path)
        except OSError as error:
            raise output_error(folder, error) from error
        weakref.finalize(self, os.close, self._file)

    def append(self, rows: Array) -> None:
        """Add rows at the end.

        Raises
        ------
        OutputError, ResourceError
            They cannot be written.
        """
        rows = np.ascontiguousarray(rows, dtype=self.dtype)
        left = rows.view(np.uint8).reshape(-1).data
        try:
            while len(left):
                left = left[os.write(self._file, left[: 1 << 30]) :]
        except OSError as error:
            raise output_error(self.folder, error) from error
        self._rows += len(rows)

    def __len__(self) -> int:
        return self._rows

    def has(self, dtype: Any, shape: tuple[int, ...]) -> bool:
        """Return whether its rows have this type and shape."""
        return (self.dtype, self._row_shape) == (np.dtype(dtype), tuple(shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the column."""
        return (self._rows, *self._row_shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return int(self.size * self.dtype.itemsize)

    def __getitem__(self, rows: Any) -> Array:
        if isinstance(rows, slice) and rows.step in (None, 1):
            start, stop, _ = rows.indices(self._rows)
            return self._read(start, max(start, stop))
        whole: Array = np.asarray(self)[rows]
        return whole

    def _read(self, start: int, stop: int) -> Array:
        width = prod(self._row_shape) * self.dtype.itemsize
        values = np.empty((stop - start, *self._row_shape), self.dtype)
        view, at = values.view(np.uint8).reshape(-1).data, start * width
        while len(view):
            try:
                done = os.preadv(self._file, [view[: 1 << 30]], at)
            except OSError as error:
                raise output_error(self.folder, error, "what was just written") from error
            if not done:
                raise output_error(self.folder, OSError("a scratch file is cut short"))
            view, at = view[done:], at + done
        return values

    def taken(self, rows: Array) -> OnDisk:
        """Return some rows, in increasing order, as a column on disk."""
        chosen = OnDisk(self.folder, self.dtype, self._row_shape)
        for start in range(0, self._rows, BLOCK_ROWS):
            first, last = np.searchsorted(rows, [start, start + BLOCK_ROWS])
            if last > first:
                chosen.append(self[start : start + BLOCK_ROWS][rows[first:last] - start])
        return chosen

    def min(self) -> Any:
        """Return the least value."""
        return min(block.min() for (block,) in blocks_of({"": self}, ""))

    def max(self) -> Any:
        """Return the largest value."""
        return max(block.max() for (block,) in blocks_of({"": self}, ""))

    def sum(self) -> Any:
        """Return the sum of whole numbers, or the number of values that are true."""
        return sum(int(block.sum()) for (block,) in blocks_of({"": self}, ""))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self._read(0, self._rows), dtype=dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        arrays = (np.asarray(x) if isinstance(x, OnDisk) else x for x in inputs)
        return getattr(ufunc, method)(*arrays, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)  # any, astype, ...


def blocks_of(columns: Mapping[str, Any], *names: str) -> Iterator[tuple[Array, ...]]:
    """Yield columns by blocks of `BLOCK_ROWS` rows, of which the boundaries are always the same.

    There is one block, without rows, of columns without rows.

    Parameters
    ----------
    columns : mapping of str to ndarray or OnDisk
    *names : str
    """
    rows = len(columns[names[0]])
    for start in range(0, max(rows, 1), BLOCK_ROWS):
        yield tuple(columns[name][start : start + BLOCK_ROWS] for name in names)


def taken_of(values: Any, rows: Array) -> Any:
    """Return some rows of a column: as an array, or on disk if they are in order there."""
    increasing = isinstance(rows, np.ndarray) and rows.dtype.kind == "i"
    if isinstance(values, OnDisk) and increasing and bool((rows[1:] > rows[:-1]).all()):
        return values.taken(rows)
    return values[rows]
