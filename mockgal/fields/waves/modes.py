"""Long waves of a field, and of products of such fields: transforms without the short waves.

``waves`` of a real field are its Fourier coefficients with all components of the wavenumber below
``limit``, in units of the fundamental: shape (2 limit - 1, 2 limit - 1, limit), with components in
the order 0, 1, ..., -1, and along the last axis from 0 upwards. Values are those of
`mockgal.fields.waves.fourier.transform`. Transforms are computed plane by plane, so that neither
the short waves nor the products are ever in memory as a whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ...system.parallel import over, threads

Array = NDArray[Any]

SLAB = 4  # planes transformed together: more overflow the cache, fewer keep threads waiting


def components(limit: int) -> Array:
    """Return wavenumbers along an axis of ``waves``, shape (2 limit - 1,): 0, 1, ..., -2, -1."""
    return np.asarray(np.r_[0:limit, 1 - limit : 0])


def low_waves(field: Array, limit: int, grid_size: int | None = None) -> Array:
    """Return the long waves of a field.

    Parameters
    ----------
    field : ndarray, shape (n, n', n'')
        Real.
    limit : int
        At most (N + 1) // 2.
    grid_size : int, optional
        N >= n of the grid in which the field starts at the origin, and which is zero elsewhere; by
        default n.

    Returns
    -------
    ndarray of complex, shape (2 limit - 1, 2 limit - 1, limit)
        In the precision of the field.
    """
    size, kept = len(field) if grid_size is None else grid_size, components(limit)
    lines = np.empty((len(field), len(kept), limit), dtype=np.result_type(field, np.complex64))

    def some(planes: slice) -> None:
        lines[planes] = _low_waves_of_planes(field[planes], kept, size)

    over(some, _slabs(len(field)))
    return _along_first(lines, kept, size)


def along_first(waves: Array, grid_size: int) -> Array:
    """Return the waves transformed back along the first axis, as `product_waves` takes them.

    Returns
    -------
    ndarray of complex, shape (grid_size, 2 limit - 1, limit)
    """
    limit = waves.shape[-1]
    lines = np.zeros((grid_size, *waves.shape[1:]), dtype=waves.dtype)
    lines[components(limit)] = waves
    return np.asarray(fft.ifft(lines, axis=0, norm="forward", workers=threads(), overwrite_x=True))


def product_waves(first: Array, second: Array, limit: int) -> Array:
    """Return the long waves of the product of two fields.

    On a grid of N, waves n of the product are mixed with n + N. Waves with components below
    ``limit`` are exact if N is above the sum of ``limit - 1`` and the largest components of both.

    Parameters
    ----------
    first, second : ndarray of complex, shape (N, any, any)
        From `along_first`.
    limit : int

    Returns
    -------
    ndarray of complex, shape (2 limit - 1, 2 limit - 1, limit)
    """
    size, kept = len(first), components(limit)
    lines = np.empty((size, len(kept), limit), dtype=first.dtype)

    def some(planes: slice) -> None:
        product = _planes(first[planes], size)
        product *= _planes(second[planes], size)
        lines[planes] = _low_waves_of_planes(product, kept, size)

    over(some, _slabs(size))
    return _along_first(lines, kept, size)


def _slabs(size: int) -> list[slice]:
    return [slice(start, start + SLAB) for start in range(0, size, SLAB)]


def _planes(waves: Array, size: int) -> Array:
    """Return the field on some planes, from waves of shape (planes, 2 limit - 1, limit)."""
    limit = waves.shape[-1]
    lines = np.zeros((len(waves), size, limit), dtype=waves.dtype)
    lines[:, components(limit)] = waves
    lines = fft.ifft(lines, axis=1, norm="forward", overwrite_x=True)
    return np.asarray(fft.irfft(lines, n=size, axis=2, norm="forward", overwrite_x=True))


def _low_waves_of_planes(planes: Array, kept: Array, size: int) -> Array:
    lines = fft.rfft(planes, n=size, axis=2, norm="forward")[..., : (len(kept) + 1) // 2]
    return np.asarray(fft.fft(lines, n=size, axis=1, norm="forward")[:, kept])


def _along_first(lines: Array, kept: Array, size: int) -> Array:
    waves = fft.fft(lines, n=size, axis=0, norm="forward", workers=threads(), overwrite_x=True)
    return np.asarray(waves[kept])
