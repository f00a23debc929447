"""Tables in memory: tables of astropy, frames of pandas and polars, arrays by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ....errors import BadValueError, UsageError
from ....types import Array
from ..table import Field, Pieces, Table

KINDS = "an astropy Table, a frame of pandas or polars, or arrays by name"


def is_table(thing: object) -> bool:
    """Return whether an object is a table that can be read."""
    return bool(_names(thing))


def _names(thing: Any) -> list[str]:
    """Return the names of the columns of an object; none if it is no table."""
    if isinstance(thing, Mapping):
        names = list(thing)
    elif isinstance(thing, np.ndarray):
        names = list(thing.dtype.names or ())
    else:
        kind = type(thing).__module__.partition(".")[0]
        if kind == "astropy" and hasattr(thing, "colnames"):
            names = list(thing.colnames)
        elif kind in ("pandas", "polars") and type(thing).__name__ == "DataFrame":
            names = list(thing.columns)
        else:
            return []
    return names if all(isinstance(name, str) for name in names) else []


def table_of(thing: Any) -> Table:
    """Return the table of an object.

    Raises
    ------
    UsageError
        It is no table.
    BadValueError
        Its columns have different lengths.
    """
    names = _names(thing)
    place = type(thing).__name__
    if not names:
        raise UsageError(place, "no columns with names", KINDS, "pass one of these")
    arrays = {name: _values(f"{place}[{name}]", thing[name]) for name in names}
    lengths = {name: len(values) for name, values in arrays.items() if values.ndim}
    if len(set(lengths.values())) > 1:
        raise BadValueError(place, f"columns of different lengths {lengths}", "equal lengths")
    fields = {
        name: Field(
            values.dtype.kind if values.dtype.kind in "iufb" and 0 < values.ndim < 3 else "O",
            values.shape[1] if values.ndim == 2 else 1,
            _unit(thing[name]),
            "its unit",
            values.dtype.itemsize,
        )
        for name, values in arrays.items()
    }
    rows = next(iter(lengths.values()), 0)

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        yield from _pieces({name: arrays[name] for name in wanted}, rows, chunk_rows)

    meta = getattr(thing, "meta", None)
    stated = meta.get if isinstance(meta, Mapping) else lambda name: None
    return Table(place, fields, rows, read, "", stated)


def _values(where: str, column: Any) -> Array:
    """Return the numbers of a column; missing ones are NaN."""
    mask = np.ma.getmaskarray(column) if isinstance(column, np.ma.MaskedArray) else None
    values = getattr(column, "value", column)  # of a quantity
    if mask is not None:
        values = np.ma.getdata(column)
    array = np.asarray(values if not hasattr(values, "to_numpy") else values.to_numpy())
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            return array
    if mask is not None and mask.any():
        array = array.astype(np.float64)
        array[mask] = np.nan
    if array.dtype.kind == "c":
        raise BadValueError(where, "complex numbers", "numbers", "leave the column out")
    return array


def _unit(column: Any) -> str:
    unit = getattr(column, "unit", None)
    return "" if unit is None else str(unit)


def _pieces(arrays: Mapping[str, Array], rows: int, chunk_rows: int) -> Iterator[dict[str, Array]]:
    for start in range(0, rows, chunk_rows):
        yield {name: values[start : start + chunk_rows] for name, values in arrays.items()}
