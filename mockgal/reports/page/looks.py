"""The look of each catalogue, the same in all figures of a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...statistics.plotting.palette import BLACK, COLOURS, DASHES, MARKERS
from ..comparison.verdicts import MATCHED, TRUTH

_MATCHED = {"color": "0.5", "marker": "D", "linestyle": (0, (1, 1))}
NAMES = {TRUTH: "truth", MATCHED: "matched masses"}


def looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return colour, marker and dashes of each catalogue: black for the truth."""
    colours = [colour for colour in COLOURS if colour != BLACK]
    found: dict[str, dict[str, Any]] = {}
    number = 0
    for name in names:
        if name == TRUTH:
            found[name] = {"color": BLACK, "marker": "o", "linestyle": "-"}
        elif name == MATCHED:
            found[name] = dict(_MATCHED)
        else:
            place = number % len(colours)
            turn = number // len(colours)
            shifted = (place + turn + 1) % len(MARKERS)
            found[name] = {
                "color": colours[place],
                "marker": MARKERS[shifted],
                "linestyle": DASHES[shifted],
            }
            number += 1
    return found


def shown(name: str) -> str:
    """Return the name of a catalogue as a reader sees it."""
    return NAMES.get(name, name)
