"""Build the mocks of several seeds: read and predicted once, and kept where they are there."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import __version__
from ...errors import MockgalError, OutputExistsError, UsageError, listening, said_once, warn
from ...random import seeds_of
from ...system.files import signals
from ...system.files.atomic import check_output
from ...system.files.lock import output_lock
from ...system.progress import advance
from ...types import GalaxyCatalog
from ...writers.provenance import read_sidecar
from ..build import Snapshot, Work, read_galaxies
from .manifest import Manifest, Member, is_manifest, manifest_path, paths_of, read_manifest

if TYPE_CHECKING:
    from ...recipe import Recipe
    from ..surveying.outputs import Outputs

_OFTEN = 5.0  # seconds between two manifests


@dataclass(frozen=True)
class Ensemble:
    """The mocks of an ensemble.

    Parameters
    ----------
    manifest : Path
        Table of the mocks.
    members : tuple of Member
        In the order of the seeds.
    kept : int
        Number of mocks that an earlier run had made.
    first : GalaxyCatalog
        The mock of the first seed.

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> recipe = {"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "out": "pair-{seed}.fits"}
    >>> mockgal.build_ensemble(check(recipe, "an example"), "1-2").manifest.name
    'pair-manifest.ecsv'
    """

    manifest: Path
    members: tuple[Member, ...]
    kept: int
    first: GalaxyCatalog


def build_ensemble(recipe: Recipe, seeds: str | Iterable[int]) -> Ensemble:
    """Build a mock for each seed, each the same to the last byte as if it were built alone.

    The simulation is read once, and predicted once unless satellites are made, which differ from
    seed to seed. Mocks that an earlier run made are kept if they are undamaged, and of the same
    recipe, version and files; so a run that was stopped goes on where it was.

    Parameters
    ----------
    recipe : Recipe
        With ``{seed}`` in its output. Its own seed has no effect.
    seeds : str or iterable of int
        Such as ``"1-100"``.

    Returns
    -------
    Ensemble

    Raises
    ------
    UsageError
        An output has no ``{seed}``, or the manifest is of another ensemble.
    OutputExistsError
        A file of another kind has the name of a mock.
    MockgalError
        A build failed. The mocks that were finished stay, and their manifest.

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> recipe = {"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "out": "mock-{seed}.fits"}
    >>> ensemble = mockgal.build_ensemble(check(recipe, "an example"), "1-3")
    >>> [member.galaxies for member in ensemble.members]
    [333, 336, 338]
    """
    wanted = seeds_of(seeds) if isinstance(seeds, str) else seeds_of(",".join(map(str, seeds)))
    recipes = _recipes(recipe, wanted)
    work = Work.of(recipe, keep=len(wanted) > 1)
    path = manifest_path(recipe.output)
    check_output(path, overwrite=True)
    with output_lock(path):
        facts = _facts(recipes[0], work, recipe.output.name)
        earlier, changed = _earlier(path, facts, overwrite=recipe.overwrite)
        others = sum(one.seed not in wanted for one in earlier)
        if changed:
            warn(
                f"{path}: {', '.join(changed)} changed since the {len(earlier):,} mocks that it "
                "lists were made: those of the seeds asked for are made again"
                + f", the other {others:,} are not listed any more"
                * bool(others)
            )
        # An earlier mock stays listed until it is replaced; of other inputs it is not listed.
        manifest = Manifest(path, facts, () if changed else earlier)
        manifest.save()
        known = Known({one.path for one in earlier}, manifest.inputs_digest)
        return _build(recipes, work, manifest, known)


class Known(NamedTuple):
    """What is known when mocks are looked at that are there.

    Parameters
    ----------
    listed : set of Path
        The mocks of an earlier run, which may be replaced.
    inputs : str
        Digest of all that mocks are made from, as the records of those that are kept have it.
    """

    listed: set[Path]
    inputs: str


def _build(recipes: Sequence[Recipe], work: Work, manifest: Manifest, known: Known) -> Ensemble:
    kept, first, saved = 0, None, time.monotonic()
    said: set[str] = set()
    try:
        for done, recipe in enumerate(recipes):
            advance(done, len(recipes), "mocks")
            with said_once(said):
                galaxies, is_kept, member = _mock(recipe, work, known)
            kept += is_kept
            first = galaxies if first is None else first
            rest = [one for one in manifest.members if one.seed != member.seed]
            manifest = replace(manifest, members=tuple(sorted((*rest, member))))
            if time.monotonic() - saved > _OFTEN:  # a run that is killed writes no more
                manifest.save()
                saved = time.monotonic()
        advance(len(recipes), len(recipes), "mocks")
    finally:
        with signals.finishing():
            manifest.save()
    assert first is not None  # there is a seed
    wanted = {recipe.seed for recipe in recipes}
    members = tuple(one for one in manifest.members if one.seed in wanted)
    return Ensemble(manifest.path, members, kept, first)


def _mock(recipe: Recipe, work: Work, known: Known) -> tuple[GalaxyCatalog, bool, Member]:
    """Return the mock of a recipe, whether it was there, and its entry in the manifest."""
    from ..surveying.outputs import Outputs

    outputs = replace(Outputs.of(recipe, recipe.output), inputs_digest=known.inputs)
    with outputs.locked():  # which clears what a run that was killed has left
        there = None if recipe.overwrite else _there(recipe, outputs, known)
        if there is not None:
            return there, True, _member(recipe, outputs, there, _digest(there))
        if outputs.galaxies in known.listed:  # of this ensemble: damaged, gone, or of other inputs
            outputs = replace(outputs, how={**outputs.how, "overwrite": True})
        report = work.mock(recipe, outputs)
    return report.galaxies, False, _member(recipe, outputs, report.galaxies, report.digests[0])


def _member(recipe: Recipe, outputs: Outputs, galaxies: GalaxyCatalog, digest: str) -> Member:
    return Member(recipe.seed, outputs.galaxies, len(galaxies), digest, outputs.randoms)


def _digest(galaxies: GalaxyCatalog) -> str:
    """Return the content digest with which a catalogue was written."""
    return str(galaxies.provenance.get("read_from", {}).get("content_digest") or galaxies.digest())


def _recipes(recipe: Recipe, seeds: Sequence[int]) -> list[Recipe]:
    """Return the recipe of each seed, with the paths of its outputs."""
    outs = paths_of(recipe.output, seeds)
    plan = recipe.survey
    stated = plan and plan.randoms and plan.randoms.out
    randoms = paths_of(stated, seeds) if stated else [None] * len(seeds)
    made = []
    for seed, out, points in zip(seeds, outs, randoms, strict=True):
        update: dict[str, Any] = {"seed": seed, "out": out}
        if points is not None:
            assert plan is not None
            assert plan.randoms is not None
            section = plan.randoms.model_copy(update={"out": points})
            update["survey"] = plan.model_copy(update={"randoms": section})
        made.append(recipe.model_copy(update=update))
    return made


def _facts(recipe: Recipe, work: Work, recipe_name: str) -> dict[str, Any]:
    """Return what all mocks share: the configuration but for the seed, files in, and kind of file.

    The simulations are read for it.
    """
    configuration = {key: x for key, x in recipe.configuration().items() if key != "seed"}
    return {
        "version": __version__,
        "output": {
            "units": recipe.units,
            "model": recipe.model_out,
            "desi_release": recipe.desi_release,
            "compress": recipe.compress,
            **({"precision": recipe.precision_out} if recipe.precision_out != "float64" else {}),
            **({"position_rounding": recipe.position_rounding} if recipe.position_rounding else {}),
            "name": recipe_name,
        },
        "configuration": configuration,
        "halos": [one.read().halos.digest() for one in work.snapshots],
        "law": [_law(one) for one in work.snapshots],
        "files": _files(work),
    }


def _law(snapshot: Snapshot) -> dict[str, Any]:
    """Return the digests of the files of a painter's law: its calibration, or its weights."""
    with listening(quiet=True):
        described = snapshot.painter.describe(snapshot.read())
    return {key: value for key, value in described.items() if key.endswith("_digest")}


def _files(work: Work) -> list[dict[str, Any]]:
    """Return the files that are read, with a digest, or the time of their last change."""
    files: dict[str, dict[str, Any]] = {}
    for snapshot in work.snapshots:
        for file in snapshot.read().snapshot.source:
            files[os.path.realpath(file.path)] = {"size": file.size, "digest": file.digest}
    for path in map(os.path.realpath, work.inputs):
        if os.path.isfile(path) and path not in files:
            with open(path, "rb") as stream:
                digest = hashlib.file_digest(stream, "blake2b").hexdigest()
            files[path] = {"size": os.path.getsize(path), "digest": digest}
    for path, facts in files.items():
        if not facts["digest"] and os.path.exists(path):
            facts["digest"] = f"changed at {os.stat(path).st_mtime_ns} ns"
    return [{"name": os.path.basename(path), **facts} for path, facts in sorted(files.items())]


_INPUTS = ("halos", "law", "files")


def _earlier(
    path: Path, facts: dict[str, Any], *, overwrite: bool
) -> tuple[tuple[Member, ...], list[str]]:
    """Return the mocks in the manifest, if there is one, and which inputs changed since.

    Raises
    ------
    UsageError
        The manifest is of another ensemble.
    OutputExistsError
        There is something else at its path.
    """
    if overwrite or not os.path.lexists(path):
        return (), []
    if not is_manifest(path):
        raise OutputExistsError(
            path,
            "a file that is no manifest of an ensemble",
            "no such file",
            "give --out another name, or add --overwrite",
        )
    earlier = read_manifest(path)
    if not earlier.members:  # of a run that ended before its first mock
        return (), []
    for key in ("version", "output", "configuration"):
        if earlier.facts.get(key) != facts[key]:
            raise UsageError(
                path,
                f"the manifest of an ensemble of another {_named(key, earlier.facts, facts)}",
                "one ensemble in each manifest",
                "give --out another name, or add --overwrite to make its mocks again",
            )
    return earlier.members, [key for key in _INPUTS if earlier.facts.get(key) != facts[key]]


def _named(key: str, earlier: dict[str, Any], facts: dict[str, Any]) -> str:
    """Return which fact differs, with the options that do."""
    one, other = earlier.get(key), facts[key]
    if not isinstance(one, dict):
        return f"{key}, {one}"
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return f"{key}: " + ", ".join(names)


def _there(recipe: Recipe, outputs: Outputs, known: Known) -> GalaxyCatalog | None:
    """Return the mock that an earlier run made, or None if it is to be made.

    Its record must be of this content, and of all that goes into it now.

    Raises
    ------
    OutputExistsError
        Another file has its name.
    MockgalError
        So has one that cannot be read.
    """
    path = outputs.galaxies
    if not os.path.lexists(path):
        return None
    try:
        with listening(quiet=True):
            galaxies = read_galaxies(path)
    except MockgalError as error:
        if path not in known.listed:
            raise
        warn(f"{path} is made again: {error}")
        return None
    stated = galaxies.provenance.get("configuration_digest")
    if stated != recipe.configuration_digest():
        raise OutputExistsError(
            path,
            "a mock of another recipe",
            "no such file, or the mock that this run would make",
            "give --out another name, or add --overwrite",
        )
    known.listed.add(path)
    why = _doubt(outputs, galaxies, known.inputs)
    if why:
        warn(f"{path} is made again: {why}")
        return None
    return galaxies


def _doubt(outputs: Outputs, galaxies: GalaxyCatalog, inputs: str) -> str:
    """Return why a mock that can be read is not kept; "" if it is."""
    record = read_sidecar(outputs.galaxies) or {}
    if record.get("content_digest") != _digest(galaxies):
        return "its record is gone, or of another mock"
    if record.get("inputs_digest") != inputs:
        return "it was built alone, or from other files"
    if not all(map(os.path.exists, outputs.paths)):
        return "files beside it are gone"
    if outputs.randoms is None:
        return ""
    try:
        with listening(quiet=True):
            found = _digest(read_galaxies(outputs.randoms))
    except MockgalError as error:
        return str(error)
    stated = record.get("randoms")
    alike = isinstance(stated, dict) and stated.get("content_digest") == found
    return "" if alike else "its randoms are of another mock"
