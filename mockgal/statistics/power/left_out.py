"""Power with one sub-volume left out, for the jackknife of a power spectrum.

Let F be the waves of a field of zero mean and C those of one of its R sub-volumes (zero elsewhere).
Leaving the sub-volume out removes from abs(F)**2 its power with itself, abs(C)**2, and its power
with the rest, 2 Re((F - C) conj(C)). The jackknife is made for sums over independent pieces, as the
former are. Each of the latter terms belongs to two sub-volumes and is left out twice, which makes
its variance too large by 2 (R - 2) / (R - 1); in narrow shells these terms dominate. They are
therefore multiplied by a = sqrt((R - 1) / (2 (R - 2))), as Mohammad & Percival 2022 (MNRAS 514,
1289, arXiv:2109.07071) do with pairs of galaxies:

    P_left_out = (abs(F)**2 - (1 - 2 a) abs(C)**2 - 2 a Re(F conj(C))) / (1 - 1 / R).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ...system.parallel import over, threads
from .. import jackknife
from .shells import SLAB, Shells, in_order

Array = NDArray[Any]


def left_out_sums(
    field: Array,
    coefficients: Array,
    sums: Array,
    shells: Shells,
    gain: Array,
    per_side: int,
    *,
    mean: float | None = None,
    axis: int = 0,
) -> Array:
    """Return `power_sums` of the overdensity without each of ``per_side``**3 sub-volumes in turn.

    Parameters
    ----------
    field : ndarray, shape (n, n, n)
        Mass per voxel.
    coefficients : ndarray of complex, shape (N, N, N // 2 + 1)
        Coefficients of the field on a grid of N >= n, in which it starts at the origin.
    sums : ndarray, shape (moments, shells)
        `power_sums` of the coefficients.
    shells, gain, axis
        See `power_sums`.
    per_side : int
    mean : float, optional
        Mass per voxel that overdensity is relative to; by default the mean of the remaining volume.
        The box itself is measured relative to its own mean, which differs from box to box, and the
        errors include this only if the mean varies here, too.

    Returns
    -------
    ndarray, shape (per_side**3, moments, shells)
        NaN where nothing is left.
    """
    number = per_side**3
    across = math.sqrt((number - 1) / (2 * (number - 2)))
    result = np.empty((number, *sums.shape))
    for i, block in enumerate(jackknife.blocks(field, per_side)):
        base = block.mean_elsewhere if mean is None else mean
        own, shared = _block_sums(
            block.voxels - base, block.place, coefficients, shells, gain, axis, len(sums)
        )
        left = sums - (1.0 - 2.0 * across) * own - 2.0 * across * shared
        result[i] = left * (field.size / (field.size - block.voxels.size)) / base**2
    return result


def left_out_shot_noise(
    field: Array,
    per_side: int,
    sums: Array,
    volume: float,
    *,
    power: int = 2,
    mean: float | None = None,
) -> Array:
    """Return the shot noise of the rest without each of ``per_side``**3 sub-volumes in turn.

    It is V**(p - 1) sum(m**p) / sum(m)**p, with the volume and the sums of the rest; if ``mean`` is
    passed, the mass of the rest is the mean times its volume.

    Parameters
    ----------
    field : ndarray, shape (n, n, n)
        Mass per voxel.
    per_side : int
    sums : ndarray, shape (per_side**3,)
        Sums over the points in each sub-volume of their masses to the power p.
    volume : float
        Volume of the field.
    power : int
        p.
    mean : float, optional
        See `left_out_sums`.

    Returns
    -------
    ndarray, shape (per_side**3,)
        NaN where no point is left.
    """
    elsewhere = jackknife.sums_elsewhere(sums)
    result = np.full(len(elsewhere), np.nan)
    for i, block in enumerate(jackknife.blocks(field, per_side)):
        rest = elsewhere[i]
        share = 1.0 - block.voxels.size / field.size
        base = block.mean_elsewhere if mean is None else mean
        if rest > 0:
            total = base * field.size * share
            result[i] = (volume * share) ** (power - 1) * rest / total**power
    return result


def _block_sums(
    block: Array,
    place: tuple[slice, ...],
    coefficients: Array,
    shells: Shells,
    gain: Array,
    axis: int,
    moments: int,
) -> tuple[Array, Array]:
    """Return `power_sums` of a block, placed on an empty grid, with itself and with the field.

    Rows and planes outside the block are not transformed, and the last transform is done plane by
    plane as the powers are added, so that the waves of the block are never in memory as a whole.
    """
    from .kernels import add_power

    size, limit = shells.grid_size, shells.limit
    add = add_power[coefficients.dtype]
    lines = np.zeros((*block.shape[:2], size), dtype=block.dtype)
    lines[..., place[2]] = block
    some = fft.rfft(lines, axis=2, norm="forward", workers=threads(), overwrite_x=True)
    planes = np.zeros((size, block.shape[1], limit), dtype=coefficients.dtype)
    planes[place[0]] = some[..., :limit]
    planes = fft.fft(planes, axis=0, norm="forward", workers=threads(), overwrite_x=True)

    def slab(start: int) -> Array:
        sums = np.zeros((2, shells.number + 1, moments))
        for x in range(start, min(start + SLAB, size)):
            above = limit**2 - min(x, size - x) ** 2
            if above <= 0:
                continue
            columns = math.isqrt(above - 1) + 1
            waves = np.zeros((size, columns), dtype=coefficients.dtype)
            waves[place[1]] = planes[x, :, :columns]
            waves = fft.fft(waves, axis=0, norm="forward", overwrite_x=True)[None]
            for row, other in enumerate((waves, coefficients[x : x + 1])):
                add(waves, other, x, gain, shells.of_square, limit, axis, sums[row])
        return sums

    both = over(slab, range(0, size, SLAB))
    return in_order([sums[0] for sums in both]), in_order([sums[1] for sums in both])
