"""Power spectrum of galaxies or of a field in a periodic box, with its multipoles.

- Estimator: with m_k the Fourier coefficients of the mass per voxel, delta_k = m_k / m_0, and
  P = V <abs(delta_k)**2> over the waves of a shell [i, i + 1) k_F, i = 1, 2, ... up to the Nyquist
  wavenumber; k_F = 2 pi / L. Every independent wave counts once.
- Multipoles: (2 l + 1) <abs(delta_k)**2 L_l(mu)>, mu being the cosine of the angle to the line of
  sight. In a shell with few waves the means of L_2 and L_4 are not zero, so the lowest shells mix
  multipoles.
- Mass assignment multiplies delta_k by its window W (`axis_window`) and adds images from beyond the
  Nyquist wavenumber (Jing 2005, ApJ 620, 559). Each power is divided by W**2. For galaxies the grid
  is interlaced (`mockgal.fields.waves.interlaced`; Sefusatti et al. 2016, arXiv:1512.07295). With
  PCS that leaves images of less than 1e-4 of the power up to the Nyquist wavenumber, where CIC
  without interlacing has a third. The rest is bounded shell by shell
  (`mockgal.statistics.power.aliasing`): columns ``aliasing_bias``, ``aliasing_bound``, and
  ``aliased``, which marks a bias above 1%.
- The images of the shot noise are known: the column ``shot_noise`` has the mean over the shell of
  V sum(m**2) / sum(m)**2 times its images over W**2 (`axis_shot_noise`). There are columns for the
  shot noise in the other multipoles, too, since a grid is not isotropic.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import warn
from ...fields.assign import deposit
from ...fields.sample import check_axis, positions, weights
from ...fields.waves.fourier import check_mean, transform
from ...fields.waves.interlaced import interlaced_deposit
from ...system.memory import check_memory
from ...types import GalaxyCatalog
from .. import peak
from ..jackknife import check_per_side, sums_by_block
from ..result import Measurement
from .aliasing import ACCURACY, ALIASED_FROM
from .gridded import GriddedField, window_gain
from .left_out import left_out_sums
from .result import ShellSums, ShotNoise, Waves, of_galaxies, power_result
from .shells import power_sums
from .wave_bins import wave_bins

Array = NDArray[Any]

GRID_SIZE = 256
WAY_OUT = "choose a smaller --grid, leave power out, or take a machine with more memory"


def power_spectrum(
    galaxies: GalaxyCatalog,
    *,
    grid_size: int | None = None,
    assignment: str = "PCS",
    interlacing: bool = True,
    k_min: float | None = None,
    k_max: float | None = None,
    k_width: float | None = None,
    log_k_width: float | None = None,
    weight: str = "stellar_mass",
    line_of_sight: str | None = None,
    subtract_shot_noise: bool = False,
    jackknife: int = 3,
) -> Measurement:
    """Measure the power spectrum of galaxies, weighted by stellar mass or equally.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    grid_size : int, optional
        Voxels along each side; by default `GRID_SIZE`.
    assignment : str
        NGP, CIC, TSC or PCS.
    interlacing : bool
        Deposit twice, the second time moved by half a voxel, which removes every second image.
    k_min, k_max, k_width, log_k_width : float, optional
        See `power_of_field`.
    weight : str
        ``"stellar_mass"`` or ``"number"``.
    line_of_sight : str, optional
        ``"x"``, ``"y"`` or ``"z"``: measure in redshift space, with multipoles.
    subtract_shot_noise : bool
        Subtract the shot noise, and from each left-out sample of the jackknife its own.
    jackknife : int
        Sub-volumes along each side, or 0; see `power_of_field`.

    Returns
    -------
    Measurement
        See `power_of_field`; without galaxies the powers are NaN.

    Raises
    ------
    UsageError
        An option has a value that is not allowed.
    BadValueError
        A position is outside the box, or a mass or velocity is not allowed.
    """
    check_per_side(jackknife)  # before the work
    size = GRID_SIZE if grid_size is None else grid_size
    box_size = galaxies.snapshot.box_size
    bins = {"k_min": k_min, "k_max": k_max, "k_width": k_width, "log_k_width": log_k_width}
    if size > 0:
        wave_bins(size, box_size, **bins)
        needed = peak.of_deposit(size, len(galaxies), interlacing=interlacing)
        needed = max(needed, peak.of_power(size, jackknife))
        check_memory(f"power of {size}^3 voxels", needed, WAY_OUT)
    mass, position = weights(galaxies, weight), positions(galaxies, line_of_sight)
    put = interlaced_deposit if interlacing else deposit
    field = put(position, mass, grid_size=size, box_size=box_size, assignment=assignment)

    def measure(field: Array, jackknife: int) -> Measurement:
        squares: Any = math.fsum(mass**2)  # independent of the order of rows
        if jackknife:
            squares = sums_by_block(position, mass**2, jackknife, grid_size=size, box_size=box_size)
        return power_of_field(
            field,
            box_size,
            assignment=assignment,
            interlaced=interlacing,
            **bins,
            sum_of_squares=squares,
            line_of_sight=line_of_sight,
            subtract_shot_noise=subtract_shot_noise,
            jackknife=jackknife,
        )

    result = of_galaxies(measure, field, jackknife, weight=weight, line_of_sight=line_of_sight)
    if result["aliased"].any():
        warn(
            f"power: from k = {result.settings[ALIASED_FROM]:.4g} h/Mpc on, images of the grid may "
            f"add more than {ACCURACY:.0%} to the power (column aliasing_bias): interlace with "
            "PCS, or take a larger grid",
        )
    return result


def power_of_field(
    mass_per_voxel: Array,
    box_size: float,
    *,
    assignment: str | None,
    interlaced: bool = False,
    k_min: float | None = None,
    k_max: float | None = None,
    k_width: float | None = None,
    log_k_width: float | None = None,
    sum_of_squares: float | Array | None = None,
    subtract_shot_noise: bool = False,
    line_of_sight: str | None = None,
    jackknife: int = 3,
) -> Measurement:
    """Measure the power spectrum of a field in a periodic box.

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
    k_min, k_max : float, optional
        First and last edge of user-defined bins [h/Mpc]; by default the fundamental and the Nyquist
        wavenumber. Without any of these options, bins are [i, i + 1) fundamentals.
    k_width : float, optional
        Width of linear bins [h/Mpc]; by default the fundamental.
    log_k_width : float, optional
        Width of logarithmic bins [dex], instead of ``k_width``.
    sum_of_squares : float or ndarray, shape (jackknife**3,), optional
        Sum of the squared masses of the deposited points, for the shot noise; over all points, or
        over those in each sub-volume (`mockgal.statistics.jackknife.sums_by_block`), which the
        jackknife needs if shot noise is subtracted.
    subtract_shot_noise : bool
        Subtract from each multipole, and from each left-out sample, its own shot noise.
    line_of_sight : str, optional
        ``"x"``, ``"y"`` or ``"z"``: measure multipoles, too.
    jackknife : int
        Sub-volumes along each side of a jackknife. With 3, errors are 0.9 to 1.3 times the scatter
        between periodic boxes, for Gaussian and log-normal fields and points on them alike, but
        smaller (0.7) in the first shell, whose waves do not fit in a sub-volume. With 0, errors are
        those of a Gaussian field of the measured spectrum
        (`mockgal.statistics.power.result.gaussian_errors`), which are several times too small if a
        few massive objects dominate the power. NaN if one sub-volume holds everything.

    Returns
    -------
    Measurement
        ``k`` (the mean of the shell's waves), ``k_low``, ``k_high``, ``power``, its error,
        ``modes`` (independent waves), with a line of sight ``quadrupole`` and ``hexadecapole``,
        with a sum of squares ``shot_noise``, with an assignment ``aliasing_bias``,
        ``aliasing_bound`` and ``aliased``. Bins without waves have NaN.
        ``settings["mean_density"]`` is the density that the overdensity is relative to.

    Raises
    ------
    UsageError
        An option has a value that is not allowed, or the field is not a cube of 4 or more voxels a
        side.
    BadValueError
        The mean of the field is not positive, or not a number.
    """
    field = GriddedField(
        values=mass_per_voxel,
        length=box_size,
        assignment=assignment,
        interlaced=interlaced,
        sum_of_squares=sum_of_squares,
        subtract_shot_noise=subtract_shot_noise,
        jackknife=jackknife,
    )
    axis = 0 if line_of_sight is None else check_axis(line_of_sight)
    size, volume = len(field), box_size**3
    coefficients = transform(field.values)
    mean = check_mean(float(coefficients[0, 0, 0].real))  # NaN if any voxel is NaN
    gain = window_gain(size, assignment)
    shells, described = wave_bins(
        size, box_size, k_min=k_min, k_max=k_max, k_width=k_width, log_k_width=log_k_width
    )
    moments = 1 if line_of_sight is None else 3
    waves = Waves(shells, shells.modes, 2.0 * np.pi / box_size, axis, moments, described)
    sums = power_sums(coefficients, coefficients, shells, gain, axis=axis, moments=moments)
    left_out = None
    if jackknife:
        left_out = left_out_sums(
            field.values, coefficients, sums, shells, gain, jackknife, axis=axis
        )
        left_out *= volume
    noise_left_out = field.shot_noise_left_out(volume)
    if left_out is not None and noise_left_out is not None:
        left_out[np.isnan(noise_left_out)] = np.nan
    return power_result(
        "power",
        field,
        waves,
        ShellSums(sums * (volume / mean**2), left_out),
        ShotNoise.of(field, field.shot_noise(mean, volume), noise_left_out, waves),
        {
            "grid_size": size,
            "line_of_sight": "none" if line_of_sight is None else line_of_sight,
            "nyquist_h_per_mpc": float(np.pi * size / box_size),
            "mean_density": mean * field.values.size / volume,
            "mean_density_unit": "Msun littleh2 / Mpc3",
        },
    )
