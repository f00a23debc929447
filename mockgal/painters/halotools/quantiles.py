"""Tables by host mass of the quantiles that halotools' models need.

Rows of host mass are `ROW` dex apart; a law is that of the nearest row.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...laws.normal import PROBABILITY
from .laws import OCCUPATIONS, Values, satellites_above

Array = NDArray[Any]

ROW = 0.02  # dex of host mass
HOSTS = (9.0, 17.0)  # log10 of host mass [Msun/h] that satellites' masses are tabulated for
_HEAVIEST = 13.0  # log10 of stellar mass [Msun/h^2] above that of any satellite
LEAST_RATIO = 0.1  # satellite masses reach down at least to this share of the host's
# Jiang & van den Bosch 2016, arXiv:1403.6827, table A1, unevolved subhalos of all orders:
# dN / dln psi = gamma psi^alpha exp(-beta psi^omega), psi = mass at infall / mass of the host.
_ALPHA, _BETA, _OMEGA = -0.91, 6.0, 3.0


def rows_between(grid: Array, log_mass: Array) -> Array:
    """Return the nearest of evenly spaced values, the first or last beyond them, shape (n,)."""
    nearest = np.rint((log_mass - grid[0]) / (grid[1] - grid[0]))
    return np.asarray(np.clip(nearest, 0, len(grid) - 1), dtype=np.int16)


@cache
def mass_ratio_quantiles(log_least: float) -> tuple[Array, Array]:
    """Return quantiles of the ratio of satellites' masses at infall to their hosts' masses.

    Parameters
    ----------
    log_least : float
        log10 of the lowest mass of a satellite [Msun/h].

    Returns
    -------
    grid : ndarray, shape (rows,)
        log10 of host mass [Msun/h].
    log_ratio : ndarray, shape (rows, q)
        Quantiles of log10 of the ratio at `PROBABILITY`.
    """
    grid = np.arange(*HOSTS, ROW)
    log_ratio = np.empty((len(grid), len(PROBABILITY)))
    for row, log_host in enumerate(grid):
        x = np.linspace(min(log_least - log_host, math.log10(LEAST_RATIO)), 0.0, 4001)
        density = 10.0 ** (_ALPHA * (x - x[0])) * np.exp(-_BETA * 10.0 ** (_OMEGA * x))
        below = np.append(0.0, np.cumsum(density[1:] + density[:-1]))
        log_ratio[row] = np.interp(PROBABILITY, below / below[-1], x)
    return grid, log_ratio


@cache
def stellar_mass_quantiles(log_floor: float, given: Values = ()) -> tuple[Array, Array, Array]:
    """Return the law of satellites' stellar masses that Leauthaud et al. 2011's numbers imply.

    P(> M* | M_host) = <N_sat(> M* | M_host)> / <N_sat(> floor | M_host)>.

    Parameters
    ----------
    log_floor : float
        log10 of the lowest stellar mass, in the unit of halotools (Msun/h^2).
    given : tuple
        Parameters in place of the published ones, see `mockgal.painters.halotools.laws`.

    Returns
    -------
    grid : ndarray, shape (rows,)
        log10 of host mass [Msun/h].
    medians : ndarray, shape (rows,)
        Median of log10 (stellar mass / floor) [dex].
    quantiles : ndarray, shape (rows, q)
        Quantiles of log10 (stellar mass / floor) in units of the median, at `PROBABILITY`.
    """
    low, high = OCCUPATIONS["leauthaud11"].log_mass
    grid = np.arange(low, high + ROW / 2, ROW)
    excess = np.arange(0.0, max(1.0, _HEAVIEST - log_floor), 0.01)
    above = satellites_above(log_floor + excess, 10.0**grid, given)
    with np.errstate(invalid="ignore"):
        below = 1.0 - above / above[0]
    below[:, above[0] == 0] = np.linspace(0, 1, len(excess))[:, None]  # hosts without satellites
    at = np.minimum(PROBABILITY, 1 - 1e-9)
    quantiles = np.array([np.interp(at, column, excess) for column in below.T])
    medians = quantiles[:, np.argmin(abs(PROBABILITY - 0.5))]
    return grid, medians, quantiles / medians[:, None]
