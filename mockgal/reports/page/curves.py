"""A statistic of all catalogues in one figure: its values above, the ratios to the truth below."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...statistics.plotting.lettering import plain
from ...statistics.plotting.palette import NOTE, REFERENCE, picture_style
from ...statistics.plotting.plot import draw
from ..comparison.ratio import Ratio, ratio
from ..comparison.result import Comparison
from ..comparison.statistics import Panel
from ..comparison.verdicts import BARS, TRUTH
from .looks import looks, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 4.7  # inches
_LEAST, _MOST = 0.25, 1.5  # limits of the ratio panel: 1 minus and plus these at least and at most
_FONT = 8.0
_APART = 0.012  # distance of two series in the ratio panel, over its width


def curve(comparison: Comparison, panel: Panel) -> Figure:
    """Return the figure of one panel.

    Parameters
    ----------
    comparison : Comparison
    panel : Panel
        Its statistic is measured.
    """
    with picture_style():
        from matplotlib.figure import Figure

        figure = Figure(layout="constrained")
        above, below, key = figure.subplots(3, 1)
        draw_panel(comparison, panel, above, below)
        above.set_title(panel.title, fontsize=10)
        handles, labels = keys(above)
        columns = _columns(labels)
        heights = (2.7, 1.25, 0.19 * math.ceil(len(labels) / columns))
        figure.set_size_inches(_WIDTH, sum(heights) + 0.85)
        above.get_gridspec().set_height_ratios(heights)
        key.set_axis_off()
        key.legend(handles, labels, loc="center", fontsize=_FONT, ncols=columns, frameon=False)
    return figure


def _columns(labels: list[str]) -> int:
    """Return how many keys of a legend fit side by side."""
    longest = max(map(len, labels), default=1)
    return max(1, min(len(labels), 72 // (longest + 8)))


def draw_panel(comparison: Comparison, panel: Panel, above: Axes, below: Axes) -> None:
    """Draw the values of a panel into one axes, and the ratios into another with the same abscissa.

    Without a legend: `keys` has what it needs.
    """
    from ...statistics.plotting.log_axes import readable

    style = looks(comparison.catalogues)
    for name, own in comparison.measurements.items():
        result = own[panel.key]
        look = style[name]
        marks = tuple(mark for mark in result.style.marks if "fundamental" not in mark)
        result = replace(result, style=result.style._replace(marks=marks))  # it is the first bin
        draw(result, above, (panel.estimate,), label=plain(shown(name)), **look)
    legend = above.get_legend()
    if legend is not None:
        legend.remove()
    if above.get_xscale() == "log":
        below.set_xscale("log")
        readable(below.xaxis)
    draw_ratios(comparison, panel, below)
    below.set_xlabel(above.get_xlabel(), fontsize=9)
    above.set_xlabel("")
    above.set_ylabel(above.get_ylabel(), fontsize=9)
    above.tick_params(labelbottom=False)
    for axes in (above, below):
        axes.tick_params(labelsize=8)
    below.set_xlim(above.get_xlim())


def keys(axes: Axes) -> tuple[list[Any], list[str]]:
    """Return handles and labels for a legend of axes that `draw_panel` has drawn in.

    Catalogues come first, then what symbols mean.
    """
    from matplotlib.container import Container

    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda k: not isinstance(handles[k], Container))
    return [handles[k] for k in order], [labels[k] for k in order]


def draw_ratios(comparison: Comparison, panel: Panel, axes: Axes) -> None:
    """Draw the ratios to the truth with their errors, and bands for the bars of the verdicts."""
    truth = comparison.measurements[TRUTH][panel.key]
    style = looks(comparison.catalogues)
    others = [name for name in comparison.measurements if name != TRUTH]
    ratios = {
        name: ratio(comparison.measurements[name][panel.key], truth, panel.estimate)
        for name in others
    }
    low, high = _limits(list(ratios.values()))
    log_x = truth.style.log_x
    for bar in BARS:
        if (bar.wanted, bar.estimate) == (panel.key, panel.estimate):
            _band(axes, bar, truth[truth.axis].astype(float))
    axes.axhline(1.0, color=REFERENCE, lw=0.8)
    for number, (name, found) in enumerate(ratios.items()):
        x = _moved(found.axis, number - (len(others) - 1) / 2, log_x)
        look = style[name]
        y = np.clip(found.value, low, high)
        inside = np.isfinite(found.value) & (y == found.value)
        axes.errorbar(
            x[inside],
            found.value[inside],
            found.error[inside],
            ls="none",
            ms=3.5,
            lw=0.8,
            color=look["color"],
            marker=look["marker"],
        )
        for beyond, marker, edge in ((found.value > high, 6, high), (found.value < low, 7, low)):
            if beyond.any():  # a caret at the edge
                at_edge = {"marker": marker, "ls": "none", "ms": 5, "color": look["color"]}
                axes.plot(x[beyond], np.full(beyond.sum(), edge), clip_on=False, **at_edge)
    axes.set_ylim(low, high)
    axes.set_ylabel("over truth", fontsize=9)
    if not any(np.isfinite(found.value).any() for found in ratios.values()):
        axes.text(0.5, 0.5, "no bin has a ratio", transform=axes.transAxes, ha="center", color=NOTE)


def _band(axes: Axes, bar: Any, x: Any) -> None:
    """Shade the deviations that a bar allows, over its range."""
    known = x[np.isfinite(x)]
    if not len(known):
        return
    low, high = max(bar.above, float(known.min())), min(bar.up_to, float(known.max()))
    if low < high:
        ends = [1.0 - bar.deviation, 1.0 + bar.deviation]
        axes.fill_between([low, high], *ends, color=REFERENCE, alpha=0.25, lw=0)


def _limits(ratios: list[Ratio]) -> tuple[float, float]:
    """Return limits that hold most of the ratios with their errors."""
    reach = [
        np.abs(found.deviation) + np.where(np.isfinite(found.error), found.error, 0.0)
        for found in ratios
    ]
    known = np.concatenate(reach) if reach else np.empty(0)
    known = known[np.isfinite(known)]
    wide = float(np.quantile(known, 0.9)) * 1.1 if len(known) else _LEAST
    wide = min(max(wide, _LEAST), _MOST)
    return max(1.0 - wide, -0.05), 1.0 + wide


def _moved(x: Any, step: float, log_x: bool) -> Any:
    """Return abscissae moved sideways, so that error bars do not hide each other."""
    known = x[np.isfinite(x)]
    if len(known) < 2:
        return x
    if log_x:
        return x * (known.max() / known.min()) ** (_APART * step)
    return x + (known.max() - known.min()) * _APART * step
