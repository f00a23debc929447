"""Numbers that are fitted together, with one covariance.

Statistics whose covariances are from the same mocks, and the number density of these, have a joint
covariance. Others are taken to be independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, UsageError
from ..statistics.ensemble import factors
from .data import KNOWN, MASS_FUNCTION, DensityTarget, Target

Array = NDArray[Any]

_SINGULAR = 1e-10  # least eigenvalue of correlations that can be inverted


@dataclass(frozen=True)
class Block:
    """Some of the numbers that are fitted.

    Parameters
    ----------
    name : str
        Where they are from, for messages.
    members : tuple of int
        Which of the targets.
    with_density : bool
        Whether the number density comes after them.
    value : ndarray, shape (n,)
    matrix : ndarray, shape (n, n)
        Their covariance.
    number : int
        Mocks, or sub-volumes, that it is from; `KNOWN` if it has no error.
    source : str
        ``"mocks"``, ``"jackknife"`` or ``"stated"``.
    sums_up : bool
        Whether a mass function and the number density of the same galaxies are among them.

    Raises
    ------
    BadValueError
        The covariance is not positive definite.
    UsageError
        There are too few mocks for so many numbers.
    """

    name: str
    members: tuple[int, ...]
    with_density: bool
    value: Array
    matrix: Array
    number: int
    source: str
    sums_up: bool = False

    def __post_init__(self) -> None:
        scale = np.sqrt(np.diag(self.matrix))
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = self.matrix / np.outer(scale, scale)
        good = np.isfinite(correlation).all() and np.allclose(correlation, correlation.T)
        least = float(np.linalg.eigvalsh(correlation)[0]) if good else math.nan
        n = len(self.value)
        if not np.isfinite(self.hartlap):
            raise UsageError(
                f"covariance of {self.name}",
                f"{self.number} {self.source_in_words} for {n} numbers, which leave it no inverse",
                f"at least {n + 3}",
                "fit fewer bins, or take a covariance of more mocks",
            )
        if not least > _SINGULAR:
            found = f"the least eigenvalue {least:.3g} of its correlations" if good else ""
            fix = "fit fewer bins, or take a covariance of more mocks"
            if self.sums_up:
                found += ": the bins of the mass function add up to the number density"
                fix = "leave out --number-density, which the mass function has"
            raise BadValueError(
                f"covariance of {self.name}",
                found or "bins without an error, or numbers that are not symmetric",
                "a positive definite matrix",
                fix,
            )

    @property
    def hartlap(self) -> float:
        """What the inverse is multiplied by: (N - n - 2) / (N - 1) for N mocks."""
        return 1.0 if self.number == KNOWN else factors(self.number, len(self.value)).hartlap

    @property
    def source_in_words(self) -> str:
        """What its number counts."""
        return {"mocks": "mocks", "jackknife": "sub-volumes"}.get(self.source, "realisations")

    def take(self, of_targets: Sequence[Array], density: Array) -> Array:
        """Return these numbers, shape (p, n), among those of all targets, each of shape (p, .)."""
        parts = [of_targets[i] for i in self.members]
        return np.concatenate([*parts, *([density[:, None]] * self.with_density)], axis=1)


def blocks(targets: Sequence[Target], density: DensityTarget | None) -> tuple[Block, ...]:
    """Return all numbers that are fitted, in blocks that are independent of each other.

    Raises
    ------
    UsageError
        A number density has no error, and no mocks that it could be from; or see `Block`.
    BadValueError
        See `Block`.
    """
    groups: dict[Any, list[int]] = {}
    for i, target in enumerate(targets):
        groups.setdefault(i if target.mocks is None else target.mocks.ids, []).append(i)
    joint = None
    if density is not None and density.error is None:
        joint = next((key for key, some in groups.items() if _has_density(targets[some[0]])), None)
        if joint is None:
            raise UsageError(
                "fit:number_density",
                "no error, and no mocks in boxes whose scatter it could be",
                "its error, or covariances from mocks",
                "--number-density-error; or for each --covariance the table of the mean of mocks "
                "that `mockgal measure` wrote, such as measured/wp.ecsv",
            )
    made = [
        _block(targets, some, density if key == joint else None) for key, some in groups.items()
    ]
    if density is not None and density.error is not None:
        matrix = np.array([[density.error**2]])
        value = np.array([density.value])
        made.append(Block("number density", (), True, value, matrix, KNOWN, "stated"))
    return tuple(made)


def _has_density(target: Target) -> bool:
    return target.mocks is not None and target.mocks.density is not None


def _block(targets: Sequence[Target], some: list[int], density: DensityTarget | None) -> Block:
    first = targets[some[0]]
    values = [targets[i].value for i in some]
    names = [targets[i].name for i in some]
    matrix = first.matrix
    if len(some) > 1 or density is not None:
        columns = [targets[i].mocks.values for i in some]  # type: ignore[union-attr]
        if density is not None:
            columns.append(first.mocks.density[:, None])  # type: ignore[union-attr,index]
            values.append(np.array([density.value]))
            names.append("number density")
        matrix = first.scaled_by * np.atleast_2d(np.cov(np.hstack(columns), rowvar=False))
    return Block(
        ", ".join(names),
        tuple(some),
        density is not None,
        np.concatenate(values),
        matrix,
        first.number,
        first.source,
        density is not None and any(targets[i].statistic == MASS_FUNCTION for i in some),
    )
