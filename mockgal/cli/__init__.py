"""The ``mockgal`` command: pass options to tasks, print results, turn errors into exit codes."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Any

import click
import cloup

from .. import __version__
from ..errors import (
    InternalError,
    MockgalError,
    MockgalWarning,
    OutputError,
    ResourceError,
    UsageError,
)
from ..system.files import signals
from ..system.files.lock import WAY_OUT, output_error
from .build import build, clean, merge, status
from .calibrate import calibrate
from .command import Group
from .compare import compare
from .field import field
from .fit import fit
from .measure import measure, plot
from .screen.streams import fail, standard_streams, warn
from .simulations import calibrations, inspect, pack
from .survey import survey
from .train import evaluate, train
from .verify import reproduce, verify
from .weights import weights


@cloup.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="mockgal %(version)s")
def cli() -> None:
    """Mock galaxy catalogues painted on gravity-only simulations."""


for _title, _commands in {
    "Simulations": (inspect, pack, field),
    "Mocks": (build, merge, status, clean, survey, measure, plot, compare, verify, reproduce),
    "Calibration and training": (calibrate, fit, calibrations, train, evaluate, weights),
}.items():
    cli.add_section(cloup.Section(_title, list(_commands), is_sorted=False))


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with a documented code; no traceback reaches the user.

    If ``MOCKGAL_DEBUG`` is set in the environment, errors are raised unchanged.
    """
    former = sys.unraisablehook
    with signals.ending_command(), warnings.catch_warnings():
        warnings.showwarning = _show  # type: ignore[assignment]
        warnings.simplefilter("always", MockgalWarning)  # overrides PYTHONWARNINGS
        sys.unraisablehook = _unraisable
        try:
            with standard_streams():
                code = _run(arguments)
        except (KeyboardInterrupt, SystemExit):  # from a second signal
            if (number := signals.came()) is None:
                raise
            code = 128 + number
        finally:
            sys.unraisablehook = former
    if arguments is None:  # the process ends now
        signals.end_at_once()
    sys.exit(code)


def _show(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
    if issubclass(category, MockgalWarning):
        warn(message)
    elif os.environ.get("MOCKGAL_DEBUG"):
        warn(f"{category.__name__} at {filename}:{lineno}: {message}")


def _unraisable(what: Any) -> None:
    """Print an exception that Python cannot raise from a callback, unless a signal caused it."""
    if signals.came() is None:
        sys.__unraisablehook__(what)


def _run(arguments: list[str] | None) -> int:
    """Run the command, print how it ended, and return the exit code."""
    try:
        code = _command(arguments)
        sys.stdout.flush()
        return code if signals.came() is None else _interrupted()
    except (click.Abort, KeyboardInterrupt):
        return _interrupted()
    except SystemExit:
        if signals.came() is None:
            raise
        return _interrupted()
    except Exception as error:
        # Libraries replace the exception of a signal with their own.
        return _failed(error) if signals.came() is None else _interrupted()


def _command(arguments: list[str] | None) -> int:
    try:
        cli(arguments, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        asked = error.ctx is None or error.ctx.parent is None  # `mockgal` alone shows its help
        click.echo(error.format_message(), err=not asked)
        return 0 if asked else 2
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "mockgal"
        problem = error.format_message().removesuffix(".")
        problem = problem[:1].lower() + problem[1:]
        return fail(UsageError(command, problem, "", f"`{command} --help` lists the options"))
    return 0


def _interrupted() -> int:
    click.echo(signals.INTERRUPTED, err=True)
    return 128 + (signals.came() or signal.SIGINT)


def _failed(error: Exception) -> int:
    if isinstance(error, MemoryError):
        return fail(ResourceError("mockgal", "too little memory", "", "a machine with more"))
    if os.environ.get("MOCKGAL_DEBUG"):
        raise error
    if isinstance(error, MockgalError):
        return fail(error)
    if isinstance(error, FileNotFoundError) and not _has_folder():
        return fail(
            OutputError(os.curdir, "that the working directory is gone", "one", "cd to another")
        )
    if isinstance(error, OSError) and error.errno in WAY_OUT:  # any file can raise it
        return fail(output_error(error.filename or "mockgal", error, ""))
    return fail(
        InternalError(
            "mockgal",
            f"an unforeseen {type(error).__name__}: {error}",
            "",
            "please report this, with what MOCKGAL_DEBUG=1 prints",
        )
    )


def _has_folder() -> bool:
    """Return whether the working directory still exists."""
    try:
        return bool(os.getcwd())
    except OSError:
        return False
