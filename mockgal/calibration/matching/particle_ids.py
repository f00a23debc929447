"""Pair the subhalos of twin runs by the dark-matter particles that they share.

Twin particles keep related ids, but the initial conditions of the hydrodynamic run may renumber
them to make room for gas. The relation between the ids is measured from the runs themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, InputError
from ...types import Members, Scene

Array = NDArray[Any]
Rows = tuple[Array, Array]

INNERMOST = 50  # particles of a subhalo that vote
MULTIPLIERS = (1, 2)  # of gravity-only ids; 2 where a particle was split into dark matter and gas
SAMPLE = 400  # most hosts used to find the relation of the ids
SIZE = 100  # particles of the best suited hosts; inner particles of larger hosts are more mixed
LEAST_SHARED = 0.5  # least share of the sampled particles that are in the counterpart
_ALL = 2**63 - 1  # a limit that includes all particles of a subhalo
_PROPOSED = 4  # offsets tried for each multiplier
_BLOCK = 1 << 24  # members read at once


@dataclass(frozen=True)
class IdRelation:
    """The relation hydro id = ``multiplier`` x dark id + ``offset`` between twin particles.

    Parameters
    ----------
    multiplier, offset : int
    shared : float
        Share of the innermost particles of gravity-only hosts that are bound to the central of the
        counterpart.
    particles, hosts : int
        Numbers of particles and hosts that ``shared`` was measured from.
    """

    multiplier: int
    offset: int
    shared: float
    particles: int
    hosts: int

    def to_hydro(self, ids: Array) -> Array:
        """Return the ids in the hydrodynamic run of gravity-only ``ids``."""
        return self.multiplier * ids + self.offset

    def __str__(self) -> str:
        factor = "" if self.multiplier == 1 else f"{self.multiplier} x "
        return f"hydro id = {factor}dark id" + (f" {self.offset:+d}" if self.offset else "")

    def to_dict(self) -> dict[str, Any]:
        """Return the relation for a record."""
        return {
            "relation": str(self),
            "shared": self.shared,
            "particles": self.particles,
            "hosts": self.hosts,
        }


def find_relation(hydro: Scene, dark: Scene, hosts: Rows) -> IdRelation:
    """Find the relation between the ids of two runs, from hosts paired by position.

    One half of the hosts proposes relations: the most frequent differences between the ids of the
    innermost particles of a host and of its counterpart, and equal ids. The other half chooses:
    the relation that puts most of its innermost particles among the counterpart's innermost.
    Particles that began as neighbours have neighbouring ids and end up in the same host, so only
    the innermost tell a relation from one with a neighbouring offset.

    Parameters
    ----------
    hydro, dark : Scene
        Runs with members.
    hosts : tuple of ndarray, shape (m,)
        Rows of paired centrals in ``hydro`` and ``dark``.

    Raises
    ------
    InputError
        No relation puts at least `LEAST_SHARED` of the particles in the counterpart; or there are
        no members or too few hosts.
    """
    if hydro.members is None or dark.members is None:
        missing = hydro if hydro.members is None else dark
        raise _unmatched(missing.snapshot.name, "no ids of the particles of subhalos")
    of_hydro, of_dark = (s.halos["halo_id"][r] for s, r in zip((hydro, dark), hosts, strict=True))
    number = dark.members.count(of_dark)
    some = np.flatnonzero((hydro.members.count(of_hydro) > 0) & (number > 0))
    unlike = np.abs(np.log(number[some] / SIZE))
    sample = some[np.lexsort((of_dark[some], unlike))][:SAMPLE]
    if len(sample) < 2:
        raise _unmatched(dark.snapshot.name, f"{len(sample)} hosts with a neighbour in the twin")
    of_hydro, of_dark = of_hydro[sample], of_dark[sample]
    proposed = {(1, 0)} | _proposals(
        _table(hydro.members, of_hydro[::2]), _table(dark.members, of_dark[::2])
    )
    ids, owner = _first(dark.members, of_dark[1::2], INNERMOST)
    inner = _first(hydro.members, of_hydro[1::2], INNERMOST)
    scored = []
    for multiplier, offset in sorted(proposed, key=lambda p: (p[0], abs(p[1]), p[1])):
        mapped = multiplier * ids + offset
        scored.append((np.mean(_look_up(mapped, *inner) == owner), multiplier, offset))
    _, multiplier, offset = max(scored, key=lambda item: item[0])
    everything = _first(hydro.members, of_hydro[1::2], _ALL)
    shared = float(np.mean(_look_up(multiplier * ids + offset, *everything) == owner))
    if shared < LEAST_SHARED:
        raise _unmatched(
            f"{hydro.snapshot.name} and {dark.snapshot.name}",
            f"{shared:.1%} of {len(ids)} particles shared by the best relation of the ids, "
            f"multiplier {multiplier} and offset {offset}",
        )
    return IdRelation(multiplier, offset, shared, len(ids), len(of_dark[1::2]))


def _unmatched(where: str, found: str) -> InputError:
    return InputError(
        where,
        found,
        f"twin runs in which {LEAST_SHARED:.0%} or more of the innermost particles of hosts are "
        "those of the counterpart",
        "match by position and mass instead",
    )


def _first(members: Members, halo_id: Array, most: int) -> tuple[Array, Array]:
    """Return the first ids of each subhalo, and for each id the row of its subhalo."""
    number = np.minimum(members.count(halo_id), most)
    return members.read(halo_id, most), np.repeat(np.arange(len(halo_id)), number)


def _table(members: Members, halo_id: Array) -> tuple[Array, Array]:
    """Return the first ids of each subhalo, shape (n, INNERMOST), and a mask of valid entries."""
    there = np.arange(INNERMOST) < members.count(halo_id)[:, None]
    table = np.zeros(there.shape, dtype=np.int64)
    table[there] = members.read(halo_id, INNERMOST)
    return table, there


def _proposals(hydro: tuple[Array, Array], dark: tuple[Array, Array]) -> set[tuple[int, int]]:
    """Return each multiplier with its most frequent differences of ids."""
    result = set()
    both = hydro[1][:, :, None] & dark[1][:, None, :]
    for multiplier in MULTIPLIERS:
        difference = hydro[0][:, :, None] - multiplier * dark[0][:, None, :]
        value, number = np.unique(difference[both], return_counts=True)
        common = np.lexsort((np.abs(value), -number))[:_PROPOSED]
        result |= {(multiplier, int(offset)) for offset in value[common]}
    return result


def _look_up(wanted: Array, ids: Array, owner: Array) -> Array:
    """Return the owner of each id in ``wanted``, shape (len(wanted),); -1 without an owner."""
    order = np.argsort(ids)
    ids, owner = ids[order], owner[order]
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[place] == wanted, owner[place], -1)


def match_by_ids(hydro: Scene, dark: Scene, relation: IdRelation) -> Rows:
    """Return subhalos that are each other's best, as rows of ``hydro`` and ``dark``, shape (m,).

    Each of the first `INNERMOST` dark-matter particles of a subhalo votes. The best counterpart is
    the subhalo that most of them are bound to; ties go to the lowest ``halo_id``. All votes count
    the same, as in the bijective matches of IllustrisTNG with its dark runs (the exponent of the
    rank is 0). Only the innermost vote: Subfind orders members by binding energy, and a satellite
    loses its outskirts to its host first.

    Parameters
    ----------
    hydro, dark : Scene
        Runs with members.
    relation : IdRelation

    Raises
    ------
    BadValueError
        A particle is in two subhalos of a run.
    """
    there = _best(dark, hydro, relation.to_hydro, lambda ids: ids)
    back = _best(hydro, dark, lambda ids: ids, relation.to_hydro)
    rows = np.flatnonzero(there >= 0)
    mutual = rows[back[there[rows]] == rows]
    return there[mutual], mutual


def _best(
    voters: Scene,
    holders: Scene,
    of_voters: Callable[[Array], Array],
    of_holders: Callable[[Array], Array],
) -> Array:
    """Return the row of each voter's best holder; -1 if no holder has any of its particles."""
    assert voters.members is not None
    assert holders.members is not None
    ids, voter = _first(voters.members, voters.halos["halo_id"], INNERMOST)
    ids = of_voters(ids)
    order = np.argsort(ids)
    ids, voter = ids[order], voter[order]
    if np.any(ids[1:] == ids[:-1]):
        raise BadValueError(
            f"{voters.snapshot.name}, ids of particles",
            f"the same particle in two subhalos {int(np.sum(ids[1:] == ids[:-1]))} times",
            "each particle in one subhalo",
            "look for a file that was read twice",
        )
    holder = _holders(ids, holders, of_holders)
    held = holder >= 0
    number = len(holders.halos)
    pair, votes = np.unique(voter[held] * np.int64(number) + holder[held], return_counts=True)
    voter, holder = np.divmod(pair, number) if number else (pair, pair)
    order = np.lexsort((holders.halos["halo_id"][holder], -votes, voter))
    first = order[np.diff(voter[order], prepend=-1) > 0]
    best = np.full(len(voters.halos), -1)
    best[voter[first]] = holder[first]
    return best


def _holders(wanted: Array, scene: Scene, convert: Callable[[Array], Array]) -> Array:
    """Return the row of the subhalo that each of the sorted ids ``wanted`` is bound to; -1: none.

    Members are read in blocks of subhalos.
    """
    assert scene.members is not None
    result = np.full(len(wanted), -1)
    rows = np.argsort(scene.halos["halo_id"])
    number = scene.members.count(scene.halos["halo_id"][rows])
    ends = np.cumsum(number)
    begin = 0
    while begin < len(rows) and len(wanted):
        before = ends[begin] - number[begin]
        stop = max(int(np.searchsorted(ends, before + _BLOCK, side="right")), begin + 1)
        here = rows[begin:stop]
        ids = convert(scene.members.read(scene.halos["halo_id"][here], _ALL))
        order = np.argsort(ids)
        place = np.minimum(np.searchsorted(wanted, ids[order]), len(wanted) - 1)
        hit = wanted[place] == ids[order]
        result[place[hit]] = np.repeat(here, number[begin:stop])[order[hit]]
        begin = stop
    return result
