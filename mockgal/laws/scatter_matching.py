"""Abundance matching with scatter: which law of stellar mass gives a mass function by rank.

The function is deconvolved with the scatter (Behroozi, Conroy & Wechsler 2010, arXiv:1001.0015,
section 3.3) by Richardson and Lucy's iteration, which keeps it positive. The exponential end of a
Schechter function is steeper than a Gaussian of constant width allows, so that no deconvolution is
exact there. What is left is removed by a monotonic map of the scattered masses, as in the public
code AbundanceMatching, which matches ranks once more: the mass function comes out at all masses,
and the scatter shrinks at the exponential end.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .normal import PROBABILITY, normal_quantiles

Array = NDArray[Any]

STEP = 0.01  # dex of stellar mass
LEAST_SCATTER = 1e-3  # dex: less is none
_FINEST = 0.2  # steps per scatter
_REACH = 6  # scatters on each side
_ITERATIONS = 200
_LEAST = 1e-290  # density that still has a logarithm
_SAME_SCATTER = 0.01  # dex
MISSING = 0.01  # share of galaxies that may be missing where a sample is complete


class Matching(NamedTuple):
    """The law of stellar mass by rank.

    Parameters
    ----------
    log_mass : ndarray, shape (n,)
        log10 of stellar mass [Msun/h], increasing in equal steps.
    total : ndarray, shape (n,)
        Cumulative number density [h^3/Mpc^3] above ``log_mass`` that is asked for.
    before : ndarray, shape (n,)
        The same of masses before the scatter.
    after : ndarray, shape (n,)
        log10 of the final mass that the mass ``log_mass`` with its scatter is mapped to.
    scatter : float
        [dex], 0 for none.
    """

    log_mass: Array
    total: Array
    before: Array
    after: Array
    scatter: float

    def location(self, density: Array) -> Array:
        """Return log10 of mass before scatter at cumulative densities; -inf below the function."""
        found = np.interp(-np.log(density), -np.log(self.before), self.log_mass)
        return np.where(density <= self.before[0], found, -np.inf)

    def final(self, log_mass: Array | float) -> Array:
        """Return log10 of the final masses of masses with their scatter."""
        inside = np.interp(log_mass, self.log_mass, self.after)
        low, high = self.log_mass[0], self.log_mass[-1]
        return np.asarray(inside + np.minimum(log_mass - low, 0) + np.maximum(log_mass - high, 0))

    def scattered(self, log_mass: float) -> float:
        """Return log10 of the mass with its scatter that is mapped to a final mass."""
        return float(np.interp(log_mass, self.after, self.log_mass))

    def quantiles(self) -> Array:
        """Return final minus initial log10 masses, by ``log_mass`` and `PROBABILITY`, (n, q)."""
        reached = self.log_mass[:, None] + self.scatter * normal_quantiles()
        return np.asarray(self.final(reached)) - self.log_mass[:, None]

    def final_scatter(self) -> Array:
        """Return the standard deviation of final log10 masses at each ``log_mass``, shape (n,)."""
        weight = np.diff(PROBABILITY)
        quantiles = self.quantiles()
        middle = (quantiles[:, 1:] + quantiles[:, :-1]) / 2
        mean = middle @ weight
        return np.sqrt(np.maximum((middle - mean[:, None]) ** 2 @ weight, 0.0))

    def keeps_scatter_to(self) -> float:
        """Return log10 of the mass up to which the scatter is the one asked for; inf for all."""
        differs = np.abs(self.final_scatter() - self.scatter) > _SAME_SCATTER
        inner = differs & (self.log_mass > self._low)
        if not self.scatter or not inner.any():
            return math.inf
        return float(self.after[np.argmax(inner)])

    def share_without_scatter(self, log_mass: float | None = None) -> float:
        """Return the share of galaxies above a mass that have less scatter than was asked for.

        Parameters
        ----------
        log_mass : float, optional
            log10 of stellar mass [Msun/h]; by default where the function begins.
        """
        low = self._low if log_mass is None else log_mass
        above = np.exp(
            np.interp([max(self.keeps_scatter_to(), low), low], self.log_mass, np.log(self.total))
        )
        return 0.0 if math.isinf(self.keeps_scatter_to()) else float(above[0] / above[1])

    @property
    def _low(self) -> float:
        """log10 of the mass that the function begins at."""
        return float(self.log_mass[0]) + 2 * _REACH * self.scatter

    def complete_from(self, density: float) -> float:
        """Return log10 of the mass above which subhalos up to a rank have 99% of the galaxies.

        Parameters
        ----------
        density : float
            Cumulative number density of the subhalos that are resolved [h^3/Mpc^3].
        """
        lowest = float(self.location(np.array([density]))[0])
        if math.isinf(lowest):
            return float(self.after[0])
        if not self.scatter:
            return lowest
        own = -np.gradient(self.before, self.log_mass)
        short = own * (self.log_mass < lowest)
        kernel = _kernel(self.scatter, self.log_mass[1] - self.log_mass[0])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.convolve(short, kernel, "same") / np.convolve(own, kernel, "same")
        missing = np.flatnonzero(
            (share > MISSING) & (self.log_mass < lowest + _REACH * self.scatter)
        )
        return float(self.after[min(missing.max(initial=-1) + 1, len(self.after) - 1)])


def matching(density: Any, low: float, high: float, scatter: float) -> Matching:
    """Return the law that gives a mass function.

    Parameters
    ----------
    density : callable
        Number density [h^3/Mpc^3/dex] at log10 of stellar mass [Msun/h].
    low, high : float
        Range of the function: log10 of stellar mass [Msun/h]. It is also asked beyond it.
    scatter : float
        Of log10 of stellar mass at a given rank, before the map [dex].

    Examples
    --------
    >>> from mockgal.laws.scatter_matching import matching
    >>> law = matching(lambda x: 10.0 ** (9.0 - x), 8.0, 11.0, 0.2)
    >>> round(float(law.final_scatter()[300]), 3)
    0.2
    """
    scatter = scatter if scatter >= LEAST_SCATTER else 0.0
    step = min(STEP, max(scatter * _FINEST, STEP / 5)) if scatter else STEP
    pad = 2 * _REACH * scatter
    x = np.arange(low - pad, high + 2.0 + step / 2, step)
    wanted = np.maximum(density(x), _LEAST)
    target = cumulative(x, wanted)
    if not scatter:
        return Matching(x, target, target, x, 0.0)
    own = _deconvolved(wanted, _kernel(scatter, step))
    before = cumulative(x, own)
    reached = cumulative(x, _convolved(own, _kernel(scatter, step)))
    after = np.interp(-np.log(reached), -np.log(target), x)
    # Near the lower end, where the iteration knows the function's trend alone, nothing is mapped.
    edge = np.interp(x, [low - pad, low - pad / 2], [0.0, 1.0])
    return Matching(x, target, before, np.maximum.accumulate(x + (after - x) * edge), scatter)


def cumulative(log_mass: Array, density: Array) -> Array:
    """Return the integral of a density from each mass up, exponential between entries; (n,)."""
    density = np.maximum(density, _LEAST)
    log = np.log(density)
    apart, step = log[:-1] - log[1:], np.diff(log_mass)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(
            np.abs(apart) > 1e-8,
            (density[:-1] - density[1:]) / apart,
            (density[:-1] + density[1:]) / 2,
        )
    pieces = np.append(mean * step, _LEAST)
    return np.asarray(np.cumsum(pieces[::-1])[::-1])


def _kernel(scatter: float, step: float) -> Array:
    reach = math.ceil(_REACH * scatter / step)
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / scatter) ** 2)
    return np.asarray(weight / weight.sum())


def _convolved(density: Array, kernel: Array) -> Array:
    """Return a density with scatter; below its range it goes on with its slope there."""
    reach = len(kernel) // 2
    slope = max(math.log(density[0] / density[1]), 0.0)
    below = density[0] * np.exp(slope * np.arange(reach, 0, -1.0))
    padded = np.concatenate([below, density, np.zeros(reach)])
    return np.maximum(np.convolve(padded, kernel, "valid"), _LEAST)


def _deconvolved(wanted: Array, kernel: Array) -> Array:
    own = wanted
    with np.errstate(over="ignore", under="ignore"):
        for _ in range(_ITERATIONS):
            ratio = np.minimum(wanted / _convolved(own, kernel), 1e3)
            reach = len(kernel) // 2
            padded = np.concatenate([np.ones(reach), ratio, np.zeros(reach)])
            own = np.maximum(own * np.convolve(padded, kernel, "valid"), _LEAST)
    return own
