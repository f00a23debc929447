"""Satellite fraction: known shares, errors of the right size and never zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mass_samples import catalogue, demo_mock, populated

from mockgal import registry
from mockgal.errors import UsageError
from mockgal.statistics.galaxies.satellites import satellite_fraction


def test_known_galaxies_give_known_fractions():
    central = np.array([True, False, False, True, False])
    galaxies = catalogue([1e9, 1e9, 1.1e9, 1e10, 1e10], is_central=central)
    result = satellite_fraction(galaxies, jackknife=0)
    np.testing.assert_allclose(result["satellite_fraction"], [2 / 3, np.nan, np.nan, np.nan, 0.5])
    np.testing.assert_array_equal(result["satellites"], [2, 0, 0, 0, 1])
    np.testing.assert_array_equal(result["galaxies"], [3, 0, 0, 0, 2])
    expected = np.sqrt(3 * 2 / 9 + 0.25) / 3
    assert result["satellite_fraction_error"][0] == pytest.approx(expected)
    assert np.isnan(result["satellite_fraction_error"][1])


@pytest.mark.parametrize("jackknife", [0, 3])
@pytest.mark.parametrize("central", [True, False])
@pytest.mark.parametrize("number", [1, 5, 200])
def test_a_fraction_of_nothing_or_all_has_an_error(jackknife, central, number):
    galaxies = catalogue(np.full(number, 1e10), is_central=np.full(number, central))
    result = satellite_fraction(galaxies, jackknife=jackknife)
    assert result["satellite_fraction"][0] == 1.0 - central
    assert result["satellite_fraction_error"][0] == pytest.approx(0.5 / number)


def test_an_empty_catalogue_has_no_bins():
    result = satellite_fraction(catalogue([]))
    assert len(result) == 0
    result.to_ecsv()


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.sampled_from([0, 2]))
def test_satellites_are_conserved(central, jackknife):
    mass = 10.0 ** np.linspace(9, 10, len(central))
    galaxies = catalogue(mass, is_central=np.array(central))
    result = satellite_fraction(galaxies, jackknife=jackknife)
    satellites = np.nansum(result["satellite_fraction"] * result["galaxies"])
    assert satellites == pytest.approx(central.count(False))
    filled = result["galaxies"] > 0
    np.testing.assert_array_equal(result["satellite_fraction_error"] > 0, filled)


def test_errors_are_the_scatter_of_independent_galaxies():
    """Over 300 boxes; the scatter is known to 1 / sqrt(600) = 4%, and four of these."""
    found = []
    for seed in range(300):
        generator = np.random.default_rng(1000 + seed)
        galaxies = catalogue(np.full(500, 1e10), is_central=generator.random(500) < 0.7, seed=seed)
        both = [satellite_fraction(galaxies, jackknife=j) for j in (3, 0)]
        errors = [result["satellite_fraction_error"][0] for result in both]
        found.append([both[0]["satellite_fraction"][0], *errors])
    values, jackknife, binomial = np.array(found).T
    for error in (jackknife, binomial):
        ratio = np.sqrt(np.mean(error**2)) / values.std(ddof=1)
        assert ratio == pytest.approx(1.0, abs=4 / np.sqrt(600))
    assert values.mean() == pytest.approx(0.3, abs=4 * values.std() / np.sqrt(300))


def test_satellites_of_one_host_are_not_independent():
    """Their scatter is more than binomial, and the jackknife sees it."""
    galaxies, _ = populated(1, hosts=400, mean=0.0)
    clusters = np.repeat(np.arange(10), 40)  # ten hosts of 40 satellites
    columns = {
        name: np.concatenate([galaxies[name], galaxies[name][clusters]])
        for name in galaxies.columns
    }
    columns["galaxy_id"] = np.arange(len(columns["galaxy_id"]))
    columns["is_central"] = np.arange(len(columns["galaxy_id"])) < len(galaxies)
    columns["stellar_mass"] = np.full(len(columns["galaxy_id"]), 1.1e10, dtype=np.float32)
    both = catalogue(columns.pop("stellar_mass"), **columns)
    errors = [satellite_fraction(both, jackknife=j)["satellite_fraction_error"][0] for j in (3, 0)]
    assert errors[0] > 2 * errors[1]


def test_it_is_found_by_its_name_and_measures_a_mock(demo_bundle):
    assert registry.load("statistics", "satellite_fraction") is satellite_fraction
    _, mock = demo_mock(demo_bundle)
    result = satellite_fraction(mock)
    assert result["satellites"].sum() == np.sum(~mock["is_central"])
    assert "binomial" in result.settings["errors"]
    with pytest.raises(UsageError):
        satellite_fraction(mock, bin_width=-1.0)
