"""Interlacing: a field of which every second image beyond the Nyquist wavenumber is gone.

A grid cannot tell the wave k from its images k + 2 k_Nyquist m, m being whole numbers along each
axis. Particles that are moved by half a voxel along each axis give images the factor
(-1)**(m_x + m_y + m_z) relative to the wave itself, so that the mean of both grids has only those
images left for which the sum is even (Hockney & Eastwood 1988, section 7-8; Sefusatti et al. 2016,
arXiv:1512.07295, section 3.1). `shot_noise_gains` and `amplitude_gains` say what those still do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ...system.parallel import over, threads
from ..assign import SUPPORT, deposit
from ..origin import on_corners
from .fourier import axis_window, image_sum, transform

Array = NDArray[Any]

_IMAGES = 1000  # in either direction, where their sum has no closed form


def interlaced_deposit(
    position: Array, weight: Any, *, grid_size: int, box_size: float, assignment: str
) -> Array:
    """Mass per voxel, free of every second image.

    Its waves are those of `mockgal.fields.assign.deposit` otherwise, window included. Waves with a
    component at the Nyquist wavenumber itself, which the two grids cannot share, are those of the
    first grid. Voxels may be negative: they are samples of a band-limited field.

    Parameters
    ----------
    position, weight, grid_size, box_size, assignment
        As for `mockgal.fields.assign.deposit`.

    Returns
    -------
    ndarray of float64, shape (N, N, N)
        In the unit of ``weight``; the sum is that of the weights. No bit depends on the order of
        the particles or on the number of threads. Beside it the work takes 16 bytes per voxel.

    Raises
    ------
    BadValueError, UsageError, ResourceError
        As of `mockgal.fields.assign.deposit`.
    """
    waves = _interlaced_waves(np.asarray(position), weight, grid_size, box_size, assignment)
    waves = fft.ifftn(waves, axes=(0, 1), norm="forward", workers=threads(), overwrite_x=True)
    return np.asarray(
        fft.irfft(waves, n=grid_size, axis=2, norm="forward", workers=threads(), overwrite_x=True)
    )


def _interlaced_waves(
    position: Array, weight: Any, grid_size: int, box_size: float, assignment: str
) -> Array:
    """Mean of the coefficients of both grids, at the places of the first."""

    def coefficients(position: Array) -> Array:
        return transform(
            deposit(position, weight, grid_size=grid_size, box_size=box_size, assignment=assignment)
        )

    waves = coefficients(position)
    others = coefficients(on_corners(position, "centre", box_size / grid_size, box_size))
    n = np.fft.fftfreq(grid_size, 1.0 / grid_size)
    half, own = np.exp(1j * np.pi / grid_size * n), 2 * np.abs(n) == grid_size
    last = waves.shape[2]

    def average(x: int) -> None:
        if not own[x]:
            shared = 0.5 * (waves[x] + half[x] * half[:, None] * half[:last] * others[x])
            waves[x] = np.where(own[:, None] | own[:last], waves[x], shared)

    over(average, range(grid_size))
    return waves


def shot_noise_gains(grid_size: int, assignment: str, interlaced: bool) -> list[Array]:
    """What becomes of the power of points at random, over the window squared.

    Parameters
    ----------
    grid_size : int
        N.
    assignment : str
    interlaced : bool

    Returns
    -------
    list of ndarray, shape (N,)
        For each of them the product over three axes; the sum of these is wanted, over their number.
    """
    p, squared = SUPPORT[assignment], axis_window(grid_size, assignment) ** 2
    gains = [image_sum(grid_size, p) / squared]
    if interlaced:
        gains.append(image_sum(grid_size, p, alternating=True) / squared)
    return gains


def amplitude_gains(grid_size: int, assignment: str, interlaced: bool) -> list[Array]:
    """The same for the squared sum of the windows of all images, over the window itself.

    That is the power of a wave whose images are as strong as it is, and all in phase with it.
    """
    p, window = SUPPORT[assignment], axis_window(grid_size, assignment)
    if p % 2 == 0:
        even, odd = (image_sum(grid_size, p // 2, alternating=a) / window for a in (False, True))
    else:  # of NGP the sum grows without end, if slowly
        images = np.arange(-_IMAGES, _IMAGES + 1)[:, None]
        ratio = np.abs(np.sinc(np.fft.fftfreq(grid_size) + images)) ** p / window
        even, odd = ratio.sum(axis=0), (np.where(images % 2, -1.0, 1.0) * ratio).sum(axis=0)
    return [even**2, even * odd, even * odd, odd**2] if interlaced else [even**2]
