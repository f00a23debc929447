"""Pair the subhalos of twin runs by the dark-matter particles that they share.

A particle keeps its id, but the hydrodynamic run's initial conditions may have renumbered them to
make room for gas: how the ids of the two runs go together is found from the runs themselves.
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

INNERMOST = 50  # particles of a subhalo that have a vote
MULTIPLIERS = (1, 2)  # of gravity-only ids; 2 where a particle was split into dark matter and gas
SAMPLE = 400  # hosts, at most, by which the relation of the ids is found
SIZE = 100  # particles of those best suited: the innermost of larger ones are mixed more
LEAST_SHARED = 0.5  # share of the sampled particles that must be found in the counterpart
_ALL = 2**63 - 1  # particles of a subhalo
_PROPOSED = 4  # offsets tried for each multiplier
_BLOCK = 1 << 24  # members read at once


@dataclass(frozen=True)
class IdRelation:
    """hydro id = ``multiplier`` x dark id + ``offset``, for particles that are the same.

    Parameters
    ----------
    multiplier, offset : int
    shared : float
        Share of the innermost particles of gravity-only hosts that are bound to the central of the
        counterpart.
    particles, hosts : int
        The numbers behind it.
    """

    multiplier: int
    offset: int
    shared: float
    particles: int
    hosts: int

    def to_hydro(self, ids: Array) -> Array:
        """Ids of the hydrodynamic run."""
        return self.multiplier * ids + self.offset

    def __str__(self) -> str:
        factor = "" if self.multiplier == 1 else f"{self.multiplier} x "
        return f"hydro id = {factor}dark id" + (f" {self.offset:+d}" if self.offset else "")

    def to_dict(self) -> dict[str, Any]:
        """For a record."""
        return {
            "relation": str(self),
            "shared": self.shared,
            "particles": self.particles,
            "hosts": self.hosts,
        }


def find_relation(hydro: Scene, dark: Scene, hosts: Rows) -> IdRelation:
    """How the ids of the two runs go together, from hosts that were paired by position.

    Half of the hosts propose: the most frequent differences between the ids of the innermost
    particles of a host and of its counterpart. Of the proposals, and of equal ids, the one is taken
    by which most innermost particles of the other half are among the counterpart's innermost.
    Particles that began as neighbours have neighbouring ids and end up in the same host, too, so it
    is by the innermost that a relation is told from one next to it.

    Parameters
    ----------
    hydro, dark : Scene
        With members.
    hosts : tuple of ndarray, shape (m,)
        Rows of paired centrals in ``hydro`` and ``dark``.

    Raises
    ------
    InputError
        No relation by which at least `LEAST_SHARED` of the particles are in the counterpart; no
        members or no hosts to find out by.
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
    """The first ids of each subhalo, and for each the row of its subhalo in ``halo_id``."""
    number = np.minimum(members.count(halo_id), most)
    return members.read(halo_id, most), np.repeat(np.arange(len(halo_id)), number)


def _table(members: Members, halo_id: Array) -> tuple[Array, Array]:
    """The first ids of each subhalo, shape (n, INNERMOST), and which of the entries are ids."""
    there = np.arange(INNERMOST) < members.count(halo_id)[:, None]
    table = np.zeros(there.shape, dtype=np.int64)
    table[there] = members.read(halo_id, INNERMOST)
    return table, there


def _proposals(hydro: tuple[Array, Array], dark: tuple[Array, Array]) -> set[tuple[int, int]]:
    """Multipliers with their most frequent differences of ids."""
    result = set()
    both = hydro[1][:, :, None] & dark[1][:, None, :]
    for multiplier in MULTIPLIERS:
        difference = hydro[0][:, :, None] - multiplier * dark[0][:, None, :]
        value, number = np.unique(difference[both], return_counts=True)
        common = np.lexsort((np.abs(value), -number))[:_PROPOSED]
        result |= {(multiplier, int(offset)) for offset in value[common]}
    return result


def _look_up(wanted: Array, ids: Array, owner: Array) -> Array:
    """The owner of each wanted id, shape (len(wanted),); -1 where there is none."""
    order = np.argsort(ids)
    ids, owner = ids[order], owner[order]
    place = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    return np.where(ids[place] == wanted, owner[place], -1)


def match_by_ids(hydro: Scene, dark: Scene, relation: IdRelation) -> Rows:
    """Subhalos that are each other's best, as rows of ``hydro`` and ``dark``, shape (m,).

    The first `INNERMOST` dark-matter particles of a subhalo each have a vote; its best is the one
    that most of them are bound to, of equals that of the lowest ``halo_id``. Votes count alike, as
    in the bijective matches of IllustrisTNG with its dark runs (the exponent of the rank is 0), but
    only the innermost have one: Subfind orders members by binding energy, and the outskirts of a
    satellite are the first to be lost to its host.

    Parameters
    ----------
    hydro, dark : Scene
        With members.
    relation : IdRelation

    Raises
    ------
    BadValueError
        A particle in two subhalos of a run.
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
    """Row of each voter's best among the holders; -1 where no particle of it is in any of them."""
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
            "each in one",
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
    """Row of the subhalo that each of the sorted ids ``wanted`` is bound to; -1: none.

    Members are read block by block of subhalos.
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
