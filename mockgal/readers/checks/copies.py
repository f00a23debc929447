"""Duplicates: objects repeated under other ids, at the same place and with the same mass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError

Array = NDArray[Any]

FEWEST = 16  # rows needed to estimate the rate of coincidences
CHANCE = 1e-6  # probability that a good catalogue with rows at one place is refused
_BLOCK = 1 << 20


class Copies(NamedTuple):
    """Duplicate rows, and what they have in common with the originals.

    Parameters
    ----------
    again, first : ndarray of int, shape (copies,)
        Duplicate rows, and the rows that they repeat.
    common : str
        What agrees beside the place: ``"mass"`` or ``"mass and velocity"``.
    """

    again: Array
    first: Array
    common: str


def check_copies(
    ids: Array,
    position: Array,
    mass: Array,
    velocity: Array | None,
    what: str,
    where: Callable[[int], str],
) -> None:
    """Raise if objects are repeated under other ids; see `find_copies`.

    Parameters
    ----------
    ids, position, mass, velocity : ndarray
        See `find_copies`.
    what : str
        Name of the objects, for the message: ``"halos"``.
    where : callable
        ``where(row)`` returns where a row is.

    Raises
    ------
    BadValueError
        The message gives the number of copies, and the ids of the first pair.
    """
    if found := find_copies(position, mass, velocity):
        raise refusal(found, ids, what, where)


def refusal(
    found: Copies, ids: Array, what: str, where: Callable[[int], str], otherwise: str = ""
) -> BadValueError:
    """Return the error for copies; ``otherwise`` is appended to its fix."""
    other, one = found.again[0], found.first[0]
    return BadValueError(
        where(int(other)),
        f"{len(found.again)} {what} that are repeated under another id, with the same place, "
        f"{found.common}: the first, id {ids[other]}, is also id {ids[one]}",
        "each object once",
        "look for a file that was read twice, pieces that overlap, or a replicated box, and "
        f"leave the copies out{otherwise}",
    )


def find_copies(
    position: Array, mass: Array, velocity: Array | None, preferred: Array | None = None
) -> Copies | None:
    """Return the objects that are repeated under other ids, or None.

    Rows are the same object if they have the same place and mass in single precision, which every
    format keeps. Good catalogues have some such rows, where positions were rounded or satellites
    were placed at their host: if two rows have the same mass with probability p, then D pairs at
    one place include D p of them. More than that are refused if their Poisson probability is below
    `CHANCE`. Where no two objects at one place share a velocity, mass and velocity must both agree
    by chance. Rows without mass do not count, and fewer than `FEWEST` rows are not checked.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
    mass : ndarray, shape (n,)
    velocity : ndarray, shape (n, 3), or None
    preferred : ndarray of bool, shape (n,), optional
        Rows that count as the original if they are among the rows of one object.
    """
    if len(mass) < FEWEST:
        return None
    place = row_key(position)
    order = np.argsort(place, kind="stable")
    beside = np.zeros(len(place), dtype=bool)
    same = place[order[1:]] == place[order[:-1]]
    beside[order[1:][same]] = beside[order[:-1][same]] = True
    rows = np.flatnonzero(beside & (mass > 0))
    if not rows.size:
        return None
    if preferred is not None:
        rows = rows[np.argsort(~preferred[rows], kind="stable")]
    place = place[rows]
    of_all = {"mass": row_key(mass[:, None])}
    if velocity is not None:
        of_all["mass and velocity"] = row_key(np.column_stack([mass, velocity]))
    properties = {name: key[rows] for name, key in of_all.items()}
    if velocity is not None:
        # Satellites that were given the place and velocity of their host are no evidence.
        moving = row_key(velocity[rows])
        if _pairs(place, moving) > _pairs(place, properties["mass and velocity"]):
            del properties["mass and velocity"]
    beside_each_other = _pairs(place)
    for name, key in properties.items():
        copies = _pairs(place, key)
        # Rates among rows that share a place, and among all; if all share one place, no evidence.
        share = max(
            _share(key, copies, beside_each_other, 0.0),
            _share(of_all[name], copies, beside_each_other, 1.0),
        )
        expected = (beside_each_other - copies + 1) * share / max(1 - share, 1e-9)
        if copies and _as_many(copies, expected) < CHANCE:
            _, first, which = np.unique(_mixed(place, key), return_index=True, return_inverse=True)
            again = np.flatnonzero(first[which] != np.arange(len(rows)))
            again = again[np.argsort(rows[again])]
            return Copies(rows[again], rows[first[which[again]]], name)
    return None


def row_key(values: Array, kind: type[np.floating[Any]] = np.float32) -> NDArray[np.uint64]:
    """Return a hash of each row; rows that are equal in this precision have the same hash.

    Sorting hashes takes a tenth of the time of `numpy.unique` over rows. Two different rows have
    the same hash with a probability of 2^-64.

    Parameters
    ----------
    values : ndarray, shape (n, k)
    kind : type
        `numpy.float32` or `numpy.float64`.

    Returns
    -------
    ndarray, shape (n,)
    """
    key = np.zeros(len(values), dtype=np.uint64)
    for start in range(0, len(values), _BLOCK):
        here = slice(start, start + _BLOCK)
        rows = np.ascontiguousarray(values[here], dtype=kind) + kind(0)  # -0 is 0
        for word in rows.view(f"u{rows.itemsize}").T:
            key[here] = _mixed(key[here], word)
    return key


def _mixed(first: Array, second: Array) -> NDArray[np.uint64]:
    """Return a hash of two numbers, shape (n,)."""
    # The steps of splitmix64 (Steele, Lea & Flood 2014), which map different keys differently.
    mixed = first + np.uint64(0x9E3779B97F4A7C15) + second.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result


def _pairs(key: Array, other: Array | None = None) -> int:
    """Return the number of pairs of rows that agree in the key, or in both keys."""
    both = key if other is None else _mixed(key, other)
    number = np.unique(both, return_counts=True)[1].astype(np.float64)
    return int(np.sum(number * (number - 1) / 2))


def _share(key: Array, copies: int, beside: int, without: float) -> float:
    """Return the fraction of pairs of rows at different places that agree in ``key``.

    Without such pairs, return ``without``.
    """
    pairs = len(key) * (len(key) - 1) / 2 - beside
    return max(_pairs(key) - copies, 0) / pairs if pairs > 0 else without


def _as_many(number: int, expected: float) -> float:
    """Return the Poisson probability of ``number`` or more."""
    from scipy.special import gammainc

    return float(gammainc(number, expected)) if expected > 0 else 0.0
