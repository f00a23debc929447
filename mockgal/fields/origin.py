"""Where voxel 0 of a grid is: its corner at the origin, or its centre."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import ParticleChunk, Particles

Array = NDArray[Any]


def on_corners(position: Array, origin: str, voxel_size: float, box_size: float) -> Array:
    """Positions as a grid with origin ``corner`` takes them.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        In [0, box_size) [Mpc/h].
    origin : str
        ``corner``: as they are; ``centre``: moved by half a voxel along each axis, so that voxel i
        holds what is within half a voxel of i voxel sizes.
    voxel_size, box_size : float
        [Mpc/h]
    """
    if origin == "corner":
        return position
    moved = position + voxel_size / 2
    return np.where(moved >= box_size, moved - box_size, moved)


def particles_on_corners(
    particles: Particles, origin: str, voxel_size: float, box_size: float
) -> Particles:
    """The same for particles that are streamed."""
    if origin == "corner":
        return particles

    def stream(rows: int) -> Iterator[ParticleChunk]:
        for chunk in particles.chunks(rows):
            position = on_corners(chunk.position, origin, voxel_size, box_size)
            yield chunk._replace(position=position)

    return Particles(particles.count, stream)
