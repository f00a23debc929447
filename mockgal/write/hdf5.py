"""HDF5 output: the group ``galaxies`` with one dataset per column; the facts as root attributes.

Each dataset has the attributes ``unit`` ("" where a power of h goes with it), ``h_power`` and
``description``. The root has the facts of the table in `mockgal.write.fits`, under their long names
(``simulation``, ``box_size``, ...), ``provenance`` (the full JSON) and, written last, ``complete``.
"""

from __future__ import annotations

import io
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import CorruptFileError
from ..types import GalaxyCatalog
from .atomic import atomic_output
from .provenance import FileColumn, FileContent, describe

GROUP = "galaxies"

# Rows in a chunk of a dataset. Writes are whole chunks, so that the layout of the file, and with it
# every byte, does not depend on the rows written at a time.
_CHUNK = 16384
_OVERHEAD = 1 << 18  # bytes of HDF5's own for a file like this, beyond 1% of the data


class HDF5Writer:
    """Writes HDF5 files."""

    name = "hdf5"
    extensions = (".hdf5", ".h5")

    def write(
        self,
        galaxies: GalaxyCatalog,
        path: Path,
        *,
        units: str = "h-free",
        overwrite: bool = False,
        chunk_rows: int = 65536,
        inputs: Iterable[Path] = (),
    ) -> None:
        """Write ``galaxies`` to ``path`` through the write protocol.

        Parameters
        ----------
        galaxies : GalaxyCatalog
        path : Path
        units : str
            ``"h-free"`` or ``"h"``, see `mockgal.write.provenance.file_columns`.
        overwrite : bool
            Whether a file of that name may be replaced.
        chunk_rows : int
            Rows converted at a time, rounded to the file's chunks; the file does not depend on it.
        inputs : iterable of Path
            Files that were read, none of which may be ``path``.
        """
        content = describe(galaxies, units)
        data = sum(column.values.nbytes for column in content.columns)
        with (
            atomic_output(
                path,
                overwrite=overwrite,
                inputs=inputs,
                expected_bytes=data + data // 100 + len(content.provenance) + _OVERHEAD,
                verify=lambda written: _verify_content(written, content),
            ) as temporary,
            _signals_deferred() as signals,
            _Disk(temporary) as disk,
        ):
            with suppress(_Stop), h5py.File(disk, "w") as file:
                _fill(file, disk, signals, content, max(1, chunk_rows // _CHUNK) * _CHUNK)
            if disk.error is not None:
                raise disk.error


class _Stop(Exception):
    """Ends the writing where HDF5 can close its file; the cause is raised after that."""


@contextmanager
def _signals_deferred() -> Iterator[list[int]]:
    """Keep signals that would raise in the block, in the list given, until its end.

    An exception in the midst of HDF5 (in `_Disk`, or where h5py frees its objects) is lost or
    crashes the process.
    """
    kept: list[int] = []
    former: dict[signal.Signals, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                if callable(signal.getsignal(number)):
                    former[number] = signal.signal(number, lambda n, _: kept.append(n))
        yield kept
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for number_kept in kept:
            signal.raise_signal(number_kept)


class _Disk(io.FileIO):
    """A new file that keeps its first error to itself, in ``error``.

    When the disk is full, HDF5 cannot close its file, and crashes the process when that ends: so it
    is not told.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "x+")
        self.error: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write all of ``data``, or keep the error."""
        view = memoryview(data).cast("B")
        size = len(view)
        try:
            while view and self.error is None:
                view = view[super().write(view) or 0 :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        """Set the size of the file, or keep the error."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0


def _fill(file: Any, disk: _Disk, signals: list[int], content: FileContent, step: int) -> None:
    group = file.create_group(GROUP)
    for column in content.columns:
        dataset = _new_dataset(group, column, content.rows)
        for start in range(0, content.rows, step):
            stop = min(start + step, content.rows)
            dataset[start:stop] = column.rows(start, stop)
            if disk.error is not None or signals:
                raise _Stop
    for item in content.essentials:
        file.attrs[item.name] = item.value
    file.attrs["provenance"] = content.provenance
    file.flush()
    file.attrs["complete"] = 1


def _new_dataset(group: Any, column: FileColumn, rows: int) -> Any:
    dataset = group.create_dataset(
        column.name,
        shape=(rows, *column.shape),
        dtype=column.dtype.newbyteorder("<"),
        chunks=(min(_CHUNK, max(1, rows)), *column.shape),
        maxshape=(None, *column.shape),
        fletcher32=True,
        track_times=False,
    )
    dataset.attrs["unit"] = column.unit
    dataset.attrs["h_power"] = column.h_power
    dataset.attrs["description"] = column.description
    return dataset


def verify_hdf5(path: Path) -> dict[str, int]:
    """Check that ``path`` is a whole and undamaged file of ours, reading it piece by piece.

    Returns
    -------
    dict of str to int
        Number of rows of each column.

    Raises
    ------
    CorruptFileError
        The file cannot be opened, was not completed, or a chunk fails its checksum; the message
        names the dataset.
    """
    where, rows = f"{path}", {}
    try:
        with h5py.File(path, "r", locking=False) as file:
            if file.attrs.get("complete") != 1 or GROUP not in file:
                raise CorruptFileError(
                    path,
                    "no mark that it was completed",
                    "the attribute complete = 1",
                    "make the file again",
                )
            for name, dataset in file[GROUP].items():
                where, rows[name] = f"{path}:/{GROUP}/{name}", len(dataset)
                for start in range(0, len(dataset), _CHUNK):
                    np.asarray(dataset[start : start + _CHUNK])  # HDF5 checks the sums as it reads
    except (OSError, RuntimeError, KeyError) as error:
        raise CorruptFileError(
            where, str(error), "a whole file", "copy the file again, or make it again"
        ) from error
    return rows


def _verify_content(path: Path, content: FileContent) -> None:
    rows = verify_hdf5(path)
    expected = {column.name: content.rows for column in content.columns}
    if rows != expected:
        raise CorruptFileError(path, f"the rows {rows}", f"{expected}")
