"""The base of all commands: the layout of the help, and the report."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import click
import cloup
from cloup import HelpSection

from .. import __version__, registry
from ..errors import MockgalError, UsageError, listening, warn
from ..system.display import simulation_facts
from ..types import Scene, SourceFile
from .screen.streams import QUIET, say

Definition = tuple[str, str | Callable[[int], str]]

# Placeholders for hyphens and blanks at which a line must not be broken.
_HYPHEN, _BLANK = "\ue000", "\ue001"
_LONGEST_QUOTE = 32
_JSON, _WARNINGS, _NOTES = "mockgal.json", "mockgal.warnings", "mockgal.notes"  # in the context


class HelpFormatter(cloup.HelpFormatter):
    """A formatter that never breaks a line within an option, a quotation or a command."""

    def write_text(self, text: str, *args: Any, **keywords: Any) -> None:
        """Write a paragraph."""
        super().write_text(_together(text), *args, **keywords)

    def write_dl(self, rows: Iterable[Definition], *args: Any, **keywords: Any) -> None:
        """Write a list of options or commands."""
        super().write_dl(map(_row, rows), *args, **keywords)

    def getvalue(self) -> str:
        """Return what was written."""
        return super().getvalue().replace(_HYPHEN, "-").replace(_BLANK, " ")


def _row(row: Definition) -> Definition:
    name, text = row
    if isinstance(text, str):
        return name, _together(text)
    return name, lambda width: _together(text(width))


def _together(text: str) -> str:
    quoted = re.sub(
        rf'"[^"]{{,{_LONGEST_QUOTE}}}"|`[^`]{{,{_LONGEST_QUOTE}}}`',
        lambda quote: quote[0].replace(" ", _BLANK),
        text,
    )
    return quoted.replace("-", _HYPHEN)


class Context(cloup.Context):
    """A click context that uses `HelpFormatter`."""

    formatter_class = HelpFormatter


class Outcome(NamedTuple):
    """The report of a command.

    Parameters
    ----------
    lines : iterable of str
        Lines for people.
    facts : mapping
        The same for programs, with units in the names of numbers; `plain` lists the types allowed.
    error : MockgalError, optional
        What the command ends with once it has reported: its result is not what was hoped for.
    """

    lines: Iterable[str]
    facts: Mapping[str, Any]
    error: MockgalError | None = None


class Command(cloup.Command):
    """A command whose function returns an `Outcome`, or None if there is nothing to report.

    It adds the options ``--quiet`` and ``--json``, which are not passed to the function.

    Parameters
    ----------
    listing : str
        Group of the registry whose names the help lists, each with the first line of its docstring;
        "" for no list.
    """

    context_class = Context

    def __init__(
        self,
        *args: Any,
        params: list[click.Parameter] | None = None,
        listing: str = "",
        **more: Any,
    ):
        super().__init__(*args, params=[*(params or ()), *_reporting()], **more)
        self.listing = listing

    def format_params(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, and the list of the names in a group of the registry."""
        super().format_params(ctx, formatter)
        if self.listing and isinstance(formatter, cloup.HelpFormatter):
            rows = [(name, _summary(self.listing, name)) for name in registry.names(self.listing)]
            formatter.write_section(HelpSection(self.listing.capitalize(), rows))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; fail if an option that takes one value is given twice."""
        if not ctx.resilient_parsing:
            self._refuse_repeated(ctx, list(args))
        return super().parse_args(ctx, args)

    def _refuse_repeated(self, ctx: click.Context, args: list[str]) -> None:
        """Raise for a repeated option, of whose values click would silently take the last."""
        order = self.make_parser(ctx).parse_args(args)[2]
        if any(one.is_eager for one in order):  # --help
            return
        earlier: set[str | None] = set()
        for one in order:
            if not isinstance(one, click.Option) or one.multiple or one.count or _harmless(one):
                continue
            if one.name in earlier:
                both = " or ".join((*one.opts, *one.secondary_opts))
                raise UsageError(ctx.command_path, f"{both} twice", "one at most", "leave one out")
            earlier.add(one.name)

    def invoke(self, ctx: click.Context) -> None:
        """Run the command, and report as the user asked."""
        ctx.meta[QUIET], ctx.meta[_JSON] = ctx.params.pop("quiet"), ctx.params.pop("as_json")
        with listening() as warnings:
            ctx.meta[_WARNINGS] = warnings
            for text in ctx.meta.pop(_NOTES, ()):
                warn(text)
            outcome: Outcome | None = super().invoke(ctx)
        if outcome is not None:
            _report(ctx, outcome)
            if outcome.error is not None:
                raise outcome.error


def _harmless(option: click.Option) -> bool:
    """Return whether giving an option twice changes nothing."""
    return option.is_flag and not option.secondary_opts


def warn_when_run(ctx: click.Context, text: str) -> None:
    """Warn of something in the arguments of a command, as soon as it runs and collects warnings."""
    ctx.meta.setdefault(_NOTES, []).append(text)


def report_unfinished(outcome: Outcome) -> None:
    """Report the finished part of a command that is about to fail."""
    unfinished = outcome._replace(facts={**outcome.facts, "unfinished": True})
    _report(click.get_current_context(), unfinished)


def _report(ctx: click.Context, outcome: Outcome) -> None:
    if ctx.meta[_JSON]:
        say(_document(ctx, outcome.facts, ctx.meta[_WARNINGS]).splitlines(), whole=True)
    elif not ctx.meta[QUIET]:
        say(outcome.lines)


def _document(context: click.Context, facts: Mapping[str, Any], warnings: list[str]) -> str:
    """Return the report as JSON: ``facts``, the command and version, and all warnings."""
    names: list[str] = []
    while context.parent is not None:
        names.insert(0, str(context.info_name))
        context = context.parent
    about = {"command": " ".join(names), "mockgal_version": __version__}
    every = list(dict.fromkeys([*facts.get("warnings", ()), *warnings]))
    return json.dumps(plain(about | dict(facts) | {"warnings": every}), indent=1, allow_nan=False)


def _summary(group: str, name: str) -> str:
    try:
        return registry.summary(group, name) + "."
    except MockgalError:  # using the plug-in raises the full message
        return "A plug-in that does not work."


def _reporting() -> tuple[cloup.Option, cloup.Option]:
    return (
        cloup.Option(
            ["--quiet"],
            is_flag=True,
            help="Print no report and draw no progress bar. Warnings and errors are still printed.",
        ),
        cloup.Option(
            ["--json", "as_json"],
            is_flag=True,
            help="Print the report as one JSON document.",
        ),
    )


def plain(value: Any) -> Any:
    """Return ``value`` as plain JSON values.

    Parameters
    ----------
    value : object
        Mappings, sequences, sets, arrays, texts, paths and numbers. Numbers that are not finite
        become null, since JSON has no such numbers.
    """
    if hasattr(value, "tolist"):  # a NumPy object
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


class Group(cloup.Group):
    """A group of commands."""

    context_class = Context
    command_class = Command


def about(scene: Scene) -> dict[str, Any]:
    """Return the facts of a simulation."""
    return {
        **simulation_facts(scene),
        "subhalos": len(scene.halos),
        "reading": dict(scene.snapshot.record) | dict(scene.halos.record),
    }


def files_of(source: Iterable[SourceFile]) -> list[dict[str, Any]]:
    """Return path, size and digest of the files that were read."""
    return [
        {"path": file.path, "bytes": file.size, "sha256": file.digest or None} for file in source
    ]
