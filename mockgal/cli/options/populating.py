"""Options of ``mockgal build`` for hosts that come without subhalos."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click
from cloup import option, option_group

from ...types import RADIUS_DEFINITIONS
from .values import FLOAT

# Names of options, and the fields of `mockgal.satellites.options.SatelliteOptions` that they set.
CHOICES = {
    "satellite_numbers": "numbers",
    "satellite_profile": "profile",
    "concentration": "concentration",
    "satellite_velocity": "velocity",
    "velocity_bias": "velocity_bias",
    "radius_definition": "radius_definition",
}


populating = option_group(
    "Satellites, for hosts without subhalos",
    option(
        "--populate",
        is_flag=True,
        default=None,
        help="Add satellites to the hosts before painting. The options below need this one.",
    ),
    option(
        "--satellite-numbers",
        type=click.Choice(["poisson", "measured"]),
        help="Scatter of the number of satellites of a host: poisson (the default), or as "
        "measured for the calibration.",
    ),
    option(
        "--satellite-profile",
        type=click.Choice(["nfw", "measured"]),
        help="Radial profile of satellites: nfw within the radius of the host (the default), or "
        "as measured for the calibration.",
    ),
    option(
        "--concentration",
        metavar="NAME|NUMBER",
        help="Concentration of the hosts: duffy08 (the default), dutton_maccio14, catalogue for "
        "the column of the input, or one number for all.",
    ),
    option(
        "--satellite-velocity",
        type=click.Choice(["jeans", "measured"]),
        help="Velocity dispersion of satellites: jeans, the isotropic Jeans equation in an NFW "
        "halo (the default), or as measured for the calibration.",
    ),
    option(
        "--velocity-bias",
        type=FLOAT,
        help="Factor on the velocity dispersion of satellites (default: 1).",
    ),
    option(
        "--radius-definition",
        type=click.Choice(list(RADIUS_DEFINITIONS)),
        help="Mass definition to assume for friends-of-friends masses, which gives their hosts a "
        "radius. The masses are not converted.",
    ),
)


def take_choices(wanted: dict[str, Any]) -> dict[str, Any]:
    """Remove the options for satellites from ``wanted``, and return them by field."""
    choices = {name: wanted.pop(option) for option, name in CHOICES.items() if option in wanted}
    with suppress(KeyError, ValueError):  # not set, or a name
        choices["concentration"] = float(choices["concentration"])
    return choices
