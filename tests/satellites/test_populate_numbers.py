"""Numbers of satellites: the laws against SciPy's, their means and variances, and compiled code."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from mockgal.satellites import kernels, numbers

MEANS = st.floats(0.0, 40.0)
SHARES = st.floats(0.0, 3.0)  # variance over mean


def columns(law):
    return np.column_stack(law)


def moments(law):
    """Mean and variance of a law of one number, by the probabilities that the recursion has."""
    k = np.arange(2000.0)
    total = np.zeros(2)
    for start, first, slope, weight in (
        (law.start, law.first, law.slope, 1.0 - law.weight),
        (law.other_start, law.other_first, law.other_slope, law.weight),
    ):
        steps = (first[0] + k[:-1] * slope[0]) / (k[:-1] + 1.0)
        p = np.append(start[0], start[0] * np.cumprod(steps))
        total += weight[0] * np.array([np.sum(p * k), np.sum(p * k**2)])
        assert weight[0] == 0 or np.sum(p) == pytest.approx(1.0, abs=1e-9)
    return total[0], total[1] - total[0] ** 2


def test_poisson():
    mean = np.array([0.0, 1e-6, 0.3, 1.0, 7.7, 300.0])
    u = np.concatenate([np.linspace(1e-9, 1 - 1e-9, 500), [2.0**-53, 1 - 2.0**-53]])
    for m in mean:
        law = numbers.poisson(np.full(len(u), m))
        k = numbers.quantile(law, u)
        cdf = stats.poisson(m).cdf
        assert np.all(cdf(k) >= u * (1 - 1e-12))
        assert np.all((k == 0) | (cdf(k - 1) <= u * (1 + 1e-12)))


@given(MEANS, SHARES)
def test_measured_mean_and_variance(mean, share):
    assume(mean == 0 or mean > 1e-3)
    variance = mean * share
    law, unattainable = numbers.measured(np.array([mean]), np.array([variance]))
    assume(law.start[0] > numbers.LEAST_START)
    assume(law.weight[0] == 0 or law.other_start[0] > numbers.LEAST_START)
    found_mean, found_variance = moments(law)
    assert found_mean == pytest.approx(mean, rel=1e-7, abs=1e-12)
    assert found_variance == pytest.approx(law.variance[0], rel=1e-6, abs=1e-7)
    if not unattainable:
        assert found_variance == pytest.approx(variance, rel=1e-6, abs=1e-7)
    else:
        least = mean * (1 - mean / math.ceil(mean))
        assert variance < least == pytest.approx(found_variance, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(
    ("mean", "variance", "law"),
    [
        (4.0, 8.0, stats.nbinom(4.0, 0.5)),
        (0.7, 0.7, stats.poisson(0.7)),
        (3.0, 2.25, stats.binom(12, 0.25)),
        (0.3, 0.21, stats.binom(1, 0.3)),
        (2.0, 0.0, stats.binom(2, 1.0)),
        (1500.0, 1500.0, stats.poisson(1500.0)),
        (1500.0, 4500.0, stats.nbinom(750, 1.0 / 3.0)),
        (1500.0, 750.0, stats.binom(3000, 0.5)),
    ],
)
def test_known_laws(mean, variance, law):
    u = np.linspace(1e-6, 1 - 1e-6, 997)
    n = np.full(len(u), mean)
    own, unattainable = numbers.measured(n, np.full(len(u), variance))
    k = numbers.quantile(own, u)
    far = k < 0
    k[far] = numbers.far_quantile(numbers.NumberLaw(*(c[far] for c in own)), u[far])
    assert unattainable == 0
    np.testing.assert_array_equal(k, law.ppf(u))


def test_both_ways_to_the_quantile_agree():
    generator = np.random.default_rng(6)
    mean = generator.uniform(0.01, 500.0, 3000)
    variance = mean * generator.uniform(0.2, 3.0, len(mean))
    law, _ = numbers.measured(mean, variance)
    u = generator.random(len(mean))
    k = numbers.quantile(law, u)
    near = k >= 0
    few = numbers.NumberLaw(*(c[near] for c in law))
    assert np.count_nonzero(near) > 2000
    np.testing.assert_array_equal(k[near], numbers.far_quantile(few, u[near]))


def test_the_least_variance():
    mean = np.array([0.5, 1.5, 2.2, 3.0])
    law, unattainable = numbers.measured(mean, np.zeros(4))
    assert unattainable == 3
    np.testing.assert_allclose(law.variance, [0.25, 0.375, 2.2 * (1 - 2.2 / 3), 0.0], atol=1e-15)


def test_no_mean_no_satellites():
    law, unattainable = numbers.measured(np.zeros(3), np.array([0.0, 1.0, 5.0]))
    assert unattainable == 0
    assert np.all(numbers.quantile(law, np.array([0.1, 0.9, 1 - 2.0**-53])) == 0)


@given(st.lists(st.tuples(MEANS, SHARES, st.floats(2.0**-53, 1 - 2.0**-53)), max_size=30))
def test_compiled(rows):
    mean, share, u = np.array(rows, dtype=float).reshape(-1, 3).T.copy()
    for law in (numbers.poisson(mean), numbers.measured(mean, mean * share)[0]):
        np.testing.assert_array_equal(kernels.quantile(law, u), numbers.quantile(law, u))


def test_numbers_grow_with_u():
    law, _ = numbers.measured(np.full(400, 5.3), np.full(400, 3.1))
    k = numbers.quantile(law, np.linspace(0.001, 0.999, 400))
    assert np.all(np.diff(k) >= 0)
    assert k[-1] > 8
