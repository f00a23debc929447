"""The domain of weights: whether they are valid for a simulation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ...cosmology import LCDM
from ...errors import DomainError
from ...layout import MATTER_FRACTION
from ...types import Scene
from .features import definition_of
from .inputs import SAME_VOXEL, Grid, grid_of
from .weights.header import WeightsHeader
from .weights.named import Weights, read_weights, shipped_weights

PARTICLE_MASS = 0.1  # relative difference that counts as the same resolution
COSMOLOGY = 0.05  # relative tolerance of each parameter that both state
REDSHIFT = 1e-3  # tolerance for redshifts computed from a scale factor, or rounded
RESOLVED = 2.0  # largest factor of the smallest subhalos over those of the training
_SMALLEST = 0.01  # share of the subhalos that count as the smallest, as a single one may be odd


def matching(scene: Scene) -> Weights:
    """Return the shipped weights that are valid for a simulation.

    Raises
    ------
    DomainError
        There are none, and the message gives the reasons, weights by weights; or there are several.
    """
    shipped = {own.header.name: own for own in shipped_weights()}
    reasons = {
        name: mismatch(scene, own.header, grid_of(scene, own.header))
        for name, own in shipped.items()
    }
    valid = [name for name, why in reasons.items() if not why]
    if len(valid) == 1:
        return read_weights(shipped[valid[0]].path)
    where = f"simulation {scene.snapshot.name}"
    if valid:
        raise DomainError(
            where,
            f"{len(valid)} network weights valid for it: {', '.join(valid)}",
            "one of them",
            f"choose: --weights {valid[0]}",
        )
    raise DomainError(
        where,
        "no network weights valid for it: "
        + (
            "; ".join(f"{name} ({', '.join(why)})" for name, why in reasons.items())
            or "none come with mockgal"
        ),
        "weights whose domain holds the simulation",
        "train some on a pair of runs like it (`mockgal train`) and give --weights FILE, or name "
        "one of these with --allow-extrapolation",
    )


def mismatch(scene: Scene, weights: WeightsHeader, grid: Grid) -> list[str]:
    """Return the reasons why weights are not valid for a scene on a grid; empty if they are."""
    domain, snapshot, halos = weights.domain, scene.snapshot, scene.halos
    reasons = _of_grid(scene, weights, grid) if weights.architecture.sees_fields else []
    if halos.mass_definition != domain.mass_definition:
        reasons.append(f"host mass is {halos.mass_definition}, not {domain.mass_definition}")
    if "stellar_mass" in halos:
        reasons.append("the run is hydrodynamic, and the network is for gravity-only subhalos")
    low, high = domain.redshift
    if not low - REDSHIFT <= snapshot.redshift <= high + REDSHIFT:
        reasons.append(f"redshift {snapshot.redshift:.4g} outside [{low:.4g}, {high:.4g}]")
    reasons += _matter(scene, weights)
    for facts in domain.history.values():
        column, defined = facts["column"], definition_of(scene, facts["column"])
        if column in halos and defined != facts["definition"]:
            reasons.append(f"{column} is defined as {defined}, not as {facts['definition']}")
    if len(halos) and domain.least_subhalo_mass > 0:
        least = float(np.quantile(halos["mass"], _SMALLEST))
        if least > RESOLVED * domain.least_subhalo_mass:
            reasons.append(
                f"{1 - _SMALLEST:.0%} of the subhalos above {least:.4g} Msun/h, where the training "
                f"had them from {domain.least_subhalo_mass:.4g} on"
            )
    return reasons


def _of_grid(scene: Scene, weights: WeightsHeader, grid: Grid) -> list[str]:
    """Return the differences of the grid."""
    domain, snapshot, reasons = weights.domain, scene.snapshot, []
    if not abs(grid.voxel_size / domain.voxel_size - 1.0) <= SAME_VOXEL:
        reasons.append(
            f"voxels of {grid.voxel_size:.6g} Mpc/h ({grid.size} in {snapshot.box_size:g} Mpc/h), "
            f"not {domain.voxel_size:.6g}"
        )
    if grid.origin != domain.origin:
        reasons.append(f"a grid with origin {grid.origin}, not {domain.origin}")
    field = scene.field
    if grid.given and field is not None and field.assignment != domain.assignment:
        reasons.append(f"a grid made with {field.assignment}, not {domain.assignment}")
    return reasons


def _matter(scene: Scene, weights: WeightsHeader) -> list[str]:
    """Return the differences of particle mass and cosmology."""
    domain, snapshot, reasons = weights.domain, scene.snapshot, []
    mass = snapshot.particle_mass
    if mass is None or not abs(mass / domain.particle_mass - 1.0) <= PARTICLE_MASS:
        stated = "not stated" if mass is None else f"{mass:.4g} Msun/h"
        reasons.append(f"particle mass {stated}, not {domain.particle_mass:.4g}")
    share = snapshot.record.get(MATTER_FRACTION) if weights.architecture.sees_fields else None
    if share:
        reasons.append(f"matter from {share:.2%} of the particles, not from all")
    for name, here, there in both_state(snapshot.cosmology.to_dict(), domain.cosmology):
        if not abs(here - there) <= COSMOLOGY * abs(there):
            reasons.append(f"{name} {here:.4g}, not {there:.4g}")
    return reasons


def both_state(
    one: Mapping[str, float], other: Mapping[str, float]
) -> Iterator[tuple[str, float, float]]:
    """Yield the name and values of parameters that both cosmologies state.

    An ``omega_b`` of 0 is skipped: gravity-only runs state it although their dark matter stands for
    baryons, too. Dark energy that is not stated is a cosmological constant.
    """
    one, other = ({**LCDM, **parameters} for parameters in (one, other))
    for name, value in one.items():
        if name in other and not (name == "omega_b" and 0 in (value, other[name])):
            yield name, value, other[name]
