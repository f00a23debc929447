"""Galaxies and randoms on the sky as pairs and grids take them: directions, distances, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...cosmology import Cosmology
from ...errors import BadValueError
from ...survey.sky import directions
from ...theory.distances import distances

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class SkySample:
    """Points on the sky.

    Parameters
    ----------
    direction : ndarray, shape (n, 3)
        Unit vectors from the observer.
    redshift : ndarray, shape (n,)
    distance : ndarray, shape (n,)
        Comoving, in the fiducial cosmology [Mpc/h].
    weight : ndarray, shape (n,)
        0 or more.
    region : ndarray of int, shape (n,)
        Region of the jackknife, from 0.
    regions : int
        Number of regions; 0 without a jackknife, all regions being 0.

    Examples
    --------
    >>> from mockgal.statistics.sky.sample import SkySample
    >>> cosmology = mockgal.types.Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.7)
    >>> points = SkySample.of([10.0, 11.0], [0.0, 5.0], [0.4, 0.5], cosmology)
    >>> points.distance.round(1).tolist()
    [1092.1, 1332.1]
    """

    direction: Array
    redshift: Array
    distance: Array
    weight: Array
    region: Array
    regions: int = 0

    @classmethod
    def of(
        cls,
        ra: ArrayLike,
        dec: ArrayLike,
        redshift: ArrayLike,
        cosmology: Cosmology,
        *,
        weight: ArrayLike | None = None,
        region: ArrayLike | None = None,
        what: str = "points",
    ) -> SkySample:
        """Return the sample of anyone's arrays.

        Parameters
        ----------
        ra, dec : array_like, shape (n,)
            [deg]
        redshift : array_like, shape (n,)
            Above 0.
        cosmology : Cosmology
            For distances.
        weight : array_like, shape (n,), optional
            1 each by default.
        region : array_like of int, shape (n,), optional
            Regions of the jackknife, from 0.
        what : str
            Name of the sample, for messages.

        Raises
        ------
        BadValueError
            Numbers that are not finite or out of range, or columns of different lengths.
        """
        named = {"ra": ra, "dec": dec, "redshift": redshift}
        named["weight"] = np.ones(np.shape(redshift)) if weight is None else weight
        columns = {name: np.asarray(x, dtype=np.float64) for name, x in named.items()}
        shapes = {name: x.shape for name, x in columns.items()}
        if len(set(shapes.values())) > 1 or columns["ra"].ndim != 1:
            raise BadValueError(what, f"columns of shapes {shapes}", "columns of one length")
        _check(what, "ra", columns["ra"], np.isfinite(columns["ra"]), "finite numbers [deg]")
        _check(what, "dec", columns["dec"], np.abs(columns["dec"]) <= 90.0, "-90 to 90 deg")
        z, w = columns["redshift"], columns["weight"]
        _check(what, "redshift", z, (z > 0.0) & (z < np.inf), "redshifts above 0")
        _check(what, "weight", w, (w >= 0.0) & (w < np.inf), "finite numbers from 0 on")
        far = distances(cosmology, float(z.max(initial=0.0))).distances(z)
        where = np.zeros(len(z), dtype=np.int64) if region is None else np.asarray(region)
        if where.shape != z.shape or where.dtype.kind not in "iu":
            found = f"shape {where.shape} and type {where.dtype}"
            raise BadValueError(what, f"regions of {found}", f"{len(z)} integers")
        _check(what, "region", where, where >= 0, "regions from 0 on")
        number = 0 if region is None else int(where.max(initial=0)) + 1
        unit = directions(columns["ra"], columns["dec"])
        return cls(unit, z, far, w, where.astype(np.int64), number)

    def __len__(self) -> int:
        return len(self.redshift)

    @property
    def position(self) -> Array:
        """Comoving positions relative to the observer, shape (n, 3) [Mpc/h]."""
        return np.asarray(self.direction * self.distance[:, None])

    def sums(self, values: Array | None = None) -> Array:
        """Return sums of values, by default the weights, over each region."""
        values = self.weight if values is None else values
        return np.bincount(self.region, values, minlength=max(self.regions, 1))

    def take(self, rows: Any) -> SkySample:
        """Return some of the points."""
        return SkySample(
            self.direction[rows],
            self.redshift[rows],
            self.distance[rows],
            self.weight[rows],
            self.region[rows],
            self.regions,
        )


def _check(what: str, name: str, values: Array, good: Array, expected: str) -> None:
    bad = np.flatnonzero(~good)
    if bad.size:
        raise BadValueError(
            f"{what}, column {name}",
            f"{bad.size} impossible values, the first {values[bad[0]]} in row {bad[0]}",
            expected,
            "correct them, or leave the rows out",
        )
