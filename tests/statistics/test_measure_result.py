import dataclasses

import numpy as np
import pytest
from astropy import units
from astropy.cosmology import units as cosmology_units
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from mockgal import read_measurement
from mockgal.errors import (
    BadValueError,
    CorruptFileError,
    InputError,
    OutputExistsError,
    UsageError,
)
from mockgal.quantity import in_unit
from mockgal.statistics.plotting.plot import NEGATIVE, PALE, ZERO
from mockgal.statistics.result import Field, Measurement, Style

FIELDS = {
    "k": Field("littleh / Mpc", "mean wavenumber", r"$k$ [$h$/Mpc]"),
    "power": Field("Mpc3 / littleh3", "power", r"$P(k)$ [(Mpc/$h$)$^3$]"),
    "power_error": Field("Mpc3 / littleh3", "its error"),
    "modes": Field("", "independent modes"),
}


def result(**changes):
    values = {
        "statistic": "power",
        "columns": {
            "k": np.array([0.1, 0.2, 0.3]),
            "power": np.array([100.0, -50.0, np.nan]),
            "power_error": np.array([10.0, 5.0, np.nan]),
            "modes": np.array([5, 20, 0]),
        },
        "fields": FIELDS,
        "axis": "k",
        "estimates": ("power",),
        "count": "modes",
        "settings": {"grid_size": 8, "errors": "made up", "nyquist_h_per_mpc": 0.25},
        "error_degrees_of_freedom": 26.0,
        "style": Style(marks=("nyquist_h_per_mpc",)),
    }
    return Measurement(**{**values, **changes})


def test_a_result_is_read_back_as_it_was_saved(tmp_path):
    made = result()
    made.save(tmp_path / "p.ecsv")
    again = read_measurement(tmp_path / "p.ecsv")
    for f in dataclasses.fields(Measurement):
        if f.name != "columns":
            assert getattr(again, f.name) == getattr(made, f.name), f.name
    assert list(again.columns) == list(made.columns)
    for name, values in made.columns.items():
        np.testing.assert_array_equal(again[name], values)
        assert again[name].dtype == values.dtype
    assert again.to_ecsv() == made.to_ecsv()


def test_astropy_reads_the_file_with_units(tmp_path):
    result().save(tmp_path / "p.ecsv")
    with units.add_enabled_units(cosmology_units):
        table = Table.read(tmp_path / "p.ecsv")
    assert table["k"].unit == cosmology_units.littleh / units.Mpc
    assert table["power"].unit == (units.Mpc / cosmology_units.littleh) ** 3
    assert table["power"].description == "power"
    assert table.meta["settings"]["grid_size"] == 8
    assert "power_smallest_detectable_deviation" in table.colnames


def test_smallest_detectable_deviation_is_that_of_the_test_it_names():
    exact = result(error_degrees_of_freedom=np.inf)
    expected = norm.ppf(0.975) + norm.ppf(0.8)
    np.testing.assert_allclose(
        exact.smallest_detectable_deviation("power")[:2], [0.1 * expected, 0.1 * expected]
    )
    # by simulation: a deviation of this size is found in 80% of the tests
    noise = np.random.default_rng(1).standard_normal(200_000)
    found = np.abs(noise + expected) > norm.ppf(0.975)
    assert np.mean(found) == pytest.approx(0.8, abs=0.004)
    few = result(error_degrees_of_freedom=7.0).smallest_detectable_deviation("power")
    assert few[0] > exact.smallest_detectable_deviation("power")[0] * 1.1
    assert np.isnan(few[2])


def test_what_does_not_fit_together_is_refused():
    columns = dict(result().columns)
    with pytest.raises(BadValueError, match="lengths"):
        result(columns=columns | {"k": np.zeros(2)})
    with pytest.raises(BadValueError, match="power_error"):
        result(columns={n: v for n, v in columns.items() if n != "power_error"})
    with pytest.raises(BadValueError, match="extra"):
        result(columns=columns | {"extra": np.zeros(3)})


def test_results_cannot_be_changed():
    made = result()
    with pytest.raises(ValueError, match="read-only"):
        made["power"][0] = 1.0
    with pytest.raises(TypeError):
        made.settings["grid_size"] = 9


def test_nan_in_the_settings_is_no_json():
    with pytest.raises(ValueError, match="Out of range"):
        result(settings={"x": float("nan")}).to_ecsv()


def test_files_that_exist_are_not_replaced(tmp_path):
    result().save(tmp_path / "p.ecsv")
    with pytest.raises(OutputExistsError):
        result().save(tmp_path / "p.ecsv")
    result().save(tmp_path / "p.ecsv", overwrite=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mockgal measurement 1", "mockgal measurement 0"),
        ("axis: k", "axis: q"),
        ("estimates: [power]", "estimates: [nothing]"),
        ("error_degrees_of_freedom: 26.0", "error_degrees_of_freedom: many"),
        ("- labels:", "- lables:"),
        ("# %ECSV", "no table"),
        ("datatype: float64", "datatype: object"),
    ],
)
def test_damaged_files_are_refused(tmp_path, old, new):
    text = result().to_ecsv()
    assert old in text
    path = tmp_path / "p.ecsv"
    path.write_text(text.replace(old, new))
    with pytest.raises(CorruptFileError, match="Fix: measure again"):
        read_measurement(path)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_measurement(tmp_path / "none.ecsv")
    (tmp_path / "b.ecsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no text in UTF-8"):
        read_measurement(tmp_path / "b.ecsv")


