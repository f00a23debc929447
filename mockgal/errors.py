"""The error family: one message form, one exit code per kind of failure.

Every error says where the problem is, what was found, what is allowed and how to fix it. The
command line prints it as ``mockgal: error[E302] FILE:DATASET: found X, expected Y. Fix: Z`` and
exits with the error's ``exit_code``. The table of codes is docs/reference/exit-codes.md.
"""

from __future__ import annotations

import functools
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

SHOWN = 120  # characters of a value in a message
LISTED = 20  # names in a list
_QUOTED = 600  # characters of a quoted name in a command
_NAME = 80  # characters of a name in a list
_PART = 2000  # characters of each of `found`, `expected` and `fix`
_PLACE = 5000  # characters of `where`: paths have up to 4096
_TEXT = 4 * _PART  # characters of a warning
_OLD_FORMS_END = "0.4"  # two minor versions after 0.2, which deprecates them
_PACKAGE = f"{Path(__file__).parent}/"
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def printable(text: object) -> str:
    """Return ``text`` with control characters escaped, so that a file cannot forge output lines.

    Bytes of a path that are not valid text, which no stream accepts, are escaped too.
    """
    return _ODD.sub(lambda m: repr(m[0])[1:-1], str(text))


def in_python(text: object, instead: str = "FILE") -> str:
    """Return text as a Python literal, for a line of code in a message: names may contain code.

    Text longer than `_QUOTED` is replaced by ``instead``, so that no message truncates it, which
    could leave its end outside the quotes.
    """
    quoted = repr(str(text))
    return quoted if len(quoted) <= _QUOTED else repr(instead)


def in_shell(text: object, instead: str = "FILE") -> str:
    """Return text quoted for a shell, for a command in a message.

    Text longer than `_QUOTED` is replaced by ``instead``, as in `in_python`. ``./`` is put before a
    leading dash, which would make the text an option.
    """
    quoted = shell_word(re.sub("^-", "./-", str(text)))
    return quoted if len(quoted) <= _QUOTED else instead


def shell_word(text: object) -> str:
    """Return text quoted for a shell, in printable characters.

    Characters that `printable` would escape are written byte by byte in ``$'...'``, which bash, ksh
    and zsh understand.
    """
    word = str(text)
    if not _ODD.search(word):
        return shlex.quote(word)
    return "$'" + _ODD.sub(_octal, re.sub(r"[\\']", r"\\\g<0>", word)) + "'"


def _octal(match: re.Match[str]) -> str:
    """Return the bytes of a character as octal escapes for ``$'...'``."""
    handler = "surrogateescape" if "\udc80" <= match[0] <= "\udcff" else "surrogatepass"
    return "".join(f"\\{byte:03o}" for byte in match[0].encode("utf-8", handler))


def shown(value: object, most: int = SHOWN) -> str:
    """Return the ``repr`` of a value, cut after ``most`` characters.

    Parameters
    ----------
    value : object
        Anything that a file may hold: text and arrays of any length, integers of any size.
    most : int
        Number of characters.

    Returns
    -------
    str
        Begins with the shape for an array of several values.
    """
    shape = getattr(value, "shape", None)
    plain: object = value
    before = ""
    try:
        if getattr(value, "unit", None) is not None:
            before = "a quantity: "
        elif isinstance(shape, tuple) and hasattr(value, "ravel") and hasattr(value, "tolist"):
            plain = value.ravel()[:most].tolist() if shape else value.tolist()
            before = f"an array of shape {shape}: " if shape not in ((), (1,)) else ""
        elif isinstance(value, str | bytes | list | tuple):
            plain = value[: most + 1]
        elif isinstance(value, dict):
            plain = dict(islice(value.items(), most))
        text = before + repr(plain)
    except Exception:  # integers of thousands of digits; objects of users may raise anything
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}..."


def listed(names: Iterable[object], most: int = LISTED, *, none: str = "none") -> str:
    """Return names separated by commas: the first ``most``, and how many more there are.

    Parameters
    ----------
    names : iterable
        Each is cut after 80 characters.
    most : int
    none : str
        Text for an empty list.
    """
    texts = [str(name) for name in names]
    parts = [text if len(text) <= _NAME else f"{text[:_NAME]}..." for text in texts[:most]]
    rest = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return (", ".join(parts) + rest) or none


def _bounded(text: object, most: int) -> str:
    """Return ``text`` made printable, without its middle if it exceeds ``most`` characters."""
    whole = str(text)
    if len(whole) > most:
        whole = f"{whole[: most // 2]} ... {whole[-(most // 2) :]}"
    whole = printable(whole)  # escapes may make it longer
    return whole if len(whole) <= 2 * most else f"{whole[:most]} ... {whole[-most:]}"


class MockgalError(Exception):
    """Base of all errors that users are meant to read.

    Parameters
    ----------
    where : object
        File and dataset (``"cat.hdf5:/Subhalo/SubhaloMass"``), option, or recipe key at fault.
    found : str
        What is there.
    expected : str, optional
        What is allowed.
    fix : str, optional
        How to fix it.

    Notes
    -----
    Each part has a maximum length, whatever a file holds. Pass values through `shown` and `listed`,
    which keep them short, so that no part reaches it.

    Examples
    --------
    >>> try:
    ...     mockgal.read("nothing.hdf5")
    ... except mockgal.errors.MockgalError as error:
    ...     error.code, error.exit_code
    ('E301', 3)
    """

    code = "E000"
    exit_code = 1

    def __init__(self, where: object, found: str, expected: str = "", fix: str = "") -> None:
        self.where, self.found = _bounded(where, _PLACE), _bounded(found, _PART)
        self.expected, self.fix = _bounded(expected, _PART), _bounded(fix, _PART)
        message = f"{self.where}: found {self.found}"
        if self.expected:
            message += f", expected {self.expected}"
        if self.fix:
            message += f". Fix: {self.fix}"
        super().__init__(message)


