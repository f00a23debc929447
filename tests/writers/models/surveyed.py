"""A small survey, with randoms, made by the steps of `mockgal.survey`."""

from functools import cache

import numpy as np

from mockgal.cosmology import Cosmology
from mockgal.errors import listening
from mockgal.survey.footprint import SkyBox, within
from mockgal.survey.light_cone import light_cone
from mockgal.survey.number_density import NumberDensity, measured, to_number_density
from mockgal.survey.randoms import randoms
from mockgal.survey.regions import Regions, with_regions
from mockgal.survey.weights import with_weights
from mockgal.types import GalaxyCatalog, Snapshot

H, SIZE, P0, OBSERVER = 0.6774, 100.0, 1e4, (10.0, 20.0, 30.0)
COSMOLOGY = Cosmology(H, 0.3089, 0.6911)
SKY = SkyBox((10.0, 80.0), (-20.0, 40.0))
EDGES = [0.02, 0.03, 0.045]


def box(number=1200, satellites=300):
    """Centrals at random in a box, some with a satellite nearby, with ids as large as can be."""
    rng = np.random.default_rng(1)
    place = rng.uniform(0, SIZE, (number, 3))
    near = np.mod(place[:satellites] + rng.normal(0, 0.3, (satellites, 3)), SIZE)
    near[near >= SIZE] = 0.0
    place = np.concatenate([place, near])
    ids = 2**62 + np.arange(number + satellites, dtype=np.int64)
    columns = {
        "galaxy_id": ids,
        "halo_id": np.concatenate([ids[:number], ids[:satellites]]),
        "is_central": np.arange(len(ids)) < number,
        "stellar_mass": (1e9 * (1 + rng.pareto(1.0, len(ids)).clip(0, 1e3))).astype("f4"),
        "halo_mass": 1e12 * (1 + rng.pareto(1.0, len(ids)).clip(0, 1e3)),
    }
    for axis, x in enumerate("xyz"):
        columns[f"position_{x}"] = place[:, axis]
        columns[f"velocity_{x}"] = rng.normal(0, 300.0, len(ids))
    snapshot = Snapshot("box", SIZE, 0.03, COSMOLOGY, 1e9, "made up")
    facts = {"version": "0.2.0", "seed": 1, "simulation": {"name": "box"}, "cuts": []}
    return GalaxyCatalog(columns, snapshot, "box", facts)


@cache
def survey():
    """Galaxies and randoms, with weights and regions."""
    with listening(quiet=True):
        cone = light_cone(box(), redshifts=(EDGES[0], EDGES[-1]), observer=OBSERVER)
        sample = within(cone, SKY, seed=1)
        half = measured(sample, EDGES, SKY.area).density / 2
        target = NumberDensity(EDGES, half)
        sample = to_number_density(sample, target, area=SKY.area, by="threshold")
        points = randoms(sample, SKY, target, number=2 * len(sample), seed=2)
        regions = Regions.of(points["ra"], points["dec"], 6)
        return tuple(
            with_regions(with_weights(x, target, power=P0), regions) for x in (sample, points)
        )


def without(galaxies, *names):
    """The catalogue without some columns."""
    columns = {name: x for name, x in galaxies.columns.items() if name not in names}
    return GalaxyCatalog(columns, galaxies.snapshot, galaxies.frame, galaxies.provenance)
