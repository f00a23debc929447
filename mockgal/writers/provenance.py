"""The content of a file: the one place where a catalogue becomes columns and facts on disk.

Every writer takes its columns, its header entries and its JSON from here. Nothing here depends on
the time, the host or the path of the run, so that equal catalogues give equal bytes; those facts go
to the sidecar ``<output>.run.json``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import precision
from ..columns import OUR_COLUMNS, Column
from ..cosmology import h_free
from ..digests import StoredDigests
from ..errors import InternalError, MockgalError, UsageError, printable
from ..layout import (
    CATALOGUE_SCHEMA,
    DOUBLE_SCHEMA,
    ESSENTIALS,
    FROM,
    GALAXIES,
    IN_MEMORY,
    MODEL,
    NUMBERED_ESSENTIALS,
    ORIGIN,
    PROVENANCE,
    PROVENANCE_DIGEST,
    SINGLE,
    STORED_DIGESTS,
    UNIT_SYSTEMS,
)
from ..system.files import plain_json
from ..system.files.atomic import atomic_output
from ..system.files.plain_text import beside, read_text
from ..types import Array, GalaxyCatalog

_LONGEST_RECORD = 1 << 24  # bytes: a simulation may have tens of thousands of files
NO_DIGEST = "0" * 64  # placeholder of the same length as a digest


class Source(NamedTuple):
    """The column of a catalogue that a column of a data model is.

    Parameters
    ----------
    column : str or None
        Its name; None for what is computed. What is there twice is read back from the first.
    origin : float
        What is subtracted from its numbers, in internal units.
    """

    column: str | None
    origin: float = 0.0


@dataclass(frozen=True)
class FileColumn:
    """A column as a file holds it.

    Parameters
    ----------
    column : Column
        With the name and the meaning that it has in the file.
    h_power : int
        Power of h in the unit of the numbers in the file; 0 in h-free files.
    values : ndarray, shape (n,) or (n, m)
        The numbers in memory, in internal units.
    h : float
        Hubble constant over 100 km/s/Mpc.
    source : Source, optional
        In a file of a data model: the column of the catalogue that it is.
    edge : float, optional
        Of numbers that are stored in single precision: see `mockgal.precision.single`.
    rounded_by : str
        By how much that changes them at most; "" if it does not.
    """

    column: Column
    h_power: int
    values: Array
    h: float
    source: Source | None = None
    edge: float | None = None
    rounded_by: str = ""

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.column.name

    @property
    def meaning(self) -> str:
        """Meaning of the column, in one line."""
        return self.column.meaning

    @property
    def base_unit(self) -> str:
        """Unit without its power of h, as the FITS standard writes it; "" if none."""
        return self.column.file_unit

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers, in native byte order."""
        return self.values.dtype if self.edge is None else np.dtype(np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return self.values.size * self.dtype.itemsize

    @property
    def as_stored(self) -> Column:
        """The column with the type of the file."""
        return replace(self.column, dtype=self.dtype.newbyteorder("<").str)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self.values.shape[1:]

    @property
    def unit(self) -> str:
        """Unit string of the file; "" if the unit has a power of h, which no standard allows."""
        return "" if self.h_power else self.base_unit

    @property
    def description(self) -> str:
        """The meaning, its rounding, and the unit if the unit string cannot hold it."""
        meaning = self.meaning
        if self.rounded_by:
            meaning += f"; rounded by at most {self.rounded_by}"
        return f"{meaning} [{self.column.unit_label}]" if self.h_power else meaning

    def attributes(self) -> dict[str, str | int]:
        """Return what formats with named attributes hold of the column."""
        return {
            "unit": self.unit,
            "h_power": self.h_power,
            "a_power": self.column.a_power,
            "description": self.description,
        }

    def rows(self, start: int, stop: int) -> Array:
        """Return rows ``start`` to ``stop`` as the file holds them, shape (stop - start, ...)."""
        part = self.values[start:stop]
        if self.source is not None and self.source.origin:
            part = part - self.source.origin
        if self.h_power != self.column.h_power:
            wide = part.astype(np.float64, copy=False)
            part = h_free(wide, self.column.h_power, self.h).astype(part.dtype, copy=False)
        return part if self.edge is None else precision.single(part, self.edge)

    def definition(self) -> dict[str, Any]:
        """Return the definition for the JSON: unit (without h), powers and meaning.

        For a column of a plug-in, ``in_memory`` is what `mockgal.read_galaxies` needs to know; for
        a column of a data model, ``from`` and ``origin`` are.
        """
        column = self.column
        more: dict[str, Any] = {}
        if self.source is not None:
            more = {FROM: self.source.column}
            if self.source.origin:
                more[ORIGIN] = self.source.origin
        elif self.name not in OUR_COLUMNS:
            more = {IN_MEMORY: {"unit": column.unit, "h_power": column.h_power}}
        return {
            "name": self.name,
            "unit": self.base_unit,
            "h_power": self.h_power,
            "a_power": column.a_power,
            "meaning": self.meaning,
            "dtype": self.dtype.name,
            **more,
        }


class Essential(NamedTuple):
    """A fact that goes to the header: its FITS keyword, its name elsewhere, value and comment."""

    keyword: str
    name: str
    value: str | int | float
    comment: str


class FileContent(NamedTuple):
    """The content of a file: columns, header entries, provenance as JSON, rows, table's name."""

    columns: tuple[FileColumn, ...]
    essentials: tuple[Essential, ...]
    provenance: str
    rows: int
    table: str

    @property
    def provenance_digest(self) -> str:
        """BLAKE2b-256 of the provenance: no checksum covers attributes, and weak ones FITS."""
        return blake2b(self.provenance.encode("ascii"), digest_size=32).hexdigest()

    def facts(self) -> dict[str, str | int | float]:
        """Return what formats with named attributes hold of the file."""
        essentials = {item.name: item.value for item in self.essentials}
        digest = self.provenance_digest
        return {**essentials, PROVENANCE: self.provenance, PROVENANCE_DIGEST: digest}


def file_columns(galaxies: GalaxyCatalog, units: str) -> tuple[FileColumn, ...]:
    """Return the columns of ``galaxies`` as a file holds them, in the order of their declarations.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    units : str
        ``"h-free"``: Mpc, solMass, km s-1. ``"h"``: the numbers as in memory (Mpc/h, Msun/h), with
        the power of h stated for each column.
    """
    if units not in UNIT_SYSTEMS:
        raise UsageError("units", repr(units), "one of " + ", ".join(UNIT_SYSTEMS))
    h = galaxies.snapshot.cosmology.h
    return tuple(
        FileColumn(column, column.h_power if units == "h" else 0, galaxies[name], h)
        for name, column in galaxies.declared.items()
        if name in galaxies
    )


def begin_digest(galaxies: GalaxyCatalog) -> Callable[[], str]:
    """Start computing the content digest of ``galaxies`` in a thread: it takes as long as writing.

    Returns
    -------
    callable
        Waits for the digest and returns it. Without a call nothing waits.
    """
    result: list[str] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(galaxies.digest())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work, name="digest", daemon=True)
    thread.start()

    def digest() -> str:
        thread.join()
        if failure:
            raise failure[0]
        return result[0]

    return digest


