"""Catalogues that mockgal wrote and somebody changed by hand, for example with astropy or h5py.

They are read only if the file, or the caller, states why they were changed. Nothing in the file
verifies the rows any more: the changes are counted, recorded in ``provenance["changed_by_hand"]``,
listed among the cuts, and reported in a warning.

Programs that read a table and write another may change rows, columns and units
(`mockgal.readers.mocks.changed_fits`, `mockgal.readers.mocks.changed_parquet`). In HDF5 files, h5py
changes values and leaves the rest, so that the other checks remain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy import units as u

from ...columns import Column
from ...digests import IDENTITY
from ...errors import BadValueError, UnitsError, UsageError, shown, warn
from ...system.ids import whole
from ...types import Array, GalaxyCatalog, Snapshot
from .facts import IDS
from .values import check_ids, check_values, internal

COPIES = 3  # of the table in memory: that of a library, the converted columns, the sorted rows
_LONGEST_REASON = 1000


class Changed(NamedTuple):
    """The values of a column, whether some are missing, and the unit that the file states."""

    values: Array
    missing: bool
    unit: str | u.UnitBase | None


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
    )
    cuts = [*galaxies.provenance.get("cuts", []), cut]
    galaxies = galaxies.with_provenance(changed_by_hand=change, cuts=cuts)
    check_ids(path, galaxies)
    lacking = galaxies.completeness.lacking(f"changed by hand: {reason}")
    return galaxies.with_completeness(lacking)


def our_columns(
    where: str,
    present: Mapping[str, Callable[[], Changed]],
    names: tuple[str, ...] | None,
    units: str,
    snapshot: Snapshot,
    frame: str,
    declared: Mapping[str, Column],
) -> dict[str, Array]:
    """Return mockgal's columns of a changed table in internal units, checked.

    Parameters
    ----------
    where : str
        The table, for messages.
    present : mapping of str to callable
        The columns of the table; each returns its values.
    names : tuple of str or None
        Columns to read beside the ids; None for all columns of mockgal.
    units : str
        ``"h-free"`` or ``"h"``.
    snapshot, frame
        Those of the catalogue.
    declared : mapping of str to Column
        Columns that a mock may have.

    Raises
    ------
    UsageError
        A column is missing.
    UnitsError
        A column has no unit, or one of another dimension.
    BadValueError
        Values are impossible or missing, or ids are no integers.
    """
    box_size = snapshot.box_size if frame == "box" else None
    ours = [name for name in declared if name in present]
    lacking = [name for name in (*IDS, *(names or ())) if name not in ours]
    if lacking:
        raise UsageError(
            where,
            f"no column {', '.join(lacking)}",
            "some of " + ", ".join(ours),
            "keep the columns galaxy_id and halo_id, and ask for columns of the file",
        )
    result = {}
    for name in ours:
        if names is not None and name not in (*IDENTITY, *names):
            continue
        place, column, stored = f"{where}/{name}", declared[name], present[name]()
        h_power = column.h_power
        values = _plain(place, column, stored)
        if column.unit:
            values, is_internal = _in_our_unit(place, column, stored.unit, values, units)
            if h_power and not is_internal:
                edge = box_size if box_size and name.startswith("position_") else inf
                values = internal(values, h_power, snapshot.cosmology.h, edge)
        check_values(place, column, 0, values, box_size)
        result[name] = values
    return result


def _plain(where: str, ours: Column, stored: Changed) -> Array:
    """Return the values of a column in mockgal's type; raise if any is missing, or no whole id."""
    kind, values = np.dtype(ours.dtype), stored.values
    allowed = {"i": "iu", "f": "fiu", "b": "b"}[kind.kind]
    if values.dtype.kind not in allowed or values.ndim != 1 or stored.missing:
        raise BadValueError(
            where,
            f"a column of type {values.dtype.str} and shape {values.shape}"
            + ", with masked values or NaN" * stored.missing,
            f"one number of type {kind.str} in each row",
            "integers for ids; leave out rows with masked values or NaN",
        )
    if kind.kind == "i":
        values = whole(values, f"{where}/{ours.name}, row {{}}".format)
    native: Array = values.astype(kind.newbyteorder("="))
    return native


def _in_our_unit(
    where: str, ours: Column, stated: str | u.UnitBase | None, values: Array, units: str
) -> tuple[Array, bool]:
    """Return values in mockgal's unit, and whether they have its power of h."""
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
