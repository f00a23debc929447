"""The interface of executors, and how tasks are carried out by one: each is tried three times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ...errors import MockgalError, warn
from .calls import Outcome, Task, error_of, name_of

TRIES = 3


class Executor(AbstractContextManager["Executor"], Protocol):
    """Carries out tasks elsewhere, several at a time, while its block lasts.

    A task has a number. Its outcome is the same wherever it is carried out.
    """

    @property
    def words(self) -> str:
        """What carries the tasks out, for the report: ``"4 processes"``."""
        ...

    @property
    def pending(self) -> int:
        """Number of tasks whose outcome is still to come."""
        ...

    def start(self, number: int, name: str, task: Task) -> None:
        """Have a task carried out by `mockgal.system.executors.calls.called`."""
        ...

    def finished(self) -> tuple[int, Outcome]:
        """Wait for the next outcome, and return it with the number of its task."""
        ...

    def abandon(self) -> None:
        """Forget the tasks that have not begun."""
        ...


class FailedTask(Exception):
    """A task that failed each time.

    Parameters
    ----------
    number : int
    error : MockgalError
        The last.
    """

    def __init__(self, number: int, error: MockgalError) -> None:
        super().__init__(number, error)
        self.number, self.error = number, error


def results(
    executor: Executor,
    function: Callable[[Task], Any],
    tasks: Mapping[int, Task],
    called: Callable[[int], str],
) -> Iterator[tuple[int, Any]]:
    """Yield what a function returns for each task, with its number, as they finish.

    Parameters
    ----------
    executor : Executor
    function : callable
        Of a module, not within another function. Called several times for a task, it must do no
        harm, and give the same.
    tasks : mapping of int to dict
        By number: plain JSON values, a few hundred bytes.
    called : callable
        Returns the name of a task for messages, by its number.

    Raises
    ------
    FailedTask
        One failed `TRIES` times. No other was begun after that; those that were running ended.
    """
    name, tries, failed = name_of(function), Counter[int](), list[FailedTask]()
    said: set[str] = set()
    for number, task in tasks.items():
        executor.start(number, name, task)
    while executor.pending:
        number, outcome = executor.finished()
        for text in outcome["warnings"]:
            if text not in said:  # of each that notices the same
                said.add(text)
                warn(text)
        error = error_of(outcome)
        if error is None:
            yield number, outcome["value"]
            continue
        tries[number] += 1
        if tries[number] == TRIES:
            failed.append(FailedTask(number, error))
            executor.abandon()
        elif not failed:
            warn(f"{called(number)} is tried again: {error}")
            executor.start(number, name, tasks[number])
    if failed:
        raise failed[0]
