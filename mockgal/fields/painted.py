"""The painted field: the stellar mass of a catalogue on a grid, made some planes at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import DensityField, GalaxyCatalog
from .assign import SUPPORT, Deposit, total_mass
from .sample import positions, weights

Array = NDArray[Any]

_KINDS = {"stellar_mass": "mass", "number": "counts"}


def painted_field(
    galaxies: GalaxyCatalog,
    *,
    grid_size: int,
    assignment: str = "CIC",
    weight: str = "stellar_mass",
) -> DensityField:
    """A field of galaxies, which is never in memory as a whole.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a box.
    grid_size : int
        Voxels along each side.
    assignment : str
        One of `mockgal.fields.assign.SUPPORT`.
    weight : str
        ``"stellar_mass"`` [Msun/h], or ``"number"`` for 1 each.

    Returns
    -------
    DensityField
        Of kind ``mass`` or ``counts``. ``read_slab`` gives float64, the same bits for a plane
        whatever others it is asked for with.

    Raises
    ------
    UsageError
        A catalogue on the sky, no such scheme or weight, a grid smaller than the cloud.
    BadValueError
        A galaxy outside the box, or of a mass that is no number from 0 on.
    """
    box_size, number = galaxies.snapshot.box_size, len(galaxies)
    position, mass = positions(galaxies), weights(galaxies, weight)
    bound = total_mass(mass)
    whole = Deposit(grid_size, box_size, assignment, mass_bound=bound, planes=(0, 1))
    whole.add(position, mass)  # looks at all galaxies
    order = np.argsort(position[:, 0], kind="stable")
    position, mass = position[order], mass[order]
    voxel = box_size / grid_size

    def near(start: int, stop: int) -> list[slice]:
        """Rows of galaxies that may reach some planes, through the sides of the box too."""
        first, last = start - SUPPORT[assignment], stop + SUPPORT[assignment]
        if last - first >= grid_size:
            return [slice(0, number)]
        images = [(first + shift, last + shift) for shift in (-grid_size, 0, grid_size)]
        edges = np.searchsorted(position[:, 0], np.array(images) * voxel)
        return [slice(*edge) for edge in edges if edge[1] > edge[0]]

    def read_slab(start: int, stop: int) -> Array:
        slab = Deposit(grid_size, box_size, assignment, mass_bound=bound, planes=(start, stop))
        for rows in near(start, stop):
            slab.add(position[rows], mass[rows])
        return slab.finish()

    return DensityField(grid_size, voxel, _KINDS[weight], assignment, "corner", read_slab)
