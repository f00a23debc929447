"""Trend of galaxies with the mass of their hosts, continued below an edge."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...system.columns.on_disk import blocks_of
from .host_edge import FEW, LOWEST, Hosts

Array = NDArray[Any]

STEP = 0.05  # dex of stellar mass
GRID = np.arange(4.0, 14.0 + STEP / 2, STEP)  # log10 of stellar mass [Msun/h]
MIDDLE = (GRID[1:] + GRID[:-1]) / 2
_POWERS = np.arange(0.0, 3.05, 0.1)  # of the number of galaxies with host mass
NEAR, REACH_OF_TREND = 0.2, 0.3  # dex of host mass above an edge
_SLOPES = (0.5, 2.5)  # credible range of the slope of log M* with log host mass
# The slope for satellites, and where there are no galaxies to measure it on. Stellar masses of
# satellites follow their own masses, which are far below the host's and on the steep part of the
# relation: the slope of centrals in hosts above an edge beyond its knee, 0.5, would give up to five
# times too many.
SLOPE = 1.5


class Trend(NamedTuple):
    """Trend of galaxies with host mass, continued below an edge.

    Stellar masses and numbers of galaxies fall with the mass of the host.

    Parameters
    ----------
    profile : ndarray, shape (m,)
        Galaxies in bins of stellar mass of a host of the mass ``log_mass``.
    log_mass : float
        log10 [Msun/h].
    slope : float
        Slope of log stellar mass with log host mass, within `_SLOPES`.
    steepness : float
        Slope of the log of the number of galaxies, where no floor makes numbers fall.
    """

    profile: Array
    log_mass: float
    slope: float
    steepness: float

    @classmethod
    def of_law(cls, log_mass: Array, number: Array) -> Trend:
        """Return the trend of a law between hosts of two masses (see `hosts_by_law`)."""
        totals = number.sum(axis=1)
        means = [float(np.average(MIDDLE, weights=row)) if row.any() else None for row in number]
        apart = float(log_mass[1] - log_mass[0])
        slope, steepness = SLOPE, 0.0
        if means[0] is not None and means[1] is not None:
            slope = (means[1] - means[0]) / apart
            steepness = math.log10(float(totals[1] / totals[0])) / apart
        return cls(number[0], float(log_mass[0]), _believed(slope), max(steepness, 0.0))

    @classmethod
    def of_galaxies(
        cls,
        columns: Mapping[str, Array],
        hosts: Hosts,
        edge: float,
        central: bool,
        slope: float,
        *,
        steep: bool,
    ) -> Trend | None:
        """Return the trend of the galaxies of a kind above an edge, None if there are too few.

        With ``steep`` their number has a slope with host mass, too: the maximum-likelihood one of
        Poisson numbers. Where there is a floor, the trend of stellar mass makes numbers fall.
        """
        reaches = (NEAR, 2 * NEAR, 5 * NEAR)
        number, sums = [0] * len(reaches), [0.0] * len(reaches)
        profiles = np.zeros((len(reaches), len(MIDDLE)))
        for kind, host_mass, mass in blocks_of(columns, "is_central", "halo_mass", "stellar_mass"):
            near = (kind == central) & (host_mass >= 10**edge) & (mass > 0)
            near &= host_mass < 10 ** (edge + 5 * NEAR)
            x = np.log10(host_mass[near]) - edge
            y = np.log10(mass[near].astype(np.float64))
            for k, reach in enumerate(reaches):
                chosen = x < reach
                number[k] += int(np.count_nonzero(chosen))
                sums[k] += float(x[chosen].sum())
                profiles[k] += np.histogram(y[chosen] - slope * x[chosen], GRID)[0]
        for k, reach in enumerate(reaches):
            inside = (hosts.log_mass > edge) & (hosts.log_mass < edge + reach)
            counts, above = hosts.found[inside], hosts.log_mass[inside] - edge
            if not counts.any() or number[k] < FEW:
                continue
            powers = _POWERS if steep else _POWERS[:1]
            whole = (counts * 10.0 ** np.outer(powers, above)).sum(axis=1)
            likelihood = math.log(10.0) * powers * sums[k]
            best = int(np.argmax(likelihood - number[k] * np.log(whole)))
            return cls(profiles[k] / whole[best], edge, slope, float(powers[best]))
        return None

    def below(self, log_mass: Array, number: Array, log_floor: float) -> Array:
        """Return the galaxies by stellar mass of ``number`` hosts of lower masses, shape (m,)."""
        galaxies = np.zeros(len(MIDDLE))
        filled = self.profile > 0
        for host, count in zip(log_mass[number > 0], number[number > 0], strict=True):
            down = host - self.log_mass
            value = MIDDLE[filled] + self.slope * down
            weight = self.profile[filled] * (count * 10.0 ** (self.steepness * min(down, 0.0)))
            kept = value >= log_floor
            galaxies += np.histogram(value[kept], GRID, weights=weight[kept])[0]
        return galaxies


def slope_of_centrals(columns: Mapping[str, Array], edge: float) -> float:
    """Return the slope of log stellar mass with log host mass, of centrals above an edge.

    It is measured over a decade, away from the edge, where a floor of stellar mass truncates the
    trend.
    """
    low = edge + NEAR + REACH_OF_TREND if math.isfinite(edge) else LOWEST

    def clear() -> Iterator[Array]:
        names = ("is_central", "halo_mass", "stellar_mass")
        for central, host_mass, mass in blocks_of(columns, *names):
            chosen = central & (host_mass >= 10**low) & (host_mass < 10 ** (low + 1.0))
            chosen &= mass > 0
            yield np.log10([host_mass[chosen], mass[chosen].astype(np.float64)])

    number, total = 0, np.zeros(2)
    for points in clear():
        number, total = number + points.shape[1], total + points.sum(axis=1)
    if number < FEW:
        return SLOPE
    spread = common = 0.0
    for points in clear():
        x, y = points - (total / number)[:, None]
        spread, common = spread + float(x @ x), common + float(x @ y)
    return _believed(common / spread) if spread else SLOPE


def _believed(slope: float) -> float:
    return min(max(slope, _SLOPES[0]), _SLOPES[1])
