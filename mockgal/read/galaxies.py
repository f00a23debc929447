"""Catalogues that mockgal wrote, read back as a `mockgal.types.GalaxyCatalog`.

Memory is that of the columns asked for, and of one chunk of rows. A file in h units gives the very
numbers of the catalogue that was written, and its content digest is checked; in an h-free file the
conversion has rounded lengths and masses, see `_internal`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from ..columns import GALAXY_COLUMNS, PAINTED
from ..completeness import Completeness
from ..cosmology import h_free
from ..errors import (
    BadValueError,
    CorruptFileError,
    FormatError,
    UnsafeInputError,
    UsageError,
)
from ..memory import check_memory
from ..types import Array, GalaxyCatalog
from . import galaxies_fits, galaxies_hdf5, safe
from .galaxies_facts import IDS, Facts
from .galaxies_fits import FITSCatalogue
from .galaxies_hdf5 import HDF5Catalogue

CHUNK_ROWS = 1 << 16

Catalogue = FITSCatalogue | HDF5Catalogue

_AGAIN = "copy the file again, or make it again"
_HDF5_MAGIC, _FITS_MAGIC, _GZIP_MAGIC = b"\x89HDF\r\n\x1a\n", b"SIMPLE  =", b"\x1f\x8b"


def read_galaxies(
    path: Path | str | os.PathLike[str],
    columns: Iterable[str] | None = None,
    *,
    chunk_rows: int = CHUNK_ROWS,
) -> GalaxyCatalog:
    """The catalogue in a FITS or HDF5 file that `mockgal.write` wrote.

    Parameters
    ----------
    path : path-like
    columns : iterable of str, optional
        Names of `mockgal.columns.GALAXY_COLUMNS`; all columns of the file without it. The ids
        ``galaxy_id`` and ``halo_id`` always come along.
    chunk_rows : int
        Rows held beside the result; the result does not depend on it.

    Returns
    -------
    GalaxyCatalog
        In internal units, with the provenance that was written. Where its digest is not that of the
        catalogue that was written, because columns were left out or an h-free file has rounded the
        numbers, ``provenance["read_from"]`` has the latter.

    Raises
    ------
    CorruptFileError
        Cut off, damaged, or rows that are not those of the content digest.
    FormatError
        Not a catalogue that mockgal wrote.
    HeaderError, UnitsError, BadValueError, MissingDatasetError
        Statements that contradict each other, or values that cannot be.
    UnsafeInputError
        A file that declares what no harmless one does.
    ResourceError
        The columns do not fit in the memory of this machine.
    UsageError
        A column that does not exist, or that the file does not have.
    """
    path = Path(path)
    if chunk_rows < 1:
        raise UsageError("chunk_rows", f"{chunk_rows}", "1 or more", "leave it out")
    with _open(path) as catalogue:
        facts = catalogue.facts
        names = _wanted(path, facts, columns)
        kinds = {name: np.dtype(GALAXY_COLUMNS[name].dtype).newbyteorder("=") for name in names}
        check_memory(f"{path}", facts.rows * sum(kind.itemsize for kind in kinds.values()))
        result = {name: np.empty(facts.rows, dtype=kind) for name, kind in kinds.items()}
        for start, part in _converted(catalogue, names, chunk_rows):
            for name, values in part.items():
                result[name][start : start + len(values)] = values
    galaxies = GalaxyCatalog(result, facts.snapshot, facts.frame, facts.provenance)
    _check_ids(path, galaxies)
    left_out = [name for name in facts.columns if name not in names]
    if left_out or not _is_exact(facts):
        return galaxies.with_provenance(
            read_from={
                "content_digest": facts.digest,
                "rows": facts.rows,
                "units": facts.units,
                "columns_left_out": left_out,
            }
        )
    if galaxies.digest() != facts.digest:
        raise CorruptFileError(
            path, f"rows of content digest {galaxies.digest()}", facts.digest, _AGAIN
        )
    return galaxies


def is_catalogue(path: Path | str | os.PathLike[str]) -> bool:
    """Whether the file at ``path`` begins as a catalogue that mockgal wrote; never raises."""
    path = Path(path)
    # `Path.is_file` raises for names that no file can have.
    return os.path.isfile(path) and (galaxies_fits.detect(path) or galaxies_hdf5.detect(path))


def describe_galaxies(path: Path | str | os.PathLike[str]) -> dict[str, Any]:
    """What is in a catalogue that mockgal wrote; all of it is read, and passes its checksums.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        Plain JSON values; masses in Msun/h, lengths in Mpc/h, as the keys say.

    Raises
    ------
    MockgalError
        See `read_galaxies`.
    """
    path, centrals, low, high = Path(path), 0, inf, -inf
    with _open(path) as catalogue:
        facts = catalogue.facts
        for _, part in _converted(catalogue, facts.columns, CHUNK_ROWS):
            centrals += int(np.sum(part.get("is_central", False)))
            mass = part.get("stellar_mass", np.empty(0))
            low, high = min(low, mass.min(initial=inf)), max(high, mass.max(initial=-inf))
    snapshot, provenance = facts.snapshot, facts.provenance
    simulation, painter = provenance.get("simulation", {}), provenance.get("painter", {})
    shown = ("calibration", "calibration_digest", "weights", "weights_digest", "caution")
    return {
        "path": str(path),
        "kind": "mock",
        "format": catalogue.format,
        "bytes": sum(file.size for file in snapshot.source),
        "version": provenance.get("version"),
        "rows": facts.rows,
        "columns": {name: _unit_label(name, facts.units) for name in facts.columns},
        "columns_absent": [
            name
            for name, column in GALAXY_COLUMNS.items()
            if name not in facts.columns and column not in PAINTED.values()
        ],
        "units": facts.units,
        "frame": facts.frame,
        "centrals": centrals if "is_central" in facts.columns else None,
        "stellar_mass_range_msun_h": [float(low), float(high)] if low <= high else None,
        "simulation": snapshot.name,
        "box_size_mpc_h": snapshot.box_size,
        "redshift": snapshot.redshift,
        "cosmology": snapshot.cosmology.to_dict(),
        "particle_mass_msun_h": snapshot.particle_mass,
        "host_mass_definition": simulation.get("mass_definition"),
        "halo_digest": simulation.get("halo_digest"),
        "missing_chunks": snapshot.record.get("missing_chunks") or None,
        "painter": {"name": painter.get("name")}
        | {key: painter[key] for key in (*shown, "references") if key in painter},
        "seed": provenance.get("seed"),
        "cuts": provenance.get("cuts", []),
        "completeness": str(Completeness.of(provenance)),
        "warnings": provenance.get("warnings", []),
        "configuration_digest": provenance.get("configuration_digest"),
        "content_digest": facts.digest,
    }


def _unit_label(name: str, units: str) -> str:
    column = GALAXY_COLUMNS[name]
    return column.unit_label if units == "h" else column.unit


def _open(path: Path) -> AbstractContextManager[Catalogue]:
    """Open ``path`` with the reader that its first bytes ask for."""
    safe.check_regular(path)
    status = path.stat()
    stored = status.st_blocks * 512
    if status.st_size > safe.BOMB_BYTES and status.st_size > safe.BOMB_RATIO * stored:
        raise UnsafeInputError(
            path,
            f"a file of {status.st_size} bytes, of which {stored} are stored",
            "a file without holes",
            "do not use this file",
        )
    with open(path, "rb") as file:
        begin = file.read(16)
    if begin.startswith(_FITS_MAGIC):
        return galaxies_fits.open_catalogue(path)
    if begin.startswith(_HDF5_MAGIC) or path.suffix.lower() in (".hdf5", ".h5"):
        return galaxies_hdf5.open_catalogue(path)
    if begin.startswith(_GZIP_MAGIC):
        raise FormatError(
            path,
            "a compressed file (gzip)",
            "a FITS or HDF5 file",
            "uncompress it: gunzip --keep FILE.gz",
        )
    if path.suffix.lower() in (".fits", ".fit"):
        raise CorruptFileError(
            path, f"a file that begins with {begin!r}", f"{_FITS_MAGIC!r}", _AGAIN
        )
    raise FormatError(
        path,
        f"a file that begins with {begin!r}",
        "a FITS or HDF5 file that mockgal wrote",
        "give the path of the catalogue",
    )


def _wanted(path: Path, facts: Facts, columns: Iterable[str] | None) -> tuple[str, ...]:
    """The columns to read, in the order of `GALAXY_COLUMNS`."""
    if columns is None:
        return tuple(name for name in GALAXY_COLUMNS if name in facts.columns)
    asked = {columns} if isinstance(columns, str) else set(columns)
    unknown = sorted(str(name) for name in asked if name not in facts.columns)
    if unknown:
        raise UsageError(
            path,
            f"no column {', '.join(unknown)}",
            "some of " + ", ".join(facts.columns),
            "ask for columns of the file",
        )
    return tuple(name for name in GALAXY_COLUMNS if name in asked or name in IDS)


def _is_exact(facts: Facts) -> bool:
    """Whether the rows are the very numbers that the content digest covers."""
    converted = [name for name in facts.columns if GALAXY_COLUMNS[name].h_power]
    return facts.units == "h" or (facts.box_is_exact and not (converted and facts.rows))


def _converted(
    catalogue: Catalogue, names: tuple[str, ...], chunk_rows: int
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Rows in internal units, checked."""
    facts, bad = catalogue.facts, None
    for start, part in catalogue.chunks(names, chunk_rows):
        try:
            for name, values in part.items():
                h_power = GALAXY_COLUMNS[name].h_power
                is_position = name.startswith("position_") and facts.frame == "box"
                if facts.units == "h-free" and h_power:
                    edge = facts.snapshot.box_size if is_position else inf
                    part[name] = _internal(values, h_power, facts.snapshot.cosmology.h, edge)
                _check_values(catalogue, name, start, part[name], is_position)
        except BadValueError as error:
            bad = bad or error  # a file that is damaged is to be called so, once all is read
            continue
        yield start, part
    if bad is not None:
        raise bad


