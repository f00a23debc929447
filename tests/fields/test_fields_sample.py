import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from mockgal.cosmology import Cosmology
from mockgal.errors import UsageError
from mockgal.fields.sample import positions, weights
from mockgal.types import GalaxyCatalog, Snapshot

COSMOLOGY = Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.7)


def catalogue(velocity, redshift=0.5, position=(5.0, 6.0, 7.0), frame="box"):
    n = len(velocity)
    columns = {
        "galaxy_id": np.arange(n),
        "halo_id": np.arange(n),
        "is_central": np.ones(n, bool),
        "stellar_mass": np.full(n, 1e10, "f4"),
        "halo_mass": np.full(n, 1e12),
    }
    for i, axis in enumerate("xyz"):
        columns[f"position_{axis}"] = np.full(n, position[i])
        columns[f"velocity_{axis}"] = np.asarray(velocity, float)[:, i]
    snapshot = Snapshot("s", 10.0, redshift, COSMOLOGY, None, "synthetic")
    return GalaxyCatalog(columns, snapshot, frame, {})


@pytest.mark.parametrize("redshift", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_redshift_space_is_that_of_astropy(redshift, axis):
    velocity = np.random.default_rng(1).normal(0, 100, (20, 3))
    galaxies = catalogue(velocity, redshift)
    real, shifted = positions(galaxies), positions(galaxies, axis)
    # astropy without radiation, as N-body runs are
    rate = FlatLambdaCDM(H0=70.0, Om0=0.3, Tcmb0=0.0).H(redshift).value
    expected = velocity[:, "xyz".index(axis)] * (1 + redshift) / rate * 0.7
    moved = (shifted - real + 5.0) % 10.0 - 5.0
    np.testing.assert_allclose(moved[:, "xyz".index(axis)], expected, rtol=1e-9)
    others = [i for i in range(3) if "xyz"[i] != axis]
    np.testing.assert_array_equal(shifted[:, others], real[:, others])


def test_positions_stay_in_the_box():
    velocity = [[0, 0, -1e3], [0, 0, 1e3], [0, 0, -1e-20], [0, 0, 0]]
    shifted = positions(catalogue(velocity, position=(0.0, 0.0, 0.0)), "z")
    assert np.all((shifted >= 0) & (shifted < 10.0))
    assert shifted[2, 2] == 0.0  # the box size less next to nothing is the box size


def test_the_catalogue_itself_stays_in_real_space():
    galaxies = catalogue([[300.0, 0, 0]])
    positions(galaxies, "x")
    assert galaxies["position_x"][0] == 5.0


def test_weights():
    galaxies = catalogue(np.zeros((3, 3)))
    np.testing.assert_array_equal(weights(galaxies, "number"), np.ones(3))
    mass = weights(galaxies, "stellar_mass")
    assert mass.dtype == np.float64
    np.testing.assert_array_equal(mass, galaxies["stellar_mass"])


@pytest.mark.parametrize(
    "refused",
    [
        lambda: positions(catalogue(np.zeros((1, 3))), "w"),
        lambda: positions(catalogue(np.zeros((1, 3)), frame="sky")),
        lambda: weights(catalogue(np.zeros((1, 3))), "halo_mass"),
    ],
)
def test_what_is_no_sample_is_refused(refused):
    with pytest.raises(UsageError):
        refused()
