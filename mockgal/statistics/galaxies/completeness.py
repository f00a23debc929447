"""Which bins of stellar mass are complete: what the catalogue says, by one rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...types import GalaxyCatalog
from ..result import Field
from .bins import MassBins

COMPLETE = Field("", "whether the catalogue holds all galaxies of the bin, as far as is known")


def complete(galaxies: GalaxyCatalog, bins: MassBins) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    """Return which bins are complete as a whole, and entries for `Measurement.settings`.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        Whose `GalaxyCatalog.completeness` decides; without a statement no bin is complete.
    bins : MassBins
        n bins of stellar mass.

    Returns
    -------
    ndarray of bool, shape (n,)
    dict
        See `mockgal.completeness.Completeness.settings`.
    """
    edges, found = bins.edges, galaxies.completeness
    return found.holds(edges[:-1], edges[1:]), found.settings()
