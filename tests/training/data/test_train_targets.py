"""Volumes and targets: what training sees is what painting will see."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockgal.cosmology import Cosmology
from mockgal.errors import (
    BadValueError,
    DomainError,
    MissingDatasetError,
    ResourceError,
    UsageError,
    listening,
)
from mockgal.fields.assign import deposit
from mockgal.painters.cnn.architecture import Architecture
from mockgal.painters.cnn.inputs import channels, features, grid_of
from mockgal.painters.cnn.weights.header import Domain, Normalisation, WeightsHeader
from mockgal.training.data.samples import PARTS, normalisation_of
from mockgal.training.data.split import split_of
from mockgal.training.data.targets import subhalo_samples, voxel_samples
from mockgal.training.data.volumes import volume_of
from mockgal.types import (
    DensityField,
    HaloCatalog,
    ParticleChunk,
    Particles,
    Scene,
    Snapshot,
    settle,
)

SHAPE = Architecture("small", ((3,), (), ()), crop_size=17, width=1, hidden=2)
PLAIN = replace(SHAPE, features=(), outputs=("mean",))
BOX, GRID, VOXEL = 20.0, 40, 0.5
COSMOLOGY = Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.7)
NUMBER = 20_000
PARTICLE = COSMOLOGY.matter_mass(BOX) / NUMBER
LEAST = 2e11


def scene(*, origin=None, seed=1, name="made up", hosts=300):
    """Particles, or a grid with an origin, and hosts anywhere with a satellite each."""
    rng = np.random.default_rng(seed)
    place = rng.random((NUMBER, 3)) * BOX
    position = rng.random((2 * hosts, 3)) * BOX
    position[hosts] = position[0]  # mates in a voxel
    host = np.tile(np.arange(hosts), 2)
    ids = rng.permutation(10**6)[: 2 * hosts].astype(np.int64)
    mass = 10 ** rng.uniform(11, 13.5, 2 * hosts)
    columns = {
        "halo_id": ids,
        "host_id": ids[host],
        "is_central": np.arange(2 * hosts) < hosts,
        "position": position,
        "velocity": np.zeros((2 * hosts, 3)),
        "mass": mass,
        "vmax": 1e-2 * mass ** (1 / 3),
        "host_mass": mass[host],
    }
    halos = HaloCatalog(settle(columns), "200c")
    snapshot = Snapshot(name, BOX, 0.5, COSMOLOGY, PARTICLE, "made up")
    if origin is not None:
        moved = place + (VOXEL / 2 if origin == "centre" else 0.0)
        grid = deposit(moved % BOX, PARTICLE, grid_size=GRID, box_size=BOX)
        field = DensityField(GRID, VOXEL, "mass", "CIC", origin, lambda a, b: grid[a:b])
        return Scene(snapshot, halos, field=field)

    def stream(rows):
        for first in range(0, NUMBER, rows):
            some = place[first : first + rows]
            yield ParticleChunk(some, np.full(len(some), PARTICLE))

    return Scene(snapshot, halos, particles=Particles(NUMBER, stream))


def weights(origin="corner", normalisation=None):
    """What the painter's inputs look at."""
    standard = normalisation or Normalisation((8.0, 2.0), (1.0, 3.0), 7 * ((0.0, 1.0),), (9, 1))
    limits = (5.0, 18.0)
    domain = Domain(
        *(VOXEL, origin, "CIC", PARTICLE, LEAST, (0.5, 0.5), COSMOLOGY.to_dict(), "200c"),
        *("bound", 1e8, limits, limits, limits),
    )
    return WeightsHeader("sample", SHAPE, standard, domain, "subhalo", {})


def made(sim=None, masses=None, *, floor=1e8, shape=SHAPE, **options):
    """Samples of one scene, without warnings of chance regions."""
    sim = scene() if sim is None else sim
    box = volume_of(sim, voxel_size=VOXEL, least_subhalo_mass=LEAST)
    if masses is None:
        masses = sim.halos["mass"] * 1e-2
    split = split_of([box], shape.crop_size, "cubes", side=0.25)
    with listening(quiet=True):
        return subhalo_samples(
            [box], [sim], [masses], floor=floor, architecture=shape, split=split, **options
        )


