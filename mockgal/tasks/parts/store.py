"""Arrays and facts in a file that is complete and right, or found to be damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    held: dict[str, list[Array]] = {}
    shapes, facts, kinds = _read(path, lambda name, rows: held.setdefault(name, []).append(rows))
    arrays = {}
    for name, kind in kinds.items():
        parts = held.pop(name, [])
        arrays[name] = (
            parts[0] if len(parts) == 1 else np.concatenate(parts or [np.empty(shapes[name], kind)])
        )
    return arrays, facts


def read(path: Path, see: Callable[[str, Array], object]) -> dict[str, Any]:
    """Return the facts of a file that `save` wrote, and give its arrays block by block.

    Parameters
    ----------
    path : Path
    see : callable
        Called as ``see(name, rows)``, in the order of rows; checksums are compared after the last.
        Called with no rows for an array without rows.

    Raises
    ------
    CorruptFileError
        See `load`.
    """
    seen = set[str]()

    def noted(name: str, rows: Array) -> None:
        seen.add(name)
        see(name, rows)

    shapes, facts, kinds = _read(path, noted)
    for name in kinds.keys() - seen:
        see(name, np.empty(shapes[name], kinds[name]))
    return facts


def _read(
    path: Path, see: Callable[[str, Array], object]
) -> tuple[dict[str, tuple[int, ...]], dict[str, Any], dict[str, str]]:
    """Give the arrays of a file; return their shapes, the facts, and the arrays' types."""
    stated, found = list[Array](), dict[str, int]()

    def noted(name: str, rows: Array) -> None:
        if name == _FACTS:
            stated.append(rows)
            return
        found[name] = crc32(np.ascontiguousarray(rows).data, found.get(name, 0))
        see(name, rows)

    shapes = read_through(path, noted)
    try:
        facts = plain_json.load(b"".join(x.tobytes() for x in stated), nan=True)
        sums, kinds = facts.pop("sums"), facts.pop("kinds")
        wrong = [name for name in kinds if name not in shapes or found.get(name, 0) != sums[name]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFileError(path, f"damaged ({error})", "the values written", AGAIN) from error
    if wrong:
        raise CorruptFileError(
            f"{path}:/{wrong[0]}", "values other than those written", "the values written", AGAIN
        )
    return shapes, facts, kinds


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
