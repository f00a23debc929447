"""Open, traverse and read untrusted HDF5 files without trusting what they declare.

All errors of h5py become errors of mockgal. Links that leave the file, raw data kept elsewhere,
virtual datasets, and sizes that the file cannot hold are refused before memory is allocated.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from ...errors import (
    CorruptFileError,
    InputError,
    MissingDatasetError,
    MockgalError,
    UnsafeInputError,
    listed,
)
from ...system.files.plain_text import absent
from ...system.memory import check_memory
from . import copying, guard, stored
from .heaps import Groups
from .places import Places, put
from .stored import COPY_AGAIN
from .unpack import Damaged

MAX_LINKS = 8  # soft links followed on the way to one dataset
MAX_DEPTH = 32  # groups on the way to one dataset
MAX_CHUNK = stored.MAX_CHUNK
MAX_NAMES = 100_000  # in one group, or attributes of one object
_DEFAULT_CACHE = 1 << 20  # bytes of HDF5's chunk cache of a dataset
_CACHE_SLOTS = 521  # HDF5's default for that cache


def first_bytes(path: Path, count: int = 24) -> str:
    """Return the first bytes of a file, printable: ``b'<!DOCTYPE html>'``."""
    with open(path, "rb") as file:
        return repr(file.read(count))


def check_regular(path: Path, expected: str = "an HDF5 file") -> None:
    """Raise if ``path`` is not an ordinary, readable file.

    Parameters
    ----------
    path : Path
    expected : str
        What it should be, for messages.

    Raises
    ------
    InputError
        The path is missing, a directory, a pipe or device, or not readable.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError as error:
        raise absent(path, expected) from error
    except OSError as error:
        raise InputError(
            path, f"no readable file ({error.strerror})", expected, "check the path"
        ) from error
    if not stat.S_ISREG(mode):
        raise InputError(
            path,
            "a folder" if stat.S_ISDIR(mode) else "something that is not an ordinary file",
            expected,
            "give the path of the file itself",
        )
    if not os.access(path, os.R_OK):
        raise InputError(
            path, "no permission to read", "a readable file", "ask its owner for read permission"
        )


def _refusal(path: Path, error: Exception) -> InputError:
    """Return the error for a file that h5py could not open."""
    text = str(error)
    size = os.stat(path).st_size
    if match := re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", text):
        return CorruptFileError(
            path,
            f"a truncated file of {match[1]} bytes",
            f"{match[2]} bytes, as in its superblock",
            COPY_AGAIN,
        )
    if size == 0:
        return CorruptFileError(path, "an empty file (first bytes b'')", "an HDF5 file", COPY_AGAIN)
    if "signature not found" in text:
        return CorruptFileError(
            path,
            f"a file of {size} bytes that begins with {first_bytes(path)}",
            r"an HDF5 file, beginning with b'\x89HDF\r\n\x1a\n'",
            "copy or download the file again; a server may have sent an error page in its place",
        )
    if "already open for write" in text:
        return CorruptFileError(
            path,
            "a file that is open for writing, or whose writer died",
            "a file that was closed after writing",
            "wait for the writer to end; if it died, write the file again (h5clear -s only clears "
            "the flag)",
        )
    if "lock" in text:
        return InputError(
            path,
            "that the file cannot be locked (a program is writing it, or the file system has "
            "no locks)",
            "a file that HDF5 may lock for reading",
            "wait for the writer to end; if there is none, set HDF5_USE_FILE_LOCKING=FALSE in the "
            "environment",
        )
    return CorruptFileError(path, f"a damaged HDF5 file ({text})", "a readable one", COPY_AGAIN)


class File(h5py.File):  # type: ignore[misc] # h5py has no types
    """A file that is open for reading, and the objects found in it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r")
        self.path = self.filename
        self.bytes = os.stat(path).st_size
        self.descriptor = int(self.id.get_vfd_handle())
        self.groups = Groups(self)
        self.opened: dict[str, h5py.HLObject] = {}  # objects other than datasets, by path
        self.found: dict[str, _Found] = {}


@contextmanager
def open_hdf5(path: Path) -> Iterator[File]:
    """Open an HDF5 file for reading.

    Parameters
    ----------
    path : Path

    Yields
    ------
    File

    Raises
    ------
    InputError, CorruptFileError
        The file is missing, truncated, not HDF5, or open for writing, or it cannot be locked.
    """
    check_regular(path)
    try:
        file = File(path)
    except Exception as error:  # damaged files do not only raise OSError
        raise _refusal(path, error) from error
    try:
        yield file
    finally:
        with suppress(Exception):  # nothing was written
            file.close()


def where_of(file: File, name: str) -> str:
    """Return ``FILE:/NAME``, for messages."""
    return f"{file.filename}:/{name.strip('/')}"


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn errors of h5py inside the block into a `CorruptFileError` at ``where``."""
    try:
        yield
    except MockgalError:
        raise
    except Exception as error:  # h5py has no common base class of errors
        raise CorruptFileError(
            where, f"a damaged object ({error})", "a readable one", COPY_AGAIN
        ) from error


