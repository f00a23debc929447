"""Tables of pairs between classes of hosts: from them, the clustering for any mean numbers.

The number of pairs of galaxies in a bin of separation is quadratic in the mean numbers of galaxies
of classes of hosts, with coefficients that depend on the simulation alone (Zheng & Guo 2016,
arXiv:1506.07523). The pairs of points (`mockgal.fitting.tables.points`) are counted once.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...fields.sample import AXES, check_axis
from ...statistics.pairs.separations import MOST_OF_BOX, Cylinders, Shells
from ...system.memory import check_memory
from ...system.parallel import over
from ...system.progress import advance
from ...types import Snapshot
from .hosts import Numbers
from .points import Places, Points

Array = NDArray[Any]

VERSION = 1  # of the numbers in a table: increase if the same facts give others
ALL = "xyz"
FAR_FROM = 4.0  # Mpc/h: beyond halos, which reach to about 2 from their centres
_BLOCK = 1 << 12  # points whose pairs are counted at a time
_TABLES = 64  # partial tables: with more, sums of them would take memory, not time
_TOGETHER = 8  # blocks between two reports of progress


@dataclass(frozen=True)
class Bins:
    """Which pairs are counted.

    Parameters
    ----------
    statistic : str
        ``"wp"`` or ``"xi"``.
    edges : tuple of float
        Of the bins of separation [Mpc/h].
    pi_max : float
        For wp: largest separation along the line of sight [Mpc/h]; else 0.
    line_of_sight : str
        Axes along which points are moved to redshift space, over which the table is the mean:
        ``"z"``, ``"xyz"``; ``""`` for real space.
    """

    statistic: str
    edges: tuple[float, ...]
    pi_max: float
    line_of_sight: str

    @property
    def axis(self) -> str:
        """Name of the separation."""
        return "r_p" if self.pi_max else "r"

    def check(self, snapshot: Snapshot) -> None:
        """Raise if a separation is a third of the box or more.

        Raises
        ------
        UsageError
        """
        most, size = max(self.edges[-1], self.pi_max), snapshot.box_size
        if most >= size * MOST_OF_BOX:
            what = "r_max" if self.edges[-1] >= self.pi_max else "pi_max"
            raise UsageError(
                f"fit:{what}",
                f"{most:g} Mpc/h in the data, and a box of {size:g} Mpc/h",
                f"less than a third of the box, {size * MOST_OF_BOX:.6g} Mpc/h",
                "fit fewer bins: --r-max; or a larger box"
                if what == "r_max"
                else "measure with a smaller --pi-max, or fit a larger box",
            )

    def volumes(self) -> Array:
        """Return the volume of each bin [(Mpc/h)^3], shape (bins,)."""
        edges = np.array(self.edges)
        bins = Cylinders(edges, self.pi_max) if self.pi_max else Shells(edges)
        return bins.volumes()[:, 0]

    def facts(self) -> dict[str, Any]:
        """Return what identifies the bins: JSON values."""
        return {
            "version": VERSION,
            "statistic": self.statistic,
            "edges_mpc_h": list(self.edges),
            "pi_max_mpc_h": self.pi_max,
            "line_of_sight": self.line_of_sight,
        }


@dataclass(frozen=True)
class PairTable:
    """The pairs of points between classes of hosts.

    Parameters
    ----------
    bins : Bins
    pairs : ndarray, shape (labels * (labels + 1) / 2, bins)
        For each two labels, in the order of the lower triangle of a matrix, the sum of the weights
        of their pairs, each counted once.
    box_size : float
        [Mpc/h]
    """

    bins: Bins
    pairs: Array
    box_size: float

    def predict(self, numbers: Numbers) -> Array:
        """Return the statistic for p sets of mean numbers, shape (p, bins).

        w_p [Mpc/h] and xi are what `mockgal.statistics.pairs` measures in populated boxes, on
        average: 2 DD / ((<n>^2 - sum p^2) V_bin / V) - 1, with DD the mean number of pairs, each
        counted once, and p the probabilities of galaxies that can be there once.
        """
        occupation = np.ascontiguousarray(numbers.occupation)
        sums = np.empty((len(occupation), self.pairs.shape[1]))
        from .kernels import quadratic

        quadratic(0, len(occupation), occupation, self.pairs, sums)
        ways = (numbers.total**2 - numbers.squares)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            xi = 2.0 * sums / (ways * (self.bins.volumes() / self.box_size**3)) - 1.0
        return xi * 2.0 * self.bins.pi_max if self.bins.pi_max else xi


def digest_of(places: Places, bins: Bins) -> str:
    """Return the BLAKE2b-256 of what a table depends on."""
    text = json.dumps({"places": places.facts, "bins": bins.facts()}, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def tabulate(places: Places, bins: Bins, snapshot: Snapshot) -> PairTable:
    """Count the pairs of points, and report progress.

    Parameters
    ----------
    places : Places
    bins : Bins
    snapshot : Snapshot

    Returns
    -------
    PairTable
        The same to the last bit for any number of threads.

    Raises
    ------
    UsageError
        The bins do not fit into the box.
    ResourceError
        There is too little memory.
    """
    bins.check(snapshot)
    labels = 2 * places.hosts.classes
    rows = labels * (labels + 1) // 2
    number = len(bins.edges) - 1
    points = places.points
    check_memory(
        "the table of pairs",
        8 * rows * number * min(_TABLES, 1 + len(points.weight) // _BLOCK)
        + 200 * len(points.weight),
        "fit fewer bins (--r-min, --r-max), or with fewer --tracers",
    )
    axes = bins.line_of_sight or "z"
    split = int(np.searchsorted(bins.edges, FAR_FROM))
    parts = [(points.weight, 0, min(split, number)), (points.far_weight, split, number)]
    total = np.zeros((rows, number))
    steps = [(axis, *part) for axis in axes for part in parts if part[1] < part[2]]
    for step, (axis, weight, first, stop) in enumerate(steps):
        some = points._replace(weight=weight)
        if not weight.all():
            some = Points(*(column[weight > 0] for column in some))
        moved = _moved(some, snapshot, axis if bins.line_of_sight else "")
        edges = replace(bins, edges=bins.edges[first : stop + 1])
        found = _count(moved, some, edges, snapshot.box_size, rows, (step, len(steps)))
        total[:, first:stop] += found
    return PairTable(bins, total / len(axes), snapshot.box_size)


def _moved(points: Points, snapshot: Snapshot, axis: str) -> Array:
    """Return positions, in redshift space if an axis is named, with the line of sight along z."""
    position, size = points.position.copy(), snapshot.box_size
    if axis:
        along = check_axis(axis)
        factor = snapshot.cosmology.redshift_space_factor(snapshot.redshift)
        position[:, along] += points.velocity[:, along] * factor
        position = np.roll(position, len(AXES) - 1 - along, axis=1)
    position %= size
    position[position >= size] = 0.0
    return position


def _count(
    position: Array,
    points: Points,
    bins: Bins,
    box_size: float,
    rows: int,
    step: tuple[int, int],
) -> Array:
    """Return the weights of pairs, shape (rows, bins); this is a step of several."""
    from .kernels import cells_of, count

    r_max, shape = bins.edges[-1], (rows, len(bins.edges) - 1)
    reach = (r_max, r_max, bins.pi_max or r_max)
    order, *cells = cells_of(position, points.label, box_size, reach)
    columns = (position, points.weight, points.label, points.host, points.factor)
    in_order = [np.ascontiguousarray(column[order]) for column in columns]
    squares, n = np.array(bins.edges) ** 2, len(position)
    each = max(_BLOCK, -(-n // _TABLES))
    starts = list(range(0, n, each))
    result = np.zeros(shape)

    def part(start: int) -> Array:
        table = np.zeros(shape)
        stop = min(start + each, n)
        count(start, stop, *in_order, *cells, box_size, squares, bins.pi_max, table)
        return table

    label = f"pairs for {bins.statistic}"
    for done in range(0, len(starts), _TOGETHER):
        advance(step[0] * len(starts) + done, step[1] * len(starts), label)
        for table in over(part, starts[done : done + _TOGETHER]):
            result += table
    advance((step[0] + 1) * len(starts), step[1] * len(starts), label)
    return result
