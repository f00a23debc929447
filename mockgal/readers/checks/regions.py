"""Empty regions of the box: missing pieces of a catalogue, as distinct from voids.

Counts of host halos in slabs, columns and cubes of many sizes are compared with those of other
regions of the same shape. Halos are clustered, so that empty regions are more frequent than among
random points. Their probability is that of a negative binomial distribution with the variance of
the other regions,

    P(0) = (1 + m xi)^(-1 / xi),

where m is their mean count, and xi their variance in excess of Poisson's over m^2 (Carruthers &
Duong-van 1983; it describes the voids of galaxy surveys, e.g. Croton et al. 2004,
arXiv:astro-ph/0401406).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .copies import row_key

Array = NDArray[Any]

SIDE = 48  # cells along the box, from which all regions are made
_DIVISIONS = (2, 3, 4, 6, 8, 12, 16, 24)
_LEAST = 10.0  # expected halos in a region: with fewer, an empty one means nothing
_LOG_CHANCE = -14.0  # ln of the expected number of empty regions, below which one is refused
# Quantile of a normal distribution: the variance is taken at its 99% upper limit, because few
# regions measure it poorly.
_LIMIT = -2.33
_FEWEST = 6  # regions that measure a variance
# Expected halos above which a region is never empty, for region kinds that are too few to measure
# their variance; see `empty_region`.
SLAB, _COLUMN, _OCTANT, _CUBE = 40.0, 75.0, 120.0, 180.0
_BLOCK = 1 << 20


class EmptyRegion(NamedTuple):
    """A region without halos.

    Parameters
    ----------
    what : str
        Its kind and place.
    number : int
        Number of empty regions of this kind.
    regions : int
        Number of all regions of this kind.
    expected : float
        Mean number of halos in a region that is not empty.
    """

    what: str
    number: int
    regions: int
    expected: float


class _Cells(NamedTuple):
    """Indices of cells, from 0 to SIDE - 1 along each axis, and their numbers of halos."""

    place: tuple[Array, ...]
    counts: Array


def empty_region(position: Array, box_size: float) -> EmptyRegion | None:
    """Return the empty region that is least likely, or None if all may be chance.

    Regions are slabs, columns and cubes along the axes, 2 to 24 along a side, that begin at the
    edge of the box or half a region from it, along each axis. A gap is found if it contains a whole
    region in which enough halos are expected: about 20 where counts have Poisson scatter, and more
    the larger the scatter, up to 40 in slabs, 75 in columns, 120 in octants and 180 in smaller
    cubes where regions are too few to measure it.

    False alarms: the limit on the probability is ln = -14, about 1e-6. The other limits are twice
    the largest expected counts at which real, complete boxes have an empty region. Those boxes are
    300 of CAMELS (25 Mpc/h, galaxies above 1.3e8 Msun/h, omega_m from 0.1 to 0.5, sigma_8 from 0.6
    to 1), 16 of Quijote (1000 Mpc/h, 5000 halos) and 6 outputs of 16 Mpc/h, each whole, thinned to
    as few as 2% at random, and thinned to its most massive halos: none of 4,220 is refused. The
    largest such counts are 22 in slabs, 43 in columns, 64 in octants and 90 in smaller cubes.
    Beyond these, frequencies fall by a factor e every 3, 5, 8 and 15, so that about one catalogue
    in a million reaches the limits.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        Positions of host halos, in [0, box_size) [Mpc/h]; without satellites, which come in groups.
    box_size : float
        [Mpc/h]

    Returns
    -------
    EmptyRegion or None
    """

    def at_one_place_once() -> Array:
        places = np.unique(row_key(position, np.float64), return_index=True)[1]
        return count_cells(position[places], box_size)

    return empty_region_of(count_cells(position, box_size), at_one_place_once, box_size)


def empty_region_of(
    counts: Array, at_one_place_once: Callable[[], Array], box_size: float
) -> EmptyRegion | None:
    """Do what `empty_region` does, from counts alone.

    Parameters
    ----------
    counts : ndarray of int
        The sum of `count_cells` over all halos.
    at_one_place_once : callable
        Returns the same, of only one halo of those at one place; called if it matters.
    box_size : float
        [Mpc/h]
    """
    if not any(len(full) < n for *_, n, full in _partitions(_filled(counts), int(counts.sum()))):
        return None
    # Many halos at one point are one object that was split, or rows without a position.
    counts = at_one_place_once()
    least, found = 0.0, None
    for divisions, shift, of_regions, number, full in _partitions(
        _filled(counts), int(counts.sum())
    ):
        chance = _refusable(divisions, number, full) if len(full) < number else None
        if chance is not None and chance < least:
            first = int(np.flatnonzero(of_regions == 0)[0])
            what = _described(divisions, shift, first, box_size)
            least = chance
            found = EmptyRegion(what, number - len(full), number, float(full.mean()))
    return found


def _partitions(
    cells: _Cells, halos: int
) -> Iterator[tuple[tuple[int, ...], tuple[bool, ...], Array, int, Array]]:
    """Yield the ways to divide the box, with the halo counts of the regions.

    Yields
    ------
    divisions : tuple of int
        Regions along x, y and z.
    shift : tuple of bool
        Whether the regions are shifted by half a region, along each axis.
    counts : ndarray, shape (number,)
        Halos in each region.
    number : int
        Number of regions.
    full : ndarray
        The ``counts`` that are not 0.
    """
    for k in _DIVISIONS:
        slabs, columns = ((k, 1, 1), (1, k, 1), (1, 1, k)), ((1, k, k), (k, 1, k), (k, k, 1))
        for divisions in (*slabs, *columns, (k, k, k)):
            number = int(np.prod(divisions))
            if halos < _LEAST * number:
                continue
            for shift in product(*((False, True) if n > 1 else (False,) for n in divisions)):
                counts = _regions(cells, divisions, shift)
                yield divisions, shift, counts, number, counts[counts > 0]


def count_cells(position: Array, box_size: float) -> Array:
    """Return the number of halos in each of `SIDE`^3 cells."""
    counts = np.zeros(SIDE**3, dtype=np.int64)
    for start in range(0, len(position), _BLOCK):
        cell = (position[start : start + _BLOCK] * (SIDE / box_size)).astype(np.int64)
        x, y, z = np.minimum(cell, SIDE - 1).T
        counts += np.bincount((x * SIDE + y) * SIDE + z, minlength=SIDE**3)
    return counts


def _filled(counts: Array) -> _Cells:
    """Return the cells that hold halos, and their counts."""
    some = np.flatnonzero(counts)
    return _Cells(np.unravel_index(some, (SIDE,) * 3), counts[some])


def _regions(cells: _Cells, divisions: tuple[int, ...], shift: tuple[bool, ...]) -> Array:
    """Return the number of halos in each region, shape (product of ``divisions``,)."""
    region = np.zeros(len(cells.counts), dtype=np.int64)
    for place, k, moved in zip(cells.place, divisions, shift, strict=True):
        if k > 1:
            from_edge = (place - _offset(k)) % SIDE if moved else place
            region = region * k + from_edge // (SIDE // k)
    counts = np.bincount(region, cells.counts, minlength=int(np.prod(divisions)))
    return counts.astype(np.int64)


def _offset(divisions: int) -> int:
    """Return the number of cells by which shifted regions are shifted."""
    return SIDE // divisions // 2


def _refusable(divisions: tuple[int, ...], number: int, full: Array) -> float | None:
    """Return the log probability of an empty region if it is to be refused, else None."""
    if not len(full):
        return None
    chance, axes = _log_chance(full, number), sum(k > 1 for k in divisions)
    cube = _OCTANT if number == 2**3 else _CUBE
    few = full.mean() >= (SLAB, _COLUMN, cube)[axes - 1]
    return min(chance, _LOG_CHANCE) if few or chance < _LOG_CHANCE else None


def _log_chance(full: Array, number: int) -> float:
    """Return ln of the expected number of empty regions among ``number``.

    It uses the variance of the ``full`` regions, and is 0 if these are too few to measure it. Chi
    squared is approximated after Wilson & Hilferty 1931.
    """
    k = len(full) - 1
    if k + 1 < _FEWEST:
        return 0.0
    mean, variance = float(full.mean()), float(full.var(ddof=1))
    spread = 2 / (9 * k)
    variance /= max((1 - spread + _LIMIT * np.sqrt(spread)) ** 3, 1e-3)
    xi = max((variance - mean) / mean**2, 0.0)
    zero = -mean if xi < 1e-9 else -np.log1p(mean * xi) / xi
    return float(np.log(number) + zero)


def _described(
    divisions: tuple[int, ...], shift: tuple[bool, ...], region: int, box_size: float
) -> str:
    """Return a region's kind and place, in words."""
    axes = [name for name, k in zip("xyz", divisions, strict=True) if k > 1]
    others = [name for name in "xyz" if name not in axes]
    if len(axes) == 3:
        kind = "octant" if divisions == (2, 2, 2) else "cube"
    else:
        kind = f"slab along {axes[0]}" if len(axes) == 1 else f"column along {others[0]}"
    edges = []
    place = np.unravel_index(region, divisions)
    for name, k, i, moved in zip("xyz", divisions, place, shift, strict=True):
        if k > 1:
            low = (int(i) * (SIDE // k) + moved * _offset(k)) * box_size / SIDE
            high = low + box_size / k
            around = high > box_size * (1 + 1e-9)
            edges.append(f"{name} from {low:.4g} to {high - around * box_size:.4g}")
    return f"{kind}, {', '.join(edges)} Mpc/h"
