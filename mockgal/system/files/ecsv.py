"""Reading mockgal's own ECSV tables safely, from files that may not be what they claim to be.

An ECSV file is a YAML header in lines that begin with ``#``, then a line of names, then rows.
astropy writes these files, but its reader passes the header to a YAML loader with aliases, tags and
classes of its own. So they are read here, with a header in plain YAML and only the types that
mockgal's tables have.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...errors import CorruptFileError, shown
from . import plain_json
from .plain_text import read_text
from .plain_yaml import Dialect, PlainYAMLError, load

_MAX_BYTES = 10_000_000
_MAX_HEADER = 300_000  # characters
_MAX_ROWS = 100_000
_MAX_COLUMNS = 1000
_MAX_VECTOR = 100_000  # values in one entry
_HEADER = Dialect(depth=16, values=10_000, text=20_000, by_pyyaml=True)
_FIRST_LINE = re.compile(r"# %ECSV (?:0\.9|1\.0)\s*")
_KEYS = {"datatype", "meta", "delimiter", "schema"}
_OF_COLUMN = {"name", "datatype", "unit", "description", "format", "subtype", "meta"}
_SERIALIZED = "__serialized_columns__"
_VECTOR = re.compile(r"(\w{1,10})\[([1-9][0-9]{0,5})\]", re.ASCII)
_TYPES = ("string", "bool", "float32", "float64", "int8", "int16", "int32", "int64")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?|nan|[-+]?inf")
_WHOLE = re.compile(r"[-+]?[0-9]{1,20}")
_DIGEST, _BLANK = "file_digest", "0" * 64  # among the metadata: of the text with these zeros
_SEAL = re.compile(rf"{_DIGEST}: '?([0-9a-f]{{64}})'?")
_BOOLS = {"True": True, "False": False}

Array = NDArray[Any]


class Column(NamedTuple):
    """A column of a table.

    Parameters
    ----------
    values : ndarray, shape (rows,) or (rows, length)
        Floats are NaN where the file has no number.
    description : str
    """

    values: Array
    description: str


class ECSVTable(NamedTuple):
    """The columns and the metadata of an ECSV file."""

    columns: dict[str, Column]
    meta: dict[str, Any]


class _Bad(ValueError):
    """A fault of a table, as a message."""


class _Declared(NamedTuple):
    name: str
    kind: str  # one of `_TYPES`
    length: int  # of the vector in each row; 0 for one value
    description: str


def sealed(table: Any) -> str:
    """Return an astropy table as ECSV, with a digest of the whole text among its metadata."""
    table.meta[_DIGEST] = _BLANK
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    blank = text.getvalue()
    return blank.replace(_BLANK, blake2b(blank.encode(), digest_size=32).hexdigest(), 1)


def is_as_sealed(text: str) -> bool | None:
    """Return whether a text is as `sealed` made it; None if it has no digest of itself."""
    stated = _SEAL.search(text)
    if stated is None:
        return None
    blank = text[: stated.start(1)] + _BLANK + text[stated.end(1) :]
    return blake2b(blank.encode(), digest_size=32).hexdigest() == stated[1]


def read_ecsv(path: Path, form: str, *, what: str, fix: str, again: str) -> ECSVTable:
    """Return the table in an ECSV file whose metadata state the format ``form``.

    Parameters
    ----------
    path : Path
    form : str
        Required value of ``meta["format"]``.
    what : str
        Kind of file, for messages.
    fix, again : str
        What the user can do if there is no such file, and if it is damaged or of another format.

    Raises
    ------
    InputError
        The path is not an ordinary file, or the file is not text.
    UnsafeInputError
        The file is too large.
    CorruptFileError
        The file is not ECSV, or of another format.
    """
    expected = f"an ECSV file of at most {_MAX_BYTES:,} bytes, an {what}"
    text = read_text(path, _MAX_BYTES, expected, fix=fix)
    try:
        table = parse(text)
    except PlainYAMLError as error:
        found = f"{shown(error.found, 300)[1:-1]} in line {error.line} of its header"
        fix = f"{again}; or {error.fix}"
        raise CorruptFileError(path, found, f"{form} with {error.expected}", fix) from error
    except (_Bad, csv.Error) as error:
        raise CorruptFileError(path, f"text that is not ECSV ({error})", form, again) from error
    if table.meta.get("format") != form:
        raise CorruptFileError(path, f"format {shown(table.meta.get('format'))}", repr(form), again)
    return table


def parse(text: str) -> ECSVTable:
    """Return the table in an ECSV text.

    Raises
    ------
    PlainYAMLError
        The header is not plain YAML.
    ValueError
        The text is not ECSV, or has types that mockgal's tables do not have.
    """
    lines = text.split("\n")
    if not _FIRST_LINE.fullmatch(lines[0]):
        _refuse(f"the first line {shown(lines[0][:60])}, which is not '# %ECSV 1.0'")
    end = next((k for k, line in enumerate(lines) if not line.startswith("#")), len(lines))
    header = "\n".join(["", *(line[2:] for line in lines[1:end])])  # "" keeps line numbers right
    if len(header) > _MAX_HEADER:
        _refuse(f"a header of {len(header):,} characters, more than {_MAX_HEADER:,}")
    stated = load(header, _HEADER)
    if not isinstance(stated, dict) or stated.keys() - _KEYS:
        _refuse(f"a header with keys other than {', '.join(sorted(_KEYS))}")
    meta, delimiter = stated.get("meta") or {}, stated.get("delimiter", " ")
    if isinstance(meta, dict):
        meta.pop(_DIGEST, None)  # `mockgal verify` looks at it
    if not isinstance(meta, dict) or _SERIALIZED in meta:
        _refuse(f"the meta {shown(meta)}, not a mapping without {_SERIALIZED}")
    if delimiter not in (" ", ","):
        _refuse(f"the delimiter {shown(delimiter)}, not a blank or a comma")
    columns = _declared(stated.get("datatype"))
    rows = csv.reader(
        (line for line in map(str.strip, islice(lines, end, None)) if line),
        delimiter=delimiter,
        skipinitialspace=True,
        strict=True,
    )
    names = [column.name for column in columns]
    if next(rows, None) != names:
        _refuse(f"a line of names that differs from those of the header, {shown(names)}")
    values: list[list[str]] = [[] for _ in columns]
    for number, row in enumerate(rows, 1):
        if number > _MAX_ROWS:
            _refuse(f"more than {_MAX_ROWS:,} rows")
        if len(row) != len(columns):
            _refuse(f"{len(row)} values in row {number}, for {len(columns)} columns")
        for column, value in zip(values, row, strict=True):
            column.append(value)
    return ECSVTable(
        {
            column.name: Column(_converted(column, texts), column.description)
            for column, texts in zip(columns, values, strict=True)
        },
        meta,
    )


def _refuse(what: str) -> NoReturn:
    raise _Bad(what)


def _declared(stated: Any) -> list[_Declared]:
    """Return the columns that a header declares."""
    if not isinstance(stated, list) or not 0 < len(stated) <= _MAX_COLUMNS:
        _refuse(f"the datatype {shown(stated)}, not a list of at most {_MAX_COLUMNS} columns")
    columns: dict[str, _Declared] = {}
    for entry in stated:
        if not isinstance(entry, dict) or entry.keys() - _OF_COLUMN:
            allowed = ", ".join(sorted(_OF_COLUMN))
            _refuse(f"the column {shown(entry)}, with keys other than {allowed}")
        name, kind, length = entry.get("name"), entry.get("datatype"), 0
        description = entry.get("description", "")
        if not isinstance(name, str) or not name or name in columns:
            _refuse(f"a column named {shown(name)}, where each needs a name of its own")
        if "subtype" in entry:
            match = _VECTOR.fullmatch(str(entry["subtype"]))
            if kind != "string" or not match or int(match[2]) > _MAX_VECTOR:
                _refuse(f"column {shown(name)} of the subtype {shown(entry['subtype'])}")
            kind, length = match[1], int(match[2])
        if kind not in _TYPES or (length and kind == "string"):
            _refuse(f"column {shown(name)} of the type {shown(kind)}, not {', '.join(_TYPES)}")
        if not isinstance(description, str):
            _refuse(f"column {shown(name)} with the description {shown(description)}")
        columns[name] = _Declared(name, kind, length, description)
    return list(columns.values())


def _converted(column: _Declared, texts: list[str]) -> Array:
    """Return the values of the texts, in the declared type."""
    if column.kind == "string":
        return np.array(texts, dtype=str)
    items: list[Any] = list(_vectors(column, texts)) if column.length else _plain(column, texts)
    dtype = np.dtype(column.kind)
    if dtype.kind == "i":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        whole = [x for item in items for x in item] if column.length else items
        if whole and not low <= min(whole) <= max(whole) <= high:
            _refuse(f"a number in column {shown(column.name)} beyond {column.kind}")
    shape = (len(texts), column.length) if column.length else (len(texts),)
    with np.errstate(over="ignore"):
        values = np.array(items, dtype=None if items else dtype).astype(dtype).reshape(shape)
    if dtype.kind == "f" and np.isinf(values).sum() > np.isinf(np.array(items, dtype="f8")).sum():
        _refuse(f"a number in column {shown(column.name)} beyond {column.kind}")
    return values


def _plain(column: _Declared, texts: list[str]) -> list[Any]:
    """Return one value for each text."""
    values: list[Any] = []
    for number, text in enumerate(texts, 1):
        value: Any = None
        if column.kind == "bool":
            value = _BOOLS.get(text)
        elif column.kind.startswith("int"):
            value = int(text) if _WHOLE.fullmatch(text) else None
        elif not text or _FLOAT.fullmatch(text):
            value = _finite(float(text or "nan"), text)
        if value is None:
            _refuse(f"{shown(text)} in row {number} of column {shown(column.name)}, {column.kind}")
        values.append(value)
    return values


def _finite(value: float, text: str) -> float | None:
    """Return the value; None if the number in the text overflows a float."""
    return None if np.isinf(value) and "inf" not in text else value


def _vectors(column: _Declared, texts: list[str]) -> Iterator[list[Any]]:
    """Yield a list of values for each text, which is JSON."""
    kinds = {"b": (bool,), "i": (int,), "f": (int, float)}[np.dtype(column.kind).kind]
    for number, text in enumerate(texts, 1):
        try:
            items = plain_json.load(text, depth=1, nan=True) if text else None
        except plain_json.PlainJSONError as error:
            _refuse(f"row {number} of column {shown(column.name)}: {error}")
        if items is None and "f" in column.kind:
            items = [None] * column.length
        if not isinstance(items, list) or len(items) != column.length:
            _refuse(f"row {number} of column {shown(column.name)} without {column.length} values")
        if "f" in column.kind:
            items = [np.nan if item is None else item for item in items]
        if not all(type(item) in kinds for item in items):
            _refuse(f"{shown(items)} in row {number} of column {shown(column.name)}")
        yield items
