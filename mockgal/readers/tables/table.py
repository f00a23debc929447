"""A table of halos as its source has it: the same for files of all formats and for objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import BadValueError, HeaderError, UnsafeInputError, listed
from ...system.memory import BOMB_BYTES, BOMB_RATIO, PEAK, check_memory
from ...types import Array

# What the values of a column are needed as; a text is parsed so, other sources convert nothing.
INTEGER, FLOAT, FLAG = "integer", "float", "flag"
MOST_COLUMNS = 100_000

Pieces = Iterator[dict[str, Array]]


class Field(NamedTuple):
    """A column of a table.

    Parameters
    ----------
    kind : str
        NumPy's kind of its values (i, u, f or b); "" if they are known only once they are read; "O"
        for what is no number.
    width : int
        Values in a row.
    unit : str
        Unit as the source states it; "" if it states none.
    unit_from : str
        Where it states it, such as ``TUNIT3``.
    bytes : int
        Of one value, once read.
    """

    kind: str = ""
    width: int = 1
    unit: str = ""
    unit_from: str = ""
    bytes: int = 8


class Table(NamedTuple):
    """A table.

    Parameters
    ----------
    place : str
        Where it is, for messages: ``FILE``, ``FILE:HDU`` or ``FILE:/GROUP``.
    fields : mapping of str to Field
        Its columns.
    rows : int or None
        None where only reading tells.
    read : callable
        ``read(wanted, chunk_rows)`` checks sizes (`check_size`), and yields the columns in pieces
        of at most so many rows, as arrays of shape (n,) or (n, width); ``wanted`` has `INTEGER`,
        `FLOAT` or `FLAG` by name.
    name : str
        Of the table in a source that has several, "" for one that has no name.
    stated : callable
        ``stated(name)`` returns what else the source states under a name (a keyword of FITS, a path
        ``GROUP@ATTRIBUTE`` of HDF5, a key of the metadata), or None.
    comments : tuple of str
        Comments in front of the rows of a text.
    files : tuple of Path
        What it is read from.
    """

    place: str
    fields: Mapping[str, Field]
    rows: int | None
    read: Callable[[Mapping[str, str], int], Pieces]
    name: str = ""
    stated: Callable[[str], Any] = lambda name: None
    comments: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def listed(self) -> str:
        """Return the names of the columns, or the first of them if there are many."""
        return listed(self.fields)

    def at(self, name: str) -> str:
        """Return the place of a column, for messages."""
        between = ":" if ":" not in self.place[1:] else "/" * (not self.place.endswith("/"))
        return f"{self.place}{between}{name}"


def one_after_another(tables: Sequence[Table], place: str) -> Table:
    """Return the table whose rows are those of several, as of the files of one output.

    Parameters
    ----------
    tables : sequence of Table
    place : str
        Where they are, for messages.

    Raises
    ------
    HeaderError
        They have different columns.
    """
    first = tables[0]
    if len(tables) == 1:
        return first
    for other in tables[1:]:
        if {n: f.width for n, f in other.fields.items()} != {
            n: f.width for n, f in first.fields.items()
        }:
            raise HeaderError(
                other.place,
                f"the columns {other.listed()}",
                f"those of {first.place}: {first.listed()}",
                "give the files of one output",
            )

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        for table in tables:
            yield from table.read(wanted, chunk_rows)

    rows = [table.rows for table in tables]
    return first._replace(
        place=place,
        rows=None if None in rows else sum(n for n in rows if n is not None),
        read=read,
        files=tuple(file for table in tables for file in table.files),
    )


def with_row_numbers(table: Table, name: str) -> Table:
    """Return a table with one more column, which numbers the rows from 0."""

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        others = {other: need for other, need in wanted.items() if other != name}
        start = 0
        for piece in table.read(others, chunk_rows):
            stop = start + len(next(iter(piece.values())))
            yield piece | ({name: np.arange(start, stop)} if name in wanted else {})
            start = stop

    return table._replace(fields={name: Field("i"), **table.fields}, read=read)


def check_size(where: str, declared: int, stored: int) -> None:
    """Raise if columns declare far more bytes than their file can hold, or than memory has.

    Raises
    ------
    UnsafeInputError, ResourceError
    """
    if declared > BOMB_BYTES and declared > BOMB_RATIO * stored:
        raise UnsafeInputError(
            where,
            f"{declared} bytes declared by {stored} stored bytes",
            f"at most {BOMB_RATIO} times as many",
            "do not use this file",
        )
    check_memory(where, int(PEAK * declared))


def gather(table: Table, wanted: Mapping[str, str], chunk_rows: int) -> dict[str, Array]:
    """Return columns whole, read in pieces; the table is never twice in memory.

    Parameters
    ----------
    table : Table
    wanted : mapping of str to str
        `INTEGER`, `FLOAT` or `FLAG` by name.
    chunk_rows : int

    Returns
    -------
    dict of str to ndarray, shape (rows,) or (rows, width)
        Floats are float64, contiguous and writable.

    Raises
    ------
    MockgalError
        The source is damaged or unsafe, or its values are not of the kind.
    """
    if table.rows is None:
        return _joined(table, wanted, chunk_rows)
    shapes = {
        name: (table.rows, field.width) if field.width > 1 else (table.rows,)
        for name, field in table.fields.items()
        if name in wanted
    }
    found: dict[str, Array] = {}
    start = 0
    for piece in table.read(wanted, chunk_rows):
        stop = start
        for name, values in piece.items():
            stop = start + len(values)
            if name not in found:
                found[name] = np.empty(shapes[name], _kept_as(values, wanted[name]))
            elif (kind := _kept_as(values, wanted[name])) != found[name].dtype:
                found[name] = found[name].astype(np.result_type(kind, found[name].dtype))
            if stop > table.rows:
                break
            found[name][start:stop] = values
        start = stop
    if start != table.rows:
        raise BadValueError(
            table.place, f"{start} rows", f"{table.rows}, as it declares", "fetch the file again"
        )
    for name, shape in shapes.items():
        found.setdefault(name, np.empty(shape, _kept_as(np.empty(0), wanted[name])))
    return found


def _kept_as(values: Array, need: str) -> np.dtype[Any]:
    if need == FLOAT:
        return np.dtype(np.float64)
    return values.dtype.newbyteorder("=")


def _joined(table: Table, wanted: Mapping[str, str], chunk_rows: int) -> dict[str, Array]:
    """Return columns of a table whose number of rows is not known before it is read."""
    pieces: dict[str, list[Array]] = {name: [] for name in wanted}
    held = 0
    for piece in table.read(wanted, chunk_rows):
        for name, values in piece.items():
            kept = np.array(values, _kept_as(values, wanted[name]))
            pieces[name].append(kept)
            held += kept.nbytes
        check_memory(table.place, int((PEAK - 1) * held))
    joined: dict[str, Array] = {}
    for name in wanted:  # the pieces of a column are freed before the next one is joined
        parts = pieces.pop(name)
        kind = np.float64 if wanted[name] == FLOAT else np.int64
        joined[name] = np.concatenate(parts) if parts else np.empty(0, kind)
    return joined
