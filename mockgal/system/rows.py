"""Rows of tables: the row numbers that an index selects, and columns made read-only for good."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

_ALLOWED = "a column's name, a slice, a mask of as many values as rows, or row numbers"


def row_numbers(index: Any, n: int, what: str) -> NDArray[np.intp]:
    """Return the numbers of the rows that ``index`` selects.

    Parameters
    ----------
    index : slice, or array_like of bool, shape (n,), or of int, shape (any,)
        Negative numbers count from the end. No row may be repeated.
    n : int
        Number of rows of the table.
    what : str
        Name of the table, for errors.

    Returns
    -------
    ndarray of int
        From 0 to n - 1, in the order of ``index``.

    Raises
    ------
    UsageError
        The index is of another kind or length, out of range, or repeats a row.
    """

    def refuse(found: str, expected: str = _ALLOWED, fix: str = "") -> UsageError:
        return UsageError(f"rows of a {what}", found, expected, fix)

    if isinstance(index, slice):
        try:
            return np.arange(n)[index]
        except (TypeError, ValueError) as error:
            raise refuse(f"{index} ({error})", "a slice of whole numbers") from error
    if isinstance(index, int | np.integer | np.bool_) and not isinstance(index, bool | np.bool_):
        raise refuse(f"the single number {index}", fix=f"[[{index}]] gives a {what} of one row")
    if isinstance(index, tuple) or np.ma.is_masked(index):
        kind = "an array with masked values" if np.ma.is_masked(index) else "a tuple"
        raise refuse(kind, fix="fill it, or give one array")
    try:
        array = np.asarray(index)
    except Exception as error:
        raise refuse(f"a {type(index).__name__} that is not an array") from error
    if array.ndim != 1:
        raise refuse(f"a {type(index).__name__} of shape {array.shape}")
    if array.dtype.kind == "b":
        if len(array) != n:
            raise refuse(f"a mask of {len(array):,} values", f"one of {n:,}, one for each row")
        return np.flatnonzero(array)
    if array.size == 0 and array.dtype.kind in "fiu":  # an empty list is an array of floats
        return np.empty(0, dtype=np.intp)
    if array.dtype.kind not in "iu":
        raise refuse(f"an array of {array.dtype}")
    low, high = int(array.min()), int(array.max())
    if low < -n or high >= n:
        raise refuse(
            f"row number {low if low < -n else high}", f"from {-n} to {n - 1}, for {n:,} rows"
        )
    rows = np.where(array < 0, array.astype(np.int64) + n, array).astype(np.intp)
    if len(rows) > 1:
        ordered = np.sort(rows)
        twice = ordered[1:][np.diff(ordered) == 0]
        if twice.size:
            raise refuse(
                f"row {twice[0]} more than once",
                "each row once",
                "a mask is an array of bool, not of 0 and 1",
            )
    return rows


def settle(columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Make arrays that have no other owner read-only for good, and return ``columns``."""
    for values in columns.values():
        values.flags.writeable = False
    return columns


def is_settled(array: Any) -> bool:
    """Return whether ``array`` and every array that it is a view of are read-only."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return array is None
