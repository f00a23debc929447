"""Fields of a training in files of its folder, mapped into memory.

Fields may be larger than memory, take long to make from particles, and are the same for all
processes of a training and when it resumes. So they are made once and kept until the training is
done, under the digest of all that they depend on. A file is a safetensors file with one tensor.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import (
    CorruptFileError,
    InputError,
    OutputError,
    ResourceError,
    UnsafeInputError,
    warn,
)
from ...painters.cnn.weights.tensor_file import COPY_AGAIN, strict_json, tensor_file
from ...system.files.atomic import atomic_output, check_output
from ...system.files.lock import output_error, output_lock
from ...system.progress import advance

Array = NDArray[Any]

BYTES_OF_VOXEL = 8  # two channels of float32
ABOUT, DIGEST = "mockgal fields", "sha256"  # keys of the metadata
_TENSOR, _NO_DIGEST = "fields", 64 * "0"
_OURS = re.compile(r"\.?(fields-[0-9a-f]+\.safetensors)(\.lock|\.[0-9a-f]{32}\.part\.safetensors)?")
_ALIGNED = 4096  # bytes; the numbers begin at a multiple of this
_PIECE = 1 << 24  # bytes read at a time


class Place(NamedTuple):
    """The place of the fields of a volume.

    Parameters
    ----------
    folder : Path
    key : str or None
        Digest of all that the fields depend on, in hexadecimal digits, which names their file;
        None for a file without a name, which ends with the process.
    """

    folder: Path
    key: str | None = None

    @property
    def path(self) -> Path:
        """Path of the file, if it has a name."""
        return self.folder / f"fields-{self.key or 'without-a-name'}.safetensors"


def check_room(folder: Path, size: int) -> None:
    """Raise, before any work, if the folder has too little room.

    Raises
    ------
    OutputError, ResourceError
        See `mockgal.system.files.atomic.check_output`.
    """
    check_output(Place(folder).path, True, expected_bytes=size + _ALIGNED)


def found(place: Place, shape: tuple[int, ...]) -> tuple[Array, dict[str, Any]] | None:
    """Return kept fields, float32 of that shape, and their description; None if not kept."""
    if place.key is None or not place.path.exists():
        return None
    return _mapped(place.path, shape)


def written(
    place: Place, shape: tuple[int, ...], pieces: Iterable[Array], about: dict[str, Any]
) -> Array:
    """Write fields to their file, and map it into memory.

    Parameters
    ----------
    place : Place
    shape : tuple of int
    pieces : iterable of ndarray of float32
        All numbers in order, piece by piece.
    about : dict
        Description that `found` returns: plain JSON values.

    Returns
    -------
    ndarray of float32
        The fields, read-only, mapped into memory.

    Raises
    ------
    OutputError, ResourceError
        See `mockgal.system.files.atomic.atomic_output`; or the system cannot map the file.
    """
    text = json.dumps(about, allow_nan=False)
    head = _head(text, _NO_DIGEST, shape)
    if place.key is None:
        try:
            with tempfile.TemporaryFile(dir=place.folder) as file:
                _write(file, b"", shape, pieces)
                return _view(place.folder, file, 0, shape)
        except OSError as error:
            raise output_error(place.folder, error) from error
    size = len(head) + 4 * math.prod(shape)
    with (
        atomic_output(place.path, overwrite=True, expected_bytes=size) as temporary,
        open(temporary, "xb") as file,
    ):
        sha = hashlib.sha256(text.encode())
        _write(file, head, shape, pieces, sha)
        file.seek(0)
        file.write(_head(text, sha.hexdigest(), shape))
    return _mapped(place.path, shape)[0]


def mended(folder: Path) -> None:
    """Remove damaged files, with a warning, and leftovers of killed runs.

    Raises
    ------
    OutputError
        Another run is writing one of the files, or a file cannot be read or removed.
    """
    try:
        for path in _files(folder):
            with output_lock(path):  # which removes leftovers
                if path.exists() and not _is_whole(path):
                    warn(f"{path} is damaged, and will be made again")
                    path.unlink()
    except OSError as error:
        raise output_error(folder, error) from error


def cleared(folder: Path) -> None:
    """Remove all fields, except files that cannot be removed or that another run is writing."""
    with suppress(OSError):
        for path in _files(folder):
            with suppress(OSError, OutputError), output_lock(path):
                path.unlink(missing_ok=True)


def _files(folder: Path) -> list[Path]:
    """Return the files of fields in the folder, including those that a run has begun."""
    names = (_OURS.fullmatch(path.name) for path in folder.iterdir())
    return sorted({folder / name[1] for name in names if name})


def _head(text: str, digest: str, shape: tuple[int, ...]) -> bytes:
    tensor = {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * math.prod(shape)]}
    header = {"__metadata__": {ABOUT: text, DIGEST: digest}, _TENSOR: tensor}
    content = json.dumps(header).encode()
    content += b" " * (-(8 + len(content)) % _ALIGNED)
    return len(content).to_bytes(8, "little") + content


def _write(
    file: IO[bytes], head: bytes, shape: tuple[int, ...], pieces: Iterable[Array], sha: Any = None
) -> None:
    size, done = 4 * math.prod(shape), 0
    file.write(head)
    for piece in pieces:
        numbers = np.ascontiguousarray(piece, "<f4").data
        file.write(numbers)
        if sha is not None:
            sha.update(numbers)
        done += numbers.nbytes
        advance(done, size, "writing fields")
    file.flush()


def _view(where: Path, file: IO[bytes], start: int, shape: tuple[int, ...]) -> Array:
    try:
        return np.asarray(np.memmap(file, "<f4", "r", start, shape))
    except OSError as error:
        raise ResourceError(
            where,
            f"that the system cannot map it ({error})",
            f"{4 * math.prod(shape)} bytes mapped into memory",
            "raise the limit of the address space (ulimit -v), or choose a folder on another "
            "file system",
        ) from error


def _mapped(path: Path, shape: tuple[int, ...]) -> tuple[Array, dict[str, Any]]:
    with tensor_file(path) as file:
        entry = file.entries.get(_TENSOR)
        if entry is None or (entry.dtype, entry.shape) != ("F32", shape):
            raise CorruptFileError(path, "other tensors", f"{_TENSOR} of shape {shape}", COPY_AGAIN)
        about = strict_json(file.metadata.get(ABOUT, "").encode(), str(path))
        return _view(path, file.stream, file.start + entry.begin, shape), about


def _is_whole(path: Path) -> bool:
    """Return whether the content matches its digest."""
    try:
        with tensor_file(path) as file:
            sha = hashlib.sha256(file.metadata.get(ABOUT, "").encode())
            file.stream.seek(file.start)
            size = max((entry.end for entry in file.entries.values()), default=0)
            done = 0
            while piece := file.stream.read(_PIECE):
                sha.update(piece)
                done += len(piece)
                advance(done, size, "checking fields")
            return sha.hexdigest() == file.metadata.get(DIGEST)
    except (InputError, UnsafeInputError):
        return False
