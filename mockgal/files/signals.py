"""Signals wait while an output is between two states, and are never lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Stop(Exception):
    """Ends the block where it may end; the cause is raised after that."""


class Deferral:
    """Signals that wait: those of `signals_deferred`'s block."""

    def __init__(self) -> None:
        self._kept: list[int] = []
        self._former: dict[signal.Signals, Any] = {}

    def check(self) -> None:
        """End the block here if there was a signal."""
        if self._kept:
            raise _Stop

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let signals end a part of the block, those that have come among them."""
        self._let()
        try:
            yield
        finally:
            self._keep()

    def _keep(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # no other may set handlers, nor is interrupted by them
        for number in _SIGNALS:
            if callable(signal.getsignal(number)):
                self._former[number] = signal.signal(number, lambda n, _: self._kept.append(n))

    def _let(self) -> None:
        try:
            while self._former:
                number, handler = next(iter(self._former.items()))
                signal.signal(number, handler)
                del self._former[number]
        finally:
            if self._former:  # a signal came through the first handler
                self._let()
        kept, self._kept = self._kept, []
        for waiting in kept:
            signal.raise_signal(waiting)


@contextmanager
def signals_deferred() -> Iterator[Deferral]:
    """Keep SIGINT and SIGTERM, where they would raise in the block, until its end.

    Yields
    ------
    Deferral
        ``check()`` ends the block early if there was a signal; in ``allowed()`` they come through.
    """
    deferral, stopped = Deferral(), False
    try:
        deferral._keep()
        try:
            yield deferral
        except _Stop:
            stopped = True
    finally:
        deferral._let()
    if stopped:  # and the handler did not raise: yet the work is not done
        raise KeyboardInterrupt