class TestPlot:
    @pytest.fixture
    def axes(self):
        from matplotlib.figure import Figure

        return Figure().subplots()

    def test_every_finite_value_is_drawn_negative_ones_as_open_symbols(self, axes):
        result().plot(axes)
        drawn = [line for line in axes.lines if line.get_marker() == "o"]
        shown = {
            (x, y)
            for line in drawn
            for x, y in zip(*np.asarray(line.get_data(), dtype=float), strict=True)
            if np.isfinite(y)
        }
        assert shown == {(0.1, 100.0), (0.2, 50.0)}
        assert {line.get_markerfacecolor() for line in drawn} > {"none"}
        assert [t.get_text() for t in axes.get_legend().get_texts()] == [NEGATIVE]

    def test_axes_say_what_is_on_them(self, axes):
        result().plot(axes)
        assert axes.get_xlabel() == r"$k$ [$h$/Mpc]"
        assert axes.get_ylabel() == r"$P(k)$ [(Mpc/$h$)$^3$]"
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert [text.get_text() for text in axes.texts] == ["Nyquist"]

    def test_on_a_linear_scale_values_keep_their_sign(self, axes):
        result(style=Style(log_y=False)).plot(axes)
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), [100.0, -50.0, np.nan])
        assert axes.get_legend() is None

    def test_estimates_around_zero_have_a_linear_panel(self):
        from mockgal.reports.figures import single

        columns = dict(result().columns)
        columns |= {"q": np.array([1.0, -2.0, 3.0]), "q_error": np.ones(3)}
        fields = FIELDS | {"q": FIELDS["power"], "q_error": FIELDS["power_error"]}
        style = Style(apart=("q",))
        both = result(columns=columns, fields=fields, estimates=("power", "q"), style=style)
        left, right = single(both).axes
        assert (left.get_yscale(), right.get_yscale()) == ("log", "linear")
        assert right.lines[0].get_ydata().tolist() == [1.0, -2.0, 3.0]

    def test_zeros_and_incomplete_bins_are_told_apart(self, axes):
        columns = {"k": np.arange(1.0, 4), "power": np.array([5.0, 0.0, 7.0])}
        columns |= {"power_error": np.array([1.0, 2.0, 3.0]), "modes": np.array([4, 4, 4])}
        columns["complete"] = np.array([True, True, False])
        result(columns=columns, fields=FIELDS | {"complete": Field("", "x")}).plot(axes)
        texts = {t.get_text() for t in axes.get_legend().get_texts()}
        assert texts == {ZERO, PALE}
        limits = [line for line in axes.lines if line.get_marker() == "v" and len(line.get_xdata())]
        assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in limits] == [(2.0, 2.0)]

    def test_estimates_of_another_unit_have_a_panel_of_their_own(self):
        from mockgal.reports.figures import single
        from mockgal.statistics.plotting.plot import panels

        columns = dict(result().columns) | {"q": np.ones(3), "q_error": np.ones(3)}
        fields = FIELDS | {"q": Field("", "ratio", "$Q$"), "q_error": Field("", "its error")}
        both = result(columns=columns, fields=fields, estimates=("power", "q"))
        assert panels(both) == [("power",), ("q",)]
        axes = single(both).axes
        assert [a.get_ylabel() for a in axes] == [r"$P(k)$ [(Mpc/$h$)$^3$]", "$Q$"]
        assert [a.get_yscale() for a in axes] == ["log", "linear"]

    def test_two_results_share_axes(self, axes):
        result(style=Style(log_y=False)).plot(axes, label="mock")
        result(style=Style(log_y=False)).plot(axes, label="truth")
        assert [t.get_text() for t in axes.get_legend().get_texts()] == ["mock", "truth"]
        assert axes.get_yscale() == "linear"


class TestQuantity:
    @pytest.mark.parametrize(
        ("text", "unit", "expected"),
        [
            ("3 h/Mpc", "littleh / Mpc", 3.0),
            ("3h/Mpc", "littleh / Mpc", 3.0),
            ("2.1 1/Mpc", "littleh / Mpc", 3.0),  # with h = 0.7
            ("3e-3 h/kpc", "littleh / Mpc", 3.0),
            ("20 Mpc/h", "Mpc / littleh", 20.0),
            ("20 Mpc", "Mpc / littleh", 14.0),
            ("20000 kpc / h", "Mpc / littleh", 20.0),
            ("3 h2/Mpc", "littleh / Mpc", 2.1),
            ("0.25 dex", "dex", 0.25),
        ],
    )
    def test_units_are_converted(self, text, unit, expected):
        assert in_unit("k1", text, unit, 0.7) == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize(
        "text", ["3", "h/Mpc", "", "3 Mpc/h", "3 h", "3 s", "nan h/Mpc", "3 what/Mpc"]
    )
    def test_what_is_no_such_quantity_is_refused(self, text):
        with pytest.raises(UsageError, match="h/Mpc"):
            in_unit("k1", text, "littleh / Mpc", 0.7)

    @given(st.floats(1e-6, 1e6), st.floats(0.4, 1.0))
    def test_h_free_and_h_units_say_the_same(self, value, h):
        with_h = in_unit("r", f"{value!r} Mpc/h", "Mpc / littleh", h)
        without = in_unit("r", f"{value / h!r} Mpc", "Mpc / littleh", h)
        assert without == pytest.approx(with_h, rel=1e-12)
