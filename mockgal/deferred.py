"""Values of many rows that are computed when, and as far as, they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Deferred:
    """A column of n values, of which ``column[rows]`` computes some; to NumPy it is an array.

    Parameters
    ----------
    n : int
    of : callable
        ``of(rows)`` gives the values of some rows, an array of int, in their order: each the same
        whatever the others are.
    """

    def __init__(self, n: int, of: Callable[[Array], Array]) -> None:
        self._n, self._of = n, of

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, rows: Any) -> Array:
        """Values of rows: an array of their numbers, a mask, or a slice."""
        numbers = isinstance(rows, np.ndarray) and rows.dtype.kind in "iu"
        return self._of(rows if numbers else np.arange(self._n)[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)
