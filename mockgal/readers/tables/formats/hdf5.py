"""Tables in HDF5: datasets of equal length in a group, a dataset of records, frames of pandas.

Each is found by what the file holds, and read through `mockgal.readers.hdf5.safe`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from ....errors import HeaderError, MockgalError, UnsafeInputError
from ....types import Array
from ...hdf5 import headers, safe, stored
from ..table import Field, Pieces, Table, check_size
from . import pandas_frames

MAGIC = b"\x89HDF\r\n\x1a\n"

_UNITS = ("unit", "units", "Unit", "Units", "UNITS")
_MOST_GROUPS = 200
_DEPTH = 3
_WIDEST = 64  # values in a row
_INDEX = "_i_table"  # of PyTables


class Place(NamedTuple):
    """Where a column is: a dataset, a field of its records, a value of its rows."""

    dataset: str
    field: str | None = None
    value: int | None = None


class _Found(NamedTuple):
    """A table that was found in a file."""

    name: str
    rows: int
    fields: dict[str, Field]
    places: dict[str, Place]


def tables(path: Path) -> list[Table]:
    """Return the tables in a file.

    Raises
    ------
    MockgalError
        The file is damaged or unsafe.
    """
    with safe.open_hdf5(path) as file:
        found = [table for group in _groups(file) for table in _of_group(file, group)]
    return [_table(path, one) for one in found]


def in_group(path: Path, group: str) -> list[Table]:
    """Return the tables that one group of a file holds itself.

    Raises
    ------
    MockgalError
        The file is damaged or unsafe.
    """
    with safe.open_hdf5(path) as file:
        found = _of_group(file, group)
    return [_table(path, one) for one in found]


def across_groups(path: Path, datasets: Iterable[str], units: Mapping[str, str]) -> Table:
    """Return the table whose columns are datasets of different groups, called by their paths.

    Parameters
    ----------
    path : Path
    datasets : iterable of str
        Those that are missing are left out.
    units : mapping of str to str
        Units by dataset, where no attribute says them in words.

    Raises
    ------
    HeaderError
        The datasets have different numbers of rows.
    MockgalError
        The file is damaged or unsafe.
    """
    found: _Found | None = None
    with safe.open_hdf5(path) as file:
        for name in datasets:
            rows = _rows(file, Place(name)) if safe.exists(file, name) else None
            if rows is None:
                continue
            if found is None:
                found, first = _Found("", rows, {}, {}), name
            if rows != found.rows:
                raise HeaderError(
                    safe.where_of(file, name),
                    f"{rows} rows",
                    f"{found.rows}, as {first} has",
                    "fetch the file again",
                )
            found.places[name] = Place(name)
            field = _field(file, Place(name))
            if name in units:
                field = field._replace(unit=units[name], unit_from="the dataset")
            found.fields[name] = field
    return _table(path, found or _Found("", 0, {}, {}))


def _groups(file: safe.File) -> Iterator[str]:
    """Yield the groups of a file, from the top."""
    level, left = [""], _MOST_GROUPS
    for _ in range(_DEPTH):
        deeper = []
        for group in level:
            yield group
            left -= 1
            if not left:
                return
            for name in safe.members(file, group or "/"):
                below = f"{group}/{name}".lstrip("/")
                if name != _INDEX and isinstance(_object(file, below), h5py.Group):
                    deeper.append(below)
        level = deeper


def _object(file: safe.File, name: str) -> Any:
    """Return a group or dataset, the error that says why it is unsafe, or None."""
    try:
        return safe.the_object(file, name)
    except UnsafeInputError as error:
        return error
    except MockgalError:
        return None


def _of_group(file: safe.File, group: str) -> list[_Found]:
    """Return the tables that a group holds itself."""
    kind = pandas_frames.kind_of(file, group)
    if kind:
        return [_frame(file, group, kind)]
    found: list[_Found] = []
    by_rows: dict[int, _Found] = {}
    unsafe: list[str] = []
    for name in safe.members(file, group or "/"):
        path = f"{group}/{name}".lstrip("/")
        data = _object(file, path)
        if isinstance(data, UnsafeInputError):
            unsafe.append(name)
            continue
        if not isinstance(data, h5py.Dataset) or not data.shape:
            continue
        if data.id.get_type().get_class() == h5py.h5t.COMPOUND:
            if len(data.shape) == 1 and (record := _record(file, path, data)):
                found.append(record)
            continue
        if len(data.shape) > 2 or (len(data.shape) == 2 and data.shape[1] > _WIDEST):
            continue
        rows = int(data.shape[0])
        table = by_rows.setdefault(rows, _Found(group, rows, {}, {}))
        table.places[name] = Place(path)
        table.fields[name] = _field(file, Place(path))
    widest = max(by_rows.values(), key=lambda t: len(t.fields), default=None)
    for name in unsafe if widest else []:  # read, it says why it is unsafe
        widest.places[name] = Place(f"{group}/{name}".lstrip("/"))  # type: ignore[union-attr]
        widest.fields[name] = Field()  # type: ignore[union-attr]
    return found + [table for table in by_rows.values() if len(table.fields) > 1]


def _frame(file: safe.File, group: str, kind: str) -> _Found:
    """Return the frame that pandas wrote to a group."""
    frame = pandas_frames.columns(file, group, kind)
    places = {name: Place(*place) for name, place in frame.items()}
    fields = {name: _field(file, place) for name, place in places.items()}
    rows = (_rows(file, place) for place in places.values())
    return _Found(group, next((n for n in rows if n is not None), 0), fields, places)


def _record(file: safe.File, path: str, data: h5py.Dataset) -> _Found | None:
    kind = stored.record_type(data.id.get_type())
    if kind is None or kind.names is None:
        return None
    places = {name: Place(path, name) for name in kind.names}
    fields = {name: _field(file, place) for name, place in places.items()}
    return _Found(path, int(data.shape[0]), fields, places)


def _rows(file: safe.File, place: Place) -> int | None:
    data = _object(file, place.dataset)
    return int(data.shape[0]) if isinstance(data, h5py.Dataset) and data.shape else None


def _field(file: safe.File, place: Place) -> Field:
    """Return a column's type and unit; nothing is read of its values."""
    data = _object(file, place.dataset)
    if not isinstance(data, h5py.Dataset):
        return Field()
    kind, shape = data.id.get_type(), tuple(int(n) for n in data.shape[1:])
    if place.field is not None:
        records = stored.record_type(kind)
        if records is None or place.field not in (records.names or ()):
            return Field("O")
        dtype = records[place.field]
        base, shape = dtype.base, dtype.shape
    else:
        number = stored.number_type(kind)
        if number is None:
            return Field("O")
        base = number
    if base.kind not in "iufb" or len(shape) > 1:
        return Field("O")
    if place.value is not None and not (shape and place.value < shape[0]):
        return Field("O")
    width = int(shape[0]) if shape and place.value is None else 1
    unit, name = _unit(file, place.dataset) if place.field is None else ("", "")
    return Field(base.kind, width, unit, f"the attribute {name}", base.itemsize)


