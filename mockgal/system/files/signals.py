"""Signals end the command; they wait while an output is between two states, and are never lost.

What a handler raises may be lost: in a callback of a C library, in ``__del__``, or where a library
puts an error of its own in its place. So those of a command are recorded, and `check` raises again
for them: where progress is told, before an output gets its name, and at the end.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = "mockgal: interrupted; every output is whole, or as it was"

_came: list[int] = []  # signals that end the command


def came() -> int | None:
    """Return the first signal that was to end the command, or None."""
    return _came[0] if _came else None


def check() -> None:
    """Raise if a signal was to end the command, and is lost."""
    if _came:
        _raise(_came[0])


def _raise(signum: int) -> None:
    if signum == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + signum)


def _end(signum: int, frame: Any) -> None:
    _came.append(signum)
    _raise(signum)


@contextmanager
def ending_command() -> Iterator[None]:
    """Have signals end the command in the block by an exception, which cleans up on its way.

    After the block they do what they did before: whoever runs a command from Python goes on. In
    another thread than the main one they stay as they are: none comes there.
    """
    if not _is_main_thread():
        yield
        return
    former = {number: signal.getsignal(number) for number in _SIGNALS}
    _came.clear()
    _handle(_end)
    try:
        yield
    finally:
        for number, handler in former.items():
            if signal.getsignal(number) is _end and handler is not None:
                signal.signal(number, handler)
        _came.clear()


def _is_main_thread() -> bool:
    """Whether this thread may set handlers; no other is interrupted by them."""
    return threading.current_thread() is threading.main_thread()


def end_at_once() -> None:
    """Have signals end the process where it is: nothing is begun yet, or all is done.

    Python may be importing or closing down then, and would print a traceback.
    """
    _handle(_end_at_once)


def _end_at_once(signum: int, frame: Any) -> None:
    with suppress(OSError):
        os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(128 + signum)


def _handle(handler: Any) -> None:
    for number in _SIGNALS:
        # SIGINT is ignored in what a shell starts with `&`: it stays so.
        if number == signal.SIGTERM or signal.getsignal(number) in _TAKEN:
            signal.signal(number, handler)


_TAKEN = (signal.default_int_handler, _end, _end_at_once)


def is_command() -> bool:
    """Whether this process was started as ``mockgal`` or ``python -m mockgal``."""
    if sys.argv[:1] == ["-m"]:  # while Python looks for the module
        return sys.orig_argv[-len(sys.argv)] in ("mockgal", "-mmockgal")
    return bool(sys.argv) and os.path.basename(sys.argv[0]) == "mockgal"


class _Stop(Exception):
    """Ends the block where it may end; the cause is raised after that."""


class Deferral:
    """Signals that wait: those of `signals_deferred`'s block."""

    def __init__(self) -> None:
        self._kept: list[int] = []
        self._former: dict[signal.Signals, Any] = {}

    def check(self) -> None:
        """End the block here if there was a signal, in it or before it."""
        if self._kept or _came:
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
        if not _is_main_thread():
            return
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
        check()
        raise KeyboardInterrupt
