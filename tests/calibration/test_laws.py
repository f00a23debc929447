"""Bins, medians and luminous shares from which calibrations are made."""

import numpy as np
import pytest

from mockgal.calibration.laws import bin_of, luminous_share, median_and_residuals, merge_sparse
from mockgal.calibration.without_twin import Sample
from mockgal.errors import UsageError


@pytest.mark.parametrize(
    ("values", "least", "expected"),
    [
        ([0.5] * 5 + [1.5] * 5 + [2.5] * 5, 5, [0, 1, 2, 3]),
        ([0.5] * 5 + [1.5] * 5 + [2.5] * 4, 5, [0, 1, 3]),
        ([0.5] * 5 + [1.5] * 2 + [2.5] * 2, 4, [0, 1, 3]),
        ([0.5] * 1 + [1.5] * 5 + [2.5] * 5, 5, [0, 2, 3]),
        ([0.5, 1.5, 2.5], 5, [0, 3]),
        ([-1.0] * 9, 5, [0, 3]),
    ],
)
def test_sparse_bins_are_merged(values, least, expected):
    assert merge_sparse([np.array(values)], [0, 1, 2, 3], least).tolist() == expected


def test_shares_in_intervals_of_mass():
    rng = np.random.default_rng(1)
    log_mass = rng.uniform(9.0, 11.0, 20_000)
    luminous = rng.random(20_000) < 0.4 * (log_mass - 9.0)
    nodes, share = luminous_share(log_mass, luminous, True, [9.2, 9.5, 10.0, 10.5, 12.0])
    assert nodes == pytest.approx([9.25, 9.75, 10.25, 10.75], abs=0.01)  # the ends are open
    assert share == pytest.approx(0.4 * (nodes - 9.0), abs=0.02)


def test_groups_too_small_for_a_share_join_the_lower_one():
    log_mass = np.array([9.1] * 30 + [9.6] * 5 + [10.2] * 40)
    luminous = log_mass > 9.5
    nodes, share = luminous_share(log_mass, luminous, True, [9.0, 9.5, 10.0, 10.5])
    assert nodes[:2] == pytest.approx([9.1, 10.2])
    assert share == pytest.approx([5 / 35, 1.0, 1.0])
    assert np.all(np.diff(nodes) > 0)


def test_no_subhalos_no_share():
    for edges in (None, [9.0, 10.0, 11.0]):
        nodes, share = luminous_share(np.array([]), np.array([], dtype=bool), False, edges)
        assert np.all(share == 0)
        assert np.all(np.diff(nodes) > 0)


def test_residuals_do_not_count_the_trend():
    x = np.linspace(11.0, 12.0, 1001)
    y = 2.0 * x + 0.1 * np.resize([-1.0, 0.0, 1.0], 1001)
    rows = median_and_residuals(x, y, bin_of(x, np.array([11.0, 11.5, 12.0])), 2)
    for row in rows:
        assert row["residual_source"] == "bin"
        assert row["residual_quantiles"][[0, -1]] == pytest.approx([-0.1, 0.1], abs=0.01)


def test_samples_are_checked():
    one = np.ones(1)
    with pytest.raises(UsageError, match="one length"):
        Sample(one, one, np.ones(2), np.zeros(1, int), one, [0, 1])
    with pytest.raises(UsageError, match="increasing"):
        Sample(one, one, one, np.zeros(1, int), one, [1, 1])
