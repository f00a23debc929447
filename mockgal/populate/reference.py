"""What `mockgal.populate.kernels` does, with NumPy: for catalogues of few rows, and to test it by.

`quantile` of the numbers' laws and `evaluate` of a curve belong to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import random
from .curves import evaluate as evaluate
from .numbers import quantile as quantile
from .rows import SATELLITE_BIT, Rows, Satellites

Array = NDArray[Any]


def uniform(seed: int, stream: str, ids: Array) -> Array:
    """`mockgal.random.uniform` of each id."""
    return random.uniform(seed, stream, ids)


def uniform_of(seed: int, stream: str, ids: Array, index: Array, draw: int = 0) -> Array:
    """The same with a ``sub_index`` for each id, shape (n,)."""
    result = np.empty(len(ids))
    for i in np.unique(index):
        chosen = index == i
        result[chosen] = random.uniform(seed, stream, ids[chosen], draw=draw, sub_index=int(i))
    return result


def first_id(seed: int, hosts: Array) -> Array:
    """62 bits of the hash of each host's id, which the ids of its satellites are counted from.

    Parameters
    ----------
    seed : int
    hosts : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    words = np.zeros((len(hosts), 4), dtype=np.uint32)
    words[:, 0], words[:, 1] = hosts & 0xFFFFFFFF, hosts.view(np.uint64) >> np.uint64(32)
    words = random.philox4x32(words, random.stream_key(seed, "satellite id"))
    high, low = (words[:, i].astype(np.int64) for i in (0, 1))
    return (high << (SATELLITE_BIT - 32)) | (low >> (64 - SATELLITE_BIT))


def interpolate(u: Array, row: Array, probability: Array, values: Array) -> Array:
    """Straight lines between the quantiles in some rows of a table.

    Parameters
    ----------
    u : ndarray, shape (n,)
        In (0, 1).
    row : ndarray of int, shape (n,)
    probability : ndarray, shape (q,)
        From 0 to 1.
    values : ndarray, shape (rows, q)

    Returns
    -------
    ndarray, shape (n,)
    """
    result = np.empty(len(u))
    for r in np.unique(row):
        chosen = row == r
        result[chosen] = np.interp(u[chosen], probability, values[r])
    return result


def join(
    hosts: Rows,
    number: Array,
    satellite: Satellites,
    mass: Array,
    displacement: Array,
    kick: Array,
    box_size: float,
    first_row: int,
    out: Rows,
) -> int:
    """Hosts, each followed by its satellites.

    Parameters
    ----------
    hosts : Rows
        n of them; ``host_row`` is not looked at.
    number : ndarray of int64, shape (n,)
        How many satellites each has.
    satellite : Satellites
        m of them.
    mass : ndarray, shape (m,)
        [Msun/h]
    displacement : ndarray, shape (m, 3)
        From the host [Mpc/h].
    kick : ndarray, shape (m, 3)
        Velocity relative to the host [km/s].
    box_size : float
        Positions are wrapped into [0, box_size).
    first_row : int
        Of these rows in the catalogue.
    out : Rows
        Of n + m rows, filled.

    Returns
    -------
    int
        Satellites that were wrapped.
    """
    row = np.arange(len(number)) + np.cumsum(number) - number  # of each host
    central = np.zeros(len(out.mass), dtype=np.bool_)
    central[row] = True
    own = np.repeat(np.arange(len(number)), number)
    unwrapped = hosts.position[own] + displacement
    position = unwrapped - box_size * np.floor(unwrapped / box_size)
    position[(position >= box_size) | (position < 0.0)] = 0.0
    theirs = {
        "halo_id": satellite.halo_id,
        "position": position,
        "velocity": hosts.velocity[own] + kick,
        "mass": mass,
    }
    given = hosts._replace(host_id=hosts.halo_id, host_row=row + first_row)
    for name, values in given._asdict().items():
        column = getattr(out, name)
        column[central] = values
        column[~central] = theirs.get(name, values[own])
    out.is_central[...] = central
    return int(np.count_nonzero((position != unwrapped).any(axis=1)))
