"""Description of matter without its halos: what it is, its facts, and how to use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import in_shell
from ...protocols import ReadOptions
from . import grids
from .choose import particles_at

_SUFFIX = {"box_size": "_mpc_h", "particle_mass": "_msun_h"}
_NEAR = 1e-3  # of a mean to 0 or 1, which tells the kind of a grid


def describe(path: Path, options: ReadOptions) -> dict[str, Any] | None:
    """Return what matter there is at a path, and how to use it; None if it is no matter.

    Only headers are read, and of a grid whose file does not say what it is, the values.

    Raises
    ------
    MockgalError
        The matter cannot be read.
    """
    matter = particles_at(path, options, None)
    if matter is not None:
        return {
            "path": str(path),
            "kind": "matter",
            "format": matter.format,
            "files": len(matter.files),
            "bytes": sum(file.stat().st_size for file in matter.files),
            "particles": matter.particles.count,
            **{f"{name}{_SUFFIX.get(name, '')}": value for name, value in matter.stated.items()},
            "record": dict(matter.record),
            "use": _command(path, ""),
        }
    if not grids.recognise(path):
        return None
    grid = grids.open_grid(path)
    return {
        "path": str(path),
        "kind": "matter",
        "format": grid.format,
        "files": len(grid.files),
        "bytes": sum(file.stat().st_size for file in grid.files),
        "grid_size": grid.size,
        "stated": dict(grid.stated),
        "mean": (mean := _mean(grid)),
        "use": _command(path, _grid_options(grid, mean)),
    }


def _mean(grid: grids.GridFile) -> float:
    """Return the mean of a grid's values, plane by plane."""
    with np.errstate(all="ignore"):
        sums = (
            float(np.sum(grid.read(start, min(start + grid.block, grid.size)), dtype=np.float64))
            for start in range(0, grid.size, grid.block)
        )
        return sum(sums) / grid.size**3


def _grid_options(grid: grids.GridFile, mean: float) -> str:
    """Return the options that a grid needs, with the kind that its mean suggests."""
    options = []
    if "kind" not in grid.stated:
        likely = {"delta": 0.0, "1+delta": 1.0}
        near = [kind for kind, value in likely.items() if abs(mean - value) < _NEAR]
        options.append(f"--matter-kind {near[0] if near else 'KIND'}")
    if "mas" not in grid.stated:
        options.append("--matter-assignment SCHEME")
    if "origin" not in grid.stated:
        options.append("--matter-origin ORIGIN")
    return " ".join(options)


def _command(path: Path, options: str) -> str:
    return " ".join(f"mockgal build --sim HALOS --matter {in_shell(path)} {options}".split())
