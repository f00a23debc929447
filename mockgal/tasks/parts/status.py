"""What builds in parts and ensembles have finished, and what runs that ended early have left."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import CorruptFileError, InputError, MockgalError, UsageError
from ...system.files.lock import beside, is_held, output_error
from ..ensembles.manifest import is_manifest, read_manifest
from .place import Place, folders_in, folders_of
from .store import load

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{32}\.part(?:\.[^/]{1,15})?")
_LOCK = re.compile(r"\.(.+)\.lock")


@dataclass(frozen=True)
class Progress:
    """How far a build in parts, or an ensemble, is.

    Parameters
    ----------
    path : Path
        The folder of the parts, or the manifest.
    out : Path
        The mock; of an ensemble, the manifest.
    kind : str
        ``"parts"`` or ``"ensemble"``.
    total : int
        Parts, or mocks that are listed.
    finished : tuple of int
        Parts, or seeds.
    damaged, missing : tuple of int
        Damaged parts; those that are not there, or mocks that are listed and gone.
    galaxies : int
        In what is finished, before cuts.
    error : str
        Why nothing is known; "" if it is.
    """

    path: Path
    out: Path
    kind: str
    total: int = 0
    finished: tuple[int, ...] = ()
    damaged: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    galaxies: int = 0
    error: str = ""


def status(path: Path) -> list[Progress]:
    """Return the progress of a mock that is built in parts, of an ensemble, or of all in a folder.

    Parameters
    ----------
    path : Path
        A mock, the folder of its parts, a manifest, or a folder.

    Raises
    ------
    UsageError
        There is none of these.

    Examples
    --------
    >>> from mockgal.tasks.parts.status import status
    >>> status(Path("catalogs"))
    []
    """
    if path.is_file() and is_manifest(path):
        return [_of_ensemble(path)]
    folders = list(folders_of(path))
    if not folders and path.is_dir():
        manifests = [one for one in sorted(path.iterdir()) if is_manifest(one)]
        return [*map(_of_parts, folders_in(path)), *map(_of_ensemble, manifests)]
    if not folders:
        raise UsageError(
            path,
            "no parts of such a mock, and no manifest",
            "a mock that is built in parts, a manifest of an ensemble, or a folder with some",
            "check the path: a mock that is merged has no parts any more",
        )
    return [_of_parts(folder) for folder in folders]


def _of_parts(folder: Path) -> Progress:
    try:
        place = Place.at(folder)
    except MockgalError as error:
        out = folder.with_name(folder.name.rpartition(".parts-")[0])
        return Progress(folder, out, "parts", error=str(error))
    finished, damaged, missing, galaxies = [], [], [], 0
    try:
        inputs = load(place.whole)[1]["inputs"]
    except CorruptFileError:
        inputs = None
    for part in range(1, place.number + 1):
        if not place.part(part).exists():
            missing.append(part)
            continue
        try:
            facts = load(place.part(part))[1]
        except CorruptFileError:
            damaged.append(part)
            continue
        if facts.get("inputs") != inputs:
            missing.append(part)  # it is made again
            continue
        finished.append(part)
        galaxies += facts["galaxies"]
    numbers = tuple(finished), tuple(damaged), tuple(missing)
    return Progress(folder, place.out, "parts", place.number, *numbers, galaxies)


def _of_ensemble(path: Path) -> Progress:
    try:
        members = read_manifest(path).members
    except InputError as error:
        return Progress(path, path, "ensemble", error=str(error))
    there = [one for one in members if one.path.exists()]
    gone = tuple(one.seed for one in members if not one.path.exists())
    seeds = tuple(one.seed for one in there)
    galaxies = sum(one.galaxies for one in there)
    return Progress(path, path, "ensemble", len(members), seeds, (), gone, galaxies)


@dataclass(frozen=True)
class Leftover:
    """A file or folder that a run has left.

    Parameters
    ----------
    path : Path
    what : str
        In words.
    size : int
        In bytes.
    in_use : bool
        Whether a run holds its lock.
    removed : bool
    """

    path: Path
    what: str
    size: int
    in_use: bool
    removed: bool = False


def clean(folder: Path, *, remove: bool = False) -> list[Leftover]:
    """List what runs have left in a folder, and remove it if that is asked for.

    These are the parts of mocks that are not merged, half-written files, and locks. What a run
    still uses is left alone. Files are known by their names, which are mockgal's own.

    Parameters
    ----------
    folder : Path
    remove : bool

    Raises
    ------
    UsageError
        There is no such folder.
    OutputError
        Something cannot be removed.

    Examples
    --------
    >>> from mockgal.tasks.parts.status import clean
    >>> clean(Path("catalogs"))
    []
    """
    if not folder.is_dir():
        raise UsageError(folder, "no such folder", "a folder", "name the folder of the mocks")
    done = []
    for one in _leftovers(folder):
        if remove and not one.in_use:
            try:
                if one.path.is_dir() and not one.path.is_symlink():
                    shutil.rmtree(one.path)
                else:
                    one.path.unlink(missing_ok=True)
            except OSError as error:
                raise output_error(one.path, error, "a leftover that can be removed") from error
            one = Leftover(one.path, one.what, one.size, in_use=False, removed=True)
        done.append(one)
    return done


def _leftovers(folder: Path) -> Iterator[Leftover]:
    for path in folders_in(folder):
        locks = [one for one in os.listdir(path) if _LOCK.fullmatch(one)]
        of_mock = beside(Place(path, 0, {}).out, "lock")  # of a run that builds and merges them
        used = is_held(of_mock) or any(is_held(path / one) for one in locks)
        yield Leftover(path, "parts of a mock that is not merged", _size(path), used)
    for name in sorted(os.listdir(folder)):
        path = folder / name
        if matched := _TEMPORARY.fullmatch(name):
            used = is_held(folder / f".{matched[1]}.lock")
            yield Leftover(path, "a half-written file", _size(path), used)
        elif _LOCK.fullmatch(name) and _is_ours(path):
            yield Leftover(path, "a lock", _size(path), is_held(path))


def _is_ours(lock: Path) -> bool:
    """Return whether a file is a lock of mockgal's, and not that of another program."""
    try:
        return lock.is_file() and lock.read_bytes()[:9] == b'{"host": '
    except OSError:
        return False


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