@dataclass(frozen=True)
class FileTable:
    """A catalogue as the table of a file.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    units : str
        See `file_columns`.
    columns : tuple of FileColumn
    name : str
        Of the table: the group in HDF5, in capitals the HDU of FITS.
    model : mapping, optional
        The name of the data model, and what else it records; None for the catalogue itself.
    single : mapping, optional
        Which columns are in single precision: the facts of `mockgal.precision.choose`.
    """

    galaxies: GalaxyCatalog
    units: str
    columns: tuple[FileColumn, ...]
    name: str = GALAXIES
    model: Mapping[str, Any] | None = None
    single: Mapping[str, Any] | None = None

    def stored_digests(self) -> StoredDigests:
        """Return digests of the columns as the file stores them, with no rows yet."""
        return StoredDigests(column.as_stored for column in self.columns)

    def describe(
        self, digest: str | None = None, stored: StoredDigests | None = None
    ) -> FileContent:
        """Return columns, header entries and provenance.

        Parameters
        ----------
        digest : str, optional
            ``galaxies.digest()``, if already known; or `NO_DIGEST`, for form and size only.
        stored : StoredDigests, optional
            Digests of the rows in the file, if there is one; their length is fixed.
        """
        galaxies, columns = self.galaxies, self.columns
        digest = galaxies.digest() if digest is None else digest
        essentials = tuple(_essentials(galaxies, self.units, digest))
        provenance = {
            **galaxies.provenance,
            "file": {
                "schema": DOUBLE_SCHEMA if self.single is None else CATALOGUE_SCHEMA,
                "columns": [column.definition() for column in columns],
                **({} if self.model is None else {MODEL: dict(self.model)}),
                **({} if self.single is None else {SINGLE: dict(self.single)}),
                **({} if stored is None else {STORED_DIGESTS: stored.hexadecimal()}),
                **{item.name: item.value for item in essentials},
            },
        }
        try:
            # ASCII, which is also UTF-8: FITS allows nothing else in its character columns.
            text = json.dumps(
                provenance, sort_keys=True, allow_nan=False, separators=(",", ":"), default=_as_dict
            ).replace("\x7f", "\\u007f")
        except (TypeError, ValueError) as error:
            raise InternalError("provenance", str(error), "plain, finite JSON values") from error
        return FileContent(columns, essentials, text, len(galaxies), self.name)


