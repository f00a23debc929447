"""Options of ``mockgal build`` for hosts that come without subhalos."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from ..types import MASS_DEFINITIONS

# Name of the option: that of the choice, in `mockgal.populate.options.SatelliteOptions`.
CHOICES = {
    "satellite_numbers": "numbers",
    "satellite_profile": "profile",
    "concentration": "concentration",
    "satellite_velocity": "velocity",
    "velocity_bias": "velocity_bias",
    "radius_definition": "radius_definition",
}


def populating(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how satellites are made."""
    definitions = [name for name in MASS_DEFINITIONS if name != "fof"]
    options = (
        click.option(
            "--populate",
            is_flag=True,
            default=None,
            help="Make satellites first, for hosts that come without subhalos.",
        ),
        click.option(
            "--satellite-numbers",
            type=click.Choice(["poisson", "measured"]),
            help="Numbers of satellites: Poisson (the default), or with the measured variance.",
        ),
        click.option(
            "--satellite-profile",
            type=click.Choice(["nfw", "measured"]),
            help="Places of satellites: NFW within the host's radius (default), or as measured.",
        ),
        click.option(
            "--concentration",
            metavar="NAME|NUMBER",
            help="Of the hosts: duffy08 (the default), dutton_maccio14, catalogue for that of the "
            "input, or one number.",
        ),
        click.option(
            "--satellite-velocity",
            type=click.Choice(["jeans", "measured"]),
            help="Velocities of satellites: dispersion by the isotropic Jeans equation (the "
            "default), or as measured.",
        ),
        click.option("--velocity-bias", type=float, help="Factor on that dispersion (default: 1)."),
        click.option(
            "--radius-definition",
            type=click.Choice(definitions),
            help="Mass definition that friends-of-friends masses are taken for, which have no "
            "radius.",
        ),
    )
    for option in reversed(options):  # the last one added is shown first
        command = option(command)
    return command


def take_choices(wanted: dict[str, Any]) -> dict[str, Any]:
    """Move the choices out of the options that were given."""
    choices = {name: wanted.pop(option) for option, name in CHOICES.items() if option in wanted}
    with suppress(KeyError, ValueError):  # none, or a name
        choices["concentration"] = float(choices["concentration"])
    return choices
