"""JSON from anyone: names once, numbers finite, nesting bounded."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 32  # of lists and objects within each other
MAX_DIGITS = 25  # of a whole number


class PlainJSONError(ValueError):
    """Text that is not such JSON; the message says why."""


class DeepJSONError(PlainJSONError):
    """JSON that is nested too deeply."""


def load(
    text: str | bytes, *, depth: int = MAX_DEPTH, digits: int = MAX_DIGITS, nan: bool = False
) -> Any:
    """Return what a text of JSON holds.

    Parameters
    ----------
    text : str or bytes
        The caller bounds its length. Bytes are of UTF-8.
    depth : int
        Lists and objects within each other.
    digits : int
        Of a whole number, at most.
    nan : bool
        Allow NaN and Infinity, which Python's own writer makes of numbers that are not finite.

    Raises
    ------
    PlainJSONError
        It is no JSON, names something twice, is nested too deeply, or holds a number beyond floats
        or a whole one of too many digits.
    """
    try:
        found = json.loads(
            text if isinstance(text, str) else text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=float if nan else _refuse_number,
            parse_float=_finite,
            parse_int=lambda text: int(text) if len(text) <= digits else _refuse_number(text),
        )
    except RecursionError as error:
        raise DeepJSONError(f"nested deeper than {depth}") from error
    except PlainJSONError:
        raise
    except ValueError as error:
        raise PlainJSONError(" ".join(str(error).split())[:200]) from error
    level: list[Any] = [found]
    for _ in range(depth + 1):
        level = [item for value in level for item in _items(value)]
        if not level:
            return found
    raise DeepJSONError(f"nested deeper than {depth}")


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise PlainJSONError(f"the name {name[:40]!r} twice")
        found[name] = value
    return found


def _refuse_number(text: str) -> NoReturn:
    raise PlainJSONError(f"the number {text[:40]}")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)
