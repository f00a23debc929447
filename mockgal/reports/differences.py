"""Differences between catalogues that, beside the galaxies, affect a comparison of statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..completeness import NO_SATELLITES, TOO_FEW
from ..statistics.galaxies.hosts import mass_definition
from ..statistics.plotting.lettering import elided
from ..survey.steps import STEPS
from ..types import GalaxyCatalog

_SAME = 1e-3  # negligible relative difference of box, expansion factor and cosmology
_LONGEST = 60  # most characters of a simulation's name
_SIMULATIONS = "simulations, whose most massive hosts are not at the same places"
_GAPS = "incompleteness that no cut removes"
_MOST, _FEWEST, _NEAR, _FACTOR = 20, 5, 0.5, 2.0  # hosts; [Mpc/h]; of masses
_REDSHIFT = "z"
_UNKNOWN = "not stated"
_ALL_BOUND = "all bound stars"

Value = str | Mapping[str, float]


def differences(catalogues: Mapping[str, GalaxyCatalog]) -> list[str]:
    """Return the differences of catalogues in sample, simulation and definitions, a sentence each.

    Parameters
    ----------
    catalogues : mapping of str to GalaxyCatalog
        Catalogues by name.

    Returns
    -------
    list of str
        Empty if all come from one simulation with the same cuts. Floors and cuts on stellar mass
        count only if a catalogue has galaxies outside the range where all are complete, and
        definitions only if they are stated.
    """
    sentences = []
    for what, value in _WAYS.items():
        groups: list[tuple[Value, list[str]]] = []
        for name, galaxies in catalogues.items():
            own = value(galaxies)
            alike = [names for known, names in groups if _same(own, known)]
            if alike:
                alike[0].append(name)
            elif own != _UNKNOWN:
                groups.append((own, [name]))
        twins = what == _SIMULATIONS and all(
            _share_structures(catalogues[groups[0][1][0]], catalogues[names[0]])
            for _, names in groups[1:]
        )
        if len(groups) > 1 and not twins:
            shown = [f"{_show(own, groups[0][0])} ({', '.join(names)})" for own, names in groups]
            sentences.append(f"different {what}: {', '.join(shown)}")
    return sentences + _samples(catalogues)


def stated_only(difference: str) -> bool:
    """Return whether a difference leaves a comparison one of like with like, if it is stated.

    Other simulations do, and so do galaxies that a law or its input lacks: that is for a comparison
    to show.
    """
    return difference.startswith(tuple(f"different {what}: " for what in (_SIMULATIONS, _GAPS)))


def stellar_mass_definition(galaxies: GalaxyCatalog) -> str:
    """Return which stars count, from the provenance of a mock or of a hydrodynamic run."""
    painter = galaxies.provenance.get("painter", {})
    reading = galaxies.provenance.get("simulation", {}).get("reading", {})
    stated = str(
        painter.get("stellar_mass_definition")
        or painter.get("network", {}).get("domain", {}).get("stellar_mass_definition")
        or reading.get("stellar_mass_definition")
        or _UNKNOWN
    )
    return _ALL_BOUND if stated == "bound" or stated.startswith(_ALL_BOUND) else stated


_OF_THE_LAW = {NO_SATELLITES, *TOO_FEW.values()}  # reasons due to neither selection nor input


def _other_cuts(galaxies: GalaxyCatalog) -> Value:
    return " and ".join(sorted({*galaxies.completeness.lacks} - _OF_THE_LAW)) or "none"


def _missing(galaxies: GalaxyCatalog) -> Value:
    if not galaxies.completeness.is_stated:
        return _UNKNOWN
    reasons = sorted({*galaxies.completeness.lacks} & _OF_THE_LAW)
    return " and ".join(reason.partition(":")[0] for reason in reasons) or "none known"


_WAYS: dict[str, Callable[[GalaxyCatalog], Value]] = {
    _SIMULATIONS: lambda g: g.snapshot.name,
    "footprints": lambda g: _footprint(g),
    "redshifts of light cones": lambda g: _cone(g),
    "boxes": lambda g: {"side [Mpc/h]": g.snapshot.box_size} if g.frame == "box" else _UNKNOWN,
    "redshifts": lambda g: {_REDSHIFT: g.snapshot.redshift} if g.frame == "box" else _UNKNOWN,
    "cosmologies": lambda g: g.snapshot.cosmology.to_dict(),
    "definitions of host mass": mass_definition,
    "definitions of stellar mass": stellar_mass_definition,
    "selections beside stellar mass": _other_cuts,
    _GAPS: _missing,
}


def _footprint(galaxies: GalaxyCatalog) -> Value:
    """Return the footprint in the record of a light cone."""
    if galaxies.frame == "box":
        return _UNKNOWN
    steps = [s for s in galaxies.provenance.get(STEPS, []) if s.get("step") == "footprint"]
    if not steps:
        return _UNKNOWN
    facts = {key: x for key, x in steps[-1].get("footprint", {}).items() if key != "digest"}
    return ", ".join(f"{key} {x}" for key, x in facts.items())


def _cone(galaxies: GalaxyCatalog) -> Value:
    """Return the borders of a light cone."""
    if galaxies.frame == "box":
        return _UNKNOWN
    low, high = galaxies.snapshot.redshifts
    return {"from z": low, "to z": high}


def _share_structures(one: GalaxyCatalog, other: GalaxyCatalog) -> bool:
    """Return whether half of the most massive hosts of one have a counterpart in the other.

    A counterpart is a host within 0.5 Mpc/h and a factor of 2 in mass. In twin simulations nearly
    all hosts have one; in simulations with other phases less than one per cent do (the density of
    hosts times 0.5 (Mpc/h)^3).
    """
    from scipy.spatial import KDTree

    size = one.snapshot.box_size
    if "sky" in (one.frame, other.frame):
        return False
    if not np.isclose(size, other.snapshot.box_size, rtol=_SAME):
        return False
    places, masses = [], []
    for galaxies in (one, other):
        rows = np.flatnonzero(galaxies["is_central"] & (galaxies["halo_mass"] > 0))
        rows = rows[np.argsort(-galaxies["halo_mass"][rows], kind="stable")[: 2 * _MOST]]
        if len(rows) < _FEWEST:
            return False
        places.append(np.stack([galaxies[f"position_{x}"][rows] % size for x in "xyz"], axis=1))
        masses.append(np.log(galaxies["halo_mass"][rows]))
    distance, nearest = KDTree(places[1], boxsize=size * (1.0 + 1e-9)).query(places[0][:_MOST])
    like = np.abs(masses[0][:_MOST] - masses[1][nearest]) < np.log(_FACTOR)
    return bool(np.mean((distance < _NEAR) & like) >= 0.5)


def _same(one: Value, other: Value) -> bool:
    """Return whether two values are equal, or agree in all numbers that both state."""
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return not _unequal(one, other)


def _unequal(one: Mapping[str, float], other: Mapping[str, float]) -> list[str]:
    """Return the names of numbers that differ by more than `_SAME`, relative to 1 + z for z."""
    return [
        name
        for name in one
        if name in other
        and not np.isclose(one[name], other[name], rtol=_SAME, atol=_SAME * (name == _REDSHIFT))
    ]


def _show(value: Value, first: Value) -> str:
    """Return a value in words: the numbers that differ from the first ones, or all if none do."""
    if isinstance(value, str) or isinstance(first, str):
        return elided(str(value), _LONGEST)
    names = _unequal(value, first) or list(value)
    return ", ".join(f"{name} = {round(value[name], 6) + 0.0:.5g}" for name in names)


def _samples(catalogues: Mapping[str, GalaxyCatalog]) -> list[str]:
    """Return which catalogues have galaxies of stellar masses that another catalogue lacks."""
    limits = [galaxies.completeness for galaxies in catalogues.values()]
    lows = [limit.low for limit in limits if limit.low is not None]
    highs = [limit.high for limit in limits]
    alike = np.ptp(lows or [0.0]) <= _SAME * max(lows, default=0.0) and len(set(highs)) == 1
    if alike:  # all lack the same galaxies, as far as they state it
        return []
    low, high = max(lows, default=0.0), min(highs)
    outside = []
    for name, galaxies in catalogues.items():
        mass = galaxies["stellar_mass"].astype(np.float64)
        number = int(np.sum((mass < low * (1.0 - 1e-6)) | (mass > high * (1.0 + 1e-6))))
        if number:
            outside.append(f"{number:,} of {len(galaxies):,} galaxies of {name}")
    if not outside:
        return []
    cut = f"stellar_mass >= {low:.9g} Msun/h"
    if high < np.inf:
        cut = f"{low:.9g} Msun/h <= stellar_mass <= {high:.9g} Msun/h"
    way_out = f'compare with --cut "{cut}"' if low < high else "they have no range in common"
    return [
        f"different samples: {', '.join(outside)} have stellar masses outside of the range "
        f"that all of them reach; {way_out}"
    ]
