"""Draw consistent groups and subhalos of a synthetic run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .run import DARK, GAS, STARS, TYPES, Array, Run, spread

_SATELLITE = 20  # particles in each satellite
# Mass definition of each group mass, and its ratio to M200c.
_SPHERES = {
    "Crit200": ("200c", 1.0),
    "Mean200": ("200m", 1.2),
    "Crit500": ("500c", 0.7),
    "TopHat200": ("vir", 1.1),
}

Table = dict[str, Array]  # columns by their names in the files


class Members(NamedTuple):
    """Group membership of the subhalos.

    Parameters
    ----------
    length, subhalos, first : ndarray of int, shape (groups,)
        Number of particles, number of subhalos, and index of the first subhalo (-1 if none).
    group, rank, own_length : ndarray of int, shape (subhalos,)
        Index of the group, rank in the group, and number of particles.
    """

    length: Array
    subhalos: Array
    first: Array
    group: Array
    rank: Array
    own_length: Array

    @classmethod
    def drawn(cls, groups: int, rng: np.random.Generator) -> Members:
        """Draw groups in order of decreasing length, with one satellite per 80 particles."""
        length = np.sort((32 * rng.uniform(size=groups) ** -0.4).astype(int).clip(32, 900))[::-1]
        satellites = length // 80
        empty = np.arange(groups) % 40 == 39
        subhalos = np.where(empty, 0, satellites + 1)
        first = np.where(empty, -1, np.cumsum(np.r_[0, subhalos[:-1]]))
        group = np.repeat(np.arange(groups), subhalos)
        rank = np.arange(len(group)) - first[group]
        own_length = np.where(rank == 0, (length - _SATELLITE * satellites)[group], _SATELLITE)
        return cls(length, subhalos, first, group, rank, own_length)


class Places(NamedTuple):
    """Positions and velocities of groups and subhalos.

    Parameters
    ----------
    m200 : ndarray, shape (groups,)
        Mass within 200 times the critical density [Msun/h].
    group, group_velocity : ndarray, shape (groups, 3)
        Comoving position [Mpc/h] and peculiar velocity [km/s].
    subhalo, subhalo_velocity : ndarray, shape (subhalos, 3)
        The same for subhalos; satellites are at half the radius of their group.
    """

    m200: Array
    group: Array
    group_velocity: Array
    subhalo: Array
    subhalo_velocity: Array

    @classmethod
    def drawn(cls, run: Run, members: Members, rng: np.random.Generator) -> Places:
        """Draw positions and velocities for groups with these members."""
        of, rank = members.group, members.rank
        m200 = 0.8 * members.length * run.particle
        density = run.cosmology.critical_density(run.redshift)
        radius = (m200 / (4 / 3 * np.pi * 200 * density)) ** (1 / 3)
        centre = spread(run.groups, run.seed) * run.box_size
        offset = rng.normal(size=(len(of), 3))
        distance = np.where(rank == 0, 0, 0.5) * radius[of] / np.linalg.norm(offset, axis=1)
        offset *= distance[:, None]
        position = (centre[of] + offset) % run.box_size
        velocity = 200 * rng.normal(size=(run.groups, 3))
        own = velocity[of] + 50 * (rank > 0)[:, None] * rng.normal(size=position.shape)
        return cls(m200, centre, velocity, position, own)


def tables(run: Run) -> tuple[Table, Table]:
    """Return the tables of groups and of subhalos, in the units of the files."""
    rng = np.random.default_rng(run.seed)
    members = Members.drawn(run.groups, rng)
    places = Places.drawn(run, members, rng)
    fractions = _fractions(run.baryons, len(members.group))
    groups = _groups(run, members, places, fractions)
    subhalos = _subhalos(run, members, places, fractions)
    return _as_arepo(run, groups, subhalos) if run.arepo else (groups, subhalos)


def _fractions(baryons: float, subhalos: int) -> Array:
    """Return the mass fractions of the particle types, shape (subhalos, types).

    Every other subhalo has stars.
    """
    stellar = np.where(np.arange(subhalos) % 2 == 0, 0.3, 0.0)  # of the baryons
    fractions = np.zeros((subhalos, TYPES))
    fractions[:, GAS], fractions[:, DARK] = baryons * (1 - stellar), 1 - baryons
    fractions[:, STARS] = baryons * stellar
    return fractions


def _length_by_type(length: Array, fractions: Array) -> Array:
    """Return the number of particles of each type: ``length`` of each type that occurs."""
    return np.where(fractions > 0, length[:, None], 0)


def _groups(run: Run, members: Members, places: Places, fractions: Array) -> Table:
    table = {
        "GroupLen": members.length.astype("i4"),
        "GroupLenType": _length_by_type(members.length, fractions[:1]).astype("i4"),
        "GroupFirstSub": members.first.astype("i8"),
        "GroupNsubs": members.subhalos.astype("i4"),
        "GroupPos": run.positions(places.group),
        "GroupVel": (run.scale_factor * places.group_velocity).astype(run.dtype),
        "GroupMass": run.masses(members.length * run.particle),
    }
    for name, (definition, share) in _SPHERES.items():
        mass = places.m200 * share
        table[f"Group_M_{name}"] = run.masses(mass)
        size, _ = run.cosmology.halo_scale(mass, definition, run.redshift)
        table[f"Group_R_{name}"] = run.lengths(size)
    return table


def _subhalos(run: Run, members: Members, places: Places, fractions: Array) -> Table:
    lengths = _length_by_type(members.own_length, fractions)
    mass = members.own_length * run.particle
    table = {
        "SubhaloGroupNr": members.group.astype("i8"),
        "SubhaloRankInGr": members.rank.astype("i4"),
        "SubhaloLen": lengths.sum(axis=1).astype("i4"),
        "SubhaloLenType": lengths.astype("i4"),
        "SubhaloOffsetType": _offsets(members, lengths, fractions),
        "SubhaloMass": run.masses(mass),
        "SubhaloPos": run.positions(places.subhalo),
        "SubhaloMassType": run.masses(mass[:, None] * fractions),
        "SubhaloVel": places.subhalo_velocity.astype(run.dtype),
        "SubhaloVmax": (100 * (mass / 1e12) ** (1 / 3)).astype(run.dtype),
    }
    if run.hydro:
        radius = 0.02 * np.cbrt(mass / 1e12)[:, None] * (fractions > 0)
        table["SubhaloHalfmassRadType"] = run.lengths(radius)
    return table


def _offsets(members: Members, lengths: Array, fractions: Array) -> Array:
    """Return the index in the snapshot of each subhalo's first particle of each type."""
    of_group = _length_by_type(members.length, fractions[:1])
    in_group = np.cumsum(lengths, axis=0) - lengths
    before = np.cumsum(of_group, axis=0) - of_group
    group = members.group
    offsets: Array = before[group] + in_group - in_group[members.first[group]]
    return offsets.astype("i8")


def _as_arepo(run: Run, groups: Table, subhalos: Table) -> tuple[Table, Table]:
    """Return the tables with the names, types and flags of AREPO."""
    for name in ("SubhaloRankInGr", "SubhaloOffsetType"):
        del subhalos[name]
    subhalos["SubhaloGrNr"] = subhalos.pop("SubhaloGroupNr").astype("i4")
    groups["GroupFirstSub"] = groups["GroupFirstSub"].astype("i4")
    if run.hydro:
        subhalos["SubhaloFlag"] = np.arange(len(subhalos["SubhaloLen"])) % 11 != 10
        inner = np.array([0.2, 0.1, 0, 0, 0.6, 0])
        mass = subhalos["SubhaloMassType"]
        subhalos["SubhaloMassInRadType"] = mass * inner.astype(run.dtype)
    return groups, subhalos
