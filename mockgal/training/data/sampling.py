"""The order, frequency and symmetry that subhalos are trained with: numbers keyed by their ids.

Massive galaxies are rare, and a network that sees each subhalo equally often learns little about
them. Weights of 1/count in bins of the target show all masses equally often (arXiv:2012.00186,
section 2.2), but bias a network that predicts a distribution: it learns p(M*|x) / n(M*). Weights in
bins of an input cause no bias. Nor do those in bins of the target, if the loss is multiplied by
`count_correction`, at the price of a noisier loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...random import stream_key, uniform

if TYPE_CHECKING:
    from .samples import Samples

Array = NDArray[Any]

BINS = 100


def inverse_counts(values: Array, bins: int = BINS) -> Array:
    """Return 1/count of each value's bin, with bins of equal width over the range of values.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Values; NaN, for none, has the weight 0.
    bins : int
    """
    weights = np.zeros(len(values))
    known = np.flatnonzero(np.isfinite(values))
    if known.size:
        index = bin_of(values[known], bins)
        weights[known] = 1.0 / np.bincount(index, minlength=bins)[index]
    return weights


def bin_of(values: Array, bins: int = BINS) -> Array:
    """Return the bin of each value, shape (n,); bins of equal width, the last closed above."""
    low, high = values.min(), values.max()
    width = (high - low) / bins
    if not width > 0:
        return np.zeros(len(values), dtype=np.int64)
    return np.asarray(np.minimum((values - low) / width, bins - 1).astype(np.int64))


def target_weights(samples: Samples, rows: Array) -> Array:
    """Return chances that show all stellar masses equally often, shape (n,); 0 if dark."""
    weights = inverse_counts(samples.log_stellar_mass[rows])
    if not weights.any():
        raise UsageError(
            "rows to train on", "none with a galaxy", "at least one", "look at the split"
        )
    return weights


def corrected_weights(samples: Samples, rows: Array) -> Array:
    """Return the chances of `target_weights`, with dark subhalos at their natural frequency.

    With `count_correction` in the loss, a network that predicts a distribution is not biased.
    """
    weights = target_weights(samples, rows)
    luminous = weights > 0
    weights[~luminous] = weights.sum() / np.count_nonzero(luminous)
    return weights


def input_weights(samples: Samples, rows: Array) -> Array:
    """Return chances that show all bound masses of subhalos equally often, shape (n,)."""
    return inverse_counts(np.log10(samples.mass[rows]))


def count_correction(weights: Array) -> Array:
    """Return the weight of each row in the loss that makes up for its chance, shape (n,).

    The mean of the loss over draws is then the mean over the rows of non-zero chance; the mean of
    the correction itself over draws is 1.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        Chances of the rows.
    """
    possible = weights > 0
    result = np.zeros(len(weights))
    result[possible] = weights.sum() / (np.count_nonzero(possible) * weights[possible])
    return result


def drawn(weights: Array, number: int, seed: int, epoch: int) -> Array:
    """Return ``number`` indices into ``weights``, drawn with these chances, with replacement."""
    edges = np.cumsum(weights)
    lot = uniform(seed, "training draws", np.arange(number), draw=epoch)
    places = np.searchsorted(edges, lot * edges[-1], side="right")
    return np.asarray(np.minimum(places, np.flatnonzero(weights)[-1]))


def shuffled(volume: Array, halo_id: Array, seed: int, epoch: int) -> Array:
    """Return indices in a random order, keyed by id."""
    number = keyed(volume, halo_id, np.zeros(len(halo_id), np.int64), "training order", seed, epoch)
    return np.asarray(np.lexsort((halo_id, volume, number)))


def occurrences(places: Array) -> Array:
    """Return how often each place occurred before, shape (n,)."""
    order = np.argsort(places, kind="stable")
    first = np.flatnonzero(np.diff(places[order], prepend=-1))
    run = np.diff(first, append=len(places))
    result = np.empty(len(places), dtype=np.int64)
    result[order] = np.arange(len(places)) - np.repeat(first, run)
    return result


def turns(
    volume: Array, halo_id: Array, occurrence: Array, number: int, seed: int, epoch: int
) -> Array:
    """Return which of ``number`` symmetries is applied to each subhalo, shape (n,)."""
    lot = keyed(volume, halo_id, occurrence, "training symmetry", seed, epoch)
    return np.asarray((lot * number).astype(np.int64))


def keyed(
    volume: Array, halo_id: Array, occurrence: Array, purpose: str, seed: int, epoch: int
) -> Array:
    """Return uniform numbers keyed by (seed, purpose, volume, halo_id, epoch, occurrence)."""
    from ...system.kernels import uniform_of

    result = np.empty(len(halo_id))
    for index in np.unique(volume):
        rows = np.flatnonzero(volume == index)
        out = np.empty(len(rows))
        key = stream_key(seed, f"{purpose} {index}")
        ids = np.ascontiguousarray(halo_id[rows], dtype=np.int64).view(np.uint64)
        uniform_of(ids, occurrence[rows], np.uint64(epoch), *map(np.uint64, key), out)
        result[rows] = out
    return result
