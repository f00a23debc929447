"""The posterior of parameters: what the model predicts, how far it is from the data, the priors.

Data sets, and a number density, are taken to be independent of each other. The likelihood of one
with n bins, whose covariance S is from N mocks, is one of `LIKELIHOODS`, with chi^2 = r^T S^-1 r of
the residuals r:

- ``gaussian``: exp(-f chi^2 / 2), with f = (N - n - 2) / (N - 1) (Hartlap, Simon & Schneider 2007,
  astro-ph/0608064);
- ``student``: (1 + chi^2 / (N - 1))^(-N / 2) (Sellentin & Heavens 2016, arXiv:1511.05969);
- ``matched``: (1 + chi^2 / (N - 1))^(-m / 2), with m such that intervals of parameters hold the
  truth as often as they say (Percival et al. 2022, arXiv:2108.10402, equation 54).

If the covariance is known, all are the first with f = 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..statistics.ensemble import factors
from .data import KNOWN, DensityTarget, Target
from .hosts import Hosts, Numbers, numbers
from .priors import Prior
from .tables import PairTable

Array = NDArray[Any]

LIKELIHOODS = ("matched", "gaussian", "student")
WITHOUT = {"A_cen": 0.0, "A_sat": 0.0, "f_ic": 1.0}  # parameters that have no effect


@dataclass(frozen=True)
class Posterior:
    """The posterior of the free parameters of a model.

    Parameters
    ----------
    hosts : Hosts
    box_size : float
        [Mpc/h]
    model : str
    modulated : bool
        See `mockgal.fitting.hosts.numbers`.
    priors : tuple of Prior
        Of the k free parameters.
    fixed : mapping of str to float
        The others, in the unit of the model.
    targets : sequence of (Target, PairTable)
    density : DensityTarget or None
    likelihood : str
        One of `LIKELIHOODS`.
    """

    hosts: Hosts
    box_size: float
    model: str
    modulated: bool
    priors: tuple[Prior, ...]
    fixed: Mapping[str, float]
    targets: Sequence[tuple[Target, PairTable]]
    density: DensityTarget | None
    likelihood: str
    _inverses: list[Array] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.likelihood not in LIKELIHOODS:
            raise UsageError(
                "fit:likelihood", repr(self.likelihood), "one of " + ", ".join(LIKELIHOODS)
            )
        if self.bins <= len(self.priors):
            raise UsageError(
                "fit",
                f"{len(self.priors)} free parameters, and {self.bins} numbers to fit",
                "more numbers than parameters",
                "give some parameters a value (--parameters), or fit more bins",
            )
        inverses = [np.linalg.inv(target.matrix) for target, _ in self.targets]
        object.__setattr__(self, "_inverses", inverses)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the free parameters."""
        return tuple(prior.name for prior in self.priors)

    @property
    def bins(self) -> int:
        """The numbers that are fitted."""
        return sum(len(one.value) for one, _ in self.targets) + (self.density is not None)

    def numbers(self, values: Array) -> Numbers:
        """Return the mean numbers of galaxies for sets of the free parameters, shape (p, k)."""
        p = len(values)
        given = {**WITHOUT, **self.fixed}
        at = {name: np.full(p, value) for name, value in given.items()}
        at |= {name: values[:, i] for i, name in enumerate(self.names)}
        return numbers(self.hosts, self.model, at, modulated=self.modulated)

    def predict(self, values: Array) -> tuple[list[Array], Array, Array]:
        """Return what is fitted, for p sets of parameters.

        Returns
        -------
        list of ndarray, shape (p, n)
            Of each target.
        ndarray, shape (p,)
            Number densities [h^3 Mpc^-3].
        ndarray, shape (p,)
            Shares of satellites.
        """
        found = self.numbers(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = found.satellites / found.total
        predicted = [table.predict(found)[:, target.rows] for target, table in self.targets]
        return predicted, found.total / self.box_size**3, share

    def chi_squares(self, predicted: Sequence[Array], density: Array) -> tuple[list[Array], Array]:
        """Return r^T S^-1 r of each target and of the density, each of shape (p,)."""
        of_targets = []
        for (target, _), inverse, values in zip(
            self.targets, self._inverses, predicted, strict=True
        ):
            rest = values - target.value
            of_targets.append(np.einsum("pi,ij,pj->p", rest, inverse, rest))
        of_density = np.zeros(len(density))
        if self.density is not None:
            of_density = ((density - self.density.value) / self.density.error) ** 2
        return of_targets, of_density

    def chi_square(self, measured: Sequence[Array], density: float) -> float:
        """Return the chi-square of one set of numbers, with the factors of Hartlap et al."""
        of_targets, of_density = self.chi_squares([x[None] for x in measured], np.array([density]))
        pairs = zip(self.targets, of_targets, strict=True)
        return float(of_density[0] + sum(self.hartlap(one) * x[0] for (one, _), x in pairs))

    def log_prior(self, values: Array) -> Array:
        """Return the logarithm of the priors' density, but for a constant, shape (p,)."""
        terms = [prior.log_density(values[:, i]) for i, prior in enumerate(self.priors)]
        return np.asarray(np.sum(terms, axis=0))

    def log_density(self, values: Array) -> Array:
        """Return the logarithm of the posterior, but for a constant, for (p, k) values.

        -inf outside the priors, and where the model has no galaxies.
        """
        total = self.log_prior(values)
        inside = np.flatnonzero(np.isfinite(total))
        if not len(inside):
            return total
        predicted, density, _ = self.predict(values[inside])
        of_targets, of_density = self.chi_squares(predicted, density)
        log_likelihood = -0.5 * of_density
        for (target, _), chi_square in zip(self.targets, of_targets, strict=True):
            log_likelihood = log_likelihood + self._of_target(target, chi_square)
        log_likelihood[~np.isfinite(log_likelihood)] = -math.inf
        total[inside] += log_likelihood
        return total

    def hartlap(self, target: Target) -> float:
        """Return what the inverse of a target's covariance is multiplied by."""
        if target.number == KNOWN:
            return 1.0
        return factors(target.number, len(target.value)).hartlap

    def _of_target(self, target: Target, chi_square: Array) -> Array:
        n, mocks, k = len(target.value), target.number, len(self.priors)
        if mocks == KNOWN or self.likelihood == "gaussian":
            return -0.5 * self.hartlap(target) * chi_square
        power = float(mocks)
        if self.likelihood == "matched":
            b = factors(mocks, n).percival_b
            if not np.isfinite(b):
                raise UsageError(
                    f"covariance of {target.name}",
                    f"{mocks} {target.source_in_words} for {n} bins",
                    f"at least {n + 5} for the likelihood matched",
                    "fit fewer bins, take more mocks, or choose --likelihood student",
                )
            extra = b * (n - k)
            power = k + 2 + (mocks - 1 + extra) / (1 + extra)
        return -0.5 * power * np.log1p(chi_square / (mocks - 1))
