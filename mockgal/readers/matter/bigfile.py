"""Blocks of a BigFile, the format of MP-Gadget, FastPM and nbodykit.

A block is a folder with a text ``header`` (type, numbers in a row, rows in each file), the binary
files ``000000``, ``000001``, ..., and a text ``attr-v2`` of attributes: name, type, number of
values, the values in hexadecimal, and a comment. Format: rainwoodman/bigfile, src/bigfile.c.
"""

from __future__ import annotations

import re
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import CorruptFileError, HeaderError, MissingDatasetError, listed, shown
from ...system import scalars
from .. import raw
from ..hdf5.stored import COPY_AGAIN

Array = NDArray[Any]

HEADER, ATTRIBUTES = "header", "attr-v2"
_MOST_TEXT = 1 << 24  # bytes of a header or of attributes; FastPM keeps its parameter file there
_MOST_FILES = 1 << 20
_TYPE = re.compile(r"[<>=|]?(?:[iuf][1248]|c8|c16|b1|[SaU]\d+)")
_SIZE = re.compile(r"\s*(\d{1,18})\s*(?::.*)?")  # of a file: rows, then checksums


class Block(NamedTuple):
    """A block whose header was compared with the sizes of its files.

    ``counts`` is the number of rows in each of ``files``.
    """

    path: Path
    dtype: np.dtype[Any]
    members: int
    counts: list[int]

    @property
    def rows(self) -> int:
        """Number of rows in all files."""
        return sum(self.counts)

    @property
    def files(self) -> list[Path]:
        """The files with rows."""
        return [self.path / f"{k:06X}" for k, count in enumerate(self.counts) if count]


def is_block(path: Path) -> bool:
    """Return whether a path is a block."""
    return (path / HEADER).is_file() and (
        (path / ATTRIBUTES).is_file() or (path / "000000").exists()
    )


def open_block(path: Path) -> Block:
    """Read and check the header of a block.

    Raises
    ------
    MissingDatasetError, CorruptFileError
        There is no header; it cannot be read; or a file has another size than it declares.
    """
    lines = _text(path / HEADER).splitlines()
    stated = dict(line.split(":", 1) for line in lines if ":" in line)
    kind = stated.get("DTYPE", "").strip()
    where = f"{path / HEADER}"
    if not _TYPE.fullmatch(kind):
        raise CorruptFileError(f"{where}@DTYPE", shown(kind), "a type such as <f4", COPY_AGAIN)
    dtype = np.dtype(kind.replace("a", "S"))
    members = scalars.count(f"{where}@NMEMB", stated.get("NMEMB", ""), most=1 << 20)
    number = scalars.count(f"{where}@NFILE", stated.get("NFILE", ""), most=_MOST_FILES)
    counts = []
    for k in range(number):
        match = _SIZE.fullmatch(stated.get(f"{k:06X}", ""))
        if match is None:
            raise CorruptFileError(
                where, f"no size of file {k:06X}", f"those of {number} files", COPY_AGAIN
            )
        counts.append(int(match[1]))
    block = Block(path, dtype, members, counts)
    for file, count in zip(block.files, filter(None, counts), strict=True):
        if not file.exists():
            raise MissingDatasetError(
                file, "no such file", f"{count} rows, as {where} says", "fetch the missing file"
            )
        size, expected = raw.size_of(file, "numbers"), count * members * dtype.itemsize
        if size != expected:
            raise CorruptFileError(
                file,
                f"{size} bytes",
                f"{expected}, for {count} rows of {members} numbers of type {kind}, as {where} "
                "says",
                COPY_AGAIN,
            )
    return block


