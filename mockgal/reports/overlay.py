"""Several results of one statistic in the same axes, with their ratios to the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..statistics.bins import common_bins
from ..statistics.plotting.lettering import distinct, elided, legible, write_below, write_title
from ..statistics.plotting.palette import NOTE, REFERENCE, picture_style, series
from ..statistics.plotting.plot import draw, panels
from ..statistics.result import ERROR, Measurement
from .figures import TITLES, single

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Settings that must agree where both results state them.
DEFINING = (
    "weight",
    "space",
    "line_of_sight",
    "shot_noise_subtracted",
    "bin_width_dex",
    "pi_max_mpc_h",
    "mu_bins",
    "k1_h_per_mpc",
    "k2_h_per_mpc",
    "shell_width_h_per_mpc",
    "voxel_size_mpc_h",
    "host_mass_definition",
)
_DENSITY = "galaxies in 1 (Mpc/h)^3:"
_DENSE = 0.1  # relative difference of densities that is expected of mocks of one sample
_LONGEST = 60  # most characters of the cuts
_SAME = 1e-6  # relative difference of equal settings


def overlay(results: Mapping[str, Measurement]) -> Figure:
    """Return a figure of several results of one statistic, with their ratios to the first.

    The lower panels have, bin by bin, the ratio to the first result; for estimates around zero
    (`Style.apart`) the difference. Bars are each result's own errors, and the band those of the
    first: errors of samples of one box are correlated, and the ratio is better known than they
    say. Bins are compared where both results have them.

    Parameters
    ----------
    results : mapping of str to Measurement
        Results by their names in the legend.

    Returns
    -------
    matplotlib.figure.Figure
        `mockgal.reports.figures.save_figure` writes it.

    Raises
    ------
    UsageError
        There are no results, or they cannot be compared (`check_alike`).

    Examples
    --------
    >>> mocks = {"truth": truth, "mock": mock}                           # doctest: +SKIP
    >>> xi = {name: mockgal.measure(mocks[name], "xi") for name in mocks}  # doctest: +SKIP
    >>> figure = overlay(xi)                                             # doctest: +SKIP
    """
    check_alike(results)
    first = next(iter(results.values()))
    if len(results) == 1:
        return single(first, next(iter(results)))
    groups = panels(first)
    shown = distinct([legible(name) for name in results])
    with picture_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.0 * len(groups), 6.0), layout="constrained")
        grid = figure.subplots(
            2, len(groups), squeeze=False, sharex="col", gridspec_kw={"height_ratios": (3, 1)}
        )
        for (upper, lower), estimates in zip(grid.T, groups, strict=True):
            for n, (name, result) in enumerate(zip(shown, results.values(), strict=True)):
                own = result if n == 0 else _without_marks(result)
                draw(own, upper, estimates, label=name, number=n * len(estimates))
            _compare(first, list(results.values()), lower, estimates, shown[0])
            lower.set_xlabel(upper.get_xlabel())
            upper.set_xlabel("")
        title = TITLES.get(first.statistic, first.statistic.replace("_", " "))
        write_title(figure, [title], fontsize=11)
        write_below(figure, _notes(results, shown), fontsize=7, color=NOTE)
    return figure


def check_alike(results: Mapping[str, Measurement]) -> None:
    """Raise if results are not of one statistic with the same settings and common bins.

    Raises
    ------
    UsageError
        The message has what differs, and the names of the results.
    """
    if not results:
        raise UsageError("plot", "no result", "one or more")
    # On the sky or in a box, what is estimated is the same.
    _same(
        "statistics",
        {name: result.statistic.removeprefix("sky_") for name, result in results.items()},
    )
    _same("estimates", {name: ", ".join(result.estimates) for name, result in results.items()})
    for key in DEFINING:
        _same(
            f"settings of {next(iter(results.values())).statistic}, {key}",
            {name: r.settings[key] for name, r in results.items() if key in r.settings},
        )
    first, *others = results.items()
    for name, result in others:
        if not len(common_bins(first[1], result)[0]):
            raise UsageError(
                "plot",
                f"no bin of {first[1].statistic} that {first[0]} and {name} both have",
                "the same bins",
                "measure them with the same bins: options such as --k-min and --k-width, --r-min, "
                "--r-max and --bins, or --bin-width",
            )


def _same(what: str, values: Mapping[str, Any]) -> None:
    """Raise if values differ, by more than rounding if they are numbers."""
    if not values:
        return
    (name, value), *others = values.items()
    for other, own in others:
        numbers = all(isinstance(x, int | float) for x in (value, own))
        if own == value or (numbers and np.isclose(own, value, rtol=_SAME, atol=0.0)):
            continue
        raise UsageError(
            "plot",
            f"different {what}: {value} ({name}), {own} ({other})",
            "results of one statistic, measured with the same options",
            "plot them apart, or measure them again with the same options",
        )


def _without_marks(result: Measurement) -> Measurement:
    """Return a result without the lines and marks that are drawn for the first one."""
    from dataclasses import replace

    return replace(result, style=result.style._replace(lines=(), marks=()))


def _compare(
    first: Measurement,
    results: list[Measurement],
    axes: Axes,
    estimates: tuple[str, ...],
    name: str,
) -> None:
    """Draw ratios to the first result, or differences of estimates around zero."""
    from ..statistics.plotting.log_axes import readable

    if first.style.log_x:
        readable(axes.xaxis)
    apart = estimates[0] in first.style.apart
    neutral, seen, bars = (0.0 if apart else 1.0), [np.zeros(0)], [np.zeros(0)]
    axes.axhline(neutral, color=REFERENCE, lw=0.8)
    for k, estimate in enumerate(estimates):
        for n, result in enumerate(results):
            rows, others = common_bins(first, result)
            x = first[first.axis][rows].astype(np.float64)
            base = first[estimate][rows].astype(np.float64)
            unit = np.ones(len(base)) if apart else np.where(base != 0, base, np.nan)
            error = result[estimate + ERROR][others] / np.abs(unit)
            look = series(n * len(estimates) + k)
            if n == 0:
                low, high = neutral - error, neutral + error
                axes.fill_between(x, low, high, color=look.colour, alpha=0.15, lw=0.0)
                continue
            value = result[estimate][others].astype(np.float64)
            value = value - base if apart else value / unit
            axes.errorbar(
                x, value, error, color=look.colour, marker=look.marker, ls=look.dashes, ms=3, lw=1.0
            )
            seen.append(value[np.isfinite(value)])
            bars.append(error[np.isfinite(error)])
    values, errors = np.concatenate(seen), np.concatenate(bars)
    typical = float(np.median(errors)) if len(errors) else 0.0  # the largest would hide the rest
    reach = max(np.abs(values - neutral).max(initial=0.0) * 1.3, 2.0 * typical, 1e-3)
    axes.set_ylim(neutral - reach, neutral + reach)
    axes.set_ylabel("difference" if apart else "ratio", fontsize=9)


def _notes(results: Mapping[str, Measurement], shown: list[str]) -> list[str]:
    """Return what a reader has to know: the reference, the errors, and what is not alike."""
    first = next(iter(results.values()))
    notes = [
        f"Below: relative to {shown[0]}, whose errors are the band; bars are each one's own errors",
        f"errors of {shown[0]}: {first.settings.get('errors', 'not stated')}",
    ]
    return [*notes, *(f"not alike: {text}" for text in unlike(results, shown))]


def unlike(results: Mapping[str, Measurement], shown: Sequence[str] = ()) -> list[str]:
    """Return how the samples of results differ, a phrase each.

    Parameters
    ----------
    results : mapping of str to Measurement
    shown : sequence of str
        Names of the results in the phrases; by default their own.

    Returns
    -------
    list of str
        Only what at least two of the results state.
    """
    found = []
    for what, value in _OF_THE_SAMPLE.items():
        stated = [value(result) for result in results.values()]
        known = [
            (own, name)
            for own, name in zip(stated, shown or results, strict=True)
            if own is not None
        ]
        if not all(_alike(own, known[0][0], what) for own, _ in known):
            found.append(f"{what} " + ", ".join(f"{_written(own)} ({name})" for own, name in known))
    return found


def _alike(one: Any, other: Any, what: str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return bool(one == other)
    return bool(np.isclose(one, other, rtol=_DENSE if what == _DENSITY else 1e-3, atol=1e-6))


def _written(value: Any) -> str:
    return elided(value, _LONGEST) if isinstance(value, str) else f"{value:.5g}"


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _on_the_sky(result: Measurement) -> bool:
    return "random_points" in result.settings


def _place(result: Measurement) -> str | None:
    """Return where the galaxies are, if the statistic is one of both boxes and surveys."""
    if "space" not in result.settings:
        return None
    return "a survey on the sky" if _on_the_sky(result) else "a periodic box"


def _of_the_box(key: str, result: Measurement) -> float | None:
    if _on_the_sky(result):  # whose box and redshift say little about its galaxies
        return None
    return _number(result.settings.get("catalogue", {}).get(key))


def _redshifts(result: Measurement) -> str | None:
    low_high = result.settings.get("redshifts")
    return None if low_high is None else " to ".join(f"{z:.4g}" for z in low_high)


def _cuts(result: Measurement) -> str | None:
    cuts = result.settings.get("catalogue", {}).get("cuts")
    return None if cuts is None else " and ".join(map(str, cuts)) or "none"


def _density(result: Measurement) -> float | None:
    """Return the galaxies in a volume, of those that count."""
    number = _number(result.settings.get("galaxies"))
    side = _of_the_box("box_size_mpc_h", result)
    volume = _number(result.settings.get("volume_mpc3_h3")) or (side and side**3)
    return number / volume if number and volume else None


_OF_THE_SAMPLE: dict[str, Callable[[Measurement], Any]] = {
    "galaxies of": _place,
    "box size [Mpc/h]": partial(_of_the_box, "box_size_mpc_h"),
    "redshift": partial(_of_the_box, "redshift"),
    "redshifts": _redshifts,
    "cuts": _cuts,
    _DENSITY: _density,
}
