"""Options declared once, as the fields of a class: their meaning, allowed values and use.

A painter is a frozen dataclass whose fields are its options::

    @dataclass(frozen=True)
    class Mine:
        neighbours: int = whole("Number of neighbours to average over.", 3, least=1)
        scratch: str | None = folder("Folder for scratch files.", changes_result=False)

        def __post_init__(self):
            check_options(self)

These fields determine the command line and its help, the checks of recipes and of Python arguments,
the paths that a recipe resolves against its own folder, the digest of a build's configuration, and
the reference pages. Each kind of option has one function here that declares it. The options of
satellites and of a training are declared in the same way.

What these functions take:

- ``help``: a line for the help of the command line and for the reference;
- ``default``: value if the user gives none; `dataclasses.MISSING` for no default;
- ``changes_result``: whether the galaxies depend on it, and so the digest of the configuration;
- ``choices``, ``names``: the values that are allowed, or the names beside numbers;
- ``least``, ``most``: inclusive bounds;
- ``unit``, ``example``: unit of plain numbers from Python, and a text with one, for messages;
- ``exists``: whether the path must exist;
- ``extension``, ``shipped``, ``objects``: of a file that may be named: how it ends, where those of
  the package are, and classes whose instances Python may pass in its place.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from .errors import UsageError, shown
from .quantity import in_unit, memory_size, named_values

Class = TypeVar("Class", bound=type)
Kind = Literal[
    "flag",
    "text",
    "whole",
    "number",
    "name or number",
    "quantity",
    "size",
    "file",
    "folder",
    "name or file",
    "named values",
    "undeclared",
]

PATHS = ("file", "folder", "name or file")
UNDECLARED: Kind = "undeclared"
_KEY = "mockgal.option"  # of a field's metadata


class Option(NamedTuple):
    """The declaration of an option.

    Parameters
    ----------
    name : str
    kind : str
        Kind, set by one of the functions below; `UNDECLARED` for a parameter without a declaration.
    help : str
        One sentence or more, for the command line and the reference pages.
    default : object
        `dataclasses.MISSING` if there is none.
    choices : tuple of str or of float
        The only allowed values, unless empty; of a name or number, the names.
    least, most : float
        Inclusive bounds of a number.
    unit, example : str
        Unit of a quantity, and an example value with its unit.
    extension : str
        Extension of the file that a name or a path stands for.
    shipped : Path, optional
        Folder of this or another package with the files that can be named.
    objects : tuple of str
        Names of the classes whose instances it accepts from Python.
    exists : bool
        Whether a path must exist already.
    changes_result : bool
        Whether the galaxies depend on it, beyond the painter's ``tolerance``.
    """

    name: str = ""
    kind: Kind = UNDECLARED
    help: str = ""
    default: Any = None
    choices: tuple[Any, ...] = ()
    least: float = -math.inf
    most: float = math.inf
    unit: str = ""
    example: str = ""
    extension: str = ""
    shipped: Path | None = None
    objects: tuple[str, ...] = ()
    exists: bool = False
    changes_result: bool = True

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def allowed(self) -> str:
        """Its values in words."""
        if self.kind == "name or number":
            return f"{', '.join(self.choices)}, or a number" + self._range
        if self.choices:
            what = "a number, " if self.kind == "number" else ""
            of = "one of " if len(self.choices) > 1 else ""
            return what + of + ", ".join(map(str, self.choices))
        return {
            "flag": "true or false",
            "text": "a text",
            "whole": "a whole number" + self._range,
            "number": "a number" + self._range,
            "quantity": f'a number with its unit, such as "{self.example}"',
            "size": f'a size with its unit, such as "{self.example}"',
            "name or file": "a name or a file",
            "named values": f'names and values, such as "{self.example}"',
        }.get(self.kind, f"a {self.kind}")

    @property
    def _range(self) -> str:
        least, most = f"{self.least:.15g}", f"{self.most:.15g}"
        if math.isfinite(self.least) and math.isfinite(self.most):
            return f" from {least} to {most}"
        if math.isfinite(self.least):
            return f", {least} or more"
        return f", {most} or less" if math.isfinite(self.most) else ""

    def names(self) -> list[str]:
        """Return the named values: the choices, or the files that come with a package."""
        if self.shipped is not None:
            return sorted(path.stem for path in self.shipped.glob(f"*{self.extension}"))
        return list(map(str, self.choices))

    def is_path(self, value: object) -> bool:
        """Return whether a value is a path, not the name of a file that comes with a package."""
        if isinstance(value, os.PathLike):
            return True
        if self.kind not in PATHS or not isinstance(value, str) or not value:
            return False
        return self.kind != "name or file" or names_file(value, self.extension)

    def check(self, where: str, value: Any, command: str = "mockgal build") -> None:
        """Raise if the option cannot have this value.

        Parameters
        ----------
        where : str
            Owner of the option, for the message.
        value : object
        command : str
            Command whose help describes the option.

        Raises
        ------
        UsageError
        """
        where, fix = f"{where}:{self.name}", f"`{command} --help` describes the options"
        if self.kind == "flag":
            fix = "write it without quotes"
        if not self._allows(value):
            raise UsageError(where, shown(value), self.allowed, fix)
        if self.kind == "quantity" and isinstance(value, str):
            in_unit(where, value, self.unit, 1.0)
        if self.kind == "size":
            memory_size(self.flag, value)
        if self.kind == "named values":
            named_values(where, value, self.example)
        if self.exists:
            is_there = os.path.isdir if self.kind == "folder" else os.path.isfile
            if self.is_path(value) and not is_there(value):
                found = f"{shown(os.fspath(value))}, which is no {self.kind}"
                raise UsageError(where, found, self.allowed, "check the path, or create it first")

    def _allows(self, value: Any) -> bool:
        if self.kind == UNDECLARED:
            return True
        if self.kind in PATHS:
            if isinstance(value, str):
                return bool(value.strip()) and "\0" not in value
            classes = {one.__name__ for one in type(value).__mro__}
            return isinstance(value, os.PathLike) or bool(classes & set(self.objects))
        if self.kind == "flag":
            return isinstance(value, bool)
        if self.kind == "named values":
            return isinstance(value, str | Mapping)
        if self.kind in ("text", "size"):
            return isinstance(value, str) and (not self.choices or value in self.choices)
        if isinstance(value, str):
            return self.kind == "quantity" or (
                self.kind == "name or number" and value in self.choices
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.kind == "whole" and not isinstance(value, int):
            return False
        if self.choices and self.kind != "name or number":
            return value in self.choices
        return abs(value) < math.inf and self.least <= value <= self.most


OptionGroups = dict[str, dict[str, Option]]  # keyed by title, then by name


def names_file(text: str, extension: str) -> bool:
    """Return whether a text is a path: it contains a folder (``./x``) or has the extension."""
    return bool(os.path.dirname(text)) or Path(text).suffix == extension


def _field(kind: Kind, help: str, default: Any, **facts: Any) -> Any:
    declared = Option(kind=kind, help=help, default=default, **facts)
    return dataclasses.field(default=default, metadata={_KEY: declared})


def flag(help: str, default: bool = False, *, changes_result: bool = True) -> Any:
    """Declare an option that is true or false."""
    return _field("flag", help, default, changes_result=changes_result)


def choice(
    help: str, choices: tuple[str, ...], default: Any = None, *, changes_result: bool = True
) -> Any:
    """Declare a text that is one of ``choices``; `dataclasses.MISSING` means no default."""
    return _field("text", help, default, choices=choices, changes_result=changes_result)


def text(help: str, default: Any = None, *, changes_result: bool = True) -> Any:
    """Declare a free text."""
    return _field("text", help, default, changes_result=changes_result)


def whole(
    help: str,
    default: Any = None,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    changes_result: bool = True,
) -> Any:
    """Declare a whole number, with optional inclusive bounds."""
    facts = {"least": least, "most": most, "changes_result": changes_result}
    return _field("whole", help, default, **facts)


def number(
    help: str,
    default: Any = None,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    choices: tuple[float, ...] = (),
    changes_result: bool = True,
) -> Any:
    """Declare a number without a unit, with optional inclusive bounds or a set of ``choices``."""
    facts = {"least": least, "most": most, "choices": choices, "changes_result": changes_result}
    return _field("number", help, default, **facts)


def name_or_number(
    help: str,
    names: tuple[str, ...],
    default: Any = None,
    *,
    least: float = -math.inf,
    most: float = math.inf,
) -> Any:
    """Declare one of ``names``, or a number without a unit, with optional inclusive bounds."""
    return _field("name or number", help, default, choices=names, least=least, most=most)


def quantity(
    help: str, unit: str, default: Any = None, *, example: str, changes_result: bool = True
) -> Any:
    """Declare a number with its unit, a text such as ``example``.

    From Python it may also be a plain number in ``unit``, which is in the grammar of
    `mockgal.quantity`, such as ``"Msun / littleh"``. The class converts texts with
    `mockgal.quantity.in_unit`.
    """
    facts = {"unit": unit, "example": example, "changes_result": changes_result}
    return _field("quantity", help, default, **facts)


def size(help: str, default: Any = None, *, example: str = "4 GiB") -> Any:
    """Declare a size in memory or on disk, a text such as ``"4 GiB"``; it never changes results.

    The class converts it with `mockgal.quantity.memory_size`.
    """
    return _field("size", help, default, example=example, changes_result=False)


def file(help: str, default: Any = None, *, exists: bool = True) -> Any:
    """Declare a file that the result depends on: ``describe`` must return its digest."""
    return _field("file", help, default, exists=exists)


def folder(
    help: str, default: Any = None, *, exists: bool = True, changes_result: bool = True
) -> Any:
    """Declare a folder."""
    return _field("folder", help, default, exists=exists, changes_result=changes_result)


def name_or_file(
    help: str,
    default: Any = None,
    *,
    extension: str,
    shipped: Path | None = None,
    objects: tuple[str, ...] = (),
) -> Any:
    """Declare the name of a file that comes with a package, or the path of the user's own file.

    A value that contains a folder (``./x``) or has the ``extension`` is a path; the names are those
    of the files in ``shipped``. From Python it may also be an instance of a class named in
    ``objects``.
    """
    facts = {"extension": extension, "shipped": shipped, "objects": objects}
    return _field("name or file", help, default, **facts)


def named(help: str, default: Any = None, *, example: str) -> Any:
    """Declare named values: a text such as ``example``, or a mapping of values by name.

    On the command line the flag may be repeated. The class reads the value with
    `mockgal.quantity.named_values`.
    """
    return _field("named values", help, default, example=example)


def allow_extrapolation() -> Any:
    """Declare the option that lets a painter paint subhalos outside its valid range."""
    return flag(
        "Also paint subhalos outside the range for which the painter is valid. They are flagged in "
        "the column extrapolated."
    )


KINDS = (
    *(flag, choice, text, whole, number, name_or_number, quantity, size),
    *(file, folder, name_or_file, named),
)


def option_groups(made_by: Any) -> OptionGroups:
    """Return the options of a painter's class, keyed by name, in groups keyed by title.

    Parameters
    ----------
    made_by : class, callable or tuple of classes
        A class has one group, whose title is its ``option_title``, or empty. A callable that
        returns an instance of one of several classes lists them in ``option_classes``.
    """
    classes = made_by
    if not isinstance(made_by, tuple):
        classes = getattr(made_by, "option_classes", (made_by,))
    groups: OptionGroups = {}
    for one in classes:
        groups.setdefault(getattr(one, "option_title", ""), {}).update(_options(one))
    return groups


def options_of(made_by: Any) -> dict[str, Option]:
    """Return the options of all `option_groups` in one dictionary."""
    return flat(option_groups(made_by))


def flat(groups: OptionGroups) -> dict[str, Option]:
    """Return the options of all groups in one dictionary; of options with one name, the first."""
    options: dict[str, Option] = {}
    for group in groups.values():
        options |= {name: option for name, option in group.items() if name not in options}
    return options


def _options(one: Any) -> dict[str, Option]:
    fields = getattr(one, "__dataclass_fields__", {})
    options = {}
    for name, parameter in inspect.signature(one).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        declared = fields[name].metadata.get(_KEY) if name in fields else None
        default = MISSING if parameter.default is parameter.empty else parameter.default
        options[name] = (declared or Option())._replace(name=name, default=default)
    return options


def check_options(made: Any, where: str = "", command: str = "mockgal build") -> None:
    """Raise if an option of a dataclass instance has a value that is not allowed.

    Call it in ``__post_init__``.

    Parameters
    ----------
    made : object
        The instance.
    where : str
        Owner of the options, for the message; by default the painter ``made.name``.
    command : str
        Command whose help describes the options.

    Raises
    ------
    UsageError

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from mockgal.options import check_options, whole
    >>> @dataclass(frozen=True)
    ... class Mine:
    ...     neighbours: int = whole("Number of neighbours to average over.", 3, least=1)
    ...     name = "mine"
    ...
    ...     def __post_init__(self):
    ...         check_options(self)
    >>> Mine(neighbours=5).neighbours
    5
    >>> Mine(neighbours=0)
    Traceback (most recent call last):
        ...
    mockgal.errors.UsageError: ...
    """
    for name, option in options_of(type(made)).items():
        value = getattr(made, name)
        if value is not option.default:
            option.check(where or f"painter {made.name}", value, command)


def documented(made: Class) -> Class:
    """Add the options of a class to its docstring as parameters (a class decorator)."""
    lines = [inspect.cleandoc(made.__doc__ or ""), "", "Parameters", "----------"]
    declared = [option for option in options_of(made).values() if option.kind != UNDECLARED]
    for option in declared:
        kind = made.__dataclass_fields__[option.name].type  # type: ignore[attr-defined]
        lines.append(f"{option.name} : {kind}")
        lines.append(textwrap.indent(textwrap.fill(option.help, 92), "    "))
    made.__doc__ = "\n".join(lines) + "\n"
    return made


def check_names(where: str, options: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise if an option is not allowed.

    Raises
    ------
    UsageError
        The message lists the allowed options.
    """
    unknown = [key for key in options if key not in allowed]
    if unknown:
        names = ", ".join(allowed)
        raise UsageError(
            where, f"option {', '.join(unknown)}", f"one of {names}" if names else "no options"
        )
