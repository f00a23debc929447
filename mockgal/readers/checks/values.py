"""Checks and repairs of rows, shared by all readers; the catalogue's record counts repairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, IncompleteSetError, UsageError
from ...layout import DROPPED_FOR, EMPTY_REGIONS, MISSING_CHUNKS
from ...protocols import ReadOptions
from ...system.ids import check_digits
from ...types import HaloCatalog, Snapshot, settle
from . import plausible, units
from .copies import find_copies, refusal
from .regions import EmptyRegion, empty_region

Array = NDArray[Any]
Where = Callable[[str, int], str]  # (column, row) -> "FILE:/Dataset, row R" for messages

MARGIN = 0.01  # of the box: positions outside by less are rounding or drift, and are wrapped
ORPHANS = ("refuse", "drop", "central")
_DOUBLE = np.dtype(np.float64)

# Counts in every halo record; readers add others.
COUNTED = (
    "positions_wrapped",
    "positions_at_box_edge",
    "dropped_bad",
    "dropped_with_their_host",
    "orphans_dropped",
    "orphans_made_central",
)


def count(record: dict[str, Any], name: str, number: int) -> None:
    """Add ``number`` to the count ``name`` of a record."""
    before = record.get(name, 0)
    record[name] = (before if isinstance(before, int) else 0) + int(number)


def wrap(
    position: Array,
    box_size: float,
    *,
    stored: np.dtype[Any],
    centred: bool,
    where: Callable[[int], str],
    record: dict[str, Any],
) -> Array:
    """Return positions wrapped into [0, box_size).

    Parameters
    ----------
    position : ndarray of float64, shape (n, 3)
        Comoving [Mpc/h].
    box_size : float
        [Mpc/h].
    stored : dtype
        Type of the positions in the file.
    centred : bool
        Whether positions are declared to be in [-L/2, L/2).
    where : callable
        ``where(row)`` returns where a row is.
    record : dict
        Receives the counts ``positions_wrapped`` and ``positions_at_box_edge`` (coordinates at the
        far edge, or below 0 by less than the stored type resolves, become 0).

    Returns
    -------
    ndarray of float64, shape (n, 3)

    Raises
    ------
    BadValueError
        Positions are NaN, infinite or outside the box.
    """
    x = position
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if bad.size:
        raise BadValueError(
            where(int(bad[0])),
            f"{bad.size} positions that are NaN or infinite; this is the first",
            "finite positions",
            "fetch or write the file again",
        )
    low, high = (-0.5, 0.5) if centred else (0.0, 1.0)
    outside = (x < (low - MARGIN) * box_size) | (x > (high + MARGIN) * box_size)
    rows = np.flatnonzero(outside.any(axis=1))
    if rows.size:
        row = int(rows[0])
        outliers = (
            f"{rows.size} positions outside the box of {box_size:.6g} Mpc/h, the first "
            f"{x[row].tolist()}"
        )
        if not centred and np.abs(x).max() <= (0.5 + MARGIN) * box_size:
            raise BadValueError(
                where(row),
                outliers + ", all in [-L/2, L/2)",
                "[0, L)",
                "if the origin is the box's centre, use --centred-origin",
            )
        raise BadValueError(
            where(row),
            outliers,
            f"[{low:g} L, {high:g} L)",
            "check the box size and the unit of length"
            + (", or leave out --centred-origin" * centred),
        )
    moved = (x < 0) | (x >= box_size)
    x = np.where(x < 0, x + box_size, x)
    at_edge = x == box_size
    x = np.where(x > box_size, x - box_size, x)
    # A wrapped value that the stored type rounds to L counts as at the edge.
    type_ = stored.type if stored.kind == "f" else np.float64
    at_edge |= moved & (x.astype(type_) >= type_(box_size))
    count(record, "positions_wrapped", int(np.count_nonzero(moved)))
    count(record, "positions_at_box_edge", int(np.count_nonzero(at_edge)))
    x[at_edge | (x >= box_size)] = 0.0
    return x


def leave_out_copies(
    columns: dict[str, Array], options: ReadOptions, where: Where, record: dict[str, Any]
) -> tuple[dict[str, Array], Array]:
    """Return columns in which no satellite has a duplicate as its host, and the duplicate rows.

    Of the rows of one object a central is kept, or else the first row. The satellites of a central
    that is left out are moved to the one that is kept, and counted.

    Raises
    ------
    BadValueError
        There are duplicates, and ``options.drop_bad`` is not set or they are half of all rows, as
        in catalogues that were assembled wrongly.
    """
    ids, hosts, central = (columns[name] for name in ("halo_id", "host_id", "is_central"))
    found = find_copies(columns["position"], columns["mass"], columns["velocity"], central)
    if found is None:
        return columns, np.zeros(0, dtype=np.intp)
    few = 2 * len(found.again) < len(ids)
    if not (few and options.drop_bad):
        raise refusal(
            found,
            ids,
            "halos",
            lambda row: where("position", row),
            "; if they are single rows, --drop-bad leaves them out" * few,
        )
    was_host = central[found.again]
    gone, instead = ids[found.again[was_host]], found.first[was_host]
    order = np.argsort(gone)
    theirs = np.flatnonzero(~central & np.isin(hosts, gone))
    kept = instead[order][np.searchsorted(gone[order], hosts[theirs])]
    moved, host_mass = hosts.copy(), columns["host_mass"].copy()
    moved[theirs], host_mass[theirs] = ids[kept], host_mass[kept]
    record["satellites_moved_to_kept_copy"] = int(np.sum(~np.isin(theirs, found.again)))
    return {**columns, "host_id": moved, "host_mass": host_mass}, found.again


def drop_bad(
    columns: dict[str, Array],
    snapshot: Snapshot,
    options: ReadOptions,
    where: Where,
    record: dict[str, Any],
    again: Array,
) -> Array:
    """Return the indices of the rows with possible values (`plausible`), shape (kept,).

    A host mass of zero is allowed, because small groups have it; with ``options.drop_bad`` centrals
    that have it are also dropped, because painters refuse them. The satellites of a central whose
    host mass is bad or zero are dropped with it, and counted separately. The rows ``again`` are
    dropped as well.

    Raises
    ------
    BadValueError, UnitsError
        There are impossible values, and ``options.drop_bad`` is not set or they are more than half
        of all: then the column has another unit, or another meaning.
    """
    keep = np.ones(len(columns["halo_id"]), dtype=bool)
    for finding in plausible.impossible(columns, snapshot):
        if not options.drop_bad or plausible.are_most(finding, columns):
            raise_cause(finding, columns, snapshot, options, where)
            raise plausible.refusal(finding, columns, where)
        keep[finding.rows] = False
        record[DROPPED_FOR + finding.name] = len(finding.rows)
    keep[again] = False
    central, host_mass = columns["is_central"], columns["host_mass"]
    if options.drop_bad:  # painters need the host mass of centrals
        keep &= ~(central & (host_mass == 0))
    count(record, "dropped_bad", int(np.count_nonzero(~keep)))
    without_host = central & ~(np.isfinite(host_mass) & (host_mass > 0))
    if options.drop_bad and without_host.any():
        theirs = ~central & np.isin(columns["host_id"], columns["halo_id"][without_host])
        count(record, "dropped_with_their_host", int(np.count_nonzero(keep & theirs)))
        keep &= ~theirs
    if len(keep) and not keep.any():
        raise BadValueError(
            where("host_mass", 0).split(", row")[0],
            f"no row that --drop-bad leaves, of {len(keep)}: {np.count_nonzero(without_host)} "
            "centrals have a host mass of 0",
            "some host masses above 0",
            "choose another --mass-definition, or read the catalogue without --drop-bad",
        )
    return np.flatnonzero(keep)


def raise_cause(
    finding: plausible.Finding,
    columns: dict[str, Array],
    snapshot: Snapshot,
    options: ReadOptions,
    where: Where,
) -> None:
    """Raise an error if impossible rows have a cause: a wrong unit, or missing hosts."""
    if finding.relation:
        settle_orphans(columns, options, where, {})
    masses = [columns["mass"], columns["host_mass"]]
    many = plausible.are_most(finding, columns) and finding.column in ("mass", "host_mass")
    if many and all(np.isfinite(mass).all() and mass.min() >= 0 for mass in masses):
        units.check(units.Masses(snapshot).add(columns), where)


def check_unique(ids: Array, where: Where) -> None:
    """Raise if an id is repeated.

    Raises
    ------
    BadValueError
        The message gives the number of repeated ids and the first.
    """
    order = np.argsort(ids, kind="stable")
    repeated = np.flatnonzero(np.diff(ids[order]) == 0)
    if repeated.size:
        row = int(order[repeated[0] + 1])
        raise BadValueError(
            where("halo_id", row),
            f"{repeated.size} repeated ids, the first {ids[row]}",
            "unique ids",
            "look for a file or chunk that was read twice",
        )


def check_hosts(columns: dict[str, Array], where: Where) -> None:
    """Raise if a central is not its own host.

    Raises
    ------
    BadValueError
        The message gives the first such central.
    """
    wrong = np.flatnonzero(columns["is_central"] & (columns["host_id"] != columns["halo_id"]))
    if wrong.size:
        row = int(wrong[0])
        raise BadValueError(
            where("host_id", row),
            f"{wrong.size} centrals with another host, the first halo_id "
            f"{columns['halo_id'][row]} in host {columns['host_id'][row]}",
            "its own halo_id as the host_id of a central",
            "correct is_central or host_id, or write the catalogue again",
        )


def settle_orphans(
    columns: dict[str, Array], options: ReadOptions, where: Where, record: dict[str, Any]
) -> dict[str, Array]:
    """Refuse or drop satellites without their central, or make them centrals.

    An orphan that is made a central takes its own bound mass as host mass, because the mass of its
    former host is not its own.

    Raises
    ------
    BadValueError
        There are orphans and ``options.orphans`` is ``"refuse"``.
    UsageError
        ``options.orphans`` is not in `ORPHANS`.
    """
    if options.orphans not in ORPHANS:
        raise UsageError(
            "--orphans",
            repr(options.orphans),
            "one of " + ", ".join(ORPHANS),
            "choose one of these",
        )
    central = columns["is_central"]
    orphan = ~central & ~np.isin(columns["host_id"], columns["halo_id"][central])
    rows = np.flatnonzero(orphan)
    if rows.size == 0 or options.orphans == "drop":
        count(record, "orphans_dropped", rows.size)
        return columns if rows.size == 0 else {n: v[~orphan] for n, v in columns.items()}
    if options.orphans == "refuse":
        row, satellites = int(rows[0]), int(np.count_nonzero(~central))
        fix = "choose --orphans drop or --orphans central"
        if rows.size > satellites / 2:
            fix = (
                "most parents are missing: check that ids and parents belong to one list, with all "
                f"their digits; only if the hosts were left out on purpose, {fix}"
            )
        raise BadValueError(
            where("host_id", row),
            f"{rows.size} of {satellites} satellites without a central in the catalogue, the first"
            f" halo_id {columns['halo_id'][row]}",
            "a central for each satellite",
            fix,
        )
    count(record, "orphans_made_central", rows.size)
    return {
        **columns,
        "is_central": central | orphan,
        "host_id": np.where(orphan, columns["halo_id"], columns["host_id"]),
        "host_mass": np.where(orphan, columns["mass"], columns["host_mass"]),
    }


def check_regions(
    position: Array,
    box_size: float,
    options: ReadOptions,
    where: str,
    record: dict[str, Any],
) -> None:
    """Raise if a part of the box that should hold host halos is empty; see `regions`.

    With ``options.allow_empty_regions`` count such regions in the record instead.

    Raises
    ------
    IncompleteSetError
    """
    check_regions_of(empty_region(position, box_size), options, where, record)


def check_regions_of(
    found: EmptyRegion | None, options: ReadOptions, where: str, record: dict[str, Any]
) -> None:
    """Do what `check_regions` does with a region that was found."""
    if found is None:
        return
    if options.allow_empty_regions:
        record[EMPTY_REGIONS] = found.number
        return
    raise IncompleteSetError(
        where,
        f"no halo in {found.number} of {found.regions} equal regions, the first a {found.what}, "
        f"where {found.expected:.0f} hosts are expected in each: a missing subvolume?",
        "halos everywhere in the box",
        "fetch the missing files, or correct the box size; if the box is truly empty there, use "
        "--allow-empty-regions",
    )


def halo_catalog(
    columns: dict[str, Array],
    mass_definition: str,
    snapshot: Snapshot,
    options: ReadOptions,
    where: Where,
    record: dict[str, Any],
    stored: np.dtype[Any] = _DOUBLE,
) -> HaloCatalog:
    """Return the catalogue of rows in internal units, after all checks of rows.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (n,) or (n, 3)
        Canonical columns in internal units; positions not yet wrapped.
    mass_definition : str
    snapshot : Snapshot
        Box, cosmology and particle mass that positions and masses must fit.
    options : ReadOptions
    where : callable
        ``where(column, row)`` returns where a value is.
    record : dict
        Receives counts, added to those that it holds.
    stored : dtype
        Type of the positions in the file.

    Returns
    -------
    HaloCatalog

    Raises
    ------
    BadValueError, IncompleteSetError
        Rows are impossible, or a region of the box has none.
    UnitsError
        Masses do not fit the cosmology, the box or the particle mass.
    """
    for name in COUNTED:
        record.setdefault(name, 0)
    position = columns["position"]
    if snapshot.frame == "box":
        position = wrap(
            position,
            snapshot.box_size,
            stored=stored,
            centred=options.centred_origin,
            where=lambda row: where("position", row),
            record=record,
        )
    columns = {**columns, "position": position}
    check_unique(columns["halo_id"], where)
    check_hosts(columns, where)
    ids, hosts, central = (columns[name] for name in ("halo_id", "host_id", "is_central"))
    check_digits(ids, hosts, central, lambda row: where("host_id", row))
    columns, again = leave_out_copies(columns, options, where, record)
    kept = drop_bad(columns, snapshot, options, where, record, again)
    if len(kept) < len(position):
        columns = {name: rows[kept] for name, rows in columns.items()}
    columns = {**columns, "row": kept}  # for messages
    columns = settle_orphans(
        columns, options, lambda name, row: where(name, int(kept[row])), record
    )
    left = columns.pop("row")
    measured = units.check(units.Masses(snapshot).add(columns), where)
    central = columns["is_central"]
    if snapshot.frame == "box" and MISSING_CHUNKS not in snapshot.record:
        place = where("position", 0).split(", row")[0]
        check_regions(columns["position"][central], snapshot.box_size, options, place, record)
    record.update(
        subhalos=len(central),
        centrals=int(np.count_nonzero(central)),
        satellites=int(np.count_nonzero(~central)),
        centrals_with_zero_host_mass=int(np.count_nonzero(central & (columns["host_mass"] == 0))),
    )
    record.update(measured)
    plausible.tell_rare(columns, snapshot, lambda name, row: where(name, int(left[row])), record)
    return HaloCatalog(settle(columns), mass_definition, record)
