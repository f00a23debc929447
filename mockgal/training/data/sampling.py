"""In which order subhalos are trained on, how often, and turned how: numbers keyed by their ids.

Massive galaxies are rare, and a network that sees subhalos as often as they are learns little of
them. Weights of 1/count in bins of the target show all masses equally often (arXiv:2012.00186,
section 2.2), but shift the answer of a network that predicts a distribution: it learns
p(M*|x) / n(M*). Weights in bins of an input do not; nor do those of the target, if the loss is
multiplied with `count_correction`, at the price of a noisier loss.
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
    """1/count of each value's bin; bins are of equal width, from the least to the greatest value.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN where there is none: its weight is 0.
    bins : int
    """
    weights = np.zeros(len(values))
    known = np.flatnonzero(np.isfinite(values))
    if known.size:
        index = bin_of(values[known], bins)
        weights[known] = 1.0 / np.bincount(index, minlength=bins)[index]
    return weights


def bin_of(values: Array, bins: int = BINS) -> Array:
    """The bin of each value, shape (n,): of equal width, the last with its upper edge."""
    low, high = values.min(), values.max()
    width = (high - low) / bins
    if not width > 0:
        return np.zeros(len(values), dtype=np.int64)
    return np.asarray(np.minimum((values - low) / width, bins - 1).astype(np.int64))


def target_weights(samples: Samples, rows: Array) -> Array:
    """Chances that show all stellar masses equally often, shape (n,); 0 where not luminous."""
    weights = inverse_counts(samples.log_stellar_mass[rows])
    if not weights.any():
        raise UsageError("rows to train on", "none with a galaxy", "some", "look at the split")
    return weights


def corrected_weights(samples: Samples, rows: Array) -> Array:
    """Those of `target_weights`, and chances that show dark subhalos as often as they are.

    With `count_correction` in the loss the answer of a network that predicts a distribution is left
    as it is.
    """
    weights = target_weights(samples, rows)
    luminous = weights > 0
    weights[~luminous] = weights.sum() / np.count_nonzero(luminous)
    return weights


def input_weights(samples: Samples, rows: Array) -> Array:
    """Chances that show all bound masses of subhalos equally often, shape (n,)."""
    return inverse_counts(np.log10(samples.mass[rows]))


def count_correction(weights: Array) -> Array:
    """What each row has to count in the loss to make up for its chance, shape (n,).

    The mean of the loss over draws is then that over the rows whose chance is not zero; the mean of
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
    """So many places in ``weights``, drawn with these chances, with replacement."""
    edges = np.cumsum(weights)
    lot = uniform(seed, "training draws", np.arange(number), draw=epoch)
    places = np.searchsorted(edges, lot * edges[-1], side="right")
    return np.asarray(np.minimum(places, np.flatnonzero(weights)[-1]))


def shuffled(volume: Array, halo_id: Array, seed: int, epoch: int) -> Array:
    """Places in an order that is drawn by id."""
    number = keyed(volume, halo_id, np.zeros(len(halo_id), np.int64), "training order", seed, epoch)
    return np.asarray(np.lexsort((halo_id, volume, number)))


def occurrences(places: Array) -> Array:
    """How often each place came before, shape (n,)."""
    order = np.argsort(places, kind="stable")
    first = np.flatnonzero(np.diff(places[order], prepend=-1))
    run = np.diff(first, append=len(places))
    result = np.empty(len(places), dtype=np.int64)
    result[order] = np.arange(len(places)) - np.repeat(first, run)
    return result


def turns(
    volume: Array, halo_id: Array, occurrence: Array, number: int, seed: int, epoch: int
) -> Array:
    """Which of a number of symmetries each subhalo is turned by, shape (n,)."""
    lot = keyed(volume, halo_id, occurrence, "training symmetry", seed, epoch)
    return np.asarray((lot * number).astype(np.int64))


def keyed(
    volume: Array, halo_id: Array, occurrence: Array, purpose: str, seed: int, epoch: int
) -> Array:
    """A uniform number for each, keyed by (seed, purpose, volume, halo_id, epoch, occurrence)."""
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
