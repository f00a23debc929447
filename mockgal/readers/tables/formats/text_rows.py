"""Rows of a text with one delimiter between values, by pyarrow, or NumPy where it is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from io import BufferedReader, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import BadValueError, CorruptFileError, MockgalError, shown
from ....types import Array
from ..table import FLAG, FLOAT, INTEGER

Columns = Mapping[str, tuple[int, str]]  # name: place in a row, and what is needed

_BLOCK = 4 << 20  # bytes that pyarrow works on; no line may be longer
_TRUE, _FALSE = ("1", "true", "True", "TRUE", "T", "t"), ("0", "false", "False", "FALSE", "F", "f")
_NONE = ("", "nan", "NaN", "NAN", "NA", "N/A", "null", "NULL", "--")
_LONGEST = 40  # characters of a number
_FIX = "correct the value, or write the table again"
_ERROR = re.compile(r"column #(\d+): .*invalid value '(.*)'")


def read(
    path: Path,
    file: BufferedReader,
    delimiter: str,
    width: int,
    columns: Columns,
    chunk_rows: int,
    comments: list[str] | None = None,
) -> Iterator[dict[str, Array]]:
    """Yield the rows of a text.

    Parameters
    ----------
    path : Path
        For messages.
    file : binary file
        At the first row.
    delimiter : str
    width : int
        Values in a row.
    columns : mapping of str to tuple of int and str
        Place and need of each column.
    chunk_rows : int
    comments : list of str, optional
        Receives the lines that begin with ``#``, which are then no rows.

    Raises
    ------
    CorruptFileError
        A row has another number of values.
    BadValueError
        A value is not what is needed.
    """
    engine = _by_arrow if find_spec("pyarrow") else _by_numpy
    yield from engine(path, file, delimiter, width, columns, chunk_rows, comments)


def _by_arrow(
    path: Path,
    file: BufferedReader,
    delimiter: str,
    width: int,
    columns: Columns,
    chunk_rows: int,
    comments: list[str] | None,
) -> Iterator[dict[str, Array]]:
    import pyarrow
    from pyarrow import csv

    del chunk_rows  # pieces have a fixed number of bytes
    types = {INTEGER: pyarrow.int64(), FLOAT: pyarrow.float64(), FLAG: pyarrow.bool_()}
    names = [f"{place}" for place in range(width)]
    if not file.peek(1):
        return

    def odd(row: Any) -> str:
        return "skip" if _is_comment(row.text, comments) else "error"

    try:
        reader = csv.open_csv(
            file,
            csv.ReadOptions(column_names=names, block_size=_BLOCK),
            csv.ParseOptions(
                delimiter=delimiter, invalid_row_handler=None if comments is None else odd
            ),
            csv.ConvertOptions(
                column_types={names[at]: types[kind] for at, kind in columns.values()},
                include_columns=[names[at] for at, _ in columns.values()],
                null_values=list(_NONE),
                true_values=list(_TRUE),
                false_values=list(_FALSE),
            ),
        )
        for batch in reader:
            piece = {}
            for k, (name, (_, kind)) in enumerate(columns.items()):
                values = batch.column(k)
                if values.null_count and kind != FLOAT:
                    raise BadValueError(
                        f"{path}:{name}", "rows without a value", "a value in each row", _FIX
                    )
                piece[name] = values.to_numpy(zero_copy_only=False)
            yield piece
    except pyarrow.ArrowException as error:
        raise _refusal(path, str(error), columns) from error


def _refusal(path: Path, text: str, columns: Columns) -> MockgalError:
    """Return the error for what pyarrow says."""
    if match := _ERROR.search(text):
        name, kind = next((n, kind) for n, (at, kind) in columns.items() if at == int(match[1]))
        return _bad(f"{path}:{name}", match[2], kind)
    text = " ".join(text.split())
    return CorruptFileError(
        path, f"a text that is no table ({text[:200]})", "rows of as many values", _FIX
    )


def _bad(where: str, word: str, kind: str) -> BadValueError:
    expected = {INTEGER: "a whole number of 64 bits", FLOAT: "a number", FLAG: "0 or 1"}[kind]
    return BadValueError(where, shown(word), expected, _FIX)


def _by_numpy(
    path: Path,
    file: BufferedReader,
    delimiter: str,
    width: int,
    columns: Columns,
    chunk_rows: int,
    comments: list[str] | None,
) -> Iterator[dict[str, Array]]:
    types = {INTEGER: np.int64, FLOAT: np.float64, FLAG: f"U{_LONGEST}"}
    record = np.dtype([(f"{at}", types[kind]) for at, kind in columns.values()])
    places = [at for at, _ in columns.values()]
    lines = TextIOWrapper(file, "utf-8", "replace")
    first = 0
    while some := [line for line in islice(lines, chunk_rows) if line.strip()]:
        some = [line for line in some if not _is_comment(line, comments)]
        if not some:
            continue
        for row, line in enumerate(some):
            if line.count(delimiter) != width - 1 and '"' not in line:
                raise CorruptFileError(
                    f"{path}, row {first + row}",
                    f"{line.count(delimiter) + 1} values",
                    f"{width}, as in the header",
                    _FIX,
                )
        try:
            rows = np.loadtxt(
                [_without_gaps(line, delimiter) for line in some],
                record,
                comments=None,
                delimiter=delimiter,
                usecols=places,
                quotechar='"',
                ndmin=1,
            )
        except ValueError as error:
            raise _from_numpy(path, str(error), columns, first) from error
        yield {
            name: _flags(f"{path}:{name}", rows[f"{at}"]) if kind == FLAG else rows[f"{at}"]
            for name, (at, kind) in columns.items()
        }
        first += len(rows)


def _is_comment(line: str, comments: list[str] | None) -> bool:
    """Return whether a line is one of the comments that are no rows, and keep it."""
    if comments is None or not line.startswith("#"):
        return False
    comments.append(line.lstrip("#").strip())
    return True


def _without_gaps(line: str, delimiter: str) -> str:
    """Return a line in which missing values are NaN."""
    words = line.rstrip("\r\n").split(delimiter)
    return delimiter.join("nan" if word.strip() in _NONE else word for word in words)


def _from_numpy(path: Path, text: str, columns: Columns, first: int) -> MockgalError:
    """Return the error for what NumPy says."""
    match = re.search(r"could not convert string '(.*)' to \w+ at row (\d+), column (\d+)", text)
    if match is None:
        return CorruptFileError(path, f"a text that is no table ({text[:200]})", "a table", _FIX)
    at = int(match[3]) - 1
    name, kind = next((n, kind) for n, (place, kind) in columns.items() if place == at)
    return _bad(f"{path}:{name}, row {first + int(match[2])}", match[1], kind)


def _flags(where: str, words: Array) -> Array:
    true = np.isin(words, _TRUE)
    bad = np.flatnonzero(~true & ~np.isin(words, _FALSE))
    if bad.size:
        raise _bad(f"{where}, row {bad[0]}", str(words[bad[0]]), FLAG)
    return true
