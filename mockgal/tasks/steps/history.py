"""Join a table of merger histories to the subhalos of a simulation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...columns import HALO_COLUMNS
from ...errors import BadValueError, MissingDatasetError, UsageError
from ...layout import HISTORY
from ...types import HaloCatalog, Scene

_CHUNK_ROWS = 1 << 20
_OF_CENTRALS = {"infall_mass": "mass", "infall_vmax": "vmax"}  # what they are of a central
# Columns that follow bound mass: they tell the tables of this run from those of others.
_PROOF = ("peak_mass", "peak_vmax", "vmax_at_peak_mass")
FLAG = "--history"


def with_history(scene: Scene, table: Any, columns: str | Mapping[str, Any] | None) -> Scene:
    """Return a simulation with the columns of a table of its merger trees.

    Rows are joined by the id of their subhalo, or by its exact position. Every subhalo must have
    one; rows on no subhalo are counted and left out.

    Parameters
    ----------
    scene : Scene
    table : path-like or object
        Any table that `mockgal.read` takes.
    columns : str or mapping, optional
        ``"halo_id=id, peak_mass=Mpeak [Msun/h], half_mass_scale=a_half"``, or the same by quantity.

    Raises
    ------
    MissingDatasetError
        A subhalo has no row; or ids alone cannot show that the table is that of this run.
    MockgalError
        The table cannot be read, or joined to these subhalos.
    """
    from ...calibration.matching.same_halos import join_rows
    from ...readers.tables.galaxies import HISTORIES, read_galaxy_table

    halos, snapshot = scene.halos, scene.snapshot
    snapshot.check_periodic(FLAG, "give a periodic box")
    found = read_galaxy_table(table, columns, snapshot, _CHUNK_ROWS, HISTORIES)
    own = {name: x for name, x in found.columns.items() if name not in ("halo_id", "position")}
    twice = [name for name in own if name in halos]
    if twice:
        raise UsageError(
            FLAG,
            f"{', '.join(twice)}, which {snapshot.name} has already",
            "columns that it lacks",
            "leave them out of --history-columns",
        )
    proof = next((name for name in _PROOF if name in own), None)
    if proof is None and "position" not in found.columns:
        raise MissingDatasetError(
            found.place,
            f"ids and {', '.join(own)}: ids that count rows fit any run",
            f"something that shows whose they are: position, {', '.join(_PROOF)}",
            'add one: --history-columns "halo_id=NAME, position=X Y Z [Mpc/h], ..."',
        )
    row, record = join_rows(scene, found.columns, proof, found.where, found.place, HISTORIES.flag)
    on = row >= 0
    without = np.setdiff1d(np.arange(len(halos)), row[on])
    if without.size:
        raise MissingDatasetError(
            found.place,
            f"no row for {without.size:,} of {len(halos):,} subhalos of {snapshot.name}, the first "
            f"halo_id {halos['halo_id'][without].min()}",
            "a row for each subhalo",
            "add the rows that are missing; a subhalo without a tree has its present mass as its "
            "peak_mass",
        )
    joined: dict[str, Any] = {}
    for name, values in own.items():
        joined[name] = np.empty(len(halos))
        joined[name][row[on]] = values[on]
    record |= _own_values(joined, halos)
    _check_bounds(joined, found.where, row)
    facts = {
        **record,
        "rows": len(row),
        "joined": int(np.sum(on)),
        "on_no_subhalo": int(np.sum(~on)),
        "table": found.name,
        **found.record,
    }
    if isinstance(table, str | os.PathLike):
        facts["path"] = str(Path(table))
    return replace(
        scene,
        snapshot=replace(
            snapshot,
            source=(*snapshot.source, *found.files),
            record={**snapshot.record, HISTORY: facts},
        ),
        halos=HaloCatalog({**halos.columns, **joined}, halos.mass_definition, halos.record),
    )


def _own_values(joined: dict[str, Any], halos: HaloCatalog) -> dict[str, int]:
    """Give centrals without an infall their present values, and return how many."""
    given = {}
    for name, present in _OF_CENTRALS.items():
        if name in joined and present in halos:
            never = halos["is_central"] & (joined[name] == 0)
            joined[name][never] = halos[present][never]
            given[f"centrals_with_{present}_as_{name}"] = int(np.sum(never))
    return given


def _check_bounds(joined: Mapping[str, Any], where: Any, row: Any) -> None:
    for name, values in joined.items():
        bounds = HALO_COLUMNS[name].bounds
        if bounds is None or (bad := bounds.outside(values)) is None:
            continue
        first = int(np.flatnonzero(row == int(np.argmax(bad)))[0])
        raise BadValueError(
            where(name, first),
            f"{np.count_nonzero(bad)} impossible values, the first {values[np.argmax(bad)]:.6g}",
            bounds.text(HALO_COLUMNS[name].unit_label),
            "correct the unit that --history-columns states",
        )


def describe(record: Mapping[str, Any]) -> str:
    """Return the recorded counts of a join as a sentence without its full stop."""
    more = [
        f"{number:,} {key.replace('_', ' ')}"
        for key, number in record.items()
        if key.startswith("centrals_with_") and number
    ]
    columns = [name for name in record["columns_read"] if name not in ("halo_id", "position")]
    text = (
        f"{', '.join(columns)}: {record['joined']:,} of {record['rows']:,} rows are joined to "
        f"subhalos by {record['joined_by']}; on no subhalo, and left out: "
        f"{record['on_no_subhalo']:,}"
    )
    return "; ".join([text, *more])
