"""Figure 1 of the dm2gal paper (arXiv:2012.00186) for these mocks: maps, P(k), bispectrum, PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...statistics.plotting.palette import picture_style
from ..comparison.result import Comparison, Maps
from ..comparison.statistics import FIELD, PANELS
from .curves import draw_panel, keys
from .maps import draw_map, panels_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _STATISTICS, _KEY = 13.0, 4.2, 0.35  # inches
_MOST = 6  # maps in a row


def figure_one(comparison: Comparison, maps: Maps) -> Figure:
    """Return maps above, and the statistics of the stellar-mass field below."""
    drawn = [p for p in PANELS if p.section == FIELD and p.key not in comparison.not_measured]
    drawn = [p for p in drawn if all(p.key in own for own in comparison.measurements.values())]
    names = panels_of(maps)
    rows = [names[k : k + _MOST] for k in range(0, len(names), _MOST)]
    across = max(map(len, rows))
    side = _WIDTH / across + 0.5
    with picture_style():
        from matplotlib.figure import Figure

        heights = [side * len(rows), *([_STATISTICS, _KEY] if drawn else [])]
        figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.1)  # type: ignore[union-attr,call-arg]
        parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        axes = parts[0].subplots(len(rows), across, squeeze=False)
        for k, row in enumerate(rows):
            for place in range(across):
                if place < len(row):
                    draw_map(maps, row[place], axes[k][place])
                else:
                    axes[k][place].set_axis_off()
        if drawn:
            below = parts[1].subplots(2, len(drawn), squeeze=False, height_ratios=(3, 1.4))
            for k, panel in enumerate(drawn):
                draw_panel(comparison, panel, below[0][k], below[1][k])
                below[0][k].set_title(panel.title, fontsize=10)
            handles, labels = keys(below[0][0])
            parts[2].legend(
                handles, labels, loc="center", fontsize=9, ncols=len(labels), frameon=False
            )
    return figure
