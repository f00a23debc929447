"""SOAP catalogues; files made from the published layout, no real one was at hand."""

import h5py
import numpy as np
import pytest
from known_samples import BOX, COSMOLOGY_GIVEN, H, Z, check, halos

import mockgal
from mockgal.errors import HeaderError
from mockgal.protocols import ReadOptions
from mockgal.readers.detect import detect
from mockgal.readers.tables.known.soap import SOAPReader
from mockgal.testing import reader_contract

MPC, MSUN = 3.0856775814913673e24, 1.988409870698051e33  # cm, g
A = 1 / (1 + Z)


def write(path, physical_radii=False, **changes):
    """Lengths in comoving Mpc, masses in 1e10 Msun, velocities in km/s, all free of h."""
    table = halos()
    so = np.where(table["central"], table["m200c"], 0)  # measured for centrals alone
    radius = np.where(table["central"], table["r200c"], 0) / H
    stored = {
        "InputHalos/HaloCentre": (table["position"] / H, MPC, 1),
        "BoundSubhalo/CentreOfMassVelocity": (table["velocity"], 1e5, 0),
        "BoundSubhalo/TotalMass": (table["mvir"] / H / 1e10, 1e10 * MSUN, 0),
        "BoundSubhalo/MaximumCircularVelocity": (table["vmax"], 1e5, 0),
        "SO/200_crit/TotalMass": (so / H / 1e10, 1e10 * MSUN, 0),
        "SO/200_crit/SORadius": (radius * (A if physical_radii else 1), MPC, 1),
        "SOAP/HostHaloIndex": (table["host_row"], 1.0, 0),
        "InputHalos/NumberOfBoundParticles": (np.full(len(so), 100), 1.0, 0),
    }
    stored |= {name: (value, *stored[name][1:]) for name, value in changes.items()}
    with h5py.File(path, "w") as file:
        for name, (values, cgs, power) in stored.items():
            file[name] = values
            attributes = file[name].attrs
            attributes["Conversion factor to CGS (not including cosmological corrections)"] = [cgs]
            attributes["a-scale exponent"] = [float(power)]
            attributes["h-scale exponent"] = [0.0]
            physical = physical_radii and name.endswith("SORadius")
            attributes["Value stored as physical"] = [int(physical)]
        header = file.create_group("Header").attrs
        header["BoxSize"], header["Redshift"] = [BOX / H] * 3, [Z]
        header["OutputType"] = "SOAP"
        file.create_group("Units").attrs["Unit length in cgs (U_L)"] = [MPC]
        cosmology = file.create_group("Cosmology").attrs
        cosmology["Redshift"], cosmology["h"] = [Z], [H]
        cosmology["Omega_m"] = [COSMOLOGY_GIVEN["omega_m"]]
        cosmology["Omega_lambda"] = [COSMOLOGY_GIVEN["omega_lambda"]]
        cosmology["w_0"], cosmology["w_a"] = [-1.0], [0.0]
    return path


@pytest.mark.parametrize("physical", [False, True])
def test_values(tmp_path, physical):
    path = write(tmp_path / "halo_properties_0077.hdf5", physical)
    assert detect(path) == "soap"
    scene = mockgal.read(path)
    check(scene, halos())
    assert scene.snapshot.box_size == pytest.approx(40.0, rel=1e-12)
    assert scene.snapshot.redshift == 1.0
    assert scene.snapshot.cosmology.h == 0.6774
    assert scene.halos.mass_definition == "200c"
    assert scene.halos["n_particles"][0] == 100
    assert scene.snapshot.record["density_over_definition"] == pytest.approx(1, rel=1e-3)


def test_stars(tmp_path):
    table = halos()
    write(tmp_path / "soap.hdf5")
    stored = {
        "StellarMass": (table["mvir"] * 0.02 / H / 1e10, 1e10 * MSUN, 0),
        "HalfMassRadiusStars": (table["r200c"] / H / 50, MPC, 1),
    }
    with h5py.File(tmp_path / "soap.hdf5", "a") as file:
        for name, (values, cgs, power) in stored.items():
            file[f"BoundSubhalo/{name}"] = values
            attributes = file[f"BoundSubhalo/{name}"].attrs
            attributes["Conversion factor to CGS (not including cosmological corrections)"] = [cgs]
            attributes["a-scale exponent"] = [float(power)]
    scene = mockgal.read(tmp_path / "soap.hdf5", stellar_mass_definition="bound")
    np.testing.assert_allclose(scene.halos["stellar_mass"], table["mvir"] * 0.02, rtol=1e-6)
    np.testing.assert_allclose(
        scene.halos["stellar_half_mass_radius"], table["r200c"] / 50, rtol=1e-6
    )
    assert scene.snapshot.record["stellar_mass_dataset"] == "BoundSubhalo/StellarMass"


def test_contract(tmp_path):
    reader_contract(SOAPReader, write(tmp_path / "soap.hdf5"))


def test_centrals_without_a_mass_are_left_out_with_their_satellites(tmp_path):
    table = halos()
    so = np.where(table["central"], table["m200c"] / H / 1e10, 0)
    so[0] = 0  # a host with satellites
    gone = 1 + np.count_nonzero(table["host_row"] == 0)
    path = write(tmp_path / "soap.hdf5", **{"SO/200_crit/TotalMass": so})
    with pytest.warns(UserWarning, match=r"1 hosts for which the file has no 200c mass"):
        scene = SOAPReader().read(path, ReadOptions())
    assert len(scene.halos) == len(so) - gone
    assert scene.halos.record["hosts_without_mass_dropped"] == 1
    assert scene.halos.record["satellites_of_hosts_without_mass_dropped"] == gone - 1
    assert 0 not in scene.halos["host_id"]


@pytest.mark.parametrize(
    ("group", "name", "value", "words"),
    [
        ("Header", "Redshift", [0.5], "0.5.*1, as Cosmology says"),
        ("Header", "BoxSize", [1.0, 2.0, 3.0], "BoxSize"),
        ("InputHalos/HaloCentre", "a-scale exponent", [2.0], "a-scale exponent"),
    ],
)
def test_a_lying_header(tmp_path, group, name, value, words):
    path = write(tmp_path / "soap.hdf5")
    with h5py.File(path, "a") as file:
        file[group].attrs[name] = value
    assert SOAPReader().detect(path)
    with pytest.raises(HeaderError, match=words):
        mockgal.read(path)


def test_datasets_of_different_lengths(tmp_path):
    path = write(tmp_path / "soap.hdf5", **{"BoundSubhalo/TotalMass": np.ones(3)})
    with pytest.raises(HeaderError, match="3 rows"):
        mockgal.read(path)
