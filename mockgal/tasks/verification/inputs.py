"""The files and folders that a mock is made from: what is recorded, where they are now.

Each has a use, the key of a recipe that names it: ``sim``, ``painter_options.calibration``,
``survey.n_of_z.table``, ``survey.light_cone.snapshots.0.sim``; and ``mocks.0`` of a survey that was
made of mocks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import registry
from ...digests import Fingerprint, fingerprint
from ...errors import UsageError
from ...layout import INPUTS
from ...options import flat
from ...types import Scene, SourceFile

if TYPE_CHECKING:
    from ...recipe import Recipe, SurveyRecipe

SIM, MATTER, MOCKS = "sim", "matter", "mocks"
_SNAPSHOTS = "survey.light_cone.snapshots"
_OUTPUT = ("randoms", "out")
Sources = Mapping[str, Sequence[SourceFile]]  # the files read, by use


class Input(NamedTuple):
    """A file or folder that a mock was made from, as its provenance states it.

    Parameters
    ----------
    use : str
    name : str
        Without its folder.
    was : Fingerprint
    """

    use: str
    name: str
    was: Fingerprint

    @property
    def title(self) -> str:
        """The use in a word or two."""
        *_, before, last = ["", *self.use.split(".")]
        return before if self.use.startswith(MOCKS) else last


def paths_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the paths that the values of a recipe name to read, by their use.

    Raises
    ------
    UsageError
        There is no such painter.
    """
    from ...survey_plan import PATHS  # which imports pydantic

    plan = values.get("survey") or {}
    found: dict[str, Any] = {key: values.get(key) for key in (SIM, MATTER)}
    for section, key in PATHS:
        inside = plan.get(section) or {} if section else plan
        if (section, key) != _OUTPUT:
            found[".".join(filter(None, ("survey", section, key)))] = inside.get(key)
    options = {"": values.get("painter_options")}
    for n, one in enumerate((plan.get("light_cone") or {}).get("snapshots") or ()):
        found[f"{_SNAPSHOTS}.{n}.{SIM}"] = one.get(SIM)
        options[f"{_SNAPSHOTS}.{n}."] = one.get("painter_options")
    declared = flat(registry.painter_options(values["painter"])) if "painter" in values else {}
    for before, chosen in options.items():
        for key, value in (chosen or {}).items():
            option = declared.get(key)
            if option is not None and option.changes_result and option.is_path(value):
                found[f"{before}painter_options.{key}"] = value
    found |= {f"{MOCKS}.{n}": path for n, path in enumerate(values.get(MOCKS) or ())}
    return {use: path for use, path in found.items() if isinstance(path, str) and path}


