"""Options that several commands have."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..types import MASS_DEFINITIONS, STELLAR_MASS_DEFINITIONS

STELLAR_MASS_HELP = (
    "Stars counted in a hydrodynamic run: "
    + "; ".join(f"{name}, {meaning}" for name, meaning in STELLAR_MASS_DEFINITIONS.items())
    + " (default: bound)."
)
MASS_DEFINITION_HELP = "Host mass: " + ", ".join(MASS_DEFINITIONS) + " (default: 200c)."

cutting = click.option(
    "--cut",
    "cuts",
    multiple=True,
    metavar="CUT",
    help='Measure those only that pass, such as "stellar_mass > 1e10 Msun/h"; may be repeated.',
)
luminous = click.option(
    "--luminosity-floor",
    metavar="MASS",
    help='Least stellar mass that counts as luminous, such as "1e8 Msun/h" (default: that of 10 '
    "star particles).",
)
overwriting = click.option("--overwrite", is_flag=True, help="Replace files that exist.")
assigning = click.option(
    "--assignment",
    type=click.Choice(["NGP", "CIC", "TSC", "PCS"]),
    help="How mass is put on the grid (default: CIC).",
)
weighting = click.option(
    "--weight",
    type=click.Choice(["stellar_mass", "number"]),
    help="What a galaxy counts in fields: its stellar mass (the default), or 1.",
)


def reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that tell a reader what to do."""
    options = (
        click.option("--format", "format", help="Input format; by default found from the content."),
        click.option("--mass-definition", help=MASS_DEFINITION_HELP),
        click.option(
            "--drop-bad",
            is_flag=True,
            default=None,
            help="Drop rows with NaN, infinite or negative masses, and centrals without a "
            "host mass (with their satellites), instead of refusing the file; counted.",
        ),
        click.option(
            "--orphans",
            type=click.Choice(["refuse", "drop", "central"]),
            help="Satellites whose central is not in the catalogue (default: refuse).",
        ),
        click.option(
            "--centred-origin", is_flag=True, default=None, help="Positions are in [-L/2, L/2)."
        ),
        click.option(
            "--allow-empty-regions",
            is_flag=True,
            default=None,
            help="Accept a box of which a part is empty.",
        ),
        click.option(
            "--allow-missing-chunks",
            is_flag=True,
            default=None,
            help="Read a catalogue of which files are missing: the groups that are there as a "
            "whole; recorded.",
        ),
        click.option("--stellar-mass-definition", help=STELLAR_MASS_HELP),
        click.option("--h", type=float, help="H0 over 100 km/s/Mpc, if not in the file."),
        click.option("--omega-m", type=float, help="Matter density today, if not in the file."),
        click.option("--omega-lambda", type=float, help="Dark energy today, if not in the file."),
        click.option("--w0", type=float, help="Equation of state of dark energy, if not -1."),
        click.option("--wa", type=float, help="Its change with 1 - a, if not 0."),
        click.option(
            "--box-size",
            metavar="LENGTH",
            help='Side of the box, such as "1000 Mpc/h", if not in the file.',
        ),
        click.option("--redshift", type=float, help="Redshift, if not in the file."),
        click.option(
            "--particle-mass",
            metavar="MASS",
            help='Mass of a dark-matter particle, such as "1e9 Msun/h", if not in the file.',
        ),
    )
    for option in reversed(options):  # the last one added is shown first
        command = option(command)
    return command


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that the user gave."""
    return {key: value for key, value in options.items() if value not in (None, ())}


def stem(path: str) -> str:
    """What outputs are named after: the file without its extension, or the folder."""
    where = Path(os.path.abspath(path))
    return where.name if where.is_dir() else where.stem
