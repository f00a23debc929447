"""The same objects again under new ids: rows at one place with the same mass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError

Array = NDArray[Any]

FEWEST = 16  # rows that tell what a coincidence is
CHANCE = 1e-6  # of a good catalogue that has rows at one place to be refused
_BLOCK = 1 << 20


class Copies(NamedTuple):
    """Rows that are there again, and what they have in common.

    Parameters
    ----------
    again, first : ndarray of int, shape (copies,)
        Rows that repeat others, and those others.
    common : str
        ``"mass"`` or ``"mass and velocity"``, beside the place.
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
    """Raise if objects are there again under other ids; see `find_copies`.

    Parameters
    ----------
    ids, position, mass, velocity : ndarray
        See `find_copies`.
    what : str
        What the rows are of, for the message: ``"halos"``.
    where : callable
        ``where(row)`` says where a row is.

    Raises
    ------
    BadValueError
        The message has the number of copies, and the ids of the first pair.
    """
    if found := find_copies(position, mass, velocity):
        raise refusal(found, ids, what, where)


def refusal(
    found: Copies, ids: Array, what: str, where: Callable[[int], str], otherwise: str = ""
) -> BadValueError:
    """Return the error for copies; ``otherwise`` is put after its way out."""
    other, one = found.again[0], found.first[0]
    return BadValueError(
        where(int(other)),
        f"{len(found.again)} {what} that are there again under another id, with the same place, "
        f"{found.common}: the first, id {ids[other]}, is also id {ids[one]}",
        "each object once",
        "look for a file that was read twice, pieces that overlap, or a box put beside "
        f"itself, and leave the copies out{otherwise}",
    )


def find_copies(
    position: Array, mass: Array, velocity: Array | None, preferred: Array | None = None
) -> Copies | None:
    """Return the objects that are there again under other ids, None where there are none.

    Rows are the same object if they have the same place and mass, in single precision, which every
    format keeps. Good catalogues have some such rows, where places were rounded or satellites put
    at their host's: if two rows have the same mass with a probability p, then D pairs at one place
    give D p of them. More than that are refused, beyond a Poisson probability of `CHANCE`. Where no
    two objects at one place share a velocity, mass and velocity must both agree by chance. Rows
    without mass do not count, and fewer than `FEWEST` rows are not looked at.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
    mass : ndarray, shape (n,)
    velocity : ndarray, shape (n, 3), or None
    preferred : ndarray of bool, shape (n,), optional
        Of the rows of one object these count as the first.
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
        # Satellites that were put where their host is, velocity and all, tell nothing by it.
        moving = row_key(velocity[rows])
        if _pairs(place, moving) > _pairs(place, properties["mass and velocity"]):
            del properties["mass and velocity"]
    beside_each_other = _pairs(place)
    for name, key in properties.items():
        copies = _pairs(place, key)
        # Of rows at one place alone, and of all; if all are at one, nothing tells.
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
    """Return a number for each row that is the same for the same numbers in this precision.

    One sort of these takes a tenth of the time of `numpy.unique` over rows. Two others agree with a
    chance of 2^-64.

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
    """One number of two, shape (n,)."""
    # The steps of splitmix64 (Steele, Lea & Flood 2014), which leave no two keys alike.
    mixed = first + np.uint64(0x9E3779B97F4A7C15) + second.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result


def _pairs(key: Array, other: Array | None = None) -> int:
    """Pairs of rows that agree in the key, or in both."""
    both = key if other is None else _mixed(key, other)
    number = np.unique(both, return_counts=True)[1].astype(np.float64)
    return int(np.sum(number * (number - 1) / 2))


def _share(key: Array, copies: int, beside: int, without: float) -> float:
    """Pairs of rows that agree in ``key`` over all pairs, of rows at different places.

    ``without`` is what it is where there are none.
    """
    pairs = len(key) * (len(key) - 1) / 2 - beside
    return max(_pairs(key) - copies, 0) / pairs if pairs > 0 else without


def _as_many(number: int, expected: float) -> float:
    """Chance of ``number`` or more, of a Poisson distribution."""
    from scipy.special import gammainc

    return float(gammainc(number, expected)) if expected > 0 else 0.0
