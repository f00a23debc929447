"""Ids as 64-bit integers, converted from the type that a file stores, or refused.

A float represents every integer only up to a power of two (2^24 in single precision). Beyond it
neighbouring ids become the same number, and a satellite may be assigned to the wrong host.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError

Array = NDArray[Any]
Ids = NDArray[np.int64]

CHANCE = 1e-6  # probability that `check_digits` refuses a good catalogue
_FLOATS = (np.dtype("f4"), np.dtype("f8"))
ROUNDED = "an id in a form like 1.5e+07, of which the last digits are not written"
AGAIN = (
    "take the ids from where they were computed, as 64-bit integers: converting these numbers does "
    "not bring lost digits back"
)


def exact_up_to(kind: np.dtype[Any]) -> int:
    """Return the power of two up to which a float type represents every integer."""
    return 1 << (np.finfo(kind).nmant + 1)


def whole(values: Array, where: Callable[[int], str], *, none: Array | None = None) -> Ids:
    """Return ids, row numbers or counts as int64.

    Parameters
    ----------
    values : ndarray of numbers, shape (n,)
    where : callable
        ``where(row)`` returns the location of a value, for messages.
    none : ndarray, optional
        The ids that exist. If passed, the largest number of an unsigned type is read as -1, which
        codes store for "none", unless it is one of these ids.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    BadValueError
        Fractions, NaN, numbers beyond 64 bits, or floats so large that their type does not
        represent every integer; the message states how many there are and the first.
    """
    kind = values.dtype
    if kind.kind == "f":
        return _from_floats(values, kind, where)
    if kind.kind not in "iu":
        raise BadValueError(
            where(0), f"values of type {kind}", "integers", "store them as 64-bit integers"
        )
    if kind.kind == "i":
        return values.astype(np.int64)
    largest = np.iinfo(kind).max
    absent = values == largest if none is not None else np.zeros(len(values), dtype=bool)
    if none is not None and absent.any() and np.any(none == largest):
        found = f"numbers that are -1, or the id {largest}, in a type without a sign"
        _refuse(absent, values, where, found, "-1 for none", "store them as 64-bit integers")
    above = ~absent & (values > np.iinfo(np.int64).max)
    fix = "number the objects anew, from 0 on, in the columns of their hosts, too"
    _refuse(above, values, where, "ids from 2^63 on", "ids below 2^63", fix)
    return np.where(absent, -1, np.where(absent, 0, values).astype(np.int64))


def _from_floats(values: Array, kind: np.dtype[Any], where: Callable[[int], str]) -> Ids:
    limit = exact_up_to(kind)
    good = np.isfinite(values)
    good[good] = values[good] == np.floor(values[good])
    fix = "store ids as 64-bit integers"
    _refuse(~good, values, where, "values that are no whole numbers", "whole numbers", fix)
    found = f"ids from {limit} = 2^{limit.bit_length() - 1} on, where {kind.name} drops digits"
    _refuse(np.abs(values) >= limit, values, where, found, "ids stored as integers", AGAIN)
    return values.astype(np.int64)


def _refuse(
    bad: Array, values: Array, where: Callable[[int], str], found: str, expected: str, fix: str
) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        first = values[rows[0]]
        shown = f"{int(first)}" if np.isfinite(first) and first == np.floor(first) else f"{first}"
        raise BadValueError(
            where(int(rows[0])), f"{rows.size} {found}, the first {shown}", expected, fix
        )


def check_text(values: Ids, where: Callable[[int], str]) -> None:
    """Raise if integers written as floats in a text, such as 1.6777217e+07, may have lost digits.

    Text does not state the type it was written from: the smallest float type that represents all
    numbers of the column is assumed. A column of n numbers above 2^24 that was in double precision
    is refused by chance with a probability of 2^-n.

    Parameters
    ----------
    values : ndarray of int64, shape (n,)
        The numbers as written, with all digits.
    where : callable
        ``where(row)`` returns the location of a value, for messages.

    Raises
    ------
    BadValueError
    """
    for kind in _FLOATS:
        with np.errstate(over="ignore"):
            floats = values.astype(kind)
        if np.isfinite(floats).all() and np.array_equal(floats.astype(np.float64), values):
            break
    _refuse(
        np.abs(values) >= exact_up_to(kind),
        values,
        where,
        f"ids written as floats, like 1.5e+07, and not smaller than {exact_up_to(kind)}, where "
        f"{kind.name}, which holds them all, drops digits",
        "ids written as integers",
        AGAIN,
    )


def check_digits(
    ids: Ids, host_id: Ids, is_central: NDArray[np.bool_], where: Callable[[int], str]
) -> None:
    """Raise if the ids of hosts were rounded by conversion to floats and back to integers.

    In single precision such ids are all multiples of 2 above 2^24 (of 4 above 2^25, ...), while the
    ids of the centrals are not. A float type is taken as the cause if it represents every host id
    that satellites name exactly, and the probability of that by chance is below `CHANCE`. Each host
    id counts with the fraction of centrals with as many binary digits that the type represents
    exactly.

    Parameters
    ----------
    ids, host_id : ndarray of int64, shape (n,)
    is_central : ndarray of bool, shape (n,)
    where : callable
        ``where(row)`` returns the location of a row's host id, for messages.

    Raises
    ------
    BadValueError
    """
    satellites = np.flatnonzero(~is_central)
    hosts, row = np.unique(host_id[satellites], return_index=True)
    central = ids[is_central]
    for kind in _FLOATS:
        limit = exact_up_to(kind)
        large = hosts >= limit
        if not large.any() or not _kept(hosts[large], kind).all():
            continue
        chance = 0.0
        size, number = np.unique(_bits(hosts[large]), return_counts=True)
        for bits, named in zip(size.tolist(), number.tolist(), strict=True):
            alike = central[_bits(central) == bits]
            share = float(_kept(alike, kind).mean()) if len(alike) else 1.0
            chance += named * log(max(share, 1.0 / (len(alike) + 1)))
        if chance < log(CHANCE):
            first = int(satellites[row[large][0]])
            raise BadValueError(
                where(first),
                f"ids of {large.sum()} hosts above {limit} that are all rounded as {kind.name} "
                f"rounds, where those of the halos are not, the first {host_id[first]}",
                "the ids of the halos, all digits kept",
                AGAIN,
            )


def _kept(values: Ids, kind: np.dtype[Any]) -> NDArray[np.bool_]:
    """Return whether a float type represents each integer exactly."""
    # Compared as integers: a float rounded to 2^63 does not fit one.
    floats = values.astype(kind).astype(np.float64)
    inside = np.abs(floats) < 2.0**63
    kept: NDArray[np.bool_] = inside & (np.where(inside, floats, 0.0).astype(np.int64) == values)
    return kept


def _bits(values: Ids) -> NDArray[np.int64]:
    """Return the number of binary digits of each number."""
    return np.frexp(np.maximum(values, 0).astype(np.float64))[1].astype(np.int64)
