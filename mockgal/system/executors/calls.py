"""A call of a function with a small description, whose outcome is plain JSON values.

It crosses to other processes and hosts: nothing is pickled, and an error arrives as it was raised.
"""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Callable
from typing import Any

from ... import errors
from ...errors import InternalError, MockgalError, ResourceError, listening
from ..files.lock import WAY_OUT, output_error

Task = dict[str, Any]
Outcome = dict[str, Any]


def name_of(function: Callable[[Task], Any]) -> str:
    """Return the name by which another process finds a function of a module: ``module:name``."""
    return f"{function.__module__}:{function.__qualname__}"


def called(name: str, task: Task) -> Outcome:
    """Return the outcome of a function for one task.

    Parameters
    ----------
    name : str
        Of the function: see `name_of`.
    task : dict
        Plain JSON values.

    Returns
    -------
    dict
        Either ``"value"``, what the function returned, or ``"error"``; and ``"warnings"``.
    """
    module, _, function = name.partition(":")
    with listening(quiet=True) as texts:
        try:
            outcome = {"value": getattr(importlib.import_module(module), function)(task)}
        except Exception as error:
            if os.environ.get("MOCKGAL_DEBUG"):
                traceback.print_exc()
            outcome = failure(_told(error))
    return outcome | {"warnings": list(dict.fromkeys(texts))}


def failure(error: MockgalError) -> Outcome:
    """Return the outcome of a call that raised an error."""
    kinds = (kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    parts = {key: getattr(error, key) for key in ("where", "found", "expected", "fix")}
    return {"error": {"kind": next(kinds).__name__, **parts}, "warnings": []}


def error_of(outcome: Outcome) -> MockgalError | None:
    """Return the error of an outcome, if it is one."""
    if "error" not in outcome:
        return None
    parts = dict(outcome["error"])
    kind: type[MockgalError] = getattr(errors, parts.pop("kind"))
    return kind(**parts)


def _told(error: Exception) -> MockgalError:
    """Return what users are told of an error."""
    if isinstance(error, MockgalError):
        return error
    if isinstance(error, MemoryError):
        return ResourceError("mockgal", "too little memory", "", "more parts, or more memory")
    if isinstance(error, OSError) and error.errno in WAY_OUT:  # any file can raise it
        return output_error(error.filename or "mockgal", error, "")
    return InternalError(
        "mockgal",
        f"an unforeseen {type(error).__name__}: {error}",
        "",
        "please report this, with what MOCKGAL_DEBUG=1 prints",
    )
