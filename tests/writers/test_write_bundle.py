"""The bundle's writer: full disks, signals, counts, predicted sizes and verification.

That what is packed is what is read is in tests/readers/test_read_bundle.py.
"""

import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest
from write_samples import matter_scene

from mockgal.errors import HeaderError, InternalError
from mockgal.layout import DENSITY, GRID_ATTRIBUTES, GRID_UNITS, MASS, PARTICLES, POSITION
from mockgal.system.files import atomic
from mockgal.types import DensityField, ParticleChunk, Particles
from mockgal.writers import bundle as module
from mockgal.writers import density, store
from mockgal.writers.bundle import write_bundle


@pytest.fixture
def path(tmp_path):
    return tmp_path / "b.hdf5"


def grid(size, values=None, asked=None, kind="counts"):
    values = np.ones((size, size, size)) if values is None else values

    def read_slab(start, stop):
        if asked is not None:
            asked.append((start, stop))
        return values[start:stop]

    return DensityField(size, 200.0 / size, kind, "CIC", "centre", read_slab)


def streamed(scene, *chunks):
    count = sum(len(chunk.mass) for chunk in chunks)
    return replace(scene, particles=Particles(count, lambda _: iter(chunks)))


# ---- what is written


@pytest.mark.parametrize("own_masses", [False, True])
def test_the_bytes_do_not_depend_on_the_stream(path, own_masses):
    """Also where the first mass that differs comes late, after blocks that were written."""
    contents = set()
    for rows in (1 << 20, 65_536, 50_001, 7_000):
        write_bundle(matter_scene(200_000, own_masses), path, overwrite=True, chunk_rows=rows)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    with h5py.File(path) as file:
        assert (MASS in file) == own_masses
        (chunk,) = matter_scene(200_000, own_masses).particles.chunks(200_000)
        np.testing.assert_array_equal(file[POSITION][:], chunk.position.astype("f4"))
        if own_masses:
            np.testing.assert_array_equal(file[MASS][:], chunk.mass)
        else:
            assert file[PARTICLES].attrs["mass"] == chunk.mass[0]


def test_moved_particles_are_counted(path):
    scene = matter_scene(0)
    # of the last two, float32 has 200 for one and less for the other
    near = np.array([[1, 2, 3], [0, 200 - 1e-9, 5], [200 - 1e-9, 200 - 1e-9, 200 - 1e-4]])
    scene = streamed(
        scene,
        ParticleChunk(near[:1], np.ones(1), wrapped=4, at_edge=1),
        ParticleChunk(near[1:1], np.ones(0)),  # a chunk without rows is no error
        ParticleChunk(near[1:], np.ones(2), wrapped=1, at_edge=2),
    )
    moved = write_bundle(scene, path)
    assert moved == {"positions_wrapped": 5, "positions_at_box_edge": 6}
    with h5py.File(path) as file:
        assert {name: file[PARTICLES].attrs[name] for name in moved} == moved
        assert file[POSITION][:].max() < 200
        assert file[POSITION][1, 1] == 0
    assert not any(write_bundle(scene, path, overwrite=True, particles=False).values())


def test_a_stream_of_another_length_is_refused(path):
    scene = matter_scene(1000)
    for count in (999, 1001):
        with pytest.raises(HeaderError, match="particles"):
            write_bundle(replace(scene, particles=Particles(count, scene.particles.stream)), path)
    assert not path.exists()


@pytest.mark.parametrize("kind", GRID_UNITS)
def test_a_density_grid_is_written_with_its_facts(path, kind):
    values = np.random.default_rng(0).random((10, 10, 10))
    write_bundle(matter_scene(0), path, density=grid(10, values, kind=kind))
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file[DENSITY][:], values)
        facts = dict(file[DENSITY].attrs)
    assert set(facts) == set(GRID_ATTRIBUTES)
    assert facts["boxsize"] == 200
    assert (facts["kind"], facts["unit"]) == (kind.encode(), GRID_UNITS[kind].encode())
    assert (facts["mas"], facts["origin"]) == (b"CIC", b"centre")


def test_a_density_grid_is_read_in_slabs_bounded_by_bytes(path, monkeypatch):
    asked = []
    write_bundle(matter_scene(0), path, density=grid(16, asked=asked))
    assert asked == [(0, 16)]
    asked.clear()
    monkeypatch.setattr(density, "SLAB_BYTES", 5 * 8 * 16**2)
    write_bundle(matter_scene(0), path, density=grid(16, asked=asked), overwrite=True)
    assert asked == [(0, 5), (5, 10), (10, 15), (15, 16)]


