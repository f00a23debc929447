"""Boxes of subhalos with a power law of masses, for abundance matching."""

import numpy as np
from scipy.spatial import cKDTree

from mockgal.types import Cosmology, HaloCatalog, Scene, Snapshot, SourceFile

H = 0.7
# Of the comparison with AbundanceMatching, by tests/reference/abundance_matching.py.
FUNCTION, SCATTER, SIDE = "li_white2009", 0.2, 160.0
DENSITIES = np.geomspace(1e-4, 1e-2, 9)
CUTS = (10.0, 10.4, 10.8)  # log10 of stellar mass [Msun/h]
SEPARATIONS = np.geomspace(0.05, 5.0, 9)  # Mpc/h


def made_box(number, box_size, *, seed=1, particle_mass=1e9, redshift=0.0, peaks=True):
    """Return ``number`` subhalos, a fifth of them satellites, of n(> M) proportional to 1/M."""
    rng = np.random.default_rng(seed)
    hosts = number - number // 5
    peak = 1e11 / np.clip(1.0 - rng.random(number), 1e-4, None)
    peak[:hosts] = np.sort(peak[:hosts])[::-1]  # satellites are in the heavier hosts
    central = np.arange(number) < hosts
    host = np.where(central, np.arange(number), rng.integers(0, max(hosts // 20, 1), number))
    peak = np.where(central, peak, np.minimum(peak, 0.3 * peak[host]))
    mass = np.where(central, peak, 0.7 * peak)
    ids = rng.permutation(number) + 1
    centre = rng.random((number, 3)) * box_size
    radius = 0.2 * np.cbrt(peak[host] / 1e12)  # Mpc/h, a large part of R200m
    offset = np.where(central, 0.0, radius)[:, None] * (2.0 * rng.random((number, 3)) - 1.0)
    velocity = 100.0 * np.cbrt(peak / 1e11)
    columns = {
        "halo_id": ids,
        "host_id": ids[host],
        "is_central": central,
        "position": (centre[host] + offset) % box_size,
        "velocity": np.zeros((number, 3)),
        "mass": mass,
        "host_mass": peak[host],
        "vmax": np.where(central, velocity, 0.9 * velocity),
    }
    if peaks:
        columns |= {
            "peak_mass": peak,
            "peak_vmax": velocity,
            "vmax_at_peak_mass": velocity,
            "peak_mass_scale": np.full(number, 1.0 / (1.0 + redshift)),
        }
    snapshot = Snapshot(
        name="made",
        box_size=box_size,
        redshift=redshift,
        cosmology=Cosmology(H, 0.3, 0.7),
        particle_mass=particle_mass,
        format="made",
        source=(SourceFile("made", 0, ""),),
    )
    return Scene(snapshot, HaloCatalog(columns, "vir"))


def compared():
    """Return the box that the public code and mockgal match."""
    return made_box(200_000, SIDE, seed=7)


def count(log_mass, central, position):
    """Return numbers of galaxies and shares of satellites above `CUTS`, and xi of the middle one.

    Masses of subhalos without a galaxy are NaN or -inf.
    """
    above = [log_mass > cut for cut in CUTS]
    tree = cKDTree(position[above[1]] % SIDE, boxsize=SIDE)
    pairs = tree.count_neighbors(tree, SEPARATIONS) - tree.n
    expected = tree.n * (tree.n - 1) * 4 / 3 * np.pi * SEPARATIONS**3 / SIDE**3
    return {
        "number": [int(np.sum(chosen)) for chosen in above],
        "satellites": [float(np.mean(~central[chosen])) for chosen in above],
        "xi": (np.diff(pairs) / np.diff(expected) - 1).tolist(),
    }
