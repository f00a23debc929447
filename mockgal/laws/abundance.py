"""Abundance matching: the n-th subhalo by a proxy has the n-th stellar mass of a mass function.

Vale & Ostriker 2004, astro-ph/0402500; Conroy, Wechsler & Kravtsov 2006, astro-ph/0512234. There is
no scatter of stellar mass at a given proxy: the mass function comes out exactly, and clustering is
too strong for galaxies that scatter.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


class CumulativeFunction(NamedTuple):
    """A cumulative stellar-mass function: how many galaxies per volume are at least as massive.

    Parameters
    ----------
    log_mass : ndarray, shape (n,)
        log10 of stellar mass [Msun/h], decreasing.
    density : ndarray, shape (n,)
        Number density of galaxies of at least that mass [h^3/Mpc^3], increasing.

    Examples
    --------
    >>> from mockgal.laws.abundance import CumulativeFunction
    >>> function = CumulativeFunction.of_galaxies(np.array([1e9, 1e11, 1e10]), volume=10.0)
    >>> function.mass_at(np.array([0.05, 0.25, 0.4])).tolist()
    [11.0, 9.0, -inf]
    """

    log_mass: Array
    density: Array

    @classmethod
    def of_galaxies(cls, stellar_mass: Array, volume: float) -> CumulativeFunction:
        """Return the function of galaxies in a volume.

        The n-th most massive galaxy stands for the density (n - 1/2) / volume.

        Parameters
        ----------
        stellar_mass : ndarray, shape (n,)
            [Msun/h], above 0.
        volume : float
            [(Mpc/h)^3]
        """
        mass = np.sort(np.asarray(stellar_mass, dtype=np.float64))[::-1]
        return cls(np.log10(mass), (np.arange(len(mass)) + 0.5) / volume)

    def mass_at(self, density: Array) -> Array:
        """Return log10 of the stellar mass at cumulative densities, shape (n,).

        Linear in the logarithms between the entries. Below the first density it is the largest mass
        of the function, and beyond the last by more than half a galaxy -inf: no galaxy.
        """
        if not len(self.density):
            return np.full(len(density), -np.inf)
        found = np.interp(np.log(density), np.log(self.density), self.log_mass)
        end = self.density[-1] + self.density[0]  # half a galaxy beyond the last
        return np.where(density <= end, found, -np.inf)


def abundance_matched(
    proxy: Array, ids: ArrayLike, function: CumulativeFunction, volume: float
) -> Array:
    """Return log10 of the stellar mass of each subhalo, shape (n,); -inf where it has no galaxy.

    Parameters
    ----------
    proxy : ndarray, shape (n,)
        Property that stellar mass increases with, such as vmax.
    ids : array_like of int64, shape (n,)
        Ids of the subhalos: of equal proxies the lower id has the larger mass.
    function : CumulativeFunction
    volume : float
        Volume that the subhalos are in [(Mpc/h)^3].
    """
    order = np.lexsort((np.asarray(ids), -np.asarray(proxy, dtype=np.float64)))
    rank = np.empty(len(order))
    rank[order] = np.arange(len(order)) + 0.5
    return function.mass_at(rank / volume)
