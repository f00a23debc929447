"""Numbers in the packed forms in which Abacus stores them.

``rvint``: a 32-bit integer for each axis; the upper 20 bits are the position in units of 1e-6 of
the box, from its centre, and the lower 12 the velocity, which is not needed.

``pack9``: records of 9 bytes that hold six 12-bit integers. Of three bytes a, b, c the first
integer is a and the lower half of b, the second the upper half of b and c. A record whose first
byte is 255 opens a cell; of its integers less 48, the second is the number n of cells along the
box, and the last three are the place (i, j, k) of the cell. Every other record is a particle in the
cell; of its integers less 2048, the first three are its offset from the cell's centre in units of
1 / (2000 n) of the box, and the others its velocity.

Ratios: 16-bit integers, 32000 for 1.

All were worked out from files, and from the values that abacusutils gives for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BYTES = 9  # of a record of pack9
CELL = 255  # first byte of a record that opens a cell
NO_CELL = (0, 0, 0, 0)
_ZERO, _CELL_ZERO = 2048, 48
_UNITS = 2000.0  # of offsets along a cell
_RVINT = 1e-6  # of the box
_RATIO = 32000.0
_HALF = 0.51  # of the box, and a margin

Floats = NDArray[np.float64]
Cell = tuple[int, ...]  # number of cells along the box (0 before the first), and i, j, k


def to_corner(position: Floats, side: float) -> Floats:
    """Return positions from the corner of the box, of those from its centre; changed in place.

    Positions that are neither, nor just outside by rounding, stay negative.
    """
    position[(position < 0) & (position >= -_HALF * side)] += side
    return position


def from_rvint(values: NDArray[Any]) -> Floats:
    """Return positions in units of the box, from its centre, shape (n, 3)."""
    return np.asarray((values >> 12) * _RVINT)


def from_ratios(values: NDArray[Any]) -> Floats:
    """Return the ratios, shape (n,)."""
    return np.asarray(values / _RATIO)


def from_pack9(records: NDArray[np.uint8], cell: Cell = NO_CELL) -> tuple[Floats, Cell]:
    """Return positions in units of the box, from its centre, and the cell that is open at the end.

    Parameters
    ----------
    records : ndarray of uint8, shape (n, 9)
    cell : tuple of int
        The cell that is open at the beginning.

    Returns
    -------
    ndarray of float64, shape (particles, 3)
    tuple of int

    Raises
    ------
    ValueError
        Particles outside any cell, or cells outside the box.
    """
    opens = np.flatnonzero(records[:, 0] == CELL)
    cells = np.concatenate([np.array([cell]), _cells(records[opens])])
    bad = (cells[1:, 1:] < 0) | (cells[1:, 1:] >= cells[1:, :1])
    if bad.any():
        raise ValueError("a cell outside the box")
    number = np.zeros(len(records), np.int64)
    number[opens] = 1
    number = np.delete(np.cumsum(number), opens)
    if len(number) and not (cell[0] or number[0]):
        raise ValueError("a particle before the first cell")
    first, second = _twelve_bits(np.delete(records, opens, axis=0)[:, :6])
    offset = np.stack([first[:, 0], second[:, 0], first[:, 1]], axis=1) - _ZERO
    own = cells[number]
    position = (own[:, 1:] + 0.5 + offset / _UNITS) / own[:, :1] - 0.5
    return position, tuple(cells[-1].tolist())


def _cells(records: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the cells that records open, shape (n, 4)."""
    first, second = _twelve_bits(records)
    cells = np.stack([second[:, 0], second[:, 1], first[:, 2], second[:, 2]], axis=1)
    return cells - _CELL_ZERO


def _twelve_bits(records: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and the second integer of each three bytes, shape (n, bytes / 3)."""
    a, b, c = (records[:, start::3].astype(np.int64) for start in range(3))
    return a << 4 | b & 15, b >> 4 << 8 | c
