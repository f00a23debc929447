"""Fields in files: the same numbers as in memory, found again, and gone when they should be."""

import errno
import shutil
from dataclasses import replace

import numpy as np
import pytest
from test_train_targets import GRID, LEAST, VOXEL, scene

from mockgal.errors import CorruptFileError, OutputError, ResourceError, listening
from mockgal.painters.cnn.weights.tensor_file import tensor_file
from mockgal.system import memory
from mockgal.training.data import volumes
from mockgal.training.data.field_files import Place, cleared, found, mended
from mockgal.training.data.volumes import volume_of
from mockgal.types import ParticleChunk, Particles

SHAPE = (2, GRID, GRID, GRID)
KEY, OTHER = "0123abcd", "beef"


def volume(place=None, sim=None, voxel_size=VOXEL):
    return volume_of(sim or scene(), voxel_size=voxel_size, least_subhalo_mass=LEAST, place=place)


@pytest.fixture
def kept(tmp_path):
    place = Place(tmp_path / "t", KEY)
    place.folder.mkdir()
    volume(place)
    return place


def damage(path, at=-5):
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


@pytest.mark.parametrize("key", [None, KEY])
def test_the_same_as_in_memory(tmp_path, key, monkeypatch):
    expected, place = volume(), Place(tmp_path, key)
    monkeypatch.setattr(volumes, "_PLANES_BYTES", 7 * 8 * GRID**2)  # pieces that do not come out
    box = volume(place)
    assert box.channels.tobytes() == expected.channels.tobytes()
    assert box.record == expected.record
    assert not box.channels.flags.writeable
    assert list(place.folder.iterdir()) == ([] if key is None else [place.path])


def test_they_are_not_in_memory(tmp_path, monkeypatch):
    """A grid for which there is no memory: particles and fields go by way of the disk."""
    expected = volume(voxel_size=VOXEL / 2)
    monkeypatch.setattr(memory, "available", lambda: 3 << 20)
    monkeypatch.setattr(volumes, "available", lambda: 3 << 20)
    monkeypatch.setattr(memory, "CHECKED_FROM", 1)
    monkeypatch.setattr(volumes, "_PLANES_BYTES", 1 << 18)
    with pytest.raises(ResourceError, match=rf"{2 * GRID}\^3 voxels"):
        volume(voxel_size=VOXEL / 2)
    box = volume(Place(tmp_path), voxel_size=VOXEL / 2)
    assert box.channels.tobytes() == expected.channels.tobytes()
    assert list(tmp_path.iterdir()) == []


def test_they_are_found_again(kept, monkeypatch):
    expected = volume()
    monkeypatch.setattr(volumes, "mass_channels", None)  # none are made
    box = volume(kept)
    assert box.channels.tobytes() == expected.channels.tobytes()
    assert box.record == expected.record
    with pytest.raises(TypeError):
        volume(kept._replace(key=OTHER))
    with pytest.raises(TypeError):
        volume(kept._replace(key=None))


def test_warnings_are_given_again(tmp_path):
    sim, place = scene(), Place(tmp_path, KEY)

    def stream(rows):
        for chunk in sim.particles.chunks(rows):
            yield ParticleChunk(chunk.position, chunk.mass, wrapped=3)

    outside = replace(sim, particles=Particles(sim.particles.count, stream))
    with listening(quiet=True) as first:
        volume(place, outside)
    with listening(quiet=True) as again:
        volume(place, outside)
    assert again == first
    assert len(first) == 1
    assert "wrapped" in first[0]


def test_crops_are_those_of_memory(kept):
    from train_samples import SMALL, normalisation, samples

    from mockgal.training.data.samples import CropBatches

    def crops(box):
        data = samples([box], 40)
        batches = CropBatches(
            data,
            np.arange(len(data)),
            architecture=SMALL,
            normalisation=normalisation(),
            batch_size=16,
            symmetries="all",
            seed=1,
            shuffle=True,
        )
        return np.concatenate([batch.crops.numpy() for batch in batches.epoch(0)])

    assert crops(volume(kept)).tobytes() == crops(volume()).tobytes()


