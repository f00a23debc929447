"""Ids of generated satellites: unique, keyed by their hosts, and exact in every format.

The ids of a host's satellites are consecutive, starting at a hash of (seed, host id). All lie in
[2^52, 2^53): above 2^53 programs that hold ids as doubles (pandas with missing rows, spreadsheets,
JSON) confuse neighbouring ids. With H hosts and N satellites in 2^52 places, about H N / 2^52 runs
of ids overlap another: of two such runs, that of the larger host id is drawn again, until no runs
overlap. The result depends on the hosts alone, not on their order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ResourceError

Array = NDArray[Any]
FirstIds = Callable[[Array, int], Array]

SATELLITE_BIT = 52  # set in the id of every satellite
_ATTEMPTS = 64
END = 1 << (SATELLITE_BIT + 1)


def first_ids(host_id: Array, number: Array, draw: FirstIds, all_ids: Array) -> tuple[Array, int]:
    """Return the id of each host's first satellite.

    Parameters
    ----------
    host_id : ndarray of int64, shape (n,)
        Unique ids of the hosts that have satellites.
    number : ndarray of int64, shape (n,)
        Number of satellites of each, above 0.
    draw : callable
        ``draw(host_id, attempt)`` returns a hash of each id in [0, 2^52).
    all_ids : ndarray of int64, shape (m,)
        Ids of all hosts, which no satellite may have.

    Returns
    -------
    first_id : ndarray of int64, shape (n,)
    drawn_again : int
        Number of hosts that did not keep their first draw.

    Raises
    ------
    ResourceError
        There is no room for so many satellites.
    """
    first = draw(host_id, 0) | (1 << SATELLITE_BIT)
    taken = np.sort(all_ids[(all_ids >= 1 << SATELLITE_BIT) & (all_ids < END)])
    if _far_apart(first, number) and not len(taken):
        return first, 0
    again = np.zeros(len(first), dtype=bool)
    for attempt in range(1, _ATTEMPTS + 1):
        met = _meeting(host_id, first, number, taken)
        if not met.size:
            return first, int(np.count_nonzero(again))
        again[met] = True
        first[met] = draw(host_id[met], attempt) | (1 << SATELLITE_BIT)
    raise ResourceError(
        "populate",
        f"{number.sum()} satellites of {len(number)} hosts, whose ids were still not unique after "
        f"{_ATTEMPTS} draws",
        f"far fewer than 2^{SATELLITE_BIT} satellites",
        "populate the hosts in parts, or choose another seed",
    )


def _far_apart(first: Array, number: Array) -> bool:
    """Return whether no runs overlap, by a quick test that may return False when none do."""
    room = int(number.max(initial=0))
    gaps = np.diff(np.sort(first, kind="stable"))
    return not len(first) or bool(gaps.min(initial=room) >= room and first.max() <= END - room)


def _meeting(host_id: Array, first: Array, number: Array, taken: Array) -> Array:
    """Return the rows of runs to draw again: of two that overlap, that of the larger host id."""
    order = np.lexsort((host_id, first))
    end = np.maximum.accumulate((first + number)[order])  # the highest end of the runs so far
    inside = np.flatnonzero(first[order][1:] < end[:-1])
    left, right = order[inside], order[inside + 1]
    beyond = first + number > END
    on_host = np.searchsorted(taken, first) < np.searchsorted(taken, first + number)
    met: Array = np.union1d(
        np.where(host_id[left] > host_id[right], left, right), np.flatnonzero(beyond | on_host)
    )
    return met
