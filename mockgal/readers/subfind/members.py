"""The dark-matter particles bound to each subhalo of a Subfind catalogue.

A snapshot with groups is sorted by them. For each type of particle the groups follow in order;
within a group its subhalos follow in order, and then the particles bound to none; within a subhalo
the most bound particle is first (Gadget-4, documentation/08_groupfiles.md; AREPO, Nelson et al.
2019, arXiv:1812.05609, section 3).

| native | meaning |
|---|---|
| Subhalo/SubhaloLenType[1] | number of the subhalo's dark-matter particles |
| Subhalo/SubhaloOffsetType[1] (Gadget-4) | row of the first of them in the snapshot |
| Group/GroupLenType[1] | number of the group's particles, where there are no offsets (AREPO) |
| PartType1/ParticleIDs | the ids |

Zoom simulations have more types of dark matter: only the first, of high resolution, is used.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError
from ...system.ids import whole
from ...system.memory import check_memory
from ...types import Members
from .. import chunks
from ..hdf5 import safe
from .files import CatalogueSet
from .snapshots import DARK_MATTER, SnapshotSet

Array = NDArray[Any]

_LENGTH, _OFFSET, _GROUP_LENGTH = (
    "Subhalo/SubhaloLenType",
    "Subhalo/SubhaloOffsetType",
    "Group/GroupLenType",
)
_IDS = f"PartType{DARK_MATTER}/ParticleIDs"
_BLOCK = 1 << 22  # rows of a snapshot read at once
_AGAIN = "fetch the files again: they are damaged or from different runs"


class _Places(NamedTuple):
    """Rows of each subhalo's particles in the snapshot: the first, and their number, shape (n,)."""

    start: Array
    length: Array


def of(catalogue: CatalogueSet, snapshot: SnapshotSet, group_number: str) -> Members | None:
    """Return the particles of each subhalo, if the files tell which they are.

    Parameters
    ----------
    catalogue : CatalogueSet
    snapshot : SnapshotSet
        The snapshot of the same output.
    group_number : str
        Dataset of /Subhalo with the group's row.

    Returns
    -------
    Members or None
        None if files of the catalogue are missing, or lack a dataset that is needed. Its functions
        raise `BadValueError` for impossible rows or ids.
    """
    if catalogue.missing or snapshot.rows.shape[1] <= DARK_MATTER:
        return None
    if not chunks.present(snapshot.files, snapshot.rows[:, DARK_MATTER].tolist(), _IDS):
        return None

    def there(name: str) -> bool:
        rows = catalogue.rows[name.split("/")[0]]
        return chunks.present(catalogue.files, rows, name)

    if not there(_LENGTH) or not (there(_OFFSET) or there(_GROUP_LENGTH)):
        return None

    @cache
    def places() -> _Places:
        names = {_LENGTH, _OFFSET} if there(_OFFSET) else {_LENGTH, _GROUP_LENGTH, group_number}
        by_type = (None,)
        datasets = chunks.columns(
            catalogue.files,
            catalogue.rows,
            {name: () if name == group_number else by_type for name in sorted(names)},
        )
        return _places(catalogue, datasets, group_number, int(snapshot.rows[:, DARK_MATTER].sum()))

    def count(halo_id: Array) -> Array:
        length = places().length
        known = (halo_id >= 0) & (halo_id < len(length))  # ids are rows of the catalogue
        return np.where(known, length[np.where(known, halo_id, 0)] if len(length) else 0, 0)

    def read(halo_id: Array, most: int) -> Array:
        length = np.minimum(count(halo_id), most)
        some = length > 0
        return _read(snapshot, places().start[halo_id[some]], length[some])

    return Members(count, read)


