"""Options shared by several commands, in the groups that the help shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
import cloup
from cloup import option, option_group

from ...errors import UsageError, deprecated, in_shell, warn
from ...layout import DATA_MODELS, DESI_RELEASES, GRID_KINDS
from ...precision import PRECISIONS
from ...types import MASS_DEFINITIONS, STELLAR_MASS_DEFINITIONS
from ..command import warn_when_run
from .values import FLOAT, FORMAT, PATH, WHOLE

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Renamed(cloup.Option):
    """An option with earlier names, which still work with a warning, and are not shown.

    Parameters
    ----------
    formerly : tuple of str
        The earlier names.
    former_values : mapping of str to str
        Values under the earlier names that are now called otherwise.
    """

    def __init__(
        self,
        *args: Any,
        formerly: tuple[str, ...],
        former_values: Mapping[str, str] | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(*args, **keywords)
        self.formerly, self.former_values = formerly, former_values or {}

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Add all names to the parser; the value of an earlier one goes to a place of its own."""
        super().add_to_parser(parser, ctx)
        for name in self.formerly:
            parser.add_option(
                obj=self,
                opts=[name],
                dest=self._place(name),
                action="append" if self.multiple else "store",
                nargs=self.nargs,
            )

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Return the value of the option; note which earlier names were used."""
        values = dict(opts)
        for name in self.formerly:
            if (value := values.pop(self._place(name), None)) is None:
                continue
            warn_when_run(ctx, deprecated(name, f"use {self.opts[0]}"))
            if self.multiple:
                value = [*values.get(str(self.name), ()), *value]
            elif self.name in values:
                continue
            else:
                value = self.former_values.get(value, value)
            values[str(self.name)] = value
        return super().handle_parse_result(ctx, values, args)

    def _place(self, name: str) -> str:
        return f"{self.name} as {name}"


class Listed(cloup.Option):
    """An option whose help lists names in place of ``{names}``, including those of plug-ins.

    Parameters
    ----------
    names : callable
        Returns the names; called when the help is requested.
    last : str
        Text between the last name and the others: ``" or "``, or ``", "``.
    """

    def __init__(
        self,
        *args: Any,
        names: Callable[[], Iterable[str]],
        last: str = " or ",
        **keywords: Any,
    ) -> None:
        super().__init__(*args, **keywords)
        self.names, self.last = names, last

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and its help."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        *names, last = self.names()
        listed = self.last.join([", ".join(names), last] if names else [last])
        return record[0], record[1].replace("{names}", listed)


class Unnamed(click.Argument):
    """An argument that an earlier version had in place of an option; the help does not show it."""

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return nothing."""
        return []


def formerly_first(name: str) -> Decorator:
    """Also accept the value of an option as the argument ``name``, as earlier versions did."""
    return cloup.argument(name, cls=Unnamed, required=False)


def one_of_both(command: str, flag: str, named: str | None, unnamed: str | None) -> str:
    """Return the value of an option, from its flag or, with a warning, from the unnamed argument.

    Raises
    ------
    UsageError
        Neither was given, or both were.
    """
    if named is not None and unnamed is not None:
        raise UsageError(command, f"{unnamed} beside {flag} {named}", "one", "leave it out")
    value = unnamed if named is None else named
    if value is None:
        raise UsageError(command, f"no {flag}", "one", f"`{command} --help` lists the options")
    if unnamed is not None:
        warn(deprecated(f"the argument {unnamed}", f"write {flag} {in_shell(unnamed)}"))
    return value


