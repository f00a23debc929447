"""`mockgal field --sim`, and a grid in place of particles, as users would have them."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

import mockgal
from mockgal import recipe
from mockgal.cli import cli
from mockgal.errors import (
    HeaderError,
    MissingDatasetError,
    OutputExistsError,
    ResourceError,
    UsageError,
    listening,
)
from mockgal.fields.assign import reference
from mockgal.fields.planes import mass_planes
from mockgal.readers.density import read_density
from mockgal.system.files import atomic
from mockgal.tasks import build as pipeline
from mockgal.testing.subfind import write_gadget4
from mockgal.writers.bundle import write_bundle
from mockgal.writers.density import write_density

SIZE = 24


@pytest.fixture(scope="module")
def scene(demo_bundle):
    return mockgal.read(demo_bundle)


@pytest.fixture(scope="module")
def grid_file(demo_bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "matter.hdf5"
    mockgal.field(demo_bundle, path, grid_size=SIZE)
    return path


def provenance_of(path):
    with h5py.File(path) as file:
        return json.loads(bytes(file["provenance"][()]))


# ---- what is written


def test_both_channels(grid_file, scene):
    particles = next(scene.particles.chunks(1 << 30))
    for dataset, position, mass in (
        ("density", particles.position, particles.mass),
        ("subhalo_mass", scene.halos["position"], scene.halos["mass"]),
    ):
        found = read_density(grid_file, dataset=dataset)
        expected = reference(position, mass, grid_size=SIZE, box_size=16.0)
        assert (found.kind, found.assignment, found.origin) == ("mass", "CIC", "corner")
        np.testing.assert_allclose(
            found.read_slab(0, SIZE), expected, rtol=1e-11, atol=1e-12 * mass.sum()
        )
    with h5py.File(grid_file) as file:
        assert sorted(file) == ["density", "provenance", "subhalo_mass", "sums"]
        assert bytes(file["density"].attrs["quantity"]) == b"matter"
        assert bytes(file["subhalo_mass"].attrs["quantity"]) == b"subhalo mass"
    assert read_density(grid_file, scene.snapshot).grid_size == SIZE
    with pytest.raises(HeaderError, match="'subhalo mass', expected 'matter'"):
        read_density(grid_file, scene.snapshot, dataset="subhalo_mass")


def test_the_provenance(grid_file, scene, demo_bundle):
    found = provenance_of(grid_file)
    assert found["simulation"]["halo_digest"] == scene.halos.digest()
    assert found["simulation"]["reading"]["original_format"] == "gadget4"
    assert found["source"] == [
        {
            "path": "dark.hdf5",
            "size": demo_bundle.stat().st_size,
            "digest": sha256(demo_bundle.read_bytes()).hexdigest(),
        }
    ]
    assert found["matter"]["particles"] == scene.particles.count
    assert found["subhalos"]["subhalos"] == len(scene.halos)
    assert (found["grid"]["grid_size"], found["grid"]["quantity"]) == (SIZE, "matter")
    assert found["subhalo_grid"] == found["grid"] | {"quantity": "subhalo mass"}
    assert found["version"] == mockgal.__version__
    assert found["warnings"] == []


@pytest.mark.slow
def test_the_file_is_the_same_by_way_of_the_disk(demo_bundle, tmp_path):
    made = {}
    for name, memory in (("a", None), ("b", "8 MiB"), ("c", 9 << 20)):
        path = tmp_path / f"{name}.hdf5"
        made[name] = mockgal.field(demo_bundle, path, grid_size=128, memory=memory)
        assert path.read_bytes() == (tmp_path / "a.hdf5").read_bytes()
    assert made["a"].scratch_bytes == 0 < made["b"].scratch_bytes


def test_a_run_of_several_files_and_its_bundle_agree(tmp_path):
    """Also with gas and stars, which have their own masses."""
    run = write_gadget4(tmp_path / "run", files=3, hydro=True)
    fields = []
    bundle = tmp_path / "b.hdf5"
    mockgal.pack(run, bundle)
    for path in (run, bundle):
        out = tmp_path / f"{path.stem}-field.hdf5"
        made = mockgal.field(path, out, grid_size=16, chunk_rows=1000)
        assert made.matter["mean_density_over_omega_m"] == pytest.approx(1.0, rel=1e-4)
        fields.append(read_density(out).read_slab(0, 16))
    np.testing.assert_allclose(*fields, rtol=1e-4, atol=1e-6 * fields[0].sum() / 16**3)


def test_the_literal_command(mockgal_command, demo_bundle, tmp_path):
    result = mockgal_command(
        *("field", "--sim", demo_bundle, "--grid", 32, "--out", "f.hdf5", "--assignment", "TSC"),
        *("--least-subhalo-mass", "1.5e11 Msun", "--memory", "1 MiB", "--scratch", "."),
    )
    assert result.returncode == 0, result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.hdf5"]
    halos = mockgal.read(demo_bundle).halos
    left_out = int((halos["mass"] < 1.5e11 * 0.6774).sum())
    assert left_out > 0
    assert f"{left_out:,} left out, below 1.016e+11 Msun/h" in result.stdout
    assert "262,144 particles of 3.51077e+14 Msun/h" in result.stdout
    assert provenance_of(tmp_path / "f.hdf5")["subhalos"]["subhalos_below_least_mass"] == left_out
    assert read_density(tmp_path / "f.hdf5").assignment == "TSC"


def test_one_channel_alone(mockgal_command, demo_bundle, tmp_path):
    result = mockgal_command("field", "--sim", demo_bundle, "--grid", 8, "--no-subhalos")
    assert result.returncode == 0, result.stderr
    with h5py.File(tmp_path / "dark-field.hdf5") as file:
        assert sorted(file) == ["density", "provenance", "sums"]
    assert provenance_of(tmp_path / "dark-field.hdf5")["subhalos"] is None


@pytest.mark.slow
def test_a_grid_of_1_gib_in_little_memory():
    """Python with its libraries takes 0.2 GiB, and 0.1 what is being written."""
    script = Path(__file__).parents[2] / "benchmarks" / "field_memory.py"
    words = ["--particles", "1e6", "--halos", "1e4", "--grid", "512", "--budgets", "64 MiB"]
    result = subprocess.run(
        [sys.executable, script, *words], capture_output=True, text=True, check=True
    )
    (peak,) = re.findall(r"64 MiB: two passes \| ([\d.]+) ", result.stdout)
    assert 0.1 < float(peak) < 0.6


# ---- what is refused


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "neither --sim nor --galaxies"),
        (["--sim", "a", "--galaxies", "b"], "--sim and --galaxies"),
        (["--sim", "a", "--cut", "stellar_mass > 1 Msun"], "--cut with --sim"),
        (["--sim", "a", "--weight", "number"], "--weight with --sim"),
        (["--galaxies", "a", "--no-subhalos"], "--subhalos with --galaxies"),
        (["--galaxies", "a", "--memory", "1 GB"], "--memory with --galaxies"),
        (["--galaxies", "a", "--scratch", "."], "--scratch with --galaxies"),
        (
            ["--galaxies", "a", "--least-subhalo-mass", "1 Msun"],
            "--least-subhalo-mass with --galaxies",
        ),
        (["--sim", "a", "--memory", "2"], "--memory: found '2'"),
        (["--sim", "a", "--least-subhalo-mass", "1e9"], "a number without a unit"),
        (["--sim", "a", "--least-subhalo-mass", "1 Mpc"], "unit 'Mpc'"),
        (["--sim", "a", "--out", "f.fits"], "extension '.fits'"),
    ],
)
def test_options(options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        cli(["field", "--grid", "8", *options], standalone_mode=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grid_size": 1}, "at least 2"),
        ({"assignment": "cic"}, "one of NGP"),
        ({"memory": "lots"}, "number above 0"),
        ({"least_subhalo_mass": -1.0}, "a mass from 0 on"),
        ({"least_subhalo_mass": 1e9, "subhalos": False}, "one without subhalos"),
        ({"scratch": "/nowhere", "memory": "600 kB", "grid_size": 64}, "no such folder"),
    ],
)
def test_from_python(demo_bundle, tmp_path, options, words):
    with pytest.raises(UsageError, match=words):
        mockgal.field(demo_bundle, tmp_path / "f.hdf5", **{"grid_size": 8, **options})
    assert not list(tmp_path.iterdir())


def test_an_option_that_is_misspelt(demo_bundle, tmp_path):
    with pytest.raises(TypeError, match="masss_definition"):
        mockgal.field(demo_bundle, tmp_path / "f.hdf5", grid_size=8, masss_definition="200c")
    assert not list(tmp_path.iterdir())


def test_no_particles(scene, tmp_path):
    write_bundle(scene, tmp_path / "halos.hdf5", particles=False)
    with pytest.raises(UsageError, match="without particles"):
        mockgal.field(tmp_path / "halos.hdf5", tmp_path / "f.hdf5", grid_size=8)


def test_the_output_is_kept(demo_bundle, tmp_path):
    path = tmp_path / "f.hdf5"
    path.write_text("old")
    with pytest.raises(OutputExistsError):
        mockgal.field(demo_bundle, path, grid_size=8)
    assert path.read_text() == "old"
    sim = shutil.copy(demo_bundle, tmp_path / "sim.hdf5")
    with pytest.raises(UsageError, match="the input"):
        mockgal.field(sim, sim, grid_size=8, overwrite=True)
    assert Path(sim).read_bytes() == demo_bundle.read_bytes()


@pytest.mark.parametrize("subhalos", [True, False])
def test_room_for_the_grids_is_looked_at_first(demo_bundle, tmp_path, subhalos, monkeypatch):
    path, told = tmp_path / "f.hdf5", []
    options = {"grid_size": 64, "subhalos": subhalos, "progress": lambda *now: told.append(now)}
    mockgal.field(demo_bundle, path, **options)
    usage = shutil.disk_usage(tmp_path)

    def free(number):
        monkeypatch.setattr(atomic.shutil, "disk_usage", lambda _: usage._replace(free=number))
        told.clear()

    free(path.stat().st_size + (1 << 20) - 1)  # what is written at least, and the margin
    with pytest.raises(ResourceError, match="bytes free"):
        mockgal.field(demo_bundle, path, overwrite=True, **options)
    assert told == []
    of_one = 8 * 64**3 + 64**3 // 12 + (1 << 18)
    of_subhalos = 12 * 8 * 456 + 64**3 // 60 + (1 << 18)
    free(of_one + of_subhalos * subhalos + (1 << 20))
    mockgal.field(demo_bundle, path, overwrite=True, **options)
    free(of_one + of_subhalos * subhalos + (1 << 20) - 1)
    with pytest.raises(ResourceError, match="bytes free"):
        mockgal.field(demo_bundle, path, overwrite=True, **options)
    assert told == []


# ---- a grid in place of particles


def test_a_scene_with_a_grid(demo_bundle, grid_file):
    sim = mockgal.read(demo_bundle, matter=grid_file)
    file = sim.snapshot.source[-1]
    digest = sha256(grid_file.read_bytes()).hexdigest()
    assert file == (str(grid_file), grid_file.stat().st_size, digest)
    assert sim.snapshot.record["matter"] == {
        "format": "density grid in HDF5",
        "file": "matter.hdf5",
        "files": 1,
        "bytes": file.size,
        "sha256": digest,
        "grid_size": SIZE,
        "kind": "mass",
        "assignment": "CIC",
        "origin": "corner",
        "given_by_user": [],
        "in_place_of_own": False,
    }
    np.testing.assert_array_equal(
        mass_planes(sim.field, sim.snapshot, -3, 2),
        read_density(grid_file).read_slab(0, SIZE)[[-3, -2, -1, 0, 1]],
    )
    without = replace(sim, particles=None)
    assert "field" in without.contents


def test_a_grid_takes_the_place_of_the_simulations_own(scene, demo_bundle, grid_file, tmp_path):
    own = tmp_path / "own.hdf5"
    packed = mockgal.pack(demo_bundle, own, particles=False, matter=grid_file)
    assert packed.snapshot.record["matter"]["file"] == "matter.hdf5"
    read = mockgal.read(own)
    assert (read.particles, read.field.grid_size) == (None, SIZE)
    finer = tmp_path / "finer.hdf5"
    mockgal.field(demo_bundle, finer, grid_size=32, subhalos=False)
    sim = mockgal.read(own, matter=finer)
    assert sim.field.grid_size == 32
    assert sim.snapshot.record["matter"]["in_place_of_own"] is True


def test_build_with_a_grid(build_demo, mockgal_command, grid_file, tmp_path):
    shutil.copy(grid_file, tmp_path / "grid.hdf5")
    result = build_demo("--matter", "grid.hdf5", "--out", "with.fits")
    assert result.returncode == 0, result.stderr
    assert build_demo("--out", "without.fits").returncode == 0
    mocks = [mockgal.read_galaxies(tmp_path / f"{name}.fits") for name in ("with", "without")]
    assert mocks[0].provenance["simulation"]["reading"]["matter"]["file"] == "grid.hdf5"
    assert "matter" not in mocks[1].provenance["simulation"]["reading"]
    assert mocks[0].digest() == mocks[1].digest()  # the HOD does not look at it
    run = json.loads((tmp_path / "with.fits.run.json").read_text())
    digest = sha256(grid_file.read_bytes()).hexdigest()
    assert digest in [file["digest"] for file in run["input_files"]]


def test_the_output_is_not_the_grid(build_demo, grid_file, tmp_path):
    path = Path(shutil.copy(grid_file, tmp_path / "grid.hdf5"))
    result = build_demo("--matter", "grid.hdf5", "--out", "grid.hdf5", "--overwrite")
    assert result.returncode == 2
    assert "the input" in result.stderr
    assert path.read_bytes() == grid_file.read_bytes()
    values = {"sim": "not read yet", "matter": path, "painter": "hod", "out": path}
    with pytest.raises(UsageError, match="the input"):
        pipeline.build(recipe.check(values | {"overwrite": True}, "test"))


def test_a_grid_of_another_snapshot(scene, build_demo, demo_bundle, grid_file, tmp_path):
    other = replace(scene.snapshot, redshift=0.5)
    path = tmp_path / "other.hdf5"
    write_density(read_density(grid_file), other, path, quantity="matter", provenance={})
    with pytest.raises(HeaderError, match="as the catalogue has"):
        mockgal.read(demo_bundle, matter=path)
    result = build_demo("--matter", "other.hdf5", "--out", "mock.fits")
    assert result.returncode == 3
    assert not (tmp_path / "mock.fits").exists()
    result = build_demo("--matter", "none.hdf5", "--out", "mock.fits")
    assert result.returncode == 3
    assert "none.hdf5" in result.stderr


def test_a_recipe_names_the_grid_beside_it(tmp_path, demo_bundle, grid_file):
    path = tmp_path / "deep" / "r.yaml"
    path.parent.mkdir()
    shutil.copy(grid_file, path.parent / "grid.hdf5")
    values = {"sim": str(demo_bundle), "density": "grid.hdf5", "painter": "hod"}
    path.write_text(yaml.safe_dump(values))
    read = recipe.read_yaml(path)
    assert read["matter"] == str(path.parent / "grid.hdf5")
    checked = recipe.check(read | {"out": str(tmp_path / "m.fits")}, str(path))
    with listening(quiet=True):
        assert pipeline.build(checked).scene.field.grid_size == SIZE
    plain = recipe.check({"sim": str(demo_bundle), "painter": "hod"}, "test")
    assert checked.configuration_digest() == plain.configuration_digest()
    with pytest.raises(UsageError, match="matter: found '', expected a path"):
        recipe.check({"sim": "x", "painter": "hod", "matter": ""}, "test")


def test_counts_need_a_particle_mass(scene, demo_bundle, tmp_path):
    path = tmp_path / "counts.hdf5"
    with h5py.File(path, "w") as file:
        file["density"] = np.full((4, 4, 4), 64**3 / 4**3)
        file["density"].attrs.update(
            boxsize=16.0, unit="", kind="counts", mas="NGP", redshift=0.0, origin="corner"
        )
    with pytest.warns(UserWarning, match="cannot show"):
        sim = mockgal.read(demo_bundle, matter=path)
    assert sim.snapshot.record["density_at_hosts"]["fits"] is None
    found = mass_planes(sim.field, sim.snapshot, 0, 4)
    assert found.sum() == pytest.approx(64**3 * sim.snapshot.particle_mass)
    with pytest.raises(MissingDatasetError):
        mass_planes(sim.field, replace(sim.snapshot, particle_mass=None), 0, 4)
