"""Map of the surface density of galaxies on the sky, with the outline of their footprint."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...statistics.plotting.palette import NOTE, VERMILLION
from ...types import GalaxyCatalog
from .projection import Extent, Projection, steps
from .view import View, chunks, counted

Array = NDArray[Any]

_IN_A_PIXEL = 10  # galaxies that are expected in one
_FEWEST, _MOST = 12, 240  # pixels along the longer side
_FEW = 2_000  # most galaxies that are drawn one by one, too
_LEAST_RANDOMS = 10  # expected in a pixel of the outline
_MARGIN = 0.04
_FOR_SHARE = 100_000  # points that tell which share of a frame is filled
_BRIGHTEST = 0.998  # share of the pixels that the colours resolve
_FLAT = 1.5  # width over height from which on the colour bar lies below the map
_GRID: dict[str, Any] = {"color": "0.6", "lw": 0.5, "alpha": 0.7, "zorder": 3}


class Pixels(NamedTuple):
    """Equal pixels on a map: their edges along x and y, as areas of the sky [deg]."""

    x: Array
    y: Array

    @property
    def area(self) -> float:
        """Of a pixel [deg^2]."""
        return float((self.x[1] - self.x[0]) * (self.y[1] - self.y[0]))

    def counts(self, catalogue: GalaxyCatalog, projection: Projection) -> Array:
        """Return how many points lie in each pixel, shape (along x, along y)."""
        shape = len(self.x) - 1, len(self.y) - 1
        total = np.zeros(shape[0] * shape[1], dtype=np.int64)
        for rows in chunks(len(catalogue)):
            place = projection.forward(catalogue["ra"][rows], catalogue["dec"][rows])
            i, j = (_numbers(edges, at) for edges, at in zip(self, place, strict=True))
            total += np.bincount(i * shape[1] + j, minlength=len(total))
        return total.reshape(shape)

    def middles(self) -> tuple[Array, Array]:
        """Return the middles of the pixels along x and y."""
        return (self.x[1:] + self.x[:-1]) / 2.0, (self.y[1:] + self.y[:-1]) / 2.0


def _numbers(edges: Array, at: Array) -> Array:
    """Return the numbers of equal bins; rounding at the border carries no point out of them."""
    number = len(edges) - 1
    bins = ((at - edges[0]) * (number / (edges[-1] - edges[0]))).astype(np.int64)
    return np.asarray(np.clip(bins, 0, number - 1))


class Covered(NamedTuple):
    """Pixels that hold randoms, and are so large that none in the footprint is empty by chance."""

    pixels: Pixels
    held: Array


def _pixels(frame: tuple[float, float, float, float], number: float) -> Pixels:
    """Return pixels in a frame on the map, about ``number`` of them if that is within limits."""
    left, right, bottom, top = frame
    longer = max(right - left, top - bottom)
    side = math.sqrt((right - left) * (top - bottom) / max(number, 1.0))
    side = min(max(side, longer / _MOST), longer / _FEWEST)
    across, along = (max(1, round(x / side)) for x in (right - left, top - bottom))
    return Pixels(np.linspace(left, right, across + 1), np.linspace(bottom, top, along + 1))


def _frame(projection: Projection, part: Extent) -> tuple[float, float, float, float]:
    x, y = projection.outline(part)
    return float(x.min()), float(x.max()), float(y.min()), float(y.max())


def _share_filled(catalogue: GalaxyCatalog, projection: Projection, frame: Any) -> float:
    """Return about which share of a frame holds points."""
    some = catalogue.take(np.arange(0, len(catalogue), -(-len(catalogue) // _FOR_SHARE)))
    pixels = _pixels(frame, min(len(some) / 4.0, 2500.0))
    return float(np.mean(pixels.counts(some, projection) > 0)) or 1.0


def draw_sky(figure: Any, view: View) -> list[str]:
    """Draw the map, and return what its caption says.

    Parameters
    ----------
    figure : Figure or SubFigure
    view : View

    Returns
    -------
    list of str
    """
    axes = figure.subplots()
    galaxies, part = view.galaxies, view.extent
    projection = Projection.of(part)
    frame = _frame(projection, part)
    filled = 1.0
    if len(galaxies):
        filled = _share_filled(galaxies, projection, frame)
    pixels = _pixels(frame, len(galaxies) / _IN_A_PIXEL / filled)
    surface = pixels.counts(galaxies, projection) / pixels.area
    of_randoms = _covered(view, projection, part)
    covered, outline = _coverage(view, of_randoms, projection, part, pixels)
    shown = np.where((surface > 0) | covered, surface, np.nan)
    held = shown[np.isfinite(shown)]
    top = float(np.quantile(held, _BRIGHTEST, method="higher")) if len(held) else 0.0
    image = axes.pcolormesh(
        pixels.x, pixels.y, shown.T, cmap="cividis", vmin=0.0, vmax=top or 1.0, rasterized=True,
        zorder=1,
    )  # fmt: skip
    flat = frame[1] - frame[0] > _FLAT * (frame[3] - frame[2])
    bar = figure.colorbar(
        image, ax=axes, shrink=0.85, location="bottom" if flat else "right",
        extend="max" if (held > top).any() else "neither",
    )  # fmt: skip
    bar.set_label(r"surface density of galaxies [deg$^{-2}$]")
    few = len(galaxies) <= _FEW
    if few and len(galaxies):
        x, y = projection.forward(galaxies["ra"], galaxies["dec"])
        axes.plot(
            x, y, ".", ms=4.0, mfc="white", mec="black", mew=0.3, ls="none", zorder=4,
            gid="galaxies",
        )  # fmt: skip
    _outline(axes, view, of_randoms, projection, part)
    _graticule(axes, projection, part, frame)
    axes.set_title(f"Sky map: {counted(len(galaxies))}", fontsize=10)
    if not len(galaxies):
        axes.text(0.5, 0.5, "no galaxies", transform=axes.transAxes, ha="center", color=NOTE)
    side = f"{pixels.area:.3g} deg^2"
    return [
        f"galaxies per area in pixels of {side} ({projection.name} projection, all pixels of equal "
        "area), each galaxy counted once",
        *(["points: the galaxies one by one"] if few and len(galaxies) else []),
        outline,
    ]


def _covered(view: View, projection: Projection, part: Extent) -> Covered | None:
    """Return which pixels hold randoms; None without randoms."""
    if view.randoms is None or not len(view.randoms):
        return None
    frame = _frame(projection, part)
    filled = _share_filled(view.randoms, projection, frame)
    pixels = _pixels(frame, len(view.randoms) / _LEAST_RANDOMS / filled)
    return Covered(pixels, pixels.counts(view.randoms, projection) > 0)


def _coverage(
    view: View, of_randoms: Covered | None, projection: Projection, part: Extent, pixels: Pixels
) -> tuple[Array, str]:
    """Return which pixels are in the footprint, and what is known of it."""
    x, y = pixels.middles()
    if of_randoms is not None and view.randoms is not None:
        coarse, held = of_randoms
        return held[np.ix_(_numbers(coarse.x, x), _numbers(coarse.y, y))], (
            f"line: outline of the {len(view.randoms):,} randoms, the pixels of "
            f"{coarse.area:.3g} deg^2 that hold some"
        )
    if view.box is not None:
        return _inside(projection, part, *np.meshgrid(x, y, indexing="ij")), (
            "line: the footprint in the record of the galaxies; pixels across it are partly outside"
        )
    return np.zeros((len(x), len(y)), dtype=bool), (
        "the footprint is not known without randoms (--randoms): pixels without galaxies are white"
    )


def _inside(projection: Projection, part: Extent, x: Array, y: Array) -> Array:
    """Return which places on the map are in a part of the sky, all of which has a height."""
    start = (part.west - projection.centre + 180.0) % 360.0 - 180.0
    left, right = (projection.along(start + by, y) for by in (0.0, part.width))
    return np.asarray((x >= left) & (x <= right))


def _outline(
    axes: Any, view: View, of_randoms: Covered | None, projection: Projection, part: Extent
) -> None:
    """Draw the border of the footprint: of the randoms if there are some, else the recorded one."""
    line: dict[str, Any] = {"color": VERMILLION, "lw": 1.3, "zorder": 5, "gid": "footprint"}
    if of_randoms is not None:
        from matplotlib.collections import LineCollection

        (x, y), held = of_randoms.pixels, np.pad(of_randoms.held, 1)
        # A side of a pixel is a part of the border where one of its two pixels is held.
        upright = zip(*np.nonzero(held[1:, 1:-1] != held[:-1, 1:-1]), strict=True)
        flat = zip(*np.nonzero(held[1:-1, 1:] != held[1:-1, :-1]), strict=True)
        sides = [[(x[i], y[j]), (x[i], y[j + 1])] for i, j in upright]
        sides += [[(x[i], y[j]), (x[i + 1], y[j])] for i, j in flat]
        axes.add_collection(LineCollection(sides, **line, capstyle="round"))
    elif view.box is not None:
        axes.plot(*projection.outline(part), **line)


def _graticule(axes: Any, projection: Projection, part: Extent, frame: Any) -> None:
    """Draw lines of equal right ascension and declination, and label them in degrees."""
    left, right, bottom, top = frame
    dx, dy = _MARGIN * (right - left), _MARGIN * (top - bottom)
    low, high = bottom - dy, top + dy
    degree = steps(part.north - part.south, 6)
    declinations = np.arange(math.ceil(-90 / degree), math.floor(90 / degree) + 1) * degree
    heights = projection.height(declinations)
    seen = (heights >= low) & (heights <= high)
    axes.set_yticks(heights[seen], [f"{dec:g}" for dec in declinations[seen]])
    step = steps(part.width, 7)
    start = projection.centre - part.width / 2.0
    first = math.ceil(start / step - 1e-9) * step
    meridians = np.arange(first, start + part.width + 1e-9, step)
    east = meridians - projection.centre
    y = projection.height(np.linspace(-90.0, 90.0, 361))
    whole = part.width >= 360.0
    for offset in (*east, *([-180.0, 180.0] if whole else [])):
        axes.plot(projection.along(offset, y), y, **_GRID)
    for height in heights[seen]:
        reach = projection.along(np.array([-180.0, 180.0]), height)
        axes.plot(reach, [height, height], **_GRID)
    names = [f"{ra % 360.0:g}" for ra in meridians]
    if float(projection.breadth(low)) > 0.45:
        axes.set_xticks(projection.along(east, low), names)
    elif float(projection.breadth(high)) > 0.45:
        axes.xaxis.tick_top()
        axes.set_xticks(projection.along(east, high), names)
    else:
        axes.set_xticks([])
        height = float(np.clip(0.0, low, high))
        for x, name in zip(projection.along(east, height), names, strict=True):
            if left < x < right:
                axes.text(x, height, name, fontsize=8, ha="center", va="bottom", zorder=6,
                          bbox={"fc": "white", "ec": "none", "alpha": 0.7, "pad": 0.5})  # fmt: skip
    axes.set(aspect="equal", xlim=(right + dx, left - dx), ylim=(low, high))
    axes.set(xlabel="right ascension [deg]", ylabel="declination [deg]")
    if whole and projection.declination is None:
        axes.spines[:].set_visible(False)
