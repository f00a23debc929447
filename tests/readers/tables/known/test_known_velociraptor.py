"""VELOCIraptor's properties; files made from the published layout, no real one was at hand."""

import h5py
import numpy as np
import pytest
from known_samples import BOX, COSMOLOGY_GIVEN, H, Z, check, halos

import mockgal
from mockgal.errors import HeaderError, IncompleteSetError, UnitsError
from mockgal.readers.detect import detect
from mockgal.readers.tables.known.velociraptor import VelociraptorReader
from mockgal.testing import reader_contract

A = 1 / (1 + Z)


def write(path, comoving=False, rows=slice(None), files=1, **changes):
    """Lengths in Mpc and masses in 1e10 Msun: physical and free of h, or comoving with h."""
    table = halos()
    length, mass = (1.0, 1e-10) if comoving else (A / H, 1e-10 / H)
    found = {
        "ID": table["id"],
        "hostHaloID": table["upid"],
        "Mass_tot": table["mvir"] * mass,
        "Mass_200crit": table["m200c"] * mass,
        "R_200crit": table["r200c"] * length,
        "Mass_200mean": table["m200b"] * mass,
        "Vmax": table["vmax"],
        "npart": np.full(len(table["id"]), 100),
        **{f"{x.upper()}c": table[x] * length + 0.5 for x in "xyz"},  # not what is read
        **{f"{x.upper()}cminpot": table[x] * length for x in "xyz"},
        **{f"V{x.upper()}c": table[f"v{x}"] for x in "xyz"},
    }
    found |= {name: values for name, values in changes.items() if name not in found}
    with h5py.File(path, "w") as file:
        for name, values in found.items():
            file[name] = changes.get(name, values)[rows]
        file["Num_of_files"] = [files]
        file["Num_of_groups"] = [len(found["ID"][rows])]
        run = file.create_group("SimulationInfo").attrs
        run["Cosmological_Sim"], run["ScaleFactor"], run["h_val"] = 1, A, H
        run["Period"] = BOX * length
        run["Omega_m"] = COSMOLOGY_GIVEN["omega_m"]
        run["Omega_Lambda"] = COSMOLOGY_GIVEN["omega_lambda"]
        units = file.create_group("UnitInfo").attrs
        units["Comoving_or_Physical"] = np.bytes_(b"1" if comoving else b"0")  # as versions do
        units["Length_unit_to_kpc"] = np.bytes_(b"1000.000000")
        units["Mass_unit_to_solarmass"] = 1e10
        units["Velocity_unit_to_kms"] = 1.0
    return path


@pytest.mark.parametrize("comoving", [False, True])
def test_values(tmp_path, comoving):
    path = write(tmp_path / "snap.properties", comoving)
    assert detect(path) == "velociraptor"
    scene = mockgal.read(path)
    check(scene, halos())
    assert scene.snapshot.box_size == pytest.approx(40.0, rel=1e-12)
    assert scene.snapshot.redshift == 1.0
    assert scene.halos.mass_definition == "200c"
    np.testing.assert_array_equal(scene.halos["halo_id"], halos()["id"])
    check(mockgal.read(path, mass_definition="200m"), halos(), host_mass="m200b")


def test_contract(tmp_path):
    reader_contract(VelociraptorReader, write(tmp_path / "snap.properties"))


@pytest.mark.parametrize("comoving", [False, True])
def test_stars(tmp_path, comoving):
    table = halos()
    length, mass = (1.0, 1e-10) if comoving else (A / H, 1e-10 / H)
    stars = {"M_star": table["mvir"] * mass * 0.02, "R_HalfMass_star": table["r200c"] * length / 50}
    scene = mockgal.read(write(tmp_path / "snap.properties", comoving, **stars))
    np.testing.assert_allclose(scene.halos["stellar_mass"], table["mvir"] * 0.02, rtol=1e-6)
    np.testing.assert_allclose(
        scene.halos["stellar_half_mass_radius"], table["r200c"] / 50, rtol=1e-6
    )
    assert scene.snapshot.record["stellar_mass_definition"] == "bound"


def test_a_run_without_stars_is_one_of_dark_matter(tmp_path):
    stars = dict.fromkeys(("M_star", "R_HalfMass_star"), np.zeros(len(halos()["id"])))
    scene = mockgal.read(write(tmp_path / "snap.properties", **stars))
    assert "stellar_mass" not in scene.halos
    assert "no stars" in scene.snapshot.record["columns_left_out"]["stellar_mass"]
    assert "stellar_mass_definition" not in scene.snapshot.record


def test_several_files(tmp_path):
    first = write(tmp_path / "snap.properties.0", rows=slice(0, 60), files=2)
    with pytest.raises(IncompleteSetError, match=r"no snap\.properties\.1"):
        mockgal.read(first)
    write(tmp_path / "snap.properties.1", rows=slice(60, None), files=2)
    scene = mockgal.read(first)
    check(scene, halos())
    assert len(scene.snapshot.source) == 2


def test_hosts_without_a_mass(tmp_path):
    table = halos()
    mass = table["m200c"] * 1e-10 / H
    mass[0] = -1
    with pytest.warns(UserWarning, match="no 200c mass"):
        scene = mockgal.read(write(tmp_path / "snap.properties", Mass_200crit=mass))
    gone = 1 + np.count_nonzero(table["host_row"] == 0)
    assert len(scene.halos) == len(mass) - gone


@pytest.mark.parametrize(
    ("group", "name", "value", "error"),
    [
        ("UnitInfo", "Comoving_or_Physical", 2, HeaderError),
        ("SimulationInfo", "Cosmological_Sim", 0, HeaderError),
        ("UnitInfo", "Comoving_or_Physical", 1, UnitsError),  # radii and masses disagree
    ],
)
def test_a_lying_header(tmp_path, group, name, value, error):
    path = write(tmp_path / "snap.properties")
    with h5py.File(path, "a") as file:
        file[group].attrs[name] = value
    with pytest.raises(error):
        mockgal.read(path)