def _internal(stored: Array, h_power: int, h: float, edge: float) -> Array:
    """Numbers whose conversion to h-free units gives ``stored``.

    The conversion is not one to one: for h near 0.7 three in ten numbers share their result with a
    neighbour, so these are within one unit in the last place of those that were converted. Written
    again, they give ``stored`` again, bit for bit.

    Parameters
    ----------
    stored : ndarray of float, shape (n,)
    h_power : int
        Power of h in the internal unit.
    h : float
    edge : float
        Of the box: no number is at it that could be below.

    Returns
    -------
    ndarray, shape (n,)
        Of the type of ``stored``.
    """
    kind, factor = stored.dtype, h_free(1.0, h_power, h)

    def forward(values: Array) -> Array:
        converted: Array = (values.astype(np.float64) * factor).astype(kind)
        return converted

    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        result: Array = (stored.astype(np.float64) / factor).astype(kind)
        wrong = np.flatnonzero(forward(result) != stored)
        for toward in (-inf, inf):
            near = np.nextafter(result[wrong], kind.type(toward))
            found = forward(near) == stored[wrong]
            result[wrong[found]] = near[found]
        at_edge = np.flatnonzero((result >= edge) & (edge < inf))
        below = np.full(len(at_edge), np.nextafter(kind.type(edge), kind.type(0)))
        found = forward(below) == stored[at_edge]
        result[at_edge[found]] = below[found]
    return result


