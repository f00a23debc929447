"""Pair the hosts of a hydrodynamic run with those of its gravity-only twin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..types import HaloCatalog, Snapshot

Array = NDArray[Any]


def match_hosts(hydro: HaloCatalog, dark: HaloCatalog, snapshot: Snapshot) -> tuple[Array, Array]:
    """Hosts of twin runs that are each other's nearest, within the gravity-only halo's radius.

    Parameters
    ----------
    hydro, dark : HaloCatalog
        Of two runs from the same initial phases.
    snapshot : Snapshot
        Of either run.

    Returns
    -------
    hydro_rows, dark_rows : ndarray of int, shape (m,)
        Rows of the matched centrals, both with a positive host mass.
    """
    rows = [np.flatnonzero(c["is_central"] & (c["host_mass"] > 0)) for c in (hydro, dark)]
    position = [c["position"][r] for c, r in zip((hydro, dark), rows, strict=True)]
    if min(len(r) for r in rows) == 0:
        return rows[0][:0], rows[1][:0]
    trees = [cKDTree(p, boxsize=snapshot.box_size) for p in position]
    distance, nearest = trees[0].query(position[1])
    _, back = trees[1].query(position[0])
    density = 200.0 * snapshot.cosmology.critical_density(snapshot.redshift)
    radius = np.cbrt(dark["host_mass"][rows[1]] / (4.0 / 3.0 * np.pi * density))
    mutual = (back[nearest] == np.arange(len(rows[1]))) & (distance < radius)
    return rows[0][nearest[mutual]], rows[1][mutual]
