"""Ids of generated satellites: unique, keyed by their hosts, and exact in every format.

The ids of a host's satellites are consecutive, starting at a hash of (seed, host id). All lie in
[2^52, 2^53): above 2^53 programs that hold ids as doubles (pandas with missing rows, spreadsheets,
JSON) confuse neighbouring ids. With H hosts and N satellites in 2^52 places, about H N / 2^52 runs
of ids overlap another: of two such runs, that of the larger host id is drawn again, until no runs
overlap. The result depends on the hosts alone, not on their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

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
    raise _no_room(int(number.sum()), len(number))


class Runs(NamedTuple):
    """Runs of ids of satellites: the hosts, their first ids and numbers, shape (n,) each."""

    host_id: Array
    first: Array
    number: Array


def settled_ids(host_id: Array, drawn: Array, settled: Mapping[int, int]) -> Array:
    """Return the first ids of hosts: those of the first draw, or those that are ``settled``."""
    first = drawn | (1 << SATELLITE_BIT)
    for host in np.intersect1d(host_id, np.array(list(settled), dtype=np.int64)):
        first[host_id == host] = settled[int(host)]
    return np.asarray(first)


def settle(
    classes: Callable[[], Iterable[Runs]], edges: Array, draw: FirstIds, taken: Array
) -> dict[int, int]:
    """Find the hosts of a catalogue in pieces whose ids `first_ids` would draw again.

    Parameters
    ----------
    classes : callable
        Returns the runs of all hosts, as first drawn, in classes that increase with their first id.
    edges : ndarray of int64
        The first id from which on runs are in each class.
    draw : callable
        See `first_ids`.
    taken : ndarray of int64
        Ids of hosts that satellites could have, sorted.

    Returns
    -------
    dict of int to int
        First ids by host, of the hosts that did not keep their first draw.

    Raises
    ------
    ResourceError
        There is no room for so many satellites.
    """
    settled: dict[int, int] = {}
    numbers: dict[int, int] = {}  # of the satellites of these hosts
    for attempt in range(1, _ATTEMPTS + 1):
        moved = np.array(sorted(settled), dtype=np.int64)
        changed = Runs(
            moved,
            np.array([settled[int(host)] for host in moved], dtype=np.int64),
            np.array([numbers[int(host)] for host in moved], dtype=np.int64),
        )
        of = np.searchsorted(edges, changed.first, side="right") - 1
        met: dict[int, int] = {}
        before: Runs | None = None
        for k, runs in enumerate(classes()):
            kept = ~np.isin(runs.host_id, moved)
            here = Runs(
                *(np.append(x[kept], y[of == k]) for x, y in zip(runs, changed, strict=True))
            )
            if len(here.host_id):
                found, before = _meeting_after(here, before, taken)
                met |= found
        if not met:
            return settled
        numbers |= met
        for host in met:
            again = draw(np.array([host], dtype=np.int64), attempt)
            settled[host] = int(again[0]) | (1 << SATELLITE_BIT)
    raise _no_room(sum(numbers.values()), len(numbers))


def _meeting_after(runs: Runs, before: Runs | None, taken: Array) -> tuple[dict[int, int], Runs]:
    """Return what `_meeting` finds in a class, by host with the number of its satellites.

    ``before`` is the last run of the class before, with the highest end of all until then in place
    of its first id; the same is returned of this class.
    """
    rows = set(_meeting(*runs, taken).tolist())
    met = {int(runs.host_id[row]): int(runs.number[row]) for row in rows}
    order = np.lexsort((runs.host_id, runs.first))
    end = int((runs.first + runs.number).max())
    if before is not None:
        highest = int(before.first[0])
        # Within the class only its own runs were compared; those before may end later.
        reached = np.maximum.accumulate((runs.first + runs.number)[order])
        for place in np.flatnonzero(runs.first[order] < highest):
            pair = [(int(runs.host_id[order[place]]), int(runs.number[order[place]]))]
            if place == 0:
                pair.append((int(before.host_id[0]), int(before.number[0])))
            elif runs.first[order[place]] >= reached[place - 1]:
                row = order[place - 1]
                pair.append((int(runs.host_id[row]), int(runs.number[row])))
            else:
                continue  # `_meeting` found it
            met |= [max(pair)]
        end = max(end, highest)
    last = slice(order[-1], order[-1] + 1)
    return met, Runs(runs.host_id[last], np.array([end], dtype=np.int64), runs.number[last])


def _no_room(satellites: int, hosts: int) -> ResourceError:
    return ResourceError(
        "populate",
        f"{satellites} satellites of {hosts} hosts, whose ids were still not unique after "
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
