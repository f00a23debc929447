"""Members of subhalos: the rows that a plain reading of the files gives, read only when asked."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from mockgal.errors import BadValueError, HeaderError, listening
from mockgal.protocols import ReadOptions
from mockgal.readers.detect import read
from mockgal.readers.subfind import members
from mockgal.testing import write_arepo, write_gadget4

DATA = Path(__file__).parents[4] / "shared/data/gadget4"
ALL = 2**63 - 1

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared simulation is not here")
WRITERS = pytest.mark.parametrize("write", [write_gadget4, write_arepo])


def number(path):
    return int(path.name.split(".")[1]) if path.name.count(".") > 1 else 0


def files_of(path, stem):
    """The files of the set with a catalogue at ``path``: it or its folder."""
    folder = path if path.is_dir() else path.parent
    folder = folder.parent / folder.name.replace("groups", "snapdir") if stem == "snap" else folder
    return sorted(folder.glob(f"{stem}_*.hdf5"), key=number)


def column(path, stem, name):
    parts = []
    for file_path in files_of(path, stem):
        with h5py.File(file_path) as file:
            if name in file:
                parts.append(file[name][:])
    return np.concatenate(parts)


def plain(path):
    """The ids of each subhalo's dark matter, group by group, by the rule of the format."""
    ids = column(path, "snap", "PartType1/ParticleIDs").astype(np.int64)
    in_group = column(path, "fof_subhalo_tab", "Group/GroupLenType")[:, 1]
    number = column(path, "fof_subhalo_tab", "Group/GroupNsubs")
    length = iter(column(path, "fof_subhalo_tab", "Subhalo/SubhaloLenType")[:, 1].tolist())
    result, start = [], 0
    for size, subhalos in zip(in_group.tolist(), number.tolist(), strict=True):
        row = start
        for _ in range(subhalos):
            n = next(length)
            result.append(ids[row : row + n])
            row += n
        start += size
    return result


def edit(path, stem, name, change, which=0):
    """Change one dataset of one file."""
    with h5py.File(files_of(path, stem)[which], "r+") as file:
        values = change(file[name][:])
        del file[name]
        if values is not None:
            file[name] = values


@WRITERS
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hydro": True, "files": 3},
        {"files": 3, "empty_last": True, "groups": 90},
        {"hydro": True, "redshift": 1.0, "dtype": "f8"},
    ],
)
def test_ids_of_each_subhalo(tmp_path, write, options):
    path = write(tmp_path, **options)
    scene, expected = read(path), plain(path)
    ids = scene.halos["halo_id"]  # AREPO's flagged rows are left out
    expected = [expected[i] for i in ids]
    found = scene.members
    np.testing.assert_array_equal(found.count(ids), [len(e) for e in expected])
    np.testing.assert_array_equal(found.read(ids, ALL), np.concatenate(expected))
    assert found.read(ids, 5).dtype == np.int64
    order = np.random.default_rng(3).permutation(len(ids))[:50]
    np.testing.assert_array_equal(
        found.read(ids[order], 7), np.concatenate([expected[i][:7] for i in order])
    )
    assert len(found.read(ids[:0], 7)) == 0
    assert len(found.read(ids, 0)) == 0


def test_a_single_file(tmp_path):
    path = write_gadget4(tmp_path, files=1)
    members_of = read(path).members
    expected = [
        column(path, "fof_subhalo_tab", f"Subhalo/Subhalo{n}Type")[:, 1] for n in ("Offset", "Len")
    ]
    with h5py.File(path.parent / "snap_002.hdf5") as file:
        ids = file["PartType1/ParticleIDs"][:]
    start, length = (int(e[7]) for e in expected)
    np.testing.assert_array_equal(members_of.read(np.array([7]), ALL), ids[start : start + length])


def test_subhalos_that_are_not_known(tmp_path):
    found = read(write_gadget4(tmp_path)).members
    assert found.count(np.array([-1, 10**9])).tolist() == [0, 0]
    some = found.read(np.array([-1, 3, 10**9]), 4)
    np.testing.assert_array_equal(some, found.read(np.array([3]), 4))


def test_blocks_are_the_same_as_the_whole(tmp_path, monkeypatch):
    """Subhalos that lie across blocks and files."""
    scene = read(write_gadget4(tmp_path, files=3))
    ids = scene.halos["halo_id"][::-1]
    whole = scene.members.read(ids, ALL)
    monkeypatch.setattr(members, "_BLOCK", 37)
    np.testing.assert_array_equal(scene.members.read(ids, ALL), whole)
    few = scene.members.read(ids[::13], 9)
    monkeypatch.setattr(members, "_BLOCK", 1 << 20)
    np.testing.assert_array_equal(scene.members.read(ids[::13], 9), few)


