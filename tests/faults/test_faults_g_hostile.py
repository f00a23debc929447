"""Faults 62-73: files that were made to do harm."""

import pickle
import re
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from bomb import Bomb
from read_faults import both, case, catalogue, header, write_pickle, write_weights

from mockgal import registry
from mockgal.errors import CorruptFileError, InputError, MockgalError
from mockgal.readers.detect import read
from mockgal.readers.hdf5 import safe, stored
from mockgal.tasks import build as pipeline
from mockgal.tasks import pack as packing
from mockgal.writers.bundle import write_bundle

POSITION = "Subhalo/SubhaloPos"
IO = Path("/proc/self/io")


def write_npy(path, bomb):
    with path.open("wb") as file:  # np.save would add an ending to the name
        np.save(file, np.array([bomb, 1.0], dtype=object), allow_pickle=True)


HARMFUL = [
    case(62, write_pickle, ".pkl"),
    case(62, write_weights, ".pt"),
    case(63, write_npy, ".npy"),
]


@pytest.fixture
def bomb(tmp_path):
    """Goes off if it is unpickled, as it is here first; then it must not."""
    mark = tmp_path / "it went off"
    pickle.loads(pickle.dumps(Bomb(mark)))  # noqa: S301
    mark.rmdir()
    yield Bomb(mark)
    assert not mark.exists()


@pytest.mark.parametrize(("write", "suffix"), HARMFUL)
def test_objects_as_a_simulation(tmp_path, bomb, write, suffix, refused):
    for name in (suffix, ".hdf5", ".fits", ".list", ".txt"):
        path = tmp_path / f"sim{name}"
        write(path, bomb)
        refused(path, path)
        for format in registry.names("readers"):
            code = 4 if (format, suffix) == ("table", ".npy") else None  # it reads such files
            refused(path, path, code=code, format=format)


@pytest.mark.parametrize(("write", "suffix"), HARMFUL)
def test_objects_beside_a_simulation(tmp_path, bomb, write, suffix, demo_bundle, exit_code):
    path = tmp_path / f"a{suffix}"
    write(path, bomb)
    of_matter = 4 if suffix == ".npy" else exit_code
    for use, code in (
        (
            lambda: pipeline.paint(
                pipeline.read(demo_bundle), "hod", seed=1, calibration=str(path)
            ),
            exit_code,
        ),
        (lambda: pipeline.read(demo_bundle, matter=path), of_matter),
        (lambda: packing.pack(demo_bundle, tmp_path / "b.hdf5", matter=path), of_matter),
        (lambda: pipeline.read_galaxies(path), exit_code),
    ):
        with pytest.raises(MockgalError) as caught:
            use()
        assert caught.value.exit_code == code
        assert str(path) in str(caught.value)
    assert not (tmp_path / "b.hdf5").exists()


def unsafe(path, *names, code):
    """Each of the datasets is refused."""
    for name in names:
        with safe.open_hdf5(path) as file, pytest.raises(MockgalError) as caught:
            safe.dataset(file, name)
        assert caught.value.exit_code == code, caught.value
        assert caught.value.fix
        assert f"{path}:/{name}" in str(caught.value)
    return caught.value


@pytest.mark.fault(64)
@both
@pytest.mark.parametrize("link", ["last", "intermediate"])
def test_external_link(run, link, refused):
    file = catalogue(run)[0]
    name = POSITION if link == "last" else "Subhalo"
    other = file.with_name("elsewhere.h5")
    with h5py.File(file, "r+") as source, h5py.File(other, "w") as target:
        source.copy(name, target, name)
        del source[name]
        source[name] = h5py.ExternalLink(other.name, f"/{name}")
    refused(run, file, "link out of the file")


@pytest.mark.fault(64)
def test_external_link_through_a_soft_link(tmp_path, exit_code):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["out"] = h5py.ExternalLink("b.h5", "/")
        file["soft"] = h5py.SoftLink("/out/x")
    unsafe(tmp_path / "a.h5", "soft", code=exit_code)


@pytest.mark.fault(65)
@both
def test_external_storage(run, refused):
    file = catalogue(run)[0]
    with h5py.File(file, "r+") as opened:
        shape = opened[POSITION].shape
        del opened[POSITION]
        opened.create_dataset(
            POSITION, shape, "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
        )
    refused(run, f"{file}:/{POSITION}")


@pytest.mark.fault(66)
@pytest.mark.parametrize("target", ["/etc/x.h5", "../x.h5", "x.h5"])
def test_virtual(run, target, refused):
    file = catalogue(run)[0]
    with h5py.File(file, "r+") as opened:
        shape = opened[POSITION].shape
        del opened[POSITION]
        layout = h5py.VirtualLayout(shape, "f4")
        layout[:] = h5py.VirtualSource(target, "x", shape)
        opened.create_virtual_dataset(POSITION, layout)
    refused(run, f"{file}:/{POSITION}", "virtual")


