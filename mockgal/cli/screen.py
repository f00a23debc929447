"""What the user sees: lines of a report, progress, warnings and errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from ..errors import MockgalError, OutputError, printable


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None] | None]:
    """A progress bar with rate and time left on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.speed:.3g}/s"),
        TimeLeft(),
        console=Console(stderr=True),
    )
    tasks: dict[str, Any] = {}

    def advance(done: int, total: int, label: str) -> None:
        what = label.partition(",")[0]  # the rest is news of it
        if what not in tasks:
            tasks[what] = bar.add_task(label, total=total)
        bar.update(tasks[what], completed=done, description=label)

    with bar:
        yield advance


def warn(text: object) -> None:
    """Print a warning to standard error."""
    click.echo(f"mockgal: warning: {printable(text)}", err=True)


def fail(error: MockgalError) -> int:
    """Print an error to standard error, and give its exit code."""
    click.echo(f"mockgal: error[{error.code}] {error}", err=True)
    return error.exit_code


def say(lines: Iterable[str]) -> None:
    """Print lines to standard output; what they hold cannot forge other lines."""
    try:
        for line in lines:
            click.echo(printable(line))
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on, which is no failure of ours
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - so that the exit finds it writable
    except OSError as error:
        raise OutputError(
            "standard output",
            str(error),
            "a place for the report",
            "the files that the command was to write are complete",
        ) from error
