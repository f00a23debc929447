"""Halo light cones of Abacus, painted as they come: no period, and sky columns."""

import numpy as np
import pytest

import mockgal
from mockgal.errors import MockgalError
from mockgal.readers.detect import detect
from mockgal.testing.compaso import BOX_SIZE, PARTICLE, write_light_cone
from mockgal.theory.distances import SPEED_OF_LIGHT

ZHENG = {"model": "zheng07", "threshold": -20.0, "stellar_mass_law": "behroozi10"}
ZHENG |= {"allow_extrapolation": True}
pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


@pytest.fixture(scope="module")
def cone(tmp_path_factory):
    return write_light_cone(tmp_path_factory.mktemp("cone"), count=3000)


@pytest.fixture(scope="module")
def mock(cone):
    scene = mockgal.populate(mockgal.read(cone), "hod", seed=1, **ZHENG)
    return mockgal.paint(scene, "hod", seed=1, **ZHENG)


def test_halos(cone):
    assert detect(cone) == detect(cone.parent) == "compaso"
    scene = mockgal.read(cone)
    halos, snapshot = scene.halos, scene.snapshot
    assert len(halos) == 2999
    assert halos.record["halos_without_particles"] == 1
    assert snapshot.frame == "sky"
    assert halos["position"].max() > BOX_SIZE
    assert halos["mass"].min() >= 35 * PARTICLE
    assert halos["halo_id"][1] == 10**16 + 580 * 10**12 + 1
    assert 0.48 < snapshot.redshifts[0] < 0.5 < snapshot.redshifts[1] < 0.52
    assert "light cone" in repr(scene)


def test_galaxies_are_where_an_observer_sees_them(mock):
    assert mock.frame == "sky"
    assert not mock["is_central"].all()
    observer = np.array(mock.snapshot.light_cone.observer)
    offset = np.stack([mock[f"position_{x}"] for x in "xyz"], axis=1) - observer
    ra, dec = np.radians(mock["ra"]), np.radians(mock["dec"])
    unit = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    np.testing.assert_allclose(unit * mock["distance"][:, None], offset, atol=1e-6)
    cosmology = mock.snapshot.cosmology.as_astropy()
    expected = cosmology.comoving_distance(mock["redshift_cosmological"]).value * cosmology.h
    np.testing.assert_allclose(expected, mock["distance"], rtol=2e-8)
    velocity = np.stack([mock[f"velocity_{x}"] for x in "xyz"], axis=1)
    along = (velocity * unit).sum(axis=1)
    z, seen = mock["redshift_cosmological"], mock["redshift"]
    np.testing.assert_allclose((seen - z) / (1 + z) * SPEED_OF_LIGHT, along, atol=1e-4)
    assert (seen[along > 1] > z[along > 1]).all()


def test_satellites_are_near_their_hosts_and_not_wrapped(mock):
    hosts = {int(i): row for row, i in enumerate(mock["galaxy_id"])}
    place = np.stack([mock[f"position_{x}"] for x in "xyz"], axis=1)
    rows = [i for i in np.flatnonzero(~mock["is_central"]) if int(mock["halo_id"][i]) in hosts]
    assert rows
    for row in rows:
        apart = place[row] - place[hosts[int(mock["halo_id"][row])]]
        assert np.linalg.norm(apart) < 3.0


@pytest.mark.parametrize("end", ["fits", "hdf5", "parquet"])
@pytest.mark.parametrize("units", ["h", "h-free"])
def test_files_keep_it(tmp_path, mock, end, units):
    path = tmp_path / f"mock.{end}"
    mockgal.write(mock, path, units=units)
    again = mockgal.read_galaxies(path)
    assert again.snapshot.light_cone == mock.snapshot.light_cone
    assert again.frame == "sky"
    np.testing.assert_array_equal(again["ra"], mock["ra"])
    np.testing.assert_allclose(again["distance"], mock["distance"], rtol=1e-14)
    if units == "h":
        assert again.digest() == mock.digest()


def test_cuts_on_the_sky(mock):
    chosen = mockgal.select(mock, "ra < 45 deg", "redshift > 0.5")
    assert 0 < len(chosen) < len(mock)
    assert chosen["ra"].max() < 45
    assert chosen["redshift"].min() > 0.5


def test_boxes_are_asked_for(tmp_path, cone, mock):
    for work in (
        lambda: mockgal.measure(mock, "xi"),
        lambda: mockgal.measure(mock, "mass_function"),
        lambda: mockgal.pack(cone, tmp_path / "cone.hdf5"),
        lambda: mockgal.read(cone, matter=cone),
        lambda: mockgal.to_halotools(mock),
    ):
        with pytest.raises(MockgalError, match="periodic box") as caught:
            work()
        assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"LightConeOrigins": None}, "LightConeOrigins"),
        ({"LightConeOrigins": [1.0, 2.0]}, "LightConeOrigins"),
        ({"LightConeOrigins": [500.0, 0.0, 0.0]}, "not those of the distance"),
        ({"N_interp": None}, "no array N_interp"),
        ({"redshift_interp": np.full(200, 0.9, "f4")}, "not those of the distance"),
        ({"pos_interp": np.full((200, 3), np.nan, "f4")}, "not finite"),
        ({"origin": np.full(200, -1, "i1")}, "out of range"),
        ({"vel_interp": np.zeros((100, 3), "f4")}, "100 rows"),
        ({"haloindex": np.zeros(200, "u8")}, "repeated"),
    ],
)
def test_faults(tmp_path, changes, message):
    path = write_light_cone(tmp_path, **changes)
    with pytest.raises(MockgalError, match=message) as caught:
        mockgal.read(path)
    assert caught.value.exit_code == 3
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("option", [{"superslab": "0"}, {"uncleaned": True}])
def test_options_of_boxes(cone, option):
    with pytest.raises(MockgalError, match="no such option for the light cone"):
        mockgal.read(cone, **option)


def test_no_halos(tmp_path):
    path = write_light_cone(tmp_path, count=0)
    assert len(mockgal.read(path).halos) == 0
