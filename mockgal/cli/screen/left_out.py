"""Lines for the screen on the rows that readers left out of a simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...layout import DROPPED_FOR, MERGED, NO_PARTICLES

# Counts in the record of halos, and what they count.
_ROWS = {
    MERGED: "halos that the cleaning of the catalogue merged into others",
    NO_PARTICLES: "halos without particles where their light left them",
    "phantoms_dropped": "phantoms: halos that consistent-trees interpolated between two outputs",
    "spurious_dropped": "subhalos that the catalogue flags as spurious",
    "ignored_dropped": "halos that UniverseMachine's flags say to ignore",
    "groups_without_particles_dropped": "rows of groups without particles",
    "dropped_bad": "rows with impossible values, or repeated (--drop-bad)",
    "dropped_with_their_host": "satellites of hosts with an impossible mass (--drop-bad)",
    "orphans_dropped": "satellites without a central (--orphans drop)",
    "dropped_flagged_as_no_galaxy": "satellites that the catalogue flags as not galaxies",
    "subhalos_left_out_for_missing_chunks": "subhalos of groups cut off by missing chunks",
}


def titled(title: str, texts: Sequence[str]) -> list[str]:
    """Return lines with a title in front of the first."""
    return [f"{'' if n else title:<12}{text}" for n, text in enumerate(texts)]


def left_out(record: Mapping[str, Any]) -> list[str]:
    """Return a line for each kind of rows that were left out.

    Parameters
    ----------
    record : mapping
        The ``record`` of a `mockgal.types.HaloCatalog`.
    """
    lines = {name: f"{record[name]:,} {what}" for name, what in _ROWS.items() if record.get(name)}
    kinds = {name: n for name, n in record.items() if name.startswith(DROPPED_FOR)}
    if kinds and "dropped_bad" in lines:
        words = (f"{n:,} by {name.removeprefix(DROPPED_FOR)}" for name, n in kinds.items())
        lines["dropped_bad"] += ": " + ", ".join(words)
    return list(lines.values())
