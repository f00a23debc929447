"""Arrays and facts in a file that is complete and right, or found to be damaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import h5py
import numpy as np

from ...errors import CorruptFileError
from ...layout import COMPLETE
from ...system.files import plain_json
from ...system.files.atomic import atomic_output
from ...types import Array
from ...writers.hdf5_file import new_hdf5, read_through
from ...writers.store import OPTIONS, STORED_ROWS, Store, verify
from .place import AGAIN

_FACTS = "facts"


def save(path: Path, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
    """Write arrays and facts, plain JSON values, in place of an earlier file, or not at all.

    Raises
    ------
    OutputError, ResourceError
        The file cannot be written.
    """
    sums: dict[str, int] = {}
    size = sum(array.nbytes for array in arrays.values())
    with (
        atomic_output(
            path,
            overwrite=True,
            expected_bytes=size // 4,  # it is compressed
            verify=lambda written: verify(written, sums),
        ) as temporary,
        new_hdf5(temporary, **OPTIONS) as (file, check),
    ):
        store = Store(file, check, sums)
        for name, values in arrays.items():
            store.new(name, values.shape, values.dtype, (STORED_ROWS, *values.shape[1:]))
            for start in range(0, len(values), STORED_ROWS):
                store.put(name, start, values[start : start + STORED_ROWS])
        kinds = {name: values.dtype.str for name, values in arrays.items()}
        store.put_json(_FACTS, {**facts, "sums": dict(sums), "kinds": kinds})
        file.attrs[COMPLETE] = 1


def load(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the facts of a file that `save` wrote.

    Raises
    ------
    CorruptFileError
        It is not there, was cut short, or does not have the checksums that were written.
    """
    blocks: dict[str, list[Array]] = {}
    shapes = read_through(path, lambda name, rows: blocks.setdefault(name, []).append(rows))
    try:
        facts = plain_json.load(b"".join(x.tobytes() for x in blocks.pop(_FACTS)), nan=True)
        sums, kinds = facts.pop("sums"), facts.pop("kinds")
        arrays = {
            name: np.concatenate(blocks.pop(name, [np.empty(shapes[name], kind)]))
            for name, kind in kinds.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFileError(path, f"damaged ({error})", "the values written", AGAIN) from error
    for name, values in arrays.items():
        if crc32(np.ascontiguousarray(values).data, 0) != sums.get(name):
            raise CorruptFileError(
                f"{path}:/{name}", "values other than those written", "the values written", AGAIN
            )
    return arrays, facts


def blocks(path: Path, name: str) -> Iterator[Array]:
    """Yield an array of a file that `save` wrote, in blocks of rows, whose checksums are verified.

    Raises
    ------
    CorruptFileError
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            data = file[name]
            for start in range(0, len(data), STORED_ROWS):
                yield data[start : start + STORED_ROWS]
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise CorruptFileError(
            f"{path}:/{name}", str(error), "the values written", AGAIN
        ) from error
