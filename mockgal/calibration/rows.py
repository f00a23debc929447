"""The rows of a calibration table, from the subhalos of a hydrodynamic run and of its twin.

Both runs are cut at the same resolution: a subhalo is *resolved* if it has at least the mass of
``least_particles`` gravity-only particles, in the hydrodynamic run times the host-mass ratio.
Hosts are halos with a resolved central.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ..painters.hod.columns import KINDS
from ..painters.hod.table import mass_scale
from .laws import (
    bin_of,
    luminous_share,
    median_and_residuals,
    per_host,
    quantiles_by_bin,
)
from .population import Population
from .satellites import Places, SatelliteSample, after_centrals, satellite_columns

Array = NDArray[Any]


@dataclass(frozen=True)
class Run:
    """Resolved hosts and the subhalos of one run, masses on the hydro scale [log10 Msun/h]."""

    host_bin: Array  # of each resolved host
    host_log_mass: Array  # of each resolved host
    host_log_mass_read: Array  # of each resolved host, as read from the input
    # All arrays below have an entry for each subhalo of a resolved host.
    member: Array  # row of the population
    kind: Array  # 0 central, 1 satellite
    bin: Array  # -1 outside the bins
    host: Array  # index into host_bin
    log_host_mass: Array
    log_mass: Array  # that sets luminosity: the host's for centrals, else the subhalo's own
    resolved: Array
    log_stellar_mass: Array


def table_columns(
    hydro: Population,
    dark: Population,
    ratio: tuple[Array, Array],
    edges: Array,
    *,
    log_limit: float,
    log_floor: float,
) -> dict[str, Array]:
    """Return the columns of a table, without their errors.

    Parameters
    ----------
    hydro, dark : Population
    ratio : tuple of ndarray, shape (bins,)
        Nodes of the host-mass ratio; see `mockgal.calibration.host_mass.host_mass_ratio`.
    edges : ndarray, shape (bins + 1,)
        Edges in log10 of hydro host mass.
    log_limit : float
        log10 of the least gravity-only mass of a resolved subhalo [Msun/h].
    log_floor : float
        log10 of the least luminous stellar mass [Msun/h].
    """
    bins = len(edges) - 1
    in_hydro = resolved_run(hydro, edges, log_limit, ratio, is_hydro=True)
    in_dark = resolved_run(dark, edges, log_limit, ratio, is_hydro=False)
    factor = _paper_factor(in_hydro, dark, edges, log_limit, log_floor)
    rows = []
    for kind in range(len(KINDS)):
        rows += _rows_of_kind(kind, bins, in_hydro, in_dark, log_floor)
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    absent = np.full(bins, np.nan)
    return columns | {
        "kind": np.repeat(np.array(KINDS), bins),
        "log_mass_low": np.tile(edges[:-1], 2),
        "log_mass_high": np.tile(edges[1:], 2),
        "paper_factor": np.append(np.ones(bins), factor),
        "ratio_log_host_mass": np.append(ratio[0], absent),
        "log_host_mass_ratio": np.append(ratio[1], absent),
        **_satellites(
            (hydro, in_hydro),
            (dark, in_dark),
            columns["log_mean_mass"][bins:],
            log_limit,
            log_floor,
        ),
    }


def log_ratio_at(ratio: tuple[Array, Array], log_dark_mass: Array) -> Array:
    """Return log10 (M_hydro / M_dark) of hosts, shape (n,), linear between nodes, else constant."""
    known = np.isfinite(ratio[0])
    return np.asarray(np.interp(log_dark_mass, ratio[0][known], ratio[1][known]))


def resolved_run(
    subhalos: Population,
    edges: Array,
    log_limit: float,
    ratio: tuple[Array, Array],
    *,
    is_hydro: bool,
) -> Run:
    """Return the resolved hosts and subhalos of a run, and their bins."""
    log_host, log_own = subhalos.log_host_mass, subhalos.log_mass
    known = np.isfinite(log_host)
    shift = np.zeros(len(subhalos))
    dark_scale = log_host[known]
    if is_hydro:  # the ratio is a function of gravity-only mass: invert it by iteration
        for _ in range(20):
            dark_scale = log_host[known] - log_ratio_at(ratio, dark_scale)
    shift[known] = log_ratio_at(ratio, dark_scale)
    own_limit = log_limit + (shift if is_hydro else 0.0)
    resolved = (log_own >= own_limit) & known
    scale = log_host if is_hydro else log_host + shift

    central = subhalos.is_central
    host_rows = np.flatnonzero(central & resolved)
    host_of_row = np.full(len(subhalos), -1)
    host_of_row[host_rows] = np.arange(len(host_rows))
    host = host_of_row[subhalos.host]
    members = np.flatnonzero(host >= 0)
    bins = bin_of(scale, edges)
    return Run(
        host_bin=bins[host_rows],
        host_log_mass=scale[host_rows],
        host_log_mass_read=log_host[host_rows],
        member=members,
        kind=(~central[members]).astype(int),
        bin=bins[members],
        host=host[members],
        log_host_mass=scale[members],
        log_mass=np.where(central, scale, log_own if is_hydro else log_own + shift)[members],
        resolved=resolved[members],
        log_stellar_mass=subhalos.log_stellar_mass[members],
    )


def is_luminous(log_stellar_mass: Array, log_floor: float) -> Array:
    """Return whether stellar masses reach the floor, allowing for single-precision rounding."""
    return log_stellar_mass >= log_floor - 1e-9


def log_mean_mass(log_mass: Array) -> float:
    """Return log10 of the mean of masses stored as log10; NaN if there are none."""
    return float(np.log10(np.mean(10.0**log_mass))) if len(log_mass) else float("nan")


def _rows_of_kind(
    kind: int, bins: int, hydro: Run, dark: Run, log_floor: float
) -> list[dict[str, Any]]:
    # Median and residuals use all subhalos with stars: the floor enters only once, in the draw.
    starry = (hydro.kind == kind) & np.isfinite(hydro.log_stellar_mass)
    luminous = starry & is_luminous(hydro.log_stellar_mass, log_floor)
    laws = median_and_residuals(
        hydro.log_host_mass[starry], hydro.log_stellar_mass[starry], hydro.bin[starry], bins
    )
    masses, _ = quantiles_by_bin(hydro.log_stellar_mass[luminous], hydro.bin[luminous], bins)
    rows = []
    for b in range(bins):
        luminous_here = luminous & (hydro.bin == b)
        of_hydro = (hydro.kind == kind) & (hydro.bin == b) & hydro.resolved
        of_dark = (dark.kind == kind) & (dark.bin == b) & dark.resolved
        hosts_hydro, hosts_dark = np.sum(hydro.host_bin == b), np.sum(dark.host_bin == b)
        nodes, probability = luminous_share(
            hydro.log_mass[of_hydro], luminous[of_hydro], np.any(luminous_here)
        )
        number_hydro = per_host(hydro.host_bin, hydro.host[luminous_here], b)
        resolved_hydro = per_host(hydro.host_bin, hydro.host[of_hydro], b)
        number_dark = per_host(dark.host_bin, dark.host[of_dark], b)
        p = np.interp(dark.log_mass[of_dark], nodes, probability)
        thinning, deficit = _thinning(p, number_hydro[0] * hosts_dark)
        rows.append(
            {
                "hosts_hydro": hosts_hydro,
                "hosts_dark": hosts_dark,
                "log_mean_mass": log_mean_mass(dark.host_log_mass_read[dark.host_bin == b]),
                "subhalos_hydro": np.sum(of_hydro),
                "subhalos_dark": np.sum(of_dark),
                "luminous_hydro": np.sum(luminous_here),
                "number_hydro_mean": number_hydro[0],
                "number_hydro_variance": number_hydro[1],
                "resolved_hydro_mean": resolved_hydro[0],
                "resolved_hydro_variance": resolved_hydro[1],
                "number_dark_mean": number_dark[0],
                "number_dark_variance": number_dark[1],
                **laws[b],
                "stellar_mass_quantiles": masses[b],
                "luminous_log_mass": nodes,
                "luminous_probability": probability,
                "thinning": thinning,
                "deficit": deficit,
            }
        )
    return rows


def _satellites(
    hydro: tuple[Population, Run],
    dark: tuple[Population, Run],
    log_mean: Array,
    log_limit: float,
    log_floor: float,
) -> dict[str, Array]:
    """Return number and mass of gravity-only satellites, and places of luminous hydro ones."""
    runs, run = dark
    counted = run.resolved & (run.kind == 1) & (run.bin >= 0)
    rows = run.member[counted]
    log_host = runs.log_host_mass[rows]
    sample = SatelliteSample(
        log_mass_ratio=(runs.log_mass[rows] - log_host) / mass_scale(log_host, log_limit),
        bin=run.bin[counted],
        host=run.host[counted],
    )
    shining = (hydro[1].kind == 1) & (hydro[1].bin >= 0)
    shining &= is_luminous(hydro[1].log_stellar_mass, log_floor)
    rows = hydro[1].member[shining]
    places = Places(hydro[0].radius[rows], hydro[0].velocity[rows], hydro[1].bin[shining])
    columns = satellite_columns(sample, places, run.host_bin, run.host_log_mass_read, log_mean)
    return after_centrals(columns, len(log_mean))


def _paper_factor(
    hydro: Run, dark: Population, edges: Array, log_limit: float, log_floor: float
) -> Array:
    """Return the factor on the masses of satellites in the paper's own form, bin by bin.

    There, gravity-only hosts are binned by their uncorrected masses. The factor is 0 where the
    gravity-only run has no satellites.
    """
    no_ratio = (np.zeros(1), np.zeros(1))
    twin = resolved_run(dark, edges, log_limit, no_ratio, is_hydro=False)
    luminous = is_luminous(hydro.log_stellar_mass, log_floor)
    factor = np.zeros(len(edges) - 1)
    for b in range(len(factor)):
        here, there = (run.resolved & (run.kind == 1) & (run.bin == b) for run in (hydro, twin))
        hosts = [np.sum(run.host_bin == b) for run in (hydro, twin)]
        if np.any(there) and hosts[0]:
            per_host_ratio = (np.sum(here) / hosts[0]) / (np.sum(there) / hosts[1])
            shining = np.sum(luminous & (hydro.kind == 1) & (hydro.bin == b))
            factor[b] = per_host_ratio * shining / np.sum(there)
    return factor


def _thinning(p: Array, target: float) -> tuple[float, float]:
    """Return the factor t with sum(min(1, t p)) = target, and the share of it out of reach."""
    if target == 0:
        return 0.0, 0.0
    most = float(np.sum(p > 0))
    if most == 0:
        return 1.0, 1.0
    ceiling = 1.0 / float(np.min(p[p > 0]))
    if most <= target:
        return ceiling, 1.0 - most / target
    solution = brentq(lambda t: float(np.sum(np.minimum(1.0, t * p))) - target, 0.0, ceiling)
    return float(solution), 0.0
