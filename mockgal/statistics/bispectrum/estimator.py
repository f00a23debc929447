"""Bispectrum of galaxies or of a field in a periodic box, for triangles with two fixed sides.

- Estimator: with delta_k = m_k / m_0, m_k being the Fourier coefficients of the mass per voxel,
  B = V**2 <delta_k1 delta_k2 delta_k3> over all closed triangles k1 + k2 + k3 = 0 with sides in
  three shells (Scoccimarro 2015, arXiv:1506.02729, section II;
  `mockgal.statistics.bispectrum.triangles`). The shells are centred on k1, k2 and k3 = abs(k1 + k2)
  = sqrt(k1**2 + k2**2 + 2 k1 k2 cos(theta)), theta being the angle between k1 and k2. By default
  they are as wide as the fundamental k_F = 2 pi / L: k - k_F / 2 <= abs(k_i) < k + k_F / 2. Angles
  are evenly spaced from 0 to pi; at these ends, where triangles are flat, shells hold nearly flat
  triangles. Shells of neighbouring angles overlap if their k3 differ by less than their width, and
  then share triangles.
- Reduced bispectrum: Q = B / (P1 P2 + P2 P3 + P3 P1), P_i = V <abs(delta_k)**2> of the same shells.
- Each wave is divided by the window of the assignment. For galaxies the grid is interlaced
  (Sefusatti et al. 2016, arXiv:1512.07295), and on a grid of the default size the sides are below
  three quarters of the Nyquist wavenumber (below half of it without interlacing or PCS). The effect
  of the remaining images is bounded (`mockgal.statistics.power.aliasing`).
- Errors: for a Gaussian field with the measured spectrum, var(B) = V s P1 P2 P3 / triangles with
  s = 1, and 2 or 6 for two or three equal shells (Scoccimarro et al. 2004, astro-ph/0312286,
  equation A16, with triangles counted as here); s is counted exactly for overlapping shells.
  error(Q) = error(B) / (P1 P2 + P2 P3 + P3 P1). Or from a jackknife, for Q to first order in the
  changes of B and of the powers.
- Shot noise: random points of masses m, independent of each other and of their positions, have
  P_shot = V sum(m**2) / sum(m)**2 = s2, and with s3 = V**2 sum(m**3) / sum(m)**3

      B_shot = s2 (P1 + P2 + P3 - 3 s2) + s3,    P_i with their shot noise:

  of the products of three points, s2 (P_i - s2) is the sum over those in which two points are the
  same, and s3 over those in which all three are (Matarrese, Verde & Heavens 1997, astro-ph/9706059,
  for m = 1). If masses depended on position, P_i - s2 would have to be replaced by spectra of m**2
  and m. The images of the shot noise remain: on a grid of the default size less than 1e-4 of it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import warn
from ...fields.assign import deposit
from ...fields.sample import positions, weights
from ...fields.waves.fourier import axis_window, check_mean
from ...fields.waves.interlaced import interlaced_deposit
from ...fields.waves.modes import components, low_waves
from ...system.memory import check_memory
from ...types import GalaxyCatalog
from .. import jackknife as jackknives
from .. import peak
from ..power.aliasing import ACCURACY, of_bispectrum
from ..power.gridded import GriddedField
from ..power.result import of_galaxies
from ..result import ERROR, Field, Measurement, Style
from .estimates import Estimates, Noise, estimate, forget_empty, gaussian_errors, reduced_left_out
from .left_out import left_out_sums, times_along_axes, whole_sums
from .shells import Shells, check_filled, check_reach
from .triangles import Triangles, grid_size_above

Array = NDArray[Any]

SIDES = (3.0, 4.0)  # h/Mpc, the default unless the box is too large for them
MOST_WAVES = 128  # largest default k1 + k2 in fundamentals: memory grows as its cube
WAY_OUT = (
    "choose smaller sides (--k1, --k2) or a smaller --grid, leave bispectrum out, or take a "
    "machine with more memory"
)
UNIT = "Mpc6 / littleh6"
FIELDS = {
    "theta": Field("rad", "angle between k1 and k2", r"$\theta$ [rad]"),
    "k3": Field("littleh / Mpc", "third side, abs(k1 + k2)", r"$k_3$ [$h$/Mpc]"),
    "bispectrum": Field(UNIT, "bispectrum", r"$B$ [(Mpc/$h$)$^6$]"),
    "bispectrum_error": Field(UNIT, "standard error of bispectrum", ""),
    "reduced_bispectrum": Field("", "bispectrum over P1 P2 + P2 P3 + P3 P1", r"$Q$"),
    "reduced_bispectrum_error": Field("", "standard error of reduced_bispectrum", ""),
    "power_k3": Field("Mpc3 / littleh3", "power in the shell of k3, shot noise included", ""),
    "triangles": Field("", "closed triangles, opposite ones counted apart", "triangles"),
}


def bispectrum(
    galaxies: GalaxyCatalog,
    *,
    k1: float | None = None,
    k2: float | None = None,
    angles: int = 25,
    shell_width: float | None = None,
    grid_size: int | None = None,
    assignment: str = "PCS",
    interlacing: bool = True,
    weight: str = "stellar_mass",
    line_of_sight: str | None = None,
    subtract_shot_noise: bool = False,
    jackknife: int = 3,
) -> Measurement:
    """Measure the bispectrum of galaxies, weighted by stellar mass or equally.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    k1, k2 : float, optional
        Two sides of the triangles [h/Mpc], at least the fundamental. The default is 3 and 4 h/Mpc,
        as in the dm2gal paper; in boxes where these are more than `MOST_WAVES` fundamentals
        together (above 115 Mpc/h) both are smaller, 3/7 and 4/7 of that number.
    angles : int
        Number of angles between them, from 0 to pi.
    shell_width : float, optional
        [h/Mpc]; by default the fundamental.
    grid_size : int, optional
        Voxels along each side; by default a number that is fast to transform and has k1 + k2 below
        three quarters of the Nyquist wavenumber, or half of it without interlacing or PCS.
    assignment : str
        NGP, CIC, TSC or PCS.
    interlacing : bool
        Deposit twice, the second time moved by half a voxel, which removes every second image.
    weight : str
        ``"stellar_mass"`` or ``"number"``.
    line_of_sight : str, optional
        ``"x"``, ``"y"`` or ``"z"``: measure in redshift space, averaged over directions.
    subtract_shot_noise : bool
    jackknife : int
        See `bispectrum_of_field`.

    Returns
    -------
    Measurement
        See `bispectrum_of_field`; without galaxies the estimates are NaN.

    Raises
    ------
    UsageError
        An option has a value that is not allowed.
    BadValueError
        A position is outside the box, or a mass or velocity is not allowed.
    """
    jackknives.check_per_side(jackknife)  # before the work
    box_size = galaxies.snapshot.box_size
    chosen, (k1, k2) = _choice_of_sides(k1, k2, box_size), default_sides(k1, k2, box_size)
    width = Shells.of(k1, k2, angles, shell_width, box_size).width
    if grid_size is None:
        longest = (k1 + k2 + width / 2.0) * box_size / (2.0 * np.pi)
        grid_size = grid_size_above(int(2.0 * longest / _reach(assignment, interlacing)))
    check_memory(
        f"bispectrum, field of {grid_size}^3 voxels",
        peak.of_deposit(grid_size, len(galaxies), interlacing=interlacing),
        WAY_OUT,
    )
    mass, position = weights(galaxies, weight), positions(galaxies, line_of_sight)
    put = interlaced_deposit if interlacing else deposit
    field = put(position, mass, grid_size=grid_size, box_size=box_size, assignment=assignment)

    def by_block(values: Array, jackknife: int) -> Any:
        if not jackknife:
            return math.fsum(values)  # independent of the order of rows
        return jackknives.sums_by_block(
            position, values, jackknife, grid_size=len(field), box_size=box_size
        )

    def measure(field: Array, jackknife: int) -> Measurement:
        return bispectrum_of_field(
            field,
            box_size,
            assignment=assignment,
            interlaced=interlacing,
            k1=k1,
            k2=k2,
            angles=angles,
            shell_width=shell_width,
            sums_of_powers=(by_block(mass**2, jackknife), by_block(mass**3, jackknife)),
            subtract_shot_noise=subtract_shot_noise,
            jackknife=jackknife,
        )

    result = of_galaxies(measure, field, jackknife, weight=weight, line_of_sight=line_of_sight)
    if result["aliased"].any():
        warn(
            f"bispectrum: images of the grid may change it by more than {ACCURACY:.0%} (column "
            "aliasing_bias): interlace with PCS, or take a larger grid",
        )
    return replace(result, settings={**result.settings, "sides": chosen})


def default_sides(k1: float | None, k2: float | None, box_size: float) -> tuple[float, float]:
    """Return k1 and k2 [h/Mpc], by default `SIDES`, or less in a large box."""
    scale = 1.0
    if box_size * sum(SIDES) > MOST_WAVES * 2.0 * math.pi:
        scale = MOST_WAVES * 2.0 * math.pi / (box_size * sum(SIDES))
    first, second = (scale * side for side in SIDES)
    return first if k1 is None else k1, second if k2 is None else k2


def _choice_of_sides(k1: float | None, k2: float | None, box_size: float) -> str:
    """Return how k1 and k2 were chosen, and warn if the box is too large for `SIDES`."""
    if k1 is not None and k2 is not None:
        return "as asked for"
    taken = default_sides(k1, k2, box_size)
    if taken == default_sides(k1, k2, 0.0):
        return f"{SIDES[0]:g} and {SIDES[1]:g} h/Mpc unless asked for"
    text = (
        f"k1 = {taken[0]:.4g} and k2 = {taken[1]:.4g} h/Mpc, as {SIDES[0]:g} and {SIDES[1]:g} are "
        f"more than {MOST_WAVES} fundamentals in a box of {box_size:g} Mpc/h"
    )
    warn(f"bispectrum: {text}; --k1 and --k2 choose others")
    return text


def _reach(assignment: str, interlacing: bool) -> float:
    """Return the largest side over the Nyquist wavenumber on a grid of the default size."""
    return 0.75 if interlacing and assignment == "PCS" else 0.5


def bispectrum_of_field(
    mass_per_voxel: Array,
    box_size: float,
    *,
    assignment: str | None,
    interlaced: bool = False,
    k1: float = SIDES[0],
    k2: float = SIDES[1],
    angles: int = 25,
    shell_width: float | None = None,
    sums_of_powers: tuple[float | Array, float | Array] | None = None,
    subtract_shot_noise: bool = False,
    jackknife: int = 3,
) -> Measurement:
    """Measure the bispectrum of a field in a periodic box.

    Parameters
    ----------
    mass_per_voxel : ndarray, shape (N, N, N)
        [Msun/h], or any quantity whose overdensity is measured; pass ``1 + delta`` for an
        overdensity. A field in single precision is transformed in single precision.
    box_size : float
        [Mpc/h]
    assignment : str or None
        Scheme of the deposit; None for a field that was not deposited, which has no window to
        correct.
    interlaced : bool
        Whether every second image was removed
        (`mockgal.fields.waves.interlaced.interlaced_deposit`).
    k1, k2, angles, shell_width
        See `bispectrum`.
    sums_of_powers : tuple of two floats, or two ndarrays of shape (jackknife**3,), optional
        Sums of the squares and of the cubes of the masses of the deposited points, for the shot
        noise; over all points, or over those in each sub-volume
        (`mockgal.statistics.jackknife.sums_by_block`), which the jackknife needs if shot noise is
        subtracted. If one sub-volume holds all points, errors are NaN.
    subtract_shot_noise : bool
        Subtract it from the bispectrum and, for the reduced bispectrum, from the power; for each
        left-out sample subtract its own.
    jackknife : int
        Sub-volumes along each side of a jackknife, or 0 for the errors of a Gaussian field. A
        jackknife takes some 30 times as long, but Gaussian errors can be tens of times too small
        for mass-weighted galaxies. Jackknife errors are within 20% of the scatter between boxes for
        Gaussian and log-normal fields. If a few massive galaxies dominate the bispectrum, no errors
        from one box are good: jackknife errors are then, averaged over boxes, half to twice the
        scatter, and less in most of them.

    Returns
    -------
    Measurement
        ``theta``, ``k3``, ``bispectrum``, ``reduced_bispectrum``, their errors, ``power_k3``,
        ``triangles`` and, with an assignment, ``aliasing_bias``, ``aliasing_bound`` and
        ``aliased``. The powers of the other two shells are in the settings. Angles whose third
        side is shorter than any wave have no triangles.

    Raises
    ------
    UsageError
        An option has a value that is not allowed, shells have no waves or extend beyond the Nyquist
        wavenumber, or the field is not a cube.
    BadValueError
        The mean of the field is not positive, or not a number.
    """
    field = GriddedField(
        values=mass_per_voxel,
        length=box_size,
        assignment=assignment,
        interlaced=interlaced,
        sum_of_squares=None if sums_of_powers is None else sums_of_powers[0],
        subtract_shot_noise=subtract_shot_noise,
        jackknife=jackknife,
    )
    volume = box_size**3
    shells = Shells.of(k1, k2, angles, shell_width, box_size)
    check_reach(shells, len(field))
    triangles = Triangles(shells.low, shells.high)
    check_memory(
        f"bispectrum of {len(field)}^3 voxels, with waves up to {triangles.limit} fundamentals",
        peak.of_bispectrum(len(field), triangles, jackknife, own_field=False),
        WAY_OUT,
    )
    check_filled(triangles, shells)
    mean, waves, gain = _waves(field, triangles.limit)
    noise = None
    if sums_of_powers is not None:
        noise = Noise.of(sums_of_powers, mean * field.values.size, volume)
    subtracted = noise if noise is not None and subtract_shot_noise else Noise(0.0, 0.0)
    estimates = estimate(whole_sums(waves / mean, triangles), triangles, volume, subtracted)
    if jackknife:
        left_out = left_out_sums(field.values, waves, triangles, gain, jackknife)
        own = subtracted
        if sums_of_powers is not None:
            forget_empty(left_out, sums_of_powers[0])
            if subtract_shot_noise:
                own = Noise.left_out(field, sums_of_powers, volume)
        others = estimate(left_out, triangles, volume, own)
        reduced = reduced_left_out(estimates, others)
        kept = {"bispectrum": others.value, "reduced_bispectrum": reduced}
        errors = (jackknives.error(others.value), jackknives.error(reduced))
    else:
        errors, kept = gaussian_errors(estimates, triangles, volume), {}
    images = of_bispectrum(len(field), shells.outer_edges, assignment, interlaced)
    settings = {
        **_settings(field, shells, triangles, estimates.power),
        "mean_density": mean * field.values.size / volume,
        "mean_density_unit": "Msun littleh2 / Mpc3",
        "errors": field.errors_in_words(),
        "shot_noise": "not known" if noise is None else "s2 (P1 + P2 + P3 - 3 s2) + s3",
        "shot_noise_subtracted": subtract_shot_noise,
        **images.settings,
    }
    if noise is not None:
        settings["shot_noise_s2"], settings["shot_noise_s3"] = map(float, noise)
    return Measurement(
        "bispectrum",
        _columns(shells, triangles, estimates, errors) | images.columns,
        {**FIELDS, **images.fields},
        axis="theta",
        estimates=("bispectrum", "reduced_bispectrum"),
        count="triangles",
        settings=settings,
        error_degrees_of_freedom=jackknife**3 - 1 if jackknife else np.inf,
        style=Style(log_x=False),
        left_out=kept,
    )


def _waves(field: GriddedField, limit: int) -> tuple[float, Array, Array]:
    """Return the mean of a field, its waves without the window, and the gain along an axis.

    Returns
    -------
    mean : float
        Mass per voxel.
    waves : ndarray of complex128
        Fourier coefficients of the mass per voxel, for components below ``limit``.
    gain : ndarray
        One over the window.
    """
    raw = low_waves(field.values, limit)
    mean = check_mean(float(raw[0, 0, 0].real))  # NaN if any voxel is NaN
    gain = np.ones(len(raw))
    if field.assignment is not None:
        gain = 1.0 / axis_window(len(field), field.assignment)[components(limit)]
    return mean, times_along_axes(raw.astype(np.complex128, copy=False), [gain, gain, gain]), gain


def _columns(
    shells: Shells, triangles: Triangles, estimates: Estimates, errors: tuple[Array, Array]
) -> dict[str, Array]:
    return {
        "theta": np.linspace(0.0, np.pi, len(shells.sides) - 2),
        "k3": shells.sides[2:],
        "bispectrum": estimates.value,
        "bispectrum" + ERROR: errors[0],
        "reduced_bispectrum": estimates.reduced,
        "reduced_bispectrum" + ERROR: errors[1],
        "power_k3": estimates.power[2:],
        "triangles": triangles.number,
    }


def _settings(
    field: GriddedField, shells: Shells, triangles: Triangles, power: Array
) -> dict[str, Any]:
    """Return the settings of the shells and of the grid."""
    return {
        "k1_h_per_mpc": float(shells.sides[0]),
        "k2_h_per_mpc": float(shells.sides[1]),
        "shell_width_h_per_mpc": float(shells.width),
        "shells": "k - width / 2 to k + width / 2, without the upper edge",
        "power_k1": float(power[0]),
        "power_k2": float(power[1]),
        "waves_k1": int(triangles.waves[0]),
        "waves_k2": int(triangles.waves[1]),
        "grid_size": len(field),
        "grid_size_of_products": triangles.grid_size,
        "fundamental_h_per_mpc": float(shells.fundamental),
        "nyquist_h_per_mpc": float(np.pi * len(field) / field.length),
        **field.window_settings(),
    }
