"""Pictures of a fit: the posterior of its parameters, and the data beside the prediction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..statistics.plotting.lettering import distinct, legible, plain, write_below, write_title
from ..statistics.plotting.palette import (
    BLACK,
    BLUE,
    NOTE,
    REFERENCE,
    VERMILLION,
    Series,
    picture_style,
    series,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

_SHARES = (0.95, 0.68)  # of the posterior within the contours
_CELLS = 40  # along each side of a panel
_AXES = {
    "r_p": r"$r_p$ [Mpc/$h$]",
    "r": r"$r$ [Mpc/$h$]",
    "stellar_mass": r"$M_*$ [$M_\odot/h$]",
}
_DRAWN = {  # of each axis: the power of it that the statistic is multiplied by, and the label
    "r_p": (1, r"$r_p\,w_p(r_p)$ [(Mpc/$h)^2$]"),
    "r": (2, r"$r^2\,\xi(r)$ [(Mpc/$h)^2$]"),
    "stellar_mass": (0, r"$\phi$ [$h^3\,{\rm Mpc}^{-3}\,{\rm dex}^{-1}$]"),
}
_SMOOTH = 1.2  # cells: the width of the kernel that smooths the density


class FitLike(Protocol):
    """What is drawn of a `mockgal.fitting.result.Fit`."""

    @property
    def model(self) -> str: ...  # noqa: D102
    @property
    def samples(self) -> Mapping[str, Array]: ...  # noqa: D102
    @property
    def best(self) -> Mapping[str, float]: ...  # noqa: D102
    @property
    def fitted(self) -> Sequence[Any]: ...  # noqa: D102
    @property
    def chi_square(self) -> float: ...  # noqa: D102
    @property
    def degrees_of_freedom(self) -> int: ...  # noqa: D102
    def in_words(self, name: str) -> str: ...  # noqa: D102
    def unit(self, name: str) -> str: ...  # noqa: D102


def corner(fit: FitLike) -> Figure:
    """Return a figure of the posterior of each parameter, and of each two."""
    names = [name for name in fit.samples if np.ptp(fit.samples[name]) > 0]
    with picture_style():
        figure, axes = _panels(names, [fit])
        for i, name in enumerate(names):
            low, high = np.quantile(fit.samples[name], [0.16, 0.84])
            axes[i, i].axvspan(low, high, color=BLUE, alpha=0.15, lw=0)
            axes[i, i].set_title(plain(fit.in_words(name)), fontsize=7)
        write_title(figure, [f"Posterior of {fit.model}", "68% and 95%; best: crosses"], fontsize=9)
    return figure


def together(fits: Mapping[str, FitLike]) -> Figure:
    """Return a figure of the posteriors of several fits, in what all of them have.

    Parameters
    ----------
    fits : mapping of str to FitLike
        Fits by their names in the legend.

    Raises
    ------
    UsageError
        They have no free parameter in common.
    """
    every = [
        {name: fit.unit(name) for name in fit.samples if np.ptp(fit.samples[name]) > 0}
        for fit in fits.values()
    ]
    names = [name for name, unit in every[0].items() if all(one.get(name) == unit for one in every)]
    if not any(name in fit.best for fit in fits.values() for name in names):
        free = "; ".join(
            f"{label} ({fit.model}): {', '.join(own.keys() & fit.best.keys()) or 'none'}"
            for (label, fit), own in zip(fits.items(), every, strict=True)
        )
        raise UsageError(
            "mockgal plot", f"free parameters {free}", "fits that share one", "plot them apart"
        )
    shown = distinct([legible(name) for name in fits])
    with picture_style():
        figure, _ = _panels(names, list(fits.values()))
        looks = [series(k) for k in range(len(fits))]
        labels = [
            plain(f"{name} ({fit.model})") for name, fit in zip(shown, fits.values(), strict=True)
        ]
        lines = [_line(look) for look in looks]
        figure.legend(lines, labels, loc="upper right", fontsize=8)
        write_title(figure, ["Posteriors", "68% and 95%; best: crosses"], fontsize=9)
        left_out = [name for own in every for name in own if name not in names]
        if left_out:
            text = f"not in all fits: {', '.join(dict.fromkeys(left_out))}"
            write_below(figure, [text], fontsize=7, color=NOTE)
    return figure


def _line(look: Series) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=look.colour, ls=look.dashes)


def _panels(names: Sequence[str], fits: Sequence[FitLike]) -> tuple[Figure, Any]:
    """Return a figure with a panel for each parameter, and for each two; and its axes."""
    from matplotlib.figure import Figure

    n = len(names)
    figure = Figure(figsize=(2.0 * n + 0.5, 2.0 * n + 0.5), layout="constrained")
    axes = figure.subplots(n, n, squeeze=False)
    for i, name in enumerate(names):
        for j, other in enumerate(names):
            panel = axes[i, j]
            if j > i:
                panel.set_axis_off()
                continue
            for k, fit in enumerate(fits):
                look, alone = series(k), len(fits) == 1
                if j == i:
                    _single(panel, fit.samples[name], look)
                else:
                    _pair(panel, fit.samples[other], fit.samples[name], look, filled=alone)
                colour = BLACK if alone else look.colour
                _mark(panel, fit.best, other, None if j == i else name, colour)
            panel.set_xlim(*_shown(fits, other))
            if j < i:
                panel.set_ylim(*_shown(fits, name))
            _letter(panel, fits[0], other, name, bottom=i == n - 1, left=j == 0 and i > 0)
    return figure, axes


def _shown(fits: Sequence[FitLike], name: str) -> tuple[float, float]:
    """Return the ends of an axis: nearly all samples of a parameter, and its best values."""
    values = [np.quantile(fit.samples[name], [0.0005, 0.9995]) for fit in fits]
    values += [np.full(1, fit.best[name]) for fit in fits if name in fit.best]
    low, high = np.concatenate(values).min(), np.concatenate(values).max()
    edge = 0.04 * (high - low)
    return float(low - edge), float(high + edge)


def _single(axes: Axes, values: Array, look: Series) -> None:
    axes.hist(
        *(values, _CELLS), histtype="step", color=look.colour, linestyle=look.dashes, density=True
    )
    axes.set_yticks([])


def _pair(axes: Axes, x: Array, y: Array, look: Series, *, filled: bool) -> None:
    from scipy.ndimage import gaussian_filter

    density, x_edges, y_edges = np.histogram2d(x, y, bins=_CELLS)
    density = gaussian_filter(density, _SMOOTH, mode="constant")
    order = np.sort(density.ravel())[::-1]
    share = np.cumsum(order) / order.sum()
    levels = sorted({float(order[np.searchsorted(share, one)]) for one in _SHARES})
    middles = [0.5 * (edges[1:] + edges[:-1]) for edges in (x_edges, y_edges)]
    top = float(density.max()) * (1 + 1e-9)
    if len(levels) == len(_SHARES) and levels[0] > 0:
        if filled:
            colours = ["#c6d4e6", look.colour]
            axes.contourf(*middles, density.T, levels=[*levels, top], colors=colours, alpha=0.7)
        axes.contour(
            *middles,
            density.T,
            levels=levels,
            colors=look.colour,
            linewidths=0.8,
            linestyles=[look.dashes],
        )
    else:
        axes.plot(x, y, ",", color=look.colour)


def _mark(axes: Axes, best: Mapping[str, float], x: str, y: str | None, colour: str) -> None:
    if y is None:
        if x in best:
            axes.axvline(best[x], color=colour, lw=0.8)
    elif x in best and y in best:
        axes.plot(best[x], best[y], "x", color=colour, ms=5)


def _letter(axes: Axes, fit: FitLike, x: str, y: str, *, bottom: bool, left: bool) -> None:
    axes.tick_params(labelsize=6)
    axes.locator_params(nbins=3)
    axes.tick_params(labelbottom=bottom, labelleft=left)
    for shown, name, write in ((bottom, x, axes.set_xlabel), (left, y, axes.set_ylabel)):
        if shown:
            unit = fit.unit(name)
            write(plain(f"{name} [{unit}]" if unit else name), fontsize=7)


def fitted(fit: FitLike) -> Figure:
    """Return a figure of the data and the prediction, and of their difference in errors."""
    with picture_style():
        from matplotlib.figure import Figure

        n = max(1, len(fit.fitted))
        figure = Figure(figsize=(5.5 * n, 5.5), layout="constrained")
        axes = figure.subplots(2, n, squeeze=False, height_ratios=[3, 1], sharex="col")
        for one, (top, bottom) in zip(fit.fitted, axes.T, strict=False):
            _panel(one, top)
            bottom.axhline(0.0, color=REFERENCE, lw=0.8)
            bottom.plot(one.abscissa, (one.value - one.best) / one.error, "o", color=BLUE, ms=4)
            bottom.set_ylabel("difference / error")
            bottom.set_xlabel(_AXES[one.axis])
        chi = f"chi-square {fit.chi_square:.4g} for {fit.degrees_of_freedom} degrees of freedom"
        write_title(figure, [f"Best {fit.model}", chi], fontsize=10)
    return figure


def _panel(one: Any, axes: Axes) -> None:
    """Draw the data of a statistic, times a power of the separation, and the prediction."""
    from ..statistics.plotting.log_axes import readable

    power, label = _DRAWN[one.axis]
    times = one.abscissa**power
    axes.fill_between(
        one.abscissa, times * one.low, times * one.high, color=VERMILLION, alpha=0.25, lw=0
    )
    axes.plot(one.abscissa, times * one.best, "-", color=VERMILLION, label="best")
    axes.errorbar(
        one.abscissa,
        times * one.value,
        times * one.error,
        fmt="o",
        ms=4,
        color=BLUE,
        label=plain(legible(one.name)[-40:]),
    )
    axes.set_xscale("log")
    readable(axes.xaxis)
    if math.isfinite(float(one.value.min())) and one.value.min() > 0:
        axes.set_yscale("log")
        readable(axes.yaxis)
    axes.set_ylabel(label)
    axes.legend(fontsize=8)
