"""Pair the hosts and subhalos of a hydrodynamic run with those of its gravity-only twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ...errors import InputError, UsageError
from ...system.parallel import threads
from ...types import HaloCatalog, Scene, Snapshot
from . import particle_ids

Array = NDArray[Any]

BY_IDS, BY_POSITION = "particle ids", "position and mass"
METHODS = {"ids": BY_IDS, "position": BY_POSITION}
KINDS = ("central", "satellite")
# Largest distance of counterparts, in radii of the host, for centrals and satellites: hosts seldom
# have another as near, satellites of one host have.
LARGEST_DISTANCE = (2.0, 1.0)
LARGEST_MASS_RATIO = 0.5  # dex, of counterparts' bound masses
_NEIGHBOURS = 8  # compared with each subhalo


@dataclass(frozen=True)
class Matches:
    """Pairs of subhalos that are each other's best, centrals included.

    Parameters
    ----------
    method : str
        ``"particle ids"`` or ``"position and mass"``.
    hydro_rows, dark_rows : ndarray of int, shape (m,)
        Rows of the two catalogues, in the order of the gravity-only ``halo_id``.
    record : mapping
        Relation of the ids, limits, numbers by type: plain JSON values.
    """

    method: str
    hydro_rows: Array
    dark_rows: Array
    record: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.dark_rows)


def match(hydro: Scene, dark: Scene, *, method: str | None = None) -> Matches:
    """The subhalos of two twin runs that are each other's best.

    By the particles that they share (`particle_ids.match_by_ids`), where both runs say which these
    are and their ids go together (`particle_ids.find_relation`); a central may then have a
    satellite as counterpart. Else by position and mass: of the nearest subhalos of the other run
    that are of the same type, nearer than `LARGEST_DISTANCE` radii of the host and within
    `LARGEST_MASS_RATIO` in mass, the best is that with the least (distance / radius)^2 +
    (log mass ratio / `LARGEST_MASS_RATIO`)^2. The radius is the geometric mean of both hosts'.

    Parameters
    ----------
    hydro, dark : Scene
        Twins; see `twins.check_twins`.
    method : str, optional
        ``"ids"`` or ``"position"``; by default ids where possible, and the reason is recorded where
        it is not.

    Raises
    ------
    UsageError
        Another method.
    InputError
        Ids are asked for, and the runs do not say which particles subhalos have, or no relation of
        their ids fits.
    """
    if method is not None and method not in METHODS:
        raise UsageError("method", repr(method), "one of " + ", ".join(METHODS))
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


def _relation(hydro: Scene, dark: Scene) -> particle_ids.IdRelation:
    near = match_hosts(hydro.halos, dark.halos, dark.snapshot)
    return particle_ids.find_relation(hydro, dark, near)


def _limits() -> dict[str, Any]:
    """The limits of matching by position, for records."""
    return {
        **{f"{k}_distance_over_radius": d for k, d in zip(KINDS, LARGEST_DISTANCE, strict=True)},
        "mass_ratio_dex": LARGEST_MASS_RATIO,
    }


def match_hosts(hydro: HaloCatalog, dark: HaloCatalog, snapshot: Snapshot) -> tuple[Array, Array]:
    """Hosts of twin runs that are each other's nearest, within the gravity-only halo's radius.

    Parameters
    ----------
    hydro, dark : HaloCatalog
        Of two runs from the same initial phases.
    snapshot : Snapshot
        Of either run.

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
    """The radius within which the mean density is 200 times the critical one [Mpc/h].

    A scale for distances: it is taken for masses of any definition.
    """
    density = 200.0 * snapshot.cosmology.critical_density(snapshot.redshift)
    radius: Array = np.cbrt(mass / (4.0 / 3.0 * np.pi * density))
    return radius


def _host_radius(scene: Scene) -> Array:
    """Radius of each subhalo's host [Mpc/h]; by the central's own mass where a host has none."""
    host = scene.halos.host_row
    mass = scene.halos["host_mass"][host]
    return _radius(np.where(mass > 0, mass, scene.halos["mass"][host]), scene.snapshot)


