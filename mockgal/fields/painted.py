"""The painted field: the stellar mass of a catalogue on a grid, made some planes at a time."""

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
    return points_field(
        positions(galaxies),
        weights(galaxies, weight),
        grid_size=grid_size,
        box_size=galaxies.snapshot.box_size,
        assignment=assignment,
        kind=_KINDS[weight],
    )
