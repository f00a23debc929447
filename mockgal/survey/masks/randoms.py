"""The footprint of a survey from its catalogue of randoms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, UsageError
from ..footprint import SkyMap

Array = NDArray[Any]

_LEAST = 16.0  # randoms in a pixel: one is empty by chance in e^16 = 9 million


def footprint_of_randoms(ra: Array, dec: Array, *, nside: int, name: str = "randoms") -> SkyMap:
    """Return the pixels of a HEALPix map in which randoms lie, as a footprint.

    Parameters
    ----------
    ra, dec : ndarray of float, shape (n,)
        Places of randoms [deg], of even density where the survey looks.
    nside : int
        Resolution: the border of the footprint is known to the width of a pixel, 58.6 deg / nside.
    name : str
        Of the randoms, for the record.

    Returns
    -------
    SkyMap
        1 in pixels with randoms, 0 in others. Pixels on the border count as whole ones.

    Raises
    ------
    BadValueError
        No randoms, or places that are none.
    UsageError
        A resolution that no map has, or pixels so small that some are empty by chance.

    Examples
    --------
    >>> from mockgal.survey.masks.randoms import footprint_of_randoms
    >>> ra = np.linspace(10, 20, 20_000)
    >>> footprint = footprint_of_randoms(ra, np.zeros(len(ra)), nside=8)
    >>> footprint.completeness(np.array([15.0, 90.0]), np.zeros(2)).tolist()
    [1.0, 0.0]
    """
    ra, dec = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    if not len(ra) or not (np.isfinite(ra).all() and (np.abs(dec) <= 90.0).all()):
        raise BadValueError(name, f"{len(ra)} places", "right ascensions and declinations [deg]")
    if nside < 1 or nside & (nside - 1) or nside > 1 << 13:
        raise UsageError("nside", f"{nside}", f"a power of 2 up to {1 << 13}")
    from .pixels import pixels

    pixel = np.empty(len(ra), dtype=np.int64)
    pixels(
        np.ascontiguousarray(ra), np.ascontiguousarray(dec), nside, True, False, np.eye(3), pixel
    )
    number = np.bincount(pixel, minlength=12 * nside**2)
    typical, coarser = _typical(pixel), nside
    if typical < _LEAST:
        while coarser and _typical(pixel) < _LEAST:
            pixel, coarser = pixel >> 2, coarser >> 1  # four pixels make one
        raise UsageError(
            "nside",
            f"{nside}, with {typical:.3g} randoms in a pixel",
            f"{_LEAST:g} or more, so that none is empty by chance",
            f"give nside {coarser}, or more randoms" if coarser else "give more randoms",
        )
    return SkyMap((number > 0).astype(np.float64), nested=True, name=name)


def _typical(pixel: Array) -> float:
    """Return the median number of points in pixels that hold some."""
    return float(np.median(np.unique(pixel, return_counts=True)[1]))
