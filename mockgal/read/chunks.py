"""Multi-file sets: finding the files, ordering them by number, and checking that none is missing.

A set is ``STEM_NNN.hdf5`` or ``STEM_NNN.K.hdf5`` for K from 0; NNN is the number of the output.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import HeaderError, IncompleteSetError, InputError, UsageError
from ..types import SourceFile
from . import safe

_NAME = re.compile(r"(?P<stem>.+?)_(?P<number>\d{3,})(?:\.(?P<chunk>\d+))?\.(?:hdf5|h5)")
_NAMED = 20  # missing or surplus chunks named in a message


class FileSet(NamedTuple):
    """The files of one output in order, the output's number ("" if the name has none)."""

    files: tuple[Path, ...]
    number: str

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.files[0].parent

    @property
    def where(self) -> str:
        """The set in messages: its file, or its folder."""
        return str(self.files[0] if len(self.files) == 1 else self.folder)


def _parsed(folder: Path, stems: str) -> list[tuple[str, int, Path]]:
    """(number, chunk, path) of the files in ``folder`` whose stem matches; chunk -1 if single."""
    found = []
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match and re.fullmatch(stems, match["stem"]) and path.is_file():
            found.append((match["number"], int(match["chunk"] or -1), path))
    return found


def candidates(path: Path, stems: str, folders: str) -> list[Path]:
    """Files that may belong to a set at ``path``, unchecked; the arguments are `find_set`'s."""
    if path.is_file():
        return [path]
    return [file for _, _, file in _in_folder(path, stems, folders)] if path.is_dir() else []


def _in_folder(path: Path, stems: str, folders: str) -> list[tuple[str, int, Path]]:
    """What is in the folder itself or, if nothing, in the folders below that may hold a set."""
    below = [p for p in sorted(path.iterdir()) if p.is_dir() and re.fullmatch(folders, p.name)]
    return _parsed(path, stems) or [entry for folder in below for entry in _parsed(folder, stems)]


def find_set(path: Path, stems: str, folders: str, number: str = "") -> FileSet | None:
    """The set that ``path`` means.

    Parameters
    ----------
    path : Path
        A single file, any file of a set, the set's folder, or a run's folder holding one set.
    stems : str
        Regular expression for the part of the file names before the number.
    folders : str
        Regular expression for the names of the folders that hold a set in a run's folder.
    number : str, optional
        Look only for this output in a folder.

    Returns
    -------
    FileSet or None
        None if nothing there is named so.

    Raises
    ------
    UsageError
        A folder with several sets; the message lists their numbers.
    IncompleteSetError
        Two files for one chunk.
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
            "one",
            "give the folder or a file of the one meant",
        )
    found.sort(key=lambda entry: entry[1])
    for (_, a, first), (_, b, second) in pairwise(found):
        if a == b or a < 0:
            raise IncompleteSetError(
                path,
                f"both {first} and {second}",
                "one file for each chunk",
                "move the one that does not belong to the set elsewhere",
            )
    return FileSet(tuple(file for _, _, file in found), numbers[0])


def check_numbers(files: FileSet, declared: int) -> None:
    """Whether the chunks 0 to ``declared`` - 1 are all there, and no others.

    Raises
    ------
    IncompleteSetError
        The message lists the missing or surplus chunks.
    """
    matches = [_NAME.fullmatch(path.name) for path in files.files]
    present = {int(m["chunk"] or 0) if m else 0 for m in matches}
    # `declared` may be absurd: nothing here is of its size.
    missing = list(islice((k for k in range(declared) if k not in present), _NAMED + 1))
    surplus = sorted(k for k in present if k >= declared)
    if missing:
        names = ", ".join(map(str, missing[:_NAMED])) + ", ..." * (len(missing) > _NAMED)
        raise IncompleteSetError(
            files.where,
            f"{len(present)} of {declared} files; missing chunk {names}",
            f"chunks 0 to {declared - 1}",
            "fetch the missing files into the same folder",
        )
    if surplus:
        raise IncompleteSetError(
            files.where,
            "surplus chunk " + ", ".join(map(str, surplus[:_NAMED])),
            f"{declared} files, as the header says",
            "remove files of another run or version",
        )


def check_same(files: FileSet, values: Sequence[Any], what: str) -> None:
    """Whether the files agree on a header value.

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


