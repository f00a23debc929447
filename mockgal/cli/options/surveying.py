"""Options of ``mockgal build`` and ``mockgal survey`` that stand for keys of the section survey."""

from __future__ import annotations

from typing import Any

import click
from cloup import option, option_group

from ...errors import UsageError
from .values import FILE

surveying = option_group(
    "Survey",
    option(
        "--number-density",
        metavar="DENSITY",
        help='Keep the most massive galaxies of the box down to this density, such as "1e-3 '
        'h^3/Mpc^3".',
    ),
    option(
        "--redshift-space",
        type=click.Choice(["x", "y", "z"]),
        help="Also give positions in redshift space along this axis of the box, in a column "
        "position_z_rsd or its like.",
    ),
    option(
        "--randoms-out",
        type=FILE,
        help="Randoms to write (default: the mock's name with -randoms). The recipe says how many.",
    ),
    help="The section survey of a recipe has more steps.",
)


def take_survey_options(
    command: str, wanted: dict[str, Any], recipe: Any, snapshots: tuple[str, ...] = ()
) -> Any:
    """Remove the options of surveys from ``wanted``, and return the section survey with them.

    Parameters
    ----------
    command : str
        For messages.
    wanted : dict
        Options of the command that the user gave.
    recipe : object
        The section of the recipe, or None.
    snapshots : tuple of str
        Further simulations.

    Raises
    ------
    UsageError
        An option needs a part of the section that is not there.
    """
    given = {key: wanted.pop(key) for key in ("number_density", "redshift_space") if key in wanted}
    out = wanted.pop("randoms_out", None)
    if not isinstance(recipe, dict | None):
        return recipe  # it is refused with the others of its kind
    section = {**(recipe or {}), **given}
    for key, what, value, inside, example in (
        ("light_cone", "several --sim", list(snapshots), "snapshots", "{redshifts: [0.4, 0.6]}"),
        ("randoms", "--randoms-out", out, "out", "{times: 20}"),
    ):
        if not value:
            continue
        if not isinstance(section.get(key), dict):
            raise UsageError(
                command,
                f"{what}, and no {key}",
                f"{key} in the section survey of --recipe",
                f"add survey: {{{key}: {example}}} to the recipe",
            )
        section[key] = {**section[key], inside: value}
    return section or None
