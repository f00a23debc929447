"""Batches of crops: against plain slices, and the same whatever was made before."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from train_samples import SMALL, TINY, normalisation, samples, volume

from mockgal.errors import BadValueError, DomainError, MockgalWarning, UsageError
from mockgal.painters.cnn.architecture import Architecture
from mockgal.painters.cnn.symmetries import rotations, symmetries
from mockgal.training.data.samples import CropBatches, Volume, normalisation_of
from mockgal.training.data.sampling import target_weights
from mockgal.training.data.split import Split, split_of

SOME = samples([volume(32), volume(24, name="other", seed=5)], 60)
GROUPS = {"none": symmetries()[:1], "rotations": rotations(), "all": symmetries()}


def batches(some=SOME, rows=None, *, architecture=SMALL, symmetries="all", seed=3, **changes):
    options = {"batch_size": 7, "shuffle": True} | changes
    return CropBatches(
        some,
        np.arange(len(some)) if rows is None else rows,
        architecture=architecture,
        normalisation=normalisation(architecture),
        symmetries=symmetries,
        seed=seed,
        **options,
    )


def plain_crop(some, row, side):
    """Of the volume, not turned."""
    box = some.volumes[some.volume[row]]
    index = [np.arange(v - side // 2, v + side // 2 + 1) % box.grid_size for v in some.voxel[row]]
    return box.channels[np.ix_([0, 1], *index)]


def standard(crop):
    return (crop - np.array([8, 3], "f4").reshape(2, 1, 1, 1)) / np.array([2, 4]).reshape(
        2, 1, 1, 1
    )


def same(one, other):
    return all(
        np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("drawn", [False, True])
def test_an_epoch_of_so_many(drawn):
    weights = np.arange(1.0, len(SOME) + 1) if drawn else None
    some = batches(number=20, weights=weights)
    epochs = [np.concatenate([batch.rows for batch in some.epoch(k)]) for k in range(8)]
    assert len(some) == 3
    assert {len(rows) for rows in epochs} == {20}
    assert len({tuple(rows) for rows in epochs}) == 8
    assert len(set(np.concatenate(epochs))) > 40
    if not drawn:
        assert all(len(set(rows)) == 20 for rows in epochs)


def test_an_epoch_of_more_than_there_are():
    with pytest.raises(UsageError, match="up to 60"):
        batches(number=61)
    many = batches(number=200, weights=np.ones(60))
    assert sum(len(batch.rows) for batch in many.epoch(0)) == 200


@pytest.mark.parametrize("name", GROUPS)
def test_crops_and_features_are_turned_together(name):
    turned = set()
    for batch in batches(symmetries=name).epoch(0):
        for k, row in enumerate(batch.rows):
            expected = standard(plain_crop(SOME, row, 21))
            fits = [
                place
                for place, symmetry in enumerate(GROUPS[name])
                if np.allclose(symmetry.turn(torch.from_numpy(expected)), batch.crops[k], atol=1e-5)
            ]
            assert len(fits) == 1  # the numbers of a crop have no symmetry of their own
            turned.add(fits[0])
            features = SOME.features[row].copy()
            features[4:] = GROUPS[name][fits[0]].turn_vectors(features[None, 4:])[0]
            features = (features - [10, 10, 10, 10, 0, 0, 0]) / [2, 2, 2, 2, 0.3, 0.3, 0.3]
            assert np.allclose(batch.features[k], features, atol=1e-6)
    assert len(turned) > min(len(GROUPS[name]), 20) / 2


def test_targets_and_types():
    (batch,) = batches(batch_size=100, shuffle=False, symmetries="none").epoch(0)
    assert batch.rows.tolist() == list(range(60))
    assert batch.crops.dtype == batch.features.dtype == batch.target.dtype == torch.float32
    assert batch.weight.dtype == torch.float32
    assert np.array_equal(batch.luminous, SOME.luminous)
    expected = np.nan_to_num((SOME.log_stellar_mass - 9.0) / 0.5)
    assert np.allclose(batch.target, expected, atol=1e-6)
    assert torch.all(batch.weight == 1)
    assert batch.crops.shape == (60, 2, 21, 21, 21)


def test_symmetries_are_drawn_evenly():
    some = samples([volume(16)], 4800, architecture=TINY)
    loader = batches(some, architecture=TINY, batch_size=2000)
    found = np.zeros(48)
    marked = {}
    for place, symmetry in enumerate(symmetries()):  # three voxels tell a turn
        vector = symmetry.turn_vectors(np.array([[1.0, 2.0, 3.0]]))[0]
        marked[tuple(vector)] = place
    offsets = np.tile([0.1, 0.2, 0.3], (4800, 1))
    some.features[:, 4:] = offsets
    for batch in loader.epoch(1):
        for vector in np.rint(batch.features[:, 4:].numpy() * 3).astype(float):
            found[marked[tuple(vector)]] += 1
    assert found.sum() == 4800
    assert np.sum((found - 100) ** 2 / 100) < 85  # of 47 degrees of freedom: less than 1 in 1000


@given(
    epoch=st.integers(0, 5),
    first=st.integers(0, 8),
    weighted=st.booleans(),
    size=st.integers(1, 30),
)
@pytest.mark.slow
def test_a_batch_is_the_same_whatever_came_before(epoch, first, weighted, size):
    some = samples([volume(16)], 40, architecture=TINY)
    weights = some.mass if weighted else None
    options = {"architecture": TINY, "batch_size": size, "weights": weights}
    used = batches(some, **options)
    all_batches = list(used.epoch(epoch))
    assert len(all_batches) == len(used)
    first = min(first, len(used))
    fresh = list(batches(some, **options).epoch(epoch, first))
    assert len(fresh) == len(used) - first
    assert all(same(a, b) for a, b in zip(all_batches[first:], fresh, strict=True))
    sizes = [len(batch.rows) for batch in all_batches]
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1
    rows = np.concatenate([batch.rows for batch in all_batches])
    assert len(rows) == 40
    if not weighted:
        assert sorted(rows) == list(range(40))


def test_epochs_and_seeds_differ_and_the_order_of_rows_does_not_count():
    order = np.random.default_rng(8).permutation(60)
    first = list(batches().epoch(0))
    assert all(same(a, b) for a, b in zip(first, batches(rows=order).epoch(0), strict=True))
    shuffled = replace(
        SOME,
        **{
            name: getattr(SOME, name)[order]
            for name in (
                *("volume", "voxel", "halo_id", "features"),
                *("log_stellar_mass", "mass", "part"),
            )
        },
    )
    for a, b in zip(first, batches(shuffled).epoch(0), strict=True):
        assert np.array_equal(a.rows, order[b.rows])
        assert same(a[:5], b[:5])
    for other in (batches().epoch(1), batches(seed=4).epoch(0)):
        assert not same(first[0], next(other))


def test_a_subhalo_that_comes_twice_is_turned_anew():
    weights = np.zeros(60)
    weights[5] = 1.0
    loader = batches(weights=weights, batch_size=60, loss_weights=np.arange(60.0))
    (batch,) = loader.epoch(0)
    assert set(batch.rows) == {5}
    assert torch.all(batch.weight == 5)
    assert len({tuple(row.tolist()) for row in batch.features[:, 4:]}) > 20


def test_weights_belong_to_their_rows():
    order = np.random.default_rng(1).permutation(60)[:30]
    weights = target_weights(SOME, order)
    loader = batches(rows=order, weights=weights, loss_weights=order.astype(float))
    for batch in loader.epoch(0):
        assert batch.luminous.all()
        assert np.array_equal(batch.weight, batch.rows)


def test_what_cannot_be_loaded():
    for words, changes in {
        "none": {"rows": np.array([], int)},
        "batch size": {"batch_size": 0},
        "symmetries": {"symmetries": "some"},
        "59 numbers": {"rows": np.arange(59), "weights": np.ones(60)},
        "not all 0": {"weights": np.zeros(60)},
        "are not shuffled": {"weights": np.ones(60), "shuffle": False},
        "three components": {
            "architecture": replace(SMALL, features=("log_mass", "offset_x")),
        },
    }.items():
        with pytest.raises(UsageError, match=words):
            batches(**changes)
    with pytest.raises(UsageError, match="batch 10 of epoch 0"):
        batches().epoch(0, 10)
    large = Architecture("large", ((3,), (3,), (3,)), crop_size=29)
    with pytest.raises(DomainError, match="24 voxels"):
        batches(samples([volume(24)]), architecture=large)


def test_samples_that_cannot_be():
    for words, changes in {
        "lengths": {"mass": SOME.mass[1:]},
        "unknown volume": {"volume": SOME.volume + 1},
        "outside": {"voxel": SOME.voxel - 1},
        "part": {"part": SOME.part + 5},
        "twice": {"halo_id": np.zeros(60, np.int64)},
    }.items():
        with pytest.raises(BadValueError, match=words):
            replace(SOME, **changes)
    with pytest.raises(BadValueError, match="float32"):
        Volume(np.zeros((2, 4, 4, 4)), 1.0, 4.0, 0.0, "box")
    with pytest.raises(BadValueError, match="4 voxels of 2"):
        Volume(np.zeros((2, 4, 4, 4), "f4"), 2.0, 4.0, 0.0, "box")


def test_normalisation_is_of_what_is_trained_on():
    grid = volume(40)
    split = split_of([grid], 21, "cubes", side=0.2)
    some = samples([grid], split=split)
    rows = some.rows(0)
    found = normalisation_of(some, rows, SMALL)
    free = np.ones((40, 40, 40), bool)
    for region in split.boxes[0].regions:
        free &= ~region.holds(np.indices((40, 40, 40)).reshape(3, -1).T, 40).reshape(free.shape)
    for pair, channel in zip((found.matter, found.subhalos), grid.channels, strict=True):
        values = channel[free].astype(float)
        assert pair == pytest.approx((values.mean(), values.std()), rel=1e-9)
    seen = some.log_stellar_mass[rows][some.luminous[rows]]
    assert found.target == pytest.approx((seen.mean(), seen.std()))
    assert found.features[1] == pytest.approx(
        (some.features[rows, 1].mean(), some.features[rows, 1].std())
    )
    assert len({*found.features[4:]}) == 1
    assert found.features[4][0] == 0.0
    # held-out masses and fields change nothing
    channels = np.where(free, grid.channels, 0).astype("f4")
    target = np.where(some.part == 0, some.log_stellar_mass, 12.0)
    other = replace(some, volumes=(replace(grid, channels=channels),), log_stellar_mass=target)
    assert normalisation_of(other, rows, SMALL) == found
    assert Split.from_dict(some.record["split"]) == split


def test_what_cannot_be_standardised():
    with pytest.raises(UsageError, match="0 luminous"):
        normalisation_of(samples(luminous=0.0), np.arange(10), SMALL)
    some = samples()
    some.features[:, 2] = 1.0
    with pytest.warns(MockgalWarning, match="is_central"):
        assert normalisation_of(some, np.arange(50), SMALL).features[2] == (1.0, 1.0)


def test_importing_samples_is_light():
    code = "import sys, mockgal.training.data.samples; heavy = 'torch', 'numba', 'matplotlib'; "
    code += "print([m for m in heavy if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