def _check_values(
    catalogue: Catalogue, name: str, start: int, values: Array, is_position: bool
) -> None:
    """Numbers are finite, positions in the box, and masses and speeds not below zero."""
    if values.dtype.kind != "f" or not len(values):
        return
    column, high = GALAXY_COLUMNS[name], inf
    not_negative = column.unit == "Msun" or name.endswith(("vmax", "radius")) or is_position
    low = 0.0 if not_negative else -inf
    expected = "finite numbers" + f", {column.unit_label} and not below 0" * (low == 0)
    if is_position:
        high = catalogue.facts.snapshot.box_size
        expected = f"[0, {high!r}) {column.unit_label}"
    if low <= values.min() and values.max() < high and np.isfinite(values.min()):  # no NaN either
        return
    bad = np.flatnonzero(~((values >= low) & (values < high) & np.isfinite(values)))
    raise BadValueError(
        f"{catalogue.where(name)}, row {start + int(bad[0])}",
        f"{float(values[bad[0]])!r} {column.unit_label}",
        expected,
        _AGAIN,
    )


def _check_ids(path: Path, galaxies: GalaxyCatalog) -> None:
    ids, hosts = galaxies["galaxy_id"], galaxies["halo_id"]  # by which the rows are sorted
    repeated = np.flatnonzero((ids[1:] == ids[:-1]) & (hosts[1:] == hosts[:-1]))
    if repeated.size:
        raise BadValueError(
            path,
            f"{repeated.size} galaxies that are there twice, the first of galaxy_id "
            f"{ids[repeated[0]]}",
            "each once",
            _AGAIN,
        )
