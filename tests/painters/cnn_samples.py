"""A small box with particles and subhalos, and networks that answer differently for each."""

from dataclasses import replace

import numpy as np
import torch

from mockgal.cosmology import Cosmology
from mockgal.fields.assign import deposit
from mockgal.painters.cnn.architecture import Architecture, architecture
from mockgal.painters.cnn.network import seeded_network
from mockgal.painters.cnn.weights.header import Domain, Normalisation
from mockgal.painters.cnn.weights.named import Weights
from mockgal.types import (
    DensityField,
    HaloCatalog,
    ParticleChunk,
    Particles,
    Scene,
    Snapshot,
    settle,
)

COSMOLOGY = Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.7)
BOX_SIZE, GRID = 20.0, 32
PARTICLES = 40_000
PARTICLE_MASS = COSMOLOGY.matter_mass(BOX_SIZE) / PARTICLES
SMALL = Architecture("small", ((3,), (3,), ()), crop_size=21, width=4, hidden=8)
PAPER_LIKE = Architecture(
    "paper-like", ((3,), (3,), ()), 25, width=4, hidden=8, features=(), outputs=("mean",)
)  # off-centre, as the preset `paper` is


def positions(seed=1, number=PARTICLES):
    """Half of the particles around twelve places, one of them at a corner of the box."""
    rng = np.random.default_rng(seed)
    place = rng.random((number, 3)) * BOX_SIZE
    centres = rng.random((12, 3)) * BOX_SIZE
    centres[0] = 0.1  # not on the edge of a voxel, which is another one's when turned
    half = number // 2
    place[:half] = centres[rng.integers(0, 12, half)] + rng.normal(0, 0.4, (half, 3))
    return np.mod(place, BOX_SIZE), np.mod(centres, BOX_SIZE)


def scene(*, grid=False, satellites=20, with_vmax=True, seed=1):
    """Hosts at the clumps and elsewhere, satellites around the clumps."""
    place, centres = positions(seed)
    rng = np.random.default_rng(seed + 1)
    hosts = np.concatenate([centres, rng.random((20, 3)) * BOX_SIZE])
    number = len(hosts)
    host = np.concatenate([np.arange(number), rng.integers(0, 12, satellites)])
    position = hosts[host].copy()
    position[number:] += rng.normal(0, 0.3, (satellites, 3))
    position = np.mod(position, BOX_SIZE)
    position[number] = position[number + 1]  # two in one voxel
    mass = 10.0 ** rng.uniform(11.5, 14, number)[host]
    own = mass * np.where(np.arange(len(host)) < number, 0.9, rng.uniform(0.05, 0.2, len(host)))
    ids = rng.permutation(10_000)[: len(host)].astype(np.int64)
    columns = {
        "halo_id": ids,
        "host_id": ids[host],
        "is_central": np.arange(len(host)) < number,
        "position": position,
        "velocity": rng.normal(0, 100, (len(host), 3)),
        "mass": own,
        "host_mass": mass,
    }
    if with_vmax:
        columns["vmax"] = 1e-2 * own ** (1 / 3)
    snapshot = Snapshot("made up", BOX_SIZE, 0.0, COSMOLOGY, PARTICLE_MASS, "made up")
    halos = HaloCatalog(settle(columns), "200c")
    if grid:
        return Scene(snapshot, halos, field=density(matter(place)))

    def stream(rows):
        for first in range(0, len(place), rows):
            some = place[first : first + rows]
            yield ParticleChunk(some, np.full(len(some), PARTICLE_MASS))

    return Scene(snapshot, halos, particles=Particles(len(place), stream))


def matter(place):
    """Mass per voxel."""
    return deposit(place, PARTICLE_MASS, grid_size=GRID, box_size=BOX_SIZE)


def density(grid):
    """A grid in memory as a field."""
    return DensityField(
        GRID, BOX_SIZE / GRID, "mass", "CIC", "corner", lambda start, stop: grid[start:stop]
    )


def lively(shape, seed=1):
    """A seeded network whose outputs have a scatter of about one half over random crops."""
    network = seeded_network(shape, seed)
    rng = np.random.default_rng(seed)
    crops = torch.from_numpy(rng.normal(size=(8, 2, *3 * (shape.crop_size,))).astype("f4"))
    features = torch.from_numpy(rng.normal(size=(8, len(shape.features))).astype("f4"))
    for block in network.blocks:
        block.normalisation.momentum = 1.0
    network.train()
    with torch.no_grad():
        scatter = network(crops, features).std(0)
        network.output.weight /= 2 * scatter[:, None]
        network.output.bias[1:2] = -1.0  # of the log of the scatter, where there is one
    return network.eval()


def sample_weights(shape=SMALL, *, seed=1, domain=None, **changes):
    """Weights for `scene`."""
    known = {
        "log_mass": (12.8, 0.7),
        "log_vmax": (2.3, 0.3),
        "is_central": (0.6, 0.5),
        "log_host_mass": (13.0, 0.6),
    }
    domain = {
        "voxel_size": BOX_SIZE / GRID,
        "origin": "corner",
        "assignment": "CIC",
        "particle_mass": PARTICLE_MASS,
        "least_subhalo_mass": 0.0,
        "redshift": (0.0, 0.0),
        "cosmology": COSMOLOGY.to_dict(),
        "mass_definition": "200c",
        "stellar_mass_definition": "bound",
        "luminosity_floor": 1e8,
        "log_mass": (10.0, 14.5),
        "log_host_mass": (10.0, 14.5),
        "log_vmax": (1.0, 4.0),
    } | (domain or {})
    state = lively(shape, seed).state_dict()
    state["output.bias"][:3] += torch.tensor([4.0, 0.0, 2.0])[: len(shape.outputs)]  # for `scene`
    made = Weights(
        name="sample",
        architecture=shape,
        normalisation=Normalisation(
            (5.0, 5.0),
            (0.1, 1.2),
            tuple(known.get(n, (0.0, 0.3)) for n in shape.features),
            (9, 1),
            tuple((-2.5, 0.3) for _ in shape.further),
        ),
        domain=Domain(**domain),
        target="subhalo",
        provenance={"summary": "made up"},
        state=state,
    )
    return replace(made, **changes)


PRESETS = {name: architecture(name, width=4) for name in ("paper", "centred", "literal", "demo")}
