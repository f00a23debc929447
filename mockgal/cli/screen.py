"""What the user sees: lines of a report, progress, warnings and errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import click

from ..errors import MockgalError, OutputError, printable


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None] | None]:
    """A progress bar with rate and time left on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from .bar import drawn  # rich is loaded where it is shown

    with drawn() as advance:
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
