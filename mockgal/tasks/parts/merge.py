"""Join the parts of a build into the mock: the same as if it had been built at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import CorruptFileError, IncompleteError, UsageError, in_shell, listed, warn
from ...painters.choose import guarded
from ...painters.draw import Whole, catalogue_of
from ...painters.validity.host_edge import Subhalos
from ...survey.sky import observe
from ...system.columns.on_disk import OnDisk
from ...system.files.lock import temporary_beside
from ...types import Array, GalaxyCatalog
from ..build import Report, Work
from ..steps.paint import recording, select
from .place import AGAIN, Place, folders_of
from .prepare import changed_inputs
from .scenes import scene_of
from .store import load, read
from .streamed import STREAMED, completed

if TYPE_CHECKING:
    from ...recipe import Recipe


def merge(path: Path, *, overwrite: bool = False, keep_parts: bool = False) -> Report:
    """Join the parts of a mock, cut and survey it, and write it.

    Parameters
    ----------
    path : Path
        The mock, as ``--out`` named it; or the folder of its parts.
    overwrite : bool
        Replace the mock if it exists.
    keep_parts : bool
        Leave the folder of the parts. By default it is removed once the mock is written.

    Raises
    ------
    UsageError
        There are no parts of this mock, or those of several builds; or it exists already.
    IncompleteError
        Parts are missing or damaged, or inputs changed since they were made. All are left.

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> from mockgal.tasks.parts.merge import merge
    >>> from mockgal.tasks.parts.paint import build_parts
    >>> from mockgal.tasks.parts.place import Parts
    >>> recipe = {"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "out": "merged.fits"}
    >>> _ = build_parts(check(recipe, "an example"), Parts.of("1-3/3"))
    >>> report = merge(Path("merged.fits"))
    >>> len(report.galaxies)
    333
    """
    from ...recipe import check
    from ..surveying.outputs import Outputs

    place = Place.at(_folder(path))
    values = place.recipe | {"out": str(place.out), "overwrite": overwrite}
    recipe = check(values, str(place.folder / "build.json"))
    outputs, work = Outputs.of(recipe, recipe.output), Work.of(recipe)
    outputs.check(work.inputs)
    with outputs.locked():
        facts, columns, summaries = _loaded(place)
        facts["snapshots"] = [
            completed(one, [some[number] for some in summaries], work.snapshots[number].painter)
            if one.get(STREAMED)
            else one
            for number, one in enumerate(facts["snapshots"])
        ]
        scenes = [scene_of(one) for one in facts["snapshots"]]
        boxes: list[GalaxyCatalog] = []
        names = _names(columns, len(scenes))
        for number, one in enumerate(facts["snapshots"]):
            subhalos = Subhalos(one["prediction"]["subhalos"], one["hosts_only"])
            about = one["prediction"], one["described"], one["simulation"]
            whole = Whole(scenes[number], subhalos, *about)
            galaxies = {name: columns.pop(f"{number}/{name}") for name in names[number]}
            boxes.append(
                select(_catalogue(recipe, work, number, whole, galaxies, one), *recipe.cut)
            )
            del galaxies
        inputs = [Path(file) for file in facts["read"]]
        report = work.write(recipe, outputs, work.finish(recipe, scenes, boxes, inputs))
    if not keep_parts:
        with suppress(OSError):  # what is left does no harm, and `mockgal clean` finds it
            # Renamed first: killed here, it must not leave a folder that looks like a build's.
            shutil.rmtree(place.folder.rename(temporary_beside(place.out)))
    return report


def _folder(path: Path) -> Path:
    """Return the only folder with parts of a mock."""
    found = list(folders_of(path))
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            path,
            f"parts of {len(found)} builds: {listed(one.name for one in found)}",
            "those of one",
            f"name the folder: mockgal merge {in_shell(found[0])}; `mockgal status` describes them",
        )
    raise UsageError(
        path,
        "no parts of this mock beside it",
        "a folder that `mockgal build --part` made",
        "give the path that --out had; `mockgal status` lists what there is",
    )


def _loaded(
    place: Place,
) -> tuple[dict[str, Any], dict[str, OnDisk], list[list[dict[str, Any]]]]:
    """Return what all parts share, the columns of all galaxies, and what each part states.

    Galaxies are in the order of ids if the parts are.
    """
    missing, damaged, other, summaries = [], [], [], []
    columns: dict[str, OnDisk] = {}

    def append(name: str, rows: Array) -> None:
        if name not in columns:
            columns[name] = OnDisk(place.folder, rows.dtype, rows.shape[1:])
        columns[name].append(rows)

    if not place.whole.exists():
        raise IncompleteError(
            place.folder,
            "no parts: the simulation has not been read to its end",
            f"parts 1 to {place.number}",
            f"make them: the same `mockgal build` with --part 1-{place.number}/{place.number}",
        )
    try:
        whole = load(place.whole)[1]
    except CorruptFileError as error:
        raise IncompleteError(place.folder, str(error), "what parts share", AGAIN) from error
    for part in range(1, place.number + 1):
        if not place.part(part).exists():
            missing.append(part)
            continue
        try:
            facts = read(place.part(part), append)
        except CorruptFileError as error:
            warn(f"part {part} of {place.number} is damaged: {error}")
            damaged.append(part)
            continue
        if facts.get("inputs") != whole["inputs"]:
            other.append(part)
        summaries.append(facts["summaries"])
    wrong = {"missing": missing, "damaged": damaged, "made from other inputs": other}
    if any(wrong.values()):
        first = min(min(some) for some in wrong.values() if some)
        raise IncompleteError(
            place.folder,
            "; ".join(f"{why}: {listed(some)}" for why, some in wrong.items() if some),
            f"parts 1 to {place.number}",
            f"make them: the same `mockgal build` with --part {first}/{place.number}, "
            f"or --part 1-{place.number}/{place.number}, which keeps those that are right",
        )
    if changed := changed_inputs(whole):
        raise IncompleteError(
            changed,
            "a file that changed since the parts were made",
            "the file that they were made from",
            "run the same `mockgal build --part` again for each, which finds what has to be made",
        )
    return whole, columns, summaries


def _names(columns: Iterable[str], snapshots: int) -> list[list[str]]:
    """Return the names of the columns of each snapshot."""
    of = [name.split("/", 1) for name in columns]
    return [[name for k, name in of if k == str(number)] for number in range(snapshots)]


def _catalogue(
    recipe: Recipe,
    work: Work,
    number: int,
    whole: Whole,
    columns: Mapping[str, Any],
    facts: dict[str, Any],
) -> GalaxyCatalog:
    """Return the catalogue of a snapshot, with the warnings of its prediction."""
    painter = work.snapshots[number].painter
    if work.survey is not None or whole.scene.snapshot.frame == "sky":  # looks at all galaxies
        columns = {name: np.asarray(values) for name, values in columns.items()}

    def make() -> GalaxyCatalog:
        for text in facts["warnings"]:
            warn(text)
        return catalogue_of(whole, painter, columns, seed=recipe.seed)

    with guarded(recipe.painter, whole.scene):
        galaxies = recording(make)
    return galaxies if galaxies.frame == "box" else observe(galaxies)
