"""Shells of the sides of triangles: two fixed sides, and a third one for each angle."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from .triangles import Triangles, grid_size_above

Array = NDArray[Any]

MOST_ANGLES = 10_000


class Shells(NamedTuple):
    """The shells of all sides: k1, k2 and the third side for each angle.

    Parameters
    ----------
    sides : ndarray, shape (2 + angles,)
        Middles of the shells [h/Mpc].
    width : float
        [h/Mpc]
    fundamental : float
        Of the box [h/Mpc].
    """

    sides: Array
    width: float
    fundamental: float

    @classmethod
    def of(
        cls, k1: float, k2: float, angles: int, shell_width: float | None, box_size: float
    ) -> Shells:
        """Return the shells, by default as wide as the fundamental.

        Raises
        ------
        UsageError
            A number is not allowed.
        """
        if not 2 <= angles <= MOST_ANGLES:
            raise UsageError("angles", f"{angles}", f"2 to {MOST_ANGLES}")
        for name, k in (("k1", k1), ("k2", k2), ("shell_width", shell_width)):
            if k is not None and not 0.0 < k < np.inf:
                raise UsageError(name, f"{k}", "a positive wavenumber [h/Mpc]")
        theta = np.linspace(0.0, np.pi, angles)
        square = (k1 - k2) ** 2 + 4.0 * k1 * k2 * np.cos(theta / 2.0) ** 2  # without cancellation
        fundamental = 2.0 * np.pi / box_size
        width = fundamental if shell_width is None else shell_width
        return cls(np.concatenate([[k1, k2], np.sqrt(square)]), width, fundamental)

    @property
    def low(self) -> Array:
        """Inner edges, in fundamentals."""
        return self._edges(-1.0)

    @property
    def high(self) -> Array:
        """Outer edges, in fundamentals."""
        return self._edges(1.0)

    def _edges(self, sign: float) -> Array:
        # Rounded, so that rounding errors do not decide whether waves on an edge are in a shell.
        return np.round((self.sides + sign * self.width / 2.0) / self.fundamental, 9)

    @property
    def outer_edges(self) -> Array:
        """Outer edges of the three shells for each angle, in fundamentals, shape (3, angles)."""
        first, second, third = self.high[0], self.high[1], self.high[2:]
        return np.stack(np.broadcast_arrays(first, second, third))


def check_reach(shells: Shells, size: int) -> None:
    """Raise if shells end where the grid has no waves."""
    longest, fundamental = float(np.max(shells.high)), shells.fundamental
    if longest > size / 2.0:
        raise UsageError(
            "bispectrum",
            f"sides up to {longest * fundamental:.4g} h/Mpc",
            f"at most {size / 2.0 * fundamental:.4g}, the Nyquist wavenumber of {size} voxels "
            "along each side",
            f"a grid of {grid_size_above(int(4.0 * longest))}, or smaller k1 and k2",
        )
    for name, k in zip(("k1", "k2"), shells.sides, strict=False):
        if round(k / fundamental, 9) < 1.0:
            raise UsageError(
                name,
                f"{k:.4g} h/Mpc",
                f"at least {fundamental:.4g}, the fundamental of the box",
                "a larger box, or a larger wavenumber",
            )


def check_filled(triangles: Triangles, shells: Shells) -> None:
    """Raise if a shell of a fixed side has no waves."""
    for name, k, waves in zip(("k1", "k2"), shells.sides, triangles.waves, strict=False):
        if waves == 0:
            raise UsageError(
                "shell_width",
                f"{shells.width:.4g} h/Mpc, within which no wave has {name} = {k:.4g} h/Mpc",
                "a wider shell",
            )
