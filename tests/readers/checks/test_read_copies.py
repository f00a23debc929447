"""The same objects again under new ids are refused; coincidences of good catalogues are not."""

from dataclasses import replace

import numpy as np
import pytest
from halotools_samples import columns, facts, write_table
from rockstar_samples import Sample, universe

import mockgal
from mockgal.errors import BadValueError, listening
from mockgal.readers.checks.copies import check_copies, find_copies, pairs_of, row_key
from mockgal.readers.checks.regions import empty_region


def at(row):
    return f"row {row}"


def halos(n, seed=1, digits=7, particles=False):
    rng = np.random.default_rng(seed)
    position = np.round(100 * rng.uniform(size=(n, 3)), digits)
    mass = 20 * rng.uniform(size=n) ** -0.9
    mass = 1e9 * (np.rint(mass) if particles else mass)
    return position, mass, 200 * rng.normal(size=(n, 3))


def again(rows, *arrays):
    return [np.concatenate([a, a[rows]]) for a in arrays]


@pytest.mark.parametrize("n", [16, 50, 3000])
@pytest.mark.parametrize("particles", [False, True])
@pytest.mark.parametrize("velocity", ["own", "zero", "none"])
def test_copies(n, particles, velocity):
    position, mass, moving = halos(n, particles=particles)
    moving = {"own": moving, "zero": 0 * moving, "none": None}[velocity]
    parts = [position, mass] + [moving] * (moving is not None)
    check_copies(np.arange(n), *parts, *[None] * (moving is None), "halos", at)
    for rows in (np.arange(n), np.arange(n // 3, n // 3 + max(1, n // 8))):
        if velocity != "own" and particles and len(rows) < 300:
            continue  # halos of 20 particles that do not move may be two at one place
        copied = again(rows, *parts)
        ids = np.arange(len(copied[0])) + 7
        with pytest.raises(BadValueError, match=f"row {n}: found {len(rows)} halos") as caught:
            check_copies(ids, *copied, *[None] * (moving is None), "halos", at)
        assert f"id {n + 7}, is also id {rows[0] + 7}" in str(caught.value)


def test_copies_that_move_otherwise():
    position, mass, velocity = again(slice(0, 300), *halos(1000))
    velocity[1000:] += 10.0
    with pytest.raises(BadValueError, match=r"300 halos .* place, mass: the first"):
        check_copies(np.arange(1300), position, mass, velocity, "halos", at)


@pytest.mark.parametrize("digits", [0, 1, 2])
@pytest.mark.parametrize("still", [False, True])
def test_rounded_places_are_no_copies(digits, still):
    for seed in range(10):
        position, mass, velocity = halos(4000, seed, digits, particles=True)
        check_copies(np.arange(4000), position, mass, velocity * (not still), "halos", at)


@pytest.mark.parametrize("moving", ["own", "host", "zero"])
def test_satellites_at_their_hosts_place(moving):
    """Several in each host, many of the same number of particles, as orphans of a tree are."""
    position, mass, velocity = halos(4000, particles=True)
    host = np.random.default_rng(2).integers(300, size=4000)
    position = position[host]
    if moving != "own":
        velocity = velocity[host] * (moving == "host")
    check_copies(np.arange(4000), position, mass, velocity, "halos", at)


def test_rows_without_mass_do_not_count():
    position, mass, velocity = again(slice(0, 300), *halos(1000))
    check_copies(np.arange(1300), position, 0 * mass, velocity, "halos", at)


@pytest.mark.fault(41)
@pytest.mark.parametrize("kind", ["hlist", "out"])
def test_a_list_put_after_itself(tmp_path, kind):
    sample = Sample(kind, universe(hosts=60))
    number = len(sample.rows)
    copies = [list(row) for row in sample.rows]
    names = [name.lower() for name in sample.names]
    place = [names.index(name) for name in ("id", "pid", "upid") if name in names]
    for row in copies:
        for column in place:
            if row[column] != "-1":
                row[column] = str(int(row[column]) + 10**6)
    good = mockgal.read(sample.write(tmp_path / "a.list")).halos
    assert len(good) == number
    for share in (copies, copies[:20]):
        sample.rows = sample.rows[:number] + share
        path = sample.write(tmp_path / "b.list")
        with pytest.raises(BadValueError, match=f"{len(share)} halos that are repeated"):
            mockgal.read(path)


@pytest.mark.fault(41)
def test_a_table_put_after_itself(tmp_path, demo_bundle):
    scene = mockgal.read(demo_bundle)
    table = columns(scene)
    ids = ("halo_id", "halo_upid", "halo_hostid")
    twice = {
        name: np.concatenate([v, np.where(v < 0, v, v + 10**6) if name in ids else v])
        for name, v in table.items()
    }
    path = write_table(tmp_path / "t.hdf5", twice, facts(scene))
    with pytest.raises(BadValueError, match=f"{len(scene.halos)} halos that are repeated"):
        mockgal.read(path)


@pytest.mark.fault(41)
@pytest.mark.parametrize("name", ["mock.fits", "mock.hdf5"])
def test_mocks_put_one_after_the_other(tmp_path, demo_bundle, name):
    with listening(quiet=True):
        galaxies = mockgal.paint(mockgal.read(demo_bundle), "hod", seed=1)
    path = tmp_path / name
    mockgal.write(galaxies, path)
    assert len(mockgal.read_galaxies(path)) == len(galaxies)
    ids = ("galaxy_id", "halo_id")
    twice = {n: np.concatenate([v, v + 10**9 * (n in ids)]) for n, v in galaxies.columns.items()}
    twice["is_central"] = np.tile(galaxies["is_central"], 2)
    twice["extrapolated"] = np.tile(galaxies["extrapolated"], 2)
    mockgal.write(replace(galaxies, columns=twice), path, overwrite=True)
    with pytest.raises(BadValueError, match=f"{len(galaxies)} galaxies that are repeated"):
        mockgal.read_galaxies(path)
    assert len(mockgal.read_galaxies(path, ["stellar_mass"])) == 2 * len(galaxies)


def test_keys_tell_rows_apart():
    """As `numpy.unique` over rows does, which sorts them ten times as long."""
    rng = np.random.default_rng(1)
    rows = rng.integers(4, size=(500, 3)) / 3 + 1e-9 * rng.integers(2, size=(500, 1))
    rows[rows < 1e-10] *= -1.0  # -0 is 0
    for kind in (np.float32, np.float64):
        of_rows = np.unique(rows.astype(kind) + 0, axis=0, return_inverse=True)[1].ravel()
        of_keys = np.unique(row_key(rows, kind), return_inverse=True)[1]
        np.testing.assert_array_equal(of_rows[:, None] == of_rows, of_keys[:, None] == of_keys)
    place, mass = row_key(rows), row_key(rng.integers(3, size=(500, 1)))
    same = (place[:, None] == place) & (mass[:, None] == mass)
    assert pairs_of(place, mass) == (np.count_nonzero(same) - 500) / 2


def test_no_sort_of_rows(monkeypatch):
    """One pair at one place, among many halos, costs no more than sorting numbers."""
    unique = np.unique

    def watched(values, *args, axis=None, **options):
        assert axis is None
        assert values.ndim == 1
        return unique(values, *args, **options)

    monkeypatch.setattr(np, "unique", watched)
    position, mass, velocity = halos(1000)
    position[5] = position[9]
    check_copies(np.arange(1000), position, mass, velocity, "halos", at)
    empty_region(position * [0.5, 1, 1], 100.0)


def with_copies(tmp_path, hosts_only):
    """A list in which five hosts come again; satellites name the one or the other."""
    sample = Sample("hlist", universe(hosts=60))
    names = [name.lower() for name in sample.names]
    id_, parents = names.index("id"), [names.index(name) for name in ("pid", "upid")]
    used = {row[parents[1]] for row in sample.rows} - {"-1"}
    hosts = [row for row in sample.rows if row[id_] in used][:5]
    copies = [[*row[:id_], str(int(row[id_]) + 10**6), *row[id_ + 1 :]] for row in hosts]
    moved = {row[id_]: copy[id_] for row, copy in zip(hosts, copies, strict=True)}
    number, theirs = len(sample.rows), 0
    original = mockgal.read(sample.write(tmp_path / "a.list")).halos
    if not hosts_only:
        for row in sample.rows:
            for column in parents:
                theirs += row[column] in moved and column == parents[1]
                row[column] = moved.get(row[column], row[column])
    sample.rows += copies
    return original, sample.write(tmp_path / "b.list"), number, theirs


@pytest.mark.parametrize("hosts_only", [True, False])
def test_single_copies_can_be_dropped(tmp_path, hosts_only):
    """As the message says; the satellites of a copy go to the host that is kept."""
    original, path, number, theirs = with_copies(tmp_path, hosts_only)
    with pytest.raises(BadValueError, match=r"5 halos that are repeated.*--drop-bad"):
        mockgal.read(path)
    halos = mockgal.read(path, drop_bad=True).halos
    assert len(halos) == number
    assert halos.record["dropped_bad"] == 5
    assert halos.record["satellites_moved_to_kept_copy"] == theirs
    assert (theirs > 0) != hosts_only
    assert halos.record["orphans_dropped"] == halos.record["dropped_with_their_host"] == 0
    assert halos.digest() == original.digest()


def test_half_a_catalogue_is_not_dropped(tmp_path):
    sample = Sample("hlist", universe(hosts=60))
    place = [name.lower() for name in sample.names].index("id")
    parents = [[n.lower() for n in sample.names].index(name) for name in ("pid", "upid")]
    copies = [list(row) for row in sample.rows]
    for row in copies:
        for column in (place, *parents):
            if row[column] != "-1":
                row[column] = str(int(row[column]) + 10**6)
    sample.rows += copies
    path = sample.write(tmp_path / "b.list")
    with pytest.raises(BadValueError, match="repeated") as caught:
        mockgal.read(path, drop_bad=True)
    assert "--drop-bad" not in caught.value.fix


def test_one_pair_in_many():
    position, mass, velocity = again(slice(7, 8), *halos(20_000))
    with pytest.raises(BadValueError, match="1 halos"):
        check_copies(np.arange(20_001), position, mass, velocity, "halos", at)
    central = np.arange(20_001) == 20_000
    assert find_copies(position, mass, velocity, central).again.tolist() == [7]
