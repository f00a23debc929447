"""Arrays in HDF5 files of their own: tables of pairs, and the chain of an unfinished fit.

A file states what its arrays are of, by a digest, and has their own digest, which is verified.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import CorruptFileError, MockgalError, warn
from ...layout import COMPLETE
from ...system.files.atomic import atomic_output

Array = NDArray[Any]

FORMAT = "mockgal arrays 1"


def write_arrays(
    path: Path, arrays: Mapping[str, Array], of: str, facts: Mapping[str, Any]
) -> None:
    """Write arrays in place of those that are there, completely or not at all.

    Parameters
    ----------
    path : Path
    arrays : mapping of str to ndarray
    of : str
        Digest of what the arrays depend on.
    facts : mapping
        The same in words, as plain JSON values.
    """
    from ...writers.hdf5_file import new_hdf5

    with (
        atomic_output(path, overwrite=True) as temporary,
        new_hdf5(temporary) as (file, check),
    ):
        for name, values in arrays.items():
            sums = {"fletcher32": values.size > 1, "chunks": _chunks(values)}
            file.create_dataset(name, data=values, **sums)
            check()
        file.attrs["format"] = FORMAT
        file.attrs["of"] = of
        file.attrs["facts"] = json.dumps(facts, sort_keys=True)
        file.attrs["arrays"] = json.dumps(sorted(arrays))
        file.attrs["digest"] = _digest(arrays)
        file.attrs[COMPLETE] = 1


def _chunks(values: Array) -> tuple[int, ...] | None:
    if values.size <= 1:
        return None
    return (max(1, min(len(values), 65536 // max(1, values[0].size))), *values.shape[1:])


def _digest(arrays: Mapping[str, Array]) -> str:
    digest = hashlib.blake2b(digest_size=32)
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}\0{values.dtype.str}\0{values.shape}\0".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def read_arrays(path: Path, of: str, what: str) -> dict[str, Array] | None:
    """Return the arrays in a file; None if there is no file, or none that can be used.

    Parameters
    ----------
    path : Path
    of : str
        Digest of what the arrays must depend on.
    what : str
        Name of the arrays, for the warning that they are made again.
    """
    from ...readers.hdf5 import headers
    from ...readers.hdf5.safe import dataset, open_hdf5, read_rows

    if not os.path.lexists(path):
        return None
    try:
        with open_hdf5(path) as file:
            headers.text(file, "/", "format", allowed=(FORMAT,))
            stated = headers.text(file, "/", "of")
            names = json.loads(headers.text(file, "/", "arrays"))
            arrays = {str(name): read_rows(dataset(file, str(name))) for name in names}
            if stated != of:
                raise CorruptFileError(path, "arrays for other data or options", "those of this")
            if headers.text(file, "/", "digest") != _digest(arrays):
                raise CorruptFileError(path, "arrays that are not what it states", "those written")
    except (MockgalError, ValueError, TypeError) as error:
        warn(f"{what} is made again: {error}")
        return None
    return arrays
