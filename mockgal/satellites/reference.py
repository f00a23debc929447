"""The functions of `mockgal.satellites.kernels` in NumPy: for small catalogues, and for its tests.

`quantile` of the number laws and `evaluate` of a curve belong to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import random
from .curves import evaluate as evaluate
from .ids import SATELLITE_BIT
from .numbers import quantile as quantile

Array = NDArray[Any]


def uniform(seed: int, stream: str, ids: Array) -> Array:
    """Return `mockgal.random.uniform` of each id."""
    return random.uniform(seed, stream, ids)


def uniform_of(seed: int, stream: str, ids: Array, index: Array, draw: int = 0) -> Array:
    """Return the same with a ``sub_index`` for each id, shape (n,)."""
    result = np.empty(len(ids))
    for i in np.unique(index):
        chosen = index == i
        result[chosen] = random.uniform(seed, stream, ids[chosen], draw=draw, sub_index=int(i))
    return result


def id_hash(seed: int, hosts: Array, attempt: int) -> Array:
    """Return 52 bits of the hash of each host's id, for the ids of its satellites.

    Parameters
    ----------
    seed : int
    hosts : ndarray of int64, shape (n,)
    attempt : int
        0 at first; see `mockgal.satellites.ids`.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    words = np.zeros((len(hosts), 4), dtype=np.uint32)
    words[:, 0], words[:, 1] = hosts & 0xFFFFFFFF, hosts.view(np.uint64) >> np.uint64(32)
    words[:, 2] = attempt
    words = random.philox4x32(words, random.stream_key(seed, "satellite id"))
    high, low = (words[:, i].astype(np.int64) for i in (0, 1))
    return (high << (SATELLITE_BIT - 32)) | (low >> (64 - SATELLITE_BIT))


def lines(probability: Array, values: Array) -> tuple[Array, ...]:
    """Return what `interpolate` needs of a table, computed once for all uses.

    Parameters
    ----------
    probability : ndarray, shape (q,)
        Increasing, from 0 to 1.
    values : ndarray, shape (rows, q)
        Quantiles.
    """
    return probability, values


def interpolate(u: Array, row: Array, lines: tuple[Array, ...]) -> Array:
    """Return linear interpolations between the quantiles in some rows of a table.

    Parameters
    ----------
    u : ndarray, shape (n,)
        Probabilities in (0, 1).
    row : ndarray of int, shape (n,)
    lines : tuple
        The result of `lines` for the table.

    Returns
    -------
    ndarray, shape (n,)
    """
    probability, values = lines
    result = np.empty(len(u))
    for r in np.unique(row):
        chosen = row == r
        result[chosen] = np.interp(u[chosen], probability, values[r])
    return result


def place(
    of: Array,
    host: Sequence[Array],
    offset: Sequence[Array],
    box_size: float,
    out: Sequence[Array],
) -> int:
    """Fill in the positions and velocities of satellites.

    Parameters
    ----------
    of : ndarray of int64, shape (m,)
        The host of each satellite.
    host : two ndarray, shape (n, 3)
        Positions [Mpc/h] and velocities [km/s] of the hosts.
    offset : two ndarray, shape (m, 3)
        Positions and velocities of the satellites, relative to their hosts.
    box_size : float
        Positions are wrapped into [0, box_size); infinite on a light cone, where none are.
    out : two ndarray, shape (m, 3)
        Filled with positions and velocities.

    Returns
    -------
    int
        Number of satellites that were wrapped.
    """
    unwrapped = position = host[0][of] + offset[0]
    if np.isfinite(box_size):
        position = unwrapped - box_size * np.floor(unwrapped / box_size)
        position[(position >= box_size) | (position < 0.0)] = 0.0
    out[0][...], out[1][...] = position, host[1][of] + offset[1]
    return int(np.count_nonzero((position != unwrapped).any(axis=1)))


def order(number: Array, first: int, host: Array, is_central: Array) -> None:
    """Fill in the order of rows: each host, then its satellites.

    Parameters
    ----------
    number : ndarray of int64, shape (n,)
        How many satellites each host has, m in all.
    first : int
        Number of the first host; the others follow.
    host : ndarray of int64, shape (n + m,)
        Filled with the number of the host that each row is, or belongs to.
    is_central : ndarray of bool, shape (n + m,)
        Filled with True for hosts.
    """
    hosts = np.arange(len(number))
    host[...] = first + np.repeat(hosts, number + 1)
    is_central[...] = False
    is_central[hosts + np.cumsum(number) - number] = True
