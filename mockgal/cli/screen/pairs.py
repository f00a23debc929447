"""What screens say of pairs of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_matched(pair: Mapping[str, Any]) -> bool:
    """Return whether a recorded pair is of twins, and not of galaxies on the same subhalos."""
    return "joined" not in pair["twins"]


def how_paired(pair: Mapping[str, Any]) -> list[str]:
    """Return lines on why the runs of a recorded pair belong together."""
    from ...tasks.steps.truth import how_joined

    if is_matched(pair):
        return [f"            phases: {pair['twins']['phases']['conclusion']}"]
    return [f"            {line}" for line in how_joined(pair["twins"]["joined"]).split("; ")]
