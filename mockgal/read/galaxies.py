"""Catalogues that mockgal wrote, read back as a `mockgal.types.GalaxyCatalog`.

Memory is that of the columns asked for, and of one chunk of rows. A file in h units gives the very
numbers of the catalogue that was written, and its content digest is checked; in an h-free file the
conversion has rounded lengths and masses, see `mockgal.read.galaxies_values.internal`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from ..columns import GALAXY_COLUMNS, PAINTED, StoredDigests
from ..completeness import Completeness
from ..errors import (
    BadValueError,
    CorruptFileError,
    FormatError,
    UnsafeInputError,
    UsageError,
    warn,
)
from ..memory import check_memory
from ..types import Array, GalaxyCatalog
from . import galaxies_fits, galaxies_hdf5, safe
from .galaxies_facts import IDS, Facts
from .galaxies_fits import FITSCatalogue
from .galaxies_hdf5 import HDF5Catalogue
from .galaxies_values import AGAIN, check_ids, check_values, internal

CHUNK_ROWS = 1 << 16
_OR_SAY_WHY = f'{AGAIN}; if you changed it on purpose, --changed-by-hand "WHY"'

Catalogue = FITSCatalogue | HDF5Catalogue

_HDF5_MAGIC, _FITS_MAGIC, _GZIP_MAGIC = b"\x89HDF\r\n\x1a\n", b"SIMPLE  =", b"\x1f\x8b"


def read_galaxies(
    path: Path | str | os.PathLike[str],
    columns: Iterable[str] | None = None,
    *,
    chunk_rows: int = CHUNK_ROWS,
    changed_by_hand: str | None = None,
) -> GalaxyCatalog:
    """Return the catalogue in a FITS or HDF5 file that `mockgal.write` wrote.

    Parameters
    ----------
    path : path-like
    columns : iterable of str, optional
        Names of `mockgal.columns.GALAXY_COLUMNS`; all columns of the file without it. The ids
        ``galaxy_id`` and ``halo_id`` always come along.
    chunk_rows : int
        Rows held beside the result; the result does not depend on it.
    changed_by_hand : str, optional
        Why a file has other numbers than mockgal wrote, a FITS file also other rows or columns; its
        keyword CHANGED may say so as well. See `mockgal.read.galaxies_changed`.

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
    reason, is_fits = _reason(path, changed_by_hand)
    if reason is not None:
        # Only here: astropy's tables take a second to load.
        from .galaxies_changed import as_changed, check_reason, read_changed

        check_reason(reason)
    if reason is not None and is_fits:
        asked = (columns,) if isinstance(columns, str) else columns
        return read_changed(path, None if asked is None else tuple(asked), reason)
    changed: list[str] = []
    with _open(path) as catalogue:
        facts = catalogue.facts
        names = _wanted(path, facts, columns)
        kinds = {name: np.dtype(GALAXY_COLUMNS[name].dtype).newbyteorder("=") for name in names}
        check_memory(f"{path}", facts.rows * sum(kind.itemsize for kind in kinds.values()))
        result = {name: np.empty(facts.rows, dtype=kind) for name, kind in kinds.items()}
        found = None if reason is None else changed
        for start, part in _converted(catalogue, names, chunk_rows, found):
            for name, values in part.items():
                result[name][start : start + len(values)] = values
    galaxies = GalaxyCatalog(result, facts.snapshot, facts.frame, facts.provenance)
    left_out = [name for name in facts.columns if name not in names]
    exact = not left_out and _is_exact(facts)
    if reason is not None:
        if (exact and galaxies.digest() != facts.digest) or not (exact or facts.stored_digests):
            changed = changed or list(names)
        if changed:
            return as_changed(path, galaxies, reason, facts.rows, facts.digest, changed=changed)
        warn(
            f"{path}: said to be changed by hand ({reason}), but its rows are those that mockgal "
            "wrote",
            stacklevel=2,
        )
    check_ids(path, galaxies)
    if not exact:
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
            path, f"rows of content digest {galaxies.digest()}", facts.digest, _OR_SAY_WHY
        )
    return galaxies


def is_catalogue(path: Path | str | os.PathLike[str]) -> bool:
    """Whether the file at ``path`` begins as a catalogue that mockgal wrote; never raises."""
    path = Path(path)
    # `Path.is_file` raises for names that no file can have.
    return os.path.isfile(path) and (galaxies_fits.detect(path) or galaxies_hdf5.detect(path))


