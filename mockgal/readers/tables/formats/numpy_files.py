"""Tables of NumPy: the arrays of an npz archive that have the same length, or one array of records.

Nothing is unpickled.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ....errors import CorruptFileError, MockgalError, UnsafeInputError
from ....types import Array
from ..table import MOST_COLUMNS, Field, Pieces, Table, check_size

MAGIC, ARRAY = b"PK\x03\x04", b"\x93NUMPY"

_LONGEST_HEADER = 10_000  # characters
_AGAIN = "copy the file again, or write it again with numpy.savez or numpy.save"


class _Array(NamedTuple):
    member: str
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


def tables(path: Path) -> list[Table]:
    """Return the table of an archive; none if it holds no arrays.

    Raises
    ------
    CorruptFileError
        The archive is cut off or damaged.
    UnsafeInputError
        It has arrays of Python objects.
    """
    arrays: dict[str, _Array] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist()[:MOST_COLUMNS]:
                if not info.filename.endswith(".npy"):
                    continue
                where = f"{path}:{info.filename}"
                with archive.open(info) as member:
                    array = _header(where, info.filename, info.file_size, member)
                arrays[info.filename.removesuffix(".npy")] = array
    except MockgalError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds
        raise _damaged(path, error) from error
    lengths = [array.shape[0] for array in arrays.values() if array.shape]
    rows = max(set(lengths), key=lengths.count, default=0)
    arrays = {
        name: array
        for name, array in arrays.items()
        if array.shape and array.shape[0] == rows and len(array.shape) < 3
    }
    if not arrays:
        return []
    fields = {
        name: Field(
            array.dtype.kind if array.dtype.kind in "iufb" else "O",
            array.shape[1] if len(array.shape) == 2 else 1,
            bytes=array.dtype.itemsize,
        )
        for name, array in arrays.items()
    }

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        each = sum(8 * fields[name].width for name in wanted)
        check_size(str(path), rows * each, path.stat().st_size)
        yield from _pieces(path, {name: arrays[name] for name in wanted}, rows, chunk_rows)

    return [Table(str(path), fields, rows, read, files=(path,))]


def array(path: Path) -> list[Table]:
    """Return the table of an array whose rows have names for their numbers; none for any other.

    Raises
    ------
    CorruptFileError
        The file is cut off, longer than its header states, or damaged.
    UnsafeInputError
        It holds Python objects.
    """
    size = path.stat().st_size
    try:
        with open(path, "rb") as file:
            head = _header(str(path), path.name, size, file)
            begin = file.tell()
    except MockgalError:
        raise
    except Exception as error:  # NumPy raises many kinds
        raise _damaged(path, error, "array") from error
    shape, record = head.shape, head.dtype
    if not record.names or len(shape) != 1 or not record.itemsize:
        return []
    fields = {name: _field(record[name]) for name in record.names}

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        each = sum(8 * fields[name].width for name in wanted)
        check_size(str(path), shape[0] * each, size)
        with open(path, "rb") as file:
            file.seek(begin)
            while len(rows := np.fromfile(file, record, chunk_rows)):
                yield {name: rows[name] for name in wanted}

    return [Table(str(path), fields, shape[0], read, files=(path,))]


def _field(kind: np.dtype[Any]) -> Field:
    base, shape = kind.subdtype or (kind, ())
    plain = base.kind in "iufb" and len(shape) < 2 and 0 not in shape
    return Field(base.kind if plain else "O", shape[0] if shape else 1, bytes=base.itemsize)


def _damaged(where: object, error: Exception, what: str = "archive") -> CorruptFileError:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    return CorruptFileError(where, f"a damaged {what} ({text})", f"a whole {what} of NumPy", _AGAIN)


def _header(where: str, name: str, held: int, member: IO[bytes]) -> _Array:
    """Return what the header of an array states, which must fit the size of its file."""
    from numpy.lib import format as npy

    version = npy.read_magic(member)
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"version {version} of npy")
    shape, fortran, dtype = read[version](member, max_header_size=_LONGEST_HEADER)
    if dtype.hasobject:
        raise UnsafeInputError(
            where,
            "an array of Python objects",
            "an array of numbers",
            "write the array with a type of numbers",
        )
    size = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
    if member.tell() + size != held:
        raise CorruptFileError(
            where,
            f"{held} bytes",
            f"{member.tell() + size}, as its header states",
            _AGAIN,
        )
    return _Array(name, tuple(int(n) for n in shape), bool(fortran), dtype)


def _pieces(
    path: Path, arrays: Mapping[str, _Array], rows: int, chunk_rows: int
) -> Iterator[dict[str, Array]]:
    """Yield rows of all arrays; each member is read once, from its beginning to its end."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.open(array.member) for name, array in arrays.items()}
            readers = {name: _Reader(members[name], array) for name, array in arrays.items()}
            for start in range(0, rows, chunk_rows):
                count = min(chunk_rows, rows - start)
                yield {name: reader.rows(start, count) for name, reader in readers.items()}
            for name, member in members.items():
                if member.read(1):  # at the end its checksum is compared
                    raise ValueError(f"bytes after the array {name}")
    except MockgalError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds
        raise _damaged(path, error) from error


class _Reader:
    """The rows of an array in an archive."""

    def __init__(self, member: IO[bytes], array: _Array) -> None:
        from numpy.lib import format as npy

        version = npy.read_magic(member)
        if version == (1, 0):
            npy.read_array_header_1_0(member, max_header_size=_LONGEST_HEADER)
        else:
            npy.read_array_header_2_0(member, max_header_size=_LONGEST_HEADER)
        self._member, self._array = member, array
        self._whole: Array | None = None
        if array.fortran and len(array.shape) == 2:  # column after column: read whole
            flat = self._next(array.shape[0] * array.shape[1])
            self._whole = flat.reshape(array.shape[::-1]).T

    def rows(self, start: int, count: int) -> Array:
        """Return the next rows."""
        if self._whole is not None:
            return self._whole[start : start + count]
        values = self._next(count * int(np.prod(self._array.shape[1:])))
        return values.reshape(count, *self._array.shape[1:])

    def _next(self, count: int) -> Array:
        values = np.empty(count, self._array.dtype)
        view, done = memoryview(values.data).cast("B"), 0
        while done < len(view):
            part = self._member.read(min(1 << 22, len(view) - done))
            if not part:
                raise EOFError("an array that ends too early")
            view[done : done + len(part)] = part
            done += len(part)
        return values
