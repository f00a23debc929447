"""A new file written by a C library, so that a full disk or a signal is always noticed.

HDF5 cannot close a file on a full disk, and crashes the process when that ends. An exception raised
by a signal handler inside a C library is lost. Here both wait until a moment between two writes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from .signals import signals_deferred

T = TypeVar("T")
Check = Callable[[], None]


class Disk(io.FileIO):
    """A new file that stores its first error in ``error`` instead of raising, for C libraries."""

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
def new_file(
    path: Path, opened: Callable[[Disk], AbstractContextManager[T]]
) -> Iterator[tuple[T, Check]]:
    """Open a new file with a library, with a check to call between writes.

    Parameters
    ----------
    path : Path
        A path that does not exist yet.
    opened : callable
        Returns the library's object, which writes to a `Disk`.

    Yields
    ------
    file : object
        That of the library.
    check : callable
        Ends the block by an exception after a signal or a disk error.

    Raises
    ------
    OSError
        The first disk error, after the library has closed the file.
    """
    with signals_deferred() as signals, Disk(path) as disk:

        def check() -> None:
            signals.check()
            if disk.error is not None:
                raise disk.error

        try:
            with opened(disk) as file:
                yield file, check
        except Exception:
            if disk.error is None:  # else the failure of the library follows from the disk error
                raise
        if disk.error is not None:
            raise disk.error
