"""The palette of all figures: colours, markers and dashes, and the style of drawing.

Any two colours can be told apart by readers with protanopia, deuteranopia or tritanopia (CIE 1976
distances of 17 and more, with the matrices of Machado et al. 2009, IEEE TVCG 15, 1291; the palette
of Okabe & Ito 2008 has 16). In greyscale the first four differ by 15 in lightness; markers and
dashes distinguish all of them.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

BLUE, VERMILLION, SKY, BLACK = "#004488", "#D55E00", "#56B4E9", "#000000"
WINE, ORANGE, PURPLE, ROSE = "#882255", "#E69F00", "#CC79A7", "#CC6677"
COLOURS = (BLUE, VERMILLION, SKY, BLACK, WINE, ORANGE, PURPLE, ROSE)
MARKERS = ("o", "s", "^", "D", "P", "X", "p", "*")  # "v" is for upper limits
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (1, 1)),
    (0, (8, 2)),
    (0, (5, 1.5, 1, 1.5, 1, 1.5)),
    (0, (2, 2)),
    (0, (8, 2, 2, 2)),
)
NOTE, REFERENCE = "0.3", "0.45"  # greys of notes, and of reference lines

_drawing = threading.RLock()  # matplotlib keeps its settings for the whole process


class Series(NamedTuple):
    """The look of one of several results in the same axes."""

    colour: str
    marker: str
    dashes: Any


def series(number: int) -> Series:
    """Return the look of result ``number``, counted from 0; the first 64 looks all differ."""
    turn, place = divmod(number, len(COLOURS))
    shifted = (place + turn) % len(COLOURS)
    return Series(COLOURS[place], MARKERS[shifted], DASHES[shifted])


@contextmanager
def picture_style() -> Iterator[None]:
    """Use matplotlib's default style in the block.

    The user's matplotlibrc, style sheets and MPLBACKEND do not change the figures; the user's
    settings are restored after the block.
    """
    _import_matplotlib()
    from matplotlib import style

    with _drawing, style.context(["default", {"svg.hashsalt": "mockgal"}]):
        yield


def _import_matplotlib() -> None:
    """Import matplotlib without the user's backend and settings, which figures do not need.

    A matplotlibrc that cannot be read, in the working directory or elsewhere, would make the import
    fail.
    """
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        try:
            import matplotlib
        except (ValueError, OSError):
            for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
                del sys.modules[name]  # their package failed to import
            with _without_settings():
                import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with suppress(ValueError):  # restored for the user's own windows
            matplotlib.rcParams["backend"] = backend


@contextmanager
def _without_settings() -> Iterator[None]:
    """Hide the user's matplotlibrc: one in the working directory overrides MATPLOTLIBRC."""
    before, here = os.environ.get("MATPLOTLIBRC"), os.open(".", os.O_RDONLY)
    os.environ["MATPLOTLIBRC"] = os.devnull
    os.chdir("/")
    try:
        yield
    finally:
        os.fchdir(here)
        os.close(here)
        del os.environ["MATPLOTLIBRC"]
        if before is not None:
            os.environ["MATPLOTLIBRC"] = before
