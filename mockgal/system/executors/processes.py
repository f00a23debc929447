"""A pool of processes on this machine. One that dies takes its own task along, and no other."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Any

from ...errors import IncompleteError
from ..files import signals
from .calls import Outcome, Task, failure

# As the interpreter of this process finds modules, and not those of the working directory first.
_BEGIN = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from mockgal.system.executors.worker import main; main()"
)
_THREADS = ("NUMBA", "OMP", "OPENBLAS", "MKL")
_LOOK = 0.2  # seconds between two looks at signals
_PATIENCE = 5.0  # seconds that a process has to clean up
_BLOCK = 1 << 16


class Processes:
    """An `Executor`: a number of processes, started as they are needed, of one thread each.

    Parameters
    ----------
    number : int

    Examples
    --------
    >>> from mockgal.system.executors.processes import Processes
    >>> with Processes(2) as pool:
    ...     pool.start(7, "json:dumps", {"a": 1})
    ...     pool.finished()
    (7, {'value': '{"a": 1}', 'warnings': []})
    """

    def __init__(self, number: int) -> None:
        self._most = number
        self._workers: list[_Worker] = []
        self._waiting: deque[tuple[int, str, Task]] = deque()
        self._selector = selectors.DefaultSelector()

    @property
    def words(self) -> str:
        """What carries the tasks out."""
        return f"{self._most} process{'es' * (self._most != 1)}"

    @property
    def pending(self) -> int:
        """Number of tasks whose outcome is still to come."""
        return len(self._waiting) + sum(one.number is not None for one in self._workers)

    def start(self, number: int, name: str, task: Task) -> None:
        """Have a task carried out when a process is free."""
        self._waiting.append((number, name, task))

    def abandon(self) -> None:
        """Forget the tasks that have not begun."""
        self._waiting.clear()

    def finished(self) -> tuple[int, Outcome]:
        """Wait for the next outcome, and return it with the number of its task."""
        while True:
            self._hand_out()
            for key, _ in self._selector.select(_LOOK):
                worker: _Worker = key.data
                number, outcome = worker.number, worker.answer()
                if not worker.is_alive:
                    self._selector.unregister(worker.answers)
                    self._workers.remove(worker)
                if outcome is not None and number is not None:
                    return number, outcome
            signals.check()

    def _hand_out(self) -> None:
        """Give waiting tasks to processes that have none."""
        while self._waiting:
            worker = next((one for one in self._workers if one.number is None), None)
            if worker is None:
                if len(self._workers) == self._most:
                    return
                with signals.signals_deferred():  # or nobody would know it
                    worker = _Worker()
                    self._workers.append(worker)
                    self._selector.register(worker.answers, selectors.EVENT_READ, worker)
            worker.give(*self._waiting.popleft())

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: Any, trace: TracebackType | None
    ) -> None:
        """End all processes; those that are at work clean up first, and leave no half-made file."""
        with signals.signals_deferred():
            for worker in self._workers:
                worker.end()
            until = time.monotonic() + _PATIENCE
            for worker in self._workers:
                worker.wait(until)
            self._workers.clear()
            self._selector.close()


class _Worker:
    """A process, and the task that it has."""

    def __init__(self) -> None:
        environment = os.environ | {f"{library}_NUM_THREADS": "1" for library in _THREADS}
        paths = json.dumps([os.path.abspath(path) for path in sys.path])
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BEGIN, paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            process_group=0,  # Ctrl-C reaches the process that started it, which ends them all
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._tasks, self.answers = self._process.stdin, self._process.stdout
        self.number: int | None = None
        self.is_alive = True
        self._text = b""

    def give(self, number: int, name: str, task: Task) -> None:
        self.number = number
        with suppress(BrokenPipeError):  # it died: its answer says so
            self._tasks.write(json.dumps([name, task]).encode() + b"\n")
            self._tasks.flush()

    def answer(self) -> Outcome | None:
        """Return the outcome of its task, if it is complete, or how the process ended."""
        data = os.read(self.answers.fileno(), _BLOCK)
        if not data:
            self.is_alive = False
            return failure(self._death())
        self._text += data
        if not self._text.endswith(b"\n"):
            return None
        outcome: Outcome = json.loads(self._text)
        self._text, self.number = b"", None
        return outcome

    def _death(self) -> IncompleteError:
        pid, code = self._process.pid, self._process.wait()
        how = f"ended with code {code}" if code >= 0 else f"was killed by {_signal(-code)}"
        self._close()
        return IncompleteError(
            f"process {pid}",
            f"that it {how}",
            "that it carries out its task",
            "give it more memory if it had too little, by fewer --workers or more --parts",
        )

    def end(self) -> None:
        """Ask it to end."""
        if self.number is None:
            self._close()
        else:
            self._process.terminate()

    def wait(self, until: float) -> None:
        """Wait for its end, which comes by force after a time."""
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close()

    def _close(self) -> None:
        for stream in (self._tasks, self.answers):
            with suppress(OSError):
                stream.close()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