def plain_table(
    galaxies: GalaxyCatalog, units: str, single: Mapping[str, Any] | None = None
) -> FileTable:
    """Return a catalogue as a table of all of its columns, under their own names.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    units : str
    single : mapping, optional
        If given, columns are stored in single precision where `mockgal.precision.choose` allows it.
        It may hold ``position_rounding``.
    """
    columns = file_columns(galaxies, units)
    if single is None:
        return FileTable(galaxies, units, columns)
    about = galaxies.snapshot, galaxies.frame, single.get("position_rounding")
    chosen = precision.choose(columns, len(galaxies), *about)
    columns = tuple(
        replace(one, edge=chosen.edges[one.name], rounded_by=chosen.in_words(one.name))
        if one.name in chosen.edges
        else one
        for one in columns
    )
    return FileTable(galaxies, units, columns, single=chosen.facts)


def _essentials(galaxies: GalaxyCatalog, units: str, digest: str) -> Iterator[Essential]:
    """Yield the header entries, in the order of the file; unknown facts are left out."""
    snapshot, cosmology = galaxies.snapshot, galaxies.snapshot.cosmology.to_dict()
    simulation = _section(galaxies.provenance, "simulation")
    painter = _section(galaxies.provenance, "painter")
    h = snapshot.cosmology.h
    box, box_unit = (
        (snapshot.box_size, "Mpc/h") if units == "h" else (h_free(snapshot.box_size, -1, h), "Mpc")
    )
    weights = painter.get("calibration_digest", painter.get("weights_digest"))
    facts: list[tuple[str, Any, str]] = [
        ("version", galaxies.provenance.get("version"), "version of mockgal"),
        ("simulation", simulation.get("name", snapshot.name), "simulation"),
        ("painter", painter.get("name"), "painter of the galaxies"),
        ("seed", galaxies.provenance.get("seed"), "seed of the random numbers"),
        ("configuration_digest", galaxies.provenance.get("configuration_digest"), ""),
        ("calibration_digest", weights, ""),
        ("halo_digest", simulation.get("halo_digest"), ""),
        ("mass_definition", simulation.get("mass_definition"), "meaning of halo_mass"),
        ("frame", galaxies.frame, "box (comoving Cartesian) or sky"),
        ("box_size", box, f"[{box_unit}] comoving side of the periodic box"),
        ("redshift", snapshot.redshift, "redshift of the snapshot"),
        ("h", cosmology.get("h"), "Hubble constant over 100 km/s/Mpc"),
        ("omega_m", cosmology.get("omega_m"), "matter density parameter today"),
        ("omega_lambda", cosmology.get("omega_lambda"), "dark-energy density parameter"),
        ("omega_b", cosmology.get("omega_b"), "baryon density parameter today"),
        ("sigma_8", cosmology.get("sigma_8"), "amplitude of fluctuations"),
        ("n_s", cosmology.get("n_s"), "spectral index"),
        ("w0", cosmology.get("w0"), "equation of state of dark energy today"),
        ("wa", cosmology.get("wa"), "its change with 1 - a"),
        ("omega_r", cosmology.get("omega_r"), "radiation density parameter today"),
        ("omega_nu", cosmology.get("omega_nu"), "massive neutrinos, beside OMEGA_M"),
        ("units", units, "h-free, or h: with powers of little h"),
        ("rows", len(galaxies), "number of galaxies"),
        ("content_digest", digest, ""),
        ("completeness", str(galaxies.completeness), "where all galaxies are there"),
    ]
    limit = galaxies.completeness.limit
    if limit is not None:
        own, unit = (limit, "Msun/h") if units == "h" else (h_free(limit, -1, h), "Msun")
        facts.append(("complete_from", own, f"[{unit}] least stellar mass that is complete"))
    for number, cut in enumerate(galaxies.provenance.get("cuts") or (), 1):
        known = cut if isinstance(cut, Mapping) else {"cut": cut}
        counts = f"{known.get('before', '?')} rows before, {known.get('after', '?')} after"
        facts.append((f"cut_{number}", known.get("cut"), counts))
    for number, reference in enumerate(painter.get("references") or (), 1):
        facts.append((f"reference_{number}", reference, ""))
    for name, value, comment in facts:
        if value is not None:
            yield Essential(_keyword(name), name, _header_value(value), comment)


