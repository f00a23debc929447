"""Finished tiles on disk, so that interrupted painting can resume.

A tile is stored under the digest of everything that its outputs depend on: a tile that is found is
always right, and a tile of anything else is not found.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....errors import OutputError, warn

Array = NDArray[Any]

_MAGIC = b"mockgal tile 1\n"
_DIGEST = 32  # bytes of the content's digest, after the magic


def key_of(facts: Any, arrays: Iterable[Array]) -> str:
    """Return the digest of plain JSON values and arrays."""
    sha = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=20)
    for array in arrays:
        sha.update(f"{array.shape} {array.dtype.str}".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


class TileStore:
    """A folder of outputs, one file for each tile.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.

    Raises
    ------
    OutputError
        The folder cannot be created, or written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _failed(folder, error.strerror or str(error)) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise _failed(folder, "no permission to write")

    @property
    def is_empty(self) -> bool:
        """Whether the folder has no tile."""
        return not any(self._folder.glob("*.tile"))

    def get(self, key: str, shape: tuple[int, int]) -> Array | None:
        """Return a stored tile, or None; a damaged file counts as none, with a warning."""
        path = self._path(key)
        try:
            if path.stat().st_size != len(_MAGIC) + _DIGEST + 8 * shape[0] * shape[1]:
                _tell(path)
                return None
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(path, error.strerror or str(error)) from error
        body = content[len(_MAGIC) + _DIGEST :]
        if content != _with_head(body):
            _tell(path)
            return None
        return np.frombuffer(body, dtype="<f8").reshape(shape)

    def put(self, key: str, output: Array) -> None:
        """Store a tile.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        path = self._path(key)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        try:
            with temporary.open("wb") as file:
                file.write(_with_head(np.asarray(output, dtype="<f8").tobytes()))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise _failed(path, error.strerror or str(error)) from error

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.tile"


def _tell(path: Path) -> None:
    warn(f"{path} is damaged; the tile is computed again")


def _with_head(body: bytes) -> bytes:
    return _MAGIC + hashlib.blake2b(body, digest_size=_DIGEST).digest() + body


def _failed(path: Path, found: str) -> OutputError:
    return OutputError(
        path,
        found,
        "a folder for finished tiles",
        "give another --resume folder, with free space and permission to write",
    )
