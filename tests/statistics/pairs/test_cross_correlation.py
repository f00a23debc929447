"""Cross-correlation functions, against counts of all pairs one by one and against their union."""

import numpy as np
import pytest
from power_samples import catalogue

from mockgal.errors import UsageError
from mockgal.statistics import jackknife
from mockgal.statistics.pairs.correlation import (
    correlation_function,
    projected_correlation_function,
)
from mockgal.statistics.pairs.counts import pair_counter
from mockgal.statistics.pairs.cross import cross_correlation, projected_cross_correlation
from mockgal.statistics.pairs.jackknife import count_two_by_region
from mockgal.statistics.pairs.separations import Shells

L = 60.0
OPTIONS = {"r_min": 1.0, "r_max": 15.0, "bins": 6}


def sample(number, seed, first_id=0):
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).uniform(0, L, (20, 3))
    place = (centres[random.integers(0, 20, number)] + random.normal(0, 2.5, (number, 3))) % L
    velocity = random.normal(0, 200, (number, 3))
    made = catalogue(place, np.ones(number), L, velocity)
    columns = {**made.columns, "galaxy_id": made["galaxy_id"] + first_id}
    return type(made)(columns, made.snapshot, "box", {})


@pytest.fixture(scope="module")
def two():
    return sample(150, 1), sample(220, 2, first_id=1000)


def together(one, two):
    columns = {name: np.concatenate([one[name], two[name]]) for name in one.columns}
    return type(one)(columns, one.snapshot, "box", {})


def one_by_one(first, second, edges):
    """Ordered pairs by distance, in a loop."""
    places = [np.stack([g[f"position_{x}"] for x in "xyz"], axis=1) for g in (first, second)]
    counts = np.zeros(len(edges) - 1, int)
    for a in places[0]:
        apart = np.abs(a - places[1])
        distance = np.sqrt(np.sum(np.minimum(apart, L - apart) ** 2, axis=1))
        counts += np.histogram(distance, edges)[0]
    return counts


def test_pairs_and_xi_are_those_of_a_loop(two):
    found = cross_correlation(*two, **OPTIONS)
    edges = np.append(found["r_low"], found["r_high"][-1])
    pairs = one_by_one(*two, edges)
    np.testing.assert_array_equal(found["pairs"], pairs)
    random = 150 * 220 * 4 / 3 * np.pi * np.diff(edges**3) / L**3
    np.testing.assert_allclose(found["xi"], pairs / random - 1, rtol=1e-12)
    assert found.settings["shared_objects"] == 0


@pytest.mark.parametrize("jackknife", [0, 3])
def test_the_union_of_two_samples(two, jackknife):
    """(n_a + n_b)**2 (1 + xi) = n_a**2 (1 + xi_aa) + n_b**2 (1 + xi_bb) + 2 n_a n_b (1 + xi_ab).

    With n (n - 1) in place of n**2, since no galaxy forms a pair with itself.
    """
    options = {**OPTIONS, "jackknife": jackknife}
    union = correlation_function(together(*two), **options)
    own = [correlation_function(one, **options) for one in two]
    cross = cross_correlation(*two, **options)
    np.testing.assert_array_equal(
        union["pairs"], own[0]["pairs"] + own[1]["pairs"] + cross["pairs"]
    )
    a, b = len(two[0]), len(two[1])
    parts = a * (a - 1) * (1 + own[0]["xi"]) + b * (b - 1) * (1 + own[1]["xi"])
    parts += 2 * a * b * (1 + cross["xi"])
    np.testing.assert_allclose((a + b) * (a + b - 1) * (1 + union["xi"]), parts, rtol=1e-12)


@pytest.mark.parametrize(
    ("auto", "cross", "name"),
    [
        (correlation_function, cross_correlation, "xi"),
        (projected_correlation_function, projected_cross_correlation, "w_p"),
    ],
)
def test_a_sample_with_itself_gives_its_own(two, auto, cross, name):
    alone, with_itself = auto(two[0], **OPTIONS), cross(two[0], two[0], **OPTIONS)
    np.testing.assert_allclose(with_itself[name], alone[name], rtol=1e-12)
    np.testing.assert_array_equal(with_itself["pairs"], 2 * alone["pairs"])
    many = alone["pairs"] >= 27  # elsewhere errors of single pairs are the limit
    assert many.any()
    error = f"{name}_error"
    np.testing.assert_allclose(with_itself[error][many], alone[error][many], rtol=1e-9)
    assert with_itself.settings["shared_objects"] == 150


@pytest.mark.parametrize("measure", [cross_correlation, projected_cross_correlation])
def test_swapped_samples_give_the_same(two, measure):
    found, swapped = measure(*two, **OPTIONS), measure(*two[::-1], **OPTIONS)
    np.testing.assert_array_equal(found["pairs"], swapped["pairs"])
    for name in (*found.estimates, f"{found.estimates[0]}_error"):
        np.testing.assert_allclose(found[name], swapped[name], rtol=1e-9)


def test_pairs_left_out_are_those_of_the_rest(two):
    places = [np.stack([g[f"position_{x}"] for x in "xyz"], axis=1) for g in two]
    edges = np.geomspace(1, 15, 4)
    pairs, left = count_two_by_region(tuple(places), L, 2, Shells(edges), pair_counter())
    np.testing.assert_array_equal(pairs[:, 0], one_by_one(*two, edges))
    regions = [jackknife.regions(place, L, 2) for place in places]
    rest = [g.take(np.flatnonzero(region != 5)) for g, region in zip(two, regions, strict=True)]
    np.testing.assert_array_equal(left[5, :, 0], one_by_one(*rest, edges))


def test_independent_points_are_not_correlated():
    random = np.random.default_rng(3)
    one, other = (catalogue(random.uniform(0, L, (2000, 3)), np.ones(2000), L) for _ in range(2))
    found = cross_correlation(one, other, **OPTIONS)
    deviation = found["xi"] / found["xi_error"]
    assert np.mean(deviation**2) < 3
    assert found.settings["shared_objects"] == 0  # the same ids, at other places


def test_empty_samples_and_other_boxes(two):
    empty = two[0].take(np.arange(0))
    assert np.isnan(cross_correlation(two[1], empty, **OPTIONS)["xi"]).all()
    with pytest.raises(UsageError, match="60 and 100 Mpc/h"):
        cross_correlation(two[0], catalogue(np.ones((2, 3)), np.ones(2)), **OPTIONS)
