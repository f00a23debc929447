"""Copies of a periodic box about an observer, and their numbers in the column ``copy``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...columns import COPY_OF_THE_BOX, NEXT_SNAPSHOT
from ...errors import UsageError
from ...system.memory import check_memory
from ..footprint import SkyCap

Array = NDArray[Any]

_MOST_COPIES = 499  # along each axis, on either side, by the digits of the column `copy`
_STEP = 1_000
_BYTES = 64  # of a copy, at the peak


def copies_of(
    size: float,
    observer: Array,
    shell: tuple[float, float],
    cap: SkyCap | None,
    turn: Sequence[Sequence[float]],
) -> Array:
    """Return the copies of the box that reach into a shell and a cap.

    Parameters
    ----------
    size : float
        Side of the box [Mpc/h].
    observer : ndarray, shape (3,)
    shell : tuple of float
        Distances [Mpc/h].
    cap : SkyCap or None
    turn : matrix, shape (3, 3)
        From the box to the sky.

    Returns
    -------
    ndarray of int, shape (n, 3)
        Whole numbers of boxes, in their order.

    Raises
    ------
    UsageError
        There are more along an axis than ``copy`` can number.
    ResourceError
        They are more than the memory holds.
    """
    start, stop = shell
    low = np.floor((observer - stop) / size).astype(int)
    high = np.floor((observer + stop) / size).astype(int)
    if max(abs(int(low.min())), abs(int(high.max()))) > _MOST_COPIES:
        raise UsageError(
            "light cone",
            f"a distance of {stop:.6g} Mpc/h in boxes of {size:g} Mpc/h",
            f"at most {_MOST_COPIES} copies along each axis",
            "give a larger box, or a smaller largest redshift",
        )
    number = math.prod(int(n) for n in high - low + 1)
    check_memory(
        f"{number:,} copies of the box, which reach {stop:.6g} Mpc/h",
        _BYTES * number,
        "give a larger box, or a smaller largest redshift",
    )
    axes = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    near, far = [], []
    for axis, whole in enumerate(axes):
        begin = size * whole - observer[axis]
        near.append(np.maximum(np.maximum(begin, -(begin + size)), 0.0) ** 2)
        far.append(np.maximum(np.abs(begin), np.abs(begin + size)) ** 2)
    nearest = near[0][:, None, None] + near[1][:, None] + near[2]
    farthest = far[0][:, None, None] + far[1][:, None] + far[2]
    rows = np.argwhere((nearest < stop**2) & (farthest >= start**2))
    copies = np.stack([axes[k][rows[:, k]] for k in range(3)], axis=-1)
    return copies if cap is None else copies[_in_cap(copies, size, observer, cap, turn)]


def _in_cap(
    copies: Array, size: float, observer: Array, cap: SkyCap, turn: Sequence[Sequence[float]]
) -> Array:
    """Return which copies may have galaxies in a cap.

    A galaxy is up to half a box, along each axis, from the place of its halo, which is as far from
    the middle of the copy: both are within a sphere about it.
    """
    middle = size * (copies + 0.5) - observer
    away = np.sqrt((middle**2).sum(axis=1))
    along = middle @ (np.array(cap.axis) @ np.array(turn))
    reach = np.arcsin(np.minimum(math.sqrt(3.0) * size / np.maximum(away, 1e-9 * size), 1.0))
    angle = np.arccos(np.clip(along / np.maximum(away, 1e-9 * size), -1.0, 1.0))
    near = away <= math.sqrt(3.0) * size
    return np.asarray(near | (angle <= math.radians(cap.opening) + reach + 1e-9))


def number_of(shift: Array, snapshot: int) -> Array:
    """Return the numbers of copies, shape (n, 3), as in the column ``copy``, shape (n,)."""
    digits = shift[:, 0] * _STEP**2 + shift[:, 1] * _STEP + shift[:, 2]
    return np.asarray(snapshot * NEXT_SNAPSHOT + COPY_OF_THE_BOX + digits, dtype=np.int64)


def shift_of(copy: Array) -> Array:
    """Return the copies of the box by their numbers, as whole numbers of boxes, shape (n, 3)."""
    digits = np.asarray(copy, dtype=np.int64) % NEXT_SNAPSHOT
    parts = [digits // _STEP**2, digits // _STEP % _STEP, digits % _STEP]
    return np.stack(parts, axis=-1) - COPY_OF_THE_BOX % _STEP
