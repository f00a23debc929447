"""The ratio of host masses in a hydrodynamic run and its gravity-only twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layout import is_truth
from ..types import Scene

Array = NDArray[Any]

LEAST_FOR_RATIO = 5  # hosts behind each node of the host-mass ratio


@dataclass(frozen=True)
class PairedHosts:
    """Hosts of a gravity-only run with their counterparts in the hydrodynamic run.

    Parameters
    ----------
    log_hydro, log_dark : ndarray, shape (m,)
        log10 of host masses [Msun/h].
    dark_rows : ndarray of int, shape (m,)
        Rows of the gravity-only centrals.
    method : str
        How the hosts were paired, in words.
    """

    log_hydro: Array
    log_dark: Array
    dark_rows: Array
    method: str


def pair_hosts(
    hydro: Scene, dark: Scene, matched: tuple[Array, Array], how: str, limit: float
) -> PairedHosts:
    """Return the pairs of hosts whose masses are compared.

    These are the matched hosts or, if fewer than half of the gravity-only hosts are matched, hosts
    of equal rank in mass. Matches are preferred because ranks are incomplete near the resolution
    of the gravity-only run.

    Parameters
    ----------
    hydro, dark : Scene
    matched : tuple of ndarray, shape (m,)
        Rows of matched centrals in each run.
    how : str
        How the centrals were matched, in words.
    limit : float
        Least gravity-only host mass used [Msun/h].
    """
    if is_truth(hydro.snapshot.record):
        return _themselves(dark)
    masses = [scene.halos["host_mass"] for scene in (hydro, dark)]
    rows = [
        np.flatnonzero(scene.halos["is_central"] & (mass > 0))
        for scene, mass in zip((hydro, dark), masses, strict=True)
    ]
    hosts = int(np.sum(masses[1][rows[1]] >= limit))
    heavy = masses[1][matched[1]] >= limit
    if np.sum(heavy) >= 0.5 * hosts:
        pairs = [r[heavy] for r in matched]
        method = f"median over {len(pairs[0])} of {hosts} hosts, matched by {how}"
    else:
        ranked = [
            r[np.argsort(-mass[r], kind="stable")] for r, mass in zip(rows, masses, strict=True)
        ]
        n = min(len(ranked[0]), hosts)
        pairs = [r[:n] for r in ranked]
        method = f"abundance: {n} hosts compared at equal rank in mass"
    logs = [np.log10(mass[r]) for mass, r in zip(masses, pairs, strict=True)]
    return PairedHosts(logs[0], logs[1], pairs[1], method)


def _themselves(dark: Scene) -> PairedHosts:
    """Return the hosts paired with themselves: no stars changed their masses."""
    mass = dark.halos["host_mass"]
    rows = np.flatnonzero(dark.halos["is_central"] & (mass > 0))
    log_mass = np.log10(mass[rows])
    method = f"no correction for baryons: the galaxies belong to these {len(rows)} hosts themselves"
    return PairedHosts(log_mass, log_mass, rows, method)


def host_mass_ratio(log_hydro: Array, log_dark: Array, edges: Array) -> tuple[Array, Array]:
    """Return the median ratio of host masses as a function of gravity-only host mass.

    Parameters
    ----------
    log_hydro, log_dark : ndarray, shape (m,)
        log10 of the masses of paired hosts [Msun/h].
    edges : ndarray, shape (bins + 1,)
        Bins of log10 gravity-only host mass.

    Returns
    -------
    log_mass, log_ratio : ndarray, shape (bins,)
        Median log10 gravity-only mass and median log10 (M_hydro / M_dark); NaN in bins with fewer
        than `LEAST_FOR_RATIO` hosts.
    """
    log_mass = np.full(len(edges) - 1, np.nan)
    log_ratio = log_mass.copy()
    for b in range(len(edges) - 1):
        chosen = (log_dark >= edges[b]) & (log_dark < edges[b + 1])
        if np.sum(chosen) >= LEAST_FOR_RATIO:
            log_mass[b] = np.median(log_dark[chosen])
            log_ratio[b] = np.median((log_hydro - log_dark)[chosen])
    return log_mass, log_ratio
