"""Facts in the JSON of a catalogue that mockgal wrote, checked before they are used.

The JSON holds how the galaxies were made, and a section ``file`` with facts that the header (FITS)
or the attributes (HDF5) also state. All statements of one fact must agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from hashlib import blake2b
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...columns import OUR_COLUMNS, Column, declared_with
from ...completeness import KEY as COMPLETENESS
from ...completeness import Completeness
from ...cosmology import Cosmology, h_free
from ...errors import (
    BadValueError,
    CorruptFileError,
    FormatError,
    HeaderError,
    MissingDatasetError,
    UnitsError,
    UnsafeInputError,
    UsageError,
    listed,
    printable,
    shown,
)
from ...layout import (
    CATALOGUE_SCHEMA,
    ESSENTIALS,
    FITS_CODES,
    FROM,
    IN_MEMORY,
    INPUTS,
    MADE_WITH,
    MODEL,
    NUMBERED_ESSENTIALS,
    ORIGIN,
    REFER,
    STORED_DIGESTS,
    UNIT_SYSTEMS,
)
from ...system.files import plain_json
from ...types import LightCone, Snapshot, SourceFile
from .section import Section
from .values import AGAIN

MAX_JSON = 1 << 24  # bytes
MAX_DEPTH = 64  # nested lists and objects
_MAX_DIGITS = 300  # of a whole number
IDS = ("galaxy_id", "halo_id")  # identify a row


class Held(NamedTuple):
    """The column of the catalogue that a file's column is, and what was subtracted from it."""

    column: str
    origin: float