def options(*decorators: Decorator) -> Decorator:
    """Join decorators into one; their options are shown in this order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):  # click shows the last decorator first
            command = decorator(command)
        return command

    return decorate


def parameters_of(*decorators: Decorator) -> list[Any]:
    """Return the parameters that decorators add to a command."""

    def command(**_: Any) -> None: ...

    parameters = getattr(options(*decorators)(command), "__click_params__", [])
    return list(reversed(parameters))


def adding(command: Callable[..., Any], parameters: Iterable[click.Parameter]) -> Any:
    """Add parameters to the function of a command, in front of those already there."""
    own: list[click.Parameter] = command.__dict__.setdefault("__click_params__", [])
    own += reversed(list(parameters))  # click shows the last parameter first
    return command


def sim_option(help: str, **keywords: Any) -> Decorator:
    """Return the option that names a simulation."""
    return option("--sim", type=PATH, help=help, **keywords)


cutting = option(
    "--cut",
    "cuts",
    multiple=True,
    metavar="CUT",
    help='Keep only the galaxies that pass this cut, such as "stellar_mass > 1e10 Msun/h". May be '
    "repeated.",
)


def after_cuts(values: dict[str, Any], top: int | None) -> dict[str, Any]:
    """Return the keys of a recipe with the cut of ``--top`` after all others."""
    if top is None:
        return values
    if top < 1:
        raise UsageError("--top", str(top), "a whole number from 1 on", "ask for some galaxies")
    cuts = values.get("cut", ())
    cuts = [cuts] if isinstance(cuts, str) else list(cuts)
    return values | {"cut": [*cuts, f"rank(stellar_mass) <= {top}"]}


changed = option(
    "--changed-by-hand",
    metavar="REASON",
    help="Read a mock that another program has changed: its numbers, or in FITS its rows and "
    "columns. The REASON is recorded in every output made from it.",
)
luminous = option(
    "--luminosity-floor",
    metavar="MASS",
    help='Least stellar mass of a galaxy that counts as luminous, such as "1e8 Msun/h" (default: '
    "that of 10 star particles).",
)
data_model = (
    option(
        "--model-out",
        type=click.Choice(DATA_MODELS),
        help="Data model: the columns, names and units that the pipelines of a survey read; hats "
        "is a folder (default: mockgal, all columns as they are).",
    ),
    option(
        "--desi-release",
        type=click.Choice(DESI_RELEASES),
        help="Names of the columns in --model-out desi: NX in dr1 (the default), NZ in edr.",
    ),
)
precision = (
    option(
        "--precision-out",
        type=click.Choice(PRECISIONS),
        help="Store positions, velocities and masses in single precision (float32) where that "
        "rounds positions by less than 1e-3 of the softening and velocities by less than 1 km/s; "
        "the rounding is measured, stored and shown (default: float64).",
    ),
    option(
        "--position-rounding",
        metavar="LENGTH",
        help='Rounding of positions that --precision-out float32 may bring, such as "0.1 kpc/h" '
        "(default: 1e-3 of the softening or, where the input states none, of 0.01 of the mean "
        "separation of particles).",
    ),
)

overwriting = option("--overwrite", is_flag=True, help="Replace output files that exist.")
assigning = option(
    "--assignment",
    type=click.Choice(["NGP", "CIC", "TSC", "PCS"]),
    help="Scheme that puts mass on the grid (default: PCS for powers and bispectrum, else CIC).",
)
weighting = option(
    "--weight",
    type=click.Choice(["stellar_mass", "number"]),
    help="What each galaxy adds to a grid: its stellar mass (the default), or 1.",
)
least_particles = option(
    "--least-particles",
    type=WHOLE,
    help="Least number of particles of a gravity-only subhalo that counts as resolved (default: "
    "32).",
)

reading = options(
    option_group(
        "Reading the input",
        option(
            "--format",
            cls=Listed,
            type=FORMAT,
            names=FORMAT.names,
            help="Format of the input: {names} (default: found from the content).",
        ),
        option(
            "--mass-definition",
            type=click.Choice(list(MASS_DEFINITIONS)),
            help="Definition of the host masses to read (default: 200c, or the one in the input).",
        ),
        option(
            "--drop-bad",
            is_flag=True,
            default=None,
            help="Drop and count bad rows instead of refusing the input: NaN, infinite or negative "
            "masses, halos repeated under another id, and centrals without a host mass, with all "
            "their satellites.",
        ),
        option(
            "--orphans",
            type=click.Choice(["refuse", "drop", "central"]),
            help="What to do with satellites whose central is not in the catalogue: refuse the "
            "input (the default), drop them, or count them as centrals.",
        ),
        option(
            "--centred-origin",
            is_flag=True,
            default=None,
            help="Positions lie in [-L/2, L/2), not [0, L), in a box of side L.",
        ),
        option(
            "--allow-empty-regions",
            is_flag=True,
            default=None,
            help="Accept a box with regions that hold no halo.",
        ),
        option(
            "--allow-missing-chunks",
            is_flag=True,
            default=None,
            help="Accept a catalogue that lacks some of its files, and read only the complete "
            "groups. This is recorded.",
        ),
        option(
            "--superslab",
            metavar="RANGE",
            help="Superslabs of a CompaSO catalogue to read, such as 3 or 0-3: a part of the box. "
            "This is recorded.",
        ),
        option(
            "--uncleaned",
            is_flag=True,
            default=None,
            help="Read a CompaSO catalogue as its halos were found, without its cleaning.",
        ),
        option(
            "--stellar-mass-definition",
            type=click.Choice(list(STELLAR_MASS_DEFINITIONS)),
            help="Stars of a hydrodynamic run that are counted: "
            + "; ".join(f"{name}, {meaning}" for name, meaning in STELLAR_MASS_DEFINITIONS.items())
            + " (default: bound).",
        ),
    ),
    option_group(
        "What the input does not state",
        option(
            "--h",
            type=FLOAT,
            help="Hubble constant in units of 100 km/s/Mpc, if the input does not state it.",
        ),
        option(
            "--omega-m",
            type=FLOAT,
            help="Matter density today in units of the critical density, if the input does "
            "not state it.",
        ),
        option(
            "--omega-lambda",
            type=FLOAT,
            help="Density of dark energy today in units of the critical density, if the input does "
            "not state it.",
        ),
        option(
            "--w0",
            type=FLOAT,
            help="Equation of state of dark energy today, if the input does not state it (default: "
            "-1).",
        ),
        option(
            "--wa",
            type=FLOAT,
            help="Change of the equation of state of dark energy with 1 - a, where a is the scale "
            "factor, if the input does not state it (default: 0).",
        ),
        option(
            "--box-size",
            metavar="LENGTH",
            help='Comoving side of the box, such as "1000 Mpc/h", if the input does not state it.',
        ),
        option("--redshift", type=FLOAT, help="Redshift, if the input does not state it."),
        option(
            "--particle-mass",
            metavar="MASS",
            help='Mass of a dark-matter particle, such as "1e9 Msun/h", if the input does not '
            "state it.",
        ),
        option(
            "--columns",
            metavar="MAP",
            help="Columns of a table, by quantity, with their units if the table does not state "
            'them: "halo_id=id, position=x y z [Mpc/h]". Usual names need none.',
        ),
    ),
)


def matter_facts(flag: str) -> Decorator:
    """Return the options with facts about matter that its file, given with ``flag``, lacks."""
    return option_group(
        f"Facts of the {flag} file",
        option(
            "--matter-kind",
            type=click.Choice(list(GRID_KINDS)),
            help="What the values of a density grid are: counts of particles, mass in Msun/h, or "
            "the density contrast.",
        ),
        option(
            "--matter-assignment",
            type=click.Choice(["NGP", "CIC", "TSC", "PCS"]),
            help="Scheme that put the mass on the density grid.",
        ),
        option(
            "--matter-origin",
            type=click.Choice(["corner", "centre"]),
            help="Point of the first voxel that lies at the origin of the box: its corner, or its "
            "centre, as in grids of Pylians and nbodykit.",
        ),
        option(
            "--matter-dataset",
            metavar="NAME",
            help="Dataset or block of the density grid, if the file has several.",
        ),
    )


about_matter = matter_facts("--matter")


def matter_option(help: str) -> Decorator:
    """Return the option that names the matter of a simulation."""
    return option("--matter", type=PATH, cls=Renamed, formerly=("--density",), help=help)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that the user gave."""
    return {key: value for key, value in options.items() if value not in (None, ())}


def stem(path: str) -> str:
    """Return the stem of default outputs: the name of a file without extension, or of a folder."""
    where = Path(os.path.abspath(path))
    return where.name if where.is_dir() else where.stem


def describing(what: str) -> Decorator:
    """Return the options that describe the product ``what``: name, summary, caution, papers."""
    return option_group(
        f"About the {what}",
        option("--name", help=f"Name of the {what} (default: that of the file)."),
        option("--summary", help="One line about the runs, to store and show."),
        option("--caution", help="Warning to users, which is stored and shown at each use."),
        option(
            "--reference",
            "references",
            multiple=True,
            cls=Renamed,
            formerly=("--citation",),
            help="Paper to cite, to be stored. May be repeated.",
        ),
    )