def rows_of(block: Block, members: int) -> raw.Rows:
    """Return the rows of a block of numbers, in all its files.

    Raises
    ------
    HeaderError
        The block holds no real numbers, or not so many in a row.
    """
    if block.dtype.kind not in "iuf" or block.members != members:
        raise HeaderError(
            f"{block.path / HEADER}",
            f"{block.members} numbers of type {block.dtype.str} in a row",
            f"{members} integers or floats",
            "check that this is the right block",
        )
    files = [
        raw.of_file(block.path / f"{k:06X}", "values", 0, count, block.dtype, members)
        for k, count in enumerate(block.counts)
    ]
    edges = [0, *accumulate(block.counts)]

    def read(start: int, stop: int) -> Array:
        parts = [
            file.read(max(start, first) - first, min(stop, last) - first)
            for file, first, last in zip(files, edges, edges[1:], strict=False)
            if max(start, first) < min(stop, last)
        ]
        if not parts:
            return np.empty((0, members) if members > 1 else 0, block.dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return raw.Rows(str(block.path), block.rows, block.dtype, read)


def attributes(path: Path) -> dict[str, Array | str]:
    """Return the attributes of a block, arrays of numbers and texts; none if there is no file.

    Raises
    ------
    CorruptFileError
        A line that is no attribute.
    """
    file = path / ATTRIBUTES
    found: dict[str, Array | str] = {}
    for number, line in enumerate(_text(file).splitlines() if file.exists() else (), 1):
        try:
            name, *words = line.split(maxsplit=4)
            kind, count, data = words[:3]
            dtype = np.dtype(kind.replace("a", "S")) if _TYPE.fullmatch(kind) else None
            values = np.frombuffer(bytes.fromhex(data), np.uint8)
            if dtype is None or values.size != int(count) * dtype.itemsize:
                raise ValueError
        except ValueError:
            raise CorruptFileError(
                f"{file}, line {number}",
                shown(line),
                "name, type, number of values, and these in hexadecimal",
                COPY_AGAIN,
            ) from None
        if dtype.kind in "SU":
            found[name] = values.tobytes().decode("utf-8", "replace").rstrip("\0")
        else:
            found[name] = values.view(dtype)
    return found


def number(path: Path, stated: dict[str, Array | str], *names: str) -> float | None:
    """Return the first of some attributes that is there, as a number; None if there is none.

    Raises
    ------
    HeaderError
        It is no finite number.
    """
    for name in names:
        if name in stated:
            return scalars.side(f"{path / ATTRIBUTES}@{name}", stated[name])
    return None


def unit(path: Path, stated: dict[str, Array | str], name: str) -> float | None:
    """Return an attribute that is a unit of the code in cgs; None if it is not there.

    Raises
    ------
    HeaderError
        It is no finite number above 0.
    """
    if name not in stated:
        return None
    return scalars.number(f"{path / ATTRIBUTES}@{name}", number(path, stated, name), above=0.0)


def needed(path: Path, stated: dict[str, Array | str], *names: str) -> float:
    """Return the first of some attributes, one of which must be there, as a number.

    Raises
    ------
    MissingDatasetError, HeaderError
        None is there, or it is no finite number.
    """
    value = number(path, stated, *names)
    if value is None:
        raise MissingDatasetError(
            f"{path / ATTRIBUTES}@{names[0]}",
            f"no such attribute; present: {listed(sorted(stated))}",
            " or ".join(names),
            "check that this is the right folder, and that it was fetched as a whole",
        )
    return value


def numbers(path: Path, stated: dict[str, Array | str], name: str, count: int) -> Array:
    """Return an attribute of so many numbers.

    Raises
    ------
    HeaderError
        It holds something else.
    """
    where = f"{path / ATTRIBUTES}@{name}"
    values = scalars.numbers(where, stated[name])
    if len(values) != count:
        raise HeaderError(where, f"{len(values)} numbers", f"{count}", "fetch the folder again")
    return values


def _text(file: Path) -> str:
    """Return a text file that is not absurdly long."""
    if not file.exists():
        raise MissingDatasetError(
            file, "no such file", "a block of a BigFile", "fetch the whole folder again"
        )
    size = raw.size_of(file, "a text of a BigFile")
    if size > _MOST_TEXT:
        raise CorruptFileError(
            file, f"{size} bytes", f"a text of at most {_MOST_TEXT}", "fetch the file again"
        )
    return raw.begin(file, _MOST_TEXT).decode("utf-8", "replace")
