"""Plug-ins: readers, painters, writers and statistics of other distributions, by entry points.

A plug-in is a stranger's code. One that cannot be imported, or is not what it is registered as,
must not stop those who do not use it; whoever asks for it by name is told what is wrong with it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from typing import Any, NamedTuple

from ..errors import MockgalError, MockgalWarning, UsageError, in_shell

_BY_SIGNAL = 128  # exit codes above it are of a command that was told to end
_KINDS = {"mocks": "reader of mocks"}
_MOST_SHOWN = 200  # characters of an exception's text


def kind(group: str) -> str:
    """Return what one of ``group`` is called in messages: a reader, painter, reader of mocks."""
    return _KINDS.get(group, group[:-1])


class Plugin(NamedTuple):
    """An entry point, and the distribution that has it."""

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
        """The way out, where it does not work."""
        distribution: Distribution | None = self.point.dist
        owner = "its distribution" if distribution is None else distribution.name
        return f"update {owner}, or `pip uninstall {in_shell(owner)}`; its authors can mend it"

    def load(self) -> Any:
        """Import what the entry point names.

        Raises
        ------
        UsageError
            Importing fails, whatever the exception.
        """
        with self.guarded("importing it"):
            try:
                return self.point.load()
            except MockgalError as error:  # it is not the user's input that is wrong
                raise RuntimeError(str(error)) from error

    @contextmanager
    def guarded(self, doing: str) -> Iterator[None]:
        """Turn what the plug-in raises, other than our own errors, into a `UsageError`."""
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
    """Return the plug-ins of ``group`` by their names; several where distributions share a name.

    Nothing is imported. A distribution whose list of entry points cannot be read is warned of.
    """
    found: dict[str, list[Plugin]] = {}
    for point in _entry_points(f"mockgal.{group}"):
        same = found.setdefault(point.name, [])
        if point.value not in [other.point.value for other in same]:
            same.append(Plugin(kind(group), point))
    return {name: tuple(same) for name, same in found.items()}


def _entry_points(group: str) -> list[EntryPoint]:
    try:
        return list(entry_points(group=group))
    except Exception:  # of a distribution whose metadata are damaged; the others are looked at
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


def tell(text: str) -> None:
    """Warn the user of a plug-in.

    Those who listen for what belongs in a catalogue's provenance are not told: a plug-in that is
    not used has no part in it, and the same input gives the same file with or without it.
    """
    warnings.warn(text, MockgalWarning, stacklevel=3)
