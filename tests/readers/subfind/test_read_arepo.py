"""AREPO: the synthetic set under the contract, real TNG chunks, and sets of which files miss."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockgal.errors import IncompleteSetError, MockgalError, MockgalWarning, UsageError
from mockgal.protocols import ReadOptions
from mockgal.readers.chunks import missing_numbers
from mockgal.readers.detect import detect, read
from mockgal.readers.subfind.arepo import ArepoReader
from mockgal.testing import COSMOLOGY, reader_contract, write_arepo, write_gadget4

DATA = Path(__file__).parents[4] / "shared/data/tng100-1/groups_099"
PART = ReadOptions(allow_missing_chunks=True)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"files": 1},
        {"hydro": True, "redshift": 1.0, "dtype": "f8"},
        {"files": 3, "empty_last": True, "snapshots": False},
    ],
)
def test_contract(tmp_path, options):
    reader_contract(ArepoReader(), write_arepo(tmp_path, **options))


@pytest.mark.parametrize("hydro", [False, True])
def test_twin_of_gadget4(tmp_path, hydro):
    """The same run as both codes write it: the same halos and the same particles."""
    arepo = read(write_arepo(tmp_path / "a", hydro=hydro))
    gadget = read(write_gadget4(tmp_path / "g", hydro=hydro))
    assert arepo.snapshot.format == "arepo"
    assert arepo.snapshot.cosmology == COSMOLOGY
    assert arepo.snapshot.particle_mass == gadget.snapshot.particle_mass
    galaxy = np.isin(gadget.halos["halo_id"], arepo.halos["halo_id"])
    assert galaxy.all() != hydro
    for name, values in arepo.halos.columns.items():
        np.testing.assert_array_equal(values, gadget.halos[name][galaxy], err_msg=name)
    ours, theirs = (
        np.concatenate([np.c_[c.position, c.mass] for c in sim.particles.chunks(5000)])
        for sim in (arepo, gadget)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_hydro_run(tmp_path):
    """What is flagged as no galaxy is dropped and counted; tracers are no matter."""
    path = write_arepo(tmp_path, files=1, hydro=True)
    scene = read(path)
    with h5py.File(path) as file:
        flag = file["Subhalo/SubhaloFlag"][:]
        first = file["Group/GroupFirstSub"][:]
        in_radius = file["Subhalo/SubhaloMassInRadType"][:, 4]
        group = file["Subhalo/SubhaloGrNr"][:]
    with h5py.File(tmp_path / "snap_002.hdf5") as file:
        numbers = file["Header"].attrs["NumPart_Total"]
    central = np.arange(len(group)) == first[group]
    kept = flag | central
    np.testing.assert_array_equal(scene.halos["halo_id"], np.flatnonzero(kept))
    record = scene.halos.record
    assert record["dropped_flagged_as_no_galaxy"] == np.count_nonzero(~kept) > 0
    assert record["centrals_flagged_as_no_galaxy"] == np.count_nonzero(central & ~flag) > 0
    assert scene.particles.count == numbers.sum() - numbers[3]
    assert scene.snapshot.record["tracers_left_out"] == numbers[3] > 0
    assert scene.snapshot.record["stellar_mass_definition"] == "bound"
    inner = read(path, ReadOptions(stellar_mass_definition="2rhalf"))
    np.testing.assert_allclose(inner.halos["stellar_mass"], in_radius[kept] * 1e10, rtol=1e-7)
    assert inner.snapshot.record["stellar_mass_dataset"] == "SubhaloMassInRadType[4]"
    assert inner.halos.digest() != scene.halos.digest()


def test_stellar_mass_definition_is_not_silently_ignored(tmp_path):
    path = write_arepo(tmp_path, files=1)
    with pytest.raises(UsageError, match="no stars"):
        read(path, ReadOptions(stellar_mass_definition="bound"))
    with pytest.raises(UsageError, match="one of bound"):
        read(write_gadget4(tmp_path / "g"), ReadOptions(stellar_mass_definition="2rhalf"))


@pytest.mark.fault(21)
def test_unsigned_minus_one(tmp_path):
    """Illustris-1 keeps -1 as 4294967295."""
    path = write_arepo(tmp_path, files=1, snapshots=False)
    expected = read(path).halos.digest()
    with h5py.File(path, "r+") as file:
        first = file["Group/GroupFirstSub"][:]
        assert (first == -1).any()
        del file["Group/GroupFirstSub"]
        file["Group/GroupFirstSub"] = first.view("u4")
    assert read(path).halos.digest() == expected


@pytest.mark.parametrize("name", ["fof_subhalo_tab", "groups"])
@pytest.mark.parametrize("snapshot", ["snap", "snapshot"])
def test_names_of_files(tmp_path, name, snapshot):
    """CAMELS keeps single files in one folder, under several names."""
    path = write_arepo(tmp_path / "run", files=1)
    (path.parent / "snap_002.hdf5").rename(path.parent / f"{snapshot}_002.hdf5")
    path = path.rename(path.with_name(f"{name}_002.hdf5"))
    assert detect(path) == detect(path.parent) == "arepo"
    scene = read(path)
    assert scene.particles is not None
    assert scene.snapshot.name == "out_synthetic"


@pytest.mark.fault(29)
def test_units_of_the_file_win(tmp_path):
    """CAMELS and others state units in the header; a file in Mpc/h is read as such."""
    path = write_arepo(tmp_path, files=1, snapshots=False)
    expected = read(path).halos
    with h5py.File(path, "r+") as file:
        file["Header"].attrs["UnitLength_in_cm"] = 3.085678e24
        file["Header"].attrs["BoxSize"] /= 1000
        radii = [f"Group/{name}" for name in file["Group"] if name.startswith("Group_R_")]
        for dataset in ("Subhalo/SubhaloPos", *radii):
            file[dataset][...] = file[dataset][...] / 1000
    found = read(path)
    np.testing.assert_allclose(found.halos["position"], expected["position"], rtol=1e-5)
    assert found.snapshot.record["length_unit"] == "Mpc/h"


def test_missing_numbers():
    assert missing_numbers([1, 2, 36, 79], 448) == "0, 3-35, 37-78, 80-447"
    assert missing_numbers([0, 1, 2], 3) == ""
    assert missing_numbers([0], 1 << 62) == f"1-{(1 << 62) - 1}"


def _remove(folder, numbers):
    for k in numbers:
        (folder / f"fof_subhalo_tab_002.{k}.hdf5").unlink()


def _expected_of(folder, kept, total_files):
    """What a set holds in whole groups when only the files ``kept`` are there, naively."""
    rows = []
    group = 0
    for k in range(total_files):
        with h5py.File(folder / f"fof_subhalo_tab_002.{k}.hdf5") as file:
            if "SubhaloGrNr" in file.get("Subhalo", {}):
                rows += [(int(g), k) for g in file["Subhalo/SubhaloGrNr"][:]]
    groups = []
    for k in range(total_files):
        with h5py.File(folder / f"fof_subhalo_tab_002.{k}.hdf5") as file:
            names = file.get("Group", {})
            first = file["Group/GroupFirstSub"][:] if "GroupFirstSub" in names else []
            number = file["Group/GroupNsubs"][:] if len(first) else []
            for f, n in zip(first, number, strict=True):
                whole = k in kept and all(rows[r][1] in kept for r in range(f, f + n))
                groups.append(whole)
                group += 1
    return [row for row, (g, k) in enumerate(rows) if groups[g] and k in kept]


@pytest.mark.fault(14)
@settings(max_examples=12)
@given(data=st.data())
@pytest.mark.slow
def test_missing_chunks(tmp_path_factory, data):
    """Whole groups, with the ids of the whole output, whichever files are missing."""
    folder = write_arepo(tmp_path_factory.mktemp("set"), files=8, groups=160, snapshots=False)
    whole = read(folder).halos
    missing = data.draw(st.sets(st.integers(0, 7), min_size=1, max_size=6))
    kept = set(range(8)) - missing
    expected = _expected_of(folder, kept, 8)
    _remove(folder, missing)
    with pytest.raises(IncompleteSetError, match="--allow-missing-chunks"):
        read(folder)
    with pytest.warns(MockgalWarning, match="missing: .* not a fair sample"):
        part = read(folder, PART)
    ids = part.halos["halo_id"]
    # A run of files of which no group can be recognised is left out, never misplaced.
    assert set(ids) <= set(expected)
    for name, values in part.halos.columns.items():
        np.testing.assert_array_equal(values, whole[name][ids], err_msg=name)
    record = part.halos.record
    assert record["subhalos_left_out_for_missing_chunks"] + len(ids) >= len(expected)
    assert part.snapshot.record["missing_chunks"] == missing_numbers(sorted(kept), 8)


def test_most_of_a_set_is_found(tmp_path):
    folder = write_arepo(tmp_path, files=8, snapshots=False)
    expected = _expected_of(folder, {1, 2, 4, 7}, 8)
    _remove(folder, {0, 3, 5, 6})
    with pytest.warns(MockgalWarning):
        part = read(folder, PART)
    np.testing.assert_array_equal(part.halos["halo_id"], expected)
    assert len(expected) > 100


@pytest.mark.fault(14)
def test_snapshot_with_missing_chunks_is_left_out(tmp_path):
    folder = write_arepo(tmp_path, files=4)
    (tmp_path / "snapdir_002/snap_002.1.hdf5").unlink()
    with pytest.raises(IncompleteSetError, match="missing chunk 1"):
        read(folder)
    with pytest.warns(MockgalWarning, match="snapshot is left out"):
        scene = read(folder, PART)
    assert scene.particles is None
    assert "missing chunk 1" in scene.snapshot.record["snapshot_left_out"]
    assert "missing_chunks" not in scene.snapshot.record


def test_format_overrides(tmp_path):
    path = write_gadget4(tmp_path, files=1)
    assert detect(path) == "gadget4"
    assert read(path, format="gadget4").snapshot.format == "gadget4"
    with pytest.raises(MockgalError) as caught:
        read(path, format="arepo")
    assert caught.value.exit_code == 3
    with pytest.raises(UsageError, match="arepo"):
        read(path, format="areppo")


def test_header_only_chunk_is_recognised(tmp_path):
    folder = write_arepo(tmp_path, files=3, empty_last=True, snapshots=False)
    assert detect(folder / "fof_subhalo_tab_002.2.hdf5") == "arepo"


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here")
class TestRealChunks:
    @pytest.mark.fault(14)
    def test_refused_as_incomplete(self):
        with pytest.raises(IncompleteSetError) as caught:
            read(DATA)
        message = str(caught.value)
        assert "7 of 448 files; missing chunk 0, 3-35, 37-78, 83-447" in message
        assert "--allow-missing-chunks" in message

    def test_rows_equal_an_independent_reading(self):
        with pytest.warns(MockgalWarning, match="16298 of the 4371211 subhalos|16186 of the"):
            scene = read(DATA, PART)
        halos, box, h = scene.halos, 75000.0, 0.6774
        row = 0
        flagged = 0
        for k in (1, 2, 36, 79, 80, 81, 82):
            with h5py.File(DATA / f"fof_subhalo_tab_099.{k}.hdf5") as file:
                assert file["Header"].attrs["BoxSize"] == box
                count = int(file["Header"].attrs["Nsubgroups_ThisFile"])
                if count == 0:
                    continue
                sub = {name: values[:] for name, values in file["Subhalo"].items()}
                first = file["Group/GroupFirstSub"][:]
                m200 = file["Group/Group_M_Crit200"][:]
            # In this release each of these files holds its groups' subhalos, in order.
            ids = first[0] + np.arange(count)
            own = np.searchsorted(first, ids, side="right") - 1
            galaxy = sub["SubhaloFlag"]
            flagged += int(np.count_nonzero(~galaxy))
            here = slice(row, row + int(np.count_nonzero(galaxy)))
            row = here.stop
            np.testing.assert_array_equal(halos["halo_id"][here], ids[galaxy])
            np.testing.assert_array_equal(halos["host_id"][here], first[own][galaxy])
            np.testing.assert_array_equal(halos["is_central"][here], np.isin(ids, first)[galaxy])
            for name, expected in {
                "position": np.float64(sub["SubhaloPos"]) / 1e3,
                "velocity": np.float64(sub["SubhaloVel"]),
                "mass": np.float64(sub["SubhaloMass"]) * 1e10,
                "vmax": np.float64(sub["SubhaloVmax"]),
                "stellar_mass": np.float64(sub["SubhaloMassType"][:, 4]) * 1e10,
                "stellar_half_mass_radius": np.float64(sub["SubhaloHalfmassRadType"][:, 4]) / 1e3,
                "host_mass": np.float64(m200)[own] * 1e10,
                "n_particles": np.float64(sub["SubhaloLen"]),
            }.items():
                np.testing.assert_allclose(halos[name][here], expected[galaxy], rtol=1e-12)
        assert row == len(halos) == 16186
        assert halos.record["dropped_flagged_as_no_galaxy"] == flagged == 112
        assert np.count_nonzero(halos["is_central"]) == 6
        assert scene.snapshot.box_size == box / 1e3
        assert scene.snapshot.cosmology.h == h
        # Nelson et al. 2019, table 1: 7.5e6 Msun.
        assert scene.snapshot.particle_mass / h == pytest.approx(7.5e6, rel=0.01)
        assert scene.snapshot.record["missing_chunks"] == "0, 3-35, 37-78, 83-447"
