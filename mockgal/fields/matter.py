"""The matter channel: mass per voxel from streamed particles, which are never all in memory.

The grid holds integers (`mockgal.fields.assign`), whose unit follows from the mass of matter that
Omega_m gives the box: it is known before the first particle and does not depend on their order. So
a voxel has the same bits whether all planes are made at once, or some at a time from particles
sorted to scratch files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cosmology import MATTER_TOLERANCE
from ..errors import HeaderError, InternalError, ResourceError, UnitsError, UsageError, warn
from ..system.files.scratch import scratch_folder
from ..system.files.signals import signals_deferred
from ..system.memory import available
from ..types import DensityField, Particles, Snapshot
from .assign import SUPPORT, Deposit
from .origin import particles_on_corners
from .spill import Spill

Array = NDArray[Any]
Progress = Callable[[int, int, str], object]

_ROW_BYTES = 128  # memory per particle of a chunk: as read, as sorted, and in between
_ROWS = (1 << 12, 1 << 20)  # fewest and most rows of a chunk
_SHARE = 8  # a chunk may take one part in so many of the memory
_BATCHES = 4  # batches in which the planes that fit in memory are made
_ROUNDING = 1e-9  # relative difference of sums added up in another order


class MatterField(NamedTuple):
    """The result of `matter_field`.

    Parameters
    ----------
    field : DensityField
        Of kind ``mass`` [Msun/h].
    record : dict
        Counts of particles and moved positions, as plain JSON values; the same in memory or from
        scratch files.
    scratch_bytes : int
        Bytes written to scratch files; 0 if the grid fits in memory.
    """

    field: DensityField
    record: dict[str, Any]
    scratch_bytes: int


@contextmanager
def matter_field(
    particles: Particles,
    snapshot: Snapshot,
    *,
    grid_size: int,
    assignment: str = "CIC",
    origin: str = "corner",
    memory: int | None = None,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[MatterField]:
    """Yield the mass of particles per voxel, for use within the block.

    The particles are read once. If the grid fits in ``memory`` they are added to it; if not, they
    are sorted to scratch files, from which planes are made on request.

    Parameters
    ----------
    particles : Particles
    snapshot : Snapshot
        Snapshot of the particles, whose mass must match its Omega_m.
    grid_size : int
        Voxels along each side, N.
    assignment : str
        One of `mockgal.fields.assign.SUPPORT`.
    origin : str
        See `mockgal.fields.origin.on_corners`.
    memory : int, optional
        Bytes for the grid, or for the planes of it that are kept, and the chunk of particles being
        processed; by default half of the free memory. If only some planes are kept, the arrays that
        ``read_slab`` returns need further memory.
    scratch : Path, optional
        Folder for scratch files of 12 to 32 bytes per particle; by default that of TMPDIR.
    progress : callable, optional
        Called as ``progress(particles done, particles, "particles")``.

    Yields
    ------
    MatterField
        ``field.read_slab`` returns read-only float64 arrays. The planes made last are kept, so that
        slabs that overlap are not computed twice.

    Raises
    ------
    UsageError
        The scheme is unknown, the folder does not exist, or the grid is smaller than the cloud.
    OutputError
        The scratch folder cannot be reached or written to.
    ResourceError
        Too little memory for one plane, or too little space on the scratch disk.
    HeaderError, UnitsError, BadValueError
        The number of particles differs from the stated one; the total mass differs from that of
        Omega_m by more than 5%; positions are outside the box, or masses are negative or not
        numbers.
    InternalError
        The mass of the grid differs from that of the particles.
    """
    if scratch is not None:
        scratch_folder(scratch)
    memory = available() // 2 if memory is None else memory
    rows = max(_ROWS[0], min(memory // _SHARE // _ROW_BYTES, _ROWS[1]))
    plane_bytes, left = 8 * grid_size**2, memory - rows * _ROW_BYTES
    bound = (1.0 + MATTER_TOLERANCE) * snapshot.cosmology.matter_mass(snapshot.box_size)
    box_size, voxel = snapshot.box_size, snapshot.box_size / grid_size
    particles = particles_on_corners(particles, origin, voxel, box_size)

    def new(start: int, stop: int) -> Deposit:
        planes = (start, stop)
        return Deposit(grid_size, box_size, assignment, mass_bound=bound, planes=planes)

    if left < plane_bytes:
        raise ResourceError(
            "memory",
            f"{memory} bytes",
            f"at least {plane_bytes + rows * _ROW_BYTES}, for one plane of {grid_size}^2 voxels "
            "and a chunk of particles",
            "give more --memory, or a smaller grid",
        )
    if left >= plane_bytes * grid_size:
        deposit = new(0, grid_size)
        record = _stream(particles, snapshot, deposit, None, rows, progress)
        grid = deposit.finish()
        grid.flags.writeable = False
        _check_sum(snapshot, grid.sum(axis=(1, 2)), deposit.total)

        def read_slab(start: int, stop: int) -> Array:
            _check_planes(start, stop, grid_size)
            return grid[start:stop]

        field = DensityField(grid_size, voxel, "mass", assignment, origin, read_slab)
        yield MatterField(field, record, 0)
        return
    with Spill(scratch, grid_size, box_size, particles.count, rows) as spill:
        checked = new(0, 1)  # so that all particles are checked once
        record = _stream(particles, snapshot, checked, spill, rows, progress)

        def make(start: int, stop: int) -> Array:
            some = new(start, stop)
            for position, mass in spill.near(start, stop, SUPPORT[assignment] // 2):
                some.add(position, mass)
            return some.finish()

        slabs = _Slabs(make, snapshot, grid_size, left // plane_bytes, checked.total)
        field = DensityField(grid_size, voxel, "mass", assignment, origin, slabs.read)
        yield MatterField(field, record, spill.bytes_written)


def _stream(
    particles: Particles,
    snapshot: Snapshot,
    deposit: Deposit,
    spill: Spill | None,
    rows: int,
    progress: Progress | None,
) -> dict[str, Any]:
    """Add all particles to ``deposit`` and ``spill``, and return the counts for the record."""
    expected = snapshot.cosmology.matter_mass(snapshot.box_size)
    done = wrapped = at_edge = 0
    with signals_deferred() as signals:  # HDF5 would lose the exception of a signal
        for chunk in particles.chunks(rows):
            signals.check()
            position = np.asarray(chunk.position, dtype=np.float64)
            mass = np.asarray(chunk.mass, dtype=np.float64)
            done += len(mass)
            if done > particles.count:
                break
            if deposit.total + mass.sum() > (1 + MATTER_TOLERANCE + _ROUNDING) * expected:
                raise _other_matter(snapshot, "more than", 1 + MATTER_TOLERANCE)
            deposit.add(position, mass)
            if spill is not None:
                spill.add(position, mass)
            wrapped, at_edge = wrapped + int(chunk.wrapped), at_edge + int(chunk.at_edge)
            if progress is not None:
                progress(done, particles.count, "particles")
    if done != particles.count:
        raise HeaderError(
            f"{snapshot.name}: particles",
            f"{done}" + " or more" * (done > particles.count),
            f"{particles.count}",
            "read the input again",
        )
    ratio = deposit.total / expected
    if not ratio >= 1 - MATTER_TOLERANCE - _ROUNDING:
        raise _other_matter(snapshot, "only", ratio)
    return {
        "particles": done,
        "mass_msun_h": deposit.total,
        "mean_density_over_omega_m": ratio,
        "positions_wrapped": wrapped,
        "positions_at_box_edge": at_edge,
    }


def _other_matter(snapshot: Snapshot, word: str, ratio: float) -> UnitsError:
    return UnitsError(
        f"{snapshot.name}: particles",
        f"{word} {ratio:.6g} times the matter of Omega_m",
        f"1 within {MATTER_TOLERANCE:.0%}",
        "look for missing or repeated particles, and for wrong units or a wrong cosmology",
    )


def _check_planes(start: int, stop: int, grid_size: int) -> None:
    if not 0 <= start < stop <= grid_size:
        raise UsageError("planes", f"{start} to {stop}", f"some of 0 to {grid_size}")


def _check_sum(snapshot: Snapshot, of_planes: Array, total: float) -> None:
    """Raise if the mass of all planes differs from that of the particles."""
    mass = math.fsum(of_planes)
    if not abs(mass - total) <= 1e-12 * total:
        raise InternalError(
            f"{snapshot.name}: density field",
            f"a mass of {mass:.17g} Msun/h",
            f"the {total:.17g} of the particles",
            "make the field again; if it recurs, please report it",
        )


class _Slabs:
    """Planes that are made in batches, of which the last ones are kept for the next call.

    Parameters
    ----------
    make : callable
        ``make(start, stop)`` returns planes, shape (stop - start, N, N).
    snapshot : Snapshot
    grid_size : int
    most : int
        Most planes in memory at a time.
    total : float
        Mass of all planes.
    """

    def __init__(
        self,
        make: Callable[[int, int], Array],
        snapshot: Snapshot,
        grid_size: int,
        most: int,
        total: float,
    ) -> None:
        self._make, self._snapshot, self._total = make, snapshot, total
        self._size, self._most, self._batch = grid_size, most, max(1, most // _BATCHES)
        self._kept: list[tuple[int, Array]] = []
        self._mass = np.full(grid_size, np.nan)  # of each plane made so far
        self._lock = Lock()  # each scratch file has a single read position

    def read(self, start: int, stop: int) -> Array:
        """Return planes ``start`` to ``stop``, read-only."""
        _check_planes(start, stop, self._size)
        result = np.empty((stop - start, self._size, self._size))
        done = np.zeros(stop - start, dtype=bool)

        def take(first: int, block: Array) -> None:
            low, high = max(start, first), min(stop, first + len(block))
            if low < high:
                result[low - start : high - start] = block[low - first : high - first]
                done[low - start : high - start] = True

        with self._lock:
            for first, block in self._kept:
                take(first, block)
            while not done.all():
                missing = int(np.argmin(done))
                following = np.flatnonzero(done[missing:])
                number = min(self._batch, self._size - start - missing)
                if following.size:
                    number = min(number, int(following[0]))
                take(start + missing, self._new(start + missing, start + missing + number))
        result.flags.writeable = False
        return result

    def _new(self, start: int, stop: int) -> Array:
        while self._kept and sum(len(b) for _, b in self._kept) + stop - start > self._most:
            del self._kept[0]
        block = self._make(start, stop)
        self._kept.append((start, block))
        unseen = bool(np.isnan(self._mass).any())
        self._mass[start:stop] = block.sum(axis=(1, 2))
        if unseen and not np.isnan(self._mass).any():
            _check_sum(self._snapshot, self._mass, self._total)
        return block


def warn_of_moved(counts: Mapping[str, Any]) -> None:
    """Warn if particles were moved into the box."""
    wrapped, at_edge = counts["positions_wrapped"], counts["positions_at_box_edge"]
    if wrapped or at_edge:
        warn(
            f"particles: {wrapped} coordinates outside the box were wrapped, "
            f"{at_edge} at its far edge became 0; both are recorded",
        )
