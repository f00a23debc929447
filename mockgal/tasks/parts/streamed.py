"""The first pass in a stream: hosts read in pieces, checked, and shared out by ranges of ids.

What a catalogue states of all its subhalos is added up: hosts by mass here, and what is drawn and
predicted by each part, which `completed` puts together when the parts are merged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import __version__, random
from ...columns import HALO_COLUMNS, REQUIRED_HALO_COLUMNS
from ...digests import digest_of_blocks
from ...errors import listening
from ...layout import POPULATED, WARNINGS
from ...painters.blocks import EXACT, exact_sums
from ...painters.choose import guarded, predict_satellites
from ...painters.draw import describe_simulation, paint_columns
from ...painters.hosts import add_hosts, count_hosts
from ...protocols import Painter, check_contents
from ...satellites.ids import END, SATELLITE_BIT, Runs, settle
from ...system.progress import advance
from ...types import Array, HaloCatalog, Scene
from ..build import Work
from ..steps.read import read_in_pieces
from .bound import Bound
from .place import Place
from .scenes import scene_of, snapshot_facts
from .spool import Buckets, Spool
from .store import blocks, load, save

if TYPE_CHECKING:
    from ...recipe import Recipe
    from ..build import Snapshot
    from ..surveying.outputs import Outputs

STREAMED = "in pieces"  # key of the facts of a snapshot that was read so
Facts = dict[str, Any]


def why_whole(recipe: Recipe, snapshot: Snapshot) -> str:
    """Return why halos have to be in memory as a whole, in words; "" if they need not."""
    painter = snapshot.painter
    if getattr(painter, "whole_box", False):
        return f"painter {painter.name} compares each subhalo with the others"
    if not hasattr(painter, "record_of"):
        return f"painter {painter.name}"
    return "--matter" if recipe.matter is not None else ""


def share_out(
    place: Place,
    number: int,
    recipe: Recipe,
    work: Work,
    outputs: Outputs,
    inputs: list[Path],
    tiles: list[str],
    bound: Bound,
) -> Facts | str:
    """Read the hosts of a snapshot in pieces, and write those of each part.

    Parameters
    ----------
    place : Place
    number : int
        Of the snapshot.
    recipe : Recipe
    work : Work
    outputs : Outputs
    inputs : list of Path
        Receives the files that are read.
    tiles : list of str
        Receives a digest of what was read.
    bound : Bound

    Returns
    -------
    dict or str
        What all parts share of the snapshot; or why it can only be read as a whole, in words.
    """
    snapshot = work.snapshots[number]
    if why := why_whole(recipe, snapshot):
        return why
    with Spool(place.folder / f"reading-{number}") as spool:
        sim = read_in_pieces(
            *(snapshot.path, spool, bound.piece_rows),
            format=recipe.format,
            options=recipe.read_options,
        )
        if isinstance(sim, str):
            return sim
        if work.survey is not None:
            work.survey.check_frame(sim.snapshot.frame == "sky")
        inputs += [Path(file.path) for file in sim.snapshot.source]
        work.check_outputs(outputs, sim, snapshot.painter, inputs, rows=spool.rows)
        tiles.append(_digest_of(sim))
        with guarded(recipe.painter, sim):
            check_contents(snapshot.painter, sim)
            return _share_out(place, number, recipe, work, sim, spool, _joined(tiles), bound)


def _digest_of(sim: Scene) -> str:
    facts = [__version__, snapshot_facts(sim.snapshot), dict(sim.halos.record)]
    return _joined([json.dumps(facts, sort_keys=True, default=dict)])


def _joined(texts: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(texts).encode(), digest_size=16).hexdigest()


def tiles_digest(tiles: Sequence[str]) -> str:
    """Return the digest that files of halos have, of the digests of the snapshots."""
    return _joined(tiles)


def _share_out(
    place: Place,
    number: int,
    recipe: Recipe,
    work: Work,
    sim: Scene,
    spool: Spool,
    tiles: str,
    bound: Bound,
) -> Facts:
    facts: Facts = {
        "snapshot": snapshot_facts(sim.snapshot),
        "mass_definition": sim.halos.mass_definition,
        "halo_record": dict(sim.halos.record),
        "columns": spool.names,
        "same": spool.same,
        STREAMED: True,
        "law": None,
    }
    buckets = Buckets(spool.folder, spool.rows)
    if (room := bound.parts_for(spool.rows)) > place.number:  # how many would do is counted first
        spool.divide(room)
        subhalos = spool.rows
        for part in range(1, room + 1) if work.satellites is not None else ():
            scene = scene_of(facts, spool.part(part))
            subhalos += int(_runs(scene, recipe, work, number).number.sum())
        bound.check_part(-(-subhalos // place.number), place.number)
    spool.divide(place.number)
    counted, taken = [], [np.empty(0, np.int64)]
    for part in range(1, place.number + 1):
        columns = spool.part(part)
        scene = scene_of(facts, columns)
        counted.append(count_hosts(scene.halos))
        if work.satellites is not None:
            runs, ids = _runs(scene, recipe, work, number), scene.halos["halo_id"]
            bound.check_part(len(ids) + int(runs.number.sum()), place.number)
            buckets.add(runs)
            taken.append(ids[(ids >= 1 << SATELLITE_BIT) & (ids < END)])
            del runs, ids
        start = f"{number}/halos/"
        arrays = {} if number == 0 else load(place.tile(part))[0]
        arrays |= {f"{start}{name}": values for name, values in columns.items()}
        del columns, scene
        save(place.tile(part), arrays, {"inputs": tiles})
        advance(part, place.number, "halos of each part")
    facts["hosts"], facts["settled"] = add_hosts(counted), []
    if work.satellites is not None:
        from ...satellites.make import draw_ids

        seed = random.check_seed(recipe.seed)
        settled = settle(
            *(buckets, buckets.edges),
            lambda hosts, attempt: draw_ids(seed, hosts, attempt),
            np.concatenate(taken),
        )
        facts["settled"] = [list(one) for one in sorted(settled.items())]
    facts["host_digest"] = _host_digest(place, number, facts, spool.rows)
    radius = {} if work.satellites is None else {"radius_definition": _definition(work, sim)}
    about = replace(sim, halos=_with_record(sim.halos, {POPULATED: radius} if radius else {}))
    facts["described"] = work.snapshots[number].painter.describe(about)
    facts["simulation"] = describe_simulation(sim, facts["host_digest"], facts["hosts"])
    return facts


def _definition(work: Work, sim: Scene) -> str:
    assert work.satellites is not None
    return work.satellites.definition(sim.halos)


def _with_record(halos: HaloCatalog, more: Mapping[str, Any]) -> HaloCatalog:
    return replace(halos, record={**halos.record, **more})


def _runs(scene: Scene, recipe: Recipe, work: Work, number: int) -> Runs:
    """Return the runs of ids of the satellites of some hosts."""
    from ...satellites.make import runs_of_ids

    assert work.satellites is not None
    with listening(quiet=True):
        law = predict_satellites(scene, work.snapshots[number].painter)
        return runs_of_ids(scene, law, seed=recipe.seed, options=work.satellites)


def _host_digest(place: Place, number: int, facts: Facts, rows: int) -> str:
    """Return the digest of all hosts, which lie in the order of their ids."""
    same = facts["same"]

    def of(name: str) -> Iterator[Array]:
        stored = same.get(name, name) or "halo_id"
        for part in range(1, place.number + 1):
            for block in blocks(place.tile(part), f"{number}/halos/{stored}"):
                yield block if name != "is_central" else np.ones(len(block), dtype=np.bool_)

    shapes = {name: (rows, *HALO_COLUMNS[name].shape) for name in facts["columns"]}
    return digest_of_blocks(shapes, HALO_COLUMNS, of, facts["mass_definition"])


def paint_part(
    facts: Facts, halos: Mapping[str, Array], recipe: Recipe, work: Work, painter: Painter
) -> tuple[dict[str, Array], Facts]:
    """Return the columns of the galaxies of a part's hosts, and what adds up over parts."""
    scene = scene_of(facts, halos)
    summary: Facts = {"populated": None, "populate_warnings": []}
    with guarded(recipe.painter, scene), listening(quiet=True):
        if work.satellites is not None:
            from ...satellites.make import populate

            with listening() as summary["populate_warnings"]:
                scene = populate(
                    scene,
                    predict_satellites(scene, painter),
                    seed=recipe.seed,
                    options=work.satellites,
                    settled=dict(facts["settled"]),
                )
            summary["populated"] = dict(scene.halos.record[POPULATED])
        with listening() as said:
            law = painter.predict(scene)
        central = scene.halos["is_central"]
        hosts_only = bool(central.all())
        with listening() as of_all:  # what is told of the whole, from all tallies
            painter.record_of(scene, law.tally, hosts_only)  # type: ignore[attr-defined]
        summary |= {
            "subhalos": len(scene.halos),
            "hosts_only": hosts_only,
            "tally": _texts(law.tally),
            "luminous": _texts({"": list(exact_sums(law.p_luminous, central) or (0, 0))})[""],
            "warnings": said[: len(said) - len(of_all)],
        }
        prediction = [law]
        del law, central
        columns = paint_columns(scene, painter, seed=recipe.seed, predict=prediction.pop)[0]
    return columns, summary


