"""Make mocks again from what is recorded of them, and compare."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import __version__
from ...errors import InputError, NotAsWrittenError, UsageError, listening
from ...layout import INPUTS, MADE_WITH, MODEL, POPULATED
from ...protocols import Painter
from ...readers.mocks.facts import Facts
from ...readers.mocks.reader import examine, facts_of, read_galaxies
from ...system.parallel import using
from ...system.progress import advance
from ...types import GalaxyCatalog, Scene, SourceFile
from ...writers.models.companions import randoms_path
from ..build import Mock, Work
from ..ensembles.manifest import is_manifest, paths_of, read_manifest
from .beside import Inputs, check_there
from .differences import compare_catalogues
from .inputs import MOCKS, SIM, Compared, compared, describe_inputs, sources_of
from .inputs import recorded as record_of_run
from .recipes import (
    BUILD,
    RANDOMS,
    Recorded,
    as_before,
    checked,
    inputs_of,
    placed,
    recorded_recipe,
)
from .result import DIFFERENT, IDENTICAL, TOLERANCE, WITHIN, MadeAgain, Reproduction

if TYPE_CHECKING:
    from ...recipe import Recipe, SurveyRecipe
    from ..surveying.outputs import Outputs

_OF_A_NETWORK = ("device", "tile_size", "torch", "instructions", "precision")


def reproduced(
    path: Path,
    out: str | os.PathLike[str] | None,
    *,
    sim: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    look_in: Iterable[str | os.PathLike[str]],
    threads: int | None,
    overwrite: bool,
) -> Reproduction:
    """Make a mock, or those of a manifest, again: see `mockgal.reproduce`."""
    target = None if out is None else Path(out)
    sims = [sim] if isinstance(sim, str | os.PathLike) else list(sim)
    if threads is not None and threads < 1:
        raise UsageError("--threads", f"{threads}", "1 or more", "leave it out")
    how = _How([Path(one) for one in sims], Inputs(tuple(map(Path, look_in))), overwrite)
    how.inputs.check()
    check_there(path)
    if not is_manifest(path):
        return Reproduction(path, (_again(path, target, how, threads),))
    members = read_manifest(path).members
    outs: Sequence[Path | None] = [None] * len(members)
    if target is not None:
        outs = paths_of(target, [one.seed for one in members])
    made = []
    for n, (member, one) in enumerate(zip(members, outs, strict=True)):
        advance(n, len(members), "mocks")
        made.append(_again(member.path, one, how, threads))
    advance(len(members), len(members), "mocks")
    return Reproduction(path, tuple(made))


@dataclass
class _How:
    """The options, and the simulations that the mocks of an ensemble share."""

    sims: list[Path]
    inputs: Inputs
    overwrite: bool
    work: dict[str, Work] = field(default_factory=dict)

    def work_of(self, recipe: Recipe) -> Work:
        """Return the work of a recipe, read and predicted once for all seeds."""
        shared = recipe.model_copy(update={"seed": 0, "out": None}).model_dump_json()
        if shared not in self.work:
            self.work = {shared: Work.of(recipe, keep=True)}
        return self.work[shared]


class _Made(NamedTuple):
    """Galaxies and randoms that were made again, and the files that were read, by use."""

    galaxies: GalaxyCatalog
    randoms: GalaxyCatalog | None
    sources: Mapping[str, Sequence[SourceFile]]


def _again(path: Path, out: Path | None, how: _How, threads: int | None) -> MadeAgain:
    """Make one mock again, and compare."""
    with listening(quiet=True):
        format, found = examine(path)
    facts, why = found.facts, found.damage or ", ".join(found.changed)
    if facts is None or why:
        raise NotAsWrittenError(
            path,
            f"other rows than were written ({why})",
            "a mock as it was written",
            "copy it again",
        )
    recorded = recorded_recipe(path, facts, format)
    inputs = inputs_of(recorded, facts)
    values, places = placed(recorded, inputs, how.inputs.of(path), how.sims)
    if recorded.command == BUILD:
        values = as_before(values, facts.provenance.get("painter", {}))
    now = tuple(compared(one, places.get(one.use), recorded.record) for one in inputs)
    _check_inputs(now)
    values = {**values, "overwrite": how.overwrite}
    if out is not None:
        values["out"] = str(out)
        values = _without_randoms_out(values)
    recipe = checked(recorded, values, path)
    outputs = None
    if out is not None:
        from ..surveying.outputs import Outputs

        outputs = Outputs.of(recipe, out)
        outputs.check([path, *places.values()])
    with using(threads):
        made = _make(recorded, recipe, values, facts, how, outputs)
    of = made.randoms if _is_of_randoms(facts) else made.galaxies
    if of is None:
        raise InputError(path, "randoms, and a recipe that makes none", "a recipe with randoms")
    wrote = () if outputs is None else _write(outputs, made, facts, recorded, recipe)
    result = _compare(path, facts, of, now, recorded)
    if made.randoms is not None and of is made.galaxies:
        result = _with_randoms(result, _digest_of_randoms(path, facts, recorded), made.randoms)
    if not wrote or outputs is None:
        return result
    twin = outputs.randoms if _is_of_randoms(facts) and outputs.randoms else outputs.galaxies
    same = path.is_file() and twin.is_file() and filecmp.cmp(path, twin, shallow=False)
    return replace(result, wrote=wrote, same_file=same)


def _is_of_randoms(facts: Facts) -> bool:
    return bool(facts.provenance.get("painter", {}).get("name") == RANDOMS)


def _without_randoms_out(values: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe whose randoms go beside its galaxies, not over those that are there."""
    plan = values.get("survey")
    if not isinstance(plan, dict) or not isinstance(plan.get("randoms"), dict):
        return values
    randoms = {key: value for key, value in plan["randoms"].items() if key != "out"}
    return {**values, "survey": {**plan, "randoms": randoms}}


