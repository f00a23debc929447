"""Paint parts of a build, each from files alone; those that are there are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CorruptFileError, IncompleteError, MockgalError, UsageError, listening, warn
from ...painters.choose import guarded
from ...painters.draw import paint_columns
from ...protocols import Painter
from ...system.files.lock import output_lock
from ...system.files.scratch import scratch_folder
from ...system.progress import advance
from ...types import Array, Scene
from ..build import Work
from ..ensembles.manifest import SEED
from .bound import Bound
from .place import Parts, Place
from .prepare import Whole, check_painter, current, prepared
from .scenes import law_of, scene_of
from .store import load, save
from .streamed import STREAMED, paint_part

if TYPE_CHECKING:
    from ...recipe import Recipe


@dataclass(frozen=True)
class PaintedPart:
    """A part of a build.

    Parameters
    ----------
    part : int
        From 1.
    path : Path
    subhalos, galaxies : int
    kept : bool
        Whether an earlier run had made it.
    """

    part: int
    path: Path
    subhalos: int
    galaxies: int
    kept: bool


def build_parts(
    recipe: Recipe, parts: Parts, *, memory: int = 0
) -> tuple[Place, list[PaintedPart]]:
    """Make parts of a mock, which `merge` joins.

    The first run reads the simulation, makes its satellites if they are asked for, and shares the
    halos out. Then each part is painted from its own halos. A finished part is kept, if it has its
    checksums and its inputs are as they were.

    Parameters
    ----------
    recipe : Recipe
    parts : Parts
    memory : int
        Largest memory of the process [bytes]; 0 for no bound. The parts do not depend on it.

    Returns
    -------
    Place
        Where the parts are.
    list of PaintedPart

    Raises
    ------
    UsageError
        The painter cannot paint in parts; or the mock is there already.
    IncompleteError
        One of several parts failed: it is named, and those before it are kept.
    ResourceError
        The memory is too little for a part.
    MockgalError
        The only part failed, or the simulation.

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> from mockgal.tasks.parts.paint import build_parts
    >>> from mockgal.tasks.parts.place import Parts
    >>> recipe = {"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "out": "inparts.fits"}
    >>> place, made = build_parts(check(recipe, "an example"), Parts.of("1-3/3"))
    >>> sum(one.galaxies for one in made)
    333
    """
    from ..surveying.outputs import Outputs

    if SEED in str(recipe.output):
        raise UsageError(
            "--part", "an ensemble of several seeds", "one mock", "give each seed a run of its own"
        )
    bound = Bound(memory)
    bound.check()
    outputs, work = Outputs.of(recipe, recipe.output), Work.of(recipe)
    check_painter(recipe, work.snapshots[0].painter)
    outputs.check(work.inputs)
    scratch_folder(recipe.output.parent, "--out")
    place = Place.of(recipe, parts.number)
    place.make()
    made: list[PaintedPart] = []
    for part in range(parts.first, parts.last + 1):
        advance(len(made), parts.last + 1 - parts.first, "parts")
        try:
            with output_lock(place.part(part)):
                there = _there(place, part)
                if there is None:
                    shared = prepared(place, recipe, work, outputs, part, bound)
                    there = _paint(place, recipe, work, *shared, part)
                made.append(there)
        except MockgalError as error:
            if not made:  # of one part, or of what all need
                raise _named(error, part, parts) from error
            raise IncompleteError(
                f"part {part} of {parts.number}",
                f"{error}; {len(made)} parts before it are finished",
                f"parts {parts.first} to {parts.last}",
                error.fix or "run the same command again: finished parts are kept",
            ) from error
    advance(len(made), len(made), "parts")
    return place, made


def _named(error: MockgalError, part: int, parts: Parts) -> MockgalError:
    """Return an error that names the part, with the same code."""
    return type(error)(
        f"part {part} of {parts.number}: {error.where}", error.found, error.expected, error.fix
    )


def _there(place: Place, part: int) -> PaintedPart | None:
    """Return a part that an earlier run made, if it is undamaged and of the same inputs."""
    path = place.part(part)
    if not path.exists():
        return None
    with listening(quiet=True):  # it is said again when the simulation is read
        whole = current(place)
    if whole is None:
        return None
    try:
        _, facts = load(path)
    except CorruptFileError as error:
        warn(f"part {part} of {place.number} is made again: {error}")
        return None
    if facts.get("inputs") != whole["inputs"]:
        warn(f"part {part} of {place.number} is made again: it was made from other inputs")
        return None
    return PaintedPart(part, path, facts["subhalos"], facts["galaxies"], kept=True)


def _paint(
    place: Place, recipe: Recipe, work: Work, whole: Whole, halos: dict[str, Array], part: int
) -> PaintedPart:
    """Paint a part from its halos, and write it."""
    arrays, subhalos, galaxies, summaries = dict[str, Array](), 0, 0, []
    for number, snapshot in enumerate(work.snapshots):
        facts, summary = whole["snapshots"][number], None
        tile = _of(halos, f"{number}/halos/")
        if facts.get(STREAMED):
            columns, summary = paint_part(facts, tile, recipe, work, snapshot.painter)
            subhalos += summary["subhalos"]
        else:
            scene = scene_of(facts, tile)
            columns = _painted(scene, snapshot.painter, recipe, facts, _of(halos, f"{number}/law/"))
            subhalos += len(scene.halos)
        summaries.append(summary)
        arrays |= {f"{number}/{name}": values for name, values in columns.items()}
        galaxies += len(columns["galaxy_id"])
    numbers = {"subhalos": subhalos, "galaxies": galaxies}
    path = place.part(part)
    save(path, arrays, {"inputs": whole["inputs"], **numbers, "summaries": summaries})
    return PaintedPart(part, path, subhalos, galaxies, kept=False)


def _of(arrays: dict[str, Array], start: str) -> dict[str, Array]:
    return {k.removeprefix(start): x for k, x in arrays.items() if k.startswith(start)}


def _painted(
    scene: Scene, painter: Painter, recipe: Recipe, facts: dict[str, Any], law: dict[str, Array]
) -> dict[str, Array]:
    """Return the columns of the galaxies of some halos.

    Warnings are about the whole, and were given when it was predicted.
    """
    predict = None if facts["law"] is None else lambda: law_of(facts["law"], law)
    with guarded(recipe.painter, scene), listening(quiet=True):
        return paint_columns(scene, painter, seed=recipe.seed, predict=predict)[0]
