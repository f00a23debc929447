"""Halos and particles of CompaSO, from made-up catalogues in the layout of AbacusSummit."""

import shutil
import sys

import numpy as np
import pytest

import mockgal
from mockgal.errors import DomainError, FormatError, MockgalError, MockgalWarning, UsageError
from mockgal.painters.cnn.domain import mismatch
from mockgal.readers.detect import detect
from mockgal.testing import reader_contract, write_gadget4
from mockgal.testing.compaso import (
    BOX_SIZE,
    COSMOLOGY,
    PARTICLE,
    SIDE,
    header,
    made_up_halos,
    pack9,
    write_asdf,
    write_compaso,
)

LAYOUTS = {
    "beside": "cleaning/{name}/{z}/cleaned_halo_info",
    "in a suite": "../cleaning/suite/{name}/{z}/cleaned_halo_info",
    "inside": "{name}/cleaning/{z}/cleaned_halo_info",
    "inside, flat": "{name}/cleaning/{z}",
}
ALONE = {"samples": "", "cleaned": ""}
pytestmark = pytest.mark.filterwarnings("ignore:.*the matter is subsample")


def refused(path, *words, code=3, **options):
    with pytest.raises(MockgalError) as caught:
        mockgal.read(path, **options)
    assert caught.value.exit_code == code, caught.value
    assert caught.value.fix
    for word in words:
        assert str(word) in str(caught.value), f"{word!r} not in: {caught.value}"
    return caught.value


@pytest.mark.parametrize("layout", LAYOUTS)
def test_contract_with_each_layout_of_the_cleaning(tmp_path, layout):
    folder = write_compaso(tmp_path / "suite", redshift=1.0, cleaned=LAYOUTS[layout])
    assert detect(folder) == detect(folder / "halo_info") == "compaso"
    reader_contract("compaso", folder)
    scene = mockgal.read(folder / "halo_info")
    assert scene.snapshot.record["cleaned"]
    assert scene.halos.record["halos_merged_into_others"] == 3


def test_columns(tmp_path):
    scene = mockgal.read(write_compaso(tmp_path, redshift=1.0))
    native, halos = made_up_halos(redshift=1.0), scene.halos
    gone = np.searchsorted(native["x_L2com"][:, 0], [-0.5, -1 / 6, 1 / 6]) + 1
    number = native["N"].astype(int)
    number[gone - 1] += number[gone]
    kept = np.delete(np.arange(len(number)), gone)
    np.testing.assert_array_equal(halos["halo_id"], native["id"][kept])
    np.testing.assert_array_equal(halos["n_particles"], number[kept])
    np.testing.assert_allclose(halos["mass"], number[kept] * PARTICLE, rtol=1e-14)
    np.testing.assert_array_equal(halos["host_mass"], halos["mass"])
    expected = np.mod(native["x_L2com"][kept].astype(float) * BOX_SIZE, BOX_SIZE)
    np.testing.assert_allclose(halos["position"], expected, atol=1e-12)
    kms = 100 * BOX_SIZE * COSMOLOGY.expansion_rate(1.0) / 2
    np.testing.assert_allclose(halos["velocity"], native["v_L2com"][kept] * kms, rtol=1e-6)
    np.testing.assert_allclose(halos["vmax"], native["vcirc_max_L2com"][kept] * kms, rtol=1e-6)
    assert halos.mass_definition == "compaso"
    assert scene.snapshot.cosmology.omega_m == pytest.approx(COSMOLOGY.omega_m)
    assert scene.snapshot.cosmology.omega_nu == pytest.approx(COSMOLOGY.omega_nu)
    assert scene.snapshot.record["so_density_over_mean"] == pytest.approx(226.7, abs=1)
    peak = 2.16258 * 32000 / native["rvcirc_max_L2com_i16"][kept]
    same = number[kept] == native["N"][kept]  # the radius is that of the mass before cleaning
    np.testing.assert_allclose(halos["concentration"][same], peak[same], rtol=1e-5)


def test_cleaning_may_be_left_out_and_may_be_missing(tmp_path):
    cleaned = write_compaso(tmp_path / "a", samples="")
    plain = write_compaso(tmp_path / "b", **ALONE)
    as_found = mockgal.read(cleaned, uncleaned=True)
    assert (len(mockgal.read(cleaned).halos), len(as_found.halos)) == (597, 600)
    with pytest.warns(MockgalWarning, match=r"no cleaning.*--uncleaned"):
        scene = mockgal.read(plain)
    assert scene.halos.digest() == as_found.halos.digest()
    for one in (scene, as_found):
        assert not one.snapshot.record["cleaned"]
    assert mockgal.read(plain, uncleaned=True).snapshot.record["uncleaned_by"] == "user"
    (folder,) = tmp_path.glob("a/cleaning/*/*/cleaned_halo_info")
    (folder / "cleaned_halo_info_001.asdf").unlink()
    refused(cleaned, folder, "cleaned_halo_info_001.asdf", "--uncleaned")
    shutil.copy(folder / "cleaned_halo_info_002.asdf", folder / "cleaned_halo_info_001.asdf")
    refused(cleaned, "200 rows, expected 199")


