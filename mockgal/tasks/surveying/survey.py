"""Carry out a survey on mocks that were written before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...digests import fingerprint
from ...errors import EmptyResultError, UsageError
from ...layout import INPUTS
from ...random import check_seed
from ...types import GalaxyCatalog, SourceFile
from ..steps.paint import select
from ..steps.read import read_galaxies
from ..verification.inputs import MOCKS, describe_inputs, recorded
from .outputs import Outputs
from .steps import Survey

if TYPE_CHECKING:
    from ...recipe import SurveyRecipe


@dataclass(frozen=True)
class SurveyReport:
    """The result of a survey.

    Parameters
    ----------
    path : Path
    mocks : list of GalaxyCatalog
        That were read, with their cuts.
    seed : int
    galaxies : GalaxyCatalog
    randoms : GalaxyCatalog or None
    randoms_path, density_path : Path or None
        Files of the randoms, and of the number density by redshift that a data model has.
    digests : tuple of str
        Content digests of the galaxies, and of the randoms or "".
    """

    path: Path
    mocks: list[GalaxyCatalog]
    seed: int
    galaxies: GalaxyCatalog
    randoms: GalaxyCatalog | None
    randoms_path: Path | None
    density_path: Path | None
    digests: tuple[str, str]


def survey_files(
    mocks: Sequence[Path], recipe: SurveyRecipe, *, changed_by_hand: str | None = None
) -> SurveyReport:
    """Read mocks, carry out the survey of a recipe on them, and write its files.

    Parameters
    ----------
    mocks : sequence of Path
        Of one snapshot each, that mockgal wrote; or one on the sky.
    recipe : SurveyRecipe
    changed_by_hand : str, optional
        See `mockgal.read_galaxies`.

    Raises
    ------
    UsageError
        The recipe has no survey, or names snapshots that are still to be painted.
    MockgalError
        A file cannot be read or written, or a step is not possible; the outputs are untouched.
    """
    plan = recipe.survey
    if plan is None:
        raise UsageError("mockgal survey", "no section survey", "one in --recipe", _EXAMPLE)
    if plan.light_cone is not None and plan.light_cone.snapshots:
        raise UsageError(
            "survey.light_cone.snapshots",
            "snapshots, which are still to be painted",
            "mocks, as arguments of the command",
            "leave them out, and give the mock of each snapshot",
        )
    stem = mocks[0].name.partition(".")[0]
    outputs = Outputs.of(recipe, recipe.out or Path(f"{stem}-survey{recipe.extension}"))
    survey = Survey.of(plan)
    inputs = [*mocks, *plan.inputs]
    outputs.check(inputs)
    with outputs.locked():
        made = survey_mocks(mocks, recipe, survey, changed_by_hand, outputs)
        sources = {f"{MOCKS}.{n}": [source_of(path)] for n, path in enumerate(mocks)}
        stated = {INPUTS: describe_inputs(recipe, sources)}
        galaxies = made.galaxies.with_provenance(**stated)
        randoms = made.randoms and made.randoms.with_provenance(**stated)
        asked = recorded("survey", recipe, sources, changed_by_hand=changed_by_hand)
        density, digests = outputs.write_and_record(galaxies, randoms, inputs, asked)
    return SurveyReport(
        *(outputs.galaxies, made.mocks, made.seed, galaxies, randoms),
        *(outputs.randoms, density, digests),
    )


class Surveyed(NamedTuple):
    """A survey in memory: the mocks with their cuts, the seed, galaxies, and randoms if any."""

    mocks: list[GalaxyCatalog]
    seed: int
    galaxies: GalaxyCatalog
    randoms: GalaxyCatalog | None


def survey_mocks(
    mocks: Sequence[Path],
    recipe: SurveyRecipe,
    survey: Survey,
    changed_by_hand: str | None = None,
    outputs: Outputs | None = None,
) -> Surveyed:
    """Read mocks and carry out a survey on them, writing nothing.

    Parameters
    ----------
    mocks, recipe, changed_by_hand
        See `survey_files`.
    survey : Survey
        Of the recipe.
    outputs : Outputs, optional
        Where it will be written, if it is.
    """
    from ...recipe import digest_of

    boxes = [
        select(read_galaxies(path, changed_by_hand=changed_by_hand), *recipe.cut) for path in mocks
    ]
    for galaxies in boxes:
        survey.check_frame(galaxies.frame == "sky")
    if outputs is not None:
        outputs.writer.check_columns([*boxes[0].columns, *survey.columns], outputs.galaxies)
    seed = recipe.seed if recipe.seed is not None else _seed(boxes, mocks)
    galaxies, randoms = survey.carry_out(boxes, seed)
    if recipe.require_nonempty and not len(galaxies):
        raise EmptyResultError(
            mocks[0],
            "no galaxy in the survey",
            "at least one",
            "widen it, or omit --require-nonempty",
        )
    former = _mapping(galaxies.provenance.get("configuration"))
    configuration = {
        **former,
        "cut": [*former.get("cut", []), *recipe.cut],
        "survey": survey.plan.configuration(),
        "survey_seed": seed,
    }
    stated = {
        "configuration": configuration,
        "configuration_digest": digest_of(configuration),
    }
    galaxies = galaxies.with_provenance(**stated)
    return Surveyed(boxes, seed, galaxies, randoms and randoms.with_provenance(**stated))


def source_of(path: Path) -> SourceFile:
    """Return the entry of a mock that was read, a file or a folder."""
    print_ = fingerprint(path)
    return SourceFile(str(path), print_.bytes, print_.sha256)


_EXAMPLE = "survey: {light_cone: {redshifts: [0.4, 0.6]}}; or --redshift-space z"


def _seed(boxes: Sequence[GalaxyCatalog], mocks: Sequence[Path]) -> int:
    """Return the seed of the mocks, which is that of the survey if none is given.

    Raises
    ------
    UsageError
        They state none, or several.
    """
    seeds = {galaxies.provenance.get("seed") for galaxies in boxes}
    try:
        (seed,) = seeds
        return check_seed(seed)
    except (ValueError, UsageError) as error:
        raise UsageError(
            ", ".join(map(str, mocks)),
            "no seed" if seeds == {None} else f"the seeds {', '.join(map(str, seeds))}",
            "one, from which the survey draws its random numbers",
            "give it: --seed 1",
        ) from error


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