@pytest.mark.parametrize("origin", [None, "corner", "centre"])
def test_as_the_painter_sees_it(origin):
    sim = scene(origin=origin)
    box = volume_of(sim, voxel_size=VOXEL, least_subhalo_mass=LEAST)
    known = weights(origin or "corner")
    grid = grid_of(sim, known)
    with channels(sim, known, grid, 1 << 30, None) as both:
        painted = np.stack([channel(0, GRID) for channel in both])
    standard = (box.channels - np.array([8, 1]).reshape(2, 1, 1, 1)) / np.array([2, 3]).reshape(
        2, 1, 1, 1
    )
    assert np.abs(standard - painted).max() < 2e-6
    split = split_of([box], 17, "cubes", side=0.25)
    with listening(quiet=True):
        some = subhalo_samples(
            [box],
            [sim],
            [sim.halos["mass"]],
            floor=0.0,
            architecture=SHAPE,
            split=split,
        )
    rows = np.flatnonzero(sim.halos["mass"] >= LEAST)
    rows = rows[np.argsort(sim.halos["halo_id"][rows])]
    voxel, offset = grid.voxels(sim.halos["position"][rows])
    assert np.array_equal(some.voxel, voxel)
    assert np.array_equal(some.features, features(sim, known, rows, offset)[0])
    assert np.array_equal(some.halo_id, sim.halos["halo_id"][rows])
    if origin != "centre":
        assert np.array_equal(voxel, np.floor(sim.halos["position"][rows] / VOXEL))
    assert normalisation_of(some, some.rows(0), SHAPE).matter[1] > 0


def test_mass_is_conserved():
    sim = scene()
    box = volume_of(sim, voxel_size=VOXEL, least_subhalo_mass=LEAST)
    mass = (10.0 ** box.channels.astype(float) - 1).sum(axis=(1, 2, 3))
    own = sim.halos["mass"]
    assert mass == pytest.approx([NUMBER * PARTICLE, own[own >= LEAST].sum()], rel=1e-6)
    assert json.loads(json.dumps(dict(box.record)))["subhalos"]["subhalos"] == np.sum(own >= LEAST)
    assert (box.box_size, box.redshift, box.name) == (BOX, 0.5, "made up")


def test_targets_are_matched_masses():
    sim = scene()
    rng = np.random.default_rng(2)
    stars = 10 ** rng.uniform(7, 11, len(sim.halos))
    stars[rng.random(len(stars)) < 0.3] = 0.0
    stars[:5] = np.nan
    some = made(sim, stars)
    by_id = dict(zip(sim.halos["halo_id"], stars, strict=True))
    expected = np.array([by_id[k] for k in some.halo_id])
    known = expected >= 1e8
    assert np.array_equal(some.luminous, known)
    assert np.array_equal(some.log_stellar_mass[known], np.log10(expected[known]))
    record = json.loads(json.dumps(dict(some.record)))
    (box,) = record["boxes"]
    assert box["subhalos_below_least_mass"] + len(some) == len(sim.halos)
    assert sum(box["targets"].values()) == len(some)
    assert sum(box["luminous"].values()) == known.sum()
    assert box["with_a_galaxy_below_floor"] == np.sum((expected > 0) & (expected < 1e8))
    assert box["targets"] == {name: int(np.sum(some.part == k)) for k, name in PARTS.items()}
    assert record["representative"]


