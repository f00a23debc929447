"""Options of surveys: keys of the section survey of a recipe, and what pictures show."""

from __future__ import annotations

import re
from typing import Any

import click
from cloup import option, option_group

from ...errors import UsageError
from .shared import Listed
from .values import FILE, PATH, Value


def _pictures() -> tuple[str, ...]:
    """Return the names of the pictures of a survey."""
    from ...reports.sky.pictures import PICTURES

    return PICTURES


surveying = option_group(
    "Survey",
    option(
        "--number-density",
        metavar="DENSITY",
        multiple=True,
        help='Keep the most massive galaxies of the box down to this density, such as "1e-3 '
        'h^3/Mpc^3". May be repeated for samples within each other, which the column '
        "cumulative_number_density tells apart.",
    ),
    option(
        "--match-density",
        type=PATH,
        help="Keep the most massive galaxies of the box down to the number density of these: a "
        "mock, or a hydrodynamic run.",
    ),
    option(
        "--redshift-space",
        type=click.Choice(["x", "y", "z"]),
        help="Also give positions in redshift space along this axis of the box, in a column "
        "position_z_rsd or its like.",
    ),
    option(
        "--remapping",
        metavar="VECTORS",
        help="Remap the periodic box to a cuboid, so that a narrow light cone sees no galaxy "
        'twice: "fit" for the cuboid that leaves most room, or three vectors of whole numbers such '
        'as "1 1 0, 0 1 0, 0 0 1".',
    ),
    option(
        "--randoms-out",
        type=FILE,
        help="Randoms to write (default: the mock's name with -randoms). The recipe says how many.",
    ),
    help="The section survey of a recipe has more steps.",
)

of_surveys = option_group(
    "Galaxies on the sky",
    option(
        "--picture",
        "pictures",
        cls=Listed,
        type=Value("names", names=_pictures, several=True),
        multiple=True,
        names=_pictures,
        last=", ",
        help="Names separated by commas: {names} (default: all that apply).",
    ),
    option(
        "--randoms",
        type=PATH,
        help="Randoms of the survey, as mockgal writes them, for the outline of the footprint and "
        "for n_of_z. Cuts on the sky and in redshift are applied to them as well.",
    ),
    option(
        "--n-of-z",
        type=FILE,
        help="Text table of the number density that was asked for: z_low, z_high and density "
        "(default: what the catalogue records). Needs --n-of-z-unit.",
    ),
    option(
        "--n-of-z-unit",
        metavar="UNIT",
        help='Unit of the densities in that table: "h^3/Mpc^3", or its like; or "1/deg^2" for each '
        "unit of redshift.",
    ),
    option(
        "--declinations",
        metavar="RANGE",
        help='Borders of the slice of the wedge, such as "-2.5 2.5 deg" (default: 2 to 10 deg '
        "about the median declination, so that 5,000 galaxies are in it if possible).",
    ),
    option(
        "--radial",
        type=click.Choice(["distance", "redshift"]),
        help="What grows outward in the wedge: comoving distance in Mpc/h (the default), or "
        "redshift.",
    ),
    option(
        "--per",
        type=click.Choice(["volume", "area"]),
        help="Number density per comoving volume, in h^3/Mpc^3 (the default), or per area and unit "
        "of redshift, in 1/deg^2.",
    ),
    option(
        "--redshifts",
        metavar="COLUMN",
        help="Redshifts of wedge, n_of_z and weights, such as redshift_cosmological (default: "
        "redshift_measured if the catalogue has it, else redshift).",
    ),
)
OF_SURVEYS = (
    "pictures",
    "randoms",
    "n_of_z",
    "n_of_z_unit",
    "declinations",
    "radial",
    "per",
    "redshifts",
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
    keys = ("number_density", "match_density", "redshift_space")
    given = {key: wanted.pop(key) for key in keys if key in wanted}
    if len(given.get("number_density", ())) == 1:
        (given["number_density"],) = given["number_density"]
    out = wanted.pop("randoms_out", None)
    remapping = _vectors(wanted.pop("remapping", None))
    if not isinstance(recipe, dict | None):
        return recipe  # it is refused with the others of its kind
    section = {**(recipe or {}), **given}
    for key, what, value, inside, example in (
        ("light_cone", "several --sim", list(snapshots), "snapshots", "{redshifts: [0.4, 0.6]}"),
        ("light_cone", "--remapping", remapping, "remapping", "{redshifts: [0.4, 0.6]}"),
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


def _vectors(text: str | None) -> Any:
    """Return the vectors of ``--remapping`` as a recipe has them; other texts as they are."""
    if text is None or not re.fullmatch(r"[-+0-9,; ]+", text):
        return text
    rows = [row.split() for row in re.split("[,;]", text)]
    return [[int(x) if re.fullmatch("[-+]?[0-9]{1,9}", x) else x for x in row] for row in rows]
