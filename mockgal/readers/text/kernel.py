"""Compiled conversion of numbers in lines of text: all values are counted, some are converted.

Floats are correctly rounded: a mantissa up to 2^53 times or over a power of ten up to 10^22 takes
one exact operation, and the few numbers not of this form are left to the caller. Integers are exact
over the whole of int64.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numba import types

# Why `scan` stopped.
DONE = 0
COMMENT = 1  # a line that begins with #
COUNT = 2  # a line with another number of values
BYTE = 3  # a byte that does not occur in text
LONG = 4  # a line that is too long
MALFORMED = 5  # not a number, in a column of integers
FRACTION = 6  # not a whole number, in a column of integers
OVERFLOW = 7  # an integer beyond 64 bits

_TEN = np.array([10.0**n for n in range(23)])
_EXACT = 1 << 53
_LAST = ((1 << 63) - 1) // 10  # a mantissa below this, or this one before a digit up to 7, has room
_SPACE, _TAB, _NEWLINE, _RETURN, _HASH = b" \t\n\r#"
_MINUS, _PLUS, _POINT, _LOWER_E, _UPPER_E, _ZERO = b"-+.eE0"
_ASCII_END = 127


def _number(text: Any, pos: int) -> Any:
    """Return the number at ``pos``: (mantissa, exponent, negative, lost, good, end).

    Its size is mantissa * 10^exponent; ``lost`` if digits other than 0 did not fit into the
    mantissa, ``good`` if it is a decimal number.
    """
    c = text[pos]
    negative = c == _MINUS
    if c in (_MINUS, _PLUS):
        pos += 1
    mantissa, exponent = np.int64(0), np.int64(0)
    digits, point, lost = False, False, False
    while True:
        c = text[pos]
        d = np.int64(c) - _ZERO
        if 0 <= d <= 9:
            digits = True
            if mantissa < _LAST or (mantissa == _LAST and d <= 7):
                mantissa = mantissa * 10 + d
                if point:
                    exponent -= 1
            else:
                lost = lost or d != 0
                if not point:
                    exponent += 1
        elif c == _POINT and not point:
            point = True
        else:
            break
        pos += 1
    good = digits
    if digits and c in (_LOWER_E, _UPPER_E):
        pos += 1
        c = text[pos]
        below = c == _MINUS
        if c in (_MINUS, _PLUS):
            pos += 1
        power, good = np.int64(0), False
        while True:
            d = np.int64(text[pos]) - _ZERO
            if not 0 <= d <= 9:
                break
            good = True
            if power < 100_000:  # far beyond every float
                power = power * 10 + d
            pos += 1
        exponent += -power if below else power
    return mantissa, exponent, negative, lost, good and text[pos] <= _SPACE, pos


def _whole(mantissa: int, exponent: int, lost: bool) -> Any:
    """Return the integer that a number equals, and `DONE`, `FRACTION` or `OVERFLOW`."""
    if lost:
        return mantissa, OVERFLOW if exponent >= 0 else FRACTION
    while mantissa != 0 and exponent < 0:
        if mantissa % 10 != 0:
            return mantissa, FRACTION
        mantissa //= 10
        exponent += 1
    while mantissa != 0 and exponent > 0:
        if mantissa > _LAST:
            return mantissa, OVERFLOW
        mantissa *= 10
        exponent -= 1
    return mantissa, DONE


def _float(mantissa: int, exponent: int, negative: bool) -> Any:
    """Return the float that a number of the exact form of the module's docstring equals."""
    value = np.float64(mantissa)
    if mantissa != 0 and exponent < 0:
        value /= _TEN[-exponent]
    elif mantissa != 0:
        value *= _TEN[exponent]
    return -value if negative else value


def _is_dotted(text: Any, first: int, end: int) -> bool:
    """Return whether a number is written as a float, with a point or an exponent."""
    for i in range(first, end):  # noqa: SIM110 - numba has no any() of a generator
        if text[i] in (_POINT, _LOWER_E, _UPPER_E):
            return True
    return False


_take_number = numba.njit(nogil=True)(_number)
_take_whole = numba.njit(nogil=True)(_whole)
_take_float = numba.njit(nogil=True)(_float)
_take_dotted = numba.njit(nogil=True)(_is_dotted)


