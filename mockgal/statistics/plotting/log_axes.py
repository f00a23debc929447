"""Ticks of logarithmic axes that are readable over half a decade as well as over ten."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axis import Axis, XAxis
from matplotlib.ticker import Formatter, LogLocator, MaxNLocator, NullFormatter

_DIGITS: tuple[tuple[int, ...], ...] = (
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 2, 3, 5),
    tuple(range(1, 10)),
)
_FEWEST = 3  # labels that show that the axis is logarithmic
_PLAIN = (1e-3, 1e4)  # between these, numbers are written without a power of ten
_NARROWEST, _AROUND = 1e-6, 3.0  # relative width of a single value; the factor to both sides of it
_CLOSEST = 0.75  # smallest distance of two labels, over the length divided by the most labels
_WIDTH, _WIDEST, _HEIGHT = 5.0, 7.0, 2.0  # space of a label [font sizes]


def readable(axis: Axis) -> None:
    """Label a logarithmic axis at decades, or also between them if there are too few decades."""
    axis.set_major_locator(LabelledLocator())
    axis.set_major_formatter(LabelFormatter())
    axis.set_minor_locator(LogLocator(subs=list(np.arange(2.0, 10.0))))
    axis.set_minor_formatter(NullFormatter())


def labelled_values(low: float, high: float, most: int) -> np.ndarray:
    """Return the values in [low, high] that get a label: at most ``most``, and 3 if possible.

    They are decades; else 1 and 3, 1, 2 and 5, or more digits times powers of ten; in a range with
    fewer than two of these, equal steps.
    """
    chosen: np.ndarray = np.empty(0)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    slack = 1e-9  # relative rounding of limits that are meant to be labelled values
    for digits in _DIGITS:
        values = np.array([digit * 10.0**power for power in powers for digit in digits])
        values = values[(values >= low * (1.0 - slack)) & (values <= high * (1.0 + slack))]
        if len(values) > most and len(chosen) < 2 and digits == (1,):
            values = values[:: math.ceil(len(values) / most)]
        if _fit(values, low, high, most):
            chosen = values
        if len(chosen) >= _FEWEST or len(values) > most:
            break
    if len(chosen) >= 2:
        return chosen
    for steps in range(max(1, min(most, int(most * _WIDTH / _WIDEST))), 0, -1):
        locator = MaxNLocator(nbins=steps, steps=[1, 2, 5, 10], min_n_ticks=1)
        values = np.asarray(locator.tick_values(low, high))
        inside = values[(values >= low * (1.0 - slack)) & (values <= high * (1.0 + slack))]
        if len(inside) > len(chosen) and _fit(inside, low, high, most):
            return inside
    return chosen


def _fit(values: np.ndarray, low: float, high: float, most: int) -> bool:
    """Return whether labels fit: not too many, and no two of them too close together."""
    if len(values) > most:
        return False
    gaps = np.diff(np.log(values)) / math.log(high / low)
    return not len(gaps) or bool(gaps.min() >= _CLOSEST / most)


class LabelledLocator(LogLocator):
    """Major ticks at `labelled_values`, as many as fit on the axis."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """Return the positions of the labels between two positive values."""
        low, high = min(vmin, vmax), max(vmin, vmax)
        if not 0.0 < low < high < math.inf:
            return np.empty(0)
        return labelled_values(low, high, self._room())

    def __call__(self) -> Any:
        """Return the positions of the labels of the axis."""
        low, high = self.axis.get_view_interval()  # type: ignore[union-attr]
        return self.tick_values(low, high)

    def nonsingular(self, vmin: float, vmax: float) -> tuple[float, float]:
        """Return valid limits, also around a single value, or if no value is positive."""
        low, high = min(vmin, vmax), max(vmin, vmax)
        if not 0.0 < high < math.inf:
            return 1.0, 10.0
        if low > 0.0 and high < low * (1.0 + _NARROWEST):
            return low / _AROUND, high * _AROUND
        return super().nonsingular(vmin, vmax)

    def _room(self) -> int:
        axis: Any = self.axis
        if axis is None or not hasattr(axis, "axes") or axis.axes is None:
            return 9
        box = axis.axes.get_window_extent()
        along_x = isinstance(axis, XAxis)
        length = (box.width if along_x else box.height) / axis.axes.get_figure(root=True).dpi * 72.0
        size = axis.get_major_ticks(1)[0].label1.get_fontsize()
        return max(2, int(length / (size * (_WIDTH if along_x else _HEIGHT))))


class LabelFormatter(Formatter):
    """Plain numbers if all of them are between 0.001 and 10,000, else powers of ten."""

    def format_ticks(self, values: Any) -> list[str]:
        """Return the labels of all ticks."""
        plain = all(_PLAIN[0] <= abs(value) < _PLAIN[1] for value in values)
        return [_plain(value) if plain else _power(value) for value in values]

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of one value."""
        return self.format_ticks([x])[0]


def _plain(value: float) -> str:
    return f"{value:.6g}"


def _power(value: float) -> str:
    if not value > 0.0:
        return ""
    digits, power = f"{value:.5e}".split("e")
    digits = digits.rstrip("0").rstrip(".")
    shown = "" if digits == "1" else rf"{digits}\times"
    return rf"${shown}10^{{{int(power)}}}$"