class Facts(NamedTuple):
    """A file's description of its rows.

    Parameters
    ----------
    rows : int
    declared : dict of str to Column
        Columns by their names in the file, in its order.
    units : str
        ``"h-free"`` or ``"h"``.
    frame : str
        ``"box"`` or ``"sky"``.
    digest : str
        Content digest of the catalogue that was written.
    stored_digests : dict of str to str
        Digest of each column as stored in the file; empty in files from before mockgal 0.2.
    box_is_exact : bool
        Whether the box size is exactly the value that the digest covers.
    snapshot : Snapshot
    provenance : dict
        The JSON without its section ``file``.
    file : dict
        The section ``file``.
    held : dict of str to Held or None
        In a file of a data model, the columns that are some of the catalogue's.
    """

    rows: int
    declared: dict[str, Column]
    units: str
    frame: str
    digest: str
    stored_digests: dict[str, str]
    box_is_exact: bool
    snapshot: Snapshot
    provenance: dict[str, Any]
    file: dict[str, Any]
    held: dict[str, Held] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the file."""
        return tuple(self.declared)

    def check_may_be_changed(self, path: Path) -> None:
        """Raise if the file, which was changed by hand, is one of a data model.

        Raises
        ------
        UsageError
        """
        if self.held is not None:
            name = self.file[MODEL].get("name")
            raise UsageError(
                path,
                f"a file of the data model {shown(name)}, changed by hand",
                "a catalogue with mockgal's own columns, which is read after changes",
                "change that catalogue, and write the data model of it",
            )

    @property
    def plugin_columns(self) -> tuple[Column, ...]:
        """Columns that plug-ins define."""
        if self.held is not None:
            return ()
        return tuple(c for name, c in self.declared.items() if name not in OUR_COLUMNS)


def parse(text: str, where: str, path: Path, size: int) -> Facts:
    """Return the facts in the JSON of a catalogue.

    Parameters
    ----------
    text : str
        The JSON.
    where : str
        Place of the JSON, for messages.
    path : Path
        The file, of ``size`` bytes.

    Raises
    ------
    CorruptFileError
        The text is not JSON as mockgal writes it.
    UnsafeInputError
        The JSON is too large or too deeply nested.
    FormatError
        The layout has another version.
    HeaderError, UnitsError, MissingDatasetError
        Facts are missing, have the wrong type, or contradict each other.
    """
    whole = Section(where, _load(text, where))
    if "file" not in whole.values:
        raise FormatError(where, "no section file", "the section that mockgal writes", AGAIN)
    file = whole.section("file")
    schema = file.values.get("schema")
    if type(schema) is not int or schema not in range(1, CATALOGUE_SCHEMA + 1):
        raise FormatError(
            f"{file.where}.schema",
            f"version {shown(schema)}",
            f"1 to {CATALOGUE_SCHEMA}",
            "read it with the version of mockgal that wrote it, or a newer one",
        )
    units = file.text("units", "|".join(UNIT_SYSTEMS), " or ".join(UNIT_SYSTEMS))
    _check_sections(whole)
    _check_repeats(whole, file)
    snapshot, box_is_exact = _snapshot(whole, file, units, SourceFile(str(path), size, ""))
    columns, held = _columns(file, units)
    return Facts(
        file.count("rows"),
        columns,
        units,
        file.text("frame", "box|sky", "box or sky"),
        file.text("content_digest", "[0-9a-f]{64}", "64 hexadecimal digits"),
        {} if schema == 1 else _stored_digests(file.section(STORED_DIGESTS), columns),
        box_is_exact,
        snapshot,
        {key: value for key, value in whole.values.items() if key != "file"},
        file.values,
        held,
    )


def _load(text: str, where: str) -> Any:
    if len(text) > MAX_JSON:
        raise UnsafeInputError(
            where, f"{len(text)} bytes of JSON", f"at most {MAX_JSON}", "do not use this file"
        )
    if bad := re.search(r"[^ -~]", text):
        raise CorruptFileError(where, f"the character {bad[0]!r}", "JSON in ASCII", AGAIN)

    try:
        return plain_json.load(text, depth=MAX_DEPTH, digits=_MAX_DIGITS)
    except plain_json.DeepJSONError as error:
        raise UnsafeInputError(
            where,
            f"JSON nested deeper than {MAX_DEPTH} levels",
            "a few levels",
            "do not use this file",
        ) from error
    except plain_json.PlainJSONError as error:
        raise CorruptFileError(where, f"damaged JSON ({error})", "valid JSON", AGAIN) from error


def _check_sections(whole: Section) -> None:
    """Raise if entries of the provenance that the package uses have the wrong type."""
    simulation, painter = whole.section("simulation"), whole.section("painter")
    simulation.section("reading")
    painter.number("luminosity_floor_msun_h", optional=True)
    whole.section(MADE_WITH)
    for name in ("cuts", "survey", "warnings", INPUTS):
        whole.list(name)
    completeness = whole.section(COMPLETENESS)
    for name in ("from_msun_h", "to_msun_h"):
        completeness.number(name, optional=True)
    for reason in completeness.list("not_complete"):
        if not isinstance(reason, str):
            raise HeaderError(f"{completeness.where}.not_complete", "no texts", "texts", AGAIN)
    for n in range(len(painter.list("references"))):
        if not isinstance(painter.list("references")[n], str):
            raise HeaderError(f"{painter.where}.references", "no texts", "a list of texts", AGAIN)
    for name in ("cuts", "survey"):
        for n, entry in enumerate(whole.list(name), 1):
            Section(f"{whole.where}.{name}, number {n}", entry)


def _check_repeats(whole: Section, file: Section) -> None:
    """Raise if the section ``file`` contradicts the other sections."""
    simulation, painter = whole.section("simulation"), whole.section("painter")
    weights = painter.values.get("weights_digest")
    cosmology = simulation.section("cosmology").values
    stated = {
        "version": whole.values.get("version"),
        "seed": whole.values.get("seed"),
        "configuration_digest": whole.values.get("configuration_digest"),
        "simulation": simulation.values.get("name"),
        "halo_digest": simulation.values.get("halo_digest"),
        "mass_definition": simulation.values.get("mass_definition"),
        "redshift": simulation.values.get("redshift"),
        "painter": painter.values.get("name"),
        "calibration_digest": painter.values.get("calibration_digest", weights),
        **{item.name: cosmology.get(item.name) for item in fields(Cosmology)},
    }
    if "completeness" in file.values:  # older files do not state it
        completeness = Completeness.of(whole.values)
        stated["completeness"] = str(completeness)
        if completeness.limit is not None:
            h = file.number("h") if file.values.get("units") == "h-free" else 1.0
            stated["complete_from"] = h_free(completeness.limit, -1, h)
    for number, cut in enumerate(whole.list("cuts"), 1):
        stated[f"cut_{number}"] = cut.get("cut")
    for number, reference in enumerate(painter.list("references"), 1):
        stated[f"reference_{number}"] = reference
    for name, value in stated.items():
        if value is not None and _as_written(value) != file.values.get(name):
            raise HeaderError(
                f"{file.where}.{name}",
                shown(file.values.get(name)),
                f"{shown(value)}, as elsewhere in the provenance",
                AGAIN,
            )


def _as_written(value: Any) -> Any:
    """Return a fact as the writers store it among the essentials."""
    if isinstance(value, float) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    return printable(value).encode("utf-8", "backslashreplace").decode()


def _snapshot(
    whole: Section, file: Section, units: str, source: SourceFile
) -> tuple[Snapshot, bool]:
    """Return the snapshot, and whether its box size is exactly that of the written catalogue."""
    simulation = whole.section("simulation")
    known = {item.name: file.number(item.name, optional=True) for item in fields(Cosmology)}
    for name in ("h", "omega_m", "omega_lambda"):
        file.number(name)
    stated, in_file = simulation.number("box_size_mpc_h", optional=True), file.number("box_size")
    try:
        cosmology = Cosmology(**known)
        factor = 1.0 if units == "h" else h_free(1.0, -1, cosmology.h)
        if stated is not None and abs(stated * factor - in_file) > 1e-12 * abs(in_file):
            raise HeaderError(
                "box_size",
                f"{in_file!r}",
                f"{stated * factor!r}, from box_size_mpc_h = {stated!r}",
                AGAIN,
            )
        named = simulation.values.get("name")
        snapshot = Snapshot(
            named if isinstance(named, str) else file.text("simulation"),
            in_file / factor if stated is None else stated,
            file.number("redshift"),
            cosmology,
            simulation.number("particle_mass_msun_h", optional=True),
            str(simulation.values.get("format", "unknown")),
            (source,),
            simulation.section("reading").values,
            _light_cone(simulation),
        )
    except HeaderError as error:
        if error.where.startswith(whole.where):
            raise
        raise HeaderError(
            f"{file.where}: {error.where}", error.found, error.expected, error.fix or AGAIN
        ) from error
    return snapshot, stated is not None or units == "h"


def _light_cone(simulation: Section) -> LightCone | None:
    """Return the light cone that a catalogue states, or None for a periodic box."""
    if "light_cone" not in simulation.values:
        return None
    stated = simulation.section("light_cone")
    observer, redshifts = (
        tuple(float(x) for x in stated.list(name) if isinstance(x, int | float) and isfinite(x))
        for name in ("observer_mpc_h", "redshifts")
    )
    if len(observer) != 3 or len(redshifts) != 2:
        raise HeaderError(stated.where, "no place and redshifts", "three and two numbers", AGAIN)
    return LightCone((observer[0], observer[1], observer[2]), (redshifts[0], redshifts[1]))


def check_digest(text: str | bytes, digest: object, where: str) -> None:
    """Raise if the JSON has not the digest that is stored beside it.

    Raises
    ------
    CorruptFileError
    """
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    found = blake2b(data, digest_size=32).hexdigest()
    if digest != found:
        raise CorruptFileError(where, f"a text of digest {found}", shown(digest), AGAIN)


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


def _columns(file: Section, units: str) -> tuple[dict[str, Column], dict[str, Held] | None]:
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
    return names, held if is_model else None


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


def _stored_digests(section: Section, columns: Iterable[str]) -> dict[str, str]:
    return {name: section.text(name, "[0-9a-f]{32}", "32 hexadecimal digits") for name in columns}


def check_essentials(
    facts: Facts, stated: Mapping[str, Any], where: str, *, tolerance: float
) -> None:
    """Raise if the facts of a header or of attributes are not those of the JSON.

    Parameters
    ----------
    facts : Facts
    stated : mapping
        Facts by their long names (`mockgal.layout.ESSENTIALS`).
    where : str
        Place of the facts, for messages.
    tolerance : float
        Relative tolerance for floats, because FITS cards have no room for all digits. If it is
        above 0, texts may refer to the JSON.

    Raises
    ------
    HeaderError
        A fact is missing, or differs.
    """
    expected = {name: value for name, value in facts.file.items() if is_essential(name)}
    for name in [*expected, *(name for name in stated if name not in expected)]:
        value, found = expected.get(name), stated.get(name)
        if isinstance(value, str) and tolerance:
            good = found in (printable(value).strip(), REFER)
        elif isinstance(value, float) and isinstance(found, int | float):
            good = abs(found - value) <= tolerance * abs(value)
        else:
            good = type(found) is type(value) and found == value
        if not good:
            raise HeaderError(
                f"{where}@{name}",
                "none" if found is None else shown(found),
                f"{'none' if value is None else shown(value)}, as in the provenance",
                AGAIN,
            )


def is_essential(name: str) -> bool:
    """Return whether header or attributes hold a fact of this name."""
    base, _, number = name.rpartition("_")
    return name in ESSENTIALS or (base in NUMBERED_ESSENTIALS and number.isdecimal())
