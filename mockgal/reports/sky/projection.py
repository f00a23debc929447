"""Equal-area maps of the sky: of all of it, or of a part that fills the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...types import GalaxyCatalog

Array = NDArray[Any]

_DEGREE = 180.0 / math.pi
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)  # deg, between lines of the grid
_WIDE, _HIGH, _POLAR = 120.0, 90.0, 65.0  # deg, from which on a cylinder would distort too much
_WHOLE = 350.0  # deg of right ascension that points fill, to be taken as the whole circle
_TABLE = np.linspace(-math.pi / 2, math.pi / 2, 20_001)  # the angle theta of Mollweide
_SINE = (2.0 * _TABLE + np.sin(2.0 * _TABLE)) / math.pi  # of the declination


class Extent(NamedTuple):
    """A part of the sky [deg]: from ``west`` over ``width`` eastward, ``south`` to ``north``."""

    west: float
    width: float
    south: float
    north: float

    @property
    def centre(self) -> float:
        """Right ascension in the middle [deg]."""
        return (self.west + self.width / 2.0) % 360.0

    def east_of_west(self, ra: Array) -> Array:
        """Return how far right ascensions lie east of the western border [deg]."""
        return np.mod(np.asarray(ra, dtype=np.float64) - self.west, 360.0)


def extent_of(catalogues: Iterable[GalaxyCatalog]) -> Extent:
    """Return the part of the sky that holds all points; it ends at the widest gap around it."""
    held = [(one["ra"], one["dec"]) for one in catalogues if len(one)]
    if not held:
        return Extent(0.0, 360.0, -90.0, 90.0)
    filled = np.zeros(360, dtype=bool)
    for ra, _ in held:
        filled |= np.bincount(np.asarray(ra).astype(np.int64) % 360, minlength=360) > 0
    there = np.flatnonzero(filled)
    gaps = np.diff(np.append(there, there[0] + 360))
    start = float(there[(int(np.argmax(gaps)) + 1) % len(there)])
    east = [np.mod(np.asarray(ra, dtype=np.float64) - start, 360.0) for ra, _ in held]
    low, high = min(float(x.min()) for x in east), max(float(x.max()) for x in east)
    south, north = (
        min(float(x.min()) for _, x in held),
        max(float(x.max()) for _, x in held),
    )
    if high - low > _WHOLE:
        start, low, high = 0.0, 0.0, 360.0
    return Extent((start + low) % 360.0, max(high - low, 1e-3), south, max(north, south + 1e-3))


@dataclass(frozen=True)
class Projection:
    """A map on which an area of one square degree on the sky is one unit of area everywhere.

    Parameters
    ----------
    centre : float
        Right ascension in the middle [deg].
    declination : float or None
        At which shapes are true on a cylinder (Lambert 1772); None for the map of Mollweide 1805.

    Examples
    --------
    >>> from mockgal.reports.sky.projection import Projection
    >>> x, y = Projection(180.0, None).forward(np.array([180.0]), np.array([90.0]))
    >>> x.round(6).tolist(), y.round(3).tolist()
    ([0.0], [81.028])
    """

    centre: float
    declination: float | None

    @classmethod
    def of(cls, part: Extent) -> Projection:
        """Return the map that suits a part of the sky."""
        wide = part.width > _WIDE or part.north - part.south > _HIGH
        if wide or max(abs(part.south), abs(part.north)) > _POLAR:
            return cls(part.centre, None)
        return cls(part.centre, (part.south + part.north) / 2.0)

    @property
    def name(self) -> str:
        """What it is called."""
        return "Mollweide" if self.declination is None else "cylindrical equal-area"

    def forward(self, ra: Array, dec: Array) -> tuple[Array, Array]:
        """Return the place on the map of each place on the sky [deg]; x grows eastward."""
        east = np.mod(np.asarray(ra, dtype=np.float64) - self.centre + 180.0, 360.0) - 180.0
        y = self.height(dec)
        return self.along(east, y), y

    def height(self, dec: Array | float) -> Array:
        """Return y of declinations [deg]; lines of equal declination are straight."""
        sine = np.sin(np.radians(np.asarray(dec, dtype=np.float64)))
        if self.declination is not None:
            return np.asarray(_DEGREE * sine / math.cos(math.radians(self.declination)))
        return np.asarray(_DEGREE * math.sqrt(2.0) * np.sin(np.interp(sine, _SINE, _TABLE)))

    def along(self, east: Array | float, y: Array | float) -> Array:
        """Return x of places ``east`` of the centre [deg] at the height y."""
        if self.declination is not None:
            return np.asarray(east * math.cos(math.radians(self.declination)) + 0.0 * y)
        return np.asarray(2.0 * math.sqrt(2.0) / math.pi * east * self.breadth(y))

    def breadth(self, y: Array | float) -> Array:
        """Return the length of a degree of right ascension at the height y, 1 at most."""
        if self.declination is not None:
            return np.ones_like(np.asarray(y, dtype=np.float64))
        share = np.asarray(y, dtype=np.float64) / (_DEGREE * math.sqrt(2.0))
        return np.asarray(np.sqrt(np.maximum(1.0 - share**2, 0.0)))

    def outline(self, part: Extent) -> tuple[Array, Array]:
        """Return the border of a part of the sky, as a closed line on the map."""
        up = np.linspace(part.south, part.north, 200)
        start = (part.west - self.centre + 180.0) % 360.0 - 180.0
        right = start + np.linspace(0.0, part.width, 400)
        dec = np.concatenate([np.full(400, up[0]), up, np.full(400, up[-1]), up[::-1]])
        east = np.concatenate([right, np.full(200, right[-1]), right[::-1], np.full(200, start)])
        y = self.height(dec)
        return self.along(east, y), y


def steps(span: float, most: int = 7) -> float:
    """Return a round distance of lines [deg], such that at most ``most`` lie in a span."""
    return next((x for x in _STEPS if span / x <= most), _STEPS[-1])
