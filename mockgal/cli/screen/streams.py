"""What the user sees: lines of a report, progress, warnings and errors."""

from __future__ import annotations

import io
import os
import re
import select
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import click

from ...errors import MockgalError, OutputError, printable

_NARROWEST = 20  # columns of a terminal for which lines are fitted
_LABEL = re.compile(r"(\S+(?: \S+)?)? {2,}")  # what a line of a report begins with
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
    """Print a line to standard error."""
    bar = sys.modules.get(f"{__package__}.bar")
    if bar is None or not bar.print_above(line):
        click.echo(line, err=True)


def say(lines: Iterable[str], *, whole: bool = False) -> None:
    """Print lines to standard output; what they hold cannot forge other lines.

    On a terminal long ones go on below their own text, broken at blanks, unless they are to be
    left ``whole`` or hold a command, which is there to be copied.
    """
    width = _NARROWEST
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
    for line in map(printable, lines):
        if whole or width <= _NARROWEST or len(line) <= width or "mockgal " in line:
            click.echo(line)
            continue
        label = _LABEL.match(line)
        indent = label.end() if label is not None and label.end() <= width // 2 else 2
        below = textwrap.wrap(
            line,
            width,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        click.echo("\n".join(below))


class _Raw(io.FileIO):
    """A standard stream whose reader may go away, and which may be full."""

    _is_broken = False

    def write(self, data: Any) -> int:
        """Write, or raise an `OutputError` once: whatever follows is dropped."""
        size = memoryview(data).nbytes
        if self._is_broken:
            return size
        try:
            while (written := super().write(data)) is None:  # the reader of a pipe is behind
                select.select([], [self], [])
            return written
        except OSError as error:
            self._is_broken = True
            # Nobody reads on, which is no failure of ours; and of errors there is no way to tell.
            if isinstance(error, BrokenPipeError) or self.fileno() != 1:
                return size
            raise OutputError(
                "standard output",
                str(error),
                "a place for the report",
                "the files that the command was to write are complete",
            ) from error


@contextmanager
def standard_streams() -> Iterator[None]:
    """Make the standard streams fit to write to, whatever the caller left of them, in the block.

    Closed ones lead nowhere. Letters that their encoding lacks are escaped, as for ``LANG=C``.

    Raises
    ------
    OutputError
        Standard output cannot be written, when it is flushed.
    """
    _open_closed()
    former = sys.stdout, sys.stderr
    # Those of tests and notebooks are left alone.
    if former[0] is sys.__stdout__:
        sys.stdout = _stream(1, former[0])
    if former[1] is sys.__stderr__:
        sys.stderr = _stream(2, former[1])
    try:
        yield
    finally:
        with suppress(OutputError):  # an error is on its way
            sys.stdout.flush()
        sys.stdout, sys.stderr = former


def _stream(number: int, former: TextIO | None) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(_Raw(number, "w", closefd=False)),
        encoding=getattr(former, "encoding", None),
        errors="backslashreplace",
        line_buffering=number == 2 or getattr(former, "line_buffering", False),
    )


def _open_closed() -> None:
    """Open the descriptors 0, 1 and 2 where they are closed: a file would get their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the least number that is free
