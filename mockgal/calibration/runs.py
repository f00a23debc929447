"""Sort a run of a pair by id, and describe it for the record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..types import Scene


def by_id(scene: Scene) -> Scene:
    """Return the scene sorted by id, so that sums do not depend on the order of rows."""
    ids = scene.halos["halo_id"]
    if np.all(ids[1:] > ids[:-1]):
        return scene
    return replace(scene, halos=scene.halos.take(np.argsort(ids)))


def describe_run(scene: Scene) -> dict[str, Any]:
    """Return the facts of a run to record: plain JSON values."""
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
