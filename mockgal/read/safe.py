"""HDF5 files from strangers: opened, walked and read so that nothing they declare is trusted.

Everything that h5py raises is turned into an error of ours; links that leave the file, raw data
kept elsewhere, virtual datasets and sizes that the file cannot hold are refused before memory is
asked for.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..errors import (
    CorruptFileError,
    InputError,
    MissingDatasetError,
    UnsafeInputError,
)

MAX_LINKS = 8  # soft links followed on the way to one dataset
MAX_DEPTH = 32  # groups on the way to one dataset
BOMB_BYTES, BOMB_RATIO = 4 << 30, 1000  # refused: larger than both allow
MAX_CHUNK = 1 << 30  # bytes of one stored chunk, which can only be read as a whole
_DEFAULT_CACHE = 1 << 20  # bytes that HDF5 keeps of a dataset's chunks
_CACHE_SLOTS = 521  # of its table of chunks, HDF5's default
_COPY_AGAIN = "copy or download the file again and compare its checksum with the source's"


def first_bytes(path: Path, count: int = 24) -> str:
    """The first bytes of a file, printable: ``b'<!DOCTYPE html>'``."""
    with open(path, "rb") as file:
        return repr(file.read(count))


def check_regular(path: Path) -> None:
    """Refuse what is not an ordinary, readable file.

    Raises
    ------
    InputError
        Missing, a directory, a pipe or device, or not readable.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise InputError(
            path, f"no readable file ({error.strerror})", "an HDF5 file", "check the path"
        ) from error
    if not stat.S_ISREG(mode):
        raise InputError(
            path,
            "something that is not an ordinary file",
            "an HDF5 file",
            "give the path of the file itself",
        )
    if not os.access(path, os.R_OK):
        raise InputError(
            path, "no permission to read", "a readable file", "ask its owner for read permission"
        )


