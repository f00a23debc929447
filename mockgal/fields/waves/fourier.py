"""Fourier coefficients of fields, and the effect of mass assignment on them.

A field of N^3 voxels on a box of size L has the coefficients

    delta_k = 1/N^3 sum over voxels delta(x) exp(-i k x),    k = 2 pi n / L,

so that its power spectrum is P(k) = L^3 <abs(delta_k)^2>. Voxel centres lie half a voxel from the
origin. The resulting phases of the coefficients are left out: neither the power nor the bispectrum
of closed triangles depends on them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ...errors import BadValueError
from ...system.memory import check_memory
from ...system.parallel import threads
from ..assign import SUPPORT

Array = NDArray[Any]

# B-splines of order 2 p at whole numbers and half-way between them, from the middle outwards.
_SPLINES = {1: (1,), 2: (4, 1), 3: (66, 26, 1), 4: (2416, 1191, 120, 1)}
_HALF_WAY = {1: (1,), 2: (23, 1), 3: (1682, 237, 1), 4: (259723, 60657, 2179, 1)}


def axis_window(grid_size: int, assignment: str) -> Array:
    """Return the Fourier transform of the assignment's cloud along one axis: sinc(n / N)**p.

    Hockney & Eastwood 1988, section 5-3; Jing 2005, ApJ 620, 559, equation 18. The window of
    three axes is their product.

    Parameters
    ----------
    grid_size : int
        N.
    assignment : str
        One of `mockgal.fields.assign.SUPPORT`, which gives p.

    Returns
    -------
    ndarray, shape (N,)
        In the order of `numpy.fft.fftfreq`; the first N // 2 + 1 are those of a real transform.
    """
    return np.asarray(np.sinc(np.fft.fftfreq(grid_size)) ** SUPPORT[assignment])


def axis_shot_noise(grid_size: int, assignment: str) -> Array:
    """Return the power of random points after mass assignment, along one axis, relative to white.

    A grid cannot tell k from k + 2 k_Nyquist, so the power is the squared window summed over all
    images, sum over m of sinc(n / N + m)**(2 p): Jing 2005, equation 20. That is the Fourier series
    of the B-spline of order 2 p at whole numbers, which are Eulerian numbers.

    Parameters
    ----------
    grid_size : int
        N.
    assignment : str

    Returns
    -------
    ndarray, shape (N,)
        In the order of `axis_window`. For three axes take the product; compare it with the window
        squared.
    """
    return image_sum(grid_size, SUPPORT[assignment])


def image_sum(grid_size: int, half: int, *, alternating: bool = False) -> Array:
    """Return the sum over images m of sinc(n / N + m)**(2 half), each times (-1)**m if alternating.

    It is the Fourier series of the B-spline of order 2 half at whole numbers, or half-way between
    them if alternating.

    Parameters
    ----------
    grid_size : int
        N.
    half : int
        1 to 4.
    alternating : bool

    Returns
    -------
    ndarray, shape (N,)
        In the order of `numpy.fft.fftfreq`.
    """
    phase = 2.0 * np.pi * np.fft.fftfreq(grid_size)
    if alternating:
        numbers = _HALF_WAY[half]
        series = sum(number * np.cos((j + 0.5) * phase) for j, number in enumerate(numbers))
        return np.asarray(series / sum(numbers) * np.ones(grid_size))
    middle, *sides = _SPLINES[half]
    series = middle + sum(2.0 * number * np.cos((j + 1) * phase) for j, number in enumerate(sides))
    return np.asarray(series / (middle + 2 * sum(sides)) * np.ones(grid_size))


def check_mean(mean: float) -> float:
    """Return the mean of a field, if an overdensity can be defined relative to it.

    Raises
    ------
    BadValueError
        The mean is zero, negative or not a number.
    """
    if not 0.0 < mean < np.inf:
        raise BadValueError(
            "field", f"a mean of {mean:g} per voxel", "a positive one", "is anything on the grid?"
        )
    return mean


def transform(field: Array) -> Array:
    """Return the Fourier coefficients of a real field: ``rfftn(field) / field.size``.

    Parameters
    ----------
    field : ndarray, shape (N, N, N)

    Returns
    -------
    ndarray of complex, shape (N, N, N // 2 + 1)
        Single precision for a field of single precision. The coefficients do not depend on the
        number of threads.

    Raises
    ------
    ResourceError
        The coefficients do not fit in memory.
    """
    check_memory(f"transform of {field.shape[0]}^3 voxels", field.nbytes)
    return np.asarray(fft.rfftn(field, norm="forward", workers=threads()))
