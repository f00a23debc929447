"""Catalogues and scenes for the tests of the writers."""

from dataclasses import replace

import numpy as np

from mockgal.columns import GALAXY_COLUMNS
from mockgal.cosmology import Cosmology
from mockgal.testing import synthetic_pair
from mockgal.types import GalaxyCatalog, ParticleChunk, Particles, Snapshot

H = 0.6774
PROVENANCE = {
    "version": "0.1.0",
    "seed": 42,
    "simulation": {
        "name": "demo 'dark' run",
        "format": "gadget4",
        "halo_digest": "ab" * 32,
        "mass_definition": "200c",
        "record": {"wrapped": 3},
    },
    "painter": {
        "name": "hod",
        "calibration": "demo",
        "calibration_digest": "cd" * 32,
        "references": ["Zheng et al. 2007, ApJ 667, 760", "a title & more, " * 20 + "end"],
    },
    "cuts": [{"cut": "stellar_mass > 1e10 Msun/h", "before": 20, "after": 10}],
    "configuration_digest": "ef" * 32,
}


def catalogue(n=1000, *, rng_seed=1, name=None, columns=None, **provenance):
    """A catalogue of ``n`` galaxies with every column, or with ``columns``."""
    facts = {**PROVENANCE, **provenance}
    if name is not None:
        facts["simulation"] = {**PROVENANCE["simulation"], "name": name}
    snapshot = Snapshot("snap", 100.0, 0.5, Cosmology(H, 0.3089, 0.6911, omega_b=0.0486), 1e9, "x")
    return GalaxyCatalog(columns or random_columns(n, rng_seed), snapshot, "box", facts)


def random_columns(n, seed):
    rng = np.random.default_rng(seed)
    columns = {}
    for column in GALAXY_COLUMNS.values():
        if column.dtype == "<i8":
            columns[column.name] = np.sort(rng.permutation(10 * n + 1)[:n]) + 2**40
        elif column.dtype == "|b1":
            columns[column.name] = rng.random(n) < 0.5
        elif column.unit == "Msun":
            columns[column.name] = 10 ** rng.uniform(9, 14, n)
        else:
            most = 1 if column.name == "stellar_half_mass_radius" else 100
            columns[column.name] = rng.uniform(0, most, n)
    return columns


def in_file(galaxies, name, units):
    """What a file must hold, by a way other than the writers': (numbers, h-free unit)."""
    column = GALAXY_COLUMNS[name]
    values = galaxies[name]
    if units == "h-free" and column.h_power == -1:
        values = (values.astype("f8") / H).astype(values.dtype)
    return values


def matter_scene(count, own_masses=False):
    """A scene of ``count`` particles at random; the first 70% have one mass, even with their own.

    Without their own they make up Omega_m.
    """
    scene = synthetic_pair(200)[1]
    box = scene.snapshot.box_size
    mass = scene.snapshot.cosmology.mean_matter_density * box**3 / max(count, 1)
    rng = np.random.default_rng(5)
    position = np.minimum(rng.random((count, 3)) * box, np.nextafter(np.float32(box), 0))
    masses = np.full(count, mass)
    if own_masses:
        masses[int(0.7 * count) :] *= rng.uniform(0.1, 0.9, count - int(0.7 * count))

    def stream(rows):
        for start in range(0, count, rows):
            stop = min(start + rows, count)
            yield ParticleChunk(position[start:stop], masses[start:stop])

    particle_mass = 2 * mass if own_masses else mass
    return replace(
        scene,
        snapshot=replace(scene.snapshot, particle_mass=particle_mass),
        particles=Particles(count, stream) if count else None,
    )
