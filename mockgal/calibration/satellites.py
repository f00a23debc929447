"""Number, mass, position and velocity of satellites, for hosts that come without satellites."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..painters.hod.table import mean_number
from .laws import RESIDUAL_PROBABILITY, per_host, quantiles_by_bin

Array = NDArray[Any]


class SatelliteSample(NamedTuple):
    """Resolved satellites of binned hosts; all of shape (n,).

    ``log_mass_ratio`` is log10 of bound mass over host mass in units of
    `mockgal.painters.hod.table.mass_scale` of the host; ``bin`` is the bin of the host's mass,
    ``host`` the row of the host.
    """

    log_mass_ratio: Array
    bin: Array
    host: Array


class Places(NamedTuple):
    """Positions and velocities of the luminous satellites; all of shape (n,).

    ``radius`` is the distance from the central over the host's radius; ``velocity`` is the
    velocity relative to the central, rms of three components, over the host's circular velocity at
    its radius; ``bin`` is the bin of the host's mass.
    """

    radius: Array
    velocity: Array
    bin: Array


def satellite_columns(
    sample: SatelliteSample,
    places: Places,
    host_bin: Array,
    host_log_mass: Array,
    log_mean_mass: Array,
    probability: Array = RESIDUAL_PROBABILITY,
) -> dict[str, Array]:
    """Return the columns of a table that describe satellites.

    Number and mass are measured from all resolved satellites, luminous or not; painting then
    chooses the luminous ones by their mass. Positions and velocities are measured from luminous
    satellites alone, since they are nearer to the centre than other satellites of their mass.

    A satellite heavier than its host is given the host's mass; `heavier` counts these. They lie
    near the resolution limit, where the unit of ``log_mass_ratio`` is small. Pooled with others,
    they would give heavy hosts satellites of many times the host's mass.

    Parameters
    ----------
    sample : SatelliteSample
    places : Places
    host_bin, host_log_mass : ndarray, shape (hosts,)
        Bin and mass of all hosts, including those without satellites.
    log_mean_mass : ndarray, shape (bins,)
        log10 of the mean host mass in each bin; NaN where there are no hosts.
    probability : ndarray, shape (q,)
        Probabilities of the quantiles.

    Returns
    -------
    dict of str to ndarray
        `mockgal.painters.hod.columns.SATELLITES`, a row for each bin; empty where the radii of
        hosts are not known.
    """
    if not np.all(np.isfinite(places.radius)):
        return {}
    bins = len(log_mean_mass)
    log_mass_ratio = np.minimum(sample.log_mass_ratio, 0.0)
    ratio, source = quantiles_by_bin(log_mass_ratio, sample.bin, bins, probability)
    radius, place_source = quantiles_by_bin(places.radius, places.bin, bins, probability)
    number = np.bincount(sample.host, minlength=len(host_bin))
    mean = np.array([per_host(host_bin, sample.host, b)[0] for b in range(bins)])
    law = mean_number(log_mean_mass, mean, 10.0**host_log_mass)
    dispersion, index = np.zeros(bins), np.ones(bins)
    for b in range(bins):
        hosts = host_bin == b
        if mean[b] > 0:
            index[b] = np.mean((number[hosts] - law[hosts]) ** 2) / mean[b]
        chosen = places.velocity[
            (places.bin == b) if place_source[b] == "bin" else (places.bin >= 0)
        ]
        dispersion[b] = np.sqrt(np.mean(chosen**2)) if len(chosen) else 0.0
    return {
        "satellite_source": source,
        "satellite_log_mass_ratio": ratio,
        "satellite_place_source": place_source,
        "satellite_radius": radius,
        "satellite_dispersion_index": index,
        "satellite_velocity_dispersion": dispersion,
    }


def heavier(log_mass: Array, log_host_mass: Array) -> dict[str, int]:
    """Return the count of resolved satellites heavier than their host, to record; {} for zero."""
    number = int(np.count_nonzero(log_mass > log_host_mass))
    return {"satellites_heavier_than_their_host": number} if number else {}


def after_centrals(columns: dict[str, Array], centrals: int) -> dict[str, Array]:
    """Return satellite columns padded with blank rows for the ``centrals`` that come first."""
    padded = {}
    for name, values in columns.items():
        blank = np.zeros((centrals, *values.shape[1:]), dtype=values.dtype)
        if values.dtype.kind == "U":
            blank = np.full(centrals, "none")
        padded[name] = np.concatenate([blank, values])
    return padded
