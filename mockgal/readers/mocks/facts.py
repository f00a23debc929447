"""Facts in the JSON of a catalogue that mockgal wrote, checked before they are used.

The JSON holds how the galaxies were made, and a section ``file`` with facts that the header (FITS)
or the attributes (HDF5) also state. All statements of one fact must agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from hashlib import blake2b
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ...columns import OUR_COLUMNS, Column
from ...completeness import KEY as COMPLETENESS
from ...completeness import Completeness
from ...cosmology import Cosmology, h_free
from ...errors import (
    CorruptFileError,
    FormatError,
    HeaderError,
    UnsafeInputError,
    UsageError,
    printable,
    shown,
)
from ...layout import (
    CATALOGUE_SCHEMA,
    ESSENTIALS,
    INPUTS,
    MADE_WITH,
    MODEL,
    NUMBERED_ESSENTIALS,
    REFER,
    STORED_DIGESTS,
    UNIT_SYSTEMS,
)
from ...system.files import plain_json
from ...types import LightCone, Snapshot, SourceFile
from .stated.columns import IDS as IDS
from .stated.columns import Held, columns_of
from .stated.columns import check_unit as check_unit
from .stated.section import Section
from .values import AGAIN

MAX_JSON = 1 << 24  # bytes
MAX_DEPTH = 64  # nested lists and objects
_MAX_DIGITS = 300  # of a whole number


class Facts(NamedTuple):
    """A file's description of its rows.

    Parameters
    ----------
    rows : int
    declared : dict of str to Column
        Columns by their names in the file, in its order, with the types that they have there.
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
    single : dict of str to float
        Of the columns that are stored in single precision, by how much that rounded them at most.
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
    single: Mapping[str, float] = MappingProxyType({})

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order of the file."""
        return tuple(self.declared)

    @property
    def in_memory(self) -> dict[str, Column]:
        """The columns with the types that they have in memory."""
        return {
            name: OUR_COLUMNS[name] if name in self.single else column
            for name, column in self.declared.items()
        }

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
    columns, held, single = columns_of(file, units)
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
        single,
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