def test_cleaning_of_another_superslab(tmp_path):
    folder = write_compaso(tmp_path, samples="", count=628, superslabs=2)
    (cleaned,) = tmp_path.glob("cleaning/*/*/cleaned_halo_info")
    files = sorted(cleaned.iterdir())  # of as many rows
    shutil.copy(files[0], files[1])
    refused(folder, f"{files[1]}:data/haloindex, row 0", "of superslab 0", "--uncleaned")


@pytest.mark.filterwarnings("ignore:.*are missing")
def test_superslabs(tmp_path):
    folder = write_compaso(tmp_path)
    whole = mockgal.read(folder)
    parts = [mockgal.read(folder, superslab=k) for k in ("0", "1-2")]
    assert sum(len(part.halos) for part in parts) == len(whole.halos)
    for part, missing in zip(parts, ("1-2", "0"), strict=True):
        record = part.snapshot.record
        assert record["missing_chunks"] == missing
        assert record["files_of_the_whole_output"] == 3
        assert part.particles is None
    one = mockgal.read(folder / "halo_info/halo_info_000.asdf")
    assert one.halos.digest() == parts[0].halos.digest()
    with pytest.warns(MockgalWarning, match="chunks 0 of 3 are missing"):
        mockgal.read(folder, superslab="1-2")
    assert "missing_chunks" not in mockgal.read(folder, superslab="0-2").snapshot.record
    for wrong in ("x", "2-1", "-1"):
        refused(folder, "--superslab", "from 0 to 2", code=2, superslab=wrong)
    refused(folder, "no superslab 3", superslab="0-3")
    refused(folder / "halo_info/halo_info_000.asdf", "--superslab", code=2, superslab="1")


def test_a_superslab_whose_box_has_others_that_are_not_there(tmp_path):
    folder = write_compaso(tmp_path, **ALONE)
    for k in (1, 2):
        (folder / f"halo_info/halo_info_{k:03d}.asdf").unlink()
    refused(folder, "missing subvolume", uncleaned=True)
    with pytest.warns(MockgalWarning, match="chunks from 1 on are missing: 2"):
        part = mockgal.read(folder, uncleaned=True, superslab="0")
    assert part.snapshot.record["missing_chunks"] == "from 1 on"


def test_a_part_is_complete_at_no_mass(tmp_path):
    folder = write_compaso(tmp_path, samples="")
    with pytest.warns(MockgalWarning, match="are missing"):
        sim = mockgal.read(folder, superslab="0")
    options = {"model": "zheng07", "threshold": -20.0, "stellar_mass_law": "moster13"}
    with pytest.warns(MockgalWarning, match=r"host mass is compaso|satellites"):
        mock = mockgal.paint(sim, "hod", seed=1, allow_extrapolation=True, **options)
    assert "chunks 1-2 of the input are missing" in str(mock.completeness)


def test_options_of_compaso_are_for_compaso(tmp_path):
    folder = write_gadget4(tmp_path, files=1, snapshots=False)
    for option in ({"superslab": "0"}, {"uncleaned": True}):
        refused(folder, "is for CompaSO, and this is gadget4", code=2, **option)
    refused(write_compaso(tmp_path, **ALONE), "compaso", code=2, mass_definition="200m")


def test_masses_are_no_others(tmp_path):
    """Laws for other masses are refused, and the way out works."""
    sim = mockgal.read(write_compaso(tmp_path, samples=""))
    options = {"model": "zheng07", "threshold": -20.0, "stellar_mass_law": "moster13"}
    with pytest.raises(DomainError, match="host mass is compaso, not 200m") as caught:
        mockgal.paint(sim, "hod", seed=1, **options)
    assert "--allow-extrapolation" in caught.value.fix
    made = mockgal.populate(sim, "hod", seed=1, allow_extrapolation=True, **options)
    assert made.halos.record["populate"]["radius_definition"] == "compaso"
    assert made.halos.record["populate"]["concentration"] == "duffy08"
    with pytest.warns(MockgalWarning, match="the input lacks hosts"):
        mock = mockgal.paint(made, "hod", seed=1, allow_extrapolation=True, **options)
    assert "host mass is compaso, not 200m" in mock.provenance["painter"]["outside_domain"]
    assert mock["extrapolated"].all()
    for concentration in ("catalogue", "dutton_maccio14", 7.0):
        mockgal.populate(
            sim, "hod", seed=1, allow_extrapolation=True, concentration=concentration, **options
        )


