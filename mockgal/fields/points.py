"""Points that fit in memory, as a field whose planes are computed on request."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import DensityField
from .assign import SUPPORT, Deposit, total_mass

Array = NDArray[Any]


def points_field(
    position: Array,
    mass: Array,
    *,
    grid_size: int,
    box_size: float,
    assignment: str,
    kind: str = "mass",
) -> DensityField:
    """Return points on a grid that is never in memory as a whole.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        In [0, box_size) [Mpc/h].
    mass : ndarray, shape (n,)
        What each adds to the grid, 0 or more.
    grid_size : int
        Voxels along each side.
    box_size : float
        [Mpc/h]
    assignment : str
        One of `mockgal.fields.assign.SUPPORT`.
    kind : str
        Kind of the field: ``"mass"`` or ``"counts"``.

    Returns
    -------
    DensityField
        ``read_slab`` returns float64; a plane has the same bits whichever planes are read with it,
        and whatever the order of the points.

    Raises
    ------
    BadValueError, UsageError
        See `Deposit`; raised here, before any plane is read.
    """
    bound = total_mass(mass)
    whole = Deposit(grid_size, box_size, assignment, mass_bound=bound, planes=(0, 1))
    whole.add(position, mass)  # checks all points
    order = np.argsort(position[:, 0], kind="stable")
    position, mass = position[order], mass[order]
    voxel = box_size / grid_size

    def near(start: int, stop: int) -> list[slice]:
        """Return the rows of points that may reach the planes, also through the box's sides."""
        first, last = start - SUPPORT[assignment], stop + SUPPORT[assignment]
        if last - first >= grid_size:
            return [slice(0, len(mass))]
        images = [(first + shift, last + shift) for shift in (-grid_size, 0, grid_size)]
        edges = np.searchsorted(position[:, 0], np.array(images) * voxel)
        return [slice(*edge) for edge in edges if edge[1] > edge[0]]

    def read_slab(start: int, stop: int) -> Array:
        slab = Deposit(grid_size, box_size, assignment, mass_bound=bound, planes=(start, stop))
        for rows in near(start, stop):
            slab.add(position[rows], mass[rows])
        return slab.finish()

    return DensityField(grid_size, voxel, kind, assignment, "corner", read_slab)
