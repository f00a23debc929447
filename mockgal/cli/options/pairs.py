"""Options that name pairs of runs: gravity-only runs with their twins, or with their galaxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from cloup import option, option_group

from ...errors import UsageError
from .shared import Decorator, Renamed
from .values import PATH

if TYPE_CHECKING:
    from ...tasks.steps.truth import Truth

truth_columns = option(
    "--truth-columns",
    metavar="MAP",
    help="Columns of a table of galaxies, and their units, such as "
    '"halo_id=id, stellar_mass=mstar [Msun/h]" or "position=x y z [Mpc/h], ...".',
)


def pairs_of_runs(*more: Decorator) -> Decorator:
    """Return the options that name gravity-only runs and their twins, with ``more`` options."""
    return option_group(
        "Pairs of runs",
        option(
            "--dark",
            "darks",
            type=PATH,
            multiple=True,
            help="Gravity-only run. May be repeated, each with its --hydro or --truth.",
        ),
        option(
            "--hydro",
            "hydros",
            type=PATH,
            multiple=True,
            help="Hydrodynamic twin of a gravity-only run, in the same order as --dark.",
        ),
        option(
            "--truth",
            "truths",
            type=PATH,
            multiple=True,
            help="In place of --hydro: a table of galaxies that belong to the subhalos of the "
            "gravity-only run, as those of a semi-analytic model do.",
        ),
        truth_columns,
        *more,
        option(
            "--match",
            type=click.Choice(["ids", "position"]),
            help="How the halos of the two runs are matched: by the ids of their particles (the "
            "default where the runs have them), or by position.",
        ),
    )


matters = option(
    "--matter",
    type=PATH,
    multiple=True,
    cls=Renamed,
    formerly=("--density",),
    help="Matter of a gravity-only run, in the same order as --dark: particles or a density grid "
    "(default: the run's own particles).",
)


def stars_of_pairs(
    command: str,
    darks: tuple[str, ...],
    hydros: tuple[str, ...],
    truths: tuple[str, ...],
    columns: str | None,
    more: str = "",
) -> list[str | Truth]:
    """Return the hydrodynamic run, or the galaxies, of each gravity-only run.

    Raises
    ------
    UsageError
        There are no runs, or more of one kind than of the other; there are runs of both kinds; or
        columns are named of no table.
    """
    from ...tasks.steps.truth import Truth

    if hydros and truths:
        raise UsageError(
            command,
            f"{len(hydros)} --hydro beside {len(truths)} --truth",
            "hydrodynamic twins, or galaxies on the same subhalos",
            "make one of each",
        )
    if columns is not None and not truths:
        raise UsageError(command, "--truth-columns without --truth", "both", "leave it out")
    if not darks or len(darks) != len(hydros) + len(truths):
        others = f"{len(truths)} --truth" if truths else f"{len(hydros)} --hydro"
        twin = "--truth galaxies.csv" if truths else "--hydro hydro/groups_099"
        raise UsageError(
            command,
            f"{len(darks)} --dark and {others}",
            "one or more of each, in pairs",
            f"{command} --dark dark/groups_099 {twin}{more}",
        )
    return [*hydros, *(Truth(path, columns) for path in truths)]
