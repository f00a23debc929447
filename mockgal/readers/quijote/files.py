"""Sets of group_tab files: found by name, checked by size, and read.

`mockgal.readers.quijote.reader` describes their content.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CorruptFileError, FormatError, IncompleteSetError, InputError, UsageError
from ...system.memory import check_memory
from .. import chunks, raw
from ..hdf5.stored import COPY_AGAIN

Array = NDArray[Any]

# Numbers have the byte order of the machine that wrote them: little-endian wherever Gadget runs.
HEADER = np.dtype(
    [
        ("Ngroups", "<i4"),
        ("TotNgroups", "<i4"),
        ("Nids", "<i4"),
        ("TotNids", "<u8"),
        ("Nfiles", "<u4"),
    ]
)
GROUP = {
    "GroupLen": np.dtype("<i4"),
    "GroupOffset": np.dtype("<i4"),
    "GroupMass": np.dtype("<f4"),
    "GroupPos": np.dtype(("<f4", 3)),
    "GroupVel": np.dtype(("<f4", 3)),
    "GroupTLen": np.dtype(("<i4", 6)),
    "GroupTMass": np.dtype(("<f4", 6)),
}
GROUP_BYTES = sum(dtype.itemsize for dtype in GROUP.values())
FOLDER = re.compile(r"groups_\d{3,}")

_NAME = re.compile(r"group_tab_(?P<number>\d{3,})\.(?P<chunk>\d+)")
_READ = ("GroupLen", "GroupMass", "GroupPos", "GroupVel")
_SHARED = ("TotNgroups", "TotNids", "Nfiles")  # all files of a set must agree on these
_EXTRA = 4  # bytes per group of one further block
_NAMED = 12  # most numbers in a message


def named_so(path: Path) -> list[tuple[str, int, Path]]:
    """Return (number, chunk, path) of the files at a path that are named as sets, sorted."""
    if path.is_file():
        match = _NAME.fullmatch(path.name)
        return [one for one in _in(path.parent) if one[0] == match["number"]] if match else []
    if not path.is_dir():
        return []
    below = [p for p in sorted(path.iterdir()) if p.is_dir() and FOLDER.fullmatch(p.name)]
    return _in(path) or [one for folder in below for one in _in(folder)]


def _in(folder: Path) -> list[tuple[str, int, Path]]:
    matches = [(_NAME.fullmatch(file.name), file) for file in folder.iterdir()]
    return sorted((m["number"], int(m["chunk"]), file) for m, file in matches if m)


def find_set(path: Path) -> chunks.FileSet:
    """Return the set of files at a path.

    Raises
    ------
    FormatError
        No file has such a name.
    UsageError
        Several sets.
    IncompleteSetError
        Two files for one chunk.
    """
    files = named_so(path)
    if not files:
        raise FormatError(
            path,
            "no file called group_tab_NNN.K",
            "groups of Gadget's friends-of-friends",
            "give a file of the catalogue or its groups_NNN folder",
        )
    numbers = sorted({number for number, _, _ in files})
    if len(numbers) > 1:
        raise UsageError(
            path,
            "several outputs, " + ", ".join(numbers[:_NAMED]) + ", ..." * (len(numbers) > _NAMED),
            "one",
            "give the folder or a file of the one you want",
        )
    for (_, a, first), (_, b, second) in pairwise(files):
        if a == b:
            raise IncompleteSetError(
                path,
                f"both {first} and {second}",
                "one file for each chunk",
                "move the one that does not belong to the set elsewhere",
            )
    return chunks.FileSet(tuple(file for _, _, file in files), numbers[0])


def count_groups(files: chunks.FileSet) -> list[int]:
    """Return the number of groups in each file, checking headers and sizes against each other.

    Raises
    ------
    CorruptFileError
        A file that is shorter or longer than its groups.
    IncompleteSetError
        Files that are missing, surplus, or of different sets.
    HeaderError
        Counts that do not add up.
    """
    heads = [_header(path) for path in files.files]
    for name in _SHARED:
        chunks.check_same(files, [int(head[name]) for head in heads], name)
    declared = int(heads[0]["Nfiles"])
    present = [int(path.name.rpartition(".")[2]) for path in files.files]
    missing = chunks.missing_numbers(present, declared)
    surplus = [str(k) for k in present if k >= declared]
    if missing or surplus:
        fault = f"{len(present)} of {declared} files; missing chunk {missing}"
        if not missing:
            fault = "surplus chunk " + ", ".join(surplus[:_NAMED])
        raise IncompleteSetError(
            files.where,
            fault,
            f"chunks 0 to {declared - 1}, as Nfiles says",
            "fetch the missing files into the same folder"
            if missing
            else "remove files of another run or version",
        )
    counts = [int(head["Ngroups"]) for head in heads]
    chunks.check_total(files, counts, int(heads[0]["TotNgroups"]), "TotNgroups")
    return counts


def _header(path: Path) -> Array:
    """Return the header of one file, whose size must match its number of groups."""
    size = raw.size_of(path, "a catalogue of groups")
    begin = raw.begin(path, HEADER.itemsize)
    if len(begin) < HEADER.itemsize:
        raise CorruptFileError(
            path, f"{size} bytes", f"a header of {HEADER.itemsize} and groups", COPY_AGAIN
        )
    head: Array = np.frombuffer(begin, HEADER)[0]
    groups = int(head["Ngroups"])
    if groups < 0 or int(head["TotNgroups"]) < groups or int(head["Nfiles"]) < 1:
        raise _not_groups(path, size, begin, f"{groups} groups of {head['TotNgroups']}")
    expected = HEADER.itemsize + GROUP_BYTES * groups
    if size != expected:
        raise _not_groups(path, size, begin, f"{groups} groups")
    return head


def _not_groups(path: Path, size: int, begin: bytes, declared: str) -> InputError:
    """Return the error for a file whose size does not match the groups that it declares."""
    head = np.frombuffer(begin, HEADER)[0]
    swapped = np.frombuffer(begin, HEADER.newbyteorder(">"))[0]

    def fits(number: int, extra: int = 0) -> bool:
        return number >= 0 and size == HEADER.itemsize + (GROUP_BYTES + extra) * number

    groups = int(head["Ngroups"])
    if fits(int(swapped["Ngroups"])):
        return FormatError(
            path,
            "numbers in the byte order of another kind of machine (big-endian)",
            "little-endian numbers",
            "convert the file (numpy's byteswap, field by field)",
        )
    if groups > 0 and (fits(groups, _EXTRA) or fits(groups, 2 * _EXTRA)):
        blocks = (size - HEADER.itemsize) // groups - GROUP_BYTES
        return CorruptFileError(
            path,
            f"{size} bytes: {blocks} more for each of {groups} groups than a run of dark matter "
            "has, as for star formation rates or types of groups",
            f"{HEADER.itemsize + GROUP_BYTES * groups} bytes",
            "give the catalogue of a gravity-only run, without these blocks",
        )
    expected = HEADER.itemsize + GROUP_BYTES * max(groups, 0)
    difference = f"{abs(size - expected)} bytes " + ("left over" if size > expected else "short")
    return CorruptFileError(
        path,
        f"{size} bytes, {difference}, for the {declared} that its header declares",
        f"{expected} bytes: a header of {HEADER.itemsize}, and {GROUP_BYTES} for each group",
        f"{COPY_AGAIN}; or it is not such a catalogue: the format has no magic number to tell",
    )


def gather(files: chunks.FileSet, counts: list[int]) -> dict[str, Array]:
    """Return the fields `_READ` of all files, as stored."""
    total = sum(counts)
    # The fields, and the columns in double precision that are derived from them.
    check_memory(files.where, 5 * total * sum(GROUP[name].itemsize for name in _READ))
    native = {name: np.empty((total, *GROUP[name].shape), GROUP[name].base) for name in _READ}
    start = 0
    for path, count in zip(files.files, counts, strict=True):
        try:
            with open(path, "rb") as file:
                place = HEADER.itemsize
                for name, dtype in GROUP.items():
                    if name in _READ:
                        file.seek(place)
                        raw.fill(path, file, native[name][start : start + count])
                    place += dtype.itemsize * count
        except OSError as error:
            raise raw.unreadable(path, error) from error
        start += count
    return native
