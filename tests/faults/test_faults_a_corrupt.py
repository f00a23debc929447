"""Faults 1-5: HDF5 files that are cut short or damaged."""

import os

import h5py
import numpy as np
import pytest
from read_faults import both, catalogue, edit

from mockgal.errors import MockgalError
from mockgal.readers.detect import read

POSITION = "Subhalo/SubhaloPos"


@pytest.mark.fault(1)
@both
@pytest.mark.parametrize("which", [0, 1])
def test_truncated(run, which, refused):
    file = catalogue(run)[which]
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    refused(run, file, len(whole), len(whole) // 2, "truncated")
    refused(catalogue(run)[which], file, len(whole))


@pytest.mark.fault(2)
@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"<!DOCTYPE html><html>busy</html>"])
def test_not_hdf5(run, content, refused):
    file = catalogue(run)[0]
    file.write_bytes(content)
    shown = repr(content[:10])[2:-1] if content.strip(b"\0") else "first bytes" * (not content)
    refused(run, file, shown)
    refused(file, file, shown)


@pytest.mark.fault(2)
def test_not_hdf5_alone(tmp_path, refused):
    path = tmp_path / "catalogue.hdf5"
    path.write_bytes(b"<html>404</html>")
    refused(path, path, "<html>404")


@pytest.mark.fault(3)
@both
def test_fletcher(run, refused):
    file = catalogue(run)[1]
    with h5py.File(file) as opened:
        chunk = opened[POSITION].id.get_chunk_info(1)
    content = bytearray(file.read_bytes())
    content[chunk.byte_offset + 5] ^= 0xFF
    file.write_bytes(content)
    refused(run, f"{file}:/{POSITION}", "Fletcher-32", "chunk (1, 0)")


@pytest.mark.fault(4)
@both
def test_open_for_writing(run, refused):
    file = catalogue(run)[0]
    with h5py.File(file.with_name("copy.h5"), "w", libver="latest") as opened:
        opened["x"] = 1
        opened.flush()
        content = file.with_name("copy.h5").read_bytes()
    file.write_bytes(content)
    refused(file, file, "open for writing")


@pytest.mark.fault(5)
@both
def test_dataset_missing(run, refused):
    file = catalogue(run)[0]
    edit(file, POSITION, lambda values: None)
    refused(run, f"{file}:/{POSITION}", "SubhaloVel")


def test_not_a_file(tmp_path, refused):
    os.mkfifo(tmp_path / "pipe.hdf5")
    refused(tmp_path / "pipe.hdf5", "ordinary file", format="bundle")
    refused(tmp_path / "absent.hdf5", "no such file")


@both
@pytest.mark.parametrize("seed", range(6))
def test_random_damage_gives_our_errors_only(run, seed, dialect):
    """Bytes changed anywhere: read, or one of our errors; never an exception of h5py."""
    file = catalogue(run)[0]
    content = np.frombuffer(file.read_bytes(), np.uint8).copy()
    rng = np.random.default_rng(seed)
    content[rng.integers(0, len(content), 400)] = rng.integers(0, 256, 400)
    file.write_bytes(content.tobytes())
    error = None
    try:
        read(run, format=dialect.name)
    except MockgalError as raised:
        error = raised
    assert error is None or (error.exit_code in (3, 4) and error.fix)
