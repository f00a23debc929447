"""Output to the user: lines of a report, progress, warnings and errors."""

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

_NARROWEST = 20  # width in characters of the narrowest terminal that lines are wrapped for
_LABEL = re.compile(r"(\S+(?: \S+)?)? {2,}")  # at the start of a line of a report
QUIET = "mockgal.quiet"  # in the context of a command: show neither report nor bar


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None] | None]:
    """Yield the progress function of a bar on a terminal; None elsewhere."""
    context = click.get_current_context(silent=True)
    if not sys.stderr.isatty() or (context is not None and context.meta.get(QUIET)):
        yield None
        return
    from .bar import drawn  # imports rich, only if a bar is drawn

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
    """Print lines to standard output, escaped so that no content can forge a further line.

    On a terminal long lines are wrapped at blanks and indented below their own text. Lines with a
    command, which users copy, are not wrapped, nor any with ``whole``.
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
    """A standard stream whose reader may vanish, or whose disk may be full."""

    _is_broken = False

    def write(self, data: Any) -> int:
        """Write, or raise an `OutputError` once; later output is dropped."""
        size = memoryview(data).nbytes
        if self._is_broken:
            return size
        try:
            while (written := super().write(data)) is None:  # the reader of a pipe is behind
                select.select([], [self], [])
            return written
        except OSError as error:
            self._is_broken = True
            # A reader that stopped is no failure of ours; a failing stderr cannot be reported.
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
    """Make the standard streams safe to write to within the block, whatever the caller left.

    Closed streams lead to the null device. Characters that the encoding lacks are escaped, as for
    ``LANG=C``.

    Raises
    ------
    OutputError
        Standard output cannot be written; raised when it is flushed.
    """
    _open_closed()
    former = sys.stdout, sys.stderr
    # Replaced streams, of tests and notebooks, are left alone.
    if former[0] is sys.__stdout__:
        sys.stdout = _stream(1, former[0])
    if former[1] is sys.__stderr__:
        sys.stderr = _stream(2, former[1])
    try:
        yield
    finally:
        with suppress(OutputError):  # another error may be propagating
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
    """Open descriptors 0, 1 and 2 where they are closed, or a file would get their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
