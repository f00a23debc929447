"""Galaxies above stellar masses by Leauthaud et al. 2011, for many sets of parameters at once.

The formulae are those of arXiv:1103.2077, equations 8 and 12 to 14, with the relation of stellar to
halo mass of equation 13 of Behroozi et al. 2010 (arXiv:1001.0015). As in halotools, whose numbers
these are, the relation is inverted by linear interpolation between `GRID`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...painters.halotools.laws import STELLAR_RANGE
from ...painters.halotools.parameters import H_LEAUTHAUD

Array = NDArray[Any]

GRID = np.linspace(*STELLAR_RANGE, 100)  # log10 of stellar mass [Msun/h^2]
_LOG_H = math.log10(H_LEAUTHAUD)
_SLACK = 1e-9
_KNEE = 12.0  # log10 of halo mass [Msun, h = 0.72]


def log_halo_mass(at: Mapping[str, Array], log_stellar_mass: Array) -> Array:
    """Return the halo mass at which the mean relation has stellar masses.

    Parameters
    ----------
    at : mapping of str to ndarray, shape (p, 1)
        The parameters, in the unit of the model.
    log_stellar_mass : ndarray, shape (m,)
        log10 of Msun/h^2.

    Returns
    -------
    ndarray, shape (p, m)
        log10 of Msun/h.
    """
    log_ratio = log_stellar_mass - 2 * _LOG_H - at["smhm_m0_0"]
    with np.errstate(all="ignore"):  # such parameters have no density
        ratio = 10.0**log_ratio
        bend = ratio ** at["smhm_delta_0"] / (1.0 + ratio ** -at["smhm_gamma_0"])
    return np.asarray(at["smhm_m1_0"] + at["smhm_beta_0"] * log_ratio + bend - 0.5 + _LOG_H)


def above(at: Mapping[str, Array], log_mass: Array, log_stellar_mass: Array) -> tuple[Array, Array]:
    """Return mean numbers of galaxies above stellar masses in hosts.

    Parameters
    ----------
    at : mapping of str to ndarray, shape (p, 1)
    log_mass : ndarray, shape (n,)
        log10 of host mass [Msun/h].
    log_stellar_mass : ndarray, shape (m,)
        log10 of Msun/h^2.

    Returns
    -------
    central, satellite : ndarray, shape (p, m, n)
        Not a number for parameters whose relation cannot be inverted; satellites also for those
        with which some host has more of them above a larger stellar mass.
    """
    from scipy.special import erf

    mean = _mean(log_halo_mass(at, GRID), log_mass)[:, None, :]
    deep = {name: value[:, :, None] for name, value in at.items()}
    width = math.sqrt(2.0) * deep["scatter_model_param1"]
    central = 0.5 * (1.0 - erf((log_stellar_mass[:, None] - mean) / width))
    knee = (log_halo_mass(at, log_stellar_mass) - _LOG_H - _KNEE)[:, :, None]
    with np.errstate(all="ignore"):
        log_one = np.log10(deep["bsat"]) + deep["betasat"] * knee  # hosts with one satellite
        log_cut = np.log10(deep["bcut"]) + deep["betacut"] * knee
        log_host = log_mass - _LOG_H - _KNEE
        satellite = 10.0 ** (deep["alphasat"] * (log_host - log_one))
        satellite = satellite * np.exp(-(10.0 ** (log_cut - log_host))) * central
    rising = _rises(satellite, log_stellar_mass)
    return central, np.where(rising[:, None, None], math.nan, satellite)


def _rises(number: Array, log_stellar_mass: Array) -> Array:
    """Return for which parameters more galaxies are above a larger stellar mass, in any host."""
    steps = np.diff(number[:, np.argsort(log_stellar_mass, kind="stable")], axis=1)
    return np.asarray((steps > _SLACK * number.max(axis=1, initial=0.0)[:, None]).any(axis=(1, 2)))


def _mean(halo: Array, log_mass: Array) -> Array:
    """Return the mean log10 of stellar mass [Msun/h^2] at host masses, shape (p, n).

    Straight lines go on beyond the ends of the grid.
    """
    found = np.full((len(halo), len(log_mass)), math.nan)
    for row, edges in zip(found, halo, strict=True):
        steps = np.diff(edges)
        if np.all(steps > 0) and np.all(np.isfinite(edges)):
            i = np.clip(np.searchsorted(edges, log_mass, side="right") - 1, 0, len(steps) - 1)
            row[:] = GRID[i] + (log_mass - edges[i]) * (np.diff(GRID) / steps)[i]
    return found