def test_the_predicted_size_holds_own_masses(path, monkeypatch):
    sizes = []
    real = atomic.check_output
    monkeypatch.setattr(
        atomic,
        "check_output",
        lambda *a: real(*a) if len(a) < 4 else (sizes.append(a[3]), real(*a)),
    )
    uniform, own = matter_scene(100_000), matter_scene(100_000, own_masses=True)
    write_bundle(own, path)
    assert path.stat().st_size <= sizes[-1]
    # how a stream begins says nothing; that one mass for all makes up Omega_m does
    write_bundle(uniform, path, overwrite=True)
    assert sizes[0] - sizes[1] == 8 * 100_000
    unknown = replace(uniform, snapshot=replace(uniform.snapshot, particle_mass=None))
    write_bundle(unknown, path, overwrite=True)
    assert sizes[2] == sizes[0]


# ---- verification


def change_value(path, name):
    """Another value, with the right checksum: as of a fault in memory."""
    with h5py.File(path, "r+") as file:
        data = file[name]
        last = (-1,) * data.ndim
        data[last] = ~data[last] if data.dtype == bool else data[last] + 1


def break_chunk(path, name):
    with h5py.File(path) as file:
        data = file[name]
        last = data.id.get_chunk_info(data.id.get_num_chunks() - 1)
    with open(path, "r+b") as raw:
        raw.seek(last.byte_offset + last.size // 2)
        byte = raw.read(1)
        raw.seek(-1, 1)
        raw.write(bytes([byte[0] ^ 1]))


def remove(path, name):
    with h5py.File(path, "r+") as file:
        del file[name]


@pytest.mark.parametrize("damage", [change_value, break_chunk, remove])
@pytest.mark.parametrize(
    "name", [POSITION, MASS, DENSITY, "halos/vmax", "halos/is_central", "header/record"]
)
def test_any_damage_is_an_internal_error(path, monkeypatch, damage, name):
    path.write_text("old")
    real = module.verify

    def verify(written, sums):
        damage(written, name)
        real(written, sums)

    monkeypatch.setattr(module, "verify", verify)
    scene = matter_scene(100_000, own_masses=True)
    values = np.random.default_rng(0).random((16, 16, 16))
    with pytest.raises(InternalError, match=f"verification.*{name}") as caught:
        write_bundle(scene, path, density=grid(16, values), overwrite=True)
    assert caught.value.exit_code == 8
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


# ---- signals


@pytest.fixture(scope="module")
def big_bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("big") / "big.hdf5"
    write_bundle(matter_scene(3_000_000), path)
    return path


def pack_and_signal(source, out, number, ready):
    """Run ``mockgal pack``, send it ``number`` when ``ready(size of the temporary)``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mockgal", "pack", "--sim", str(source), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    sizes = [0]
    while process.poll() is None and not ready(sizes):
        time.sleep(0.01)
        sizes += [p.stat().st_size for p in out.parent.glob(".*.part.hdf5")]
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.slow_but("amid-2", "first-15")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "ready",
    [lambda s: s[-1] > 100_000, lambda s: s[-1] > 8_000_000, lambda s: s[-1] > 16_000_000],
    ids=["first", "early", "amid"],
)
def test_a_signal_ends_pack(big_bundle, path, number, ready):
    code, err = pack_and_signal(big_bundle, path, number, ready)
    assert code == 128 + number, err
    assert not re.search("Traceback|Exception ignored", err)
    assert list(path.parent.iterdir()) == []


def test_a_signal_amid_verification_waits_for_hdf5_and_is_not_lost(path, monkeypatch):
    real, seen = store.read_through, []

    def read_through(path, see):
        def see_and_signal(name, rows):
            if len(seen) == 2:
                signal.raise_signal(signal.SIGINT)
            seen.append(name)
            see(name, rows)

        return real(path, see_and_signal)

    monkeypatch.setattr(store, "read_through", read_through)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(matter_scene(300_000), path)
    assert len(seen) == 3
    assert list(path.parent.iterdir()) == []


def test_a_signal_whose_handler_does_not_raise_ends_the_writing_too(path):
    scene, caught = matter_scene(0), []

    def stream(_):
        signal.raise_signal(signal.SIGTERM)
        yield ParticleChunk(np.ones((1, 3)), np.ones(1))

    former = signal.signal(signal.SIGTERM, lambda *_: caught.append(1))
    try:
        with pytest.raises(KeyboardInterrupt):
            write_bundle(replace(scene, particles=Particles(1, stream)), path)
    finally:
        signal.signal(signal.SIGTERM, former)
    assert caught == [1]
    assert list(path.parent.iterdir()) == []
