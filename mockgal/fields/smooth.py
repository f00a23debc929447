"""Density and tidal field of matter around places, averaged in spheres.

The density contrast on a grid is multiplied, wave by wave, with the transform of a sphere of radius
R, 3 (sin x - x cos x) / x^3 for x = k R. The tidal tensor is T_ij = k_i k_j / k^2 times that. Both
are interpolated linearly (CIC) at the places.
"""

from __future__ import annotations

from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ..system.parallel import over, threads

Array = NDArray[Any]

_BLOCK_ROWS = 1 << 16  # positions interpolated at a time


class Smoothed:
    """The contrast of a periodic density field, averaged in spheres.

    Parameters
    ----------
    mass : ndarray of float64, shape (N, N, N)
        Mass per voxel, in any unit; its mean is not zero.
    box_size, radius : float
        Side of the box, and radius of the spheres [Mpc/h].
    origin : str
        Of the grid; see `mockgal.types.DensityField`.
    """

    def __init__(self, mass: Array, box_size: float, radius: float, origin: str = "corner") -> None:
        n = len(mass)
        self._shape, self._box_size, self._origin = mass.shape, box_size, origin
        self._across = 2.0 * np.pi / box_size * np.fft.fftfreq(n, 1.0 / n)
        self._along = 2.0 * np.pi / box_size * np.arange(n // 2 + 1)
        self._waves = fft.rfftn(mass, workers=threads(), norm="forward")
        mean = self._waves[0, 0, 0].real

        self._radius, self._total = radius, mean * n**3

        def average(plane: int) -> None:
            self._waves[plane] *= self._sphere(plane) / mean

        over(average, range(n))
        self._waves[0, 0, 0] = 0.0

    def _sphere(self, plane: int) -> Array:
        """Return the transform of the sphere for the waves of a plane, shape (N, N // 2 + 1)."""
        x = self._radius * np.sqrt(self._square(plane))
        with np.errstate(divide="ignore", invalid="ignore"):
            sphere = 3.0 * (np.sin(x) - x * np.cos(x)) / x**3
        small = x < 1e-2  # where the difference is lost to rounding
        sphere[small] = 1.0 - x[small] ** 2 / 10.0
        return np.asarray(sphere)

    def _square(self, plane: int) -> Array:
        """Return k^2 of the waves of a plane [h^2/Mpc^2], shape (N, N // 2 + 1)."""
        first, across, along = self._across[plane], self._across[:, None], self._along
        return np.asarray(first**2 + across**2 + along**2)

    def density(self, position: Array, own: Array | None = None) -> Array:
        """Return the density contrast in the spheres around positions, shape (n,).

        Parameters
        ----------
        position : ndarray, shape (n, 3)
            In [0, box_size) [Mpc/h].
        own : ndarray, shape (n,), optional
            Mass at each position, in the unit of the grid, that was put on it by CIC: what it adds
            there is taken away, whatever its place in its voxel. The mean stays that of all.
        """
        value = self._interpolate(self._waves, position)
        if own is not None:
            value -= own * (self._of_one(position) + 1.0) / self._total
        return value

    def shear(self, position: Array, own: Array | None = None) -> Array:
        """Return the tidal shear q around positions, shape (n,).

        q^2 = [(l1 - l2)^2 + (l1 - l3)^2 + (l2 - l3)^2] / 2 of the eigenvalues of the tidal tensor
        (Heavens & Peacock 1988, MNRAS 232, 339; Paranjape et al. 2018, arXiv:1706.09906).

        Parameters
        ----------
        position, own
            See `density`.
        """
        square, trace = np.zeros(len(position)), np.zeros(len(position))
        for i, j in combinations_with_replacement(range(3), 2):
            component = self._interpolate(self._tidal(i, j), position)
            if own is not None:
                component -= own * self._of_one(position, (i, j)) / self._total
            square += component**2 * (1 if i == j else 2)
            if i == j:
                trace += component
        return np.asarray(np.sqrt(np.maximum(1.5 * (square - trace**2 / 3.0), 0.0)))

    def _tidal(self, i: int, j: int) -> Array:
        waves = np.empty_like(self._waves)

        def component(plane: int) -> None:
            waves[plane] = self._waves[plane] * self._direction(plane, i, j)

        over(component, range(len(waves)))
        return np.asarray(waves)

    def _direction(self, plane: int, i: int, j: int) -> Array:
        """Return k_i k_j / k^2 of the waves of a plane."""
        k = np.full(1, self._across[plane]), self._across[:, None], self._along
        square = self._square(plane)
        if plane == 0:
            square[0, 0] = 1.0
        return np.asarray(k[i] * k[j] / square)

    def _of_one(self, position: Array, axes: tuple[int, int] | None = None) -> Array:
        """Return what a total mass of 1 at each position alone would add there, shape (n,).

        To the contrast, or to a component of the tidal tensor: the sum over pairs of voxels of the
        shares that the mass has in one, that the interpolation has of the other, and of what mass
        in the one adds to the other.
        """
        waves = np.empty_like(self._waves)

        def response(plane: int) -> None:
            waves[plane] = self._sphere(plane)
            if axes is not None:
                waves[plane] *= self._direction(plane, *axes)

        over(response, range(len(waves)))
        waves[0, 0, 0] = 0.0
        grid = fft.irfftn(waves, s=self._shape, workers=threads(), norm="forward", overwrite_x=True)
        part = np.mod(position * (len(grid) / self._box_size) - self._shift, 1.0)
        both = {0: (1.0 - part) ** 2 + part**2, 1: part * (1.0 - part)}
        value = np.zeros(len(position))
        for apart in product((-1, 0, 1), repeat=3):
            shares = [both[abs(step)][:, axis] for axis, step in enumerate(apart)]
            value += grid[apart] * shares[0] * shares[1] * shares[2]
        return value

    @property
    def _shift(self) -> float:
        return 0.5 if self._origin == "corner" else 0.0

    def _interpolate(self, waves: Array, position: Array) -> Array:
        grid, n = fft.irfftn(waves, s=self._shape, workers=threads(), norm="forward"), len(waves)
        value = np.zeros(len(position))

        def block(start: int) -> None:
            rows = slice(start, start + _BLOCK_ROWS)
            place = position[rows] * (n / self._box_size) - self._shift
            lower = np.floor(place)
            part, lower = place - lower, lower.astype(np.int64)
            for corner in np.ndindex(2, 2, 2):
                share = np.prod(np.where(corner, part, 1.0 - part), axis=1)
                value[rows] += share * grid[tuple(((lower + corner) % n).T)]

        over(block, range(0, len(position), _BLOCK_ROWS))
        return value
