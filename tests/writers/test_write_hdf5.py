import hashlib
import json
import signal
import threading
import time
import tracemalloc

import h5py
import numpy as np
import pytest
from astropy.units import Unit
from write_samples import H, catalogue, in_file

import mockgal
from mockgal.columns import GALAXY_COLUMNS
from mockgal.errors import CorruptFileError, InternalError, UsageError
from mockgal.system.files.disk import Disk
from mockgal.types import GalaxyCatalog
from mockgal.writers import hdf5 as module
from mockgal.writers.fits import FITSWriter
from mockgal.writers.hdf5 import HDF5Writer, verify_hdf5


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mock.hdf5"


def write(galaxies, path, **options):
    HDF5Writer().write(galaxies, path, **{"overwrite": True, **options})


@pytest.mark.parametrize("units", ["h-free", "h"])
@pytest.mark.parametrize("n", [0, 1, 20_000])
def test_h5py_reads_back_numbers_and_units(path, units, n):
    galaxies = catalogue(n)
    write(galaxies, path, units=units)
    with h5py.File(path) as file:
        assert set(file["galaxies"]) == set(GALAXY_COLUMNS)
        for name, column in GALAXY_COLUMNS.items():
            dataset = file["galaxies"][name]
            assert dataset.dtype == column.dtype
            assert dataset.fletcher32
            np.testing.assert_allclose(dataset[:], in_file(galaxies, name, units), rtol=1e-7)
            keeps = units == "h" and column.h_power
            assert dataset.attrs["h_power"] == (column.h_power if keeps else 0)
            assert dataset.attrs["a_power"] == column.a_power
            unit = Unit(column.unit).to_string("fits")
            assert dataset.attrs["unit"] == ("" if keeps else unit)
            assert dataset.attrs["description"].startswith(column.meaning)
            assert dataset.attrs["description"].endswith("/h]") == bool(keeps)
        assert file.attrs["complete"] == 1
        assert file.attrs["rows"] == n
        assert file.attrs["box_size"] == pytest.approx(100 / H if units == "h-free" else 100)


def test_the_facts_are_those_of_the_fits_file(path, tmp_path):
    galaxies = catalogue(10, name="宇宙\n\0", seed=2**70)
    write(galaxies, path)
    with h5py.File(path) as file:
        facts = dict(file.attrs)
    assert facts["simulation"] == "宇宙\\n\\x00"
    assert facts["seed"] == str(2**70)
    assert facts["content_digest"] == galaxies.digest()
    text = facts["provenance"].encode("ascii")
    assert facts["provenance_digest"] == hashlib.blake2b(text, digest_size=32).hexdigest()
    assert facts["cut_1"] == "stellar_mass > 1e10 Msun/h"
    assert json.loads(facts["provenance"])["simulation"]["name"] == "宇宙\n\0"
    FITSWriter().write(galaxies, tmp_path / "a.fits")
    from astropy.table import Table

    assert Table.read(tmp_path / "a.fits", hdu="PROVENANCE")["json"][0] == facts["provenance"]


def test_compressed_it_is_the_same_catalogue(tmp_path):
    galaxies, paths = catalogue(20_000), [tmp_path / "plain.hdf5", tmp_path / "small.hdf5"]
    for path, compress in zip(paths, (False, True), strict=True):
        mockgal.write(galaxies, path, compress=compress)
    assert paths[1].stat().st_size < 0.9 * paths[0].stat().st_size
    with h5py.File(paths[0]) as plain, h5py.File(paths[1]) as small:
        assert dict(plain.attrs) == dict(small.attrs)  # the digests are among them
        for name, data in small["galaxies"].items():
            assert (data.compression, data.shuffle, data.fletcher32) == ("gzip", True, True)
            np.testing.assert_array_equal(data[:], plain["galaxies"][name][:])
    first, second = map(mockgal.read_galaxies, paths)
    assert first.digest() == second.digest()


def test_which_formats_compress(tmp_path):
    galaxies = catalogue(3)
    with pytest.raises(UsageError, match=r"--compress.*name it .hdf5 or .parquet or .fits.gz"):
        mockgal.write(galaxies, tmp_path / "a.fits", compress=True)
    for name in ("a.parquet", "a.fits.gz", "a.h5", "A.FITS.GZ"):
        mockgal.write(galaxies, tmp_path / name, compress=True)
    for name in (".fits", "a.gz", "fits.gz", "a"):
        with pytest.raises(UsageError, match="extension"):
            mockgal.write(galaxies, tmp_path / name)


def test_provenance_of_any_size_is_an_attribute(path):
    write(catalogue(1, notes=["note"] * 200_000), path)
    with h5py.File(path) as file:
        assert len(json.loads(file.attrs["provenance"])["notes"]) == 200_000


@pytest.mark.parametrize("n", [0, 1, 50_001])
def test_the_bytes_depend_on_the_content_alone(tmp_path, n):
    contents = set()
    for i, chunk_rows in enumerate((65536, 1, 20_000, 10**6)):
        path = tmp_path / f"{i}.hdf5"
        write(catalogue(n), path, chunk_rows=chunk_rows)
        contents.add(path.read_bytes())
        if i == 0 and n == 1:
            time.sleep(1.1)  # times in HDF5 are whole seconds
    assert len(contents) == 1


def test_memory_does_not_grow_with_rows(path, monkeypatch):
    monkeypatch.setattr(GalaxyCatalog, "digest", lambda self: "00" * 32)
    peaks = []
    for n in (50_000, 200_000):
        galaxies = catalogue(n)
        tracemalloc.start()
        write(galaxies, path, chunk_rows=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] + 100_000


def test_damage_is_found(path):
    write(catalogue(5000), path)
    raw = path.read_bytes()
    assert verify_hdf5(path) == dict.fromkeys(GALAXY_COLUMNS, 5000)
    with h5py.File(path) as file:
        chunk = file["galaxies/vmax"].id.get_chunk_info(0).byte_offset
    bad = bytearray(raw)
    bad[chunk + 100] ^= 1
    path.write_bytes(bad)
    with pytest.raises(CorruptFileError, match="/galaxies/vmax"):
        verify_hdf5(path)
    for length in (0, 100, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:length])
        with pytest.raises(CorruptFileError):
            verify_hdf5(path)


def test_a_file_that_was_not_completed_is_found(path):
    write(catalogue(5), path)
    with h5py.File(path, "a") as file:
        del file.attrs["complete"]
    with pytest.raises(CorruptFileError, match="complete"):
        verify_hdf5(path)


def test_missing_rows_are_an_internal_error(path, monkeypatch):
    path.write_text("old")
    monkeypatch.setattr(module, "verify_hdf5", lambda *_: {"galaxy_id": 3})
    with pytest.raises(InternalError, match="verification"):
        write(catalogue(5), path)
    assert path.read_text() == "old"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_amid_hdf5_stops_the_writing_and_is_not_lost(path, monkeypatch, number):
    path.write_text("old")
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
            write(catalogue(100_000), path)
        assert signal.getsignal(signal.SIGTERM) is terminate
    finally:
        signal.signal(signal.SIGTERM, former)
    assert len(calls) < 60  # of more than a hundred
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_thread_may_write(path):
    thread = threading.Thread(target=write, args=(catalogue(10), path))
    thread.start()
    thread.join()
    assert verify_hdf5(path)["vmax"] == 10
