"""Galaxies and randoms on a part of the sky, and pairs of them counted one by one."""

import numpy as np

from mockgal.cosmology import Cosmology
from mockgal.snapshot import LightCone
from mockgal.statistics.sky.counts import Angles, Cylinders
from mockgal.statistics.sky.sample import SkySample
from mockgal.types import GalaxyCatalog, Snapshot

COSMOLOGY = Cosmology(0.7, 0.3, 0.7)


def points(number, seed, *, low=0.1, high=0.3, whole=True, regions=4, weighted=True):
    """Points at random, on the whole sky or across 0 h in the north, numbered without order."""
    random = np.random.default_rng(seed)
    ra = random.uniform(0, 360, number) if whole else random.uniform(340, 400, number) % 360
    dec = np.degrees(np.arcsin(random.uniform(-1 if whole else 0.3, 1, number)))
    weight = random.uniform(0.5, 2, number) if weighted else None
    region = random.integers(0, regions, number) if regions else None
    z = random.uniform(low, high, number)
    return SkySample.of(ra, dec, z, COSMOLOGY, weight=weight, region=region)


def one_by_one(first, second, bins):
    """Pairs, and weights of pairs within and across regions, by the definitions."""
    flat = isinstance(bins, Angles)
    x, y = (one.direction if flat else one.position for one in (first, second))
    i, j = (k.ravel() for k in np.indices((len(first), len(second))))
    if first is second:
        i, j = i[i < j], j[i < j]
    apart, line = y[j] - x[i], y[j] + x[i]
    s = np.sqrt((apart**2).sum(axis=1))
    pi = np.abs((apart * line).sum(axis=1)) / np.sqrt((line**2).sum(axis=1))
    along, ends = pi / s, np.linspace(0, 1, bins.parts + 1)
    if flat:
        s, along = np.degrees(2 * np.arcsin(np.minimum(s / 2, 1))), np.zeros(len(s))
    elif isinstance(bins, Cylinders):
        s, along = np.sqrt(np.maximum(s**2 - pi**2, 0)), pi
        ends = np.linspace(0, bins.pi_max, bins.parts + 1)
    weight = first.weight[i] * second.weight[j]
    own, other = first.region[i], second.region[j]

    def histogram(rows, weights):
        edges = [bins.edges, ends]
        return np.histogram2d(s[rows], along[rows], edges, weights=weights[rows])[0]

    every = np.ones(len(s), bool)
    within, across = [], []
    for k in range(max(first.regions, 1)):
        within.append(histogram((own == k) & (other == k), weight))
        across.append(histogram((own == k) ^ (other == k), weight))
    return histogram(every, np.ones(len(s))), np.array(within), np.array(across)


def on_the_sky(ra, dec, redshift, *, steps=(), cosmology=COSMOLOGY, **columns):
    """A catalogue of these places."""
    ids = np.arange(len(ra))
    held = {"galaxy_id": ids, "halo_id": ids, "ra": ra, "dec": dec, "redshift": redshift}
    cone = LightCone((0.0, 0.0, 0.0), (float(np.min(redshift)), float(np.max(redshift))))
    snapshot = Snapshot("sky", 1000.0, 0.2, cosmology, 1e9, "none", light_cone=cone)
    return GalaxyCatalog({**held, **columns}, snapshot, "sky", {"survey": list(steps)})


def survey(
    number=400, randoms=4000, seed=1, *, low=0.10, high=0.16, width=40.0, steepness=3, **columns
):
    """Galaxies at random in a part of the sky, and randoms of the same.

    The density goes as redshift to the power ``steepness`` - 3.
    """
    made = []
    for rows, own in ((number, seed), (randoms, seed + 1000)):
        random = np.random.default_rng(own)
        ra = random.uniform(350, 350 + width, rows) % 360
        dec = np.degrees(np.arcsin(random.uniform(0.0, 0.5, rows)))
        z = random.uniform(low**steepness, high**steepness, rows) ** (1 / steepness)
        more = {name: make(rows, random) for name, make in columns.items()}
        made.append(on_the_sky(ra, dec, z, **more))
    return made
