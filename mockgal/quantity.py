"""Numbers with units, as users write them: ``3 h/Mpc``, ``0.25 dex``, ``40 Mpc/h``, ``2 GiB``.

Options and cuts share one grammar (nothing is evaluated)::

    quantity = number [unit]
    unit     = ["1"] factor { [" " | "*" | "." | "/"] factor }
    factor   = (name | "(" unit ")") [["^" | "**"] power]      power: 3, -3, (-3)

A name is one that astropy knows, or ``h``, which is little h and never an hour. Unlike astropy,
this refuses ``km/s Mpc``, which some read as km/(s Mpc): after a division a name may follow only
if the divisor is ``h``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

from .errors import UsageError, shown
from .system.scalars import LARGEST, SMALLEST

LONGEST = 200  # characters of a quantity or a cut
# A number, then nothing or the start of a unit: 10^9, 1,000, 1_000 and 1d9 must not match.
_NUMBER = re.compile(
    r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*"
    r"(|(?![dDeE][-+]?\d)(?:[A-Za-z(/]|1\s*/).*?)\s*",
    re.ASCII,
)
_NAME = re.compile("[A-Za-z]+(?:_[A-Za-z]+)*")
_POWER = re.compile(r"\s*(?:\^|\*\*)?\s*(?:\(\s*([-+]?\d+)\s*\)|([-+]?\d+))", re.ASCII)
_MOST_POWER = 9
_MOST_DEPTH = 4  # of nested parentheses
_LITTLE_H = ("h", "littleh")
_BYTES = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_EXAMPLES = {"Msun/h": "1e9", "Mpc/h": "20", "h/Mpc": "0.1"}

Powers = dict[str, int]  # power of each name in a unit; little h is ``h``


def split(text: str) -> tuple[str, str] | None:
    """Return the number at the start of a text, and its unit; None if there is no number."""
    match = _NUMBER.fullmatch(text) if len(text) <= LONGEST else None
    return (match[1], match[2]) if match else None


def finite(number: str) -> float | None:
    """Return the value of a number; None if too large or (unless 0) too small to compute with."""
    value = float(number)
    is_zero = not re.search("[1-9]", re.split("[eE]", number)[0])
    return value if is_zero or SMALLEST <= abs(value) <= LARGEST else None


def converted(value: float, factor: float, h_power: int = 0, h: float = 1.0) -> float | None:
    """Return a number in another unit, with the factor and power of h from `conversion`.

    None if the result is too large or too small, as in `finite`.
    """
    result = math.inf
    with suppress(ArithmeticError):  # from an impossible h
        result = float(value * factor * h**h_power)
    return None if abs(result) > LARGEST or (value and abs(result) < SMALLEST) else result


class UnitError(ValueError):
    """Raised for a text that is not a unit; the message says why."""


def parse_unit(text: str) -> Powers:
    """Return the powers of the names in a unit.

    Raises
    ------
    UnitError
        The text is not a unit: wrong characters, order, name or power.
    """
    if len(text) > LONGEST:
        raise UnitError(f"{len(text):,} characters")
    powers, place = _product(text, 0, 0)
    if place < len(text):
        _refuse_at(text, place)
    for name, power in powers.items():
        if abs(power) > _MOST_POWER:
            raise UnitError(f"{name} to the power of {power}")
    return {name: power for name, power in powers.items() if power}


def _product(text: str, place: int, depth: int) -> tuple[Powers, int]:
    """Return the powers of a product that begins at ``place``, and where it ends."""
    powers: Powers = {}
    sign, follows_slash = 1, False  # follows_slash: the last factor was a divisor other than h
    place = _after_blanks(text, place)
    if re.match(r"1\s*/", text[place:]):
        place += 1
    elif text[place : place + 1] != "/":
        powers, place, _ = _factor(text, place, depth)
    while (place := _after_blanks(text, place)) < len(text) and text[place] != ")":
        sign = -1 if text[place] == "/" else 1
        if sign == 1 and follows_slash:
            raise UnitError(f"{shown(text[place:])} after a division: write a / before each")
        if text[place] in "*/.":
            place = _after_blanks(text, place + 1)
        more, place, is_h = _factor(text, place, depth)
        follows_slash = sign == -1 and not is_h
        for name, power in more.items():
            powers[name] = powers.get(name, 0) + sign * power
    return powers, place


def _factor(text: str, place: int, depth: int) -> tuple[Powers, int, bool]:
    """Return the powers of a name or parenthesis, where it ends, and whether it is h alone."""
    if text[place : place + 1] == "(" and depth < _MOST_DEPTH:
        powers, end = _product(text, place + 1, depth + 1)
        if text[end : end + 1] != ")":
            raise UnitError("a parenthesis that is not closed")
        end += 1
    else:
        match = _NAME.match(text, place)
        if not match:
            _refuse_at(text, place)
        name, end = match[0], match.end()
        powers = {"h" if name in _LITTLE_H else name: 1}
    power = 1
    if match := _POWER.match(text, end):
        power, end = int(match[1] or match[2]), match.end()
    if not 0 < abs(power) <= _MOST_POWER:
        raise UnitError(f"the power {shown(power)}")
    return {name: p * power for name, p in powers.items()}, end, set(powers) == {"h"}


def _after_blanks(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t"):
        place += 1
    return place


def _refuse_at(text: str, place: int) -> NoReturn:
    raise UnitError(f"{shown(text[place : place + 20])} in it" if text[place:] else "an open end")


def conversion(text: str, unit: str) -> tuple[float, int]:
    """Return the factor and the power of h that convert numbers from one unit to another.

    Parameters
    ----------
    text : str
        Unit to convert from, as the user wrote it.
    unit : str
        Unit to convert to.

    Raises
    ------
    UnitError
        ``text`` is not a unit, or is of another kind.
    """
    source, target = parse_unit(text), parse_unit(unit)
    h_power = source.pop("h", 0) - target.pop("h", 0)
    from astropy import units

    known = units.get_current_unit_registry().registry
    one: Any = units.dimensionless_unscaled
    sides = []
    for powers in (source, target):
        side = one
        for name, power in powers.items():
            if name == "mpc":  # to astropy a milliparsec, which nobody means
                raise UnitError("the name 'mpc', which is a milliparsec: Mpc is a megaparsec")
            if not isinstance(known.get(name), units.UnitBase):
                raise UnitError(f"the name {shown(name)}, which astropy does not know")
            side = side * known[name] ** power
        sides.append(side)
    try:
        factor = float(sides[0].to(sides[1]))
    except (units.UnitConversionError, ArithmeticError) as error:
        raise UnitError("a unit of another kind") from error
    if not 0.0 < factor < math.inf:
        raise UnitError("a unit beyond the range of numbers")
    return factor, h_power


def in_unit(name: str, text: str | float, unit: str, h: float) -> float:
    """Return the quantity in ``text`` as a number in ``unit``; a number is in that unit already.

    Parameters
    ----------
    name : str
        Name of the option, for messages.
    text : str or float
        A number and its unit; ``h`` is little h.
    unit : str
        Unit of the result, in the same grammar.
    h : float
        Hubble constant over 100 km/s/Mpc, for units with another power of h.

    Raises
    ------
    UsageError
        There is no number or no unit, the unit is of another kind, or the number is too large or
        too small to compute with.

    Returns
    -------
    float

    Examples
    --------
    >>> from mockgal.quantity import in_unit
    >>> in_unit("box size", "100 Mpc", "Mpc/h", h=0.7)
    70.0
    """
    if not isinstance(text, str):
        return float(text)
    wanted = unit.replace("littleh", "h").replace(" ", "")
    fix = f'write "{_EXAMPLES.get(wanted, "0.5")} {wanted}"'
    parts = split(text)
    if parts is None or not parts[1]:
        what = "a number without a unit" if parts else "no number with a unit"
        if parts and len(text) <= LONGEST:
            fix = f'write "{parts[0]} {wanted}" if that is its unit'
        if len(text) > LONGEST:
            what = f"{len(text):,} characters"
        raise UsageError(name, f"{shown(text)}, {what}", f"a number in {wanted}", fix)
    try:
        factor, h_power = conversion(parts[1], unit)
    except UnitError as error:
        found = f"unit {shown(parts[1])}, {error}"
        raise UsageError(name, found, f"one like {wanted}", fix) from error
    value = finite(parts[0])
    result = None if value is None else converted(value, factor, h_power, h)
    if result is None:
        expected = f"0, or a number from {SMALLEST:g} to {LARGEST:g} in {wanted}"
        raise UsageError(name, shown(text), expected, fix)
    return result


def box_length(text: str, h: float | None) -> float:
    """Return the side of a box in ``text`` as a number [Mpc/h].

    Parameters
    ----------
    text : str
        A length and its unit.
    h : float or None
        None if not known: then only lengths in Mpc/h are accepted.

    Raises
    ------
    UsageError
        See `in_unit`; or ``h`` is None for a length that needs it.
    """
    length = in_unit("--box-size", text, "Mpc / littleh", math.nan if h is None else h)
    if math.isnan(length):
        found = f"{text}, and no --h to convert it with"
        raise UsageError("--box-size", found, "a length in Mpc/h", "give --h as well")
    return length


def particle_mass(text: str, h: float | None) -> float:
    """Return the particle mass in ``text`` as a number [Msun/h].

    Parameters
    ----------
    text : str
        A mass and its unit.
    h : float or None
        None if not known: then only masses in Msun/h are accepted.

    Raises
    ------
    UsageError
        See `in_unit`; or ``h`` is None for a mass that needs it.
    """
    mass = in_unit("--particle-mass", text, "Msun / littleh", math.nan if h is None else h)
    if math.isnan(mass):
        found = f"{text}, and no --h to convert it with"
        raise UsageError("--particle-mass", found, "a mass in Msun/h", "give --h as well")
    return mass


def stated_facts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options for a reader with texts that have a unit converted to internal units.

    Parameters
    ----------
    options : mapping
        ``box_size`` and ``particle_mass`` may be texts with a unit; ``h`` converts those whose unit
        has no little h.

    Raises
    ------
    UsageError
        See `box_length` and `particle_mass`.
    """
    convert = {"box_size": box_length, "particle_mass": particle_mass}
    return {
        key: convert[key](value, options.get("h"))
        if key in convert and isinstance(value, str)
        else value
        for key, value in options.items()
    }


