"""Friends of friends: groups of particles linked by distances up to a linking length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

Array = NDArray[Any]

_MOST_CELLS = 1 << 20  # along each side, so that the number of a cell has 60 bits


def friends_of_friends(position: Array, *, box_size: float, linking_length: float) -> Array:
    """Return the group of each particle (Davis et al. 1985, ApJ 292, 371).

    Two particles are in the same group if they are at most the linking length apart in the periodic
    box, or if a chain of such pairs leads from one to the other.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        In [0, box_size) [Mpc/h].
    box_size : float
        [Mpc/h]
    linking_length : float
        At most a third of the box [Mpc/h].

    Returns
    -------
    ndarray of int64, shape (n,)
        The lowest row in the particle's group; its own row if the particle is alone.

    Raises
    ------
    UsageError
        The linking length is not above 0, or is too long.
    """
    if not 0.0 < linking_length <= box_size / 3.0:
        raise UsageError(
            "linking length", f"{linking_length}", f"a length up to {box_size / 3.0:g} Mpc/h"
        )
    from . import groups_kernels as kernels

    # Cells are no smaller than the linking length: friends are in the same or in adjacent cells.
    side = min(int(box_size / linking_length * (1.0 - 1e-12)), _MOST_CELLS)
    cell = np.minimum((position * (side / box_size)).astype(np.int64), side - 1)
    number = (cell[:, 0] * side + cell[:, 1]) * side + cell[:, 2]
    order = np.argsort(number, kind="stable")
    sorted_number = number[order]
    first = np.flatnonzero(np.diff(sorted_number, prepend=-1))
    group = np.arange(len(position))
    kernels.link(
        np.ascontiguousarray(position[order]),
        order,
        sorted_number[first],
        np.append(first, len(position)),
        side,
        float(box_size),
        float(linking_length) ** 2,
        group,
    )
    return group
