"""A new HDF5 file of ours whose datasets are checked, value by value, after it is closed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import h5py
import numpy as np

from ..errors import CorruptFileError
from ..layout import SUMS
from ..system.files import plain_json
from ..system.files.disk import Check
from ..types import Array
from .hdf5_file import read_through

STORED_ROWS = 1 << 16  # rows of a chunk: 768 kB of positions, within the chunk cache below
_LONGEST_SUMS = 1 << 20  # bytes
# Options for `mockgal.writers.hdf5_file.new_hdf5`.
OPTIONS: dict[str, Any] = {"libver": ("v110", "v110"), "rdcc_nbytes": 16 << 20}


class Store:
    """The file, and the CRC-32 of everything written to each of its datasets.

    Parameters
    ----------
    file : h5py.File
    check : callable
        Called after each write: see `mockgal.writers.hdf5_file.new_hdf5`.
    sums : dict of str to int
        Filled with the sums, for `verify`.
    """

    def __init__(self, file: h5py.File, check: Check, sums: dict[str, int]) -> None:
        self.file, self.check, self.sums = file, check, sums

    def new(
        self, name: str, shape: tuple[int, ...], dtype: Any, chunk: tuple[int, ...]
    ) -> h5py.Dataset:
        """Create a compressed dataset with checksums and without time stamps."""
        options: dict[str, Any] = {"track_times": False}
        if 0 not in shape:
            options.update(
                chunks=tuple(min(n, c) for n, c in zip(shape, chunk, strict=True)),
                fletcher32=True,
                compression="gzip",
                compression_opts=4,
                shuffle=True,
            )
        self.sums[name] = 0
        return self.file.create_dataset(name, shape, dtype, **options)

    def put(self, name: str, start: int, values: Array) -> None:
        """Write rows from ``start`` on, which must follow the rows written last."""
        data = self.file[name]
        rows = np.ascontiguousarray(values, dtype=data.dtype)
        data[start : start + len(rows)] = rows
        self.sums[name] = crc32(rows.data, self.sums[name])
        self.check()

    def put_json(self, name: str, value: Any) -> None:
        """Write JSON as bytes in a dataset: an attribute holds at most 64 kB."""
        text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=dict)
        rows = np.frombuffer(text.encode(), np.uint8)
        self.new(name, rows.shape, "u1", (STORED_ROWS,))
        self.put(name, 0, rows)

    def seal(self) -> None:
        """Write the sums of all datasets, by which `unlike` knows the file as it was written."""
        self.put_json(SUMS, dict(self.sums))


def set_attributes(item: h5py.HLObject, values: dict[str, Any]) -> None:
    """Set attributes, with text of fixed length, so that reading never follows the file's heap."""
    for name, value in values.items():
        if isinstance(value, str):
            value = np.array(value.encode() or b"\0", dtype=f"S{max(1, len(value.encode()))}")
        item.attrs[name] = value


def verify(path: Path, sums: dict[str, int]) -> None:
    """Raise unless every dataset of the closed file holds what was written, by its checksum.

    Raises
    ------
    CorruptFileError
        A dataset holds something else, is missing, or is not one of ours.
    """
    wrong = _differing(_sums(path)[0], sums)
    if wrong:
        raise CorruptFileError(
            f"{path}:/{wrong[0]}", "values other than those written", "the values written"
        )


def unlike(path: Path) -> list[str] | None:
    """Return the datasets of a file of ours that do not hold what was written.

    Checksums of HDF5 are renewed by a program that changes values, and do not tell which values
    belong to which dataset. `Store.seal` writes sums that do.

    Returns
    -------
    list of str or None
        None if the file has no such sums, as those of versions before 0.2.

    Raises
    ------
    CorruptFileError
        The file cannot be read, or its sums are none.
    """
    found, text = _sums(path)
    if SUMS not in found:
        return None
    del found[SUMS]
    try:
        stated = plain_json.load(text)
    except ValueError as error:
        raise CorruptFileError(f"{path}:/{SUMS}", f"damaged ({error})", "the sums") from error
    return _differing(found, stated if isinstance(stated, dict) else {})


def _sums(path: Path) -> tuple[dict[str, int], bytes]:
    """Return the CRC-32 of the values of each dataset, and the text of the sums in the file."""
    found: dict[str, int] = {}
    text = bytearray()

    def add(name: str, rows: Array) -> None:
        found[name] = crc32(np.ascontiguousarray(rows).data, found.get(name, 0))
        if name == SUMS and len(text) < _LONGEST_SUMS:
            text.extend(np.ascontiguousarray(rows).tobytes())

    return dict.fromkeys(read_through(path, add), 0) | found, bytes(text)


def _differing(found: dict[str, int], stated: dict[str, int]) -> list[str]:
    return sorted(name for name in found.keys() | stated if found.get(name) != stated.get(name))
