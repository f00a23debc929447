"""Assembly bias: numbers of galaxies that depend on a second property of hosts at a given mass.

The numbers are those of the decorated HOD (Hearin et al. 2016, arXiv:1512.03050): hosts of a mass
are split by rank into two groups, of which one gets more galaxies and the other fewer, so that the
mean at the mass does not change.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...random import uniform

Array = NDArray[Any]

REFERENCE = "Hearin et al. 2016, arXiv:1512.03050 (decorated HOD)"
GROUP = 50  # hosts next to each other in mass that are ranked together
_DIGITS = 9  # of log10 of a property: rounding errors must not set ranks
_LEAST_SPREAD = 1e-20  # variance of log10 of mass below which all masses are one


class Split(NamedTuple):
    """Hosts in two groups at each mass: columns of shape (n,), in order of mass.

    Parameters
    ----------
    rows : ndarray of int
        Rows of the hosts in their catalogue.
    neighbours : ndarray of int
        Number of the set of hosts, next to each other in mass, that a host is ranked in.
    upper : ndarray of bool
        Whether its rank is above the split.
    """

    rows: Array
    neighbours: Array
    upper: Array

    def decorate(self, mean: Array, strength: float, most: float) -> Array:
        """Return the mean numbers of galaxies in hosts, which differ at the same mass.

        Among neighbours, the numbers add up to those without assembly bias, exactly: the larger
        of the two changes, up and down, is reduced to the other.

        Parameters
        ----------
        mean : ndarray, shape (m,)
            Mean numbers at the mass of each host, by row of the catalogue.
        strength : float
            From -1 to 1: of the largest change that leaves all numbers between 0 and ``most``.
            With a positive one, hosts above the split have more galaxies.
        most : float
            1 for centrals, infinity for satellites.

        Returns
        -------
        ndarray, shape (m,)
            Rows that are no such hosts are unchanged.
        """
        if strength == 0.0 or not len(self.rows):
            return mean
        here, sets = mean[self.rows], int(self.neighbours[-1]) + 1

        def total(values: Array) -> Array:  # in an order of its own: no rounding by rows
            return np.bincount(self.neighbours, values, minlength=sets)

        above = total(self.upper)
        below = total(~self.upper)
        alone = (above == 0) | (below == 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(alone, 0.0, below / above)[self.neighbours]
        if strength > 0:
            change = strength * np.minimum(most - here, here * ratio)
        else:
            change = strength * np.minimum(here, (most - here) * ratio)
        with np.errstate(divide="ignore", invalid="ignore"):
            down = np.where(ratio > 0, change / ratio, 0.0)
            up_of, down_of = total(change * self.upper), total(down * ~self.upper)
            less_up = np.where(up_of == 0, 1.0, np.minimum(1.0, down_of / up_of))
            less_down = np.where(down_of == 0, 1.0, np.minimum(1.0, up_of / down_of))
        number = np.where(
            self.upper,
            here + change * less_up[self.neighbours],
            here - down * less_down[self.neighbours],
        )
        decorated = mean.copy()
        decorated[self.rows] = np.clip(number, 0.0, most)
        return decorated


def split_hosts(ids: Array, log_mass: Array, log_property: Array, split: float) -> Split:
    """Split hosts by rank in a property among hosts of nearly the same mass.

    `GROUP` hosts that follow each other in mass are ranked together, after the trend of the
    property with mass among them, a straight line by least squares, is removed. The set of the
    lightest hosts has those that are left over, too.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,)
        Equal masses and properties are put in an order by a number drawn for the id: ids often
        follow the place in the box.
    log_mass, log_property : ndarray, shape (n,)
    split : float
        Share of hosts below the split.

    Returns
    -------
    Split
        Independent of the order of rows, but for the numbers of the rows.
    """
    n = len(ids)
    lot = uniform(0, "equal hosts", ids)
    by_mass = np.lexsort((lot, log_mass))
    sets = max(1, n // GROUP)
    neighbours = np.maximum(0, (np.arange(n) - (n - sets * GROUP)) // GROUP)
    x, y = log_mass[by_mass], log_property[by_mass]
    size = np.bincount(neighbours, minlength=sets)
    many = np.maximum(size, 1)[neighbours]

    def mean(values: Array) -> Array:
        return np.asarray(np.bincount(neighbours, values, minlength=sets)[neighbours] / many)

    x, y = x - mean(x), y - mean(y)
    spread = mean(x * x)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(spread > _LEAST_SPREAD, mean(x * y) / spread, 0.0)
    residual = np.round(y - slope * x, _DIGITS)
    by_rank = np.lexsort((lot[by_mass], residual, neighbours))
    first = np.cumsum(size) - size
    upper = np.empty(n, dtype=np.bool_)
    upper[by_rank] = (np.arange(n) - first[neighbours] + 0.5) / many > split
    return Split(by_mass, neighbours, upper)
