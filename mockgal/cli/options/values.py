"""Types of option values, for the help and for shell completion.

Numbers are parsed here. The code that uses them checks their range, with its own message.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import click
from click.shell_completion import CompletionItem

from ... import registry
from ...errors import UsageError, shown
from ...options import Option, options_of
from ...painters.cnn.options import CNNOptions
from ...random import seeds_of

_WHOLE = re.compile(r"[-+]?[0-9]{1,25}")
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,4})?")


class Value(click.ParamType[str]):
    """A text that is kept unchanged.

    Parameters
    ----------
    name : str
        Name of the value in the help, where it is in capitals.
    kind : str
        What a shell completes it to: ``"file"`` (and folders on the way), ``"dir"``, or ``""``
        for neither.
    names : callable, optional
        Returns names that are offered for completion as well.
    several : bool
        Names may be joined by commas.
    """

    def __init__(
        self,
        name: str,
        kind: str = "",
        names: Callable[[], Iterable[str]] = tuple,
        *,
        several: bool = False,
    ) -> None:
        self.name, self.kind, self.names, self.several = name, kind, names, several

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return ``value``; fail if it is a path, and empty."""
        if self.kind and not str(value):
            self.fail("an empty text is no path.", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[Any]]:
        """Return the completions of ``incomplete``."""
        files = [CompletionItem(incomplete, type=self.kind)] if self.kind else []
        before, comma, last = incomplete.rpartition(",") if self.several else ("", "", incomplete)
        taken = before.split(",")
        return files + [
            CompletionItem(before + comma + name)
            for name in self.names()
            if name.startswith(last) and name not in taken
        ]


class Number(click.ParamType[Any]):
    """A finite number in plain decimal digits; with ``whole``, a whole number."""

    def __init__(self, *, whole: bool = False) -> None:
        self.name = "integer" if whole else "float"
        self.whole = whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number; fail if the text is not a number."""
        if not isinstance(value, str):
            return value
        if _WHOLE.fullmatch(value.strip()) if self.whole else _FLOAT.fullmatch(value.strip()):
            number = int(value) if self.whole else float(value)
            if math.isfinite(number):
                return number
        what = "a whole number such as 3" if self.whole else "a number such as 0.3 or 1e-3"
        self.fail(f"{shown(value)} is not {what}.", param, ctx)


class Seeds(click.ParamType[Any]):
    """A seed, or a text of several: `mockgal.random.seeds_of`."""

    name = "seed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return one seed as a number, and the text of several; fail if it is neither."""
        if not isinstance(value, str):
            return value
        try:
            seeds = seeds_of(value)
        except UsageError as error:
            self.fail(f"{error.found} is not {error.expected}.", param, ctx)
        return seeds[0] if len(seeds) == 1 else value


class Choices(click.Choice[str]):
    """Names shown in the help and in completion; the code that uses the text checks it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return ``value``."""
        return str(value)


class NameOrNumber(Value):
    """A number in plain decimal digits, or a text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or the text unchanged."""
        if isinstance(value, str) and _FLOAT.fullmatch(value.strip()):
            return float(value)
        return value


def value_of(option: Option) -> click.ParamType[Any]:
    """Return the type that shows an option's values in help and completion; all stay texts."""
    names = option.names
    numbers = {"number": "float", "whole": "integer", "name or number": "name|number"}
    if option.kind in ("file", "folder"):
        return FILE if option.kind == "file" else FOLDER
    if option.kind == "name or file":
        return Value("name|file", "file", names)
    if option.choices and option.kind == "text":
        return Choices(option.choices)
    return Value(numbers.get(option.kind, "text"), names=names)


def checked_value_of(option: Option) -> click.ParamType[Any]:
    """Return the type that shows an option's values, and refuses texts that are none of them."""
    if option.choices and option.kind == "text":
        return click.Choice(option.choices)
    if option.kind == "name or number":
        return NameOrNumber("name|number", names=option.names)
    return {"number": FLOAT, "whole": WHOLE}.get(option.kind) or value_of(option)


def extensions() -> list[str]:
    """Return the file extension of each writer, the first where it has several."""
    return [writer.extensions[0] for _, writer in registry.working("writers")]


FLOAT, WHOLE = Number(), Number(whole=True)
PATH = Value("path", "file")
FILE = Value("file", "file")
FOLDER = Value("folder", "dir")
PAINTER = Value("name", names=partial(registry.names, "painters"))
FORMAT = Value("name", names=partial(registry.names, "readers"))
STATISTICS = Value("names", names=lambda: (*registry.names("statistics"), "all"), several=True)
WEIGHTS = value_of(options_of(CNNOptions)["weights"])
