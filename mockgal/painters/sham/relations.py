"""Published relations of stellar to halo mass: formulae, parameters, scatter and validity.

All take masses in Msun. Stellar masses are those of a Chabrier initial mass function. The relations
were fitted in runs and surveys of h = 0.7 (or 0.678); like the papers' masses, those here are taken
in Msun with the h of the run, without a further power of h.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_STEPS = 451


class Relation(NamedTuple):
    """A relation of stellar to halo mass.

    Parameters
    ----------
    reference : str
    mass_definition : str
        Of the halo mass, a key of `mockgal.types.MASS_DEFINITIONS`.
    redshift, log_mass : tuple of float
        Where it holds; log10 of halo mass [Msun].
    log_stellar_mass : callable
        ``log_stellar_mass(log_mass, redshift)``: median of log10 of stellar mass [Msun].
    scatter : callable
        ``scatter(redshift)`` [dex].
    scatter_from : str
        Where the scatter is from.
    peak : str
        Whether satellites, or all, have their mass at its peak: "satellites" or "all".
    """

    reference: str
    mass_definition: str
    redshift: tuple[float, float]
    log_mass: tuple[float, float]
    log_stellar_mass: Callable[[Array, float], Array]
    scatter: Callable[[float], float]
    scatter_from: str
    peak: str = "satellites"

    def highest(self, redshift: float) -> float:
        """Return log10 of the halo mass [Msun] up to which it holds at a redshift.

        Fits that follow the few heavy halos of high redshifts fall beyond them. They end where
        they no longer rise.
        """
        mass = np.linspace(*self.log_mass, _STEPS)
        falls = np.flatnonzero(np.diff(self.log_stellar_mass(mass, redshift)) <= 0)
        return float(mass[falls[0]]) if len(falls) else self.log_mass[1]


def behroozi2013(log_mass: Array, redshift: float) -> Array:
    """Return the median relation of Behroozi, Wechsler & Conroy 2013, eqs. 3 and 4."""
    a = 1.0 / (1.0 + redshift)
    late, z = a - 1.0, redshift
    nu = math.exp(-4.0 * a * a)
    epsilon = -1.777 + (-0.006 * late) * nu - 0.119 * late
    knee = 11.514 + (-1.793 * late - 0.251 * z) * nu
    alpha = -1.412 + 0.731 * late * nu
    delta = 3.508 + (2.608 * late - 0.043 * z) * nu
    gamma = 0.316 + (1.319 * late + 0.279 * z) * nu

    def f(x: Array) -> Array:
        with np.errstate(over="ignore"):
            rise = np.log10(1.0 + np.exp(x)) ** gamma / (1.0 + np.exp(10.0**-x))
        return -np.log10(10.0 ** (alpha * x) + 1.0) + delta * rise

    return np.asarray(epsilon + knee + f(np.asarray(log_mass) - knee) - f(np.zeros(1)))


def behroozi2019(log_mass: Array, redshift: float) -> Array:
    """Return the median relation of Behroozi et al. 2019, eqs. J1 to J8.

    Parameters are those of table J1 for observed stellar masses of all galaxies, without light
    between galaxies.
    """
    a, z = 1.0 / (1.0 + redshift), redshift
    late, lna = a - 1.0, math.log(a)
    knee = 12.035 + 4.556 * late - 4.417 * lna - 0.731 * z
    epsilon = -1.435 + 1.831 * late - 1.368 * lna - 0.217 * z
    alpha = 1.963 - 2.316 * late + 1.732 * lna + 0.178 * z
    beta = 0.482 - 0.841 * late - 0.471 * z
    gamma = 10.0 ** (-1.034 - 3.100 * late - 1.055 * z)
    x = np.asarray(log_mass) - knee
    bump = gamma * np.exp(-0.5 * (x / 0.411) ** 2)
    return np.asarray(knee + epsilon - np.log10(10.0 ** (-alpha * x) + 10.0 ** (-beta * x)) + bump)


def moster2013(log_mass: Array, redshift: float) -> Array:
    """Return the mean relation of Moster, Naab & White 2013, eqs. 2 and 11 to 14."""
    late = redshift / (1.0 + redshift)
    knee, norm = 11.590 + 1.195 * late, 0.0351 - 0.0247 * late
    return _double_power(log_mass, knee, norm, 1.376 - 0.826 * late, 0.608 + 0.329 * late)


# Moster, Naab & White 2018, table 8, all galaxies: redshift, log10 of M1 [Msun], norm, beta, gamma.
_MOSTER = np.array(
    [
        (0.1, 11.78, 0.15, 1.78, 0.57),
        (0.5, 11.86, 0.18, 1.67, 0.58),
        (1.0, 11.98, 0.19, 1.53, 0.59),
        (2.0, 11.99, 0.19, 1.46, 0.59),
        (4.0, 12.07, 0.20, 1.36, 0.60),
        (8.0, 12.10, 0.24, 1.30, 0.60),
    ]
)
_BARYONS = 0.156  # share of the matter, to which table 8 refers


def moster2018(log_mass: Array, redshift: float) -> Array:
    """Return the relation of Moster, Naab & White 2018, table 8.

    Parameters are linear in redshift between the redshifts of the table.
    """
    knee, norm, beta, gamma = (
        float(np.interp(redshift, _MOSTER[:, 0], _MOSTER[:, k])) for k in range(1, 5)
    )
    return _double_power(log_mass, knee, norm * _BARYONS, beta, gamma)


def _double_power(log_mass: Array, knee: float, norm: float, beta: float, gamma: float) -> Array:
    x = np.asarray(log_mass) - knee
    ratio = np.log10(10.0 ** (-beta * x) + 10.0 ** (gamma * x))
    return np.asarray(log_mass + math.log10(2.0 * norm) - ratio)


LAWS = {
    "behroozi2013": Relation(
        "Behroozi, Wechsler & Conroy 2013, arXiv:1207.6105, section 5",
        "vir",
        (0.0, 8.0),
        (10.0, 15.0),
        behroozi2013,
        lambda redshift: 0.218 - 0.023 * (1.0 / (1.0 + redshift) - 1.0),
        "the paper, section 5",
    ),
    "behroozi2019": Relation(
        "Behroozi et al. 2019, arXiv:1806.07893, appendix J",
        "vir",
        (0.0, 10.0),
        (10.5, 15.0),
        behroozi2019,
        lambda redshift: 0.2,
        "0.2 dex, typical of the paper; its model has a scatter that depends on mass",
        "all",
    ),
    "moster2013": Relation(
        "Moster, Naab & White 2013, arXiv:1205.5807, table 1",
        "200c",
        (0.0, 4.0),
        (10.0, 15.0),
        moster2013,
        lambda redshift: 0.15,
        "0.15 dex, assumed in the paper",
    ),
    "moster2018": Relation(
        "Moster, Naab & White 2018, arXiv:1705.05373, table 8",
        "vir",
        (0.0, 8.0),
        (10.5, 15.0),
        moster2018,
        lambda redshift: 0.15,
        "0.15 dex, as in Moster et al. 2013; the paper's depends on mass",
        "all",
    ),
}
