"""Hosts by mass, with a galaxy or without, for the provenance of mocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..layout import HOST_BIN, host_bin
from ..types import Array, HaloCatalog
from . import blocks

_NO_BIN = 1000  # above the bin of any mass


def count_hosts(halos: HaloCatalog) -> dict[str, Any]:
    """Count hosts by mass, with a galaxy or without: plain JSON values.

    Returns
    -------
    dict
        ``counts`` in bins of log10 of the host mass [Msun/h] between the multiples of 0.1 in
        ``log10_mass_edges``, and the number of hosts ``without_mass``.
    """
    host_mass, central = halos["host_mass"], halos["is_central"]
    counts: Counter[int] = Counter()
    without_mass = 0

    def block(part: slice) -> tuple[int, Array, int]:
        mass = host_mass[blocks.chosen_of(central[part], part)]
        known = mass[blocks.chosen_of(mass > 0, slice(0, len(mass)))]
        bins = host_bin(known)
        first = int(bins.min(initial=_NO_BIN))
        return first, np.bincount(bins - first), len(mass) - len(known)

    for first, numbers, without in blocks.over_blocks(block, len(halos)):
        counts.update({first + i: int(number) for i, number in enumerate(numbers) if number})
        without_mass += without
    return _described(counts, without_mass)


def add_hosts(counted: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what `count_hosts` gives for a catalogue, from what it gave for its pieces."""
    counts: Counter[int] = Counter()
    without_mass = 0
    for one in counted:
        edges = one["log10_mass_edges"]
        first = round(edges[0] / HOST_BIN) if edges else 0
        counts.update({first + i: number for i, number in enumerate(one["counts"]) if number})
        without_mass += one["without_mass"]
    return _described(counts, without_mass)


def _described(counts: Counter[int], without_mass: int) -> dict[str, Any]:
    bins = range(min(counts), max(counts) + 1) if counts else range(0)
    return {
        "log10_mass_edges": [
            round(HOST_BIN * k, 1) for k in [*bins, *([bins.stop] if bins else [])]
        ],
        "counts": [counts[k] for k in bins],
        "without_mass": without_mass,
    }
