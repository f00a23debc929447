"""The correlation function with each sub-volume of the box left out, for its jackknife error.

With a cube left out, the rest of the box has a boundary, and there DD / RR - 1 has noise that the
whole periodic box does not have: galaxies near the hole miss neighbours, and their number varies.
This makes errors several times too large at separations comparable to the cube. So the estimator is
that of Landy & Szalay 1993 (ApJ 412, 64), (DD - 2 DR + RR) / RR, in the limit of infinitely many
random points: DR and RR are volumes. In the whole box it is DD / RR - 1, as DR and RR are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...random import even_points
from ..jackknife import regions
from .counts import PairCounter
from .separations import Separations, count_pairs
from .weighted import Sample

Array = NDArray[Any]
# Separations over which volumes are averaged: in m bins together, and at least in each bin.
_NODES, _LEAST_NODES = 2048, 256
_CELLS = 24  # fewest cells along each side of the box of the grid on which galaxies are counted


def count_by_region(
    position: Array,
    box_size: float,
    per_side: int,
    bins: Separations,
    counter: PairCounter,
    label: str = "pairs",
) -> tuple[Array, Array]:
    """Count ordered pairs with the first member, and with both members, in each sub-volume.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        In [0, box_size).
    box_size : float
    per_side : int
        R = per_side**3 sub-volumes.
    bins : Separations
    counter : PairCounter
    label : str
        Name of the work in progress reports.

    Returns
    -------
    first, both : ndarray of int, shape (R, n, m)
        The sum of ``first`` over R is the count of the whole box.
    """
    parts = _parts(position, box_size, per_side)
    samples = [(part, position) for part in parts] + [(part, None) for part in parts]
    first, both = np.split(count_pairs(bins, counter, samples, box_size, label), 2)
    return first, both


def count_two_by_region(
    samples: tuple[Array, Array],
    box_size: float,
    per_side: int,
    bins: Separations,
    counter: PairCounter,
    label: str = "pairs",
) -> tuple[Array, Array]:
    """Count the pairs of two samples, in all and with each sub-volume left out of both.

    Parameters
    ----------
    samples : tuple of two ndarray, shape (n, 3) and (m, 3)
        Positions in [0, box_size); they supply the first and the second member of pairs.
    box_size, per_side, bins, counter, label
        See `count_by_region`.

    Returns
    -------
    pairs : ndarray of int, shape (n, m)
    left_out : ndarray of int, shape (R, n, m)
    """
    parts = [_parts(position, box_size, per_side) for position in samples]
    first, second = samples
    regions_of = [(part, second) for part in parts[0]] + [(part, first) for part in parts[1]]
    regions_of += list(zip(*parts, strict=True))
    counts = count_pairs(bins, counter, regions_of, box_size, label)
    into_second, into_first, both = np.split(counts, 3)
    pairs = into_second.sum(axis=0)
    return pairs, pairs - into_second - into_first + both


def left_out(
    samples: Sequence[Sample],
    same: Sample,
    box_size: float,
    per_side: int,
    bins: Separations,
    pairs: Array,
) -> Array:
    """Return the correlation function with each sub-volume left out, shape (R, n, m).

    All pairs with a member in the sub-volume are removed, and so is its volume; the mean density is
    that of the remaining galaxies: (D_a D_b - D_a R - D_b R + RR) / RR.

    Parameters
    ----------
    samples : sequence of one or two Sample
        Places in [0, box_size).
    same : Sample
        The galaxies in both samples, or those of the only one, which form no pair with themselves;
        their weights are those of such pairs.
    box_size, per_side, bins
        See `count_by_region`.
    pairs : ndarray, shape (R, n, m)
        Those left over, each counted with the product of its weights.
    """
    themselves = same.sum() - same.sums(per_side, box_size)
    found = [_outside(sample, box_size, per_side, bins) for sample in samples]
    one, two = found[0], found[-1]
    rr = one[2]
    with np.errstate(divide="ignore", invalid="ignore"):
        dd = pairs / (one[0] * two[0] - themselves[:, None, None])
        return np.asarray((dd - (one[1] + two[1]) + rr) / rr)


def _parts(position: Array, box_size: float, per_side: int) -> list[Array]:
    """Return the points in each sub-volume."""
    region = regions(position, box_size, per_side)
    number = np.bincount(region, minlength=per_side**3)
    return np.split(position[np.argsort(region, kind="stable")], np.cumsum(number)[:-1])


def _outside(
    sample: Sample, box_size: float, per_side: int, bins: Separations
) -> tuple[Array, Array, Array]:
    """Return the weight outside each sub-volume, and DR and RR there, normalised."""
    into_from_all, into_from_itself, overlap = neighbours_inside(
        sample.place, box_size, per_side, bins, sample.weight
    )
    remaining = (sample.sum() - sample.sums(per_side, box_size))[:, None, None]
    share = 1.0 / per_side**3  # fraction of the box that is left out
    volume = bins.volumes() / box_size**3
    with np.errstate(divide="ignore", invalid="ignore"):
        dr = volume * (remaining - into_from_all + into_from_itself) / remaining / (1.0 - share)
        rr = volume * (1.0 - 2.0 * share + share * overlap) / (1.0 - share) ** 2
    return remaining, dr, rr


def neighbours_inside(
    position: Array,
    box_size: float,
    per_side: int,
    bins: Separations,
    weight: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Return the fractions of each bin's volume around galaxies that lie within each sub-volume.

    A galaxy may be anywhere in its cell of a grid, and counts with its weight, or as 1. The average
    over separations uses an evenly spread sequence of points.

    Returns
    -------
    from_all : ndarray, shape (R, n, m)
        Sum over all galaxies of the fraction of the bin's volume around each that is in the
        sub-volume.
    from_itself : ndarray, shape (R, n, m)
        The same sum over the galaxies in that sub-volume.
    overlap : ndarray, shape (n, m)
        Mean of that fraction over the positions in a sub-volume: its set covariance, averaged over
        the bin (for shells thinner than the cube's side l, 1 - 3 r/(2 l) + 2 r^2/(pi l^2) -
        r^3/(4 pi l^3)).
    """
    inside = max(2, _CELLS // per_side)  # cells of a sub-volume along its side
    cells = per_side * inside
    cell = np.minimum((position * (cells / box_size)).astype(np.int64), cells - 1)
    flat = np.ravel_multi_index(tuple(cell.T), (cells,) * 3)
    grid = np.bincount(flat, weight, minlength=cells**3).reshape((cells,) * 3).astype(np.float64)
    transform = np.fft.rfftn(grid)
    in_cubes = grid.reshape((per_side, inside) * 3).transpose(0, 2, 4, 1, 3, 5)
    cubes = in_cubes.reshape(per_side**3, inside**3)

    shape = bins.volumes().shape
    nodes = max(_NODES // shape[1], _LEAST_NODES)
    places = bins.places(even_points(nodes)) * (cells / box_size)
    from_all, from_itself = np.empty((2, per_side**3, *shape))
    overlap = np.empty(shape)
    for index in np.ndindex(shape):
        chance = _chance_inside(places[index], cells, inside)
        around = np.fft.irfftn(transform * np.conj(np.fft.rfftn(chance)), grid.shape, (0, 1, 2))
        from_all[:, *index] = around[::inside, ::inside, ::inside].ravel()
        own = chance[:inside, :inside, :inside].ravel()
        from_itself[:, *index] = cubes @ own
        overlap[index] = own.mean()
    return from_all, from_itself, overlap


def _chance_inside(shifts: Array, cells: int, inside: int) -> Array:
    """Return the probability that a shifted point of each cell of a grid is in the first cube.

    Parameters
    ----------
    shifts : ndarray, shape (3, q)
        Equally likely shifts, in units of a cell of the periodic grid.
    cells, inside : int
        Cells along the sides of the grid and of the cube.

    Returns
    -------
    ndarray, shape (cells, cells, cells)
    """
    start = np.arange(cells)[:, None] + (shifts % cells)[:, None, :]
    part = np.zeros_like(start)  # fraction of the shifted cell in the cube, along each axis
    for image in (0, cells, 2 * cells):
        part += np.clip(np.minimum(start + 1, image + inside) - np.maximum(start, image), 0, None)
    x, y, z = part
    plane = (x[:, None] * y[None]).reshape(cells**2, -1)
    return np.asarray((plane @ z.T).reshape((cells,) * 3) / shifts.shape[1])
