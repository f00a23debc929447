from dataclasses import replace

import numpy as np
import pytest

from mockgal.errors import BadValueError, MockgalWarning, UnitsError, UsageError
from mockgal.fitting.blocks import blocks
from mockgal.fitting.data import KNOWN, tabulated, target
from mockgal.statistics.result import Field

EDGES, W_P = [0.5, 1.0, 2.0, 4.0, 8.0], np.array([80.0, 45.0, 20.0, 8.0])
MATRIX = np.diag([16.0, 4.0, 1.0, 0.5]) + 0.2


def sample(**more):
    return tabulated("wp", EDGES, W_P, MATRIX, pi_max=40.0, **more)


def test_bins_are_chosen_by_separation():
    data, covariance = sample(number=50)
    one = target(data, covariance, r_min=1.0, r_max=4.0)
    assert one.bins.edges == (1.0, 2.0, 4.0)
    assert (one.bins.pi_max, one.bins.line_of_sight) == (40.0, "xyz")
    assert np.array_equal(one.value, W_P[1:3])
    assert np.array_equal(one.matrix, MATRIX[1:3, 1:3])
    assert one.number == 50


def test_a_covariance_of_more_bins_will_do():
    data, covariance = sample()
    some = replace(data, columns={name: values[1:] for name, values in data.columns.items()})
    assert np.array_equal(target(some, covariance).matrix, MATRIX[1:, 1:])
    with pytest.raises(UsageError, match=r"other bins: none at r_p = 0\.7778"):
        target(data, covariance.take([1, 2, 3]))


def test_bins_without_an_error_are_left_out():
    data, covariance = sample()
    columns = {**data.columns, "w_p": np.where(np.arange(4) == 1, np.nan, data["w_p"])}
    with pytest.warns(MockgalWarning, match=r"left out, at r_p = 1\.556"):
        one = target(replace(data, columns=columns), covariance)
    assert one.rows.tolist() == [0, 2, 3]
    assert len(one.bins.edges) == 5


def test_a_covariance_that_is_not_positive_definite_is_refused():
    data, covariance = sample()
    wrong = MATRIX.copy()
    wrong[0, 1] = wrong[1, 0] = 9.0
    with pytest.raises(BadValueError, match=r"least eigenvalue -0\.09"):
        blocks([target(data, replace(covariance, matrix=wrong))], None)


def test_a_covariance_of_few_mocks_is_refused():
    with pytest.raises(UsageError, match="at least 7"):
        blocks([target(*sample(number=6))], None)


def test_other_units_are_refused():
    data, covariance = sample()
    other = replace(data, fields={**data.fields, "w_p": Field("Mpc", "w_p")})
    with pytest.raises(UnitsError, match="expected Mpc/h"):
        target(other, covariance)
    with pytest.raises(UnitsError, match="units Mpc"):
        target(data, replace(covariance, unit=np.repeat(["Mpc"], 4)))


def test_a_covariance_is_needed():
    with pytest.raises(UsageError, match="no covariance"):
        target(sample()[0])


def test_other_statistics_are_refused():
    data, covariance = sample()
    with pytest.raises(UsageError, match="wp, sky_wp, xi"):
        target(replace(data, statistic="power"), covariance)
    with pytest.raises(UsageError, match="one of wp"):
        target(data, replace(covariance, statistic="xi"))
    with pytest.raises(BadValueError, match="pi_max"):
        target(replace(data, settings={}), covariance)


def test_numbers_of_others_come_back_from_files(tmp_path, monkeypatch):
    import mockgal

    data, covariance = sample(number=KNOWN)
    data.save(tmp_path / "wp.ecsv")
    covariance.save(tmp_path / "covariance.ecsv")
    again = target(
        mockgal.read_measurement(tmp_path / "wp.ecsv"),
        mockgal.read_covariance(tmp_path / "covariance.ecsv"),
    )
    assert again.number == KNOWN
    assert np.array_equal(again.matrix, MATRIX)


@pytest.mark.parametrize(("key", "other"), [("pi_max_mpc_h", 10.0), ("space", "real")])
def test_a_covariance_of_other_numbers_is_refused(key, other):
    data, covariance = sample()
    data = replace(data, settings={**data.settings, "space": "redshift"})
    theirs = replace(covariance, settings={**covariance.settings, key: other})
    with pytest.raises(UsageError, match=f"{key} {other}"):
        target(data, theirs)
