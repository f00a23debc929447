"""Workers of Dask on any number of hosts, which a scheduler hands tasks to."""

from __future__ import annotations

import logging
import os
import queue
import re
import uuid
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from ...errors import IncompleteError, MockgalError, UsageError, shown, warn
from ..files import plain_json, signals
from ..files.plain_text import read_text
from ..progress import advance
from .calls import Outcome, Task, called, failure

_ADDRESS = re.compile(r"(?:[a-z]+://)?[^/\s]+:[0-9]{1,5}")
_LOOK = 0.2  # seconds between two looks at signals
_ANSWER = 20.0  # seconds in which a scheduler answers
_PATIENCE = 10.0  # seconds without a worker before the user is told
_LONGEST = 100_000  # characters of its file
_START = "start one: dask scheduler --scheduler-file scheduler.json"
_LOGS = ("distributed", "tornado", "asyncio")


class Cluster:
    """An `Executor`: the workers of a scheduler of Dask, on hosts that share a file system.

    Parameters
    ----------
    scheduler : str
        Its address, such as ``tcp://node1:8786``, or the file that it wrote of itself
        (``dask scheduler --scheduler-file``).

    Raises
    ------
    UsageError
        The extra ``cluster`` is not installed; or it is neither an address nor a file.
    """

    def __init__(self, scheduler: str) -> None:
        try:
            import distributed
        except ImportError as error:
            raise UsageError(
                "--scheduler",
                f"that Dask is not installed ({error})",
                "the extra `cluster`, here and where the workers run",
                "pip install 'mockgal[cluster]', or use --workers, which needs nothing",
            ) from error
        self._distributed = distributed
        self._scheduler = scheduler
        self._address = _address_of(scheduler)
        self._client: Any = None
        names = (name for name in logging.root.manager.loggerDict if name.split(".")[0] in _LOGS)
        self._logs = {log: log.level for log in map(logging.getLogger, names)}
        self._run = uuid.uuid4().hex[:8]  # so that no task is taken for one of another run
        self._started = Counter[int]()
        self._futures: dict[int, Any] = {}
        self._ended: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()

    @property
    def words(self) -> str:
        """What carries the tasks out."""
        return f"the workers of {self._scheduler}"

    @property
    def pending(self) -> int:
        """Number of tasks whose outcome is still to come."""
        return len(self._futures)

    def __enter__(self) -> Cluster:
        for log in self._logs:  # what they say, errors say
            log.setLevel(logging.CRITICAL)
        try:
            client: Any = self._distributed.Client
            self._client = client(self._address, timeout=_ANSWER)
        except Exception as error:  # whatever connecting raises
            raise UsageError(
                "--scheduler",
                f"no scheduler that answers at {self._scheduler}: {_first_line(error)}",
                "the address of a scheduler that runs, or its file",
                _START,
            ) from error
        try:
            self._wait_for_workers()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def _wait_for_workers(self) -> None:
        """Wait for the first worker: jobs with workers may be in a queue."""
        waited = 0.0
        while not self._client.nthreads():
            advance(0, 1, "waiting for workers")
            with suppress(queue.Empty):
                self._ended.get(timeout=_LOOK)
            waited += _LOOK
            if waited - _LOOK < _PATIENCE <= waited:
                warn(
                    f"no worker has come to {self._scheduler} yet; start some: dask worker "
                    "--nthreads 1 with its address or --scheduler-file"
                )

    def start(self, number: int, name: str, task: Task) -> None:
        """Hand a task to the scheduler."""
        self._started[number] += 1
        key = f"mockgal-{self._run}-{number}-{self._started[number]}"
        future = self._client.submit(called, name, task, key=key, pure=False)
        self._futures[number] = future
        future.add_done_callback(partial(self._note, number))

    def _note(self, number: int, future: Any) -> None:
        self._ended.put((number, future))

    def finished(self) -> tuple[int, Outcome]:
        """Wait for the next outcome, and return it with the number of its task."""
        while True:
            signals.check()
            try:
                number, future = self._ended.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if self._futures.get(number) is not future:  # abandoned
                continue
            del self._futures[number]
            return number, self._outcome(future)

    def _outcome(self, future: Any) -> Outcome:
        if future.status == "cancelled":
            raise IncompleteError(
                "--scheduler",
                f"that the connection to {self._scheduler} is lost",
                "a scheduler that stays until the mock is written",
                "start it again, and run the same command: finished parts are kept",
            )
        try:
            outcome: Outcome = future.result(timeout=_ANSWER)
        except MockgalError:
            raise
        except Exception as error:
            return failure(self._lost(error))
        return outcome

    def _lost(self, error: Exception) -> MockgalError:
        """Return the error for a task that has no outcome."""
        if isinstance(error, self._distributed.KilledWorker):
            return IncompleteError(
                f"worker {error.last_worker.address}",
                "that workers died with it again and again",
                "that they carry out the task",
                "give workers more memory if they had too little, or take more --parts",
            )
        return IncompleteError(
            self._scheduler,
            f"{type(error).__name__}: {_first_line(error)}",
            "workers with the same version of mockgal",
            "start the workers in the environment of this command",
        )

    def abandon(self) -> None:
        """Forget all tasks: nobody knows which of them have begun."""
        futures = list(self._futures.values())
        self._futures.clear()
        if futures:
            with suppress(Exception):  # it is over
                self._client.cancel(futures)

    def __exit__(
        self, kind: type[BaseException] | None, value: Any, trace: TracebackType | None
    ) -> None:
        """Cancel what has not begun, and leave the scheduler and its workers to others."""
        if self._client is not None:
            with signals.signals_deferred():
                self.abandon()
                with suppress(Exception):
                    self._client.close(timeout=5)
                self._client = None
        if kind is None:  # else threads of a lost connection may still log
            for log, level in self._logs.items():
                log.setLevel(level)


def _address_of(scheduler: str) -> str:
    """Return the address of a scheduler, which may be in a file."""
    address: object = scheduler
    if os.path.isfile(scheduler):
        text = read_text(Path(scheduler), _LONGEST, "the file of a scheduler of Dask", fix=_START)
        try:
            address = plain_json.load(text)["address"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                "--scheduler",
                f"{scheduler}, which does not say where a scheduler is ({error})",
                "the file that a scheduler wrote",
                _START,
            ) from error
    if isinstance(address, str) and _ADDRESS.fullmatch(address):
        return address
    raise UsageError(
        "--scheduler",
        f"{shown(scheduler)}, which is no file and no address",
        "an address such as tcp://node1:8786, or the file of a scheduler",
        _START,
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
