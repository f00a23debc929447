"""Progress of long work, reported to a listener if there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .files import signals

Progress = Callable[[int, int, str], object]

_listener: ContextVar[Progress | None] = ContextVar("progress", default=None)


def advance(done: int, total: int, label: str) -> None:
    """Report that ``done`` of ``total`` steps of the work called ``label`` are done.

    A signal whose exception was lost since the last call ends the work here.
    """
    signals.check()
    listener = _listener.get()
    if listener is not None:
        listener(done, total, label)


@contextmanager
def shown(listener: Progress | None) -> Iterator[None]:
    """Report all progress in the block, in this thread only, to ``listener``."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
