"""Pair counts of points by separation, with halotools or Corrfunc.

halotools (Hearin et al. 2017, AJ 154, 190) is installed with mockgal. If Corrfunc (Sinha & Garrison
2020, MNRAS 491, 3022) can be imported, it is used instead, and is ten times as fast or more. Both
give the same numbers. A bin of separations includes its lower edge but not its upper one. The
libraries round differently, so a pair may fall on either side of an edge if its separation is
within a few units in the last place of it, unless squares of coordinates and edges are exact. The
same holds for the inner edges of bins of mu.

Counts are of ordered pairs: a pair of two points of one sample counts twice.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...system.parallel import threads

Array = NDArray[Any]


class PairCounter(Protocol):
    """A library that counts pairs.

    In each method ``first``, shape (n, 3), is the sample of the first members of pairs and
    ``second`` that of the second members; None means the first sample again. Neither is empty. In a
    periodic box points are in [0, box_size), and separations are below a third of it. Edges are
    above 0 and increase.
    """

    name: str  # name and version of the library

    def spherical(
        self, first: Array, second: Array | None, edges: Array, box_size: float | None
    ) -> Array:
        """Return pairs by distance, shape (bins,); a box size of None means no periodicity."""

    def projected(
        self, first: Array, second: Array | None, edges: Array, pi_max: float, box_size: float
    ) -> Array:
        """Return pairs closer than ``pi_max`` along z by distance across it, shape (bins,)."""

    def wedges(
        self, first: Array, second: Array | None, edges: Array, mu_bins: int, box_size: float
    ) -> Array:
        """Return pairs by distance and by mu, the absolute cosine of the angle to the z axis.

        Shape (bins, mu_bins), in equal bins of mu in [0, 1]; the last includes mu = 1.
        """


class Halotools:
    """halotools, on one processor."""

    def __init__(self) -> None:
        # Importing halotools switches off NumPy's warnings for the whole process; prevent that.
        with np.errstate():
            package = import_module("halotools")
            observables = import_module("halotools.mock_observables")
            wedges = import_module("halotools.mock_observables.pair_counters.npairs_s_mu")
        self.name = f"halotools {package.__version__}"
        self._spherical, self._projected = observables.npairs_3d, observables.npairs_xy_z
        self._wedges = wedges.npairs_s_mu

    def spherical(
        self, first: Array, second: Array | None, edges: Array, box_size: float | None
    ) -> Array:
        """See `PairCounter.spherical`."""
        second = first if second is None else second
        below = self._spherical(first, second, _below(edges), period=box_size)
        return np.diff(below)

    def projected(
        self, first: Array, second: Array | None, edges: Array, pi_max: float, box_size: float
    ) -> Array:
        """See `PairCounter.projected`."""
        second = first if second is None else second
        along = np.array([0.0, _below(pi_max)])
        below = self._projected(first, second, _below(edges), along, period=box_size)
        return np.diff(below[:, 1])

    def wedges(
        self, first: Array, second: Array | None, edges: Array, mu_bins: int, box_size: float
    ) -> Array:
        """See `PairCounter.wedges`."""
        second = first if second is None else second
        mu_edges = np.linspace(0.0, 1.0, mu_bins + 1)
        below = self._wedges(first, second, _below(edges), mu_edges, period=box_size)
        # Cumulative in the sine of the angle, from mu = 1 (alone in the first column) down to 0.
        counts = np.diff(np.diff(below, axis=0), axis=1, prepend=0)
        counts[:, 1] += counts[:, 0]
        return np.ascontiguousarray(counts[:, :0:-1])


def _below(edges: Any) -> Any:
    """Return edges just below ``edges``: halotools counts pairs on an edge as below it."""
    return np.nextafter(edges, 0.0)


class Corrfunc:
    """Corrfunc, in double precision and on all available threads."""

    def __init__(self) -> None:
        self.name = f"Corrfunc {import_module('Corrfunc').__version__}"
        self._theory = import_module("Corrfunc.theory")

    def spherical(
        self, first: Array, second: Array | None, edges: Array, box_size: float | None
    ) -> Array:
        """See `PairCounter.spherical`."""
        box = {"periodic": False} if box_size is None else {"periodic": True, "boxsize": box_size}
        found = self._theory.DD(
            int(second is None), threads(), edges, **_points(first, second), **box
        )
        return np.asarray(found["npairs"], dtype=np.int64)

    def projected(
        self, first: Array, second: Array | None, edges: Array, pi_max: float, box_size: float
    ) -> Array:
        """See `PairCounter.projected`."""
        # Corrfunc makes int(pi_max) bins along z: use a power-of-two length unit that gives one.
        unit = 2.0 ** (math.frexp(pi_max)[1] - 1)
        found = self._theory.DDrppi(
            int(second is None),
            threads(),
            pi_max / unit,
            edges / unit,
            **_points(first / unit, None if second is None else second / unit),
            periodic=True,
            boxsize=box_size / unit,
        )
        return np.asarray(found["npairs"], dtype=np.int64)

    def wedges(
        self, first: Array, second: Array | None, edges: Array, mu_bins: int, box_size: float
    ) -> Array:
        """See `PairCounter.wedges`."""
        found = self._theory.DDsmu(
            int(second is None),
            threads(),
            edges,
            1.0,
            mu_bins,
            **_points(first, second),
            periodic=True,
            boxsize=box_size,
        )
        counts = np.asarray(found["npairs"], dtype=np.int64).reshape(-1, mu_bins)
        # Corrfunc puts pairs along the line of sight, mu = 1, in no bin.
        counts[:, -1] += self.spherical(first, second, edges, box_size) - counts.sum(axis=1)
        return counts


def _points(first: Array, second: Array | None) -> dict[str, Array]:
    points = dict(zip(("X1", "Y1", "Z1"), np.ascontiguousarray(first.T), strict=True))
    if second is not None:
        points |= zip(("X2", "Y2", "Z2"), np.ascontiguousarray(second.T), strict=True)
    return points


def pair_counter() -> PairCounter:
    """Return Corrfunc if it can be imported, else halotools."""
    try:
        return Corrfunc()
    except ImportError:
        return Halotools()
