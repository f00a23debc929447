"""Plug-ins: readers, painters, writers and statistics from other distributions' entry points.

A plug-in is foreign code. One that cannot be imported, or is not what it is registered as, must not
stop users who do not need it; a user who asks for it by name gets an error that says what is wrong.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from typing import Any, NamedTuple

from ..errors import MockgalError, MockgalWarning, UsageError, in_shell

_BY_SIGNAL = 128  # exit codes above it are of a command ended by a signal
_KINDS = {"mocks": "reader of mocks"}
_MOST_SHOWN = 200  # characters of an exception's text


def kind(group: str) -> str:
    """Return the name for a member of ``group`` in messages: reader, painter, reader of mocks."""
    return _KINDS.get(group, group[:-1])


class Plugin(NamedTuple):
    """An entry point and the distribution that defines it."""

    kind: str
    point: EntryPoint

    def __str__(self) -> str:
        distribution: Distribution | None = self.point.dist
        owner = "an unknown distribution"
        if distribution is not None:
            owner = f"{distribution.name} {distribution.version}"
        return f"{self.kind} {self.point.name} ({self.point.value}, of {owner})"

    @property
    def fix(self) -> str:
        """What the user can do if the plug-in does not work."""
        distribution: Distribution | None = self.point.dist
        owner = "its distribution" if distribution is None else distribution.name
        return f"update {owner}, or `pip uninstall {in_shell(owner)}`; its authors can mend it"

    def load(self) -> Any:
        """Return the object that the entry point names, imported.

        Raises
        ------
        UsageError
            The import fails with any exception.
        """
        with self.guarded("importing it"):
            try:
                return self.point.load()
            except MockgalError as error:  # the user's input is not at fault
                raise RuntimeError(str(error)) from error

    @contextmanager
    def guarded(self, doing: str) -> Iterator[None]:
        """Turn exceptions of the plug-in, except mockgal's own errors, into a `UsageError`."""
        try:
            yield
        except (MockgalError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            if isinstance(error, SystemExit) and _by_signal(error):
                raise
            raise UsageError(
                str(self),
                f"{_in_short(error)}, while {doing}",
                "a plug-in that works",
                self.fix,
            ) from error


def _by_signal(error: SystemExit) -> bool:
    return isinstance(error.code, int) and error.code > _BY_SIGNAL


def _in_short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if len(text) > _MOST_SHOWN:
        text = text[:_MOST_SHOWN] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def plugins(group: str) -> dict[str, tuple[Plugin, ...]]:
    """Return the plug-ins of ``group`` keyed by name; several if distributions share a name.

    Nothing is imported. There is a warning for a distribution whose entry points cannot be read.
    """
    by_name: dict[str, list[Plugin]] = {}
    for point in _entry_points(f"mockgal.{group}"):
        same = by_name.setdefault(point.name, [])
        if point.value not in [other.point.value for other in same]:
            same.append(Plugin(kind(group), point))
    return {name: tuple(same) for name, same in by_name.items()}


def _entry_points(group: str) -> list[EntryPoint]:
    try:
        return list(_declared(group, tuple(map(_state, sys.path))))
    except Exception:  # one distribution has damaged metadata: read the others one by one
        points: dict[tuple[str, str], EntryPoint] = {}
        for distribution in distributions():
            try:
                own = distribution.entry_points.select(group=group)
                points |= {(point.name, point.value): point for point in own}
            except Exception as error:
                if group in (distribution.read_text("entry_points.txt") or ""):
                    tell(
                        f"the plug-ins of {distribution.name} are left out: its entry_points.txt "
                        f"cannot be read ({_in_short(error)})"
                    )
        return list(points.values())


@lru_cache(maxsize=64)  # a search takes as long as the reading of a small catalogue
def _declared(group: str, _: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    """Return the entry points of a group, for a state of the folders that are searched."""
    return tuple(entry_points(group=group))


def _state(folder: str) -> tuple[str, int]:
    """Return a folder and when something was installed in it or removed from it."""
    try:
        return folder, os.stat(folder or os.curdir).st_mtime_ns
    except OSError:
        return folder, 0


def tell(text: str) -> None:
    """Warn the user about a plug-in, without recording the warning in any provenance.

    An unused plug-in has no effect on a catalogue: the same input gives the same file with or
    without it.
    """
    warnings.warn(text, MockgalWarning, stacklevel=3)
