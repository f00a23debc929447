"""Options of ``mockgal build`` for the painters, as their classes declare them.

Painters that declare an option of the same name share one flag; the group of a plug-in shows it
again, with the plug-in's own help. The value is kept as a text until the painter is known, and the
painter's declaration then says how to read it. Plug-ins are imported only for the help, for
completion, and if the command line has an option that no painter of mockgal has.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import click
from cloup import OptionGroup

from ... import registry
from ...errors import MockgalError
from ...options import UNDECLARED, Option, OptionGroups, flat
from ...system.plugins import tell
from ..command import Command
from .declared import declared_parameter, parameter_name, take_declared
from .shared import Decorator, adding, parameters_of
from .values import checked_value_of

_OWNER = "painter"
_NUMBERS = ("number", "whole", "name or number")
_TITLE = "Painter"


class PaintingCommand(Command):
    """A command with the options of painters; those of plug-ins are added when needed."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context of this command, or of one with the options of plug-ins."""
        flags = {word.split("=")[0] for word in args if word[:2] == "--"}
        unknown = {*flags, *({"-h"} & set(args))} - set(_flags(self.params))  # the help, too
        command = self.with_plugins() if unknown or extra.get("resilient_parsing") else self
        return super(PaintingCommand, command).make_context(info_name, args, parent, **extra)

    def with_plugins(self) -> PaintingCommand:
        """Return the command with a group of options for each painter of a plug-in."""
        command = copy.copy(self)
        groups, parameters = list(self.option_groups), list(self.params)
        for name, options in registry.options_of_plugins():
            try:
                with registry.guarded("painters", name, "reading its options"):
                    added, more = _groups(name, options, parameters, whole=True)
            except MockgalError as error:
                tell(f"a plug-in is left out: {error}")
                continue
            here = 1 + max(i for i, group in enumerate(groups) if group.title.startswith(_TITLE))
            groups[here:here] = added
            parameters += more
        command.params, command.option_groups = parameters, groups
        return command


def painting(*first: Decorator) -> Decorator:
    """Return the options of mockgal's painters in groups, with shared ones after ``first``."""
    painters = {name: registry.painter_options(name) for name in registry.built_in("painters")}
    every = [group for groups in painters.values() for group in groups.values()]
    common = [option for name, option in every[0].items() if all(name in group for group in every)]
    parameters: list[click.Option] = [
        *parameters_of(*first),
        *(declared_parameter(_OWNER, one) for one in common),
    ]
    _group(_TITLE, parameters)
    for name, groups in painters.items():
        parameters += _groups(name, groups, parameters, whole=False)[1]
    return lambda command: adding(command, parameters)


def painter_options(wanted: dict[str, Any], painter: object) -> dict[str, Any]:
    """Remove the options of painters from ``wanted``, and return them.

    Parameters
    ----------
    wanted : dict
        Options of the command that the user gave.
    painter : object
        Name of the painter, whose class says which texts are numbers.

    Raises
    ------
    click.BadParameter
        A text is not a number where one is needed.
    UsageError
        There is no such painter.
    """
    of_painter = take_declared(_OWNER, wanted)
    if of_painter and isinstance(painter, str):
        context = click.get_current_context()
        flags = {parameter.name: parameter for parameter in context.command.params}
        for name, option in flat(registry.painter_options(painter)).items():
            if option.kind in _NUMBERS and name in of_painter:
                parameter, convert = flags[parameter_name(_OWNER, name)], checked_value_of(option)
                of_painter[name] = convert.convert(of_painter[name], parameter, context)
            if option.kind == "named values" and name in of_painter:
                of_painter[name] = ", ".join(of_painter[name])
    return of_painter


def _groups(
    painter: str,
    declared: OptionGroups,
    parameters: Iterable[click.Parameter],
    *,
    whole: bool,
) -> tuple[list[OptionGroup], list[click.Option]]:
    """Return the groups of a painter, and its options whose flags are not among ``parameters``.

    With ``whole`` the groups show all options of the painter, else only those new options.
    """
    taken, groups, added = _flags(parameters), [], []
    for title, options in declared.items():
        shown, elsewhere = [], []
        for option in options.values():
            same = taken.get(option.flag)
            if option.kind == UNDECLARED or not (same is None or _stands_for(same, option)):
                elsewhere.append(option.name)
                continue
            parameter = declared_parameter(_OWNER, option)
            if same is None:
                added.append(parameter)
            if whole or same is None:
                shown.append(parameter)
        taken |= _flags(added)
        if shown:
            heading = f"{_TITLE} {painter}" + (f", {title}" if title else "")
            about = f"Only in recipes and from Python: {', '.join(elsewhere)}."
            groups.append(_group(heading, shown, about if elsewhere else None))
    return groups, added


def _stands_for(parameter: click.Parameter, option: Option) -> bool:
    """Return whether a flag, usually of another painter, can set the value of an option."""
    of_painter = str(parameter.name).startswith(parameter_name(_OWNER, ""))
    kind = getattr(parameter, "is_flag", False), parameter.multiple
    return of_painter and kind == (option.kind == "flag", option.kind == "named values")


def _group(title: str, parameters: list[click.Option], help: str | None = None) -> OptionGroup:
    group = OptionGroup(title, help)
    group.options = parameters
    for parameter in parameters:
        parameter.group = group  # type: ignore[attr-defined]
    return group


def _flags(parameters: Iterable[click.Parameter]) -> dict[str, click.Parameter]:
    """Return the parameters by their flags."""
    return {flag: one for one in parameters for flag in (*one.opts, *one.secondary_opts)}
