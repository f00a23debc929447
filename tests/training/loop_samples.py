"""A small box whose stellar masses follow a law of subhalo mass and of the matter around it."""

import numpy as np

from mockgal.cosmology import Cosmology
from mockgal.painters.cnn.architecture import MEAN_ONLY, OUTPUTS, Architecture
from mockgal.painters.cnn.weights.header import Domain
from mockgal.training.data.samples import (
    TEST,
    TRAIN,
    VALIDATION,
    CropBatches,
    Samples,
    Volume,
    normalisation_of,
)

GRID, VOXEL = 40, 0.5
NET = Architecture(
    "tiny", ((3,), (3,), ()), crop_size=21, width=1, hidden=4, features=("log_mass",)
)
FLOOR = 1e8
DOMAIN = Domain(
    voxel_size=VOXEL,
    origin="corner",
    assignment="CIC",
    particle_mass=1e9,
    least_subhalo_mass=0.0,
    redshift=(0.0, 0.0),
    cosmology=Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.7).to_dict(),
    mass_definition="200c",
    stellar_mass_definition="bound",
    luminosity_floor=FLOOR,
    log_mass=(9.0, 14.0),
    log_host_mass=(9.0, 14.0),
    log_vmax=None,
)


def samples(number=240, *, seed=1, held_out="region", luminous_only=False, volumes=1):
    """Subhalos in clumps; held out are a part of the box, or the last volume."""
    rng = np.random.default_rng(seed)
    boxes, columns = [], []
    for k in range(volumes):
        channels = rng.normal(9.0, 1.0, (2, GRID, GRID, GRID)).astype("f4")
        boxes.append(Volume(channels, VOXEL, GRID * VOXEL, 0.0, f"box {k}"))
        clump = rng.integers(0, GRID, (30, 3))
        voxel = (clump[rng.integers(0, 30, number)] + rng.integers(-2, 3, (number, 3))) % GRID
        log_mass = rng.uniform(10.0, 13.0, number)
        matter = channels[0][tuple(voxel.T)]
        log_stellar = 0.8 * log_mass - 0.2 + 0.2 * (matter - 9) + rng.normal(0, 0.15, number)
        dark = rng.random(number) > 1 / (1 + np.exp(-3 * (log_mass - 10.5)))
        log_stellar[dark | (log_stellar < np.log10(FLOOR))] = np.nan
        part = np.where(voxel[:, 0] < GRID // 2, VALIDATION, TRAIN)
        part[voxel[:, 0] >= GRID - 5] = TEST
        if held_out == "volume":
            part[:] = VALIDATION if k == volumes - 1 else TRAIN
        columns.append(
            {
                "volume": np.full(number, k),
                "voxel": voxel,
                "halo_id": rng.permutation(10 * number)[:number].astype("i8"),
                "features": log_mass[:, None],
                "log_stellar_mass": log_stellar,
                "mass": 10.0**log_mass,
                "part": part.astype("i1"),
            }
        )
    joined = {name: np.concatenate([c[name] for c in columns]) for name in columns[0]}
    if luminous_only:
        kept = np.isfinite(joined["log_stellar_mass"])
        joined = {name: values[kept] for name, values in joined.items()}
    return Samples(tuple(boxes), **joined, record={"held_out": "by x"})


def network(kind="likelihood"):
    """The tiny network with the outputs that go with a loss."""
    from dataclasses import replace

    return replace(NET, outputs=OUTPUTS if kind == "likelihood" else MEAN_ONLY)


def given(data, architecture=NET, **changes):
    """The keywords of `train` for these samples."""
    rows = np.flatnonzero(data.part == TRAIN)
    return {
        "domain": DOMAIN,
        "normalisation": normalisation_of(data, rows, architecture),
        "target": "subhalo",
        "provenance": {"summary": "made up"},
    } | changes


def validation_batches(data, weights):
    """As training has them."""
    return CropBatches.unturned(data, data.rows(VALIDATION), weights, 16)
