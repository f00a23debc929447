"""Description of a path that no reader recognises, and what to do, for the message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ...errors import MockgalError, in_shell
from ..hdf5 import safe
from ..mocks.reader import is_catalogue, is_ours
from . import signatures
from .hdf5 import GIVE_ORIGINAL, MAGIC, describe_hdf5
from .signatures import Look

_LOOKED_AT = 64  # entries of a folder and its subfolders
_DEPTH = 4  # levels of folders
_SHOWN = 10  # names in a message
_BY_NAME = {  # files without magic bytes: the end of the name, what it is, and what to do
    "sfr_catalog_*.bin": (
        "by its name a UniverseMachine catalogue, but not of records of 128 bytes with possible "
        "values",
        "fetch the file again; or give the halo list that UniverseMachine was run on, hlist_A.list",
    ),
    "halos_*.particles": (
        "by its name, particles that Rockstar wrote",
        "give out_N.list, after `find_parents out_N.list BOX_SIZE > NEW` of Rockstar's util/",
    ),
}
_BIGFILE = ("attr-v2", "attr")  # in each block of a BigFile

Detect = Callable[[Path], str]  # name of the reader that recognises a path, or ""


def may_be_a_table(path: Path) -> bool:
    """Return whether a file that no reader of a format recognises may be a table of columns.

    Those of kinds that are known to be something else are not, and neither are mocks.
    """
    try:
        look = known(path)
    except MockgalError:  # the reader of tables says why
        return True
    return look.is_table or not look.what


def describe(path: Path, detect: Detect) -> Look:
    """Return what is at ``path``, and what to do.

    Parameters
    ----------
    path : Path
        An existing path that no reader recognises.
    detect : callable
        ``detect(path)`` returns the name of the reader that recognises a path, or "".

    Returns
    -------
    Look

    Raises
    ------
    MockgalError
        An HDF5 file that is damaged or unsafe.
    """
    if path.is_file():
        return _file(path)
    if not path.is_dir():
        return Look("something that is neither a file nor a folder", "give a file or a folder")
    return _folder(path, detect)


def known(path: Path) -> Look:
    """Return what a file of a known kind is, and what to do; both are "" for any other."""
    safe.check_regular(path)
    with open(path, "rb") as file:
        begin = file.read(len(MAGIC))
    if begin == MAGIC or (begin and path.suffix in (".hdf5", ".h5")):
        with safe.open_hdf5(path) as opened:
            return describe_hdf5(path, opened)
    if is_catalogue(path):
        what = "a mock that mockgal wrote" if is_ours(path) else "a mock"
        return Look(f"{what}, not a simulation", GIVE_ORIGINAL)
    for pattern, description in _BY_NAME.items():
        if path.match(pattern):
            return Look(*description)
    return signatures.looks(path)


def _file(path: Path) -> Look:
    look = known(path)
    if look.what:
        return look
    return Look(f"a file that begins with {safe.first_bytes(path)}", signatures.OTHERWISE)


def _folder(path: Path, detect: Detect) -> Look:
    """Return what is in a folder: the catalogues in it, or else the first known file."""
    if not any(path.iterdir()):
        return Look("an empty folder", "check the path; the download or the run may not have ended")
    below = list(_below(path))
    readable = {entry: name for entry in below if (name := detect(entry))}
    # Name a folder and not also the files in it.
    tops = [entry for entry in readable if not set(entry.parents) & set(readable)]
    if tops:
        listed = ", ".join(str(entry.relative_to(path)) for entry in tops[:_SHOWN])
        formats = ", ".join(dict.fromkeys(readable[entry] for entry in tops))
        return Look(
            f"a folder that holds {listed}{', ...' * (len(tops) > _SHOWN)} ({formats})",
            f"give {'one of these, such as ' * (len(tops) > 1)}{tops[0]}",
        )
    if bigfile := next((e for e in below if e.name in _BIGFILE and e.is_file()), None):
        return Look(
            f"a folder in which {bigfile.parent.relative_to(path)} is a block of a BigFile (MP-"
            "Gadget, FastPM), whose particles and grids are read beside halos",
            "give its halos with --sim, such as MP-Gadget's PIG_nnn or FastPM's LL-0.200, and "
            f"these with --matter {in_shell(path)}",
        )
    failed = None
    for entry in [entry for entry in below if entry.is_file()]:
        try:
            look = known(entry)
        except MockgalError as error:
            failed = failed or error
            continue
        if look.what:
            return Look(f"a folder in which {entry.relative_to(path)} is {look.what}", look.fix)
    if failed is not None:
        raise failed
    entries = sorted(path.iterdir())
    listed = ", ".join(entry.name for entry in entries[:_SHOWN])
    more = ", ..." * (len(entries) > _SHOWN)
    found = f"a folder of no known format, holding {listed}{more}"
    return Look(found, signatures.OTHERWISE)


def _below(path: Path) -> Iterator[Path]:
    """Yield the first entries of a folder, then of its subfolders; skip hidden ones."""
    level, left = [path], _LOOKED_AT
    for _ in range(_DEPTH):
        deeper = []
        for folder in level:
            for entry in sorted(folder.iterdir()):
                if entry.name.startswith(".") or not (entry.is_file() or entry.is_dir()):
                    continue
                yield entry
                left -= 1
                if not left:
                    return
                if entry.is_dir() and not entry.is_symlink():
                    deeper.append(entry)
        level = deeper
