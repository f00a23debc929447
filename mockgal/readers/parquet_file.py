"""Footers and page headers of untrusted Parquet files, checked before a library reads the data.

Footer and page headers are Thrift structs in the compact protocol; their fields are those of
parquet.thrift in apache/parquet-format. A library allocates what they declare: here sizes are
compared with those of the file, and with each other, first. Only numbers in flat columns are
supported, and other columns are left alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..errors import CorruptFileError, UnsafeInputError, shown
from ..system.memory import BOMB_BYTES, BOMB_RATIO

MAGIC = b"PAR1"
AGAIN = "copy the file again and compare its checksum with the source's, or make it again"

_MAX_FOOTER = 1 << 26  # bytes
_MAX_ITEMS = 1 << 20  # of a list
_MAX_PAGE = 1 << 28  # bytes of a page, compressed or not
_PAGE_HEADER = 1 << 14  # bytes read to find a page header
_MAX_DEPTH = 32
_END = len(MAGIC) + 4  # bytes after the footer: its length, and the magic bytes
_DATA = 0  # type of a page; those of version 2 have another struct

Spec = dict[int, Any]  # fields to keep, by number; of a struct or a list of structs, a Spec

_CHUNK: Spec = {1: None, 3: {3: None, 5: None, 6: None, 7: None, 9: None, 11: None}, 8: {}, 9: None}
_FOOTER: Spec = {
    2: {1: None, 3: None, 4: None, 5: None},
    3: None,
    4: {1: _CHUNK, 3: None},
    5: {1: None, 2: None},
    8: {},
}
_PAGE: Spec = {1: None, 2: None, 3: None, 5: {1: None}, 8: {1: None}}


class Leaf(NamedTuple):
    """A column: the number of its physical type, and whether values may be missing."""

    kind: int
    optional: bool


class Chunk(NamedTuple):
    """The rows of one column in one row group."""

    name: str
    start: int
    size: int
    rows: int


@dataclass(frozen=True)
class Footer:
    """What the footer of a file declares.

    Parameters
    ----------
    where : str
        The file, for messages.
    rows : int
    columns : dict of str to Leaf
        Flat columns, in the order of the file.
    nested : tuple of str
        Other columns.
    chunks : tuple of Chunk
        Of flat columns.
    metadata : dict of str to str
        Of the file, without what is no text.
    """

    where: str
    rows: int
    columns: dict[str, Leaf]
    nested: tuple[str, ...]
    chunks: tuple[Chunk, ...]
    metadata: dict[str, str]


class _Damaged(Exception):
    """Raised where bytes are not what the protocol allows."""


class _Compact:
    """A cursor over structs in Thrift's compact protocol."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def _take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        if len(part) < count:
            raise _Damaged(f"{count} bytes beyond the end")
        self.at += count
        return part

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            (byte,) = self._take(1)
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise _Damaged("a number of more than 64 bits")

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def struct(self, spec: Spec | None, depth: int = 0) -> dict[int, Any]:
        """Return the fields of ``spec``; skip the others."""
        if depth > _MAX_DEPTH:
            raise _Damaged(f"structs nested deeper than {_MAX_DEPTH}")
        fields: dict[int, Any] = {}
        number, spec = 0, spec or {}
        while head := self._take(1)[0]:
            number = number + (head >> 4) if head >> 4 else self._integer()
            kind = head & 15
            value = kind == 1 if kind in (1, 2) else self._value(kind, spec.get(number), depth)
            if number in spec:
                if number in fields:
                    raise _Damaged(f"field {number} twice")
                fields[number] = value
        return fields

    def _value(self, kind: int, spec: Spec | None, depth: int) -> Any:
        if kind in (1, 2):  # an element of a list
            return self._take(1)[0] == 1
        if kind == 3:
            return self._take(1)[0]
        if kind in (4, 5, 6):
            return self._integer()
        if kind == 7:
            return self._take(8)
        if kind == 8:
            return self._take(self._varint())
        if kind in (9, 10):
            (head,) = self._take(1)
            count = self._varint() if head >> 4 == 15 else head >> 4
            if count > _MAX_ITEMS:
                raise _Damaged(f"a list of {count} items")
            return [self._value(head & 15, spec, depth + 1) for _ in range(count)]
        if kind == 12:
            return self.struct(spec, depth + 1)
        raise _Damaged(f"a value of type {kind}")


