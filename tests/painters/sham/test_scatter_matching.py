"""The law that gives a mass function by rank: deconvolution, and what it cannot do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from mockgal.laws.mass_functions import PUBLISHED, schechter
from mockgal.laws.scatter_matching import cumulative, matching

H = 0.7


def law_of(name, scatter):
    function = PUBLISHED[name]
    redshift = function.redshift[1]
    low, high = (edge + function.shift(H) for edge in function.log_mass)

    def density(x):
        return function.in_run(x, redshift, H)

    return density, matching(density, low, high, scatter)


def test_of_a_power_law_the_deconvolution_is_a_shift():
    """10^(-x) convolved with a Gaussian of s is itself times exp((s ln 10)^2 / 2)."""
    law = matching(lambda x: 10.0 ** (8.0 - x), 8.0, 11.0, 0.2)
    plain = matching(lambda x: 10.0 ** (8.0 - x), 8.0, 11.0, 0.0)
    density = np.array([1e-1, 1e-2])
    shift = np.log(10.0) * 0.2**2 / 2  # dex
    assert plain.location(density) - law.location(density) == pytest.approx(shift, abs=0.01)
    assert law.final_scatter()[300] == pytest.approx(0.2, abs=1e-3)


@pytest.mark.parametrize("scatter", [0.0, 0.15, 0.2, 0.3])
@pytest.mark.parametrize("name", list(PUBLISHED))
def test_the_mass_function_comes_out_within_two_percent(name, scatter):
    """Half a million subhalos of a large box; counts by mass, where they are complete."""
    density, law = law_of(name, scatter)
    number = 500_000
    volume = number / law.before[len(law.before) // 4]
    ranks = (np.arange(number) + 0.5) / volume
    q = np.random.default_rng(1).standard_normal(number)
    mass = law.final(law.location(ranks) + scatter * q)
    edges = np.arange(law.complete_from(number / volume), law.log_mass[-1], 0.2)
    found = np.histogram(mass, edges)[0]
    wanted = -np.diff(
        np.interp(edges, law.log_mass, cumulative(law.log_mass, density(law.log_mass)))
    )
    wanted *= volume
    many = wanted > 1000
    assert many.sum() >= 4
    assert np.abs(found / wanted - 1)[many] == pytest.approx(0, abs=0.02) or np.all(
        np.abs(found - wanted)[many] < 4 * np.sqrt(wanted[many])
    )
    assert found[many].sum() == pytest.approx(wanted[many].sum(), rel=0.01)


def test_scatter_is_kept_where_it_says():
    _, law = law_of("baldry2012", 0.2)
    top = law.keeps_scatter_to()
    assert 10.8 < top < 11.3
    inside = (law.log_mass > 9.0) & (law.after < top - 0.01)
    assert np.abs(law.final_scatter()[inside] - 0.2).max() < 0.01
    assert law.final_scatter()[np.searchsorted(law.log_mass, 11.6)] < 0.19


def test_below_the_resolved_ranks_galaxies_are_missing_and_above_they_are_not():
    density, law = law_of("li_white2009", 0.2)
    number, volume = 400_000, 400_000 / law.before[len(law.before) // 3]
    ranks = (np.arange(number) + 0.5) / volume
    mass = law.location(ranks) + 0.2 * np.random.default_rng(2).standard_normal(number)
    limit = law.complete_from(number / volume)
    edges = np.array([limit - 0.2, limit, limit + 0.2])
    cumulated = cumulative(law.log_mass, density(law.log_mass))
    wanted = -np.diff(np.interp(edges, law.log_mass, cumulated)) * volume
    below, above = np.histogram(law.final(mass), edges)[0] / wanted
    assert above == pytest.approx(1.0, abs=0.02)
    assert below < 0.97


@settings(max_examples=20)
@given(knee=st.floats(10.3, 11.2), slope=st.floats(-1.6, -0.6), scatter=st.floats(0.0, 0.35))
def test_the_law_of_any_schechter_function_gives_it_back(knee, slope, scatter):
    law = matching(lambda x: 10.0 ** schechter(x, knee, (1e-3, slope)), 8.5, 12.0, scatter)
    assert np.all(np.diff(law.before) <= 0)
    assert np.all(np.diff(law.after) >= 0)
    mass = np.arange(9.0, knee + 0.6, 0.1)
    if law.scatter:
        number = np.append(-np.diff(law.before), law.before[-1])
        start = np.array([law.scattered(one) for one in mass])
        middle = law.log_mass + (law.log_mass[1] - law.log_mass[0]) / 2
        above = ndtr((middle - start[:, None]) / law.scatter) @ number
    else:
        above = np.interp(mass, law.log_mass, law.before)
    wanted = np.exp(np.interp(mass, law.log_mass, np.log(law.total)))
    assert above == pytest.approx(wanted, rel=0.01)