def _check_inputs(inputs: Iterable[Compared]) -> None:
    """Raise if an input is another than it was. Simulations are compared by their halos."""
    for one in inputs:
        if one.same is False and one.input.title != SIM:
            raise NotAsWrittenError(
                one.path,
                f"{one.found}, which is another {one.input.title} than the mock was made from",
                one.expected,
                "put the former one in its place, or into a folder that --look-in names",
            )


def _make(
    recorded: Recorded,
    recipe: Recipe | SurveyRecipe,
    values: Mapping[str, Any],
    facts: Facts,
    how: _How,
    outputs: Outputs | None,
) -> _Made:
    """Carry out a recipe."""
    if recorded.command == BUILD:
        work = how.work_of(recipe)  # type: ignore[arg-type]
        mock: Mock = work.make(recipe, _same_halos_and_law(facts))  # type: ignore[arg-type]
        sources = sources_of(recipe, mock.scenes)  # type: ignore[arg-type]
        return _Made(mock.galaxies, mock.randoms, sources)
    from ..surveying.steps import Survey
    from ..surveying.survey import source_of, survey_mocks

    assert recipe.survey is not None  # checked when it was carried out first
    mocks = [Path(one) for one in values[MOCKS]]
    changed = recorded.record.get("changed_by_hand")
    made = survey_mocks(mocks, recipe, Survey.of(recipe.survey), changed, outputs)
    sources = {f"{MOCKS}.{n}": (source_of(one),) for n, one in enumerate(mocks)}
    return _Made(made.galaxies, made.randoms, sources)


def _same_halos_and_law(facts: Facts) -> Callable[[Scene, Painter, list[Path]], None]:
    """Return a function that raises if a simulation or a painter's law is not that of a mock."""
    provenance = facts.provenance
    steps = [one for one in provenance.get("survey", []) if one.get("step") == "light cone"]
    shells = steps[0].get("snapshots", []) if steps else []
    halos = {shell.get("halo_digest") for shell in shells if isinstance(shell, Mapping)}
    halos |= {provenance.get("simulation", {}).get("halo_digest")}
    painter = provenance.get("painter", {})

    def check(sim: Scene, law: Painter, inputs: list[Path]) -> None:
        populated = sim.halos.record.get(POPULATED)
        digest = sim.halos.digest() if populated is None else str(populated["host_digest"])
        if digest not in halos and halos != {None}:
            raise NotAsWrittenError(
                inputs[-1],
                f"halos of digest {digest[:16]}",
                " or ".join(sorted(str(one)[:16] for one in halos if one)) + ", as in the mock",
                "give the simulation that the mock was made from: --sim PATH",
            )
        with listening(quiet=True):
            described = law.describe(sim)
        for kind in ("calibration", "weights"):
            stated, now = painter.get(f"{kind}_digest"), described.get(f"{kind}_digest")
            if len(halos) == 1 and stated is not None and now != stated:
                raise NotAsWrittenError(
                    f"{kind} {described.get(kind)}",
                    f"digest {str(now)[:16]}",
                    f"{str(stated)[:16]}, as in the mock",
                    f"it came with mockgal {provenance.get('version')}: install that version"
                    if painter.get("comes_with_mockgal")
                    else f"put the former {kind} into a folder that --look-in names",
                )

    return check


