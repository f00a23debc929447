"""Compare held-out regions with the rest: their rank among blocks of the same size in the box.

arXiv:2012.00186 chose its regions so that they have neither large voids nor very massive halos.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import warn
from .samples import PARTS, Samples, Volume
from .split import Region, Split

Array = NDArray[Any]

PLACES = 16  # positions of blocks along each axis
LEAST_SUBHALOS = 10  # least number in the box above a mass threshold
EXTREME = (5.0, 95.0)  # percentiles beyond which a warning is given


def check_representative(samples: Samples, split: Split) -> Samples:
    """Add ``representative`` to the record of samples, and warn of extreme regions.

    Whole boxes are not compared: there are no other blocks of their size.
    """
    ranks = []
    for index, box in enumerate(split.boxes):
        rows = np.flatnonzero(samples.volume == index)
        for region in box.regions:
            if min(region.size) == box.grid_size:  # the whole box
                continue
            values = representative(
                samples.volumes[index], samples.voxel[rows], samples.mass[rows], region
            )
            ranks.append({"box": box.name, "part": PARTS[region.part], **values})
            _warn(ranks[-1])
    return replace(samples, record={**samples.record, "representative": ranks})


def representative(volume: Volume, voxel: Array, mass: Array, region: Region) -> dict[str, Any]:
    """Return the rank of a region among blocks of its size in the box.

    Parameters
    ----------
    volume : Volume
    voxel : ndarray of int, shape (n, 3)
        Voxels of the subhalos.
    mass : ndarray, shape (n,)
        Bound masses of the subhalos [Msun/h].
    region : Region

    Returns
    -------
    dict
        Plain JSON values: ``mean_density`` relative to that of the box, and the number of subhalos
        above the least mass and above each power of ten (the cumulative mass function). Each has
        its ``percentile`` among the blocks at ``places`` positions, with ties counting half.
        Blocks overlap; ``independent`` is the number that fit side by side.
    """
    size = volume.grid_size
    blocks = _Blocks(region, size)
    density = blocks.density(volume)
    values: dict[str, Any] = {
        "places": int(density.size),
        "independent": size**3 / float(np.prod(region.size)),
        "mean_density": _place(density),
    }
    numbers = []
    least = float(mass.min()) if len(mass) else 0.0
    above = int(np.ceil(np.log10(least))) if least > 0 else 0
    for threshold in [least, *(10.0**k for k in range(above, above + 20))]:
        chosen = mass >= threshold
        if np.count_nonzero(chosen) < LEAST_SUBHALOS:
            break
        count = blocks.of_points(voxel[chosen])
        numbers.append({"least_mass_msun_h": threshold, **_place(count)})
    return values | {"subhalos": numbers}


def _place(values: Array) -> dict[str, float]:
    own = values.flat[0]
    below = np.count_nonzero(values < own) + 0.5 * np.count_nonzero(values == own)
    return {"value": float(own), "percentile": float(100.0 * below / values.size)}


def _warn(ranks: dict[str, Any]) -> None:
    compared = {"mean density": ranks["mean_density"]}
    for entry in ranks["subhalos"]:
        compared[f"number of subhalos above {entry['least_mass_msun_h']:.3g} Msun/h"] = entry
    far = [
        f"{name} at percentile {entry['percentile']:.0f}"
        for name, entry in compared.items()
        if not EXTREME[0] <= entry["percentile"] <= EXTREME[1]
    ]
    if far:
        warn(
            f"the {ranks['part']} region of {ranks['box']} is not like the rest of the box: "
            + ", ".join(far),
        )


class _Blocks:
    """Sums over blocks of one size at evenly spaced positions, beginning with the region's own.

    The planes at which blocks begin or end cut each axis into pieces. Sums are taken once per
    piece and then added up for every block.
    """

    def __init__(self, region: Region, grid_size: int) -> None:
        number = min(PLACES, grid_size)
        steps = np.arange(number) * grid_size // number
        self._edges, self._spans = [], []
        for first, side in zip(region.corner, region.size, strict=True):
            starts = (first + steps) % grid_size
            edges = np.unique([starts, (starts + side) % grid_size])
            begin = np.searchsorted(edges, starts)
            end = np.searchsorted(edges, (starts + side) % grid_size)
            self._edges.append(edges)
            self._spans.append((begin, np.where(end <= begin, end + len(edges), end)))
        self._size, self._voxels = grid_size, float(np.prod(region.size))

    def density(self, volume: Volume) -> Array:
        """Return the mean matter density of each block over that of the box, shape (p, p, p)."""
        pieces = np.zeros([len(edges) for edges in self._edges])
        which = self._piece(np.arange(self._size), 0)
        for plane, piece in enumerate(which):
            mass = np.expm1(volume.channels[0, plane].astype(np.float64) * np.log(10.0))
            pieces[piece] += self._along(self._along(mass, 1, 0), 2, 1)
        mean = pieces.sum() / self._size**3
        return np.asarray(self._sums(pieces) / (self._voxels * mean))

    def of_points(self, voxel: Array) -> Array:
        """Return the number of points in each block, shape (p, p, p)."""
        pieces = np.zeros([len(edges) for edges in self._edges], dtype=np.int64)
        np.add.at(pieces, tuple(self._piece(voxel[:, axis], axis) for axis in range(3)), 1)
        return self._sums(pieces)

    def _piece(self, coordinate: Array, axis: int) -> Array:
        """Return the piece that holds a plane; planes before the first edge are in the last."""
        edges = self._edges[axis]
        return np.asarray((np.searchsorted(edges, coordinate, side="right") - 1) % len(edges))

    def _along(self, values: Array, axis: int, along: int) -> Array:
        """Return sums over the pieces of a grid axis, taken along an axis of ``values``."""
        edges = self._edges[axis]
        rolled = np.roll(values, -int(edges[0]), axis=along)
        return np.asarray(np.add.reduceat(rolled, edges - edges[0], axis=along))

    def _sums(self, pieces: Array) -> Array:
        for axis, (begin, end) in enumerate(self._spans):
            twice = np.concatenate([pieces, pieces], axis=axis)
            total = np.cumsum(twice, axis=axis)
            total = np.insert(total, 0, 0, axis=axis)
            pieces = np.take(total, end, axis=axis) - np.take(total, begin, axis=axis)
        return pieces
