"""Ratios to the truth, and verdicts: numbers by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from mockgal.reports.comparison.ratio import ratio
from mockgal.reports.comparison.verdicts import NO_POWER, NOT_MEASURED, OUTSIDE, WITHIN, verdicts
from mockgal.statistics.result import Field, Measurement


def power(values, errors, low=(1.0, 2.0, 20.0), dof=np.inf):
    low = np.asarray(low)
    columns = {"k": low * 1.1, "k_low": low, "power": values, "power_error": errors, "modes": low}
    columns = {name: np.asarray(column, dtype=float) for name, column in columns.items()}
    fields = {name: Field("", name) for name in columns}
    return Measurement("power", columns, fields, "k", ("power",), "modes", {}, dof)


def judged(mock, truth):
    return verdicts({"truth": {"power": truth}, "a": {"power": mock}})


def test_ratios_are_of_the_bins_that_both_have():
    truth = power([2.0, 4.0, 5.0], [0.2, 0.4, 0.5])
    found = ratio(power([3.0, 5.0], [0.3, 0.5], low=(2.0, 20.0), dof=26), truth, "power")
    assert found.rows.tolist() == [1, 2]
    assert found.value.tolist() == [0.75, 1.0]
    assert found.error == pytest.approx(found.value * np.hypot(0.1, 0.1))
    factor = student.ppf(0.975, 26) + student.ppf(0.8, 26)
    assert found.detectable == pytest.approx(factor * found.error)


def test_bins_that_begin_alike_and_end_elsewhere_are_not_the_same():
    def ends(high):
        result = power([1.0, 2.0], [0.1, 0.1], low=(1.0, 2.0))
        columns = {**result.columns, "k_high": np.array(high)}
        return replace(result, columns=columns, fields={**result.fields, "k_high": Field("", "")})

    assert ratio(ends([2.0, 3.0]), ends([2.0, 4.0]), "power").rows.tolist() == [0]


def test_the_error_of_a_ratio_is_that_of_many_draws():
    rng = np.random.default_rng(1)
    m, t = rng.normal(3.0, 0.06, 100_000), rng.normal(4.0, 0.1, 100_000)
    found = ratio(power([3.0] * 3, [0.06] * 3), power([4.0] * 3, [0.1] * 3), "power")
    assert found.error[0] == pytest.approx(np.std(m / t), rel=0.02)


def test_an_empty_mock_has_a_ratio_of_zero_with_an_error_and_an_empty_truth_has_none():
    found = ratio(power([0, 1, 1], [0.1] * 3), power([1, 0, 1], [0.1] * 3), "power")
    assert found.value[0] == 0.0
    assert found.error[0] == pytest.approx(0.1)
    assert np.isnan(found.value[1])
    assert np.isnan(found.error[1])


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [
        (1.04, 0.01, WITHIN),
        (0.94, 0.01, OUTSIDE),
        (1.00, 0.02, NO_POWER),  # 2.8 standard errors are above 5%
        (1.50, 0.02, NO_POWER),
    ],
)
def test_verdicts(value, error, verdict):
    truth = power([1.0] * 3, [0.0] * 3)
    low, high, *rest = judged(power([value, 1.0, 1.0], [error] * 3), truth)
    assert (low.reach, low.verdict) == ("k up to 10 h/Mpc", verdict)
    assert low.deviation == pytest.approx(value - 1.0)
    assert low.least_detectable == pytest.approx(error * (1.959964 + 0.841621))
    assert (high.reach, high.verdict) == ("k from 10 to 30 h/Mpc", WITHIN)
    assert {one.verdict for one in rest} == {NOT_MEASURED}
    assert low.bins_that_differ == (abs(value - 1) > 1.96 * error)


def test_only_bins_with_power_decide():
    mock = power([1.01, 2.0, 1.0], [0.01, 1.0, 1.0])
    low, high, *_ = judged(mock, power([1.0] * 3, [0.0] * 3))
    assert (low.verdict, low.bins, low.bins_with_power) == (WITHIN, 2, 1)
    assert low.deviation == pytest.approx(0.01)
    assert high.verdict == NO_POWER


def test_a_range_that_the_bins_do_not_reach_is_said():
    mock = power([1.0, 1.0], [0.01] * 2, low=(1.0, 2.0))
    low, high, *_ = judged(mock, power([1.0, 1.0], [0.0] * 2, low=(1.0, 2.0)))
    assert low.note == "bins end at k = 2.2 h/Mpc"
    assert high.verdict == NOT_MEASURED


def test_bins_where_the_truth_is_not_complete_do_not_count():
    def masses(values, complete):
        columns = {
            "stellar_mass": np.array([1e9, 1e10]),
            "mass_function": np.array(values),
            "mass_function_error": np.full(2, 0.001),
            "galaxies": np.array([9, 9]),
            "complete": np.array(complete),
        }
        fields = {name: Field("", name) for name in columns}
        names = ("stellar_mass", ("mass_function",), "galaxies")
        return {"mass_function": Measurement("mass_function", columns, fields, *names, {})}

    truth, mock = masses([1.0, 1.0], [False, True]), masses([9.0, 1.0], [False, True])
    (found,) = [v for v in verdicts({"truth": truth, "a": mock}) if v.bins]
    assert (found.verdict, found.bins) == (WITHIN, 1)
    assert "1 bin left out" in found.note
