"""The recipe of a mock, from the record of its run or from its own provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import registry
from ...digests import Fingerprint
from ...errors import InputError, MockgalError, shown
from ...layout import DATA_MODELS, MODEL, SINGLE
from ...options import flat
from ...precision import PRECISIONS
from ...readers.mocks.facts import Facts
from ...readers.mocks.reader import facts_of
from ...writers.provenance import sidecar_path
from .inputs import MATTER, MOCKS, SIM, Input, located, paths_of, stated_inputs, with_paths
from .records import read_record

if TYPE_CHECKING:
    from ...recipe import Recipe, SurveyRecipe

BUILD, SURVEY = "build", "survey"
_UNKNOWN = Fingerprint(0, 0, "")
RANDOMS = "randoms"  # painter of randoms


class Recorded(NamedTuple):
    """How a mock was made.

    Parameters
    ----------
    command : str
        ``"build"`` or ``"survey"``.
    values : dict
        Keys of the recipe and their values.
    paths : dict of str to str
        Where its inputs were, by use.
    origin : str
        Where this is recorded, in words.
    record : dict
        That of the run, if there is one.
    """

    command: str
    values: dict[str, Any]
    paths: dict[str, str]
    origin: str
    record: dict[str, Any]


def recorded_recipe(path: Path, facts: Facts, format: str) -> Recorded:
    """Return the recipe of a mock.

    Parameters
    ----------
    path : Path
    facts : Facts
        Its description.
    format : str
        Of its file.

    Raises
    ------
    InputError
        The mock does not state one.
    """
    configuration = facts.provenance.get("configuration")
    if not isinstance(configuration, dict):
        painter = facts.provenance.get("painter", {}).get("name")
        raise InputError(
            path,
            f"no recipe in its provenance: painter {shown(painter)} in Python, or another program",
            "a mock that `mockgal build` or `mockgal survey` made",
            "make it again as it was made; `mockgal inspect` shows what its provenance states",
        )
    origin, record = record_of(path, facts)
    command, values = record.get("command"), record.get("recipe")
    if command in (BUILD, SURVEY) and isinstance(values, dict):
        values = {key: value for key, value in values.items() if key != "out"}
        stated = Recorded(command, values, record["paths"], origin.name, record)
        if _is_of(stated, facts):
            return stated
    values = _from_provenance(configuration, facts, format)
    command = SURVEY if "survey_seed" in configuration else BUILD
    return Recorded(command, values, {}, "its own provenance", record)


def _is_of(recorded: Recorded, facts: Facts) -> bool:
    """Return whether a recipe in a record, which anybody can edit, is that of a mock."""
    from ...recipe import check, check_survey

    try:
        if recorded.command == SURVEY:
            return check_survey(recorded.values, recorded.origin).survey is not None
        digest = check(recorded.values, recorded.origin).configuration_digest()
    except MockgalError:
        return False
    return bool(digest == facts.provenance.get("configuration_digest"))


def record_of(path: Path, facts: Facts) -> tuple[Path, dict[str, Any]]:
    """Return the record of the run that made a mock, or randoms, and its path; {} if none is there.

    A record belongs to a mock if it has the same content digest.
    """
    record = read_record(path)
    if record is not None and record.get("content_digest") == facts.digest:
        return sidecar_path(path), record
    if facts.provenance.get("painter", {}).get("name") == RANDOMS:
        for one in sorted(path.parent.glob("*.run.json")):
            record = read_record(one.with_name(one.name.removesuffix(".run.json"))) or {}
            if (record.get("randoms") or {}).get("content_digest") == facts.digest:
                return one, record
    return sidecar_path(path), {}


def _from_provenance(configuration: Mapping[str, Any], facts: Facts, format: str) -> dict[str, Any]:
    """Return the recipe that a file itself states, its paths without their folders."""
    from ...recipe import Recipe, SurveyRecipe

    names = {one.use: one.name for one in stated_inputs(facts.provenance)}
    model = facts.file.get(MODEL, {})
    output = {
        "units": facts.units if not model else "h-free",
        "model_out": model.get("name", "hats" if format == "hats" else DATA_MODELS[0]),
        **({"desi_release": model["release"]} if "release" in model else {}),
        **_precision(facts.file),
    }
    if "survey_seed" in configuration:
        stated = {"survey": configuration.get("survey"), "seed": configuration["survey_seed"]}
        known = SurveyRecipe.model_fields
        mocks = [name for use, name in sorted(names.items()) if use.startswith(f"{MOCKS}.")]
        return {**{k: v for k, v in stated.items() if k in known}, **output, MOCKS: mocks}
    known = Recipe.model_fields
    values = {key: value for key, value in configuration.items() if key in known}
    values |= {use: names[use] for use in (SIM, MATTER) if use in names}
    return {SIM: "the simulation", **values, **output}


def _precision(file: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a recipe for columns in single precision."""
    single = file.get(SINGLE)
    if not isinstance(single, dict):
        return {}
    rounding = single.get("position_rounding")
    more = {"position_rounding": rounding} if isinstance(rounding, str) else {}
    return {"precision_out": PRECISIONS[1], **more}


