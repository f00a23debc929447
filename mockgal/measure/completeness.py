"""Between which stellar masses a catalogue is complete, as far as its provenance says."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..quantity import in_unit
from ..types import GalaxyCatalog
from .bins import MASS, MassBins

_COLUMN = "stellar_mass"
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def stellar_mass_limits(galaxies: GalaxyCatalog) -> tuple[float, float, list[str]]:
    """Limits that the painter's luminosity floor and cuts on stellar mass set.

    Parameters
    ----------
    galaxies : GalaxyCatalog

    Returns
    -------
    low, high : float
        [Msun/h]; 0 and infinity where there is none.
    others : list of str
        Cuts that are on something else, or that were not understood.
    """
    floor = galaxies.provenance.get("painter", {}).get("luminosity_floor_msun_h")
    low, high = float(floor or 0.0), np.inf
    others = []
    for cut in galaxies.provenance.get("cuts", []):
        try:
            bounds = _bounds(cut["cut"], galaxies.snapshot.cosmology.h)
        except UsageError:
            bounds = []
        if not bounds:
            others.append(str(cut["cut"]))
        for operator, value in bounds:
            low = max(low, value) if operator in (">", ">=", "==") else low
            high = min(high, value) if operator in ("<", "<=", "==") else high
    return low, high, others


def _bounds(cut: str, h: float) -> list[tuple[str, float]]:
    """Operators and values [Msun/h] of a cut on stellar mass, as `mockgal.select.cuts` has it.

    None for a cut on another column, or one that leaves out a single value.
    """
    parts = re.split(r"(<=|>=|==|!=|<|>)", cut)
    terms, operators = [term.strip() for term in parts[::2]], parts[1::2]
    if _COLUMN not in terms or "!=" in operators:
        return []
    place = terms.index(_COLUMN)
    before = [(_MIRRORED[operators[i]], terms[i]) for i in range(place)]
    after = [(operators[i], terms[i + 1]) for i in range(place, len(operators))]
    return [(operator, in_unit(_COLUMN, term, MASS, h)) for operator, term in before + after]


def complete(galaxies: GalaxyCatalog, bins: MassBins) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    """Which bins lie within the limits as a whole, and the limits for `Measurement.settings`."""
    low, high, others = stellar_mass_limits(galaxies)
    edges = bins.edges
    slack = 1.0 + 1e-9  # of units converted to and fro
    inside = (edges[:-1] * slack >= low) & (edges[1:] <= high * slack)
    floor = galaxies.provenance.get("painter", {}).get("luminosity_floor_msun_h")
    limits: dict[str, Any] = {
        "complete_from_msun_h": low,
        "luminosity_floor_msun_h": floor or "not stated: `complete` is as far as cuts go",
    }
    if high < np.inf:
        limits["complete_to_msun_h"] = high
    if others:
        limits["cuts_not_on_stellar_mass"] = others
    return np.asarray(inside), limits
