"""Ids of parents: from the next larger object of each row to the host halo at the top."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError
from ...system.ids import Ids


def top_hosts(
    ids: Ids, above: Ids, central: NDArray[np.bool_], where: Callable[[int], str]
) -> tuple[Ids, NDArray[np.intp], int]:
    """The host at the top of each chain of parents.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,)
        Unique.
    above : ndarray of int64, shape (n,)
        Id of the object that a row is in; not looked at for hosts.
    central : ndarray of bool, shape (n,)
        Which rows are hosts.
    where : callable
        ``where(row)`` says where a row's parent is stated.

    Returns
    -------
    host_id : ndarray of int64, shape (n,)
        Id of the host; or of the first object on the way up that is not among ``ids``.
    row : ndarray of int, shape (n,)
        Row of the host; or of the last object on the way up that is there.
    nested : int
        Satellites whose parent is there, and a satellite itself.

    Raises
    ------
    BadValueError
        Parents that lead in a circle.
    """
    rows = np.arange(len(ids), dtype=np.intp)
    if len(ids) == 0:
        return ids.copy(), rows, 0
    order = np.argsort(ids, kind="stable")
    inside = np.flatnonzero(~central)
    wanted, which = np.unique(above[inside], return_inverse=True)  # in order they are found sooner
    place = order[np.minimum(np.searchsorted(ids[order], wanted), len(ids) - 1)]
    found = (ids[place] == wanted)[which]
    parent, end = rows.copy(), central.copy()
    parent[inside[found]] = place[which[found]]
    end[inside[~found]] = True
    top = parent
    for _ in range(len(ids).bit_length() + 1):  # each step doubles how far up it reaches
        further = top[top]
        if np.array_equal(further, top):
            break
        top = further
    circling = np.flatnonzero(~end[top])
    if circling.size:
        row = int(circling[0])
        raise BadValueError(
            where(row),
            f"{circling.size} satellites whose parents lead in a circle, the first halo_id "
            f"{ids[row]} in {above[row]}",
            "chains that end at a host",
            "write the catalogue again: its parents are damaged",
        )
    host_id: Ids = np.where(central[top], ids[top], above[top])
    return host_id, top, int(np.count_nonzero(~end & ~central[parent]))
