"""From sums over shells to a power spectrum with its errors, shared by boxes and sub-cubes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...fields.assign import SUPPORT
from ...fields.waves.fourier import axis_window
from ...fields.waves.interlaced import shot_noise_gains
from .. import jackknife as jackknives
from ..result import ERROR, Field, Measurement, Style
from .aliasing import ALIASED_FROM, of_power
from .shells import Shells, white_mean
from .wave_bins import DEFAULT

Array = NDArray[Any]

UNIT = "Mpc3 / littleh3"
ESTIMATES = ("power", "quadrupole", "hexadecapole")
SHOT_NOISE = ("shot_noise", "quadrupole_shot_noise", "hexadecapole_shot_noise")
# 2 l + 1, and the Legendre polynomials L_l in powers of mu**2, for l = 0, 2, 4.
DEGREES = np.array([1.0, 5.0, 9.0])
LEGENDRE = np.array([[1.0, 0.0, 0.0], [-0.5, 1.5, 0.0], [0.375, -3.75, 4.375]])


def check_options(
    field: Array,
    cell: float,
    assignment: str | None,
    sum_of_squares: float | Array | None,
    subtract_shot_noise: bool,
    jackknife: int,
) -> Array:
    """Return the field in single or double precision, if its power can be measured.

    Raises
    ------
    UsageError
        The field or an option is not allowed.
    """
    field = np.asarray(field)
    if field.ndim != 3 or len(set(field.shape)) != 1 or len(field) < 4:
        raise UsageError("field", f"shape {field.shape}", "a cube of 4 or more voxels a side")
    if field.dtype.kind not in "fiub":
        raise UsageError("field", f"type {field.dtype}", "real numbers")
    if not 0.0 < cell < np.inf:
        raise UsageError("field", f"a size of {cell}", "a positive one [Mpc/h]")
    if assignment is not None and assignment not in SUPPORT:
        raise UsageError("assignment", repr(assignment), "one of " + ", ".join(SUPPORT))
    if subtract_shot_noise and sum_of_squares is None:
        raise UsageError("shot noise", "no sum of squared masses", "one, to subtract shot noise")
    by_region = np.shape(np.asarray(sum_of_squares)) == (jackknife**3,) and jackknife > 0
    if sum_of_squares is not None and not by_region:
        if np.ndim(sum_of_squares):
            raise UsageError(
                "shot noise",
                f"sums for {np.size(sum_of_squares)} sub-volumes",
                f"one for each of the {jackknife**3} of the jackknife",
            )
        if jackknife and subtract_shot_noise:
            raise UsageError(
                "shot noise",
                "one sum of squared masses",
                f"one for each of the {jackknife**3} sub-volumes, since each left-out sample has "
                "its own shot noise subtracted",
                "pass mockgal.statistics.jackknife.sums_by_block(...), or jackknife=0",
            )
    if jackknives.check_per_side(jackknife) > len(field):
        raise UsageError(
            "jackknife",
            f"{jackknife} sub-volumes along the {len(field)} voxels of a side",
            "at most one for each voxel",
        )
    return np.asarray(field, dtype=np.float32 if field.dtype == np.float32 else np.float64)


def window_gain(grid_size: int, assignment: str | None) -> Array:
    """Return one over the squared window along an axis, shape (grid_size,); 1 if not deposited."""
    if assignment is None:
        return np.ones(grid_size)
    return axis_window(grid_size, assignment) ** -2.0


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


def power_result(
    statistic: str,
    sums: Array,
    left_out: Array | None,
    shells: Shells,
    modes: Array,
    wave_unit: float,
    *,
    assignment: str | None,
    interlaced: bool = False,
    shot_noise: float | None,
    shot_noise_left_out: Array | None = None,
    subtract_shot_noise: bool,
    jackknife: int,
    settings: Mapping[str, Any],
    axis: int = 0,
    bins: str = DEFAULT,
) -> Measurement:
    """Return the `Measurement` for sums over shells.

    Parameters
    ----------
    statistic : str
    sums : ndarray, shape (m, shells)
        Sums over the shell's waves of their power [(Mpc/h)^3] times powers of mu**2.
    left_out : ndarray, shape (R, m, shells), or None
        The same sums with each of R sub-volumes left out.
    shells : Shells
    modes : ndarray, shape (shells,)
        Independent waves, for errors and as the count.
    wave_unit : float
        k of n = 1 [h/Mpc].
    assignment : str or None
    interlaced : bool
        Whether every second image was removed.
    shot_noise : float or None
        [(Mpc/h)^3]
    shot_noise_left_out : ndarray, shape (R,), or None
        Shot noise with each sub-volume left out; needed if it is subtracted.
    subtract_shot_noise : bool
    jackknife : int
    settings : mapping
        Further settings to record.
    axis : int
        Axis that mu is the cosine of the angle to.
    bins : str
        Description of the shells.
    """
    estimates = ESTIMATES[: len(sums)]
    power = multipoles(sums, shells.modes)
    level = None
    if shot_noise is not None:
        gains = [np.ones(shells.grid_size)]
        if assignment is not None:
            gains = shot_noise_gains(shells.grid_size, assignment, interlaced)
        level = multipoles(white_mean(shells, gains, axis=axis, moments=len(sums)), np.ones(1))
    if left_out is None:
        errors = gaussian_errors(power, modes)
        described = "of a Gaussian field with the measured spectrum"
    else:
        others = multipoles(left_out, shells.modes)
        if subtract_shot_noise and level is not None and shot_noise_left_out is not None:
            others = others - shot_noise_left_out[:, None, None] * level
        errors = jackknives.error(others)
        described = jackknives.describe(jackknife, settings["grid_size"])
        described += ", cross terms weighted"
        if subtract_shot_noise:
            described += ", shot noise subtracted from each"
    columns = {"k": shells.mean * wave_unit}
    columns |= {"k_low": shells.edges[:-1] * wave_unit, "k_high": shells.edges[1:] * wave_unit}
    fields = {
        "k": Field("littleh / Mpc", "mean wavenumber of the shell's waves", r"$k$ [$h$/Mpc]"),
        "k_low": Field("littleh / Mpc", "lower edge of the shell, which is in it"),
        "k_high": Field("littleh / Mpc", "upper edge of the shell, which is not in it"),
    }
    width = shells.width * wave_unit
    noted: dict[str, Any] = {
        **settings,
        "assignment": "none" if assignment is None else assignment,
        "window": "not corrected" if assignment is None else "divided out of each wave",
        "fundamental_h_per_mpc": width,
        "bins": bins,
        "errors": described,
        "shot_noise": "not known",
    }
    images = of_power(shells, columns["k"], power[0], assignment, interlaced)
    if shot_noise is not None and level is not None:
        level = shot_noise * level
        if subtract_shot_noise:
            power -= level
        for name, own, expected in zip(estimates, SHOT_NOISE, level, strict=False):
            columns[own] = expected
            fields[own] = Field(UNIT, f"expected of points at random, in `{name}`", "")
        noted["shot_noise"] = float(shot_noise)
    noted["shot_noise_subtracted"] = subtract_shot_noise
    for order, (name, value, error) in enumerate(zip(estimates, power, errors, strict=True)):
        label = rf"$P_{2 * order}$ [(Mpc/$h$)$^3$]" if len(sums) > 1 else r"$P$ [(Mpc/$h$)$^3$]"
        what = "power" if order == 0 else f"{name} of the power"
        columns |= {name: value, name + ERROR: error}
        fields |= {
            name: Field(UNIT, f"{what} per mode", label),
            name + ERROR: Field(UNIT, f"standard error of {name}", ""),
        }
    columns["modes"] = modes
    fields["modes"] = Field("", "independent waves in the shell", "modes")
    columns |= images.columns
    fields |= images.fields
    noted |= images.settings
    return Measurement(
        statistic,
        columns,
        fields,
        axis="k",
        estimates=estimates,
        count="modes",
        settings=noted,
        error_degrees_of_freedom=np.inf if left_out is None else len(left_out) - 1,
        style=Style(
            marks=("fundamental_h_per_mpc", "nyquist_h_per_mpc", ALIASED_FROM),
            lines=() if shot_noise is None or subtract_shot_noise else ("shot_noise",),
            labels=("", r"$P_\ell$ [(Mpc/$h$)$^3$]"),
            apart=ESTIMATES[1:],
        ),
    )
