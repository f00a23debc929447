"""Which bins of stellar mass are complete, by the catalogue's own statement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...types import GalaxyCatalog
from ..result import Field
from .bins import MassBins

COMPLETE = Field("", "whether the catalogue holds all galaxies of the bin, as far as is known")


def complete(galaxies: GalaxyCatalog, bins: MassBins) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    """Return which bins are wholly complete, and entries for `Measurement.settings`.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        Its `GalaxyCatalog.completeness` decides; if that is not stated, no bin is complete.
    bins : MassBins
        n bins of stellar mass.

    Returns
    -------
    ndarray of bool, shape (n,)
    dict
        See `mockgal.completeness.Completeness.settings`.
    """
    edges, stated = bins.edges, galaxies.completeness
    return stated.holds(edges[:-1], edges[1:]), stated.settings()
