"""The matter field: the same bits in memory and by way of the disk, and what is refused."""

import errno
import io
import signal

import numpy as np
import pytest
from field_samples import BOX_SIZE, COSMOLOGY, MATTER, particles, rows, snapshot
from hypothesis import given
from hypothesis import strategies as st

from mockgal.errors import (
    BadValueError,
    HeaderError,
    InternalError,
    OutputError,
    ResourceError,
    UnitsError,
    UsageError,
)
from mockgal.fields import matter, spill
from mockgal.fields.assign import SUPPORT, Deposit, reference
from mockgal.fields.matter import matter_field

WHOLE = 1 << 30
LITTLE = 1 << 20  # less than a grid of 64^3, and no more than 16 planes of it


def field_of(some, *, size=64, memory=WHOLE, **options):
    """All planes, the record, and the bytes of scratch files."""
    with matter_field(some, snapshot(), grid_size=size, memory=memory, **options) as made:
        slabs = [made.field.read_slab(i, min(i + 5, size)) for i in range(0, size, 5)]
    return np.concatenate(slabs), made.record, made.scratch_bytes


@pytest.fixture
def scratch(tmp_path):
    """A folder that is empty in the end."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield folder
    assert not list(folder.iterdir())


# ---- what the numbers are


@pytest.mark.parametrize("memory", [WHOLE, LITTLE])
def test_a_particle_is_where_it_is_and_has_its_mass(memory):
    position = np.array([[0.5, 10.0, 19.99], [19.9, 0.0, 3.0]])
    mass = np.array([0.25, 0.75]) * MATTER
    field, record, scratch = field_of(particles(position, mass), memory=memory)
    expected = reference(position, mass, grid_size=64, box_size=BOX_SIZE)
    np.testing.assert_allclose(field, expected, atol=1e-12 * MATTER)
    assert record["mass_msun_h"] == pytest.approx(MATTER, rel=1e-15)
    assert (scratch > 0) == (memory == LITTLE)


@pytest.mark.parametrize("memory", [WHOLE, LITTLE])
def test_a_lattice_is_even_and_mass_is_conserved(memory):
    x = (np.arange(64) + 0.3) * (BOX_SIZE / 64)
    position = np.stack(np.meshgrid(x, x, x, indexing="ij"), axis=-1).reshape(-1, 3)
    mass = np.full(len(position), MATTER / len(position))
    field, record, _ = field_of(particles(position, mass), memory=memory)
    np.testing.assert_allclose(field, MATTER / 64**3, rtol=1e-12)
    assert field.sum() == pytest.approx(record["mass_msun_h"], rel=1e-13)
    assert record["mean_density_over_omega_m"] == pytest.approx(1.0, rel=1e-13)


# ---- the same bits


@pytest.mark.parametrize("assignment", sorted(SUPPORT))
@pytest.mark.parametrize("kind", ["own masses", "one mass", "single precision"])
def test_both_ways_give_the_bits_of_one_deposit(assignment, kind, scratch):
    position, mass = rows(kind=kind)
    bound = 1.05 * COSMOLOGY.matter_mass(BOX_SIZE)
    expected = Deposit(64, BOX_SIZE, assignment, mass_bound=bound)
    expected.add(position, mass)
    expected = expected.finish()
    some, options = particles(position, mass), {"assignment": assignment, "scratch": scratch}
    in_memory, record, written = field_of(some, **options)
    np.testing.assert_array_equal(in_memory, expected)
    assert written == 0
    by_disk, same, written = field_of(some, memory=LITTLE, **options)
    np.testing.assert_array_equal(by_disk, expected)
    assert same == record
    per_particle = {"own masses": 32, "one mass": 12, "single precision": 20}[kind]
    assert per_particle <= written / len(mass) < per_particle + 1


def test_order_chunks_and_threads_change_nothing(monkeypatch):
    position, mass = rows()
    field, record, _ = field_of(particles(position, mass))
    order = np.random.default_rng(2).permutation(len(mass))
    shuffled = particles(position[order], mass[order], chunk=337)
    for threads, memory in (("1", LITTLE), ("3", LITTLE), ("2", WHOLE)):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        other, same, _ = field_of(shuffled, memory=memory)
        np.testing.assert_array_equal(other, field)
        assert same == record


@given(
    st.sampled_from(sorted(SUPPORT)),
    st.integers(5, 70),
    st.lists(st.tuples(*[st.floats(0, 1, exclude_max=True)] * 3), min_size=1, max_size=8),
    st.tuples(st.integers(0, 69), st.integers(1, 70)),
)
def test_any_planes_of_any_grid(assignment, size, places, planes):
    position = np.minimum(np.array(places) * BOX_SIZE, np.nextafter(BOX_SIZE, 0))
    some = particles(position, np.full(len(places), MATTER / len(places)))
    start = planes[0] % size
    stop = min(size, start + planes[1])
    options = {"grid_size": size, "assignment": assignment}
    found = []
    # Two planes beside the least chunk of particles, or all.
    for memory in ((1 << 12) * 128 + 2 * 8 * size**2, WHOLE):
        with matter_field(some, snapshot(), memory=memory, **options) as made:
            found.append(made.field.read_slab(start, stop))
            assert (made.scratch_bytes > 0) == (memory != WHOLE)
    np.testing.assert_array_equal(*found)


def test_bits_do_not_depend_on_what_was_asked_before():
    some = particles(*rows())
    whole, _, _ = field_of(some)
    with matter_field(some, snapshot(), grid_size=64, memory=LITTLE) as made:
        for start, stop in ((60, 64), (3, 50), (0, 64), (10, 11), (48, 60), (0, 1)):
            np.testing.assert_array_equal(made.field.read_slab(start, stop), whole[start:stop])


@pytest.mark.parametrize("step", [4, -4])
def test_planes_that_overlap_are_made_once(monkeypatch, step):
    asked = []
    real = spill.Spill.near

    def near(self, start, stop, reach):
        asked.append((start, stop))
        return real(self, start, stop, reach)

    monkeypatch.setattr(spill.Spill, "near", near)
    with matter_field(particles(*rows()), snapshot(), grid_size=64, memory=LITTLE) as made:
        for start in range(0, 64, 4)[:: step // 4]:
            made.field.read_slab(max(0, start - 2), min(64, start + 6))
    assert sum(stop - start for start, stop in asked) == 64
    assert len(asked) < 30  # some together, or particles of the slabs between are read too often


def test_planes_in_memory_are_bounded():
    made = []

    def make(start, stop):
        made.append(stop - start)
        return np.zeros((stop - start, 8, 8))

    slabs = matter._Slabs(make, snapshot(), 8, 4, 0.0)
    slabs.read(0, 8)
    assert sum(len(block) for _, block in slabs._kept) == 4
    assert max(made) == 1
    assert sum(made) == 8


# ---- what is counted


@pytest.mark.parametrize("memory", [WHOLE, LITTLE])
def test_the_record_and_progress(memory):
    position, mass = rows(1000)
    told = []
    _, record, _ = field_of(
        particles(position, mass, moved=(2, 1), chunk=300),
        memory=memory,
        progress=lambda *now: told.append(now),
    )
    assert record["particles"] == 1000
    assert (record["positions_wrapped"], record["positions_at_box_edge"]) == (8, 4)
    assert told == [(n, 1000, "particles") for n in (300, 600, 900, 1000)]


@pytest.mark.parametrize("memory", [WHOLE, LITTLE])
def test_a_field_cannot_be_written_to(memory):
    with matter_field(particles(*rows(10)), snapshot(), grid_size=64, memory=memory) as made:
        with pytest.raises(ValueError, match="read-only"):
            made.field.read_slab(0, 2)[0] = 1.0
        for start, stop in ((-1, 3), (3, 3), (60, 65)):
            with pytest.raises(UsageError, match="planes"):
                made.field.read_slab(start, stop)


# ---- what is refused


def changed(what):
    position, mass = rows(1000)
    count = None
    if what == "outside":
        position[700, 1] = BOX_SIZE
    elif what == "no position":
        position[700, 2] = np.nan
    elif what == "no mass":
        mass[700] = np.nan
    elif what == "negative":
        mass[700] = -mass[700]
    elif what == "fewer":
        count = 1001
    elif what == "more":
        count = 900
    elif what == "light":
        mass = 0.94 * mass
    elif what == "heavy":
        mass = 1.06 * mass
    return particles(position, mass, count=count, chunk=200)


@pytest.mark.parametrize("memory", [WHOLE, LITTLE])
@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("outside", BadValueError, "1 positions"),
        ("no position", BadValueError, "1 positions"),
        ("no mass", BadValueError, "not finite"),
        ("negative", BadValueError, "negative"),
        ("fewer", HeaderError, "found 1000, expected 1001"),
        ("more", HeaderError, "1000 or more, expected 900"),
        ("light", UnitsError, "only 0.94 times"),
        ("heavy", UnitsError, "more than 1.05 times"),
    ],
)
def test_wrong_particles(memory, what, error, words, scratch):
    with pytest.raises(error, match=words):
        field_of(changed(what), memory=memory, scratch=scratch)


@pytest.mark.parametrize("factor", [0.951, 1.049])
def test_matter_within_the_tolerance(factor):
    position, mass = rows(1000)
    _, record, _ = field_of(particles(position, factor * mass))
    assert record["mean_density_over_omega_m"] == pytest.approx(factor)


def test_too_little_memory():
    with pytest.raises(ResourceError, match=r"557056.*64\^2"):
        field_of(particles(*rows(10)), memory=1 << 19)


def test_too_little_room_on_the_scratch_disk(scratch, monkeypatch):
    usage = spill.disk_usage(scratch)._replace(free=1 << 20)
    monkeypatch.setattr(spill, "disk_usage", lambda _: usage)
    with pytest.raises(ResourceError, match="1048576 bytes free, expected 16937216 bytes"):
        field_of(particles(*rows(5000)), memory=LITTLE, scratch=scratch)


def test_no_scratch_folder(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        field_of(particles(*rows(10)), memory=LITTLE, scratch=tmp_path / "none")


def test_a_full_disk_is_told(scratch, monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spill.tempfile, "TemporaryFile", lambda dir: Full())
    with pytest.raises(OutputError, match=r"No space left.*Fix: "):
        field_of(particles(*rows(10)), memory=LITTLE, scratch=scratch)


def test_lost_particles_are_noticed(monkeypatch):
    real = spill.Spill.near

    def near(self, start, stop, reach):
        for position, mass in real(self, start, stop, reach):
            yield position[:-1], mass[:-1]

    monkeypatch.setattr(spill.Spill, "near", near)
    with pytest.raises(InternalError, match="a mass of"):
        field_of(particles(*rows(1000)), memory=LITTLE)


def test_a_short_scratch_file_is_noticed(monkeypatch):
    files = []
    real = spill.tempfile.TemporaryFile

    def temporary(dir):
        files.append(real(dir=dir))
        return files[-1]

    monkeypatch.setattr(spill.tempfile, "TemporaryFile", temporary)
    with matter_field(particles(*rows(1000)), snapshot(), grid_size=64, memory=LITTLE) as made:
        files[0].truncate(0)
        with pytest.raises(InternalError, match="particles in a scratch file"):
            made.field.read_slab(0, 1)


def test_nothing_after_the_block():
    with matter_field(particles(*rows(10)), snapshot(), grid_size=64, memory=LITTLE) as made:
        made.field.read_slab(0, 1)
    with pytest.raises(UsageError, match="the particles were removed"):
        made.field.read_slab(40, 41)


def test_an_interruption_ends_it_between_two_chunks(scratch):
    position, mass = rows(1000)
    seen = []

    def progress(done, *_):
        seen.append(done)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        field_of(
            particles(position, mass, chunk=200), memory=LITTLE, scratch=scratch, progress=progress
        )
    assert seen == [200]