def _refusal(path: Path, error: OSError) -> InputError:
    """What an `OSError` at opening means."""
    text = str(error)
    size = os.stat(path).st_size
    if match := re.search(r"truncated file: eof = (\d+).*stored_eof = (\d+)", text):
        return CorruptFileError(
            path,
            f"a truncated file of {match[1]} bytes",
            f"{match[2]} bytes, as its superblock says",
            _COPY_AGAIN,
        )
    if size == 0:
        return CorruptFileError(
            path, "an empty file (first bytes b'')", "an HDF5 file", _COPY_AGAIN
        )
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
            "the mark)",
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
    return CorruptFileError(path, f"a damaged HDF5 file ({text})", "a readable one", _COPY_AGAIN)


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Parameters
    ----------
    path : Path

    Yields
    ------
    h5py.File

    Raises
    ------
    InputError, CorruptFileError
        Not there, truncated, not HDF5, open for writing, or it cannot be locked.
    """
    check_regular(path)
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _refusal(path, error) from error
    with file:
        yield file


def where_of(file: h5py.File, name: str) -> str:
    """``FILE:/NAME``, for messages."""
    return f"{file.filename}:/{name.strip('/')}"


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Errors of h5py inside the block become a `CorruptFileError` at ``where``."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise CorruptFileError(
            where, f"a damaged object ({error})", "a readable one", _COPY_AGAIN
        ) from error


def _names(group: h5py.HLObject) -> list[str]:
    """Names in a group; h5py gives bytes for those that are no UTF-8."""
    if not isinstance(group, h5py.Group):
        return []
    return [name if isinstance(name, str) else repr(name) for name in group]


def _find(file: h5py.File, name: str) -> tuple[str, list[str]]:
    """Follow ``name`` link by link: ("", []) if it is there, else (missing part, what is there).

    The library is only asked for one hard link at a time, so a link to another file is seen even in
    the middle of a path.
    """
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
        with translated(where):
            group = file[done]
            # Ask for the link itself: `in` would follow it.
            if not isinstance(group, h5py.Group) or not group.id.links.exists(part.encode()):
                return f"{done.rstrip('/')}/{part}", _names(group)[:40]
            try:
                link = group.get(part, getlink=True)
            except TypeError:  # a link class that h5py does not know
                link = None
        if isinstance(link, h5py.SoftLink):
            links += 1
            if links > MAX_LINKS:
                raise UnsafeInputError(
                    where,
                    "a loop of soft links",
                    f"at most {MAX_LINKS} links",
                    "copy the dataset itself to a new file (h5copy)",
                )
            target = [step for step in link.path.split("/") if step]
            todo, done = target + todo, "/" if link.path.startswith("/") else done
        elif isinstance(link, h5py.HardLink):
            done = f"{done.rstrip('/')}/{part}"
        else:
            raise UnsafeInputError(
                where,
                f"a link out of the file at {done.rstrip('/')}/{part}",
                "data kept in the file itself",
                "copy the data into one file (h5repack or h5copy), if you trust its source",
            )
    return "", []


def exists(file: h5py.File, name: str) -> bool:
    """Whether ``name`` is in ``file``, without leaving the file.

    Raises
    ------
    UnsafeInputError
        A link on the way leads out of the file or in circles.
    """
    return not _find(file, name)[0]


def members(file: h5py.File, name: str) -> list[str]:
    """Names in the group ``name``; empty if there is no such group."""
    if not exists(file, name):
        return []
    with translated(where_of(file, name)):
        return _names(file[name])


def _check_declared_size(where: str, data: h5py.Dataset) -> None:
    """Refuse a dataset that declares much more than the file holds for it."""
    if data.shape is None:
        raise CorruptFileError(where, "no values at all", "an array", "check the file")
    # Python's integers: a product of hostile sizes overflows NumPy's.
    rows = prod(int(n) for n in data.shape)
    declared, stored = rows * data.dtype.itemsize, int(data.id.get_storage_size())
    if declared > BOMB_BYTES and declared > BOMB_RATIO * stored:
        raise UnsafeInputError(
            where,
            f"a shape {data.shape} of {declared} bytes, for which {stored} bytes are stored",
            f"at most {BOMB_RATIO} times the stored bytes",
            "do not use this file",
        )
    whole = True
    if rows and data.chunks is None:
        whole = stored >= declared
    elif rows:
        grid = [-(-n // c) for n, c in zip(data.shape, data.chunks, strict=True)]
        whole = int(data.id.get_num_chunks()) == prod(grid)
    if not whole:
        raise CorruptFileError(
            where,
            f"{stored} stored bytes for {declared} declared ones",
            "all rows written",
            "write the file again: its writer was cut off",
        )


def _is_number(kind: np.dtype[Any]) -> bool:
    return kind.kind in "iufb" and kind.itemsize <= 8 and kind.subdtype is None


def _is_record(kind: np.dtype[Any]) -> bool:
    """Whether ``kind`` is a row of named numbers or fixed-width text."""
    fields = [kind[name] for name in kind.names or ()]
    return bool(fields) and all(_is_number(f) or (f.kind in "SU") for f in fields)


def dataset(file: h5py.File, name: str, *, records: bool = False) -> h5py.Dataset:
    """A dataset of numbers that is safe to read.

    Parameters
    ----------
    file : h5py.File
    name : str
        Its path in the file.
    records : bool
        Take a table whose rows are named numbers and fixed-width text, instead of plain numbers.

    Returns
    -------
    h5py.Dataset

    Raises
    ------
    MissingDatasetError
        It is not there; the message lists what is.
    UnsafeInputError
        Its data are elsewhere, or it declares more than the file holds.
    InputError
        It needs a filter that is not installed, or holds no plain numbers.
    CorruptFileError
        It is damaged or was never written in full.
    """
    where = where_of(file, name)
    absent, present = _find(file, name)
    if absent:
        raise MissingDatasetError(
            where,
            f"no {absent}; present there: {', '.join(sorted(present)) or 'nothing'}",
            "a dataset",
            "check that the file is the one meant and was written in full",
        )
    with translated(where):
        data = file[name]
        if not isinstance(data, h5py.Dataset):
            raise MissingDatasetError(where, "a group", "a dataset", "check the format of the file")
        if data.external:
            raise UnsafeInputError(
                where,
                "raw data kept in other files",
                "data in the file itself",
                "copy it with h5repack, if you trust its source",
            )
        if data.is_virtual:
            raise UnsafeInputError(
                where,
                "a virtual dataset, made of other files",
                "data in the file itself",
                "copy it with h5repack, if you trust its source",
            )
        plist = data.id.get_create_plist()
        codes = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
        try:
            plain = _is_record(data.dtype) if records else _is_number(data.dtype)
        except TypeError:  # integers of unusual width, which NumPy has no type for
            plain = False
        if not plain:
            raise InputError(
                where,
                "values that are no plain numbers",
                "rows of named numbers" if records else "integers or floats",
                "convert the dataset to a standard type",
            )
        missing = [code for code in codes if not h5py.h5z.filter_avail(code)]
        if missing:
            raise InputError(
                where,
                f"a compression filter ({missing[0]}) that is not installed",
                "a filter that HDF5 knows",
                "pip install hdf5plugin, and set HDF5_PLUGIN_PATH to its plugins",
            )
        _check_declared_size(where, data)
        cache = _cache_bytes(where, data)
        if cache > _DEFAULT_CACHE:
            access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
            access.set_chunk_cache(_CACHE_SLOTS, cache, 0.75)
            del data  # a dataset that is open keeps the cache it has
            data = h5py.Dataset(h5py.h5d.open(file.id, name.encode(), access))
    return data


def _cache_bytes(where: str, data: h5py.Dataset) -> int:
    """Bytes of the stored chunks that hold one row: kept, so that each is unpacked only once.

    Raises
    ------
    InputError
        One stored chunk alone is too large.
    """
    if data.chunks is None:
        return 0
    one = prod(int(n) for n in data.chunks) * int(data.dtype.itemsize)
    if one > MAX_CHUNK:
        rows = max(1, (16 << 20) * int(data.chunks[0]) // one)
        shape = "x".join(str(n) for n in (rows, *data.chunks[1:]))
        raise InputError(
            where,
            f"stored chunks of {one} bytes, each of which must be held in memory as a whole",
            f"at most {MAX_CHUNK} bytes",
            f"store it in smaller ones: h5repack -l {data.name}:CHUNK={shape} OLD NEW",
        )
    across = prod(
        -(-int(n) // int(c)) for n, c in zip(data.shape[1:], data.chunks[1:], strict=True)
    )
    return min(one * across, MAX_CHUNK)


def read_rows(
    data: h5py.Dataset, start: int = 0, stop: int | None = None, out: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Rows ``start`` to ``stop`` of a dataset that `dataset` gave, into ``out`` if it is given.

    Returns
    -------
    ndarray, shape (stop - start, ...)

    Raises
    ------
    CorruptFileError
        The rows cannot be read; the message names the chunk.
    """
    stop = len(data) if stop is None else stop
    try:
        if out is not None:
            data.read_direct(out, np.s_[start:stop])
            return out
        return np.asarray(data[start:stop])
    except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        place = _bad_chunk(data, start, stop)
        what = (
            "fails its Fletcher-32 checksum or cannot be decompressed"
            if (data.fletcher32)
            else f"cannot be read ({error})"
        )
        raise CorruptFileError(
            f"{data.file.filename}:{data.name}",
            f"data that {what}{place}",
            "intact data",
            _COPY_AGAIN,
        ) from error


def _bad_chunk(data: h5py.Dataset, start: int, stop: int) -> str:
    """`` in chunk (i, j)``: the first chunk of the rows that cannot be read."""
    if data.chunks is None:
        return ""
    for index in range(data.id.get_num_chunks()):
        offset = data.id.get_chunk_info(index).chunk_offset
        if not start - data.chunks[0] < offset[0] < stop:
            continue
        try:
            data[tuple(slice(o, o + c) for o, c in zip(offset, data.chunks, strict=True))]
        except (OSError, RuntimeError, ValueError):
            number = tuple(int(o // c) for o, c in zip(offset, data.chunks, strict=True))
            return f" in chunk {number}, from row {offset[0]} on"
    return ""
