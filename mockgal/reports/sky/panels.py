"""Pictures of numbers by redshift: n(z), and the weights of galaxies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...columns import SURVEY_COLUMNS
from ...statistics.plotting.palette import BLUE, VERMILLION, series
from ...statistics.result import Measurement
from ...statistics.sky.number_density import asked_for, number_density
from ...survey.number_density import NumberDensity, volumes
from .view import View, counted, usable_redshifts

Array = NDArray[Any]

WEIGHTS = ("weight", "weight_close_pairs", "weight_fkp", "completeness")
_LOGARITHMIC = 30.0  # ratio of densities from which on the axis is
_BINS = 40  # of weights
_LEAST = 5  # galaxies in a bin of redshift
_FINE = 200  # steps of the density that was asked for


def draw_n_of_z(figure: Any, view: View) -> list[str]:
    """Draw the number density by redshift, and return what its caption says.

    Parameters
    ----------
    figure : Figure or SubFigure
    view : View

    Returns
    -------
    list of str
    """
    axes = figure.subplots()
    found = number_density(
        view.galaxies,
        randoms=view.randoms,
        asked=view.asked,
        per=view.per,
        redshifts=view.redshifts,
    )
    settings = found.settings
    edges = np.append(found["redshift_low"], found["redshift_high"][-1])
    value, error = found["n_of_z"], found["n_of_z_error"]
    positive = value[value > 0]
    logarithmic = len(positive) > 0 and positive.max() / positive.min() > _LOGARITHMIC
    target = asked_for(view.galaxies) if view.asked is None else view.asked
    if target is not None:
        _draw_target(axes, view, target, edges)
    if "n_of_z_of_randoms" in found.columns:
        line: dict[str, Any] = {"color": VERMILLION, "lw": 1.2, "ls": (0, (5, 1.5))}
        axes.stairs(
            found["n_of_z_of_randoms"], edges, baseline=None,
            label=f"randoms ({settings['random_points']:,}), scaled", **line,
        )  # fmt: skip
    x = found["redshift"]
    if logarithmic:
        axes.set_yscale("log")
        empty = value <= 0
        axes.plot(x[empty], error[empty], "v", ms=4, mfc="none", color=BLUE)
        value = np.where(empty, np.nan, value)
    axes.errorbar(
        x, value, error, (edges[1:] - edges[:-1]) / 2, ls="none", marker="o", ms=3.5, lw=0.9,
        color=BLUE, label=f"galaxies ({int(found['galaxies'].sum()):,})",
    )  # fmt: skip
    if not logarithmic:
        axes.set_ylim(bottom=0.0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set(xlabel=_redshift(view), ylabel=found.fields["n_of_z"].label)
    if not logarithmic:
        axes.ticklabel_format(axis="y", scilimits=(-2, 4), useMathText=True)
    axes.legend(fontsize=8)
    axes.set_title("Number density by redshift", fontsize=10)
    return _said(found, logarithmic)


def _redshift(view: View) -> str:
    """Return the label of the axis of redshifts."""
    return "redshift" if view.column == "redshift" else f"redshift ({view.column})"


def _said(found: Measurement, logarithmic: bool) -> list[str]:
    settings = found.settings
    weights = settings["weights"]
    said = [
        "errors: Poisson" + (" of the weighted counts" if weights != "none" else ""),
        f"galaxies count with {weights}" if weights != "none" else "each galaxy counts once",
        f"area {settings['area_deg2']:.6g} deg^2, of {settings['area_from']}",
    ]
    if "scale_of_randoms" in settings:
        said.append(f"randoms times {settings['scale_of_randoms']:.4g}")
    if logarithmic and (found["galaxies"] == 0).any():
        said.append("triangles: bins without galaxies, at the error of one")
    left_out = {
        "without a redshift above 0": settings["without_a_redshift_above_0"],
        "beyond the bins": settings["beyond_the_bins"],
    }
    return said + [f"left out: {counted(n)} {why}" for why, n in left_out.items() if n]


def _draw_target(axes: Any, view: View, target: NumberDensity, edges: Array) -> None:
    """Draw the density that was asked for, in its own bins."""
    low, high = max(edges[0], target.edges[0]), min(edges[-1], target.edges[-1])
    if not low < high:
        return
    every = target.edges
    if view.per == "area":  # it varies within a bin of constant comoving density
        every = np.unique(np.concatenate([every, np.linspace(low, high, _FINE)]))
    every = every[(every >= low) & (every <= high)]
    every = np.unique(np.concatenate([[low], every, [high]]))
    value = target.at((every[1:] + every[:-1]) / 2.0)
    if view.per == "area":
        value = value * volumes(view.galaxies, every, 1.0) / np.diff(every)
    axes.stairs(value, every, baseline=None, color="black", lw=1.4, label="asked for")


def weights_of(view: View) -> list[str]:
    """Return the columns of weights that the galaxies have."""
    return [name for name in WEIGHTS if name in view.galaxies]


def draw_weights(figure: Any, view: View) -> list[str]:
    """Draw the distributions of weights, and their means by redshift; return the caption.

    Parameters
    ----------
    figure : Figure or SubFigure
    view : View

    Returns
    -------
    list of str
    """
    left, right = figure.subplots(1, 2)
    galaxies, z = view.galaxies, view.galaxies[view.column]
    usable = usable_redshifts(z)
    names = weights_of(view)
    for number, name in enumerate(names):
        look = series(number)
        values = np.asarray(galaxies[name], dtype=np.float64)
        line: dict[str, Any] = {"color": look.colour, "ls": look.dashes, "lw": 1.3}
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        if not low < high:
            label = f"{name} = {low:.4g} for all {len(values):,}" if len(values) else name
            left.axvline(low, label=label, **line)
        else:
            counts, edges = np.histogram(values, np.linspace(low, high, _BINS + 1))
            left.stairs(counts, edges, label=name, gid=name, **line)
        _by_redshift(right, z[usable], values[usable], line)
    left.set_yscale("log", nonpositive="clip")
    left.set(xlabel="weight", ylabel="galaxies in a bin")
    left.set_ylim(bottom=0.8)
    right.set(xlabel=_redshift(view), ylabel="weight")
    left.legend(fontsize=7)
    left.set_title(f"Weights of {counted(len(galaxies))}", fontsize=10)
    right.set_title("by redshift", fontsize=10)
    meanings = [f"{name}: {SURVEY_COLUMNS[name].meaning}" for name in names]
    lost = int(np.count_nonzero(~usable))
    return [
        f"left: {_BINS} bins from the least to the largest weight of each kind",
        "right: means in bins of redshift (lines), 10th to 90th percentiles (bands)",
        *meanings,
        *([f"left out on the right: {counted(lost)} without a redshift above 0"] if lost else []),
    ]


def _by_redshift(axes: Any, z: Array, values: Array, line: dict[str, Any]) -> None:
    """Draw the mean of a weight in bins of redshift, and a band of most of its values."""
    if not len(z):
        return
    number = int(np.clip(len(z) // (4 * _LEAST), 1, _BINS))
    edges = np.linspace(z.min(), np.nextafter(z.max(), np.inf), number + 1)
    bins = np.searchsorted(edges, z, side="right").clip(1, number).astype(np.int16) - 1
    order = np.argsort(bins, kind="stable")
    ends = np.cumsum(np.bincount(bins, minlength=number))
    mean, low, high = np.full((3, number), np.nan)
    for k, (start, end) in enumerate(zip(np.append(0, ends[:-1]), ends, strict=True)):
        if end - start >= _LEAST:
            own = values[order[start:end]]
            mean[k], (low[k], high[k]) = own.mean(), np.quantile(own, [0.1, 0.9])
    middle = (edges[1:] + edges[:-1]) / 2
    axes.plot(middle, mean, **line)
    axes.fill_between(middle, low, high, color=line["color"], alpha=0.15, lw=0)
