"""Bins of wavenumber that the user chose: linear or logarithmic."""

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
    """Shells of wavenumber, and what they are in words.

    Parameters
    ----------
    grid_size : int
        Voxels along each side.
    box_size : float
        [Mpc/h]
    k_min, k_max : float, optional
        Lower edge of the first bin and the end of the last [h/Mpc]; the fundamental and the Nyquist
        wavenumber without them. A bin that would reach beyond k_max is left out.
    k_width : float, optional
        [h/Mpc]; the fundamental without it.
    log_k_width : float, optional
        [dex]: bins are equal in log k.

    Raises
    ------
    UsageError
        Both widths, bins beyond the Nyquist wavenumber, or edges that do not increase from the
        first to the last.
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
        wanted = math.ceil(2.0 * last / fundamental - 1e-9)
        raise UsageError(
            "k_max",
            f"{last:.6g} h/Mpc",
            f"at most {nyquist:.6g}, the Nyquist wavenumber of {grid_size} voxels along a side",
            f"a smaller k_max, or a grid of {wanted + wanted % 2}",
        )
    if log_k_width is None:
        width = fundamental if k_width is None else k_width
        bins, said = (last - first) / width, f"{width:.6g} h/Mpc wide"
    else:
        bins, said = math.log10(last / first) / log_k_width, f"{log_k_width:.6g} dex wide"
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
    # Rounded, lest the last bit decide whether a wave at the very edge belongs to a bin.
    scaled = np.minimum(np.round(edges / fundamental, 9), grid_size / 2.0)
    return Shells(grid_size, given_edges=tuple(scaled.tolist())), (
        f"from {edges[0]:.6g} to {edges[-1]:.6g} h/Mpc, {said}, lower edge in"
    )
