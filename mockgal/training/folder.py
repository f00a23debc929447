"""The folder of a training: locked while it runs, with the fields that its processes share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..system.files.lock import output_error, output_lock
from .data.field_files import BYTES_OF_VOXEL, Place, check_room, mended
from .devices import is_first_process


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Lock the folder for this training, and remove damaged fields; remove it at the end if empty.

    Raises
    ------
    OutputError
        The folder cannot be created, or another run uses it.
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
    """Return the places of fields on grids of these sizes; those with a key are shared.

    Raises
    ------
    OutputError, ResourceError
        There is no room for the fields that do not exist yet.
    """
    own = [Place(folder, key) for key in keys]
    if not is_first_process():  # the first process has made the fields, or is making them
        return [place if place.path.exists() else Place(folder) for place in own]
    new = [size for place, size in zip(own, sizes, strict=True) if not place.path.exists()]
    check_room(folder, sum(BYTES_OF_VOXEL * size**3 for size in new))
    return own
