"""Numbers of a catalogue read back: to internal units, and what they can be."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np

from ...columns import Column
from ...cosmology import h_free
from ...errors import BadValueError
from ...types import Array, GalaxyCatalog
from ..checks.copies import check_copies

AGAIN = "copy the file again, or make it again"


def internal(stored: Array, h_power: int, h: float, edge: float) -> Array:
    """Numbers whose conversion to h-free units gives ``stored``.

    The conversion is not one to one: for h near 0.7 three in ten numbers share their result with a
    neighbour, so these are within one unit in the last place of those that were converted. Written
    again, they give ``stored`` again, bit for bit.

    Parameters
    ----------
    stored : ndarray of float, shape (n,)
    h_power : int
        Power of h in the internal unit.
    h : float
    edge : float
        Of the box: no number is at it that could be below.

    Returns
    -------
    ndarray, shape (n,)
        Of the type of ``stored``.
    """
    kind, factor = stored.dtype, h_free(1.0, h_power, h)

    def forward(values: Array) -> Array:
        converted: Array = (values.astype(np.float64) * factor).astype(kind)
        return converted

    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        result: Array = (stored.astype(np.float64) / factor).astype(kind)
        wrong = np.flatnonzero(forward(result) != stored)
        for toward in (-inf, inf):
            near = np.nextafter(result[wrong], kind.type(toward))
            found = forward(near) == stored[wrong]
            result[wrong[found]] = near[found]
        at_edge = np.flatnonzero((result >= edge) & (edge < inf))
        below = np.full(len(at_edge), np.nextafter(kind.type(edge), kind.type(0)))
        found = forward(below) == stored[at_edge]
        result[at_edge[found]] = below[found]
    return result


def check_values(
    where: str, column: Column, start: int, values: Array, box_size: float | None
) -> None:
    """Raise if numbers are not finite, beyond the bounds of the column, or outside the box.

    Parameters
    ----------
    where : str
        ``FILE:COLUMN``, for messages.
    column : Column
    start : int
        Row of the first value in the file.
    values : ndarray, shape (n,)
        In internal units.
    box_size : float or None
        [Mpc/h], where positions lie in a box.

    Raises
    ------
    BadValueError
        The message names the first row.
    """
    is_position = box_size is not None and column.name.startswith("position_")
    if values.dtype.kind != "f" or not len(values):
        return
    low, high, expected = -inf, inf, "finite numbers"
    if is_position:
        low, high = 0.0, float(box_size or 0.0)
        expected = f"[0, {high!r}) {column.unit_label}"
    elif column.bounds is not None:
        expected = column.bounds.text(column.unit_label)
    outside = column.bounds.outside(values) if column.bounds else None
    fits = low <= values.min() and values.max() < high and np.isfinite(values.min())
    if outside is None and fits:  # no NaN either
        return
    wrong = ~((values >= low) & (values < high) & np.isfinite(values))
    bad = np.flatnonzero(wrong if outside is None else wrong | outside)
    raise BadValueError(
        f"{where}, row {start + int(bad[0])}",
        f"{float(values[bad[0]])!r} {column.unit_label}",
        expected,
        AGAIN,
    )


def check_ids(path: Path, galaxies: GalaxyCatalog) -> None:
    """Raise if a galaxy is there twice, under its id or another.

    Raises
    ------
    BadValueError
    """
    ids, hosts = galaxies["galaxy_id"], galaxies["halo_id"]  # by which the rows are sorted
    repeated = np.flatnonzero((ids[1:] == ids[:-1]) & (hosts[1:] == hosts[:-1]))
    if repeated.size:
        raise BadValueError(
            path,
            f"{repeated.size} galaxies that are there twice, the first of galaxy_id "
            f"{ids[repeated[0]]}",
            "each once",
            AGAIN,
        )
    _check_copies(path, galaxies)


def _check_copies(path: Path, galaxies: GalaxyCatalog) -> None:
    """Raise if galaxies are there again under other ids, as in mocks put one after the other.

    Raises
    ------
    BadValueError
    """
    place, velocity = ([f"{name}_{x}" for x in "xyz"] for name in ("position", "velocity"))
    if not all(name in galaxies for name in (*place, "stellar_mass")):
        return
    moving = all(name in galaxies for name in velocity)
    check_copies(
        galaxies["galaxy_id"],
        np.column_stack([galaxies[name] for name in place]),
        galaxies["stellar_mass"],
        np.column_stack([galaxies[name] for name in velocity]) if moving else None,
        "galaxies",
        lambda row: f"{path}",
    )
