"""Multi-file sets: find the files, order them by number, and check that none is missing.

A set is ``STEM_NNN.hdf5``, or ``STEM_NNN.K.hdf5`` with chunks K from 0; NNN is the output number.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import (
    HeaderError,
    IncompleteSetError,
    InputError,
    UnsafeInputError,
    UsageError,
)
from ..system.memory import BOMB_BYTES, BOMB_RATIO, check_memory
from ..types import SourceFile
from .hdf5 import safe

_NAME = re.compile(r"(?P<stem>.+?)_(?P<number>\d{3,})(?:\.(?P<chunk>\d+))?\.(?:hdf5|h5)")
_NAMED = 20  # surplus chunks named in a message
_LOOKED_AT = 16  # files of a set that are examined to detect the format
_BLOCK = 1 << 24  # bytes: a thread waits milliseconds for the interpreter between blocks
_HASHERS = 2  # hashing threads: hashing releases the interpreter lock


class FileSet(NamedTuple):
    """The ordered files of one output, and the output's number ("" if the name has none)."""

    files: tuple[Path, ...]
    number: str

    @property
    def folder(self) -> Path:
        """Folder of the files."""
        return self.files[0].parent

    @property
    def is_single(self) -> bool:
        """Whether there is one file, which may have been merged from several."""
        return len(self.files) == 1

    @property
    def where(self) -> str:
        """File or folder of the set, for messages."""
        return str(self.files[0] if self.is_single else self.folder)


def _parsed(folder: Path, stems: str) -> list[tuple[str, int, Path]]:
    """Return (number, chunk, path) of the files whose stem matches; chunk -1 if single."""
    entries = []
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match and re.fullmatch(stems, match["stem"]) and path.is_file():
            entries.append((match["number"], int(match["chunk"] or -1), path))
    return entries


def any_file(path: Path, stems: str, folders: str, looks_right: Callable[[Path], bool]) -> bool:
    """Return whether any of the first files of a possible set at ``path`` looks right.

    The other arguments are those of `find_set`.
    """
    files = [path] if path.is_file() else []
    if path.is_dir():
        files = [file for _, _, file in _in_folder(path, stems, folders)]
    return any(looks_right(file) for file in files[:_LOOKED_AT])


def _in_folder(path: Path, stems: str, folders: str) -> list[tuple[str, int, Path]]:
    """Return the matching files in the folder or, if there are none, in its matching subfolders."""
    below = [p for p in sorted(path.iterdir()) if p.is_dir() and re.fullmatch(folders, p.name)]
    return _parsed(path, stems) or [entry for folder in below for entry in _parsed(folder, stems)]


def find_set(path: Path, stems: str, folders: str, number: str = "") -> FileSet | None:
    """Return the set at ``path``.

    Parameters
    ----------
    path : Path
        A single file, any file of a set, the set's folder, or a run's folder with one set.
    stems : str
        Regular expression for the part of the file names before the number.
    folders : str
        Regular expression for the subfolders of a run's folder that hold a set.
    number : str, optional
        Look only for this output in a folder.

    Returns
    -------
    FileSet or None
        None if no file name matches.

    Raises
    ------
    UsageError
        The folder holds several sets; the message lists their numbers.
    IncompleteSetError
        Two files hold the same chunk.
    """
    if path.is_file():
        match = _NAME.fullmatch(path.name)
        if match is None or match["chunk"] is None:
            return FileSet((path,), match["number"] if match else "")
        found = [
            entry
            for entry in _parsed(path.parent, re.escape(match["stem"]))
            if entry[0] == match["number"] and entry[1] >= 0
        ]
    elif path.is_dir():
        found = _in_folder(path, stems, folders)
    else:
        return None
    if number:
        found = [entry for entry in found if entry[0] == number]
    if not found:
        return None
    numbers = sorted({number for number, _, _ in found})
    if len(numbers) > 1:
        raise UsageError(
            path,
            f"several outputs, {', '.join(numbers)}",
            "one output",
            "give the folder or a file of the output that you want",
        )
    found.sort(key=lambda entry: entry[1])
    for (_, a, first), (_, b, second) in pairwise(found):
        if a == b or a < 0:
            raise IncompleteSetError(
                path,
                f"both {first} and {second}",
                "one file for each chunk",
                "move the file that does not belong to the set elsewhere",
            )
    return FileSet(tuple(file for _, _, file in found), numbers[0])


def numbers(files: FileSet) -> list[int]:
    """Return the chunk number K of each file; 0 for a single file."""
    matches = [_NAME.fullmatch(path.name) for path in files.files]
    return [int(m["chunk"] or 0) if m else 0 for m in matches]


