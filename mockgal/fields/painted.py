"""The painted field: the stellar mass of a catalogue on a grid, computed some planes at a time."""

from __future__ import annotations

from ..types import DensityField, GalaxyCatalog
from .points import points_field
from .sample import positions, weights

_KINDS = {"stellar_mass": "mass", "number": "counts"}


def painted_field(
    galaxies: GalaxyCatalog,
    *,
    grid_size: int,
    assignment: str = "CIC",
    weight: str = "stellar_mass",
) -> DensityField:
    """Return a field of galaxies that is never in memory as a whole.

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
        Of kind ``mass`` or ``counts``. ``read_slab`` returns float64; a plane has the same bits
        whichever planes are read with it.

    Raises
    ------
    UsageError
        The catalogue is on the sky, the scheme or weight is unknown, or the grid is smaller than
        the cloud.
    BadValueError
        A galaxy is outside the box, or its mass is negative or not a number.
    """
    return points_field(
        positions(galaxies),
        weights(galaxies, weight),
        grid_size=grid_size,
        box_size=galaxies.snapshot.box_size,
        assignment=assignment,
        kind=_KINDS[weight],
    )
