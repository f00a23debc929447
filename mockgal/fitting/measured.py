"""The statistics that are fitted, measured in a mock, in the bins of the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import listening
from ..statistics.pairs.correlation import estimate
from ..statistics.pairs.separations import Cylinders, Shells
from ..types import GalaxyCatalog
from .likelihood import Posterior
from .tables.masses import StellarMassBins
from .tables.pairs import Bins

Array = NDArray[Any]


def measured(galaxies: GalaxyCatalog, posterior: Posterior) -> list[Array]:
    """Return the numbers that are fitted, of a mock: for each target, shape (n,)."""
    with listening(quiet=True):
        return [_statistic(galaxies, one.bins)[one.rows] for one, _ in posterior.targets]


def _statistic(galaxies: GalaxyCatalog, bins: Bins | StellarMassBins) -> Array:
    """Return w_p or xi, as the mean over the axes of the table, or the mass function, (bins,)."""
    if isinstance(bins, StellarMassBins):
        return bins.measure(galaxies)
    edges = np.array(bins.edges)
    factor = np.array([2.0 * bins.pi_max if bins.pi_max else 1.0])
    cells: Cylinders | Shells = Cylinders(edges, bins.pi_max) if bins.pi_max else Shells(edges)
    found = [
        estimate(galaxies, None, axis or None, cells, factor[:, None], factor, 0, "pairs").values
        for axis in (bins.line_of_sight or [""])
    ]
    return np.asarray(np.mean(found, axis=0)[:, 0])
