"""From a seed to a pair of runs: a gravity-only one, and one whose subhalos have stars."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cosmology import Cosmology
from ..errors import OutputError, UsageError
from ..random import check_seed
from ..system.files.atomic import check_output
from ..theory.linear import linear_power
from ..types import HaloCatalog, ParticleChunk, Particles, Scene, Snapshot
from ..writers.bundle import write_bundle
from . import initial
from .galaxies import Galaxies, Law, galaxies
from .gravity import evolve
from .halos import LEAST_PARTICLES, LINKING_LENGTH, SATELLITE_LINKING_LENGTH, Halos, find_halos
from .initial import displaced_lattice, linear_overdensity

Array = NDArray[Any]

COSMOLOGY = Cosmology(  # Planck Collaboration 2016, arXiv:1502.01589, table 4, as IllustrisTNG
    h=0.6774, omega_m=0.3089, omega_lambda=0.6911, omega_b=0.0486, sigma_8=0.8159, n_s=0.9667
)
FILES = {"dark": "dark.hdf5", "hydro": "hydro.hdf5"}


@dataclass(frozen=True)
class Run:
    """Parameters of the gravity-only run, which ends today.

    The default has particles of 1.34e9 Msun/h, a mean distance of 0.25 Mpc/h between them, and mesh
    voxels of half that.

    Parameters
    ----------
    box_size : float
        [Mpc/h]
    side : int
        Cube root of the number of particles, even.
    mesh_per_side : int
        Mesh voxels along an axis, divided by ``side``.
    start_redshift : float
    steps : int
        Steps, evenly spaced in the scale factor.
    cosmology : Cosmology
        With ``omega_b``, ``sigma_8`` and ``n_s``.

    Raises
    ------
    UsageError
        A side that is odd or below 8; a box size that is not a length above 0.
    """

    box_size: float = 48.0
    side: int = 192
    mesh_per_side: int = 2
    start_redshift: float = 19.0
    steps: int = 40
    cosmology: Cosmology = field(default=COSMOLOGY)

    def __post_init__(self) -> None:
        if self.side < 8 or self.side % 2:
            raise UsageError("synthetic universe", f"side {self.side}", "an even number from 8 on")
        if not 0.0 < self.box_size < math.inf:
            raise UsageError(
                "synthetic universe", f"a box of {self.box_size} Mpc/h", "a length above 0"
            )

    @property
    def mesh_size(self) -> int:
        """Voxels of the mesh along each side."""
        return self.side * self.mesh_per_side

    @property
    def particle_mass(self) -> float:
        """Mass of a particle [Msun/h]."""
        return self.cosmology.matter_mass(self.box_size) / self.side**3


class Universe(NamedTuple):
    """The pair of runs, and the truth that is known because they are synthetic.

    ``dark`` has particles and no stellar mass; ``hydro`` has the same subhalos at the same
    positions, with stellar mass, and no particles. ``halos`` and ``galaxies`` are in the order of
    their rows.
    """

    dark: Scene
    hydro: Scene
    halos: Halos
    galaxies: Galaxies


def make_universe(seed: int, *, run: Run | None = None, law: Law | None = None) -> Universe:
    """Make a universe.

    Parameters
    ----------
    seed : int
        Seed of the initial conditions and of all draws.
    run : Run, optional
    law : Law, optional
        Law of stellar mass.

    Returns
    -------
    Universe
        Identical to the bit for any number of threads. The records of both scenes say that they are
        synthetic, and hold all parameters.

    Raises
    ------
    UsageError
        There is no seed, or a parameter has a value that no run can have.
    HeaderError
        The cosmology lacks a parameter that is needed.
    ResourceError
        The universe does not fit in memory.
    """
    run, law, seed = run or Run(), law or Law(), check_seed(seed)
    end = _evolved(run, seed)
    record = {
        "made_up": "a synthetic universe: for tests and documentation, not for science",
        "seed": seed,
        "run": asdict(run),
        "least_particles": LEAST_PARTICLES,
        "linking_length": LINKING_LENGTH,
        "satellite_linking_length": SATELLITE_LINKING_LENGTH,
    }
    name = f"synthetic {{}} (seed {seed}, {run.side}^3 particles in {run.box_size:g} Mpc/h)"
    snapshot = Snapshot(
        name.format("dark"),
        run.box_size,
        0.0,
        run.cosmology,
        run.particle_mass,
        "synthetic",
        (),
        record,
    )
    halos = find_halos(end, snapshot, mesh_size=run.mesh_size)
    drawn = galaxies(halos, law, seed)
    matter = Particles(len(end.position), partial(_stream, end.position, run.particle_mass))
    # Dark-matter particles of a hydrodynamic run are lighter by the baryon fraction, by which its
    # dark matter is recognised.
    baryons = (run.cosmology.omega_b or 0.0) / run.cosmology.omega_m
    with_stars = replace(
        snapshot,
        name=name.format("hydro"),
        particle_mass=run.particle_mass * (1.0 - baryons),
        record=record | {"stellar_mass_law": drawn.record},
    )
    columns = {**halos.catalog.columns, "stellar_mass": drawn.stellar_mass}
    del columns["n_particles"]  # a hydrodynamic run would have another number
    catalog = HaloCatalog(columns, halos.catalog.mass_definition, halos.catalog.record)
    dark = Scene(snapshot, halos.catalog, matter)
    return Universe(dark, Scene(with_stars, catalog), halos, drawn)


def _evolved(run: Run, seed: int) -> initial.Particles:
    power = linear_power(run.cosmology)
    waves = linear_overdensity(power, side=run.side, box_size=run.box_size, seed=seed)
    start = displaced_lattice(
        waves, box_size=run.box_size, cosmology=run.cosmology, redshift=run.start_redshift
    )
    return evolve(
        start,
        cosmology=run.cosmology,
        redshifts=(run.start_redshift, 0.0),
        steps=run.steps,
        mesh_size=run.mesh_size,
        box_size=run.box_size,
    )


def _stream(position: Array, mass: float, chunk_rows: int) -> Iterator[ParticleChunk]:
    for start in range(0, len(position), chunk_rows):
        rows = position[start : start + chunk_rows]
        yield ParticleChunk(rows, np.full(len(rows), mass))


def write_universe(
    folder: Path,
    seed: int,
    *,
    run: Run | None = None,
    law: Law | None = None,
    overwrite: bool = False,
) -> Universe:
    """Make a universe, and write both runs as bundles.

    Parameters
    ----------
    folder : Path
        Folder for ``dark.hdf5`` and ``hydro.hdf5``; created if it does not exist.
    seed, run, law
        See `make_universe`.
    overwrite : bool
        Replace files of these names.

    Returns
    -------
    Universe

    Raises
    ------
    OutputExistsError, OutputError, ResourceError
        A file exists (checked before any work is done), or cannot be written.
    UsageError, HeaderError
        See `make_universe`.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(folder, f"{error.strerror}", "a folder", "name another folder") from error
    for name in FILES.values():
        check_output(folder / name, overwrite)
    universe = make_universe(seed, run=run, law=law)
    for scene, name in ((universe.dark, FILES["dark"]), (universe.hydro, FILES["hydro"])):
        write_bundle(scene, folder / name, overwrite=overwrite)
    return universe
