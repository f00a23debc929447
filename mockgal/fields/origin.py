"""The position of voxel 0 of a grid: with its corner or its centre at the origin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import ParticleChunk, Particles

Array = NDArray[Any]


def on_corners(position: Array, origin: str, voxel_size: float, box_size: float) -> Array:
    """Return positions shifted so that a grid with origin ``corner`` can take them.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        In [0, box_size) [Mpc/h].
    origin : str
        ``corner``: unchanged; ``centre``: moved by half a voxel along each axis, so that voxel i
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
    """Return streamed particles with positions shifted as by `on_corners`."""
    if origin == "corner":
        return particles

    def stream(rows: int) -> Iterator[ParticleChunk]:
        for chunk in particles.chunks(rows):
            position = on_corners(chunk.position, origin, voxel_size, box_size)
            yield chunk._replace(position=position)

    return Particles(particles.count, stream)
