"""Stream of particles in internal units from the files of any format."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bounds import PARTICLE_MASS
from ..errors import BadValueError
from ..protocols import ReadOptions
from ..types import ParticleChunk
from . import chunks
from .checks.values import wrap
from .raw import Rows


def stream_particles(
    place: Rows,
    masses: Rows | float,
    box_size: float,
    units: tuple[float, float],
    options: ReadOptions,
    chunk_rows: int,
) -> Iterator[ParticleChunk]:
    """Yield particles in internal units, with positions wrapped and masses checked.

    Positions are rounded to float32, the type in bundles, so that a simulation and its bundle have
    the same particles to the last bit.

    Parameters
    ----------
    place : Rows, shape (n, 3)
        Native positions.
    masses : Rows, shape (n,), or float
        Native masses, or one mass for all particles [Msun/h].
    box_size : float
        [Mpc/h].
    units : tuple of float
        Native units of length and mass, in Mpc/h and Msun/h.
    options : ReadOptions
    chunk_rows : int
        Particles per chunk.

    Raises
    ------
    BadValueError
        Positions outside the box, or masses outside `mockgal.bounds.PARTICLE_MASS`.
    """
    for start in range(0, place.number, chunk_rows):
        stop = min(start + chunk_rows, place.number)
        moved: dict[str, Any] = {}
        position = wrap(
            place.read(start, stop) * np.float64(units[0]),
            box_size,
            stored=place.stored,
            centred=options.centred_origin,
            where=partial(chunks.row_at, place.where, start),
            record=moved,
        )
        moved["positions_at_box_edge"] += rounded(position, box_size)
        if isinstance(masses, float):
            mass = np.full(stop - start, masses)
        else:
            mass = masses.read(start, stop) * np.float64(units[1])
            outside = PARTICLE_MASS.outside(mass)
            bad = np.flatnonzero(np.zeros(0) if outside is None else outside)
            # If most are bad, the unit is wrong: the check of the mean density names the factor.
            if bad.size and not (2 * bad.size > len(mass) and (mass[bad] >= 0).all()):
                raise BadValueError(
                    f"{masses.where}, row {start + int(bad[0])}",
                    f"{bad.size} masses that are NaN, infinite, negative or outside their possible "
                    f"range, the first {mass[bad[0]]} Msun/h",
                    PARTICLE_MASS.text("Msun/h"),
                    "fetch or write the file again",
                )
        yield ParticleChunk(
            position, mass, moved["positions_wrapped"], moved["positions_at_box_edge"]
        )


def rounded(position: NDArray[np.float64], box_size: float) -> int:
    """Round positions to float32, in place; return how many coordinates became 0.

    These are coordinates that round to the far edge, which is the near edge of a periodic box.
    """
    position[...] = position.astype(np.float32)
    at_edge = position >= np.float32(box_size)
    position[at_edge] = 0.0
    return int(np.count_nonzero(at_edge))
