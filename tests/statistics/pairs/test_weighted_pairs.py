"""Pairs of weighted galaxies in a box: brute force, equal weights, order, thinning."""

import numpy as np
import pytest
from power_samples import catalogue

from mockgal.errors import BadValueError, UsageError
from mockgal.statistics.jackknife import regions
from mockgal.statistics.pairs import weighted
from mockgal.statistics.pairs.correlation import (
    correlation_function,
    correlation_multipoles,
    projected_correlation_function,
)
from mockgal.statistics.pairs.cross import cross_correlation
from mockgal.statistics.pairs.separations import Cylinders, Shells, Wedges
from mockgal.statistics.pairs.weighted import Sample, count_weighted

BOX = 40.0
EDGES = np.geomspace(1.0, 12.0, 5)
BINS = {"r_min": 1.0, "r_max": 12.0, "bins": 4}
KINDS = [Shells(EDGES), Wedges(EDGES, 4), Cylinders(EDGES, 9.0)]


def points(seed, number=300):
    generator = np.random.default_rng(seed)
    place = generator.random((number, 3)) * BOX
    place[: number // 3] = place[number // 3 : 2 * (number // 3)] + generator.normal(
        0.0, 1.5, (number // 3, 3)
    )
    return Sample(place % BOX, generator.random(number) ** 3)


def by_brute_force(one, two, per_side, bins):
    """Products of weights of all pairs with the first, second or both members in each region."""
    shift = one.place[:, None] - two.place[None]
    shift = np.abs(shift - BOX * np.rint(shift / BOX))
    index = bins.index(shift.reshape(-1, 3)).reshape(shift.shape[:2])
    product = np.outer(one.weight, two.weight)
    where = [regions(sample.place, BOX, per_side) for sample in (one, two)]
    size, parts = bins.volumes().size, per_side**3
    pairs, sums = np.zeros(size, dtype=int), np.zeros((3, parts, size))
    for i, j in np.argwhere(index >= 0):
        k = index[i, j]
        pairs[k] += 1
        sums[0, where[0][i], k] += product[i, j]
        sums[1, where[1][j], k] += product[i, j]
        sums[2, where[0][i], k] += product[i, j] * (where[0][i] == where[1][j])
    shape = bins.volumes().shape
    return pairs.reshape(shape), sums.reshape(3, parts, *shape)


@pytest.mark.parametrize("at_once", [50, 2_000_000])
@pytest.mark.parametrize("bins", KINDS)
def test_brute_force(bins, at_once, monkeypatch):
    monkeypatch.setattr(weighted, "_AT_ONCE", at_once)
    monkeypatch.setattr(weighted, "_FIRST_ROWS", 7)
    one, two = points(1), points(2, 200)
    for other in (two, None):
        found = count_weighted(one, other, BOX, 2, bins, "pairs")
        pairs, sums = by_brute_force(one, one if other is None else other, 2, bins)
        np.testing.assert_array_equal(found.pairs, pairs)
        for name, expected in zip(("first", "second", "both"), sums, strict=True):
            np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-12, atol=1e-14)


def test_where_separations_are_binned():
    """The bins of pairs are those in which the volumes are."""
    generator = np.random.default_rng(3)
    for bins in KINDS:
        shift = np.abs(generator.uniform(-14.0, 14.0, (200_000, 3)))
        index = bins.index(shift)
        found = np.bincount(index[index >= 0], minlength=bins.volumes().size) / 200_000
        expected = bins.volumes().ravel() / 28.0**3
        np.testing.assert_allclose(found, expected, atol=6 * np.sqrt(expected.max() / 200_000))


@pytest.mark.parametrize(
    "measure", [correlation_function, projected_correlation_function, correlation_multipoles]
)
@pytest.mark.parametrize("jackknife", [0, 2])
def test_equal_weights_are_none(measure, jackknife):
    sample = points(4)
    velocity = np.random.default_rng(5).normal(0.0, 100.0, sample.place.shape)
    mock = catalogue(sample.place, np.full(300, 7e9), BOX, velocity)
    plain = measure(mock, **BINS, jackknife=jackknife)
    found = measure(mock, **BINS, jackknife=jackknife, weigh_by="stellar_mass")
    for name, values in plain.columns.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, atol=1e-11, err_msg=name)
    assert plain.settings["weight"] == "number"
    assert found.settings["weight"] == "stellar_mass"
    assert "w w" in found.settings["estimator"]


def test_two_samples_that_share_galaxies():
    sample = points(6)
    mock = catalogue(sample.place, sample.weight * 1e10, BOX)
    alone = correlation_function(mock, **BINS, jackknife=2, weigh_by="stellar_mass")
    both = cross_correlation(mock, mock, **BINS, jackknife=2, weigh_by="stellar_mass")
    np.testing.assert_allclose(both["xi"], alone["xi"], rtol=1e-12)
    np.testing.assert_allclose(both.left_out["xi"], alone.left_out["xi"], rtol=1e-9)


def test_the_order_of_rows_changes_no_bit():
    sample = points(7)
    order = np.random.default_rng(8).permutation(300)
    found = count_weighted(sample, None, BOX, 2, Shells(EDGES), "pairs")
    again = count_weighted(sample.take(order), None, BOX, 2, Shells(EDGES), "pairs")
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_are_probabilities_of_being_there():
    """xi with weights is that of the samples that are drawn with them."""
    sample = points(9, 600)
    mock = catalogue(sample.place, sample.weight * 1e10, BOX)
    expected = correlation_function(mock, **BINS, jackknife=0, weigh_by="stellar_mass")["xi"]
    generator = np.random.default_rng(10)
    bins, pairs, ways = Shells(EDGES), 0.0, 0.0
    for _ in range(400):
        there = sample.take(generator.random(600) < sample.weight)
        there = Sample(there.place)
        pairs = pairs + count_weighted(there, None, BOX, 0, bins, "pairs").total()[:, 0]
        ways += len(there.place) * (len(there.place) - 1.0)
    found = pairs / (ways * bins.volumes()[:, 0] / BOX**3) - 1.0
    np.testing.assert_allclose(found, expected, rtol=0.05, atol=0.02)


@pytest.mark.parametrize(
    ("weigh_by", "mass", "error", "said"),
    [
        ("nothing", 1e10, UsageError, "stellar_mass"),
        ("position", 1e10, UsageError, "number for each galaxy"),
        ("velocity", 1e10, UsageError, "number for each galaxy"),
        ("stellar_mass", 0.0, BadValueError, "0 of all"),
    ],
)
def test_refused(weigh_by, mass, error, said):
    mock = catalogue(points(1).place, np.full(300, mass), BOX)
    with pytest.raises(error, match=said):
        correlation_function(mock, **BINS, weigh_by=weigh_by)
