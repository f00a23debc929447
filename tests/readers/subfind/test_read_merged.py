"""Sets merged into one file, boxes with three sides, ids beyond 2^63, grids that say little."""

import re
import warnings

import h5py
import numpy as np
import pytest
from rockstar_samples import Sample

import mockgal
from mockgal.errors import HeaderError, IncompleteSetError, MockgalError, MockgalWarning
from mockgal.readers.density import read_density
from mockgal.readers.detect import read
from mockgal.testing import write_arepo, write_gadget4

both = pytest.mark.parametrize("write", [write_gadget4, write_arepo])


def headers(path, **values):
    for file in path.rglob("*.hdf5"):
        with h5py.File(file, "r+") as opened:
            for name, value in values.items():
                if name in opened["Header"].attrs:
                    opened["Header"].attrs[name] = value


@both
def test_a_merged_catalogue_is_whole(tmp_path, write):
    """One file with all rows, whose header has the number of files of before."""
    write(tmp_path / "a", files=1)
    whole = read(tmp_path / "a")
    headers(tmp_path / "a", NumFiles=448, NumFilesPerSnapshot=448)
    with warnings.catch_warnings():
        warnings.simplefilter("error", MockgalWarning)
        for allow in (False, True):
            merged = mockgal.read(tmp_path / "a", allow_missing_chunks=allow)
            assert merged.halos.digest() == whole.halos.digest()
            assert merged.particles.count == whole.particles.count
            assert "missing_chunks" not in merged.snapshot.record


@both
def test_one_file_of_several_is_not(tmp_path, write):
    path = write(tmp_path / "a", files=2, snapshots=False)
    last = sorted(path.glob("*.hdf5"))[-1] if path.is_dir() else path
    for other in last.parent.glob("*.hdf5"):
        if other != last:
            other.unlink()
    with pytest.raises(IncompleteSetError, match=r"1 of 2 files.*--allow-missing-chunks"):
        read(last)
    with pytest.warns(MockgalWarning, match="not a fair sample"):
        mockgal.read(last, allow_missing_chunks=True)


@both
def test_three_sides_of_a_box(tmp_path, write):
    write(tmp_path / "a", files=2)
    whole = read(tmp_path / "a")
    side = whole.snapshot.box_size * 1e3
    headers(tmp_path / "a", BoxSize=np.full(3, side))
    assert read(tmp_path / "a").snapshot.box_size == whole.snapshot.box_size
    headers(tmp_path / "a", BoxSize=np.array([side, side, side / 2]))
    with pytest.raises(HeaderError, match=r"BoxSize: .*sides"):
        read(tmp_path / "a")


@pytest.mark.parametrize("word", [2**63, 2**64 - 2, 2**70])
def test_the_way_out_of_large_ids(tmp_path, word):
    """Numbered anew, in both columns, the same halos come out."""
    sample = Sample()
    old = sample.rows[17][sample.column("id")]
    for row in sample.rows:
        for name in ("id", "pid", "upid"):
            if row[sample.column(name)] == old:
                row[sample.column(name)] = str(word)
    with pytest.raises(MockgalError, match=r"2\^63.*renumber") as found:
        read(sample.write(tmp_path / "a.list"))
    assert str(word) in str(found.value)
    numbers = {"-1": "-1"}
    for row in sample.rows:
        numbers[row[sample.column("id")]] = str(len(numbers))
    for row in sample.rows:
        for name in ("id", "pid", "upid"):
            row[sample.column(name)] = numbers[row[sample.column(name)]]
    halos = read(sample.write(tmp_path / "b.list")).halos
    assert halos.record["satellites"] == 140


GRID = {
    "boxsize": 32.0,
    "kind": "counts",
    "unit": "",
    "mas": "CIC",
    "redshift": 0.0,
    "origin": "corner",
}


@pytest.mark.parametrize("name", GRID)
def test_what_a_grid_lacks_is_named_with_its_values(tmp_path, name):
    path = tmp_path / "g.hdf5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("density", data=np.ones((4, 4, 4)))
        for key, value in GRID.items():
            if key != name:
                data.attrs[key] = value
    with pytest.raises(MockgalError) as caught:
        read_density(path)
    error = caught.value
    assert f"no attribute {name}" in error.found
    if isinstance(GRID[name], str):
        assert (GRID[name] or "''") in error.expected
    command = re.search(r"`(.+) = \.\.\.`", error.fix)[1]
    exec(f"{command} = {GRID[name]!r}", {"h5py": h5py})
    assert read_density(path).grid_size == 4


def test_a_grid_fits_a_list_whose_scale_factor_is_rounded(tmp_path):
    scene = read(Sample(redshift=0.5).write(tmp_path / "hlist_0.66667.list"))
    assert scene.snapshot.redshift != 0.5
    path = tmp_path / "g.hdf5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("density", data=np.ones((4, 4, 4)))
        for key, value in {**GRID, "boxsize": 40.0, "redshift": 0.5}.items():
            data.attrs[key] = value
    read_density(path, scene.snapshot)
    with h5py.File(path, "r+") as file:
        file["density"].attrs["redshift"] = 0.51
    with pytest.raises(HeaderError, match="redshift"):
        read_density(path, scene.snapshot)
