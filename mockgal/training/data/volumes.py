"""Put a whole simulation on the network's grid, so that crops can be cut anywhere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import MissingDatasetError, UsageError, listening, warn
from ...fields.planes import mass_planes
from ...fields.subhalos import subhalo_field
from ...painters.cnn.architecture import CHANNELS
from ...painters.cnn.inputs import Grid, MassChannels, fits, grid_for, mass_channels, standardised
from ...system.memory import available, check_memory
from ...types import Scene
from . import field_files
from .field_files import Place
from .samples import Volume

_BYTES_SORTED = 12  # least size of a particle in a scratch file
_PLANES_BYTES = 32 << 20  # of the planes made at a time, as float64


def volume_of(
    scene: Scene,
    *,
    voxel_size: float,
    least_subhalo_mass: float,
    assignment: str = "CIC",
    origin: str = "corner",
    place: Place | None = None,
) -> Volume:
    """Return the fields of a gravity-only simulation for training a network.

    Parameters
    ----------
    scene : Scene
        A simulation with particles, or with a grid of matter whose voxels have this size.
    voxel_size : float
        Side of a voxel [comoving Mpc/h], adjusted to a whole number of voxels in the box.
    least_subhalo_mass : float
        Bound mass of the smallest subhalo that is deposited [Msun/h].
    assignment : str
        NGP, CIC, TSC or PCS.
    origin : str
        ``corner`` or ``centre``, see `Volume`. A grid of matter has its own.
    place : Place, optional
        Place of a file for the fields, which are read from it if it exists already. Without it
        the fields are held in memory.

    Raises
    ------
    MissingDatasetError
        The simulation has no matter.
    UsageError
        The size is not valid, or the grid of matter has other voxels or another assignment.
    ResourceError
        There is too little memory for the volume, or too little room for its file.
    OutputError
        The file cannot be written.
    """
    grid = checked_grid(scene, voxel_size, assignment, origin)
    shape = (len(CHANNELS), grid.size, grid.size, grid.size)
    kept = field_files.found(place, shape) if place is not None else None
    if kept is None:
        channels, record = _made(scene, grid, shape, assignment, least_subhalo_mass, place)
    else:
        channels, record = kept[0], kept[1]["record"]
        for text in kept[1]["warnings"]:
            warn(text)
    return Volume(
        channels,
        grid.voxel_size,
        scene.snapshot.box_size,
        scene.snapshot.redshift,
        scene.snapshot.name,
        grid.origin,
        assignment,
        float(least_subhalo_mass),
        record
        | {"voxel_size_asked_for_mpc_h": float(voxel_size), "matter_grid_given": grid.given}
        | {"halo_digest": scene.halos.digest()},
    )


def volume_of_features(scene: Scene, *, voxel_size: float, least_subhalo_mass: float) -> Volume:
    """Return a volume for a network that sees no field: its subhalos, in both channels.

    The samples are held out, and compared in clustering, on its grid; matter is not needed.

    Parameters
    ----------
    scene : Scene
    voxel_size, least_subhalo_mass : float
        See `volume_of`.
    """
    snapshot, grid = scene.snapshot, grid_of_features(scene, voxel_size)
    check_memory(f"subhalos of {snapshot.name} on {grid.size}^3 voxels", 8 * grid.size**3)
    mass = subhalo_field(
        scene.halos,
        snapshot.box_size,
        grid.size,
        least_mass=least_subhalo_mass,
        assignment="CIC",
        origin=grid.origin,
    )
    planes = partial(mass_planes, mass.field, snapshot)
    channels = np.empty((len(CHANNELS), *3 * (grid.size,)), dtype=np.float32)
    channels[:] = standardised(planes, 0.0, 1.0, 0, grid.size)
    return Volume(
        channels,
        grid.voxel_size,
        snapshot.box_size,
        snapshot.redshift,
        snapshot.name,
        grid.origin,
        "CIC",
        float(least_subhalo_mass),
        {"subhalos": mass.record, "halo_digest": scene.halos.digest()},
    )


def grid_of_features(scene: Scene, voxel_size: float) -> Grid:
    """Return the grid of `volume_of_features`."""
    snapshot = scene.snapshot
    snapshot.check_periodic("training", "give a periodic box")
    if not 0.0 < voxel_size <= snapshot.box_size:
        raise UsageError(
            "voxel size",
            f"{voxel_size}",
            f"above 0 and up to the box of {snapshot.box_size:g} Mpc/h",
        )
    size = max(1, round(snapshot.box_size / voxel_size))
    return Grid(size, snapshot.box_size / size, "corner", given=False)


def checked_grid(scene: Scene, voxel_size: float, assignment: str, origin: str) -> Grid:
    """Return the grid of `volume_of`, and raise those of its errors that need no work."""
    name, box_size = scene.snapshot.name, scene.snapshot.box_size
    if "field" not in scene.contents:
        raise MissingDatasetError(
            f"simulation {name}",
            "no matter",
            "particles or a density grid of the gravity-only run",
            "keep its snapshot beside the catalogue, or give particles or a density grid with "
            "--matter",
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
    return grid


def _made(
    scene: Scene,
    grid: Grid,
    shape: tuple[int, ...],
    assignment: str,
    least_mass: float,
    place: Place | None,
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Make the channels, and return them with their counts."""
    number = 4 * math.prod(shape)
    memory = max(0, available() - (number if place is None else 0)) // 2
    if place is None:
        check_memory(f"fields of {scene.snapshot.name} on {grid.size}^3 voxels", number)
    else:
        room = number
        if scene.particles is not None and not grid.given and 8 * grid.size**3 > memory:
            room += _BYTES_SORTED * scene.particles.count
        field_files.check_room(place.folder, room)
    with (
        listening() as warnings,
        mass_channels(
            scene,
            grid,
            assignment=assignment,
            least_mass=least_mass,
            memory=memory,
            scratch=place.folder if place is not None else None,
        ) as mass,
    ):
        if place is not None:
            about = {"record": mass.record, "warnings": warnings}
            return field_files.written(place, shape, _pieces(mass, grid.size), about), mass.record
        channels = np.empty(shape, dtype=np.float32)
        planes, done = channels.reshape(-1, *shape[2:]), 0
        for piece in _pieces(mass, grid.size):
            planes[done : done + len(piece)] = piece
            done += len(piece)
        return channels, mass.record


def _pieces(mass: MassChannels, size: int) -> Iterator[NDArray[np.float32]]:
    """Yield some planes at a time, one channel after the other."""
    step = max(1, _PLANES_BYTES // (8 * size**2))
    for planes in (mass.matter, mass.subhalos):
        for start in range(0, size, step):
            yield standardised(planes, 0.0, 1.0, start, min(start + step, size))
