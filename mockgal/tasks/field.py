"""Deposit a simulation's matter on a grid, from a path to a file: `mockgal field`."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError, listening
from ..protocols import spelled_out
from ..quantity import in_unit, memory_size
from ..types import Scene
from .build import read

_LEAST = "--least-subhalo-mass"


@dataclass(frozen=True)
class Gridded:
    """A density grid that was written, and its counts.

    Parameters
    ----------
    path : Path
        The file that was written.
    scene : Scene
        The simulation that was read.
    matter : dict
        Counts of the particles.
    subhalos : dict or None
        Counts of the subhalos; None if they were left out.
    scratch_bytes : int
        Bytes of particles written to a scratch disk; 0 if the grid fitted in memory.
    """

    path: Path
    scene: Scene
    matter: Mapping[str, Any]
    subhalos: Mapping[str, Any] | None
    scratch_bytes: int


@spelled_out
def field(
    sim: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    grid_size: int,
    assignment: str = "CIC",
    origin: str = "corner",
    matter: str | os.PathLike[str] | None = None,
    subhalos: bool = True,
    least_subhalo_mass: float | str = 0.0,
    memory: int | str | None = None,
    scratch: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
    **read_options: Any,
) -> Gridded:
    """Write the matter of a simulation on a grid, and the mass of its subhalos on another.

    Parameters
    ----------
    sim : path-like
        See `mockgal.read`; it or ``matter`` must have particles.
    out : path-like
        .hdf5 or .h5; see docs/reference/density-grid.md. The bytes do not depend on ``memory``.
    grid_size : int
        Voxels along each side. A whole grid is held in memory only if it fits.
    assignment : str
        Mass assignment of both grids: NGP, CIC, TSC or PCS.
    origin : str
        ``corner``, or ``centre`` for voxels that are centred on multiples of the voxel size.
    matter : path-like, optional
        Particles of the simulation, in place of its own: see `mockgal.read`.
    subhalos : bool
        Write the grid of subhalo mass, too.
    least_subhalo_mass : float or str
        Bound mass of the smallest subhalo that is deposited: Msun/h, or a text with a unit.
    memory : int or str, optional
        Memory for the grid and the particles being deposited: bytes, or a text such as
        ``"2 GiB"``. By default half of the free memory.
    scratch : path-like, optional
        Folder for scratch files of 12 to 32 bytes per particle, which are written if the grid
        does not fit in memory. By default the folder of TMPDIR.
    overwrite : bool
    progress : callable, optional
        Called with (done, total, what).
    **read_options
        See `mockgal.read`.

    Raises
    ------
    UsageError
        A simulation without particles, or an option that cannot be honoured.
    MockgalError
        See `mockgal.fields.matter.matter_field`. The output file is left untouched.
    """
    from ..fields.assign import SUPPORT, check_grid
    from ..fields.matter import matter_field, warn_of_moved
    from ..fields.subhalos import subhalo_field
    from ..layout import MATTER
    from ..system.files.atomic import check_output
    from ..system.files.lock import output_lock
    from ..writers.density import grid_bytes, write_density

    # Bad options are refused before any work.
    target = Path(out)
    if target.suffix.lower() not in (".hdf5", ".h5"):
        raise UsageError(out, f"extension {target.suffix!r}", ".hdf5 or .h5", "name it so")
    check_grid(grid_size, assignment)
    if origin not in ("corner", "centre"):
        raise UsageError("origin", repr(origin), "corner or centre", "choose one")
    if least_subhalo_mass and not subhalos:
        raise UsageError(_LEAST, "one without subhalos", "none", "leave it out")
    if isinstance(memory, str):
        memory = memory_size("--memory", memory)
    if isinstance(least_subhalo_mass, str):
        in_unit(_LEAST, least_subhalo_mass, "Msun / littleh", math.nan)  # h is not known yet
    check_output(target, overwrite, [Path(path) for path in (sim, matter) if path is not None])
    with output_lock(target), listening() as warnings:
        scene = read(sim, matter=matter, **read_options)
        particles, snapshot = scene.particles, scene.snapshot
        if matter is not None and scene.field is not None:
            raise UsageError(
                matter,
                "a density grid",
                "particles, to be put on a grid",
                "paint with this grid itself, with --matter of `mockgal build`",
            )
        if particles is None:
            raise UsageError(
                sim,
                "a simulation without particles",
                "one with them",
                "give the catalogue with its snapshot, or the particles with --matter PATH",
            )
        if isinstance(least_subhalo_mass, str):
            h = snapshot.cosmology.h
            least_subhalo_mass = in_unit(_LEAST, least_subhalo_mass, "Msun / littleh", h)
        channel = None
        if subhalos:
            channel = subhalo_field(
                scene.halos,
                snapshot.box_size,
                grid_size,
                least_mass=least_subhalo_mass,
                assignment=assignment,
                origin=origin,
            )
        # Empty voxels compress to next to nothing.
        filled, filled_by_subhalos = (
            number * SUPPORT[assignment] ** 3
            for number in (particles.count, channel.record["subhalos"] if channel else 0)
        )
        inputs = [Path(file.path) for file in snapshot.source]
        size = grid_bytes(grid_size, filled) + subhalos * grid_bytes(grid_size, filled_by_subhalos)
        check_output(target, overwrite, inputs, size)
        with matter_field(
            particles,
            snapshot,
            grid_size=grid_size,
            assignment=assignment,
            origin=origin,
            memory=memory,
            scratch=None if scratch is None else Path(scratch),
            progress=progress,
        ) as grid:
            warn_of_moved(grid.record, stacklevel=2)
            result = Gridded(
                *(target, scene, grid.record, channel.record if channel else None),
                grid.scratch_bytes,
            )
            write_density(
                grid.field,
                snapshot,
                target,
                quantity=MATTER,
                provenance=_provenance(result, warnings),
                overwrite=overwrite,
                inputs=inputs,
                most_filled=filled,
                subhalos=channel.field if channel else None,
                most_filled_by_subhalos=filled_by_subhalos,
                progress=progress,
            )
    return result


def _provenance(result: Gridded, warnings: list[str]) -> dict[str, Any]:
    """Return how the grids were made, without the time, the place or the memory used."""
    from .. import __version__
    from ..painters.draw import describe_simulation

    scene = result.scene
    files = [file._replace(path=Path(file.path).name) for file in scene.snapshot.source]
    return {
        "version": __version__,
        "simulation": describe_simulation(scene, scene.halos.digest()),
        "source": [file._asdict() for file in files],
        "matter": result.matter,
        "subhalos": result.subhalos,
        "warnings": warnings,
    }