def check_total(files: FileSet, this_file: Sequence[int], total: int, what: str) -> None:
    """Whether the counts of the files add up to the declared total.

    Raises
    ------
    HeaderError
        They do not.
    """
    if sum(this_file) != total:
        raise HeaderError(
            f"{files.where}:{what}",
            f"{sum(this_file)} rows in all files",
            f"{total}, as the header's total says",
            "look for a file that was copied twice or is from another version",
        )


def column(
    files: FileSet,
    rows: Sequence[int],
    name: str,
    chunk_rows: int,
    row_shape: tuple[int | None, ...] = (),
) -> NDArray[Any]:
    """A dataset of the set, from all its files.

    Parameters
    ----------
    files : FileSet
    rows : sequence of int
        Rows in each file, as its header says; a file without rows may lack the dataset.
    name : str
        Path of the dataset.
    chunk_rows : int
        Rows read at a time.
    row_shape : tuple of int or None
        Shape of one row; None where any length will do that is the same in all files.

    Returns
    -------
    ndarray, shape (sum(rows), ...)

    Raises
    ------
    HeaderError
        A file whose rows differ from its header's count, or in shape.
    """
    pieces: list[NDArray[Any]] = []
    for path, count in zip(files.files, rows, strict=True):
        if count:
            pieces += stream(path, name, count, chunk_rows, row_shape)
            row_shape = pieces[0].shape[1:]
    return np.concatenate(pieces) if pieces else np.empty((0, *(n or 0 for n in row_shape)))


def checked(
    file: h5py.File, name: str, rows: int, row_shape: tuple[int | None, ...] = ()
) -> h5py.Dataset:
    """The dataset, after checking that it has ``rows`` rows of the shape `column` describes.

    Raises
    ------
    HeaderError
        It has another number of rows than the header says, or rows of another shape.
    """
    data = safe.dataset(file, name)
    where = f"{file.filename}:/{name}"
    if not data.shape or data.shape[0] != rows:
        raise HeaderError(
            where,
            f"shape {data.shape}",
            f"{rows} rows, as the file's header says",
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
            f"({', '.join(map(str, wanted_shape))}{',' * (not row_shape)}), as the format and the "
            "set's other files have",
            "check that the file is the one meant, or fetch it again",
        )
    return data


def stream(
    path: Path,
    name: str,
    rows: int,
    chunk_rows: int,
    row_shape: tuple[int | None, ...] = (),
) -> Iterator[NDArray[Any]]:
    """Pieces of a dataset of at most ``chunk_rows`` rows."""
    with safe.open_hdf5(path) as file:
        data = checked(file, name, rows, row_shape)
        for start in range(0, rows, chunk_rows):
            yield safe.read_rows(data, start, min(start + chunk_rows, rows))


def place(files: FileSet, rows: Sequence[int], name: str, row: int) -> str:
    """``FILE:/NAME, row R``: where a row of the whole set is."""
    for path, count in zip(files.files, rows, strict=True):
        if row < count:
            return f"{path}:/{name}, row {row}"
        row -= count
    return f"{files.where}:/{name}"


def row_at(where: str, start: int, row: int) -> str:
    """``FILE:/NAME, row R`` for a row of a piece that begins at ``start``."""
    return f"{where}, row {start + row}"


def sources(files: FileSet, *, digests: bool = True) -> tuple[SourceFile, ...]:
    """The files with their sizes and BLAKE2b-256 digests ("" without ``digests``)."""
    return tuple(source(path, digests=digests) for path in files.files)


def source(path: Path, *, digests: bool = True) -> SourceFile:
    """One file with its size and BLAKE2b-256 digest ("" without ``digests``)."""
    digest = hashlib.blake2b(digest_size=32)
    try:
        with open(path, "rb") as file:
            while digests and (block := file.read(1 << 20)):
                digest.update(block)
        size = path.stat().st_size
    except OSError as error:
        raise InputError(
            path, f"a read error ({error.strerror})", "a readable file", "check the disk"
        ) from error
    return SourceFile(str(path), size, digest.hexdigest() if digests else "")


def check_distinct(sources: Sequence[SourceFile], rows: Sequence[int]) -> None:
    """Whether no chunk with rows is a copy of another.

    Raises
    ------
    IncompleteSetError
        Two files of the same content.
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
