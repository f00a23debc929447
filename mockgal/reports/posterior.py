"""Pictures of a fit: the posterior of its parameters, and the data beside the prediction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..statistics.plotting.lettering import legible, plain, write_title
from ..statistics.plotting.palette import BLACK, BLUE, REFERENCE, VERMILLION, picture_style

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
    n = len(names)
    with picture_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(2.0 * n + 0.5, 2.0 * n + 0.5), layout="constrained")
        axes = figure.subplots(n, n, squeeze=False)
        for i, name in enumerate(names):
            for j, other in enumerate(names):
                panel = axes[i, j]
                if j > i:
                    panel.set_axis_off()
                    continue
                if j == i:
                    _single(panel, fit.samples[name])
                    panel.set_title(plain(fit.in_words(name)), fontsize=7)
                else:
                    _pair(panel, fit.samples[other], fit.samples[name])
                _mark(panel, fit.best, other, None if j == i else name)
                _letter(panel, fit, other, name, bottom=i == n - 1, left=j == 0 and i > 0)
        write_title(figure, [f"Posterior of {fit.model}", "68% and 95%; best: crosses"], fontsize=9)
    return figure


def _single(axes: Axes, values: Array) -> None:
    axes.hist(values, bins=_CELLS, histtype="step", color=BLUE, density=True)
    axes.set_yticks([])
    low, high = np.quantile(values, [0.16, 0.84])
    axes.axvspan(low, high, color=BLUE, alpha=0.15, lw=0)


def _pair(axes: Axes, x: Array, y: Array) -> None:
    from scipy.ndimage import gaussian_filter

    density, x_edges, y_edges = np.histogram2d(x, y, bins=_CELLS)
    density = gaussian_filter(density, _SMOOTH, mode="constant")
    order = np.sort(density.ravel())[::-1]
    share = np.cumsum(order) / order.sum()
    levels = sorted({float(order[np.searchsorted(share, one)]) for one in _SHARES})
    middles = [0.5 * (edges[1:] + edges[:-1]) for edges in (x_edges, y_edges)]
    top = float(density.max()) * (1 + 1e-9)
    if len(levels) == len(_SHARES) and levels[0] > 0:
        colours = ["#c6d4e6", BLUE]
        axes.contourf(*middles, density.T, levels=[*levels, top], colors=colours, alpha=0.7)
        axes.contour(*middles, density.T, levels=levels, colors=BLUE, linewidths=0.8)
    else:
        axes.plot(x, y, ",", color=BLUE)


def _mark(axes: Axes, best: Mapping[str, float], x: str, y: str | None) -> None:
    if y is None:
        if x in best:
            axes.axvline(best[x], color=BLACK, lw=0.8)
    elif x in best and y in best:
        axes.plot(best[x], best[y], "x", color=BLACK, ms=5)


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
