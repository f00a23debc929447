"""Galaxies as an observer sees them: angles, distances and redshifts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cosmology import Cosmology
from ..errors import UsageError
from ..theory.distances import SPEED_OF_LIGHT, up_to
from ..types import GalaxyCatalog

Array = NDArray[Any]

BLOCK = 1 << 15  # rows that are worked on at a time: they stay in the cache
SKY_COLUMNS = ("ra", "dec", "distance", "redshift_cosmological", "redshift")  # of `observe`


def angles(offset: Array) -> tuple[Array, Array, Array]:
    """Return right ascension, declination [deg] and distance of places.

    Parameters
    ----------
    offset : ndarray of float, shape (n, 3)
        Positions relative to the observer.

    Returns
    -------
    ra, dec, distance : ndarray, shape (n,)
        ra = atan2(y, x), in [0, 360); dec = asin(z / distance), in [-90, 90]; the distance has the
        unit of ``offset``. A galaxy at the observer has ra and dec 0.
    """
    x, y, z = (np.asarray(offset[:, axis], dtype=np.float64) for axis in range(3))
    across = np.hypot(x, y)
    ra = np.degrees(np.arctan2(y, x))
    ra[ra < 0] += 360.0
    ra[ra >= 360.0] = 0.0  # of a tiny negative angle
    return ra, np.degrees(np.arctan2(z, across)), np.hypot(across, z)


def directions(ra: Array, dec: Array) -> Array:
    """Return the unit vectors of right ascensions and declinations [deg], shape (n, 3)."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def axes_at(ra: float, dec: float) -> Array:
    """Return the unit vectors at a place on the sky [deg]: towards it, to the east, to the north.

    Returns
    -------
    ndarray, shape (3, 3)
        One in each column.
    """
    a, d = math.radians(ra), math.radians(dec)
    away = (math.cos(d) * math.cos(a), math.cos(d) * math.sin(a), math.sin(d))
    east = (-math.sin(a), math.cos(a), 0.0)
    north = (-math.sin(d) * math.cos(a), -math.sin(d) * math.sin(a), math.cos(d))
    return np.array([away, east, north]).T


def observe(galaxies: GalaxyCatalog) -> GalaxyCatalog:
    """Return the galaxies of a light cone with their sky columns.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On a light cone, with positions and velocities.

    Returns
    -------
    GalaxyCatalog
        With ``ra``, ``dec`` [deg], ``distance`` [comoving Mpc/h], ``redshift_cosmological`` and
        ``redshift``, for which (1 + z) = (1 + z_cosmological) (1 + v / c) with the peculiar
        velocity v along the line of sight, positive away from the observer.

    Raises
    ------
    UsageError
        The catalogue is in a box, or its universe is not flat.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from mockgal.survey.sky import observe
    >>> from mockgal.types import LightCone
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> place = LightCone(observer=(0.0, 0.0, 0.0), redshifts=(0.0, 0.01))
    >>> snapshot = replace(mock.snapshot, light_cone=place)
    >>> seen = observe(replace(mock, snapshot=snapshot, frame="sky"))
    >>> bool((seen["dec"] >= 0).all())
    True
    """
    cone = galaxies.snapshot.light_cone
    if cone is None:
        raise UsageError(
            "galaxies", "a catalogue in a periodic box", "one on a light cone, with an observer"
        )
    from .cone.kernels import see

    columns = {name: np.empty(len(galaxies)) for name in ("ra", "dec", "distance", "along")}
    place, velocity = (
        [galaxies[f"{what}_{x}"] for x in "xyz"] for what in ("position", "velocity")
    )
    for start in range(0, len(galaxies), BLOCK):
        rows = slice(start, start + BLOCK)
        out = np.empty((len(columns), len(place[0][rows])))
        parts = (tuple(np.ascontiguousarray(x[rows]) for x in own) for own in (place, velocity))
        see(*parts, cone.observer, out)
        for values, found in zip(columns.values(), out, strict=True):
            values[rows] = found
    columns |= redshift_columns(
        galaxies.snapshot.cosmology, columns["distance"], columns.pop("along")
    )
    return galaxies.with_columns(**columns)


def redshift_columns(cosmology: Cosmology, distance: Array, along: Array) -> dict[str, Array]:
    """Return the columns of redshifts.

    Parameters
    ----------
    cosmology : Cosmology
    distance : ndarray, shape (n,)
        From the observer [comoving Mpc/h].
    along : ndarray, shape (n,)
        Peculiar velocity along the line of sight, positive away from the observer [km/s]; is
        overwritten.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        ``redshift_cosmological`` and ``redshift``: see `observe`.
    """
    far = up_to(cosmology, float(distance.max(initial=0.0)))
    cosmological = np.empty(len(distance))
    for start in range(0, len(distance), BLOCK):
        rows = slice(start, start + BLOCK)
        cosmological[rows] = far.redshifts(distance[rows])
        along[rows] = (1.0 + cosmological[rows]) * (1.0 + along[rows] / SPEED_OF_LIGHT) - 1.0
    return {"redshift_cosmological": cosmological, "redshift": along}
