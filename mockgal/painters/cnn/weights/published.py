"""The published dm2gal network: the layout of its checkpoint, and facts from other sources.

The checkpoint says next to nothing about its training. The facts below are from the paper
(arXiv:2012.00186) and its public code (github.com/nkasmanoff/dm2gal); `SOURCES` states the source
of each, and is stored with converted weights.
"""

from __future__ import annotations

import math
from typing import Any

from ....cosmology import Cosmology
from ..architecture import Architecture, architecture
from .header import Domain, Normalisation

NAME = "dm2gal-tng100-1"
FIRST = "_model.layer1.0.conv1.weight"  # its first axis is the width
LAYOUT = (
    "tensors _model.layerN.I.conv1.{weight,bias} and _model.layerN.I.bn1.{weight,bias,running_mean,"
    "running_var,num_batches_tracked}, N from 1 to 6, I 0 and for odd N 1, "
    "and _model.{fc1,fc2}.{weight,bias}"
)
BOX_SIZE, GRID_SIZE = 75.0, 2048  # Mpc/h; voxels along a side
COSMOLOGY = Cosmology(h=0.6774, omega_m=0.3089, omega_lambda=0.6911)
PARTICLES = 1820**3
_LEAST_PARTICLES = 20  # of a Subfind object
_LARGEST_LOG_MASS = 14.5

NORMALISATION = Normalisation(
    matter=(5.20168457, 3.11864378),
    subhalos=(0.41816423, 1.73515605),
    features=(),
    target=(8.750728, 0.60161114),
)
SOURCES = {
    "architecture": "public code, src/models/models.py; the width is that of the checkpoint",
    "normalisation": "public code, src/dataloader.py: constants there, not in the checkpoint",
    "target": "public code: log10(1 + M) of the stellar mass that CIC gives to the voxel",
    "voxel_size, assignment": "paper, section 2.1, and public code: 75 Mpc/h, 2048^3 voxels, CIC",
    "origin": "Pylians, whose CIC has its nodes at multiples of the voxel size",
    "particle_mass": "computed: Omega_m times the critical density times (75 Mpc/h)^3 / 1820^3, "
    "TNG100-1-Dark, as the paper says; a comment in the public code, dat/illustris_tng/darkmatter/"
    "CDM_field.py, speaks of the dark matter of the hydrodynamic run",
    "least_subhalo_mass": "public code: every subhalo of the catalogue is deposited",
    "redshift": "paper: z = 0 (snapshot 99); taken to hold to 0.05 either side",
    "cosmology": "IllustrisTNG (headers of its files)",
    "mass_definition": "200c is assumed: host masses are no input of this network",
    "stellar_mass_definition": "public code: SubhaloMassType[:, 4], all bound stars",
    "luminosity_floor": "paper, section 2: voxels of more than 1e8 Msun/h of stars",
    "log_mass, log_host_mass": "assumed: from the 20 particles of the smallest Subfind object to "
    "10^14.5 Msun/h, above the heaviest of the box",
}
SUMMARY = (
    "the published dm2gal network, trained on TNG100-1 and TNG100-1-Dark at z = 0, converted from "
    "its checkpoint"
)
CAUTION = (
    "trained at voxels that the hydrodynamic run says hold more than 1e8 Msun/h of stars: it "
    "cannot tell which subhalos are dark; it predicts the stellar mass of a voxel, and CIC spreads "
    "a galaxy over up to eight; its receptive field is not centred on the target"
)
CITATION = ("arXiv:2012.00186",)


def domain() -> Domain:
    """Return the domain that the network was trained on."""
    particle_mass = COSMOLOGY.mean_matter_density * BOX_SIZE**3 / PARTICLES
    masses = (math.log10(_LEAST_PARTICLES * particle_mass), _LARGEST_LOG_MASS)
    return Domain(
        voxel_size=BOX_SIZE / GRID_SIZE,
        origin="centre",
        assignment="CIC",
        particle_mass=particle_mass,
        least_subhalo_mass=0.0,
        redshift=(-0.05, 0.05),
        cosmology=COSMOLOGY.to_dict(),
        mass_definition="200c",
        stellar_mass_definition="bound",
        luminosity_floor=1e8,
        log_mass=masses,
        log_host_mass=masses,
        log_vmax=None,
    )


def tensor_names(built: Architecture) -> dict[str, str]:
    """Return the name in a `GalaxyNetwork` of each of the checkpoint's tensors."""
    convolution, normalisation = ("weight", "bias"), ("running_mean", "running_var")
    parts = {
        "conv1": ("convolution", convolution),
        "bn1": ("normalisation", (*convolution, *normalisation, "num_batches_tracked")),
    }
    stages = [count for kernels in built.kernels for count in (len(kernels), 1)]
    blocks = [f"layer{n}.{i}" for n, count in enumerate(stages, 1) for i in range(count)]
    names = {
        f"_model.{block}.{theirs}.{kind}": f"blocks.{k}.{ours}.{kind}"
        for k, block in enumerate(blocks)
        for theirs, (ours, kinds) in parts.items()
        for kind in kinds
    }
    dense = {"fc1": "hidden", "fc2": "output"}
    return names | {
        f"_model.{theirs}.{kind}": f"{ours}.{kind}"
        for theirs, ours in dense.items()
        for kind in convolution
    }


def network(width: int) -> Architecture:
    """Return the preset ``paper`` with the width of a checkpoint."""
    return architecture("paper", width=width)


def provenance(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return the provenance of weights converted from a checkpoint, with facts about it."""
    return {
        "summary": SUMMARY,
        "caution": CAUTION,
        "citation": list(CITATION),
        "training_data": {"checkpoint": checkpoint},
        "sources": dict(SOURCES),
    }
