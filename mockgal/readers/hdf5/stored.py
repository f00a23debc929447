"""Compare what a dataset of an untrusted file declares with what the file holds.

Types, sizes, filters and every stored chunk are checked before any data are read. In most
simulation files none of this has a checksum, and HDF5 itself does not check it.
"""

from __future__ import annotations

import importlib
from math import prod
from typing import Any

import h5py
import numpy as np

from ...errors import CorruptFileError, InputError, UnsafeInputError, in_shell
from ...system.memory import BOMB_BYTES, BOMB_RATIO, check_memory
from .places import Chunks, Places
from .unpack import DEFLATE, FLETCHER32, SHUFFLE

MAX_CHUNK = 1 << 30  # bytes of one stored chunk, which can only be read as a whole
COPY_AGAIN = "copy or download the file again and compare its checksum with the source's"
_WRITE_AGAIN = "write the file again: its writer was cut off"


def number_type(kind: h5py.h5t.TypeID) -> np.dtype[Any] | None:
    """Return NumPy's type of a number if the stored type is identical to the bit, else None.

    HDF5 would silently convert other types, such as floats with another exponent.
    """
    try:
        dtype = kind.dtype
        same = h5py.h5t.py_create(dtype, logical=True).equal(kind)
    except (TypeError, ValueError, RuntimeError, KeyError):  # such as integers of 48 bits
        return None
    number = dtype.kind in "iufb" and dtype.itemsize <= 8 and dtype.subdtype is None
    return dtype if number and same else None


def record_type(kind: h5py.h5t.TypeID) -> np.dtype[Any] | None:
    """Return NumPy's type of a row of named numbers, arrays and fixed-width texts, else None."""
    if kind.get_class() != h5py.h5t.COMPOUND:
        return None
    for index in range(kind.get_nmembers()):
        member = kind.get_member_type(index)
        if member.get_class() == h5py.h5t.ARRAY:
            member = member.get_super()
        if number_type(member) is None and not fixed_text(member):
            return None
    try:
        found: np.dtype[Any] = kind.dtype
    except (TypeError, ValueError, RuntimeError, KeyError):  # such as a name that is no text
        return None
    return found


def fixed_text(kind: h5py.h5t.TypeID) -> bool:
    """Return whether a type is text of fixed width."""
    return kind.get_class() == h5py.h5t.STRING and not kind.is_variable_str()


def variable_text(kind: h5py.h5t.TypeID) -> bool:
    """Return whether a type is text of variable length."""
    return bool(kind.get_class() == h5py.h5t.STRING and kind.is_variable_str())


def plain_filters(codes: list[int]) -> bool:
    """Return whether chunks can be unpacked without HDF5."""
    return set(codes) <= {DEFLATE, SHUFFLE, FLETCHER32} and len(set(codes)) == len(codes)


def filters(where: str, data: h5py.Dataset) -> list[int]:
    """Return the codes of a dataset's filters, all of which are installed.

    Raises
    ------
    InputError
        A filter is not installed.
    CorruptFileError
        The parameters of a filter contradict the dataset.
    """
    plist = data.id.get_create_plist()
    codes = []
    for index in range(plist.get_nfilters()):
        code, _, values, _ = plist.get_filter(index)
        codes.append(int(code))
        if code == SHUFFLE and tuple(values) != (data.id.get_type().get_size(),):
            raise CorruptFileError(
                where,
                f"bytes that are shuffled by {', '.join(map(str, values)) or 'nothing'}",
                f"a shuffle by {data.id.get_type().get_size()}, the size of a value",
                COPY_AGAIN,
            )
    missing = [code for code in codes if not _installed(code)]
    if missing:
        raise InputError(
            where,
            f"a compression filter ({missing[0]}) that is not installed",
            "a filter that HDF5 has",
            'pip install "mockgal[formats]", which brings hdf5plugin; for other filters set '
            "HDF5_PLUGIN_PATH to their folder",
        )
    return codes


def _installed(code: int) -> bool:
    if not h5py.h5z.filter_avail(code):
        try:
            importlib.import_module("hdf5plugin")  # adds filters
        except (ImportError, OSError, RuntimeError):  # not installed, or for another HDF5
            return False
    return bool(h5py.h5z.filter_avail(code))


