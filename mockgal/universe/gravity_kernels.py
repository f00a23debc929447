"""Compiled loops of `mockgal.universe.gravity`; each particle is independent of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from ..system.parallel import compiled

Array = NDArray[Any]

f8 = types.float64
_ROWS = types.Array(f8, 2, "C")
_MESH = types.Array(f8, 3, "C", readonly=True)


@compiled(types.Array(f8, 2, "C", readonly=True), _ROWS, _MESH, f8, f8)
def kick(position: Array, momentum: Array, field: Array, box_size: float, duration: float) -> None:
    """Add minus the gradient of the potential at each particle, times ``duration``."""
    size = len(field)
    per_length = size / box_size
    # Voxels along each axis: two of the CIC cloud, and two on each side of them.
    places = np.empty((3, 6), np.int64)
    share = np.empty((3, 2))
    for i in range(len(position)):
        for axis in range(3):
            u = position[i, axis] * per_length - 0.5
            voxel = np.floor(u)
            share[axis, 1] = u - voxel
            share[axis, 0] = 1.0 - share[axis, 1]
            first = np.int64(voxel) - 2 + size
            for j in range(6):
                places[axis, j] = (first + j) % size
        x, y, z = places[0], places[1], places[2]
        force_x, force_y, force_z = 0.0, 0.0, 0.0
        for a in range(2):
            for b in range(2):
                for c in range(2):
                    weight = share[0, a] * share[1, b] * share[2, c]
                    force_x += weight * (
                        8.0
                        * (
                            field[x[a + 3], y[b + 2], z[c + 2]]
                            - field[x[a + 1], y[b + 2], z[c + 2]]
                        )
                        - (field[x[a + 4], y[b + 2], z[c + 2]] - field[x[a], y[b + 2], z[c + 2]])
                    )
                    force_y += weight * (
                        8.0
                        * (
                            field[x[a + 2], y[b + 3], z[c + 2]]
                            - field[x[a + 2], y[b + 1], z[c + 2]]
                        )
                        - (field[x[a + 2], y[b + 4], z[c + 2]] - field[x[a + 2], y[b], z[c + 2]])
                    )
                    force_z += weight * (
                        8.0
                        * (
                            field[x[a + 2], y[b + 2], z[c + 3]]
                            - field[x[a + 2], y[b + 2], z[c + 1]]
                        )
                        - (field[x[a + 2], y[b + 2], z[c + 4]] - field[x[a + 2], y[b + 2], z[c]])
                    )
        scale = duration * per_length / 12.0
        momentum[i, 0] -= scale * force_x
        momentum[i, 1] -= scale * force_y
        momentum[i, 2] -= scale * force_z


@compiled(_ROWS, types.Array(f8, 2, "C", readonly=True), f8, f8)
def drift(position: Array, momentum: Array, box_size: float, duration: float) -> None:
    """Move particles by their momenta times ``duration``, within the periodic box."""
    for i in range(len(position)):
        for axis in range(3):
            x = position[i, axis] + duration * momentum[i, axis]
            x -= box_size * np.floor(x / box_size)
            position[i, axis] = x if x < box_size else 0.0


@compiled(types.Array(f8, 2, "C", readonly=True), _MESH, f8, types.Array(f8, 1, "C"))
def interpolate(position: Array, field: Array, box_size: float, out: Array) -> None:
    """Interpolate the field to each particle with CIC weights, into ``out``."""
    size = len(field)
    per_length = size / box_size
    places = np.empty((3, 2), np.int64)
    share = np.empty((3, 2))
    for i in range(len(position)):
        for axis in range(3):
            u = position[i, axis] * per_length - 0.5
            voxel = np.floor(u)
            share[axis, 1] = u - voxel
            share[axis, 0] = 1.0 - share[axis, 1]
            for j in range(2):
                places[axis, j] = (np.int64(voxel) + j + size) % size
        value = 0.0
        for a in range(2):
            for b in range(2):
                for c in range(2):
                    weight = share[0, a] * share[1, b] * share[2, c]
                    value += weight * field[places[0, a], places[1, b], places[2, c]]
        out[i] = value