def _names(file: File, name: str, path: str) -> list[str]:
    """Return the names in a group; h5py returns bytes for names that are not UTF-8."""
    where = where_of(file, name)
    with translated(where):
        group = _opened(file, path)
        if not isinstance(group, h5py.Group):
            return []
        check_number_of_names(where, len(group))
        return [member if isinstance(member, str) else repr(member) for member in group]


def check_number_of_names(where: str, count: int) -> None:
    """Raise if a group or object has an absurd number of members or attributes.

    Raises
    ------
    UnsafeInputError
        There are more than `MAX_NAMES`; to list them would take all memory.
    """
    if count > MAX_NAMES:
        raise UnsafeInputError(
            where, f"{count} names", f"at most {MAX_NAMES}", "do not use this file"
        )


class _Found(NamedTuple):
    """Target of a name: a path of hard links, and the part that is ``missing`` there."""

    path: str
    missing: str = ""


def _find(file: File, name: str) -> _Found:
    """Follow ``name`` link by link.

    HDF5 resolves only one hard link at a time, so that a link to another file is noticed even in
    the middle of a path, and only in groups whose names can be looked up.
    """
    if name in file.found:
        return file.found[name]
    where = where_of(file, name)
    todo, done, links = [part for part in name.split("/") if part], "/", 0
    while todo:
        if len(todo) + done.count("/") > MAX_DEPTH:
            raise UnsafeInputError(
                where,
                f"a path deeper than {MAX_DEPTH} groups",
                "a short one",
                "copy the datasets to the top of a new file (h5copy)",
            )
        part = todo.pop(0)
        path = f"{done.rstrip('/')}/{part}"
        with translated(where):
            group = _opened(file, done)
            # Examine the link itself: `in` would follow it.
            if not isinstance(group, h5py.Group) or not group.id.links.exists(part.encode()):
                file.found[name] = _Found(done, path)
                return file.found[name]
            link = group.id.links.get_info(part.encode())
            if link.type == h5py.h5l.TYPE_SOFT:
                target = os.fsdecode(group.id.links.get_val(part.encode()))
        if link.type == h5py.h5l.TYPE_SOFT:
            links += 1
            if links > MAX_LINKS:
                raise UnsafeInputError(
                    where,
                    "a loop of soft links",
                    f"at most {MAX_LINKS} links",
                    "copy the dataset itself to a new file (h5copy)",
                )
            todo = [step for step in target.split("/") if step] + todo
            done = "/" if target.startswith("/") else done
        elif link.type == h5py.h5l.TYPE_HARD:
            done = path
            file.groups.header[done] = int(link.u)
        else:
            raise UnsafeInputError(
                where,
                f"a link out of the file at {path}",
                "data kept in the file itself",
                copying.advice(file.path),
            )
    file.found[name] = _Found(done)
    return file.found[name]


def _opened(file: File, path: str) -> h5py.HLObject:
    """Return the object at a path of hard links; check that a group's names can be looked up."""
    if path not in file.opened:
        found = file[path]
        if isinstance(found, h5py.Dataset):
            return found
        if isinstance(found, h5py.Group):
            file.groups.check(where_of(file, path), path)
        file.opened[path] = found
    return file.opened[path]


def exists(file: File, name: str) -> bool:
    """Return whether ``name`` is in ``file``, without leaving the file.

    Raises
    ------
    UnsafeInputError
        A link on the path leads out of the file, or soft links form a loop.
    """
    return not _find(file, name).missing


def members(file: File, name: str) -> list[str]:
    """Return the names in the group ``name``; an empty list if there is no such group."""
    found = _find(file, name)
    return [] if found.missing else _names(file, name, found.path)


def the_object(file: File, name: str) -> h5py.HLObject:
    """Return the group or dataset ``name``, which must exist."""
    with translated(where_of(file, name)):
        return _opened(file, _find(file, name).path)


