"""Our HDF5 files, written and read back so that a full disk or a signal is always noticed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import CorruptFileError
from ..layout import COMPLETE
from ..system.files.disk import Check, new_file
from ..system.files.signals import signals_deferred
from ..types import Array


def new_hdf5(path: Path, **options: Any) -> AbstractContextManager[tuple[h5py.File, Check]]:
    """Return a context with a new HDF5 file, and a check to call between writes.

    Parameters
    ----------
    path : Path
        A path that does not exist yet.
    **options
        Passed to `h5py.File`.

    Returns
    -------
    context manager
        See `mockgal.system.files.disk.new_file`.
    """
    return new_file(path, lambda disk: h5py.File(disk, "w", **options))


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
