"""Ids of parents: from each row's parent to the host halo at the top."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError
from ...system.ids import Ids


def top_hosts(
    ids: Ids, above: Ids, central: NDArray[np.bool_], where: Callable[[int], str]
) -> tuple[Ids, NDArray[np.intp], int]:
    """Return the host at the top of each chain of parents.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,)
        Unique.
    above : ndarray of int64, shape (n,)
        Id of each row's parent; ignored for hosts.
    central : ndarray of bool, shape (n,)
        Whether a row is a host.
    where : callable
        ``where(row)`` returns where a row's parent is stated.

    Returns
    -------
    host_id : ndarray of int64, shape (n,)
        Id of the host, or of the first ancestor that is not among ``ids``.
    row : ndarray of int, shape (n,)
        Row of the host, or of the last ancestor that is among ``ids``.
    nested : int
        Number of satellites whose parent is among ``ids`` and is itself a satellite.

    Raises
    ------
    BadValueError
        The parents form a cycle.
    """
    rows = np.arange(len(ids), dtype=np.intp)
    if len(ids) == 0:
        return ids.copy(), rows, 0
    order = np.argsort(ids, kind="stable")
    inside = np.flatnonzero(~central)
    parents, which = np.unique(above[inside], return_inverse=True)  # sorted: faster to look up
    place = order[np.minimum(np.searchsorted(ids[order], parents), len(ids) - 1)]
    present = (ids[place] == parents)[which]
    parent, end = rows.copy(), central.copy()
    parent[inside[present]] = place[which[present]]
    end[inside[~present]] = True
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
            f"{circling.size} satellites whose parents form a cycle, the first halo_id "
            f"{ids[row]} in {above[row]}",
            "chains that end at a host",
            "write the catalogue again: its parents are damaged",
        )
    host_id: Ids = np.where(central[top], ids[top], above[top])
    return host_id, top, int(np.count_nonzero(~end & ~central[parent]))
