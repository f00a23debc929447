"""Split subhalos into those for training, validation and test.

With several simulations whole boxes are held out, else regions of each box. No crop of one part
reaches a target of another: regions are at least half a crop apart, and subhalos nearer than that
to a held-out region are in a buffer, which is not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, DomainError, UsageError

if TYPE_CHECKING:
    from .samples import Volume

Array = NDArray[Any]

TRAIN, VALIDATION, TEST, BUFFER = 0, 1, 2, -1
PARTS = {TRAIN: "train", VALIDATION: "validation", TEST: "test", BUFFER: "buffer"}
SIDES = {"slabs": 0.125, "cubes": 0.375}  # of each region, as a fraction of the box
# Voxels along the box, and (corner, side) of the test and the validation cube, in voxels: the sides
# are from arXiv:2012.00186, section 2.2, the corners from its public code.
PAPER_GRID, PAPER = 2048, {TEST: (64, 868), VALIDATION: (1000, 840)}
KINDS = ("box", *SIDES, "paper")
_HELD_OUT = {PARTS[part]: part for part in (VALIDATION, TEST)}


class Region(NamedTuple):
    """A held-out block of a periodic grid: part, first voxel and voxels along each axis."""

    part: int
    corner: tuple[int, int, int]
    size: tuple[int, int, int]

    def holds(self, voxel: Array, grid_size: int) -> Array:
        """Return whether voxels, shape (n, 3), are inside, shape (n,)."""
        return np.asarray(((voxel - self.corner) % grid_size < self.size).all(axis=1))

    def grown(self, margin: int, grid_size: int) -> Region:
        """Return the region with a margin on all sides."""
        corner = tuple((first - margin) % grid_size for first in self.corner)
        size = tuple(min(side + 2 * margin, grid_size) for side in self.size)
        return Region(self.part, corner, size)  # type: ignore[arg-type]

    def overlaps(self, other: Region, grid_size: int) -> bool:
        """Return whether the two regions share a voxel."""
        return all(
            (b - a) % grid_size < own or (a - b) % grid_size < its
            for a, own, b, its in zip(self.corner, self.size, other.corner, other.size, strict=True)
        )

    def planes(self, axis: int, grid_size: int) -> Array:
        """Return a mask of the planes of an axis that the region covers, shape (N,)."""
        return np.asarray((np.arange(grid_size) - self.corner[axis]) % grid_size < self.size[axis])


class Box(NamedTuple):
    """One volume's share of a split."""

    name: str
    grid_size: int
    regions: tuple[Region, ...]


