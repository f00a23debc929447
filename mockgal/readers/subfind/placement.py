"""Which rows of the whole output a set of files holds, and which groups are complete.

Ids are row numbers in the whole output. If files are missing, these numbers are derived from the
rows themselves: `GroupFirstSub` is a subhalo's row in the output, each subhalo states its group's
row, and a group's position is that of its first subhalo.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import IncompleteSetError
from .. import chunks
from .files import CatalogueSet

Array = NDArray[Any]


class Rows(NamedTuple):
    """The groups and subhalos that are used.

    ``groups`` and ``subhalos`` are rows of the datasets as read. ``group`` is the number of each
    subhalo's group among the used groups, and ``first`` that of each group's first subhalo among
    the used subhalos (-1: none). ``ids`` are rows of the whole output.
    """

    groups: Array
    subhalos: Array
    group: Array
    first: Array
    ids: Array
    record: dict[str, Any]


def place(
    catalogue: CatalogueSet,
    group: Array,
    first: Array,
    number: Array,
    centre: Array | None,
    position: Array,
) -> Rows:
    """Return the rows of a set that are used: all, or only complete groups if files are missing.

    Parameters
    ----------
    catalogue : CatalogueSet
    group : ndarray of int, shape (subhalos,)
        Row of each subhalo's group in the whole output.
    first, number : ndarray of int, shape (groups,)
        Row of each group's first subhalo in the whole output (-1: none), and its number of
        subhalos.
    centre, position : ndarray, shape (groups, 3) and (subhalos, 3)
        Positions of the groups (needed only if files are missing) and of the subhalos, as stored.

    Raises
    ------
    IncompleteSetError
        Files are missing, and the rows of the others fit more than one place in the output.
    """
    groups, subhalos = np.arange(len(first)), np.arange(len(group))
    if not catalogue.missing or centre is None:
        return Rows(groups, subhalos, group, first, subhalos, {})
    group_id = np.full(len(first), -1)
    subhalo_id = np.full(len(group), -1)
    for chunk in _runs(chunks.numbers(catalogue.files)):
        g, s = (_span(counts, chunk) for counts in (catalogue.groups, catalogue.subhalos))
        begin = _locate(catalogue, chunk, group[s], first[g], centre[g], position[s])
        if begin is not None:
            group_id[g] = begin[0] + np.arange(g.stop - g.start)
            subhalo_id[s] = begin[1] + np.arange(s.stop - s.start)
    return _whole_groups(catalogue, group, first, number, group_id, subhalo_id)


def _runs(numbers: Sequence[int]) -> list[range]:
    """Return the positions of files with consecutive numbers, a range for each run of them."""
    breaks = [0, *(np.flatnonzero(np.diff(numbers) > 1) + 1), len(numbers)]
    return [range(a, b) for a, b in pairwise(breaks)]


def _span(counts: Sequence[int], run: range) -> slice:
    """Return the rows of a run of files."""
    start = sum(counts[: run.start])
    return slice(start, start + sum(counts[run.start : run.stop]))


def _locate(
    catalogue: CatalogueSet,
    run: range,
    group: Array,
    first: Array,
    centre: Array,
    position: Array,
) -> tuple[int, int] | None:
    """Return the rows of the whole output where the groups and subhalos of a run of files begin.

    A group has the position of its first subhalo, to the last bit. The result is None if the files
    hold no group together with its first subhalo.
    """
    numbers = chunks.numbers(catalogue.files)
    if numbers[run.start] == 0:
        return 0, 0
    total_groups, total_subhalos = catalogue.totals
    most = total_groups - len(first), total_subhalos - len(group)
    if numbers[run.stop - 1] == catalogue.declared_files - 1:
        return most
    # Of several subhalos at one position, the first row is the first subhalo of its group.
    rows = {place.tobytes(): row for row, place in reversed(list(enumerate(position)))}
    places = {
        (int(group[rows[key]]) - j, int(first[j]) - rows[key])
        for j in np.flatnonzero(first >= 0).tolist()
        if (key := centre[j].tobytes()) in rows
    }
    if not places:
        return None
    place = min(places)
    inside = all(0 <= start <= end for start, end in zip(place, most, strict=True))
    if len(places) > 1 or not inside:
        raise IncompleteSetError(
            f"{catalogue.files.files[run.start]}:/Group/GroupFirstSub",
            f"groups and subhalos that fit {len(places)} places in the whole output",
            "one place within it",
            "fetch the chunks before this one",
        )
    return place


def _whole_groups(
    catalogue: CatalogueSet,
    group: Array,
    first: Array,
    number: Array,
    group_id: Array,
    subhalo_id: Array,
) -> Rows:
    """Return the groups whose subhalos are all present, with their subhalos."""
    placed_groups, placed = np.flatnonzero(group_id >= 0), np.flatnonzero(subhalo_id >= 0)
    ids = subhalo_id[placed]
    for name, rows in (("Group", group_id[placed_groups]), ("Subhalo", ids)):
        if not np.all(np.diff(rows) > 0):
            raise IncompleteSetError(
                f"{catalogue.files.where}:/{name}",
                "files whose rows overlap",
                "each row of the whole output in one file",
                "fetch the files again: they are damaged or from different runs",
            )
    begin = np.searchsorted(ids, first[placed_groups])
    end = begin + number[placed_groups] - 1
    some = number[placed_groups] > 0
    whole = ~some
    inside = np.flatnonzero(some & (end < len(ids)))
    head, tail = ids[begin[inside]], ids[end[inside]]
    start = first[placed_groups][inside]
    whole[inside] = (head == start) & (tail == start + number[placed_groups][inside] - 1)
    used_groups = placed_groups[whole]

    at = np.searchsorted(group_id[used_groups], group[placed])
    at = np.minimum(at, max(len(used_groups) - 1, 0))
    mine = (
        group_id[used_groups][at] == group[placed]
        if len(used_groups)
        else np.zeros(len(placed), bool)
    )
    used, own_group = placed[mine], at[mine]
    own_first = np.where(
        first[used_groups] >= 0, np.searchsorted(subhalo_id[used], first[used_groups]), -1
    )
    record = {
        "groups_left_out_for_missing_chunks": len(first) - len(used_groups),
        "subhalos_left_out_for_missing_chunks": len(group) - len(used),
    }
    return Rows(used_groups, used, own_group, own_first, subhalo_id[used], record)
