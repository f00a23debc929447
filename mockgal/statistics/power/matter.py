"""The matter of a simulation as a field whose power is measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...fields.matter import matter_field, warn_of_moved
from ...fields.waves.interlaced import interlaced, on_corner
from ...system.progress import advance
from ...types import DensityField, ParticleChunk, Particles, Scene
from ..jackknife import blocks

Array = NDArray[Any]
_UNITS = {  # of the mean density, by the kind of the grid
    "mass": "Msun littleh2 / Mpc3",
    "counts": "littleh3 / Mpc3",
    "delta": "littleh3 / Mpc3",  # 1 in a voxel on average
}


class Matter(NamedTuple):
    """Mass per voxel, shape (N, N, N), of the matter of a simulation.

    Parameters
    ----------
    values : ndarray
    assignment : str
    interlaced : bool
    particle_mass : float or None
        sum(m**2) / sum(m) of its particles, in the unit of the values; None if not known.
    settings : dict
        What was put on the grid, as plain JSON values.
    """

    values: Array
    assignment: str
    interlaced: bool
    particle_mass: float | None
    settings: dict[str, Any]

    def sum_of_squares(self, jackknife: int) -> float | Array | None:
        """Return sum(m**2) of the particles, in all or in each sub-volume.

        That in a sub-volume is the mass of its voxels times the particle mass, which is exact for
        particles of one mass but for the clouds on its edges.
        """
        if self.particle_mass is None:
            return None
        if not jackknife:
            return self.particle_mass * float(np.sum(self.values))
        masses = [float(np.sum(block.voxels)) for block in blocks(self.values, jackknife)]
        return self.particle_mass * np.maximum(masses, 0.0)


def matter_of(
    sim: Scene, *, grid_size: int | None, assignment: str | None, interlacing: bool | None
) -> Matter:
    """Return the matter of a simulation on a grid: its particles, or else its density grid.

    Parameters
    ----------
    sim : Scene
    grid_size : int, optional
        Voxels along each side; None for that of a density grid.
    assignment : str, optional
        Scheme for particles; None for PCS.
    interlacing : bool, optional
        Whether to remove every second image from particles; None for yes.

    Raises
    ------
    UsageError
        The simulation has no matter, or a density grid of another size.
    MockgalError
        See `mockgal.fields.matter.matter_field`.
    """
    if sim.particles is not None:
        if grid_size is None:
            raise UsageError("matter", "no number of voxels", "one, to put particles on a grid")
        return _of_particles(sim, sim.particles, grid_size, assignment or "PCS", interlacing)
    if sim.field is None:
        raise UsageError(
            f"simulation {sim.snapshot.name}",
            "no matter: halos only",
            "one with particles or a density grid",
            "read it with its matter, mockgal.read(PATH, matter=MATTER); on the command line, "
            "--sim PATH --cross-matter MATTER",
        )
    return _of_grid(sim.field, grid_size)


def _of_particles(
    sim: Scene, particles: Particles, grid_size: int, assignment: str, interlacing: bool | None
) -> Matter:
    mass = squares = 0.0

    def weighed(rows: int) -> Iterator[ParticleChunk]:
        nonlocal mass, squares
        mass = squares = 0.0
        for chunk in particles.chunks(rows):
            some = np.asarray(chunk.mass, dtype=np.float64)
            mass, squares = mass + float(some.sum()), squares + float(np.sum(some**2))
            yield chunk

    def grid(origin: str) -> tuple[Array, dict[str, Any]]:
        def progress(done: int, total: int, what: str) -> None:
            advance(done, total, f"{what}, grid with its {origin} at the origin")

        with matter_field(
            Particles(particles.count, weighed),
            sim.snapshot,
            grid_size=grid_size,
            assignment=assignment,
            origin=origin,
            progress=progress,
        ) as made:
            return made.field.read_slab(0, grid_size), made.record

    values, record = grid("corner")
    warn_of_moved(record)
    if interlacing is not False:
        values = interlaced(values, grid("centre")[0])
    return Matter(
        values,
        assignment,
        interlacing is not False,
        squares / mass,
        {"matter": "particles", "mean_density_unit": _UNITS["mass"], **record},
    )


def _of_grid(field: DensityField, grid_size: int | None) -> Matter:
    size = field.grid_size
    if grid_size not in (None, size):
        raise UsageError(
            "--grid",
            f"{grid_size}, and a density grid of {size}^3 voxels",
            f"{size}",
            "leave it out, or give the particles",
        )
    values = np.array(field.read_slab(0, size), dtype=np.float64)
    if field.kind == "delta":
        values += 1.0
    if field.origin == "centre":
        values = on_corner(values)
    settings = {
        "matter": "density grid",
        "kind": field.kind,
        "origin": field.origin,
        "mean_density_unit": _UNITS[field.kind],
    }
    mass = 1.0 if field.kind == "counts" else None
    return Matter(values, field.assignment, False, mass, settings)