@dataclass(frozen=True)
class Split:
    """A division of volumes into parts.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    buffer : int
        Least number of voxels between targets of different parts: half a crop, rounded down, which
        is how far a crop reaches beyond its central voxel.
    boxes : tuple of Box
        One per volume, in the same order.

    Raises
    ------
    BadValueError
        A region is not valid, or a box has more than one region of a part.
    DomainError
        Regions are nearer to each other than the buffer.
    """

    kind: str
    buffer: int
    boxes: tuple[Box, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.buffer < 0:
            raise _bad(f"{self.kind!r} with a buffer of {self.buffer}", f"one of {KINDS}")
        for box in self.boxes:
            parts = [region.part for region in box.regions]
            if len(set(parts)) < len(parts) or set(parts) - set(_HELD_OUT.values()):
                raise _bad(f"parts {parts} in {box.name}", "validation and test, each at most once")
            for region in box.regions:
                if not all(
                    0 <= first < box.grid_size and 1 <= side <= box.grid_size
                    for first, side in zip(region.corner, region.size, strict=True)
                ):
                    raise _bad(f"{region}", f"blocks of a grid of {box.grid_size}")
            for one, other in combinations(box.regions, 2):
                if one.grown(self.buffer, box.grid_size).overlaps(other, box.grid_size):
                    raise DomainError(
                        f"split of {box.name}",
                        f"validation and test less than {self.buffer} of {box.grid_size} voxels "
                        "apart",
                        "half a crop between them, so that no crop of one reaches the other",
                        "smaller regions, a finer grid, or a smaller crop",
                    )

    def parts(self, box: int, voxel: Array) -> Array:
        """Return the part of each voxel's subhalos, int8, shape (n,).

        Parameters
        ----------
        box : int
            Index of the volume.
        voxel : ndarray of int, shape (n, 3)
        """
        _, grid_size, regions = self.boxes[box]
        result = np.full(len(voxel), TRAIN, dtype=np.int8)
        for region in regions:
            result[region.grown(self.buffer, grid_size).holds(voxel, grid_size)] = BUFFER
        for region in regions:
            result[region.holds(voxel, grid_size)] = region.part
        return result

    def training_share(self, box: int) -> float:
        """Return the fraction of a box's voxels that are neither held out nor in the buffer."""
        _, grid_size, regions = self.boxes[box]
        grown = [region.grown(self.buffer, grid_size) for region in regions]
        masks = [[one.planes(axis, grid_size) for axis in range(3)] for one in grown]
        held = sum(np.prod([mask.sum() for mask in three], dtype=np.int64) for three in masks)
        for one, other in combinations(masks, 2):
            both = [(a & b).sum() for a, b in zip(one, other, strict=True)]
            held -= np.prod(both, dtype=np.int64)
        return 1.0 - float(held) / grid_size**3

    def to_dict(self) -> dict[str, Any]:
        """Return the split as plain JSON values, with corners and sizes in voxels."""
        return {
            "kind": self.kind,
            "buffer_voxels": self.buffer,
            "boxes": [
                {
                    "name": box.name,
                    "grid_size": box.grid_size,
                    "training_share": self.training_share(k),
                    "regions": [
                        {
                            "part": PARTS[region.part],
                            "corner": list(region.corner),
                            "size": list(region.size),
                        }
                        for region in box.regions
                    ],
                }
                for k, box in enumerate(self.boxes)
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Split:
        """Return the split from the values of `to_dict`.

        Raises
        ------
        BadValueError, DomainError
            An entry is missing or of another type; or see `Split`.
        """
        try:
            boxes = tuple(
                Box(
                    str(box["name"]),
                    int(box["grid_size"]),
                    tuple(
                        Region(_HELD_OUT[one["part"]], _three(one["corner"]), _three(one["size"]))
                        for one in box["regions"]
                    ),
                )
                for box in values["boxes"]
            )
            return cls(str(values["kind"]), int(values["buffer_voxels"]), boxes)
        except (KeyError, TypeError, ValueError) as error:
            raise _bad(f"{error!r}"[:200], "what mockgal stores of a split") from error


def split_of(
    volumes: Sequence[Volume] | Sequence[Box],
    crop_size: int,
    kind: str | None = None,
    *,
    validation: Sequence[str] = (),
    test: Sequence[str] = (),
    side: float | None = None,
    shift: tuple[int, int, int] = (0, 0, 0),
) -> Split:
    """Divide volumes into parts.

    Parameters
    ----------
    volumes : sequence of Volume or Box
        Only their names and grid sizes are used.
    crop_size : int
        Voxels along each side of the network's crops.
    kind : str, optional
        ``box``: whole simulations are held out, at all their redshifts. Otherwise the same regions
        of each volume: ``slabs`` across the first axis; ``cubes``; or ``paper``, the cubes of
        arXiv:2012.00186, scaled to the grid. By default ``box`` for three or more simulations,
        else ``cubes``.
    validation, test : sequence of str
        For ``box``, names of the simulations to hold out; by default the last but one and the
        last.
    side : float, optional
        Side of each slab or cube, as a fraction of the box; by default that of `SIDES`.
    shift : tuple of int
        Voxels to move the regions by, along each axis.

    Raises
    ------
    UsageError
        There is no such kind or simulation, an option belongs to another kind, or nothing is left
        to train on.
    DomainError
        See `Split`.
    """
    names = list(dict.fromkeys(volume.name for volume in volumes))
    if kind is None:
        kind = "box" if len(names) >= 3 or validation or test else "cubes"
    if kind not in KINDS:
        raise UsageError("split", repr(kind), "one of " + ", ".join(KINDS))
    buffer = crop_size // 2
    if kind == "box":
        if side is not None or any(shift):
            raise UsageError("split", "side or shift", "neither, if whole boxes are held out")
        held = _held_boxes(names, validation, test)
        boxes = [
            Box(
                v.name,
                v.grid_size,
                tuple(Region(part, (0, 0, 0), (v.grid_size,) * 3) for part in held.get(v.name, ())),
            )
            for v in volumes
        ]
        return Split(kind, buffer, tuple(boxes))
    if validation or test:
        raise UsageError("split", f"names of boxes, and {kind}", "names with whole boxes only")
    if kind == "paper" and side is not None:
        raise UsageError("split", "a side", "none: the paper's cubes have their own")
    boxes = [Box(v.name, v.grid_size, _regions(kind, v.grid_size, side, shift)) for v in volumes]
    split = Split(kind, buffer, tuple(boxes))
    if not any(split.training_share(k) > 0 for k in range(len(boxes))):
        raise UsageError(
            "split",
            f"no voxel left to train on, with {kind} and a buffer of {buffer} voxels",
            "at least one",
            "use smaller regions, a larger box, or a smaller crop",
        )
    return split


def _held_boxes(
    names: Sequence[str], validation: Sequence[str], test: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """Return the part of each held-out simulation."""
    if not (validation or test):
        validation, test = names[-2:-1], names[-1:]
    unknown = sorted({*validation, *test} - set(names))
    if unknown or set(validation) & set(test):
        raise UsageError(
            "split", ", ".join(unknown) or "a box twice", "some of " + ", ".join(names)
        )
    held: dict[str, tuple[int, ...]] = dict.fromkeys(validation, (VALIDATION,))
    held |= dict.fromkeys(test, (TEST,))
    if not (validation and test and len(held) < len(names)):
        raise UsageError(
            "split by boxes",
            f"{len(names)} simulations, {len(validation)} for validation, {len(test)} for test",
            "at least one of each kind, and one to train on",
            "name others, or split by regions",
        )
    return held


def _regions(
    kind: str, size: int, side: float | None, shift: tuple[int, int, int]
) -> tuple[Region, ...]:
    """Return the test and the validation region on a grid."""
    if kind == "paper":
        scale = size / PAPER_GRID
        blocks = [
            (part, (round(first * scale),) * 3, (max(1, round(length * scale)),) * 3)
            for part, (first, length) in PAPER.items()
        ]
    else:
        side = SIDES[kind] if side is None else side
        if not 0.0 < side < 1.0:
            raise UsageError("split side", f"{side}", "a fraction of the box, above 0 and below 1")
        thick = max(1, round(side * size))
        sizes = (thick, size, size) if kind == "slabs" else (thick,) * 3
        far = (size // 2, 0, 0) if kind == "slabs" else (size // 2,) * 3
        blocks = [(TEST, (0, 0, 0), sizes), (VALIDATION, far, sizes)]
    return tuple(
        Region(part, _three([(a + b) % size for a, b in zip(corner, shift, strict=True)]), sides)
        for part, corner, sides in blocks
    )


def _three(values: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = values
    return int(x), int(y), int(z)


def _bad(found: str, expected: str) -> BadValueError:
    return BadValueError("split", found, expected)
