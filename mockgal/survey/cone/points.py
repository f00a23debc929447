"""Anyone's points in the place of galaxies, such as particles of the matter around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import BadValueError
from ...types import GalaxyCatalog, Snapshot

Array = NDArray[Any]


def points_in_box(
    position: ArrayLike,
    snapshot: Snapshot,
    *,
    velocity: ArrayLike | None = None,
    first_id: int = 0,
) -> GalaxyCatalog:
    """Return points of a periodic box as a catalogue, which the steps of a survey take.

    The same steps with the same options put them where they put galaxies of the box: matter, for
    example, is then behind the galaxies that formed in it. Each point is taken by its own place;
    galaxies go with the centre of their halo where a shell ends.

    Parameters
    ----------
    position : array_like, shape (n, 3)
        [comoving Mpc/h]; wrapped into the box.
    snapshot : Snapshot
        The box that they are in: that of the galaxies, or of their simulation.
    velocity : array_like, shape (n, 3), optional
        [peculiar km/s]; 0 by default, so that redshifts are cosmological.
    first_id : int
        Points are numbered from here on, in ``galaxy_id`` and ``halo_id``. Another chunk of the
        same box goes on with the number after the last.

    Returns
    -------
    GalaxyCatalog
        In the frame ``"box"``.

    Raises
    ------
    BadValueError
        Shapes that do not match, or numbers that are not finite.

    Examples
    --------
    >>> from mockgal.survey.cone.points import points_in_box
    >>> from mockgal.survey.light_cone import light_cone
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> chunk = next(iter(sim.particles.chunks()))
    >>> matter = light_cone(points_in_box(chunk.position, sim.snapshot), redshifts=(0.001, 0.002))
    >>> matter.frame, "ra" in matter
    ('sky', True)
    """
    place = np.asarray(position, dtype=np.float64)
    speed = np.zeros_like(place) if velocity is None else np.asarray(velocity, dtype=np.float64)
    if place.ndim != 2 or place.shape[1] != 3 or speed.shape != place.shape:
        shapes = f"positions of shape {place.shape}, velocities of shape {speed.shape}"
        raise BadValueError("points", shapes, "three coordinates of each point in both")
    if not (np.isfinite(place).all() and np.isfinite(speed).all()):
        raise BadValueError("points", "numbers that are not finite", "finite ones")
    place = np.mod(place, snapshot.box_size)
    place[place >= snapshot.box_size] = 0.0  # of a tiny negative number
    ids = np.arange(first_id, first_id + len(place), dtype=np.int64)
    columns: dict[str, NDArray[Any]] = {"galaxy_id": ids, "halo_id": ids}
    columns |= {f"position_{x}": place[:, axis].copy() for axis, x in enumerate("xyz")}
    columns |= {f"velocity_{x}": speed[:, axis].copy() for axis, x in enumerate("xyz")}
    return GalaxyCatalog(columns, snapshot, "box", {"cuts": []})
