"""What a mock took to make, from the record of the run that `mockgal build` writes beside it."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

from ...reports.comparison.result import Cost
from ...types import GalaxyCatalog


def cost_of(mock: object, galaxies: GalaxyCatalog) -> Cost:
    """Return the cost of a mock; numbers are None where they are not recorded.

    Parameters
    ----------
    mock : path-like or GalaxyCatalog
    galaxies : GalaxyCatalog
        As it was read. The record must be of this content.
    """
    from ...writers.provenance import read_sidecar, sidecar_path

    if not isinstance(mock, str | os.PathLike):
        return Cost(because="painted in memory")
    sidecar = sidecar_path(Path(mock))
    if not sidecar.exists():
        return Cost(because=f"no {sidecar.name}")
    record = read_sidecar(Path(mock))
    if record is None:
        return Cost(because=f"{sidecar.name} cannot be read")
    written = galaxies.provenance.get("read_from", {}).get("content_digest", galaxies.digest())
    if record.get("content_digest") != written:
        return Cost(because=f"{sidecar.name} is of another mock")
    return Cost(
        wall_seconds=_amount(record.get("seconds")),
        cpu_seconds=_amount(record.get("cpu_seconds")),
        peak_memory_bytes=_amount(record.get("peak_memory_bytes")),
    )


def _amount(value: Any) -> float | None:
    """Return a number that an amount can be; None for anything else that a file may hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value < 1e18 else None
