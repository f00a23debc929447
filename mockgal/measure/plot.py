"""A result drawn: its estimates with their errors, in the scales and with the marks of its style.

On a logarithmic scale a negative value is drawn at its absolute value with an open symbol, and a
zero as a triangle at its error. Bins that are not complete are pale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .result import ERROR, Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MANY = 40  # bins with errors drawn as a band
_COMPLETE = "complete"  # the column of bins that hold all they should


def panels(result: Measurement) -> list[tuple[str, ...]]:
    """The estimates that can share an ordinate: those of one unit, some of them apart."""
    groups: dict[tuple[bool, str], tuple[str, ...]] = {}
    for name in result.estimates:
        key = (name in result.style.apart, result.fields[name].unit)
        groups[key] = (*groups.get(key, ()), name)
    return list(groups.values())


def draw(
    result: Measurement, axes: Axes, estimates: tuple[str, ...], *, label: str = "", **options: Any
) -> Axes:
    """Draw ``estimates`` of a result into ``axes``.

    Parameters
    ----------
    result : Measurement
    axes : matplotlib.axes.Axes
    estimates : tuple of str
        One of `panels`, or some of it.
    label : str
        Whose result it is.
    **options
        Of `matplotlib.axes.Axes.errorbar`.
    """
    first_here = not axes.has_data()
    log_y = result.style.log_y and _panel(result, estimates) == 0
    if first_here:
        axes.set_xscale("log" if result.style.log_x else "linear")
        axes.set_yscale("log" if log_y else "linear")
    several = len(estimates) > 1
    notes: dict[str, dict[str, Any]] = {}
    for name in estimates:
        own = _bare(result.fields[name].label or name) if several else ""
        shown = ", ".join(text for text in (label, own) if text)
        notes |= _estimate(result, axes, name, log_y=log_y, label=shown, **options)
    if first_here:
        _describe(result, axes, estimates)
    for note, symbol in notes.items():
        if note not in axes.get_legend_handles_labels()[1]:
            axes.plot([], [], ls="", ms=4, color="0.3", label=note, **symbol)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8)
    return axes


def _estimate(
    result: Measurement, axes: Axes, name: str, *, log_y: bool, label: str, **options: Any
) -> dict[str, dict[str, Any]]:
    """Draw one estimate; gives the symbols that need a note."""
    x, y, error = (result[n].astype(np.float64) for n in (result.axis, name, name + ERROR))
    seen = np.isfinite(y) & np.isfinite(x)
    whole = result.columns.get(_COMPLETE, np.ones(len(x), dtype=bool)).astype(bool)
    at_zero = seen & (y == 0) & log_y
    below = seen & (y < 0) & log_y
    plain = seen & ~at_zero & ~below
    style: dict[str, Any] = {"fmt": "o-", "ms": 3, "lw": 1, "elinewidth": 0.8} | options
    band = len(x) > _MANY

    def bars(rows: NDArray[np.bool_], **changes: Any) -> Any:
        height = None if band else error[rows]
        return axes.errorbar(x[rows], (np.abs(y) if log_y else y)[rows], height, **style | changes)

    line = bars(plain & whole, label=label or None).lines[0]
    colour = line.get_color()
    if band:
        low, high = y - error, y + error
        low = np.where(low > 0, low, np.nanmin(np.abs(y[seen]), initial=np.inf)) if log_y else low
        good = plain & np.isfinite(error)
        axes.fill_between(x, low, high, where=good, color=colour, alpha=0.25, lw=0)
    notes: dict[str, dict[str, Any]] = {}
    if below.any():
        bars(below, fmt="o", mfc="none", color=colour)
        notes["negative"] = {"marker": "o", "mfc": "none"}
    if at_zero.any():
        axes.plot(x[at_zero], error[at_zero], "v", ms=4, mfc="none", color=colour)
        notes["none: upper end of the error"] = {"marker": "v", "mfc": "none"}
    if (plain & ~whole).any():
        bars(plain & ~whole, fmt="o", color=colour, alpha=0.3)
        notes["not complete"] = {"marker": "o", "alpha": 0.3}
    return notes


def _describe(result: Measurement, axes: Axes, estimates: tuple[str, ...]) -> None:
    """Labels of the axes, and what there is to compare with."""
    axes.set_xlabel(_label(result, result.axis))
    panel = _panel(result, estimates)
    shared = dict(enumerate(result.style.labels)).get(panel, "") if len(estimates) > 1 else ""
    axes.set_ylabel(shared or _label(result, estimates[0]))
    if panel > 0:
        return
    for name in result.style.lines:
        what = result.fields[name].label or name.replace("_", " ")
        axes.plot(result[result.axis], result[name], "--", color="0.5", lw=0.8, label=what)
    for name in result.style.marks:
        place = result.settings.get(name)
        if isinstance(place, int | float):
            axes.axvline(place, color="0.6", lw=0.8, ls=":")
            axes.text(
                place,
                0.99,
                name.split("_")[0].capitalize(),
                transform=axes.get_xaxis_transform(),
                rotation=90,
                va="top",
                ha="right",
                fontsize=7,
                color="0.4",
            )


def _panel(result: Measurement, estimates: tuple[str, ...]) -> int:
    """The number of the panel that estimates are of."""
    return next(k for k, group in enumerate(panels(result)) if set(estimates) <= set(group))


def _label(result: Measurement, name: str) -> str:
    return result.fields[name].label or name.replace("_", " ")


def _bare(label: str) -> str:
    """A label without its unit, which the axis has."""
    return label.split(" [")[0]
