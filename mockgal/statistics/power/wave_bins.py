"""User-defined bins of wavenumber, linear or logarithmic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import UsageError
from .shells import Shells

MOST_BINS = 10_000
DEFAULT = "i to i + 1 fundamentals, i = 1, 2, ... to the Nyquist wavenumber"


def wave_bins(
    grid_size: int,
    box_size: float,
    *,
    k_min: float | None = None,
    k_max: float | None = None,
    k_width: float | None = None,
    log_k_width: float | None = None,
) -> tuple[Shells, str]:
    """Return shells of wavenumber, and their description in words.

    Parameters
    ----------
    grid_size : int
        Voxels along each side.
    box_size : float
        [Mpc/h]
    k_min, k_max : float, optional
        Lower edge of the first bin and upper limit of the last [h/Mpc]; by default the fundamental
        and the Nyquist wavenumber. A bin that would extend beyond k_max is left out.
    k_width : float, optional
        Width of linear bins [h/Mpc]; by default the fundamental.
    log_k_width : float, optional
        Width of logarithmic bins [dex].

    Raises
    ------
    UsageError
        Both widths are passed, bins extend beyond the Nyquist wavenumber, or k_min is not below
        k_max.
    """
    fundamental = 2.0 * math.pi / box_size
    nyquist = 0.5 * grid_size * fundamental
    if k_min is k_max is k_width is log_k_width is None:
        return Shells(grid_size), DEFAULT
    if k_width is not None and log_k_width is not None:
        raise UsageError("k_width", "log_k_width beside it", "one of them", "leave one out")
    for name, value in (("k_width", k_width), ("log_k_width", log_k_width)):
        if value is not None and not 0.0 < value < math.inf:
            raise UsageError(name, f"{value}", "a positive width")
    first = fundamental if k_min is None else k_min
    last = nyquist if k_max is None else k_max
    if not 0.0 < first < last < math.inf:
        raise UsageError(
            "k_min",
            f"bins from {first:.6g} to {last:.6g} h/Mpc",
            "a first wavenumber above 0 and below the last",
            f"choose them between {fundamental:.4g} and {nyquist:.4g} h/Mpc, the fundamental and "
            "the Nyquist wavenumber, or a larger grid",
        )
    if last > nyquist * (1.0 + 1e-9):
        grid = math.ceil(2.0 * last / fundamental - 1e-9)
        raise UsageError(
            "k_max",
            f"{last:.6g} h/Mpc",
            f"at most {nyquist:.6g}, the Nyquist wavenumber of {grid_size} voxels along a side",
            f"a smaller k_max, or a grid of {grid + grid % 2}",
        )
    if log_k_width is None:
        width = fundamental if k_width is None else k_width
        bins, words = (last - first) / width, f"{width:.6g} h/Mpc wide"
    else:
        bins, words = math.log10(last / first) / log_k_width, f"{log_k_width:.6g} dex wide"
    number = int(bins + 1e-6) if bins < MOST_BINS + 1 else MOST_BINS + 1
    if not 1 <= number <= MOST_BINS:
        raise UsageError(
            "k_width",
            f"{bins:.4g} bins from {first:.6g} to {last:.6g} h/Mpc",
            f"1 to {MOST_BINS}",
            "choose another width",
        )
    steps: Any = np.arange(number + 1)
    edges = first + steps * width if log_k_width is None else first * 10.0 ** (steps * log_k_width)
    # Rounded, so that rounding errors do not decide whether a wave on an edge belongs to a bin.
    scaled = np.minimum(np.round(edges / fundamental, 9), grid_size / 2.0)
    return Shells(grid_size, given_edges=tuple(scaled.tolist())), (
        f"from {edges[0]:.6g} to {edges[-1]:.6g} h/Mpc, {words}, lower edge in"
    )
