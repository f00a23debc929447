"""The subhalos of one or more runs as a calibration uses them, with their hosts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..statistics.jackknife import regions
from ..types import Scene

Array = NDArray[Any]


@dataclass(frozen=True)
class Population:
    """Subhalos with their hosts; all of shape (n,), masses log10 of Msun/h.

    Parameters
    ----------
    log_host_mass, log_mass, log_stellar_mass : ndarray
        Mass of the host, bound mass of the subhalo, and its stellar mass; -inf for zero mass.
    is_central : ndarray of bool
    host : ndarray of int
        Row of the central of the subhalo's host.
    region : ndarray of int
        Jackknife sub-volume that contains the host.
    radius : ndarray
        Distance from the central over the host's radius; NaN where the radius is not known.
    velocity : ndarray
        Velocity relative to the central, rms of its three components, over the host's circular
        velocity; NaN where the radius is not known.
    """

    log_host_mass: Array
    log_mass: Array
    log_stellar_mass: Array
    is_central: Array
    host: Array
    region: Array
    radius: Array
    velocity: Array

    def __len__(self) -> int:
        return len(self.host)

    def where(self, chosen: Array) -> Population:
        """Return the subhalos where ``chosen`` is True, shape (n,); it must keep hosts whole."""
        new_row = np.cumsum(chosen) - 1
        values = {f.name: getattr(self, f.name)[chosen] for f in fields(self)}
        return Population(**values | {"host": new_row[values["host"]]})


def population(scene: Scene, per_side: int, first_region: int = 0) -> Population:
    """Return the subhalos of a run.

    Parameters
    ----------
    scene : Scene
    per_side : int
        Jackknife sub-volumes along each side of the box; 0 for one region.
    first_region : int
        Index of the first sub-volume.
    """
    halos, snapshot = scene.halos, scene.snapshot
    host, box = halos.host_row, snapshot.box_size
    stellar = halos["stellar_mass"] if "stellar_mass" in halos else np.zeros(len(halos))
    with np.errstate(divide="ignore"):
        log_host, log_own, log_stellar = (
            np.log10(values) for values in (halos["host_mass"], halos["mass"], stellar)
        )
    apart = halos["position"] - halos["position"][host]
    apart -= box * np.round(apart / box)
    relative = halos["velocity"] - halos["velocity"][host]
    radius, circular_velocity = snapshot.cosmology.halo_scale(
        halos["host_mass"], halos.mass_definition, snapshot.redshift
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        radius = np.sqrt(np.sum(apart**2, axis=1)) / radius
        velocity = np.sqrt(np.mean(relative**2, axis=1)) / circular_velocity
    place = np.zeros(len(halos), dtype=np.int64)
    if per_side:
        place = regions(halos["position"], box, per_side)[host]
    return Population(
        log_host,
        log_own,
        log_stellar,
        halos["is_central"],
        host,
        place + first_region,
        radius,
        velocity,
    )


def together(populations: Sequence[Population]) -> Population:
    """Return the populations of several runs as one."""
    starts = np.cumsum([0] + [len(p) for p in populations[:-1]])
    values = {
        f.name: np.concatenate([getattr(p, f.name) for p in populations])
        for f in fields(Population)
    }
    host = [p.host + start for p, start in zip(populations, starts, strict=True)]
    return Population(**values | {"host": np.concatenate(host)})
