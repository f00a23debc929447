"""Where galaxies may be: centrals, and satellites, as points with weights.

A satellite that is a subhalo is a point. Where satellites are made (`mockgal.populate`), each class
of hosts has some of `TRACERS` points, made in the same way: in all hosts, or in some of them that
stand for the others.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ... import random
from ...errors import UsageError
from ...laws.satellites import SatelliteLaw
from ...laws.velocity import VelocityBias
from ...painters.halotools.models import ModelPainter
from ...painters.velocities import bias_velocities
from ...satellites.make import populate
from ...satellites.options import SatelliteOptions
from ...types import Scene
from .hosts import CELL_WIDTH, CLASS_WIDTH, Hosts

Array = NDArray[Any]

TRACERS, FEWEST_TRACERS = 10_000, 1000  # in the hosts of a class of mass
FAR = 0.2  # share of the tracers that are enough beyond the halos
LEAST, MOST = 2, 1000  # in a host that has some
_SEED = 1  # of where the points are: the same for all fits, whose tables can then be shared
_LOWEST = 1.0  # Msun/h: below, painters have no hosts


class Points(NamedTuple):
    """The points of a simulation: columns of shape (n,).

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        [Mpc/h]
    velocity : ndarray, shape (n, 3)
        [km/s]
    weight : ndarray
        The mean number of galaxies at a point is this times the occupation of its class.
    label : ndarray of int
        Class of the host; of satellites, plus the number of classes.
    host : ndarray of int
        Number of the host.
    factor : ndarray
        By which the weight of two satellites of one host is multiplied, so that they stand for all
        pairs of a Poisson number of satellites.
    far_weight : ndarray
        The weight for separations beyond the halos, where fewer points will do; 0 for points that
        are left out there.
    """

    position: Array
    velocity: Array
    weight: Array
    label: Array
    host: Array
    factor: Array
    far_weight: Array


class Places(NamedTuple):
    """The hosts of a simulation in cells, its points, and what identifies both."""

    hosts: Hosts
    points: Points
    facts: dict[str, Any]

    @property
    def digest(self) -> str:
        """The BLAKE2b-256 of what identifies them."""
        text = json.dumps(self.facts, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def places(
    scene: Scene, painter: ModelPainter, options: SatelliteOptions | None, tracers: int = TRACERS
) -> Places:
    """Return the places of galaxies of a simulation.

    Parameters
    ----------
    scene : Scene
    painter : ModelPainter
        With the second property of hosts, and the velocity bias.
    options : SatelliteOptions or None
        How satellites are made; None if they are the subhalos of the simulation.
    tracers : int
        Points for the satellites of the hosts in 0.1 dex of mass, where there are so many.

    Raises
    ------
    UsageError
        It is a light cone; it has subhalos, and satellites are to be made.
    MockgalError
        The painter is not valid for it, or it lacks something.
    """
    scene.snapshot.check_periodic("fit", "fit a periodic box of it")
    if not FEWEST_TRACERS <= tracers <= 10_000_000:
        expected = f"a whole number from {FEWEST_TRACERS:,} to 10,000,000"
        raise UsageError("fit:tracers", str(tracers), expected)
    painter.check_domain(scene)
    halos, least = scene.halos, max(_LOWEST, painter.least_mass)
    rows = np.flatnonzero(halos["is_central"] & (halos["host_mass"] >= least))
    if not len(rows):
        raise UsageError(
            f"simulation {scene.snapshot.name}", f"no host of {least:.3g} Msun/h", "some hosts"
        )
    upper = np.zeros(len(halos), dtype=np.bool_)
    bias = painter.bias(scene.snapshot.cosmology.h)
    if bias is not None:
        split = bias.split_of(scene, least)
        upper[split.rows] = split.upper
    subhalos, satellites = np.full(len(halos), -1), np.empty(0, dtype=np.int64)
    if options is None:
        light = 0.0 if painter.stellar_mass_law is None else least
        satellites = np.flatnonzero(~halos["is_central"] & (halos["mass"] >= light))
        subhalos = np.bincount(halos.host_row[satellites], minlength=len(halos))
    mass = np.asarray(halos["host_mass"][rows], dtype=np.float64)
    share = 0.5 if bias is None else bias.split
    hosts, class_of = Hosts.of(mass, upper[rows], subhalos[rows], share)
    velocity = painter.velocity_bias(halos)
    if options is None:
        points = _with_subhalos(scene, hosts, rows, class_of, velocity, satellites)
    else:
        points = _with_tracers(scene, hosts, rows, class_of, velocity, options, tracers)
    facts = {
        "halos": halos.digest(),
        "snapshot": scene.snapshot.facts(),
        "mass_definition": halos.mass_definition,
        "property": None if bias is None else bias.describe(scene),
        "velocity_bias": velocity,
        "satellites": None if options is None else options.describe() | {"tracers": tracers},
        "least_mass_msun_h": least,
        "cell_width_dex": CELL_WIDTH,
        "class_width_dex": CLASS_WIDTH,
    }
    return Places(hosts, points, facts)


def _points(
    scene: Scene, rows: Array, weight: Array, label: Array, host: Array, factor: Array,
    far_weight: Array, bias: VelocityBias | None,
) -> Points:  # fmt: skip
    """Return points at rows of a scene, with velocities as galaxies have them."""
    halos = scene.halos
    velocity = np.asarray(halos["velocity"][rows], dtype=np.float64)
    columns = {
        "is_central": halos["is_central"][rows],
        "halo_mass": halos["host_mass"][rows],
        "galaxy_id": halos["halo_id"][rows],
        "halo_id": halos["host_id"][rows],
        **{f"velocity_{x}": velocity[:, axis] for axis, x in enumerate("xyz")},
    }
    columns = bias_velocities(columns, scene, bias, seed=_SEED)
    velocity = np.stack([columns[f"velocity_{x}"] for x in "xyz"], axis=1)
    position = np.asarray(halos["position"][rows], dtype=np.float64)
    return Points(position, velocity, weight, label, host, factor, far_weight)


def _with_subhalos(
    scene: Scene, hosts: Hosts, rows: Array, class_of: Array, bias: VelocityBias | None,
    satellites: Array,
) -> Points:  # fmt: skip
    """Return the hosts in some rows, and those of the satellites that are theirs."""
    halos = scene.halos
    number = np.full(len(halos), -1)
    number[rows] = np.arange(len(rows))
    host = number[halos.host_row[satellites]]
    satellites, host = satellites[host >= 0], host[host >= 0]
    each = np.bincount(host, minlength=len(rows))
    weight = halos["host_mass"][rows][host] / each[host]
    label = class_of[host]
    weight = _normalized(weight, label, hosts.in_class)
    weight = np.concatenate([np.ones(len(rows)), weight])
    return _points(
        scene,
        np.concatenate([rows, satellites]),
        weight,
        np.concatenate([class_of, label + hosts.classes]),
        np.concatenate([np.arange(len(rows)), host]),
        np.ones(len(weight)),
        weight,
        bias,
    )


def _normalized(weight: Array, label: Array, number: Array) -> Array:
    """Return weights that add up to a number in each class."""
    total = np.bincount(label, weight, minlength=len(number))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(weight * (number / total)[label])


def _with_tracers(
    scene: Scene, hosts: Hosts, rows: Array, class_of: Array, bias: VelocityBias | None,
    options: SatelliteOptions, tracers: int,
) -> Points:  # fmt: skip
    """Return the hosts in some rows, and points for the satellites that are made for them."""
    halos, in_class = scene.halos, hosts.in_class
    tracers //= 1 + int(hosts.upper.any())  # in each of the two halves
    wanted = tracers / in_class[class_of]  # in each host
    lot = random.uniform(_SEED, "hosts with tracers", halos["halo_id"][rows])
    some = lot < wanted / LEAST
    each = np.zeros(len(halos))
    each[rows] = np.where(some, np.clip(np.ceil(wanted), LEAST, MOST), 0.0)
    law = SatelliteLaw(
        name="tracers",
        mean=each,
        variance=np.zeros(len(each)),  # exactly so many
        row=np.zeros(len(each), dtype=np.int64),
        probability=np.array([0.0, 1.0]),
        log_mass_ratio=np.full((1, 2), -2.0),
    )
    full = populate(scene, law, seed=_SEED, options=replace(options, numbers="measured"))
    central = full.halos["is_central"]  # in the order of rows, each before its satellites
    number = np.full(len(halos), -1)
    number[rows] = np.arange(len(rows))
    host = number[(np.cumsum(central) - 1)[~central]]
    of_host, label = each[rows][host], class_of[host]
    raw = halos["host_mass"][rows][host] / of_host
    weight = _normalized(raw, label, in_class)
    few = random.uniform(_SEED, "tracers beyond halos", full.halos["halo_id"][~central])
    few = few < FAR * tracers / np.bincount(label, minlength=hosts.classes)[label]
    far_weight = _normalized(np.where(few, raw, 0.0), label, in_class)
    stands_for = in_class / np.maximum(np.bincount(class_of[some], minlength=hosts.classes), 1)
    one = np.ones(len(rows))
    return _points(
        full,
        np.concatenate([np.flatnonzero(central)[rows], np.flatnonzero(~central)]),
        np.concatenate([one, weight]),
        np.concatenate([class_of, label + hosts.classes]),
        np.concatenate([np.arange(len(rows)), host]),
        np.concatenate([one, of_host / (of_host - 1.0) / stands_for[label]]),
        np.concatenate([one, far_weight]),
        bias,
    )
