"""``mockgal compare``: mocks beside the truth, as a page with its figures and tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import cloup
from cloup import option, option_group

from ..errors import UsageError
from ..options import options_of
from ..painters.hod.options import HODOptions
from .command import Command, Outcome
from .options.pairs import truth_columns
from .options.shared import (
    Listed,
    about_matter,
    changed,
    cutting,
    given,
    matter_option,
    reading,
    sim_option,
)
from .options.values import FOLDER, PATH, WHOLE, Value, value_of
from .screen.streams import progress_bar

if TYPE_CHECKING:
    from ..reports.comparison.result import Comparison, Cost
    from ..reports.comparison.verdicts import Verdict


def _keys() -> list[str]:
    """Return the keys of what can be measured."""
    from ..reports.comparison.statistics import KEYS

    return list(KEYS)


def _baselines() -> tuple[str, ...]:
    """Return the names of the baselines."""
    from ..tasks.comparison.baselines import BASELINES

    return BASELINES


_BASELINE = Value("name", names=_baselines)
_CALIBRATION = value_of(options_of(HODOptions)["calibration"])
_MOCK = Value("name=path", "file")
_STATISTICS = Value("names", names=_keys, several=True)


@cloup.command(cls=Command)
@option_group(
    "What to compare",
    option(
        "--truth",
        type=PATH,
        required=True,
        help="Hydrodynamic run, whose stellar masses are the truth; a mock; or, with "
        "--truth-columns, a table of galaxies that belong to the subhalos of --sim.",
    ),
    truth_columns,
    option(
        "--mock",
        "mocks",
        type=_MOCK,
        multiple=True,
        help="A mock and its name on the page, such as cnn=mock.fits. May be repeated.",
    ),
    sim_option(
        "Gravity-only simulation that the mocks were painted on: for maps of its matter and "
        "subhalos, the numbers of hosts, and the second truth."
    ),
    matter_option("Matter of the simulation, in place of its own: particles or a density grid."),
    option(
        "--randoms",
        type=PATH,
        help="For light cones: randoms of the survey that all of them are of. Cuts on the sky and "
        "in redshift are applied to them as well.",
    ),
    cutting,
    changed,
    option(
        "--allow-differences",
        is_flag=True,
        help="Compare catalogues of different samples, boxes, redshifts, cosmologies or "
        "definitions. The page says how they differ.",
    ),
)
@option_group(
    "Baselines, painted on the simulation",
    option(
        "--baseline",
        "baselines",
        cls=Listed,
        type=_BASELINE,
        multiple=True,
        names=_baselines,
        help="Simple painter to compare with: {names}. May be repeated.",
    ),
    option(
        "--baseline-calibration",
        type=_CALIBRATION,
        help="Calibration of vmax-hod: a name or an .ecsv file (default: the one that comes with "
        "mockgal and is valid for the simulation).",
    ),
    option("--seed", type=WHOLE, help="Seed of the baselines (default: a fixed number; recorded)."),
)
@option_group(
    "What to measure",
    option(
        "--statistic",
        "statistics",
        cls=Listed,
        type=_STATISTICS,
        multiple=True,
        names=_keys,
        last=", ",
        help="Names separated by commas: {names} (default: all). Those from n_of_z on are of light "
        "cones, and all but n_of_z need --randoms.",
    ),
    option(
        "--region",
        metavar="CUBE",
        help='Centre and side of the cube on the maps, such as "8 8 8 2.4 Mpc/h" (default: 2.4 '
        "Mpc/h about the most massive host).",
    ),
    option(
        "--grid",
        "grid_size",
        type=WHOLE,
        help="Number of voxels along each side for the power spectrum (default: as many as reach "
        "30 h/Mpc, from 256 to 512).",
    ),
    option(
        "--subtract-shot-noise",
        is_flag=True,
        default=None,
        help="Subtract the shot noise, which is reported in either case.",
    ),
    option(
        "--jackknife",
        type=WHOLE,
        help="Sub-volumes along each side of the box for jackknife errors, or 0 for computed "
        "errors (default: 3).",
    ),
)
@option_group(
    "Output",
    option(
        "--out",
        type=FOLDER,
        required=True,
        help="Folder for the page (index.html), its figures and its tables.",
    ),
    option(
        "--note",
        "notes",
        multiple=True,
        metavar="TEXT",
        help="What readers of the page have to know before the numbers. May be repeated.",
    ),
    option(
        "--overwrite",
        is_flag=True,
        help="Replace the folder, if it holds such a page and nothing else.",
    ),
)
@reading
@about_matter
def compare(
    truth: str,
    truth_columns: str | None,
    mocks: tuple[str, ...],
    out: str,
    statistics: tuple[str, ...],
    allow_differences: bool,
    overwrite: bool,
    **options: Any,
) -> Outcome:
    """Compare mocks with the truth, and write a page of verdicts, figures and costs.

    Truth and mocks are measured in the same way: clustering and voxels of the stellar-mass field,
    the mass function, the relation to halos, and correlation functions. Light cones are compared
    with light cones: pictures of the sky, number density by redshift, and clustering against
    randoms.
    """
    from ..recipe import DEFAULT_SEED
    from ..tasks.comparison.compare import compare as compare_all
    from ..tasks.steps.truth import Truth

    if options["seed"] is None and options["baselines"]:
        options["seed"] = DEFAULT_SEED
    names = [name.strip() for text in statistics for name in text.split(",") if name.strip()]
    with progress_bar() as progress:
        comparison = compare_all(
            truth if truth_columns is None else Truth(truth, truth_columns),
            _named(mocks),
            out=out,
            statistics=names,
            allow_differences=allow_differences,
            overwrite=overwrite,
            progress=progress,
            **given(options),
        )
    return Outcome(_lines(comparison), _facts(comparison))


def _named(mocks: tuple[str, ...]) -> dict[str, str]:
    """Return the paths of mocks by name.

    Raises
    ------
    UsageError
        A mock has no name, or two have the same.
    """
    named: dict[str, str] = {}
    for text in mocks:
        name, equals, path = text.partition("=")
        if not (name and equals and path) or name in named:
            found = f"{text!r}" + (f", with the name {name} again" if name in named else "")
            raise UsageError(
                "--mock", found, "a name of its own for each mock, and its path",
                "--mock cnn=mock-cnn.fits --mock hod=mock.fits",
            )  # fmt: skip
        named[name] = path
    return named


def _lines(comparison: Comparison) -> list[str]:
    lines = []
    for name, galaxies in comparison.catalogues.items():
        mass = galaxies["stellar_mass"].astype(float).sum()
        lines.append(
            f"{name:<11} {len(galaxies):,} galaxies, {mass:.4g} Msun/h of stars: "
            f"{comparison.sources[name]}"
        )
    lines += [f"note        {note}" for note in comparison.notes]
    lines += [
        f"verdict     {one.catalogue}: {one.quantity}, {one.reach}: {_verdict(one)}"
        for one in comparison.verdicts
    ]
    lines += [f"cost        {name}: {_cost(cost)}" for name, cost in comparison.costs.items()]
    return [*lines, f"wrote       {comparison.wrote[0]}"]


def _verdict(one: Verdict) -> str:
    if not one.bins:
        return f"{one.verdict} ({one.note})"
    return (
        f"{one.verdict} (bar {one.bar:.0%}, largest deviation {one.deviation:+.1%}"
        + (f" +- {one.error:.1%}" if math.isfinite(one.error) else "")
        + f", smallest detectable {one.least_detectable:.1%})"
    )


def _cost(cost: Cost) -> str:
    parts = [
        "not recorded" if value is None else f"{value:.4g} {unit}"
        for value, unit in (
            (cost.wall_seconds, "s"),
            (cost.cpu_seconds, "s"),
            (cost.peak_memory_bytes and cost.peak_memory_bytes / 1e6, "MB"),
        )
    ]
    if set(parts) == {"not recorded"}:
        return f"not recorded: {cost.because}"
    names = ("wall time", "CPU time", "peak memory")
    return ", ".join(f"{name} {part}" for name, part in zip(names, parts, strict=True))


def _facts(comparison: Comparison) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "catalogues": {
            name: {
                "path": comparison.sources[name],
                "galaxies": len(galaxies),
                "stellar_mass_total_msun_h": float(galaxies["stellar_mass"].astype(float).sum()),
                "content_digest": galaxies.digest(),
            }
            for name, galaxies in comparison.catalogues.items()
        },
        "verdicts": [asdict(verdict) for verdict in comparison.verdicts],
        "costs": {name: cost._asdict() for name, cost in comparison.costs.items()},
        "notes": comparison.notes,
        "not_measured": comparison.not_measured,
        "region": comparison.maps and comparison.maps.region._asdict(),
        "wrote": comparison.wrote,
    }
