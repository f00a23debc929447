"""Numbers in plain binary files, read some rows at a time after their sizes were checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptFileError, InputError
from .hdf5 import safe

Array = NDArray[Any]


class Rows(NamedTuple):
    """A column of numbers that is read some rows at a time.

    Parameters
    ----------
    where : str
        Its place, for messages.
    number : int
        How many rows there are.
    stored : dtype
        Type of the numbers in the file.
    read : callable
        ``read(start, stop)`` returns rows, shape (stop - start, ...).
    """

    where: str
    number: int
    stored: np.dtype[Any]
    read: Callable[[int, int], Array]


def of_dataset(data: h5py.Dataset) -> Rows:
    """Return the rows of a dataset from `mockgal.readers.hdf5.safe.dataset`."""
    where = f"{data.file.filename}:{data.name}"
    return Rows(where, len(data), data.dtype, lambda start, stop: safe.read_rows(data, start, stop))


def of_file(
    path: Path, name: str, offset: int, count: int, dtype: np.dtype[Any], members: int = 1
) -> Rows:
    """Return rows of a binary file, whose size is known to be large enough.

    Parameters
    ----------
    path : Path
    name : str
        Name of the column, for messages.
    offset : int
        Bytes before the first row.
    count : int
    dtype : dtype
    members : int
        Numbers in a row; rows of one number have shape (n,).
    """

    def read(start: int, stop: int) -> Array:
        rows = np.empty((stop - start, members) if members > 1 else stop - start, dtype)
        try:
            with open(path, "rb") as file:
                file.seek(offset + start * members * dtype.itemsize)
                fill(path, file, rows)
        except OSError as error:
            raise unreadable(path, error) from error
        return rows

    return Rows(f"{path}:{name}", count, dtype, read)


def size_of(path: Path, what: str) -> int:
    """Return the size of an ordinary, readable file [bytes].

    Raises
    ------
    InputError
        It is none; ``what`` says what it should be.
    """
    try:
        safe.check_regular(path)
        return path.stat().st_size
    except InputError as error:
        raise InputError(path, error.found, what, error.fix) from error
    except OSError as error:
        raise unreadable(path, error) from error


def begin(path: Path, count: int) -> bytes:
    """Return the first bytes of a file.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read(count)
    except OSError as error:
        raise unreadable(path, error) from error


def fill(path: Path, file: BufferedReader, rows: Array) -> None:
    """Read the bytes of ``rows``, which are contiguous.

    Raises
    ------
    CorruptFileError
        The file has become shorter since its size was checked.
    """
    taken = file.readinto(rows.data.cast("B")) if rows.size else 0
    if taken != rows.nbytes:
        raise CorruptFileError(
            path,
            f"{os.fstat(file.fileno()).st_size} bytes, fewer than a moment ago",
            "a file that no program is writing",
            "wait until the program that writes it has ended",
        )


def unreadable(path: Path, error: OSError) -> InputError:
    """Return the error for a file that the system cannot read."""
    return InputError(path, f"a read error ({error.strerror})", "a readable file", "check the disk")
