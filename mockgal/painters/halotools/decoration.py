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
# Hosts next to each other in mass, fewest and most: ranks among few are coarse, and numbers differ
# over many.
RANKED = 50, 200  # that are ranked together
BALANCED = 10, 50  # that have the same number of galaxies together with and without assembly bias
_DIGITS = 9  # of log10 of a property: rounding errors must not set ranks
_LEAST_SPREAD = 1e-20  # variance of log10 of mass below which all masses are one


class Split(NamedTuple):
    """Hosts in two groups at each mass: columns of shape (n,), in order of mass.

    Parameters
    ----------
    rows : ndarray of int
        Rows of the hosts in their catalogue.
    neighbours : ndarray of int
        Number of the set of hosts, next to each other in mass, whose galaxies are balanced.
    upper : ndarray of bool
        Whether its rank is above the split.
    """

    rows: Array
    neighbours: Array
    upper: Array

    def decorate(self, mean: Array, strength: float, most: float | Array) -> Array:
        """Return the mean numbers of galaxies in hosts, which differ at the same mass.

        Among neighbours, the numbers add up to those without assembly bias, exactly: of the two
        changes, up and down, the larger is reduced and the smaller increased by one factor, as
        far as numbers stay within their bounds.

        Parameters
        ----------
        mean : ndarray, shape (m,)
            Mean numbers at the mass of each host, by row of the catalogue.
        strength : float
            From -1 to 1: of the largest change that leaves all numbers between 0 and ``most``.
            With a positive one, hosts above the split have more galaxies.
        most : float or ndarray, shape (m,)
            1 for centrals; for satellites infinity, or as many as are there.

        Returns
        -------
        ndarray, shape (m,)
            Rows that are no such hosts are unchanged.
        """
        if strength == 0.0 or not len(self.rows):
            return mean
        here, sets = mean[self.rows], int(self.neighbours[-1]) + 1
        most = np.broadcast_to(most, mean.shape)[self.rows]

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
            by = np.where((up_of == 0) | (down_of == 0), 1.0, down_of / up_of)
        room = 1.0 / abs(strength)
        more_up = np.minimum(np.minimum(np.sqrt(by), room), room * by)
        more_down = more_up / by
        change = np.where(
            self.upper, change * more_up[self.neighbours], -down * more_down[self.neighbours]
        )
        decorated = mean.copy()
        decorated[self.rows] = np.clip(here + change, 0.0, most)
        return decorated


def split_hosts(ids: Array, log_mass: Array, log_property: Array, split: float) -> Split:
    """Split hosts by rank in a property among hosts of nearly the same mass.

    Hosts that follow each other in mass are ranked together, after the trend of the property with
    mass among them, a straight line by least squares, is removed: `RANKED` of them, the fewest
    among the heaviest, whose masses are far apart (`_sizes`).

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
    size, together = _sets(n, *RANKED)
    x, y = log_mass[by_mass], log_property[by_mass]
    many = np.maximum(size, 1)[together]

    def mean(values: Array) -> Array:
        return np.asarray(np.bincount(together, values, minlength=len(size))[together] / many)

    x, y = x - mean(x), y - mean(y)
    spread = mean(x * x)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(spread > _LEAST_SPREAD, mean(x * y) / spread, 0.0)
    residual = np.round(y - slope * x, _DIGITS)
    by_rank = np.lexsort((lot[by_mass], residual, together))
    first = np.cumsum(size) - size
    upper = np.empty(n, dtype=np.bool_)
    upper[by_rank] = (np.arange(n) - first[together] + 0.5) / many > split
    return Split(by_mass, _sets(n, *BALANCED)[1], upper)


def _sets(n: int, fewest: int, most: int) -> tuple[Array, Array]:
    """Return the sizes of sets of hosts in order of mass, and the number of that of each host."""
    size = _sizes(n, fewest, most)
    return size, np.repeat(np.arange(len(size)), size)


def _sizes(n: int, fewest: int, most: int) -> Array:
    """Return the sizes of sets of neighbours in mass among n hosts, the lightest hosts first.

    A set has a fifth as many hosts as there are heavier ones, from ``fewest`` to ``most``; the set
    of the lightest has those that are left over, too.
    """
    sizes: list[int] = []
    heavier = 0
    while n - heavier >= 2 * most and (size := max(fewest, heavier // 10 * 2)) < most:
        sizes.append(size)
        heavier += size
    left = n - heavier
    whole = max(1, left // most)
    rest = [left - (whole - 1) * most] + [most] * (whole - 1)
    return np.array(rest + sizes[::-1])
