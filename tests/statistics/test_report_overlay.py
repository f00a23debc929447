"""Several results in one figure: what is compared, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from mockgal.errors import UsageError
from mockgal.reports.overlay import overlay
from mockgal.statistics.result import Field, Measurement, Style


def result(values, *, first=1, name="power", style=None, **settings):
    """A statistic in bins [i, i + 1), from ``first`` on."""
    values = np.asarray(values, dtype=float)
    low = np.arange(first, first + len(values), dtype=float)
    columns = {
        "k": low + 0.5,
        "k_low": low,
        "k_high": low + 1,
        "power": values,
        "power_error": 0.1 * np.abs(values),
        "modes": np.ones(len(values)),
    }
    fields = {column: Field("", column) for column in columns}
    settings = {"errors": "made up", "weight": "number"} | settings
    return Measurement(
        name, columns, fields, "k", ("power",), "modes", settings, style=style or Style()
    )


def drawn(axes):
    """The points of each line with markers, without the line at the neutral value."""
    return [
        (container.lines[0].get_xdata(), container.lines[0].get_ydata())
        for container in axes.containers
    ]


def test_ratios_are_those_of_common_bins():
    figure = overlay({"truth": result([4, 5, 6]), "mock": result([10, 12, 7], first=2)})
    upper, lower = figure.axes
    ((place, ratio),) = drawn(lower)
    np.testing.assert_array_equal(place, [2.5, 3.5])
    np.testing.assert_array_equal(ratio, [2, 2])
    assert {"truth", "mock"} <= {text.get_text() for text in upper.get_legend().get_texts()}
    assert lower.get_ylabel() == "ratio"
    assert lower.get_xlabel()
    assert not upper.get_xlabel()
    figure.draw_without_rendering()
    assert lower.get_xlim() == upper.get_xlim()


def test_estimates_around_zero_are_subtracted():
    style = Style(log_y=False, apart=("power",))
    figure = overlay({"a": result([0, -1], style=style), "b": result([1, 1], style=style)})
    ((_, difference),) = drawn(figure.axes[1])
    np.testing.assert_array_equal(difference, [1, 2])


def test_what_a_reader_has_to_know_is_below():
    one = result([1, 2], catalogue={"box_size_mpc_h": 100.0, "redshift": 0.0})
    two = replace(one, settings={**one.settings, "catalogue": {"box_size_mpc_h": 50.0}})
    text = " ".join(t.get_text() for t in overlay({"a": one, "b": two}).texts).replace("\n", " ")
    assert "relative to a" in text
    assert "errors of a: made up" in text
    assert "box size [Mpc/h] 100 (a), 50 (b)" in text


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (result([1, 2], name="xi"), r"power \(a\), xi \(b\)"),
        (result([1, 2], weight="stellar_mass"), r"weight: number \(a\), stellar_mass \(b\)"),
        (result([1, 2], first=9), "no bin"),
    ],
)
def test_results_that_cannot_be_compared_are_refused(other, message):
    with pytest.raises(UsageError, match=message):
        overlay({"a": result([1, 2]), "b": other})


def test_one_result_is_drawn_alone():
    assert len(overlay({"a": result([1, 2])}).axes) == 1
    with pytest.raises(UsageError):
        overlay({})
