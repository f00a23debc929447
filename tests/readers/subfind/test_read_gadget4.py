"""Gadget-4: the synthetic set under the contract, and the real runs against their counts."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from mockgal.errors import BadValueError
from mockgal.protocols import ReadOptions
from mockgal.readers import chunks
from mockgal.readers.detect import detect, read
from mockgal.readers.subfind import snapshots, units
from mockgal.readers.subfind.gadget4 import Gadget4Reader
from mockgal.readers.subfind.rows import HOST_MASS
from mockgal.testing import COSMOLOGY, reader_contract, write_gadget4

DATA = Path(__file__).parents[4] / "shared/data/gadget4"
COUNTS = json.loads((DATA / "counts.json").read_text()) if DATA.is_dir() else {}
PARTICLE = {"dark": 1.3392509e9, "hydro": 1.1285433e9}

real_data = pytest.mark.real_data
needs_data = pytest.mark.skipif(not COUNTS, reason="the shared simulation is not here")
outputs = pytest.mark.parametrize("output", COUNTS or ["dark/000"])


def folder(output):
    run, number = output.split("/")
    return DATA / run / f"groups_{number}"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"files": 1},
        {"hydro": True, "redshift": 1.0, "dtype": "f8"},
        {"h_free": True},
        {"files": 3, "empty_last": True, "length": "Mpc", "snapshots": False},
    ],
)
def test_contract(tmp_path, options):
    reader_contract(Gadget4Reader(), write_gadget4(tmp_path, **options))


def test_rows_in_internal_units(tmp_path):
    path = write_gadget4(tmp_path, files=1, hydro=True, redshift=1.0, box_size=40.0)
    scene = read(path)
    halos, snapshot = scene.halos, scene.snapshot
    with h5py.File(path) as file:
        group = file["Subhalo/SubhaloGroupNr"][:]
        first = file["Group/GroupFirstSub"][:]
        raw = {
            name: file[f"Subhalo/Subhalo{name}"][:]
            for name in ("Pos", "Mass", "Vel", "Vmax", "MassType", "HalfmassRadType", "Len")
        }
    np.testing.assert_array_equal(halos["halo_id"], np.arange(len(group)))
    np.testing.assert_array_equal(halos["host_id"], first[group])
    np.testing.assert_array_equal(halos["is_central"], first[group] == np.arange(len(group)))
    np.testing.assert_allclose(halos["position"], raw["Pos"] / 1e3, rtol=1e-7)
    np.testing.assert_allclose(halos["mass"], raw["Mass"] * 1e10, rtol=1e-7)
    np.testing.assert_array_equal(halos["velocity"], raw["Vel"])
    np.testing.assert_array_equal(halos["vmax"], raw["Vmax"])
    np.testing.assert_array_equal(halos["n_particles"], raw["Len"])
    np.testing.assert_allclose(halos["stellar_mass"], raw["MassType"][:, 4] * 1e10, rtol=1e-7)
    radius = raw["HalfmassRadType"][:, 4] / 1e3
    np.testing.assert_allclose(halos["stellar_half_mass_radius"], radius, rtol=1e-7)
    assert np.array_equal(radius > 0, halos["stellar_mass"] > 0)
    assert snapshot.name == "out_synthetic"
    assert (snapshot.box_size, snapshot.redshift) == (40.0, 1.0)
    assert snapshot.cosmology == COSMOLOGY
    assert "stellar_mass" not in read(write_gadget4(tmp_path / "dark")).halos


@pytest.mark.parametrize("definition", HOST_MASS)
def test_mass_definitions(tmp_path, definition):
    path = write_gadget4(tmp_path, files=1)
    scene = read(path, ReadOptions(mass_definition=definition))
    with h5py.File(path) as file:
        mass = file[f"Group/{HOST_MASS[definition]}"][:]
        group = file["Subhalo/SubhaloGroupNr"][:]
    np.testing.assert_allclose(scene.halos["host_mass"], mass[group] * 1e10, rtol=1e-7)
    assert scene.halos.mass_definition == definition
    assert scene.snapshot.record["host_mass_dataset"] == HOST_MASS[definition]
    assert scene.snapshot.record["mass_definition_chosen_by"] == "user"


@pytest.mark.fault(42)
@pytest.mark.parametrize(
    "name",
    ["Group/GroupFirstSub", "Group/GroupNsubs", "Subhalo/SubhaloGroupNr", "Subhalo/SubhaloLen"],
)
def test_row_numbers_in_other_types(tmp_path, name):
    path = write_gadget4(tmp_path, files=1, snapshots=False)
    expected = read(path).halos.digest()

    def store(change):
        with h5py.File(path, "r+") as file:
            values = file[name][:]
            del file[name]
            file[name] = change(values)
        return values

    for kind in ("i8", "u4", "u8", "f8", "f4"):
        kept = store(lambda values, kind=kind: values.astype(kind))  # -1 as the largest number
        assert read(path).halos.digest() == expected, kind
        store(lambda _, kept=kept: kept)
    for spoil, word in ((0.5, "whole numbers"), (2.0**53, "2^53"), (np.nan, "whole numbers")):
        kept = store(lambda values, x=spoil: np.where(np.arange(len(values)) == 3, x, values))
        with pytest.raises(BadValueError) as caught:
            read(path)
        assert f"{name}, row 3" in str(caught.value)
        assert word in str(caught.value)
        store(lambda _, kept=kept: kept)


def test_default_mass_definition_is_recorded(tmp_path):
    scene = read(write_gadget4(tmp_path))
    assert scene.halos.mass_definition == "200c"
    assert scene.snapshot.record["mass_definition_chosen_by"] == "default"


def test_only_needed_datasets_are_asked_for(tmp_path):
    """A catalogue without anything else reads all the same."""
    path = write_gadget4(tmp_path, files=1)
    digest = read(path).halos.digest()
    with h5py.File(path, "r+") as file:
        del file["Subhalo/SubhaloIDMostbound"], file["Subhalo/SubhaloLenType"]
        del file["Group/GroupPos"], file["Group/GroupVel"], file["Group/Group_M_TopHat200"]
    assert read(path).halos.digest() == digest


def test_particle_mass_without_a_snapshot(tmp_path):
    with_snapshot = read(write_gadget4(tmp_path / "a")).snapshot
    without = read(write_gadget4(tmp_path / "b", snapshots=False)).snapshot
    assert without.particle_mass == pytest.approx(with_snapshot.particle_mass, rel=1e-6)
    assert without.record["snapshot"] is None


def test_snapshot_in_the_same_folder(tmp_path):
    path = write_gadget4(tmp_path)
    for file in (tmp_path / "snapdir_002").iterdir():
        shutil.move(file, path)
    assert read(path).particles.count == 32**3


@pytest.mark.fault(20)
def test_high_word_is_shifted_in_64_bits(tmp_path):
    """2^32 particles and more, by their header alone."""
    write_gadget4(tmp_path, files=1)
    path = tmp_path / "snap_002.hdf5"
    with h5py.File(path, "r+") as file:
        header = file["Header"].attrs
        header["NumPart_Total"] = np.array([0, 5, 0, 0, 0, 0], "u4")
        header["NumPart_Total_HighWord"] = np.array([0, 3, 0, 0, 0, 0], "u4")
        header["NumPart_ThisFile"] = np.array([0, (3 << 32) + 5, 0, 0, 0, 0], "u8")
    snapshot = snapshots.open_snapshot(chunks.FileSet((path,), "002"), ReadOptions(), units.GADGET4)
    assert snapshot.particle_count == (3 << 32) + 5


def test_name_of_a_run(tmp_path):
    write_gadget4(tmp_path / "my run")
    for path in (tmp_path / "my run/groups_002").iterdir():
        with h5py.File(path, "r+") as file:
            file["Parameters"].attrs["OutputDir"] = np.bytes_(b"./output/")
    assert read(tmp_path / "my run").snapshot.name == "my run"
    for path in (tmp_path / "my run/groups_002").iterdir():
        with h5py.File(path, "r+") as file:
            file["Parameters"].attrs["OutputDir"] = np.bytes_(b"./a\nSIMPLE = T/")
    assert read(tmp_path / "my run").snapshot.name == "a\\nSIMPLE = T"


def test_sources_have_digests(tmp_path):
    import hashlib

    path = write_gadget4(tmp_path)
    source = read(path).snapshot.source
    assert [Path(s.path).name for s in source] == [
        "fof_subhalo_tab_002.0.hdf5",
        "fof_subhalo_tab_002.1.hdf5",
        "snap_002.0.hdf5",
        "snap_002.1.hdf5",
    ]
    assert source[0].digest == hashlib.sha256(Path(source[0].path).read_bytes()).hexdigest()
    assert source[2].digest == ""


@real_data
@needs_data
@outputs
def test_real_counts(output):
    scene, expected = read(folder(output)), COUNTS[output]
    halos = scene.halos
    assert detect(folder(output)) == "gadget4"
    assert scene.snapshot.redshift == pytest.approx(expected["redshift"], abs=1e-12)
    assert halos.record["groups"] == expected["groups"]
    assert halos.record["subhalos"] == len(halos) == expected["subhalos"]
    assert halos.record["satellites"] == expected["satellites"]
    assert halos["mass"].sum() == pytest.approx(expected["subhalo_mass_total_Msun_h"], rel=1e-6)
    assert halos["host_mass"].max() == pytest.approx(expected["largest_M200c_Msun_h"], rel=1e-6)
    run = output.split("/")[0]
    assert scene.snapshot.particle_mass == pytest.approx(PARTICLE[run], rel=1e-6)
    assert ("stellar_mass" in halos) == (run == "hydro")
    if run == "hydro":
        stars, radius = halos["stellar_mass"], halos["stellar_half_mass_radius"]
        assert not radius[stars == 0].any()
        assert 2e-3 < np.median(radius[stars > 0]) < 2e-2  # the softening is 5 to 10 kpc/h
        assert stars.sum() == pytest.approx(expected["stellar_mass_total_Msun_h"], rel=1e-6)
        assert (stars > 0).sum() == expected["with_stars"]
        luminous = stars >= 9.99 * 2.107e8
        assert luminous.sum() == expected["with_10_star_particles"]
        assert (luminous & ~halos["is_central"]).sum() == expected[
            "satellites_with_10_star_particles"
        ]


@real_data
@needs_data
@outputs
def test_real_velocities_are_peculiar(output):
    """GroupVel / a is the mean velocity of a group: close to its central's SubhaloVel."""
    scene = read(folder(output))
    files = chunks.find_set(folder(output), "fof_subhalo_tab", "")
    rows = []
    for path in files.files:
        with h5py.File(path) as file:
            rows.append((file["Group/GroupFirstSub"][:], file["Group/GroupVel"][:]))
    first, velocity = (np.concatenate(part) for part in zip(*rows, strict=True))
    central = scene.halos["velocity"][first[first >= 0]]
    speed = np.median(np.linalg.norm(central, axis=1))
    a = 1 / (1 + scene.snapshot.redshift)
    apart = np.median(np.linalg.norm(velocity[first >= 0] / a - central, axis=1))
    assert apart < 0.03 * speed


