"""Units as files and people state them, to comoving Mpc/h, Msun/h and peculiar km/s.

In all of them ``h`` is little h: FITS and VOTable would read an hour, which no halo has. A number
may stand in front (``1e10 Msun/h``). Lengths may say that they are comoving or physical
(``ckpc/h``, ``pMpc``, ``comoving kpc``), velocities that they are
peculiar or comoving (dx/dt of the comoving position), and masses may be logarithms
(``dex(Msun/h)``).
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from ...columns import Column
from ...quantity import UnitError, conversion, finite, split
from ...types import Array

LONGEST = 100  # characters of a unit

_LOG = re.compile(r"(?:dex|log10)\s*\((.*)\)")
_SCALE = re.compile(r"10\s*(?:\^|\*\*)\s*\(?([-+]?[0-9]{1,2})\)?\s*(.*)")
_STATED = re.compile(r"(comoving|physical|proper|peculiar)\s+(.*)")
_PREFIX = re.compile(r"\b([cp])(?=[kMG]?pc\b)")
_SUFFIX = re.compile(r"(?<=pc)cm\b")  # as yt writes it
_SAME = {"Msol": "Msun", "M_sol": "Msun", "M_sun": "Msun", "solMass": "Msun", "kmps": "km/s"}
_WORD = re.compile("|".join(rf"\b{name}\b" for name in _SAME))
_OTHER = {"comoving": "comoving", "physical": "physical", "proper": "physical"}


class Conversion(NamedTuple):
    """How numbers of a column become numbers in the internal unit.

    Parameters
    ----------
    factor : float
    h_power, a_power : int
        Powers of h and of the scale factor to multiply by as well.
    logarithm : bool
        Whether the numbers are logarithms to base 10.
    stated : str
        "comoving" or "physical" if the unit says so, else "".
    """

    factor: float
    h_power: int = 0
    a_power: int = 0
    logarithm: bool = False
    stated: str = ""

    def apply(self, values: Array, h: float, a: float) -> None:
        """Convert an array of floats in place."""
        if self.logarithm:
            with np.errstate(over="ignore"):
                np.power(10.0, values, out=values)
        factor = self.factor * h**self.h_power * a**self.a_power
        if factor != 1.0:
            with np.errstate(over="ignore"):
                values *= factor


def parse(text: str, column: Column) -> Conversion:
    """Return the conversion of numbers in a unit to the internal unit of a quantity.

    Raises
    ------
    UnitError
        The text is no unit, or one of another kind.
    """
    text = " ".join(text.split())
    if len(text) > LONGEST:
        raise UnitError(f"{len(text):,} characters")
    logarithm = False
    if match := _LOG.fullmatch(text):
        text, logarithm = match[1].strip(), True
    text, stated = _frame(text)
    scale, text = _scale(text)
    factor, h_power = conversion(_WORD.sub(lambda name: _SAME[name[0]], text), _internal(column))
    speed = column.unit == "km/s"
    if stated and not (speed or column.a_power):
        raise UnitError(f"{stated}, which says nothing of this quantity")
    if stated == "peculiar" and not speed:
        raise UnitError("peculiar, which only velocities are")
    a_power = 0
    if speed:
        a_power = int(stated == "comoving")
    elif stated == "physical":
        a_power = -1
    if not 0.0 < factor * scale < math.inf:
        raise UnitError("a unit beyond the range of numbers")
    return Conversion(factor * scale, h_power, a_power, logarithm, stated)


def _internal(column: Column) -> str:
    if not column.unit:
        raise UnitError("a unit, of a quantity that has none")
    return f"{column.unit}/h" if column.h_power == -1 else column.unit


def _frame(text: str) -> tuple[str, str]:
    """Return a unit without what it says of comoving or physical, and that."""
    if match := _STATED.fullmatch(text):
        return match[2], _OTHER.get(match[1], match[1])
    if _SUFFIX.search(text):
        return _SUFFIX.sub("", text), "comoving"
    if match := _PREFIX.search(text):
        stated = "comoving" if match[1] == "c" else "physical"
        return _PREFIX.sub("", text), stated
    return text, ""


def _scale(text: str) -> tuple[float, str]:
    """Return the number in front of a unit, and the unit."""
    if match := _SCALE.fullmatch(text):
        return 10.0 ** int(match[1]), match[2].lstrip("* ")
    parts = split(text)
    if parts is None or not parts[1]:
        return 1.0, text
    value = finite(parts[0])
    if value is None or value <= 0:
        raise UnitError(f"the number {parts[0]}")
    return value, parts[1].lstrip("* ")
