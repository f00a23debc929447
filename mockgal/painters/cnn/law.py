"""From what a network gives to the law that galaxies are drawn from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from ...columns import FURTHER_TARGETS
from ...laws.conditional import ConditionalLaw
from ...laws.distribution import Distribution
from ...laws.normal import PROBABILITY, normal_quantiles, resolved
from .architecture import FURTHER_OUTPUTS, MEAN_ONLY, OUTPUTS
from .weights.header import WeightsHeader

Array = NDArray[Any]


def law(
    header: WeightsHeader,
    n: int,
    rows: Array,
    output: Array,
    share: Array,
    extrapolated: Array,
    record: dict[str, Any],
) -> Distribution:
    """The prediction for n subhalos, of which ``rows`` have an output.

    Parameters
    ----------
    header : WeightsHeader
        Of the weights.
    n : int
    rows : ndarray of int, shape (m,)
    output : ndarray of float64, shape (m, o)
        As `GalaxyNetwork` gives; standardised.
    share : ndarray, shape (m,)
        Of each subhalo in the stellar mass of its voxel, where that is the target (`shares`). It
        is luminous if its share is from the luminosity floor on.
    extrapolated : ndarray of bool, shape (n,)
    record : dict
        Gains ``not_painted_below_floor`` where a network gives the mean alone, else
        ``means_far_below_floor``, whose laws are those of `mockgal.laws.normal.resolved`.
    """
    mean, deviation = header.normalisation.target
    luminosity_floor = header.domain.luminosity_floor
    floor = math.log10(luminosity_floor) if luminosity_floor > 0 else -math.inf
    p, location, scale = np.zeros(n), np.zeros(n), np.ones(n)
    certain = np.ones(n, dtype=np.int16)
    found = mean + deviation * output[:, 0]
    whole = found
    if header.target == "voxel":  # log10 (1 + M) of all galaxies in the voxel; the 1 is for zeros
        one = np.log10(-np.expm1(-np.log(10.0) * np.maximum(found, 1.0)))
        whole = found + np.where(found > 1.0, one, 0.0)
        found = whole + np.log10(share)
    location[rows] = found
    if header.architecture.outputs == MEAN_ONLY:
        p[rows] = found >= floor
        record["not_painted_below_floor"] = int(np.count_nonzero(found < floor))
    else:
        certain[rows] = 0
        scale[rows] = deviation * np.exp(output[:, 1])
        p[rows] = 1.0 / (1.0 + np.exp(-output[:, 2]))
        part = np.flatnonzero(share < 1.0)
        high, low = ((x[part] - floor) / scale[rows[part]] for x in (whole, found))
        p[rows[part]] *= np.exp(log_ndtr(low) - log_ndtr(high))  # given that the whole is luminous
    # Of the mean and scatter as given, before those far below the floor are replaced
    further = _further(header, rows, output, np.maximum(location, floor), scale)
    if header.architecture.outputs != MEAN_ONLY:
        location[rows], scale[rows], far = resolved(location[rows], scale[rows], floor)
        record["means_far_below_floor"] = int(np.count_nonzero(far))
    return Distribution(
        p_luminous=p,
        location=location,
        scale=scale,
        residual_row=certain,
        residual_probability=PROBABILITY,
        residual_quantiles=np.vstack([normal_quantiles(), np.zeros(len(PROBABILITY))]),
        floor=floor,
        extrapolated=extrapolated,
        record=record,
        further=further,
    )


def _further(
    header: WeightsHeader, rows: Array, output: Array, location: Array, scale: Array
) -> dict[str, ConditionalLaw]:
    """Laws of the further targets, about lines through this stellar mass, its scale given too.

    The mass is the mean, or the floor if that is above it: all galaxies are.
    """
    found, first = {}, len(OUTPUTS)
    for name, pair in zip(header.architecture.further, header.normalisation.further, strict=True):
        mean, slope, log_scatter = output[:, first : first + len(FURTHER_OUTPUTS)].T
        first += len(FURTHER_OUTPUTS)
        law = ConditionalLaw.of_all(len(location), 0.0, 0.0, 1.0)
        law.slope[rows] = pair[1] * slope / scale[rows]
        law.intercept[rows] = pair[0] + pair[1] * mean - law.slope[rows] * location[rows]
        law.scatter[rows] = pair[1] * np.exp(log_scatter)
        found[FURTHER_TARGETS[name].name] = law
    return found


def shares(voxel: Array, mass: Array) -> Array:
    """Each subhalo's part of the mass of those in its voxel; rows of a voxel follow each other."""
    group = _groups(voxel)
    return np.asarray(mass / np.bincount(group, mass)[group]) if len(voxel) else np.ones(0)


def heaviest(voxel: Array, mass: Array) -> Array:
    """Row of the heaviest subhalo in the voxel of each, the first of equal ones; rows as above."""
    group = _groups(voxel)
    order = np.lexsort((-mass, group))
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    return np.asarray(order[first][group])


def _groups(voxel: Array) -> Array:
    """Number of the voxel of each row, from 0 on."""
    new = np.ones(len(voxel), dtype=bool)
    new[1:] = (voxel[1:] != voxel[:-1]).any(axis=1)
    return np.asarray(np.cumsum(new) - 1)
