"""OpenCosmo's halo properties; files made from the published layout, no real one was at hand."""

import h5py
import numpy as np
import pytest
from known_samples import BOX, COSMOLOGY_GIVEN, H, Z, halos

import mockgal
from mockgal.errors import FormatError, HeaderError
from mockgal.readers.detect import detect
from mockgal.readers.tables.known.opencosmo import OpenCosmoReader
from mockgal.testing import reader_contract

A = 1 / (1 + Z)
FEW = 30  # halos without a mass within 200c


def hosts():
    table = halos()
    keep = np.flatnonzero(table["central"])
    return {name: values[keep] for name, values in table.items()}


def write(path, **changes):
    table = hosts()
    small = np.argsort(table["mvir"])[:FEW]
    sod, radius = table["m200c"].copy(), table["r200c"].copy()
    sod[small] = radius[small] = -101
    stored = {
        "fof_halo_tag": (table["id"], ""),
        **{f"fof_halo_center_{x}": (table[x], "comoving Mpc/h") for x in "xyz"},
        **{f"fof_halo_com_v{x}": (table[f"v{x}"] / A, "comoving km/s") for x in "xyz"},
        "fof_halo_mass": (table["mvir"], "Msun/h"),
        "fof_halo_count": (np.full(len(sod), 70), ""),
        "sod_halo_mass": (sod, "Msun/h"),
        "sod_halo_radius": (radius, "comoving Mpc/h"),
        "sod_halo_cdelta": (np.full(len(sod), 6.0), ""),
    }
    with h5py.File(path, "w") as file:
        for name, (values, unit) in stored.items():
            file[f"data/{name}"] = values
            file[f"data/{name}"].attrs["unit"] = unit
        header = file.create_group("header/file").attrs
        header["data_type"], header["is_lightcone"], header["redshift"] = "halo_properties", 0, Z
        file.create_group("header/simulation/parameters").attrs["box_size"] = BOX
        cosmology = file.create_group("header/simulation/cosmology").attrs
        cosmology["h"], cosmology["omega_m"] = H, COSMOLOGY_GIVEN["omega_m"]
        cosmology["omega_l"], cosmology["w_0"], cosmology["w_a"] = (
            COSMOLOGY_GIVEN["omega_lambda"],
            -1.0,
            0.0,
        )
        for name, value in changes.items():
            header[name] = value
    return path


def test_values(tmp_path):
    path = write(tmp_path / "haloproperties.hdf5")
    assert detect(path) == "opencosmo"
    with pytest.warns(UserWarning, match="every row is taken for a host"):
        scene = mockgal.read(path)
    table = hosts()
    np.testing.assert_allclose(scene.halos["velocity"], table["velocity"], rtol=1e-12)
    np.testing.assert_allclose(scene.halos["position"], table["position"], rtol=1e-12)
    np.testing.assert_allclose(scene.halos["host_mass"], table["mvir"], rtol=1e-12)
    assert scene.halos["is_central"].all()
    assert scene.halos.mass_definition == "fof"
    assert (scene.snapshot.box_size, scene.snapshot.redshift) == (40.0, 1.0)


@pytest.mark.filterwarnings("ignore:.*every row is taken for a host")
def test_halos_without_a_mass_within_200c(tmp_path):
    path = write(tmp_path / "haloproperties.hdf5")
    with pytest.warns(UserWarning, match=f"{FEW} hosts for which the file has no 200c mass"):
        scene = mockgal.read(path, mass_definition="200c")
    assert len(scene.halos) == len(hosts()["id"]) - FEW
    assert scene.halos.record["hosts_without_mass_dropped"] == FEW
    assert scene.snapshot.record["density_over_definition"] == pytest.approx(1, rel=1e-3)
    assert np.all(scene.halos["concentration"] == 6.0)


@pytest.mark.filterwarnings("ignore:.*every row is taken for a host")
def test_contract(tmp_path):
    reader_contract(OpenCosmoReader, write(tmp_path / "haloproperties.hdf5"))


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("is_lightcone", 1, FormatError),
        ("unit_convention", "physical", FormatError),
        ("redshift", -2.0, HeaderError),
    ],
)
def test_a_lying_header(tmp_path, name, value, error):
    path = write(tmp_path / "haloproperties.hdf5", **{name: value})
    assert OpenCosmoReader().detect(path)
    with pytest.raises(error, match=name):
        mockgal.read(path)
