"""Objects of the JSON in a file, whose entries are checked before they are used."""

from __future__ import annotations

import re
from typing import Any

from ....errors import HeaderError, shown
from ..values import AGAIN

LARGEST = 1e300  # largest float among the facts


class Section:
    """An object of the JSON, whose values must have the requested type."""

    def __init__(self, where: str, values: Any) -> None:
        if not isinstance(values, dict):
            raise HeaderError(where, f"{shown(values)}", "an object", AGAIN)
        self.where, self.values = where, values

    def _wrong(self, name: str, expected: str) -> HeaderError:
        found = shown(self.values[name]) if name in self.values else "no such entry"
        return HeaderError(f"{self.where}.{name}", found, expected, AGAIN)

    def number(self, name: str, *, optional: bool = False) -> Any:
        """Return a finite number, int or float as written: the content digest depends on it."""
        value = self.values.get(name)
        if value is None and optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, "a number")
        if not abs(value) <= (LARGEST if isinstance(value, float) else 2**62):
            raise self._wrong(name, f"a number up to {LARGEST:g}")
        return value

    def count(self, name: str) -> int:
        """Return a whole number from 0 on."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 62:
            raise self._wrong(name, "a count")
        return value

    def text(self, name: str, pattern: str = ".*", expected: str = "a text") -> str:
        """Return a text that matches ``pattern``."""
        value = self.values.get(name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.DOTALL):
            raise self._wrong(name, expected)
        return value

    def section(self, name: str) -> Section:
        """Return an object; an empty one if the entry is missing."""
        return Section(f"{self.where}.{name}", self.values.get(name, {}))

    def list(self, name: str) -> list[Any]:
        """Return a list; an empty one if the entry is missing."""
        value = self.values.get(name, [])
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return value