@pytest.mark.fault(85)
@pytest.mark.parametrize("at", [-5, 5000, 200], ids=["last", "numbers", "header"])
def test_what_is_damaged_is_removed(kept, at):
    damage(kept.path, at)
    with pytest.warns(match="damaged"):
        mended(kept.folder)
    assert list(kept.folder.iterdir()) == []


def test_what_is_cut_off_is_removed(kept):
    with open(kept.path, "r+b") as file:
        file.truncate(kept.path.stat().st_size - 1)
    with pytest.raises(CorruptFileError):
        volume(kept)
    with pytest.warns(match="damaged"):
        mended(kept.folder)
    assert list(kept.folder.iterdir()) == []


def test_what_is_whole_stays_and_what_was_begun_goes(kept):
    before = kept.path.read_bytes()
    begun = kept.folder / f".fields-{OTHER}.safetensors.{32 * 'a'}.part.safetensors"
    begun.write_bytes(b"half")
    note = kept.folder / "epochs.csv"
    note.write_text("not ours")
    with pytest.warns(match="cleaned up"):
        mended(kept.folder)
    assert {p.name for p in kept.folder.iterdir()} == {kept.path.name, note.name}
    assert kept.path.read_bytes() == before


def test_all_are_cleared(kept):
    other = kept._replace(key=OTHER)
    shutil.copy(kept.path, other.path)
    box = volume(other)
    note = kept.folder / "epochs.csv"
    note.write_text("not ours")
    cleared(kept.folder)
    assert list(kept.folder.iterdir()) == [note]
    assert np.isfinite(box.channels).all()  # it is mapped still


def test_a_lock_that_was_left_is_taken_away_before_it_is_told_of(kept):
    """Else its warning would be among those of the weights."""
    lock = kept.folder / f".fields-{OTHER}.safetensors.lock"
    lock.write_text('{"host": "elsewhere", "pid": 1, "flock": true}')
    with pytest.warns(match="process 1 on host elsewhere"):
        mended(kept.folder)
    assert list(kept.folder.iterdir()) == [kept.path]


def test_those_that_another_run_writes_are_left(kept, monkeypatch):
    def taken(handle, how):
        raise BlockingIOError

    monkeypatch.setattr("mockgal.system.files.lock.fcntl.flock", taken)
    with pytest.raises(OutputError, match="is writing it"):
        mended(kept.folder)
    cleared(kept.folder)
    assert kept.path.exists()


def test_what_the_system_refuses_is_said(kept, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    with monkeypatch.context() as patched:
        patched.setattr(np, "memmap", refuse)
        for key in (KEY, OTHER, None):
            with pytest.raises(ResourceError, match="ulimit -v"):
                volume(kept._replace(key=key))
    damage(kept.path)
    for name in ("iterdir", "unlink"):
        with monkeypatch.context() as patched, listening(quiet=True):
            patched.setattr(type(kept.path), name, refuse)
            with pytest.raises((OutputError, ResourceError), match="Cannot"):
                mended(kept.folder)


def test_fields_of_another_grid_are_refused(kept):
    with pytest.raises(CorruptFileError, match="other tensors"):
        found(kept, (2, 4, 4, 4))


def test_room_is_asked_for_before_the_work(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(volumes, "mass_channels", None)
    for key in (None, KEY):
        with pytest.raises(ResourceError, match="bytes free"):
            volume(Place(tmp_path, key))
    with pytest.raises(OutputError, match="no directory"):
        volume(Place(tmp_path / "nowhere"))


def test_any_program_can_read_them(kept):
    with tensor_file(kept.path) as file:
        assert file.start % 4096 == 0
        assert np.array_equal(file.read("fields"), volume().channels)
    load_file = pytest.importorskip("safetensors.numpy").load_file
    assert np.array_equal(load_file(kept.path)["fields"], volume().channels)
