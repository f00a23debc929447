"""The ratio of host masses in a hydrodynamic run and its gravity-only twin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError
from ..types import HaloCatalog, Snapshot
from .match import match_hosts

Array = NDArray[Any]

LEAST_FOR_RATIO = 5  # hosts behind each node of the host-mass ratio


def host_mass_ratio(
    hydro: HaloCatalog, dark: HaloCatalog, snapshot: Snapshot, edges: Array, limit: float
) -> tuple[Array, Array, str]:
    """The median ratio of host masses as a function of the gravity-only one.

    Over hosts matched by position; where fewer than half of the gravity-only hosts have a match
    (the runs do not share their phases), over hosts of equal rank in mass. Ranks of a gravity-only
    run are incomplete near its resolution, which is why matches come first.

    Parameters
    ----------
    hydro, dark : HaloCatalog
    snapshot : Snapshot
    edges : ndarray, shape (bins + 1,)
        Bins of log10 gravity-only host mass.
    limit : float
        Least host mass used [Msun/h].

    Returns
    -------
    log_mass, log_ratio : ndarray, shape (bins,)
        Median log10 gravity-only mass and median log10 (M_hydro / M_dark); NaN in bins with fewer
        than `LEAST_FOR_RATIO` hosts.
    method : str
        How the hosts were paired.
    """
    in_hydro, in_dark = match_hosts(hydro, dark, snapshot)
    heavy = dark["host_mass"][in_dark] >= limit
    hosts = int(np.sum(dark["is_central"] & (dark["host_mass"] >= limit)))
    if np.sum(heavy) >= 0.5 * hosts:
        mass_hydro, mass_dark = (
            c["host_mass"][r[heavy]] for c, r in ((hydro, in_hydro), (dark, in_dark))
        )
        method = f"median over {len(mass_dark)} of {hosts} hosts, matched by position"
    else:
        ranked = [np.sort(c["host_mass"][c["is_central"]])[::-1] for c in (hydro, dark)]
        n = min(int(np.sum(ranked[0] > 0)), hosts)
        mass_hydro, mass_dark = ranked[0][:n], ranked[1][:n]
        method = f"abundance: {n} hosts compared at equal rank in mass"
    log_hydro, log_dark = np.log10(mass_hydro), np.log10(mass_dark)
    log_mass = np.full(len(edges) - 1, np.nan)
    log_ratio = log_mass.copy()
    for b in range(len(edges) - 1):
        chosen = (log_dark >= edges[b]) & (log_dark < edges[b + 1])
        if np.sum(chosen) >= LEAST_FOR_RATIO:
            log_mass[b] = np.median(log_dark[chosen])
            log_ratio[b] = np.median((log_hydro - log_dark)[chosen])
    if not np.any(np.isfinite(log_ratio)):
        raise BadValueError(
            "host-mass ratio",
            "no bin with enough hosts above the resolution",
            f"{LEAST_FOR_RATIO} hosts in a bin",
            "take wider or other bins",
        )
    return log_mass, log_ratio, method
