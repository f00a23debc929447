"""The features-only network: it recovers a known law, of subhalos that it has not seen."""

import numpy as np
import pytest
import torch
from scipy.special import ndtr
from scipy.stats import kstest

from mockgal.training.features_only import cross_fitted

FLOOR = 8.5


def universe(number, seed=1):
    """Features, masses above a floor with normal scatter, and where each subhalo is."""
    rng = np.random.default_rng(seed)
    log_mass, central = rng.uniform(10.5, 13.5, number), rng.random(number) < 0.7
    mean = 9.0 + 0.9 * (log_mass - 11.0) - 0.3 * central
    p = 1.0 / (1.0 + np.exp(-4.0 * (log_mass - 11.2)))
    value = rng.normal(mean, 0.25)
    while np.any(low := value < FLOOR):
        value[low] = rng.normal(np.maximum(mean[low], FLOOR), 0.25)
    value[rng.random(number) > p] = -np.inf
    features = np.stack([log_mass, central], axis=1)
    return features, value, rng.integers(0, 8, number), (mean, p)


@pytest.mark.slow
def test_it_recovers_a_law():
    features, value, part, (mean, p) = universe(1000)
    found = cross_fitted(features, value, part, floor=FLOOR, seed=1)
    clear = (features[:, 0] > 11.8) & (features[:, 0] < 13.2)
    assert np.sqrt(np.mean((found.mean - mean)[clear] ** 2)) < 0.08
    assert np.median(found.scatter[clear]) == pytest.approx(0.25, rel=0.15)
    assert np.max(np.abs(found.p_luminous - p)) < 0.25
    luminous = clear & (value >= FLOOR)
    assert (
        kstest(ndtr((value - found.mean)[luminous] / found.scatter[luminous]), "uniform")[1] > 0.01
    )


def test_no_network_has_seen_what_it_predicts():
    """Other masses in a part change all predictions but its own, which stay the same to the bit."""
    features, value, part, _ = universe(240)
    other = value.copy()
    other[part == 3] = np.random.default_rng(2).permutation(other[part == 3]) + 0.5
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, two = (
        cross_fitted(features, masses, part, floor=FLOOR, seed=1) for masses in (value, other)
    )
    assert torch.equal(torch.get_rng_state(), state)
    for before, after in zip(one, two, strict=True):
        assert before[part == 3].tolist() == after[part == 3].tolist()
        assert np.all(before[part != 3] != after[part != 3])
