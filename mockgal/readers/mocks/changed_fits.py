"""Tables that astropy wrote from catalogues in FITS, with other rows and columns.

They lack the checksums and often the HDU PROVENANCE; then the keywords state the facts.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from astropy.table import Table

from ...columns import OUR_COLUMNS, Column
from ...cosmology import Cosmology, h_free
from ...errors import CorruptFileError, FormatError, HeaderError, shown
from ...layout import CATALOGUE_HDUS, ESSENTIALS, NUMBERED_ESSENTIALS, UNIT_SYSTEMS
from ...system.files import fits_file
from ...system.files.fits_file import HDU
from ...system.files.gzipped import opened, size_of
from ...system.memory import check_memory
from ...types import GalaxyCatalog, Snapshot, SourceFile
from . import facts as galaxies_facts
from .changed import COPIES, Changed, as_changed, check_reason, our_columns

_NEEDED = ("UNITSYS", "BOXSIZE", "REDSHIFT", "HUBBLE", "OMEGA_M", "OMEGA_L", "NGAL", "CONTDIG")


def read_changed(path: Path, names: tuple[str, ...] | None, reason: str) -> GalaxyCatalog:
    """Return the galaxies of a FITS catalogue that was changed by hand.

    Parameters
    ----------
    path : Path
    names : tuple of str or None
        Columns to read beside the ids; None for all columns of mockgal.
    reason : str
        Why the file was changed, for the provenance.

    Raises
    ------
    FormatError
        The file has no table, or the table lacks the keywords that mockgal writes.
    UnitsError
        A column has no unit, or one of another dimension.
    BadValueError
        Values are impossible, ids are no integers, or a galaxy is repeated.
    UsageError
        A column is missing, or there is no reason.
    MockgalError
        The file is damaged or unsafe.
    """
    check_reason(reason)
    with opened(path) as file:
        hdu, provenance = _tables(file, path)
        missing = [keyword for keyword in _NEEDED if keyword not in hdu.cards]
        if missing:
            raise FormatError(
                hdu.where,
                f"a table that lacks the keywords {', '.join(missing)}",
                "the keywords that mockgal wrote, which astropy keeps in table.meta",
                "make the table again with astropy.table.Table.read and write it with its meta",
            )
        check_memory(f"{path}", COPIES * hdu.data_bytes)
        snapshot, frame, entries, declared = _facts(file, path, hdu, provenance)
    table = _table(path)
    present = {str(name): partial(_changed, table, str(name)) for name in table.colnames}
    columns = our_columns(hdu.where, present, names, _units(hdu), snapshot, frame, declared)
    stranger = [str(name) for name in table.colnames if name not in declared]
    galaxies = GalaxyCatalog(
        columns,
        snapshot,
        frame,
        entries,
        tuple(c for name, c in declared.items() if name not in OUR_COLUMNS),
    )
    return as_changed(
        path,
        galaxies,
        reason,
        hdu.count("NGAL"),
        hdu.text("CONTDIG"),
        stranger=stranger,
        provenance_kept=provenance is not None,
    )


def _changed(table: Table, name: str) -> Changed:
    column = table[name]
    missing = bool(np.any(getattr(column, "mask", False)))
    return Changed(np.asarray(column), missing, column.unit)


def _tables(file: BinaryIO, path: Path) -> tuple[HDU, HDU | None]:
    """Return the header of the first table, and that of PROVENANCE if there is one."""
    size = size_of(file)
    primary = fits_file.read_hdu(file, path, 0)
    if primary.end >= size:
        raise FormatError(
            path, "a FITS file without a table", "the table GALAXIES", "give the catalogue"
        )
    table = fits_file.read_hdu(file, path, primary.end)
    odd = [key for key in table.cards if key.startswith("ZT") or key == "ZIMAGE"]
    if table.cards.get("XTENSION") != "BINTABLE" or odd:
        raise FormatError(
            table.where,
            f"an extension {shown(table.cards.get('XTENSION'))}"
            + " that is compressed" * bool(odd),
            "a plain binary table",
            'write it with astropy: table.write("name.fits")',
        )
    at = table.end
    while at < size:
        following = fits_file.read_hdu(file, path, at)
        if following.name == CATALOGUE_HDUS[2]:
            return table, following
        at = following.end
    return table, None


def _facts(
    file: BinaryIO, path: Path, table: HDU, provenance: HDU | None
) -> tuple[Snapshot, str, dict[str, Any], Mapping[str, Column]]:
    """Return snapshot, frame, provenance and possible columns.

    They come from the JSON or, without it, from the header.
    """
    if provenance is not None:
        text = fits_file.read_data(file, provenance, galaxies_facts.MAX_JSON).decode("latin-1")
        facts = galaxies_facts.parse(text, f"{provenance.where}/json", path, path.stat().st_size)
        facts.check_may_be_changed(path)
        return (
            facts.snapshot,
            facts.frame,
            dict(facts.provenance),
            OUR_COLUMNS | facts.in_memory,
        )
    stated = {name: table.cards.get(keyword) for name, keyword in ESSENTIALS.items()}

    def number(name: str) -> float | None:
        value = stated[name]
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        raise HeaderError(f"{table.where}@{ESSENTIALS[name]}", shown(value), "a number")

    cosmology = Cosmology(
        **{item.name: number(item.name) for item in fields(Cosmology) if item.name in stated}  # type: ignore[arg-type]
    )
    box, redshift = number("box_size"), number("redshift")
    if _units(table) == "h-free" and box is not None:
        box /= h_free(1.0, -1, cosmology.h)
    status = path.stat()
    snapshot = Snapshot(
        str(stated["simulation"] or "unknown"),
        box,  # type: ignore[arg-type]  # checked by Snapshot, as is the redshift
        redshift,  # type: ignore[arg-type]
        cosmology,
        None,
        "unknown",
        (SourceFile(str(path), status.st_size, ""),),
    )
    entries: dict[str, Any] = {
        "version": stated["version"],
        "seed": stated["seed"],
        "simulation": {"name": snapshot.name, "mass_definition": stated["mass_definition"]},
        "painter": {"name": stated["painter"], "references": _numbered(table, "reference")},
        "cuts": [{"cut": cut} for cut in _numbered(table, "cut")],
    }
    frame = stated["frame"]
    if frame not in ("box", "sky"):
        raise HeaderError(f"{table.where}@FRAME", shown(frame), "'box' or 'sky'")
    return snapshot, str(frame), entries, OUR_COLUMNS


def _numbered(table: HDU, name: str) -> list[str]:
    """Return the texts of CUT1, CUT2, ... or REF1, REF2, ..."""
    result: list[str] = []
    while f"{NUMBERED_ESSENTIALS[name]}{len(result) + 1}" in table.cards:
        result.append(str(table.cards[f"{NUMBERED_ESSENTIALS[name]}{len(result) + 1}"]))
    return result


def _units(table: HDU) -> str:
    units = table.cards.get("UNITSYS")
    if units not in UNIT_SYSTEMS:
        raise HeaderError(f"{table.where}@UNITSYS", shown(units), " or ".join(UNIT_SYSTEMS))
    return str(units)


def _table(path: Path) -> Table:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about unknown units, which are checked below
            with fits.open(path, memmap=False) as file:
                hdu = file[1]
                # astropy would build objects from YAML in these cards.
                hdu.header.remove("COMMENT", ignore_missing=True, remove_all=True)
                return Table.read(hdu, format="fits")
    except MemoryError:
        raise
    except Exception as error:  # astropy has no common base class of errors
        raise CorruptFileError(
            path, f"a table that astropy cannot read ({shown(str(error))})", "a plain binary table"
        ) from error
