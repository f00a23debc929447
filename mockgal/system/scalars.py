"""Values that files state, as the one number, count or text that is asked for.

Attributes of HDF5, entries of JSON and metadata of objects go through here. Codes write a number as
a scalar, as an array of one, or as text: all are taken. Everything else is refused with a message:
several values or none, booleans, complex numbers, records, references, NaN, infinity, and numbers
so large or so small that arithmetic on them would overflow.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HeaderError, shown

LARGEST = 1e100  # of a number: cubes and products of what is larger overflow
SMALLEST = 1e-100  # of one that is not 0
MOST = 1 << 62  # of a count
FIX = "correct it there, or fetch the file again"

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,25}")
_LONGEST = 400  # characters of a number


def scalar(value: Any) -> bool | int | float | str | None:
    """Return the one plain value in ``value``; None if it is none, or something else.

    Bytes are decoded, arrays of one value opened. A quantity with a unit is none: its number means
    something else.
    """
    if getattr(value, "unit", None) is not None:
        return None
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if isinstance(value, np.ndarray):
        if value.size != 1 or not _plain(value):
            return None
        value = value.reshape(())[()]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value if isinstance(value, bool | int | float | str) else None


def _plain(array: NDArray[Any]) -> bool:
    """Whether an array is of numbers or texts, none of them masked."""
    return array.dtype.kind in "iufbSU" and not np.ma.getmaskarray(array).any()


def _parsed(value: Any) -> int | float | None:
    """The number in ``value``, which may be text; None if there is no finite, plain one."""
    found = scalar(value)
    if isinstance(found, str):
        text = found.strip(" \0\t\n")
        if len(text) > _LONGEST or not text.isascii():
            return None
        if _WHOLE.fullmatch(text):
            return int(text)
        found = float(text) if _NUMBER.fullmatch(text) else None
    if found is None or isinstance(found, bool):
        return None
    return found if isinstance(found, int) or math.isfinite(found) else None


def number(
    where: str,
    value: Any,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    most: float = math.inf,
    fix: str = FIX,
) -> float:
    """Return a finite number.

    Parameters
    ----------
    where : str
        For the message.
    value : object
        As a file or an object states it.
    above, least, most : float
        It must be above the first, and from the second to the third.
    fix : str
        The way out.

    Raises
    ------
    HeaderError
        It is no such number.
    """
    found = _parsed(value)
    good = found is not None and abs(found) <= LARGEST and (found == 0 or abs(found) >= SMALLEST)
    if found is None or not good or not (found > above and least <= found <= most):
        raise HeaderError(where, shown(value), _one_number(above, least, most), fix)
    return float(found)


def side(where: str, value: Any) -> float:
    """Return the side of a cubic box, stated as one number or as three that are equal.

    Raises
    ------
    HeaderError
        It is no such number, or the three differ.
    """
    if isinstance(value, np.ndarray) and value.size == 3 and _plain(value):
        if not (value == value.ravel()[0]).all():
            raise HeaderError(
                where,
                f"a box with the sides {shown(value)}",
                "one number, or three that are equal",
                "give a cubic box: no others are read",
            )
        value = value.ravel()[0]
    return number(where, value)


def _one_number(above: float, least: float, most: float) -> str:
    text = "one finite number"
    if above > -math.inf:
        text += f" above {above:g}"
    if least > -math.inf:
        text += f" from {least:g} on" if most == math.inf else f" from {least:g} to {most:g}"
    elif most < math.inf:
        text += f" up to {most:g}"
    return text


def count(where: str, value: Any, *, least: int = 0, most: int = MOST, fix: str = FIX) -> int:
    """Return a whole number: by default a count, from 0 to 2^62.

    Parameters
    ----------
    where, value, fix
        As of `number`; a float that is whole is taken.
    least, most : int

    Raises
    ------
    HeaderError
        It is no such number.
    """
    found = _parsed(value)
    if found is None or found != math.floor(found) or not least <= found <= most:
        what = "one count" if (least, most) == (0, MOST) else f"one whole number, {least} to {most}"
        raise HeaderError(where, shown(value), what, fix)
    return int(found)


def numbers(where: str, value: Any, *, fix: str = FIX) -> NDArray[np.float64]:
    """Return one or more finite numbers, shape (n,).

    Raises
    ------
    HeaderError
        There are none, or they are no such numbers.
    """
    items = _items(value)
    if not items:
        raise HeaderError(where, shown(value), "finite numbers", fix)
    return np.array([number(_at(where, k, items), x, fix=fix) for k, x in enumerate(items)])


def counts(where: str, value: Any, *, most: int = MOST, fix: str = FIX) -> NDArray[np.int64]:
    """Return one or more counts, int64 of shape (n,); see `count`.

    Raises
    ------
    HeaderError
        There are none, or they are no such numbers.
    """
    items = _items(value)
    if not items:
        raise HeaderError(where, shown(value), "counts, none negative", fix)
    found = [count(_at(where, k, items), x, most=most, fix=fix) for k, x in enumerate(items)]
    return np.array(found, dtype=np.int64)


def _items(value: Any) -> list[Any]:
    """The values in a sequence or array, or the one value."""
    if getattr(value, "unit", None) is not None:
        return [value]
    if isinstance(value, np.ndarray) and _plain(value):
        return list(value.ravel())
    return list(value) if isinstance(value, list | tuple) else [value]


def _at(where: str, index: int, items: list[Any]) -> str:
    return where if len(items) == 1 else f"{where}[{index}]"


def text(where: str, value: Any, allowed: Collection[str] = (), *, fix: str = FIX) -> str:
    """Return one text, one of ``allowed`` if that is not empty.

    Raises
    ------
    HeaderError
        It is none.
    """
    found = scalar(value)
    if not isinstance(found, str) or (allowed and found not in allowed):
        what = "one of " + ", ".join(map(repr, allowed)) if allowed else "one text"
        raise HeaderError(where, shown(value), what, fix)
    return found