def _write(
    outputs: Outputs,
    made: _Made,
    facts: Facts,
    recorded: Recorded,
    recipe: Recipe | SurveyRecipe,
) -> tuple[Path, ...]:
    """Write what was made again, with the provenance of the mock that is recorded."""
    stated: dict[str, Any] = {
        key: facts.provenance[key]
        for key in ("configuration", "configuration_digest")
        if key in facts.provenance
    }
    stated[INPUTS] = describe_inputs(recipe, made.sources)
    galaxies = made.galaxies.with_provenance(**stated)
    randoms = made.randoms and made.randoms.with_provenance(**stated)
    with outputs.locked():
        read = [Path(one.path) for files in made.sources.values() for one in files]
        asked = record_of_run(recorded.command, recipe, made.sources)
        outputs.write_and_record(galaxies, randoms, read, asked)
    return tuple(path for path in outputs.paths if path.exists())


def _compare(
    path: Path,
    facts: Facts,
    galaxies: GalaxyCatalog,
    inputs: tuple[Compared, ...],
    recorded: Recorded,
) -> MadeAgain:
    """Compare a mock with the one that was made again."""
    digest, provenance = galaxies.digest(), facts.provenance
    then, now = (x.get("painter", {}) for x in (provenance, galaxies.provenance))
    changes = {
        key: (then.get(key), now.get(key))
        for key in _OF_A_NETWORK
        if key in now and then.get(key) != now.get(key)
    }
    verdict, found = IDENTICAL, None
    if digest != facts.digest:
        with listening(quiet=True):
            found = compare_catalogues(read_galaxies(path), galaxies, facts.units)
        former = provenance.get("read_from", {}).get("content_digest")
        if former == digest and found.is_rounding:
            found = None
        else:
            verdict = WITHIN if changes and _close(then, now) else DIFFERENT
    with_then = {"mockgal": provenance.get("version"), **provenance.get(MADE_WITH, {})}
    with_now = {"mockgal": __version__, **galaxies.provenance.get(MADE_WITH, {})}
    versions = {
        name: (str(with_then.get(name) or ""), str(with_now.get(name) or ""))
        for name in dict.fromkeys([*with_then, *with_now])
    }
    return MadeAgain(
        path,
        verdict,
        (facts.digest, digest),
        (facts.rows, len(galaxies)),
        found,
        versions,
        changes,
        inputs,
        recorded.origin,
    )


def _digest_of_randoms(path: Path, facts: Facts, recorded: Recorded) -> str:
    """Return the content digest of the randoms of a mock, as recorded or beside it; "" if none."""
    stated = recorded.record.get("randoms")
    if isinstance(stated, dict):
        return str(stated.get("content_digest"))
    beside = randoms_path(path, str(facts.file.get(MODEL, {}).get("name")))
    return facts_of(beside).digest if beside.exists() else ""


def _with_randoms(result: MadeAgain, digest: str, randoms: GalaxyCatalog) -> MadeAgain:
    """Return the result with what came of the randoms."""
    now = randoms.digest()
    verdict = result.verdict
    if digest and digest != now and verdict == IDENTICAL:
        verdict = DIFFERENT
    return replace(result, verdict=verdict, randoms=(digest, now))


def _close(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether the numbers that a network expects agree within the tolerance."""
    pairs = [
        (then.get("prediction", {}).get(key), now.get("prediction", {}).get(key))
        for key in ("expected_centrals", "expected_satellites")
    ]
    return all(
        isinstance(a, int | float)
        and isinstance(b, int | float)
        and abs(a - b) <= TOLERANCE * max(abs(a), abs(b), 1.0)
        for a, b in pairs
    )
