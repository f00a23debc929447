"""Regions of the sky for the jackknife, of equal numbers of randoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..system.progress import advance
from ..types import GalaxyCatalog
from .sky import directions
from .steps import check_sky, recorded

Array = NDArray[Any]


@dataclass(frozen=True)
class Regions:
    """Parts of the sky, divided by planes through it.

    Parameters
    ----------
    planes : tuple of tuple
        One for each division, in the order of a binary tree walked depth first: the unit vector
        whose projection decides, the value at which it is cut, and how many regions lie below.
    number : int

    Examples
    --------
    >>> from mockgal.survey.regions import Regions
    >>> ra, dec = np.linspace(0, 90, 100), np.linspace(-20, 20, 100)
    >>> np.bincount(Regions.of(ra, dec, 4).at(ra, dec)).tolist()
    [25, 25, 25, 25]
    """

    planes: tuple[tuple[tuple[float, float, float], float, int], ...]
    number: int

    @classmethod
    def of(cls, ra: Array, dec: Array, number: int) -> Regions:
        """Return regions that hold equal numbers of points, to within one for each division.

        Points are divided again and again, across the direction in which they spread most.

        Parameters
        ----------
        ra, dec : ndarray of float, shape (n,)
            Of randoms [deg].
        number : int
            How many regions.

        Raises
        ------
        UsageError
            Fewer than two regions, or fewer than two points for each.
        """
        if number < 2 or 2 * number > len(ra):
            raise UsageError(
                "regions", f"{number} of {len(ra)} points", "2 or more, of two or more points each"
            )
        planes: list[tuple[tuple[float, float, float], float, int]] = []
        order = np.lexsort((dec, ra))  # sums over rows round alike, however these come
        _divide(directions(ra[order], dec[order]), number, planes, number - 1)
        advance(number - 1, number - 1, "regions")
        return cls(tuple(planes), number)

    def at(self, ra: Array, dec: Array) -> Array:
        """Return the region of each place [deg], from 0, shape (n,)."""
        result = np.zeros(len(ra), dtype=np.int64)
        unit = directions(ra, dec)
        self._assign(unit, np.arange(len(ra)), self.number, 0, 0, result)
        return result

    def _assign(
        self, unit: Array, rows: Array, number: int, first: int, plane: int, result: Array
    ) -> int:
        """Number the regions of some rows; return the next plane."""
        if number == 1:
            result[rows] = first
            return plane
        axis, value, below = self.planes[plane]
        lower = unit[rows] @ np.array(axis) < value
        plane = self._assign(unit, rows[lower], below, first, plane + 1, result)
        return self._assign(unit, rows[~lower], number - below, first + below, plane, result)


def _divide(unit: Array, number: int, planes: list[Any], total: int) -> None:
    if number == 1:
        return
    advance(len(planes), total, "regions")
    below = number // 2
    spread = np.cov(unit.T)
    axis = np.linalg.eigh(spread)[1][:, -1]
    axis = axis * np.sign(axis[np.argmax(np.abs(axis))])  # one of two, always the same
    along = unit @ axis
    place = round(len(unit) * below / number)
    ordered = np.partition(along, [place - 1, place])
    value = float((ordered[place - 1] + ordered[place]) / 2)
    planes.append(((float(axis[0]), float(axis[1]), float(axis[2])), value, below))
    lower = along < value
    _divide(unit[lower], below, planes, total)
    _divide(unit[~lower], number - below, planes, total)


def with_regions(galaxies: GalaxyCatalog, regions: Regions) -> GalaxyCatalog:
    """Return galaxies, or randoms, with the column ``region``.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On the sky.
    regions : Regions

    Returns
    -------
    GalaxyCatalog

    Raises
    ------
    UsageError
        They are in a box.

    Examples
    --------
    >>> from mockgal.survey.light_cone import light_cone
    >>> from mockgal.survey.regions import Regions, with_regions
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> cone = light_cone(mock, redshifts=(0.002, 0.004))
    >>> seen = with_regions(cone, Regions.of(cone["ra"], cone["dec"], 8))
    >>> sorted(set(seen["region"].tolist()))
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    check_sky(galaxies, "regions")
    region = regions.at(galaxies["ra"], galaxies["dec"])
    return recorded(
        galaxies.with_columns(region=region),
        "regions",
        number=regions.number,
        planes=[[list(axis), value, below] for axis, value, below in regions.planes],
    )