def inputs_of(recorded: Recorded, facts: Facts) -> list[Input]:
    """Return the inputs of a mock; of one that does not state them, those that its recipe names."""
    try:
        named = paths_of(recorded.values)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            recorded.origin, f"a recipe that is none ({error})", "one that mockgal wrote"
        ) from error
    named |= {use: x for use, x in recorded.paths.items() if use.startswith(f"{MOCKS}.")}
    stated = [one for one in stated_inputs(facts.provenance) if one.use in named]
    known = {one.use for one in stated}
    more = [Input(use, Path(x).name, _UNKNOWN) for use, x in named.items() if use not in known]
    return stated + more


def placed(
    recorded: Recorded,
    inputs: Sequence[Input],
    folders: Sequence[Path],
    sims: Sequence[Path],
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Return the recipe with its inputs where they are now, and these places by use.

    Parameters
    ----------
    recorded : Recorded
    inputs : sequence of Input
    folders : sequence of Path
        See `mockgal.tasks.verification.inputs.located`.
    sims : sequence of Path
        Simulations in place of those of the record; mocks, in place of those of a survey.

    Raises
    ------
    InputError
        One of them is not found.
    """
    places = located(inputs, recorded.paths, folders, sims)
    absent = [one for one in inputs if one.use not in places]
    if absent:
        one = absent[0]
        where = recorded.paths.get(one.use, one.name)
        option = "--sim" if one.title in (SIM, MOCKS) else "--look-in"
        raise InputError(
            where,
            f"no such file or folder, which the mock was made from ({one.title})"
            + f", and {len(absent) - 1} others are missing" * (len(absent) > 1),
            "it where it was, beside the mock, or in the working directory",
            f"say where it is: {option} {'PATH' if option == '--sim' else 'FOLDER'}",
        )
    own = {use: str(place.absolute()) for use, place in places.items()}
    mocks = {use: place for use, place in own.items() if use.startswith(MOCKS)}
    values = with_paths(recorded.values, {k: v for k, v in own.items() if k not in mocks})
    if recorded.command == SURVEY:
        values[MOCKS] = [own[use] for use in sorted(mocks, key=lambda use: int(use[6:]))]
    return values, places


def as_before(values: dict[str, Any], painter: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe with the painter's device and tiles as they were, and no finished tiles.

    Parameters
    ----------
    values : dict
        Keys of a recipe.
    painter : mapping
        The painter's description in the mock.
    """
    declared = flat(registry.painter_options(values["painter"]))
    given = values.get("painter_options", {})
    options = {k: x for k, x in given.items() if k not in declared or declared[k].changes_result}
    if "tile_size" in declared and isinstance(painter.get("tile_size"), int):
        options["tile_size"] = painter["tile_size"]
    if "device" in declared and painter.get("device") == "cpu":
        options["device"] = "cpu"
    return {**values, "painter_options": options}


def checked(recorded: Recorded, values: dict[str, Any], path: Path) -> Recipe | SurveyRecipe:
    """Return the recipe that the values describe.

    Raises
    ------
    InputError
        This version of mockgal does not know such a recipe.
    """
    from ...recipe import check, check_survey

    try:
        if recorded.command == BUILD:
            return check(values, recorded.origin)
        mocks = values.get(MOCKS, [])
        values = {key: value for key, value in values.items() if key != MOCKS}
        if not recorded.paths:
            values["cut"] = _further_cuts(path, mocks)
        return check_survey(values, recorded.origin)
    except MockgalError as error:
        raise InputError(
            path,
            f"a recipe that cannot be carried out here ({error})",
            "one of this version of mockgal, with its painter installed",
            "use the version that made the mock, which `mockgal inspect` shows",
        ) from error


def _further_cuts(path: Path, mocks: Sequence[str]) -> list[str]:
    """Return the cuts of a survey beside those of the mock that it was made of."""
    stated = facts_of(path).provenance["configuration"].get("cut", [])
    own = facts_of(Path(mocks[0])).provenance.get("configuration", {}).get("cut", [])
    return list(stated[len(own) :])
