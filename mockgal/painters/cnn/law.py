"""From the outputs of a network to the law that galaxies are drawn from."""

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
    """Return the prediction for n subhalos, of which ``rows`` have an output.

    Parameters
    ----------
    header : WeightsHeader
        Header of the weights.
    n : int
    rows : ndarray of int, shape (m,)
    output : ndarray of float64, shape (m, o)
        Outputs of `GalaxyNetwork`, standardised.
    share : ndarray, shape (m,)
        Share of each subhalo in the stellar mass of its voxel, if that is the target (`shares`). A
        subhalo is luminous if its own stellar mass is at or above the luminosity floor.
    extrapolated : ndarray of bool, shape (n,)
    record : dict
        Gains ``not_painted_below_floor`` if the network predicts only the mean, else
        ``means_far_below_floor``, the laws replaced by `mockgal.laws.normal.resolved`.
    """
    mean, deviation = header.normalisation.target
    luminosity_floor = header.domain.luminosity_floor
    floor = math.log10(luminosity_floor) if luminosity_floor > 0 else -math.inf
    p, location, scale = np.zeros(n), np.zeros(n), np.ones(n)
    certain = np.ones(n, dtype=np.int16)
    own = mean + deviation * output[:, 0]
    whole = own
    if header.target == "voxel":  # log10 (1 + M) of all galaxies in the voxel; the 1 is for zeros
        one = np.log10(-np.expm1(-np.log(10.0) * np.maximum(own, 1.0)))
        whole = own + np.where(own > 1.0, one, 0.0)
        own = whole + np.log10(share)
    location[rows] = own
    if header.architecture.outputs == MEAN_ONLY:
        p[rows] = own >= floor
        record["not_painted_below_floor"] = int(np.count_nonzero(own < floor))
    else:
        certain[rows] = 0
        scale[rows] = deviation * np.exp(output[:, 1])
        p[rows] = 1.0 / (1.0 + np.exp(-output[:, 2]))
        part = np.flatnonzero(share < 1.0)
        high, low = ((x[part] - floor) / scale[rows[part]] for x in (whole, own))
        p[rows[part]] *= np.exp(log_ndtr(low) - log_ndtr(high))  # given that the whole is luminous
    # From the original mean and scatter, before laws far below the floor are replaced
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
    """Return laws of the further targets: lines through a stellar mass, with slopes in its scale.

    The stellar mass is the mean, or the floor if that is higher, as all galaxies are above it.
    """
    laws, first = {}, len(OUTPUTS)
    for name, pair in zip(header.architecture.further, header.normalisation.further, strict=True):
        mean, slope, log_scatter = output[:, first : first + len(FURTHER_OUTPUTS)].T
        first += len(FURTHER_OUTPUTS)
        law = ConditionalLaw.of_all(len(location), 0.0, 0.0, 1.0)
        law.slope[rows] = pair[1] * slope / scale[rows]
        law.intercept[rows] = pair[0] + pair[1] * mean - law.slope[rows] * location[rows]
        law.scatter[rows] = pair[1] * np.exp(log_scatter)
        laws[FURTHER_TARGETS[name].name] = law
    return laws


def shares(voxel: Array, mass: Array) -> Array:
    """Return each subhalo's share of the mass in its voxel; rows of a voxel are contiguous."""
    group = _groups(voxel)
    return np.asarray(mass / np.bincount(group, mass)[group]) if len(voxel) else np.ones(0)


def heaviest(voxel: Array, mass: Array) -> Array:
    """Return the row of the heaviest subhalo in each one's voxel; rows of a voxel are contiguous.

    Of equally heavy subhalos it is the first.
    """
    group = _groups(voxel)
    order = np.lexsort((-mass, group))
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    return np.asarray(order[first][group])


def _groups(voxel: Array) -> Array:
    """Return the number of each row's voxel, from 0 on."""
    new = np.ones(len(voxel), dtype=bool)
    new[1:] = (voxel[1:] != voxel[:-1]).any(axis=1)
    return np.asarray(np.cumsum(new) - 1)
