"""Where a survey looks: right ascensions and declinations, with a completeness in [0, 1].

A footprint is any object with ``completeness(ra, dec)``, arrays [deg] in and an array of numbers in
[0, 1] out, with ``area`` [deg^2], the integral of the completeness, and with ``describe()``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, UsageError
from ..types import GalaxyCatalog
from .sky import BLOCK, angles, axes_at, directions
from .steps import check_sky, chosen, earlier, uniform

Array = NDArray[Any]

WHOLE_SKY = 360.0**2 / math.pi  # deg^2
_LEAST_OPENING = 1e-3  # deg
_STEPS = 360  # along a border
_FINE = 512  # nside up to which each pixel is looked at
_PIXEL = 66.0  # deg, over nside: farther than any corner of a pixel is from its centre
COORDINATES = ("equatorial", "galactic")  # of maps


class Footprint(Protocol):
    """Where a survey looks, and how completely."""

    @property
    def area(self) -> float:
        """Integral of the completeness over the sky [deg^2]."""

    def completeness(self, ra: Array, dec: Array) -> Array:
        """Return the completeness at places [deg], in [0, 1]; of the same shape."""

    def describe(self) -> dict[str, Any]:
        """Return what identifies it, as plain JSON values."""


@dataclass(frozen=True)
class SkyCap:
    """All places within an angle of a direction: the base of a cone.

    Parameters
    ----------
    direction : tuple of float
        Right ascension and declination of the axis [deg].
    opening : float
        Angle between the axis and the border [deg].

    Raises
    ------
    UsageError
        Angles out of range.

    Examples
    --------
    >>> from mockgal.survey.footprint import SkyCap
    >>> beam = SkyCap((30.0, -20.0), opening=10.0)
    >>> round(beam.area, 2), beam.completeness(np.array([30, 30]), np.array([-29, -31])).tolist()
    (313.36, [1.0, 0.0])
    """

    direction: tuple[float, float]
    opening: float

    def __post_init__(self) -> None:
        ra, dec = self.direction
        if not (0.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0):
            raise UsageError(
                "footprint, direction",
                f"({ra:g}, {dec:g}) deg",
                "a right ascension from 0 to 360 deg and a declination from -90 to 90 deg",
            )
        if not _LEAST_OPENING <= self.opening <= 180.0:
            raise UsageError(
                "footprint, opening", f"{self.opening:g} deg", f"{_LEAST_OPENING:g} to 180 deg"
            )

    @classmethod
    def along(cls, vector: Sequence[float] | Array, opening: float) -> SkyCap:
        """Return the cap about a direction that is given as a vector, of any length.

        Parameters
        ----------
        vector : sequence of float, shape (3,)
            In the coordinates of the galaxies' positions.
        opening : float
            [deg]

        Raises
        ------
        UsageError
            The vector has no direction.
        """
        place = np.array(vector, dtype=np.float64)
        if place.shape != (3,) or not (np.isfinite(place).all() and place.any()):
            raise UsageError(
                "footprint, direction", f"{vector}", "three finite numbers that are not all 0"
            )
        ra, dec, _ = angles(place[None] / np.abs(place).max())
        return cls((float(ra[0]), float(dec[0])), opening)

    @property
    def axis(self) -> tuple[float, float, float]:
        """The direction as a unit vector."""
        x, y, z = axes_at(*self.direction)[:, 0]
        return float(x), float(y), float(z)

    @property
    def cap(self) -> SkyCap:
        """Itself."""
        return self

    @property
    def area(self) -> float:
        """Area [deg^2]: 2 pi (1 - cos(opening)) steradian."""
        return WHOLE_SKY * math.sin(math.radians(self.opening) / 2.0) ** 2

    def completeness(self, ra: Array, dec: Array) -> Array:
        """Return 1 within and on the border, 0 elsewhere."""
        # by half the angle, which is exact for small openings, too
        half = np.radians(np.asarray(dec) - self.direction[1]) / 2.0
        turn = np.radians(np.asarray(ra) - self.direction[0]) / 2.0
        across = np.cos(np.radians(dec)) * math.cos(math.radians(self.direction[1]))
        square = np.sin(half) ** 2 + across * np.sin(turn) ** 2
        inside = np.asarray(square <= math.sin(math.radians(self.opening) / 2.0) ** 2)
        return inside.astype(np.float64)

    def describe(self) -> dict[str, Any]:
        """Return its axis and its opening."""
        return {
            "kind": "cap",
            "direction_deg": list(self.direction),
            "opening_deg": self.opening,
        }


def cap_of(footprint: Footprint | None) -> SkyCap | None:
    """Return a cap that holds all of a footprint, if it has the attribute ``cap``."""
    cap = getattr(footprint, "cap", None)
    return cap if isinstance(cap, SkyCap) else None


@dataclass(frozen=True)
class SkyBox:
    """All places between two right ascensions and two declinations.

    Parameters
    ----------
    ra : tuple of float
        From the first, eastward, to the second [deg]; may pass through 0, as in (350, 10).
    dec : tuple of float
        From the southern to the northern one [deg].

    Raises
    ------
    UsageError
        Angles out of range, or no range.

    Examples
    --------
    >>> from mockgal.survey.footprint import SkyBox
    >>> octant = SkyBox(ra=(0, 90), dec=(0, 90))
    >>> round(octant.area, 1), octant.completeness(np.array([45, 100]), np.array([10, 10])).tolist()
    (5156.6, [1.0, 0.0])
    """

    ra: tuple[float, float]
    dec: tuple[float, float]

    def __post_init__(self) -> None:
        south, north = self.dec
        if not -90.0 <= south < north <= 90.0:
            raise UsageError(
                "footprint",
                f"declinations {self.dec}",
                "two from -90 to 90 deg, the southern one first",
                "such as dec: [-20 deg, 50 deg]",
            )
        if not all(0.0 <= x <= 360.0 for x in self.ra) or not self.width > 0.0:
            raise UsageError(
                "footprint",
                f"right ascensions {self.ra}",
                "two that differ, from 0 to 360 deg",
                "such as ra: [350 deg, 80 deg], eastward from the first; [0 deg, 360 deg] for all",
            )

    @property
    def area(self) -> float:
        """Area [deg^2]."""
        south, north = np.radians(self.dec)
        return float(np.degrees(np.sin(north) - np.sin(south)) * self.width)

    @property
    def width(self) -> float:
        """Difference of right ascension from west to east [deg]."""
        first, last = self.ra
        if first == last:
            return 0.0
        return last - first if last > first else last - first + 360.0

    @cached_property
    def cap(self) -> SkyCap:
        """A cap around it, about the middle of its borders."""
        middle = (self.ra[0] + self.width / 2) % 360.0, sum(self.dec) / 2
        steps = np.linspace(0.0, 1.0, _STEPS + 1)
        ra = self.ra[0] + self.width * steps
        dec = self.dec[0] + (self.dec[1] - self.dec[0]) * steps
        border = [
            *(directions(ra, np.full(len(ra), x)) for x in self.dec),
            *(directions(np.full(len(dec), x), dec) for x in (ra[0], ra[-1])),
        ]
        across = np.concatenate(border) @ np.array(SkyCap(middle, 1.0).axis)
        between = max(self.width, self.dec[1] - self.dec[0]) / _STEPS  # at most, of two points
        farthest = float(np.degrees(np.arccos(np.clip(across.min(), -1.0, 1.0))))
        return SkyCap(middle, min(max(farthest + between, _LEAST_OPENING), 180.0))

    def completeness(self, ra: Array, dec: Array) -> Array:
        """Return 1 within, 0 elsewhere; borders to the west and south are within."""
        east = np.mod(np.asarray(ra) - self.ra[0], 360.0)
        inside = (east < self.width) & (dec >= self.dec[0]) & (dec < self.dec[1])
        if self.dec[1] == 90.0:
            inside |= (east < self.width) & (np.asarray(dec) == 90.0)
        return inside.astype(np.float64)

    def describe(self) -> dict[str, Any]:
        """Return its borders."""
        return {"kind": "box", "ra_deg": list(self.ra), "dec_deg": list(self.dec)}


@dataclass(frozen=True)
class SkyMap:
    """A completeness in each pixel of a HEALPix map (Gorski et al. 2005, doi:10.1086/427976).

    Parameters
    ----------
    values : ndarray of float, shape (12 nside^2,)
        In [0, 1].
    nested : bool
        Whether pixels are in NESTED order; else in RING order.
    name : str
        Where the map is from, for the record.
    coordinates : str
        ``equatorial`` (ICRS), or ``galactic``, of the pixels.

    Raises
    ------
    BadValueError
        A number of pixels that no map has, or values out of range.
    UsageError
        Coordinates that are neither.

    Examples
    --------
    >>> from mockgal.survey.footprint import SkyMap
    >>> north = SkyMap(np.repeat([1.0, 0.0], [4, 8]), nested=False, name="polar pixels")
    >>> north.nside, north.completeness(np.array([45.0]), np.array([80.0])).tolist()
    (1, [1.0])
    """

    values: Array
    nested: bool
    name: str = "a map"
    coordinates: str = "equatorial"

    def __post_init__(self) -> None:
        if self.coordinates not in COORDINATES:
            raise UsageError(
                f"{self.name}, coordinates", repr(self.coordinates), " or ".join(COORDINATES)
            )
        values = np.array(self.values, dtype=np.float64)
        nside = math.isqrt(max(len(values) // 12, 0))
        if nside < 1 or 12 * nside**2 != len(values) or (nside & (nside - 1) and self.nested):
            raise BadValueError(
                self.name, f"{len(values)} pixels", "12 nside^2 of them, as HEALPix has"
            )
        bad = ~((values >= 0.0) & (values <= 1.0))
        if bad.any():
            first = int(np.argmax(bad))
            raise BadValueError(
                f"{self.name}, pixel {first}",
                f"{np.count_nonzero(bad)} values out of range, the first {values[first]:.6g}",
                "a completeness from 0 to 1 in each pixel",
                "set pixels that were not observed to 0",
            )
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @property
    def nside(self) -> int:
        """Pixels along the side of each of the 12 base pixels."""
        return math.isqrt(len(self.values) // 12)

    @property
    def area(self) -> float:
        """Integral of the completeness [deg^2]."""
        return float(self.values.mean() * WHOLE_SKY)

    @cached_property
    def cap(self) -> SkyCap | None:
        """A cap around all pixels that are not 0; None for maps too fine to look at each pixel."""
        from .masks.pixels import around

        values, nside = self.values, self.nside
        while nside > _FINE and self.nested:
            values, nside = values.reshape(-1, 4).max(axis=1), nside // 2
        if nside > _FINE:
            return None
        *total, _ = around(values, nside, self.nested, (1.0, 0.0, 0.0))
        middle = np.array(total)
        length = math.sqrt(float(middle @ middle))
        if length < 0.01 * np.count_nonzero(values) or not length:  # all around
            return None
        x, y, z = (float(q) for q in middle / length)
        least = around(values, nside, self.nested, (x, y, z))[3]
        farthest = math.degrees(math.acos(min(max(least, -1.0), 1.0)))
        opening = min(farthest + _PIXEL / nside, 180.0)
        return SkyCap.along(np.array([x, y, z]) @ self._turn, opening)

    @cached_property
    def _turn(self) -> Array:
        """The rotation from equatorial vectors to those of the pixels, shape (3, 3)."""
        if self.coordinates == "equatorial":
            return np.eye(3)
        from astropy.coordinates import SkyCoord

        axes = np.eye(3)
        place = SkyCoord(*axes, frame="icrs", representation_type="cartesian").galactic
        return np.ascontiguousarray(place.cartesian.xyz.to_value(""))

    def completeness(self, ra: Array, dec: Array) -> Array:
        """Return the value of the pixel at each place."""
        return np.asarray(self.values[self._pixels(ra, dec)])

    def _pixels(self, ra: Array, dec: Array) -> Array:
        from .masks.pixels import pixels

        ra, dec = np.broadcast_arrays(ra, dec)
        place = [np.ascontiguousarray(x, dtype=np.float64).ravel() for x in (ra, dec)]
        found = np.empty(ra.size, dtype=np.int64)
        turned = self.coordinates != "equatorial"
        pixels(*place, self.nside, self.nested, turned, self._turn, found)
        return found.reshape(ra.shape)

    def describe(self) -> dict[str, Any]:
        """Return the name, the resolution, and a digest of the values."""
        import hashlib

        digest = hashlib.blake2b(self.values.astype("<f8").tobytes(), digest_size=32).hexdigest()
        return {
            "kind": "HEALPix map",
            "map": self.name,
            "nside": self.nside,
            "order": "NESTED" if self.nested else "RING",
            "coordinates": self.coordinates,
            "digest": digest,
        }


def within(galaxies: GalaxyCatalog, footprint: Footprint, *, seed: int) -> GalaxyCatalog:
    """Return the galaxies that a footprint holds, thinned by its completeness.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On the sky.
    footprint : Footprint
    seed : int
        Where the completeness is between 0 and 1, a galaxy is kept if its number, keyed by the
        seed and its identity, is below it.

    Returns
    -------
    GalaxyCatalog
        With the column ``completeness``, that of the place of each galaxy. Galaxies that are within
        this footprint already are returned as they are.

    Raises
    ------
    UsageError
        The galaxies are in a box, the footprint has no area, or the galaxies are within another one
        already: the area of both together is not known.

    Examples
    --------
    >>> from mockgal.survey.footprint import SkyBox, within
    >>> from mockgal.survey.light_cone import light_cone
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> cone = light_cone(mock, redshifts=(0.002, 0.004))
    >>> north = within(cone, SkyBox(ra=(0, 360), dec=(0, 90)), seed=1)
    >>> bool((north["dec"] >= 0).all()), len(north) < len(cone)
    (True, True)
    """
    check_sky(galaxies, "footprint")
    if not footprint.area > 0:
        raise UsageError("footprint", "no area", "places that are observed", "give another")
    own = json.dumps(footprint.describe(), sort_keys=True)
    for one in earlier(galaxies, "footprint"):
        if json.dumps(one["footprint"], sort_keys=True) == own:
            return galaxies
        raise UsageError(
            "footprint",
            f"galaxies within another one already, of {one['area_deg2']:.6g} deg^2",
            "galaxies of the whole light cone, as the area of both together is not known",
            "take this footprint of the light cone, or a HEALPix map of the completeness of both",
        )
    share, kept = np.empty(len(galaxies)), np.empty(len(galaxies), dtype=bool)
    thinned = 0
    for start in range(0, len(galaxies), BLOCK):
        rows = slice(start, start + BLOCK)
        share[rows] = footprint.completeness(galaxies["ra"][rows], galaxies["dec"][rows])
        kept[rows] = share[rows] == 1.0
        partly = start + np.flatnonzero((share[rows] > 0) & ~kept[rows])
        kept[partly] = uniform(galaxies, seed, "footprint", rows=partly) < share[partly]
        thinned += len(partly) - int(np.count_nonzero(kept[partly]))
    facts = {"footprint": footprint.describe(), "area_deg2": footprint.area, "thinned": thinned}
    why = "thinned by the completeness of the footprint" if thinned else ""
    inside = galaxies.with_columns(completeness=share)
    return chosen(inside, kept, "footprint", why, {**facts, "seed": seed})
