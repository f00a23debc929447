"""Plots of a result: its estimates with their errors, with the scales and marks of its style.

On a logarithmic scale a negative value is drawn at its absolute value with an open symbol, and a
zero as a triangle at its error; the legend says so. Lines join neighbouring bins with positive
values only. Bins that are not complete are pale. If other bins have errors, bins with too few
galaxies for an error are crosses.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..result import ERROR, Measurement
from .lettering import formulas
from .palette import COLOURS, NOTE, REFERENCE, Series, series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEGATIVE = "open: negative, absolute value"
ZERO = "zero, at upper end of error"
PALE = "pale: bin not complete"
BARE = "cross: too few for an error"
_MANY = 40  # above so many bins, errors are drawn as a band
_COMPLETE = "complete"  # the column that marks complete bins
_DEEPEST = 0.3  # lowest end of error bars over the lowest value, on a logarithmic scale
_MARGIN = 0.05  # fraction of the height


def panels(result: Measurement) -> list[tuple[str, ...]]:
    """Return groups of estimates that share an ordinate: the same unit, and both `Style.apart`."""
    groups: dict[tuple[bool, str], tuple[str, ...]] = {}
    for name in result.estimates:
        key = (name in result.style.apart, result.fields[name].unit)
        groups[key] = (*groups.get(key, ()), name)
    return list(groups.values())


def draw(
    result: Measurement,
    axes: Axes,
    estimates: tuple[str, ...],
    *,
    label: str = "",
    number: int | None = None,
    **options: Any,
) -> Axes:
    """Draw ``estimates`` of a result into ``axes``.

    Parameters
    ----------
    result : Measurement
    axes : matplotlib.axes.Axes
    estimates : tuple of str
        One of `panels`, or a part of it.
    label : str
        Name of the result.
    number : int, optional
        Number of the first estimate's look (`mockgal.statistics.plotting.palette.series`); by
        default the first whose colour is not in use in ``axes``.
    **options
        Passed to `matplotlib.axes.Axes.errorbar`; they override the look.
    """
    from .log_axes import readable

    first_here = not axes.has_data()
    if first_here:
        first_panel = _panel(result, estimates) == 0
        axes.set_xscale("log" if result.style.log_x else "linear")
        axes.set_yscale("log" if result.style.log_y and first_panel else "linear")
        for axis, scale in ((axes.xaxis, axes.get_xscale()), (axes.yaxis, axes.get_yscale())):
            if scale == "log":
                readable(axis)
    log_y = axes.get_yscale() == "log"
    held = axes.get_ylim() if np.isfinite(axes.dataLim.minposy) else None
    several = len(estimates) > 1
    notes: dict[str, dict[str, Any]] = {}
    for k, name in enumerate(estimates):
        own = _bare(_label(result, name)) if several else ""
        shown = ", ".join(formulas(text) for text in (label, own) if text)
        look = _unused(axes) if number is None else series(number + k)
        notes |= _estimate(result, axes, name, log_y=log_y, label=shown, look=look, **options)
    if first_here:
        _describe(result, axes, estimates)
    if log_y:
        _frame(result, axes, estimates, held)
    for note, symbol in notes.items():
        if note not in axes.get_legend_handles_labels()[1]:
            axes.plot([], [], ls="", ms=4, color=NOTE, label=note, **symbol)
    if axes.get_legend_handles_labels()[1]:
        width = axes.get_window_extent().width / axes.figure.dpi
        legend = axes.legend(fontsize=min(8.0, max(5.0, 2.5 * width)))
        legend.set_in_layout(False)  # it would squeeze narrow panels
    return axes


def _unused(axes: Axes) -> Series:
    """Return the first look whose colour is not in use in ``axes``, or the next one by number."""
    used = {line.get_color() for line in axes.lines}
    if used >= set(COLOURS):
        return series(len(axes.containers))
    return next(look for look in map(series, count()) if look.colour not in used)


def _estimate(
    result: Measurement,
    axes: Axes,
    name: str,
    *,
    log_y: bool,
    label: str,
    look: Series,
    **options: Any,
) -> dict[str, dict[str, Any]]:
    """Draw one estimate, and return the symbols that need a note."""
    from matplotlib import cbook
    from matplotlib.lines import Line2D

    x, y, error = (result[n].astype(np.float64) for n in (result.axis, name, name + ERROR))
    seen = np.isfinite(y) & np.isfinite(x)
    whole = result.columns.get(_COMPLETE, np.ones(len(x), dtype=bool)).astype(bool)
    at_zero = seen & (y == 0) & log_y
    below = seen & (y < 0) & log_y
    bare = seen & ~at_zero & ~np.isfinite(error) & np.isfinite(error[seen]).any()
    below &= ~bare
    plain = seen & ~at_zero & ~below & ~bare
    own = {"color": look.colour, "marker": look.marker, "linestyle": look.dashes}
    if "fmt" in options:
        own = {"color": look.colour}
    own |= {"markersize": 3.5, "linewidth": 1.0, "elinewidth": 0.8}
    style: dict[str, Any] = own | cbook.normalize_kwargs(options, Line2D)
    band = len(x) > _MANY

    def bars(rows: NDArray[np.bool_], **changes: Any) -> Any:
        # Rows that are left out become gaps: no line crosses them.
        height = None if band else np.where(rows, error, np.nan)
        shown = np.where(rows, np.abs(y) if log_y else y, np.nan)
        return axes.errorbar(x, shown, height, **style | changes)

    def symbols(rows: NDArray[np.bool_], **changes: Any) -> Any:
        height = None if band else error[rows]
        shown = (np.abs(y) if log_y else y)[rows]
        return axes.errorbar(x[rows], shown, height, **style | {"linestyle": "none"} | changes)

    line = bars(plain & whole, label=label or None).lines[0]
    marker = {"marker": "o" if line.get_marker() in ("", "None", None) else line.get_marker()}
    colour = {"color": line.get_color()}
    if band:
        low, high = y - error, y + error
        low = np.where(low > 0, low, np.nanmin(np.abs(y[seen]), initial=np.inf)) if log_y else low
        good = plain & np.isfinite(error)
        axes.fill_between(x, low, high, where=good, **colour, alpha=0.18, lw=0.6)
    notes: dict[str, dict[str, Any]] = {}
    if below.any():
        symbols(below, **marker, **colour, markerfacecolor="none")
        notes[NEGATIVE] = {"marker": "o", "mfc": "none"}
    if at_zero.any():
        axes.plot(x[at_zero], error[at_zero], "v", ms=4, mfc="none", **colour)
        notes[ZERO] = {"marker": "v", "mfc": "none"}
    if bare.any():
        symbols(bare, **colour, marker="x")
        notes[BARE] = {"marker": "x"}
    if (plain & ~whole).any():
        symbols(plain & ~whole, **marker, **colour, alpha=0.3)
        notes[PALE] = {"marker": "o", "alpha": 0.3}
    return notes


def _frame(
    result: Measurement,
    axes: Axes,
    estimates: tuple[str, ...],
    held: tuple[float, float] | None,
) -> None:
    """Set the limits of a logarithmic ordinate, which error bars close to zero would stretch.

    ``held`` are the limits that earlier results need.
    """
    ends = []
    for name in estimates:
        y, error = result[name].astype(float), result[name + ERROR].astype(float)
        reach = np.where(np.isfinite(error), error, 0.0)
        good = np.isfinite(y) & np.isfinite(result[result.axis].astype(float))
        size = np.where(y != 0, np.abs(y), reach)[good]
        lower = np.where(y != 0, np.abs(y) - reach, reach)[good]
        ends += [np.maximum(lower, _DEEPEST * size.min(initial=np.inf)), size + reach[good]]
    for name in result.style.lines if _panel(result, estimates) == 0 else ():
        ends.append(result[name].astype(float))
    shown = np.concatenate(ends) if ends else np.empty(0)
    shown = shown[np.isfinite(shown) & (shown > 0)]
    if not len(shown):
        return
    low, high = np.log10([shown.min(), shown.max()])
    margin = max(_MARGIN * (high - low), 0.05)
    bottom, top = 10.0 ** (low - margin), 10.0 ** (high + margin)
    if held is not None:
        bottom, top = min(bottom, held[0]), max(top, held[1])
    axes.set_ylim(bottom, top)


def _describe(result: Measurement, axes: Axes, estimates: tuple[str, ...]) -> None:
    """Label the axes, and draw the reference lines and marks."""
    axes.set_xlabel(formulas(_label(result, result.axis)))
    panel = _panel(result, estimates)
    shared = dict(enumerate(result.style.labels)).get(panel, "") if len(estimates) > 1 else ""
    axes.set_ylabel(formulas(shared or _label(result, estimates[0])))
    if panel > 0:
        return
    for name in result.style.lines:
        what = result.fields[name].label or name.replace("_", " ")
        look: dict[str, Any] = {"ls": (0, (1, 1.5)), "color": REFERENCE, "lw": 1.0}
        axes.plot(result[result.axis], result[name], label=formulas(what), **look)
    for name in result.style.marks:
        place = result.settings.get(name)
        if isinstance(place, int | float):
            axes.axvline(place, color=REFERENCE, lw=0.8, ls=":")
            axes.text(
                place,
                0.99,
                formulas(name.split("_")[0].capitalize()),
                transform=axes.get_xaxis_transform(),
                rotation=90,
                va="top",
                ha="right",
                fontsize=7,
                color=NOTE,
            )


def _panel(result: Measurement, estimates: tuple[str, ...]) -> int:
    """Return the number of the panel that contains the estimates."""
    return next(k for k, group in enumerate(panels(result)) if set(estimates) <= set(group))


def _label(result: Measurement, name: str) -> str:
    """Return the label of an axis, with its unit."""
    field = result.fields[name]
    unit = field.unit.replace("littleh", "h")
    return field.label or name.replace("_", " ") + (f" [{unit}]" if unit else "")


def _bare(label: str) -> str:
    """Return a label without its unit, which is on the axis."""
    return label.split(" [")[0]
