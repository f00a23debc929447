"""How far long work has come, told to whoever asked to be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .files import signals

Progress = Callable[[int, int, str], object]

_listener: ContextVar[Progress | None] = ContextVar("progress", default=None)


def advance(done: int, total: int, label: str) -> None:
    """Say that ``done`` of ``total`` are done of the work called ``label``.

    A signal that was lost since ends the work here.
    """
    signals.check()
    listener = _listener.get()
    if listener is not None:
        listener(done, total, label)


@contextmanager
def shown(listener: Progress | None) -> Iterator[None]:
    """Tell ``listener`` of all progress in the block, of this thread alone."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
