"""The one draw: inverse CDF and CDF are inverses, the floor holds, ids are the keys."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mockgal.errors import DomainError, InternalError
from mockgal.laws.distribution import Distribution, cdf, inverse_cdf
from mockgal.painters.draw import draw

PROBABILITY = np.array([0, 0.1, 0.5, 0.9, 1.0])


def distribution(n, floor=-np.inf, location=10.0, p=1.0):
    return Distribution(
        p_luminous=np.full(n, p),
        location=np.full(n, location),
        scale=np.full(n, 1.0),
        residual_row=np.arange(n) % 2,
        residual_probability=PROBABILITY,
        residual_quantiles=np.array([[-1, -0.3, 0, 0.3, 1], [-2, -0.5, 0.1, 0.5, 0.8]]),
        floor=floor,
        extrapolated=np.zeros(n, dtype=bool),
    )


def test_quantiles_are_met():
    d = distribution(2)
    for probability, expected in zip(PROBABILITY, d.residual_quantiles.T, strict=True):
        assert inverse_cdf(d, np.full(2, probability)) == pytest.approx(10 + expected)


@given(st.floats(1e-9, 1 - 1e-9), st.floats(8.5, 10.5))
def test_cdf_inverts_and_the_floor_holds(u, floor):
    d = distribution(2, floor=floor)
    values = inverse_cdf(d, np.full(2, u))
    assert np.all(values >= floor)
    assert cdf(d, values) == pytest.approx(np.full(2, u), abs=1e-7)


def test_truncation_is_the_conditional_law():
    n = 40_000
    d, ids = distribution(n, floor=9.9), np.arange(n)
    rows, drawn = draw(d, ids, seed=3)
    free = inverse_cdf(distribution(n), np.random.default_rng(1).random(n))
    assert len(rows) == n
    for row in (0, 1):
        kept = free[(ids % 2 == row) & (free >= 9.9)]
        assert stats.ks_2samp(drawn[ids % 2 == row], kept).pvalue > 1e-3


def test_pit_is_uniform_on_its_own_draws():
    d = distribution(20_000, floor=9.5)
    _, drawn = draw(d, np.arange(20_000), seed=8)
    assert stats.kstest(cdf(d, drawn), "uniform").pvalue > 1e-3


def test_the_share_of_luminous_is_the_probability():
    rows, _ = draw(distribution(100_000, p=0.3), np.arange(100_000), seed=5)
    assert abs(len(rows) - 30_000) < 4 * np.sqrt(100_000 * 0.21)


def test_absurd_masses_are_refused():
    """Extrapolation leads to those that are too large, and not to those that are no mass."""
    for location, error, code in ((15.0, DomainError, 3), (np.nan, InternalError, 8)):
        with pytest.raises(error) as caught:
            draw(distribution(3, location=location), np.arange(3), seed=1)
        assert caught.value.exit_code == code
