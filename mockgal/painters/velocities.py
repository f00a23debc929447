"""Velocity bias, drawn for the galaxies of a catalogue."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import random
from ..laws.velocity import VelocityBias
from ..types import Scene

Array = NDArray[Any]


def bias_velocities(
    columns: dict[str, Array], scene: Scene, bias: VelocityBias | None, *, seed: int
) -> dict[str, Array]:
    """Return columns of galaxies whose velocities are biased.

    Parameters
    ----------
    columns : dict of str to ndarray, shape (m,)
        See `mockgal.painters.draw.galaxy_columns`.
    scene : Scene
        The simulation that was painted.
    bias : VelocityBias or None
        None leaves the columns as they are.
    seed : int
        With the purpose and the id of the galaxy, the key of its random numbers.
    """
    if bias is None:
        return columns
    central = columns["is_central"]
    changed = dict(columns)
    velocity = np.stack([columns[f"velocity_{x}"] for x in "xyz"], axis=1)
    rows = np.flatnonzero(central)
    if bias.central and rows.size:
        from scipy.special import ndtri

        snapshot = scene.snapshot
        _, circular = snapshot.cosmology.halo_scale(
            columns["halo_mass"][rows], bias.definition, snapshot.redshift
        )
        ids = columns["galaxy_id"][rows]
        for axis in range(3):
            score = ndtri(random.uniform(seed, "central velocity", ids, draw=axis))
            velocity[rows, axis] += bias.central * math.sqrt(0.5) * circular * score
    rows = np.flatnonzero(~central)
    if bias.satellite != 1.0 and rows.size:
        of_host = _host_velocity(scene, columns["halo_id"][rows])
        velocity[rows] = of_host + bias.satellite * (velocity[rows] - of_host)
    for axis, x in enumerate("xyz"):
        changed[f"velocity_{x}"] = velocity[:, axis].copy()
    return changed


def _host_velocity(scene: Scene, ids: Array) -> Array:
    """Return the velocities of the centrals with these ids [km/s], shape (m, 3)."""
    hosts = scene.halos.hosts
    order = np.argsort(hosts["halo_id"], kind="stable")
    place = np.searchsorted(hosts["halo_id"], ids, sorter=order)
    return np.asarray(hosts["velocity"][order[place]])
