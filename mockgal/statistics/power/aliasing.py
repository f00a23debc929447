"""Bounds, bin by bin, on the effect of images of waves beyond the Nyquist wavenumber."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...fields.waves.interlaced import amplitude_gains, shot_noise_gains
from ..result import Field
from .shells import Shells, white_mean

Array = NDArray[Any]

ACCURACY = 0.01  # bins with a larger bound on the bias are marked
ALIASED_FROM = "aliased_from_h_per_mpc"
ALIASING = (
    "aliasing_bias: images of waves beyond the Nyquist wavenumber add no more than this share of "
    "the power to its mean over catalogues; aliasing_bound: nor change that of one catalogue by "
    "more, relative to a sum over its galaxies without a grid; if beyond the grid the power, shot "
    "noise included, is not above the largest measured at this wavenumber or above"
)
OF_BISPECTRUM = (
    "aliasing_bias: images of waves beyond the Nyquist wavenumber change the mean over catalogues "
    "by no more than this share of it; aliasing_bound: nor that of one catalogue by more, relative "
    "to sums over its galaxies without a grid; if beyond the grid the products of three waves are "
    "not larger than those measured"
)
FIELDS = {
    "aliasing_bias": Field("", "bound on what images add to the mean over catalogues, relative"),
    "aliasing_bound": Field(
        "", "bound on what they change the value of one catalogue by, relative"
    ),
    "aliased": Field("", f"whether aliasing_bias is above {ACCURACY:g}"),
}


def aliasing(
    shells: Shells, power: Array, assignment: str, interlaced: bool
) -> tuple[Array, Array]:
    """Return bounds on the effect of the grid's images on the power of each shell, relative to it.

    An image k' has the power P(k') W(k')**2 / W(k)**2. Let P(k') be at most q P(k), with q the
    largest power measured at k or above over that at k: 1 for a falling spectrum. Waves of
    different k are independent on average, so the images add at most q times the sum of
    W(k')**2 / W(k)**2, which is the first bound. In one catalogue they interfere with the wave
    itself. If all are in phase, as for a single galaxy, the power is
    (1 + sum of abs(W(k') / W(k)))**2 times as large, which gives the second bound.

    Parameters
    ----------
    shells : Shells
    power : ndarray, shape (shells,)
        Shot noise included.
    assignment : str
    interlaced : bool

    Returns
    -------
    bias, bound : ndarray, shape (shells,)
    """
    largest = np.fmax.accumulate(power[::-1])[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        rising = np.where(power > 0, largest / power, 1.0)
    size = shells.grid_size
    gains = (
        shot_noise_gains(size, assignment, interlaced),
        amplitude_gains(size, assignment, interlaced),
    )
    bias, bound = (np.maximum(white_mean(shells, some)[0] - 1.0, 0.0) * rising for some in gains)
    return bias, bound


class Images(NamedTuple):
    """The part of a result about the images of its grid: columns, their fields, and settings."""

    columns: dict[str, Array]
    fields: dict[str, Field]
    settings: dict[str, Any]


def of_power(
    shells: Shells, k: Array, power: Array, assignment: str | None, interlaced: bool
) -> Images:
    """Return `Images` of a power spectrum, without columns for a field that was not deposited."""
    settings: dict[str, Any] = {"interlaced": interlaced, "aliasing": "not known"}
    if assignment is None:
        return Images({}, {}, settings)
    bias, bound = aliasing(shells, power, assignment, interlaced)
    columns, fields, more = marked(k, bias, bound)
    return Images(columns, fields, settings | {"aliasing": ALIASING} | more)


def marked(k: Array, bias: Array, bound: Array) -> Images:
    """Return `Images` for bounds at wavenumbers ``k``, all of shape (shells,)."""
    aliased = bias > ACCURACY
    return Images(
        {"aliasing_bias": bias, "aliasing_bound": bound, "aliased": aliased},
        FIELDS,
        {
            "aliased_above_a_bias_of": ACCURACY,
            ALIASED_FROM: float(k[aliased][0]) if aliased.any() else "none",
        },
    )


def of_bispectrum(grid_size: int, sides: Array, assignment: str | None, interlaced: bool) -> Images:
    """Return `Images` of triangles whose sides are at most ``sides``.

    If three waves of which some are images form a closed triangle, at least two of them are images.
    With r_i the root mean square of what images add to side i, and t_i the sum of all in phase, the
    bias is at most r1 r2 + r2 r3 + r3 r1 + r1 r2 r3, and the change of one catalogue at most
    (1 + t1) (1 + t2) (1 + t3) - 1.

    Parameters
    ----------
    grid_size : int
    sides : ndarray, shape (3, m)
        Upper edges of shells, in fundamentals.
    assignment : str or None
    interlaced : bool
    """
    settings: dict[str, Any] = {"interlaced": interlaced, "aliasing": "not known"}
    if assignment is None:
        return Images({}, {}, settings)
    shells = Shells(grid_size)
    white = white_mean(shells, shot_noise_gains(grid_size, assignment, interlaced))[0]
    phased = white_mean(shells, amplitude_gains(grid_size, assignment, interlaced))[0]
    last = np.clip(np.ceil(sides).astype(np.int64) - 2, 0, shells.number - 1)
    r = np.sqrt(np.maximum(white - 1.0, 0.0))[last]
    t = np.sqrt(np.maximum(phased, 1.0))[last] - 1.0
    bias = np.prod(1.0 + r, axis=0) - 1.0 - r.sum(axis=0)
    bias, bound = np.maximum(bias, 0.0), np.prod(1.0 + t, axis=0) - 1.0
    settings |= {"aliasing": OF_BISPECTRUM, "aliased_above_a_bias_of": ACCURACY}
    columns = {"aliasing_bias": bias, "aliasing_bound": bound, "aliased": bias > ACCURACY}
    return Images(columns, FIELDS, settings)