def missing_numbers(present: Sequence[int], declared: int) -> str:
    """Return the missing chunks as ranges, such as ``"0, 3-35"``; "" if none is missing."""
    edges = [-1, *sorted(k for k in present if k < declared), declared]
    gaps = [(a + 1, b - 1) for a, b in pairwise(edges) if b - a > 1]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in gaps)


def check_numbers(files: FileSet, declared: int, *, allow_missing: bool | None = None) -> str:
    """Raise unless the set has exactly the chunks 0 to ``declared`` - 1.

    Parameters
    ----------
    files : FileSet
    declared : int
    allow_missing : bool, optional
        Whether some may be missing; None if the format has no such option.

    Returns
    -------
    str
        The missing chunks, in the format of `missing_numbers`.

    Raises
    ------
    IncompleteSetError
        The message lists the missing or surplus chunks.
    """
    return check_present(files.where, numbers(files), declared, allow_missing=allow_missing)


def check_present(
    where: str, present: Sequence[int], declared: int, *, allow_missing: bool | None = None
) -> str:
    """Raise unless the chunks ``present`` are 0 to ``declared`` - 1; see `check_numbers`."""
    missing = missing_numbers(present, declared)
    surplus = sorted(k for k in present if k >= declared)
    if missing and not allow_missing:
        choice = "; or read the others with --allow-missing-chunks"
        raise IncompleteSetError(
            where,
            f"{len(present)} of {declared} files; missing chunk {missing}",
            f"chunks 0 to {declared - 1}",
            "fetch the missing files into the same folder" + choice * (allow_missing is False),
        )
    if surplus:
        raise IncompleteSetError(
            where,
            "surplus chunk " + ", ".join(map(str, surplus[:_NAMED])),
            f"{declared} files, as the header says",
            "remove the files of another run or version",
        )
    return missing


def check_same(files: FileSet, values: Sequence[Any], what: str) -> None:
    """Raise if the files disagree on a header value.

    Raises
    ------
    IncompleteSetError
        The message names the first file that differs.
    """
    for path, value in zip(files.files, values, strict=True):
        if value != values[0]:
            raise IncompleteSetError(
                f"{path}:{what}",
                f"{value}",
                f"{values[0]}, as in {files.files[0]}",
                "do not mix files of different runs, outputs or versions in one folder",
            )


def check_total(
    files: FileSet, this_file: Sequence[int], total: int, what: str, *, complete: bool = True
) -> None:
    """Raise if the counts of the files do not add up to the declared total.

    Raises
    ------
    HeaderError
        The sum differs or, for a set that is not ``complete``, exceeds the total.
    """
    if sum(this_file) > total or (complete and sum(this_file) != total):
        raise HeaderError(
            f"{files.where}:{what}",
            f"{sum(this_file)} rows in all files",
            f"{total}, the total in the header",
            "look for a file that was copied twice or is from another version",
        )


def columns(
    files: FileSet,
    rows: Mapping[str, Sequence[int]],
    wanted: Mapping[str, tuple[int | None, ...]],
) -> dict[str, NDArray[Any]]:
    """Return datasets of the set, each joined over all files; open every file once.

    Parameters
    ----------
    files : FileSet
    rows : mapping of str to sequence of int
        Rows of each group in each file, from the headers. A file without rows may lack the dataset.
    wanted : mapping of str to tuple of int or None
        Paths ``GROUP/NAME`` of the datasets, and the shape of one row; None allows any length that
        is the same in all files.

    Returns
    -------
    dict of str to ndarray, shape (sum of rows, ...)

    Raises
    ------
    HeaderError
        The rows of a file differ from its header in number, or from the other files in shape.
    UnsafeInputError
        More rows than files of this size can hold.
    """
    found: dict[str, NDArray[Any]] = {}
    start = dict.fromkeys(rows, 0)
    for number, path in enumerate(files.files):
        count = {group: rows[group][number] for group in rows}
        todo = [name for name in wanted if count[_group(name)]]
        if not todo:
            continue
        with safe.open_hdf5(path) as file:
            for name in todo:
                begin, here = start[_group(name)], count[_group(name)]
                shape = found[name].shape[1:] if name in found else wanted[name]
                data = checked(file, name, here, shape)
                kind = data.dtype.newbyteorder("=")
                if name not in found:
                    total = (sum(rows[_group(name)]), *data.shape[1:])
                    found[name] = _allocate(files, name, total, kind)
                elif kind != found[name].dtype:
                    found[name] = found[name].astype(np.result_type(kind, found[name].dtype))
                safe.read_rows(data, 0, here, out=found[name][begin : begin + here])
        for group in rows:
            start[group] += count[group]
    for name in wanted:
        found.setdefault(name, np.empty((0, *(n or 0 for n in wanted[name]))))
    return found


