"""The subhalo channel: the bound mass of subhalos on a grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..types import DensityField, HaloCatalog
from .assign import total_mass
from .origin import on_corners
from .points import points_field

Array = NDArray[Any]


class SubhaloField(NamedTuple):
    """The field, of kind ``mass``, and its record of counts, as plain JSON values."""

    field: DensityField
    record: dict[str, Any]


def subhalo_field(
    halos: HaloCatalog,
    box_size: float,
    grid_size: int,
    *,
    least_mass: float = 0.0,
    assignment: str = "CIC",
    origin: str = "corner",
) -> SubhaloField:
    """Return the bound mass of subhalos per voxel, on a grid that is never in memory as a whole.

    Parameters
    ----------
    halos : HaloCatalog
    box_size : float
        [Mpc/h]
    grid_size : int
        Voxels along each side.
    least_mass : float
        Bound mass of the smallest subhalo that is deposited [Msun/h].
    assignment : str
        One of `mockgal.fields.assign.SUPPORT`.
    origin : str
        See `mockgal.fields.origin.on_corners`.

    Returns
    -------
    SubhaloField
        A plane has the same bits whichever planes are made with it, and whatever the order of the
        subhalos.

    Raises
    ------
    UsageError
        The least mass is negative or not a finite number, the scheme is unknown, or the grid is
        smaller than the cloud.
    """
    if not 0.0 <= least_mass < np.inf:
        raise UsageError("least subhalo mass", f"{least_mass}", "a mass from 0 on, in Msun/h")
    mass = halos["mass"].astype(np.float64, copy=False)
    rows = np.flatnonzero(mass >= least_mass)
    mass = mass[rows]
    field = points_field(
        on_corners(halos["position"][rows], origin, box_size / grid_size, box_size),
        mass,
        grid_size=grid_size,
        box_size=box_size,
        assignment=assignment,
    )
    record = {
        "least_mass_msun_h": float(least_mass),
        "subhalos": len(rows),
        "subhalos_below_least_mass": len(halos) - len(rows),
        "smallest_mass_msun_h": float(mass.min()) if len(rows) else None,
        "mass_msun_h": total_mass(mass),
    }
    return SubhaloField(replace(field, origin=origin), record)