def _reason(path: Path, changed_by_hand: str | None) -> tuple[str | None, bool]:
    """Return why the file was changed by hand, as the caller or it says, and whether it is FITS."""
    safe.check_regular(path)
    with open(path, "rb") as file:
        is_fits = file.read(16).startswith(_FITS_MAGIC)
    if is_fits and changed_by_hand is None:
        return galaxies_fits.stated_reason(path), True
    return changed_by_hand, is_fits


def describe_galaxies(
    path: Path | str | os.PathLike[str], *, changed_by_hand: str | None = None
) -> dict[str, Any]:
    """Describe a catalogue that mockgal wrote; all of it is read, and passes its checksums.

    Parameters
    ----------
    path : path-like
    changed_by_hand : str, optional
        See `read_galaxies`.

    Returns
    -------
    dict
        Plain JSON values; masses in Msun/h, lengths in Mpc/h, as the keys say.

    Raises
    ------
    MockgalError
        See `read_galaxies`.
    """
    path = Path(path)
    reason, is_fits = _reason(path, changed_by_hand)
    if reason is not None:
        mock = read_galaxies(path, changed_by_hand=reason)
        facts = Facts(
            len(mock),
            tuple(mock.columns),
            "h",
            mock.frame,
            mock.digest(),
            {},
            True,
            mock.snapshot,
            dict(mock.provenance),
            {},
        )
        return _description(path, "fits" if is_fits else "hdf5", facts, iter([dict(mock.columns)]))
    with _open(path) as catalogue:
        parts = (part for _, part in _converted(catalogue, catalogue.facts.columns, CHUNK_ROWS))
        return _description(path, catalogue.format, catalogue.facts, parts)


def _description(
    path: Path, format: str, facts: Facts, parts: Iterator[dict[str, Array]]
) -> dict[str, Any]:
    centrals, low, high = 0, inf, -inf
    for part in parts:
        centrals += int(np.sum(part.get("is_central", False)))
        mass = part.get("stellar_mass", np.empty(0))
        low, high = min(low, mass.min(initial=inf)), max(high, mass.max(initial=-inf))
    snapshot, provenance = facts.snapshot, facts.provenance
    simulation, painter = provenance.get("simulation", {}), provenance.get("painter", {})
    shown = ("calibration", "calibration_digest", "weights", "weights_digest", "caution")
    return {
        "path": str(path),
        "kind": "mock",
        "format": format,
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
        "changed_by_hand": provenance.get("changed_by_hand"),
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
            path, f"a file that begins with {begin!r}", f"{_FITS_MAGIC!r}", AGAIN
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
    catalogue: Catalogue,
    names: tuple[str, ...],
    chunk_rows: int,
    changed: list[str] | None = None,
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Yield rows in internal units, checked; ``changed`` as in `_stored`."""
    facts, bad = catalogue.facts, None
    box_size = facts.snapshot.box_size if facts.frame == "box" else None
    for start, part in _stored(catalogue, names, chunk_rows, changed):
        try:
            for name, values in part.items():
                h_power = GALAXY_COLUMNS[name].h_power
                if facts.units == "h-free" and h_power:
                    edge = box_size if box_size and name.startswith("position_") else inf
                    part[name] = internal(values, h_power, facts.snapshot.cosmology.h, edge)
                check_values(catalogue.where(name), name, start, part[name], box_size)
        except BadValueError as error:
            bad = bad or error  # a file that is damaged is to be called so, once all is read
            continue
        yield start, part
    if bad is not None:
        raise bad


def _stored(
    catalogue: Catalogue, names: tuple[str, ...], chunk_rows: int, changed: list[str] | None
) -> Iterator[tuple[int, dict[str, Array]]]:
    """Yield rows as the file stores them; tell in the end if they are not those written.

    Parameters
    ----------
    changed : list of str or None
        Takes the columns that differ; None to refuse them.

    Raises
    ------
    CorruptFileError
        A library that changes rows renews their checksums: the digests in the provenance tell.
    """
    digests, expected = StoredDigests(names), catalogue.facts.stored_digests
    for start, part in catalogue.chunks(names, chunk_rows):
        for name, values in part.items():
            digests.add(name, values)
        yield start, part
    found = digests.hexadecimal()
    differ = [name for name in names if name in expected and found[name] != expected[name]]
    if changed is not None:
        changed += differ
    elif differ:
        raise CorruptFileError(
            catalogue.where(differ[0]),
            f"rows of digest {found[differ[0]]}, changed since mockgal wrote them"
            + f" (as in {len(differ)} columns)" * (len(differ) > 1),
            f"{expected[differ[0]]}, by the provenance",
            _OR_SAY_WHY,
        )
