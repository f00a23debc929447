"""Ranks of subhalos, whatever the order of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def descending(proxy: Array, ids: Array) -> Array:
    """Return the rows from the largest proxy down; of equal ones the lower id comes first."""
    order = np.argsort(-proxy)
    values = proxy[order]
    same = np.flatnonzero(values[1:] == values[:-1])
    if len(same):  # only these have to be sorted by their ids
        tied = np.zeros(len(order), dtype=np.bool_)
        tied[same] = tied[same + 1] = True
        place = np.flatnonzero(tied)
        rows = order[place]
        order[place] = rows[np.lexsort((ids[rows], -proxy[rows]))]
    return order