@WRITERS
def test_none_where_the_files_do_not_say(tmp_path, write):
    assert read(write(tmp_path / "a", snapshots=False)).members is None
    path = write(tmp_path / "b")
    for which in range(2):
        edit(path, "snap", "PartType1/ParticleIDs", lambda _: None, which)
    scene = read(path)
    assert scene.members is None
    assert scene.particles is not None
    path = write(tmp_path / "c")
    for which in range(2):
        edit(path, "fof_subhalo_tab", "Group/GroupLenType", lambda _: None, which)
    arepo = write is write_arepo
    assert (read(path).members is None) == arepo
    if not arepo:
        for which in range(2):
            edit(path, "fof_subhalo_tab", "Subhalo/SubhaloOffsetType", lambda _: None, which)
        assert read(path).members is None


def test_offsets_are_not_needed(tmp_path):
    path = write_gadget4(tmp_path, hydro=True)
    scene = read(path)
    ids = scene.halos["halo_id"]
    with_offsets = scene.members.read(ids, ALL)
    for which in range(2):
        edit(path, "fof_subhalo_tab", "Subhalo/SubhaloOffsetType", lambda _: None, which)
    np.testing.assert_array_equal(read(path).members.read(ids, ALL), with_offsets)


def test_none_where_files_of_the_catalogue_are_missing(tmp_path):
    path = write_gadget4(tmp_path, files=3)
    files_of(path, "fof_subhalo_tab")[1].unlink()
    with listening(quiet=True):
        assert read(path, ReadOptions(allow_missing_chunks=True)).members is None


def plus(row, by, kind=1):
    def change(values):
        values = values.copy()
        values[row, kind] += by
        return values

    return change


@pytest.mark.parametrize(
    ("write", "name", "change", "message"),
    [
        (write_gadget4, "Subhalo/SubhaloOffsetType", plus(3, -1), "particles of another subhalo"),
        (write_gadget4, "Subhalo/SubhaloOffsetType", plus(3, 10**9), "impossible numbers"),
        (write_gadget4, "Subhalo/SubhaloOffsetType", plus(0, -1), "impossible numbers"),
        (write_arepo, "Group/GroupLenType", plus(2, -40), "fewer particles than its subhalos"),
        (write_arepo, "Group/GroupLenType", plus(0, 32000), "not in the snapshot"),
        (write_arepo, "Group/GroupLenType", lambda v: v[:, :1], "1 types of particles"),
    ],
)
def test_rows_that_cannot_be(tmp_path, write, name, change, message):
    path = write(tmp_path)
    for which in range(1 + ("LenType" in name and change(np.zeros((9, 6))).shape[1] == 1)):
        edit(path, "fof_subhalo_tab", name, change, which)
    scene = read(path)  # nothing of it is read before it is asked for
    with pytest.raises(BadValueError, match=message) as caught:
        scene.members.read(scene.halos["halo_id"], 5)
    assert name in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda ids: ids[:-1], HeaderError, "rows, as in the file's header"),
        (lambda ids: ids + 0.5, BadValueError, "ids of type float64"),
        (lambda ids: ids.astype("u8") + np.uint64(2**63), BadValueError, "ids below 2"),
    ],
)
def test_ids_that_cannot_be(tmp_path, change, error, message):
    path = write_gadget4(tmp_path)
    edit(path, "snap", "PartType1/ParticleIDs", change)
    scene = read(path)
    with pytest.raises(error, match=message) as caught:
        scene.members.read(scene.halos["halo_id"], 5)
    assert "PartType1/ParticleIDs" in str(caught.value)


def test_large_ids(tmp_path):
    path = write_arepo(tmp_path)
    before = read(path).members.read(np.arange(30), ALL)
    for which in range(2):
        edit(path, "snap", "PartType1/ParticleIDs", lambda ids: ids + np.uint64(2**62), which)
    np.testing.assert_array_equal(read(path).members.read(np.arange(30), ALL), before + 2**62)


@pytest.mark.real_data
@needs_data
@pytest.mark.parametrize("run", ["dark", "hydro"])
def test_real_subhalos(run):
    """The most bound particle comes first; in the hydrodynamic run it may be a star."""
    path = DATA / run / "groups_002"
    scene, expected = read(path), plain(path)
    ids = scene.halos["halo_id"]
    np.testing.assert_array_equal(scene.members.read(ids, ALL), np.concatenate(expected))
    bound = column(path, "fof_subhalo_tab", "Subhalo/SubhaloIDMostbound")
    some = scene.members.count(ids) > 0
    first = scene.members.read(ids[some], 1)
    assert np.isin(bound, column(path, "snap", "PartType1/ParticleIDs")).mean() > 0.2
    dark = np.isin(bound[some], np.concatenate(expected))
    np.testing.assert_array_equal(first[dark], bound[some][dark])
    assert dark.all() == (run == "dark")
