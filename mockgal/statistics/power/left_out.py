"""Power with one sub-volume left out, for the jackknife of a power spectrum.

Let F be the waves of a field of zero mean and C those of one of its R sub-volumes (zero elsewhere).
Leaving the sub-volume out removes from abs(F)**2 its power with itself, abs(C)**2, and its power
with the rest, 2 Re((F - C) conj(C)). The jackknife is made for sums over independent pieces, as the
former are. Each of the latter terms belongs to two sub-volumes and is left out twice, which makes
its variance too large by 2 (R - 2) / (R - 1); in narrow shells these terms dominate. They are
therefore multiplied by a = sqrt((R - 1) / (2 (R - 2))), as Mohammad & Percival 2022 (MNRAS 514,
1289, arXiv:2109.07071) do with pairs of galaxies:

    P_left_out = (abs(F)**2 - (1 - 2 a) abs(C)**2 - 2 a Re(F conj(C))) / (1 - 1 / R).

For the cross-power of two fields F and G, with C and D those of the sub-volume, it is likewise

    (Re(F conj(G)) - (1 - 2 a) Re(C conj(D)) - a Re(F conj(D) + C conj(G))) / (1 - 1 / R).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement
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
    left_out = left_out_of_pairs(
        [field], [coefficients], sums[None], shells, [gain], per_side, mean=mean, axis=axis
    )
    return left_out[:, 0]


def left_out_of_pairs(
    fields: Sequence[Array],
    coefficients: Sequence[Array],
    sums: Array,
    shells: Shells,
    gains: Sequence[Array],
    per_side: int,
    *,
    mean: float | None = None,
    axis: int = 0,
) -> Array:
    """Return `left_out_sums` of each two of several fields on one grid.

    Parameters
    ----------
    fields, coefficients : sequence of ndarray
        See `left_out_sums`; of one precision.
    sums : ndarray, shape (pairs, moments, shells)
        `power_sums` of each pair, in the order of `itertools.combinations_with_replacement`: of two
        fields, the power of the first, the cross-power, and the power of the second.
    shells, per_side, mean, axis
        See `left_out_sums`.
    gains : sequence of ndarray, shape (N,)
        Of each pair.

    Returns
    -------
    ndarray, shape (per_side**3, pairs, moments, shells)
        NaN where nothing is left.
    """
    number = per_side**3
    across = math.sqrt((number - 1) / (2 * (number - 2)))
    result = np.empty((number, *sums.shape))
    cut = zip(*(jackknife.blocks(field, per_side) for field in fields), strict=True)
    for i, parts in enumerate(cut):
        bases = [part.mean_elsewhere if mean is None else mean for part in parts]
        voxels = [part.voxels - base for part, base in zip(parts, bases, strict=True)]
        own, shared = _block_sums(
            voxels, parts[0].place, coefficients, shells, gains, axis, sums.shape[1]
        )
        left = sums - (1.0 - 2.0 * across) * own - across * shared
        left *= fields[0].size / (fields[0].size - voxels[0].size)
        both = combinations_with_replacement(bases, 2)
        result[i] = left / np.array([one * other for one, other in both])[:, None, None]
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
    blocks: Sequence[Array],
    place: tuple[slice, ...],
    coefficients: Sequence[Array],
    shells: Shells,
    gains: Sequence[Array],
    axis: int,
    moments: int,
) -> tuple[Array, Array]:
    """Return `power_sums` of each two blocks at one place, and of each with the other's field.

    The latter are added up over the two; both have the shape (pairs, moments, shells). Rows and
    planes outside the blocks are not transformed, and the last transform is done plane by plane as
    the powers are added, so that the waves of a block are never in memory as a whole.
    """
    from .kernels import add_power

    size, limit = shells.grid_size, shells.limit
    add = add_power[coefficients[0].dtype]
    pairs = list(combinations_with_replacement(range(len(blocks)), 2))
    planes = [
        _planes(block, place, size, limit, waves.dtype)
        for block, waves in zip(blocks, coefficients, strict=True)
    ]

    def slab(start: int) -> Array:
        sums = np.zeros((2, len(pairs), shells.number + 1, moments))
        for x in range(start, min(start + SLAB, size)):
            above = limit**2 - min(x, size - x) ** 2
            if above <= 0:
                continue
            columns = math.isqrt(above - 1) + 1
            waves = [_waves(some[x, :, :columns], place[1], size) for some in planes]
            whole = [some[x : x + 1] for some in coefficients]
            for row, (i, j) in enumerate(pairs):
                rest = (x, gains[row], shells.of_square, limit, axis)
                add(waves[i], waves[j], *rest, sums[0, row])
                add(waves[i], whole[j], *rest, sums[1, row])
                if i != j:
                    add(waves[j], whole[i], *rest, sums[1, row])
        return sums

    both = over(slab, range(0, size, SLAB))
    own, shared = (
        np.array([in_order([sums[k, row] for sums in both]) for row in range(len(pairs))])
        for k in range(2)
    )
    for row, (i, j) in enumerate(pairs):
        if i == j:  # added up once above
            shared[row] *= 2.0
    return own, shared


def _planes(block: Array, place: tuple[slice, ...], size: int, limit: int, precision: Any) -> Array:
    """Return a block transformed along two axes, shape (size, its rows, limit)."""
    lines = np.zeros((*block.shape[:2], size), dtype=block.dtype)
    lines[..., place[2]] = block
    some = fft.rfft(lines, axis=2, norm="forward", workers=threads(), overwrite_x=True)
    planes = np.zeros((size, block.shape[1], limit), dtype=precision)
    planes[place[0]] = some[..., :limit]
    return np.asarray(fft.fft(planes, axis=0, norm="forward", workers=threads(), overwrite_x=True))


def _waves(plane: Array, rows: slice, size: int) -> Array:
    """Return the waves of a block in one plane, shape (1, size, columns)."""
    waves = np.zeros((size, plane.shape[1]), dtype=plane.dtype)
    waves[rows] = plane
    return np.asarray(fft.fft(waves, axis=0, norm="forward", overwrite_x=True)[None])
