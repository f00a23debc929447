"""From the columns of a plan to the rows of halos: ids, hosts, masses, in internal units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ...errors import BadValueError, MissingDatasetError, warn
from ...system.ids import Ids, whole
from ...types import Array
from ..checks.nesting import top_hosts
from ..checks.values import check_unique
from .plan import Plan
from .quantities import FLAG, INTEGERS, VECTORS, Taken
from .table import FLAG as BOOLEAN
from .table import FLOAT, INTEGER, Table, gather

FLAG_COLUMN = "flag"  # of halos to leave out
_HOST = -1  # in place of a parent
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # splitmix64


class Rows(NamedTuple):
    """Rows of a table in internal units.

    Parameters
    ----------
    columns : dict of str to ndarray
        Canonical columns, and ``radius`` [comoving Mpc/h] where the table has it.
    where : callable
        ``where(column, row)`` returns the place of a value.
    stored : dtype
        Type of the positions in the source.
    record, counted : dict
        For the snapshot and for the halos.
    """

    columns: dict[str, Array]
    where: Callable[[str, int], str]
    stored: np.dtype[Any]
    record: dict[str, Any]
    counted: dict[str, Any]


def read_rows(table: Table, plan: Plan, h: float, redshift: float, chunk_rows: int) -> Rows:
    """Return the rows of a table.

    Parameters
    ----------
    table : Table
    plan : Plan
    h : float
    redshift : float
    chunk_rows : int
        Rows read at a time.

    Raises
    ------
    MockgalError
        Values that are no numbers, ids that lost digits or are negative, parents that form a
        circle, hosts that contradict each other.
    """
    native = _native(table, plan, chunk_rows)
    flagged = native.pop(FLAG_COLUMN) != 0 if FLAG_COLUMN in native else None
    label = {name: column.taken.names for name, column in plan.columns.items()}
    same = {
        "host_id": ["is_central", "halo_id"],
        "is_central": ["host_id"],
        "halo_id": ["position"],
    }

    def where(name: str, row: int) -> str:
        for known in (name, *same.get(name, ())):
            if label.get(known):
                return f"{table.at(label[known][0])}, row {row}"
        return f"{table.place}, {name}, row {row}"

    first = table.fields[label["position"][0]]
    stored = np.dtype(np.float32 if first.bytes == 4 else np.float64)
    columns: dict[str, Array] = {}
    for name in list(native):
        values = native.pop(name)
        conversion = plan.columns[name].conversion
        if conversion is not None:
            conversion.apply(values, h, 1 / (1 + redshift))
        columns[name] = values
    rows = len(columns["position"])
    if "velocity" not in columns:
        warn(f"{table.place} has no velocities: all are taken to be 0, in redshift space, too")
        columns["velocity"] = np.zeros((rows, 3))
    record: dict[str, Any] = {}
    counted: dict[str, Any] = {}
    columns["halo_id"] = _ids(table, columns, where, record)
    top = _hosts(table, plan, columns, where, record, counted)
    central = columns["is_central"]
    # A satellite without a host gets its own mass, until it is dropped or made a host.
    columns["host_mass"] = np.where(central[top], columns["host_mass"][top], columns["mass"])
    if "scale_radius" in columns:
        with np.errstate(divide="ignore", invalid="ignore"):
            columns["concentration"] = columns["radius"] / columns.pop("scale_radius")
    if "concentration" in columns:
        columns["concentration"] = columns["concentration"][top]
    if "n_particles" in columns:
        columns["n_particles"] = whole(
            columns["n_particles"], lambda row: where("n_particles", row)
        )
    kept = _kept(plan, columns, top, flagged, counted, table.place)
    if kept is None:
        return Rows(columns, where, stored, record, counted)
    return Rows(
        {name: values[kept] for name, values in columns.items()},
        lambda name, row: where(name, int(kept[row]) if len(kept) else 0),
        stored,
        record,
        counted,
    )


def _kept(
    plan: Plan,
    columns: Mapping[str, Array],
    top: Array,
    flagged: Array | None,
    counted: dict[str, Any],
    place: str,
) -> Array | None:
    """Return the rows to keep, None for all; count flagged ones, and hosts without mass."""
    drop = np.zeros(len(top), dtype=bool)
    if flagged is not None:
        drop |= flagged
        counted[f"{plan.flag_means}_dropped"] = int(np.count_nonzero(flagged))
        counted[f"satellites_of_{plan.flag_means}"] = int(np.count_nonzero(flagged[top] & ~flagged))
    if plan.may_lack_mass:
        with np.errstate(invalid="ignore"):
            lacking = columns["is_central"] & ~(columns["host_mass"] > 0)
        below = lacking[top] & ~lacking
        counted["hosts_without_mass_dropped"] = hosts = int(np.count_nonzero(lacking))
        counted["satellites_of_hosts_without_mass_dropped"] = int(np.count_nonzero(below))
        drop |= lacking | below
        if hosts:
            warn(
                f"{place}: {hosts} hosts for which the file has no {plan.definition} mass, and "
                f"their {np.count_nonzero(below)} satellites, are left out"
            )
    return np.flatnonzero(~drop) if drop.any() else None


def _native(table: Table, plan: Plan, chunk_rows: int) -> dict[str, Array]:
    """Return the columns of each quantity as stored, vectors joined; each is read once."""
    wanted: dict[str, str] = {}
    for quantity, column in plan.columns.items():
        need = INTEGER if quantity in INTEGERS else FLOAT
        for name in column.taken.names:
            if wanted.get(name) != INTEGER:  # a column may be a number of particles and a mass
                wanted[name] = BOOLEAN if quantity == "is_central" else need
    single = {name for column in plan.columns.values() for name in column.taken.names}
    if plan.flag:
        wanted[plan.flag] = INTEGER
        single.add(plan.flag)
    raw = gather(table, {name: wanted[name] for name in single}, chunk_rows)
    uses = dict.fromkeys(single, 0)
    for column in plan.columns.values():
        for name in column.taken.names:
            uses[name] += 1

    def take(name: str) -> Array:
        uses[name] -= 1
        return raw.pop(name) if not uses[name] else raw[name].copy()

    native: dict[str, Array] = {FLAG_COLUMN: raw[plan.flag]} if plan.flag else {}
    for quantity, column in plan.columns.items():
        names = column.taken.names
        if quantity in VECTORS and len(names) == 3:
            parts = [take(name) for name in names]
            native[quantity] = np.empty((len(parts[0]), 3))
            for axis in range(3):
                native[quantity][:, axis] = parts.pop(0)
        elif names:
            values = take(names[0])
            exact = quantity in INTEGERS or quantity == "is_central"
            native[quantity] = values if exact else values.astype(np.float64, copy=False)
    return native


def _ids(
    table: Table,
    columns: Mapping[str, Array],
    where: Callable[[str, int], str],
    record: dict[str, Any],
) -> Ids:
    if "halo_id" in columns:
        ids = whole(columns["halo_id"], lambda row: where("halo_id", row))
        negative = np.flatnonzero(ids < 0)
        if negative.size:
            raise BadValueError(
                where("halo_id", int(negative[0])),
                f"{negative.size} negative ids, the first {ids[negative[0]]}",
                "ids from 0 on, for -1 means no halo",
                "number the halos anew",
            )
    else:
        ids = _hashed(columns["position"], columns["mass"])
        record["ids_from"] = "hash of position and mass"
        warn(f"{table.place} has no column of ids: they are made from positions and masses")
    check_unique(ids, where)
    return ids


def _hashed(position: Array, mass: Array) -> Ids:
    """Return ids that depend on position and mass alone, from 0 to 2^63: splitmix64 of the bits."""
    state = np.zeros(len(mass), np.uint64)
    with np.errstate(over="ignore"):
        for values in (*position.T, mass):
            state += np.ascontiguousarray(values + 0.0).view(np.uint64)
            state += np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * _MIX[0]
            state = (state ^ (state >> np.uint64(27))) * _MIX[1]
            state ^= state >> np.uint64(31)
    return (state >> np.uint64(1)).astype(np.int64)


def _is_an_id(taken: Taken, ids: Ids, parent: Ids, where: Callable[[str, int], str]) -> bool:
    """Return whether the number that hosts may have is the id of a halo, and hosts have -1.

    Raises
    ------
    BadValueError
        It is an id, and no host has -1: both may be meant.
    """
    own = np.flatnonzero(ids == taken.host)
    if not own.size:
        return False
    if (parent == _HOST).any():
        return True
    row = int(own[0])
    raise BadValueError(
        where("halo_id", row),
        f"the id {taken.host}, which hosts have in {taken.names[0]}",
        "an id that says no host",
        "number the halos from 1; or give hosts -1 in that column",
    )


def _hosts(
    table: Table,
    plan: Plan,
    columns: dict[str, Array],
    where: Callable[[str, int], str],
    record: dict[str, Any],
    counted: dict[str, Any],
) -> Array:
    """Set ``host_id`` and ``is_central``; return the row of each row's host."""
    ids = columns["halo_id"]
    rows = np.arange(len(ids))
    flag = columns["is_central"] != 0 if "is_central" in columns else None
    if "host_id" not in columns:
        if flag is not None and not flag.all():
            raise MissingDatasetError(
                where("is_central", int(np.flatnonzero(~flag)[0])),
                f"{np.count_nonzero(~flag)} satellites, and no column with the ids of their hosts",
                "the id of the host of each satellite",
                f"name it: {FLAG} host_id=NAME; or leave the satellites out of the table",
            )
        record["hosts_from"] = "no column of hosts: every row is a host"
        warn(
            f"{table.place} has no column of hosts: every row is taken for a host halo, and its "
            "galaxy for a central"
        )
        columns |= {"host_id": ids.copy(), "is_central": np.ones(len(ids), dtype=bool)}
        counted |= {"groups": len(ids), "nested_satellites": 0}
        return rows
    taken = plan.columns["host_id"].taken
    record["hosts_from"] = taken.names[0]
    parent = whole(columns["host_id"], lambda row: where("host_id", row), none=ids)
    none = (parent == _HOST) | (parent == ids)
    if taken.host is not None and not _is_an_id(taken, ids, parent, where):
        none |= parent == taken.host
    central = none if flag is None else flag
    if flag is not None and (wrong := np.flatnonzero(flag != none)).size:
        row = int(wrong[0])
        what = "a host" if none[row] else f"of the host {parent[row]}"
        raise BadValueError(
            where("is_central", row),
            f"{wrong.size} rows for which {taken.names[0]} says otherwise, the first {what}",
            "a host where, and only where, is_central is true",
            "correct one of the two columns, or leave is_central out of the table",
        )
    odd = np.flatnonzero((parent < 0) & ~central)
    if odd.size:
        raise BadValueError(
            where("host_id", int(odd[0])),
            f"{odd.size} negative ids, the first {parent[odd[0]]}",
            "the id of the host, or -1 for a host",
            f"correct the column; if hosts have this number in it, {FLAG} "
            f'"host_id={taken.names[0]} [{parent[odd[0]]}]"',
        )
    host_id, top, nested = top_hosts(ids, parent, central, lambda row: where("host_id", row))
    columns |= {"host_id": np.where(central, ids, host_id), "is_central": central}
    counted |= {"groups": int(np.count_nonzero(central)), "nested_satellites": nested}
    return top