def _unit(file: safe.File, path: str) -> tuple[str, str]:
    for name in _UNITS:
        try:
            value = headers.attribute(file, path, name, None)
        except MockgalError:
            continue
        if isinstance(value, str) and value.strip():
            return value.strip(), name
    return "", ""


def _table(path: Path, found: _Found) -> Table:
    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        each = sum(8 * found.fields[name].width for name in wanted)
        check_size(f"{path}:/{found.name}", found.rows * each, path.stat().st_size)
        yield from _pieces(path, found, list(wanted), chunk_rows)

    def stated(name: str) -> Any:
        group, _, attribute = name.rpartition("@")
        with safe.open_hdf5(path) as file:
            return headers.attribute(file, group or "/", attribute, None)

    place = f"{path}:/{found.name}"
    return Table(place, found.fields, found.rows, read, found.name, stated, files=(path,))


def _pieces(
    path: Path, found: _Found, names: list[str], chunk_rows: int
) -> Iterator[dict[str, Array]]:
    """Yield columns in pieces; each dataset is opened once, and its rows read once."""
    places = {name: found.places[name] for name in names}
    with safe.open_hdf5(path) as file:
        data: dict[str, safe.Dataset] = {}
        for place in places.values():
            if place.dataset not in data:
                records = place.field is not None
                data[place.dataset] = safe.dataset(file, place.dataset, records=records)
        for start in range(0, found.rows, chunk_rows):
            stop = min(start + chunk_rows, found.rows)
            rows = {name: safe.read_rows(one, start, stop) for name, one in data.items()}
            yield {name: _part(rows[place.dataset], place) for name, place in places.items()}


def _part(rows: Array, place: Place) -> Array:
    values = rows if place.field is None else rows[place.field]
    values = values if place.value is None else values[:, place.value]
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    return np.asarray(values)
