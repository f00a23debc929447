"""Remapping of the periodic cube to a cuboid (Carlson & White 2010, arXiv:1003.3178).

A periodic box is a cell of an infinite universe that repeats. Three vectors of whole numbers, whose
determinant is 1 or -1, span another cell of it; sheared into a cuboid, it still holds each place
once, wherever in that universe it lies. A light cone is cut out of the universe itself, so that
remapping the box is to choose how the universe is turned: a survey that fits into the cuboid sees
nothing twice, and no structure is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ..sky import axes_at

Array = NDArray[Any]
Vectors = tuple[tuple[int, int, int], ...]

MOST = 8  # the largest number in vectors that are searched
_LARGEST = 10_000  # in vectors of the user


@dataclass(frozen=True)
class Remapping:
    """A cuboid of the volume of the box, in which each of its places lies once.

    Parameters
    ----------
    vectors : tuple of three vectors of int, shape (3, 3)
        In sides of the box. The cuboid's first side is the first vector; its second side is the
        part of the second vector across the first; its third is what is left of the third.
    towards : tuple of float
        Right ascension and declination [deg] to which the first side points. The second points to
        the east there, the third to the north.
    order : tuple of int
        Which sides take the places of the first, second and third.

    Raises
    ------
    UsageError
        The numbers are not whole, their determinant is neither 1 nor -1, or the direction is none.

    Examples
    --------
    >>> from mockgal.survey.cone.remapping import Remapping
    >>> Remapping(((1, 1, 0), (0, 1, 0), (0, 0, 1))).sides.round(4).tolist()
    [1.4142, 0.7071, 1.0]
    """

    vectors: Vectors
    towards: tuple[float, float] = (0.0, 0.0)
    order: tuple[int, int, int] = (0, 1, 2)

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", check_vectors(self.vectors))
        ra, dec = self.towards
        if not (0.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0):
            raise UsageError(
                "remapping, towards",
                f"({ra:g}, {dec:g})",
                "a right ascension from 0 to 360 deg and a declination from -90 to 90 deg",
            )

    @cached_property
    def _axes(self) -> Array:
        """The sides as vectors across each other, in sides of the box, in `order`."""
        first, second, _ = np.array(self.vectors, dtype=np.float64)
        across = np.cross(first, second)
        axes = [first, np.cross(across, first) / (first @ first), across / (across @ across)]
        return np.array(axes)[list(self.order)]

    @property
    def sides(self) -> Array:
        """Lengths of the sides in those of the box, shape (3,); their product is 1."""
        return np.asarray(np.sqrt((self._axes**2).sum(axis=1)))

    @cached_property
    def turn(self) -> tuple[tuple[float, ...], ...]:
        """The rotation that takes vectors in the box to those of the sky, a matrix.

        It is exactly 1 for the box itself. It never mirrors.
        """
        sides = self._axes / self.sides[:, None]
        if np.linalg.det(sides) < 0:
            sides[2] *= -1.0
        sky = np.eye(3) if self.towards == (0.0, 0.0) else axes_at(*self.towards)
        # summed here: libraries of matrices round as the processor suits them
        return tuple(
            tuple(float(sum(sky[i, k] * sides[k, j] for k in range(3))) for j in range(3))
            for i in range(3)
        )

    def describe(self, size: float) -> dict[str, Any]:
        """Return what it is, as plain JSON values, for a box of a side [Mpc/h]."""
        return {
            "vectors": [list(vector) for vector in self.vectors],
            "order": list(self.order),
            "towards_deg": list(self.towards),
            "sides_mpc_h": (size * self.sides).tolist(),
            "turn": [list(row) for row in self.turn],
        }


def check_vectors(vectors: Any) -> Vectors:
    """Return three vectors of whole numbers that span a cell of the volume of the box.

    Raises
    ------
    UsageError
    """
    example = "three vectors of whole numbers with a determinant of 1 or -1"
    fix = "such as [[1, 1, 0], [0, 1, 0], [0, 0, 1]]"
    try:
        rows = tuple(tuple(vector) for vector in vectors)
    except TypeError:
        rows = ()
    numbers = [x for row in rows for x in row]
    whole = all(isinstance(x, int | np.integer) and not isinstance(x, bool) for x in numbers)
    if [len(row) for row in rows] != [3, 3, 3] or not whole:
        raise UsageError("remapping", f"{vectors!r}", example, fix)
    if max(abs(x) for x in numbers) > _LARGEST:
        raise UsageError("remapping", f"{vectors!r}", f"numbers up to {_LARGEST}", fix)
    (a, b, c), (d, e, f), (g, h, i) = (map(int, row) for row in rows)
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    if abs(determinant) != 1:
        raise UsageError("remapping", f"vectors with the determinant {determinant}", example, fix)
    return (a, b, c), (d, e, f), (g, h, i)


BOX = Remapping(((1, 0, 0), (0, 1, 0), (0, 0, 1)))  # the box itself


def fitting(extents: Sequence[float], towards: tuple[float, float]) -> Remapping | None:
    """Return the remapping whose cuboid leaves most room around a survey, if one holds it.

    Parameters
    ----------
    extents : sequence of float, shape (3,)
        Of the survey along the line of sight, to the east and to the north, in sides of the box.
    towards : tuple of float
        Middle of the survey [deg].

    Returns
    -------
    Remapping or None
        Among those of vectors with numbers up to `MOST`; at equal room that of the shortest
        vectors.
    """
    first, across, sides = _cuboids()
    best, found = 1.0, None
    for order in permutations((0, 1, 2)):
        room = (sides[:, order] / np.maximum(extents, 1e-12)).min(axis=1)
        k = int(np.argmax(room))
        if room[k] > best * (1.0 + 1e-12) or (found is None and room[k] >= 1.0):
            best, found = float(room[k]), (k, order)
    if found is None:
        return None
    k, (a, b, c) = found
    return Remapping(_completed(first[k], across[k]), towards, (a, b, c))


@lru_cache(1)
def _cuboids() -> tuple[Array, Array, Array]:
    """Return the first side, the normal of the first two, and the three lengths of all cuboids.

    Turned and mirrored ones are left out. The first side u is a vector of the lattice and the
    normal w another, for which u w = 0; the lengths are then |u|, |w| / |u| and 1 / |w|.
    """
    numbers = np.arange(-MOST, MOST + 1)
    every = np.stack(np.meshgrid(*3 * [numbers], indexing="ij"), axis=-1).reshape(-1, 3)
    every = every[np.gcd.reduce(every, axis=1) == 1]
    every = every[np.argsort((every**2).sum(axis=1), kind="stable")]
    firsts = every[(every[:, 0] >= every[:, 1]) & (every[:, 1] >= every[:, 2]) & (every[:, 2] >= 0)]
    one, other = np.nonzero(firsts @ every.T == 0)
    u, w = firsts[one], every[other]
    long, normal = (np.sqrt((x**2).sum(axis=1)) for x in (u, w))
    return u, w, np.stack([long, normal / long, 1.0 / normal], axis=1)


def _completed(first: Array, across: Array) -> Vectors:
    """Return vectors of the cuboid whose first side and whose normal are given; the shortest."""
    most = 2 * MOST
    numbers = np.arange(-most, most + 1)
    every = np.stack(np.meshgrid(*3 * [numbers], indexing="ij"), axis=-1).reshape(-1, 3)
    every = every[np.argsort((every**2).sum(axis=1), kind="stable")]
    second = every[(np.cross(first, every) == across).all(axis=1)][0]
    third = every[every @ across == 1][0]
    return check_vectors([first, second, third])
