"""Where a survey looks: right ascensions and declinations, with a completeness in [0, 1].

A footprint is any object with ``completeness(ra, dec)``, arrays [deg] in and an array of numbers in
[0, 1] out, with ``area`` [deg^2], the integral of the completeness, and with ``describe()``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, UsageError
from ..types import GalaxyCatalog
from .steps import check_sky, chosen, uniform

Array = NDArray[Any]

WHOLE_SKY = 360.0**2 / math.pi  # deg^2
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
                "footprint", f"declinations {self.dec}", "-90 to 90 deg, the southern one first"
            )
        if not all(0.0 <= x <= 360.0 for x in self.ra) or self.ra[0] == self.ra[1]:
            raise UsageError("footprint", f"right ascensions {self.ra}", "two from 0 to 360 deg")

    @property
    def area(self) -> float:
        """Area [deg^2]."""
        south, north = np.radians(self.dec)
        return float(np.degrees(np.sin(north) - np.sin(south)) * self.width)

    @property
    def width(self) -> float:
        """Difference of right ascension from west to east [deg]."""
        first, last = self.ra
        return last - first if last > first else last - first + 360.0

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

    def completeness(self, ra: Array, dec: Array) -> Array:
        """Return the value of the pixel at each place."""
        return np.asarray(self.values[self._pixels(ra, dec)])

    def _pixels(self, ra: Array, dec: Array) -> Array:
        astropy_healpix = healpix(self.name)
        order = "nested" if self.nested else "ring"
        from astropy import units

        longitude, latitude = np.asarray(ra) * units.deg, np.asarray(dec) * units.deg
        if self.coordinates == "galactic":
            from astropy.coordinates import SkyCoord

            place = SkyCoord(longitude, latitude, frame="icrs").galactic
            longitude, latitude = place.l, place.b
        return np.asarray(
            astropy_healpix.lonlat_to_healpix(longitude, latitude, self.nside, order=order)
        )

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


def healpix(where: str) -> Any:
    """Return the library of HEALPix.

    Raises
    ------
    UsageError
        It is not installed; the message says how to install it.
    """
    try:
        import astropy_healpix
    except ImportError as error:
        raise UsageError(
            where,
            f"a HEALPix map, and no astropy-healpix ({error})",
            "astropy-healpix",
            "pip install 'mockgal[survey]', or pip install astropy-healpix",
        ) from error
    return astropy_healpix


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
        With the column ``completeness``, that of the place of each galaxy.

    Raises
    ------
    UsageError
        The galaxies are in a box, or the footprint has no area.

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
    share = footprint.completeness(galaxies["ra"], galaxies["dec"])
    kept = uniform(galaxies, seed, "footprint") < share
    thinned = int(np.count_nonzero((share > 0) & ~kept))
    facts = {"footprint": footprint.describe(), "area_deg2": footprint.area, "thinned": thinned}
    why = "thinned by the completeness of the footprint" if thinned else ""
    inside = galaxies.with_columns(completeness=share)
    return chosen(inside, kept, "footprint", why, {**facts, "seed": seed})
