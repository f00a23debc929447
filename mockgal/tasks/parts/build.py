"""Build a mock in parts by one command: prepared here, painted by an executor, and merged here."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import (
    IncompleteError,
    InputError,
    InternalError,
    MockgalError,
    OutputError,
    ResourceError,
    UsageError,
    said_once,
)
from ...system.executors.calls import Task
from ...system.executors.run import TRIES, Executor, FailedTask, results
from ...system.files.scratch import scratch_folder
from ...system.progress import advance
from ..build import Report, Work
from ..ensembles.manifest import SEED
from .bound import Bound
from .merge import merge
from .paint import build_parts
from .place import MOST_PARTS, Parts, Place, waiting_for
from .prepare import check_painter, prepared

if TYPE_CHECKING:
    from ...recipe import Recipe

_AGAIN = "run the same command again: finished parts are kept"


@dataclass(frozen=True)
class Painted:
    """A mock that was built in parts.

    Parameters
    ----------
    report : Report
        As of a build at once.
    parts : int
    kept : int
        Number of parts that an earlier run had made.
    by : str
        What painted them, such as ``"4 processes"``.
    """

    report: Report
    parts: int
    kept: int
    by: str


def build_in_parts(recipe: Recipe, number: int, executor: Executor, *, memory: int = 0) -> Painted:
    """Build a mock in parts, several at a time: the same to the last byte as at once.

    The simulation is read here, unless an earlier run has shared its halos out; parts are painted
    by the executor, and merged here. A part that fails is tried again, and so is one whose process
    died. What is finished is kept when the run is stopped, and the next one goes on.

    Parameters
    ----------
    recipe : Recipe
    number : int
        Of parts.
    executor : Executor
        `mockgal.system.executors.processes.Processes`, or
        `mockgal.system.executors.cluster.Cluster`.
    memory : int
        Largest memory of each process [bytes]; 0 for no bound.

    Raises
    ------
    UsageError
        The painter cannot paint in parts; or the mock is there already.
    IncompleteError
        A part failed each time: it is named, and those that are finished are kept.
    MockgalError
        The simulation cannot be read, or the mock not be written.

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> from mockgal.system.executors.processes import Processes
    >>> from mockgal.tasks.parts.build import build_in_parts
    >>> recipe = {"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "out": "together.fits"}
    >>> painted = build_in_parts(check(recipe, "an example"), 3, Processes(2))
    >>> len(painted.report.galaxies), painted.parts, painted.by
    (333, 3, '2 processes')
    """
    from ..surveying.outputs import Outputs

    _check(recipe, number)
    bound = Bound(memory)
    bound.check()
    outputs, work = Outputs.of(recipe, recipe.output), Work.of(recipe)
    _check_painter(recipe, work)
    outputs.check(work.inputs)
    scratch_folder(recipe.output.parent, "--out")
    place = Place.of(recipe, number)
    with outputs.locked():  # a second run is stopped before it computes anything
        place.make()
        said = set[str]()
        with said_once(said):
            prepared(place, recipe, work, outputs, 1, bound)
        kept = _paint(place, executor)
        with said_once(said):
            report = merge(place.folder, overwrite=recipe.overwrite)
    return Painted(report, number, kept, executor.words)


def _check(recipe: Recipe, number: int) -> None:
    if SEED in str(recipe.output):
        raise UsageError(
            "--parts", "an ensemble of several seeds", "one mock", "give each seed a run of its own"
        )
    if not 1 <= number <= MOST_PARTS:
        raise UsageError(
            "--parts",
            f"{number:,}",
            f"1 to {MOST_PARTS:,}",
            "a few for each worker, such as --parts 32",
        )


def _check_painter(recipe: Recipe, work: Work) -> None:
    try:
        check_painter(recipe, work.snapshots[0].painter)
    except UsageError as error:  # which names the option of a single part
        fix = error.fix.replace("--part ", "--parts ")
        raise UsageError("--parts", error.found, error.expected, fix) from error


def _paint(place: Place, executor: Executor) -> int:
    """Have all parts painted, and return how many were there before."""
    folder = str(place.folder.absolute())
    tasks = {part: {"folder": folder, "part": part} for part in range(1, place.number + 1)}
    done, kept = 0, 0
    advance(done, len(tasks), "parts")
    try:
        with executor:
            for _, made in results(executor, paint_part, tasks, lambda n: f"part {n}"):
                done, kept = done + 1, kept + made["kept"]
                advance(done, len(tasks), "parts")
    except FailedTask as failed:
        raise _failed(failed, place, done) from failed.error
    return kept


def _failed(failed: FailedTask, place: Place, done: int) -> MockgalError:
    """Return the error for a part that failed each time.

    What is wrong with the disk or the machine is no fault of the part, and has its own code.
    """
    error, part = failed.error, f"part {failed.number} of {place.number}"
    where = error.where.removeprefix(f"{part}: ")
    found = f"{error.found}; {done:,} of {place.number:,} parts are finished"
    fix = f"{error.fix}; then {_AGAIN}" if error.fix else _AGAIN
    if isinstance(error, OutputError | ResourceError):
        return type(error)(f"{part}: {where}", found, error.expected, fix)
    failing = f"{where}, which failed {TRIES} times" if where else f"that it failed {TRIES} times"
    return IncompleteError(part, f"{failing}: {found}", error.expected, fix)


def paint_part(task: Task) -> dict[str, Any]:
    """Paint a part from the files in its folder: the task of an executor.

    Parameters
    ----------
    task : dict
        ``"folder"``, the absolute path of the parts, and ``"part"``, from 1.

    Returns
    -------
    dict
        Numbers of ``"subhalos"`` and ``"galaxies"``, and whether it was ``"kept"`` from before.
    """
    from ...recipe import check
    from ...system.parallel import using

    folder, part = Path(task["folder"]), int(task["part"])
    if not folder.is_dir():
        raise InputError(
            folder,
            f"no such folder on host {socket.gethostname()}",
            "a file system that all workers share",
            "write --out to one",
        )
    place = Place.at(folder)
    values = place.recipe | {"out": str(place.out), "overwrite": True}  # its lock is held
    recipe = check(values, str(folder / "build.json"))
    if Place.of(recipe, place.number).folder != folder:
        raise InternalError(folder, "a recipe that has another folder", "this one")
    # A worker that is lost to a cluster may still be at it: then wait, and keep what it made.
    with using(1), waiting_for(place.part(part)):
        _, (made,) = build_parts(recipe, Parts(part, part, place.number))
    return {"subhalos": made.subhalos, "galaxies": made.galaxies, "kept": made.kept}
