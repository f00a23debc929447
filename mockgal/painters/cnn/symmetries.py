"""The 48 symmetries of the cube, which turn and mirror crops and the vectors that go with them."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


class Symmetry(NamedTuple):
    """A turn, perhaps with a mirror: axis a of the result is axis ``axes[a]``, or its reverse.

    As a matrix on vectors it has ``signs[a]`` in row a and column ``axes[a]``.
    """

    axes: tuple[int, int, int]
    signs: tuple[int, int, int]

    def turn(self, field: Tensor) -> Tensor:
        """A field with its last three axes turned about the middle."""
        lead = field.ndim - 3
        turned = field.permute(*range(lead), *(lead + axis for axis in self.axes))
        return turned.flip([lead + a for a in range(3) if self.signs[a] < 0])

    def undo(self, field: Tensor) -> Tensor:
        """The field of which this is the turned one."""
        lead = field.ndim - 3
        turned = field.flip([lead + a for a in range(3) if self.signs[a] < 0])
        back = [self.axes.index(axis) for axis in range(3)]
        return turned.permute(*range(lead), *(lead + axis for axis in back))

    def turn_vectors(self, vectors: Array) -> Array:
        """Vectors of shape (n, 3), turned with the field."""
        return np.asarray(vectors[:, self.axes] * np.array(self.signs))

    @property
    def is_rotation(self) -> bool:
        """Whether it is a turn without a mirror."""
        even = (self.axes[1] - self.axes[0]) % 3 == 1
        return (int(np.prod(self.signs)) > 0) == even


def symmetries() -> list[Symmetry]:
    """All 48; the first leaves everything as it is."""
    found = product(permutations(range(3)), product((1, -1), repeat=3))
    return [Symmetry(axes, signs) for axes, signs in found]  # type: ignore[arg-type]


def rotations() -> list[Symmetry]:
    """The 24 that do not mirror."""
    return [symmetry for symmetry in symmetries() if symmetry.is_rotation]
