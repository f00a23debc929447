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

    def of_all(name: str) -> int:
        return pairs_of(property_key(name, mass, velocity))

    found = judge(
        place[rows], mass[rows], None if velocity is None else velocity[rows], of_all, len(mass)
    )
    if found is None:
        return None
    again, first, name = found
    order = np.argsort(rows[again])
    return Copies(rows[again][order], rows[first][order], name)


def property_key(name: str, mass: Array, velocity: Array | None) -> NDArray[np.uint64]:
    """Return a hash of what copies have in common: ``"mass"``, or ``"mass and velocity"``."""
    values = mass[:, None] if name == "mass" else np.column_stack([mass, velocity])  # type: ignore[list-item]
    return row_key(values)


def judge(
    place: NDArray[np.uint64],
    mass: Array,
    velocity: Array | None,
    pairs_of_all: Callable[[str], int],
    number: int,
) -> tuple[Array, Array, str] | None:
    """Tell copies from coincidences, among rows that share their place with another.

    Parameters
    ----------
    place : ndarray of uint64, shape (n,)
        See `row_key`.
    mass, velocity : ndarray
        Of these rows.
    pairs_of_all : callable
        Returns the pairs of all rows of the catalogue that agree in a `property_key`.
    number : int
        All rows of the catalogue.

    Returns
    -------
    again, first : ndarray of int, shape (copies,)
        Copies among these rows, and the rows that they repeat.
    common : str
        What agrees; or None, if there are no copies.
    """
    names = ["mass"] if velocity is None else ["mass", "mass and velocity"]
    properties = {name: property_key(name, mass, velocity) for name in names}
    if velocity is not None:
        # Satellites that were given the place and velocity of their host are no evidence.
        moving = row_key(velocity)
        if pairs_of(place, moving) > pairs_of(place, properties["mass and velocity"]):
            del properties["mass and velocity"]
    beside_each_other = pairs_of(place)
    for name, key in properties.items():
        copies = pairs_of(place, key)
        # Rates among rows that share a place, and among all; if all share one place, no evidence.
        share = max(
            _share(pairs_of(key), len(key), copies, beside_each_other, 0.0),
            _share(pairs_of_all(name), number, copies, beside_each_other, 1.0),
        )
        expected = (beside_each_other - copies + 1) * share / max(1 - share, 1e-9)
        if copies and _as_many(copies, expected) < CHANCE:
            _, first, which = np.unique(_mixed(place, key), return_index=True, return_inverse=True)
            again = np.flatnonzero(first[which] != np.arange(len(place)))
            return again, first[which[again]], name
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


def pairs_of(key: Array, other: Array | None = None) -> int:
    """Return the number of pairs of rows that agree in the key, or in both keys."""
    both = key if other is None else _mixed(key, other)
    number = np.unique(both, return_counts=True)[1].astype(np.float64)
    return int(np.sum(number * (number - 1) / 2))


def _share(agree: int, number: int, copies: int, beside: int, without: float) -> float:
    """Return the fraction of pairs of rows at different places that ``agree`` in a property.

    Without such pairs, return ``without``.
    """
    pairs = number * (number - 1) / 2 - beside
    return max(agree - copies, 0) / pairs if pairs > 0 else without


def _as_many(number: int, expected: float) -> float:
    """Return the Poisson probability of ``number`` or more."""
    from scipy.special import gammainc

    return float(gammainc(number, expected)) if expected > 0 else 0.0
