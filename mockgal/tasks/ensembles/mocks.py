"""Build the mocks of several seeds: read and predicted once, and kept where they are there."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import __version__
from ...errors import MockgalError, OutputExistsError, UsageError, listening, warn
from ...random import seeds_of
from ...system.files.lock import output_lock
from ...system.progress import advance
from ...types import GalaxyCatalog
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
    seed to seed. Mocks that an earlier run made are kept if they are undamaged and of the same
    simulation, recipe and version; so a run that was stopped goes on where it was.

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
    with output_lock(path):
        facts = _facts(recipes[0], work)
        found, changed = _earlier(path, facts, overwrite=recipe.overwrite)
        earlier = found or ()
        others = [one for one in earlier if one.seed not in wanted and one.path.exists()]
        if changed:
            warn(
                f"{path}: {', '.join(changed)} changed since the {len(earlier):,} mocks that it "
                f"lists were made: those of the seeds asked for are made again"
                + f", the others are not listed any more ({len(others):,})"
                * bool(others)
            )
        manifest = Manifest(path, facts, () if changed else tuple(others))
        manifest.save()
        listed = {one.path for one in earlier}
        trusted = found is not None and not changed
        return _build(recipes, work, manifest, Known(listed, trusted))


class Known(NamedTuple):
    """What is known of mocks from an earlier run.

    Parameters
    ----------
    listed : set of Path
        The mocks that it listed, which may be replaced.
    trusted : bool
        Whether all that they were made from is as it was, so that undamaged ones are kept.
    """

    listed: set[Path]
    trusted: bool


def _build(recipes: Sequence[Recipe], work: Work, manifest: Manifest, known: Known) -> Ensemble:
    kept, first, saved = 0, None, time.monotonic()
    said: set[str] = set()
    try:
        for done, recipe in enumerate(recipes):
            advance(done, len(recipes), "mocks")
            with _said_once(said):
                galaxies, is_kept, member = _mock(recipe, work, known)
            kept += is_kept
            first = galaxies if first is None else first
            manifest = replace(manifest, members=tuple(sorted((*manifest.members, member))))
            if time.monotonic() - saved > _OFTEN:  # a run that is killed writes no more
                manifest.save()
                saved = time.monotonic()
        advance(len(recipes), len(recipes), "mocks")
    finally:
        manifest.save()
    assert first is not None  # there is a seed
    wanted = {recipe.seed for recipe in recipes}
    members = tuple(one for one in manifest.members if one.seed in wanted)
    return Ensemble(manifest.path, members, kept, first)


def _mock(recipe: Recipe, work: Work, known: Known) -> tuple[GalaxyCatalog, bool, Member]:
    """Return the mock of a recipe, whether it was there, and its entry in the manifest."""
    from ..surveying.outputs import Outputs

    outputs = Outputs.of(recipe, recipe.output)
    with outputs.locked():  # which clears what a run that was killed has left
        there = None if recipe.overwrite else _there(recipe, outputs, known)
        if there is not None:
            return there, True, _member(recipe, outputs, there, _digest(there))
        if outputs.galaxies in known.listed:  # of this ensemble, and damaged or gone
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


def _facts(recipe: Recipe, work: Work) -> dict[str, Any]:
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
) -> tuple[tuple[Member, ...] | None, list[str]]:
    """Return the mocks in the manifest, None if there is none, and which inputs changed since.

    Raises
    ------
    UsageError
        The manifest is of another ensemble.
    OutputExistsError
        There is something else at its path.
    """
    if overwrite or not os.path.lexists(path):
        return None, []
    if not is_manifest(path):
        raise OutputExistsError(
            path,
            "a file that is no manifest of an ensemble",
            "no such file",
            "give --out another name, or add --overwrite",
        )
    earlier = read_manifest(path)
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

    Raises
    ------
    OutputExistsError
        Another file has its name.
    MockgalError
        So has one that cannot be read.
    """
    path = outputs.galaxies
    if not os.path.lexists(path) or (path in known.listed and not known.trusted):
        return None
    try:
        with listening(quiet=True):
            galaxies = read_galaxies(path)
    except MockgalError as error:
        if path not in known.listed:
            raise
        warn(f"{path} is made again: {error}")
        return None
    same = galaxies.provenance.get("configuration_digest") == recipe.configuration_digest()
    if not (same and known.trusted):
        raise OutputExistsError(
            path,
            "a mock that is not of this ensemble, or whose manifest is gone",
            "no such file, or a mock that the manifest vouches for",
            "give --out another name, or add --overwrite",
        )
    if all(map(os.path.exists, outputs.paths)):
        return galaxies
    warn(f"{path} is made again: files beside it are gone")
    known.listed.add(path)
    return None


@contextmanager
def _said_once(said: set[str]) -> Iterator[None]:
    """Repeat each warning of the mocks once: most are the same for all."""
    if not said:
        with listening() as texts:
            yield
    else:
        with listening(quiet=True) as texts:
            yield
        for text in dict.fromkeys(texts):
            if text not in said:
                warn(text)
    said.update(texts)
