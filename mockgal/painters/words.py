"""A painter, as the provenance of a mock describes it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def painter_in_words(facts: Mapping[str, Any]) -> str:
    """Return the name of a painter and what its law is made of, on one line.

    Parameters
    ----------
    facts : mapping
        The section painter of a mock's provenance; what it does not state is left out.

    Examples
    --------
    >>> from mockgal.painters.words import painter_in_words
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> painter_in_words(mock.provenance["painter"])
    'hod, calibration gadget4-z0.00, mode corrected'
    """
    parts = [str(facts.get("name") or "unknown")]
    if "model" in facts:
        parts.append(f"model {facts['model']}")
        if "threshold_m_r" in facts:
            parts.append(f"M_r < {_number(facts['threshold_m_r'])}")
        if "stellar_mass_law" in facts:
            parts.append(f"masses of {facts['stellar_mass_law']}")
    else:
        parts += [
            f"{key} {facts[key]}" for key in ("calibration", "mode", "weights") if key in facts
        ]
    if "proxy" in facts:
        function = facts.get("mass_function")
        name = function.get("name") if isinstance(function, Mapping) else function
        parts.append(f"{facts['proxy']} to {name}")
    if "relation" in facts:
        parts.append(f"relation {facts['relation']}")
    if "scatter_dex" in facts:
        parts.append(f"scatter {_number(facts['scatter_dex'])} dex")
    if "tile_size" in facts:
        size, tile = facts.get("grid_size"), facts["tile_size"]
        parts.append(f"{size}^3 voxels in tiles of {tile}^3 on {facts.get('device')}")
    if facts.get("rank_by", "none") != "none":
        correlation = _number(facts.get("rank_correlation"))
        parts.append(f"ranked by {facts['rank_by']} (correlation {correlation})")
    return ", ".join(parts)


def matching_in_words(facts: Mapping[str, Any]) -> list[str]:
    """Return lines on what an abundance matching ranked by, and to which mass function.

    Parameters
    ----------
    facts : mapping
        As in `painter_in_words`.

    Returns
    -------
    list of str
        Empty if the painter matched no abundances.
    """
    if "proxy" not in facts:
        return []
    proxy = str(facts["proxy"])
    if "alpha" in facts:
        proxy += f" with alpha {_number(facts['alpha'])}"
    function = facts.get("mass_function")
    whose = ""
    if isinstance(function, Mapping):
        named = [str(function[key]) for key in ("name", "reference") if function.get(key)]
        whose = f", to the mass function {', '.join(named)}"
    lines = [f"proxy {proxy}{whose}; IMF {facts.get('imf') or 'not stated'}"]
    if "satellite_fraction" in facts:
        lines.append(f"fraction of satellites: {_number(facts['satellite_fraction'])}")
    if facts.get("complete_proxy_from"):
        least, unit = _number(facts["complete_proxy_from"]), facts.get("complete_proxy_unit", "")
        lines.append(f"subhalos painted from {facts['proxy']} {least} {unit}".rstrip())
    if facts.get("resolved_mass_from"):
        lines.append(f"resolved: {facts['resolved_mass_from']}")
    return lines


def _number(value: object) -> str:
    """Return a number in short; other values, as a stranger's file may have, as they are."""
    return f"{value:g}" if isinstance(value, int | float) else str(value)