def completed(facts: Facts, parts: Sequence[Facts], painter: Painter) -> Facts:
    """Return what all parts share of a snapshot, with what the parts add up to.

    Parameters
    ----------
    facts : dict
        The result of `share_out`.
    parts : sequence of dict
        That of `paint_part` for each.
    painter : Painter
    """
    facts = dict(facts)
    if parts[0]["populated"] is not None:
        from ...satellites.make import add_records

        record = add_records([one["populated"] for one in parts])
        record["host_digest"] = facts["host_digest"]
        facts["halo_record"] = {**facts["halo_record"], POPULATED: record}
        facts["columns"], facts["same"] = list(REQUIRED_HALO_COLUMNS), {}
        if said := _once(one["populate_warnings"] for one in parts):
            record = {**facts["snapshot"]["record"], WARNINGS[1]: said}
            facts["snapshot"] = {**facts["snapshot"], "record": record}
    scene = scene_of(facts)
    facts["hosts_only"] = all(one["hosts_only"] for one in parts)
    tally = _added([one["tally"] for one in parts])
    luminous = np.sum([[int(x) for x in one["luminous"]] for one in parts], axis=0, dtype=object)
    with listening(quiet=True) as said:  # they are given with those of the prediction
        record = painter.record_of(scene, tally, facts["hosts_only"])  # type: ignore[attr-defined]
    facts["prediction"] = {
        "subhalos": sum(one["subhalos"] for one in parts),
        "expected_centrals": round(luminous[0] / EXACT, 6),
        "expected_satellites": round(luminous[1] / EXACT, 6),
        **record,
    }
    facts["warnings"] = [*_once(one["warnings"] for one in parts), *said]
    facts["described"] = painter.describe(scene)
    facts["simulation"] = describe_simulation(scene, facts["host_digest"], facts["hosts"])
    return facts


def _once(texts: Iterator[list[str]] | Any) -> list[str]:
    return list(dict.fromkeys(text for some in texts for text in some))


def _texts(tally: Mapping[str, Any]) -> Facts:
    """Return whole numbers as texts, since they have more digits than JSON files may have."""
    return {
        name: [str(x) for x in value] if isinstance(value, list) else str(value)
        for name, value in tally.items()
    }


def _added(tallies: Sequence[Mapping[str, Any]]) -> Facts:
    """Return the sum of tallies, of which `_texts` made texts."""
    total: Facts = {}
    for name, first in tallies[0].items():
        if isinstance(first, list):
            columns = zip(*(one[name] for one in tallies), strict=True)
            total[name] = [sum(map(int, column)) for column in columns]
        else:
            total[name] = sum(int(one[name]) for one in tallies)
    return total
