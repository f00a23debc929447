"""Power spectrum of a cube cut out of a box, which is not periodic and has a mean of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError
from ...fields.waves.fourier import check_mean, transform
from ..result import Measurement
from .gridded import GriddedField, window_gain
from .left_out import left_out_sums
from .result import ShellSums, ShotNoise, Waves, power_result
from .shells import Shells, power_sums

Array = NDArray[Any]

PADDING = 2  # side of the grid over that of the cube


def power_of_subcube(
    mass_per_voxel: Array,
    voxel_size: float,
    mean_mass_per_voxel: float,
    *,
    assignment: str | None,
    sum_of_squares: float | Array | None = None,
    subtract_shot_noise: bool = False,
    jackknife: int = 3,
) -> Measurement:
    """Measure the power spectrum of a cube of n^3 voxels cut out of a larger box.

    The overdensity relative to the mean of the whole box is placed in an empty grid of twice the
    side; with F its Fourier transform and W the cube, 1 inside and 0 outside,
    P(k) = <abs(F)**2> / integral of W**2 (Feldman, Kaiser & Peacock 1994, ApJ 426, 23, without
    weights). It estimates the box's spectrum convolved with the squared transform of W, whose width
    is about the cube's fundamental 2 pi / (n voxel_size); compare cubes of one size only.

    Parameters
    ----------
    mass_per_voxel : ndarray, shape (n, n, n)
        [Msun/h]
    voxel_size : float
        [Mpc/h]
    mean_mass_per_voxel : float
        Mean of the whole box. The settings record it beside that of the cube, which shows how far
        the cube is from the box's mean: its variance is part of the errors.
    assignment, sum_of_squares, subtract_shot_noise, jackknife
        See `mockgal.statistics.power.spectrum.power_of_field`; the squares are of the masses in the
        cube.

    Returns
    -------
    Measurement
        In shells as wide as the cube's fundamental. ``modes`` are those that a periodic box of the
        cube's size would have: waves of the padded grid over 8, as neighbours are not independent.

    Raises
    ------
    UsageError
        See `power_of_field`.
    BadValueError
        The mean is not positive, or a voxel is not a finite number.
    """
    field = GriddedField(
        values=mass_per_voxel,
        length=voxel_size,
        assignment=assignment,
        sum_of_squares=sum_of_squares,
        subtract_shot_noise=subtract_shot_noise,
        jackknife=jackknife,
    )
    cube = field.values
    mean, own = check_mean(mean_mass_per_voxel), float(np.mean(cube, dtype=np.float64))
    if not np.isfinite(own):
        raise BadValueError("field", "voxels that are not numbers", "finite masses")
    side = len(cube)
    size, volume = PADDING * side, (side * voxel_size) ** 3
    padded = np.zeros((size, size, size), dtype=cube.dtype)
    padded[:side, :side, :side] = cube - mean
    coefficients = transform(padded)
    del padded
    shells, gain = Shells(size, PADDING), window_gain(size, assignment)
    waves = Waves(shells, shells.modes / PADDING**3, 2.0 * np.pi / (size * voxel_size))
    sums = power_sums(coefficients, coefficients, shells, gain)
    # abs(F)**2 / integral of W**2 = (PADDING**3 volume abs(coefficient))**2 / volume
    unit = PADDING**6 * volume
    left_out = None
    if jackknife:
        left_out = unit * left_out_sums(
            cube, coefficients, sums, shells, gain, jackknife, mean=mean
        )
    noise_left_out = field.shot_noise_left_out(volume, mean)
    return power_result(
        "power of a sub-cube",
        field,
        waves,
        ShellSums(sums * (unit / mean**2), left_out),
        ShotNoise.of(field, field.shot_noise(mean, volume), noise_left_out, waves),
        {
            "grid_size": side,
            "padded_grid_size": size,
            "voxel_size_mpc_h": float(voxel_size),
            "nyquist_h_per_mpc": float(np.pi / voxel_size),
            "mean_density": own / voxel_size**3,
            "mean_density_of_box": mean / voxel_size**3,
            "mean_density_unit": "Msun littleh2 / Mpc3",
        },
    )
