"""The law of another property of a galaxy, given its stellar mass."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class ConditionalLaw(NamedTuple):
    """Log-normal law of a property for each of n galaxies, with a mean linear in log stellar mass.

    Parameters
    ----------
    intercept, slope : ndarray, shape (n,)
        The mean of log10 of the property, in the unit of its column, is
        ``intercept + slope * log10 (M* / (Msun/h))``.
    scatter : ndarray, shape (n,)
        Standard deviation of log10 of the property [dex]; 0 for no scatter.

    Examples
    --------
    >>> from mockgal.laws.distribution import ConditionalLaw
    >>> size = ConditionalLaw.of_all(2, intercept=-5.0, slope=0.3, scatter=0.1)
    >>> size.mean(np.array([9.0, 10.0])).round(6)
    array([-2.3, -2. ])
    """

    intercept: Array
    slope: Array
    scatter: Array

    @classmethod
    def of_all(cls, n: int, intercept: float, slope: float, scatter: float) -> ConditionalLaw:
        """Return the same law for n galaxies."""
        return cls(*(np.full(n, value) for value in (intercept, slope, scatter)))

    def take(self, rows: Array) -> ConditionalLaw:
        """Return the law of the chosen rows."""
        return ConditionalLaw(*(values[rows] for values in self))

    def mean(self, log_stellar_mass: Array) -> Array:
        """Return the mean (and median) of log10 of the property at stellar masses, shape (n,)."""
        return np.asarray(self.intercept + self.slope * log_stellar_mass)

    def inverse_cdf(self, log_stellar_mass: Array, probability: Array) -> Array:
        """Return the ``probability`` quantile of log10 of the property, shape (n,).

        Parameters
        ----------
        log_stellar_mass : ndarray, shape (n,)
            log10 (M* / (Msun/h)).
        probability : ndarray, shape (n,)
            In (0, 1).
        """
        from scipy.special import ndtri

        return np.asarray(self.mean(log_stellar_mass) + self.scatter * ndtri(probability))

    def cdf(self, log_stellar_mass: Array, log_value: Array) -> Array:
        """Return the probability that the property is below a value, shape (n,).

        It is uniformly distributed for the true values.
        """
        from scipy.special import ndtr

        return np.asarray(ndtr((log_value - self.mean(log_stellar_mass)) / self.scatter))
