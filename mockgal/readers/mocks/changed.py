"""Catalogues that mockgal wrote and somebody changed by hand, for example with astropy or h5py.

A table that was written by astropy may differ from its header in rows and columns, and lacks the
checksums and often the HDU PROVENANCE. It is read only if its keyword CHANGED, or the caller,
states why it was changed. Nothing in the file verifies the rows any more: the changes are counted,
recorded in ``provenance["changed_by_hand"]``, listed among the cuts, and reported in a warning.
HDF5 files are treated alike; there h5py changes values and leaves the rest, so that the other
checks remain.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

from ...columns import GALAXY_COLUMNS, Column
from ...cosmology import Cosmology, h_free
from ...errors import (
    BadValueError,
    CorruptFileError,
    FormatError,
    HeaderError,
    UnitsError,
    UsageError,
    shown,
    warn,
)
from ...layout import CATALOGUE_HDUS, ESSENTIALS, NUMBERED_ESSENTIALS, UNIT_SYSTEMS
from ...system.files import fits_file
from ...system.files.fits_file import HDU
from ...system.ids import whole
from ...system.memory import check_memory
from ...types import Array, GalaxyCatalog, Snapshot, SourceFile
from . import facts as galaxies_facts
from .facts import IDS
from .values import check_ids, check_values, internal

_NEEDED = ("UNITSYS", "BOXSIZE", "REDSHIFT", "HUBBLE", "OMEGA_M", "OMEGA_L", "NGAL", "CONTDIG")
_LONGEST_REASON = 1000
_COPIES = 3  # of the table in memory: astropy's, the converted columns, the sorted rows


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
    with open(path, "rb") as file:
        hdu, provenance = _tables(file, path)
        missing = [keyword for keyword in _NEEDED if keyword not in hdu.cards]
        if missing:
            raise FormatError(
                hdu.where,
                f"a table that lacks the keywords {', '.join(missing)}",
                "the keywords that mockgal wrote, which astropy keeps in table.meta",
                "make the table again with astropy.table.Table.read and write it with its meta",
            )
        check_memory(f"{path}", _COPIES * hdu.data_bytes)
        snapshot, frame, entries, declared = _facts(file, path, hdu, provenance)
    table = _table(path)
    columns = _columns(hdu, table, names, snapshot, frame, declared)
    stranger = [str(name) for name in table.colnames if name not in declared]
    galaxies = GalaxyCatalog(
        columns,
        snapshot,
        frame,
        entries,
        tuple(c for name, c in declared.items() if name not in GALAXY_COLUMNS),
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


def check_reason(reason: str) -> None:
    """Raise if a reason is empty or too long.

    Raises
    ------
    UsageError
    """
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise UsageError(
            "--changed-by-hand",
            shown(reason),
            f"the reason in 1 to {_LONGEST_REASON} characters",
            '--changed-by-hand "brightest 100 only"',
        )


def as_changed(
    path: Path,
    galaxies: GalaxyCatalog,
    reason: str,
    rows_before: int,
    digest_before: str,
    *,
    changed: Sequence[str] = (),
    stranger: Sequence[str] = (),
    provenance_kept: bool = True,
) -> GalaxyCatalog:
    """Return the galaxies of a changed file, marked as changed and complete at no mass; warn.

    Parameters
    ----------
    path : Path
    galaxies : GalaxyCatalog
    reason : str
    rows_before : int
    digest_before : str
        Content digest of the catalogue that mockgal wrote.
    changed : sequence of str
        Columns known to have other values than were written.
    stranger : sequence of str
        Columns of the file that mockgal does not know.
    provenance_kept : bool
        Whether the file still has the provenance that was written.

    Raises
    ------
    BadValueError
        A galaxy is repeated.
    """
    change: dict[str, Any] = {
        "reason": reason,
        "rows_before": rows_before,
        "rows": len(galaxies),
        "content_digest_before": digest_before,
        "columns_left_out": list(stranger),
        "provenance_kept": provenance_kept,
    }
    if changed:
        change["columns_changed"] = list(changed)
    cut = {"cut": f"changed by hand: {reason}", "before": rows_before, "after": len(galaxies)}
    warn(
        f"{path}: changed by hand since mockgal wrote it ({reason}): {rows_before} rows "
        f"before, {len(galaxies)} now; their values cannot be verified"
        + f"; columns changed: {shown(list(changed))}" * bool(changed)
        + f"; columns not read: {shown(list(stranger))}" * bool(stranger),
        stacklevel=4,
    )
    cuts = [*galaxies.provenance.get("cuts", []), cut]
    galaxies = galaxies.with_provenance(changed_by_hand=change, cuts=cuts)
    check_ids(path, galaxies)
    lacking = galaxies.completeness.lacking(f"changed by hand: {reason}")
    return galaxies.with_completeness(lacking)


def _tables(file: Any, path: Path) -> tuple[HDU, HDU | None]:
    """Return the header of the first table, and that of PROVENANCE if there is one."""
    size = os.fstat(file.fileno()).st_size
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
    file: Any, path: Path, table: HDU, provenance: HDU | None
) -> tuple[Snapshot, str, dict[str, Any], Mapping[str, Column]]:
    """Return snapshot, frame, provenance and possible columns.

    They come from the JSON or, without it, from the header.
    """
    if provenance is not None:
        text = fits_file.read_data(file, provenance, galaxies_facts.MAX_JSON).decode("latin-1")
        facts = galaxies_facts.parse(text, f"{provenance.where}/json", path, provenance.end)
        return (
            facts.snapshot,
            facts.frame,
            dict(facts.provenance),
            GALAXY_COLUMNS | facts.declared,
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
    return snapshot, str(frame), entries, GALAXY_COLUMNS


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


def _columns(
    hdu: HDU,
    table: Table,
    names: tuple[str, ...] | None,
    snapshot: Snapshot,
    frame: str,
    declared: Mapping[str, Column],
) -> dict[str, Array]:
    """Return mockgal's columns of the table in internal units, checked."""
    units, box_size = _units(hdu), snapshot.box_size if frame == "box" else None
    present = [name for name in declared if name in table.colnames]
    lacking = [name for name in (*IDS, *(names or ())) if name not in present]
    if lacking:
        raise UsageError(
            hdu.where,
            f"no column {', '.join(lacking)}",
            "some of " + ", ".join(present),
            "keep the columns galaxy_id and halo_id, and ask for columns of the file",
        )
    result = {}
    for name in present:
        if names is not None and name not in (*IDS, *names):
            continue
        where = f"{hdu.where}/{name}"
        ours = declared[name]
        h_power = ours.h_power
        values = _plain(where, ours, table[name])
        if ours.unit:
            values, is_internal = _in_our_unit(where, ours, table[name], values, units)
            if h_power and not is_internal:
                edge = box_size if box_size and name.startswith("position_") else inf
                values = internal(values, h_power, snapshot.cosmology.h, edge)
        check_values(where, ours, 0, values, box_size)
        result[name] = values
    return result


