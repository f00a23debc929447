"""Options of ``mockgal build`` for hosts that come without subhalos."""

from __future__ import annotations

from typing import Any

from cloup import option, option_group

from ...options import options_of
from ...satellites.options import SatelliteOptions
from .declared import declared, take_declared

_OWNER = "satellites"
_FLAGS = {
    "numbers": "--satellite-numbers",
    "profile": "--satellite-profile",
    "velocity": "--satellite-velocity",
}

populating = option_group(
    "Satellites, for hosts without subhalos",
    option(
        "--populate",
        is_flag=True,
        default=None,
        help="Add satellites to the hosts before painting. The options below need this one.",
    ),
    *(
        declared(_OWNER, one, _FLAGS.get(name, ""))
        for name, one in options_of(SatelliteOptions).items()
    ),
)


def take_satellite_options(wanted: dict[str, Any]) -> dict[str, Any]:
    """Remove the options for satellites from ``wanted``, and return them."""
    return take_declared(_OWNER, wanted)
