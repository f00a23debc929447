"""How far a survey reaches: in angle, and along and across its line of sight."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..footprint import Footprint, SkyCap, cap_of
from ..sky import angles, axes_at

Array = NDArray[Any]

_POINTS = 30_000  # at which a footprint is looked at
_NOWHERE = 0.01  # length of the mean direction of a footprint that has no middle
_GOLDEN = math.pi * (3.0 - math.sqrt(5.0))


class Extent(NamedTuple):
    """The cuboid around a survey.

    Parameters
    ----------
    towards : tuple of float
        Right ascension and declination of its middle [deg].
    lengths : tuple of float
        Along the line of sight there, to the east and to the north [Mpc/h].
    """

    towards: tuple[float, float]
    lengths: tuple[float, float, float]

    def __str__(self) -> str:
        return " x ".join(f"{x:.5g}" for x in self.lengths) + " Mpc/h"


def extent(footprint: Footprint | None, near: float, far: float) -> Extent:
    """Return the cuboid around a footprint between two distances [Mpc/h].

    A footprint is looked at in points all over the sky, or over the cap that it states; what lies
    between two points is allowed for.
    """
    whole = Extent((0.0, 0.0), (2.0 * far, 2.0 * far, 2.0 * far))
    if footprint is None:
        return whole
    known = cap_of(footprint)
    place, apart = _points(known or SkyCap((0.0, 0.0), 180.0))
    ra, dec, _ = angles(place)
    place = place[footprint.completeness(ra, dec) > 0]
    if not len(place):  # of a footprint finer than the points nothing is known
        return whole
    middle = place.mean(axis=0)
    towards = (0.0, 0.0) if known is None else known.direction
    if known is None and middle @ middle > _NOWHERE**2:
        ra, dec, _ = angles(middle[None])
        towards = float(ra[0]), float(dec[0])
    along = place @ axes_at(*towards)
    low, high = np.maximum(along - apart, -1.0), np.minimum(along + apart, 1.0)
    least = np.where(low < 0, low * far, low * near).min(axis=0)
    most = np.where(high > 0, high * far, high * near).max(axis=0)
    first, second, third = (float(x) for x in most - least)
    return Extent(towards, (first, second, third))


def _points(cap: SkyCap) -> tuple[Array, float]:
    """Return directions that cover a cap evenly, and the angle [rad] within which one is near.

    They lie on a spiral of golden angles (Gonzalez 2010, arXiv:0912.4540).
    """
    height = 1.0 - math.cos(math.radians(cap.opening))
    z = 1.0 - height * (np.arange(_POINTS) + 0.5) / _POINTS
    turn = _GOLDEN * np.arange(_POINTS)
    across = np.sqrt(1.0 - z**2)
    points = np.stack([z, across * np.cos(turn), across * np.sin(turn)], axis=1)
    return points @ axes_at(*cap.direction).T, math.sqrt(2.0 * math.pi * height / _POINTS)
