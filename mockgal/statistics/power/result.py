"""From sums over shells to a power spectrum with its errors, shared by boxes and sub-cubes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...fields.waves.interlaced import shot_noise_gains
from .. import jackknife as jackknives
from ..result import ERROR, Field, Measurement, Style
from .aliasing import ALIASED_FROM, of_power
from .gridded import GriddedField
from .shells import Shells, white_mean
from .wave_bins import DEFAULT

Array = NDArray[Any]

UNIT = "Mpc3 / littleh3"
LABEL = r"$P$ [(Mpc/$h$)$^3$]"
WAVENUMBERS = {
    "k": Field("littleh / Mpc", "mean wavenumber of the shell's waves", r"$k$ [$h$/Mpc]"),
    "k_low": Field("littleh / Mpc", "lower edge of the shell, which is in it"),
    "k_high": Field("littleh / Mpc", "upper edge of the shell, which is not in it"),
}
MODES = Field("", "independent waves in the shell", "modes")
ESTIMATES = ("power", "quadrupole", "hexadecapole")
SHOT_NOISE = ("shot_noise", "quadrupole_shot_noise", "hexadecapole_shot_noise")
# 2 l + 1, and the Legendre polynomials L_l in powers of mu**2, for l = 0, 2, 4.
DEGREES = np.array([1.0, 5.0, 9.0])
LEGENDRE = np.array([[1.0, 0.0, 0.0], [-0.5, 1.5, 0.0], [0.375, -3.75, 4.375]])


def multipoles(sums: Array, modes: Array) -> Array:
    """Return (2 l + 1) <power L_l(mu)> from sums of the power times 1, mu**2 and mu**4.

    Parameters
    ----------
    sums : ndarray, shape (..., m, shells)
        m is 3, or 1 for the monopole alone.
    modes : ndarray, shape (shells,)

    Returns
    -------
    ndarray, shape (..., m, shells)
    """
    m = sums.shape[-2]
    with np.errstate(invalid="ignore"):
        return np.asarray((DEGREES[:m, None] * LEGENDRE[:m, :m]) @ (sums / modes))


def gaussian_errors(power: Array, modes: Array) -> Array:
    """Return the standard errors of the multipoles of a Gaussian field, shape (m, shells).

    They are (2 l + 1) sqrt(integral from 0 to 1 of L_l(mu)**2 P(mu)**2 dmu / modes), with P(mu) the
    sum of the multipoles in ``power``: Grieb et al. 2016, arXiv:1509.04293, section 2. For the
    monopole alone that is P / sqrt(modes).

    Parameters
    ----------
    power : ndarray, shape (m, shells)
        Shot noise included.
    modes : ndarray, shape (shells,)
    """
    node, node_weight = np.polynomial.legendre.leggauss(17)  # exact for this polynomial
    m = len(power)
    legendre = LEGENDRE[:m, :m] @ node ** (2 * np.arange(m)[:, None])
    at_mu = legendre.T @ power
    mean = (legendre**2 * (0.5 * node_weight)) @ at_mu**2
    with np.errstate(invalid="ignore"):
        return np.asarray(DEGREES[:m, None] * np.sqrt(mean / modes))


def of_galaxies(
    measure: Callable[[Array, int], Measurement],
    field: Array,
    jackknife: int,
    *,
    weight: str,
    line_of_sight: str | None,
) -> Measurement:
    """Return the result of ``measure`` for a field of galaxies, with the settings of the sample.

    Without galaxies, or if all weights are 0, there is no overdensity: estimates and errors are
    NaN, and the modes are those of the grid.

    Parameters
    ----------
    measure : callable
        Called with the field and the number of sub-volumes along each side.
    field : ndarray, shape (N, N, N)
    jackknife : int
    weight : str
    line_of_sight : str or None
    """
    settings: dict[str, Any] = {
        "weight": weight,
        "space": "real" if line_of_sight is None else "redshift",
        "line_of_sight": "none" if line_of_sight is None else line_of_sight,
    }
    if weight == "number":
        settings["mean_density_unit"] = "littleh3 / Mpc3"
    if field.any():
        result = measure(field, jackknife)
        return replace(result, settings={**result.settings, **settings})
    result = measure(np.ones(field.shape), 0)
    settings |= {"mean_density": 0.0, "errors": "none: no galaxy weighs anything"}
    nothing = {n: np.full(len(result), np.nan) for e in result.estimates for n in (e, e + ERROR)}
    return replace(
        result,
        columns={**result.columns, **nothing},
        settings={**result.settings, **settings},
    )


class ShellSums(NamedTuple):
    """Sums over the waves of each shell of their power [(Mpc/h)^3] times powers of mu**2.

    Parameters
    ----------
    whole : ndarray, shape (m, shells)
    left_out : ndarray, shape (R, m, shells), or None
        The same with each of R sub-volumes left out.
    """

    whole: Array
    left_out: Array | None


class Waves(NamedTuple):
    """The waves that are measured, in shells.

    Parameters
    ----------
    shells : Shells
    modes : ndarray, shape (shells,)
        Independent waves, for errors and as the count.
    unit : float
        k of n = 1 [h/Mpc].
    axis : int
        Axis that mu is the cosine of the angle to.
    moments : int
        Number of multipoles: 1 or 3.
    bins : str
        Description of the shells.
    """

    shells: Shells
    modes: Array
    unit: float
    axis: int = 0
    moments: int = 1
    bins: str = DEFAULT


class ShotNoise(NamedTuple):
    """Power of points at random [(Mpc/h)^3], in the multipoles of each shell.

    Parameters
    ----------
    level : float
    left_out : ndarray, shape (R,), or None
        Level with each of R sub-volumes left out; needed if it is subtracted.
    shape : ndarray, shape (m, shells)
        Multipoles of a level of 1: a grid is not isotropic, and has images.
    """

    level: float
    left_out: Array | None
    shape: Array

    @classmethod
    def of(
        cls, field: GriddedField, level: float | None, left_out: Array | None, waves: Waves
    ) -> ShotNoise | None:
        """Return the shot noise of a field, or None if its level is not known."""
        if level is None:
            return None
        shells, moments = waves.shells, waves.moments
        gains = [np.ones(shells.grid_size)]
        if field.assignment is not None:
            gains = shot_noise_gains(shells.grid_size, field.assignment, field.interlaced)
        white = white_mean(shells, gains, axis=waves.axis, moments=moments)
        return cls(level, left_out, multipoles(white, np.ones(1)))


def power_result(
    statistic: str,
    field: GriddedField,
    waves: Waves,
    sums: ShellSums,
    noise: ShotNoise | None,
    settings: Mapping[str, Any],
) -> Measurement:
    """Return the `Measurement` for sums over shells.

    Parameters
    ----------
    statistic : str
    field : GriddedField
    waves : Waves
    sums : ShellSums
    noise : ShotNoise or None
    settings : mapping
        Further settings to record.
    """
    shells, estimates = waves.shells, ESTIMATES[: waves.moments]
    power = multipoles(sums.whole, shells.modes)
    others = _left_out(field, waves, sums, noise)
    errors = gaussian_errors(power, waves.modes) if others is None else jackknives.error(others)
    columns = wavenumbers(waves)
    fields = dict(WAVENUMBERS)
    noted: dict[str, Any] = {
        **settings,
        **field.window_settings(),
        "fundamental_h_per_mpc": shells.width * waves.unit,
        "bins": waves.bins,
        "errors": field.errors_in_words(),
        "shot_noise": "not known" if noise is None else float(noise.level),
        "shot_noise_subtracted": field.subtract_shot_noise,
    }
    images = of_power(shells, columns["k"], power[0], field.assignment, field.interlaced)
    if noise is not None:
        level = noise.level * noise.shape
        if field.subtract_shot_noise:
            power -= level
        columns |= dict(zip(SHOT_NOISE, level, strict=False))
        fields |= {
            own: Field(UNIT, f"expected of points at random, in `{name}`", "")
            for name, own in zip(estimates, SHOT_NOISE, strict=False)
        }
    for name, value, error in zip(estimates, power, errors, strict=True):
        columns |= {name: value, name + ERROR: error}
    fields |= _estimate_fields(estimates)
    return Measurement(
        statistic,
        {**columns, "modes": waves.modes, **images.columns},
        {**fields, "modes": MODES, **images.fields},
        axis="k",
        estimates=estimates,
        count="modes",
        settings=noted | images.settings,
        error_degrees_of_freedom=np.inf if sums.left_out is None else len(sums.left_out) - 1,
        style=Style(
            marks=("fundamental_h_per_mpc", "nyquist_h_per_mpc", ALIASED_FROM),
            lines=() if noise is None or field.subtract_shot_noise else ("shot_noise",),
            labels=("", r"$P_\ell$ [(Mpc/$h$)$^3$]"),
            apart=ESTIMATES[1:],
        ),
        left_out={} if others is None else {name: others[:, k] for k, name in enumerate(estimates)},
    )


def _left_out(
    field: GriddedField, waves: Waves, sums: ShellSums, noise: ShotNoise | None
) -> Array | None:
    """Return the multipoles with each sub-volume left out, shape (R, m, shells), if there are."""
    if sums.left_out is None:
        return None
    others = multipoles(sums.left_out, waves.shells.modes)
    if field.subtract_shot_noise and noise is not None and noise.left_out is not None:
        others = others - noise.left_out[:, None, None] * noise.shape
    return others


def wavenumbers(waves: Waves) -> dict[str, Array]:
    """Return the columns `WAVENUMBERS`."""
    shells, unit = waves.shells, waves.unit
    columns = {"k": shells.mean * unit}
    return columns | {"k_low": shells.edges[:-1] * unit, "k_high": shells.edges[1:] * unit}


def _estimate_fields(estimates: tuple[str, ...]) -> dict[str, Field]:
    """Return the fields of the multipoles and their errors."""
    fields = {}
    for order, name in enumerate(estimates):
        label = rf"$P_{2 * order}$ [(Mpc/$h$)$^3$]" if len(estimates) > 1 else LABEL
        what = "power" if order == 0 else f"{name} of the power"
        fields[name] = Field(UNIT, f"{what} per mode", label)
        fields[name + ERROR] = Field(UNIT, f"standard error of {name}", "")
    return fields
