"""What the user sees: lines of a report, progress, warnings and errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from ..errors import MockgalError, OutputError, printable

QUIET = "mockgal.quiet"  # in the context of a command: whether it shows neither report nor bar


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None] | None]:
    """A progress bar with rate and time left on a terminal, nothing elsewhere."""
    context = click.get_current_context(silent=True)
    if not sys.stderr.isatty() or (context is not None and context.meta.get(QUIET)):
        yield None
        return
    from .bar import drawn  # rich is loaded where it is shown

    with drawn() as advance:
        yield advance


def warn(text: object) -> None:
    """Print a warning to standard error, above the bar if one is drawn."""
    _note(f"mockgal: warning: {printable(text)}")


def fail(error: MockgalError) -> int:
    """Print an error to standard error, and return its exit code."""
    _note(f"mockgal: error[{error.code}] {error}")
    return error.exit_code


def _note(line: str) -> None:
    """Print a line to standard error, as far as its encoding goes."""
    bar = sys.modules.get(f"{__package__}.bar")
    if bar is None or not bar.print_above(line):
        click.echo(_encodable(line, sys.stderr), err=True)


def _encodable(line: str, stream: TextIO | None) -> str:
    """Return ``line`` with what the stream's encoding lacks escaped, as for ``LANG=C``."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


def say(lines: Iterable[str]) -> None:
    """Print lines to standard output; what they hold cannot forge other lines."""
    try:
        for line in lines:
            click.echo(_encodable(printable(line), sys.stdout))
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
