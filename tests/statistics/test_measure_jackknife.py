import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mockgal
import mockgal.registry
from mockgal.errors import UsageError, listening
from mockgal.statistics import jackknife
from mockgal.statistics.names import is_on_the_sky


def test_regions_are_equal_cubes_numbered_along_z_first():
    side = (np.arange(6) + 0.5) / 6 * 12.0
    position = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)
    number = jackknife.regions(position, 12.0, 3)
    assert np.bincount(number).tolist() == [8] * 27
    expected = (position // 4.0).astype(int) @ [9, 3, 1]
    np.testing.assert_array_equal(number, expected)


@given(st.integers(2, 16), st.floats(1e-3, 1e6))
def test_the_far_edge_is_in_the_last_region(per_side, size):
    edge = np.full((1, 3), np.nextafter(size, 0.0))
    assert jackknife.regions(edge, size, per_side)[0] == per_side**3 - 1
    assert jackknife.regions(np.zeros((1, 3)), size, per_side)[0] == 0


def test_of_a_mean_it_is_the_standard_error_of_the_mean():
    values = np.random.default_rng(3).normal(size=(50, 4))
    left_out = (values.sum(axis=0) - values) / 49
    expected = values.std(axis=0, ddof=1) / np.sqrt(50)
    np.testing.assert_allclose(jackknife.error(left_out), expected, rtol=1e-12)


def test_the_covariance_is_that_of_means_and_has_the_errors_on_its_diagonal():
    values = np.random.default_rng(3).multivariate_normal([0, 0], [[1, 0.5], [0.5, 2]], 50)
    left_out = (values.sum(axis=0) - values) / 49
    found = jackknife.covariance(left_out)
    np.testing.assert_allclose(found, np.cov(values, rowvar=False) / 50, rtol=1e-10)
    np.testing.assert_allclose(np.diag(found), jackknife.error(left_out) ** 2, rtol=1e-12)


@pytest.fixture(scope="module")
def sim(demo_bundle):
    return mockgal.read(demo_bundle)


PAIRS = ("xi", "xi_multipoles", "cross_xi", "cross_wp")  # as wp, which is cheap


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in PAIRS))
        for name in mockgal.registry.built_in("statistics")
        if not is_on_the_sky(name)
    ],
)
def test_each_statistic_keeps_what_its_errors_are_made_of(sim, name):
    """The diagonal of the covariance, wherever it is known, is the square of the error."""
    with listening(quiet=True):
        mock = mockgal.paint(sim, "hod", seed=1)
        bright = mockgal.select(mock, "stellar_mass > 3e10 Msun/h")
        cross = {"cross": bright} if "cross" in name else {}
        hosts = {"hosts": sim.halos} if name == "occupation" else {}
        grid = {"grid_size": 24} if name in ("pdf", "power", "cross_power") else {}
        sides = {"k1": 1.0, "k2": 1.2} if name == "bispectrum" else {}
        found = mockgal.measure(mock, name, jackknife=2, **cross, **hosts, **grid, **sides)
        without = mockgal.measure(mock, name, jackknife=0, **cross, **hosts, **grid, **sides)
    assert set(found.left_out) == set(found.estimates)
    for estimate in found.estimates:
        assert found.left_out[estimate].shape == (8, len(found))
        own, error = (
            np.sqrt(np.diag(found.jackknife_covariance(estimate))),
            found[f"{estimate}_error"],
        )
        if estimate.endswith("_stellar_mass"):  # the error is of the logarithm, times the mass
            own, error = own[error < 0.2 * found[estimate]], error[error < 0.2 * found[estimate]]
        known = np.isfinite(own)
        assert known.any()
        tolerance = 0.06 if estimate.endswith("_stellar_mass") else 1e-6
        np.testing.assert_allclose(own[known], error[known], rtol=tolerance)
        assert not found.left_out[estimate].flags.writeable
    assert not without.left_out
    with pytest.raises(UsageError, match="jackknife=3"):
        without.jackknife_covariance(found.estimates[0])
    with pytest.raises(UsageError, match=found.estimates[0]):
        found.jackknife_covariance("nothing")


def test_a_bin_that_one_sample_lacks_has_no_error():
    left_out = np.ones((8, 2))
    left_out[3, 1] = np.nan
    error = jackknife.error(left_out)
    assert error[0] == 0
    assert np.isnan(error[1])


@pytest.mark.parametrize("per_side", [1, -2, 17])
def test_numbers_that_make_no_jackknife_are_refused(per_side):
    with pytest.raises(UsageError, match="2 to 16"):
        jackknife.check_per_side(per_side)


def test_no_jackknife_is_a_choice():
    assert jackknife.check_per_side(0) == 0


class TestBlocks:
    def test_they_are_the_field_once_and_the_mean_elsewhere_is_that_of_the_others(self):
        field = np.random.default_rng(5).random((11, 11, 11))
        seen = np.zeros(field.shape, dtype=int)
        for place, voxels, mean in jackknife.blocks(field, 3):
            np.testing.assert_array_equal(voxels, field[place])
            seen[place] += 1
            others = np.ones(field.shape, dtype=bool)
            others[place] = False
            assert mean == pytest.approx(field[others].mean(), rel=1e-12)
        assert np.all(seen == 1)

    def test_where_nothing_is_elsewhere_there_is_no_mean(self):
        field = np.zeros((9, 9, 9))
        field[6:, :3, 3:6] = 10.0 ** np.random.default_rng(6).uniform(8, 12, (3, 3, 3))
        means = [block.mean_elsewhere for block in jackknife.blocks(field, 3)]
        assert np.isnan(means).sum() == 1
        assert np.flatnonzero(np.isnan(means)) == [2 * 9 + 0 * 3 + 1]

    def test_sums_elsewhere_are_exactly_zero_where_no_point_is(self):
        sums = np.zeros(8)
        sums[3] = 0.1
        assert np.flatnonzero(jackknife.sums_elsewhere(sums) == 0).tolist() == [3]
        sums[5] = 1e-30
        assert np.all(jackknife.sums_elsewhere(sums) > 0)


def test_what_is_not_quite_equal_is_said_so():
    assert jackknife.describe(3) == jackknife.describe(3, 24)
    assert "2 to 3 voxels" in jackknife.describe(3, 8)
    edges = [block.place[0] for block in jackknife.blocks(np.ones((8, 8, 8)), 3)]
    assert {part.stop - part.start for part in edges} == {2, 3}