class UsageError(MockgalError):
    """Use when an option, a recipe key, a cut or a name given by the user cannot be honoured."""

    code, exit_code = "E201", 2


class CutError(UsageError):
    """Use when a cut cannot be parsed, lacks its unit, or names no column."""

    code = "E202"


class OutputExistsError(UsageError):
    """Use when writing would replace a file and the user has not allowed it."""

    code = "E203"


class InputError(MockgalError):
    """Use when an input file is wrong in a way that no more specific class covers."""

    code, exit_code = "E301", 3


class CorruptFileError(InputError):
    """Use when a file is truncated, empty, fails its checksum, or is not what it claims to be."""

    code = "E302"


class MissingDatasetError(InputError):
    """Use when a dataset or attribute that the format promises is absent."""

    code = "E303"


class IncompleteSetError(InputError):
    """Use when chunks of a multi-file set are missing, duplicated, or disagree."""

    code = "E304"


class HeaderError(InputError):
    """Use when header values contradict each other or the data."""

    code = "E305"


class UnitsError(InputError):
    """Use when numbers contradict the units that the file states."""

    code = "E306"


class BadValueError(InputError):
    """Use when rows hold impossible values (NaN, negative mass, outside the box)."""

    code = "E307"


class DomainError(InputError):
    """Use when a painter is asked to paint outside the valid range of its calibration."""

    code = "E308"


class FormatError(InputError):
    """Use when the format of an input is not recognised, or more than one fits."""

    code = "E309"


class EmptyResultError(InputError):
    """Use when the result is empty and the user asked for an error in that case."""

    code = "E310"


class NotAsWrittenError(InputError):
    """Use when a mock, its companions or its inputs are not what was recorded of them."""

    code = "E311"


class UnsafeInputError(MockgalError):
    """Use when a file contains what no harmless file does (links, huge sizes)."""

    code, exit_code = "E401", 4


class OutputError(MockgalError):
    """Use when an output cannot be written: permission, disk, a lock held by another run."""

    code, exit_code = "E501", 5


class ResourceError(MockgalError):
    """Use when the memory or disk space that the work needs is known not to be available."""

    code, exit_code = "E601", 6


class IncompleteError(MockgalError):
    """Use when only part of the work is done: it is kept, and the rest can be run again."""

    code, exit_code = "E701", 7


class InternalError(MockgalError):
    """Use when a check of our own results fails: a bug, or failing hardware."""

    code, exit_code = "E801", 8


class NotReproducedError(MockgalError):
    """Use when a mock that is made again differs from the one that was recorded."""

    code, exit_code = "E802", 8


class MockgalWarning(UserWarning):
    """Something the user should know about a valid result; recorded in the output."""


_listeners: ContextVar[tuple[tuple[list[str], bool], ...]] = ContextVar("listeners", default=())


def warn(text: str, stacklevel: int = 1) -> None:
    """Warn the user with a `MockgalWarning`, and pass the text to all `listening` blocks.

    Parameters
    ----------
    text : str
    stacklevel : int
        As in `warnings.warn`: 1 is the caller of this function. Above it, callers in mockgal
        itself are passed over: the warning names the line of the user.

    Examples
    --------
    >>> from mockgal.errors import listening, warn
    >>> with listening(quiet=True) as texts:
    ...     warn("3 of 456 subhalos are too small")
    >>> texts
    ['3 of 456 subhalos are too small']
    """
    text = _bounded(text, _TEXT)
    for messages, quiet in reversed(_listeners.get()):
        messages.append(text)
        if quiet:
            return
    caller, level = sys._getframe().f_back, 1
    while caller and (level < stacklevel or caller.f_code.co_filename.startswith(_PACKAGE)):
        caller, level = caller.f_back, level + 1
    warnings.warn(text, MockgalWarning, stacklevel=level + 1)


def deprecated(form: str, replacement: str) -> str:
    """Return the warning about an old form (docs/explanation/public-interface.md)."""
    return f"{form} is deprecated and ends in mockgal {_OLD_FORMS_END}: {replacement}"


def renamed(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for functions whose parameters have new names, as ``old="new"``.

    A call with an old name works, with a warning.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old, new in names.items():
                if old in kwargs and new not in kwargs:
                    warn(deprecated(f"{function.__name__}({old}=...)", f"use {new}"), stacklevel=2)
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate


@contextmanager
def listening(*, quiet: bool = False) -> Iterator[list[str]]:
    """Collect the text of each `warn` in the block, in this thread only.

    The `warnings` module can record warnings too, but only for all threads of the process at once.

    Parameters
    ----------
    quiet : bool
        Hide the warnings from the user and from enclosing `listening` blocks.

    Yields
    ------
    list of str
        The texts, in their order; it grows while the block runs.

    Examples
    --------
    >>> with mockgal.errors.listening(quiet=True) as texts:
    ...     mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> len(texts) > 0
    True
    """
    messages: list[str] = []
    token = _listeners.set((*_listeners.get(), (messages, quiet)))
    try:
        yield messages
    finally:
        _listeners.reset(token)


@contextmanager
def said_once(said: set[str]) -> Iterator[None]:
    """Warn in the block only of what is not in ``said``, which grows: steps say the same.

    The first block warns at once, later ones at their end.
    """
    quiet, texts = bool(said), list[str]()
    try:
        with listening(quiet=quiet) as texts:
            yield
    finally:
        for text in dict.fromkeys(texts):
            if quiet and text not in said:
                warn(text)
        said.update(texts)
