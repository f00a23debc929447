"""The law of stellar mass that a painter predicts, its distribution function and the inverse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..system.deferred import Deferred
from .conditional import ConditionalLaw as ConditionalLaw
from .normal import PROBABILITY, normal_quantiles, resolved
from .velocity import VelocityBias as VelocityBias

Array = NDArray[Any]


@dataclass(frozen=True)
class Distribution:
    """A painter's prediction for each of n subhalos, from which galaxies are drawn.

    A subhalo is luminous with probability ``p_luminous``. If it is luminous,
    log10 M* = ``location`` + ``scale`` * q(u), where q is the quantile function in row
    ``residual_row`` of ``residual_quantiles``. The law is truncated at ``floor``: it is the law
    conditional on the galaxy being above the luminosity floor, and no mass is moved up to it.

    Parameters
    ----------
    p_luminous : ndarray, shape (n,)
        Probability of being luminous.
    location : ndarray or Deferred, shape (n,)
        log10 of stellar mass [Msun/h]; `Deferred` if it takes long to compute.
    scale : ndarray, shape (n,)
        dex.
    residual_row : ndarray of int, shape (n,)
        Row of ``residual_quantiles``.
    residual_probability : ndarray, shape (q,)
        From 0 to 1, increasing.
    residual_quantiles : ndarray, shape (rows, q)
        In units of ``scale``, non-decreasing along q.
    floor : float
        log10 of the least stellar mass that counts as luminous [Msun/h]; -inf for none.
    extrapolated : ndarray of bool, shape (n,)
        Whether the subhalo is outside the painter's range of validity.
    record : mapping
        Counts of the prediction (rows not painted, and why), which add up over tiles.
    rank : ndarray, shape (n,), optional
        Rank in (0, 1) of each subhalo among similar ones, by a property that correlates with
        stellar mass; see `mockgal.laws.distribution.ranked`.
    rank_correlation : float
        Correlation of the normal scores of rank and stellar mass, from -1 to 1.
    further : mapping of str to ConditionalLaw
        Laws of further columns of the galaxies, by name in `mockgal.columns.GALAXY_COLUMNS`.
    velocity : VelocityBias, optional
        How galaxies move relative to their hosts; by default as their subhalos do.
    tally : mapping of str to int or list of int
        What the record is computed from: whole numbers that add up over the pieces of a catalogue;
        see ``record_of`` of `mockgal.protocols.Painter`.

    Examples
    --------
    >>> from mockgal.laws.distribution import Distribution
    >>> law = Distribution(
    ...     p_luminous=np.array([1.0, 0.5]),
    ...     location=np.array([10.0, 9.0]),
    ...     scale=np.array([0.2, 0.2]),
    ...     residual_row=np.zeros(2, dtype=int),
    ...     residual_probability=np.array([0.0, 0.5, 1.0]),
    ...     residual_quantiles=np.array([[-2.0, 0.0, 2.0]]),
    ...     floor=8.0,
    ...     extrapolated=np.zeros(2, dtype=bool),
    ... )
    >>> law.take(np.array([1])).p_luminous
    array([0.5])
    """

    p_luminous: Array
    location: Array | Deferred
    scale: Array
    residual_row: Array
    residual_probability: Array
    residual_quantiles: Array
    floor: float
    extrapolated: Array
    record: Mapping[str, float] = field(default_factory=dict)
    rank: Array | None = None
    rank_correlation: float = 0.0
    further: Mapping[str, ConditionalLaw] = field(default_factory=dict)
    velocity: VelocityBias | None = None
    tally: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def normal(
        cls,
        location: Array,
        scale: Array | float,
        *,
        floor: float = -math.inf,
        p_luminous: Array | None = None,
        extrapolated: Array | None = None,
        further: Mapping[str, ConditionalLaw] | None = None,
        record: Mapping[str, float] | None = None,
    ) -> Distribution:
        """Return normal laws of log10 M*, cut off below a floor.

        Parameters
        ----------
        location : ndarray, shape (n,)
            Means of log10 of stellar mass [Msun/h], before the cut; -inf where there is no galaxy.
        scale : ndarray, shape (n,), or float
            Standard deviations above 0 [dex].
        floor : float
            log10 of the least stellar mass of a galaxy [Msun/h]; -inf for none.
        p_luminous : ndarray, shape (n,), optional
            Probability that there is a galaxy above the floor; without it, the probability that
            a mass of this law is.
        extrapolated : ndarray of bool, shape (n,), optional
            Outside the range that the painter is valid in; none is without it.
        further, record
            See `Distribution`. Means more than `mockgal.laws.normal.FARTHEST` scales below the
            floor are counted in the record.
        """
        location = np.asarray(location, dtype=np.float64)
        scale = np.broadcast_to(np.asarray(scale, dtype=np.float64), location.shape)
        without = np.isneginf(location)
        location = np.where(without, floor if math.isfinite(floor) else 0.0, location)
        if p_luminous is None:
            from scipy.special import ndtr

            p_luminous = np.asarray(ndtr((location - floor) / scale))
        p_luminous = np.where(without, 0.0, p_luminous)
        location, scale, far = resolved(location, scale, floor)
        return cls(
            p_luminous=p_luminous,
            location=location,
            scale=scale,
            residual_row=np.zeros(len(location), dtype=np.int16),
            residual_probability=PROBABILITY,
            residual_quantiles=normal_quantiles()[None],
            floor=floor,
            extrapolated=np.zeros(len(location), bool) if extrapolated is None else extrapolated,
            record={**(record or {}), "means_far_below_floor": int(np.count_nonzero(far))},
            further=further or {},
        )

    def __len__(self) -> int:
        return len(self.p_luminous)

    def take(self, rows: Array) -> Distribution:
        """Return the prediction for the chosen rows."""
        names = ["p_luminous", "location", "scale", "residual_row", "extrapolated"]
        names += ["rank"] * (self.rank is not None)
        further = {name: law.take(rows) for name, law in self.further.items()}
        chosen = {name: getattr(self, name)[rows] for name in names}
        return replace(self, **chosen, further=further)


def inverse_cdf(distribution: Distribution, probability: Array) -> Array:
    """Return log10 of the stellar mass below which a luminous galaxy lies with ``probability``.

    Parameters
    ----------
    distribution : Distribution
        n predictions.
    probability : ndarray, shape (n,)
        In (0, 1).

    Returns
    -------
    ndarray, shape (n,)
        log10 (M* / (Msun/h)), at or above the floor.
    """
    d, location = distribution, np.asarray(distribution.location)
    below = _residual_cdf(d, (d.floor - location) / d.scale)
    u = below + (1.0 - below) * ranked(d, probability)
    residual = np.empty(len(d))
    for row in np.unique(d.residual_row):
        chosen = d.residual_row == row
        residual[chosen] = np.interp(u[chosen], d.residual_probability, d.residual_quantiles[row])
    return np.maximum(location + d.scale * residual, d.floor)


def cdf(distribution: Distribution, log_stellar_mass: Array) -> Array:
    """Return the probability that a luminous galaxy lies below ``log_stellar_mass``, shape (n,).

    This is the inverse of `inverse_cdf`; at the true masses it is the probability integral
    transform.
    """
    d, location = distribution, np.asarray(distribution.location)
    below = _residual_cdf(d, (d.floor - location) / d.scale)
    value = _residual_cdf(d, (log_stellar_mass - location) / d.scale)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _unranked(d, np.clip((value - below) / (1.0 - below), 0.0, 1.0))


def ranked(distribution: Distribution, probability: Array) -> Array:
    """Return the quantile in the law of stellar mass that follows from each subhalo's rank.

    This is conditional abundance matching with scatter: the normal score of the quantile is r times
    that of the rank plus sqrt(1 - r^2) times that of ``probability``, where r is the rank
    correlation. The quantile is uniform for uniform ranks and probabilities, so that the law over
    all subhalos does not change.

    Parameters
    ----------
    distribution : Distribution
    probability : ndarray, shape (n,)
        In (0, 1), independent of the rank.

    Returns
    -------
    ndarray, shape (n,)
        In [0, 1].
    """
    d, r = distribution, distribution.rank_correlation
    if d.rank is None or r == 0.0:
        return probability
    from scipy.special import ndtr, ndtri

    return np.asarray(ndtr(r * ndtri(d.rank) + math.sqrt(1.0 - r * r) * ndtri(probability)))


def _unranked(d: Distribution, place: Array) -> Array:
    """Invert `ranked`; the result is a step where the rank alone sets the place."""
    r = d.rank_correlation
    if d.rank is None or r == 0.0:
        return place
    from scipy.special import ndtr, ndtri

    apart = ndtri(place) - r * ndtri(d.rank)
    if abs(r) == 1.0:
        return np.where(apart >= 0.0, 1.0, 0.0)
    return np.asarray(ndtr(apart / math.sqrt(1.0 - r * r)))


def _residual_cdf(d: Distribution, residual: Array) -> Array:
    result = np.empty(len(d))
    for row in np.unique(d.residual_row):
        chosen = d.residual_row == row
        result[chosen] = np.interp(
            residual[chosen], d.residual_quantiles[row], d.residual_probability, left=0.0, right=1.0
        )
    return result
