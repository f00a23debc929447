"""A run of a pair: in the order of its ids, and in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..types import Scene


def by_id(scene: Scene) -> Scene:
    """The scene in the order of ids: sums then are the same whatever the order of rows."""
    ids = scene.halos["halo_id"]
    if np.all(ids[1:] > ids[:-1]):
        return scene
    return replace(scene, halos=scene.halos.take(np.argsort(ids)))


def describe_run(scene: Scene) -> dict[str, Any]:
    """What is recorded of a run: plain JSON values."""
    return {
        "simulation": scene.snapshot.name,
        "halo_digest": scene.halos.digest(),
        "redshift": scene.snapshot.redshift,
        "box_size_mpc_h": scene.snapshot.box_size,
        "files": [
            {"name": Path(file.path).name, "bytes": file.size, "sha256": file.digest}
            for file in scene.snapshot.source
        ],
        "reading": {**scene.snapshot.record, **scene.halos.record},
    }
