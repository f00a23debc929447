"""Parts of a scene as arrays and facts: its snapshot, its halos, and a prediction for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...columns import HALO_COLUMNS
from ...cosmology import Cosmology
from ...laws.distribution import Distribution
from ...laws.velocity import VelocityBias
from ...types import Array, HaloCatalog, LightCone, Scene, Snapshot, SourceFile

_ROWS = ("p_luminous", "location", "scale", "residual_row", "extrapolated")  # one value a subhalo
_TABLES = ("residual_probability", "residual_quantiles")


def rows_of_parts(halos: HaloCatalog, number: int) -> list[Array]:
    """Return the rows of each part: as many hosts, in the order of ids, with their satellites.

    Painters that need halos alone see nothing beyond a host, so that parts need not be regions of
    space; and parts in the order of ids are merged by writing them one after another.
    """
    central = np.flatnonzero(halos["is_central"])
    order = np.argsort(halos["halo_id"][central], kind="stable")
    part = np.zeros(len(halos), dtype=np.int32)
    part[central[order]] = np.arange(len(order)) * number // max(len(order), 1)
    part = part[halos.host_row]
    rows = np.argsort(part, kind="stable")
    edges = np.searchsorted(part[rows], np.arange(number + 1))
    return [rows[edges[i] : edges[i + 1]] for i in range(number)]


def snapshot_facts(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as plain JSON values."""
    return {
        "name": snapshot.name,
        "box_size": snapshot.box_size,
        "redshift": snapshot.redshift,
        "cosmology": snapshot.cosmology.to_dict(),
        "particle_mass": snapshot.particle_mass,
        "format": snapshot.format,
        "source": [list(file) for file in snapshot.source],
        "record": dict(snapshot.record),
        "light_cone": None if snapshot.light_cone is None else list(snapshot.light_cone),
    }


def snapshot_of(facts: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot of `snapshot_facts`."""
    cone = facts["light_cone"]
    return Snapshot(
        facts["name"],
        facts["box_size"],
        facts["redshift"],
        Cosmology(**facts["cosmology"]),
        facts["particle_mass"],
        facts["format"],
        tuple(SourceFile(*file) for file in facts["source"]),
        facts["record"],
        None if cone is None else LightCone(tuple(cone[0]), tuple(cone[1])),
    )


def scene_of(facts: Mapping[str, Any], columns: Mapping[str, Array] | None = None) -> Scene:
    """Return a scene with some of its halos, or with none."""
    if columns is None:
        columns = {
            name: np.empty((0, *HALO_COLUMNS[name].shape), HALO_COLUMNS[name].dtype)
            for name in facts["columns"]
        }
    columns = dict(columns)
    for name, of in facts.get("same", {}).items():  # those that were read in pieces
        ids = columns["halo_id"]
        columns.setdefault(name, columns[of] if of else np.ones(len(ids), dtype=np.bool_))
    columns = {name: columns[name] for name in facts["columns"]}  # in their order
    halos = HaloCatalog(columns, facts["mass_definition"], facts["halo_record"])
    return Scene(snapshot_of(facts["snapshot"]), halos)


def law_facts(law: Distribution) -> dict[str, Any]:
    """Return what a prediction states beside its arrays, as plain JSON values."""
    return {
        "floor": law.floor,
        "rank_correlation": law.rank_correlation,
        "velocity": None if law.velocity is None else list(law.velocity),
    }


def law_arrays(law: Distribution, rows: Array) -> dict[str, Array]:
    """Return the arrays of a prediction for some rows."""
    names = (*_ROWS, *(("rank",) if law.rank is not None else ()))
    arrays = {name: np.ascontiguousarray(getattr(law, name)[rows]) for name in names}
    return arrays | {name: np.asarray(getattr(law, name)) for name in _TABLES}


def law_of(facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> Distribution:
    """Return the prediction of `law_facts` and `law_arrays`."""
    velocity = facts["velocity"]
    columns: dict[str, Any] = {name: arrays[name] for name in (*_ROWS, *_TABLES)}
    return Distribution(
        **columns,
        floor=float(facts["floor"]),
        rank=arrays.get("rank"),
        rank_correlation=facts["rank_correlation"],
        velocity=None if velocity is None else VelocityBias(*velocity),
    )
