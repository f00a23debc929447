"""``mockgal build``: build a mock from a simulation, at once or in parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import cloup
from cloup import option, option_group

from ..errors import UsageError
from ..layout import MISSING_CHUNKS, POPULATED
from ..system.display import place
from .command import Command, Outcome, files_of
from .options.painting import PaintingCommand, painter_options, painting
from .options.parts import InParts, part_options
from .options.populating import populating, take_satellite_options
from .options.shared import (
    Listed,
    about_matter,
    after_cuts,
    cutting,
    data_model,
    given,
    matter_option,
    overwriting,
    precision,
    reading,
    sim_option,
)
from .options.surveying import surveying, take_survey_options
from .options.values import FILE, FOLDER, PAINTER, PATH, WHOLE, Seeds, extensions
from .screen.left_out import left_out, titled
from .screen.mock import (
    catalogue_facts,
    catalogue_lines,
    cut_lines,
    precision_facts,
    precision_lines,
    randoms_facts,
    randoms_lines,
    survey_lines,
)
from .screen.streams import progress_bar

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..tasks.build import Report


@cloup.command(cls=PaintingCommand)
@option_group(
    "Simulation",
    sim_option(
        "Simulation to paint: a bundle, one file of a set, or a folder. May be repeated for the "
        "snapshots of a light cone.",
        multiple=True,
    ),
    matter_option(
        "Matter of the simulation, for painters that need it: particles or a density grid "
        "(default: the simulation's own particles)."
    ),
    option(
        "--recipe",
        type=FILE,
        help="YAML file that holds these options as keys. Options on the command line take "
        "precedence.",
    ),
)
@painting(
    option(
        "--painter",
        cls=Listed,
        type=PAINTER,
        names=PAINTER.names,
        help="Painter that gives subhalos their galaxies: {names}.",
    ),
    option(
        "--seed",
        type=Seeds(),
        help="Seed of the random draws (default: a fixed number; recorded). Several, such as 1-100 "
        "or 1-9,20, make a mock each, with {seed} in --out.",
    ),
)
@populating
@option_group(
    "Selection",
    cutting,
    option(
        "--top",
        type=WHOLE,
        help="Keep so many galaxies, those of the highest stellar mass, after the cuts: as --cut "
        '"rank(stellar_mass) <= 1000".',
    ),
    option(
        "--require-nonempty",
        is_flag=True,
        default=None,
        help="Fail if no galaxy passes the cuts, instead of writing an empty mock.",
    ),
)
@surveying
@option_group(
    "Output",
    option(
        "--out",
        cls=Listed,
        type=FILE,
        names=extensions,
        help="Mock to write, {names} (default: <simulation>-<painter>.fits here). With {{seed}} in "
        "the name: a mock for each seed, and a manifest, a table of them.",
    ),
    *data_model,
    option(
        "--units",
        type=click.Choice(["h-free", "h"]),
        help="Units in the output: h-free for Mpc and Msun (the default), h for Mpc/h and Msun/h.",
    ),
    option(
        "--compress",
        is_flag=True,
        default=None,
        help="Compress an HDF5 mock; .fits.gz and .parquet always are.",
    ),
    *precision,
    overwriting,
)
@part_options
@about_matter
@reading
def build(
    recipe: str | None,
    cuts: tuple[str, ...],
    top: int | None,
    overwrite: bool,
    sim: tuple[str, ...],
    **options: Any,
) -> Outcome:
    """Build a mock: read a simulation, paint it, cut it, survey it, and write the catalogue."""
    from ..random import seeds_of
    from ..recipe import DEFAULT_SEED, check, read_yaml
    from ..system.progress import shown
    from ..tasks.build import build as run
    from ..tasks.ensembles.manifest import SEED
    from ..tasks.ensembles.mocks import build_ensemble
    from .screen.ensemble import of_ensemble

    in_parts = InParts.taken(options)
    wanted = given({**options, "cut": cuts, "overwrite": overwrite or None})
    wanted |= {"sim": sim[0]} if sim else {}
    values = {} if recipe is None else read_yaml(Path(recipe), wanted.get("painter"))
    section = take_survey_options("mockgal build", wanted, values.get("survey"), sim[1:])
    source = "mockgal build" if recipe is None else recipe
    painter = wanted.get("painter", values.get("painter"))
    chosen = {
        "painter_options": painter_options(wanted, painter),
        "populate_options": take_satellite_options(wanted),
    }
    memory = None if in_parts is None else chosen["painter_options"].pop("memory", None)
    values |= wanted | ({} if section is None else {"survey": section})
    for key, more in chosen.items():
        stated = values.get(key, {})
        if more and isinstance(stated, dict):
            values[key] = {**stated, **more}
    for key in ("sim", "painter"):
        if key not in values:
            raise UsageError(
                "mockgal build",
                f"no --{key}",
                "one, as an option or in --recipe",
                "mockgal build --sim dark.hdf5 --painter hod",
            )
    values = after_cuts(values, top)
    seed_is_default = "seed" not in values
    stated = values.get("seed", DEFAULT_SEED)
    seeds = seeds_of(stated) if isinstance(stated, str) else (stated,)
    checked = check(values | {"seed": seeds[0]}, source)
    if in_parts is not None:
        return _in_parts(checked, in_parts, len(seeds), memory, seed_is_default=seed_is_default)
    with progress_bar() as progress, shown(progress):
        if len(seeds) > 1 or SEED in str(checked.output):
            return of_ensemble(build_ensemble(checked, seeds))
        report = run(checked)
    lines = _describe(report, seed_is_default=seed_is_default)
    return Outcome(lines, _facts(report) | {"seed_is_default": seed_is_default})


def _in_parts(
    recipe: Recipe, how: InParts, seeds: int, memory: str | None, *, seed_is_default: bool
) -> Outcome:
    """Make parts of a mock, or build it in parts."""
    from ..quantity import memory_size
    from ..system.progress import shown
    from ..tasks.parts.build import build_in_parts
    from ..tasks.parts.paint import build_parts
    from ..tasks.parts.place import Parts
    from ..tasks.parts.prepare import read_whole
    from .screen.parts import of_parts, painted_facts, painted_lines

    if seeds > 1:
        option = "--parts" if how.part is None else "--part"
        raise UsageError(option, f"{seeds} seeds", "one", "give each seed a run of its own")
    size = 0 if memory is None else memory_size("--memory", str(memory))
    with progress_bar() as progress, shown(progress):
        if how.part is not None:
            place, made = build_parts(recipe, Parts.of(how.part), memory=size)
            return of_parts(place, made, read_whole(place))
        painted = build_in_parts(recipe, how.parts or 1, how.executor(), memory=size)
    lines = _describe(painted.report, seed_is_default=seed_is_default)
    facts = _facts(painted.report) | {"seed_is_default": seed_is_default}
    return Outcome([*lines, *painted_lines(painted)], facts | painted_facts(painted))


@cloup.command(cls=Command)
@cloup.argument("mock", type=PATH)
@option_group(
    "Output",
    overwriting,
    option(
        "--keep-parts",
        is_flag=True,
        help="Leave the folder of the parts, which is else removed once the mock is written.",
    ),
)
def merge(mock: str, overwrite: bool, keep_parts: bool) -> Outcome:
    """Join the parts of MOCK that `build --part` made: MOCK is its path, or their folder."""
    from ..tasks.parts.merge import merge as run

    report = run(Path(mock), overwrite=overwrite, keep_parts=keep_parts)
    return Outcome(_describe(report, seed_is_default=False), _facts(report))


@cloup.command(cls=Command)
@cloup.argument("path", type=PATH, default=".")
def status(path: str) -> Outcome:
    """Say how far builds in parts and ensembles are: in the folder PATH, or one, by its path."""
    from ..tasks.parts.status import status as run
    from .screen.parts import of_status

    return of_status(run(Path(path)))


@cloup.command(cls=Command)
@cloup.argument("folder", type=FOLDER, default=".")
@option("--remove", is_flag=True, help="Remove what is listed, but what a run still uses.")
def clean(folder: str, remove: bool) -> Outcome:
    """List what runs that ended early have left in FOLDER: parts, half-written files and locks."""
    from ..tasks.parts.status import clean as run
    from .screen.parts import of_leftovers

    return of_leftovers(run(Path(folder), remove=remove), remove=remove)


def _facts(report: Report) -> dict[str, Any]:
    """Return the facts of what was read, painted, cut and written."""
    from ..writers.provenance import sidecar_path

    scene, galaxies, randoms = report.scene, report.galaxies, report.randoms_path
    facts = {
        **{key: value for key, value in galaxies.provenance.items() if key != "version"},
        "read": files_of(galaxies.snapshot.source),
        "catalogue": catalogue_facts(galaxies),
        "content_digest": report.digests[0],
        **randoms_facts(report),
        **precision_facts(report.path),
        "wrote": [
            report.path,
            *(path for path in (randoms, report.density_path) if path is not None),
            sidecar_path(report.path),
        ],
    }
    populated = scene.halos.record.get(POPULATED)
    return facts | ({"populate": populated} if populated else {})


def _describe(report: Report, *, seed_is_default: bool) -> list[str]:
    from ..painters.halotools.words import parameters_in_words
    from ..painters.validity.caveats import in_words
    from ..painters.words import painter_in_words
    from ..tasks.inspect import columns_read

    sim, galaxies, p = report.scene, report.galaxies, report.galaxies.provenance
    snapshot, prediction = sim.snapshot, p["painter"]["prediction"]
    lines = [
        f"simulation  {snapshot.name} ({snapshot.format}), {place(snapshot)}, "
        f"{prediction['subhalos']:,} subhalos",
        f"painter     {painter_in_words(p['painter'])}, seed {p['seed']}"
        + " (the default)" * seed_is_default,
        *_law(p["painter"]),
        *titled("parameters", parameters_in_words(p["painter"])),
        f"painted     {p['painted']:,} galaxies; expected {prediction['expected_centrals']:.1f} "
        f"centrals and {prediction['expected_satellites']:.1f} satellites",
    ]
    dropped = left_out(sim.halos.record)
    lines[1:1] = [
        *titled("columns", columns_read(snapshot.record)),
        *titled("left out", dropped),
    ]
    populated = sim.halos.record.get(POPULATED)
    if populated:
        lines.insert(
            1,
            f"populated   {populated['satellites']:,} satellites added to "
            f"{populated['hosts_with_satellites']:,} of {populated['hosts']:,} hosts: "
            f"{populated['law']}; numbers {populated['numbers']}, profile {populated['profile']}, "
            f"concentration {populated['concentration']}, velocities {populated['velocity']}",
        )
    if MISSING_CHUNKS in snapshot.record:
        lines.insert(1, f"incomplete  chunks {snapshot.record[MISSING_CHUNKS]} are missing")
    lines += _not_painted(p["painter"])
    lines += cut_lines(p["cuts"])
    lines += [*survey_lines(galaxies), *catalogue_lines(galaxies)]
    lines += [*randoms_lines(report), *precision_lines(report.path)]
    cautions = [f"caution     {text}" for text in in_words(p, galaxies.columns)]
    return [
        *lines,
        f"content     {report.digests[0]}",
        f"wrote       {report.path}",
        *cautions,
    ]


def _not_painted(facts: dict[str, Any]) -> Iterator[str]:
    """Yield how many subhalos the painter left dark because of its limits, and why."""
    prediction, least = facts["prediction"], facts.get("least_subhalo_mass_msun_h", 0.0)
    limits = {
        "unresolved": f"bound mass below {least:.4g} Msun/h",
        "incomplete": f"{facts.get('proxy')} below {facts.get('complete_proxy_from') or 0.0:.4g} "
        f"{facts.get('complete_proxy_unit')}, where the input lacks subhalos; "
        f"{prediction.get('not_painted_incomplete_satellites', 0):,} of them satellites",
        "centrals_below_range": "centrals below the calibration's range of mass",
        "satellites_below_range": "satellites of hosts below the calibration's range of mass",
        "below_floor": "stellar mass below the floor",
        "without_galaxies": "bins of the calibration without galaxies or satellites to scale by",
    }
    for key, reason in limits.items():
        if number := prediction.get(f"not_painted_{key}"):
            yield f"            {number:,} subhalos not painted: {reason}"


def _law(facts: dict[str, Any]) -> Iterator[str]:
    """Yield the painter's calibration or weights, by digest: a user's file may have any name."""
    for kind in ("calibration", "weights"):
        if f"{kind}_digest" in facts:
            whose = "which comes with mockgal" if facts["comes_with_mockgal"] else "the user's own"
            digest = facts[f"{kind}_digest"][:16]
            yield f"law         {kind} {facts[kind]}, {whose}, digest {digest}"
