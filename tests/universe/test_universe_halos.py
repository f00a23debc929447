"""Halos against what was built, and against counting by the definition."""

import numpy as np
import pytest

from mockgal.cosmology import GRAVITY
from mockgal.errors import UsageError
from mockgal.types import Snapshot
from mockgal.universe.halos import LEAST_PARTICLES, SHELL, find_halos
from mockgal.universe.initial import Particles
from mockgal.universe.make import COSMOLOGY

BOX, SIDE, MESH = 6.0, 24, 96


def isothermal(number, radius, random):
    """Particles of a sphere with as much mass in every shell, evenly in radius."""
    direction = random.normal(size=(number, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    return direction * (radius * (np.arange(number) + 0.5) / number)[:, None]


@pytest.fixture(scope="module")
def built():
    """A host with a satellite, across the edge of the box, and a small one, on a lattice."""
    random = np.random.default_rng(1)
    host, other = np.array([0.05, 5.9, 3.0]), np.array([3.0, 3.0, 3.0])
    satellite = host + np.array([0.0, 0.3, 0.0])
    parts = [
        (host + isothermal(2000, 0.45, random), (300.0, 0.0, 0.0)),
        (satellite + isothermal(120, 0.02, random), (0.0, 50.0, 0.0)),
        (other + isothermal(100, 0.15, random), (0.0, 0.0, -100.0)),
    ]
    left = SIDE**3 - sum(len(p) for p, _ in parts)
    lattice = (np.stack(np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij"), -1) + 0.5) * BOX / SIDE
    lattice = random.permutation(lattice.reshape(-1, 3))
    near = np.linalg.norm(lattice - other, axis=1) < 0.8
    lattice = lattice[~near][:left]
    left = left - len(lattice)  # too few: the rest goes where nothing else is
    filler = np.array([3.0, 0.5, 0.5]) + 0.4 * random.random((left, 3))
    position = np.concatenate([p for p, _ in parts] + [lattice, filler])
    velocity = np.zeros_like(position)
    velocity[:2220] = np.concatenate([np.tile(v, (len(p), 1)) for p, v in parts])
    order = random.permutation(len(position))
    particles = Particles(np.mod(position, BOX)[order], velocity[order] / 100.0)
    origin = np.repeat([0, 1, 2, 3], [2000, 120, 100, len(position) - 2220])[order]
    mass = COSMOLOGY.matter_mass(BOX) / SIDE**3
    snapshot = Snapshot("built", BOX, 0.0, COSMOLOGY, mass, "synthetic")
    return particles, snapshot, origin, find_halos(particles, snapshot, mesh_size=MESH)


def row_at(halos, place):
    apart = (halos.catalog["position"] - place + BOX / 2) % BOX - BOX / 2
    return int(np.argmin(np.linalg.norm(apart, axis=1)))


def test_what_was_built_is_found(built):
    particles, _, origin, halos = built
    catalog = halos.catalog
    host, satellite = (row_at(halos, x) for x in ([0.05, 5.9, 3.0], [0.05, 0.2, 3.0]))
    small = row_at(halos, [3.0, 3.0, 3.0])
    ids = catalog["halo_id"]
    assert origin[ids[[host, satellite, small]]].tolist() == [0, 1, 2]
    assert np.array_equal(catalog["position"], particles.position[ids])
    assert catalog["is_central"][[host, satellite, small]].tolist() == [True, False, True]
    assert catalog["host_id"][satellite] == ids[host]
    assert satellite == host + 1
    assert catalog["n_particles"][satellite] == pytest.approx(120, abs=10)
    assert catalog["velocity"][small] == pytest.approx([0, 0, -100], abs=5)
    assert catalog["velocity"][host] == pytest.approx([300, 0, 0], abs=10)
    assert catalog["velocity"][satellite] == pytest.approx([0, 50, 0], abs=15)


def test_radius_and_vmax_of_an_isothermal_sphere(built):
    """N(<r) = N r / R: the radius follows, and the circular velocity is the same everywhere."""
    _, snapshot, _, halos = built
    small = row_at(halos, [3.0, 3.0, 3.0])
    mean = SIDE**3 / BOX**3
    radius = np.sqrt(100 / 0.15 / (4 / 3 * np.pi * 200 * mean))
    assert radius < 0.15
    assert halos.radius[small] == pytest.approx(radius, rel=0.05)
    expected = np.sqrt(GRAVITY * snapshot.particle_mass * 100 / 0.15)
    assert halos.catalog["vmax"][small] == pytest.approx(expected, rel=0.05)


def test_hosts_by_the_definition(built):
    """Whatever was found: counted again around each centre, by brute force."""
    particles, snapshot, _, halos = built
    by_definition(particles, snapshot, halos)


def by_definition(particles, snapshot, halos):
    box, mean = snapshot.box_size, len(particles.position) / snapshot.box_size**3
    catalog = halos.catalog
    for row in np.flatnonzero(catalog["is_central"]):
        apart = np.abs(particles.position - catalog["position"][row])
        distance = np.sort(np.sqrt((np.minimum(apart, box - apart) ** 2).sum(-1)))
        radius = halos.radius[row]
        inside = int(np.sum(distance <= radius))
        assert catalog["host_mass"][row] == pytest.approx(inside * snapshot.particle_mass)
        assert inside >= LEAST_PARTICLES
        assert inside / (4 / 3 * np.pi * radius**3) == pytest.approx(200 * mean, rel=1e-9)
        for number in range(LEAST_PARTICLES, inside):  # no such radius before
            least = np.cbrt(number / (4 / 3 * np.pi * 200 * mean))
            assert distance[number] <= least
        shell = np.sum((distance > radius) & (distance <= radius + SHELL))
        volume = 4 / 3 * np.pi * ((radius + SHELL) ** 3 - radius**3)
        assert halos.surroundings[row] == pytest.approx(np.log10((shell + 1) / mean / volume))
        within = np.arange(LEAST_PARTICLES, inside + 1)
        speed = GRAVITY * snapshot.particle_mass * within / distance[within - 1]
        assert catalog["vmax"][row] == pytest.approx(np.sqrt(speed.max()))
    host = catalog.host_row
    assert np.array_equal(halos.radius, halos.radius[host])
    assert np.array_equal(halos.surroundings, halos.surroundings[host])


def test_counts(built):
    _, snapshot, _, halos = built
    record, catalog = halos.catalog.record, halos.catalog
    assert record["groups"] - record["groups_below_density"] == catalog["is_central"].sum()
    assert np.all(catalog["n_particles"] * snapshot.particle_mass == catalog["mass"])
    assert catalog["n_particles"][~catalog["is_central"]].min() >= LEAST_PARTICLES


def test_a_halo_that_fills_the_box():
    random = np.random.default_rng(1)
    particles = Particles(3.0 + 0.1 * random.random((1000, 3)), np.zeros((1000, 3)))
    mass = COSMOLOGY.matter_mass(BOX) / 1000
    snapshot = Snapshot("one", BOX, 0.0, COSMOLOGY, mass, "synthetic")
    with pytest.raises(UsageError, match="half of the box"):
        find_halos(particles, snapshot, mesh_size=16)


def test_no_halos():
    random = np.random.default_rng(1)
    particles = Particles(random.random((1000, 3)) * BOX, np.zeros((1000, 3)))
    snapshot = Snapshot("none", BOX, 0.0, COSMOLOGY, COSMOLOGY.matter_mass(BOX) / 1000, "synthetic")
    halos = find_halos(particles, snapshot, mesh_size=16)
    assert len(halos.catalog) == len(halos.radius) == 0
