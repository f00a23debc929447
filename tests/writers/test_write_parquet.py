"""Parquet: numbers, units and facts as pyarrow reads them; equal bytes; damage while writing."""

import json
import signal
import sys
import tracemalloc
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from astropy.units import Unit
from write_samples import catalogue, in_file

from mockgal.columns import GALAXY_COLUMNS
from mockgal.errors import InternalError, UsageError
from mockgal.recipe import Recipe
from mockgal.system.files.disk import Disk
from mockgal.tasks import build as pipeline
from mockgal.types import GalaxyCatalog
from mockgal.writers import parquet as module
from mockgal.writers.hdf5 import HDF5Writer
from mockgal.writers.parquet import ParquetWriter


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mock.parquet"


def write(galaxies, path, **options):
    ParquetWriter().write(galaxies, path, **{"overwrite": True, **options})


@pytest.mark.parametrize("units", ["h-free", "h"])
@pytest.mark.parametrize("n", [0, 1, 20_000])
def test_pyarrow_reads_back_numbers_and_units(path, units, n):
    galaxies = catalogue(n)
    write(galaxies, path, units=units)
    table = pq.read_table(path)
    assert table.column_names == list(GALAXY_COLUMNS)
    assert table.num_rows == n
    for name, column in GALAXY_COLUMNS.items():
        field = table.field(name)
        assert field.type == pa.from_numpy_dtype(np.dtype(column.dtype))
        assert not field.nullable
        found = table[name].to_numpy()
        np.testing.assert_allclose(found, in_file(galaxies, name, units), rtol=1e-7)
        keeps = units == "h" and column.h_power
        unit = "" if keeps else Unit(column.unit).to_string("fits")
        assert field.metadata[b"unit"].decode() == unit
        assert int(field.metadata[b"h_power"]) == (column.h_power if keeps else 0)
        assert int(field.metadata[b"a_power"]) == column.a_power
        assert field.metadata[b"description"].decode().startswith(column.meaning)
    # as astropy reads it, which takes its YAML
    columns = yaml.safe_load(table.schema.metadata[b"table_meta_yaml"])["datatype"]
    assert [column["name"] for column in columns] == table.column_names
    by_name = {column["name"]: column for column in columns}
    assert by_name["velocity_x"]["unit"] == "km s-1"
    assert ("unit" in by_name["halo_mass"]) == (units == "h-free")


def test_the_facts_are_those_of_the_hdf5_file(path, tmp_path):
    import h5py

    galaxies = catalogue(10, name="宇宙\n\0", seed=2**70)
    write(galaxies, path)
    facts = {key.decode(): value.decode() for key, value in pq.read_schema(path).metadata.items()}
    digest = blake2b(facts["provenance"].encode("ascii"), digest_size=32).hexdigest()
    assert facts["provenance_digest"] == digest
    assert facts["content_digest"] == galaxies.digest()
    assert json.loads(facts["provenance"])["simulation"]["name"] == "宇宙\n\0"
    HDF5Writer().write(galaxies, tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5") as file:
        attributes = dict(file.attrs)
    assert attributes.keys() - facts.keys() == {"complete"}
    for name, value in attributes.items():
        if name != "complete":
            found = facts[name] if isinstance(value, str) else json.loads(facts[name])
            assert found == value


def test_rows_are_in_groups_with_checksums(path, monkeypatch):
    monkeypatch.setattr(module, "_GROUP", 700)
    write(catalogue(1500), path)
    file = pq.ParquetFile(path, page_checksum_verification=True)
    assert [file.metadata.row_group(i).num_rows for i in range(3)] == [700, 700, 100]
    raw = bytearray(path.read_bytes())
    column = file.metadata.row_group(1).column(list(GALAXY_COLUMNS).index("vmax"))
    raw[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path, page_checksum_verification=True)


def test_memory_does_not_grow_with_rows(path, monkeypatch):
    monkeypatch.setattr(GalaxyCatalog, "digest", lambda self: "00" * 32)
    monkeypatch.setattr(module, "_GROUP", 10_000)
    peaks, pools = [], []
    for n in (30_000, 90_000):
        galaxies = catalogue(n)
        tracemalloc.start()
        write(galaxies, path, chunk_rows=4096)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        pools.append(pa.total_allocated_bytes())
    assert peaks[1] < 1.1 * peaks[0] + 100_000
    assert pools[1] <= pools[0] + 100_000


def test_other_rows_in_the_file_are_an_internal_error(path, monkeypatch):
    path.write_text("old")
    real = module._group
    monkeypatch.setattr(module, "_group", lambda *given: real(*given).slice(1))
    with pytest.raises(InternalError, match="verification"):
        write(catalogue(5), path)
    one = catalogue(5)["vmax"].copy()

    def other(schema, columns, start, stop):
        table = real(schema, columns, start, stop)
        at = table.column_names.index("vmax")
        return table.set_column(at, schema.field("vmax"), pa.array(one * 2))

    monkeypatch.setattr(module, "_group", other)
    with pytest.raises(InternalError, match="other rows"):
        write(catalogue(5), path)
    assert path.read_text() == "old"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_amid_the_writing_stops_it_and_is_not_lost(path, monkeypatch, number):
    path.write_text("old")
    monkeypatch.setattr(module, "_GROUP", 1000)
    real, calls = Disk.write, []

    def write_and_signal(self, data):
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(number)
        return real(self, data)

    def terminate(*_):
        raise SystemExit(143)

    monkeypatch.setattr(Disk, "write", write_and_signal)
    former = signal.signal(signal.SIGTERM, terminate)
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            write(catalogue(50_000), path)
    finally:
        signal.signal(signal.SIGTERM, former)
    assert len(calls) < 300  # of thousands
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_without_pyarrow_it_is_refused_before_any_work(demo_bundle, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setattr(pipeline, "read", None)
    with pytest.raises(UsageError, match=r"no pyarrow.*mockgal\[formats\]") as caught:
        pipeline.build(Recipe(sim=demo_bundle, painter="hod", out=path))
    assert caught.value.exit_code == 2
