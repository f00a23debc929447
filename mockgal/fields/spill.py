"""Particles on a scratch disk, sorted by slabs of planes so that those near a plane can be read.

The scratch files have no names: the system removes them however the process ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import disk_usage
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InternalError, ResourceError, UsageError
from ..system.files.lock import output_error
from ..system.files.scratch import scratch_folder

Array = NDArray[Any]

_MOST_SLABS = 128  # each is an open file
_HEADER = 3  # numbers at the start of a segment: rows, bytes of a coordinate, common mass (or NaN)
_MARGIN = 16 << 20  # free bytes required on the disk beyond those for the particles


class Spill:
    """Particles that are written once, and read near given planes as often as needed.

    Each slab's file is a sequence of segments: the `_HEADER` numbers, positions, and masses if they
    differ. Positions are in single precision if that is exact. So a particle takes 12 bytes if its
    run has one particle mass and is stored in single precision, and 32 at most.

    Parameters
    ----------
    folder : Path or None
        Folder for scratch files; None for that of TMPDIR.
    grid_size : int
        Voxels along each side of the box.
    box_size : float
        [Mpc/h]
    count : int
        Number of particles that will be added.
    block_rows : int
        Fewest particles read together, if there are as many.

    Raises
    ------
    UsageError
        There is no such folder.
    OutputError
        The folder cannot be written to.
    """

    def __init__(
        self, folder: Path | None, grid_size: int, box_size: float, count: int, block_rows: int
    ) -> None:
        self._folder = scratch_folder(folder)
        self._size, self._per_length = grid_size, grid_size / box_size
        self._count, self._block_rows = count, block_rows
        self._thickness = -(-grid_size // _MOST_SLABS)
        self._files: list[IO[bytes]] = []
        self._rows = np.zeros(-(-grid_size // self._thickness), dtype=np.int64)
        self._open_files = ExitStack()
        self.bytes_written = 0

    def __enter__(self) -> Spill:
        try:
            for _ in self._rows:
                file = tempfile.TemporaryFile(dir=self._folder)
                self._files.append(self._open_files.enter_context(file))
        except OSError as error:
            self._open_files.close()
            raise output_error(self._folder, error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.clear()
        try:
            self._open_files.close()
        except OSError as error:  # buffered data did not fit on the disk
            if value is None:
                raise output_error(self._folder, error) from error

    def add(self, position: Array, mass: Array) -> None:
        """Write a chunk of particles.

        Parameters
        ----------
        position : ndarray of float64, shape (n, 3)
            In the box [Mpc/h].
        mass : ndarray of float64, shape (n,)
            [Msun/h]

        Raises
        ------
        ResourceError
            The disk has too little space for all particles, if they take as much as the first ones.
        OutputError
            The particles cannot be written.
        """
        if not len(position):
            return
        plane = (position[:, 0] * self._per_length).astype(np.int64)
        slab = np.minimum(plane, self._size - 1) // self._thickness  # plane may be rounded up to N
        order = np.argsort(slab.astype(np.uint8), kind="stable")
        narrow = position.astype(np.float32)
        position = (narrow if (narrow == position).all() else position)[order]
        of_all = float(mass[0]) if (mass == mass[0]).all() else np.nan
        mass = mass[order] if np.isnan(of_all) else mass[:0]
        if self.bytes_written == 0:
            self._check_room((position.nbytes + mass.nbytes) / len(position))
        number = np.bincount(slab, minlength=len(self._rows))
        first = np.cumsum(number) - number
        try:
            for k in np.flatnonzero(number):
                rows = slice(first[k], first[k] + number[k])
                header = np.array([number[k], position.itemsize, of_all])
                for part in (header, position[rows], mass[rows]):
                    self._files[k].write(part.tobytes())
                    self.bytes_written += part.nbytes
        except OSError as error:
            raise output_error(self._folder, error) from error
        self._rows += number

    def _check_room(self, bytes_of_one: float) -> None:
        try:
            free = disk_usage(self._folder).free
        except OSError as error:
            raise output_error(self._folder, error) from error
        need = int(bytes_of_one * self._count) + _MARGIN
        if free < need:
            raise ResourceError(
                self._folder,
                f"{free} bytes free",
                f"{need} bytes, for particles that do not fit in memory together with their grid",
                "give --scratch a folder on a larger disk, or more --memory",
            )

    def near(self, start: int, stop: int, reach: int) -> Iterator[tuple[Array, Array]]:
        """Yield the particles that reach planes ``start`` to ``stop``, and possibly others.

        Parameters
        ----------
        start, stop : int
        reach : int
            Planes beyond its own that a particle may reach, also through the sides of the box.

        Yields
        ------
        position : ndarray of float64, shape (n, 3)
        mass : ndarray of float64, shape (n,)
            As they were added.
        """
        if not self._files:
            raise UsageError(
                "density field",
                "a plane requested after the particles were removed",
                "planes read within the block in which the field was made",
            )
        planes = np.arange(start - reach, stop + reach) % self._size
        held: list[tuple[Array, Array]] = []
        for k in np.unique(planes // self._thickness):
            for segment in self._segments(k):
                held.append(segment)
                if sum(len(mass) for _, mass in held) >= self._block_rows:
                    yield _joined(held)
                    held = []
        if held:
            yield _joined(held)

    def _segments(self, slab: int) -> Iterator[tuple[Array, Array]]:
        file, rows = self._files[slab], 0
        try:
            file.seek(0)
            while header := file.read(8 * _HEADER):
                number, itemsize, of_all = np.frombuffer(header)
                n = int(number)
                data = file.read(3 * n * int(itemsize))
                position = np.frombuffer(data, f"f{int(itemsize)}").reshape(n, 3)
                own = np.isnan(of_all)
                mass = np.frombuffer(file.read(8 * n)) if own else np.full(n, of_all)
                rows += len(mass)
                yield position.astype(np.float64), mass
        except OSError as error:
            raise output_error(self._folder, error) from error
        if rows != self._rows[slab]:
            raise InternalError(
                self._folder,
                f"{rows} particles in a scratch file",
                f"the {self._rows[slab]} that were written",
                "make the field again; if it recurs, check the disk",
            )


def _joined(pieces: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    position, mass = zip(*pieces, strict=True)
    return np.concatenate(position), np.concatenate(mass)
