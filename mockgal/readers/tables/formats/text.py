"""Tables in text: values between commas, tabs, semicolons or blanks; ECSV; also compressed.

The names of the columns are in the first line, or in a comment in front of the rows; one that ends
with a unit in brackets, as ``m200c [Msun/h]``, states it. pyarrow reads the rows, or NumPy where it
is not installed; values between several blanks are read as the lists of Rockstar are
(`mockgal.readers.text`). Answers of the databases of GAVO and Virgo (Millennium, EAGLE) end with a
comment of their own, ``#OK``, without which they are not whole.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ....errors import BadValueError, CorruptFileError, shown
from ....system.files import plain_yaml
from ....system.ids import AGAIN, ROUNDED, check_text
from ...text import table as blanks
from ...text.stream import MAX_LINE, Stream
from ..table import FLOAT, Field, Pieces, Table
from . import text_rows

_HEAD = 1 << 20  # bytes in which the first rows must begin
_DELIMITERS = (",", "\t", ";", " ")
_ECSV = re.compile(r"# %ECSV [01]\.[0-9]\s*")
_HEADER = plain_yaml.Dialect(depth=16, values=200_000, text=20_000, by_pyyaml=True)
_UNIT = re.compile(r"(.*?\S)\s*[\[(]([^\])]*[A-Za-z][^\])]*)[\])]")
_CONTROL = re.compile("[\0-\x08\x0e-\x1f]")
_LEAST = 2  # columns
_OK = "OK"  # first and last comment of the answer of a database


class _Head(NamedTuple):
    """The beginning of a text."""

    delimiter: str  # "" for any number of blanks
    names: list[str]
    lines: int  # in front of the first row
    comments: tuple[str, ...]
    units: Mapping[str, str] = MappingProxyType({})
    meta: Mapping[str, Any] = MappingProxyType({})

    @property
    def is_answer(self) -> bool:
        """Whether a database wrote it, with its query in the comments."""
        return self.comments[:1] == (_OK,) and any(c.startswith("SQL=") for c in self.comments)


def tables(path: Path) -> list[Table]:
    """Return the table in a text; none if it is no table.

    Raises
    ------
    MockgalError
        A compressed file that is damaged or unsafe, or a damaged header of ECSV.
    """
    with Stream(path).file() as file:
        begin = file.read(_HEAD)
    head = _head(path, begin)
    if head is None or len(head.names) < _LEAST:
        return []
    fields: dict[str, Field] = {}
    places: dict[str, int] = {}
    for place, name in enumerate(head.names):
        unit = head.units.get(name, "")
        if not unit and (match := _UNIT.fullmatch(name)) and match[1] not in head.names:
            name, unit = match[1], match[2].strip()
        if name and name not in fields:
            fields[name] = Field("", 1, unit, "the header")
            places[name] = place

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        columns = {name: (places[name], kind) for name, kind in wanted.items()}
        if not head.delimiter:
            yield from _between_blanks(path, head, columns, chunk_rows)
            return
        with Stream(path).file() as file:
            for _ in range(head.lines):
                file.readline()
            comments: list[str] | None = [] if head.is_answer else None
            yield from text_rows.read(
                path, file, head.delimiter, len(head.names), columns, chunk_rows, comments
            )
        if comments is not None and comments[-1:] != [_OK]:
            raise CorruptFileError(
                path,
                f"an end {shown(comments[-1]) if comments else 'without a comment'}",
                f"#{_OK}, as the database ends a whole answer",
                "send the query again, for fewer rows at a time if it takes too long",
            )

    return [
        Table(
            str(path), fields, None, read, "", head.meta.get, comments=head.comments, files=(path,)
        )
    ]


def between_blanks(path: Path, names: Sequence[str], comments: tuple[str, ...] = ()) -> Table:
    """Return the table in a text with any number of blanks or tabs between values.

    Parameters
    ----------
    path : Path
    names : sequence of str
        Of all columns, in their order.
    comments : tuple of str
        Comments in front of the rows.
    """
    head = _Head("", list(names), 0, comments)

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        columns = {name: (head.names.index(name), kind) for name, kind in wanted.items()}
        return _between_blanks(path, head, columns, chunk_rows)

    fields = dict.fromkeys(names, Field())
    return Table(str(path), fields, None, read, comments=comments, files=(path,))


def _head(path: Path, begin: bytes) -> _Head | None:
    try:
        text = begin.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(begin) - 4:
            return None
        text = begin[: error.start].decode("utf-8-sig")
    if _CONTROL.search(text):
        return None
    lines = text.split("\n")
    if len(begin) == _HEAD:
        lines = lines[:-1]
    end = next((k for k, line in enumerate(lines) if line.strip() and line[0] != "#"), len(lines))
    comments = tuple(line.lstrip("#").strip() for line in lines[:end] if line.strip())
    rows = [line.rstrip("\r") for line in islice(lines, end, end + 20) if line.strip()]
    if comments[:1] == (_OK,):
        rows = [row for row in rows if row[0] != "#"]
    if not rows or any(len(row) > MAX_LINE for row in rows):
        return None
    if _ECSV.fullmatch(lines[0].rstrip("\r")):
        return _ecsv(path, lines[:end], rows, end)
    return _plain(rows, comments, end)


def _plain(rows: list[str], comments: tuple[str, ...], end: int) -> _Head | None:
    for delimiter in _DELIMITERS:
        parts = [_split(row, delimiter) for row in rows]
        width = len(parts[0])
        if width < _LEAST or {len(part) for part in parts} != {width}:
            continue
        if delimiter == " " and not all(map(all, parts)):  # several blanks in a row
            continue
        if not any(map(_is_number, parts[0])):
            if len(rows) > 1 and not any(map(_is_number, parts[1])):
                return None
            return _Head(delimiter, parts[0], end + 1, comments)
        for comment in comments[::-1]:
            names = _split(comment, delimiter)
            if len(names) == width and not any(map(_is_number, names)):
                return _Head(delimiter, names, end, comments)
    if len({len(row.split()) for row in rows}) == 1 and all(map(_is_number, rows[0].split())):
        for comment in comments:
            if len(comment.split()) == len(rows[0].split()):
                return _Head("", comment.split(), 0, comments)
    return None


def _split(row: str, delimiter: str) -> list[str]:
    try:
        return [word.strip() for word in next(csv.reader([row.strip()], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _ecsv(path: Path, header: list[str], rows: list[str], end: int) -> _Head:
    """Return the head of an ECSV table: a YAML header in comments, then a line of names."""
    where = f"{path}, its header"
    fix = "write the table again with astropy"
    lines = [line[2:].rstrip("\r") for line in header[1:]]
    first = next((k for k, line in enumerate(lines) if line.startswith("meta:")), len(lines))
    try:
        stated = plain_yaml.load("\n".join(lines[:first]), _HEADER)
    except plain_yaml.PlainYAMLError as error:
        raise CorruptFileError(
            f"{where}, line {error.line + 1}", error.found, error.expected, error.fix
        ) from error
    columns = stated.get("datatype") if isinstance(stated, dict) else None
    delimiter = stated.get("delimiter", " ") if isinstance(stated, dict) else None
    known = isinstance(columns, list) and all(isinstance(c, dict) for c in columns)
    if columns is None or not known or delimiter not in (" ", ","):
        raise CorruptFileError(where, shown(stated), "datatype, a list of columns", fix)
    names = _split(rows[0], delimiter)
    declared = [column.get("name") for column in columns]
    if names != declared:
        raise CorruptFileError(
            f"{path}, line {end + 1}", shown(names), f"{shown(declared)}, as in the header", fix
        )
    units = {c["name"]: str(c["unit"]) for c in columns if c.get("unit") is not None}
    try:
        meta = plain_yaml.load("\n".join(lines[first:]), _HEADER)["meta"]
    except (plain_yaml.PlainYAMLError, TypeError, KeyError):  # none, or objects of astropy
        meta = {}
    return _Head(delimiter, names, end + 1, (), units, meta if isinstance(meta, dict) else {})


def _between_blanks(
    path: Path, head: _Head, columns: Mapping[str, tuple[int, str]], chunk_rows: int
) -> Iterator[dict[str, Any]]:
    """Yield rows of a table with comments in front and any number of blanks between values."""
    wanted = {name: blanks.Wanted(at, kind != FLOAT) for name, (at, kind) in columns.items()}
    labels = {name: name for name in wanted}
    rows = blanks.Rows(path, blanks.read_head(path), wanted, labels, len(head.names), chunk_rows)

    def at(name: str, before: int, row: int) -> str:
        return f"{path}:{name}, row {before + row}"

    before = 0
    for piece in rows:
        for name in piece:
            if name in rows.rounded:
                where = at(name, 0, rows.rounded[name])
                raise BadValueError(where, ROUNDED, "ids written as integers", AGAIN)
            if name in rows.dotted:
                check_text(piece[name], partial(at, name, before))
        before = rows.rows
        yield piece
