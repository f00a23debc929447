"""JSON from untrusted files: no repeated names, finite numbers, bounded nesting."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 32  # of nested lists and objects
MAX_DIGITS = 25  # of a whole number


class PlainJSONError(ValueError):
    """Raised for text that is not such JSON; the message says why."""


class DeepJSONError(PlainJSONError):
    """Raised for JSON that is nested too deeply."""


def load(
    text: str | bytes, *, depth: int = MAX_DEPTH, digits: int = MAX_DIGITS, nan: bool = False
) -> Any:
    """Return the value of a JSON text.

    Parameters
    ----------
    text : str or bytes
        The caller must bound its length. Bytes are decoded as UTF-8.
    depth : int
        Maximum nesting of lists and objects.
    digits : int
        Maximum number of digits of a whole number.
    nan : bool
        Allow NaN and Infinity, which Python's own writer produces for numbers that are not finite.

    Raises
    ------
    PlainJSONError
        The text is not JSON, repeats a name, is nested too deeply, or has a number that overflows a
        float or a whole number with too many digits.
    """
    try:
        value = json.loads(
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
    level: list[Any] = [value]
    for _ in range(depth + 1):
        level = [item for parent in level for item in _items(parent)]
        if not level:
            return value
    raise DeepJSONError(f"nested deeper than {depth}")


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    items: dict[str, Any] = {}
    for name, value in pairs:
        if name in items:
            raise PlainJSONError(f"the name {name[:40]!r} twice")
        items[name] = value
    return items


def _refuse_number(text: str) -> NoReturn:
    raise PlainJSONError(f"the number {text[:40]}")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)
