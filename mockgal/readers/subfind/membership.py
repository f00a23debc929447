"""Consistency of groups and subhalos: whether both state the same membership.

For formats whose groups state the row of their first subhalo, and whose subhalos state their group.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError

Array = NDArray[Any]


def check_membership(
    where: Callable[[str, int], str],
    names: tuple[str, str],
    group: Array,
    rank: Array | None,
    first: Array,
    number: Array,
) -> None:
    """Raise if groups and subhalos contradict each other.

    Parameters
    ----------
    where : callable
        ``where("Group/NAME", row)`` returns the location of a value, for messages.
    names : tuple of str
        Datasets of /Subhalo that hold ``group`` and ``rank``.
    group : ndarray of int, shape (subhalos,)
        Row of each subhalo's group.
    rank : ndarray of int, shape (subhalos,), or None
        Its rank in the group, where the format has one.
    first, number : ndarray of int, shape (groups,)
        Row of each group's first subhalo (-1: none), and its number of subhalos.

    Raises
    ------
    BadValueError
        They contradict each other; the message names the first such row.
    """

    def fail(bad: Array, name: str, found: str, expected: str) -> None:
        wrong = np.flatnonzero(bad)
        if wrong.size:
            raise BadValueError(
                where(name, int(wrong[0])),
                f"{wrong.size} rows with {found}",
                expected,
                "fetch the catalogue again: its files are damaged or from different runs",
            )

    in_group, in_rank = (f"Subhalo/{name}" for name in names)
    total = len(group)
    fail(
        (group < 0) | (group >= len(first)),
        in_group,
        "a group that does not exist",
        f"rows from 0 to {len(first) - 1}",
    )
    fail(
        (first < -1) | (first >= total),
        "Group/GroupFirstSub",
        "a subhalo that does not exist",
        f"rows from -1 to {total - 1}",
    )
    fail(
        (number == 0) != (first == -1),
        "Group/GroupNsubs",
        "GroupFirstSub -1 and subhalos, or the reverse",
        "GroupFirstSub -1 where GroupNsubs is 0, and only there",
    )
    has = np.flatnonzero(first >= 0)
    elsewhere = np.zeros(len(first), dtype=bool)
    elsewhere[has] = group[first[has]] != has
    fail(
        elsewhere,
        "Group/GroupFirstSub",
        "a subhalo of another group",
        "the first subhalo of the group itself",
    )
    if rank is not None and total:
        central = np.zeros(total, dtype=bool)
        central[first[has]] = True
        # A subhalo of rank 0 in a group without subhalos is an orphan, not a contradiction.
        fail(
            (central != (rank == 0)) & (first[group] >= 0),
            in_rank,
            "a rank that contradicts GroupFirstSub",
            "rank 0 for the subhalo at GroupFirstSub, and for no other",
        )
    members = np.bincount(group.astype(np.int64), minlength=len(first))
    fail(
        (members != number) & (first >= 0),
        "Group/GroupNsubs",
        "a number other than that of the group's subhalos",
        f"the count of {names[0]}",
    )
