"""Samples of a posterior, by emcee's ensemble of walkers; and the best parameters.

emcee is Foreman-Mackey et al. 2013, arXiv:1202.3665. Four fifths of the moves of its walkers are by
differential evolution (Nelson, Ford & Payne 2014, arXiv:1311.5229), the others are its stretches.
Sampling ends when the chain is `LENGTHS` autocorrelation times long, as its documentation advises.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError, warn
from ..random import check_seed, stream_key, uniform
from ..system.progress import advance
from .likelihood import Posterior

Array = NDArray[Any]

INSTALL = "pip install 'mockgal[fit]', or pip install emcee"
LENGTHS = 50.0  # autocorrelation times of a chain that is long enough
STEPS, MOST_STEPS = 500, 20_000  # between two looks at the chain, and at most
_LEFT_OUT = 10.0  # autocorrelation times at the beginning that are left out
_DRAWS = 4096  # of the prior, among which the best parameters are looked for first
_MOST_SAMPLES = 10_000
_NEAR = 0.05  # of the range of a prior: where the walkers begin
_DIGITS = 9  # of the logarithm of the density: rounding errors must not decide on moves


@dataclass(frozen=True)
class Chain:
    """The walkers' way so far.

    Parameters
    ----------
    values : ndarray, shape (steps, walkers, k)
    log_density : ndarray, shape (steps, walkers)
    generator : tuple
        State of the random generator after the last step.
    """

    values: Array
    log_density: Array
    generator: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.values)


class Samples(NamedTuple):
    """Independent samples of a posterior.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    log_density : ndarray, shape (n,)
    autocorrelation : ndarray, shape (k,)
        Autocorrelation times of the chain [steps].
    steps, walkers : int
        Of the chain.
    converged : bool
        Whether the chain is long enough.
    """

    values: Array
    log_density: Array
    autocorrelation: Array
    steps: int
    walkers: int
    converged: bool


def emcee() -> ModuleType:
    """Return the module emcee.

    Raises
    ------
    UsageError
        It is not installed.
    """
    try:
        return import_module("emcee")
    except ImportError as error:
        raise UsageError("mockgal fit", f"no emcee ({error})", "it installed", INSTALL) from error


def best(posterior: Posterior, seed: int) -> Array:
    """Return the parameters of the largest posterior density, shape (k,).

    The best of many draws of the prior is improved by differential evolution, and then by the
    simplex of Nelder & Mead.
    """
    from scipy.optimize import differential_evolution, minimize

    priors, k = posterior.priors, len(posterior.priors)

    def cost(values: Array) -> Array:
        found = -posterior.log_density(values.reshape(k, -1).T)
        return np.where(np.isfinite(found), found, 1e300)

    draws = _draws(posterior, seed, "first look at the prior", _DRAWS)
    density = posterior.log_density(draws)
    if not np.isfinite(density).any():
        raise UsageError(
            "fit:prior",
            "no galaxies, or no pairs of them, for any parameters that the priors allow",
            "priors that some hosts of the simulation can have",
            "choose priors of masses that the simulation resolves",
        )
    first = draws[np.argsort(-density, kind="stable")[: 12 * k]]
    bounds = [tuple(prior.quantile(np.array([1e-6, 1.0 - 1e-6]))) for prior in priors]
    low, high = np.transpose(bounds)
    number = stream_key(seed, "differential evolution")[0]
    evolved = differential_evolution(
        cost,
        bounds,
        init=np.clip(first, low, high),
        rng=np.random.default_rng(number),
        maxiter=200,
        tol=1e-6,
        polish=False,
        vectorized=True,
        updating="deferred",
    )
    options = {"xatol": 1e-5, "fatol": 1e-6, "maxiter": 400 * k, "maxfev": 400 * k}
    polished = minimize(
        lambda x: float(cost(x[:, None])[0]), evolved.x, method="Nelder-Mead", options=options
    )
    return np.asarray(polished.x if polished.fun < evolved.fun else evolved.x)


def _draws(posterior: Posterior, seed: int, purpose: str, n: int) -> Array:
    """Return n draws of the priors, shape (n, k)."""
    ids = np.arange(n)
    u = [uniform(seed, purpose, ids, draw=i) for i in range(len(posterior.priors))]
    columns = zip(posterior.priors, u, strict=True)
    return np.stack([prior.quantile(column) for prior, column in columns], axis=1)


def sample(
    posterior: Posterior,
    start: Array,
    *,
    seed: int,
    steps: int = MOST_STEPS,
    chain: Chain | None = None,
    keep: Callable[[Chain], None] | None = None,
) -> Samples:
    """Return samples of a posterior.

    Parameters
    ----------
    posterior : Posterior
    start : ndarray, shape (k,)
        The walkers begin near it.
    seed : int
        The same seed gives the same samples, whether or not the work was interrupted.
    steps : int
        At most so many are made.
    chain : Chain, optional
        An earlier part of the same chain.
    keep : callable, optional
        Called with the chain so far.

    Raises
    ------
    UsageError
        emcee is not installed.
    """
    if not 1 <= steps <= 10_000_000:
        raise UsageError("fit:steps", str(steps), "a whole number from 1 to 10,000,000")
    check_seed(seed)
    module, k = emcee(), len(posterior.priors)
    walkers = max(64, 8 * k)

    def density(values: Array) -> Array:
        return np.round(posterior.log_density(np.asarray(values)), _DIGITS)

    moves = [(module.moves.DEMove(), 0.8), (module.moves.StretchMove(), 0.2)]
    while chain is None or (len(chain) < steps and not is_long(chain)):
        sampler = module.EnsembleSampler(walkers, k, density, moves=moves, vectorize=True)
        if chain is None:
            key = stream_key(seed, "walkers")[0]
            state = module.State(_around(posterior, start, walkers, seed))
            state.random_state = np.random.RandomState(key).get_state()
        else:
            state = module.State(chain.values[-1], log_prob=chain.log_density[-1])
            state.random_state = chain.generator
        number = min(STEPS, steps - (0 if chain is None else len(chain)))
        state = sampler.run_mcmc(state, number, skip_initial_state_check=True)
        values, found = sampler.get_chain(), sampler.get_log_prob()
        if chain is not None:
            values = np.concatenate([chain.values, values])
            found = np.concatenate([chain.log_density, found])
        chain = Chain(values, found, state.random_state)
        if keep is not None:
            keep(chain)
        advance(len(chain), steps, "sampling, at most")
    advance(steps, steps, "sampling, at most")
    return _thinned(chain)


def _around(posterior: Posterior, start: Array, walkers: int, seed: int) -> Array:
    """Return where the walkers begin: near ``start``, within the priors, shape (walkers, k)."""
    places = np.empty((walkers, len(start)))
    for i, prior in enumerate(posterior.priors):
        low, high = prior.quantile(np.array([1e-6, 1.0 - 1e-6]))
        u = uniform(seed, "first places of walkers", np.arange(walkers), draw=i)
        width = _NEAR * (high - low)
        bottom = float(np.clip(start[i] - 0.5 * width, low, high - width))
        places[:, i] = bottom + width * u
    places[~np.isfinite(posterior.log_density(places))] = start
    return places


def _autocorrelation(chain: Chain) -> Array:
    """Return the autocorrelation times of all but the first fifth of a chain, shape (k,)."""
    later = chain.values[len(chain) // 5 :]
    if len(later) < 2:
        return np.full(chain.values.shape[2], math.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = emcee().autocorr.integrated_time(later, tol=0)
    return np.where(np.isfinite(found), found, math.inf)


def is_long(chain: Chain) -> bool:
    """Return whether a chain is long enough."""
    return bool(len(chain) >= LENGTHS * _autocorrelation(chain).max())


def _thinned(chain: Chain) -> Samples:
    times = _autocorrelation(chain)
    converged = is_long(chain)
    longest = float(times.max()) if np.isfinite(times).all() else len(chain) / LENGTHS
    if not converged:
        warn(
            f"the chain of {len(chain):,} steps is {len(chain) / longest:.3g} autocorrelation "
            f"times long, not {LENGTHS:g}: its intervals are less certain. Take more --steps, or "
            "tighter priors"
        )
    left = min(math.ceil(_LEFT_OUT * longest), len(chain) // 2)
    kept = len(chain) - left
    each = max(1, int(longest / 2), math.ceil(kept * chain.values.shape[1] / _MOST_SAMPLES))
    rows = np.arange(left, len(chain), each)
    return Samples(
        chain.values[rows].reshape(-1, chain.values.shape[2]),
        chain.log_density[rows].ravel(),
        times,
        len(chain),
        chain.values.shape[1],
        converged,
    )