def read_footer(file: BinaryIO, path: Path) -> Footer:
    """Return what the footer of a Parquet file declares, checked against the file's size.

    Parameters
    ----------
    file : binary file
    path : Path
        Name of the file, for messages.

    Raises
    ------
    CorruptFileError
        The file has no footer, or it is damaged; or data are declared where there are none.
    UnsafeInputError
        The footer is too large, or data are declared in other files, or absurdly large.
    """
    size = os.fstat(file.fileno()).st_size
    where = f"{path}"
    try:
        raw = _footer(file, where, size)
        fields = _Compact(raw).struct(_FOOTER)
        if 8 in fields:
            raise _Damaged("an encrypted file")
        columns, nested = _columns(fields[2])
        end = size - _END - len(raw)
        chunks, rows, unpacked = _chunks(fields[4], set(columns), where, end)
        metadata = {
            item[1].decode(): item.get(2, b"").decode("utf-8", "replace")
            for item in fields.get(5, [])
        }
        if rows != fields[3]:
            raise _Damaged(f"{fields[3]} rows, and groups of {rows}")
    except (_Damaged, LookupError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFileError(where, f"a damaged footer ({error})", "one of Parquet", AGAIN) from (
            error
        )
    if unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * size:
        raise UnsafeInputError(
            where,
            f"{unpacked} bytes of data declared in a file of {size} bytes",
            f"at most {BOMB_RATIO} times the file",
            "do not use this file",
        )
    return Footer(where, rows, columns, nested, chunks, metadata)


def _footer(file: BinaryIO, where: str, size: int) -> bytes:
    file.seek(0)
    begin = file.read(len(MAGIC))
    file.seek(max(0, size - _END))
    end = file.read(_END)
    if begin != MAGIC or end[4:] != MAGIC:
        raise CorruptFileError(
            where,
            f"a file of {size} bytes that begins with {begin!r} and ends with {end[4:]!r}",
            f"{MAGIC!r} at both ends",
            AGAIN,
        )
    length = int.from_bytes(end[:4], "little")
    if length > size - _END - len(MAGIC):
        raise CorruptFileError(
            where, f"a file of {size} bytes with a footer of {length}", "a whole file", AGAIN
        )
    if length > _MAX_FOOTER:
        raise UnsafeInputError(
            where, f"a footer of {length} bytes", f"at most {_MAX_FOOTER}", "do not use this file"
        )
    file.seek(size - _END - length)
    return file.read(length)


def _columns(schema: list[dict[int, Any]]) -> tuple[dict[str, Leaf], tuple[str, ...]]:
    """Return the flat columns, and the names of the others."""
    flat: dict[str, Leaf] = {}
    nested: list[str] = []
    at = 1
    for _ in range(schema[0].get(5, 0)):
        element, within = schema[at], 0
        left = element.get(5, 0)
        while left:  # children of a nested column, and theirs
            within += 1
            left += schema[at + within].get(5, 0) - 1
        name = element[4].decode()
        if name in flat or name in nested:
            raise _Damaged(f"two columns {shown(name)}")
        if within or element.get(3, 0) > 1 or 1 not in element:
            nested.append(name)
        else:
            flat[name] = Leaf(element[1], element.get(3, 0) == 1)
        at += 1 + within
    if at != len(schema):
        raise _Damaged(f"{len(schema)} parts of columns, and {at} counted")
    return flat, tuple(nested)


def _chunks(
    groups: list[dict[int, Any]], flat: set[str], where: str, end: int
) -> tuple[tuple[Chunk, ...], int, int]:
    """Return the chunks of flat columns, the number of rows, and all bytes uncompressed."""
    chunks: list[Chunk] = []
    rows = unpacked = 0
    for group in groups:
        if not 0 <= group[3] < 1 << 62:
            raise _Damaged(f"a group of {group[3]} rows")
        rows += group[3]
        there = set()
        for column in group[1]:
            if 1 in column:
                raise UnsafeInputError(
                    where,
                    f"data in another file, {shown(column[1].decode('utf-8', 'replace'))}",
                    "data in the file itself",
                    "do not use this file",
                )
            if 8 in column or 9 in column:
                raise _Damaged("an encrypted column")
            facts = column[3]
            size, start, dictionary = facts[7], facts[9], facts.get(11, 0)
            start = dictionary if 0 < dictionary < start else start
            inside = len(MAGIC) <= start <= start + size <= end
            if size < 0 or facts[6] < 0 or (size and not inside):
                raise _Damaged(f"data of {size} bytes at byte {start}, and the footer at {end}")
            unpacked += facts[6]
            name = facts[3][0].decode()
            if len(facts[3]) > 1 or name not in flat:
                continue
            there.add(name)
            if facts[5] != group[3]:
                raise _Damaged(f"{facts[5]} values of {shown(name)} in {group[3]} rows")
            chunks.append(Chunk(name, start, size, group[3]))
        if there != flat:
            raise _Damaged(f"a group without {', '.join(sorted(flat - there))}")
    return tuple(chunks), rows, unpacked


def check_pages(file: BinaryIO, footer: Footer, names: set[str]) -> None:
    """Raise unless the pages of some columns fill their chunks, and have plausible sizes.

    Parameters
    ----------
    file : binary file
    footer : Footer
    names : set of str

    Raises
    ------
    CorruptFileError
        The pages are not those that the footer declares.
    UnsafeInputError
        A page is larger than any that a program writes.
    """
    for chunk in footer.chunks:
        if chunk.name in names:
            where = f"{footer.where}:{chunk.name}"
            try:
                _check_pages(file, chunk, where)
            except (_Damaged, LookupError, TypeError) as error:
                raise CorruptFileError(
                    where, f"damaged pages ({error})", "those of the footer", AGAIN
                ) from error


def _check_pages(file: BinaryIO, chunk: Chunk, where: str) -> None:
    at, end, rows = chunk.start, chunk.start + chunk.size, 0
    while at < end:
        file.seek(at)
        cursor = _Compact(file.read(min(_PAGE_HEADER, end - at)))
        page = cursor.struct(_PAGE)
        sizes = page[2], page[3]
        if max(sizes) > _MAX_PAGE:
            raise UnsafeInputError(
                where, f"a page of {max(sizes)} bytes", f"at most {_MAX_PAGE}", "do not use it"
            )
        if min(sizes) < 0:
            raise _Damaged(f"a page of {min(sizes)} bytes")
        values = page.get(5 if page[1] == _DATA else 8, {}).get(1, 0)
        if values < 0:
            raise _Damaged(f"a page of {values} values")
        rows += values
        at += cursor.at + page[3]
    if (at, rows) != (end, chunk.rows):
        raise _Damaged(f"{rows} values up to byte {at}, not {chunk.rows} up to {end}")
