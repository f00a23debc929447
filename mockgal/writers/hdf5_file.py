"""Our HDF5 files, written and read back so that a full disk or a signal is always noticed.

HDF5 cannot close a file on a full disk, and crashes the process when that ends. An exception raised
by a signal handler inside h5py is lost. Here both wait until a moment between two writes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import CorruptFileError
from ..layout import COMPLETE
from ..system.files.signals import signals_deferred
from ..types import Array

Check = Callable[[], None]


class Disk(io.FileIO):
    """A new file that stores its first error in ``error`` instead of raising, so HDF5 continues."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "x+")
        self.error: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write all of ``data``, or store the error."""
        view = memoryview(data).cast("B")
        size = len(view)
        try:
            while view and self.error is None:
                view = view[super().write(view) or 0 :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        """Set the size of the file, or store the error."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0


@contextmanager
def new_hdf5(path: Path, **options: Any) -> Iterator[tuple[h5py.File, Check]]:
    """Open a new HDF5 file, with a check to call between writes.

    Parameters
    ----------
    path : Path
        A path that does not exist yet.
    **options
        Passed to `h5py.File`.

    Yields
    ------
    file : h5py.File
    check : callable
        Ends the block by an exception after a signal or a disk error.

    Raises
    ------
    OSError
        The first disk error, after HDF5 has closed the file.
    """
    with signals_deferred() as signals, Disk(path) as disk:

        def check() -> None:
            signals.check()
            if disk.error is not None:
                raise disk.error

        try:
            with h5py.File(disk, "w", **options) as file:
                yield file, check
        except Exception:
            if disk.error is None:  # else the failure of HDF5 follows from the disk error
                raise
        if disk.error is not None:
            raise disk.error


def read_through(
    path: Path, see: Callable[[str, Array], object] = lambda *_: None
) -> dict[str, tuple[int, ...]]:
    """Read a whole file of ours in chunks of rows, verifying all of its checksums.

    Parameters
    ----------
    path : Path
    see : callable
        Called as ``see(name, rows)`` with the rows of each dataset, in order.

    Returns
    -------
    dict of str to tuple of int
        The shape of each dataset, by its path in the file.

    Raises
    ------
    CorruptFileError
        The file cannot be opened, was not completed, or a chunk fails its checksum; the message
        names the dataset.
    """
    where, shapes = f"{path}", {}
    datasets: dict[str, h5py.Dataset] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            datasets[name] = item

    try:
        with signals_deferred() as signals, h5py.File(path, "r", locking=False) as file:
            if file.attrs.get(COMPLETE) != 1:
                raise CorruptFileError(
                    path,
                    "no mark that it was completed",
                    f"the attribute {COMPLETE} = 1",
                    "make the file again",
                )
            file.visititems(note)
            for name, data in datasets.items():
                where, shapes[name] = f"{path}:/{name}", data.shape
                step = data.chunks[0] if data.chunks else max(1, len(data))
                for start in range(0, len(data), step):
                    see(name, np.asarray(data[start : start + step]))
                    signals.check()
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise CorruptFileError(
            where, str(error), "a complete file", "copy the file again, or make it again"
        ) from error
    return shapes