def _group(name: str) -> str:
    return name.split("/", maxsplit=1)[0]


def _allocate(
    files: FileSet, name: str, shape: tuple[int, ...], kind: np.dtype[Any]
) -> NDArray[Any]:
    """Allocate a dataset of the whole set; raise if the files are too small to hold it."""
    declared = prod(shape) * kind.itemsize
    stored = sum(path.stat().st_size for path in files.files)
    if declared > BOMB_BYTES and declared > BOMB_RATIO * stored:
        raise UnsafeInputError(
            f"{files.where}:/{name}",
            f"{declared} bytes declared by files of {stored} bytes",
            f"at most {BOMB_RATIO} times their size",
            "do not use these files",
        )
    check_memory(f"{files.where}:/{name}", declared)
    return np.empty(shape, kind)


def present(files: FileSet, rows: Sequence[int], name: str) -> bool:
    """Return whether the first file with rows has the dataset; True if no file has rows."""
    for path, count in zip(files.files, rows, strict=True):
        if count:
            with safe.open_hdf5(path) as file:
                return safe.exists(file, name)
    return True


def checked(
    file: h5py.File, name: str, rows: int, row_shape: tuple[int | None, ...] = ()
) -> h5py.Dataset:
    """Return the dataset after checking its number of rows and the shape of a row.

    ``row_shape`` is as in `columns`.

    Raises
    ------
    HeaderError
        The number of rows differs from the header, or a row has another shape.
    """
    data = safe.dataset(file, name)
    where = f"{file.filename}:/{name}"
    if not data.shape or data.shape[0] != rows:
        raise HeaderError(
            where,
            f"shape {data.shape}",
            f"{rows} rows, as in the file's header",
            "fetch the file again",
        )
    here = data.shape[1:]
    if len(here) != len(row_shape) or any(
        wanted not in (None, found) for wanted, found in zip(row_shape, here, strict=True)
    ):
        wanted_shape = (rows, *("any" if n is None else n for n in row_shape))
        raise HeaderError(
            where,
            f"shape {data.shape}",
            f"({', '.join(map(str, wanted_shape))}{',' * (not row_shape)}), as in the format and "
            "the set's other files",
            "check that this is the right file, or fetch it again",
        )
    return data


def place(files: FileSet, rows: Sequence[int], name: str, row: int) -> str:
    """Return the place ``FILE:/NAME, row R`` of a row of the whole set."""
    for path, count in zip(files.files, rows, strict=True):
        if row < count:
            return f"{path}:/{name}, row {row}"
        row -= count
    return f"{files.where}:/{name}"


def row_at(where: str, start: int, row: int) -> str:
    """Return ``FILE:/NAME, row R`` for a row of a piece that begins at ``start``."""
    return f"{where}, row {start + row}"


@contextmanager
def sources(files: FileSet) -> Iterator[Callable[[], tuple[SourceFile, ...]]]:
    """Compute sizes and SHA-256 digests of the files while the block runs.

    Yields
    ------
    callable
        Waits for the entries of all files, and returns them in order.
    """
    with ThreadPoolExecutor(max_workers=_HASHERS) as pool:
        pending = [pool.submit(source, path) for path in files.files]
        try:
            yield lambda: tuple(one.result() for one in pending)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def source(path: Path, *, digests: bool = True) -> SourceFile:
    """Return a file's entry, with its size and SHA-256 digest ("" without ``digests``)."""
    digest = hashlib.sha256()
    try:
        size = path.stat().st_size
        with open(path, "rb", buffering=0) as file:
            buffer = memoryview(bytearray(min(size, _BLOCK) if digests else 0))
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
    except OSError as error:
        raise InputError(
            path, f"a read error ({error.strerror})", "a readable file", "check the disk"
        ) from error
    return SourceFile(str(path), size, digest.hexdigest() if digests else "")


def check_distinct(sources: Sequence[SourceFile], rows: Sequence[int]) -> None:
    """Raise if a chunk with rows is a copy of another.

    Raises
    ------
    IncompleteSetError
        Two files have the same content.
    """
    seen: dict[str, str] = {}
    for item, count in zip(sources, rows, strict=True):
        if count and item.digest in seen:
            raise IncompleteSetError(
                item.path,
                f"the same content as {seen[item.digest]}",
                "different chunks",
                "fetch the file again",
            )
        seen[item.digest] = item.path
