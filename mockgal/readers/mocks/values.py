"""Values of a catalogue that is read back: conversion to internal units, and checks."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np

from ...columns import Column
from ...cosmology import h_free
from ...digests import identity
from ...errors import BadValueError
from ...types import Array, GalaxyCatalog
from ..checks.copies import check_copies

AGAIN = "copy the file again, or make it again"


def internal(stored: Array, h_power: int, h: float, edge: float) -> Array:
    """Return values whose conversion to h-free units gives ``stored``.

    The conversion is not one to one: for h near 0.7, three in ten numbers share their result with a
    neighbour. The returned values are therefore within one unit in the last place of the originals.
    Written again, they give ``stored`` again, bit for bit.

    Parameters
    ----------
    stored : ndarray of float, shape (n,)
    h_power : int
        Power of h in the internal unit.
    h : float
    edge : float
        Far edge of the box. A value at the edge is moved below it if that gives ``stored``, too.

    Returns
    -------
    ndarray, shape (n,)
        Has the type of ``stored``.
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
            fits = forward(near) == stored[wrong]
            result[wrong[fits]] = near[fits]
        at_edge = np.flatnonzero((result >= edge) & (edge < inf))
        below = np.full(len(at_edge), np.nextafter(kind.type(edge), kind.type(0)))
        fits = forward(below) == stored[at_edge]
        result[at_edge[fits]] = below[fits]
    return result


def check_values(
    where: str, column: Column, start: int, values: Array, box_size: float | None
) -> None:
    """Raise if values are not finite, beyond the bounds of the column, or outside the box.

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
    """Raise if a galaxy is repeated, under the same id or another.

    Raises
    ------
    BadValueError
    """
    ids = galaxies["galaxy_id"]
    same = np.ones(max(len(ids) - 1, 0), dtype=bool)
    for name in identity(galaxies.columns):  # by which rows are sorted
        same &= galaxies[name][1:] == galaxies[name][:-1]
    repeated = np.flatnonzero(same)
    if repeated.size:
        raise BadValueError(
            path,
            f"{repeated.size} repeated galaxies, the first with galaxy_id {ids[repeated[0]]}",
            "each galaxy once",
            AGAIN,
        )
    _check_copies(path, galaxies)


def _check_copies(path: Path, galaxies: GalaxyCatalog) -> None:
    """Raise if galaxies are repeated under other ids, as in concatenated mocks.

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
