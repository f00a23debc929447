"""Jackknife errors: the change of a statistic when one sub-volume of the box is left out.

The box is cut into ``per_side``**3 equal cubes. Norberg et al. 2009, arXiv:0810.1885, section 2.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

Array = NDArray[Any]
MOST_PER_SIDE = 16


def check_per_side(per_side: int) -> int:
    """Return ``per_side``, the number of cubes along each side of a jackknife; 0 for no jackknife.

    Raises
    ------
    UsageError
        ``per_side`` is 1, negative, more than `MOST_PER_SIDE`, or not a whole number.
    """
    whole = isinstance(per_side, int | np.integer) and not isinstance(per_side, bool)
    if not whole or (per_side != 0 and not 2 <= per_side <= MOST_PER_SIDE):
        raise UsageError(
            "jackknife",
            f"{per_side} sub-volumes along each side",
            f"2 to {MOST_PER_SIDE}, or 0 for no jackknife",
            "leave it out for the default",
        )
    return per_side


def regions(position: Array, box_size: float, per_side: int) -> Array:
    """Return the number of the sub-volume that contains each position.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        In [0, box_size).
    box_size : float
    per_side : int

    Returns
    -------
    ndarray of int, shape (n,)
        (i * per_side + j) * per_side + k.
    """
    cell = (position * (per_side / box_size)).astype(np.int64)
    cell = np.minimum(cell, per_side - 1)  # rounding up to the far edge
    return np.asarray((cell[:, 0] * per_side + cell[:, 1]) * per_side + cell[:, 2])


def sums_by_block(
    position: Array, value: Array, per_side: int, *, grid_size: int, box_size: float
) -> Array:
    """Return the sum of values over the points in each of the `blocks` of a grid.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        In [0, box_size) [Mpc/h].
    value : ndarray, shape (n,)
    per_side : int
    grid_size : int
        Voxels along each side of the grid.
    box_size : float
        [Mpc/h]

    Returns
    -------
    ndarray, shape (per_side**3,)
        In the order of `regions`; bit for bit independent of the order of the points.
    """
    edges = [round(i * grid_size / per_side) for i in range(1, per_side)]
    voxel = (position * (grid_size / box_size)).astype(np.int64)
    cell = np.searchsorted(edges, voxel, side="right")
    region = (cell[:, 0] * per_side + cell[:, 1]) * per_side + cell[:, 2]
    number = np.bincount(region, minlength=per_side**3)
    parts = np.split(value[np.argsort(region, kind="stable")], np.cumsum(number)[:-1])
    return np.array([math.fsum(part) for part in parts])


def sums_elsewhere(sums: Array) -> Array:
    """Return the sums over the points outside each sub-volume.

    Parameters
    ----------
    sums : ndarray, shape (R,)
        Sums over the points in each sub-volume, none negative (`sums_by_block`).

    Returns
    -------
    ndarray, shape (R,)
        Exactly 0 if there are no points outside.
    """
    values = sums.tolist()
    return np.array([math.fsum(values[:i] + values[i + 1 :]) for i in range(len(values))])


def error(left_out: Array) -> Array:
    """Return the standard error from the statistic with each of R sub-volumes left out.

    Parameters
    ----------
    left_out : ndarray, shape (R, ...)

    Returns
    -------
    ndarray, shape (...)
        sqrt((R - 1) / R * sum of squared deviations from their mean); NaN where any is NaN.
    """
    number = len(left_out)
    deviation = left_out - np.mean(left_out, axis=0)
    return np.asarray(np.sqrt((number - 1) / number * np.sum(deviation**2, axis=0)))


def covariance(left_out: Array) -> Array:
    """Return the covariance of bins from the statistic with each of R sub-volumes left out.

    Parameters
    ----------
    left_out : ndarray, shape (R, n)

    Returns
    -------
    ndarray, shape (n, n)
        (R - 1) / R times the sum of products of deviations from their mean, whose diagonal is the
        square of `error`; NaN where any is NaN.
    """
    number = len(left_out)
    deviation = left_out - np.mean(left_out, axis=0)
    return np.asarray((number - 1) / number * (deviation.T @ deviation))


class Block(NamedTuple):
    """A sub-volume of a field: its slices, its voxels, and the mean of all other voxels."""

    place: tuple[slice, ...]
    voxels: Array
    mean_elsewhere: float


def blocks(field: Array, per_side: int) -> Iterator[Block]:
    """Yield the sub-volumes of a field, cut between voxels, as nearly equal as the grid allows.

    Parameters
    ----------
    field : ndarray, shape (n, n, n)
    per_side : int

    Yields
    ------
    Block
        In the order of `regions`. The mean of the other voxels is NaN if it would be 0. It is
        computed as a sum over the other blocks: subtracting this block from the whole would leave
        rounding errors. But the clouds of galaxies extend beyond their blocks, and interlacing
        leaves rounding errors everywhere; for these, `sums_elsewhere` shows where nothing is left.
    """
    edges = [round(i * len(field) / per_side) for i in range(per_side + 1)]
    parts = [slice(edges[i], edges[i + 1]) for i in range(per_side)]
    places = list(product(parts, repeat=3))
    masses = [float(np.sum(field[place], dtype=np.float64)) for place in places]
    for i, place in enumerate(places):
        voxels = field[place]
        mass = math.fsum(masses[:i] + masses[i + 1 :])
        yield Block(place, voxels, mass / (field.size - voxels.size) if mass else math.nan)


def describe(per_side: int, voxels: int = 0) -> str:
    """Return a description of the errors for `Measurement.settings`.

    ``voxels`` is the number of voxels along each side, for statistics of fields.
    """
    text = f"jackknife over {per_side**3} cubic sub-volumes ({per_side} along each side)"
    if voxels % per_side:
        sides = f"{voxels // per_side} to {voxels // per_side + 1}"
        text += f", cut between voxels: {sides} voxels along each axis"
    return text
