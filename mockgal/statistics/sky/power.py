"""Power spectrum multipoles of galaxies on the sky, as Feldman, Kaiser & Peacock 1994 and others.

- F(x) = n_g(x) - alpha n_r(x), the weights of galaxies less those of randoms, on a cubic grid
  around the survey, assigned and interlaced as in `mockgal.statistics.power.spectrum`.
- P_l(k) = (2 l + 1) / I <F(k) conj(F_l(k))>, with F_l the transform of F times L_l(mu), mu being
  the cosine of the angle between the wave and the line of sight to each place, that to one of the
  two galaxies of a pair (Yamamoto et al. 2006; `mockgal.statistics.sky.moments`). I is the integral
  of the squared density of weights (`mockgal.statistics.sky.window`).
- Shot noise: (sum of w^2 of galaxies + alpha^2 sum of w^2 of randoms) / I, in the monopole alone.
- P is that of the sky convolved with the window of the survey, and is not deconvolved.
- Errors are those of a Gaussian field of the measured spectrum with shot noise, whose share varies
  over the survey (`geometry.Radial.independent_volume`): correlations that the window makes
  between bins, and structure larger than the survey, are not in them. On a wide sky
  F and F_l are of different lines of sight: of the variance of P_l, (P_0 P_ll + P_0l^2) / 2 a wave,
  the second term is smaller by the mean of L_l over pairs of places (`geometry.alike`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...errors import BadValueError, UsageError
from ...fields.assign import deposit
from ...fields.waves.interlaced import interlaced_deposit, shot_noise_gains
from ...system.memory import check_memory
from ...types import GalaxyCatalog
from ..power.gridded import GriddedField, window_gain
from ..power.result import (
    ESTIMATES,
    ShellSums,
    ShotNoise,
    Waves,
    multipoles,
    power_result,
)
from ..power.shells import white_mean
from ..power.wave_bins import wave_bins
from ..result import ERROR, Measurement
from .geometry import Radial, alike
from .surveys import Survey, survey_of
from .window import normalisation

Array = NDArray[Any]

GRID_SIZE, PADDING = 256, 2.0
_WIDTH = 3.0  # of bins, in fundamentals of the survey's extent: narrower ones are correlated
_BYTES = 48  # per voxel, at the peak
ERRORS = (
    "of a Gaussian field with the measured spectrum in the effective number of waves (Feldman, "
    "Kaiser & Peacock 1994, eq. 2.3.2); without the correlations of bins that the window makes: "
    "too large in bins narrower than it"
)
WINDOW = "not deconvolved: the spectrum is convolved with the survey (statistic sky_window)"


class Grid(NamedTuple):
    """A cubic grid around a survey.

    Parameters
    ----------
    corner : ndarray, shape (3,)
        Relative to the observer [Mpc/h].
    length : float
        Side [Mpc/h].
    size : int
        Voxels along each side.
    assignment : str
    interlacing : bool
    """

    corner: Array
    length: float
    size: int
    assignment: str
    interlacing: bool

    def deposit(self, position: Array, weight: Array) -> Array:
        """Return weights per voxel, for positions relative to the observer."""
        put = interlaced_deposit if self.interlacing else deposit
        return put(
            position - self.corner,
            weight,
            grid_size=self.size,
            box_size=self.length,
            assignment=self.assignment,
        )


def power_on_the_sky(
    galaxies: GalaxyCatalog,
    randoms: GalaxyCatalog,
    *,
    grid_size: int | None = None,
    padding: float = PADDING,
    assignment: str = "PCS",
    interlacing: bool = True,
    k_min: float | None = None,
    k_max: float | None = None,
    k_width: float | None = None,
    log_k_width: float | None = None,
    weigh_by: str | None = None,
    redshifts: str | None = None,
    fiducial_cosmology: Cosmology | str | None = None,
    subtract_shot_noise: bool = False,
) -> Measurement:
    """Measure the power spectrum multipoles P_0, P_2 and P_4 of galaxies on the sky.

    Parameters
    ----------
    galaxies, randoms : GalaxyCatalog
        On the sky.
    grid_size : int, optional
        Voxels along each side of a cube around the survey; by default `GRID_SIZE`.
    padding : float
        Side of the cube over the largest extent of the survey along an axis, from 1 on.
    assignment : str
        NGP, CIC, TSC or PCS.
    interlacing : bool
        See `mockgal.statistics.power.spectrum.power_spectrum`.
    k_min, k_max, k_width, log_k_width : float, optional
        See `mockgal.statistics.power.spectrum.power_of_field`. By default bins are three times as
        wide as the fundamental wavenumber of the survey's extent.
    weigh_by, redshifts, fiducial_cosmology
        See `mockgal.statistics.sky.surveys.survey_of`.
    subtract_shot_noise : bool
        Subtract the shot noise, which is reported in either case.

    Returns
    -------
    Measurement
        Columns as those of `mockgal.statistics.power.spectrum.power_of_field`, with ``quadrupole``
        and ``hexadecapole``; ``modes`` are the effective number of independent waves.

    Raises
    ------
    UsageError, BadValueError, ResourceError
        An option is not allowed, or the catalogues are not of one survey.
    """
    survey = survey_of(
        galaxies,
        randoms,
        weigh_by=weigh_by,
        redshifts=redshifts,
        fiducial_cosmology=fiducial_cosmology,
        jackknife=0,
    )
    size = GRID_SIZE if grid_size is None else grid_size
    grid = grid_around(survey, size, padding, assignment, interlacing)
    bins = {"k_min": k_min, "k_max": k_max, "k_width": k_width, "log_k_width": log_k_width}
    return power_of(survey, grid, bins, subtract_shot_noise=subtract_shot_noise)


def grid_around(
    survey: Survey,
    size: int = GRID_SIZE,
    padding: float = PADDING,
    assignment: str = "PCS",
    interlacing: bool = True,
) -> Grid:
    """Return a cube around the randoms, larger than their largest extent by the factor ``padding``.

    Raises
    ------
    UsageError
        The factor is below 1, or not finite.
    BadValueError
        Galaxies lie outside of it.
    """
    if not 1.0 <= padding < math.inf:
        raise UsageError("padding", f"{padding}", "a factor from 1 on")
    place = survey.randoms.position
    low, high = place.min(axis=0), place.max(axis=0)
    length = float(np.max(high - low)) * padding * (1.0 + 1e-6)
    corner = (low + high) / 2.0 - length / 2.0
    inside = ((survey.data.position >= corner) & (survey.data.position < corner + length)).all(1)
    if not inside.all():
        raise BadValueError(
            "galaxies",
            f"{np.count_nonzero(~inside)} outside of the grid, which is around the randoms",
            "galaxies where there are randoms",
            "cut these galaxies, or give a larger --padding",
        )
    return Grid(corner, length, size, assignment, interlacing)


def power_of(
    survey: Survey,
    grid: Grid,
    bins: dict[str, float | None],
    *,
    subtract_shot_noise: bool = False,
) -> Measurement:
    """Measure the power of a survey made of arrays (`Survey`, `SkySample.of`) on a grid."""
    data, randoms, alpha = survey.data, survey.randoms, survey.alpha
    if all(value is None for value in bins.values()):
        extent = float(np.ptp(survey.randoms.position, axis=0).max())
        bins = {**bins, "k_width": _WIDTH * 2.0 * math.pi / extent}
    shells, described = wave_bins(grid.size, grid.length, **bins)
    needed = _BYTES * grid.size**3 + 64 * (len(data) + len(randoms))
    check_memory(f"power of {grid.size}^3 voxels", needed, "choose a smaller --grid")
    norm, words = normalisation(survey)
    field = grid.deposit(data.position, data.weight)
    field -= grid.deposit(randoms.position, alpha * randoms.weight)
    squares = float(np.sum(data.weight**2)), float(alpha**2 * np.sum(randoms.weight**2))
    gridded = GriddedField(
        values=field,
        length=grid.length,
        assignment=grid.assignment,
        interlaced=grid.interlacing,
        sum_of_squares=sum(squares),
        subtract_shot_noise=subtract_shot_noise,
        jackknife=0,
    )
    from .moments import moment_sums

    gain = window_gain(grid.size, grid.assignment)
    voxel = grid.length / grid.size
    sums = moment_sums(
        gridded.values, shells, gain, corner=grid.corner, voxel=voxel, label="grids of sky_power"
    )
    sums *= float(grid.size) ** 6 / norm
    waves = Waves(shells, shells.modes, 2.0 * np.pi / grid.length, 0, len(sums), described)
    noise = _shot_noise(sum(squares) / norm, waves, grid)
    power = multipoles(sums, shells.modes)[0] - noise.level * noise.shape[0]
    radial = Radial.of(data, randoms, 1.0)  # whatever the area, which is in the norm
    independent = radial.independent_volume(norm, power, noise.level) / grid.length**3
    waves = waves._replace(modes=shells.modes * independent)
    settings = {
        **survey.settings,
        "estimator": "Feldman, Kaiser & Peacock 1994; Yamamoto et al. 2006",
        "grid_size": grid.size,
        "grid_length_mpc_h": grid.length,
        "nyquist_h_per_mpc": float(np.pi * grid.size / grid.length),
        "lines_of_sight": "to one galaxy of each pair",
        "normalisation_h3_mpc3": norm,
        "normalisation": words,
        "shot_noise_of_the_randoms": squares[1] / norm,
    }
    found = power_result(
        "sky_power",
        gridded,
        waves,
        ShellSums(sums, None),
        noise,
        settings,
    )
    columns = dict(found.columns)
    for name, share in zip(ESTIMATES[1:], alike(randoms), strict=True):
        columns[name + ERROR] = columns[name + ERROR] * math.sqrt((1.0 + share) / 2.0)
    noted = {**found.settings, "errors": ERRORS, "window_of_the_survey": WINDOW}
    return replace(found, columns=columns, settings=noted)


def _shot_noise(level: float, waves: Waves, grid: Grid) -> ShotNoise:
    """Return the shot noise, in the monopole, with the images of the grid."""
    shells = waves.shells
    gains = shot_noise_gains(grid.size, grid.assignment, grid.interlacing)
    shape = np.zeros((waves.moments, shells.number))
    shape[0] = white_mean(shells, gains)[0]
    return ShotNoise(level, None, shape)
