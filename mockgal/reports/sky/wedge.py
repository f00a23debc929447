"""Cone plot: right ascension against distance or redshift, in a slice of declination."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...statistics.plotting.palette import BLUE, NOTE, REFERENCE
from ...survey.steps import uniform
from ...theory.distances import distances
from .projection import Extent, steps
from .view import View, counted, usable_redshifts

Array = NDArray[Any]

MOST = 50_000  # galaxies that are drawn
_WANTED = 5_000  # galaxies in a slice whose width is not stated
_THINNEST, _THICKEST = 2.0, 10.0  # deg, of such a slice
_NARROWEST = 30.0  # deg, to which a narrower survey is spread
_BEYOND = 1.01  # the outer border over the largest radius
_CLOSE = 0.03  # to a corner, of the length of a border, within which it has no label
_SEED = 0  # of the numbers that thin what is drawn
_STEEP = 20.0  # deg, of a border whose label is read as that of an upright axis


@dataclass(frozen=True)
class Sector:
    """A part of a ring: angles about the upright, and radii.

    Parameters
    ----------
    part : Extent
        Of the sky.
    spread : float
        Angle on the picture over that on the sky.
    inner, outer : float
        Radii.
    """

    part: Extent
    spread: float
    inner: float
    outer: float

    @property
    def is_ring(self) -> bool:
        """Whether it goes all around."""
        return self.part.width * self.spread > 340.0

    def place(self, ra: Array, radius: Array) -> tuple[Array, Array]:
        """Return x and y; right ascensions grow to the left, as seen from the north."""
        east = self.part.east_of_west(ra)
        return self.at(np.where(east > self.part.width + 1e-6, east - 360.0, east), radius)

    def at(self, east: Array | float, radius: Array | float) -> tuple[Array, Array]:
        """Return x and y at angles east of the western border of the survey."""
        angle = np.radians((np.asarray(east) - self.part.width / 2.0) * self.spread)
        return -np.asarray(radius) * np.sin(angle), np.asarray(radius) * np.cos(angle)


def slice_of(view: View) -> tuple[float, float]:
    """Return the borders of the slice in declination [deg].

    Those of the view; or a slice about the median declination that holds 5,000 galaxies, at least 2
    and at most 10 degrees wide.
    """
    if view.declinations is not None:
        return view.declinations
    dec = view.galaxies["dec"]
    if not len(dec):
        return -_THINNEST / 2.0, _THINNEST / 2.0
    middle = round(float(np.median(dec)), 1)
    away = np.abs(dec - middle)
    half = _THICKEST / 2.0
    if len(dec) > _WANTED:
        half = float(np.partition(away, _WANTED)[_WANTED])
    half = math.ceil(10.0 * np.clip(half, _THINNEST / 2.0, _THICKEST / 2.0)) / 10.0
    return max(middle - half, -90.0), min(middle + half, 90.0)


def draw_wedge(figure: Any, view: View) -> list[str]:
    """Draw the wedge, and return what its caption says.

    Parameters
    ----------
    figure : Figure or SubFigure
    view : View

    Returns
    -------
    list of str
    """
    axes = figure.subplots()
    axes.set_axis_off()
    galaxies = view.galaxies
    south, north = slice_of(view)
    dec, z = galaxies["dec"], galaxies[view.column]
    top = dec <= north if north == 90.0 else dec < north
    in_slice = (dec >= south) & top
    usable = usable_redshifts(z)
    rows = np.flatnonzero(in_slice & usable)
    number, lost = len(rows), int(np.count_nonzero(in_slice & ~usable))
    if number > MOST:
        taken = galaxies.take(rows)
        # Rows of a catalogue are sorted by id, and `take` keeps their order.
        rows = rows[np.argpartition(uniform(taken, _SEED, "wedge"), MOST)[:MOST]]
    known = z[usable]
    low, high = galaxies.snapshot.redshifts
    low, high = (
        (max(low, float(known.min())), max(float(known.max()), 1e-6)) if len(known) else (low, high)
    )
    most = _BEYOND**2 * max(float(known.max(initial=0.0)), high)
    far = distances(galaxies.snapshot.cosmology, most)
    radius = z[rows] if view.radial == "redshift" else far.distances(z[rows])
    part = view.extent
    ends = np.array([min(low, float(known.min(initial=low))), high])
    inner, outer = (ends if view.radial == "redshift" else far.distances(ends)).tolist()
    outer *= _BEYOND
    if inner < 0.35 * outer:
        inner = 0.0
    sector = Sector(part, max(1.0, _NARROWEST / part.width), inner, outer)
    x, y = sector.place(galaxies["ra"][rows], radius)
    size = float(np.clip(120.0 / math.sqrt(max(number, 1)), 1.0, 4.0))
    axes.plot(
        x, y, ".", ms=size, color=BLUE, mec="none", alpha=0.8 if number < 20_000 else 0.5,
        rasterized=number > 5_000, gid="galaxies", zorder=3,
    )  # fmt: skip
    _frame(axes, sector, view.radial, far)
    axes.set_title(
        f"Wedge: {counted(number)} from declination {south:g} to {north:g} deg", fontsize=10
    )
    if not number:
        axes.text(0.5, 0.5, "no galaxies", transform=axes.transAxes, ha="center", color=NOTE)
    drawn = f"{counted(len(rows))} drawn"
    if number > len(rows):
        drawn = (
            f"{len(rows):,} of the {counted(number)} drawn, those of the lowest random numbers, "
            "which are keyed by their ids"
        )
    others = len(dec) - int(np.count_nonzero(in_slice))
    left_out = [f"{counted(others)} at other declinations"] if others else []
    left_out += [f"{counted(lost)} without a redshift above 0"] if lost else []
    return [
        f"{drawn}; {view.column}, with the cosmology of the simulation, gives the "
        f"{'comoving distance' if view.radial == 'distance' else 'redshift'} outward",
        *(["angles are spread by " + f"{sector.spread:.3g}"] if sector.spread > 1.0 else []),
        *([f"left out: {' and '.join(left_out)}"] if left_out else []),
    ]


def _frame(axes: Any, sector: Sector, radial: str, far: Any) -> None:
    """Draw the border and arcs of redshift, and label redshifts, distances and angles."""
    sweep = np.linspace(0.0, sector.part.width, 400)
    border: dict[str, Any] = {"color": "black", "lw": 0.8, "zorder": 4}
    for radius in (sector.inner, sector.outer):
        axes.plot(*sector.at(sweep, radius), **border)
    for east in () if sector.is_ring else (0.0, sector.part.width):
        axes.plot(*sector.at(east, np.array([sector.inner, sector.outer])), **border)
    ends = np.array([sector.inner, sector.outer])
    of_z, of_distance = (
        (far.redshifts(ends), ends) if radial == "distance" else (ends, far.distances(ends))
    )
    z, distance = _round_values(*of_z.tolist()), _round_values(*of_distance.tolist())
    if radial == "distance":
        at_z, at_distance = far.distances(z), distance
    else:
        at_z, at_distance = z, far.redshifts(distance)
    for radius in at_z:
        line = {"color": REFERENCE, "lw": 0.6, "ls": (0, (2, 2)), "zorder": 2, "gid": "redshift"}
        axes.plot(*sector.at(sweep, radius), **line)
    if sector.is_ring:
        _label_arcs(axes, sector, z, at_z, far)
    else:
        for east, side, title, texts, radii in (
            (0.0, 1, "redshift", z, at_z),
            (sector.part.width, -1, "comoving distance [Mpc/$h$]", distance, at_distance),
        ):
            _label_border(axes, sector, east, side, title, texts, radii)
    _angles(axes, sector)
    corners = [sector.at(sweep, radius) for radius in (sector.inner, sector.outer)]
    x, y = (np.concatenate([corner[k] for corner in corners]) for k in (0, 1))
    pad = 0.2 * max(np.ptp(x), np.ptp(y))
    axes.set(
        aspect="equal", xlim=(x.min() - pad, x.max() + pad), ylim=(y.min() - pad / 2, y.max() + pad)
    )


def _round_values(low: float, high: float) -> Array:
    """Return about five round values within a range."""
    from matplotlib.ticker import MaxNLocator

    values = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return np.array([v for v in values if v > 0.0 and low <= v <= high])


def _label_border(
    axes: Any, sector: Sector, east: float, side: int, title: str, texts: Array, radii: Array
) -> None:
    """Label a straight border: on its right with ``side`` 1, on its left with -1."""
    angle = math.radians((east - sector.part.width / 2.0) * sector.spread)
    away = side * np.array([math.cos(angle), math.sin(angle)])  # from the border, outward
    turned = math.degrees(angle)
    upright = 90.0 if (abs(turned) < _STEEP) == (side < 0) else -90.0
    common: dict[str, Any] = {"textcoords": "offset points", "va": "center"}
    reach = sector.outer - _CLOSE * (sector.outer - sector.inner)  # no label at the corner
    for text, radius in zip(texts, radii, strict=True):
        if radius < reach:
            axes.annotate(
                f"{text:g}", np.ravel(sector.at(east, radius)), xytext=5.0 * away, fontsize=8,
                ha="left" if side > 0 else "right", annotation_clip=False, **common,
            )  # fmt: skip
    middle = sector.at(east, (sector.inner + sector.outer) / 2.0)
    axes.annotate(
        title, np.ravel(middle), xytext=38.0 * away, fontsize=9, rotation=turned + upright,
        rotation_mode="anchor", ha="center", annotation_clip=False, **common,
    )  # fmt: skip


def _label_arcs(axes: Any, sector: Sector, z: Array, radii: Array, far: Any) -> None:
    """Label the arcs of a whole circle, which has no straight border."""
    for text, distance, radius in zip(z, far.distances(z), radii, strict=True):
        x, y = sector.at(0.0, radius)
        axes.text(
            x, y, f"$z$ = {text:g}: {distance:.4g} Mpc/$h$", fontsize=7, ha="center", va="center",
            zorder=5, bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.6},
        )  # fmt: skip


def _angles(axes: Any, sector: Sector) -> None:
    """Label right ascensions beyond the outer arc."""
    part = sector.part
    step = steps(part.width, 7)
    first = math.ceil(part.west / step - 1e-9) * step
    for ra in np.arange(first, part.west + part.width + 1e-6, step):
        if part.width > 359.0 and ra >= part.west + 360.0 - 1e-6:
            continue
        east = ra - part.west
        x, y = sector.at(east, sector.outer)
        dx, dy = sector.at(east, 1.0)
        axes.plot(*sector.at(east, sector.outer * np.array([0.985, 1.0])), color="black", lw=0.8)
        axes.annotate(
            f"{ra % 360.0:g}",
            (float(x), float(y)),
            xytext=(9.0 * float(dx), 9.0 * float(dy)),
            textcoords="offset points",
            fontsize=8,
            ha="center",
            va="center",
            annotation_clip=False,
        )
    x, y = sector.at(part.width / 2.0, sector.outer)
    axes.annotate(
        "right ascension [deg]",
        (float(x), float(y)),
        xytext=(0.0, 20.0),
        textcoords="offset points",
        fontsize=9,
        ha="center",
        va="bottom",
        annotation_clip=False,
    )
