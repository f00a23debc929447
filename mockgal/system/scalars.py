"""Values stated in files, converted to the number, count or text that the caller needs.

HDF5 attributes, JSON entries and metadata of objects are read with these functions. Codes write a
number as a scalar, as an array of one value, or as text: all are accepted. Everything else is
refused with a message: several values or none, booleans, complex numbers, records, references, NaN,
infinity, and numbers so large or so small that arithmetic on them would overflow.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HeaderError, shown

LARGEST = 1e100  # largest number: cubes and products of larger ones overflow
SMALLEST = 1e-100  # smallest nonzero number
MOST = 1 << 62  # largest count
FIX = "correct it there, or fetch the file again"

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,25}")
_LONGEST = 400  # characters of a number


def scalar(value: Any) -> bool | int | float | str | None:
    """Return the single plain value in ``value``; None if there is none.

    Bytes are decoded, and the value of an array of one is taken out. A quantity with a unit gives
    None: its number means something else.
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
    """Return whether an array holds numbers or texts, none of them masked."""
    return array.dtype.kind in "iufbSU" and not np.ma.getmaskarray(array).any()


def _parsed(value: Any) -> int | float | None:
    """Return the finite number in ``value``, which may be text; None if there is none."""
    plain = scalar(value)
    if isinstance(plain, str):
        text = plain.strip(" \0\t\n")
        if len(text) > _LONGEST or not text.isascii():
            return None
        if _WHOLE.fullmatch(text):
            return int(text)
        plain = float(text) if _NUMBER.fullmatch(text) else None
    if plain is None or isinstance(plain, bool):
        return None
    return plain if isinstance(plain, int) or math.isfinite(plain) else None


def number(
    where: str,
    value: Any,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    most: float = math.inf,
    fix: str = FIX,
) -> float:
    """Return the finite number that a value states.

    Parameters
    ----------
    where : str
        Location of the value, for the message.
    value : object
        The value as a file or an object states it.
    above, least, most : float
        The number must be above the first, and from the second to the third, both included.
    fix : str
        What the user can do about it.

    Raises
    ------
    HeaderError
        The value is not such a number.
    """
    parsed = _parsed(value)
    good = parsed is not None and (parsed == 0 or SMALLEST <= abs(parsed) <= LARGEST)
    if parsed is None or not good or not (parsed > above and least <= parsed <= most):
        raise HeaderError(where, shown(value), _one_number(above, least, most), fix)
    return float(parsed)


def side(where: str, value: Any) -> float:
    """Return the side of a cubic box, stated as one number or as three equal ones.

    Raises
    ------
    HeaderError
        The value is not such a number, or the three differ.
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
    """Return the whole number that a value states: by default a count, from 0 to 2^62.

    Parameters
    ----------
    where, value, fix
        See `number`; a float with a whole value is accepted.
    least, most : int

    Raises
    ------
    HeaderError
        The value is not such a number.
    """
    parsed = _parsed(value)
    if parsed is None or parsed != math.floor(parsed) or not least <= parsed <= most:
        what = "one count" if (least, most) == (0, MOST) else f"one whole number, {least} to {most}"
        raise HeaderError(where, shown(value), what, fix)
    return int(parsed)


def numbers(where: str, value: Any, *, fix: str = FIX) -> NDArray[np.float64]:
    """Return one or more finite numbers, shape (n,).

    Raises
    ------
    HeaderError
        There are no values, or one of them is not a finite number.
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
        There are no values, or one of them is not a count.
    """
    items = _items(value)
    if not items:
        raise HeaderError(where, shown(value), "counts, none negative", fix)
    parsed = [count(_at(where, k, items), x, most=most, fix=fix) for k, x in enumerate(items)]
    return np.array(parsed, dtype=np.int64)


def _items(value: Any) -> list[Any]:
    """Return the values in a sequence or array, or the one value as a list."""
    if getattr(value, "unit", None) is not None:
        return [value]
    if isinstance(value, np.ndarray) and _plain(value):
        return list(value.ravel())
    return list(value) if isinstance(value, list | tuple) else [value]


def _at(where: str, index: int, items: list[Any]) -> str:
    return where if len(items) == 1 else f"{where}[{index}]"


def text(where: str, value: Any, allowed: Collection[str] = (), *, fix: str = FIX) -> str:
    """Return the text that a value states, one of ``allowed`` unless that is empty.

    Raises
    ------
    HeaderError
        The value is not such a text.
    """
    plain = scalar(value)
    if not isinstance(plain, str) or (allowed and plain not in allowed):
        what = "one of " + ", ".join(map(repr, allowed)) if allowed else "one text"
        raise HeaderError(where, shown(value), what, fix)
    return plain
