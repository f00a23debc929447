"""Power spectrum of galaxies or of a field in a periodic box, with its multipoles.

- Estimator: with m_k the Fourier coefficients of the mass per voxel, delta_k = m_k / m_0, and
  P = V <abs(delta_k)**2> over the waves of a shell [i, i + 1) k_F, i = 1, 2, ... up to the Nyquist
  wavenumber; k_F = 2 pi / L. Every independent wave counts once.
- Multipoles: (2 l + 1) <abs(delta_k)**2 L_l(mu)>, mu being the cosine of the angle to the line of
  sight. In a shell of few waves the mean of L_2 and L_4 is not zero, so that the lowest shells
  mix multipoles.
- Depositing multiplies delta_k by the window W of the assignment (`axis_window`) and adds its
  images beyond the Nyquist wavenumber. Each power is divided by W**2. The images are left, except
  for those of the shot noise, which are known: the column ``shot_noise`` has the mean over the
  shell of V sum(m**2) / sum(m)**2 times its images over W**2 (`axis_shot_noise`), and there are
  columns for what that is in the other multipoles, for a grid is not isotropic. Those of the
  signal depend on its spectrum: for a steep one they are small below half the Nyquist wavenumber
  (Jing 2005, ApJ 620, 559; Sefusatti et al. 2016, arXiv:1512.07295).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fields.assign import deposit
from ..fields.fourier import check_mean, transform
from ..fields.sample import check_axis, positions, weights
from ..types import GalaxyCatalog
from .jackknife import check_per_side
from .left_out import left_out_sums
from .power_result import check_options, of_galaxies, power_result, window_gain
from .result import Measurement
from .shells import Shells, power_sums

Array = NDArray[Any]

GRID_SIZE = 256


def power_spectrum(
    galaxies: GalaxyCatalog,
    *,
    grid_size: int | None = None,
    assignment: str = "CIC",
    weight: str = "stellar_mass",
    line_of_sight: str | None = None,
    subtract_shot_noise: bool = False,
    jackknife: int = 3,
) -> Measurement:
    """Power spectrum of galaxies, each counted with its stellar mass or as one.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    grid_size : int, optional
        Voxels along each side; `GRID_SIZE` without it.
    assignment : str
        NGP, CIC, TSC or PCS.
    weight : str
        ``"stellar_mass"`` or ``"number"``.
    line_of_sight : str, optional
        ``"x"``, ``"y"`` or ``"z"``: measure in redshift space, with multipoles.
    subtract_shot_noise : bool
    jackknife : int
        Sub-volumes along each side, or 0; see `power_of_field`.

    Returns
    -------
    Measurement
        As of `power_of_field`; without galaxies, powers that are not numbers.

    Raises
    ------
    UsageError
        An option that cannot be honoured.
    BadValueError
        Positions, masses or velocities that cannot be.
    """
    check_per_side(jackknife)  # before the work
    mass = weights(galaxies, weight)
    field = deposit(
        positions(galaxies, line_of_sight),
        mass,
        grid_size=GRID_SIZE if grid_size is None else grid_size,
        box_size=galaxies.snapshot.box_size,
        assignment=assignment,
    )

    def measure(field: Array, jackknife: int) -> Measurement:
        return power_of_field(
            field,
            galaxies.snapshot.box_size,
            assignment=assignment,
            sum_of_squares=math.fsum(mass**2),  # in any order of rows
            line_of_sight=line_of_sight,
            subtract_shot_noise=subtract_shot_noise,
            jackknife=jackknife,
        )

    return of_galaxies(measure, field, jackknife, weight=weight, line_of_sight=line_of_sight)


def power_of_field(
    mass_per_voxel: Array,
    box_size: float,
    *,
    assignment: str | None,
    sum_of_squares: float | None = None,
    subtract_shot_noise: bool = False,
    line_of_sight: str | None = None,
    jackknife: int = 3,
) -> Measurement:
    """Power spectrum of a field in a periodic box.

    Parameters
    ----------
    mass_per_voxel : ndarray, shape (N, N, N)
        [Msun/h], or anything of which the overdensity is wanted; ``1 + delta`` for an overdensity.
        Of single precision, it is transformed in single precision.
    box_size : float
        [Mpc/h]
    assignment : str or None
        How it was deposited; None for a field that was not, whose window is left alone.
    sum_of_squares : float, optional
        Of the masses of the points that were deposited, for the shot noise.
    subtract_shot_noise : bool
        From each multipole its own.
    line_of_sight : str, optional
        ``"x"``, ``"y"`` or ``"z"``: measure multipoles, too.
    jackknife : int
        Errors from leaving out each of so many sub-volumes along each side, cubed. With 3 they
        come out at 0.9 to 1.3 times the scatter between periodic boxes, for Gaussian and
        log-normal fields and points on them alike, but smaller (0.7) in the first shell, whose
        waves no sub-volume holds. With 0, errors are those of a Gaussian field of the measured
        spectrum (`mockgal.measure.power_result.gaussian_errors`), which are several times too
        small where a few massive objects make the power. In either case they are those of the
        power before shot noise is subtracted; NaN if one sub-volume holds everything.

    Returns
    -------
    Measurement
        ``k`` (the mean of the shell's waves), ``power``, its error, ``modes`` (independent waves),
        with a line of sight ``quadrupole`` and ``hexadecapole``, with a sum of squares
        ``shot_noise``. ``settings["mean_density"]`` has what the overdensity is relative to.

    Raises
    ------
    UsageError
        An option that cannot be honoured, or a field that is no cube of 4 or more voxels a side.
    BadValueError
        The mean of the field is not positive, or not a number.
    """
    field = check_options(
        mass_per_voxel, box_size, assignment, sum_of_squares, subtract_shot_noise, jackknife
    )
    axis = 0 if line_of_sight is None else check_axis(line_of_sight)
    size, volume = len(field), box_size**3
    coefficients = transform(field)
    mean = check_mean(float(coefficients[0, 0, 0].real))  # not a number if any voxel is
    shells, gain = Shells(size), window_gain(size, assignment)
    moments = 1 if line_of_sight is None else 3
    sums = power_sums(coefficients, coefficients, shells, gain, axis=axis, moments=moments)
    left_out = None
    if jackknife:
        left_out = left_out_sums(field, coefficients, sums, shells, gain, jackknife, axis=axis)
        left_out *= volume
    shot_noise = None
    if sum_of_squares is not None:
        shot_noise = volume * sum_of_squares / (mean * field.size) ** 2
    return power_result(
        "power",
        sums * (volume / mean**2),
        left_out,
        shells,
        shells.modes,
        2.0 * np.pi / box_size,
        assignment=assignment,
        shot_noise=shot_noise,
        subtract_shot_noise=subtract_shot_noise,
        jackknife=jackknife,
        axis=axis,
        settings={
            "grid_size": size,
            "line_of_sight": "none" if line_of_sight is None else line_of_sight,
            "nyquist_h_per_mpc": float(np.pi * size / box_size),
            "mean_density": mean * field.size / volume,
            "mean_density_unit": "Msun littleh2 / Mpc3",
        },
    )
