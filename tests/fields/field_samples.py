"""Made-up particles of the matter of a universe, as a stream."""

import numpy as np

from mockgal.cosmology import Cosmology
from mockgal.types import ParticleChunk, Particles, Snapshot

COSMOLOGY = Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.7)
BOX_SIZE = 20.0
MATTER = COSMOLOGY.matter_mass(BOX_SIZE)


def snapshot(particle_mass=None):
    return Snapshot("made up", BOX_SIZE, 0.0, COSMOLOGY, particle_mass, "made up")


def rows(number=5000, kind="own masses", seed=1):
    """Positions, half of them in a clump across the sides of the box, and masses."""
    rng = np.random.default_rng(seed)
    position = rng.random((number, 3)) * BOX_SIZE
    position[::2] = np.mod(rng.normal(0.0, 0.5, position[::2].shape), BOX_SIZE)
    mass = rng.random(number) + 0.5
    if kind == "one mass":
        mass[:] = 1.0
    if kind in ("one mass", "single precision"):
        position = position.astype(np.float32).astype(np.float64)
    position[position >= BOX_SIZE] = 0.0
    return position, mass * (MATTER / mass.sum())


def particles(position, mass, *, count=None, moved=(0, 0), chunk=None):
    def stream(chunk_rows):
        step = min(chunk_rows, chunk or chunk_rows)
        for first in range(0, len(mass), step):
            some = slice(first, first + step)
            yield ParticleChunk(position[some], mass[some], *moved)

    return Particles(len(mass) if count is None else count, stream)
