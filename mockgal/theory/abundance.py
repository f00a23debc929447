"""Halo mass functions fitted to simulations.

Sheth & Tormen 1999 (MNRAS 308, 119) for friends-of-friends groups, Tinker et al. 2008
(arXiv:0803.2706) for spherical-overdensity masses.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import interpolate

from ..cosmology import Cosmology
from .linear import Growth, linear_power, rms_overdensity

Array = NDArray[Any]

NAMES = {True: "Sheth & Tormen 1999", False: "Tinker et al. 2008"}  # by whether fof

# Tinker et al. 2008, table 2: A, a, b, c at redshift 0 by density over the mean density.
_DENSITY = (200, 300, 400, 600, 800, 1200, 1600, 2400, 3200)
_FIT = (
    (0.186, 0.200, 0.212, 0.218, 0.248, 0.255, 0.260, 0.260, 0.260),
    (1.47, 1.52, 1.56, 1.61, 1.87, 2.13, 2.30, 2.53, 2.66),
    (2.57, 2.25, 2.05, 1.87, 1.59, 1.51, 1.46, 1.44, 1.41),
    (1.19, 1.27, 1.34, 1.45, 1.58, 1.80, 1.97, 2.24, 2.44),
)
# For runs whose cosmology lacks what a spectrum needs: Planck 2018, arXiv:1807.06209, table 2.
_BARYONS, _ASSUMED = 0.157, {"sigma_8": 0.81, "n_s": 0.965}


def with_spectrum(cosmology: Cosmology) -> tuple[Cosmology, list[str]]:
    """Return the cosmology completed for a spectrum, and the names of the assumed parameters.

    The assumed values are those of Planck 2018.
    """
    values = {"omega_b": _BARYONS * cosmology.omega_m, **_ASSUMED}
    # Gravity-only runs may state omega_b = 0, as all their matter is dark.
    missing = [name for name in values if not getattr(cosmology, name)]
    return replace(cosmology, **{name: values[name] for name in missing}), missing


def halo_abundance(
    cosmology: Cosmology,
    log_mass: Array,
    *,
    mass_definition: str = "fof",
    redshift: float = 0.0,
) -> Array:
    """Return the number of halos per comoving volume and dex of mass.

    Parameters
    ----------
    cosmology : Cosmology
        See `mockgal.theory.linear.linear_power`.
    log_mass : ndarray
        log10 of mass [Msun/h].
    mass_definition : str
        A key of `mockgal.types.MASS_DEFINITIONS`. Friends-of-friends masses follow Sheth & Tormen
        1999, equation 10; the others Tinker et al. 2008, equations 1 to 8, whose fits are for 200
        to 3200 times the mean density. Beyond that range the fit at its end is used.
    redshift : float

    Returns
    -------
    ndarray
        [h^3 Mpc^-3 dex^-1]. Tinker's fit is accurate to 5% for 1e11 to 1e15 Msun/h at redshifts
        below 2.
    """
    power, density = linear_power(cosmology), cosmology.mean_matter_density
    grid = np.linspace(np.min(log_mass) - 0.2, np.max(log_mass) + 0.2, 60)
    radius = np.cbrt(10.0**grid / (4.0 / 3.0 * np.pi * density))
    growth = Growth(cosmology).factor(1.0 / (1.0 + redshift)) if redshift else 1.0
    sigma_of = [rms_overdensity(power, r) * growth for r in radius]
    curve = interpolate.CubicSpline(grid, np.log(sigma_of))
    sigma = np.exp(curve(log_mass))
    if mass_definition == "fof":
        share = _sheth_tormen(sigma)
    else:
        contrast = cosmology.halo_density(mass_definition, redshift) / density
        share = _tinker(sigma, contrast, redshift)
    return np.asarray(density / 10.0**log_mass * share * -curve(log_mass, 1))


def _sheth_tormen(sigma: Array) -> Array:
    nu = 0.707 * (1.686 / sigma) ** 2
    return np.asarray(0.322 * np.sqrt(2.0 * nu / np.pi) * (1.0 + nu**-0.3) * np.exp(-nu / 2.0))


def _tinker(sigma: Array, contrast: float, redshift: float) -> Array:
    contrast = min(max(contrast, _DENSITY[0]), _DENSITY[-1])
    amplitude, a, b, c = (float(np.interp(contrast, _DENSITY, values)) for values in _FIT)
    alpha = 10.0 ** (-((0.75 / math.log10(contrast / 75.0)) ** 1.2))
    amplitude *= (1.0 + redshift) ** -0.14
    a *= (1.0 + redshift) ** -0.06
    b *= (1.0 + redshift) ** -alpha
    return np.asarray(amplitude * ((sigma / b) ** -a + 1.0) * np.exp(-c / sigma**2))
