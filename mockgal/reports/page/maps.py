"""Maps of one region: matter, subhalos, and the galaxies of each catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...statistics.plotting.lettering import elided, plain
from ...statistics.plotting.palette import BLUE, NOTE, VERMILLION, picture_style
from ..comparison.result import Maps, Points
from .looks import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MATTER, SUBHALOS = "dark matter", "subhalos"  # names of the maps that are of no catalogue
_SIDE, _BESIDE, _ABOVE, _BELOW = 2.4, 0.05, 0.26, 0.52  # inches
_LARGEST = 160.0  # area of the symbol of the largest mass [points^2]
_POWER = 0.6  # area grows with mass to this power
_KEYS = 3  # masses in the key


def panels_of(maps: Maps) -> list[str]:
    """Return the names of the maps in their order."""
    first = [MATTER] if maps.matter is not None else []
    return [*first, *([SUBHALOS] if maps.subhalos is not None else []), *maps.galaxies]


def map_figure(maps: Maps, name: str) -> Figure:
    """Return one map in a figure of its own, with the axes at the same place for all maps."""
    with picture_style():
        from matplotlib.figure import Figure

        height = _SIDE + _ABOVE + _BELOW
        figure = Figure(figsize=(_SIDE + 2 * _BESIDE, height))
        share = _BESIDE / (_SIDE + 2 * _BESIDE)
        place = (share, _BELOW / height, 1.0 - 2 * share, _SIDE / height)
        draw_map(maps, name, figure.add_axes(place))
    return figure


def draw_map(maps: Maps, name: str, axes: Axes) -> None:
    """Draw one map, with its title above and its scales below."""
    half = maps.region.side / 2
    if maps.matter is not None:
        _matter(maps, axes, faint=name != MATTER)
    points = maps.subhalos if name == SUBHALOS else maps.galaxies.get(name)
    if points is not None:
        largest = _largest(maps, name)
        _dots(points, largest, axes)
        _key(points, largest, axes)
    axes.set(xlim=(-half, half), ylim=(-half, half), aspect="equal", xticks=[], yticks=[])
    axes.set_title(elided(plain(shown(name)), 30), fontsize=9)
    _ruler(maps.region.side, axes, light=name == MATTER)


def _largest(maps: Maps, name: str) -> float:
    """Return the mass of the largest symbol: one scale for all galaxies, one for the subhalos."""
    if name == SUBHALOS:
        return float(maps.subhalos.mass.max(initial=1.0)) if maps.subhalos else 1.0
    return max(float(one.mass.max(initial=1.0)) for one in maps.galaxies.values())


def _matter(maps: Maps, axes: Axes, *, faint: bool) -> None:
    """Draw the projected density; behind galaxies it is faint, and has no scale."""
    from matplotlib.colors import LogNorm

    assert maps.matter is not None
    values = maps.matter.T
    filled = values[values > 0]
    low = float(np.quantile(filled, 0.05)) if len(filled) else 0.1
    high = float(filled.max(initial=1.0))
    norm = LogNorm(low, max(high, 10.0 * low), clip=True)
    half = maps.region.side / 2
    image = axes.imshow(
        np.maximum(values, low),
        origin="lower",
        extent=(-half, half, -half, half),
        cmap="Greys" if faint else "magma",
        norm=norm,
        alpha=0.35 if faint else 1.0,
        interpolation="nearest",
    )
    if not faint:
        place = axes.inset_axes((0.05, -0.09, 0.9, 0.04))  # a map as large as the others
        bar = axes.figure.colorbar(image, cax=place, orientation="horizontal")
        bar.ax.tick_params(labelsize=7, pad=1)
        bar.set_label("projected density over its mean", fontsize=7, labelpad=1)


def _area(mass: Any, largest: float) -> Any:
    return _LARGEST * (mass / largest) ** _POWER


def _dots(points: Points, largest: float, axes: Axes) -> None:
    for central, colour, marker in ((True, BLUE, "o"), (False, VERMILLION, "D")):
        chosen = points.central == central
        axes.scatter(
            points.x[chosen],
            points.y[chosen],
            s=_area(points.mass[chosen], largest),
            marker=marker,
            facecolors=colour,
            edgecolors="white",
            linewidths=0.4,
            alpha=0.85,
        )


def _key(points: Points, largest: float, axes: Axes) -> None:
    """Draw the key of types and masses below the map."""
    from matplotlib.lines import Line2D

    top = int(np.floor(np.log10(largest)))
    masses = [10.0**power for power in range(top, top - _KEYS, -1)]
    central = int(points.central.sum())
    common: dict[str, Any] = {"ls": "none", "mec": "white", "mew": 0.4}
    handles = [
        Line2D([], [], marker="o", color=BLUE, ms=5, label=f"{central} central", **common),
        Line2D(
            [], [], marker="D", color=VERMILLION, ms=4.5,
            label=f"{len(points.central) - central} satellite", **common,
        ),
    ]  # fmt: skip
    handles += [
        Line2D(
            [], [], marker="o", color=NOTE, ms=float(np.sqrt(_area(mass, largest))),
            label=rf"$10^{{{int(np.log10(mass))}}}$", **common,
        )
        for mass in masses[:2]
    ]  # fmt: skip
    unit = r"$M_\odot/h$"
    handles[-1].set_label(f"{handles[-1].get_label()} {unit}")
    axes.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=2,
        fontsize=7,
        frameon=False,
        columnspacing=0.8,
        handletextpad=0.3,
        borderpad=0.1,
    )


def _ruler(side: float, axes: Axes, *, light: bool) -> None:
    """Draw a bar of a round length, with its unit."""
    power = 10.0 ** np.floor(np.log10(side / 2.5))
    length = next(n * power for n in (5, 2, 1) if n * power <= side / 2.5)
    colour = "white" if light else "black"
    left, bottom = -0.46 * side, -0.46 * side
    axes.plot([left, left + length], [bottom, bottom], color=colour, lw=2, solid_capstyle="butt")
    axes.text(
        left,
        bottom + 0.02 * side,
        f"{length:g} Mpc/$h$",
        color=colour,
        fontsize=7,
        va="bottom",
        bbox=None
        if light
        else {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.6},
    )


def described(maps: Maps, name: str) -> str:
    """Return what a map shows, for readers who cannot see it."""
    side = f"{maps.region.side:.3g} Mpc/h"
    if name == MATTER:
        assert maps.matter is not None
        peak = np.unravel_index(int(np.argmax(maps.matter)), maps.matter.shape)
        step = maps.region.side / maps.region.voxels
        x, y = ((k + 0.5) * step - maps.region.side / 2 for k in peak)
        return (
            f"Map of the dark matter in a cube {side} wide: the projected density reaches "
            f"{maps.matter.max():.3g} times the mean at ({x:+.2f}, {y:+.2f}) Mpc/h from the centre "
            f"and is below the mean in {np.mean(maps.matter < 1):.0%} of the map."
        )
    points = maps.subhalos if name == SUBHALOS else maps.galaxies[name]
    what = "subhalos" if name == SUBHALOS else f"galaxies of {shown(name)}"
    if points is None or not len(points.mass):
        return f"Map of the {what} in a cube {side} wide: there are none."
    central = int(points.central.sum())
    return (
        f"Map of the {what} in a cube {side} wide: {len(points.mass)}, of which {central} are "
        f"central and {len(points.mass) - central} satellites; the most massive has "
        f"{points.mass[0]:.3g} Msun/h at ({points.x[0]:+.2f}, {points.y[0]:+.2f}) Mpc/h from the "
        "centre."
    )
