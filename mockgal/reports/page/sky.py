"""Pictures of light cones on the page: maps of the sky, wedges and weights of each catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from ..comparison.result import Comparison
from ..sky.panels import weights_of
from ..sky.pictures import picture
from ..sky.view import View
from ..sky.wedge import slice_of
from .looks import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

TITLES = {"sky": "Map of the sky", "wedge": "Wedge", "weights": "Weights"}


def views(comparison: Comparison) -> dict[str, View]:
    """Return what the pictures of each catalogue show; wedges are of one slice of declination."""
    declinations = slice_of(View(comparison.truth))
    return {
        name: View(galaxies, comparison.randoms, declinations=declinations)
        for name, galaxies in comparison.catalogues.items()
    }


def file_of(kind: str, name: str) -> str:
    """Return the name of the file of a picture of a catalogue, without its extension."""
    return f"{kind}-of-{name}"


def titles(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Yield the file and the title of each picture: all catalogues of a kind, then the next."""
    for kind, title in TITLES.items():
        for name, view in views(comparison).items():
            if kind != "weights" or weights_of(view):
                yield file_of(kind, name), f"{title}, {shown(name)}"


def figures(comparison: Comparison) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Yield the name of the file of each picture, and what draws it.

    The label of a figure is its caption.
    """
    of = views(comparison)
    for kind in TITLES:
        for name, view in of.items():
            if kind != "weights" or weights_of(view):
                yield file_of(kind, name), partial(picture, kind, view)
