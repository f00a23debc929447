"""The order of a catalogue's rows, the digests of its columns, and those of whole files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import Column

# What tells the galaxies of a catalogue apart, in the order in which rows are sorted.
IDENTITY = ("halo_id", "galaxy_id", "copy")
_BLOCK = 1 << 17  # rows processed at a time


def sorting_order(
    columns: Mapping[str, NDArray[Any]], sort_by: Sequence[str]
) -> NDArray[np.intp] | None:
    """Return the rows in the order of ``sort_by``; None if they are in that order already.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
    sort_by : sequence of str
        Names of columns, most significant first.

    Returns
    -------
    ndarray of int, shape (n,), or None
    """
    keys = [columns[name] for name in sort_by]
    for start in range(0, len(keys[0]) - 1, _BLOCK):
        after = np.zeros(1, dtype=bool)  # rows that sort after the next row, by the keys so far
        for key in reversed(keys):
            this, following = key[start : start + _BLOCK], key[start + 1 : start + _BLOCK + 1]
            this = this[: len(following)]
            after = (this > following) | ((this == following) & after)
        if np.any(after):
            return np.lexsort(keys[::-1])
    return None


class StoredDigests:
    """A digest of each column as a file stores it, computed while its rows are written or read.

    The content digest hashes the numbers in memory, which an h-free file does not reproduce to the
    last bit; these digests hash the very numbers in the file, in any format.

    Parameters
    ----------
    columns : iterable of Column
    """

    def __init__(self, columns: Iterable[Column]) -> None:
        self._types = {column.name: column.dtype for column in columns}
        self._digests = {name: hashlib.blake2b(digest_size=16) for name in self._types}

    def add(self, name: str, values: NDArray[Any]) -> None:
        """Add the next rows of a column, shape (n,), in any byte order."""
        part = np.ascontiguousarray(values, dtype=self._types[name])
        self._digests[name].update(part.data)

    def hexadecimal(self) -> dict[str, str]:
        """Return 32 hexadecimal digits for each column."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}


def identity(columns: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """Return the columns of a catalogue that tell its galaxies apart: those of `IDENTITY`."""
    return tuple(name for name in IDENTITY if name in columns)


def content_digest(
    columns: Mapping[str, NDArray[Any]],
    declared: Mapping[str, Column],
    sort_by: Iterable[str],
    facts: str = "",
) -> str:
    """Return the BLAKE2b-256 of the columns with rows sorted by id, whatever their order or chunks.

    Rows are sorted block by block: no column is copied whole.

    Parameters
    ----------
    columns : mapping of str to ndarray
        Columns of equal length.
    declared : mapping of str to Column
        Their definitions; numbers are hashed in the declared little-endian type.
    sort_by : iterable of str
        Integer columns that order the rows, most significant first.
    facts : str
        Other facts that identify the content (box, redshift, units), hashed first.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    order = sorting_order(columns, list(sort_by))

    def blocks(name: str) -> Iterator[NDArray[Any]]:
        values = columns[name]
        for start in range(0, len(values), _BLOCK):
            yield values[slice(start, start + _BLOCK) if order is None else order[start:][:_BLOCK]]

    shapes = {name: values.shape for name, values in columns.items()}
    return digest_of_blocks(shapes, declared, blocks, facts)


def digest_of_blocks(
    shapes: Mapping[str, tuple[int, ...]],
    declared: Mapping[str, Column],
    blocks: Callable[[str], Iterable[NDArray[Any]]],
    facts: str = "",
) -> str:
    """Return the `content_digest` of columns that are read one after another.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
    declared : mapping of str to Column
    blocks : callable
        Returns the rows of a column, sorted, in blocks of any sizes.
    facts : str
    """
    digest = hashlib.blake2b(facts.encode(), digest_size=32)
    for name in sorted(shapes):
        dtype = declared[name].dtype
        digest.update(f"\0{name}\0{dtype}\0{tuple(shapes[name])}\0".encode())
        for rows in blocks(name):
            digest.update(np.ascontiguousarray(rows, dtype=dtype).data)
    return digest.hexdigest()


class Fingerprint(NamedTuple):
    """What tells whether files are as they were.

    Parameters
    ----------
    files : int
        Their number.
    bytes : int
        Their size.
    sha256 : str
        Of one file, as ``sha256sum`` prints it; of several, of the sorted lines that it prints for
        those whose digest is known; "" if none is.
    """

    files: int
    bytes: int
    sha256: str

    @classmethod
    def of(cls, files: Iterable[tuple[str, int, str]]) -> Fingerprint:
        """Return that of several files: of each the name, the size in bytes and the SHA-256."""
        every = list(files)
        size = sum(size for _, size, _ in every)
        lines = sorted(f"{sha256}  {name}\n" for name, _, sha256 in every if sha256)
        if len(every) == 1 or not lines:
            return cls(len(every), size, every[0][2] if every else "")
        return cls(len(every), size, hashlib.sha256(os.fsencode("".join(lines))).hexdigest())


def fingerprint(path: Path) -> Fingerprint:
    """Return the fingerprint of a file, or of all files in a folder.

    Raises
    ------
    OSError
    """
    if not path.is_dir():
        status = os.stat(path)
        sha256 = _sha256(os.path.abspath(path), status.st_size, status.st_mtime_ns)
        return Fingerprint(1, status.st_size, sha256)
    files = sorted(one for one in path.rglob("*") if one.is_file())
    parts = ((one, fingerprint(one)) for one in files)
    return Fingerprint.of(
        (one.relative_to(path).as_posix(), part.bytes, part.sha256) for one, part in parts
    )


@lru_cache(maxsize=1024)  # the mocks of an ensemble share their inputs
def _sha256(path: str, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