def _plain(where: str, ours: Column, column: Any) -> Array:
    """Return the values of a column in mockgal's type; raise if masked, or if ids are not whole."""
    kind = np.dtype(ours.dtype)
    values, masked = np.asarray(column), bool(np.any(getattr(column, "mask", False)))
    allowed = {"i": "iu", "f": "fiu", "b": "b"}[kind.kind]
    if values.dtype.kind not in allowed or values.ndim != 1 or masked:
        raise BadValueError(
            where,
            f"a column of type {values.dtype.str} and shape {values.shape}"
            + ", with masked values or NaN" * masked,
            f"one number of type {kind.str} in each row",
            "integers for ids; leave out rows with masked values or NaN",
        )
    if kind.kind == "i":
        values = whole(values, f"{where}/{ours.name}, row {{}}".format)
    native: Array = values.astype(kind.newbyteorder("="))
    return native


def _in_our_unit(
    where: str, ours: Column, column: Any, values: Array, units: str
) -> tuple[Array, bool]:
    """Return values in mockgal's unit, and whether they have its power of h."""
    stated = column.unit
    if stated is None and units == "h" and ours.h_power:
        return values, True  # files in h units have no unit string for these columns
    try:
        factor = 1.0 if stated is None else float(u.Unit(stated).to(ours.unit))
    except (u.UnitConversionError, ValueError, TypeError) as error:
        raise UnitsError(where, f"the unit {shown(str(stated))}", f"{ours.unit}") from error
    if stated is None:
        raise UnitsError(
            where, "no unit", f"{ours.unit}", f'set it: table["{ours.name}"].unit = "{ours.unit}"'
        )
    # Values in exactly mockgal's unit are kept bit for bit.
    return (values if factor == 1.0 else (values * factor).astype(values.dtype)), False
