"""Plan of how the subhalos of a tile share the convolutions of their crops.

Without padding the network's output for a subhalo depends only on its own crop, so that overlapping
crops can share work exactly. Subhalos are grouped in boxes. For each box the first layers are
evaluated *densely*, wherever a subhalo of the box needs them; for the other layers each subhalo
takes a *window* of the dense output. The layer at which this changes, the box's split, covers three
cases:

- crop (split 0): each subhalo separately, on the voxels of its receptive field;
- gather: some layers of the first stage densely;
- phase: dense layers beyond the first stride of 2. Later layers depend on whether the window starts
  at an even or an odd voxel along each axis. This gives 8 grids of half the resolution (64 after
  the second stride), of which only those that a subhalo needs are computed.

The plan minimises the number of multiplications, plus the overhead of each call: a multiplication
takes the same time in all layers, within some tens of percent.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..architecture import Architecture

Array = NDArray[Any]

AT_ONCE = 5  # of the 8 grids after a stride of 2: this many are worth one convolution of stride 1
CALL = 5e6  # overhead of one convolution in multiplications, about 50 microseconds
_HOPELESS = 1.5  # parts that cost this factor more than the whole are not divided further
_DEEP = 64  # depth of division from which on sets are halved, not cut at their widest gaps


class Box(NamedTuple):
    """Subhalos that share work.

    ``rows`` are rows of the windows in `plan`; the first ``split`` layers are evaluated densely.
    """

    rows: Array
    split: int


def multiplications(architecture: Architecture) -> Array:
    """Return the multiplications of each layer for one window, shape (layers,)."""
    return np.array(
        [
            _of_one_voxel(layer) * float(window) ** 3
            for layer, window in zip(architecture.layers, architecture.windows[1:], strict=True)
        ]
    )


def costs(architecture: Architecture, extent: Array, number: Array) -> Array:
    """Return the cost of boxes at each split.

    Parameters
    ----------
    architecture : Architecture
    extent : ndarray of int, shape (m, 3)
        Range of the starts of the windows along each axis, at least 1.
    number : ndarray of int, shape (m,)
        Windows in each box.

    Returns
    -------
    ndarray, shape (m, layers + 1)
        In multiplications.
    """
    layers, windows = architecture.layers, architecture.windows
    extent, grids = np.asarray(extent, dtype=np.float64), np.ones(len(extent))
    dense = np.zeros((len(extent), len(layers) + 1))
    for i, layer in enumerate(layers):
        calls = grids
        if layer.stride == 2:
            grids = np.minimum(8 * grids, number)
            calls = np.where(grids >= AT_ONCE * calls, calls, grids)
            extent = np.where((number <= grids)[:, None], 1.0, np.ceil(extent / 2))
        voxels = np.prod(extent + (windows[i + 1] - 1), axis=1)
        dense[:, i + 1] = dense[:, i] + grids * voxels * _of_one_voxel(layer) + calls * CALL
    of_one = multiplications(architecture)
    rest = of_one.sum() - np.concatenate([[0.0], np.cumsum(of_one)])
    return np.asarray(dense + np.asarray(number)[:, None] * rest)


def plan(architecture: Architecture, starts: Array) -> list[Box]:
    """Return boxes that hold each window once, at low cost.

    A set of windows is divided in two if that is cheaper, at the cheapest of the widest gap and the
    median along each axis.

    Parameters
    ----------
    architecture : Architecture
    starts : ndarray of int, shape (n, 3)
        First voxels of the windows, all different.

    Returns
    -------
    list of Box
    """
    if not len(starts):
        return []
    return _divide(architecture, starts, np.arange(len(starts)))[1]


def cost_of(architecture: Architecture, starts: Array, boxes: list[Box]) -> float:
    """Return the multiplications of a plan."""
    if not boxes:
        return 0.0
    extent = np.array([_extent(starts[box.rows]) for box in boxes])
    all_splits = costs(architecture, extent, np.array([len(box.rows) for box in boxes]))
    return float(all_splits[np.arange(len(boxes)), [box.split for box in boxes]].sum())


def _divide(
    architecture: Architecture, starts: Array, rows: Array, most: float = np.inf, depth: int = 0
) -> tuple[float, list[Box]]:
    """Return the cost of some rows, and their boxes.

    Halves that cost more than ``most`` are not divided further: together with the other parts of
    the set that they come from, they would cost too much more than the undivided set.
    """
    whole = costs(architecture, _extent(starts[rows])[None], np.array([len(rows)]))[0]
    split = int(np.argmin(whole))
    best, together = float(whole[split]), [Box(rows, split)]
    least = float(multiplications(architecture).sum())
    if len(rows) == 1 or best <= 2 * least:  # two boxes cost no less
        return best, together
    sides = _cuts(starts[rows], gaps=depth < _DEEP)
    extent = np.array([_extent(starts[rows[side]]) for pair in sides for side in pair])
    number = np.array([np.count_nonzero(side) for pair in sides for side in pair])
    halves = costs(architecture, extent, number).min(axis=1).reshape(-1, 2)
    choice = int(np.argmin(halves.sum(axis=1)))
    most = min(most, _HOPELESS * best)
    if halves[choice].sum() > most:
        return best, together
    below, above = (rows[side] for side in sides[choice])
    first, boxes = _divide(architecture, starts, below, most - halves[choice, 1], depth + 1)
    second, others = _divide(architecture, starts, above, most - first, depth + 1)
    if first + second >= best:
        return best, together
    return first + second, boxes + others


def _cuts(starts: Array, *, gaps: bool) -> list[tuple[Array, Array]]:
    """Return ways to divide windows in two; of equally cheap ones the first is taken."""
    cuts = []
    for axis in range(3):
        along = np.unique(starts[:, axis])
        if len(along) == 1:
            continue
        median, widest = (len(along) - 1) // 2, int(np.argmax(np.diff(along)))
        for last in dict.fromkeys([median, widest] if gaps else [median]):
            below = starts[:, axis] <= along[last]
            cuts.append((below, ~below))
    return cuts


def _extent(starts: Array) -> Array:
    return np.asarray(starts.max(axis=0) - starts.min(axis=0) + 1)


def _of_one_voxel(layer: Any) -> float:
    return float(layer.kernel**3 * layer.channels_in * layer.channels_out)
