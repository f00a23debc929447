"""From sums over triangles to the bispectrum, the reduced bispectrum and their errors.

The formulae are in the docstring of `mockgal.statistics.bispectrum.estimator`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import jackknife as jackknives
from ..power.gridded import GriddedField
from ..power.left_out import left_out_shot_noise
from .left_out import Sums
from .triangles import Triangles

Array = NDArray[Any]


class Noise(NamedTuple):
    """The shot noise ``s2`` [(Mpc/h)^3] and ``s3`` [(Mpc/h)^6].

    Numbers, or arrays of shape (R, 1) for samples with each of R sub-volumes left out.
    """

    s2: Any
    s3: Any

    @classmethod
    def of(
        cls, sums_of_powers: tuple[float | Array, float | Array], total: float, volume: float
    ) -> Noise:
        """Return the shot noise of points with a ``total`` mass."""
        squares, cubes = (math.fsum(np.ravel(some)) for some in sums_of_powers)
        return cls(volume * squares / total**2, volume**2 * cubes / total**3)

    @classmethod
    def left_out(
        cls,
        field: GriddedField,
        sums_of_powers: tuple[float | Array, float | Array],
        volume: float,
    ) -> Noise:
        """Return the shot noise with each sub-volume left out."""
        s2, s3 = (
            left_out_shot_noise(
                field.values, field.jackknife, np.asarray(some), volume, power=power
            )[:, None]
            for power, some in zip((2, 3), sums_of_powers, strict=True)
        )
        return cls(s2, s3)


class Estimates(NamedTuple):
    """The power of each shell with its shot noise, and what is estimated from it.

    Parameters
    ----------
    power : ndarray, shape (..., 2 + m)
    value, reduced : ndarray, shape (..., m)
        Bispectrum, and reduced bispectrum.
    hierarchical : ndarray, shape (..., m)
        Denominator of the reduced bispectrum.
    """

    power: Array
    value: Array
    reduced: Array
    hierarchical: Array


def estimate(sums: Sums, triangles: Triangles, volume: float, noise: Noise) -> Estimates:
    """Return the estimates, NaN without waves or triangles, with the shot noise subtracted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        power = volume * sums.powers / triangles.waves
        value = volume**2 * sums.products / triangles.number
        value[..., triangles.number == 0] = np.nan
        clean = power - noise.s2
        value = value - noise.s2 * (clean[..., :1] + clean[..., 1:2] + clean[..., 2:]) - noise.s3
        hierarchical = _hierarchical(clean)
        return Estimates(power, value, value / hierarchical, hierarchical)


def _hierarchical(power: Array) -> Array:
    """Return P1 P2 + P2 P3 + P3 P1 for each third shell, shape (..., m)."""
    first, second, third = power[..., :1], power[..., 1:2], power[..., 2:]
    return np.asarray(first * second + (first + second) * third)


def forget_empty(left_out: Sums, sums_of_squares: float | Array) -> None:
    """Set to NaN what is left where one sub-volume holds all points."""
    if np.ndim(sums_of_squares):
        nothing_left = jackknives.sums_elsewhere(np.asarray(sums_of_squares)) == 0
        left_out.powers[nothing_left] = left_out.products[nothing_left] = np.nan


def reduced_left_out(whole: Estimates, left_out: Estimates) -> Array:
    """Return the reduced bispectrum with each sub-volume left out, shape (R, m).

    It is B / D to first order in the changes of both, as D without a sub-volume may be near zero.
    """
    change = (left_out.value - whole.reduced * left_out.hierarchical) / whole.hierarchical
    return np.asarray(whole.reduced + change)


def gaussian_errors(
    estimates: Estimates, triangles: Triangles, volume: float
) -> tuple[Array, Array]:
    """Return the errors of bispectrum and reduced bispectrum, shape (m,); NaN without triangles."""
    power = estimates.power
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = volume * power[0] * power[1] * power[2:] * triangles.pairings
        error = np.where(triangles.number > 0, np.sqrt(variance / triangles.number), np.nan)
        return error, error / np.abs(estimates.hierarchical)
