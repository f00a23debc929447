"""Bispectrum with one sub-volume left out, for its jackknife.

Let C be the waves of one of R sub-volumes, measured relative to the mean of the rest and zero
elsewhere, and G those of the rest. The sum over all triangles is GGG + [CGG] + [CCG] + CCC, where
brackets stand for the sum over the choices of sides that are C. Leaving the sub-volume out removes
all but the first term. The jackknife is made for sums over independent pieces, one per sub-volume.
For shells about as thin as the fundamental, most terms belong to three sub-volumes, and each is
left out three times. Counting terms as independent, as Mohammad & Percival 2022 (MNRAS 514, 1289,
arXiv:2109.07071) do for pairs, the variance is right if only a fraction of them is removed:

    a = sqrt((R - 1) / (3 (R - 3))) of [CGG],   b = sqrt(1 - a**2) of [CCG],   all of CCC;

b is for terms of two sub-volumes, which are left out once with each. For the power spectrum, see
`mockgal.statistics.power.left_out`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...fields.waves.modes import components, low_waves
from ...system.progress import advance
from .. import jackknife
from .triangles import Triangles

Array = NDArray[Any]


class Sums(NamedTuple):
    """Sums of the squared overdensity over the waves of each shell, and sums over triangles.

    Their shapes are (..., 2 + m) and (..., m), for m third shells.
    """

    powers: Array
    products: Array


def whole_sums(waves: Array, triangles: Triangles) -> Sums:
    """Return the sums for an overdensity with these waves."""
    first, second = _sides(waves, triangles)
    products = triangles.powers(triangles.product(first, second), waves)
    powers = triangles.powers(waves, waves)
    return Sums(triangles.in_shells(powers), triangles.in_third_shells(products))


def left_out_sums(
    field: Array, waves: Array, triangles: Triangles, gain: Array, per_side: int
) -> Sums:
    """Return `whole_sums` with each of ``per_side``**3 sub-volumes left out in turn.

    The sub-volumes are cut between voxels, as nearly equal as the grid allows. Overdensity is
    relative to the mean of the remaining volume.

    Parameters
    ----------
    field : ndarray, shape (N, N, N)
        Mass per voxel.
    waves : ndarray of complex128, shape (2 limit - 1, 2 limit - 1, limit)
        Waves of the field, times the gains.
    triangles : Triangles
    gain : ndarray, shape (2 limit - 1,)
        Gain of each component of a wave.
    per_side : int

    Returns
    -------
    Sums
        With R = per_side**3 along the first axis, divided by the remaining fraction of the volume;
        NaN where nothing is left.
    """
    number = per_side**3
    pair = math.sqrt((number - 1) / (2 * (number - 2)))
    single = math.sqrt((number - 1) / (3 * (number - 3)))
    double = math.sqrt(1.0 - single**2)
    whole_sides = _sides(waves, triangles)
    whole_product = triangles.product(*whole_sides)
    whole_power = triangles.powers(waves, waves)
    whole_sum = triangles.powers(whole_product, waves)
    powers, products = [], []
    label = "sub-volumes of bispectrum"
    advance(0, number, label)
    for done, (place, block, base) in enumerate(jackknife.blocks(field, per_side), 1):
        cut = low_waves(block - base, triangles.limit, len(field))
        cut = times_along_axes(
            cut.astype(np.complex128, copy=False),
            [gain * _shift(triangles.limit, part.start / len(field)) for part in place],
        )
        scale = field.size / (field.size - block.size)
        power = whole_power - (1.0 - 2.0 * pair) * triangles.powers(cut, cut)
        power -= 2.0 * pair * triangles.powers(waves, cut)
        powers.append(triangles.in_shells(power) * (scale / base**2))
        sides = _sides(cut, triangles)
        # Sums over the products of two sides (of the whole, the sub-volume, the rest) with all
        # waves of the third side, and with those of the sub-volume. One product at a time: each
        # takes as much memory as the waves.
        whole = np.array([whole_sum, triangles.powers(whole_product, cut)])
        own = _with_third(triangles, sides, waves, cut)
        for one, whole_one in zip(sides, whole_sides, strict=True):
            np.subtract(whole_one, one, out=one)
        rest = _with_third(triangles, sides, waves, cut)
        mixed = whole - own - rest
        sums = rest[0] - single * rest[1]
        sums += (1.0 - single) * (mixed[0] - mixed[1]) + (1.0 - double) * mixed[1]
        sums += (1.0 - double) * (own[0] - own[1])
        products.append(triangles.in_third_shells(sums) * (scale / base**3))
        del cut, sides, one, whole_one  # free the memory before the next iteration
        advance(done, number, label)
    return Sums(np.array(powers), np.array(products))


def times_along_axes(waves: Array, gains: list[Array]) -> Array:
    """Return waves times a gain for each component, of the same shape; ``waves`` is overwritten."""
    x, y, z = gains
    waves *= x[:, None, None] * y[:, None]
    waves *= z[: waves.shape[2]]
    return waves


def _with_third(
    triangles: Triangles, sides: tuple[Array, Array], waves: Array, cut: Array
) -> Array:
    """Return the sums over the product of two sides with either third side, shape (2, bins)."""
    product = triangles.product(*sides)
    return np.array([triangles.powers(product, waves), triangles.powers(product, cut)])


def _sides(waves: Array, triangles: Triangles) -> tuple[Array, Array]:
    return triangles.side(waves, triangles.first), triangles.side(waves, triangles.second)


def _shift(limit: int, offset: float) -> Array:
    """Return the phases of waves when a field is moved by ``offset`` box sizes along one axis."""
    return np.asarray(np.exp(-2j * np.pi * offset * components(limit)))
