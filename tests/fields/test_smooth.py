"""Density and tidal field in spheres: waves by hand, and what is counted in a sphere."""

import numpy as np
import pytest

from mockgal.fields.assign import deposit
from mockgal.fields.smooth import Smoothed

BOX, RADIUS, SIZE = 100.0, 5.0, 80


def wave(direction):
    """A grid with 1 + 0.1 cos(k x) along a direction, and that k."""
    centres = (np.arange(SIZE) + 0.5) * BOX / SIZE
    k = 2 * np.pi / BOX * np.asarray(direction)
    phase = sum(k[i] * centres.reshape([-1 if i == j else 1 for j in range(3)]) for i in range(3))
    return 1.0 + 0.1 * np.cos(phase), k


@pytest.mark.parametrize("direction", [(3, 0, 0), (0, 0, 2), (1, 2, 0), (1, -2, 3)])
@pytest.mark.parametrize("origin", ["corner", "centre"])
def test_a_wave(direction, origin):
    grid, k = wave(direction)
    smoothed = Smoothed(7.0 * grid, BOX, RADIUS, origin)
    position = np.random.default_rng(1).random((300, 3)) * BOX
    x = RADIUS * np.sqrt(k @ k)
    sphere = 3 * (np.sin(x) - x * np.cos(x)) / x**3
    moved = position + (BOX / SIZE / 2 if origin == "centre" else 0.0)
    expected = 0.1 * sphere * np.cos(moved @ k)
    assert np.allclose(smoothed.density(position), expected, atol=1e-3)
    # One eigenvalue is the contrast, the others are zero.
    assert np.allclose(smoothed.shear(position), np.abs(expected), atol=1e-3)


def test_the_mass_within_a_sphere():
    """By counting, for clouds that are small beside the sphere."""
    generator = np.random.default_rng(2)
    position, size = generator.random((3000, 3)) * BOX, 80
    grid = deposit(position, 1.0, grid_size=size, box_size=BOX)
    places = generator.random((200, 3)) * BOX
    apart = np.abs(places[:, None] - position)
    distance = np.sqrt(np.sum(np.minimum(apart, BOX - apart) ** 2, axis=2))
    expected = len(position) * 4 / 3 * np.pi * 10.0**3 / BOX**3
    counted = np.sum(distance < 10.0, axis=1) / expected - 1.0
    found = Smoothed(grid, BOX, 10.0).density(places)
    assert np.corrcoef(found, counted)[0, 1] > 0.96
    assert abs(np.mean(found - counted)) < 0.03


def test_isotropic_surroundings_have_no_shear():
    grid = sum(wave(np.eye(3)[i] * 2)[0] for i in range(3))
    places = np.array([[0.0, 0.0, 0.0], [25.0, 25.0, 25.0]])  # where all waves are equal
    assert np.all(Smoothed(grid, BOX, RADIUS).shear(places) < 1e-3)


def test_the_mass_at_a_place_itself_is_taken_away():
    """What is left is exactly the field of the others, whatever the place in a voxel."""
    generator = np.random.default_rng(4)
    position, mass = generator.random((40, 3)) * BOX, 10.0 ** generator.uniform(0, 3, 40)
    grid = deposit(position, mass, grid_size=40, box_size=BOX)
    found = Smoothed(grid, BOX, 10.0)
    density, shear = found.density(position, mass), found.shear(position, mass)
    for row in range(5):
        others = np.delete(np.arange(40), row)
        alone = deposit(position[others], mass[others], grid_size=40, box_size=BOX)
        rest = Smoothed(alone, BOX, 10.0)
        share = mass[others].sum() / mass.sum()
        expected = (1.0 + rest.density(position[row : row + 1])) * share - 1.0
        assert density[row] == pytest.approx(expected[0], abs=1e-9)
        assert shear[row] == pytest.approx(rest.shear(position[row : row + 1])[0] * share, abs=1e-9)
