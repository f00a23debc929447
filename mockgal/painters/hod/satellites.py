"""The satellites that a calibration table predicts for hosts without subhalos."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingDatasetError
from ...laws.satellites import SatelliteLaw
from ...types import Scene
from .. import blocks
from .columns import SATELLITES
from .rows import hydro_masses, luminous_probability
from .table import HODTable, mass_scale, mean_number

Array = NDArray[Any]

_STEP = 0.02  # dex
_DRAWS = 400  # of a satellite's mass, evenly spaced in probability


def satellite_law(table: HODTable, scene: Scene) -> SatelliteLaw:
    """Return the law of number, mass, position and velocity of each host's resolved satellites.

    They are those of the gravity-only run (without a twin, of the hydrodynamic run); painting then
    decides which are luminous. Hosts below the table's range have no satellites, and are counted.

    Parameters
    ----------
    table : HODTable
    scene : Scene
        Hosts only.

    Raises
    ------
    MissingDatasetError
        The table has no satellites: its host masses have no radius, or they were not measured.
    """
    _check_says(table)
    host_mass, n = scene.halos["host_mass"], len(scene.halos)
    c, rows, edges = table.columns, table.rows(1), table.edges_as_read(1)
    log_mean, number = c["log_mean_mass"][rows], c[_number(table)][rows]
    index = c["satellite_dispersion_index"][rows]
    mean, variance, row = np.empty(n), np.empty(n), np.empty(n, dtype=np.int16)
    scale, log_least = np.empty(n), math.log10(table.least_mass)

    def block(part: slice) -> int:
        mass = np.require(host_mass[part], np.float64, ("C", "A"))
        below = ~(mass >= edges[0])
        mean[part] = mean_number(log_mean, number, mass, blocks.interp)
        mean[part][below] = 0.0
        row[part] = _bin(edges, mass)
        variance[part] = mean[part] * index[row[part]]
        with np.errstate(divide="ignore"):
            scale[part] = mass_scale(np.log10(mass), log_least)
        return int(np.count_nonzero(below))

    below_range = sum(blocks.over_blocks(block, n))
    return SatelliteLaw(
        name=f"HOD calibration {table.name}",
        mean=mean,
        variance=variance,
        row=row,
        probability=table.residual_probability,
        log_mass_ratio=c["satellite_log_mass_ratio"][rows],
        radius=c["satellite_radius"][rows],
        velocity_dispersion=c["satellite_velocity_dispersion"][rows],
        mass_scale=scale,
        references=tuple(table.provenance.get("references", [])),
        record={"hosts_below_range": below_range},
    )


def mean_luminous_satellites(table: HODTable, host_mass: Array, least_mass: float) -> Array:
    """Return the mean number of luminous satellites: all of `satellite_law` times their share.

    Parameters
    ----------
    table : HODTable
    host_mass : ndarray, shape (n,)
        As read [Msun/h].
    least_mass : float
        Lowest mass of a painted subhalo [Msun/h].

    Raises
    ------
    MissingDatasetError
        See `satellite_law`.

    Returns
    -------
    ndarray, shape (n,)
        The luminous share is computed every `_STEP` in log mass, and interpolated linearly.
    """
    _check_says(table)
    c, rows, edges = table.columns, table.rows(1), table.edges_as_read(1)
    mean = mean_number(c["log_mean_mass"][rows], c[_number(table)][rows], host_mass)
    share = np.zeros(len(host_mass))
    row = _bin(edges, host_mass)
    # Within a bin of the table the share is smooth; at its edges it may step.
    u = (np.arange(_DRAWS) + 0.5) / _DRAWS
    for r in np.unique(row[host_mass >= edges[0]]):
        chosen = (row == r) & (host_mass >= edges[0])
        log_mass = np.log10(host_mass[chosen])
        steps = max(2, int(np.ceil((log_mass.max() - log_mass.min()) / _STEP)) + 1)
        grid = np.linspace(log_mass.min(), log_mass.max(), steps)
        ratio = np.interp(u, table.residual_probability, c["satellite_log_mass_ratio"][rows][r])
        scale = mass_scale(grid, math.log10(table.least_mass))
        own = (grid[:, None] + scale[:, None] * ratio).ravel()
        _, log_own = hydro_masses(table, np.repeat(10.0**grid, _DRAWS), 10.0**own)
        p = luminous_probability(table, np.full(len(own), rows.start + r), log_own)
        p[10.0**own < least_mass] = 0.0
        share[chosen] = np.interp(log_mass, grid, p.reshape(steps, _DRAWS).mean(axis=1))
    return mean * share


def _check_says(table: HODTable) -> None:
    if not table.has_satellites:
        raise MissingDatasetError(
            f"HOD calibration {table.name}",
            f"no {', '.join(SATELLITES)}",
            "the columns that satellites of hosts without subhalos are drawn from",
            "calibrate with spherical-overdensity host masses (--mass-definition 200c), or take "
            "another calibration",
        )


def _number(table: HODTable) -> str:
    return "number_dark_mean" if table.has_twin else "resolved_hydro_mean"


def _bin(edges: Array, mass: Array) -> Array:
    return np.clip(np.searchsorted(edges, mass, side="right") - 1, 0, len(edges) - 2)
