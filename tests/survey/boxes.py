"""Made-up mocks of periodic boxes, with and without satellites."""

import numpy as np

from mockgal.cosmology import Cosmology
from mockgal.types import GalaxyCatalog, Snapshot

COSMOLOGY = Cosmology(0.6774, 0.3089, 0.6911)
SIZE = 100.0


def poisson(number=4000, *, seed=1, size=SIZE, redshift=0.0, satellites=0, speed=300.0):
    """Centrals at random, the first ``satellites`` of which have one satellite nearby."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(0, size, (number, 3))
    near = np.mod(place[:satellites] + rng.normal(0, 0.3, (satellites, 3)), size)
    near[near >= size] = 0.0
    place = np.concatenate([place, near])
    ids = np.arange(number + satellites, dtype=np.int64)
    hosts = np.concatenate([ids[:number], ids[:satellites]])
    columns = {
        "galaxy_id": ids,
        "halo_id": hosts,
        "is_central": ids < number,
        "stellar_mass": (1e9 * rng.pareto(1.0, len(ids)).clip(0, 1e3) + 1e9).astype("f4"),
    }
    for axis, x in enumerate("xyz"):
        columns[f"position_{x}"] = place[:, axis]
        columns[f"velocity_{x}"] = rng.normal(0, speed, len(ids))
    snapshot = Snapshot(f"box at {redshift}", size, redshift, COSMOLOGY, 1e9, "made up")
    return GalaxyCatalog(columns, snapshot, "box", {"cuts": []})