def with_paths(values: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a recipe with other paths for some uses."""
    import copy

    changed = copy.deepcopy(dict(values))
    for use, path in paths.items():
        *way, last = use.split(".")
        inside: Any = changed
        for key in way:
            inside = inside[int(key) if isinstance(inside, list) else key]
        inside[int(last) if isinstance(inside, list) else last] = path
    return changed


def sources_of(recipe: Recipe, scenes: Sequence[Scene]) -> dict[str, tuple[SourceFile, ...]]:
    """Return the files of simulations and matter that a build read, by use.

    Parameters
    ----------
    recipe : Recipe
    scenes : sequence of Scene
        One of each snapshot, the recipe's own first.
    """
    found: dict[str, tuple[SourceFile, ...]] = {}
    for n, scene in enumerate(scenes):
        found[f"{_SNAPSHOTS}.{n - 1}.{SIM}" if n else SIM] = scene.snapshot.source
        if n == 0 and recipe.matter is not None:  # the reader puts them last
            count = scene.snapshot.record.get("matter", {}).get("files", 0)
            first = len(found[SIM]) - count
            found[SIM], found[MATTER] = found[SIM][:first], found[SIM][first:]
    return found


def describe_inputs(recipe: Recipe | SurveyRecipe, sources: Sources) -> list[dict[str, Any]]:
    """Return what the provenance of a mock states of its inputs.

    Folders are left out: mocks of equal files are equal, wherever these are.
    """
    described = []
    for use, path in _paths(recipe, sources).items():
        read, name = sources.get(use), os.path.basename(os.path.abspath(path))
        if read is not None:
            print_ = Fingerprint.of((os.path.basename(x.path), x.size, x.digest) for x in read)
        elif os.path.isfile(path):
            print_ = fingerprint(Path(path))
        else:  # a run of any size, of which only the galaxies were read
            print_ = Fingerprint(0, 0, "")
        described.append({"use": use, "name": name, **print_._asdict()})
    return described


def recorded(
    command: str, recipe: Recipe | SurveyRecipe, sources: Sources, **more: Any
) -> dict[str, Any]:
    """Return what the record of a run states of what was asked for, and of the files read.

    Parameters
    ----------
    command : str
    recipe : Recipe or SurveyRecipe
    sources : mapping
        The files read, by use.
    **more
        Other options of the command.
    """
    paths = {use: os.path.abspath(path) for use, path in _paths(recipe, sources).items()}
    values = recipe.model_dump(mode="json", exclude_none=True, exclude={"overwrite"})
    own = {use: path for use, path in paths.items() if not use.startswith(MOCKS)}
    return {
        "command": command,
        "recipe": with_paths(values, own),
        **more,
        "paths": paths,
        "input_files": [
            {**one._asdict(), "path": os.path.abspath(one.path), "use": use}
            for use, files in sources.items()
            for one in files
        ],
    }


def _paths(recipe: Recipe | SurveyRecipe, sources: Sources) -> dict[str, str]:
    """Return the paths of a recipe, and those of the mocks that it is applied to, by use."""
    mocks = {use: files[0].path for use, files in sources.items() if use.startswith(MOCKS)}
    return mocks | paths_of(recipe.model_dump(mode="json"))


def stated_inputs(provenance: Mapping[str, Any]) -> Iterator[Input]:
    """Yield the inputs that a provenance states, which may be that of any file."""
    entries = provenance.get(INPUTS)
    for one in entries if isinstance(entries, list) else ():
        kinds = {"use": str, "name": str, "files": int, "bytes": int, "sha256": str}
        if isinstance(one, Mapping) and all(isinstance(one.get(k), x) for k, x in kinds.items()):
            was = Fingerprint(one["files"], one["bytes"], one["sha256"])
            yield Input(one["use"], os.path.basename(one["name"]), was)


def located(
    inputs: Sequence[Input],
    paths: Mapping[str, str],
    folders: Sequence[Path],
    sims: Sequence[Path] = (),
) -> dict[str, Path]:
    """Return where the inputs are now, by use; those that are nowhere are left out.

    Parameters
    ----------
    inputs : sequence of Input
    paths : mapping of str to str
        Where they were, by use.
    folders : sequence of Path
        In which they are looked for by name, if they are not there.
    sims : sequence of Path
        Simulations in place of those of the record, in their order.

    Raises
    ------
    UsageError
        There are more of ``sims`` than of simulations.
    """
    found = {}
    for one in inputs:
        places = [Path(paths[one.use])] if one.use in paths else []
        places += [folder / one.name for folder in folders]
        there = [place for place in places if os.path.exists(place)]
        if there:
            found[one.use] = next((place for place in there if _may_be(one, place)), there[0])
    uses = [one.use for one in inputs if one.use.rpartition(".")[2] == SIM]
    if len(sims) > max(len(uses), 1):
        raise UsageError(
            "--sim",
            f"{len(sims)} simulations",
            f"{len(uses)}, as the mock was made from",
            "give one for each snapshot, in their order",
        )
    return found | dict(zip(uses or [SIM], sims, strict=False))


def _may_be(one: Input, place: Path) -> bool:
    """Return whether a file has the size of an input; of several files nothing is known."""
    return one.was.files != 1 or place.is_dir() or place.stat().st_size == one.was.bytes


class Compared(NamedTuple):
    """An input as it is now, against what it was.

    Parameters
    ----------
    input : Input
    path : Path or None
        Where it is; None if it is nowhere.
    same : bool or None
        None if this cannot be said.
    found, expected : str
        In words.
    """

    input: Input
    path: Path | None
    same: bool | None
    found: str
    expected: str


def compared(one: Input, path: Path | None, record: Mapping[str, Any] | None) -> Compared:
    """Compare an input with what it was.

    Parameters
    ----------
    one : Input
    path : Path or None
        Where it is now.
    record : mapping or None
        Of the run, which lists the files of a set.
    """
    expected = _words(one.was)
    if path is None:
        return Compared(one, None, None, f"no {one.name}", expected)
    if one.was.files == 1 and path.is_file():
        now = fingerprint(path)
        same = now == one.was if one.was.sha256 else now.bytes == one.was.bytes
        return Compared(one, path, same, _words(now, brief=not one.was.sha256), expected)
    former = (record or {}).get("paths", {}).get(one.use)
    listed = [x for x in (record or {}).get("input_files", ()) if x.get("use") == one.use]
    if not listed or not isinstance(former, str):
        return Compared(one, path, None, "which files is in the record of the run", expected)
    missing, other = 0, 0
    for file in listed:
        now_at = _moved(str(file["path"]), former, path)
        if not now_at.is_file():
            missing += 1
        elif file["digest"]:
            other += fingerprint(now_at).sha256 != file["digest"]
        else:
            other += now_at.stat().st_size != file["size"]
    if missing == len(listed):
        return Compared(one, None, None, f"no {one.name}", expected)
    counts = [f"{len(listed) - missing - other} of {len(listed)} files as they were"]
    counts += [f"{missing} missing"] * bool(missing) + [f"{other} others"] * bool(other)
    return Compared(one, path, not (missing or other), ", ".join(counts), expected)


def _moved(file: str, former: str, path: Path) -> Path:
    """Return where a file of a set is, if the set that was at ``former`` is at ``path``."""
    if file.startswith(os.path.join(former, "")):
        return (path if path.is_dir() else path.parent) / os.path.relpath(file, former)
    return path.absolute().parent / os.path.relpath(file, os.path.dirname(former))


def _words(print_: Fingerprint, *, brief: bool = False) -> str:
    """Return a fingerprint in words."""
    if print_.sha256 and not brief:
        return print_.sha256[:16]
    size = f"{print_.bytes:,} bytes"
    return size if print_.files == 1 else f"{print_.files:,} files, {size}"
