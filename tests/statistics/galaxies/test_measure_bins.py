"""Bins of mass: a lattice that catalogues share, nothing outside; errors of counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mockgal.errors import BadValueError, UsageError
from mockgal.statistics.galaxies import bins as mass_bins

MASSES = arrays(float, st.integers(1, 40), elements=st.floats(1e-3, 1e18))


@given(MASSES, st.sampled_from([0.05, 0.1, 0.25, 0.3, 1.0]))
def test_every_mass_is_between_the_edges_of_its_bin(mass, width):
    bins, number = mass_bins.bin_masses(mass, width, "mass")
    low, high = bins.edges[:-1], bins.edges[1:]
    assert np.all((low[number] <= mass) & (mass < high[number]))
    np.testing.assert_allclose(np.log10(bins.edges), (bins.first + np.arange(len(low) + 1)) * width)
    assert mass_bins.count(number, len(bins))[[0, -1]].all()  # no more bins than needed


@given(MASSES, MASSES)
def test_two_catalogues_share_bins(a, b):
    edges = [set(mass_bins.bin_masses(mass, 0.25, "mass")[0].edges) for mass in (a, b)]
    low, high = max(map(min, edges)), min(map(max, edges))
    assert {x for x in edges[0] if low <= x <= high} == {x for x in edges[1] if low <= x <= high}


def test_a_mass_on_an_edge_is_in_the_bin_above():
    edges = 10.0 ** (np.arange(30, 50) * 0.25)
    bins, number = mass_bins.bin_masses(edges, 0.25, "mass")
    np.testing.assert_array_equal(number, np.arange(20))
    np.testing.assert_array_equal(bins.edges[:-1], edges)


def test_zero_has_no_bin():
    bins, number = mass_bins.bin_masses(np.array([0.0, 1e9, 0.0]), 0.25, "mass")
    np.testing.assert_array_equal(number, [-1, 0, -1])
    assert len(bins) == 1
    none, number = mass_bins.bin_masses(np.zeros(2), 0.25, "mass")
    assert len(none) == len(none.edges) == len(none.columns("m")["m"]) == 0
    np.testing.assert_array_equal(number, [-1, -1])


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_masses_that_cannot_be_are_refused(bad):
    with pytest.raises(BadValueError, match="mass: found 1 values"):
        mass_bins.bin_masses(np.array([1e9, bad]), 0.25, "mass")


@pytest.mark.parametrize("width", [0.0, -0.1, np.nan, np.inf, 1e-9, 100.0])
def test_widths_that_cannot_be_are_refused(width):
    with pytest.raises(UsageError, match="bin width"):
        mass_bins.bin_masses(np.array([1e9]), width, "mass")


def test_counts_by_region_add_up():
    generator = np.random.default_rng(1)
    number, region = generator.integers(-1, 6, 500), generator.integers(0, 8, 500)
    by_region = mass_bins.count_by_region(number, region, 6, 8)
    np.testing.assert_array_equal(by_region.sum(axis=0), mass_bins.count(number, 6))
    assert by_region[3, 2] == np.sum((region == 3) & (number == 2))
    for r, rest in enumerate(mass_bins.left_out(by_region)):
        np.testing.assert_array_equal(rest, mass_bins.count(number[region != r], 6))


def test_error_of_a_mean_is_never_zero():
    variance, number = np.array([0.0, 0.25, 0.0, np.nan]), np.array([1, 10_000, 100, 0])
    error = mass_bins.mean_error(variance, number)
    np.testing.assert_allclose(error[:3], [0.5, 0.005, 0.005], rtol=1e-4)
    assert np.isnan(error[3])


@pytest.mark.parametrize("share", [0.1, 0.3, 0.98])
def test_error_of_a_mean_is_the_scatter(share):
    """The root mean square of errors is the scatter of shares of 100, but for the added 1/4."""
    n, draws = 100, 4000
    f = np.random.default_rng(1).binomial(n, share, draws) / n
    error = mass_bins.mean_error(f * (1.0 - f), np.full(draws, n))
    variance = share * (1.0 - share)
    expected = np.sqrt(1.0 - 1.0 / n + 0.25 / (n * variance))
    ratio = np.sqrt(np.mean(error**2) / (variance / n))
    assert ratio == pytest.approx(expected, rel=4 / np.sqrt(2 * draws))


def test_jackknife_errors_are_mended_only_where_they_must_be():
    error = np.array([0.1, 0.1, 0.1, 0.0, np.nan, np.nan])
    independent = np.array([0.2, 0.2, 0.05, 0.2, 0.2, np.nan])
    number = np.array([100, 5, 5, 100, 100, 0])
    np.testing.assert_array_equal(
        mass_bins.safe_jackknife(error, independent, number, 27), [0.1, 0.2, 0.1, 0.2, 0.2, np.nan]
    )
