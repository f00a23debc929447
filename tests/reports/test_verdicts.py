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


def with_left_out(values, left_out):
    whole = power(values, np.sqrt(values), low=np.arange(len(values)) + 1.0, dof=26)
    return replace(whole, left_out={"power": left_out})


def test_the_error_of_a_ratio_does_not_count_the_structure_that_both_share():
    """A thousand boxes of 27 sub-volumes, each a bin: counts that follow one density."""
    rng = np.random.default_rng(3)
    density = rng.lognormal(0.0, 0.5, (27, 1000))
    truth, mock = (rng.poisson(400 * density) for _ in range(2))
    other = rng.poisson(400 * rng.lognormal(0.0, 0.5, density.shape))
    one, two, three = (
        with_left_out(n.sum(axis=0).astype(float), n.sum(axis=0) - n) for n in (truth, mock, other)
    )
    for numerator, expected in ((two, 0.0136), (three, 0.139)):
        found = ratio(numerator, one, "power")
        assert found.paired.all()
        assert np.std(found.value) == pytest.approx(expected, rel=0.1)
        assert np.median(found.error) == pytest.approx(np.std(found.value), rel=0.12)
    apart = ratio(replace(two, left_out={}), one, "power")
    assert not apart.paired.any()


def test_bins_with_too_little_for_a_jackknife_fall_back():
    left_out = np.array([[1.0, np.nan, 3.0], [1.1, np.nan, 3.0]])
    one, two = with_left_out([1.0, 2.0, 3.0], left_out), with_left_out([1.0, 2.0, 3.0], left_out**2)
    found = ratio(two, one, "power")
    assert found.paired.tolist() == [True, False, False]  # the last does not vary
    assert found.error[1] == pytest.approx(np.hypot(np.sqrt(2) / 2, np.sqrt(2) / 2))


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
    assert not rest
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


def test_laws_are_judged_by_their_distance_from_a_flat_distribution():
    def pit(statistic, least, p_value):
        test = {
            "statistic": statistic,
            "smallest_detectable_distance": least,
            "p_value": p_value,
        }
        settings = {"kolmogorov_smirnov": {"all": test}}
        return {"pit": replace(power([1.0] * 3, [0.1] * 3), settings=settings)}

    measured = {"a": pit(0.03, 0.01, 1e-3), "b": pit(0.3, 0.02, 1e-9), "c": pit(0.3, 0.2, 0.01)}
    found = verdicts({"truth": {}, "d": {}, **measured}, {"d": "nobody knows"})
    judged = {one.catalogue: one for one in found}
    assert [judged[name].verdict for name in "abcd"] == [WITHIN, OUTSIDE, NO_POWER, NOT_MEASURED]
    assert judged["b"].deviation == 0.3
    assert judged["c"].bins_that_differ == 1
    assert judged["d"].note == "nobody knows"