def check_stored(
    where: str, data: h5py.Dataset, kind: np.dtype[Any], codes: list[int], file_bytes: int
) -> Places | None:
    """Raise if the file cannot hold what a dataset declares, or does not hold all of it.

    Parameters
    ----------
    where : str
        Place of the dataset, for messages.
    data : h5py.Dataset
        Dataset of numbers or records, kept in the file itself.
    kind : dtype
        Type of its values.
    codes : list of int
        Its filters.
    file_bytes : int
        Size of the file.

    Returns
    -------
    Places or None
        Places of the values; None if HDF5 itself must read them.

    Raises
    ------
    UnsafeInputError
        The dataset declares far more than the file holds.
    CorruptFileError
        The dataset was not completely written, or its chunks have impossible places or sizes.
    InputError
        A single stored chunk is too large.
    """
    if data.shape is None:
        raise CorruptFileError(where, "no values at all", "an array", "check the file")
    shape = tuple(int(n) for n in data.shape)
    # Python's integers: a product of hostile sizes overflows NumPy's.
    declared = prod(shape) * kind.itemsize
    stored = min(int(data.id.get_storage_size()), file_bytes)
    if declared > BOMB_BYTES and declared > BOMB_RATIO * stored:
        raise UnsafeInputError(
            where,
            f"a shape {shape} of {declared} bytes, of which {stored} bytes are stored",
            f"at most {BOMB_RATIO} times the stored bytes",
            "do not use this file",
        )
    # Versions of HDF5 differ in whether places count from the user block.
    ours = plain_filters(codes) and not data.file.userblock_size
    if data.chunks is not None:
        chunks = _Chunks(where, shape, kind, data, codes, file_bytes)
        if not declared:
            return Places(kind, shape)
        chunks.check(data.id)
        return Places(kind, shape, chunks=chunks.found()) if ours else None
    if stored < declared:
        raise CorruptFileError(
            where, f"{stored} stored bytes of {declared}", "all bytes", _WRITE_AGAIN
        )
    start = data.id.get_offset()
    if start is None:  # the values are in the header itself
        return None
    if start + declared > file_bytes:
        raise CorruptFileError(
            where,
            f"values that end at byte {start + declared}",
            f"values in the {file_bytes} bytes of the file",
            COPY_AGAIN,
        )
    return Places(kind, shape, int(start)) if ours else None


class _Chunks:
    """All stored chunks of a dataset, each examined once."""

    def __init__(
        self,
        where: str,
        shape: tuple[int, ...],
        kind: np.dtype[Any],
        data: h5py.Dataset,
        codes: list[int],
        file_bytes: int,
    ) -> None:
        self.where, self.codes, self.file_bytes = where, codes, file_bytes
        self.shape = tuple(int(c) for c in data.chunks)
        self.grid = [-(-n // c) for n, c in zip(shape, self.shape, strict=True)]
        self.bytes = prod(self.shape) * kind.itemsize
        if self.bytes > MAX_CHUNK:
            rows = max(1, (16 << 20) * self.shape[0] // self.bytes)
            names = "x".join(str(n) for n in (rows, *self.shape[1:]))
            layout = in_shell(f"{data.name}:CHUNK={names}", "NAME:CHUNK=SHAPE")
            raise InputError(
                where,
                f"stored chunks of {self.bytes} bytes, each of which must be held in memory as a "
                "whole",
                f"at most {MAX_CHUNK} bytes",
                f"store it in smaller chunks: h5repack -l {layout} OLD NEW",
            )
        check_memory(where, 2 * self.bytes)
        count = int(data.id.get_num_chunks()) if prod(shape) else 0
        if count != prod(self.grid):
            raise CorruptFileError(
                where,
                f"{count} stored chunks",
                f"{prod(self.grid)}, for its shape {shape}",
                _WRITE_AGAIN,
            )
        # Start, size and skipped filters of each.
        self.table = np.full((count, 3), -1, dtype=np.int64)

    def check(self, dataset: h5py.h5d.DatasetID) -> None:
        """Raise if a chunk has an impossible place or size, or if chunks must overlap.

        Raises
        ------
        CorruptFileError, UnsafeInputError
        """
        if hasattr(dataset, "chunk_iter"):
            dataset.chunk_iter(self._check_one)
        else:  # HDF5 before 1.14
            for place in np.ndindex(*self.grid):
                offset = tuple(i * c for i, c in zip(place, self.shape, strict=True))
                self._check_one(dataset.get_chunk_info_by_coord(offset))
        total = int(self.table[:, 1].sum())
        if total > self.file_bytes:
            raise UnsafeInputError(
                self.where,
                f"chunks of {total} bytes in a file of {self.file_bytes}, some of which must "
                "overlap",
                "chunks that do not overlap",
                "do not use this file",
            )

    def found(self) -> Chunks:
        """Return the places of the chunks."""
        return Chunks(self.shape, tuple(self.codes), *self.table.T)

    def _check_one(self, chunk: Any) -> None:
        offset, skipped, start, size = chunk
        number, inside = 0, True
        for first, step, count in zip(offset, self.shape, self.grid, strict=True):
            place, rest = divmod(first, step)
            number, inside = number * count + place, inside and rest == 0 and 0 <= place < count
        if not inside or self.table[number, 0] >= 0:
            self._fail(offset, f"a stored chunk at {tuple(offset)}", "one chunk at each place")
        if start is None or start + size > self.file_bytes:
            self._fail(
                offset, f"{size} bytes from byte {start} on", f"in the file's {self.file_bytes}"
            )
        self.table[number] = start, size, skipped
        used = [code for bit, code in enumerate(self.codes) if not skipped >> bit & 1]
        checksum = 4 * used.count(FLETCHER32)
        if set(used) <= {SHUFFLE, FLETCHER32}:
            if size != self.bytes + checksum:
                self._fail(offset, f"{size} bytes", f"{self.bytes + checksum}")
        elif not checksum < size <= self.bytes + self.bytes // 4 + 4096:
            # No filter enlarges data by much.
            self._fail(offset, f"{size} bytes", f"at most the {self.bytes} of the values")

    def _fail(self, offset: Any, found: str, expected: str) -> None:
        raise CorruptFileError(
            f"{self.where}, chunk at {tuple(offset)}", found, expected, COPY_AGAIN
        )
