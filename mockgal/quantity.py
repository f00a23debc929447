"""Numbers with units, as users write them: ``3 h/Mpc``, ``0.25 dex``, ``40 Mpc/h``, ``2 GiB``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from .errors import UsageError

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*", re.ASCII)
_BYTES = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_LITTLE_H = re.compile(r"\bh(?=\b|\d)", re.ASCII)


def in_unit(name: str, text: str, unit: str, h: float) -> float:
    """The number that ``text`` says, in ``unit``.

    Parameters
    ----------
    name : str
        Of the option, for messages.
    text : str
        A number and its unit; ``h`` is little h.
    unit : str
        For astropy, with ``littleh`` for little h.
    h : float
        Hubble constant over 100 km/s/Mpc, for units with another power of h.

    Raises
    ------
    UsageError
        No number, no unit, or one of another kind.
    """
    from astropy import units
    from astropy.cosmology import units as cosmology_units

    shown = unit.replace("littleh", "h").replace(" ", "")
    match = _NUMBER.fullmatch(text)
    if match is None or not match[2]:
        found = f"{text!r}, " + ("no number" if match is None else "a number without a unit")
        raise UsageError(name, found, f"a number in {shown}", f'write "0.5 {shown}"')
    try:
        with units.add_enabled_units(cosmology_units):
            given = units.Unit(_LITTLE_H.sub("littleh", match[2]))
            ratio = (given / units.Unit(unit)).decompose()
    except (ValueError, TypeError, AttributeError):
        ratio = None
    powers = {} if ratio is None else dict(zip(ratio.bases, ratio.powers, strict=True))
    power = powers.pop(cosmology_units.littleh, 0)
    if ratio is None or powers:
        raise UsageError(name, f"unit {match[2]!r}", f"one like {shown}", f'write "0.5 {shown}"')
    return float(float(match[1]) * ratio.scale * h ** float(power))


def box_length(text: str, h: float | None) -> float:
    """The side of a box that ``text`` says [Mpc/h].

    Parameters
    ----------
    text : str
    h : float or None
        None if it is not known, for lengths in Mpc/h only.

    Raises
    ------
    UsageError
        As of `in_unit`, or no ``h`` for a length that needs it.
    """
    length = in_unit("--box-size", text, "Mpc / littleh", math.nan if h is None else h)
    if math.isnan(length):
        found = f"{text}, and no --h to convert it with"
        raise UsageError("--box-size", found, "a length in Mpc/h", "give --h as well")
    return length


def particle_mass(text: str, h: float | None) -> float:
    """The mass of a particle that ``text`` says [Msun/h].

    Parameters
    ----------
    text : str
    h : float or None
        None if it is not known, for masses in Msun/h only.

    Raises
    ------
    UsageError
        As of `in_unit`, or no ``h`` for a mass that needs it.
    """
    mass = in_unit("--particle-mass", text, "Msun / littleh", math.nan if h is None else h)
    if math.isnan(mass):
        found = f"{text}, and no --h to convert it with"
        raise UsageError("--particle-mass", found, "a mass in Msun/h", "give --h as well")
    return mass


def stated_facts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options for a reader, of which texts with a unit have become numbers in internal units.

    Parameters
    ----------
    options : mapping
        ``box_size`` and ``particle_mass`` may be texts with a unit; ``h`` converts those without
        it in their unit.

    Raises
    ------
    UsageError
        As of `box_length` and `particle_mass`.
    """
    convert = {"box_size": box_length, "particle_mass": particle_mass}
    return {
        key: convert[key](value, options.get("h"))
        if key in convert and isinstance(value, str)
        else value
        for key, value in options.items()
    }


def memory_size(where: str, text: str) -> int:
    """The bytes that ``text`` says.

    Parameters
    ----------
    where : str
        The option, for messages.
    text : str
        A number above 0 and its unit: kB, MB, GB (powers of 1000), KiB, MiB, GiB (of 1024).

    Raises
    ------
    UsageError
        Anything else.
    """
    match = _NUMBER.fullmatch(text)
    size = float(match[1]) * _BYTES.get(match[2], math.nan) if match else math.nan
    if not 1.0 <= size < 2.0**63:
        raise UsageError(
            where, repr(text), "a number above 0 in " + ", ".join(_BYTES), 'write "2 GiB"'
        )
    return int(size)
