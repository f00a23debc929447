"""A field on a grid whose power or bispectrum is measured, with what is known of its points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...fields.assign import SUPPORT
from ...fields.waves.fourier import axis_window
from .. import jackknife as jackknives
from .left_out import left_out_shot_noise

Array = NDArray[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class GriddedField:
    """A field with its deposit, its shot noise and the way of its errors, checked.

    Parameters
    ----------
    values : ndarray, shape (N, N, N)
        Real numbers; kept in single precision if they are, else in double precision.
    length : float
        Side of the box or of a voxel, positive [Mpc/h].
    assignment : str or None
        Scheme of the deposit; None for a field that was not deposited.
    interlaced : bool
        Whether every second image was removed.
    sum_of_squares : float or ndarray, shape (jackknife**3,), or None
        Sum of the squared masses of the points, in all or in each sub-volume.
    subtract_shot_noise : bool
    jackknife : int
        Sub-volumes along each side; 0 for the errors of a Gaussian field.

    Raises
    ------
    UsageError
        The field or an option is not allowed.
    """

    values: Array
    length: float
    assignment: str | None
    interlaced: bool = False
    sum_of_squares: float | Array | None
    subtract_shot_noise: bool
    jackknife: int

    def __post_init__(self) -> None:
        field = np.asarray(self.values)
        if field.ndim != 3 or len(set(field.shape)) != 1 or len(field) < 4:
            raise UsageError("field", f"shape {field.shape}", "a cube of 4 or more voxels a side")
        if field.dtype.kind not in "fiub":
            raise UsageError("field", f"type {field.dtype}", "real numbers")
        if not 0.0 < self.length < np.inf:
            raise UsageError("field", f"a size of {self.length}", "a positive one [Mpc/h]")
        if self.assignment is not None and self.assignment not in SUPPORT:
            raise UsageError("assignment", repr(self.assignment), "one of " + ", ".join(SUPPORT))
        self._check_shot_noise()
        if jackknives.check_per_side(self.jackknife) > len(field):
            raise UsageError(
                "jackknife",
                f"{self.jackknife} sub-volumes along the {len(field)} voxels of a side",
                "at most one for each voxel",
            )
        kept = np.float32 if field.dtype == np.float32 else np.float64
        object.__setattr__(self, "values", np.asarray(field, dtype=kept))

    def _check_shot_noise(self) -> None:
        """Raise if the shot noise to subtract, in all or in each sub-volume, is not known."""
        squares, regions = self.sum_of_squares, self.jackknife**3
        if squares is None:
            if self.subtract_shot_noise:
                raise UsageError(
                    "shot noise", "no sum of squared masses", "one, to subtract shot noise"
                )
            return
        if np.shape(np.asarray(squares)) == (regions,) and self.jackknife > 0:
            return
        if np.ndim(squares):
            raise UsageError(
                "shot noise",
                f"sums for {np.size(squares)} sub-volumes",
                f"one for each of the {regions} of the jackknife",
            )
        if self.jackknife and self.subtract_shot_noise:
            raise UsageError(
                "shot noise",
                "one sum of squared masses",
                f"one for each of the {regions} sub-volumes, since each left-out sample has its "
                "own shot noise subtracted",
                "pass mockgal.statistics.jackknife.sums_by_block(...), or jackknife=0",
            )

    def __len__(self) -> int:
        """Number of voxels along a side."""
        return len(self.values)

    def shot_noise(self, mean: float, volume: float) -> float | None:
        """Return V sum(m**2) / sum(m)**2 [(Mpc/h)^3], or None if it is not known.

        Parameters
        ----------
        mean : float
            Mass per voxel.
        volume : float
            Of the field [(Mpc/h)^3].
        """
        if self.sum_of_squares is None:
            return None
        return volume * math.fsum(np.ravel(self.sum_of_squares)) / (mean * self.values.size) ** 2

    def shot_noise_left_out(self, volume: float, mean: float | None = None) -> Array | None:
        """Return the shot noise without each sub-volume, shape (jackknife**3,), if it is known.

        Parameters
        ----------
        volume : float
            Of the field [(Mpc/h)^3].
        mean : float, optional
            See `mockgal.statistics.power.left_out.left_out_shot_noise`.
        """
        squares = np.asarray(self.sum_of_squares)
        if not self.jackknife or not squares.ndim:
            return None
        return left_out_shot_noise(self.values, self.jackknife, squares, volume, mean=mean)

    def window_settings(self) -> dict[str, str]:
        """Return the assignment, and what was done about its window."""
        if self.assignment is None:
            return {"assignment": "none", "window": "not corrected"}
        return {"assignment": self.assignment, "window": "divided out of each wave"}

    def errors_in_words(self) -> str:
        """Return what the errors are."""
        if not self.jackknife:
            return "of a Gaussian field with the measured spectrum"
        described = jackknives.describe(self.jackknife, len(self)) + ", cross terms weighted"
        return described + ", shot noise subtracted from each" * self.subtract_shot_noise


def window_gain(grid_size: int, assignment: str | None) -> Array:
    """Return one over the squared window along an axis, shape (grid_size,); 1 if not deposited."""
    if assignment is None:
        return np.ones(grid_size)
    return axis_window(grid_size, assignment) ** -2.0
