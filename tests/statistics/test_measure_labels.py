"""Labels of results from files: formulas where matplotlib can draw them, else letters."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mockgal import read_measurement
from mockgal.statistics.plotting.lettering import formulas
from mockgal.statistics.result import Field, Measurement, Style

HOSTILE = [
    r"$\frac{",
    "$}{$",
    r"$\undefined$",
    "$^$",
    "${" * 30 + "}" * 30 + "$",
    r"$\sqrt{" * 9 + "$",
    "$\u0416 \\notex\u200b$",
    "one $",
    "$" * 9,
    r"\$ and $",
    "$" + r"\frac{1}{" * 500 + "}" * 500 + "$",
    "x" * 20_000,
]


def drawn(result, path):
    """The texts of a picture of the result, read back from a file and drawn."""
    result.save(path, overwrite=True)
    figure = Figure()
    canvas = FigureCanvasAgg(figure)
    axes = read_measurement(path).plot(figure.add_subplot(), label=result.settings["mine"])
    canvas.draw()
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    return [axes.get_xlabel(), axes.get_ylabel(), *legend]


def measurement(text):
    names = ("x", "a", "a_error", "b", "b_error", "n", "line")
    return Measurement(
        "trial",
        {name: np.array([1.0, 2.0, 3.0]) for name in names},
        {name: Field("", "", text) for name in names},
        axis="x",
        estimates=("a", "b"),
        count="n",
        settings={"mine": text, f"{text[:200]}": 2.0, "errors": "none"},
        style=Style(lines=("line",), marks=(text[:200],), labels=(text,)),
    )


@pytest.mark.fault(70)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_labels_are_drawn(text, tmp_path):
    for shown in drawn(measurement(text), tmp_path / "a.ecsv"):
        assert 0 < len(shown) < 1000


def test_names_of_columns_are_drawn(tmp_path):
    result = measurement("")
    odd = r"$\frac{ $"
    columns = {odd if name == "x" else name: values for name, values in result.columns.items()}
    fields = {name: Field("", "") for name in columns}
    result = replace(result, columns=columns, fields=fields, axis=odd)
    assert drawn(result, tmp_path / "a.ecsv")[0] == r"\$\frac{ \$"


def test_formulas_stay():
    for text in (r"$\xi_\ell(s)$", r"$P$ [(Mpc/$h$)$^3$]", "pairs", "é"):
        assert formulas(text) == text
    assert formulas("5 $") == r"5 \$"
