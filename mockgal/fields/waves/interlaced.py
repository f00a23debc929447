"""Interlacing: a field free of every second image from beyond the Nyquist wavenumber.

A grid cannot tell the wave k from its images k + 2 k_Nyquist m, with whole numbers m along each
axis. Moving particles by half a voxel along each axis multiplies images by the factor
(-1)**(m_x + m_y + m_z) relative to the wave itself, so the mean of both grids keeps only the images
for which the sum is even (Hockney & Eastwood 1988, section 7-8; Sefusatti et al. 2016,
arXiv:1512.07295, section 3.1). `shot_noise_gains` and `amplitude_gains` give the effect of these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ...system.parallel import over, threads
from ..assign import SUPPORT, check_grid, deposit
from ..origin import on_corners
from .fourier import axis_window, image_sum, transform

Array = NDArray[Any]

_IMAGES = 1000  # in either direction, if their sum has no closed form


def interlaced_deposit(
    position: Array, weight: Any, *, grid_size: int, box_size: float, assignment: str
) -> Array:
    """Return the mass per voxel, free of every second image.

    Apart from the images, its waves are those of `mockgal.fields.assign.deposit`, window included.
    Waves with a component at the Nyquist wavenumber itself, which the two grids cannot share, are
    those of the first grid. Voxels may be negative: they are samples of a band-limited field.

    Parameters
    ----------
    position, weight, grid_size, box_size, assignment
        See `mockgal.fields.assign.deposit`.

    Returns
    -------
    ndarray of float64, shape (N, N, N)
        In the unit of ``weight``; its sum is the sum of the weights. No bit depends on the order of
        the particles or on the number of threads. The work needs 16 bytes per voxel of further
        memory.

    Raises
    ------
    BadValueError, UsageError, ResourceError
        See `mockgal.fields.assign.deposit`.
    """
    check_grid(grid_size, assignment)
    place = np.asarray(position)
    waves, others = (
        transform(
            deposit(points, weight, grid_size=grid_size, box_size=box_size, assignment=assignment)
        )
        for points in (place, on_corners(place, "centre", box_size / grid_size, box_size))
    )
    return _field(_averaged(waves, others))


def interlaced(first: Array, second: Array) -> Array:
    """Return the mass per voxel of two grids of one distribution, free of every second image.

    Parameters
    ----------
    first, second : ndarray, shape (N, N, N)
        With a corner and with the centre of voxel 0 at the origin (`mockgal.fields.origin`).

    Returns
    -------
    ndarray of float64, shape (N, N, N)
        See `interlaced_deposit`.
    """
    return _field(_averaged(transform(first), transform(second)))


def on_corner(field: Array) -> Array:
    """Return a grid whose voxel 0 is centred on the origin as one that has its corner there.

    Waves below the Nyquist wavenumber are moved by half a voxel, which is exact; the others stay.

    Parameters
    ----------
    field : ndarray, shape (N, N, N)

    Returns
    -------
    ndarray, shape (N, N, N)
    """
    waves = transform(field)
    return _field(_averaged(waves, waves, share=1.0))


def _field(waves: Array) -> Array:
    """Return the real field of coefficients, which are overwritten; N is even or odd as theirs."""
    size = len(waves)
    waves = fft.ifftn(waves, axes=(0, 1), norm="forward", workers=threads(), overwrite_x=True)
    return np.asarray(
        fft.irfft(waves, n=size, axis=2, norm="forward", workers=threads(), overwrite_x=True)
    )


def _averaged(waves: Array, others: Array, share: float = 0.5) -> Array:
    """Return the mean of the coefficients of both grids, with the phases of the first.

    ``share`` is the weight of the second; the first array is overwritten.
    """
    size, last = len(waves), waves.shape[2]
    n = np.fft.fftfreq(size, 1.0 / size)
    half, own = np.exp(1j * np.pi / size * n), 2 * np.abs(n) == size

    def average(x: int) -> None:
        if not own[x]:
            moved = half[x] * half[:, None] * half[:last] * others[x]
            shared = (1.0 - share) * waves[x] + share * moved
            waves[x] = np.where(own[:, None] | own[:last], waves[x], shared)

    over(average, range(size))
    return waves


def shot_noise_gains(grid_size: int, assignment: str, interlaced: bool) -> list[Array]:
    """Return the power of random points on the grid, over the window squared.

    Parameters
    ----------
    grid_size : int
        N.
    assignment : str
    interlaced : bool

    Returns
    -------
    list of ndarray, shape (N,)
        Take the product of each over three axes; the power is the mean of these products.
    """
    p, squared = SUPPORT[assignment], axis_window(grid_size, assignment) ** 2
    gains = [image_sum(grid_size, p) / squared]
    if interlaced:
        gains.append(image_sum(grid_size, p, alternating=True) / squared)
    return gains


def amplitude_gains(grid_size: int, assignment: str, interlaced: bool) -> list[Array]:
    """Return the squared sum of the windows of all images, over the window squared.

    It has the form of `shot_noise_gains`. It is the power of a wave whose images are as strong as
    the wave itself, and all in phase with it.
    """
    p, window = SUPPORT[assignment], axis_window(grid_size, assignment)
    if p % 2 == 0:
        even, odd = (image_sum(grid_size, p // 2, alternating=a) / window for a in (False, True))
    else:  # for NGP the sum diverges slowly
        images = np.arange(-_IMAGES, _IMAGES + 1)[:, None]
        ratio = np.abs(np.sinc(np.fft.fftfreq(grid_size) + images)) ** p / window
        even, odd = ratio.sum(axis=0), (np.where(images % 2, -1.0, 1.0) * ratio).sum(axis=0)
    return [even**2, even * odd, even * odd, odd**2] if interlaced else [even**2]