def _places(
    catalogue: CatalogueSet, datasets: dict[str, Array], group_number: str, particles: int
) -> _Places:
    """Return the checked rows of each subhalo's particles in the snapshot.

    Raises
    ------
    BadValueError
        Subhalos that have more particles than their group, are not in the order of their groups,
        share particles, or have particles that the snapshot lacks.
    """

    def place(name: str, row: int) -> str:
        return chunks.place(catalogue.files, catalogue.rows[name.split("/")[0]], name, row)

    def fail(bad: Array, name: str, what: str, expected: str) -> None:
        wrong = np.flatnonzero(bad)
        if wrong.size:
            raise BadValueError(
                place(name, int(wrong[0])), f"{wrong.size} rows with {what}", expected, _AGAIN
            )

    def of_dark_matter(name: str) -> Array:
        by_type = datasets[name]
        if len(by_type) and by_type.shape[1] <= DARK_MATTER:
            fail(np.ones(1, bool), name, f"{by_type.shape[1]} types of particles", "2 or more")
        column = by_type[:, DARK_MATTER] if len(by_type) else np.zeros(0)
        fail(~((column >= 0) & (column <= particles)), name, "impossible numbers",
             f"from 0 to {particles}, the particles of the snapshot")  # fmt: skip
        return whole(column, lambda row: place(name, row))

    length = of_dark_matter(_LENGTH)
    if _OFFSET in datasets:
        start, name = of_dark_matter(_OFFSET), _OFFSET
    else:
        name, group = _GROUP_LENGTH, whole(datasets[group_number], partial(place, group_number))
        in_group = of_dark_matter(_GROUP_LENGTH)
        fail(np.diff(group, prepend=0) < 0, group_number, "a lower group than the row before",
             "subhalos in the order of their groups")  # fmt: skip
        bound = np.zeros(len(in_group), np.int64)
        np.add.at(bound, group, length)
        fail(bound > in_group, name, "fewer particles than its subhalos have", "as many or more")
        before = np.cumsum(length) - length
        first = np.searchsorted(group, group)  # the first subhalo of the same group
        start = (np.cumsum(in_group) - in_group)[group] + before - before[first]
    end = start + length
    fail((length > 0) & (end > particles), name, "particles that are not in the snapshot",
         f"rows below {particles}")  # fmt: skip
    some = np.flatnonzero(length > 0)
    order = some[np.argsort(start[some], kind="stable")]
    shared = np.zeros(len(start), bool)
    shared[order[1:]] = start[order[1:]] < end[order[:-1]]
    fail(shared, name, "particles of another subhalo", "each particle in one subhalo")
    return _Places(start, length)


def _read(snapshot: SnapshotSet, start: Array, length: Array) -> Array:
    """Return the ids in ranges of rows that do not overlap, one range after the other.

    Only the blocks of a file that hold requested rows are read. This bounds memory, and avoids
    unpacking a stored chunk again for every range.
    """
    check_memory(f"{snapshot.files.where}:/{_IDS}", 8 * int(length.sum()))
    ids = np.empty(int(length.sum()), np.int64)
    place = np.cumsum(length) - length  # of each range in ``ids``
    order = np.argsort(start, kind="stable")
    start, length, place = start[order], length[order], place[order]
    end = start + length
    low = 0
    for path, rows in zip(
        snapshot.files.files, snapshot.rows[:, DARK_MATTER].tolist(), strict=True
    ):
        high = low + rows
        if np.searchsorted(start, high) > np.searchsorted(end, low, side="right"):
            with safe.open_hdf5(path) as file:
                data = chunks.checked(file, _IDS, rows)
                for begin in range(low, high, _BLOCK):
                    stop = min(begin + _BLOCK, high)
                    here = slice(
                        int(np.searchsorted(end, begin, side="right")),
                        int(np.searchsorted(start, stop)),
                    )
                    if here.start >= here.stop:
                        continue
                    first = np.maximum(start[here], begin)
                    number = np.minimum(end[here], stop) - first
                    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
                    requested = np.repeat(first, number) + within
                    target = np.repeat(place[here] + first - start[here], number) + within
                    span = safe.read_rows(data, requested[0] - low, requested[-1] + 1 - low)
                    ids[target] = _signed(span[requested - requested[0]], data.where)
        low = high
    return ids


def _signed(ids: Array, where: str) -> Array:
    """Return ids as int64.

    Raises
    ------
    BadValueError
        Ids that are not whole numbers, or are too large for 63 bits.
    """
    if ids.dtype.kind not in "iu":
        raise BadValueError(where, f"ids of type {ids.dtype}", "whole numbers", _AGAIN)
    return whole(ids, lambda row: where)
