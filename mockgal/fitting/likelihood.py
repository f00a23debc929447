"""The posterior of parameters: what the model predicts, how far it is from the data, the priors.

Blocks of numbers (`mockgal.fitting.blocks`) are independent of each other. The likelihood of one
with n numbers, whose covariance S is from N mocks, is one of `LIKELIHOODS`, with
chi^2 = r^T S^-1 r of the residuals r:

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
from .blocks import Block, blocks
from .data import KNOWN, DensityTarget, Target
from .priors import Prior
from .tables.hosts import Hosts, Numbers, numbers
from .tables.masses import MassTable
from .tables.pairs import PairTable

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
        See `mockgal.fitting.tables.hosts.numbers`.
    priors : tuple of Prior
        Of the k free parameters.
    fixed : mapping of str to float
        The others, in the unit of the model.
    targets : sequence of (Target, PairTable or MassTable)
    density : DensityTarget or None
    likelihood : str
        One of `LIKELIHOODS`.
    log_stellar_mass : tuple of float
        For leauthaud11: see `mockgal.fitting.tables.hosts.numbers`.
    """

    hosts: Hosts
    box_size: float
    model: str
    modulated: bool
    priors: tuple[Prior, ...]
    fixed: Mapping[str, float]
    targets: Sequence[tuple[Target, PairTable | MassTable]]
    density: DensityTarget | None
    likelihood: str
    log_stellar_mass: tuple[float, ...] = ()
    blocks: tuple[Block, ...] = field(init=False, repr=False, compare=False)
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
        made = blocks([target for target, _ in self.targets], self.density)
        object.__setattr__(self, "blocks", made)
        object.__setattr__(self, "_inverses", [np.linalg.inv(block.matrix) for block in made])

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
        return numbers(
            self.hosts,
            self.model,
            at,
            modulated=self.modulated,
            log_stellar_mass=self.log_stellar_mass,
        )

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

    def chi_squares(self, predicted: Sequence[Array], density: Array) -> list[Array]:
        """Return r^T S^-1 r of each block, of shape (p,)."""
        found = []
        for block, inverse in zip(self.blocks, self._inverses, strict=True):
            rest = block.take(predicted, density) - block.value
            found.append(np.einsum("pi,ij,pj->p", rest, inverse, rest))
        return found

    def chi_square(self, measured: Sequence[Array], density: float) -> float:
        """Return the chi-square of one set of numbers, with the factors of Hartlap et al."""
        found = self.chi_squares([x[None] for x in measured], np.array([density]))
        return sum(block.hartlap * float(x[0]) for block, x in zip(self.blocks, found, strict=True))

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
        log_likelihood = np.zeros(len(inside))
        for block, chi_square in zip(
            self.blocks, self.chi_squares(predicted, density), strict=True
        ):
            log_likelihood += self._of_block(block, chi_square)
        log_likelihood[~np.isfinite(log_likelihood)] = -math.inf
        total[inside] += log_likelihood
        return total

    def _of_block(self, block: Block, chi_square: Array) -> Array:
        n, mocks, k = len(block.value), block.number, len(self.priors)
        if mocks == KNOWN or self.likelihood == "gaussian":
            return -0.5 * block.hartlap * chi_square
        power = float(mocks)
        if self.likelihood == "matched":
            b = factors(mocks, n).percival_b
            if not np.isfinite(b):
                raise UsageError(
                    f"covariance of {block.name}",
                    f"{mocks} {block.source_in_words} for {n} numbers",
                    f"at least {n + 5} for the likelihood matched",
                    "fit fewer bins, take more mocks, or choose --likelihood student",
                )
            extra = b * (n - k)
            power = k + 2 + (mocks - 1 + extra) / (1 + extra)
        return -0.5 * power * np.log1p(chi_square / (mocks - 1))
