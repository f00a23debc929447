"""Groups against subhalos: whether both say the same about who belongs to whom.

For formats whose groups name their first subhalo by row, and whose subhalos name their group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError
from . import chunks
from .chunks import FileSet

Array = NDArray[Any]


def signed(first: Array) -> NDArray[np.int64]:
    """Row numbers; -1 may have been stored unsigned (4294967295 in 32 bits)."""
    if first.dtype.kind == "u":
        first = first.view(f"i{first.dtype.itemsize}")
    return first.astype(np.int64)


def check_membership(
    files: FileSet,
    groups: Sequence[int],
    subhalos: Sequence[int],
    group: Array,
    rank: Array,
    first: Array,
    number: Array,
) -> None:
    """Whether groups and subhalos agree.

    Parameters
    ----------
    files : FileSet
    groups, subhalos : sequence of int
        Rows in each file.
    group, rank : ndarray of int, shape (subhalos,)
        Row of each subhalo's group, and its rank in it.
    first, number : ndarray of int, shape (groups,)
        Row of each group's first subhalo (-1: none), and how many it has.

    Raises
    ------
    BadValueError
        They contradict each other; the message names the first row that does.
    """

    def fail(bad: Array, rows: Sequence[int], name: str, found: str, expected: str) -> None:
        wrong = np.flatnonzero(bad)
        if wrong.size:
            row = int(wrong[0])
            raise BadValueError(
                chunks.place(files, rows, name, row),
                f"{wrong.size} rows with {found.format(row)}",
                expected,
                "fetch the catalogue again: its files are damaged or from different runs",
            )

    total = len(group)
    fail(
        (group < 0) | (group >= len(first)),
        subhalos,
        "Subhalo/SubhaloGroupNr",
        "a group that does not exist",
        f"rows from 0 to {len(first) - 1}",
    )
    fail(
        (first < -1) | (first >= total),
        groups,
        "Group/GroupFirstSub",
        "a subhalo that does not exist",
        f"rows from -1 to {total - 1}",
    )
    fail(
        (number == 0) != (first == -1),
        groups,
        "Group/GroupNsubs",
        "GroupFirstSub -1 and subhalos, or the reverse",
        "GroupFirstSub -1 where it is 0",
    )
    has = np.flatnonzero(first >= 0)
    elsewhere = np.zeros(len(first), dtype=bool)
    elsewhere[has] = group[first[has]] != has
    fail(
        elsewhere,
        groups,
        "Group/GroupFirstSub",
        "a subhalo of another group",
        "the first subhalo of the group itself",
    )
    central = np.zeros(total, dtype=bool)
    central[first[has]] = True
    # A subhalo of rank 0 in a group that says it has none is an orphan, not a contradiction here.
    fail(
        (central != (rank == 0)) & (first[group] >= 0) if total else central,
        subhalos,
        "Subhalo/SubhaloRankInGr",
        "a rank that contradicts GroupFirstSub",
        "rank 0 for the subhalo at GroupFirstSub, and for no other",
    )
    members = np.bincount(group.astype(np.int64), minlength=len(first))
    fail(
        (members != number) & (first >= 0),
        groups,
        "Group/GroupNsubs",
        "a number that is not that of the group's subhalos",
        "the count of SubhaloGroupNr",
    )