def named_values(
    where: str, value: str | Mapping[str, Any], example: str = "name=1"
) -> dict[str, str | float]:
    """Return the values of an option declared by `mockgal.options.named`, keyed by name.

    Parameters
    ----------
    where : str
        Owner of the option, for messages.
    value : str or mapping
        ``"NAME=VALUE, NAME=VALUE"``, or values by name: texts, or numbers.
    example : str
        For messages.

    Raises
    ------
    UsageError
        A part of the text has no name or no value, a name is repeated, or a value is neither a
        text nor a finite number.

    Examples
    --------
    >>> from mockgal.quantity import named_values
    >>> named_values("--parameters", "logMmin=12.0 log10(Msun/h), alpha=1")
    {'logMmin': '12.0 log10(Msun/h)', 'alpha': '1'}
    """
    expected, fix = "a name and a value for each", f'such as "{example}"'
    pairs: list[tuple[Any, Any]] = list(value.items()) if isinstance(value, Mapping) else []
    if isinstance(value, str):
        for part in value.split(","):
            name, equals, text = (word.strip() for word in part.partition("="))
            if not (name and equals and text):
                raise UsageError(where, shown(part.strip()), expected, fix)
            pairs.append((name, text))
    values: dict[str, str | float] = {}
    for name, one in pairs:
        is_number = isinstance(one, int | float) and not isinstance(one, bool)
        number = is_number and abs(one) < math.inf
        if name in values:
            raise UsageError(where, f"{name} twice", "each name once", "leave one of them out")
        if not (isinstance(name, str) and (isinstance(one, str) or number)):
            raise UsageError(where, f"{shown(name)}: {shown(one)}", expected, fix)
        values[name] = float(one) if number else one
    return values


def memory_size(where: str, text: str) -> int:
    """Return the size in ``text`` as a number of bytes.

    Parameters
    ----------
    where : str
        Name of the option, for messages.
    text : str
        A number above 0 and its unit: kB, MB, GB (powers of 1000), KiB, MiB, GiB (of 1024).

    Raises
    ------
    UsageError
        ``text`` is anything else.
    """
    number, unit = split(text) or ("nan", "")
    size = float(number) * _BYTES.get(unit, math.nan)
    if not 1.0 <= size < 2.0**63:
        raise UsageError(
            where, shown(text), "a number above 0 in " + ", ".join(_BYTES), 'write "2 GiB"'
        )
    return int(size)
