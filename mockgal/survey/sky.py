"""Galaxies as an observer sees them: angles, distances and redshifts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..theory.distances import SPEED_OF_LIGHT, up_to
from ..types import GalaxyCatalog

Array = NDArray[Any]

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
    offset = np.stack([galaxies[f"position_{x}"] for x in "xyz"], axis=1) - np.array(cone.observer)
    ra, dec, distance = angles(offset)
    cosmological = up_to(galaxies.snapshot.cosmology, float(distance.max(initial=0.0))).redshifts(
        distance
    )
    velocity = np.stack([galaxies[f"velocity_{x}"] for x in "xyz"], axis=1)
    along = np.divide(
        (velocity * offset).sum(axis=1), distance, out=np.zeros(len(distance)), where=distance > 0
    )
    redshift = (1.0 + cosmological) * (1.0 + along / SPEED_OF_LIGHT) - 1.0
    return galaxies.with_columns(
        ra=ra,
        dec=dec,
        distance=distance,
        redshift_cosmological=cosmological,
        redshift=redshift,
    )
