"""The law that gives subhalos their stellar mass, with a term for the surroundings of a halo.

log M* = f(log m) + E s + scatter, with m the mass of the subhalo and f the double power law of
Moster et al. 2013 (arXiv:1205.5807, equation 2); s is the log of the density just outside the host,
minus its mean over the hosts, divided by its standard deviation, so that E is the root mean square
of the term over hosts. Satellites have the s of their host. The numbers are invented: the law does
not claim to describe real galaxies.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ..errors import UsageError
from ..random import uniform
from .halos import SHELL, Halos

Array = NDArray[Any]

_STREAM = "synthetic universe: "


@dataclass(frozen=True)
class Law:
    """Parameters of the law.

    Parameters
    ----------
    scatter : float
        Standard deviation of the Gaussian scatter [dex].
    environment : float
        Root mean square of the environment term [dex], which grows with density.
    log_pivot : float
        log10 of the mass at which the slope changes [Msun/h].
    ratio : float
        Twice the ratio of stellar mass to mass at the pivot.
    low, high : float
        M*/m falls as m to the power ``low`` below the pivot, and to the power ``high`` above it.
    log_luminous, steepness : float
        log10 of m_L [Msun/h], and the steepness: a subhalo has a galaxy with probability
        1 / (1 + (m / m_L)^-steepness).
    """

    scatter: float = 0.15
    environment: float = 0.3
    log_pivot: float = 11.6
    ratio: float = 0.06
    low: float = 1.0
    high: float = 0.6
    log_luminous: float = 10.8
    steepness: float = 3.0

    def mean(self, log_mass: Array) -> Array:
        """Return the first term, log10 of stellar mass [Msun/h], at log10 of mass [Msun/h]."""
        x = log_mass - self.log_pivot
        return np.asarray(
            log_mass + np.log10(self.ratio / (10.0 ** (-self.low * x) + 10.0 ** (self.high * x)))
        )

    def luminous_probability(self, log_mass: Array) -> Array:
        """Return the probability of a galaxy at log10 of mass [Msun/h]."""
        return np.asarray(1.0 / (1.0 + 10.0 ** (self.steepness * (self.log_luminous - log_mass))))


class Galaxies(NamedTuple):
    """Stellar mass [Msun/h] of each subhalo, 0 without a galaxy, and the terms of its log10.

    All arrays have the shape (n,).
    """

    stellar_mass: Array
    mean: Array
    environment: Array
    scatter: Array
    record: dict[str, Any]


def galaxies(halos: Halos, law: Law, seed: int) -> Galaxies:
    """Draw the galaxies of subhalos from the law.

    Parameters
    ----------
    halos : Halos
    law : Law
    seed : int
        Draws depend on the seed and the halo id.

    Returns
    -------
    Galaxies
        Subhalos without a galaxy have all terms, too. The record has the law, the mean and standard
        deviation of the surroundings, and the correlation of the environment term with mass.

    Raises
    ------
    UsageError
        Fewer than two hosts, whose surroundings have no standard deviation.
    """
    catalog = halos.catalog
    if np.sum(catalog["is_central"]) < 2:
        raise UsageError(
            "synthetic universe", f"{len(catalog)} halos", "two or more", "take more particles"
        )
    central, ids, log_mass = catalog["is_central"], catalog["halo_id"], np.log10(catalog["mass"])
    hosts = halos.surroundings[central]
    mean, deviation = float(np.mean(hosts)), float(np.std(hosts))
    environment = law.environment * (halos.surroundings - mean) / deviation
    scatter = law.scatter * ndtri(uniform(seed, _STREAM + "stellar mass", ids))
    luminous = uniform(seed, _STREAM + "luminous", ids) < law.luminous_probability(log_mass)
    terms = law.mean(log_mass), environment, scatter
    stellar = np.where(luminous, 10.0 ** sum(terms), 0.0)
    record = asdict(law) | {
        "shell_mpc_h": SHELL,
        "mean_log_density": mean,
        "standard_deviation_log_density": deviation,
        "correlation_of_environment_with_log_mass": _correlation(environment, log_mass, central),
        "luminous": int(np.sum(luminous)),
    }
    return Galaxies(stellar, *terms, record)


def _correlation(x: Array, y: Array, rows: Array) -> float:
    return float(np.corrcoef(x[rows], y[rows])[0, 1])
