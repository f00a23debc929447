"""Sampling: flat over bins, unbiased when corrected, and drawn by id."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2
from train_samples import samples

from mockgal.errors import UsageError
from mockgal.random import uniform
from mockgal.training.data.sampling import (
    bin_of,
    corrected_weights,
    count_correction,
    drawn,
    input_weights,
    inverse_counts,
    keyed,
    occurrences,
    shuffled,
    target_weights,
)

SIGNIFICANCE = 1e-3  # of a check with a fixed seed


def test_draws_are_flat_over_bins_of_the_target():
    some = samples(number=20_000)
    rows = np.arange(len(some))
    weights = target_weights(some, rows)
    assert np.all((weights > 0) == some.luminous)
    places = drawn(weights, len(weights), 7, 3)
    assert some.luminous[places].all()
    bins = bin_of(some.log_stellar_mass[some.luminous], 100)
    of_row = np.full(len(some), -1)
    of_row[some.luminous] = bins
    occupied = np.unique(bins)
    counts = np.bincount(of_row[places], minlength=100)[occupied]
    expected = len(places) / len(occupied)
    statistic = np.sum((counts - expected) ** 2 / expected)
    limit = chi2.isf(SIGNIFICANCE, len(occupied) - 1)
    assert statistic < limit
    # the same check fails for draws that are not weighted
    plain = np.bincount(bins, minlength=100)[occupied] * (len(places) / len(bins))
    assert np.sum((plain - expected) ** 2 / expected) > 100 * limit


def test_draws_are_flat_over_bins_of_the_input():
    some = samples(number=20_000)
    some.mass[:] = 10 ** (10 + np.random.default_rng(1).exponential(0.4, len(some)))
    weights = input_weights(some, np.arange(len(some)))
    bins = bin_of(np.log10(some.mass))
    occupied = np.unique(bins)
    counts = np.bincount(bins[drawn(weights, len(weights), 7, 0)], minlength=100)[occupied]
    expected = len(some) / len(occupied)
    assert np.sum((counts - expected) ** 2 / expected) < chi2.isf(SIGNIFICANCE, len(occupied) - 1)


@given(values=st.lists(st.floats(-3, 3) | st.just(float("nan")), max_size=60))
def test_each_bin_has_one_chance_in_all(values):
    values = np.array(values)
    weights = inverse_counts(values, 10)
    known = np.isfinite(values)
    assert np.all(weights[~known] == 0)
    if known.any():
        bins = bin_of(values[known], 10)
        assert bins.min() >= 0
        assert bins.max() < 10
        sums = np.bincount(bins, weights[known])
        assert np.allclose(sums[sums > 0], 1.0)


def test_the_correction_gives_the_mean_over_rows():
    weights = np.array([0.0, 0.5, 0.5, 1.0, 0.25, 0.0, 0.125])
    loss = np.arange(7.0) ** 2
    correction = count_correction(weights)
    chance = weights / weights.sum()
    assert np.sum(chance * correction) == pytest.approx(1.0)
    assert np.sum(chance * correction * loss) == pytest.approx(loss[weights > 0].mean())


def test_corrected_weights_leave_the_dark_ones_as_they_are():
    some = samples(luminous=0.3)
    rows = np.arange(len(some))
    weights, luminous = corrected_weights(some, rows), some.luminous
    chance = weights / weights.sum()
    assert chance[~luminous].sum() == pytest.approx(np.mean(~luminous))
    assert len(set(weights[~luminous])) == 1
    assert np.array_equal(weights[luminous], target_weights(some, rows)[luminous])
    loss = np.arange(len(some)) ** 2.0
    correction = count_correction(weights)
    assert np.sum(chance * correction * loss) == pytest.approx(loss.mean())


def test_nothing_to_weigh():
    some = samples(luminous=0.0)
    with pytest.raises(UsageError, match="none with a galaxy"):
        target_weights(some, np.arange(len(some)))


def test_rows_without_a_chance_are_never_drawn():
    weights = np.zeros(1000)
    weights[[3, 500]] = 1e-300, 1e-300
    assert set(drawn(weights, len(weights), 1, 0)) == {3, 500}


def test_numbers_are_those_of_the_naive_stream():
    rng = np.random.default_rng(3)
    volume, ids = rng.integers(0, 3, 50), rng.integers(-(2**62), 2**62, 50)
    again = rng.integers(0, 5, 50)
    found = keyed(volume, ids, again, "purpose", 11, 4)
    for k in range(50):
        stream = f"purpose {volume[k]}"
        assert found[k] == uniform(11, stream, ids[k : k + 1], draw=4, sub_index=int(again[k]))[0]


def test_orders_go_by_id():
    some = samples(number=300)
    ids = some.halo_id
    order = shuffled(some.volume, ids, 5, 2)
    assert sorted(order) == list(range(300))
    other = np.random.default_rng(0).permutation(300)
    assert np.array_equal(ids[order], ids[other][shuffled(some.volume[other], ids[other], 5, 2)])
    for seed, epoch in ((5, 3), (6, 2)):
        assert not np.array_equal(order, shuffled(some.volume, ids, seed, epoch))


@given(places=st.lists(st.integers(0, 5), max_size=40))
def test_occurrences(places):
    naive = [places[:k].count(place) for k, place in enumerate(places)]
    assert occurrences(np.array(places, dtype=np.int64)).tolist() == naive
