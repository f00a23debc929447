"""Tables with more about the subhalos of a simulation: galaxies, or columns of merger trees."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...columns import HISTORY_COLUMNS
from ...errors import (
    BadValueError,
    DomainError,
    FormatError,
    InputError,
    MissingDatasetError,
    listed,
)
from ...protocols import ReadOptions
from ...system.ids import whole
from ...types import Array, Snapshot, SourceFile
from ..chunks import source
from .facts import beside
from .formats import files, objects
from .names import plain
from .plan import with_units
from .quantities import INTEGERS, VECTORS, Taken, describe, parse_map
from .reader import name_of
from .table import FLOAT, INTEGER, Table, gather

FLAG, OF_HISTORY = "--truth-columns", "--history-columns"


class Kind(NamedTuple):
    """What a table has beside the ids or positions of subhalos.

    Parameters
    ----------
    flag, rows : str
        The option that maps its columns, and what its rows are.
    known : dict
        The quantities that are read, each with the names that are known without a map.
    needed : tuple of str
        Quantities that must be there; if empty, at least one.
    what : str
        What the table is to have, in words.
    example : str
        Entries of a map.
    """

    flag: str
    rows: str
    known: dict[str, tuple[str, ...]]
    needed: tuple[str, ...]
    what: str
    example: str


# A column `id` may be the galaxy's own.
_PLACE: dict[str, tuple[str, ...]] = {"halo_id": ("haloid", "subhaloid"), "position": ()}
GALAXIES = Kind(
    FLAG,
    "galaxies",
    _PLACE
    | {
        "stellar_mass": ("stellarmass", "mstar"),
        "stellar_half_mass_radius": ("stellarhalfmassradius",),
    },
    ("stellar_mass",),
    "the stellar mass of each galaxy",
    "halo_id=NAME, stellar_mass=NAME [Msun/h]",
)
HISTORIES = Kind(
    OF_HISTORY,
    "subhalos",
    _PLACE | {name: (plain(name),) for name in ("concentration", *HISTORY_COLUMNS)},
    (),
    "one or more of concentration, " + ", ".join(HISTORY_COLUMNS),
    "halo_id=NAME, peak_mass=NAME [Msun/h], half_mass_scale=NAME",
)
_COMPARED = ("redshift", "box_size", "h", "omega_m")  # facts held against the simulation's
_SAME = 1e-3


class Galaxies(NamedTuple):
    """A table of galaxies in internal units.

    Parameters
    ----------
    name, place : str
        Name for records, and place for messages.
    columns : dict of str to ndarray, shape (n,) or (n, 3)
        ``stellar_mass`` [Msun/h], and at least one of ``halo_id`` and ``position`` [Mpc/h].
    where : callable
        ``where(column, row)`` returns the place of a value.
    files : tuple of SourceFile
        None for an object in memory.
    record : dict
        How columns were read: plain JSON values.
    """

    name: str
    place: str
    columns: dict[str, Array]
    where: Callable[[str, int], str]
    files: tuple[SourceFile, ...]
    record: dict[str, Any]


def read_galaxy_table(
    given: object,
    stated: str | Mapping[str, Any] | None,
    snapshot: Snapshot,
    chunk_rows: int,
    kind: Kind = GALAXIES,
) -> Galaxies:
    """Read what a table has for the subhalos of a simulation: their galaxies, or histories.

    Parameters
    ----------
    given : path-like or object
        A table in any format of `mockgal.readers.tables`, or in memory. A file of facts beside it
        (``galaxies.csv.yaml``) may have the map, and facts of the run.
    stated : str or mapping, optional
        ``"halo_id=id, stellar_mass=mstar [Msun/h]"``, or the same by quantity.
    snapshot : Snapshot
        Of the simulation; facts that the table states must be its facts.
    chunk_rows : int
    kind : Kind

    Raises
    ------
    InputError, FormatError
        There is no such file, or no table in it.
    MissingDatasetError
        Stellar mass, its unit, or both halo id and position are not stated.
    DomainError
        The table states another redshift, box or cosmology.
    BadValueError
        Values that are no ids, or no masses.
    """
    path = Path(given) if isinstance(given, str | os.PathLike) else None
    if path is not None and not path.is_file():
        raise InputError(path, "no such file", f"a table of {kind.rows}", "check the path")
    facts = beside(path, ReadOptions())
    _check_facts(str(path), facts.options, snapshot)
    mine = {**facts.columns, **parse_map(stated, kind.flag, kind.flag)}
    if path is None:
        table, name = objects.table_of(given), "table in memory"
    else:
        table, name = _only(files.tables(path), path, mine, kind), name_of(path)
    taken = _taken(table, mine, kind)
    columns, record = _read(table, taken, snapshot, chunk_rows, kind.flag)

    def where(quantity: str, row: int) -> str:
        return f"{table.at(taken[quantity].names[0])}, row {row}"

    _check_values(columns, where)
    inputs = [*table.files, *([] if facts.path is None else [facts.path])]
    return Galaxies(
        facts.name or name,
        table.place,
        columns,
        where,
        tuple(source(file) for file in inputs),
        {"columns_read": record, **facts.record},
    )


def _check_facts(where: str, stated: ReadOptions, snapshot: Snapshot) -> None:
    for name in _COMPARED:
        own, theirs = (
            getattr(stated, name),
            getattr(snapshot if name in ("redshift", "box_size") else snapshot.cosmology, name),
        )
        if own is not None and abs(own - theirs) > _SAME * max(abs(theirs), 1.0):
            raise DomainError(
                f"{where}.yaml",
                f"{name} {own:.6g}",
                f"{theirs:.6g}, that of {snapshot.name}",
                "give the galaxies of this simulation at this output",
            )


def _only(found: list[Table], path: Path, mine: Mapping[str, Taken], kind: Kind) -> Table:
    """Return the table of a file; of several, the one that has the columns of the map."""
    fit = found
    if len(found) > 1:
        names = [name.rpartition("/")[2] for taken in mine.values() for name in taken.names]
        fit = [one for one in found if names and set(names) <= set(one.fields)]
    if len(fit) == 1:
        return fit[0]
    raise FormatError(
        path,
        f"{len(fit) or 'no'} tables" + " that have the columns of the map" * (len(found) > 1),
        f"one table of {kind.rows}: " + ", ".join(files.FORMATS),
        f'name its columns: {kind.flag} "{kind.example}"',
    )


def _taken(table: Table, mine: Mapping[str, Taken], kind: Kind) -> dict[str, Taken]:
    """Return the columns of each quantity.

    Raises
    ------
    MissingDatasetError
        There is not what is needed, or nothing to join by.
    """
    other = [quantity for quantity in mine if quantity not in kind.known]
    if other:
        raise MissingDatasetError(
            kind.flag, ", ".join(other), "some of " + ", ".join(kind.known), "leave the others out"
        )
    taken = dict(mine)
    named = bool(mine.keys() - _PLACE.keys())
    for quantity, known in kind.known.items():
        if named and not kind.needed and quantity not in _PLACE:
            continue  # the user chose
        same = [n for n, f in table.fields.items() if f.kind != "O" and plain(n) in known]
        if quantity not in taken and len(same) == 1:
            taken[quantity] = Taken((same[0],), by="its name")
    lacking = [name.replace("_", " ") for name in kind.needed if name not in taken]
    if not kind.needed and not taken.keys() - _PLACE.keys():
        lacking.append(f"any of {', '.join(name for name in kind.known if name not in _PLACE)}")
    if not taken.keys() & _PLACE.keys():
        lacking.append("halo_id or position of the subhalo")
    if lacking:
        raise MissingDatasetError(
            table.place,
            f"no column for {' and '.join(lacking)}; columns: {table.listed()}",
            f"{kind.what}, and the id or position of its subhalo",
            f'give {kind.flag} "{kind.example}", with the names and units that the table has',
        )
    return taken


def _read(
    table: Table, taken: Mapping[str, Taken], snapshot: Snapshot, chunk_rows: int, flag: str
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the columns in internal units, and the record of how they were read."""
    found = with_units(table, taken, snapshot.redshift, flag)
    wanted = {
        name: INTEGER if quantity in INTEGERS else FLOAT
        for quantity, column in found.items()
        for name in column.taken.names
    }
    raw = gather(table, wanted, chunk_rows)
    columns: dict[str, Array] = {}
    for quantity, column in found.items():
        parts = [raw[name] for name in column.taken.names]
        values = np.stack(parts, axis=1) if quantity in VECTORS and len(parts) == 3 else parts[0]
        if column.conversion is not None:
            values = np.array(values, dtype=np.float64)
            column.conversion.apply(values, snapshot.cosmology.h, 1 / (1 + snapshot.redshift))
        columns[quantity] = values
    if "halo_id" in columns:
        place = table.at(taken["halo_id"].names[0])
        columns["halo_id"] = whole(columns["halo_id"], lambda row: f"{place}, row {row}")
    record = {
        quantity: describe(quantity, column.taken, column.unit, column.unit_from)
        for quantity, column in found.items()
    }
    return columns, record


def _check_values(columns: Mapping[str, Array], where: Callable[[str, int], str]) -> None:
    for name, values in columns.items():
        if name == "halo_id":
            continue
        good = np.isfinite(values) if name == "position" else (values >= 0) & (values < np.inf)
        bad = np.flatnonzero(~(good.all(axis=1) if good.ndim > 1 else good))
        if bad.size:
            first = listed(np.atleast_1d(values[bad[0]]))
            raise BadValueError(
                where(name, int(bad[0])),
                f"{bad.size} impossible values, the first {first}",
                "finite numbers" + ", not negative" * (name != "position"),
                "leave these rows out of the table; 0 is the mass of no galaxy"
                if name.startswith("stellar")
                else "correct these rows of the table",
            )
