"""The likelihoods, the sampler, and the posterior of data whose parameters are known."""

import builtins
from dataclasses import replace

import numpy as np
import pytest
from fit_samples import ZHENG, posterior

from mockgal.errors import MockgalWarning, UsageError
from mockgal.fitting import sampler
from mockgal.fitting.result import result
from mockgal.fitting.sampler import best, sample

PRIORS = {"logMmin": (11.0, 13.0), "logM1": (11.5, 14.0)}


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
class TestLikelihoods:
    @pytest.mark.parametrize("likelihood", ["gaussian", "student", "matched"])
    def test_with_many_mocks_all_are_the_same(self, likelihood, halotools):
        values = np.array([[11.95, 12.6], [11.8, 12.7]])
        known = posterior(PRIORS).log_density(values)
        many = posterior(PRIORS, likelihood=likelihood, number=10**7).log_density(values)
        assert np.diff(many)[0] == pytest.approx(np.diff(known)[0], rel=1e-3)

    def test_with_few_mocks_each_has_its_formula(self, halotools):
        values, mocks, n, k = np.array([[11.95, 12.62]]), 40, 6, 2
        one = posterior(PRIORS, number=mocks, density=False)
        (square,) = one.chi_squares(*one.predict(values)[:2])
        square = square[0]
        prior = one.log_prior(values)[0]
        factor = (mocks - n - 2) / (mocks - 1)
        assert one.log_density(values)[0] - prior == pytest.approx(-0.5 * factor * square)
        b = (mocks - n - 2) / ((mocks - n - 1) * (mocks - n - 4))
        m = k + 2 + (mocks - 1 + b * (n - k)) / (1 + b * (n - k))
        for likelihood, power in (("student", mocks), ("matched", m)):
            other = posterior(PRIORS, number=mocks, density=False, likelihood=likelihood)
            expected = -power / 2 * np.log(1 + square / (mocks - 1))
            assert other.log_density(values)[0] - prior == pytest.approx(expected)

    def test_matched_needs_more_mocks(self, halotools):
        one = posterior(PRIORS, number=10, likelihood="matched")
        with pytest.raises(UsageError, match="at least 11"):
            one.log_density(np.array([[11.9, 12.6]]))

    def test_outside_the_prior_nothing_is_likely(self, halotools):
        density = posterior(PRIORS).log_density(np.array([[10.9, 12.6], [11.9, 12.6]]))
        assert density[0] == -np.inf
        assert np.isfinite(density[1])

    def test_more_parameters_than_numbers_are_refused(self, halotools):
        with pytest.raises(UsageError, match="more numbers than parameters"):
            replace(posterior(PRIORS), targets=[])


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_the_best_parameters_are_those_of_the_data(halotools):
    found = best(posterior(PRIORS, error=0.02), 1)
    assert found == pytest.approx([ZHENG["logMmin"], ZHENG["logM1"]], abs=2e-3)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_samples_have_the_density_of_the_posterior(halotools):
    one = posterior(PRIORS, seed=1)
    start = best(one, 1)
    found = sample(one, start, seed=1)
    assert found.converged
    grid = [np.linspace(start[i] - 0.4, start[i] + 0.4, 120) for i in range(2)]
    x, y = np.meshgrid(*grid, indexing="ij")
    log_density = one.log_density(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(x.shape)
    density = np.exp(log_density - log_density.max())
    for i, values in enumerate(grid):
        along = density.sum(axis=1 - i)
        mean = (along * values).sum() / along.sum()
        width = np.sqrt((along * (values - mean) ** 2).sum() / along.sum())
        assert found.values[:, i].mean() == pytest.approx(mean, abs=0.1 * width)
        assert found.values[:, i].std() == pytest.approx(width, rel=0.1)
    fit = result(one, start, found, {}, {})
    assert fit.degrees_of_freedom == 5
    assert 0.001 < fit.p_value < 0.999
    assert "chi-square" in repr(fit)
    median, low, high = fit.interval("logMmin")
    assert low < median < high
    assert abs(median - ZHENG["logMmin"]) < 3 * (high - low)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_an_interrupted_chain_goes_on_as_if_it_had_not_been(halotools, monkeypatch):
    monkeypatch.setattr(sampler, "LENGTHS", 1e9)
    monkeypatch.setattr(sampler, "STEPS", 30)
    one, start, kept = posterior(PRIORS), np.array([11.9, 12.6]), []
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - it must stay as it is
    whole = sample(one, start, seed=4, steps=90, keep=kept.append)
    assert len(kept) == 3
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    rest = sample(one, start, seed=4, steps=90, chain=kept[0])
    assert np.array_equal(whole.values, rest.values)
    assert not np.array_equal(whole.values, sample(one, start, seed=5, steps=90).values)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    with pytest.warns(MockgalWarning, match="autocorrelation times long, not"):
        assert not sample(one, start, seed=4, steps=30).converged


def test_emcee_that_is_not_installed_is_named(monkeypatch):
    imported = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "emcee":
            raise ImportError("no module named emcee")
        return imported(name, *rest, **more)

    monkeypatch.setattr(sampler, "import_module", without)
    with pytest.raises(UsageError, match=r"pip install 'mockgal\[fit\]'"):
        sampler.emcee()


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_priors_without_galaxies_are_refused(halotools):
    with pytest.raises(UsageError, match="no galaxies"):
        best(posterior({"logMmin": (16.0, 17.0), "logM0": (16.0, 17.0)}), 1)
