"""What statistics of two samples share: one box, and the galaxies that both samples hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..types import GalaxyCatalog, Snapshot

Array = NDArray[Any]

_SAME_BOX = 1e-6  # relative
_SAME_TIME = 1e-3  # difference of redshifts, relative to 1 + z
_SAME_PLACE = 1e-6  # of the box: single precision, and conversion of units and back


def check_one_box(first: Snapshot, second: Snapshot) -> None:
    """Raise if two samples are not of boxes of one size at one redshift.

    Raises
    ------
    UsageError
        The message has both values.
    """
    sizes, redshifts = (first.box_size, second.box_size), (first.redshift, second.redshift)
    if abs(sizes[1] - sizes[0]) > _SAME_BOX * sizes[0]:
        raise UsageError(
            "two samples",
            f"boxes of {sizes[0]:.9g} and {sizes[1]:.9g} Mpc/h",
            "one box, with the same structures in both",
            "take samples of one simulation, or of two with the same initial conditions",
        )
    if abs(redshifts[1] - redshifts[0]) > _SAME_TIME * (1.0 + redshifts[0]):
        raise UsageError(
            "two samples",
            f"redshifts {redshifts[0]:.6g} and {redshifts[1]:.6g}",
            "one redshift",
            "take samples of the same output",
        )


def shared_rows(
    first: GalaxyCatalog, second: GalaxyCatalog, place: Array, other_place: Array
) -> tuple[Array, Array]:
    """Return the rows, in each sample, of the galaxies that both hold: one id, at one place.

    Ids alone do not decide: those of two simulations may agree by chance.

    Parameters
    ----------
    first, second : GalaxyCatalog
        In boxes of one size.
    place, other_place : ndarray, shape (n, 3) and (m, 3)
        Their positions, `mockgal.fields.sample.positions` [Mpc/h].

    Returns
    -------
    rows, other_rows : ndarray of int, shape (s,)
    """
    _, rows, others = np.intersect1d(first["galaxy_id"], second["galaxy_id"], return_indices=True)
    size = first.snapshot.box_size
    apart = np.abs(place[rows] - other_place[others])
    same = np.all(np.minimum(apart, size - apart) <= _SAME_PLACE * size, axis=1)
    return rows[same], others[same]
