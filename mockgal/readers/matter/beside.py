"""Matter beside a halo catalogue: which kind it is, and whether it is the matter of these halos."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...cosmology import LCDM
from ...errors import HeaderError, UsageError, warn
from ...layout import SEVERAL_RESOLUTIONS
from ...protocols import ReadOptions
from ...system.memory import available
from ...types import DensityField, HaloCatalog, Particles, Scene, Snapshot, SourceFile
from .. import chunks
from ..checks import particle_mass, physics
from ..checks.orientation import Sampler
from ..density import AT_HOSTS, GridFacts, read_grid
from ..given import FACTS
from ..stated_cosmology import SAME, SAME_PARTICLE, ways_to_state
from . import grids
from .choose import particles_at
from .facts import Matter

_SAME_BOX = 1e-6  # relative, as between a grid and its halos
_FINEST, _COARSEST = 512, 16  # voxels along a side of the grid on which particles are counted
_SHARE = 8  # this grid may take one part in so many of the free memory
_ROWS = 1 << 20  # particles counted at a time


def check_facts(given: bool, options: ReadOptions) -> None:
    """Raise if there are facts about matter that is not ``given``.

    Raises
    ------
    UsageError
        Such an option would have no effect.
    """
    for name in GridFacts._fields if not given else ():
        value = getattr(options, f"matter_{name}")
        if value is not None:
            raise UsageError(
                f"--matter-{name}",
                f"{value} without --matter",
                "a grid that it is about",
                f"leave --matter-{name} out, or give --matter PATH",
            )


def with_matter(scene: Scene, path: Path, options: ReadOptions) -> Scene:
    """Return the scene with the particles or the density grid at ``path`` as its matter.

    Parameters
    ----------
    scene : Scene
    path : Path
        Matter of the scene's snapshot. Particles replace the scene's own particles and grid; a grid
        replaces its grid.
    options : ReadOptions
        Those with which the halos were read; facts about a grid that its file does not state.

    Raises
    ------
    MockgalError
        Files that are damaged or unsafe, facts that nobody states, or matter that is not that of
        the halos.
    """
    scene.snapshot.check_periodic("--matter", "leave --matter out: its halos alone are painted")
    facts = GridFacts(*(getattr(options, f"matter_{name}") for name in GridFacts._fields))
    matter = particles_at(path, options, scene.snapshot.box_size)
    if matter is None:
        return _with_grid(scene, path, facts)
    for name, value in facts._asdict().items():
        if value is not None:
            raise UsageError(
                f"--matter-{name}",
                f"{value} for the particles in {path}",
                "none: it is about density grids",
                f"leave --matter-{name} out",
            )
    return _with_particles(scene, path, matter)


def _with_grid(scene: Scene, path: Path, facts: GridFacts) -> Scene:
    grid = grids.open_grid(path, facts.dataset)
    fit: dict[str, Any] = {}
    field = read_grid(grid, facts, scene.snapshot, halos=scene.halos, record=fit)
    record = {
        "grid_size": field.grid_size,
        "kind": field.kind,
        "assignment": field.assignment,
        "origin": field.origin,
        "given_by_user": [name for name, value in facts._asdict().items() if value is not None],
    }
    sources = tuple(chunks.source(file) for file in grid.files)
    snapshot = _recorded(scene, path, grid.format, sources, record, fit, scene.field is not None)
    return replace(scene, snapshot=snapshot, field=field)


def _with_particles(scene: Scene, path: Path, matter: Matter) -> Scene:
    check_agreement(matter, scene.snapshot)
    snapshot = scene.snapshot
    ratio = (
        None if matter.total_mass is None else _mean_density(matter, snapshot, matter.total_mass)
    )
    with chunks.sources(chunks.FileSet(matter.files, "")) as digests:
        total, fit = _compare(matter, scene.halos, snapshot)
        sources = digests()
    chunks.check_distinct(sources, matter.rows)
    record = {
        "particles": matter.particles.count,
        "mean_density_over_omega_m": ratio or _mean_density(matter, snapshot, total),
        **matter.record,
    }
    mass = snapshot.particle_mass
    if mass is None and (mass := matter.stated.get("particle_mass")) is not None:
        record |= {"taken_from_matter": ["particle_mass"], **_check_quantum(matter, mass, scene)}
    own = scene.particles is not None or scene.field is not None
    snapshot = _recorded(scene, path, matter.format, sources, record, fit, own)
    snapshot = replace(snapshot, particle_mass=mass)
    return replace(scene, snapshot=snapshot, particles=matter.particles, field=None)


def _check_quantum(matter: Matter, mass: float, scene: Scene) -> dict[str, float]:
    """Compare the particle mass with the masses of halos that did not come with one."""
    halos, record = scene.halos, scene.snapshot.record
    if "stellar_mass" in halos or record.get(SEVERAL_RESOLUTIONS):
        return {}
    return particle_mass.check_quantum(mass, halos["mass"], f"{matter.where}, particle mass")


def _recorded(
    scene: Scene,
    path: Path,
    format: str,
    sources: tuple[SourceFile, ...],
    record: dict[str, Any],
    fit: dict[str, Any],
    own: bool,
) -> Snapshot:
    """Return the snapshot with the matter among its files and in its record; warn if in doubt."""
    if fit["fits"] is None:
        warn(
            f"{path}: {fit['hosts']} hosts and matter this smooth cannot show whether the matter "
            "belongs to these halos, and whether its axes and origin are theirs",
        )
    facts = {
        "format": format,
        "file": path.name,
        "files": len(sources),
        "bytes": sum(file.size for file in sources),
        **_digest(sources),
        **record,
        "in_place_of_own": own,
    }
    return replace(
        scene.snapshot,
        source=(*scene.snapshot.source, *sources),
        record={**scene.snapshot.record, "matter": facts, AT_HOSTS: fit},
    )


def _digest(sources: tuple[SourceFile, ...]) -> dict[str, str]:
    """Return the digest of the one file, or that of the list of digests of several."""
    if len(sources) == 1:
        return {"sha256": sources[0].digest}
    lines = "".join(f"{file.digest}\n" for file in sources)
    return {"sha256_of_digests": hashlib.sha256(lines.encode()).hexdigest()}


def check_agreement(matter: Matter, snapshot: Snapshot) -> None:
    """Raise if particles state another box, redshift, cosmology or particle mass than halos do.

    Raises
    ------
    HeaderError
        The message has both values.
    """
    for name, value in matter.stated.items():
        tolerance = SAME * max(abs(value), SAME)
        if name in ("h", "omega_m", "omega_lambda", *LCDM):
            allowed = ways_to_state(snapshot.cosmology, name)
        elif name == "redshift":
            allowed, tolerance = [snapshot.redshift], SAME * (1.0 + abs(snapshot.redshift))
        elif name == "box_size":
            allowed, tolerance = [snapshot.box_size], _SAME_BOX * snapshot.box_size
        else:
            own = getattr(snapshot, name)
            allowed, tolerance = [value if own is None else own], SAME_PARTICLE * value
        if not any(abs(value - own) <= tolerance for own in allowed):
            unit = f" {FACTS[name].unit}".rstrip() if name in FACTS else ""
            raise HeaderError(
                f"{matter.where}, {name.replace('_', ' ')}",
                f"{value:.9g}{unit}",
                " or ".join(f"{own:.9g}{unit}" for own in allowed) + ", as the halos have",
                "use the particles of the run and output that the halos were found in",
            )


def _mean_density(matter: Matter, snapshot: Snapshot, total: float) -> float:
    where = f"{matter.where}, mass of {matter.particles.count} particles"
    return physics.check_mean_density(
        total, snapshot.box_size, snapshot.cosmology, snapshot.redshift, where
    )


def _compare(
    matter: Matter, halos: HaloCatalog, snapshot: Snapshot
) -> tuple[float, dict[str, Any]]:
    """Read all particles once; return their mass [Msun/h], and how they fit the halos.

    They are counted on a grid of about one particle per voxel, and at most `_FINEST`^3.

    Raises
    ------
    MockgalError
        Particles that cannot be; another number than was declared; or halos that are not where
        the particles are.
    """
    size, total, done = _grid_size(matter.particles), 0.0, 0
    counts = np.zeros(size**3, np.int32)
    for chunk in matter.particles.chunks(_ROWS):
        voxel = np.minimum((chunk.position * (size / snapshot.box_size)).astype(np.int64), size - 1)
        np.add.at(counts, (voxel[:, 0] * size + voxel[:, 1]) * size + voxel[:, 2], np.int32(1))
        total += float(chunk.mass.sum())
        done += len(chunk.mass)
    if done != matter.particles.count:
        raise HeaderError(
            matter.where, f"{done} particles", f"{matter.particles.count}", "read the files again"
        )

    def rows(start: int, stop: int) -> Any:
        return counts.reshape(size, size, size)[start:stop]

    field = DensityField(size, snapshot.box_size / size, "counts", "NGP", "corner", rows)
    mean = done / size**3
    sampler = Sampler(halos, field, snapshot.cosmology.matter_mass(snapshot.box_size) / size**3)
    sampler.see(0, rows(0, size))
    return total, sampler.verdict(mean, matter.where)


def _grid_size(particles: Particles) -> int:
    """Return an even number of voxels along a side, for about one particle in each."""
    by_memory = int(np.cbrt(available() // _SHARE // 4))
    size = min(_FINEST, int(np.rint(np.cbrt(particles.count))), by_memory)
    return max(_COARSEST, size - size % 2)
