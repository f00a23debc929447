"""Finished tiles on disk, so that painting that was stopped goes on where it was."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError, warn

Array = NDArray[Any]

_MAGIC = b"mockgal tile 1\n"


class TileStore:
    """A folder of outputs, one file for each tile.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    key : str
        Digest of all that outputs depend on; tiles kept with another key are left alone.

    Raises
    ------
    OutputError
        The folder cannot be made.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._key = folder / key, key.encode()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _failed(self._folder, error) from error

    def get(self, tile: int, shape: tuple[int, int]) -> Array | None:
        """What was kept of a tile, or None; a damaged file counts as none, with a warning."""
        path = self._path(tile)
        size = len(self._head(shape)) + 8 * shape[0] * shape[1]
        try:
            if path.stat().st_size != size:
                warn(f"{path} is damaged; the tile is made again", stacklevel=2)
                return None
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(path, error) from error
        head, body = content[: -8 * shape[0] * shape[1]], content[-8 * shape[0] * shape[1] :]
        values = np.frombuffer(body, dtype="<f8").reshape(shape)
        if head != self._head(shape) or not np.isfinite(values).all():
            warn(f"{path} is damaged; the tile is made again", stacklevel=2)
            return None
        return values

    def put(self, tile: int, output: Array) -> None:
        """Keep a tile.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        path = self._path(tile)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        try:
            with temporary.open("wb") as file:
                file.write(self._head(output.shape) + np.asarray(output, dtype="<f8").tobytes())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise _failed(path, error) from error

    def _path(self, tile: int) -> Path:
        return self._folder / f"{tile:08d}.tile"

    def _head(self, shape: tuple[int, ...]) -> bytes:
        return _MAGIC + self._key + b" %d %d\n" % shape


def _failed(path: Path, error: OSError) -> OutputError:
    return OutputError(
        path,
        f"that it cannot be used ({error.strerror or error})",
        "a folder for finished tiles",
        "give another --resume, with room and permission to write",
    )
