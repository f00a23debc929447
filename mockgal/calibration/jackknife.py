"""Jackknife errors of a calibration table, leaving out each sub-volume of its runs in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..painters.hod.columns import CURVE, KINDS, RATIO, WITH_ERROR
from ..painters.hod.table import median_curve
from ..statistics.jackknife import error

Array = NDArray[Any]
Columns = Mapping[str, Array]


def error_columns(whole: Columns, left_out: Sequence[Columns]) -> dict[str, Array]:
    """Return the errors of the columns of a table that have errors.

    Curves are compared at the nodes of the whole table, since nodes move when a sub-volume is left
    out.

    Parameters
    ----------
    whole : mapping of str to ndarray
        Columns of the table.
    left_out : sequence of mappings of str to ndarray
        Columns measured with one sub-volume left out, for each sub-volume.

    Returns
    -------
    dict of str to ndarray
        ``NAME_error`` for each NAME of `mockgal.painters.hod.columns.WITH_ERROR` that the table
        has; NaN where a column has no value, in the whole table or without a sub-volume.
    """
    at: dict[str, Callable[[Columns, Columns], Array]] = {
        "curve_log_stellar_mass": _median_curve,
        "luminous_probability": _luminous_probability,
        "log_host_mass_ratio": _host_mass_ratio,
    }
    return {
        f"{name}_error": error(
            np.array([at[name](other, whole) if name in at else other[name] for other in left_out])
        )
        for name in WITH_ERROR
        if name in whole
    }


def _median_curve(other: Columns, whole: Columns) -> Array:
    values = []
    for kind in KINDS:
        rows = whole["kind"] == kind
        x, y = (other[name][rows] for name in CURVE)
        at = whole[CURVE[0]][rows]
        curve = np.full(len(at), np.nan)
        known = np.isfinite(at)
        curve[known] = median_curve(x, y, at[known])
        values.append(curve)
    return np.concatenate(values)


def _luminous_probability(other: Columns, whole: Columns) -> Array:
    return np.array(
        [
            np.interp(at, x, y)
            for at, x, y in zip(
                whole["luminous_log_mass"],
                other["luminous_log_mass"],
                other["luminous_probability"],
                strict=True,
            )
        ]
    )


def _host_mass_ratio(other: Columns, whole: Columns) -> Array:
    x, y = (other[name] for name in RATIO)
    known = np.isfinite(x)
    at = whole[RATIO[0]]
    if not np.any(known):
        return np.full(len(at), np.nan)
    return np.where(np.isfinite(at), np.interp(at, x[known], y[known]), np.nan)
