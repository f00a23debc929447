"""Comoving distances against astropy's."""

import numpy as np
import pytest

from mockgal.cosmology import Cosmology
from mockgal.errors import UsageError
from mockgal.survey.sky import angles, directions
from mockgal.theory.distances import distances, up_to

COSMOLOGIES = [
    Cosmology(0.6774, 0.3089, 0.6911),
    Cosmology(0.7, 0.3, 0.7, w0=-0.9, wa=0.2),
    Cosmology(0.6736, 0.313772, 0.684808, omega_nu=0.00142),
    Cosmology(0.6774, 0.3089, 0.6911 - 9e-5, omega_r=9e-5),
    Cosmology(0.7, 1.0, 0.0),
]


@pytest.mark.parametrize("cosmology", COSMOLOGIES)
def test_distances_of_astropy(cosmology):
    z = np.concatenate([[1e-6, 1e-3], np.linspace(0.01, 12.0, 400)])
    ours, theirs = distances(cosmology, 12.0), cosmology.as_astropy()
    expected = theirs.comoving_distance(z).value * cosmology.h
    np.testing.assert_allclose(ours.distances(z), expected, rtol=5e-8)  # radiation: as photons
    np.testing.assert_allclose(ours.redshifts(ours.distances(z)), z, atol=1e-9)


def test_einstein_de_sitter():
    z = np.array([0.0, 0.5, 3.0])
    exact = 2 * 2997.92458 * (1 - 1 / np.sqrt(1 + z))
    np.testing.assert_allclose(distances(COSMOLOGIES[4], 3.0).distances(z), exact, atol=1e-7)


def test_limits():
    assert up_to(COSMOLOGIES[0], 9000.0).distance[-1] > 9000.0
    with pytest.raises(UsageError, match="place of the observer"):
        up_to(COSMOLOGIES[0], 1e5).redshifts(1e5)
    with pytest.raises(UsageError, match="curvature"):
        distances(Cosmology(0.7, 0.3, 0.6), 1.0)


def test_angles_and_back():
    rng = np.random.default_rng(3)
    place = rng.normal(size=(1000, 3)) * 500
    place[:6] = [[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
    ra, dec, distance = angles(place)
    np.testing.assert_allclose(ra[:4], [0, 90, 180, 270])
    np.testing.assert_allclose(dec[:6], [0, 0, 0, 0, 90, -90])
    np.testing.assert_allclose(directions(ra, dec) * distance[:, None], place, atol=1e-10)
    assert ra.min() >= 0
    assert ra.max() < 360


def test_the_smallest_negative_angle_is_no_whole_circle():
    ra, _, _ = angles(np.array([[1.0, -1e-300, 0.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_array_equal(ra, [0.0, 0.0])
