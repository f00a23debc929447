"""Halos and subhalos of particles: spherical overdensities about the densest points of groups.

A host is a friends-of-friends group with a radius about its densest particle within which the mean
density is 200 times that of the box; the density at a particle is taken from the mesh. Satellites
are the groups of a shorter linking length within the group, except the one that contains its
densest particle. There is no unbinding: the mass of a satellite is that of its linked particles,
and the mass of a central is the rest of the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..cosmology import GRAVITY
from ..errors import UsageError
from ..fields.assign import deposit
from ..system import progress
from ..system.parallel import over, threads
from ..types import HaloCatalog, Snapshot
from .groups import friends_of_friends
from .initial import Particles

Array = NDArray[Any]

LINKING_LENGTH, SATELLITE_LINKING_LENGTH = 0.2, 0.1  # in mean interparticle distances
LEAST_PARTICLES = 30  # of a group, within the radius of a host, and of a satellite
MASS_DEFINITION = "200m"
SHELL = 0.5  # Mpc/h beyond the radius: where the surroundings of a halo are measured

_CENTRES = 128  # centres whose neighbours are held at once
_PART_ROWS = 1 << 17
_MARGIN = 1.3  # search radius over the expected one


@dataclass(frozen=True)
class Halos:
    """The catalogue, with the radii and surroundings of its hosts.

    Parameters
    ----------
    catalog : HaloCatalog
        Each host, followed by its satellites. Ids are the lattice numbers of the densest particles.
        ``vmax`` is the largest circular velocity at any particle within the radius of a host, or
        of a satellite, from the `LEAST_PARTICLES` th particle on.
    radius : ndarray, shape (n,)
        Radius of the host of each row [comoving Mpc/h].
    surroundings : ndarray, shape (n,)
        log10 of the density over the mean density in the shell of thickness `SHELL` about the host
        of each row; one particle is added to the shell, so that an empty shell has a logarithm.
    """

    catalog: HaloCatalog
    radius: Array
    surroundings: Array


def find_halos(particles: Particles, snapshot: Snapshot, *, mesh_size: int) -> Halos:
    """Find all halos with `LEAST_PARTICLES` particles in their group and within their radius.

    Parameters
    ----------
    particles : Particles
        In the order of the initial lattice.
    snapshot : Snapshot
        The snapshot of these particles, with the mass of one.
    mesh_size : int
        Voxels along each side of the mesh that densities are taken from.

    Returns
    -------
    Halos
        Identical to the bit for any number of threads. The catalogue's record counts the groups,
        those left out because they do not reach the density, and the satellites left out with them.

    Raises
    ------
    UsageError
        A halo is too large for the box.
    """
    assert snapshot.particle_mass is not None
    position, size = particles.position, snapshot.box_size
    spacing = size / np.cbrt(len(position))
    group = friends_of_friends(position, box_size=size, linking_length=LINKING_LENGTH * spacing)
    number = np.bincount(group, minlength=len(group))
    rows = np.flatnonzero(number[group] >= LEAST_PARTICLES)
    density = _density(position, rows, mesh_size, size)
    hosts = _Sets.of(group[rows], density)
    within = SATELLITE_LINKING_LENGTH * spacing
    clumps = _Sets.of(
        friends_of_friends(position[rows], box_size=size, linking_length=within), density
    )
    is_satellite = clumps.number >= LEAST_PARTICLES
    is_satellite[clumps.which[hosts.densest]] = False
    in_host = hosts.which[clumps.densest]

    spheres = _spheres(position, rows[hosts.densest], hosts.number, snapshot)
    resolved = spheres.number > 0
    satellites = np.flatnonzero(is_satellite & resolved[in_host])
    kept = np.flatnonzero(resolved)
    host_row = np.concatenate([kept, in_host[satellites]])
    owner = _owners(hosts, clumps, kept, satellites)
    densest = np.concatenate([rows[hosts.densest[kept]], rows[clumps.densest[satellites]]])
    velocity, count = _motion(particles, rows, owner, snapshot)
    vmax = _vmax_of_satellites(position, rows, owner, densest, len(kept), snapshot)
    mass = snapshot.particle_mass
    columns = {
        "halo_id": densest,
        "host_id": rows[hosts.densest[host_row]],
        "is_central": np.arange(len(count)) < len(kept),
        "position": position[densest],
        "velocity": velocity,
        "mass": mass * count,
        "vmax": np.array(spheres.vmax[kept].tolist() + vmax),
        "host_mass": mass * spheres.number[host_row],
        "n_particles": count,
    }
    order = np.lexsort((np.arange(len(count)), host_row))  # each host before its satellites
    record = {
        "groups": len(hosts.number),
        "groups_below_density": int(np.sum(~resolved)),
        "satellites_below_density": int(np.sum(is_satellite & ~resolved[in_host])),
    }
    catalog = HaloCatalog({k: v[order] for k, v in columns.items()}, MASS_DEFINITION, record)
    host_row = host_row[order]
    return Halos(catalog, spheres.radius[host_row], spheres.surroundings[host_row])


def _owners(hosts: _Sets, clumps: _Sets, kept: Array, satellites: Array) -> Array:
    """Return the halo that each particle belongs to, shape (n,); -1 for none.

    Parameters
    ----------
    hosts, clumps : _Sets
    kept : ndarray of int
        Hosts that are kept: these are the first halos.
    satellites : ndarray of int
        Clumps that are satellites: the halos after them.
    """
    satellite_row = np.full(len(clumps.number), -1)
    satellite_row[satellites] = len(kept) + np.arange(len(satellites))
    central_row = np.full(len(hosts.number), -1)
    central_row[kept] = np.arange(len(kept))
    owner = satellite_row[clumps.which]
    return np.where(owner >= 0, owner, central_row[hosts.which])


def _motion(
    particles: Particles, rows: Array, owner: Array, snapshot: Snapshot
) -> tuple[Array, Array]:
    """Return the mean velocities of the halos, shape (n, 3) [km/s], and their particle numbers."""
    owned = np.flatnonzero(owner >= 0)
    count = np.bincount(owner[owned])
    velocity = np.empty((len(count), 3))
    for axis in range(3):
        total = np.bincount(owner[owned], weights=particles.momentum[rows[owned], axis])
        velocity[:, axis] = 100.0 * (1.0 + snapshot.redshift) * total / count
    return velocity, count


def _vmax_of_satellites(
    position: Array, rows: Array, owner: Array, densest: Array, first: int, snapshot: Snapshot
) -> list[float]:
    """Return the largest circular velocities of the halos from number ``first`` on [km/s]."""
    by_owner = rows[np.argsort(owner, kind="stable")]
    own = np.split(by_owner, np.cumsum(np.bincount(owner + 1)))[1:-1]
    return [
        _vmax(
            np.sort(_distances(position[own[halo]], position[densest[halo]], snapshot.box_size)),
            snapshot,
        )
        for halo in range(first, len(densest))
    ]


def _density(position: Array, rows: Array, mesh_size: int, box_size: float) -> Array:
    """Return the particles per voxel of the mesh, at the particles of some rows."""
    from . import gravity_kernels as kernels

    field = deposit(position, 1.0, grid_size=mesh_size, box_size=box_size)
    density = np.empty(len(rows))

    def work(start: int) -> None:
        part = slice(start, start + _PART_ROWS)
        kernels.interpolate(position[rows[part]], field, box_size, density[part])

    over(work, range(0, len(rows), _PART_ROWS))
    return density


class _Sets(NamedTuple):
    """Particles in sets: the set of each, shape (n,); its densest particle and their number."""

    which: Array
    densest: Array
    number: Array

    @classmethod
    def of(cls, label: Array, density: Array) -> _Sets:
        """Return the sets by label; of equally dense particles, the first counts as densest."""
        _, index, number = np.unique(label, return_inverse=True, return_counts=True)
        order = np.lexsort((-density, index))
        return cls(index, order[np.cumsum(number) - number], number)


class _Spheres(NamedTuple):
    """Number of particles within the radius of each host, 0 if it has none; the rest as `Halos`.

    All arrays have the shape (n,).
    """

    number: Array
    radius: Array
    surroundings: Array
    vmax: Array


def _spheres(position: Array, centres: Array, expected: Array, snapshot: Snapshot) -> _Spheres:
    """Find spherical overdensities about some particles, of roughly ``expected`` particles each."""
    size, mass = snapshot.box_size, float(snapshot.particle_mass or 0.0)
    density = snapshot.cosmology.halo_density(MASS_DEFINITION, snapshot.redshift)
    scale = float(np.cbrt(mass / (4.0 / 3.0 * np.pi * density)))  # radius of a single particle
    mean = len(position) / size**3
    spheres = _Spheres(np.zeros(len(centres), np.int64), *np.full((3, len(centres)), np.nan))
    tree = cKDTree(position, boxsize=size)
    reach = _MARGIN * scale * np.cbrt(expected) + SHELL
    pending = np.arange(len(centres))
    while len(pending):
        if reach[pending].max() > size / 2.0:
            raise UsageError(
                "synthetic universe",
                f"a halo whose surroundings reach {reach[pending].max():.3g} Mpc/h",
                f"at most {size / 2.0:g}, half of the box",
                "take a larger box",
            )
        further = []
        for start in range(0, len(pending), _CENTRES):
            some = pending[start : start + _CENTRES]
            near = tree.query_ball_point(position[centres[some]], reach[some], workers=threads())
            for host, rows in zip(some, near, strict=True):
                distance = np.sort(_distances(position[rows], position[centres[host]], size))
                inside = _inside(distance, scale)
                radius = scale * np.cbrt(inside)
                if inside < 0 or radius + SHELL > reach[host]:
                    further.append(host)
                elif inside > 0:
                    shell = np.searchsorted(distance, radius + SHELL, side="right") - inside
                    volume = 4.0 / 3.0 * np.pi * ((radius + SHELL) ** 3 - radius**3)
                    spheres.number[host], spheres.radius[host] = inside, radius
                    spheres.surroundings[host] = np.log10((shell + 1.0) / (mean * volume))
                    spheres.vmax[host] = _vmax(distance[:inside], snapshot)
            progress.advance(start + len(some), len(pending), "halos")
        pending = np.array(further, dtype=np.int64)
        reach[pending] *= 1.5
    return spheres


def _inside(distance: Array, scale: float) -> int:
    """Return the particles within the radius where the mean density falls to the definition's.

    n particles have that density within n^(1/3) times ``scale``, the radius of a sphere in which
    one particle has it. The least such radius with `LEAST_PARTICLES` or more is taken. Return 0 if
    `LEAST_PARTICLES` do not reach the density, and -1 if it takes more particles to decide.
    """
    number = np.arange(LEAST_PARTICLES, len(distance))
    below = np.flatnonzero(scale * np.cbrt(number) < distance[number])
    if len(below) == 0:
        return -1
    inside = int(number[below[0]])
    return inside if distance[inside - 1] <= scale * np.cbrt(inside) else 0


def _distances(position: Array, centre: Array, box_size: float) -> Array:
    apart = position - centre
    apart -= box_size * np.round(apart / box_size)
    return np.asarray(np.sqrt(np.sum(apart**2, axis=1)))


def _vmax(distance: Array, snapshot: Snapshot) -> float:
    """Return the largest circular velocity [km/s] from sorted distances of the particles.

    There are `LEAST_PARTICLES` or more.
    """
    within = np.arange(LEAST_PARTICLES, len(distance) + 1) * float(snapshot.particle_mass or 0.0)
    per_mass = GRAVITY * (1.0 + snapshot.redshift)
    return float(np.sqrt(np.max(per_mass * within / distance[LEAST_PARTICLES - 1 :])))
