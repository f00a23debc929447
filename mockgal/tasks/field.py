"""Deposit a simulation's matter on a grid, from a path to a file: `mockgal field`."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, listening
from ..protocols import spelled_out
from ..quantity import in_unit, memory_size
from ..types import DensityField, Scene
from .build import read

if TYPE_CHECKING:
    from ..fields.subhalos import SubhaloField

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

    Returns
    -------
    Gridded
        What was written: sums, and counts of what was moved or left out.

    Raises
    ------
    UsageError
        A simulation without particles, or an option that cannot be honoured.
    MockgalError
        See `mockgal.fields.matter.matter_field`. The output file is left untouched.

    Examples
    --------
    >>> _ = mockgal.field("catalogs/demo/dark.hdf5", "field.hdf5", grid_size=16)
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5", matter="field.hdf5")
    >>> sim.field.read_slab(0, 2).shape
    (2, 16, 16)
    """
    from ..fields.matter import matter_field, warn_of_moved
    from ..system.files.atomic import check_output
    from ..system.files.lock import output_lock

    # Bad options are refused before any work.
    request = _Request(
        Path(out), grid_size, assignment, origin, subhalos, least_subhalo_mass, overwrite
    )
    if isinstance(memory, str):
        memory = memory_size("--memory", memory)
    inputs = [Path(path) for path in (sim, matter) if path is not None]
    check_output(request.out, overwrite, inputs)
    with output_lock(request.out), listening() as warnings:
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
        channel = request.subhalo_field(scene)
        request.check_space(scene, particles.count, channel)
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
            warn_of_moved(grid.record)
            result = Gridded(
                *(request.out, scene, grid.record, channel.record if channel else None),
                grid.scratch_bytes,
            )
            request.write(result, grid.field, channel, warnings, progress)
    return result


@dataclass(frozen=True)
class _Request:
    """What is to be written, checked; see `field`."""

    out: Path
    grid_size: int
    assignment: str
    origin: str
    subhalos: bool
    least_subhalo_mass: float | str
    overwrite: bool

    def __post_init__(self) -> None:
        from ..fields.assign import check_grid

        if self.out.suffix.lower() not in (".hdf5", ".h5"):
            raise UsageError(
                self.out, f"extension {self.out.suffix!r}", ".hdf5 or .h5", "name it so"
            )
        check_grid(self.grid_size, self.assignment)
        if self.origin not in ("corner", "centre"):
            raise UsageError("origin", repr(self.origin), "corner or centre", "choose one")
        if self.least_subhalo_mass and not self.subhalos:
            raise UsageError(_LEAST, "one without subhalos", "none", "leave it out")
        self.least_mass(math.nan)  # h is not known yet

    def least_mass(self, h: float) -> float:
        """Return the least bound mass of a subhalo [Msun/h]."""
        if isinstance(self.least_subhalo_mass, str):
            return in_unit(_LEAST, self.least_subhalo_mass, "Msun / littleh", h)
        return self.least_subhalo_mass

    def subhalo_field(self, scene: Scene) -> SubhaloField | None:
        """Return the grid of subhalo mass, if it is to be written."""
        from ..fields.subhalos import subhalo_field

        if not self.subhalos:
            return None
        return subhalo_field(
            scene.halos,
            scene.snapshot.box_size,
            self.grid_size,
            least_mass=self.least_mass(scene.snapshot.cosmology.h),
            assignment=self.assignment,
            origin=self.origin,
        )

    def filled(self, objects: int) -> int:
        """Return the largest number of voxels that hold mass: the rest compresses to nothing."""
        from ..fields.assign import SUPPORT

        return objects * SUPPORT[self.assignment] ** 3

    def check_space(self, scene: Scene, particles: int, channel: SubhaloField | None) -> None:
        """Raise if the disk cannot take the grids, or the output is one of the inputs."""
        from ..system.files.atomic import check_output
        from ..writers.density import grid_bytes

        size = grid_bytes(self.grid_size, self.filled(particles))
        if channel is not None:
            size += grid_bytes(self.grid_size, self.filled(channel.record["subhalos"]))
        check_output(self.out, self.overwrite, _inputs(scene), size)

    def write(
        self,
        result: Gridded,
        matter: DensityField,
        channel: SubhaloField | None,
        warnings: list[str],
        progress: Callable[[int, int, str], None] | None,
    ) -> None:
        """Write the grids."""
        from ..layout import MATTER
        from ..writers.density import write_density

        scene = result.scene
        write_density(
            matter,
            scene.snapshot,
            self.out,
            quantity=MATTER,
            provenance=_provenance(result, warnings),
            overwrite=self.overwrite,
            inputs=_inputs(scene),
            most_filled=self.filled(scene.particles.count if scene.particles else 0),
            subhalos=channel.field if channel else None,
            most_filled_by_subhalos=self.filled(channel.record["subhalos"] if channel else 0),
            progress=progress,
        )


def _inputs(scene: Scene) -> list[Path]:
    return [Path(file.path) for file in scene.snapshot.source]


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
