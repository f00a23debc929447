"""Columns of the satellites that are made."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Satellites(NamedTuple):
    """The satellites of a block of hosts, those of one host together: columns of shape (m,).

    ``of`` numbers the hosts that have any, in the order of rows, and ``host_id`` has their ids;
    ``sub_index`` counts the satellites of a host: with the id of the host it is what their random
    numbers are keyed by. Ids grow with it.
    """

    of: Array
    host_id: Array
    sub_index: Array
    halo_id: Array

    @classmethod
    def make(cls, host_id: Array, number: Array, first_id: Array) -> Satellites:
        """The satellites of n hosts, of which each has a ``number``, ids counted from the first."""
        of = np.repeat(np.arange(len(number)), number)
        sub_index = np.arange(len(of)) - (np.cumsum(number) - number)[of]
        return cls(of, host_id[of], sub_index, first_id[of] + sub_index)


class Rows(NamedTuple):
    """Columns of the satellites: those that a host does not share with them."""

    halo_id: Array
    is_central: Array
    position: Array
    velocity: Array
    mass: Array

    @classmethod
    def of(cls, n: int) -> Rows:
        """Room for n rows."""
        return cls(
            halo_id=np.empty(n, np.int64),
            is_central=np.zeros(n, np.bool_),
            position=np.empty((n, 3)),
            velocity=np.empty((n, 3)),
            mass=np.empty(n),
        )

    def part(self, start: int, stop: int) -> Rows:
        """Views of some rows."""
        return Rows(*(column[start:stop] for column in self))
