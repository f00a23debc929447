"""The losses against SciPy's laws, and where their terms become extreme."""

import math
from dataclasses import replace

import loop_samples
import numpy as np
import pytest
import torch
from scipy import stats

from mockgal.painters.cnn.weights.header import WeightsHeader
from mockgal.training.data.samples import Batch
from mockgal.training.losses import Loss, truncated_normal


def header(kind="likelihood", floor=1e8):
    data = loop_samples.samples(60)
    about = loop_samples.given(data, target="subhalo")
    about["domain"] = replace(about["domain"], luminosity_floor=floor)
    return WeightsHeader(name="x", architecture=loop_samples.network(kind), **about)


def batch(target, luminous, weight=None):
    n = len(target)
    empty = torch.zeros((n, 0))
    weight = torch.ones(n) if weight is None else weight
    return Batch(empty, empty, target, luminous, empty, weight, np.arange(n))


def test_the_likelihood_is_that_of_the_law():
    about = header()
    loss = Loss(about)
    mean, deviation = about.normalisation.target
    rng = np.random.default_rng(1)
    n = 200
    mu, log_s, logit = rng.normal(size=n), rng.normal(-0.5, 0.5, n), rng.normal(size=n)
    luminous, weight = rng.random(n) < 0.7, rng.random(n)
    floor = (8.0 - mean) / deviation
    target = np.where(luminous, floor + rng.random(n) * 3, 0.0)
    output = torch.tensor(np.stack([mu, log_s, logit], 1)).float()
    given = batch(
        torch.tensor(target).float(), torch.tensor(luminous), torch.tensor(weight).float()
    )
    total, count = loss(output, given)
    scale, p = np.exp(log_s), 1 / (1 + np.exp(-logit))
    law = stats.truncnorm((floor - mu) / scale, np.inf, loc=mu, scale=scale)
    each = np.where(luminous, -np.log(p) - law.logpdf(target), -np.log(1 - p))
    assert float(total) == pytest.approx(np.sum(weight * each), rel=1e-5)
    assert float(count) == pytest.approx(weight.sum(), rel=1e-6)


def test_the_law_integrates_to_one_above_its_floor():
    x = torch.linspace(0.3, 12, 40001, dtype=torch.float64)
    minus = truncated_normal(x, torch.tensor(-1.0), torch.tensor(0.2), 0.3)
    assert float(torch.trapezoid(torch.exp(-minus), x)) == pytest.approx(1.0, abs=1e-6)


def test_far_below_the_floor_the_loss_and_its_gradient_are_finite():
    output = torch.tensor([[-40.0, -1.0, -60.0], [30.0, 2.0, 60.0]], requires_grad=True)
    total, _ = Loss(header())(output, batch(torch.tensor([0.5, 0.0]), torch.tensor([True, False])))
    total.backward()
    assert math.isfinite(float(total.detach()))
    assert torch.isfinite(output.grad).all()
    # d/dmu of the truncated law far below its floor f tends to (mu - t)/s^2 + (f - mu)/s^2
    assert abs(float(output.grad[0, 0])) < 40 * math.exp(2.0)


def test_what_is_not_luminous_has_no_say_in_the_mass():
    output = torch.tensor([[math.inf, -200.0, 0.0], [0.1, 0.0, 0.0]], requires_grad=True)
    loss = Loss(header())
    total, _ = loss(output, batch(torch.zeros(2), torch.tensor([False, True])))
    assert math.isfinite(float(total.detach()))


def test_without_a_floor_the_law_is_the_plain_normal_one():
    loss = Loss(header(floor=0.0))
    assert loss.floor == -math.inf
    output = torch.tensor([[0.2, -0.3, 0.0]], requires_grad=True)
    total, _ = loss(output, batch(torch.tensor([1.0]), torch.tensor([True])))
    total.backward()
    expected = -stats.norm(0.2, math.exp(-0.3)).logpdf(1.0) + math.log(2)
    assert float(total.detach()) == pytest.approx(expected, rel=1e-6)
    assert torch.isfinite(output.grad).all()


def test_the_squared_error_counts_luminous_rows_by_their_weight():
    loss = Loss(header("squared error"))
    output = torch.tensor([[1.0], [2.0], [5.0]])
    given = batch(
        torch.tensor([0.0, 1.0, 0.0]),
        torch.tensor([True, True, False]),
        torch.tensor([1.0, 3.0, 7.0]),
    )
    total, count = loss(output, given)
    assert (float(total), float(count)) == (4.0, 4.0)
    assert loss.name == "squared error"


def test_the_truth_has_the_least_expected_loss():
    rng = np.random.default_rng(2)
    about = header()
    floor = Loss(about).floor
    law = stats.truncnorm((floor - 0.4) / 0.8, np.inf, loc=0.4, scale=0.8)
    target = torch.tensor(law.rvs(20000, random_state=rng)).float()
    best = np.inf
    for mu, s in [(0.4, 0.8), (0.5, 0.8), (0.3, 0.8), (0.4, 0.9), (0.4, 0.7)]:
        mean = truncated_normal(target, torch.tensor(mu), torch.tensor(math.log(s)), floor).mean()
        if (mu, s) == (0.4, 0.8):
            best = float(mean)
        else:
            assert float(mean) > best
