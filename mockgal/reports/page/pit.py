"""Whether the laws that mocks were drawn from are calibrated: their transforms, in one figure."""

from __future__ import annotations

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

NAME, TITLE = "pit", "Calibration of the predicted laws"
_PANELS = {"density": "all subhalos", "density_luminous": "luminous subhalos"}
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


def pit_figure(comparison: Comparison) -> Figure:
    """Return the transforms of all subhalos, and of luminous ones."""
    style = looks(comparison.catalogues)
    with picture_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9.4, 3.1), layout="constrained")
        panels = figure.subplots(1, len(_PANELS), sharey=True)
        for axes, (estimate, title) in zip(panels, _PANELS.items(), strict=True):
            axes.axhline(1.0, color=REFERENCE, lw=0.8)
            for place, name in enumerate(names_of(comparison)):
                x, y, error = _histogram(comparison, name, estimate)
                look = style[name]
                axes.stairs(y, x, color=look["color"], lw=1.2)
                middle = 0.5 * (x[1:] + x[:-1]) + 0.006 * place
                kept = {key: look[key] for key in ("color", "marker")}
                label = plain(shown(name))
                axes.errorbar(middle, y, error, ls="none", ms=3.5, lw=0.8, label=label, **kept)
            axes.set_title(title, fontsize=10)
            axes.set_xlabel("probability integral transform", fontsize=9)
            axes.set_xlim(0.0, 1.0)
            axes.set_ylim(bottom=0.0)
            axes.tick_params(labelsize=8)
        panels[0].set_ylabel("number over that expected", fontsize=9)
        panels[-1].legend(fontsize=8, frameon=False)
    return figure


def _histogram(comparison: Comparison, name: str, estimate: str) -> tuple[Any, Any, Any]:
    """Return edges, densities and errors in `_BINS` bins."""
    pit = comparison.measurements[name][PIT_KEY]
    edges = np.append(pit["probability_low"], pit["probability_high"][-1])
    group = max(1, len(pit) // _BINS)
    density = pit[estimate].reshape(-1, group).mean(axis=1)
    error = pit[estimate + ERROR].reshape(-1, group).mean(axis=1) / np.sqrt(group)
    return edges[::group], density, error


def described(comparison: Comparison) -> str:
    """Return what the figure shows."""
    parts = []
    for name in names_of(comparison):
        _, density, _ = _histogram(comparison, name, "density_luminous")
        test = comparison.measurements[name][PIT_KEY].settings["kolmogorov_smirnov"]
        distance = test.get("luminous", {}).get("statistic")
        parts.append(
            f"{shown(name)}, luminous subhalos: {number(float(np.min(density)), 2)} to "
            f"{number(float(np.max(density)), 2)} times the number expected, largest distance "
            f"from a flat distribution {number(distance, 2)}"
        )
    return "Histograms of the probability integral transform, 1 if calibrated. " + "; ".join(parts)


def section(comparison: Comparison, picture: str) -> str:
    """Return the section of the page; nothing if laws were not asked for.

    Parameters
    ----------
    comparison : Comparison
    picture : str
        HTML of the figure, if any law is known.
    """
    known = names_of(comparison)
    if not known and not comparison.without_law:
        return ""
    lines = [f'<section id="{NAME}">\n<h2>{TITLE}</h2>']
    if known:
        files = f'<a href="figures/{NAME}.pdf">PDF</a>, ' + ", ".join(
            f'<a href="tables/{name}-{PIT_KEY}.ecsv">{_text(shown(name))}</a>' for name in known
        )
        lines += [
            f"<p>{_text(_ABOUT)}</p>",
            f"<figure>{picture}\n<figcaption>{_text(_counts(comparison))} {files}</figcaption>"
            "</figure>",
        ]
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
    return " ".join(parts)


def _text(value: object) -> str:
    return escape(printable(value))
