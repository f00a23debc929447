"""A simulation on the network's grid, whole in memory: crops are cut out of it anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import MissingDatasetError, UsageError
from ..memory import available, check_memory
from ..paint.architecture import CHANNELS
from ..paint.cnn_inputs import fits, grid_for, mass_channels, standardised
from ..types import Scene
from .samples import Volume

_PLANES_BYTES = 32 << 20  # of the planes that are made at a time, as float64


def volume_of(
    scene: Scene,
    *,
    voxel_size: float,
    least_subhalo_mass: float,
    assignment: str = "CIC",
    origin: str = "corner",
    memory: int | None = None,
    scratch: Path | None = None,
) -> Volume:
    """The fields of a gravity-only simulation that a network is trained on.

    Parameters
    ----------
    scene : Scene
        With particles, or with a grid of matter whose voxels are of that size.
    voxel_size : float
        [comoving Mpc/h]; the nearest that a whole number of voxels in the box allows is taken.
    least_subhalo_mass : float
        Bound mass of the smallest subhalo that is deposited [Msun/h].
    assignment : str
        NGP, CIC, TSC or PCS.
    origin : str
        ``corner`` or ``centre``, see `Volume`. A grid of matter has its own.
    memory : int, optional
        Bytes for the grid of matter while it is made from particles; half of what is free beside
        the volume without it.
    scratch : Path, optional
        See `mockgal.fields.matter.matter_field`.

    Raises
    ------
    MissingDatasetError
        There is no matter.
    UsageError
        A size that is none; a grid of matter with other voxels, or made with another assignment.
    ResourceError
        Too little memory for the volume.
    """
    name, box_size = scene.snapshot.name, scene.snapshot.box_size
    if "field" not in scene.contents:
        raise MissingDatasetError(
            f"simulation {name}",
            "no matter",
            "particles or a density grid of the gravity-only run",
            "keep its snapshot beside the catalogue, or give a density grid (--density)",
        )
    if not 0.0 < voxel_size <= box_size:
        raise UsageError(
            "voxel size", f"{voxel_size}", f"above 0 and up to the box of {box_size:g} Mpc/h"
        )
    grid, field = grid_for(scene, voxel_size, origin, assignment), scene.field
    if scene.particles is None and not fits(grid.voxel_size, voxel_size):
        raise UsageError(
            f"density grid of {name}",
            f"voxels of {grid.voxel_size:.6g} Mpc/h",
            f"{voxel_size:.6g} Mpc/h",
            "ask for the voxels of the grid, or give particles",
        )
    if grid.given and field is not None and field.assignment != assignment:
        raise UsageError(
            f"density grid of {name}",
            f"a grid made with {field.assignment}",
            f"{assignment}",
            "give grids of one assignment, or particles",
        )
    shape = (len(CHANNELS), grid.size, grid.size, grid.size)
    check_memory(f"fields of {name} on {grid.size}^3 voxels", 4 * int(np.prod(shape)))
    channels = np.empty(shape, dtype=np.float32)
    if memory is None:
        memory = max(0, available() - channels.nbytes) // 2
    step = max(1, _PLANES_BYTES // (8 * grid.size**2))
    with mass_channels(
        scene,
        grid,
        assignment=assignment,
        least_mass=least_subhalo_mass,
        memory=memory,
        scratch=scratch,
    ) as mass:
        for channel, planes in zip(channels, (mass.matter, mass.subhalos), strict=True):
            for start in range(0, grid.size, step):
                stop = min(start + step, grid.size)
                channel[start:stop] = standardised(planes, 0.0, 1.0, start, stop)
        record = mass.record
    return Volume(
        channels,
        grid.voxel_size,
        box_size,
        scene.snapshot.redshift,
        name,
        grid.origin,
        assignment,
        float(least_subhalo_mass),
        record | {"voxel_size_asked_for_mpc_h": float(voxel_size), "matter_grid_given": grid.given},
    )
