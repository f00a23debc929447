"""Figures for whatever catalogues and names there are: what they say, and that it fits."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from mass_samples import catalogue
from PIL import Image

import mockgal
from mockgal.completeness import Completeness
from mockgal.reports import figures
from mockgal.reports.figures import comparison, overview, save_figure, single
from mockgal.statistics.plotting.lettering import LONGEST, distinct, elided, plain
from mockgal.statistics.plotting.palette import COLOURS
from mockgal.statistics.power.spectrum import power_spectrum

NAMES = (
    "a$b_c%d$e^{2}",
    "x" * 300,
    "模拟 αβγ 🚀",
    "with\nnew\tlines",
    "back\\slash$",
    "y" * 150 + "_1",
    "y" * 150 + "_2",
    "y" * 75 + "3" + "y" * 77,
)


def some(number, *, seed=1, name="made up"):
    mass = 10.0 ** np.random.default_rng(seed).normal(10.0, 0.5, number)
    made = catalogue(mass, provenance={"painter": {"name": "hod"}}, box_size=30.0, seed=seed)
    return replace(made, snapshot=replace(made.snapshot, name=name))


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    """Power spectra of a coarse grid: the tests are of what is drawn around them."""
    monkeypatch.setattr(figures, "power_spectrum", partial(power_spectrum, grid_size=64))


def overflowing(figure):
    """Texts that reach out of the figure."""
    figure.draw_without_rendering()
    edge = figure.bbox
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    for legend in (*figure.legends, *(axes.get_legend() for axes in figure.axes)):
        texts += legend.get_texts() if legend else []
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    return [
        text
        for text, box in boxes
        if min(box.x0, box.y0) < -1 or box.x1 > edge.x1 + 1 or box.y1 > edge.y1 + 1
    ]


@pytest.mark.slow
def test_eight_catalogues_with_any_names_are_named_and_fit():
    made = {name: some(40, seed=k, name="run_$x$ " + "z" * 200) for k, name in enumerate(NAMES)}
    made |= {name: some(n, name="other") for name, n in zip(NAMES[:2], (0, 1), strict=True)}
    figure = comparison(made, ["different " + "words " * 40, "z" * 400])
    assert overflowing(figure) == []
    (legend,) = figure.legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert len(set(shown)) == len(NAMES)
    assert shown[0] == NAMES[0].replace("$", r"\$")
    assert [line.get_color() for line in legend.legend_handles] == list(COLOURS)
    assert legend.get_window_extent().y0 > max(
        text.get_window_extent().y1 for text in figure.texts[1:]
    )
    assert all(legend.get_window_extent().y1 < axes.get_tightbbox().y0 for axes in figure.axes)


def test_a_comparison_says_why_bins_are_pale():
    whole, poor = some(60), some(60, seed=2)
    whole = whole.with_completeness(Completeness(low=1e8, because="the law"))
    poor = poor.with_completeness(Completeness(low=1e8).lacking("satellites are missing"))
    below = " ".join(text.get_text() for text in comparison({"a": whole, "b": poor}).texts)
    assert "pale: b: not a complete sample: satellites are missing" in below.replace("\n", " ")
    assert "pale: a" not in below


@pytest.mark.parametrize("number", [0, 1, 60])
def test_a_catalogue_at_a_glance(number):
    figure = overview(some(number, name="$" + "long_" * 60), label=NAMES[0])
    assert overflowing(figure) == []
    title = figure.get_suptitle()
    assert title.startswith(NAMES[0])
    assert "box 30 Mpc/h" in title
    assert "redshift 0" in title
    assert f"{number} galax" in title
    assert ("no galaxies" in [text.get_text() for text in figure.axes[0].texts]) == (number == 0)


@pytest.mark.parametrize("statistic", ["mass_function", "xi_multipoles", "stellar_to_halo"])
@pytest.mark.parametrize("number", [0, 1, 80])
def test_a_statistic_says_what_it_is_of_and_what_its_errors_show(statistic, number):
    measured = mockgal.measure(some(number), statistic)
    figure = single(measured)
    assert overflowing(figure) == []
    title, *below = (text.get_text().replace("\n", " ") for text in figure.texts)
    assert "simulation made up" in title
    assert "box 30 Mpc/h" in title
    assert measured.settings["errors"][:30] in below[0]
    least = measured.smallest_detectable_deviation(measured.estimates[0])
    assert ("smallest detectable deviation" in below[0]) == bool(np.isfinite(least).any())
    for axes in figure.axes:
        assert axes.get_xlabel()
        assert axes.get_ylabel()


def test_many_galaxies_are_drawn_as_their_mass(monkeypatch):
    monkeypatch.setattr("mockgal.reports.figures._FEW", 50)
    figure = overview(some(100))
    assert len(figure.axes[0].images) == 1
    assert overflowing(figure) == []


def test_centrals_and_satellites_differ_in_colour_and_marker():
    made = some(50)
    central = np.arange(50) % 3 > 0
    figure = overview(replace(made, columns={**made.columns, "is_central": central}))
    one, other = figure.axes[0].collections
    assert one.get_edgecolor().tolist() != other.get_edgecolor().tolist()
    assert not np.array_equal(one.get_paths()[0].vertices, other.get_paths()[0].vertices)


@pytest.mark.parametrize("extension", ["png", "pdf", "svg"])
def test_metadata(tmp_path, extension):
    path = tmp_path / f"a.{extension}"
    save_figure(overview(some(3)), path, description="not alike: 模拟 <&>")
    if extension == "png":
        with Image.open(path) as picture:
            assert picture.text["Description"] == "not alike: 模拟 <&>"
    else:
        assert b"not alike" in path.read_bytes() or extension == "pdf"


HOSTILE = """
figure.dpi: 31
font.size: 40
font.family: monospace
text.usetex: True
axes.grid: True
axes.prop_cycle: cycler("color", ["red", "lime"])
savefig.transparent: True
savefig.bbox: tight
lines.marker: x
axes.unicode_minus: False
"""


@pytest.mark.slow_but("tkagg")
@pytest.mark.parametrize("backend", ["nonsense", "module://no.such", "tkagg", "ps"])
@pytest.mark.slow
def test_settings_of_the_user_do_not_change_the_file(tmp_path, backend):
    code = (
        "import sys; sys.path[:0] = sys.argv[2:];"
        "import mockgal, pathlib; from mass_samples import catalogue;"
        "from mockgal.reports.figures import single, save_figure;"
        "made = mockgal.measure(catalogue([1e9, 2e9, 5e10, 1e11]), 'mass_function');"
        "save_figure(single(made), pathlib.Path(sys.argv[1]))"
    )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/matplotlibrc").write_text(HOSTILE)
    written = []
    for name, more in (
        ("a.png", {}),
        ("b.png", {"MPLBACKEND": backend, "MATPLOTLIBRC": str(tmp_path / "mine")}),
    ):
        result = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / name), *filter(None, sys.path)],
            env={**os.environ, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]


def test_names_stay_distinct_however_long():
    shown = distinct(NAMES)
    assert len(set(shown)) == len(NAMES)
    assert max(map(len, shown)) <= LONGEST
    assert elided("short") == "short"
    assert elided("x" * 100, 11) == "xxxxx…xxxxx"


def test_letters_that_the_font_lacks_are_escaped():
    assert plain("αβγ ünï") == "αβγ ünï"
    assert plain("模$") == r"\u6a21\$"
    assert plain("a\nb") == r"a\nb"
