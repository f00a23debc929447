"""The 48 symmetries of the cube, which rotate and reflect crops and their vectors."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


class Symmetry(NamedTuple):
    """A rotation, or a rotation and a reflection.

    Axis a of the result is axis ``axes[a]``, or its reverse. As a matrix on vectors it has
    ``signs[a]`` in row a and column ``axes[a]``.
    """

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]

    def turn(self, field: Tensor) -> Tensor:
        """Return a field with its last three axes turned about the middle."""
        lead = field.ndim - 3
        turned = field.permute(*range(lead), *(lead + axis for axis in self.axes))
        return turned.flip([lead + a for a in range(3) if self.signs[a] < 0])

    def undo(self, field: Tensor) -> Tensor:
        """Return the field that `turn` turns into this one."""
        lead = field.ndim - 3
        turned = field.flip([lead + a for a in range(3) if self.signs[a] < 0])
        back = [self.axes.index(axis) for axis in range(3)]
        return turned.permute(*range(lead), *(lead + axis for axis in back))

    def turn_vectors(self, vectors: Array) -> Array:
        """Return vectors of shape (n, 3), turned with the field."""
        return np.asarray(vectors[:, self.axes] * np.array(self.signs))

    @property
    def is_rotation(self) -> bool:
        """Whether it is a rotation without a reflection."""
        even = (self.axes[1] - self.axes[0]) % 3 == 1
        return (int(np.prod(self.signs)) > 0) == even


def symmetries() -> list[Symmetry]:
    """Return all 48 symmetries; the first is the identity."""
    pairs = product(permutations(range(3)), product((1, -1), repeat=3))
    return [Symmetry(axes, signs) for axes, signs in pairs]  # type: ignore[arg-type]


def rotations() -> list[Symmetry]:
    """Return the 24 rotations without a reflection."""
    return [symmetry for symmetry in symmetries() if symmetry.is_rotation]
