"""Helpers of all contracts: raise for a broken promise, and read states that must not change."""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .. import registry


def require(condition: object, promise: str) -> None:
    """Raise if a promise is broken.

    Raises
    ------
    AssertionError
        The condition is false.
    """
    if not condition:
        raise AssertionError(f"the contract is broken: {promise}")


def skip_without(libraries: Iterable[str]) -> None:
    """Raise if a library is not installed.

    Raises
    ------
    unittest.SkipTest
        A library is missing; pytest and unittest report the test as skipped.
    """
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        raise unittest.SkipTest(f"{', '.join(missing)} not installed")


def made(group: str, what: Any, options: dict[str, Any] | None = None) -> Any:
    """Return the object that a contract tests.

    Parameters
    ----------
    group : str
        Group of the registry.
    what : str, class, function or object
        A registered name, a class or function that makes the object, or the object itself.
    options : dict
        Options for making the object.
    """
    if isinstance(what, str):
        return registry.make(group, what, **(options or {}))
    if inspect.isclass(what) or not hasattr(what, "name"):  # all objects have a name
        return what(**(options or {}))
    require(not options, "an existing object takes no options")
    return what


def global_random_state() -> str:
    """Return the state of NumPy's global generator."""
    return repr(np.random.get_state(legacy=False))  # noqa: NPY002


def state_of(path: Path) -> list[tuple[str, int, int]]:
    """Return names, sizes and modification times of a file, or of all files in a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
