"""The bundle: what is packed is what is read."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from mockgal.errors import CorruptFileError, MockgalError, OutputExistsError
from mockgal.protocols import ReadOptions
from mockgal.readers.bundle import BundleReader
from mockgal.readers.detect import detect, read
from mockgal.testing import reader_contract, write_gadget4
from mockgal.types import DensityField, Scene
from mockgal.writers.bundle import write_bundle

DATA = Path(__file__).parents[3] / "shared/data/gadget4"


def positions(scene):
    return np.concatenate([chunk.position for chunk in scene.particles.chunks(10_000)])


@pytest.mark.parametrize("options", [{}, {"hydro": True, "redshift": 1.0}, {"snapshots": False}])
def test_pack_and_read(tmp_path, options):
    scene = read(write_gadget4(tmp_path, **options))
    path = tmp_path / "bundle.hdf5"
    write_bundle(scene, path)
    again = read(path)
    assert detect(path) == "bundle"
    assert again.halos.digest() == scene.halos.digest()
    assert dict(again.halos.record) == dict(scene.halos.record)
    assert again.snapshot.facts() == scene.snapshot.facts()
    for name in ("name", "box_size", "redshift", "cosmology", "particle_mass"):
        assert getattr(again.snapshot, name) == getattr(scene.snapshot, name)
    assert again.snapshot.record["original_format"] == "gadget4"
    assert again.snapshot.record["original_source"][0]["digest"] == scene.snapshot.source[0].digest
    if options.get("snapshots", True):
        np.testing.assert_allclose(positions(again), positions(scene), rtol=2e-7)
        masses = [
            np.concatenate([c.mass for c in s.particles.chunks(9000)]) for s in (again, scene)
        ]
        np.testing.assert_array_equal(*masses)
        with h5py.File(path) as file:
            assert ("mass" in file["particles"]) == ("hydro" in options)
    reader_contract(BundleReader(), path)


def test_bundle_of_a_bundle(tmp_path):
    scene = read(write_gadget4(tmp_path))
    write_bundle(scene, tmp_path / "a.hdf5")
    write_bundle(read(tmp_path / "a.hdf5"), tmp_path / "b.hdf5")
    assert read(tmp_path / "b.hdf5").halos.digest() == scene.halos.digest()


def test_rows_in_any_order(tmp_path):
    scene = read(write_gadget4(tmp_path))
    rows = np.random.default_rng(0).permutation(len(scene.halos))
    write_bundle(Scene(scene.snapshot, scene.halos.take(rows)), tmp_path / "b.hdf5")
    again = read(tmp_path / "b.hdf5").halos
    np.testing.assert_array_equal(again["halo_id"], scene.halos["halo_id"][rows])
    assert again.digest() == scene.halos.digest()


def test_same_input_same_bytes(tmp_path):
    scene = read(write_gadget4(tmp_path, hydro=True))
    seen = []
    for rows in (5000, 777, 1 << 20):
        write_bundle(scene, tmp_path / "b.hdf5", overwrite=True, chunk_rows=rows)
        seen.append((tmp_path / "b.hdf5").read_bytes())
    assert len(set(seen)) == 1


def test_datasets_say_what_they_are(tmp_path):
    write_bundle(read(write_gadget4(tmp_path)), tmp_path / "b.hdf5")
    with h5py.File(tmp_path / "b.hdf5") as file:
        mass = file["halos/mass"]
        assert (mass.attrs["unit"], mass.attrs["h_power"]) == (b"Msun", -1)
        assert mass.attrs["description"]
        assert mass.fletcher32
        assert mass.compression == "gzip"
        assert file["particles/position"].dtype == np.float32
        assert file["particles"].attrs["mass"] > 0
        assert file.attrs["complete"] == 1


def test_particles_can_be_left_out_and_progress_is_told(tmp_path):
    scene, told = read(write_gadget4(tmp_path)), []
    write_bundle(scene, tmp_path / "a.hdf5", particles=False)
    assert read(tmp_path / "a.hdf5").particles is None
    write_bundle(scene, tmp_path / "b.hdf5", chunk_rows=10_000, progress=lambda *a: told.append(a))
    assert told[-1] == (32**3, 32**3, "particles")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)


def test_density_travels(tmp_path):
    scene = read(write_gadget4(tmp_path))
    grid = np.random.default_rng(1).poisson(0.7, (16, 16, 16)).astype(float)
    field = DensityField(16, 2.0, "counts", "NGP", "corner", lambda i, j: grid[i:j])
    write_bundle(scene, tmp_path / "b.hdf5", density=field)
    again = read(tmp_path / "b.hdf5")
    np.testing.assert_array_equal(again.field.read_slab(3, 9), grid[3:9])
    assert (again.field.kind, again.field.assignment) == ("counts", "NGP")
    write_bundle(again, tmp_path / "c.hdf5")
    assert read(tmp_path / "c.hdf5").field.grid_size == 16


def test_an_existing_file_stays(tmp_path):
    scene = read(write_gadget4(tmp_path))
    (tmp_path / "b.hdf5").write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        write_bundle(scene, tmp_path / "b.hdf5")
    assert (tmp_path / "b.hdf5").read_bytes() == b"mine"


def test_damaged_particles_leave_no_bundle(tmp_path):
    run = write_gadget4(tmp_path, hydro=True)
    scene = read(run)
    with h5py.File(tmp_path / "snapdir_002/snap_002.1.hdf5", "r+") as file:
        file["PartType0/Masses"][...] = file["PartType0/Masses"][...] * 2
    before = set(tmp_path.iterdir())
    with pytest.raises(MockgalError) as caught:
        write_bundle(scene, tmp_path / "b.hdf5")
    assert caught.value.exit_code == 3
    assert set(tmp_path.iterdir()) == before


def test_a_changed_bundle_is_refused(tmp_path):
    """Also where the change could be dropped: a bundle is what was packed."""
    scene = read(write_gadget4(tmp_path))
    write_bundle(scene, tmp_path / "b.hdf5")
    with h5py.File(tmp_path / "b.hdf5", "r+") as file:
        file["halos/vmax"][5] = np.nan
    with pytest.raises(CorruptFileError, match="changed"):
        read(tmp_path / "b.hdf5", ReadOptions(drop_bad=True, orphans="drop"))


@pytest.mark.parametrize(
    ("group", "name", "change"),
    [
        ("header", "redshift", lambda z: z + 1e-15),
        ("header", "omega_lambda", lambda x: np.nextafter(x, 1)),
        ("header", "name", lambda name: name.replace(b"s", b"S")),
        ("header", "omega_b", None),
        ("particles", "mass", lambda m: m * (1 + 1e-15)),
    ],
)
def test_each_fact_is_under_the_digest(tmp_path, group, name, change):
    write_bundle(read(write_gadget4(tmp_path)), tmp_path / "b.hdf5")
    with h5py.File(tmp_path / "b.hdf5", "r+") as file:
        attrs = file[group].attrs
        if change is None:
            del attrs[name]
        else:
            attrs[name] = change(attrs[name])
    with pytest.raises(CorruptFileError, match="@digest"):
        read(tmp_path / "b.hdf5")


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared simulation is not here")
@pytest.mark.parametrize("run", ["dark", "hydro"])
def test_real_pack_and_read(tmp_path, run):
    scene = read(DATA / run / "groups_002")
    write_bundle(scene, tmp_path / "b.hdf5")
    again = read(tmp_path / "b.hdf5")
    assert again.halos.digest() == scene.halos.digest()
    total = sum(float(chunk.mass.sum()) for chunk in again.particles.chunks(70_000))
    assert total == pytest.approx(
        sum(float(chunk.mass.sum()) for chunk in scene.particles.chunks(70_000)), rel=1e-12
    )
