"""Twins made in memory whose counterparts are known, with the particles of their subhalos."""

from dataclasses import dataclass

import numpy as np

from mockgal.cosmology import Cosmology
from mockgal.types import HaloCatalog, Members, Scene, Snapshot

BOX = 100.0
COSMOLOGY = Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.7, omega_b=0.045)
PARTICLE = 1e9


@dataclass
class Twins:
    """``pairs``: the halo ids of counterparts, hydro and dark, in the order of the latter."""

    hydro: Scene
    dark: Scene
    pairs: np.ndarray


def members_of(halo_id, groups):
    """`Members` from a list of ids for each subhalo."""
    count = np.array([len(ids) for ids in groups], dtype=np.int64)
    row = {int(key): i for i, key in enumerate(halo_id)}

    def number(wanted):
        return np.array([count[row[int(key)]] if int(key) in row else 0 for key in wanted], int)

    def read(wanted, most):
        some = [groups[row[int(key)]][:most] for key in wanted if int(key) in row]
        return np.concatenate([np.empty(0, np.int64), *some]).astype(np.int64)

    return Members(number, read)


def permuted(scene, seed):
    """The scene with its rows in another order."""
    order = np.random.default_rng(seed).permutation(len(scene.halos))
    return Scene(scene.snapshot, scene.halos.take(order), members=scene.members)


def make_twins(hosts=60, *, seed=1, lost=0.1, convert=lambda ids: ids, unlike=False, box=BOX):
    """Hosts with a satellite each; a share ``lost`` of them is not in the hydro run.

    What is lost leaves its particles to its host, if it is a satellite. Of each subhalo a tenth of
    the particles is unbound, and the order of the others is mixed a little.

    Parameters
    ----------
    convert : callable
        Ids of the hydro run from those of the dark one.
    unlike : bool
        The hydro run has other phases: subhalos of the same masses and ids at random places.
    """
    rng = np.random.default_rng(seed)
    number = np.concatenate([rng.integers(60, 400, hosts), rng.integers(20, 50, hosts)])
    total = len(number)
    central = np.arange(total) < hosts
    host = np.arange(total) % hosts
    ids = np.split(1 + rng.permutation(number.sum() * 2)[: number.sum()], np.cumsum(number)[:-1])
    mass = number * PARTICLE
    density = 200 * COSMOLOGY.critical_density(0.0)
    radius = np.cbrt(mass[host] / (4 / 3 * np.pi * density))
    place = rng.random((hosts, 3))[host] * box
    direction = rng.normal(size=(total, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    place += np.where(central, 0.0, 0.7 * radius)[:, None] * direction

    def scene(name, halo_id, rows, position, factor, particle, groups, stars):
        columns = {
            "halo_id": halo_id[rows],
            "host_id": halo_id[host[rows]],
            "is_central": central[rows],
            "position": np.mod(position[rows], box),
            "velocity": np.zeros((len(rows), 3)),
            "mass": mass[rows] * factor,
            "vmax": np.ones(len(rows)),
            "host_mass": mass[host[rows]] * factor,
        }
        if stars:
            columns["stellar_mass"] = 0.01 * columns["mass"]
        snapshot = Snapshot(name, box, 0.0, COSMOLOGY, particle, "made up")
        members = members_of(halo_id[rows], [groups[row] for row in rows])
        return Scene(snapshot, HaloCatalog(columns, "200c"), members=members)

    dark_id = np.arange(total) * 3 + 1
    hydro_id = rng.permutation(total) * 2
    gone = rng.random(total) < lost
    gone[host[central & gone] + hosts] = True  # no satellite without its host
    kept = np.flatnonzero(~gone)
    bound = []
    for row in range(total):
        own = ids[row]
        own = own[np.argsort(np.arange(len(own)) + rng.normal(scale=5, size=len(own)))]
        bound.append(convert(own[rng.random(len(own)) > 0.1]))
    for row in np.flatnonzero(~central & gone):
        bound[host[row]] = np.concatenate([bound[host[row]], bound[row]])
    moved = place + 0.1 * radius[:, None] * rng.normal(size=(total, 3)) / np.sqrt(3)
    if unlike:
        moved += (rng.random((hosts, 3)) * box)[host]
    light = PARTICLE * (1 - 0.045 / 0.3)
    hydro = scene("hydro", hydro_id, kept, moved, 0.9, light, bound, True)
    dark = scene("dark", dark_id, np.arange(total), place, 1.0, PARTICLE, ids, False)
    return Twins(hydro, dark, np.stack([hydro_id[kept], dark_id[kept]], axis=1))
