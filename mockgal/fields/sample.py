"""The positions of a catalogue's galaxies, in real or redshift space, and their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, UsageError
from ..types import GalaxyCatalog

Array = NDArray[Any]
_ALL = slice(None)
AXES = {"x": 0, "y": 1, "z": 2}
WEIGHTS = {"stellar_mass": "stellar mass", "number": "galaxies"}  # each with its sum in words


def positions(galaxies: GalaxyCatalog, line_of_sight: str | None = None) -> Array:
    """Return comoving positions, in real or in redshift space.

    In redshift space a galaxy is moved along the line of sight, at infinite distance, by its
    peculiar velocity: s = x + v (1 + z) / H(z) (Kaiser 1987, MNRAS 227, 1).

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a box.
    line_of_sight : str, optional
        ``"x"``, ``"y"`` or ``"z"``.

    Returns
    -------
    ndarray, shape (n, 3)
        In [0, box size) [Mpc/h]; wrapped, if moved.

    Raises
    ------
    UsageError
        The catalogue is on the sky, or there is no such axis.
    BadValueError
        A position is outside the box, or a velocity is not finite.

    Examples
    --------
    >>> from mockgal.fields.sample import positions
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> positions(mock, "z").shape
    (333, 3)
    """
    return np.stack(coordinates(galaxies, line_of_sight), axis=1)


def coordinates(
    galaxies: GalaxyCatalog, line_of_sight: str | None = None, rows: slice = _ALL
) -> list[Array]:
    """Return the columns of `positions`, of all rows or of some."""
    if galaxies.frame != "box":
        raise UsageError(
            "galaxies", f"a catalogue in the frame {galaxies.frame!r}", "one in a periodic box"
        )
    columns = [galaxies[f"position_{x}"][rows] for x in AXES]
    size, inside = galaxies.snapshot.box_size, np.ones(len(columns[0]), dtype=bool)
    for x in columns:
        inside &= (x >= 0) & (x < size)
    _check("position", inside, f"[0, {size:g}) Mpc/h", rows)
    if line_of_sight is not None:
        axis = check_axis(line_of_sight)
        columns[axis] = _moved(galaxies, line_of_sight, rows)
    return columns


def _moved(galaxies: GalaxyCatalog, axis: str, rows: slice) -> Array:
    """Return a coordinate in redshift space."""
    velocity, snapshot = galaxies[f"velocity_{axis}"][rows], galaxies.snapshot
    _check(f"velocity_{axis}", np.isfinite(velocity), "finite numbers [km/s]", rows)
    place = velocity * snapshot.cosmology.redshift_space_factor(snapshot.redshift)
    place += galaxies[f"position_{axis}"][rows]
    place %= snapshot.box_size
    place[place >= snapshot.box_size] = 0.0  # a tiny negative wraps to the edge
    return place


def _check(what: str, good: Array, expected: str, rows: slice) -> None:
    bad = np.flatnonzero(~good)
    if bad.size:
        first = (rows.start or 0) + bad[0]
        raise BadValueError(
            what, f"{bad.size} impossible values, the first in row {first}", expected
        )


def weights(galaxies: GalaxyCatalog, weight: str) -> Array:
    """Return each galaxy's weight, shape (n,): ``stellar_mass`` [Msun/h], or 1 for ``number``.

    Raises
    ------
    UsageError
        ``weight`` has another value.
    """
    if weight not in WEIGHTS:
        raise UsageError("weight", repr(weight), "one of " + ", ".join(WEIGHTS))
    if weight == "number":
        return np.ones(len(galaxies))
    return np.asarray(galaxies["stellar_mass"], dtype=np.float64)


def check_axis(line_of_sight: str) -> int:
    """Return the number of the axis.

    Raises
    ------
    UsageError
        The axis is not x, y or z.
    """
    if line_of_sight not in AXES:
        raise UsageError("line of sight", repr(line_of_sight), "x, y or z")
    return AXES[line_of_sight]
