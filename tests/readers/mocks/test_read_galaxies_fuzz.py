"""Damage at sampled places of files of ours: an error of ours, or the very same catalogue."""

import h5py
import numpy as np
import pytest
from galaxies_samples import catalogue, same, written

from mockgal.errors import InputError, UnsafeInputError
from mockgal.readers.mocks.reader import is_catalogue, read_galaxies


def damaged(rng, raw, places):
    """A copy of ``raw`` cut off, or with some bytes changed near one of ``places``."""
    copy, place = bytearray(raw), int(rng.choice(places))
    kind = rng.integers(0, 5)
    if kind == 0:
        return bytes(copy[:place])
    if kind == 1:
        copy[place] ^= 1 << int(rng.integers(0, 8))
    elif kind == 2:
        copy[place] = int(rng.integers(0, 256))
    elif kind == 3:
        some = bytes(rng.integers(0, 256, rng.integers(2, 9), dtype=np.uint8))
        copy[place : place + len(some)] = some
    else:
        count = int(rng.integers(2, 9))
        copy[place : place + count] = bytes(count)
    return bytes(copy[: len(raw)])


def outcomes(path, galaxies, places, count, seed):
    """Read ``count`` damaged copies: how many were refused, and how many read as if whole."""
    raw, rng = path.read_bytes(), np.random.default_rng(seed)
    refused = unharmed = 0
    for _ in range(count):
        copy = damaged(rng, raw, places)
        if copy == raw:
            continue
        path.write_bytes(copy)
        is_catalogue(path)  # never raises
        try:
            back = read_galaxies(path)
        except (InputError, UnsafeInputError):
            refused += 1
        else:
            assert same(back, galaxies)
            unharmed += 1
    return refused, unharmed


@pytest.mark.slow_but("150-h-free")
@pytest.mark.parametrize("units", ["h", "h-free"])
@pytest.mark.parametrize("n", [0, 150])
def test_no_damage_of_fits_goes_unseen(tmp_path, units, n):
    path = written(catalogue(n), tmp_path / "a.fits", units)
    galaxies, size = read_galaxies(path), path.stat().st_size
    refused, unharmed = outcomes(path, galaxies, np.arange(size), 150, seed=n)
    assert unharmed == 0  # the sums cover every byte
    assert refused > 125


@pytest.mark.slow_but("150-h-free")
@pytest.mark.parametrize("units", ["h", "h-free"])
@pytest.mark.parametrize("n", [0, 150])
def test_damage_of_parquet_is_seen_or_harmless(tmp_path, units, n):
    path = written(catalogue(n), tmp_path / "a.parquet", units)
    galaxies, size = read_galaxies(path), path.stat().st_size
    refused, _ = outcomes(path, galaxies, np.arange(size), 80, seed=n)
    assert refused > 30  # most of the footer repeats what is elsewhere


@pytest.mark.slow_but("150-h-free", "40000-h-free")
@pytest.mark.parametrize("units", ["h", "h-free"])
@pytest.mark.parametrize("n", [0, 150, 40_000])
def test_damage_of_hdf5_is_seen_or_harmless(tmp_path, monkeypatch, units, n):
    monkeypatch.setenv("MOCKGAL_HDF5_SECONDS", "2")  # in which whole files are read many times
    path = written(catalogue(n), tmp_path / "a.hdf5", units)
    galaxies = read_galaxies(path)
    places = np.arange(path.stat().st_size)
    if n > 1000:  # the rows have checksums: look at what says where they lie
        with h5py.File(path) as file:
            for data in file["galaxies"].values():
                for i in range(data.id.get_num_chunks()):
                    chunk = data.id.get_chunk_info(i)
                    places[chunk.byte_offset : chunk.byte_offset + chunk.size] = -1
        places = places[places >= 0]
    count = 30 if n > 1000 else 65
    refused, _ = outcomes(path, galaxies, places, count, seed=n)
    assert refused > count / 4