@pytest.mark.fault(67)
@pytest.mark.parametrize("chunks", [None, (1 << 20,)])
def test_absurd_size(tmp_path, chunks, exit_code):
    path = tmp_path / "huge.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (3 << 50,), "f8", chunks=chunks)
    assert path.stat().st_size < 8192
    unsafe(path, "x", code=exit_code)


def test_rows_that_were_never_written(tmp_path):
    """No harm is meant: the writer was cut off."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (1000,), "f8")
        file.create_dataset("y", (1000,), "f8", chunks=(100,))[:500] = 1
    unsafe(tmp_path / "a.h5", *"xy", code=CorruptFileError.exit_code)


@pytest.mark.fault(68)
def test_bomb(tmp_path, exit_code):
    """Every chunk is there, but the whole is far larger than what is stored."""
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("x", (80 << 23,), "f8", chunks=(1 << 23,), compression="gzip")
        packed = zlib.compress(bytes(8 << 23))
        for k in range(80):
            data.id.write_direct_chunk((k << 23,), packed)
    unsafe(path, "x", code=exit_code)


@pytest.mark.parametrize("column", ["halos/mass", "particles/position"])
@pytest.mark.parametrize("kind", [case(66, "virtual"), case(67, "huge")])
def test_in_a_bundle(run, tmp_path, column, kind, refused):
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
    refused(path, f"{path}:/{column}")


@pytest.mark.skipif(not IO.exists(), reason="the kernel does not count what is read")
def test_a_stored_chunk_is_unpacked_once(tmp_path):
    """All rows in one stored chunk, read in many pieces: the file is read through once."""
    values = np.random.default_rng(0).normal(size=(1 << 19, 3))  # 12 MB, of which 11 stored
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=values, chunks=values.shape, compression="gzip")
    with safe.open_hdf5(path) as file:
        data = safe.dataset(file, "x")
        before = _bytes_read()
        pieces = [safe.read_rows(data, k, k + 4096) for k in range(0, len(values), 4096)]
        assert _bytes_read() - before < 1.5 * path.stat().st_size
    np.testing.assert_array_equal(np.concatenate(pieces), values)


def _bytes_read():
    return int(re.search(r"rchar: (\d+)", IO.read_text())[1])


def test_a_stored_chunk_too_large_to_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "MAX_CHUNK", 64 << 20)
    values = np.zeros((1 << 22, 3))  # 96 MiB
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=values, chunks=values.shape, compression="gzip")
    with safe.open_hdf5(tmp_path / "a.h5") as file, pytest.raises(InputError) as caught:
        safe.dataset(file, "x")
    assert caught.value.exit_code == 3
    assert "h5repack -l /x:CHUNK=699050x3 " in caught.value.fix


@pytest.mark.fault(69)
def test_unknown_filter(tmp_path, exit_code):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((100,))
        plist.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, (1,))
        data = h5py.h5d.create(
            file.id, b"x", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((100,)), plist
        )
        data.write_direct_chunk((0,), b"abcdefgh" * 100, 0)
    assert "hdf5plugin" in unsafe(path, "x", code=exit_code).fix


@pytest.mark.fault(70)
def test_name_of_a_run_that_forges_lines(run, mockgal_command, exit_code):
    """The name is printed, and goes to the headers of the output."""
    name = "run\x1b[2J\nSEED    =                    7\r"
    header(catalogue(run), "Parameters", OutputDir=np.bytes_(f"./{name}/".encode()))
    escaped = "run\\x1b[2J\\nSEED    =                    7\\r"
    scene = read(run)
    assert scene.snapshot.name == escaped
    result = mockgal_command("inspect", run)
    assert result.returncode == exit_code
    assert escaped in result.stdout
    assert not {"\x1b", "\r"} & set(result.stdout)
    assert not any(line.startswith("SEED") for line in result.stdout.splitlines())


@pytest.mark.fault(72)
@pytest.mark.parametrize("name", ["a.hdf5[1]", "a.hdf5[1][NGAL > 0]", "|cat a.hdf5"])
def test_names_of_inputs_are_names(tmp_path, monkeypatch, demo_bundle, name):
    """CFITSIO takes such names for parts of files and for programs."""
    monkeypatch.chdir(tmp_path)
    Path("a.hdf5").write_bytes(demo_bundle.read_bytes())
    with pytest.raises(InputError, match="no such file"):
        pipeline.read(name)
    Path("a.hdf5").rename(name)
    assert len(pipeline.read(name).halos) == 456


@pytest.mark.fault(73)
def test_link_loop_and_depth(tmp_path, exit_code):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
        file["good"] = np.arange(3)
        file["to_good"] = h5py.SoftLink("good")
        file["nowhere"] = h5py.SoftLink("/none")
        file["/".join("d" * 50)] = np.arange(3)
    unsafe(tmp_path / "a.h5", "a", "/".join("d" * 50), code=exit_code)
    with safe.open_hdf5(tmp_path / "a.h5") as file:
        assert safe.read_rows(safe.dataset(file, "to_good")).tolist() == [0, 1, 2]
        assert not safe.exists(file, "nowhere")