@real_data
@needs_data
def test_real_set_by_any_of_its_files():
    whole = read(folder("dark/002")).halos.digest()
    for path in folder("dark/002").iterdir():
        assert read(path).halos.digest() == whole
        assert read(path, ReadOptions(chunk_rows=50)).halos.digest() == whole


@real_data
@needs_data
@pytest.mark.parametrize(
    ("output", "number"), [("dark/000", 64**3), ("dark/002", 64**3), ("hydro/002", 2 * 64**3)]
)
def test_real_particles(output, number):
    scene = read(folder(output))
    matter = scene.snapshot.cosmology.mean_matter_density * 16.0**3
    found, mass = 0, 0.0
    for chunk in scene.particles.chunks(50_000):
        assert len(chunk.mass) <= 50_000
        assert chunk.position.min() >= 0
        assert chunk.position.max() < 16
        found, mass = found + len(chunk.mass), mass + chunk.mass.sum()
    assert found == scene.particles.count == number
    assert mass == pytest.approx(matter, rel=5e-4)


@real_data
@needs_data
def test_real_contract():
    reader_contract(Gadget4Reader(), folder("hydro/002"))


@needs_data
@real_data
def test_drop_bad_leaves_out_centrals_without_a_host_mass():
    scene = Gadget4Reader().read(DATA / "dark" / "groups_002", ReadOptions(drop_bad=True))
    assert scene.halos.record["dropped_bad"] == 1
    assert scene.halos.record["centrals_with_zero_host_mass"] == 0
