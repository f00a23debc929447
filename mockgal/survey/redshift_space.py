"""Redshift space in the box: where peculiar velocities seem to put distant galaxies."""

from __future__ import annotations

import numpy as np

from ..fields.sample import check_axis, coordinates
from ..types import GalaxyCatalog
from .sky import BLOCK


def redshift_space(galaxies: GalaxyCatalog, line_of_sight: str) -> GalaxyCatalog:
    """Return the catalogue with the column of redshift-space positions along one axis.

    s = x + v (1 + z) / H(z), wrapped into the box (Kaiser 1987, MNRAS 227, 1). The other two
    coordinates are as in real space, and all real ones are kept.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a box.
    line_of_sight : str
        ``"x"``, ``"y"`` or ``"z"``.

    Returns
    -------
    GalaxyCatalog
        With ``position_x_rsd``, ``position_y_rsd`` or ``position_z_rsd`` [Mpc/h].

    Raises
    ------
    UsageError
        The catalogue is on the sky, or there is no such axis.
    BadValueError
        A position is outside the box, or a velocity is not finite.

    Examples
    --------
    >>> from mockgal.survey.redshift_space import redshift_space
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> "position_z_rsd" in redshift_space(mock, "z")
    True
    """
    axis = check_axis(line_of_sight)
    moved = np.empty(len(galaxies))
    for start in range(0, len(galaxies), BLOCK):
        rows = slice(start, start + BLOCK)
        moved[rows] = coordinates(galaxies, line_of_sight, rows)[axis]
    step = {"step": "redshift space", "line_of_sight": line_of_sight}
    survey = [*galaxies.provenance.get("survey", []), step]
    column = {f"position_{line_of_sight}_rsd": moved}
    return galaxies.with_columns(**column).with_provenance(survey=survey)
