"""The covariance of what is fitted: of the same bins, measured in the same way."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UnitsError, UsageError, listed
from ..statistics.covariance import Covariance
from ..statistics.result import Measurement

Array = NDArray[Any]

SAME = 1e-6  # relative difference of two abscissae that are the same
# Settings on which numbers depend, and the options that state them.
_ALIKE = {"pi_max_mpc_h": "--pi-max", "space": "--line-of-sight", "bin_width_dex": "--bin-width"}


class Mocks(NamedTuple):
    """The same numbers in several mocks.

    Parameters
    ----------
    ids : tuple of str
        What tells the mocks apart: their content digests.
    values : ndarray, shape (mocks, n)
    density : ndarray, shape (mocks,), or None
        Number density of their galaxies [h^3 Mpc^-3], if they are boxes.
    """

    ids: tuple[str, ...]
    values: Array
    density: Array | None


def mocks_of(result: Measurement, estimate: str, rows: Array) -> Mocks | None:
    """Return what several mocks have in some rows of their mean; None without several mocks."""
    about = result.settings.get("mocks", {})
    ids, number = about.get("content_digest"), about.get("galaxies")
    values = result.realisations.get(estimate)
    if values is None or not ids or not all(ids):
        return None
    size = result.settings.get("catalogue", {}).get("box_size_mpc_h")
    density = np.array(number, dtype=np.float64) / size**3 if size and number else None
    return Mocks(tuple(ids), np.asarray(values, dtype=np.float64)[:, rows], density)


def own_covariance(name: str, data: Measurement, estimate: str) -> Covariance:
    """Return the covariance of a measurement itself: of its mocks, or of its jackknife.

    Raises
    ------
    UsageError
        It has neither.
    """
    if estimate in data.realisations or estimate in data.left_out:
        return data.covariance(estimate)
    raise UsageError(
        name,
        "no covariance, and neither mocks nor a jackknife in it to compute one from",
        "a covariance",
        "name its file: --covariance PATH; or measure with a jackknife, such as --jackknife 3",
    )


def rows_of(
    name: str, data: Measurement, estimate: str, covariance: Covariance, rows: Array
) -> Array:
    """Return the rows of a covariance that are those bins of the data.

    Raises
    ------
    UsageError
        It is of another statistic, of other bins, or of numbers measured in another way.
    UnitsError
        It has other units.
    """
    where = f"covariance of {name}"
    if covariance.statistic != data.statistic:
        raise UsageError(
            where, f"one of {covariance.statistic}", f"one of {data.statistic}", "name another"
        )
    own = np.flatnonzero(covariance.estimate == estimate)
    units = {*covariance.unit[own].tolist(), covariance.axis_unit}
    expected = {data.fields[estimate].unit, data.fields[data.axis].unit}
    if len(own) and units != expected:
        raise UnitsError(
            where, f"units {listed(sorted(units))}", listed(sorted(expected)), "convert it"
        )
    for key, option in _ALIKE.items():
        ours, theirs = data.settings.get(key), covariance.settings.get(key)
        if ours is not None and theirs is not None and not _alike(ours, theirs):
            raise UsageError(
                where, f"{key} {theirs}", f"{ours}, as the data have", f"measure with one {option}"
            )
    wanted = data[data.axis][rows].astype(np.float64)
    there = covariance.abscissa[own]
    same = np.abs(there[None, :] - wanted[:, None]) <= SAME * wanted[:, None]
    if not same.any(axis=1).all():
        missing = wanted[~same.any(axis=1)]
        raise UsageError(
            where,
            f"other bins: none at {data.axis} = {listed(f'{x:.4g}' for x in missing)} "
            f"{in_words(data.fields[data.axis].unit)}, but at {listed(f'{x:.4g}' for x in there)}",
            "the bins of the data",
            "measure the mocks in the same bins, or fit those that both have",
        )
    return np.asarray(own[same.argmax(axis=1)])


def in_words(unit: str) -> str:
    """Return a unit as people write it."""
    return unit.replace("littleh", "h").replace(" ", "")


def _alike(ours: object, theirs: object) -> bool:
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return abs(ours - theirs) <= SAME * abs(ours)
    return ours == theirs