def _scan(
    text: Any,
    start: int,
    stop: int,
    max_line: int,
    filled: int,
    slot: Any,
    integer: Any,
    floats: Any,
    integers: Any,
    hard: Any,
    dotted: Any,
) -> Any:
    """Convert rows of numbers from ``start`` on, up to a comment, a fault, or the end of room.

    Parameters
    ----------
    text : ndarray of uint8
        Ends with a newline at ``stop`` - 1.
    start, stop : int
    max_line : int
        Longest line, in bytes.
    filled : int
        Rows filled already.
    slot : ndarray of int64, shape (width,)
        Row of ``floats`` or ``integers`` that takes a column; -1 for columns not to be converted.
    integer : ndarray of bool, shape (width,)
        Whether a column holds integers.
    floats : ndarray of float64, shape (f, capacity)
    integers : ndarray of int64, shape (i, capacity)
    hard : ndarray of int64, shape (n, 5)
        Filled with the numbers left to the caller: slot, row, begin and end of the text of the
        number, and whether it is a decimal number. At least ``width`` rows.
    dotted : ndarray of int64, shape (i, 2)
        For each column of integers, filled with the first row where one is written as a float, with
        a point or an exponent, and the first where digits before the point are not written
        (1.5e+07). Unchanged where it is not below 0 or there is no such row.

    Returns
    -------
    code, pos, rows, left, begin, column : int
        Why it stopped; where to go on, or where the fault is; rows filled now; rows of ``hard``
        filled; where the line begins; and the column, or for `COUNT` the number of values.
    """
    width, capacity = len(slot), floats.shape[1]
    rows, left, pos, begin = filled, 0, start, start
    while pos < stop and rows < capacity and left + width <= len(hard):
        begin = pos
        column = 0
        while True:
            c = text[pos]
            while c in (_SPACE, _TAB):
                pos += 1
                c = text[pos]
            if c == _RETURN and text[pos + 1] == _NEWLINE:
                pos += 1
                c = text[pos]
            if c == _NEWLINE:
                break
            if c == _HASH and column == 0:
                while text[pos] != _NEWLINE:
                    pos += 1
                pos += 1
                why = LONG if pos - begin > max_line else COMMENT
                return why, pos, rows, left, begin, column
            first = pos
            kind = slot[column] if column < width else -1
            if kind >= 0:
                mantissa, exponent, negative, lost, good, pos = _take_number(text, pos)
            while _SPACE < text[pos] < _ASCII_END:
                pos += 1
            c = text[pos]
            blank = c in (_SPACE, _TAB, _NEWLINE)
            if not (blank or (c == _RETURN and text[pos + 1] == _NEWLINE)):
                return BYTE, pos, rows, left, begin, column
            if kind >= 0 and integer[column]:
                if not good:
                    return MALFORMED, first, rows, left, begin, column
                if _take_dotted(text, first, pos):
                    if dotted[kind, 0] < 0:
                        dotted[kind, 0] = rows
                    if dotted[kind, 1] < 0 and mantissa != 0 and exponent > 0:
                        dotted[kind, 1] = rows
                mantissa, code = _take_whole(mantissa, exponent, lost)
                if code != DONE:
                    return code, first, rows, left, begin, column
                integers[kind, rows] = -mantissa if negative else mantissa
            elif kind >= 0:
                exact = mantissa <= _EXACT and -22 <= exponent <= 22 and not lost
                if good and (exact or mantissa == 0):
                    floats[kind, rows] = _take_float(mantissa, exponent, negative)
                else:
                    hard[left, 0], hard[left, 1] = kind, rows
                    hard[left, 2], hard[left, 3], hard[left, 4] = first, pos, good
                    left += 1
            column += 1
        pos += 1
        if pos - begin > max_line:
            return LONG, pos, rows, left, begin, column
        if column == width:
            rows += 1
        elif column > 0:
            return COUNT, pos, rows, left, begin, column
    return DONE, pos, rows, left, begin, 0


def _signature() -> Any:
    i8, f8 = types.int64, types.float64
    text = types.Array(types.uint8, 1, "C", readonly=True)
    slot, integer = types.Array(i8, 1, "C"), types.Array(types.boolean, 1, "C")
    floats, integers, hard, dotted = (types.Array(kind, 2, "C") for kind in (f8, i8, i8, i8))
    return (text, i8, i8, i8, i8, slot, integer, floats, integers, hard, dotted)


@lru_cache(maxsize=1)
def scan() -> Any:
    """Return `_scan`, compiled; only in memory if numba's cache does not work."""
    compiled: Any = numba.njit
    try:
        return compiled([_signature()], nogil=True, cache=True)(_scan)
    except Exception:  # numba passes on whatever the disk or a damaged file raises
        return compiled([_signature()], nogil=True)(_scan)