def _keyword(name: str) -> str:
    """Return the FITS keyword of a fact, by `mockgal.layout`."""
    if name in ESSENTIALS:
        return ESSENTIALS[name]
    base, _, number = name.rpartition("_")
    return f"{NUMBERED_ESSENTIALS[base]}{number}"


def _section(provenance: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = provenance.get(name)
    return section if isinstance(section, Mapping) else {}


def _header_value(value: Any) -> str | int | float:
    """Return ``value`` as headers can hold it: text escaped, integers beyond 64 bits as text."""
    if isinstance(value, float) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    return printable(value).encode("utf-8", "backslashreplace").decode()


def _as_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):  # json knows dict only
        return dict(value)
    raise TypeError(f"a {type(value).__name__}")


def sidecar_path(path: Path) -> Path:
    """Return ``<path>.run.json``, where `write_sidecar` writes for the output ``path``."""
    return beside(path, ".run.json")


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """Return the facts in the sidecar of the output ``path``; None if it cannot be read."""
    sidecar = sidecar_path(path)
    try:
        record = plain_json.load(read_text(sidecar, _LONGEST_RECORD, "the record of a run", fix=""))
    except (MockgalError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def write_sidecar(path: Path, facts: Mapping[str, Any], *, overwrite: bool) -> Path:
    """Write the facts about the run, not the catalogue, to a file beside the output.

    Parameters
    ----------
    path : Path
        The output.
    facts : mapping
        Host, times, peak memory, input files; values that JSON lacks are written as text.
    overwrite : bool
        Replace an existing sidecar.

    Returns
    -------
    Path
        `sidecar_path` of ``path``.

    Raises
    ------
    OutputExistsError, OutputError, ResourceError
        The sidecar exists, or cannot be written.
    """
    sidecar = sidecar_path(path)
    text = json.dumps(dict(facts), indent=1, sort_keys=True, default=str) + "\n"
    with atomic_output(sidecar, overwrite=overwrite, expected_bytes=len(text)) as temporary:
        temporary.write_text(text, encoding="ascii")
    return sidecar
