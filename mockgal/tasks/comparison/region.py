"""One region of the box, seen along z: matter, subhalos and galaxies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError, shown
from ...fields.assign import deposit
from ...quantity import in_unit
from ...reports.comparison.result import Maps, Points, Region
from ...types import DensityField, GalaxyCatalog, HaloCatalog, Scene, Snapshot

Array = NDArray[Any]

SIDE, VOXELS = 2.4, 65  # Mpc/h; the crop that the network sees, in arXiv:2012.00186
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_REGION = re.compile(rf"\s*({_NUMBER})[\s,]+({_NUMBER})[\s,]+({_NUMBER})[\s,]+({_NUMBER})\s*(\S.*)")
_PLANES = 1 << 24  # voxels of a density grid that are read at a time


def region_of(
    text: str | None, snapshot: Snapshot, halos: HaloCatalog | None, truth: Any
) -> Region:
    """Return the region that a text describes; by default one about the most massive host.

    Parameters
    ----------
    text : str, optional
        Centre and side with a unit, such as ``"8 8 8 2.4 Mpc/h"``.
    snapshot : Snapshot
    halos : HaloCatalog, optional
        By default the hosts of the galaxies.
    truth : GalaxyCatalog

    Raises
    ------
    UsageError
        The text is not four lengths, or the region does not fit in the box.
    """
    size = snapshot.box_size
    if text is None:
        centre, mass = _most_massive(halos, truth)
        side = min(SIDE, size)
        why = f"the most massive host, of {mass:.3g} Msun/h" if mass else "the centre of the box"
        return Region(tuple(centre) if mass else (size / 2,) * 3, side, VOXELS, why)  # type: ignore[arg-type]
    match = _REGION.fullmatch(text)
    expected = 'the centre and the side of a cube with their unit, such as "8 8 8 2.4 Mpc/h"'
    if match is None:
        raise UsageError("--region", shown(text), expected, "write it so")
    *numbers, unit = match.groups()
    x, y, z, side = (
        in_unit("--region", f"{n} {unit}", "Mpc / littleh", snapshot.cosmology.h) for n in numbers
    )
    if not (all(0 <= v < size for v in (x, y, z)) and 0 < side <= size):
        raise UsageError(
            "--region",
            shown(text),
            f"a centre in the box, from 0 to {size:g} Mpc/h, and a side of at most {size:g} Mpc/h",
            "choose another region",
        )
    return Region((x, y, z), side, VOXELS, "as asked for")


def _most_massive(halos: HaloCatalog | None, galaxies: GalaxyCatalog) -> tuple[list[float], float]:
    """Return the position and the mass of the most massive host; ties go to the lowest row."""
    if halos is not None:
        central = np.flatnonzero(halos["is_central"])
        mass, place = halos["host_mass"][central], halos["position"][central]
    else:
        central = np.flatnonzero(galaxies["is_central"])
        mass = galaxies["halo_mass"][central]
        place = np.stack([galaxies[f"position_{x}"][central] for x in "xyz"], axis=1)
    if not len(mass) or not mass.max() > 0:
        return [], 0.0
    row = int(np.argmax(mass))
    return [float(v) for v in place[row]], float(mass[row])


def maps_of(
    region: Region,
    sim: Scene | None,
    halos: HaloCatalog | None,
    catalogues: Mapping[str, GalaxyCatalog],
) -> Maps:
    """Return what is in a region, from the simulation and from each catalogue."""
    matter, matter_from = None, "no simulation was given (--sim)"
    if sim is not None:
        matter_from = f"{sim.snapshot.name} comes without matter (--matter)"
        if sim.particles is not None:
            matter, matter_from = _of_particles(region, sim), "particles"
        elif sim.field is not None:
            matter = _of_grid(region, sim.field, sim.snapshot)
            voxel = sim.field.voxel_size
            matter_from = f"a density grid with voxels of {voxel:.4g} Mpc/h"
    size = next(iter(catalogues.values())).snapshot.box_size
    subhalos = None
    if halos is not None:
        subhalos = _points(region, size, halos["position"], halos["mass"], halos["is_central"])
    galaxies = {}
    for name, own in catalogues.items():
        place = np.stack([own[f"position_{x}"] for x in "xyz"], axis=1)
        box = own.snapshot.box_size
        galaxies[name] = _points(region, box, place, own["stellar_mass"], own["is_central"])
    return Maps(region, matter, matter_from, subhalos, galaxies)


def _about(region: Region, position: Array, box_size: float) -> Array:
    """Return positions about the centre of the region, the nearest periodic image, shape (n, 3)."""
    apart = position.astype(np.float64) - np.asarray(region.centre)
    return np.asarray(apart - box_size * np.round(apart / box_size))


def _points(region: Region, size: float, place: Array, mass: Array, central: Array) -> Points:
    apart = _about(region, place, size)
    inside = np.flatnonzero(np.all(np.abs(apart) <= region.side / 2, axis=1))
    inside = inside[np.argsort(-mass[inside].astype(np.float64), kind="stable")]
    x, y = apart[inside, 0], apart[inside, 1]
    return Points(x, y, mass[inside].astype(np.float64), central[inside].astype(bool))


def _of_particles(region: Region, sim: Scene) -> Array:
    """Return the projected density over its mean, CIC on the region's voxels, shape (n, n)."""
    assert sim.particles is not None
    size, n = sim.snapshot.box_size, region.voxels
    voxel = region.side / n
    width = region.side + 2 * voxel  # a margin of a voxel on each side, which takes the wrap
    places, masses = [], []
    for chunk in sim.particles.chunks():
        moved = _about(region, np.asarray(chunk.position), size) + width / 2
        inside = np.all((moved >= 0) & (moved < width), axis=1)
        places.append(moved[inside])
        masses.append(np.asarray(chunk.mass, dtype=np.float64)[inside])
    grid = deposit(np.concatenate(places), np.concatenate(masses), grid_size=n + 2, box_size=width)
    projected = grid[1:-1, 1:-1, 1:-1].sum(axis=2)
    mean = sim.snapshot.cosmology.matter_mass(size) / size**3
    return np.asarray(projected / (mean * voxel**2 * region.side))


def _of_grid(region: Region, field: DensityField, snapshot: Snapshot) -> Array:
    """Return the projected density over its mean, at the nearest voxels of a grid, shape (n, n)."""
    size, n, cells = snapshot.box_size, region.voxels, field.grid_size
    half = 0.5 if field.origin == "corner" else 0.0
    offset = (np.arange(n) + 0.5) / n * region.side - region.side / 2
    x, y, z = (
        np.round((c + offset) / field.voxel_size - half).astype(int) % cells for c in region.centre
    )
    mean = _mean(field, size)
    columns = np.empty((n, n))
    for i, plane in enumerate(x):
        values = np.asarray(field.read_slab(int(plane), int(plane) + 1)[0], dtype=np.float64)
        columns[i] = values[np.ix_(y, z)].mean(axis=1)
    return 1.0 + columns if field.kind == "delta" else columns / mean


def _mean(field: DensityField, size: float) -> float:
    """Return the mean of a grid of counts or masses; 1 for a density contrast."""
    if field.kind == "delta":
        return 1.0
    return sum(float(np.sum(slab, dtype=np.float64)) for slab in _slabs(field)) / field.grid_size**3


def _slabs(field: DensityField) -> Iterator[Array]:
    step = max(1, _PLANES // field.grid_size**2)
    for start in range(0, field.grid_size, step):
        yield field.read_slab(start, min(start + step, field.grid_size))