def test_the_order_of_rows_does_not_count():
    sim = scene()
    order = np.random.default_rng(3).permutation(len(sim.halos))
    one = made(sim)
    other = made(replace(sim, halos=sim.halos.take(order)))
    for name in ("voxel", "halo_id", "features", "log_stellar_mass", "mass", "part"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
    assert np.array_equal(one.volumes[0].channels, other.volumes[0].channels)
    assert one.record == other.record


@given(seed=st.integers(0, 2**32), number=st.integers(0, 80), floor=st.sampled_from([0.0, 1e9]))
@pytest.mark.slow
def test_voxel_targets_are_sums_over_galaxies(seed, number, floor):
    rng = np.random.default_rng(seed)
    sim = scene(hosts=20)
    box = volume_of(
        replace(sim, particles=None, field=FIELD), voxel_size=VOXEL, least_subhalo_mass=0
    )
    place = np.concatenate([sim.halos["position"][:20], rng.random((number, 3)) * BOX])
    stars = 10 ** rng.uniform(7, 11, len(place)) * (rng.random(len(place)) < 0.8)
    split = split_of([box], 17, "cubes", side=0.25)
    with listening(quiet=True):
        some = voxel_samples(
            [box], [sim], [(place, stars)], floor=floor, architecture=PLAIN, split=split
        )
    naive = {}
    for position, mass in zip(place, stars, strict=True):
        key = tuple(np.floor(position / VOXEL).astype(int))
        naive[key] = naive.get(key, 0.0) + mass
    heaviest = {}
    for row in np.argsort(sim.halos["mass"]):
        heaviest[tuple(np.floor(sim.halos["position"][row] / VOXEL).astype(int))] = row
    assert len(some) == len(heaviest)
    for voxel, ident, target in zip(some.voxel, some.halo_id, some.log_stellar_mass, strict=True):
        mass = naive.get(tuple(voxel), 0.0)
        assert ident == sim.halos["halo_id"][heaviest[tuple(voxel)]]
        if mass > 0 and mass >= floor:
            assert target == pytest.approx(np.log10(1 + mass), rel=1e-12)
        else:
            assert np.isnan(target)
    outside = sum(mass for key, mass in naive.items() if key not in heaviest)
    (counted,) = some.record["boxes"]
    total = max(stars.sum(), 1e-300)
    assert counted["stellar_mass_share_outside_voxels"] == pytest.approx(outside / total, abs=1e-9)
    assert counted["voxels_with_several_subhalos"] >= 1


_VALUES = np.ones((GRID, GRID, GRID))
FIELD = DensityField(GRID, VOXEL, "mass", "CIC", "corner", lambda start, stop: _VALUES[start:stop])


def test_volumes_that_cannot_be_made(monkeypatch):
    sim, gridded = scene(), scene(origin="corner")
    with pytest.raises(MissingDatasetError, match="no matter"):
        volume_of(replace(sim, particles=None), voxel_size=VOXEL, least_subhalo_mass=0.0)
    for size in (0.0, -1.0, float("nan"), 30.0):
        with pytest.raises(UsageError, match="voxel size"):
            volume_of(sim, voxel_size=size, least_subhalo_mass=0.0)
    with pytest.raises(UsageError, match=r"voxels of 0\.5"):
        volume_of(gridded, voxel_size=0.25, least_subhalo_mass=0.0)
    with pytest.raises(UsageError, match="made with CIC"):
        volume_of(gridded, voxel_size=VOXEL, least_subhalo_mass=0.0, assignment="TSC")
    monkeypatch.setattr("mockgal.system.memory.available", lambda: 1 << 20)
    with pytest.raises(ResourceError, match=r"400\^3 voxels"):
        volume_of(sim, voxel_size=0.05, least_subhalo_mass=0.0)


def test_samples_that_do_not_go_together():
    sim = scene()
    box = volume_of(sim, voxel_size=VOXEL, least_subhalo_mass=LEAST)
    split = split_of([box], 17, "cubes", side=0.25)
    good = np.ones(len(sim.halos))
    options = {"floor": 1e8, "architecture": SHAPE, "split": split}

    def refused(kind, words, volumes=(box,), scenes=(sim,), masses=(good,), **changes):
        with pytest.raises(kind, match=words):
            subhalo_samples(volumes, scenes, masses, **(options | changes))

    refused(UsageError, "pairs of runs", volumes=(box, box))
    refused(UsageError, "pairs of runs", masses=())
    refused(UsageError, "luminosity floor", floor=-1.0)
    refused(BadValueError, "one per subhalo", masses=(good[1:],))
    refused(BadValueError, "negative or infinite", masses=(-good,))
    refused(UsageError, "another grid", split=split_of([replace_grid(box)], 5, "cubes", side=0.25))
    other = replace(box, least_subhalo_mass=0.0)
    two = split_of([box, other], 17, "cubes", side=0.25)
    refused(UsageError, "same grid", (box, other), (sim, sim), (good, good), split=two)
    bare = {name: values for name, values in sim.halos.columns.items() if name != "vmax"}
    bare = replace(sim, halos=replace(sim.halos, columns=bare))
    refused(MissingDatasetError, "log_vmax of the architecture small", scenes=(bare,))
    lonely = replace(sim, halos=sim.halos.take(np.array([], int)))
    refused(DomainError, "no subhalo left", scenes=(lonely,), masses=(np.array([]),))


def test_one_box_under_two_names_is_found():
    runs = [scene(seed=seed, name=name) for seed, name in ((1, "a"), (2, "b"), (3, "c"))]
    boxes = [volume_of(run, voxel_size=VOXEL, least_subhalo_mass=LEAST) for run in runs]
    masses = [run.halos["mass"] for run in runs]
    split = split_of(boxes, 17)
    options = {"floor": 1e8, "architecture": SHAPE, "split": split}
    some = subhalo_samples(boxes, runs, masses, **options)
    assert [entry["boxes"] for entry in some.record["boxes_compared"]] == [
        ["a", "b"],
        ["a", "c"],
        ["b", "c"],
    ]
    assert max(abs(entry["correlation"]) for entry in some.record["boxes_compared"]) < 0.1
    assert [set(some.part[some.volume == k]) for k in range(3)] == [{0}, {1}, {2}]
    later = np.maximum(1.3 * boxes[0].channels - 2.0, 0.0).astype("f4")
    boxes[2] = replace(boxes[0], channels=later, name="c", redshift=1.0)
    with pytest.raises(DomainError, match="a and c in different parts"):
        subhalo_samples(boxes, runs, masses, **options)


def replace_grid(box):
    """A volume on half as fine a grid."""
    channels = np.ascontiguousarray(box.channels[:, ::2, ::2, ::2])
    return replace(box, channels=channels, voxel_size=2 * VOXEL)