@pytest.mark.parametrize("count", [0, 1])
def test_few_halos(tmp_path, count):
    sim = mockgal.read(write_compaso(tmp_path, count=count, superslabs=1, **ALONE), uncleaned=True)
    assert len(sim.halos) == count


def test_particles_of_samples(tmp_path):
    scene = mockgal.read(write_compaso(tmp_path))
    record = scene.snapshot.record
    assert record["matter"] == "subsamples A and B of the particles"
    assert record["share_of_particles_in_matter"] == pytest.approx(0.1, abs=1e-4)
    with pytest.warns(MockgalWarning, match=r"10\.00% of all: its shot noise"):
        chunks = list(scene.particles.chunks(5000))
    mass = np.concatenate([chunk.mass for chunk in chunks])
    assert mass.sum() == pytest.approx(PARTICLE * SIDE**3)
    assert len(mass) == scene.particles.count == record["particles"]
    position = np.concatenate([chunk.position for chunk in chunks])
    assert position.mean(axis=0) == pytest.approx(BOX_SIZE / 2, abs=1)


def test_all_particles(tmp_path):
    scene = mockgal.read(write_compaso(tmp_path, all_particles=True))
    assert scene.snapshot.record["matter"] == "all particles"
    position = np.concatenate([chunk.position for chunk in scene.particles.chunks(70_000)])
    assert len(position) == SIDE**3
    # The order is that of the files: superslab by superslab, of halos first.
    edges = np.histogram(position[: SIDE**3 // 6, 0], [0, BOX_SIZE / 2, BOX_SIZE * 5 / 6, BOX_SIZE])
    assert edges[0].tolist() == pytest.approx([0, SIDE**3 // 6, 0], abs=9)  # 24 bits, 12 bits


def test_particles_that_are_not_all_there(tmp_path):
    folder = write_compaso(tmp_path, all_particles=True)
    slices = tmp_path / "Made_Up/slices/z0.000"
    few = np.random.default_rng(1).uniform(-0.5, 0.5, (9, 3))
    last = slices / "field_pack9/slab002.field.pack9.asdf"
    write_asdf(last, header(), {"pack9": pack9(few)})
    with pytest.raises(MockgalError, match=rf"particles, expected {SIDE**3}"):
        list(mockgal.read(folder).particles.chunks(70_000))
    last.unlink()
    assert mockgal.read(folder).snapshot.record["matter"].startswith("subsamples A and B")
    (folder / "field_rv_B/field_rv_B_001.asdf").unlink()
    assert mockgal.read(folder).snapshot.record["matter"] == "subsample A of the particles"
    shutil.rmtree(folder / "halo_rv_A")
    assert mockgal.read(folder).particles is None


def test_networks_know_that_matter_is_sampled(tmp_path):
    from mockgal.painters.cnn.domain import Grid
    from mockgal.painters.cnn.weights.named import shipped_weights

    (weights, *_) = shipped_weights()
    for samples in ("AB", ""):
        scene = mockgal.read(write_compaso(tmp_path / f"s{samples}", samples=samples))
        reasons = mismatch(scene, weights.header, Grid(64, BOX_SIZE / 64, "corner", True))
        sampled = "matter from 10.00% of the particles, not from all" in reasons
        assert sampled == bool(samples)


def test_files_that_hold_no_halos_are_named(tmp_path):
    folder = write_compaso(tmp_path)
    for path in (folder / "field_rv_A", folder / "halo_rv_A/halo_rv_A_000.asdf"):
        with pytest.raises(FormatError, match=r"no halos of CompaSO.*folder halo_info"):
            mockgal.read(path)
    with pytest.raises(FormatError, match=r"halos/z0\.000 \(compaso\)"):
        mockgal.read(tmp_path / "Made_Up")


def test_without_the_package_that_unpacks(tmp_path, monkeypatch):
    folder = write_compaso(tmp_path, **ALONE)
    plain = write_compaso(tmp_path / "plain", packed=False, **ALONE)
    expected = mockgal.read(folder, uncleaned=True).halos.digest()
    monkeypatch.setitem(sys.modules, "blosc", None)
    refused(folder, "no package blosc", r"mockgal[formats]", code=2, uncleaned=True)
    assert detect(folder) == "compaso"
    assert mockgal.read(plain, uncleaned=True).halos.digest() == expected


def test_a_bundle_keeps_it(tmp_path):
    mockgal.pack(write_compaso(tmp_path, samples="A"), tmp_path / "a.hdf5")
    bundle = mockgal.read(tmp_path / "a.hdf5")
    assert bundle.halos.mass_definition == "compaso"
    assert bundle.snapshot.record["cleaned"]
    assert bundle.snapshot.record["share_of_particles_in_matter"] == pytest.approx(0.03, rel=1e-3)
    with pytest.raises(UsageError, match="compaso"):
        mockgal.read(tmp_path / "a.hdf5", mass_definition="200m")
