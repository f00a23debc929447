"""Signals end the command; they are deferred while an output changes state, and are never lost.

The exception that a handler raises may be lost: in a callback of a C library, in ``__del__``, or if
a library raises its own error instead. So the signals of a command are recorded, and `check` raises
again for them: when progress is reported, before an output gets its name, and at the end.
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

_came: list[int] = []  # signals received that end the command


def came() -> int | None:
    """Return the first signal received that ends the command, or None."""
    return _came[0] if _came else None


def check() -> None:
    """Raise if a signal that ends the command was received, in case its exception was lost."""
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
    """Make signals end the command in the block by an exception, so that it cleans up.

    After the block the former handlers are restored, for programs that run a command from Python.
    In any thread but the main one handlers are left as they are: no signal is handled there.
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
    """Return whether this is the main thread, which alone may set handlers and is interrupted."""
    return threading.current_thread() is threading.main_thread()


def end_at_once() -> None:
    """Make signals end the process at once: call it before any work has begun or after all is done.

    Python may then be importing or shutting down, and an exception would print a traceback.
    """
    _handle(_end_at_once)


def _end_at_once(signum: int, frame: Any) -> None:
    with suppress(OSError):
        os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(128 + signum)


def _handle(handler: Any) -> None:
    for number in _SIGNALS:
        # A process that a shell starts with `&` ignores SIGINT, and continues to.
        if number == signal.SIGTERM or signal.getsignal(number) in _TAKEN:
            signal.signal(number, handler)


_TAKEN = (signal.default_int_handler, _end, _end_at_once)


def is_command() -> bool:
    """Return whether this process was started as ``mockgal`` or ``python -m mockgal``."""
    if sys.argv[:1] == ["-m"]:  # while Python looks for the module
        return sys.orig_argv[-len(sys.argv)] in ("mockgal", "-mmockgal")
    return bool(sys.argv) and os.path.basename(sys.argv[0]) == "mockgal"


class _Stop(Exception):
    """Raised to end the block at a safe point; the signal itself is raised after that."""


class Deferral:
    """The deferred signals of a `signals_deferred` block."""

    def __init__(self) -> None:
        self._kept: list[int] = []
        self._former: dict[signal.Signals, Any] = {}

    def check(self) -> None:
        """End the block here if a signal was received, in it or before it."""
        if self._kept or _came:
            raise _Stop

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let signals end a part of the block, including those already received."""
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
            if self._former:  # a signal raised through a handler already restored
                self._let()
        kept, self._kept = self._kept, []
        for waiting in kept:
            signal.raise_signal(waiting)


@contextmanager
def signals_deferred() -> Iterator[Deferral]:
    """Defer SIGINT and SIGTERM, if they would raise in the block, until its end.

    Yields
    ------
    Deferral
        ``check()`` ends the block early if a signal was received; in ``allowed()`` signals are not
        deferred.
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
    if stopped:  # the handler did not raise, but the work is not done
        check()
        raise KeyboardInterrupt


@contextmanager
def finishing() -> Iterator[None]:
    """Let what belongs to a finished output be written in the block, after a signal or before one.

    No signal ends the block: those that came are set aside in it, and new ones are deferred.
    """
    kept = list(_came)
    _came.clear()
    try:
        with signals_deferred():
            yield
    finally:
        _came[:0] = kept
