"""``mockgal fit``: fit the parameters of a HOD to measurements."""

from __future__ import annotations

from typing import Any

import click
import cloup
from cloup import option, option_group

from ..errors import UsageError
from ..options import options_of
from ..painters.hod.options import ModelOptions
from ..tasks.fitting.fit import MODELS
from .command import Command, Outcome
from .options.declared import declared, take_declared
from .options.populating import populating, take_satellite_options
from .options.shared import given, overwriting, reading, sim_option
from .options.values import FOLDER, PATH, WHOLE
from .screen.fit import describe
from .screen.streams import progress_bar

_OWNER = "painter"
_SHOWN = (
    *("stellar_mass_law", "luminosity_floor", "modulated_satellites", "assembly_bias"),
    *("assembly_bias_split", "environment_radius", "environment_from", "allow_extrapolation"),
)
_OF_MODELS = options_of(ModelOptions)


def _declared(name: str) -> Any:
    one = _OF_MODELS[name]
    if one.kind == "flag":
        return declared(_OWNER, one, is_flag=True, default=None, type=None, metavar=None)
    return declared(_OWNER, one)


@cloup.command(cls=Command)
@option_group(
    "What to fit",
    sim_option("Simulation whose hosts get galaxies: a bundle, one file of a set, or a folder."),
    option(
        "--data",
        type=PATH,
        multiple=True,
        help="Table of wp, xi, sky_wp or, for leauthaud11, mass_function that `mockgal measure` "
        "wrote. May be repeated.",
    ),
    option(
        "--covariance",
        "covariances",
        type=PATH,
        multiple=True,
        help="Its covariance, as `mockgal measure` writes it for several mocks, or the table of "
        "their mean, whose covariance is joint with that of other data from the same mocks; once "
        "for each --data, in the same order (default: that of the data, of mocks or of a "
        "jackknife).",
    ),
    option(
        "--number-density",
        metavar="DENSITY",
        help='Number density of galaxies to fit as well, such as "3e-3 h^3/Mpc^3".',
    ),
    option(
        "--number-density-error",
        metavar="DENSITY",
        help="Its standard error (default: the scatter of the mocks whose mean is a --covariance, "
        "with their covariance of density and data).",
    ),
    option("--r-min", metavar="R", help='Leave out bins below this, such as "0.2 Mpc/h".'),
    option("--r-max", metavar="R", help='Leave out bins beyond this, such as "20 Mpc/h".'),
    option(
        "--survey-volume",
        metavar="VOLUME",
        help='Volume that the data are from, such as "7e7 Mpc^3/h^3", if it is not this '
        "simulation: covariances are multiplied by 1 + its ratio to the box, whose structure "
        "fluctuates too.",
    ),
)
@option_group(
    "Model",
    option(
        "--model",
        type=click.Choice(MODELS),
        help="Form of the HOD, as in `mockgal build`.",
        required=True,
    ),
    option(
        "--parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help="Parameters with a value, which are not fitted, as in `mockgal build`.",
    ),
    option(
        "--prior",
        "priors",
        multiple=True,
        metavar="NAME=PRIOR",
        help='Prior of a free parameter: "alpha=uniform(0, 2)", or '
        '"logM1=normal(13, 0.2) log10(Msun/h)". Parameters of zheng07 without a prior or a value '
        "have uniform priors, which the report writes out; those of leauthaud11 have the published "
        "values. A_cen, A_sat and f_ic are free with a "
        "prior.",
    ),
    *(_declared(name) for name in _SHOWN),
)
@populating
@option_group(
    "Posterior",
    option(
        "--likelihood",
        type=click.Choice(["matched", "gaussian", "student"]),
        help="What is made of a covariance from few mocks: matched, whose intervals hold the "
        "truth as often as they say (the default); gaussian, with the factor of Hartlap et al.; "
        "or student, of Sellentin & Heavens.",
    ),
    option("--seed", type=WHOLE, help="Seed of all draws (default: a fixed number; recorded)."),
    option("--steps", type=WHOLE, help="Most steps of the sampler (default: 20000)."),
    option(
        "--tracers",
        type=WHOLE,
        help="Points that stand for satellites of hosts in 0.1 dex of mass (default: 10000).",
    ),
)
@option_group(
    "Output",
    option(
        "--out",
        type=FOLDER,
        required=True,
        help="Folder for samples.ecsv, fit.ecsv, best.yaml and pictures. The same command goes on "
        "with an interrupted fit.",
    ),
    option(
        "--tables",
        type=FOLDER,
        help="Folder that keeps the tables of pairs for further fits (default: that of --out).",
    ),
    option("--no-plots", is_flag=True, help="Write tables without pictures."),
    overwriting,
)
@reading
def fit(
    sim: str | None,
    data: tuple[str, ...],
    covariances: tuple[str, ...],
    out: str,
    no_plots: bool,
    overwrite: bool,
    parameters: tuple[str, ...],
    seed: int | None,
    populate: bool | None,
    **options: Any,
) -> Outcome:
    """Fit the parameters of a HOD to w_p or xi, number density, and mass function.

    The clustering for any parameters comes from a table of pairs between hosts, which is counted
    once and kept. Needs the extra fit: pip install 'mockgal[fit]'.
    """
    from ..protocols import ReadOptions
    from ..recipe import DEFAULT_SEED
    from ..tasks.fitting.files import fit_files

    for flag, value in (("--sim", sim), ("--data", data)):
        if not value:
            raise UsageError("mockgal fit", f"no {flag}", "one", "`mockgal fit --help`")
    wanted = given(options)
    satellites = take_satellite_options(wanted)
    if satellites and not populate:
        raise UsageError(
            "mockgal fit",
            f"{', '.join(satellites)} without --populate",
            "--populate, for which these are",
            "give --populate, or leave them out",
        )
    painter_options = take_declared(_OWNER, wanted)
    of_reading = {"format", *ReadOptions._fields}
    read_options = {key: wanted.pop(key) for key in list(wanted) if key in of_reading}
    with progress_bar() as progress:
        found = fit_files(
            str(sim),
            data,
            covariances,
            out,
            seed=DEFAULT_SEED if seed is None else seed,
            parameters=", ".join(parameters) or None,
            populate=satellites if populate and satellites else bool(populate),
            painter_options=painter_options,
            read_options=read_options,
            plots=not no_plots,
            overwrite=overwrite,
            progress=progress,
            **wanted,
        )
    lines = [*describe(found.fit), *(f"wrote       {path}" for path in found.wrote)]
    return Outcome(lines, found.fit.facts() | {"wrote": found.wrote})