def _differences(hydro: Scene, dark: Scene, rows: tuple[Array, Array]) -> tuple[Array, Array]:
    """Distance over radius, and log10 of the ratio of bound masses, of pairs of subhalos."""
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
    """Rows of the subhalos that are each other's best by position and mass, type by type."""
    found = []
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
        found.append([side[mutual] for side in pairs])
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def _neighbours(hydro: Scene, dark: Scene, rows: Sequence[Array]) -> tuple[Array, Array]:
    """Pairs in which one is among the nearest of the other, each once."""
    if min(len(r) for r in rows) == 0:
        return rows[0][:0], rows[1][:0]
    position = [s.halos["position"][r] for s, r in zip((hydro, dark), rows, strict=True)]
    trees = [cKDTree(p, boxsize=dark.snapshot.box_size) for p in position]
    keys = []
    for tree, at in ((0, 1), (1, 0)):
        near = min(_NEIGHBOURS, len(rows[tree]))
        _, found = trees[tree].query(position[at], k=np.arange(1, near + 1), workers=threads())
        other, own = found.ravel(), np.repeat(np.arange(len(rows[at])), near)
        in_hydro, in_dark = (other, own) if tree == 0 else (own, other)
        keys.append(in_hydro * len(rows[1]) + in_dark)
    in_hydro, in_dark = np.divmod(np.unique(np.concatenate(keys)), len(rows[1]))
    return rows[0][in_hydro], rows[1][in_dark]


def _least(score: Array, group: Array, other_id: Array) -> Array:
    """Index of the least score in each group; of equals, that with the lowest id of the other."""
    order = np.lexsort((other_id, score, group))
    return order[np.diff(group[order], prepend=-1) > 0]


def hosts(matches: Matches, hydro: Scene, dark: Scene) -> tuple[Array, Array]:
    """Rows of the pairs in which both are centrals with a positive host mass, shape (m,) each."""
    good = np.ones(len(matches), bool)
    for scene, rows in ((hydro, matches.hydro_rows), (dark, matches.dark_rows)):
        good &= scene.halos["is_central"][rows] & (scene.halos["host_mass"][rows] > 0)
    return matches.hydro_rows[good], matches.dark_rows[good]


@dataclass(frozen=True)
class Quality:
    """How many gravity-only subhalos have a counterpart, and how many of the pairs are confirmed.

    Arrays have shape (2, bins): centrals, then satellites, of the gravity-only run.

    Parameters
    ----------
    edges : ndarray, shape (bins + 1,)
        Of log10 gravity-only mass [Msun/h]: the host's for centrals, the subhalo's own for
        satellites.
    subhalos, matched : ndarray of int
    confirmed : ndarray of int, or None
        Matches that an independent criterion confirms; None if there is none.
    criterion : str
        What it is, or why there is none.
    """

    edges: Array
    subhalos: Array
    matched: Array
    confirmed: Array | None
    criterion: str

    @property
    def completeness(self) -> Array:
        """Share of the subhalos that are matched; NaN in empty bins."""
        return _share(self.matched, self.subhalos)

    @property
    def purity(self) -> Array:
        """Share of the matches that are confirmed; NaN without matches or criterion."""
        if self.confirmed is None:
            return np.full(self.matched.shape, np.nan)
        return _share(self.confirmed, self.matched)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: None where a share has no number."""
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
    """Completeness and purity of matches against gravity-only mass.

    Matches by ids are confirmed where the two are within the limits for matches by position, which
    use neither ids nor each other; a true pair can fail them (a satellite at another phase of its
    orbit), so that this purity is a lower limit. Matches by position are confirmed where matching
    by ids finds the same pair; where the runs have no ids that go together, nothing confirms them.

    Parameters
    ----------
    matches : Matches
    hydro, dark : Scene
        The runs that were matched.
    edges : array_like, shape (bins + 1,)
        Bins of log10 gravity-only mass [Msun/h]. Completeness falls towards the resolution of the
        runs: bins should begin above it.
    """
    rows = matches.hydro_rows, matches.dark_rows
    confirmed = None
    if matches.method == BY_IDS:
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
