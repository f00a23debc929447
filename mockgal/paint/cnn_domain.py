"""Whether weights are valid for a simulation."""

from __future__ import annotations

import numpy as np

from ..types import Scene
from .cnn_inputs import SAME_VOXEL, Grid
from .weights import Weights

PARTICLE_MASS = 0.1  # relative difference that is taken for the same resolution
COSMOLOGY = 0.05  # of Omega_m, Omega_Lambda and h
REDSHIFT = 1e-3  # of redshifts that were computed from a scale factor, or named after round ones
RESOLVED = 2.0  # by which the smallest subhalos may be above that of the training
_SMALLEST = 0.01  # share of the subhalos that are the smallest: one may be a stray


def mismatch(scene: Scene, weights: Weights, grid: Grid) -> list[str]:
    """Why weights are not valid for a scene on a grid; empty if they are."""
    domain, snapshot, halos = weights.domain, scene.snapshot, scene.halos
    reasons = []
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
    if halos.mass_definition != domain.mass_definition:
        reasons.append(f"host mass is {halos.mass_definition}, not {domain.mass_definition}")
    if "stellar_mass" in halos:
        reasons.append("the run is hydrodynamic, and the network is for gravity-only subhalos")
    low, high = domain.redshift
    if not low - REDSHIFT <= snapshot.redshift <= high + REDSHIFT:
        reasons.append(f"redshift {snapshot.redshift:.4g} outside [{low:.4g}, {high:.4g}]")
    reasons += _matter(scene, weights)
    if len(halos) and domain.least_subhalo_mass > 0:
        least = float(np.quantile(halos["mass"], _SMALLEST))
        if least > RESOLVED * domain.least_subhalo_mass:
            reasons.append(
                f"{1 - _SMALLEST:.0%} of the subhalos above {least:.4g} Msun/h, where the training "
                f"had them from {domain.least_subhalo_mass:.4g} on"
            )
    return reasons


def _matter(scene: Scene, weights: Weights) -> list[str]:
    """Differences of particle mass and cosmology."""
    domain, snapshot, reasons = weights.domain, scene.snapshot, []
    mass = snapshot.particle_mass
    if mass is None or not abs(mass / domain.particle_mass - 1.0) <= PARTICLE_MASS:
        stated = "not stated" if mass is None else f"{mass:.4g} Msun/h"
        reasons.append(f"particle mass {stated}, not {domain.particle_mass:.4g}")
    for name in ("h", "omega_m", "omega_lambda"):
        here, there = getattr(snapshot.cosmology, name), domain.cosmology[name]
        if not abs(here - there) <= COSMOLOGY * abs(there):
            reasons.append(f"{name} {here:.4g}, not {there:.4g}")
    return reasons
