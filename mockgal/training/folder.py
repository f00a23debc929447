"""The folder of a training: its own while it works, with the fields that its processes share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..system.files.lock import output_error, output_lock
from .data.field_files import BYTES_OF_VOXEL, Place, check_room, mended
from .devices import is_first_process


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """The folder for this training alone, with nothing damaged in it; gone if left empty.

    Raises
    ------
    OutputError
        It cannot be made, or another run works in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    if not is_first_process():
        yield
        return
    try:
        with output_lock(folder / "training"):
            mended(folder)
            yield
    finally:
        with suppress(OSError):
            folder.rmdir()


def places(folder: Path, keys: Sequence[str | None], sizes: Sequence[int]) -> list[Place]:
    """Where the fields on grids of these sizes are: with a key where others may take them.

    Raises
    ------
    OutputError, ResourceError
        There is no room for those that are not there yet.
    """
    found = [Place(folder, key) for key in keys]
    if not is_first_process():  # which has made them before, or does so now
        return [place if place.path.exists() else Place(folder) for place in found]
    new = [size for place, size in zip(found, sizes, strict=True) if not place.path.exists()]
    check_room(folder, sum(BYTES_OF_VOXEL * size**3 for size in new))
    return found
