"""Laws that are cut off far below what the table resolves, against the exact ones."""

from dataclasses import replace

import numpy as np
import pytest
from cnn_samples import SMALL, sample_weights
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import log_ndtr, ndtri_exp

from mockgal.laws.distribution import Distribution, cdf, inverse_cdf
from mockgal.laws.normal import (
    FARTHEST,
    PROBABILITY,
    mean_above,
    normal_quantiles,
    resolved,
)
from mockgal.painters.cnn.law import law

FLOOR, N = 8.0, 20_000
U = (np.arange(N) + 0.5) / N


def painted(distance, scale):
    """A law whose mean is so many scales below the floor, as it is drawn from."""
    given = np.full(N, FLOOR - distance * scale), np.full(N, scale)
    location, made, replaced = resolved(*given, FLOOR)
    assert np.all(replaced == (distance > FARTHEST))
    return Distribution(
        p_luminous=np.ones(N),
        location=location,
        scale=made,
        residual_row=np.zeros(N, np.int16),
        residual_probability=PROBABILITY,
        residual_quantiles=normal_quantiles()[None],
        floor=FLOOR,
        extrapolated=np.zeros(N, dtype=bool),
    )


def exact(distance, scale):
    """Quantiles of the law above the floor [dex]."""
    return scale * (-ndtri_exp(log_ndtr(-distance) + np.log1p(-U)) - distance)


@pytest.mark.parametrize("scale", [0.2, 3.0])
@pytest.mark.parametrize("distance", [-1.0, 2.0, 4.9, 5.1, 6.0, 9.0, 30.0, 1000.0])
def test_the_law_above_the_floor(distance, scale):
    law, expected = painted(distance, scale), exact(distance, scale)
    found = inverse_cdf(law, U) - FLOOR
    assert found.mean() == pytest.approx(expected.mean(), rel=0.01)
    for share in (0.1, 0.5, 0.9, 0.99):
        assert np.quantile(found, share) == pytest.approx(np.quantile(expected, share), rel=0.05)
    inside = U < 0.99
    assert cdf(law, found + FLOOR)[inside] == pytest.approx(U[inside], abs=1e-3)


@pytest.mark.parametrize("scale", [0.2, 3.0])
@pytest.mark.parametrize("distance", [-np.inf, -30.0, -1.0, 0.0, 2.0, 4.9])
def test_the_mean_above_the_floor(distance, scale):
    floor = FLOOR if np.isfinite(distance) else -np.inf
    location = np.full(1, FLOOR - (distance * scale if np.isfinite(distance) else 0.0))
    expected = stats.truncnorm.mean((floor - location[0]) / scale, np.inf, location[0], scale)
    assert mean_above(location, np.array([scale]), floor)[0] == pytest.approx(expected, rel=1e-9)


@given(st.floats(5.0, 1e8), st.floats(1e-3, 100.0))
def test_however_far_the_law_is_one(distance, scale):
    floor = np.full(1, FLOOR)
    location, made, _ = resolved(floor - distance * scale, np.array([scale]), FLOOR)
    assert 0 < made[0] <= scale * (1 + 1e-9)
    assert location[0] < FLOOR
    assert (FLOOR - location[0]) / made[0] == pytest.approx(FARTHEST, rel=1e-5)


def test_laws_that_the_table_resolves_are_left_as_they_are():
    location, scale = np.array([8.5, 7.0, 8.0 - 4.99]), np.array([0.2, 0.5, 1.0])
    found = resolved(location, scale, FLOOR)
    assert np.array_equal(found[0], location)
    assert np.array_equal(found[1], scale)
    assert not found[2].any()
    assert not resolved(location - 100.0, scale, -np.inf)[2].any()


def test_it_changes_continuously_and_only_what_is_far():
    given = np.array([FLOOR - FARTHEST - 1e-6, FLOOR - 1.0]), np.ones(2)
    location, scale, replaced = resolved(*given, FLOOR)
    assert replaced.tolist() == [True, False]
    assert location == pytest.approx(given[0], abs=1e-4)
    assert scale == pytest.approx(given[1], abs=1e-4)
    assert location[1] == given[0][1]
    assert given[0][0] == FLOOR - FARTHEST - 1e-6


def test_mass_of_a_voxel_far_below_the_floor_is_painted_by_its_mean():
    weights = sample_weights(SMALL, domain={"luminosity_floor": 1e8}, target="voxel")
    medians = []
    for mean in (0.3, 0.1, -0.1, -5.0):  # log10 of mass; the sample's target is standardised
        centre, deviation = weights.normalisation.target
        output = np.array([[(mean - centre) / deviation, np.log(3.0 / deviation), 8.0]])
        flag = np.zeros(1, dtype=bool)
        made = law(weights, 1, np.arange(1), output, np.ones(1), flag, {})
        medians.append(float(inverse_cdf(made, np.full(1, 0.5))[0]))
        location, scale, _ = resolved(np.full(1, mean), np.full(1, 3.0), FLOOR)
        expected = replace(made, location=location, scale=scale)
        assert medians[-1] == pytest.approx(
            float(inverse_cdf(expected, np.full(1, 0.5))[0]), abs=0.1
        )
    assert np.all(np.diff(medians) < 0)
    assert medians[0] - medians[2] < 0.1


@pytest.mark.parametrize("floor", [-np.inf, 8.0])
def test_a_normal_law_in_one_call(floor):
    """Galaxies above the floor are the part of the law that is there, and have its masses."""
    location, scale = np.array([7.7, 8.0, 8.3, 10.0]), 0.2
    made = Distribution.normal(location, scale, floor=floor)
    assert made.p_luminous == pytest.approx(1 - stats.norm.cdf(floor, location, scale))
    assert not made.extrapolated.any()
    below = stats.norm.cdf(floor, location, scale)
    for u in (0.1, 0.5, 0.9):
        exact = stats.norm.ppf(below + u * (1 - below), location, scale)
        assert inverse_cdf(made, np.full(4, u)) == pytest.approx(exact, abs=2e-3)


def test_a_normal_law_of_galaxies_that_the_painter_counts_itself():
    p, far = np.array([0.3, 1.0]), np.array([0.0, 9.0])
    made = Distribution.normal(far, 0.1, floor=8.0, p_luminous=p, extrapolated=p < 1)
    assert np.array_equal(made.p_luminous, p)
    assert made.record == {"means_far_below_floor": 1}
    assert made.extrapolated.tolist() == [True, False]
    assert np.all(inverse_cdf(made, np.full(2, 1e-6)) >= 8.0)


@pytest.mark.parametrize("floor", [-np.inf, 8.0])
def test_no_galaxy_where_there_is_no_mass(floor):
    made = Distribution.normal(np.array([-np.inf, 9.0]), 0.1, floor=floor)
    assert made.p_luminous == pytest.approx([0.0, 1.0])
    assert np.isfinite(inverse_cdf(made, np.full(2, 0.5))).all()
