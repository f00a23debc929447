"""The law of another property of a galaxy, given its stellar mass."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class ConditionalLaw(NamedTuple):
    """For each of n galaxies a normal law of log10 of a property, about a line in stellar mass.

    Parameters
    ----------
    intercept, slope : ndarray, shape (n,)
        Its mean is ``intercept + slope * log10 (M* / (Msun/h))``, in the unit of the column.
    scatter : ndarray, shape (n,)
        Its standard deviation [dex]; 0 for none.
    """

    intercept: Array
    slope: Array
    scatter: Array

    def take(self, rows: Array) -> ConditionalLaw:
        """The law of the chosen rows."""
        return ConditionalLaw(*(values[rows] for values in self))

    def mean(self, log_stellar_mass: Array) -> Array:
        """Mean, and median, of log10 of the property at given stellar masses, shape (n,)."""
        return np.asarray(self.intercept + self.slope * log_stellar_mass)

    def inverse_cdf(self, log_stellar_mass: Array, probability: Array) -> Array:
        """log10 of the value that the property is below with ``probability``, shape (n,).

        Parameters
        ----------
        log_stellar_mass, probability : ndarray, shape (n,)
            The latter in (0, 1).
        """
        from scipy.special import ndtri

        return np.asarray(self.mean(log_stellar_mass) + self.scatter * ndtri(probability))

    def cdf(self, log_stellar_mass: Array, log_value: Array) -> Array:
        """Probability that the property is below a value, shape (n,): uniform for true ones."""
        from scipy.special import ndtr

        return np.asarray(ndtr((log_value - self.mean(log_stellar_mass)) / self.scatter))
