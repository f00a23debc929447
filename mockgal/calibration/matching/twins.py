"""Check that two runs are twins: a hydrodynamic and a gravity-only run from the same phases."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cosmology import LCDM
from ...errors import DomainError, HeaderError, InputError, MissingDatasetError, warn
from ...layout import is_truth
from ...types import HaloCatalog, Scene
from . import particle_ids, same_halos
from .match import match_hosts

Array = NDArray[Any]

MOST_HOSTS = 1000  # heaviest hosts to compare; at most the heavier half of all hosts
LEAST_HOSTS = 20  # with fewer the comparison is inconclusive
LEAST_NEAR = 0.5  # least share of the heaviest hosts of twins with a counterpart in place
LEAST_ALIKE = 0.5  # least correlation of their log masses with those of their counterparts
MOST_BY_CHANCE = 0.25  # chance share above which crowding makes the comparison inconclusive
_BOX, _STATED, _MASS = 1e-5, 1e-3, 0.02  # relative differences allowed


def check_twins(hydro: Scene, dark: Scene) -> dict[str, Any]:
    """Raise if two runs cannot be twins; return the evidence if they may be.

    Box, redshift and cosmology must agree. The dark-matter particles of the hydrodynamic run must
    be lighter by the factor 1 - omega_b / omega_m. Phases are compared by the heaviest hosts: in
    twins most have a mutual nearest neighbour in the other run, within their radius and of similar
    mass. The number expected in unrelated runs is measured by shifting one run by a quarter of the
    box along each axis.

    It would prove nothing that particles of the same id are nearer to each other than random ones:
    unrelated runs begin on the same lattice of ids, and particles move by less than the box. Ids
    are evidence only if the innermost particles of hosts are also bound to the neighbour
    (`particle_ids.find_relation`).

    Of galaxies that belong to the subhalos of the gravity-only run, the subhalos are compared.

    Parameters
    ----------
    hydro, dark : Scene

    Returns
    -------
    dict
        The evidence: plain JSON values.

    Raises
    ------
    HeaderError
        The runs differ in box, redshift, cosmology, particle mass or phases.
    DomainError
        The runs differ in mass definition.
    MissingDatasetError
        The first run has no stellar masses, or the second has some; or the gravity-only run does
        not state its particle mass.
    """
    if is_truth(hydro.snapshot.record):
        return same_halos.check_same(hydro, dark)
    evidence = _same_background(hydro, dark)
    if hydro.halos.mass_definition != dark.halos.mass_definition:
        raise DomainError(
            "pair of runs",
            f"host masses {hydro.halos.mass_definition} and {dark.halos.mass_definition}",
            "the same definition",
            "read both with the same mass definition",
        )
    evidence["mass_definition"] = dark.halos.mass_definition
    for scene, expected in ((hydro, True), (dark, False)):
        if ("stellar_mass" in scene.halos) != expected:
            raise MissingDatasetError(
                scene.snapshot.name,
                "no stellar masses" if expected else "stellar masses",
                "the hydrodynamic run first, its gravity-only twin second",
                "give the pair in this order",
            )
    return evidence | _particle_masses(hydro, dark) | {"phases": _phases(hydro, dark)}


def _names(hydro: Scene, dark: Scene) -> str:
    return f"{hydro.snapshot.name} and {dark.snapshot.name}"


def _same_background(hydro: Scene, dark: Scene) -> dict[str, Any]:
    """Return box, scale factor and cosmology, each as [hydro, dark]; raise if they differ."""
    a, b = hydro.snapshot, dark.snapshot
    stated = LCDM | a.cosmology.to_dict(), LCDM | b.cosmology.to_dict()
    if stated[1].get("omega_b") == 0:  # states that a gravity-only run has no baryons
        del stated[1]["omega_b"]
    compared = {
        "box_size": (a.box_size, b.box_size),
        "scale_factor": (1 / (1 + a.redshift), 1 / (1 + b.redshift)),
        **{
            name: (value, stated[1][name]) for name, value in stated[0].items() if name in stated[1]
        },
    }
    for name, (x, y) in compared.items():
        if abs(x - y) > (_BOX if name == "box_size" else _STATED) * max(abs(x), abs(y)):
            raise HeaderError(
                _names(hydro, dark),
                f"{name.replace('_', ' ')} {x:.6g} and {y:.6g}",
                "a pair of runs with the same box, redshift and cosmology",
                "give the two twins at the same snapshot",
            )
    return {name: [float(x), float(y)] for name, (x, y) in compared.items()}


def _particle_masses(hydro: Scene, dark: Scene) -> dict[str, Any]:
    """Return the ratio of dark-matter particle masses, and its expected value (None: unknown)."""
    own, twin = hydro.snapshot.particle_mass, dark.snapshot.particle_mass
    if twin is None:
        raise MissingDatasetError(
            dark.snapshot.name,
            "no particle mass",
            "a gravity-only particle mass",
            "keep a snapshot beside its catalogue",
        )
    cosmology = hydro.snapshot.cosmology
    baryons = cosmology.omega_b or dark.snapshot.cosmology.omega_b
    expected = 1.0 - baryons / cosmology.omega_m if baryons else None
    ratio = None if own is None else own / twin
    if ratio is not None:
        if expected is not None:
            good = abs(ratio / expected - 1.0) <= _MASS
            allowed = f"{expected:.4g}, 1 - omega_b / omega_m"
        else:
            good, allowed = ratio <= 1.0 + _STATED, "1 at most: gas takes a part of the matter"
        if not good:
            swapped = expected is not None and abs(ratio * expected - 1.0) <= _MASS
            raise HeaderError(
                _names(hydro, dark),
                f"dark-matter particles of {own:.6g} and {twin:.6g} Msun/h, a ratio of {ratio:.4g}",
                allowed,
                "give the hydrodynamic run first"
                if swapped
                else "give a pair of runs with the same number of dark-matter particles",
            )
    return {"particle_mass_ratio": ratio, "particle_mass_ratio_expected": expected}


def _phases(hydro: Scene, dark: Scene) -> dict[str, Any]:
    """Compare the positions of the heaviest hosts with chance; raise if the phases differ."""
    near = match_hosts(hydro.halos, dark.halos, dark.snapshot)
    mass = np.where(dark.halos["is_central"], dark.halos["host_mass"], 0.0)
    hosts = np.flatnonzero(mass > 0)
    order = np.lexsort((dark.halos["halo_id"][hosts], -mass[hosts]))
    heavy = hosts[order][: min(MOST_HOSTS, (len(hosts) + 1) // 2)]

    size = dark.snapshot.box_size
    shifted = (hydro.halos["position"] + size / 4) % size
    shifted[shifted >= size] = 0.0
    moved = HaloCatalog({**hydro.halos.columns, "position": shifted}, hydro.halos.mass_definition)
    by_chance = match_hosts(moved, dark.halos, dark.snapshot)
    in_place = np.isin(near[1], heavy)
    near_count, chance = int(in_place.sum()), int(np.isin(heavy, by_chance[1]).sum())
    share, expected = (n / max(len(heavy), 1) for n in (near_count, chance))
    alike = _correlation(
        np.log10(hydro.halos["host_mass"][near[0][in_place]]),
        np.log10(dark.halos["host_mass"][near[1][in_place]]),
    )
    evidence: dict[str, Any] = {
        "hosts": len(heavy),
        "with_a_neighbour_in_place": near_count,
        "with_one_after_a_shift": chance,
        "correlation_of_log_masses": alike,
        "particle_ids": _ids(hydro, dark, near),
    }
    conclusive = len(heavy) >= LEAST_HOSTS and expected <= MOST_BY_CHANCE
    if conclusive and (share < LEAST_NEAR or (alike is not None and alike < LEAST_ALIKE)):
        raise HeaderError(
            _names(hydro, dark),
            f"{near_count} of the {len(heavy)} heaviest hosts ({share:.1%}) with a neighbour in "
            f"place, {chance} ({expected:.1%}) by chance, after a shift by a quarter of the box; "
            "correlation of their log masses " + ("unknown" if alike is None else f"{alike:.2f}"),
            f"{LEAST_NEAR:.0%} or more and a correlation of {LEAST_ALIKE} or more, as in runs from "
            "the same initial phases",
            "give the gravity-only run with the same initial conditions as the hydrodynamic run",
        )
    if conclusive:
        evidence["conclusion"] = "the same phases"
        return evidence
    if len(heavy) < LEAST_HOSTS:
        evidence["conclusion"] = f"too few hosts to tell: fewer than {LEAST_HOSTS}"
    else:
        evidence["conclusion"] = "hosts too crowded to tell"
    warn(
        f"{_names(hydro, dark)}: whether they have the same phases was not found out: "
        f"{evidence['conclusion']}",
    )
    return evidence


def _correlation(x: Array, y: Array) -> float | None:
    """Return Pearson's correlation to four decimals; None if it is not defined."""
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return round(float(np.corrcoef(x, y)[0, 1]), 4)


def _ids(hydro: Scene, dark: Scene, near: tuple[Array, Array]) -> dict[str, Any]:
    """Return the relation of the particle ids, or why there is none."""
    try:
        return particle_ids.find_relation(hydro, dark, near).to_dict()
    except InputError as error:
        return {"not_found": f"{error.where}: {error.found}"}
