"""The bins that two results share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .result import Measurement

Array = NDArray[Any]

_SAME = 1e-6  # relative difference of two edges that are the same


def common_bins(first: Measurement, second: Measurement) -> tuple[Array, Array]:
    """Return the rows, in each result, of the bins that both have.

    Bins are the same if both of their edges are; without edges, if the abscissa is.

    Parameters
    ----------
    first, second : Measurement
        Of one statistic.

    Returns
    -------
    rows, others : ndarray of int, shape (m,)
        In the order of the first result.
    """
    axis = first.axis
    names = [name for name in (f"{axis}_low", f"{axis}_high") if name in first.columns] or [axis]
    one, two = (
        np.stack([result[name].astype(np.float64) for name in names]) for result in (first, second)
    )
    alike = np.all(np.isclose(one[:, :, None], two[:, None, :], rtol=_SAME, atol=0.0), axis=0)
    rows, others = np.nonzero(alike)
    return rows, others
