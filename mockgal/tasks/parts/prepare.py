"""The first pass: read the simulation once, share its halos out, and keep what all parts need."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...errors import CorruptFileError, UsageError, listening, warn
from ...layout import POPULATED
from ...painters.choose import guarded
from ...painters.draw import count_prediction, describe_simulation
from ...protocols import Painter, check_contents
from ...system.progress import advance
from ...types import Array, Scene
from ..build import Work
from ..verification.inputs import paths_of
from . import streamed
from .bound import Bound
from .place import Place, waiting_for
from .scenes import law_arrays, law_facts, rows_of_parts, snapshot_facts
from .store import load, save

if TYPE_CHECKING:
    from ...laws.distribution import Distribution
    from ...recipe import Recipe
    from ..surveying.outputs import Outputs

Whole = dict[str, Any]
NO_BOUND = Bound()
Arrays = dict[str, Array]


def check_painter(recipe: Recipe, painter: Painter) -> None:
    """Raise if a painter cannot paint in parts: it sees matter around its subhalos.

    Raises
    ------
    UsageError
    """
    if "field" in painter.needs:
        raise UsageError(
            "--part",
            f"painter {recipe.painter}, which looks at the matter around subhalos",
            "a painter that needs halos alone, such as hod or sham",
            "leave --part out; the network keeps its finished tiles with --resume FOLDER",
        )


def prepared(
    place: Place,
    recipe: Recipe,
    work: Work,
    outputs: Outputs,
    part: int,
    bound: Bound = NO_BOUND,
) -> tuple[Whole, Arrays]:
    """Return what all parts share, and the halos of one part; make both if necessary.

    The first run to come reads the simulation; others wait for it.
    """
    found = _there(place, part)
    if found is None:
        with waiting_for(place.whole):
            found = _there(place, part)
            if found is None:
                _prepare(place, recipe, work, outputs, bound)
                found = load(place.whole)[1], load(place.tile(part))[0]
    return found


def current(place: Place) -> Whole | None:
    """Return what all parts share, if it is there, undamaged, and its inputs are as they were."""
    if not place.whole.exists():
        return None
    try:
        whole = load(place.whole)[1]
    except CorruptFileError as error:
        warn(f"the simulation is read again: {error}")
        return None
    if changed := changed_inputs(whole):
        warn(f"the simulation is read again: {changed} changed since it was read")
        return None
    return whole


def read_whole(place: Place) -> list[str]:
    """Return why snapshots were read as a whole, in words; empty if all were read in pieces."""
    snapshots = load(place.whole)[1]["snapshots"]
    return list(dict.fromkeys(one["whole"] for one in snapshots if "whole" in one))


def _there(place: Place, part: int) -> tuple[Whole, Arrays] | None:
    whole = current(place)
    if whole is None:
        return None
    try:
        halos, facts = load(place.tile(part))
    except CorruptFileError as error:
        warn(f"the simulation is read again: {error}")
        return None
    return (whole, halos) if facts.get("inputs") == whole["tiles"] else None


def _prepare(
    place: Place, recipe: Recipe, work: Work, outputs: Outputs, bound: Bound = NO_BOUND
) -> Whole:
    snapshots, inputs, tiles = list[Whole](), list(work.inputs), list[str]()
    for number in range(len(work.snapshots)):
        facts = streamed.share_out(place, number, recipe, work, outputs, inputs, tiles, bound)
        if isinstance(facts, str):
            why = facts
            bound.refuse(why)
            facts = _share_out_whole(place, number, recipe, work, outputs, inputs, tiles)
            facts["whole"] = why
        snapshots.append(facts)
    files = [os.path.abspath(path) for path in inputs[len(work.inputs) :]]
    whole = {
        "snapshots": snapshots,
        "inputs": inputs_digest(snapshots),
        "tiles": streamed.tiles_digest(tiles),
        "stamps": _stamps([*files, *_named(recipe)]),
        "read": [str(path) for path in inputs],
    }
    save(place.whole, {}, whole)
    return whole


def _share_out_whole(
    place: Place,
    number: int,
    recipe: Recipe,
    work: Work,
    outputs: Outputs,
    inputs: list[Path],
    tiles: list[str],
) -> Whole:
    """Do what `mockgal.tasks.parts.streamed.share_out` does, with the halos in memory."""
    snapshot = work.snapshots[number]
    sim = work.read(snapshot, recipe.seed)
    inputs += [Path(file.path) for file in sim.snapshot.source]
    work.check_outputs(outputs, sim, snapshot.painter, inputs)
    with guarded(recipe.painter, sim):
        facts, law = _facts(sim, snapshot.painter)
    tiles.append(inputs_digest([facts]))
    _share_out(place, number, sim, law, streamed.tiles_digest(tiles))
    return facts


def _named(recipe: Recipe) -> list[str]:
    paths = paths_of(recipe.model_dump(mode="json")).values()
    return [os.path.abspath(path) for path in paths if os.path.isfile(path)]


def _stamps(files: Iterable[str]) -> dict[str, list[int]]:
    """Return size and time of the last change of files that are there."""
    there = {path: os.stat(path) for path in files if os.path.exists(path)}
    return {path: [status.st_size, status.st_mtime_ns] for path, status in there.items()}


def changed_inputs(whole: Whole) -> str:
    """Return a file that changed since it was read, or "". Those that are gone do not count."""
    now = _stamps(whole["stamps"])
    return next((path for path, stamp in now.items() if stamp != whole["stamps"][path]), "")


def inputs_digest(snapshots: list[dict[str, Any]]) -> str:
    """Return the digest of all that galaxies are painted from, beside the recipe."""
    facts = [__version__, [{k: one[k] for k in ("simulation", "described")} for one in snapshots]]
    text = json.dumps(facts, sort_keys=True, default=dict)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _facts(sim: Scene, painter: Painter) -> tuple[dict[str, Any], Distribution | None]:
    """Return what the catalogue states of a simulation; and its prediction, if it is of the whole.

    The prediction of each part is made anew, unless subhalos depend on others in the box.
    """
    check_contents(painter, sim)
    halos = sim.halos
    with listening() as warnings:
        law = painter.predict(sim)
        prediction = count_prediction(law, halos)
        described = painter.describe(sim)
    if law.further:
        raise UsageError(
            "--part",
            f"painter {painter.name}, which gives galaxies further columns",
            "a painter of stellar masses",
            "leave --part out",
        )
    populated = halos.record.get(POPULATED)
    digest = halos.digest() if populated is None else str(populated["host_digest"])
    facts = {
        "snapshot": snapshot_facts(sim.snapshot),
        "mass_definition": halos.mass_definition,
        "halo_record": dict(halos.record),
        "columns": list(halos.columns),
        "hosts_only": bool(halos["is_central"].all()),
        "prediction": prediction,
        "described": described,
        "simulation": describe_simulation(sim, digest),
        "warnings": warnings,
        "law": law_facts(law) if getattr(painter, "whole_box", False) else None,
    }
    return facts, law if facts["law"] else None


def _share_out(
    place: Place, number: int, sim: Scene, law: Distribution | None, inputs: str
) -> None:
    """Write the halos of each part, beside those of the snapshots before."""
    parts = rows_of_parts(sim.halos, place.number)
    for part, rows in enumerate(parts, start=1):
        arrays: dict[str, Array] = {} if number == 0 else load(place.tile(part))[0]
        for name in sim.halos.columns:
            arrays[f"{number}/halos/{name}"] = sim.halos[name][rows]
        if law is not None:
            for name, values in law_arrays(law, rows).items():
                arrays[f"{number}/law/{name}"] = values
        save(place.tile(part), arrays, {"inputs": inputs})
        advance(part, place.number, "halos of each part")
