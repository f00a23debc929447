"""What a drawn result shows: facts of the artists, not pixels."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from test_measure_result import FIELDS, result

from mockgal.statistics.plotting.log_axes import labelled_values, readable
from mockgal.statistics.plotting.palette import COLOURS, MARKERS, picture_style, series
from mockgal.statistics.result import Field, Style


def drawn(y, *, log_y=True, error=None, axes=None, **options):
    n = len(y)
    columns = {"k": np.arange(1.0, n + 1), "power": np.array(y, dtype=float)}
    columns |= {"power_error": np.full(n, 1.0) if error is None else np.array(error)}
    columns |= {"modes": np.ones(n, dtype=int)} | options.pop("columns", {})
    fields = FIELDS | {name: Field("", name) for name in columns if name not in FIELDS}
    one = result(columns=columns, fields=fields, style=Style(log_y=log_y))
    return one.plot(Figure(layout="constrained").subplots() if axes is None else axes, **options)


def joined(axes):
    """Pairs of abscissas between which a line is drawn."""
    pairs = set()
    for line in axes.lines:
        if line.get_linestyle() == "None":
            continue
        x, y = np.asarray(line.get_data(), dtype=float)
        seen = np.isfinite(y)
        pairs |= {(x[k], x[k + 1]) for k in range(len(x) - 1) if seen[k] and seen[k + 1]}
    return pairs


def test_nothing_is_joined_across_a_value_that_is_negative_zero_or_missing():
    axes = drawn([9.0, 8.0, -3.0, 7.0, 6.0, 0.0, 5.0, np.nan, 4.0, 3.0])
    assert joined(axes) == {(1.0, 2.0), (4.0, 5.0), (9.0, 10.0)}


def test_negative_values_are_not_joined_to_each_other_and_are_open():
    axes = drawn([-9.0, -8.0, 7.0])
    assert joined(axes) == set()
    symbols = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert [line.get_data()[1].tolist() for line in symbols] == [[9.0, 8.0], []]  # and the key's
    assert drawn([-9.0, -8.0], log_y=False).get_legend() is None


def test_bins_that_are_not_complete_are_not_joined():
    columns = {"complete": np.array([False, True, True, False])}
    assert joined(drawn([9.0, 8.0, 7.0, 6.0], columns=columns)) == {(2.0, 3.0)}


def test_bins_without_an_error_are_crosses_where_others_have_one():
    axes = drawn([9.0, 8.0, 7.0, 6.0], error=[1.0, np.nan, 1.0, 1.0])
    assert joined(axes) == {(3.0, 4.0)}
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [line.get_data()[1].tolist() for line in crosses] == [[8.0], []]  # and the key's
    assert joined(drawn([9.0, 8.0], error=[np.nan, np.nan])) == {(1.0, 2.0)}  # none has one


def test_bars_down_to_almost_zero_do_not_stretch_the_axis():
    axes = drawn([100.0, 50.0, 40.0], error=[1.0, 1.0, 40.0 * (1 - 1e-9)])
    bottom, top = axes.get_ylim()
    assert 5.0 < bottom < 40.0
    assert 101.0 < top < 200.0
    both = drawn([1e-3, 2e-3], axes=axes).get_ylim()
    assert both[0] < 1e-3
    assert both[1] > 101.0


def test_results_in_the_same_axes_differ_in_colour_marker_and_dashes():
    axes = Figure().subplots()
    for _ in range(3):
        drawn([3.0, 2.0, 1.0], axes=axes, label="x")
    lines = [container.lines[0] for container in axes.containers]
    assert [line.get_color() for line in lines] == list(COLOURS[:3])
    assert [line.get_marker() for line in lines] == list(MARKERS[:3])
    assert len({str(line._dash_pattern) for line in lines}) == 3


def test_what_the_user_asks_for_is_drawn():
    axes = drawn([3.0, 2.0], color="red", fmt="s--", label="mine")
    line = axes.containers[0].lines[0]
    assert (line.get_color(), line.get_marker(), line.get_linestyle()) == ("red", "s", "--")


def test_an_axis_without_a_label_has_its_unit():
    fields = {"power": Field("Mpc3 / littleh3", "power")}
    axes = result(fields=FIELDS | fields).plot(Figure().subplots())
    assert axes.get_ylabel() == "power [Mpc3 / h3]"


def test_legends_leave_narrow_panels_their_room():
    figure = Figure(figsize=(6.0, 2.4), layout="constrained")
    for axes in figure.subplots(1, 3):
        drawn(
            [9.0, -8.0, 7.0], axes=axes, label="a name that is much longer than the panel is wide"
        )
    figure.draw_without_rendering()
    assert min(axes.get_window_extent().width for axes in figure.axes) > 1.0 * figure.dpi


def test_looks_differ():
    looks = [series(k) for k in range(64)]
    assert len({str(look) for look in looks}) == 64
    assert len({look.marker for look in looks[:8]}) == len({str(x.dashes) for x in looks[:8]}) == 8


# Machado et al. 2009, severity 1, of linear RGB
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour, matrix):
    """CIE L*a*b* (D65) of a colour as it is seen."""
    rgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255.0
    rgb = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(np.asarray(matrix) @ rgb, 0.0, 1.0) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colours_are_told_apart_without_one_kind_of_cone(deficiency):
    seen = np.array([lab(colour, DEFICIENCIES[deficiency]) for colour in COLOURS])
    apart = np.linalg.norm(seen[:, None] - seen, axis=-1) + np.diag(np.full(len(seen), np.inf))
    assert apart.min() > 17.0  # Okabe & Ito's have 16
    assert apart[:4, :4].min() > 35.0


def test_the_first_colours_are_told_apart_in_grey_and_all_on_white():
    lightness = np.array([lab(colour, np.eye(3))[0] for colour in COLOURS])
    assert np.diff(np.sort(lightness[:4])).min() > 15.0
    assert lightness.max() < 75.0


class TestLogAxes:
    @staticmethod
    def axes(low, high, *, width=4.0, along="x", size=10):
        figure = Figure(figsize=(width, width))
        axes = figure.subplots()
        axis = axes.xaxis if along == "x" else axes.yaxis
        axes.set(**{f"{along}scale": "log", f"{along}lim": (low, high)})
        readable(axis)
        axes.tick_params(labelsize=size)
        return axis

    @staticmethod
    def boxes(axis):
        low, high = axis.get_view_interval()
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        axis.figure.draw_without_rendering()
        return [
            tick.label1.get_window_extent()
            for tick in ticks
            if tick.label1.get_text() and low <= tick.get_loc() <= high
        ]

    @pytest.mark.slow
    @given(
        low=st.floats(-12.0, 14.0),
        decades=st.floats(0.01, 12.0),
        width=st.floats(2.5, 12.0),
        along=st.sampled_from("xy"),
    )
    def test_labels_do_not_overlap_and_there_are_some(self, low, decades, width, along):
        axis = self.axes(10.0**low, 10.0 ** (low + decades), width=width, along=along)
        boxes = self.boxes(axis)
        assert len(boxes) >= (1 if width < 6.0 else 2)
        side = {"x": ("x0", "x1"), "y": ("y0", "y1")}[along]
        ends = sorted(tuple(getattr(box, name) for name in side) for box in boxes)
        assert all(end < begin for (_, end), (begin, _) in pairwise(ends))

    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [
            (2e9, 6e11, [1e10, 1e11, 3e9, 3e10, 3e11]),
            (1.5e9, 6e10, [3e9, 1e10, 3e10]),
            (1e7, 1e12, 10.0 ** np.arange(7, 13)),
            (0.15, 0.9, [0.2, 0.3, 0.5]),
            (1.0, 1.01, [1.0, 1.005, 1.01]),
        ],
    )
    def test_values(self, low, high, expected):
        np.testing.assert_allclose(labelled_values(low, high, 8), sorted(expected), rtol=1e-12)

    def test_numbers_are_plain_where_they_are_short(self):
        axis = self.axes(0.08, 20.0)
        axis.figure.draw_without_rendering()
        shown = [label.get_text() for label in axis.get_ticklabels()]
        assert {"0.1", "1", "10"} <= set(shown)
        axis = self.axes(8e9, 2e12)
        axis.figure.draw_without_rendering()
        assert "$10^{10}$" in [label.get_text() for label in axis.get_ticklabels()]

    def test_an_axis_with_a_single_value_has_a_range_around_it(self):
        axes = drawn([5.0])
        low, high = axes.get_xlim()
        assert low < 0.5
        assert high > 2.0


def test_settings_of_the_user_are_back_after_the_block():
    import matplotlib

    with matplotlib.rc_context({"font.size": 31.0, "axes.grid": True}):
        with picture_style():
            assert matplotlib.rcParams["font.size"] == 10.0
            assert not matplotlib.rcParams["axes.grid"]
        assert matplotlib.rcParams["font.size"] == 31.0
