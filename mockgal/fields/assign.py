"""Mass assignment to a periodic grid (NGP, CIC, TSC, PCS), bit for bit independent of the order.

N^3 voxels of side D = L / N fill a box of size L. Voxel i covers [i D, (i + 1) D) along an axis and
has its centre at (i + 1/2) D. A particle is a cloud, the B-spline of order p, and each voxel gets
the mass of the cloud within it (Hockney & Eastwood 1988, section 5-3): NGP assigns all mass to the
voxel of the particle, and CIC shares a cube of one voxel's size among eight voxels.

Masses are summed as integers, in units of a power of two chosen from a bound on the total mass that
is known beforehand. So no bit of the result depends on the order of the particles, how they are
split into chunks, how many planes are made at a time, or the number of threads; and no mass is lost
once it is an integer. The unit is at most 2^-61 = 4.3e-19 of the bound. Each particle's mass is
rounded to it, and each share of the mass is wrong by a few units at most.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, UsageError
from ..system.memory import check_memory
from ..system.parallel import over

Array = NDArray[Any]

SUPPORT = {"NGP": 1, "CIC": 2, "TSC": 3, "PCS": 4}  # voxels that a cloud covers along each axis

_BITS = 62  # of the largest sum of integer masses
_TOLERANCE = 1e-6  # relative excess of a sum over its bound: above rounding, and within 63 bits
_PART_ROWS = 1 << 16  # rows in one call; fewer are not worth another thread
_PART_BYTES = 1 << 20  # bytes of a grid in one call
_BLOCK_ROWS = 1 << 22  # most rows sorted together
_SLAB_PLANES = 4  # at least the planes that a cloud covers beyond its first
_TILE_BYTES = 1 << 18  # fits in the cache of one processor
_MOST_TILES = 1 << 12


def deposit(
    position: Array, weight: Any, *, grid_size: int, box_size: float, assignment: str = "CIC"
) -> Array:
    """Return the mass per voxel.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        In [0, box_size) [Mpc/h].
    weight : ndarray, shape (n,), or float
        What each particle adds to the grid (a mass in Msun/h, or 1), 0 or more.
    grid_size : int
        N, at least the scheme's support.
    box_size : float
        [Mpc/h]
    assignment : str
        One of `SUPPORT`.

    Returns
    -------
    ndarray of float64, shape (N, N, N)
        In the unit of ``weight``; its sum is the sum of the weights. The work needs about 5 bytes
        per voxel and at most 160 MB of further memory.

    Raises
    ------
    BadValueError
        A position is outside the box, a weight is negative, or either is not a number.
    UsageError, ResourceError
        See `Deposit`.
    """
    mass = _columns(position, weight)[1]
    field = Deposit(grid_size, box_size, assignment, mass_bound=total_mass(mass))
    field.add(position, mass)
    return field.finish()


def total_mass(weight: Array) -> float:
    """Return the sum of weights, rounded up; it does not depend on their order.

    Parameters
    ----------
    weight : ndarray, shape (n,)

    Raises
    ------
    BadValueError
        A weight is negative or not a finite number.
    """
    if len(weight) == 0:
        return 0.0
    least, largest = float(np.min(weight)), float(np.max(weight))
    if not (least >= 0.0 and largest < np.inf):
        raise _bad_weights(weight)
    if least == largest:
        return largest * len(weight)
    scale = _scale(largest) / 2.0 ** len(weight).bit_length()

    def part(rows: slice) -> int:
        return int(np.ceil(weight[rows] * np.float64(scale)).astype(np.int64).sum())

    return sum(over(part, _parts(len(weight)))) / scale


class Deposit:
    """A grid to which particles are added in chunks.

    Parameters
    ----------
    grid_size : int
        N, at least the scheme's support.
    box_size : float
        [Mpc/h]
    assignment : str
        One of `SUPPORT`.
    mass_bound : float
        Upper bound on the mass of all particles together. Fields made with the same bound are
        identical bit for bit; the mass of a particle, and of a voxel, is resolved to 2^-61 of it.
    planes : tuple of two int, optional
        The planes of the first axis to make, from the first up to, but excluding, the second; by
        default all.

    Raises
    ------
    UsageError
        The scheme is unknown, the grid is smaller than the cloud, or the box size, the planes or
        the bound are not allowed.
    ResourceError
        The grid does not fit in memory.
    """

    def __init__(
        self,
        grid_size: int,
        box_size: float,
        assignment: str,
        *,
        mass_bound: float,
        planes: tuple[int, int] | None = None,
    ) -> None:
        start, stop = (0, grid_size) if planes is None else planes
        _check(grid_size, box_size, assignment)
        if not 0 <= start < stop <= grid_size:
            raise UsageError("planes", f"{start} to {stop}", f"some of 0 to {grid_size}")
        if not 0.0 <= mass_bound < np.inf:
            raise UsageError("mass bound", f"{mass_bound}", "a number from 0 on")
        self._size, self._box_size, self._start = int(grid_size), float(box_size), start
        self._support, self._per_length = SUPPORT[assignment], grid_size / box_size
        self._bound, self._scale = float(mass_bound), _scale(mass_bound)
        self._most = self._left = int(mass_bound * self._scale * (1.0 + _TOLERANCE))
        self._planes_together = 1 + _PART_BYTES // (8 * self._size**2)
        self._lay_out(start, stop)
        planes_of = f"grid of {stop - start} x {grid_size} x {grid_size} voxels"
        check_memory(planes_of, 8 * (stop - start) * grid_size**2)
        self._grid: Array | None = np.zeros((stop - start, grid_size, grid_size), dtype=np.int64)

    def _lay_out(self, start: int, stop: int) -> None:
        """Cut the box into an even number of slabs, and the slabs into tiles of whole lines.

        Slabs are at least as wide as a cloud, so that particles in every other slab (by the voxel
        that `_place` gives) never share a plane.
        """
        size, support = self._size, self._support
        slabs = 2 * (size // (2 * _SLAB_PLANES)) or 1
        self._edges = -(-np.arange(slabs + 1) * size // slabs)
        most = min(_MOST_TILES // slabs, -(-_SLAB_PLANES * size * size * 8 // _TILE_BYTES))
        self._lines = -(-size // max(1, most))
        self._tiles = -(-size // self._lines)
        plane = np.arange(size)
        reached = (plane[:, None] - (support - 1) // 2 + np.arange(support)) % size
        wanted = ((reached >= start) & (reached < stop)).any(axis=1)
        slab = plane * slabs // size
        self._tile_of_plane = np.where(wanted, slab * self._tiles, -1).astype(np.int32)
        self._tile_of_row = (plane // self._lines).astype(np.int32)

    def add(self, position: Array, weight: Any) -> None:
        """Deposit a chunk of particles.

        Parameters
        ----------
        position : ndarray, shape (n, 3)
            In [0, box_size) [Mpc/h].
        weight : ndarray, shape (n,), or float

        Raises
        ------
        BadValueError
            A position is outside the box, a weight is negative, or either is not a number; or the
            weights add up to more than the bound. The grid cannot be used after that.
        """
        grid = self._take_grid()
        position, mass = _columns(position, weight)
        step = min(_BLOCK_ROWS, max(_PART_ROWS, self._size**3 // 8))
        for first in range(0, len(position), step):
            rows = slice(first, first + step)
            if not self._add_block(grid, position[rows], mass[rows]):
                raise self._refusal(position, mass)
        self._grid = grid

    @property
    def total(self) -> float:
        """Mass of all particles added, including those that reach no plane of the grid.

        It is a sum of integers, rounded once, so it does not depend on the order of the particles.
        """
        return (self._most - self._left) / self._scale

    def _add_block(self, grid: Array, position: Array, mass: Array) -> bool:
        from . import assign_kernels as kernels

        number = len(position)
        parts, tiles = _parts(number), self._tiles * (len(self._edges) - 1)
        tile = np.empty(number, dtype=np.int32)
        counts = np.zeros((len(parts), tiles), dtype=np.int64)

        def count(part: int) -> int:
            rows = parts[part]
            return kernels.count(  # type: ignore[no-any-return]
                *_plain(position[rows], mass[rows]),
                *(self._box_size, self._per_length, self._scale, self._left),
                *(self._size, self._support, self._tile_of_plane, self._tile_of_row),
                *(tile[rows], counts[part]),
            )

        totals = over(count, range(len(parts)))
        self._left -= sum(totals)
        if min(totals) < 0 or self._left < 0:
            return False
        first = np.concatenate([[0], np.cumsum(counts.sum(axis=0))])
        place = first[:-1] + np.cumsum(counts, axis=0) - counts
        sorted_position = np.empty((first[-1], 3))
        sorted_mass = np.empty(first[-1], dtype=np.int64)

        def sort(part: int) -> None:
            rows = parts[part]
            kernels.sort(
                *_plain(position[rows], mass[rows]),
                *(self._per_length, self._scale, tile[rows], place[part]),
                *(sorted_position, sorted_mass),
            )

        over(sort, range(len(parts)))
        deposit = kernels.depositor(self._support)

        def deposit_slab(slab: int) -> None:
            rows = first[slab * self._tiles : (slab + 1) * self._tiles + 1]
            planes = self._edges[slab : slab + 2]
            deposit(sorted_position, sorted_mass, rows, self._start, *planes, self._lines, grid)

        filled = np.flatnonzero(np.diff(first[:: self._tiles]))
        for some in (filled[filled % 2 == 0], filled[filled % 2 == 1]):
            if number > _PART_ROWS:
                over(deposit_slab, some)
            else:
                for slab in some:
                    deposit_slab(slab)
        return True

    def finish(self) -> Array:
        """Return the field, after which no particles can be added.

        Returns
        -------
        ndarray of float64, shape (planes, N, N)
            In the unit of the weights.
        """
        from . import assign_kernels as kernels

        grid = self._take_grid()
        field, unit = grid.view(np.float64), 1.0 / self._scale  # the same memory

        def convert(planes: slice) -> None:
            kernels.convert(grid[planes], unit, field[planes])

        over(convert, _parts(len(grid), self._planes_together))
        return field

    def _take_grid(self) -> Array:
        """Return the grid and detach it; `add` attaches it again on success."""
        grid, self._grid = self._grid, None
        if grid is None:
            raise UsageError(
                "field", "one that is finished, or that failed with an error", "one still in use"
            )
        return grid

    def _refusal(self, position: Array, mass: Array) -> BadValueError:
        outside = ~((position >= 0.0) & (position < self._box_size)).all(axis=1)
        bad = np.flatnonzero(outside)
        if bad.size:
            return BadValueError(
                "position",
                f"{bad.size} positions, the first {position[bad[0]].tolist()} in row {bad[0]}",
                f"coordinates in [0, {self._box_size:g}) Mpc/h",
                "wrap them into the box",
            )
        if not ((mass >= 0.0) & (mass < np.inf)).all():
            return _bad_weights(mass)
        return BadValueError(
            "weight",
            f"a sum above {self._bound:.17g}",
            "at most the mass bound",
            "pass the total mass of all particles as mass_bound",
        )


def reference(
    position: Array, weight: Any, *, grid_size: int, box_size: float, assignment: str = "CIC"
) -> Array:
    """Return the field of `deposit` up to rounding, by NumPy alone: slow but short.

    Parameters and returned values are those of `deposit`; positions and weights are not checked.
    """
    _check(grid_size, box_size, assignment)
    support = SUPPORT[assignment]
    position, mass = _columns(position, weight)
    u = position.astype(np.float64) * (grid_size / box_size)
    u = np.minimum(u, np.nextafter(grid_size, 0.0))  # not rounded up to the far edge
    first = np.floor(u - (support - 1) / 2).astype(np.int64)
    grid = np.zeros((grid_size,) * 3)
    for offset in np.ndindex((support,) * 3):
        voxel = first + offset
        share = mass * _spline(support, u - (voxel + 0.5)).prod(axis=1)
        np.add.at(grid, tuple(voxel.T % grid_size), share)
    return grid


def _spline(support: int, x: Array) -> Array:
    """Return the share of a voxel whose centre is x voxels away, along one axis."""
    x = np.abs(x)
    if support == 1:
        return np.ones_like(x)
    if support == 2:
        return 1 - x
    if support == 3:
        return np.where(x < 0.5, 0.75 - x**2, 0.5 * (1.5 - x) ** 2)
    return np.where(x < 1, 4 - 6 * x**2 + 3 * x**3, (2 - x) ** 3) / 6


def check_grid(grid_size: int, assignment: str) -> None:
    """Raise if mass cannot be assigned to such a grid.

    Raises
    ------
    UsageError
        The scheme is unknown, or the grid is smaller than the cloud.
    """
    if assignment not in SUPPORT:
        raise UsageError("assignment", repr(assignment), "one of " + ", ".join(SUPPORT))
    if grid_size < SUPPORT[assignment]:
        raise UsageError(
            "grid size",
            f"{grid_size}",
            f"at least {SUPPORT[assignment]}, the voxels that {assignment} spreads a particle over",
        )


def _check(grid_size: int, box_size: float, assignment: str) -> None:
    check_grid(grid_size, assignment)
    if not 0.0 < box_size < np.inf:
        raise UsageError("box size", f"{box_size}", "a positive length in Mpc/h")


def _columns(position: Array, weight: Any) -> tuple[Array, Array]:
    """Return the positions, and one weight for each."""
    position, weight = np.asarray(position), np.asarray(weight)
    if position.ndim != 2 or position.shape[1] != 3 or weight.shape not in ((), position.shape[:1]):
        raise BadValueError(
            "particles",
            f"positions of shape {position.shape} and weights of shape {weight.shape}",
            "(n, 3), and (n,) or a number",
        )
    return position, np.broadcast_to(weight, position.shape[:1])


def _plain(position: Array, mass: Array) -> tuple[Array, Array]:
    """Return contiguous, aligned float64 arrays for the compiled loops."""
    return np.require(position, np.float64, ("C", "A")), np.require(mass, np.float64, ("C", "A"))


def _parts(number: int, together: int = _PART_ROWS) -> list[slice]:
    return [slice(start, min(start + together, number)) for start in range(0, number, together)]


def _scale(bound: float) -> float:
    """Return the power of two that scales masses up to ``bound`` to numbers below 2^62."""
    return math.ldexp(1.0, min(_BITS - math.frexp(bound)[1], 1000))


def _bad_weights(weight: Array) -> BadValueError:
    bad = np.flatnonzero(~((weight >= 0.0) & (weight < np.inf)))
    return BadValueError(
        "weight",
        f"{bad.size} that are negative or not finite, the first {weight[bad[0]]} in row {bad[0]}",
        "numbers from 0 on",
    )
