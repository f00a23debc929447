"""Pair the hosts and subhalos of a hydrodynamic run with those of its gravity-only twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...errors import InputError, UsageError
from ...layout import is_truth
from ...system.parallel import threads
from ...types import HaloCatalog, Scene, Snapshot
from . import particle_ids, same_halos

Array = NDArray[Any]

BY_IDS, BY_POSITION = "particle ids", "position and mass"
METHODS = {"ids": BY_IDS, "position": BY_POSITION}
KINDS = ("central", "satellite")
# Largest distance of counterparts, in radii of the host, for centrals and satellites. A host seldom
# has another host as near; satellites of one host do lie that close.
LARGEST_DISTANCE = (2.0, 1.0)
LARGEST_MASS_RATIO = 0.5  # dex, between the bound masses of counterparts
_NEIGHBOURS = 8  # nearest subhalos compared with each subhalo


@dataclass(frozen=True)
class Matches:
    """Pairs of subhalos that are each other's best counterpart, including centrals.

    Parameters
    ----------
    method : str
        ``"particle ids"`` or ``"position and mass"``; or `same_halos.METHOD`.
    hydro_rows, dark_rows : ndarray of int, shape (m,)
        Rows of the two catalogues, in the order of the gravity-only ``halo_id``.
    record : mapping
        Relation of the ids, limits, counts by type: plain JSON values.
    """

    method: str
    hydro_rows: Array
    dark_rows: Array
    record: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.dark_rows)


def match(hydro: Scene, dark: Scene, *, method: str | None = None) -> Matches:
    """Match the subhalos of two twin runs that are each other's best counterpart.

    Subhalos are matched by the particles that they share (`particle_ids.match_by_ids`), if both
    runs have the ids of member particles and a relation between these ids is found
    (`particle_ids.find_relation`). A central may then have a satellite as counterpart.

    Otherwise they are matched by position and mass. Candidates are the nearest subhalos of the
    same type in the other run, nearer than `LARGEST_DISTANCE` radii of the host and within
    `LARGEST_MASS_RATIO` in mass. The best has the least (distance / radius)^2 +
    (log mass ratio / `LARGEST_MASS_RATIO`)^2, where the radius is the geometric mean of both
    hosts' radii.

    Parameters
    ----------
    hydro, dark : Scene
        Twins; see `twins.check_twins`.
    method : str, optional
        ``"ids"`` or ``"position"``. By default ids where possible; if not, the reason is recorded.

    Raises
    ------
    UsageError
        There is no such method.
    InputError
        The method is ``"ids"``, but a run lacks the ids of member particles, or no relation
        between the ids fits.
    """
    if method is not None and method not in METHODS:
        raise UsageError("method", repr(method), "one of " + ", ".join(METHODS))
    if is_truth(hydro.snapshot.record):
        same_halos.check_method(method)
        return _themselves(hydro, dark)
    record: dict[str, Any] = {"chosen_by": "default" if method is None else "user"}
    pairs = None
    if method != "position":
        try:
            relation = _relation(hydro, dark)
        except InputError as error:
            if method == "ids":
                raise
            record["not_by_ids"] = f"{error.where}: {error.found}"
        else:
            record["ids"] = relation.to_dict() | {"votes": particle_ids.INNERMOST}
            pairs = particle_ids.match_by_ids(hydro, dark, relation)
    chosen = BY_POSITION if pairs is None else BY_IDS
    if pairs is None:
        record["limits"] = _limits()
        pairs = _by_position(hydro, dark)
    order = np.argsort(dark.halos["halo_id"][pairs[1]])
    hydro_rows, dark_rows = (rows[order] for rows in pairs)
    central = hydro.halos["is_central"][hydro_rows], dark.halos["is_central"][dark_rows]
    record["pairs"] = {
        f"hydro {KINDS[a]}, dark {KINDS[b]}": int(np.sum((central[0] != a) & (central[1] != b)))
        for a in range(2)
        for b in range(2)
    }
    for name, scene, rows in (("hydro", hydro, hydro_rows), ("dark", dark, dark_rows)):
        record[f"{name}_subhalos"] = len(scene.halos)
        record[f"{name}_unmatched"] = len(scene.halos) - len(rows)
    return Matches(chosen, hydro_rows, dark_rows, record)


def _themselves(truth: Scene, dark: Scene) -> Matches:
    """Return each subhalo that has a galaxy, matched with itself."""
    ids = dark.halos["halo_id"]
    dark_rows = np.argsort(ids)
    own = truth.halos["halo_id"]
    hydro_rows = np.argsort(own)
    there = truth.halos["stellar_mass"][hydro_rows] > 0
    record = {"chosen_by": "the galaxies, which belong to the subhalos themselves"}
    return Matches(same_halos.METHOD, hydro_rows[there], dark_rows[there], record)


def _relation(hydro: Scene, dark: Scene) -> particle_ids.IdRelation:
    near = match_hosts(hydro.halos, dark.halos, dark.snapshot)
    return particle_ids.find_relation(hydro, dark, near)


def _limits() -> dict[str, Any]:
    """Return the limits of matching by position, for records."""
    return {
        **{f"{k}_distance_over_radius": d for k, d in zip(KINDS, LARGEST_DISTANCE, strict=True)},
        "mass_ratio_dex": LARGEST_MASS_RATIO,
    }


def match_hosts(hydro: HaloCatalog, dark: HaloCatalog, snapshot: Snapshot) -> tuple[Array, Array]:
    """Return hosts of twin runs that are mutual nearest neighbours within the dark halo's radius.

    Parameters
    ----------
    hydro, dark : HaloCatalog
        Catalogues of two runs from the same initial phases.
    snapshot : Snapshot
        Snapshot of either run.

    Returns
    -------
    hydro_rows, dark_rows : ndarray of int, shape (m,)
        Rows of the matched centrals, both with a positive host mass.
    """
    rows = [np.flatnonzero(c["is_central"] & (c["host_mass"] > 0)) for c in (hydro, dark)]
    position = [c["position"][r] for c, r in zip((hydro, dark), rows, strict=True)]
    if min(len(r) for r in rows) == 0:
        return rows[0][:0], rows[1][:0]
    trees = [cKDTree(p, boxsize=snapshot.box_size) for p in position]
    distance, nearest = trees[0].query(position[1], workers=threads())
    _, back = trees[1].query(position[0], workers=threads())
    radius = _radius(dark["host_mass"][rows[1]], snapshot)
    mutual = (back[nearest] == np.arange(len(rows[1]))) & (distance < radius)
    return rows[0][nearest[mutual]], rows[1][mutual]


def _radius(mass: Array, snapshot: Snapshot) -> Array:
    """Return the radius within which the mean density is 200 times critical [Mpc/h].

    It serves as a scale for distances, for masses of any definition.
    """
    density = 200.0 * snapshot.cosmology.critical_density(snapshot.redshift)
    radius: Array = np.cbrt(mass / (4.0 / 3.0 * np.pi * density))
    return radius


def _host_radius(scene: Scene) -> Array:
    """Return the radius of each subhalo's host [Mpc/h]; without host mass, by the central's."""
    host = scene.halos.host_row
    mass = scene.halos["host_mass"][host]
    return _radius(np.where(mass > 0, mass, scene.halos["mass"][host]), scene.snapshot)


def _differences(hydro: Scene, dark: Scene, rows: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return distance over radius, and |log10 of the ratio of bound masses|, of subhalo pairs."""
    size = dark.snapshot.box_size
    apart = hydro.halos["position"][rows[0]] - dark.halos["position"][rows[1]]
    apart -= size * np.round(apart / size)
    radius = np.sqrt(_host_radius(hydro)[rows[0]] * _host_radius(dark)[rows[1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        log_mass = [
            np.log10(scene.halos["mass"][r])
            for scene, r in zip((hydro, dark), rows, strict=True)
        ]  # fmt: skip
        distance = np.sqrt(np.sum(apart**2, axis=1)) / radius
        return distance, np.abs(log_mass[0] - log_mass[1])


def _by_position(hydro: Scene, dark: Scene) -> tuple[Array, Array]:
    """Return rows of subhalos that are each other's best by position and mass, type by type."""
    matched = []
    for central, largest in zip((True, False), LARGEST_DISTANCE, strict=True):
        rows = [np.flatnonzero(s.halos["is_central"] == central) for s in (hydro, dark)]
        pairs = _neighbours(hydro, dark, rows)
        distance, log_ratio = _differences(hydro, dark, pairs)
        good = (distance < largest) & (log_ratio < LARGEST_MASS_RATIO)
        pairs = pairs[0][good], pairs[1][good]
        score = distance[good] ** 2 + (log_ratio[good] / LARGEST_MASS_RATIO) ** 2
        best = _least(score, pairs[1], hydro.halos["halo_id"][pairs[0]])
        back = _least(score, pairs[0], dark.halos["halo_id"][pairs[1]])
        mutual = np.intersect1d(best, back)
        matched.append([side[mutual] for side in pairs])
    return np.concatenate([m[0] for m in matched]), np.concatenate([m[1] for m in matched])


def _neighbours(hydro: Scene, dark: Scene, rows: Sequence[Array]) -> tuple[Array, Array]:
    """Return all pairs in which one is among the nearest of the other, each pair once."""
    if min(len(r) for r in rows) == 0:
        return rows[0][:0], rows[1][:0]
    position = [s.halos["position"][r] for s, r in zip((hydro, dark), rows, strict=True)]
    trees = [cKDTree(p, boxsize=dark.snapshot.box_size) for p in position]
    keys = []
    for tree, at in ((0, 1), (1, 0)):
        near = min(_NEIGHBOURS, len(rows[tree]))
        _, nearest = trees[tree].query(position[at], k=np.arange(1, near + 1), workers=threads())
        other, own = nearest.ravel(), np.repeat(np.arange(len(rows[at])), near)
        in_hydro, in_dark = (other, own) if tree == 0 else (own, other)
        keys.append(in_hydro * len(rows[1]) + in_dark)
    in_hydro, in_dark = np.divmod(np.unique(np.concatenate(keys)), len(rows[1]))
    return rows[0][in_hydro], rows[1][in_dark]


def _least(score: Array, group: Array, other_id: Array) -> Array:
    """Return the index of the least score in each group; ties go to the lowest ``other_id``."""
    order = np.lexsort((other_id, score, group))
    return order[np.diff(group[order], prepend=-1) > 0]


def hosts(matches: Matches, hydro: Scene, dark: Scene) -> tuple[Array, Array]:
    """Return the rows of pairs of centrals that both have positive host mass, shape (m,) each."""
    good = np.ones(len(matches), bool)
    for scene, rows in ((hydro, matches.hydro_rows), (dark, matches.dark_rows)):
        good &= scene.halos["is_central"][rows] & (scene.halos["host_mass"][rows] > 0)
    return matches.hydro_rows[good], matches.dark_rows[good]


@dataclass(frozen=True)
class Quality:
    """Counts of gravity-only subhalos, of those with a counterpart, and of confirmed pairs.

    Arrays have shape (2, bins): centrals, then satellites, of the gravity-only run.

    Parameters
    ----------
    edges : ndarray, shape (bins + 1,)
        Edges in log10 of gravity-only mass [Msun/h]: the host's for centrals, the subhalo's own
        for satellites.
    subhalos, matched : ndarray of int
    confirmed : ndarray of int, or None
        Matches confirmed by an independent criterion; None without a criterion.
    criterion : str
        The criterion, or why there is none.
    """

    edges: Array
    subhalos: Array
    matched: Array
    confirmed: Array | None
    criterion: str

    @property
    def completeness(self) -> Array:
        """Share of subhalos that are matched; NaN in empty bins."""
        return _share(self.matched, self.subhalos)

    @property
    def purity(self) -> Array:
        """Share of matches that are confirmed; NaN without matches or without a criterion."""
        if self.confirmed is None:
            return np.full(self.matched.shape, np.nan)
        return _share(self.confirmed, self.matched)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, with None where a share is not defined."""
        result: dict[str, Any] = {"log_mass_edges": self.edges.tolist()}
        for row, kind in enumerate(KINDS):
            result[kind] = {
                "subhalos": self.subhalos[row].tolist(),
                "matched": self.matched[row].tolist(),
                "confirmed": None if self.confirmed is None else self.confirmed[row].tolist(),
                "completeness": _plain(self.completeness[row]),
                "purity": _plain(self.purity[row]),
            }
        return result | {"confirmed_by": self.criterion}


def _share(part: Array, whole: Array) -> Array:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _plain(values: Array) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


def quality(matches: Matches, hydro: Scene, dark: Scene, edges: Sequence[float] | Array) -> Quality:
    """Return completeness and purity of matches as a function of gravity-only mass.

    A galaxy that belongs to the subhalo itself needs no confirmation. A match by ids is confirmed
    if the two subhalos are within the limits of matching by position, which does not use ids. A
    true pair can fail this (a satellite at another phase of its orbit), so this purity is a lower
    limit. A match by position is confirmed if matching by ids finds the same pair; if the ids of
    the runs have no relation, nothing confirms it.

    Parameters
    ----------
    matches : Matches
    hydro, dark : Scene
        The runs that were matched.
    edges : array_like, shape (bins + 1,)
        Bins of log10 gravity-only mass [Msun/h]. They should begin above the resolution of the
        runs, towards which completeness falls.
    """
    rows = matches.hydro_rows, matches.dark_rows
    confirmed = None
    if matches.method == same_halos.METHOD:
        criterion = "not measured: the galaxies belong to these subhalos"
    elif matches.method == BY_IDS:
        distance, log_ratio = _differences(hydro, dark, rows)
        largest = np.where(dark.halos["is_central"][rows[1]], *LARGEST_DISTANCE)
        confirmed = (distance < largest) & (log_ratio < LARGEST_MASS_RATIO)
        limits = ", ".join(f"{name} below {value}" for name, value in _limits().items())
        criterion = f"{BY_POSITION}: {limits}"
    else:
        try:
            relation = _relation(hydro, dark)
        except InputError as error:
            criterion = f"not measured: {error.where}: {error.found}"
        else:
            counterpart = np.full(len(dark.halos), -1)
            in_hydro, in_dark = particle_ids.match_by_ids(hydro, dark, relation)
            counterpart[in_dark] = in_hydro
            confirmed = counterpart[rows[1]] == rows[0]
            criterion = f"{BY_IDS}: {relation}"
    edges = np.asarray(edges, dtype=np.float64)
    central = dark.halos["is_central"]
    with np.errstate(divide="ignore"):
        log_mass = np.log10(np.where(central, dark.halos["host_mass"], dark.halos["mass"]))

    def number(chosen: Array) -> Array:
        return np.array(
            [
                np.histogram(log_mass[chosen[central[chosen] == kind]], edges)[0]
                for kind in (True, False)
            ]
        )

    return Quality(
        edges,
        number(np.arange(len(central))),
        number(rows[1]),
        None if confirmed is None else number(rows[1][confirmed]),
        criterion,
    )
