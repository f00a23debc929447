"""One byte of a stored value that was changed, with all checksums right again, is found."""

import sys
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mockgal
from mockgal.errors import MockgalError, listening
from mockgal.system.files.gzipped import compressed
from mockgal.tasks.measure import field_file
from mockgal.testing import synthetic_pair
from mockgal.writers import parquet as parquet_writer
from mockgal.writers.bundle import write_bundle

sys.path.insert(0, str(Path(__file__).parents[1] / "readers"))
import galaxies_samples as samples

ROWS = 12
KINDS = {
    f"{end} {units} {precision}": (end, {"units": units, "precision": precision})
    for end in ("fits", "fits.gz", "hdf5", "parquet")
    for units in ("h-free", "h")
    for precision in ("float64", "float32")
}


def found_out(path):
    try:
        with listening(quiet=True):
            return not mockgal.verify(path).is_right
    except MockgalError:
        return True


@pytest.fixture(scope="module")
def mocks(tmp_path_factory):
    """The path of a mock of each kind, and its bytes."""
    folder, made = tmp_path_factory.mktemp("flipped"), {}
    for kind, (end, how) in KINDS.items():
        path = folder / f"{kind.replace(' ', '-')}.{end}"
        more = {"position_rounding": "1 kpc/h"} if how["precision"] == "float32" else {}
        mockgal.write(samples.catalogue(ROWS), path, **how, **more)
        assert not found_out(path)
        made[kind] = path, path.read_bytes()
    return lambda kind: made[kind]  # whose repr is short


def flipped(values, row, byte, change):
    """Values of which one byte of one row is another; truth values are turned."""
    values = np.array(values)
    if values.dtype == bool:
        values[row] ^= True
        return values
    raw = values.view(np.uint8).reshape(len(values), -1)
    raw[row, byte % raw.shape[1]] ^= change
    return values


def in_fits(path, column, *where):
    """Both plain and compressed."""
    zipped = path.suffix == ".gz"
    plain = path.with_suffix("") if zipped else path
    if zipped:
        import gzip

        plain.write_bytes(gzip.decompress(path.read_bytes()))
    hdus = samples.take_apart(plain)
    table = np.frombuffer(hdus[1][1], np.uint8).reshape(ROWS, -1).copy()
    row, byte, change = where
    table[row, (column + byte) % table.shape[1]] ^= change
    hdus[1][1] = table.tobytes()
    samples.put_together(plain, hdus)
    if zipped:
        with open(path, "wb") as file, compressed(file) as output:
            output.write(plain.read_bytes())


def in_hdf5(path, column, *where, group="galaxies"):
    with h5py.File(path, "r+") as file:
        data = file[group][sorted(file[group])[column % len(file[group])]]
        data[...] = flipped(data[...], *where)


def in_parquet(path, column, *where):
    table = pq.read_table(path)
    at = column % table.num_columns
    values = flipped(table.column(at).to_numpy(), *where)
    field = table.schema.field(at)
    changed = table.set_column(at, field, pa.array(values, field.type))
    assert changed.schema.equals(table.schema, check_metadata=True)
    kinds = [
        type("Kind", (), {"name": f.name, "dtype": np.dtype(f.type.to_pandas_dtype())})
        for f in table.schema
    ]
    with pq.ParquetWriter(path, table.schema, **parquet_writer._options(kinds)) as writer:
        writer.write_table(changed)


FLIP = {"fits": in_fits, "fits.gz": in_fits, "hdf5": in_hdf5, "parquet": in_parquet}


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(sorted(KINDS)),
    column=st.integers(0, 13),
    row=st.integers(0, ROWS - 1),
    byte=st.integers(0, 7),
    change=st.integers(1, 255),
)
def test_a_changed_byte_of_a_mock_is_found(mocks, kind, column, row, byte, change):
    """Whatever the checksums of the format say, which are right again."""
    path, raw = mocks(kind)
    path.write_bytes(raw)
    FLIP[KINDS[kind][0]](path, column, row, byte, change)
    assert found_out(path)


@pytest.mark.parametrize("what", ["bundle", "grid"])
def test_a_changed_byte_of_a_bundle_or_a_grid_is_found(what, tmp_path):
    path, rng = tmp_path / f"{what}.hdf5", np.random.default_rng(4)
    scene = synthetic_pair(40)[1]
    if what == "bundle":
        write_bundle(scene, path)
        group = "halos"
    else:
        with listening(quiet=True):
            mockgal.write(samples.catalogue(100), tmp_path / "m.fits")
            field_file(tmp_path / "m.fits", path, grid_size=8)
        group = "/"
    with listening(quiet=True):
        found = mockgal.verify(path)
    assert {check.name: check.result for check in found.checks}["values"] == "right"
    raw = path.read_bytes()
    for column in range(0, 14, 3):
        path.write_bytes(raw)
        where = int(rng.integers(0, 8)), int(rng.integers(0, 8)), int(rng.integers(1, 256))
        if group == "/":
            with h5py.File(path, "r+") as file:
                grid = file["density"][...]
                file["density"][...] = flipped(grid.ravel(), *where).reshape(grid.shape)
        else:
            in_hdf5(path, column, *where, group=group)
        assert found_out(path), column
    path.write_bytes(raw)
    with h5py.File(path, "r+") as file:  # exchanged: no sum of bytes tells
        name = "density" if what == "grid" else "halos/mass"
        file[name][...] = file[name][...][::-1]
    assert found_out(path)
