"""What figures show, in words and numbers: their alternative texts and captions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..comparison.ratio import ratio
from ..comparison.result import Comparison
from ..comparison.statistics import Panel
from ..comparison.verdicts import TRUTH
from .looks import shown


def unit_of(unit: str) -> str:
    """Return a unit as readers know it."""
    return unit.replace("littleh", "h").replace("**", "^")


def number(value: float | None, digits: int = 3) -> str:
    """Return a number in few digits; a dash for none."""
    if value is None or not np.isfinite(value):
        return "–"
    return (
        f"{value:,.{digits}g}" if 1e-3 <= abs(value) < 1e5 or value == 0 else f"{value:.{digits}g}"
    )


def percent(value: float, *, signed: bool = False) -> str:
    """Return a share in per cent, with two digits."""
    if not np.isfinite(value):
        return "–"
    size = 100.0 * value
    digits = 0 if abs(size) >= 10 or size == round(size) else 1
    return f"{size:{'+' if signed else ''},.{digits}f}%"


def described(comparison: Comparison, panel: Panel) -> str:
    """Return what a figure shows: the truth from end to end, and how far each mock is from it."""
    truth = comparison.measurements[TRUTH][panel.key]
    x, y = truth[truth.axis].astype(float), truth[panel.estimate].astype(float)
    seen = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    text = f"{panel.title}, and below it the ratio to the truth."
    if not len(seen):
        return text + " The truth has no value."
    of_x, of_y = (unit_of(truth.fields[name].unit) for name in (truth.axis, panel.estimate))
    first, last = seen[0], seen[-1]
    axis = truth.axis.replace("_", " ")
    text += (
        f" The truth goes from {_with(y[first], of_y)} at {axis} {_with(x[first], of_x)} to "
        f"{_with(y[last], of_y)} at {_with(x[last], of_x)}"
    )
    top = seen[np.argmax(y[seen])]
    if top not in (first, last):
        text += f", with {_with(y[top], of_y)} at most, at {_with(x[top], of_x)}"
    return text + ". " + " ".join(_beside(comparison, panel))


def _beside(comparison: Comparison, panel: Panel) -> Any:
    truth = comparison.measurements[TRUTH][panel.key]
    for name, own in comparison.measurements.items():
        if name == TRUTH:
            continue
        value = ratio(own[panel.key], truth, panel.estimate).value
        value = value[np.isfinite(value)]
        if not len(value):
            yield f"{shown(name)} shares no bin with it."
            continue
        low, middle, high = np.quantile(value, [0.0, 0.5, 1.0])
        yield (
            f"{shown(name)} is {number(low)} to {number(high)} times the truth, "
            f"{number(middle)} times in the median bin."
        )


def _with(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".rstrip()


def detectable(comparison: Comparison, panel: Panel) -> str:
    """Return the smallest deviation from the truth that the errors of a figure can detect."""
    truth = comparison.measurements[TRUTH][panel.key]
    parts = []
    for name, own in comparison.measurements.items():
        if name == TRUTH:
            continue
        least = ratio(own[panel.key], truth, panel.estimate).detectable
        least = least[np.isfinite(least) & (least > 0)]
        if len(least):
            parts.append(
                f"{shown(name)} {percent(float(least.min()))} in the best bin, "
                f"{percent(float(np.median(least)))} in the median bin"
            )
    return "; ".join(parts) or "none, for want of errors"
