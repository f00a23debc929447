"""Options of commands that are declared in classes (`mockgal.options`).

The name of their parameter begins with their owner (``training__epochs``), to tell them from other
options of the same name.
"""

from __future__ import annotations

from typing import Any

import click
import cloup

from ...options import Option
from .shared import Decorator
from .values import checked_value_of, value_of

_METAVARS = {"Msun / littleh": "MASS", "Mpc / littleh": "LENGTH"}


def declared(owner: str, option: Option, flag: str = "", **more: Any) -> Decorator:
    """Return the option of a command that sets a declared option of ``owner``.

    Parameters
    ----------
    owner : str
        Owner of the option, for `take_declared`.
    option : Option
    flag : str
        Its name on the command line; by default its own.
    **more
        Further arguments of `cloup.option`.
    """
    shown: dict[str, Any] = {
        "type": checked_value_of(option),
        "metavar": metavar_of(option),
        "help": option.help,
    }
    return cloup.option(flag or option.flag, parameter_name(owner, option.name), **shown | more)


def declared_parameter(owner: str, option: Option) -> click.Option:
    """Return a parameter for an option whose values stay texts; its owner checks them."""
    name = parameter_name(owner, option.name)
    if option.kind == "flag":
        flags = option.flag + option.flag.replace("--", "/--no-", 1) * (option.default is True)
        return cloup.Option([flags, name], is_flag=True, default=None, help=option.help)
    return cloup.Option(
        [option.flag, name],
        type=value_of(option),
        metavar=metavar_of(option),
        multiple=option.kind == "named values",
        help=option.help,
    )


def parameter_name(owner: str, name: str) -> str:
    """Return the name of the parameter that sets an option."""
    return f"{owner}__{name}"


def metavar_of(option: Option) -> str | None:
    """Return what stands for a value with a unit in the help; None for other values."""
    words = {"size": "SIZE", "named values": "NAME=VALUE"}
    return {"quantity": _METAVARS.get(option.unit, "QUANTITY"), **words}.get(option.kind)


def take_declared(owner: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Remove the declared options of ``owner`` from ``wanted``, and return them by name."""
    prefix = parameter_name(owner, "")
    names = [key for key in wanted if key.startswith(prefix)]
    return {name.removeprefix(prefix): wanted.pop(name) for name in names}
