"""Faults 1-5: corrupt or truncated HDF5; 61: locking; 64-69, 73: hostile HDF5."""

import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from read_faults import catalogue, edit, refused

from mockgal.errors import CorruptFileError, InputError, MockgalError, UnsafeInputError
from mockgal.read import safe
from mockgal.read.detect import read
from mockgal.write.bundle import write_bundle

POSITION = "Subhalo/SubhaloPos"
IO = Path("/proc/self/io")


@pytest.mark.parametrize("which", [0, 1])
def test_fault_01_truncated(run, which):
    file = catalogue(run)[which]
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    refused(run, file, len(whole), len(whole) // 2, "truncated")
    refused(catalogue(run)[which], file, len(whole))


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"<!DOCTYPE html><html>busy</html>"])
def test_fault_02_not_hdf5(run, content):
    file = catalogue(run)[0]
    file.write_bytes(content)
    shown = repr(content[:10])[2:-1] if content.strip(b"\0") else "first bytes" * (not content)
    refused(run, file, shown)
    refused(file, file, shown)


def test_fault_02_not_hdf5_alone(tmp_path):
    path = tmp_path / "catalogue.hdf5"
    path.write_bytes(b"<html>404</html>")
    refused(path, path, "<html>404")


def test_fault_03_fletcher(run):
    file = catalogue(run)[1]
    with h5py.File(file) as opened:
        chunk = opened[POSITION].id.get_chunk_info(1)
    content = bytearray(file.read_bytes())
    content[chunk.byte_offset + 5] ^= 0xFF
    file.write_bytes(content)
    refused(run, f"{file}:/{POSITION}", "Fletcher-32", "chunk (1, 0)")


def test_fault_04_open_for_writing(run):
    file = catalogue(run)[0]
    with h5py.File(file.with_name("copy.h5"), "w", libver="latest") as opened:
        opened["x"] = 1
        opened.flush()
        content = file.with_name("copy.h5").read_bytes()
    file.write_bytes(content)
    refused(file, file, "open for writing")


def test_fault_05_dataset_missing(run):
    file = catalogue(run)[0]
    edit(file, POSITION, lambda values: None)
    refused(run, f"{file}:/{POSITION}", "SubhaloVel")


def test_fault_61_locking_refused(run):
    """A writer in another process holds the lock."""
    file = catalogue(run)[0]
    code = (
        "import h5py, sys; f = h5py.File(sys.argv[1], 'r+'); print(1, flush=True); sys.stdin.read()"
    )
    environment = {k: v for k, v in os.environ.items() if k != "HDF5_USE_FILE_LOCKING"}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as writer:
        writer.stdout.readline()
        try:
            refused(file, file, "HDF5_USE_FILE_LOCKING")
        finally:
            writer.stdin.close()


@pytest.mark.parametrize("link", ["last", "intermediate"])
def test_fault_64_external_link(run, link):
    file = catalogue(run)[0]
    name = POSITION if link == "last" else "Subhalo"
    other = file.with_name("elsewhere.h5")
    with h5py.File(file, "r+") as source, h5py.File(other, "w") as target:
        source.copy(name, target, name)
        del source[name]
        source[name] = h5py.ExternalLink(other.name, f"/{name}")
    refused(run, file, "link out of the file", code=4)


