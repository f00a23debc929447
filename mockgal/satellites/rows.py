"""Columns of generated satellites."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Satellites(NamedTuple):
    """The satellites of a block of hosts, grouped by host: columns of shape (m,).

    ``of`` numbers the hosts with satellites, in the order of rows, and ``host_id`` has their ids.
    ``sub_index`` counts the satellites of a host; random numbers are keyed by it and the id of the
    host. Ids increase with it.
    """

    of: Array
    host_id: Array
    sub_index: Array
    halo_id: Array

    @classmethod
    def make(cls, host_id: Array, number: Array, first_id: Array) -> Satellites:
        """Return ``number`` satellites for each of n hosts, with ids from ``first_id`` on."""
        of = np.repeat(np.arange(len(number)), number)
        sub_index = np.arange(len(of)) - (np.cumsum(number) - number)[of]
        return cls(of, host_id[of], sub_index, first_id[of] + sub_index)


class Rows(NamedTuple):
    """The columns of satellites that differ from those of their host."""

    halo_id: Array
    is_central: Array
    position: Array
    velocity: Array
    mass: Array

    @classmethod
    def of(cls, n: int) -> Rows:
        """Return empty columns for n rows."""
        return cls(
            halo_id=np.empty(n, np.int64),
            is_central=np.zeros(n, np.bool_),
            position=np.empty((n, 3)),
            velocity=np.empty((n, 3)),
            mass=np.empty(n),
        )

    def part(self, start: int, stop: int) -> Rows:
        """Return views of some rows."""
        return Rows(*(column[start:stop] for column in self))
