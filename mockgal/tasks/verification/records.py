"""The record of a run beside its output, of which only what is well-formed is used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...writers.provenance import read_sidecar

_OUTPUT = {"name": str, "bytes": int, "sha256": str}
_INPUT = {"path": str, "size": int, "digest": str}


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the record of the run that wrote ``path``; None if there is none that can be read.

    The record may be anybody's: entries of other kinds than mockgal writes are left out.
    """
    record = read_sidecar(path)
    if record is None:
        return None
    paths, randoms = record.get("paths"), record.get("randoms")
    paths = paths if isinstance(paths, dict) else {}
    return {
        **record,
        "outputs": _entries(record.get("outputs"), _OUTPUT),
        "input_files": _entries(record.get("input_files"), _INPUT),
        "randoms": randoms if isinstance(randoms, dict) else None,
        "paths": {use: place for use, place in paths.items() if isinstance(place, str)},
    }


def _entries(value: Any, kinds: Mapping[str, type]) -> list[dict[str, Any]]:
    """Return the entries of a list that have values of these kinds."""
    return [
        one
        for one in (value if isinstance(value, list) else ())
        if isinstance(one, dict) and all(isinstance(one.get(key), x) for key, x in kinds.items())
    ]
