"""A result drawn: its estimates with their errors, in the scales and with the marks of its style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .result import ERROR, Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(result: Measurement, axes: Axes | None = None, **options: Any) -> Axes:
    """Draw ``result`` into ``axes``; see `Measurement.plot`.

    On a logarithmic scale a negative value is drawn at its absolute value, with an open symbol.
    """
    if axes is None:
        from matplotlib import pyplot

        axes = pyplot.subplots(layout="constrained")[1]
    x = result[result.axis].astype(np.float64)
    several, negative = len(result.estimates) > 1, False
    given_label = options.pop("label", None)
    for name in result.estimates:
        y, error = result[name].astype(np.float64), result[name + ERROR].astype(np.float64)
        label = result.fields[name].label or name
        style: dict[str, Any] = {"fmt": "o-", "ms": 3, "lw": 1, "capsize": 0} | options
        if given_label is not None:
            style["label"] = f"{given_label}, {label}" if several else given_label
        elif several:
            style["label"] = label
        shown = np.isfinite(y)
        below = shown & (y < 0) if result.style.log_y else np.zeros(len(y), dtype=bool)
        drawn = axes.errorbar(x[shown], np.where(below, np.nan, y)[shown], error[shown], **style)
        if below.any():
            negative = True
            apart = style | {
                "fmt": "o",
                "mfc": "none",
                "label": None,
                "color": drawn.lines[0].get_color(),
            }
            axes.errorbar(x[below], -y[below], error[below], **apart)
    if not axes.get_xlabel():
        axes.set_xscale("log" if result.style.log_x else "linear")
        axes.set_yscale("log" if result.style.log_y else "linear")
        axes.set_xlabel(_label(result, result.axis))
        axes.set_ylabel(_label(result, result.estimates[0]) if not several else _unit(result))
        _mark(result, axes)
    if negative:
        axes.plot([], [], "o", mfc="none", color="0.3", label="negative")
    if several or negative or given_label is not None:
        axes.legend(fontsize=8)
    return axes


def _label(result: Measurement, name: str) -> str:
    return result.fields[name].label or name.replace("_", " ")


def _unit(result: Measurement) -> str:
    """What the estimates have in common, for the axis of several: the statistic and its unit."""
    label = result.fields[result.estimates[0]].label
    unit = label[label.rindex("[") :] if label.endswith("]") else ""
    return f"{result.statistic.replace('_', ' ')} {unit}".strip()


def _mark(result: Measurement, axes: Axes) -> None:
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
