"""The law of a host's satellites: their number, masses and positions.

Like `Distribution` for stellar masses it is a prediction; `mockgal.populate` draws from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InternalError

Array = NDArray[Any]


@dataclass(frozen=True)
class SatelliteLaw:
    """Prediction of the satellites of n hosts.

    Parameters
    ----------
    name : str
        The calibration or model that it comes from, for the record.
    mean, variance : ndarray, shape (n,)
        Mean and variance of the number of satellites of each host. A Poisson law has
        ``variance`` = ``mean``.
    row : ndarray of int, shape (n,)
        For each host, its row in the tables below.
    probability : ndarray, shape (q,)
        Probabilities of the tables' quantiles, from 0 to 1, increasing.
    log_mass_ratio : ndarray, shape (rows, q)
        Quantiles of log10 (bound mass of a satellite / mass of its host), non-decreasing along q;
        in units of ``mass_scale`` if there is one.
    radius : ndarray, shape (rows, q), or None
        Quantiles of the distance from the host's centre over the host's radius; None if not
        measured.
    velocity_dispersion : ndarray, shape (rows,), or None
        One-dimensional dispersion of the satellites' velocities relative to the host, over the
        host's circular velocity sqrt(G M / R) at its radius; None if not measured.
    references : tuple of str
        Sources, for the record.
    record : mapping
        Counts, which add up over tiles.
    origin : mapping
        What identifies the painter, for the record: plain JSON values.
    mass_scale : ndarray, shape (n,), or None
        Factor on ``log_mass_ratio`` for each host [dex].

    Examples
    --------
    >>> from mockgal.laws.satellites import SatelliteLaw
    >>> law = SatelliteLaw(
    ...     name="a tenth of the host",
    ...     mean=np.array([2.0, 0.5]),
    ...     variance=np.array([2.0, 0.5]),
    ...     row=np.zeros(2, dtype=int),
    ...     probability=np.array([0.0, 1.0]),
    ...     log_mass_ratio=np.array([[-1.5, -1.0]]),
    ... )
    >>> law.radius is None
    True
    """

    name: str
    mean: Array
    variance: Array
    row: Array
    probability: Array
    log_mass_ratio: Array
    radius: Array | None = None
    velocity_dispersion: Array | None = None
    references: tuple[str, ...] = ()
    record: Mapping[str, float] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    mass_scale: Array | None = None

    def __post_init__(self) -> None:
        n, q = len(self.mean), len(self.probability)
        rows = len(self.log_mass_ratio)
        problem = ""
        scaled = self.mean if self.mass_scale is None else self.mass_scale
        if {len(self.variance), len(self.row), len(scaled)} != {n}:
            problem = "means, variances, rows and mass scales of different lengths"
        elif not all(np.all((x >= 0) & np.isfinite(x)) for x in (self.mean, self.variance)):
            problem = "means or variances that are negative or not finite"
        elif n and not (self.row.min() >= 0 and self.row.max() < rows):
            problem = f"rows {self.row.min()} to {self.row.max()} of {rows}"
        for values in (self.log_mass_ratio, self.radius):
            if values is not None and not (
                values.shape == (rows, q) and np.all(np.diff(values, axis=1) >= 0)
            ):
                problem = "quantiles that decrease, or are not one per probability"
        if self.velocity_dispersion is not None and self.velocity_dispersion.shape != (rows,):
            problem = "velocity dispersions that are not one per row"
        if problem:
            raise InternalError(
                f"law of satellites {self.name}", problem, "", "correct the painter"
            )

    def __len__(self) -> int:
        return len(self.mean)

    def digest(self, order: Array) -> str:
        """Return the BLAKE2b-256 of its tables and of each host's values, in the ``order``."""
        digest = hashlib.blake2b(self.name.encode(), digest_size=32)
        tables = (self.probability, self.log_mass_ratio, self.radius, self.velocity_dispersion)
        hosts = (self.mean, self.variance, self.row, self.mass_scale)
        for values in (*tables, *(None if v is None else v[order] for v in hosts)):
            array = np.empty(0) if values is None else np.asarray(values, dtype=np.float64)
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()
