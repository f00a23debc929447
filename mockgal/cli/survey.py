"""``mockgal survey``: put mocks of boxes on the sky of a survey."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import cloup
from cloup import option, option_group

from ..system.display import place
from .command import Command, Outcome, files_of
from .options.shared import Listed, changed, cutting, data_model, given, overwriting, precision
from .options.surveying import surveying, take_survey_options
from .options.values import FILE, PATH, WHOLE, extensions
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
    from ..tasks.surveying.survey import SurveyReport


@cloup.command(cls=Command)
@cloup.argument("mocks", type=PATH, nargs=-1, required=True)
@option_group(
    "Input",
    option(
        "--recipe",
        type=FILE,
        help="YAML file with the section survey. It may hold other options of this command as "
        "keys; options on the command line take precedence.",
    ),
    option("--seed", type=WHOLE, help="Seed of the random draws (default: that of the mock)."),
    cutting,
    changed,
)
@surveying
@option_group(
    "Output",
    option(
        "--out",
        cls=Listed,
        type=FILE,
        names=extensions,
        help="Catalogue to write, {names} (default: <mock>-survey.fits here).",
    ),
    *data_model,
    option(
        "--units",
        type=click.Choice(["h-free", "h"]),
        help="Units in the output: h-free for Mpc and Msun (the default), h for Mpc/h and Msun/h.",
    ),
    option("--compress", is_flag=True, default=None, help="Compress HDF5 outputs."),
    *precision,
    option(
        "--require-nonempty",
        is_flag=True,
        default=None,
        help="Fail if there is no galaxy in the survey, instead of writing an empty catalogue.",
    ),
    overwriting,
)
def survey(
    mocks: tuple[str, ...],
    recipe: str | None,
    cuts: tuple[str, ...],
    overwrite: bool,
    changed_by_hand: str | None,
    **options: Any,
) -> Outcome:
    """Carry out a survey on MOCKS of boxes, one for each snapshot, or on one on the sky."""
    from ..recipe import check_survey, read_yaml
    from ..system.progress import shown
    from ..tasks.surveying.survey import survey_files

    wanted = given({**options, "cut": cuts, "overwrite": overwrite or None})
    values = {} if recipe is None else read_yaml(Path(recipe))
    section = take_survey_options("mockgal survey", wanted, values.get("survey"))
    checked = check_survey(values | wanted | {"survey": section}, recipe or "mockgal survey")
    with progress_bar() as progress, shown(progress):
        report = survey_files([*map(Path, mocks)], checked, changed_by_hand=changed_by_hand)
    return Outcome(_describe(report), _facts(report))


def _facts(report: SurveyReport) -> dict[str, Any]:
    from ..writers.provenance import sidecar_path

    galaxies, randoms = report.galaxies, report.randoms_path
    return {
        **{key: value for key, value in galaxies.provenance.items() if key != "version"},
        "read": [file for mock in report.mocks for file in files_of(mock.snapshot.source)],
        "catalogue": catalogue_facts(galaxies),
        "content_digest": report.digests[0],
        "survey_seed": report.seed,
        **randoms_facts(report),
        **precision_facts(report.path),
        "wrote": [
            report.path,
            *(path for path in (randoms, report.density_path) if path is not None),
            sidecar_path(report.path),
        ],
    }


def _describe(report: SurveyReport) -> list[str]:
    galaxies = report.galaxies
    lines = []
    for n, mock in enumerate(report.mocks):
        lines.append(
            f"{'' if n else 'mock':<12}{mock.snapshot.name}, {place(mock.snapshot)}, "
            f"{len(mock):,} galaxies"
        )
    lines.append(f"seed        {report.seed}")
    lines += cut_lines(_cuts(report))
    return [
        *lines,
        *survey_lines(galaxies),
        *catalogue_lines(galaxies),
        *randoms_lines(report),
        *precision_lines(report.path),
        f"content     {report.digests[0]}",
        f"wrote       {report.path}",
    ]


def _cuts(report: SurveyReport) -> list[dict[str, Any]]:
    cuts: list[dict[str, Any]] = report.galaxies.provenance.get("cuts", [])
    return cuts