def dataset(file: File, name: str, *, records: bool = False, texts: bool = False) -> Dataset:
    """Return a dataset of numbers that is safe to read.

    Parameters
    ----------
    file : File
    name : str
        Path of the dataset in the file.
    records : bool
        Accept a table, whose rows are named numbers and fixed-width text, instead of plain numbers.
    texts : bool
        Accept fixed-width texts instead of numbers.

    Returns
    -------
    Dataset
        An `h5py.Dataset`, to be read with `read_rows`.

    Raises
    ------
    MissingDatasetError
        The dataset is missing; the message lists what is present.
    UnsafeInputError
        Its data are elsewhere, or it declares more than the file holds.
    InputError
        It needs a filter that is not installed, or holds no plain numbers.
    CorruptFileError
        It is damaged or was not completely written.
    """
    where = where_of(file, name)
    found = _find(file, name)
    if found.missing:
        present = sorted(_names(file, name, found.path))
        raise MissingDatasetError(
            where,
            f"no {found.missing}; present there: {listed(present, none='nothing')}",
            "a dataset",
            "check that this is the right file, and that it was completely written",
        )
    with translated(where):
        data = file[found.path]
        if not isinstance(data, h5py.Dataset):
            raise MissingDatasetError(where, "a group", "a dataset", "check the format of the file")
        layout = data.id.get_create_plist()
        if layout.get_external_count():
            raise UnsafeInputError(
                where,
                "raw data kept in other files",
                "data in the file itself",
                copying.advice(file.path),
            )
        if layout.get_layout() == h5py.h5d.VIRTUAL:
            raise UnsafeInputError(
                where,
                "a virtual dataset, made of other files",
                "data in the file itself",
                copying.advice(file.path),
            )
        declared = data.id.get_type()
        kind = stored.record_type(declared) if records else stored.number_type(declared)
        if texts:
            kind = np.dtype(f"S{declared.get_size()}") if stored.fixed_text(declared) else None
        if kind is None:
            raise InputError(
                where,
                "values that are no plain numbers",
                "rows of named numbers" if records else "texts" if texts else "integers or floats",
                "convert the dataset to a standard type",
            )
        codes = stored.filters(where, data)
        places = stored.check_stored(where, data, kind, codes, file.bytes)
        opened = data.id
        if places is None and (cache := _cache_bytes(data)) > _DEFAULT_CACHE:
            access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
            access.set_chunk_cache(_CACHE_SLOTS, cache, 0.75)
            del data, opened  # an open dataset keeps its cache
            opened = h5py.h5d.open(file.id, found.path.encode(), access)
    return Dataset(opened, file, where, kind, places)


class Dataset(h5py.Dataset):  # type: ignore[misc] # h5py has no types
    """A dataset that was checked, and the places of its values."""

    def __init__(
        self,
        opened: h5py.h5d.DatasetID,
        owner: File,
        where: str,
        kind: np.dtype[Any],
        places: Places | None,
    ) -> None:
        super().__init__(opened)
        self.owner, self.where, self.kind, self.places = owner, where, kind, places


def _cache_bytes(data: h5py.Dataset) -> int:
    """Return the size of the chunks that hold one row: cached, so that each is unpacked once."""
    if data.chunks is None:
        return 0
    one = prod(int(n) for n in data.chunks) * int(data.dtype.itemsize)
    across = prod(
        -(-int(n) // int(c)) for n, c in zip(data.shape[1:], data.chunks[1:], strict=True)
    )
    return min(one * across, MAX_CHUNK)


def read_rows(
    data: Dataset, start: int = 0, stop: int | None = None, out: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Read rows ``start`` to ``stop`` of a dataset from `dataset`, optionally into ``out``.

    Parameters
    ----------
    data : Dataset
    start, stop : int
        Without ``stop``, to the end; the single value of a scalar dataset is always read.
    out : ndarray, shape (stop - start, ...)
        For records, receives the fields that it has.

    Returns
    -------
    ndarray, shape (stop - start, ...)

    Raises
    ------
    CorruptFileError
        The rows cannot be read; the message names the chunk.
    ResourceError
        The rows need more memory than is free.
    """
    where, shape = data.where, tuple(int(n) for n in data.shape)
    first, last, _ = slice(start, stop).indices(shape[0]) if shape else (0, 1, 1)
    rows = (max(0, last - first), *shape[1:])
    size = prod(rows) * data.kind.itemsize
    if out is None:
        check_memory(where, size)
        out = np.empty(rows if shape else (), data.kind)
    if not size:
        return out
    try:
        if data.places is not None:
            descriptor = data.owner.descriptor
            data.places.read(descriptor, first, last, out if shape else out.reshape(1))
            return out
        if data.id.get_create_plist().get_layout() != h5py.h5d.COMPACT:
            guard.check_rows(where, data.owner.path, data.name, first, last, size)
        put(out, data[first:last] if shape else data[()])
    except MockgalError:
        raise
    except Exception as error:
        found = f"{error}" if isinstance(error, Damaged) else f"that they cannot be read ({error})"
        raise CorruptFileError(f"{where}, its data", found, "intact data", COPY_AGAIN) from error
    return out