def test_fault_64_through_a_soft_link(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["out"] = h5py.ExternalLink("b.h5", "/")
        file["soft"] = h5py.SoftLink("/out/x")
    with safe.open_hdf5(tmp_path / "a.h5") as file, pytest.raises(UnsafeInputError):
        safe.dataset(file, "soft")


def test_fault_65_external_storage(run):
    file = catalogue(run)[0]
    with h5py.File(file, "r+") as opened:
        shape = opened[POSITION].shape
        del opened[POSITION]
        opened.create_dataset(
            POSITION, shape, "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
        )
    refused(run, f"{file}:/{POSITION}", code=4)


@pytest.mark.parametrize("target", ["/etc/x.h5", "../x.h5", "x.h5"])
def test_fault_66_virtual(run, target):
    file = catalogue(run)[0]
    with h5py.File(file, "r+") as opened:
        shape = opened[POSITION].shape
        del opened[POSITION]
        layout = h5py.VirtualLayout(shape, "f4")
        layout[:] = h5py.VirtualSource(target, "x", shape)
        opened.create_virtual_dataset(POSITION, layout)
    refused(run, f"{file}:/{POSITION}", "virtual", code=4)


@pytest.mark.parametrize("chunks", [None, (1 << 20,)])
def test_fault_67_absurd_size(tmp_path, chunks):
    path = tmp_path / "huge.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (3 << 50,), "f8", chunks=chunks)
    assert path.stat().st_size < 8192
    with safe.open_hdf5(path) as file, pytest.raises(UnsafeInputError) as caught:
        safe.dataset(file, "x")
    assert caught.value.exit_code == 4
    assert caught.value.fix


def test_fault_67_never_written(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (1000,), "f8")
        file.create_dataset("y", (1000,), "f8", chunks=(100,))[:500] = 1
    for name in "xy":
        with safe.open_hdf5(tmp_path / "a.h5") as file, pytest.raises(CorruptFileError):
            safe.dataset(file, name)


def test_fault_68_bomb(tmp_path):
    """Every chunk is there, but the whole is far larger than what is stored."""
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("x", (80 << 23,), "f8", chunks=(1 << 23,), compression="gzip")
        packed = zlib.compress(bytes(8 << 23))
        for k in range(80):
            data.id.write_direct_chunk((k << 23,), packed)
    with safe.open_hdf5(path) as file, pytest.raises(UnsafeInputError):
        safe.dataset(file, "x")


@pytest.mark.parametrize("column", ["halos/mass", "particles/position"])
@pytest.mark.parametrize("kind", ["virtual", "huge"])
def test_faults_66_and_67_in_a_bundle(run, tmp_path, column, kind):
    """Unsafe whatever else is wrong with it, such as attributes that are not there."""
    path = tmp_path / "b.hdf5"
    write_bundle(read(run), path)
    with h5py.File(path, "r+") as file:
        shape = file[column].shape
        del file[column]
        if kind == "huge":
            file.create_dataset(column, (3 << 50, *shape[1:]), "f8", chunks=(64, *shape[1:]))
        else:
            layout = h5py.VirtualLayout(shape, "f8")
            layout[:] = h5py.VirtualSource("/etc/x.h5", "x", shape)
            file.create_virtual_dataset(column, layout)
    refused(path, f"{path}:/{column}", code=4)


@pytest.mark.skipif(not IO.exists(), reason="the kernel does not count what is read")
def test_a_stored_chunk_is_unpacked_once(tmp_path):
    """All rows in one stored chunk, read in many pieces: the file is read through once."""
    values = np.random.default_rng(0).normal(size=(1 << 19, 3))  # 12 MB, of which 11 stored
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=values, chunks=values.shape, compression="gzip")
    with safe.open_hdf5(path) as file:
        data = safe.dataset(file, "x")
        assert data.id.get_access_plist().get_chunk_cache()[1] == values.nbytes
        before = _bytes_read()
        pieces = [safe.read_rows(data, k, k + 4096) for k in range(0, len(values), 4096)]
        assert _bytes_read() - before < 1.5 * path.stat().st_size
    np.testing.assert_array_equal(np.concatenate(pieces), values)


def _bytes_read():
    return int(re.search(r"rchar: (\d+)", IO.read_text())[1])


def test_a_stored_chunk_too_large_to_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(safe, "MAX_CHUNK", 64 << 20)
    values = np.zeros((1 << 22, 3))  # 96 MiB
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=values.shape, compression="gzip")
    with safe.open_hdf5(tmp_path / "a.h5") as file, pytest.raises(InputError) as caught:
        safe.dataset(file, "x")
    assert caught.value.exit_code == 3
    assert "h5repack -l /x:CHUNK=699050x3 " in caught.value.fix


def test_fault_69_unknown_filter(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((100,))
        plist.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, (1,))
        data = h5py.h5d.create(
            file.id, b"x", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((100,)), plist
        )
        data.write_direct_chunk((0,), b"abcdefgh" * 100, 0)
    with safe.open_hdf5(path) as file, pytest.raises(InputError) as caught:
        safe.dataset(file, "x")
    assert caught.value.exit_code == 3
    assert "hdf5plugin" in caught.value.fix


def test_fault_73_link_loop_and_depth(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
        file["good"] = np.arange(3)
        file["to_good"] = h5py.SoftLink("good")
        file["nowhere"] = h5py.SoftLink("/none")
        file["/".join("d" * 50)] = np.arange(3)
    with safe.open_hdf5(tmp_path / "a.h5") as file:
        for name in ("a", "/".join("d" * 50)):
            with pytest.raises(UnsafeInputError):
                safe.dataset(file, name)
        assert safe.read_rows(safe.dataset(file, "to_good")).tolist() == [0, 1, 2]
        assert not safe.exists(file, "nowhere")


def test_not_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.hdf5")
    refused(tmp_path / "pipe.hdf5", "ordinary file", format="bundle")
    refused(tmp_path / "absent.hdf5", "no such file")


@pytest.mark.parametrize("seed", range(12))
def test_random_damage_gives_our_errors_only(run, seed):
    """Bytes changed anywhere: read, or one of our errors; never an exception of h5py."""
    file = catalogue(run)[0]
    content = np.frombuffer(file.read_bytes(), np.uint8).copy()
    rng = np.random.default_rng(seed)
    content[rng.integers(0, len(content), 400)] = rng.integers(0, 256, 400)
    file.write_bytes(content.tobytes())
    error = None
    try:
        read(run, format="gadget4")
    except MockgalError as raised:
        error = raised
    assert error is None or (error.exit_code in (3, 4) and error.fix)
