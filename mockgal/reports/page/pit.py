"""Whether the laws that mocks were drawn from are calibrated: their transforms, in one figure."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import printable
from ...statistics.plotting.lettering import plain
from ...statistics.plotting.palette import REFERENCE, picture_style
from ...statistics.result import ERROR
from ..comparison.result import Comparison
from ..comparison.statistics import PIT_KEY
from .looks import looks, shown
from .words import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "pit", "Calibration of the laws"
FIGURES = {  # by the name of the file: the estimate, and of which subhalos
    "pit-all": ("density", "all"),
    "pit-luminous": ("density_luminous", "luminous"),
}
_BINS = 10  # of the histograms: pairs of those that are measured
_ABOUT = (
    "The painter of a mock predicts, for each subhalo, a probability of having a galaxy and a law "
    "of its stellar mass. The probability integral transform is the place of the true stellar mass "
    "within that law: if the law is right, its histogram is flat at 1. A slope is a bias, a hump a "
    "scatter that is too large, and a trough one that is too small. The true masses are those of "
    "matched galaxies, so that galaxies without a counterpart count as none. All subhalos count, "
    "before the cuts."
)


def names_of(comparison: Comparison) -> list[str]:
    """Return the mocks whose laws were held against the truth."""
    return [name for name, own in comparison.measurements.items() if PIT_KEY in own]


def pit_figure(comparison: Comparison, name: str) -> Figure:
    """Return the transforms of one sample of subhalos, a key of `FIGURES`."""
    estimate, whose = FIGURES[name]
    style = looks(comparison.catalogues)
    with picture_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.7, 3.4), layout="constrained")
        axes = figure.subplots()
        axes.axhline(1.0, color=REFERENCE, lw=0.8)
        for place, mock in enumerate(names_of(comparison)):
            x, y, error = _histogram(comparison, mock, estimate)
            look = style[mock]
            axes.stairs(y, x, color=look["color"], lw=1.2, baseline=None)
            middle = 0.5 * (x[1:] + x[:-1]) + 0.012 * place
            kept = {key: look[key] for key in ("color", "marker")}
            label = plain(shown(mock))
            axes.errorbar(middle, y, error, ls="none", ms=3.5, lw=0.8, label=label, **kept)
        axes.set_title(f"{TITLE}, {whose} subhalos", fontsize=10)
        axes.set_xlabel("probability integral transform", fontsize=9)
        axes.set_ylabel("number over that expected", fontsize=9)
        axes.set_xlim(0.0, 1.0)
        axes.set_ylim(bottom=0.0)
        axes.tick_params(labelsize=8)
        axes.legend(fontsize=8, frameon=False, loc="lower left", ncols=2)
    return figure


def _histogram(comparison: Comparison, name: str, estimate: str) -> tuple[Any, Any, Any]:
    """Return edges, densities and errors in `_BINS` bins."""
    pit = comparison.measurements[name][PIT_KEY]
    edges = np.append(pit["probability_low"], pit["probability_high"][-1])
    group = max(1, len(pit) // _BINS)
    density = pit[estimate].reshape(-1, group).mean(axis=1)
    error = pit[estimate + ERROR].reshape(-1, group).mean(axis=1) / np.sqrt(group)
    return edges[::group], density, error


def _described(comparison: Comparison, name: str) -> str:
    """Return what a figure shows."""
    estimate, whose = FIGURES[name]
    parts = []
    for mock in names_of(comparison):
        _, density, _ = _histogram(comparison, mock, estimate)
        test = comparison.measurements[mock][PIT_KEY].settings["kolmogorov_smirnov"]
        distance = test.get(whose, {}).get("statistic")
        parts.append(
            f"{shown(mock)}: {number(float(np.min(density)), 2)} to "
            f"{number(float(np.max(density)), 2)} times the number expected, largest distance "
            f"from a flat distribution {number(distance, 2)}"
        )
    return (
        f"Histogram of the probability integral transform of {whose} subhalos, 1 if the law is "
        f"calibrated. {'; '.join(parts)}."
    )


def section(comparison: Comparison, picture: Callable[[str, str], str]) -> str:
    """Return the section of the page; nothing if laws were not asked for.

    Parameters
    ----------
    comparison : Comparison
    picture : callable
        Returns the HTML of a picture, from the name of its file and an alternative text.
    """
    known = names_of(comparison)
    if not known and not comparison.without_law:
        return ""
    lines = [f'<section id="{NAME}">\n<h2>{TITLE}</h2>']
    if known:
        tables = ", ".join(
            f'<a href="tables/{name}-{PIT_KEY}.ecsv">{_text(shown(name))}</a>' for name in known
        )
        figures = "\n".join(
            f"<figure>{picture(name, _described(comparison, name))}\n<figcaption>"
            f'{_counts(comparison)} <a href="figures/{name}.pdf">PDF</a>, {tables}</figcaption>'
            "</figure>"
            for name in FIGURES
        )
        lines += [f"<p>{_text(_ABOUT)}</p>", f'<div class="figures">\n{figures}\n</div>']
    lines += [
        f"<p>{_text(shown(name))}: no law was held against the truth, as {_text(why)}.</p>"
        for name, why in comparison.without_law.items()
    ]
    return "\n".join([*lines, "</section>"])


def _counts(comparison: Comparison) -> str:
    """Return how many subhalos count, and how many were left out."""
    parts = []
    for name in names_of(comparison):
        pit = comparison.measurements[name][PIT_KEY]
        settings = pit.settings
        parts.append(
            f"{shown(name)}: {int(pit['subhalos'].sum()):,} subhalos, "
            f"{settings['luminous']:,} of them luminous; left out "
            f"{settings['subhalos_without_a_law']:,} that its painter gives no galaxy, "
            f"{settings['luminous_without_a_law']:,} of them luminous."
        )
    return _text(" ".join(parts))


def _text(value: object) -> str:
    return escape(printable(value))
