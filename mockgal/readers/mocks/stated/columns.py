"""The columns of a catalogue, as its JSON defines them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ....columns import OUR_COLUMNS, Column, declared_with
from ....errors import (
    BadValueError,
    FormatError,
    HeaderError,
    MissingDatasetError,
    UnitsError,
    listed,
    shown,
)
from ....layout import CATALOGUE_SCHEMA, FITS_CODES, FROM, IN_MEMORY, MODEL, ORIGIN, SINGLE
from ....precision import kind_of
from ..values import AGAIN
from .section import Section

IDS = ("galaxy_id", "halo_id")  # identify a row


class Held(NamedTuple):
    """The column of the catalogue that a file's column is, and what was subtracted from it."""

    column: str
    origin: float


class Columns(NamedTuple):
    """The columns of a file.

    Parameters
    ----------
    stored : dict of str to Column
        By their names in the file, in its order, with the types that they have there.
    held : dict of str to Held or None
        In a file of a data model, the columns that are some of the catalogue's.
    single : dict of str to float
        Of the columns that are stored in single precision, by how much that rounded them at most.
    """

    stored: dict[str, Column]
    held: dict[str, Held] | None
    single: dict[str, float]


def columns_of(file: Section, units: str) -> Columns:
    """Return the columns that the section ``file`` of the JSON defines.

    Raises
    ------
    FormatError
        This version of mockgal does not know one of them.
    HeaderError, UnitsError, MissingDatasetError
        Definitions are missing, or contradict the declarations.
    """
    single = _single(file)
    names: dict[str, Column] = {}
    held: dict[str, Held] = {}
    is_model = MODEL in file.values and isinstance(file.section(MODEL).values, dict)
    for item in file.list("columns"):
        definition = Section(f"{file.where}.columns, number {len(names) + 1}", item)
        name = definition.text("name", "[A-Za-z][A-Za-z0-9_]{0,62}", "the name of a column")
        column = OUR_COLUMNS.get(name)
        if is_model:
            column, source = _column_of_a_model(definition, name)
            if source is not None:
                held[name] = source
        elif column is None and IN_MEMORY in definition.values:
            column = _plugin_column(definition, name)
        if column is None:
            raise FormatError(
                definition.where,
                f"a column {shown(name)}",
                "one of " + ", ".join(OUR_COLUMNS),
                "read it with the version of mockgal that wrote it, or a newer one",
            )
        if name in single:
            column = replace(column, dtype="<f4")
        _check_definition(definition, column, units)
        if name in names:
            raise HeaderError(definition.where, f"{name} twice", "each column once", AGAIN)
        names[name] = column
    ids = {one.column for one in held.values()} if is_model else set(names)
    missing = [name for name in IDS if name not in ids]
    if missing:
        raise MissingDatasetError(
            f"{file.where}.columns",
            f"no {' and no '.join(missing)}; present: {listed(names)}",
            "both ids",
            AGAIN,
        )
    return Columns(names, held if is_model else None, single)


def _single(file: Section) -> dict[str, float]:
    """Return the columns in single precision, with their largest rounding."""
    if file.values["schema"] < CATALOGUE_SCHEMA:
        return {}
    stated, single = file.section(SINGLE).section("columns"), {}
    for name in stated.values:
        known = OUR_COLUMNS.get(name)
        if known is None or not kind_of(known):
            raise HeaderError(
                f"{stated.where}.{name}", "single precision", "a type that it may have", AGAIN
            )
        single[name] = float(stated.section(name).number("rounding"))
    return single


def _check_definition(definition: Section, column: Column, units: str) -> None:
    """Raise if unit, power of a or type are not those of the column that is declared."""
    where = f"{definition.where}: {column.name}"
    stated = definition.values.get("unit"), definition.values.get("h_power")
    if stated != unit_in_file(column, units):
        raise UnitsError(
            where,
            f"unit and power of h {shown(stated)}",
            f"{unit_in_file(column, units)} in a file with units {units}",
            AGAIN,
        )
    meaning = (definition.values.get("a_power"), definition.values.get("dtype"))
    if meaning != (column.a_power, np.dtype(column.dtype).name):
        raise HeaderError(
            where,
            f"power of a and type {shown(meaning)}",
            f"{(column.a_power, np.dtype(column.dtype).name)}",
            AGAIN,
        )


def check_unit(where: str, column: Column, units: str, stated: tuple[Any, Any]) -> None:
    """Raise if the unit string and the power of h of a column are not those of the file's units.

    Raises
    ------
    UnitsError
    """
    unit, h_power = unit_in_file(column, units)
    expected = ("" if h_power else unit, h_power)
    if tuple(map(type, stated)) != (str, int) or stated != expected:
        raise UnitsError(
            where,
            f"unit and power of h {shown(stated)} for {column.name}",
            f"{expected} in a file with units {units}",
            AGAIN,
        )


def unit_in_file(column: Column, units: str) -> tuple[str, int]:
    """Return the unit of a column in a file and its power of h: ``("solMass", -1)``."""
    return column.file_unit, column.h_power if units == "h" else 0


def _plugin_column(definition: Section, name: str) -> Column:
    """Return a plug-in's column, as the file defines it."""
    codes = {np.dtype(code).name: code for code in FITS_CODES}
    dtype = definition.text("dtype", "|".join(codes), " or ".join(codes))
    in_memory = definition.section(IN_MEMORY)
    powers = in_memory.values.get("h_power"), definition.values.get("a_power")
    unit, meaning = in_memory.text("unit"), definition.text("meaning")
    column = Column(name, unit, *powers, codes[dtype], (), meaning)  # type: ignore[arg-type]
    try:
        return declared_with([column], definition.where)[name]
    except BadValueError as error:
        raise HeaderError(error.where, error.found, error.expected, AGAIN) from error


def _column_of_a_model(definition: Section, name: str) -> tuple[Column, Held | None]:
    """Return a column of a data model, with what it is in the catalogue, if it is something."""
    source, origin = definition.values.get(FROM), definition.number(ORIGIN, optional=True)
    if source is None:
        codes = {np.dtype(code).name: code for code in FITS_CODES}
        dtype = definition.text("dtype", "|".join(codes), " or ".join(codes))
        return Column(name, "", 0, 0, codes[dtype]), None
    known = OUR_COLUMNS.get(source) if isinstance(source, str) else None
    if known is None:
        raise HeaderError(f"{definition.where}.{FROM}", shown(source), "a column", AGAIN)
    return replace(known, name=name), Held(known.name, float(origin or 0.0))
