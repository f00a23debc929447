"""Comoving distances by redshift, and redshifts by comoving distance."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline

from ..cosmology import Cosmology
from ..errors import UsageError

Array = NDArray[Any]

SPEED_OF_LIGHT = 299792.458  # km/s
_HUBBLE = SPEED_OF_LIGHT / 100.0  # Hubble distance [Mpc/h]
_STEPS_PER_UNIT = 1024  # of ln(1 + z): the error of a redshift is below 1e-10
_FARTHEST = 1100.0  # redshift
_MANY = 1 << 12  # distances from which on a compiled loop is worth its loading


class Distances:
    """Comoving distances along the line of sight in one cosmology.

    Distances are Gauss-Legendre integrals of c / H(z); between them, cubic Hermite splines with
    exact slopes serve both directions. Redshifts come back within 1e-9 (tested against astropy).

    Parameters
    ----------
    cosmology : Cosmology
    redshift : float
        Largest redshift that is needed.

    Raises
    ------
    UsageError
        The universe is not flat: angles and distances would need its curvature.
    """

    def __init__(self, cosmology: Cosmology, redshift: float) -> None:
        curvature = abs(cosmology.curvature)
        if curvature > 1e-3:
            raise UsageError(
                "cosmology",
                f"a curvature of {curvature:.3g} of the critical density",
                "a flat universe, up to 0.001, in which a light cone is a straight one",
                "give the parameters of the run, if these are not",
            )
        last = np.log1p(min(max(redshift, 0.1) * 1.01, _FARTHEST))
        log_a = np.linspace(0.0, last, int(_STEPS_PER_UNIT * last) + 2)
        node, weight = np.polynomial.legendre.leggauss(8)
        half = np.diff(log_a) / 2
        z = np.expm1((log_a[:-1] + half)[:, None] + half[:, None] * node)
        rate = np.array([cosmology.expansion_rate(float(x)) for x in z.ravel()]).reshape(z.shape)
        steps = _HUBBLE * half * (weight * (1.0 + z) / rate).sum(axis=1)
        self.redshift = np.expm1(log_a)
        self.distance = np.concatenate([[0.0], np.cumsum(steps)])
        slope = [_HUBBLE / cosmology.expansion_rate(float(x)) for x in self.redshift]
        self._to_distance = CubicHermiteSpline(self.redshift, self.distance, slope)
        self._step = float(self.distance[-1]) / (4 * len(self.distance))
        steps = self._step * np.arange(4 * len(self.distance) + 1)
        below = np.searchsorted(self.distance, steps, side="right") - 1
        self._start = np.minimum(below, len(self.distance) - 2)
        self._to_redshift = CubicHermiteSpline(self.distance, self.redshift, 1.0 / np.array(slope))

    def distances(self, redshift: Any) -> Array:
        """Return comoving distances [Mpc/h] of redshifts; of the same shape."""
        return np.asarray(self._to_distance(redshift))

    def redshifts(self, distance: Any) -> Array:
        """Return redshifts of comoving distances [Mpc/h]; of the same shape.

        Raises
        ------
        UsageError
            A distance is beyond the largest redshift.
        """
        farthest = float(np.max(distance, initial=0.0))
        if farthest > self.distance[-1]:
            raise UsageError(
                "distance",
                f"{farthest:.6g} Mpc/h",
                f"up to {self.distance[-1]:.6g} Mpc/h, which is redshift {self.redshift[-1]:.4g}",
                "check the place of the observer",
            )
        if np.size(distance) < _MANY:
            return np.asarray(self._to_redshift(distance))
        from ..system.kernels import cubic

        flat = np.ascontiguousarray(distance, dtype=np.float64).ravel()
        result = np.empty(len(flat))
        cubic(flat, self.distance, self._to_redshift.c, self._start, self._step, result)
        return result.reshape(np.shape(distance))


@lru_cache(8)
def distances(cosmology: Cosmology, redshift: float) -> Distances:
    """Return the `Distances` of a cosmology up to a redshift, made once."""
    return Distances(cosmology, redshift)


def up_to(cosmology: Cosmology, distance: float) -> Distances:
    """Return the `Distances` of a cosmology that hold a distance [Mpc/h].

    Raises
    ------
    UsageError
        No redshift below that of the microwave background is so far away.
    """
    redshift = 1.0
    while (found := distances(cosmology, redshift)).distance[-1] <= distance:
        if redshift >= _FARTHEST:
            break
        redshift = min(2.0 * redshift + 1.0, _FARTHEST)
    return found
