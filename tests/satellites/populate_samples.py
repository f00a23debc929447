"""Hosts without subhalos, a made-up law of their satellites, and a painter that predicts it."""

from dataclasses import replace

import numpy as np

from mockgal.columns import GALAXY_COLUMNS
from mockgal.cosmology import Cosmology
from mockgal.laws.distribution import Distribution
from mockgal.laws.satellites import SatelliteLaw
from mockgal.types import HaloCatalog, Scene, Snapshot

BOX = 100.0
COSMOLOGY = Cosmology(h=0.6774, omega_m=0.3089, omega_lambda=0.6911)
PROBABILITY = np.linspace(0.0, 1.0, 9)


def hosts(n=2000, *, seed=1, definition="200c", redshift=0.5, log_mass=(11.5, 14.5), **columns):
    """A scene of n hosts, their ids in no order."""
    generator = np.random.default_rng(seed)
    mass = 10.0 ** generator.uniform(*log_mass, n)
    ids = generator.permutation(n) * 5 + 2
    table = {
        "halo_id": ids,
        "host_id": ids,
        "is_central": np.ones(n, dtype=bool),
        "position": generator.random((n, 3)) * BOX,
        "velocity": generator.normal(0.0, 300.0, (n, 3)),
        "mass": 0.9 * mass,
        "host_mass": mass,
        "vmax": 100.0 * np.cbrt(mass / 1e12),
        **columns,
    }
    snapshot = Snapshot("made up", BOX, redshift, COSMOLOGY, 1e8, "synthetic")
    return Scene(snapshot, HaloCatalog(table, definition, {"satellites": 0}))


def law(scene, *, mean=1.5, variance=1.6, measured=True):
    """A law of two rows, for light and heavy hosts; mean and variance are one for all, or each."""
    n = len(scene.halos)
    shape = PROBABILITY**1.5
    return SatelliteLaw(
        "made up",
        np.broadcast_to(np.asarray(mean, dtype=float), n).copy(),
        np.broadcast_to(np.asarray(variance, dtype=float), n).copy(),
        (scene.halos["host_mass"] > 1e13).astype(np.int64),
        PROBABILITY,
        np.stack([-3.0 + 2.0 * PROBABILITY, -4.0 + 3.0 * PROBABILITY]),
        np.stack([shape, 1.2 * shape]) if measured else None,
        np.array([0.6, 0.7]) if measured else None,
        ("someone",),
        {"counted": 3.0},
    )


def taken(scene, rows):
    """A scene of some rows."""
    return replace(scene, halos=scene.halos.take(rows))


def satellites_of(scene):
    """Rows of the satellites, and rows of their hosts."""
    rows = np.flatnonzero(~scene.halos["is_central"])
    return rows, scene.halos.host_row[rows]


def offsets(scene):
    """Distances of satellites from their hosts along each axis [Mpc/h], shape (m, 3)."""
    rows, host = satellites_of(scene)
    difference = scene.halos["position"][rows] - scene.halos["position"][host]
    return difference - BOX * np.round(difference / BOX)


class StandIn:
    """A painter that makes every subhalo luminous."""

    name = "standin"
    needs = frozenset({"halos"})
    provides = (GALAXY_COLUMNS["stellar_mass"], GALAXY_COLUMNS["extrapolated"])
    references = ("nobody",)

    def describe(self, scene):
        return {"name": self.name, "references": ["nobody"]}

    def satellites(self, scene):
        return law(scene, mean=0.8, variance=1.0)

    def predict(self, scene):
        n = len(scene.halos)
        return Distribution(
            np.ones(n),
            np.log10(scene.halos["mass"]) - 2.0,
            np.ones(n),
            np.zeros(n, dtype=int),
            np.array([0.0, 1.0]),
            np.array([[-0.2, 0.2]]),
            5.0,
            np.zeros(n, dtype=bool),
        )


class WithoutSatellites(StandIn):
    """One that predicts none."""

    satellites = None
