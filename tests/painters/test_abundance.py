"""Abundance matching: masses by rank, by hand and against a mass function."""

import numpy as np
import pytest

from mockgal.laws.abundance import CumulativeFunction, abundance_matched


def test_equal_volumes_exchange_ranks():
    mass = 10.0 ** np.random.default_rng(1).uniform(9, 12, 50)
    function = CumulativeFunction.of_galaxies(mass, 1000.0)
    proxy = np.random.default_rng(2).lognormal(5.0, 0.4, 70)
    found = abundance_matched(proxy, np.arange(70), function, 1000.0)
    order = np.argsort(-proxy)
    assert 10.0 ** found[order[:50]] == pytest.approx(np.sort(mass)[::-1])
    assert np.all(np.isneginf(found[order[50:]]))


def test_of_equal_proxies_the_lower_id_is_first_whatever_the_order_of_rows():
    function = CumulativeFunction.of_galaxies(np.array([1e9, 1e10, 1e11]), 1.0)
    assert abundance_matched(np.ones(3), [7, 5, 6], function, 1.0).tolist() == [9.0, 11.0, 10.0]


def test_in_a_larger_volume_the_mass_function_comes_back():
    """A power law, of which the larger box has eight times as many galaxies."""
    rng = np.random.default_rng(3)
    mass = 1e9 * (1.0 - rng.random(4000)) ** -0.8
    function = CumulativeFunction.of_galaxies(mass, 1.0)
    found = abundance_matched(rng.random(40_000), np.arange(40_000), function, 8.0)
    for limit in (2e9, 1e10, 5e10):
        assert np.sum(found > np.log10(limit)) / 8.0 == pytest.approx(
            np.sum(mass > limit), rel=0.02
        )
    assert np.sum(found > -np.inf) == pytest.approx(32_000, rel=1e-3)
    assert found.max() == pytest.approx(np.log10(mass.max()))  # no mass beyond the function's


def test_without_galaxies_there_are_none():
    function = CumulativeFunction.of_galaxies(np.empty(0), 1.0)
    assert np.all(np.isneginf(abundance_matched(np.ones(3), np.arange(3), function, 1.0)))
