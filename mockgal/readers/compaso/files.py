"""Where the files of a CompaSO catalogue lie: superslabs, their cleaning, and particles.

A catalogue is ``SIM/halos/zX.XXX``. It holds ``halo_info/halo_info_NNN.asdf``, where NNN is a
superslab, a range of x. Its cleaning is in ``cleaning/.../zX.XXX``, in a folder beside or above SIM
that repeats the path from there to SIM, or in ``SIM/cleaning/zX.XXX``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ...errors import FormatError, IncompleteSetError, UsageError
from ...protocols import ReadOptions
from .. import chunks

HALOS = "halo_info"
CLEANED = "cleaned_halo_info"
_LEVELS = 3  # folders above a simulation in which its cleaning is looked for
_NUMBERED = r"(?P<number>\d{3,5})"
_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


class Superslabs(NamedTuple):
    """The superslabs that are to be read.

    Parameters
    ----------
    folder : Path
        ``SIM/halos/zX.XXX``.
    numbers : tuple of int
    halos : FileSet
        halo_info of each.
    cleaned : FileSet or None
        cleaned_halo_info of each; None if there is no cleaning, or the user does not want it.
    whole : int
        Superslabs of the whole output, as far as the files tell.
    missing : str
        Those that are not read, as ranges.
    chosen : bool
        Whether the user chose some of them.
    """

    folder: Path
    numbers: tuple[int, ...]
    halos: chunks.FileSet
    cleaned: chunks.FileSet | None
    whole: int
    missing: str
    chosen: bool


def numbered(folder: Path, stem: str, end: str = ".asdf") -> dict[int, Path]:
    """Return the files STEM_NNN.asdf of a folder by NNN; empty if there is no such folder."""
    name = re.compile(rf"{re.escape(stem)}{_NUMBERED}{re.escape(end)}")
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = name.fullmatch(path.name)
        if match and path.is_file():
            if (number := int(match["number"])) in found:
                raise IncompleteSetError(
                    folder,
                    f"both {found[number].name} and {path.name}",
                    "one file for each superslab",
                    "move the file that does not belong to the set elsewhere",
                )
            found[number] = path
    return found


def of_halos(path: Path) -> dict[int, Path]:
    """Return the files of halo_info at a path: the file itself, in the folder, or in halo_info/."""
    if path.is_file():
        match = re.fullmatch(rf"{HALOS}_{_NUMBERED}\.asdf", path.name)
        return {int(match["number"]): path} if match else {}
    return numbered(path, f"{HALOS}_") or numbered(path / HALOS, f"{HALOS}_")


def find(path: Path, options: ReadOptions) -> Superslabs:
    """Return the superslabs at a path.

    Parameters
    ----------
    path : Path
        One file, which is one superslab; the folder halo_info; or the folder zX.XXX.
    options : ReadOptions

    Raises
    ------
    FormatError
        There is no file halo_info_NNN.asdf.
    UsageError
        ``options.superslab`` is no range, or not of this file.
    IncompleteSetError
        Superslabs or their cleaning are missing.
    """
    here = of_halos(path)
    if not here:
        raise FormatError(
            path,
            "no file called halo_info_NNN.asdf",
            "halos of CompaSO",
            "give such a file, its folder halo_info, or the folder zX.XXX above",
        )
    of_folder = next(iter(here.values())).parent
    folder = Path(os.path.abspath(of_folder))
    folder = folder.parent if folder.name == HALOS else folder
    present = numbered(of_folder, f"{HALOS}_")
    cleaned = {} if options.uncleaned else _cleaned(folder)
    samples = ("halo_rv_A", "halo_rv_B")
    others = (n for stem in samples for n in numbered(folder / stem, f"{stem}_"))
    whole = 1 + max([*present, *cleaned, *others])
    wanted = _wanted(path, here, present, options)
    missing = chunks.missing_numbers(wanted, whole)
    chosen = path.is_file() or options.superslab is not None
    if missing and not chosen and not options.allow_missing_chunks:
        raise IncompleteSetError(
            of_folder,
            f"{len(wanted)} of {whole} superslabs; missing {missing}",
            f"halo_info_{0:03d}.asdf to halo_info_{whole - 1:03d}.asdf",
            "fetch the missing files into the same folder; or read the others with "
            "--allow-missing-chunks, or some with --superslab",
        )
    lacking = [n for n in wanted if n not in cleaned] if cleaned else []
    if lacking:
        raise IncompleteSetError(
            next(iter(cleaned.values())).parent,
            f"no {CLEANED}_{lacking[0]:03d}.asdf, and {len(lacking) - 1} others missing",
            "the cleaning of each superslab that is read",
            "fetch the missing files; or read the halos as they were found with --uncleaned",
        )
    return Superslabs(
        folder,
        tuple(wanted),
        chunks.FileSet(tuple(present[n] for n in wanted), ""),
        chunks.FileSet(tuple(cleaned[n] for n in wanted), "") if cleaned else None,
        whole,
        missing,
        chosen,
    )


def _wanted(
    path: Path, here: dict[int, Path], present: dict[int, Path], options: ReadOptions
) -> list[int]:
    """Return the numbers of the superslabs to read."""
    if options.superslab is None:
        return sorted(here)
    match = _RANGE.fullmatch(options.superslab)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    wanted = list(range(first, last + 1))
    known = f"the superslabs from {min(present)} to {max(present)}"
    if not wanted or (path.is_file() and wanted != sorted(here)):
        raise UsageError(
            "--superslab",
            repr(options.superslab),
            "the number of this file"
            if wanted
            else f"a number, or a range such as 0-3, of {known}",
            "leave it out, or give the folder" if wanted else "correct it",
        )
    absent = [n for n in wanted if n not in present]
    if absent:
        raise IncompleteSetError(
            next(iter(present.values())).parent,
            f"no superslab {absent[0]}",
            known,
            "fetch it, or choose others with --superslab",
        )
    return wanted


def _cleaned(folder: Path) -> dict[int, Path]:
    """Return the files of cleaned_halo_info of a catalogue, by number; empty if there are none."""
    for place in _of_cleaning(folder):
        for inside in (place / CLEANED, place):
            if found := numbered(inside, f"{CLEANED}_"):
                return found
    return {}


def _of_cleaning(folder: Path) -> Iterator[Path]:
    """Yield the folders in which the cleaning of ``SIM/halos/zX.XXX`` may be."""
    for place in (folder, folder.resolve()):  # a linked folder has two parents
        simulation = place.parent.parent
        for above in (simulation, *simulation.parents[:_LEVELS]):
            yield above / "cleaning" / simulation.relative_to(above) / place.name
