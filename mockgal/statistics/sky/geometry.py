"""Area, volume and effective redshift of a survey, and whether randoms cover its galaxies."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...survey.steps import STEPS
from ...types import GalaxyCatalog
from .sample import SkySample

Array = NDArray[Any]

WHOLE_SKY = 360.0**2 / math.pi  # deg^2
# Shares of galaxies where there are no randoms, and of randoms where there are no galaxies.
MOST_OUTSIDE, MOST_EMPTY = 0.02, 0.1
POWER = 1e4  # Mpc^3 h^-3, of the effective volume where no FKP weights state another
EFFECTIVE_REDSHIFT = (
    "mean over close pairs of galaxies: integral of n_w^2 z dV over that of n_w^2 dV, with n_w the "
    "weighted density of the randoms by distance (Obuljen & Percival 2021, "
    "arXiv:2104.07022, for pairs of any separation)"
)
EFFECTIVE_VOLUME = "integral of (n P / (1 + n P))^2 dV (Tegmark 1997, arXiv:astro-ph/9706198)"

_ON_THE_SKY = re.compile(r"\b(ra|dec|region|completeness)\b")  # in a cut
SIGNIFICANT = 3.0  # of the distance of redshifts, times the root of the number of galaxies
_IN_A_CELL = 30  # points of the smaller sample that are expected in a cell
_MOST_CELLS = 12 << 26
_FOR_MOMENTS = 50_000
_SHELLS = 50
_IN_A_SHELL = 50


class Radial(NamedTuple):
    """A survey in shells of equal width in comoving distance.

    Parameters
    ----------
    redshift : ndarray, shape (m,)
        Mean of the randoms, by weight.
    volume : ndarray, shape (m,)
        [(Mpc/h)^3]
    density, weighted : ndarray, shape (m,)
        Expected density of galaxies, and of their weights [(h/Mpc)^3].
    """

    redshift: Array
    volume: Array
    density: Array
    weighted: Array

    @classmethod
    def of(cls, data: SkySample, randoms: SkySample, area: float) -> Radial:
        """Return the shells of a survey over an area [deg^2]."""
        number = max(1, min(_SHELLS, len(randoms) // _IN_A_SHELL))
        edges = np.linspace(randoms.distance.min(), randoms.distance.max(), number + 1)
        shell = np.clip(np.searchsorted(edges, randoms.distance, side="right") - 1, 0, number - 1)
        steradians = area * np.radians(1.0) ** 2
        volume = np.maximum(steradians / 3.0 * np.diff(edges**3), np.finfo(float).tiny)
        count = np.bincount(shell, minlength=number)
        weight = np.bincount(shell, randoms.weight, minlength=number)
        z = np.bincount(shell, randoms.weight * randoms.redshift, minlength=number)
        alpha = data.weight.sum() / randoms.weight.sum()
        return cls(
            z / np.where(weight > 0, weight, 1.0),
            volume,
            len(data) / len(randoms) * count / volume,
            alpha * weight / volume,
        )

    def effective_redshift(self) -> float:
        """See `EFFECTIVE_REDSHIFT`."""
        pairs = self.weighted**2 * self.volume
        return float((pairs * self.redshift).sum() / pairs.sum())

    def effective_volume(self, power: float) -> float:
        """See `EFFECTIVE_VOLUME`."""
        share = self.density * power / (1.0 + self.density * power)
        return float((share**2 * self.volume).sum())

    def independent_volume(self, norm: float, power: Array, noise: float) -> Array:
        """Return the volume of a periodic box in which power would scatter alike [(Mpc/h)^3].

        The power P of a Gaussian field with the shot noise S of a survey has the variance
        (P^2 A + 2 P S' B + S'^2 C) / norm^2 a wave, with A, B and C the integrals of n_w^4,
        n_w^4 / n and n_w^4 / n^2 dV (Feldman, Kaiser & Peacock 1994, arXiv:astro-ph/9304022,
        eq. 2.3.2), and S' so much that the integral of n_w^2 / n gives S. In a box it is
        (P + S)^2.

        Parameters
        ----------
        norm : float
            The integral of n_w^2 dV, which knows of holes and incompleteness, as the area does not.
        power : ndarray, shape (m,)
            P of each bin [(Mpc/h)^3]; one below 0 counts as 0.
        noise : float
            S [(Mpc/h)^3]

        Returns
        -------
        ndarray, shape (m,)
        """
        volume, seen = self.volume, self.density > 0
        weight = np.divide(self.weighted, self.density, out=np.zeros(len(volume)), where=seen)
        squares = self.weighted**2
        area = (squares * volume).sum() / norm  # over that of the shells
        one, two, three = (
            (squares**2 * volume).sum() / area**3,
            (squares * self.weighted * weight * volume).sum() / area**2,
            (squares * weight**2 * volume).sum() / area,
        )
        shot = noise * norm / (self.weighted * weight * volume).sum()
        power = np.fmax(power, 0.0)
        variance = power**2 * one + 2.0 * power * shot * two + shot**2 * three
        return np.asarray((norm * (power + noise)) ** 2 / variance)


def alike(randoms: SkySample) -> tuple[float, float]:
    """Return the mean over pairs of randoms of L_2 and L_4 of the cosine of their angle.

    They are 1 for a narrow survey and 0 for the whole sky. The double sums are sums over the
    moments of the unit vectors.
    """
    step = max(1, len(randoms) // _FOR_MOMENTS)
    unit, weight = randoms.direction[::step], randoms.weight[::step]
    two = np.einsum("ni,nj,n->ij", unit, unit, weight / weight.sum())
    products = np.einsum("ni,nj->nij", unit, unit).reshape(len(unit), -1)
    four = (products * (weight / weight.sum())[:, None]).T @ products
    second, fourth = float((two**2).sum()), float((four**2).sum())
    return (3.0 * second - 1.0) / 2.0, (35.0 * fourth - 30.0 * second + 3.0) / 8.0


def describe(
    galaxies: GalaxyCatalog, randoms: GalaxyCatalog, data: SkySample, points: SkySample
) -> dict[str, Any]:
    """Return area, redshifts and volumes of a survey for `Measurement.settings`."""
    area, source = area_of(galaxies, randoms, points)
    shells = Radial.of(data, points, area)
    stated = [
        step["fkp_power_mpc3_h3"]
        for step in galaxies.provenance.get(STEPS, [])
        if "fkp_power_mpc3_h3" in step
    ]
    power = float(stated[-1]) if stated and stated[-1] > 0 else POWER
    return {
        "area_deg2": area,
        "area_from": source,
        "redshifts": [float(data.redshift.min()), float(data.redshift.max())],
        "mean_redshift": float(np.average(data.redshift, weights=data.weight)),
        "effective_redshift": shells.effective_redshift(),
        "effective_redshift_is": EFFECTIVE_REDSHIFT,
        "volume_mpc3_h3": float(shells.volume.sum()),
        "effective_volume_mpc3_h3": shells.effective_volume(power),
        "effective_volume_power_mpc3_h3": power,
        "effective_volume_is": EFFECTIVE_VOLUME,
    }


def area_of(
    galaxies: GalaxyCatalog, randoms: GalaxyCatalog, points: SkySample
) -> tuple[float, str]:
    """Return the area of a survey [deg^2], and where it is from.

    It is that of the footprint, weighted with its completeness; if the record has none, or a cut
    came after it, that of the cells on the sky which hold randoms, whose borders are coarse.
    """
    cuts = [
        cut.get("cut", "") for one in (galaxies, randoms) for cut in one.provenance.get("cuts", [])
    ]
    if not any(_ON_THE_SKY.search(cut) for cut in cuts):
        for one, name in ((galaxies, "galaxies"), (randoms, "randoms")):
            for step in reversed(one.provenance.get(STEPS, [])):
                if "area_deg2" in step:
                    return float(step["area_deg2"]), f"the footprint in the record of the {name}"
    return area_of_points(points), "cells on the sky that hold randoms"


def area_of_points(points: SkySample) -> float:
    """Return the area of the cells on the sky that hold points [deg^2], `_IN_A_CELL` and more."""
    cells = _cells_held(points, len(points))
    return WHOLE_SKY * len(np.unique(_cells(points, cells))) / cells


def share_outside(one: SkySample, other: SkySample) -> float:
    """Return the share of one sample that is in cells on the sky, or at redshifts, without others.

    Cells and intervals of redshift are so large that the smaller sample is expected in them.
    """
    number = min(len(one), len(other))
    cells = _cells_held(other, number)
    held = np.unique(_cells(other, cells)) if number >= _IN_A_CELL else np.arange(cells)
    on_the_sky = np.mean(~np.isin(_cells(one, cells), held))
    low, high = other.redshift.min(), other.redshift.max()
    margin = (high - low) * min(1.0, _IN_A_CELL / len(other))
    away = (one.redshift < low - margin) | (one.redshift > high + margin)
    return float(max(on_the_sky, np.mean(away)))


def redshift_distance(data: SkySample, randoms: SkySample) -> float:
    """Return the largest distance of the cumulative weights by redshift of two samples."""
    edges = np.unique(np.concatenate([data.redshift, randoms.redshift]))
    shares = []
    for one in (data, randoms):
        order = np.argsort(one.redshift, kind="stable")
        total = np.concatenate([[0.0], np.cumsum(one.weight[order])])
        place = np.searchsorted(one.redshift[order], edges, side="right")
        shares.append(total[place] / total[-1])
    return float(np.abs(shares[0] - shares[1]).max())


def _cells_held(sample: SkySample, number: int) -> int:
    """Return how many cells of equal area the sky has if ``number`` points fill a sample's."""
    cells = 12
    while cells < _MOST_CELLS:
        if number < _IN_A_CELL * len(np.unique(_cells(sample, 4 * cells))):
            break
        cells *= 4
    return cells


def _cells(sample: SkySample, number: int) -> Array:
    """Return the cell of each point, of about ``number`` of equal area over the whole sky.

    ``number`` is 3 times a square: bands of equal height in z, with equally many cells.
    """
    bands = math.isqrt(number // 3)
    around = 3 * bands
    x, y, z = sample.direction.T
    band = ((z + 1.0) * (bands / 2.0)).astype(np.int64).clip(0, bands - 1)
    turn = ((np.arctan2(y, x) / (2.0 * np.pi) + 0.5) * around).astype(np.int64)
    return np.asarray(band * around + turn.clip(0, around - 1))
