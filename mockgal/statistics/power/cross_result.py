"""From sums over shells to a cross-power spectrum and its correlation coefficient, with errors.

P_ab = V <Re(delta_a conj(delta_b))>, and r = P_ab / sqrt(P_aa P_bb) with the three monopoles. The
jackknife leaves sub-volumes out of all three together. Without it, errors are those of two
Gaussian fields with the measured spectra: for M independent waves, with powers that include shot
noise, Cov(P_ij, P_kl) = (P_ik P_jl + P_il P_jk) / (2 M). So the variance of the cross-power is
(P_aa P_bb + P_ab**2) / (2 M) (Smith 2009, MNRAS 400, 851; White, Song & Percival 2009, MNRAS 397,
1348), and that of r, to first order, (1 - r**2)**2 / (2 M) if no shot noise is subtracted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import jackknife as jackknives
from ..result import ERROR, Field, Measurement, Style
from . import aliasing as images
from .gridded import GriddedField
from .result import DEGREES, LEGENDRE, MODES, UNIT, WAVENUMBERS, Waves, multipoles, wavenumbers

Array = NDArray[Any]

COEFFICIENT = "correlation_coefficient"
ESTIMATES = ("cross_power", "cross_quadrupole", "cross_hexadecapole")
_SHOT_NOISE = ("shot_noise_first", "cross_shot_noise", "shot_noise_second")  # order of the powers
_POWERS = ("power_first", "cross_power", "power_second")
_WHOSE = ("the first sample", "the objects in both samples", "the second sample")
_ALIASING = (
    "aliasing_bias: images of waves beyond the Nyquist wavenumber add no more than this share of "
    "sqrt(P_aa P_bb) to the mean of the cross-power over catalogues; aliasing_bound: nor change it "
    "in one catalogue by more; if beyond the grid no power is above the largest measured at this "
    "wavenumber or above"
)


class Noise(NamedTuple):
    """Shot noise of the powers aa, ab and bb [(Mpc/h)^3].

    Parameters
    ----------
    level : tuple of float or None
        Three; None if not known.
    left_out : ndarray, shape (R, 3), or None
        The same with each sub-volume left out; NaN where not known.
    shape : ndarray, shape (3, m, shells)
        Multipoles of a level of 1.
    """

    level: tuple[float | None, ...]
    left_out: Array | None
    shape: Array

    def subtracted(self, power: Array, left_out: Array | None) -> tuple[Array, Array | None]:
        """Return powers, shape (3, m, shells), and those left out, without the shot noise."""
        power = power - np.array(self.level, dtype=np.float64)[:, None, None] * self.shape
        if left_out is not None and self.left_out is not None:
            left_out = left_out - self.left_out[:, :, None, None] * self.shape
        return power, left_out


def cross_result(
    fields: tuple[GriddedField, GriddedField],
    waves: Waves,
    sums: Array,
    left_out: Array | None,
    noise: Noise,
    settings: dict[str, Any],
) -> Measurement:
    """Return the `Measurement` for sums over shells.

    Parameters
    ----------
    fields : tuple of two GriddedField
    waves : Waves
    sums : ndarray, shape (3, m, shells)
        Powers aa, ab and bb times powers of mu**2 [(Mpc/h)^3].
    left_out : ndarray, shape (R, 3, m, shells), or None
        The same with each of R sub-volumes left out.
    noise : Noise
    settings : dict
        Further settings to record.
    """
    modes, names = waves.shells.modes, ESTIMATES[: waves.moments]
    whole = power = multipoles(sums, modes)
    others = None if left_out is None else multipoles(left_out, modes)
    if fields[0].subtract_shot_noise:
        power, others = noise.subtracted(power, others)
    coefficient, kept = correlation_coefficient(power), {}
    if others is None:
        errors = gaussian_cross_errors(whole, waves.modes)
        of_coefficient = gaussian_coefficient_error(whole[:, 0], power[:, 0], waves.modes)
    else:
        errors = jackknives.error(others[:, 1])
        kept = {name: others[:, 1, order] for order, name in enumerate(names)}
        kept[COEFFICIENT] = correlation_coefficient(others)
        of_coefficient = jackknives.error(kept[COEFFICIENT])
    columns, described = wavenumbers(waves), dict(WAVENUMBERS)
    for order, name in enumerate(names):
        columns |= {name: power[1, order], name + ERROR: errors[order]}
        described |= _fields_of(name, order, len(names))
    columns |= {COEFFICIENT: coefficient, COEFFICIENT + ERROR: of_coefficient}
    described |= {
        COEFFICIENT: Field("", "P_ab / sqrt(P_aa P_bb) of the monopoles", r"$r(k)$"),
        COEFFICIENT + ERROR: Field("", f"standard error of {COEFFICIENT}"),
    }
    for k in (0, 2):
        columns[_POWERS[k]] = power[k, 0]
        described[_POWERS[k]] = Field(UNIT, f"power per mode of {_WHOSE[k]}")
    for k, level in enumerate(noise.level):
        if level is not None:
            columns[_SHOT_NOISE[k]] = level * noise.shape[k, 0]
            described[_SHOT_NOISE[k]] = Field(UNIT, f"expected of points at random, {_WHOSE[k]}")
    aliased = _images(fields, waves, columns["k"], whole)
    lines = noise.level[1] and not fields[0].subtract_shot_noise
    return Measurement(
        "cross_power",
        {**columns, "modes": waves.modes, **aliased.columns},
        {**described, "modes": MODES, **aliased.fields},
        axis="k",
        estimates=(*names, COEFFICIENT),
        count="modes",
        settings={**settings, **_settings(fields, waves, noise), **aliased.settings},
        error_degrees_of_freedom=np.inf if others is None else len(others) - 1,
        style=Style(
            marks=("fundamental_h_per_mpc", "nyquist_h_per_mpc", images.ALIASED_FROM),
            lines=(_SHOT_NOISE[1],) if lines else (),
            apart=(*names[1:], COEFFICIENT),
        ),
        left_out=kept,
    )


def correlation_coefficient(power: Array) -> Array:
    """Return P_ab / sqrt(P_aa P_bb) of the monopoles; NaN where a power is not above 0.

    Parameters
    ----------
    power : ndarray, shape (..., 3, m, shells)
        Of aa, ab and bb.

    Returns
    -------
    ndarray, shape (..., shells)
    """
    first, cross, second = (power[..., k, 0, :] for k in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        norm = np.where((first > 0) & (second > 0), np.sqrt(first) * np.sqrt(second), np.nan)
        return np.asarray(cross / norm)


def gaussian_cross_errors(power: Array, modes: Array) -> Array:
    """Return the standard errors of the multipoles of a cross-power, shape (m, shells).

    As `mockgal.statistics.power.result.gaussian_errors`, with
    (P_aa(mu) P_bb(mu) + P_ab(mu)**2) / 2 in place of P(mu)**2.

    Parameters
    ----------
    power : ndarray, shape (3, m, shells)
        Of aa, ab and bb, shot noise included.
    modes : ndarray, shape (shells,)
    """
    node, weight = np.polynomial.legendre.leggauss(17)  # exact for this polynomial
    m = power.shape[1]
    legendre = LEGENDRE[:m, :m] @ node ** (2 * np.arange(m)[:, None])
    first, cross, second = (legendre.T @ some for some in power)
    mean = (legendre**2 * (0.5 * weight)) @ (0.5 * (first * second + cross**2))
    with np.errstate(invalid="ignore"):
        return np.asarray(DEGREES[:m, None] * np.sqrt(mean / modes))


def gaussian_coefficient_error(whole: Array, power: Array, modes: Array) -> Array:
    """Return the standard error of r of two Gaussian fields to first order, shape (shells,).

    Parameters
    ----------
    whole : ndarray, shape (3, shells)
        Powers aa, ab and bb, shot noise included.
    power : ndarray, shape (3, shells)
        The powers that r is made of.
    modes : ndarray, shape (shells,)
    """
    a, c, b = whole
    r = correlation_coefficient(power[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.array(
            [-r / (2.0 * power[0]), 1.0 / np.sqrt(power[0] * power[2]), -r / (2.0 * power[2])]
        )
        covariance = np.array(
            [[a * a, a * c, c * c], [a * c, (a * b + c * c) / 2.0, b * c], [c * c, b * c, b * b]]
        )
        variance = np.einsum("is,ijs,js->s", slope, covariance, slope) / modes
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))  # rounding, where r = 1


def _fields_of(name: str, order: int, number: int) -> dict[str, Field]:
    index = rf"{{ab, {2 * order}}}" if number > 1 else "{ab}"
    what = "cross-power" if order == 0 else f"{name.removeprefix('cross_')} of the cross-power"
    return {
        name: Field(UNIT, f"{what} per mode", rf"$P_{index}$ [(Mpc/$h$)$^3$]"),
        name + ERROR: Field(UNIT, f"standard error of {name}"),
    }


def _settings(
    fields: tuple[GriddedField, GriddedField], waves: Waves, noise: Noise
) -> dict[str, Any]:
    """Return the settings of the estimate."""
    first, second = (field.window_settings() for field in fields)
    own = {f"{key}_of_second": value for key, value in second.items()}
    levels = ["not known" if level is None else float(level) for level in noise.level]
    words = fields[0].errors_in_words()
    if not fields[0].jackknife:
        words = "of two Gaussian fields with the measured spectra"
    return {
        **first,
        **(own if second != first else {}),
        "fundamental_h_per_mpc": waves.shells.width * waves.unit,
        "bins": waves.bins,
        "errors": words,
        **dict(zip(_SHOT_NOISE, levels, strict=True)),
        "shot_noise_subtracted": fields[0].subtract_shot_noise,
    }


def _images(
    fields: tuple[GriddedField, GriddedField], waves: Waves, k: Array, power: Array
) -> images.Images:
    """Return what images may add, relative to sqrt(P_aa P_bb).

    The sum over images of sqrt(P_aa P_bb) is at most the geometric mean of those of P_aa and P_bb
    (Cauchy & Schwarz).
    """
    interlaced = [field.interlaced for field in fields]
    settings: dict[str, Any] = {"interlaced": interlaced[0], "aliasing": "not known"}
    if interlaced[0] != interlaced[1]:
        settings["interlaced_of_second"] = interlaced[1]
    if None in (fields[0].assignment, fields[1].assignment):
        return images.Images({}, {}, settings)
    both = [
        images.aliasing(waves.shells, power[2 * n, 0], str(field.assignment), field.interlaced)
        for n, field in enumerate(fields)
    ]
    bias = np.sqrt(both[0][0] * both[1][0])
    bound = np.sqrt((1.0 + both[0][1]) * (1.0 + both[1][1])) - 1.0
    columns, described, more = images.marked(k, bias, bound)
    return images.Images(columns, described, settings | more | {"aliasing": _ALIASING})
