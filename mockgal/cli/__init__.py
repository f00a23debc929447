"""The ``mockgal`` command: options to functions, results to lines, errors to exit codes."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import Any

import click
import cloup

from .. import __version__
from ..errors import InternalError, MockgalError, MockgalWarning, ResourceError, UsageError
from .build import build
from .calibrate import calibrate
from .command import Group
from .field import field
from .measure import measure, plot
from .screen import fail, warn
from .simulations import calibrations, inspect, pack
from .train import evaluate, train
from .weights import weights


@cloup.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="mockgal %(version)s")
def cli() -> None:
    """Mock galaxy catalogues painted on gravity-only simulations."""


for _title, _commands in {
    "Simulations": (inspect, pack, field),
    "Mocks": (build, measure, plot),
    "Calibration and training": (calibrate, calibrations, train, evaluate, weights),
}.items():
    cli.add_section(cloup.Section(_title, list(_commands), is_sorted=False))


_came: list[int] = []  # signals that end the command


def _end(signum: int, frame: Any) -> None:
    _came.append(signum)
    if signum == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + signum)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with a documented code; no traceback reaches the user.

    With ``MOCKGAL_DEBUG`` set in the environment errors are raised as they are.
    """
    _came.clear()
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, _end)
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115

    def show(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
        if issubclass(category, MockgalWarning):
            warn(message)
        elif os.environ.get("MOCKGAL_DEBUG"):
            warn(f"{category.__name__} at {filename}:{lineno}: {message}")

    warnings.showwarning = show  # type: ignore[assignment]
    warnings.simplefilter("always", MockgalWarning)  # whatever PYTHONWARNINGS says
    try:
        cli(arguments, standalone_mode=False)
        code = 0
    except click.exceptions.NoArgsIsHelpError as error:
        asked = error.ctx is None or error.ctx.parent is None  # `mockgal` alone asks for the help
        click.echo(error.format_message(), err=not asked)
        code = 0 if asked else 2
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "mockgal"
        code = fail(
            UsageError(command, error.format_message(), "", f"`{command} --help` lists the options")
        )
    except (click.Abort, KeyboardInterrupt):
        code = _interrupted(signal.SIGINT)
    except Exception as error:
        # NumPy, for one, puts an error of its own in the place of a signal's.
        code = _interrupted(_came[-1]) if _came else _failed(error)
    sys.exit(code)


def _interrupted(signum: int) -> int:
    click.echo("mockgal: interrupted; every output is whole, or as it was", err=True)
    return 128 + signum


def _failed(error: Exception) -> int:
    if isinstance(error, MemoryError):
        return fail(ResourceError("mockgal", "too little memory", "", "a machine with more"))
    if os.environ.get("MOCKGAL_DEBUG"):
        raise error
    if isinstance(error, MockgalError):
        return fail(error)
    return fail(
        InternalError(
            "mockgal",
            f"an unforeseen {type(error).__name__}: {error}",
            "",
            "please report this, with what MOCKGAL_DEBUG=1 prints",
        )
    )
