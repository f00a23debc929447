"""The mass function that a model of stellar masses predicts for any parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...types import GalaxyCatalog, Snapshot
from .hosts import Numbers

Array = NDArray[Any]


@dataclass(frozen=True)
class StellarMassBins:
    """Bins of stellar mass.

    Parameters
    ----------
    edges : tuple of float
        [Msun/h]
    """

    edges: tuple[float, ...]
    statistic: ClassVar[str] = "mass_function"
    axis: ClassVar[str] = "stellar_mass"

    def check(self, snapshot: Snapshot) -> None:
        """Accept every box."""

    def facts(self) -> dict[str, Any]:
        """Return what identifies the bins: JSON values."""
        return {"statistic": self.statistic, "edges_msun_h": list(self.edges)}

    def unit(self, box_size: float) -> Array:
        """Return what a number of galaxies in each bin is multiplied by [h^3 Mpc^-3 dex^-1]."""
        return np.asarray(1.0 / (box_size**3 * np.diff(np.log10(self.edges))))

    def measure(self, galaxies: GalaxyCatalog) -> Array:
        """Return the mass function of a mock in a box, shape (bins,)."""
        place = np.searchsorted(self.edges, galaxies["stellar_mass"], side="right")
        counts = np.bincount(place, minlength=len(self.edges) + 1)[1 : len(self.edges)]
        return counts * self.unit(galaxies.snapshot.box_size)


@dataclass(frozen=True)
class MassTable:
    """The mass function from numbers of galaxies above the edges of its bins.

    Parameters
    ----------
    bins : StellarMassBins
    first : int
        Which of the masses of `Numbers.above` is the first edge; the others follow.
    box_size : float
        [Mpc/h]
    """

    bins: StellarMassBins
    first: int
    box_size: float

    def predict(self, numbers: Numbers) -> Array:
        """Return the mass function [h^3 Mpc^-3 dex^-1] for p sets of mean numbers, (p, bins)."""
        above = numbers.above[:, self.first : self.first + len(self.bins.edges)]
        return np.asarray(-np.diff(above, axis=1) * self.bins.unit(self.box_size))
