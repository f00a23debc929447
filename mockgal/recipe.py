"""The checked description of a build, from flags or from a YAML file with the same keys."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from . import registry, survey_plan
from .errors import MockgalError, UsageError, shown
from .options import Option, flat
from .protocols import ReadOptions
from .quantity import named_values, stated_facts
from .random import check_seed
from .survey_plan import SurveyPlan
from .system.files import plain_yaml
from .system.files.plain_text import read_text
from .types import MASS_DEFINITIONS, STELLAR_MASS_DEFINITIONS

# The default seed of a build, printed and recorded: the arXiv number of the dm2gal paper.
DEFAULT_SEED = 201200186
_MAX_BYTES = 100_000
_RECIPE = plain_yaml.Dialect(depth=7, values=5000, text=4096)
_FIX = "check its path and what is in it; docs/reference/recipe.md has an example"

# Keys that recipes of earlier versions did not have: at their default they change no digest.
_SINCE = (
    *("superslab", "uncleaned"),
    *("matter_kind", "matter_assignment", "matter_origin", "matter_dataset"),
)
_FORMERLY = "density"  # an earlier name of the key `matter`
_QUANTITIES = {
    "box_size": "100 Mpc/h",
    "particle_mass": "1e9 Msun/h",
    "position_rounding": "0.1 kpc/h",
}
_KINDS = {  # pydantic's kinds of errors, as a user would say what is allowed
    "missing": "a value",
    "string_type": "a text",
    "path_type": "a path",
    "dict_type": "options, a line `name: value` for each",
    "model_type": "a section, a line `key: value` for each of its keys",
    "tuple_type": "a list",
    "too_long": "fewer entries",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "true or false"),
    **dict.fromkeys(("float_parsing", "float_type", "finite_number"), "a finite number"),
}


class SurveyRecipe(BaseModel):
    """What ``mockgal survey`` makes of mocks that are written. Keys as those of `Recipe`.

    Parameters
    ----------
    survey : SurveyPlan, optional
    seed : int, optional
        By default that of the mock.
    cut : tuple of str
        Applied to each mock, before the survey.
    out : Path, optional
        By default ``<mock>-survey.fits`` in the working directory, with another extension where
        the data model has another format.
    units, compress, model_out, desi_release, precision_out, position_rounding, overwrite
    require_nonempty
        As in `Recipe`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    survey: SurveyPlan | None = None
    seed: int | None = None
    cut: tuple[str, ...] = ()
    out: Path | None = None
    units: Literal["h-free", "h"] = "h-free"
    compress: bool = False
    model_out: Literal["mockgal", "desi", "boss", "gcr", "hats", "parquet"] = "mockgal"
    desi_release: Literal["dr1", "edr"] = "dr1"
    precision_out: Literal["float64", "float32"] = "float64"
    position_rounding: str | None = None
    overwrite: bool = False
    require_nonempty: bool = False

    @property
    def extension(self) -> str:
        """The extension of the output where none is given."""
        return {"gcr": ".hdf5", "hats": "", "parquet": ".parquet"}.get(self.model_out, ".fits")

    @field_validator("cut", mode="before")
    @classmethod
    def _one_cut_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("seed", mode="before")
    @classmethod
    def _seed_fits(cls, value: Any) -> int | None:
        try:
            return check_seed(value)
        except UsageError as error:
            raise ValueError(error.expected) from error

    @field_validator("sim", "matter", "out", mode="before", check_fields=False)
    @classmethod
    def _a_path(cls, value: Any) -> Any:
        if isinstance(value, str) and (not value.strip() or "\0" in value):
            raise ValueError("a path")
        return value


class Recipe(SurveyRecipe):
    """Everything a build depends on. Keys are the names of the command's options.

    Parameters
    ----------
    sim : Path
        Simulation to paint: a bundle, a file of a set, or a directory.
    matter : Path, optional
        Particles or a density grid of its matter, in place of the simulation's own.
    painter : str
        Name of the painter.
    painter_options : dict
        The painter's own options, checked against what its class declares.
    populate : bool
        Whether satellites are first made for hosts that come without subhalos.
    populate_options : dict
        Options for making them, checked against `mockgal.satellites.options.SatelliteOptions`.
    seed : int
    cut : tuple of str
        Cuts, applied in this order.
    out : Path, optional
        Output; by default ``<sim>-<painter>.fits`` in the working directory, with another
        extension where the data model has another format.
    units : str
        ``h-free`` (Mpc, Msun) or ``h`` (Mpc/h, Msun/h) in the output.
    compress : bool
        Whether an HDF5 output is compressed.
    model_out : str
        Data model of the output, one of `mockgal.layout.DATA_MODELS`.
    desi_release : str
        Release whose column names the data model desi has.
    precision_out : str
        ``float64``, or ``float32`` where that rounds little: see `mockgal.precision`.
    position_rounding : str, optional
        Rounding of positions that ``float32`` may bring.
    overwrite, require_nonempty : bool
    survey : SurveyPlan, optional
        What is done to the painted galaxies, in the box and on the sky.
    format : str, optional
        Name of the reader; by default detected from the content.
    mass_definition, drop_bad, orphans, centred_origin, allow_empty_regions
    allow_missing_chunks, superslab, uncleaned, stellar_mass_definition, h, omega_m, omega_lambda
    w0, wa, box_size, redshift, particle_mass, columns, matter_kind, matter_assignment
    matter_origin, matter_dataset
        See `mockgal.protocols.ReadOptions`.

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> recipe = check({"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "seed": 1}, "here")
    >>> recipe.output.name, recipe.units
    ('dark-hod.fits', 'h-free')
    """

    sim: Path
    matter: Path | None = None
    painter: str
    painter_options: dict[str, Any] = {}
    populate: bool = False
    populate_options: dict[str, Any] = {}
    seed: int = DEFAULT_SEED
    format: str | None = None
    mass_definition: str | None = None
    drop_bad: bool = False
    orphans: Literal["refuse", "drop", "central"] = "refuse"
    centred_origin: bool = False
    allow_empty_regions: bool = False
    allow_missing_chunks: bool = False
    superslab: str | None = None
    uncleaned: bool = False
    stellar_mass_definition: str | None = None
    h: float | None = None
    omega_m: float | None = None
    omega_lambda: float | None = None
    w0: float | None = None
    wa: float | None = None
    box_size: str | None = None
    redshift: float | None = None
    particle_mass: str | None = None
    columns: str | dict[str, str] | None = None
    matter_kind: str | None = None
    matter_assignment: str | None = None
    matter_origin: str | None = None
    matter_dataset: str | None = None

    @field_validator("populate_options")
    @classmethod
    def _populated(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if value and not info.data.get("populate"):
            raise ValueError("nothing without --populate (in a recipe: populate: true)")
        return value

    @field_validator("painter_options")
    @classmethod
    def _plain(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return _plain_options(info.data.get("painter"), value)

    def options_of(self, snapshot: survey_plan.SnapshotPlan) -> dict[str, Any]:
        """Return the painter's options for a further snapshot of a light cone.

        Raises
        ------
        UsageError
            A value is not allowed in a recipe.
        """
        try:
            own = _plain_options(self.painter, snapshot.painter_options)
        except ValueError as error:
            where = f"painter_options of snapshot {snapshot.sim}"
            raise UsageError(where, shown(snapshot.painter_options), str(error)) from error
        return self.painter_options | own

    @field_validator("h", "omega_m", "omega_lambda", "w0", "wa", "redshift", mode="before")
    @classmethod
    def _a_number(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("a number")
        return value

    @field_validator("mass_definition")
    @classmethod
    def _known_mass_definition(cls, value: str | None) -> str | None:
        if value is not None and value not in MASS_DEFINITIONS:
            raise ValueError("one of " + ", ".join(MASS_DEFINITIONS))
        return value

    @field_validator("stellar_mass_definition")
    @classmethod
    def _known_stellar_mass_definition(cls, value: str | None) -> str | None:
        if value is not None and value not in STELLAR_MASS_DEFINITIONS:
            raise ValueError("one of " + ", ".join(STELLAR_MASS_DEFINITIONS))
        return value

    @property
    def read_options(self) -> ReadOptions:
        """The options for the reader."""
        names = set(ReadOptions._fields) & set(Recipe.model_fields)
        return ReadOptions(**stated_facts({name: getattr(self, name) for name in names}))

    @property
    def output(self) -> Path:
        """The path of the output catalogue."""
        sim = Path(os.path.abspath(self.sim))
        stem = sim.name if os.path.isdir(sim) else sim.stem
        return self.out or Path(f"{stem}-{self.painter}{self.extension}")

    def configuration(self) -> dict[str, Any]:
        """Return what determines the catalogue's content apart from the simulation, as plain JSON.

        The folders of paths are left out: the content of a calibration file is identified by its
        digest, and those of matter are recorded with the files read. Painter options that
        their class declares as not changing the result (`mockgal.options`) are left out too.
        """
        options, undeclared = _options(self.painter), Option()
        apart = {"sim", "matter", "out", "units", "compress", "overwrite", "require_nonempty"}
        apart |= {"format", "model_out", "desi_release", "precision_out", "position_rounding"}
        if self.columns is None:
            apart |= {"columns"}
        if not self.populate:
            apart |= {"populate", "populate_options"}
        apart |= {name for name in _SINCE if not getattr(self, name)}
        values = self.model_dump(mode="json", exclude=apart | {"survey"})
        if self.survey is not None:
            values["survey"] = self.survey.configuration()
        values["painter_options"] = {
            key: Path(value).name if option.is_path(value) else value
            for key, value in values["painter_options"].items()
            if (option := options.get(key, undeclared)).changes_result
        }
        return values

    def configuration_digest(self) -> str:
        """Return the BLAKE2b-256 of the configuration."""
        return digest_of(self.configuration())


def digest_of(configuration: Mapping[str, Any]) -> str:
    """Return the BLAKE2b-256 of a configuration of plain JSON values."""
    text = json.dumps(configuration, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def _options(painter: object) -> dict[str, Option]:
    """Return the options that a painter declares; none if ``painter`` is not a name."""
    return flat(registry.painter_options(painter)) if isinstance(painter, str) else {}


def _plain_options(painter: object, options: dict[str, Any]) -> dict[str, Any]:
    """Return a painter's options as plain values, named ones as texts; a number has its unit.

    Raises
    ------
    ValueError, UsageError
        A value is not allowed.
    """
    plain = {k: _as_text(v) if isinstance(v, os.PathLike) else v for k, v in options.items()}
    several = set()
    for key, option in _options(painter).items() if plain else ():
        if option.kind == "quantity" and isinstance(plain.get(key), int | float):
            raise ValueError(f'{key} with its unit, such as "{option.example}"')
        if option.kind == "named values" and isinstance(plain.get(key), str | dict):
            stated = named_values(f"painter_options:{key}", plain[key], option.example)
            plain[key] = {name: str(one) for name, one in stated.items()}
            several.add(key)
    single = [value for key, value in plain.items() if key not in several]
    if not all(isinstance(value, str | int | float | None) for value in single):
        raise ValueError("names, paths, numbers, true or false (mockgal.paint takes objects)")
    return plain


def _as_text(path: os.PathLike[Any]) -> str:
    """Return a path as a text that cannot be taken for a name: `Path` drops a leading ``./``."""
    text = os.fsdecode(path)
    return text if os.path.dirname(text) else os.path.join(os.curdir, text)


def check(values: Mapping[str, Any], source: str) -> Recipe:
    """Return the recipe that ``values`` describe.

    Parameters
    ----------
    values : mapping
        Keys of `Recipe` and their values.
    source : str
        Where they come from, for messages.

    Raises
    ------
    UsageError
        An unknown key, a missing one, or a value that is not allowed.

    Returns
    -------
    Recipe

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> check({"sim": "dark.hdf5", "paintr": "hod", "seed": 1}, "my.yaml")
    Traceback (most recent call last):
        ...
    mockgal.errors.UsageError: ...
    """
    return _checked(Recipe, values, source, "build")


def check_survey(values: Mapping[str, Any], source: str) -> SurveyRecipe:
    """Return the recipe of ``mockgal survey`` that ``values`` describe: see `check`.

    Raises
    ------
    UsageError
        See `check`; or there is a key of `Recipe`, for galaxies that are still to be painted.
    """
    painting = [key for key in values if key in Recipe.model_fields and key != "survey"]
    painting = [key for key in painting if key not in SurveyRecipe.model_fields]
    if painting:
        raise UsageError(
            f"{source}:{painting[0]}",
            f"{', '.join(painting)}, for painting a simulation",
            "one of " + ", ".join(SurveyRecipe.model_fields) + ": the mocks are painted already",
            "leave it out; or paint and survey at once, mockgal build --recipe",
        )
    return _checked(SurveyRecipe, values, source, "survey")


_Checked = TypeVar("_Checked", bound=BaseModel)


def _checked(
    model: type[_Checked], values: Mapping[str, Any], source: str, command: str
) -> _Checked:
    for key in values:
        if key not in model.model_fields:
            raise _unknown(f"{source}:{key}", str(key), list(model.model_fields))
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        errors = error.errors()
        unknown = (one for one in errors if one["type"] == "extra_forbidden")
        first = next(unknown, errors[0])  # a wrong name is why another value is missing
        place = first["loc"]
        key = ".".join(str(part) for part in place)
        if first["type"] == "extra_forbidden":
            names = _names(model, place[:-1])
            raise _unknown(f"{source}:{key}", str(place[-1]), names) from error
        found = "nothing" if first["type"] == "missing" else reprlib.repr(first["input"])
        raise UsageError(
            f"{source}:{key}",
            found,
            _expected(key, first["type"], first["msg"]),
            f"`mockgal {command} --help` describes the options"
            if key.partition(".")[0] != "survey"
            else "docs/reference/recipe.md describes the section survey",
        ) from error


def _unknown(where: str, key: str, known: list[str]) -> UsageError:
    close = difflib.get_close_matches(key, known, 1)
    return UsageError(
        where,
        "an unknown key",
        "one of " + ", ".join(known),
        f"did you mean {close[0]}?" if close else "remove it",
    )


def _names(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the section at a place in a recipe."""
    for part in place:
        if isinstance(part, str):
            inside = model.model_fields[part].annotation
            model = next(one for one in _classes(inside) if issubclass(one, BaseModel))
    return list(model.model_fields)


def _classes(annotation: Any) -> Iterator[type[Any]]:
    """Yield the classes in a type such as ``tuple[Section, ...] | None``."""
    if isinstance(annotation, type) and not get_args(annotation):
        yield annotation
    for inside in get_args(annotation):
        yield from _classes(inside)


def _expected(key: str, kind: str, message: str) -> str:
    """Return what a key may be, for pydantic's kind of error, in words of our own."""
    if key in _QUANTITIES:
        return f'a number with its unit, such as "{_QUANTITIES[key]}"'
    if key.partition(".")[0] == "cut":
        return 'a cut such as "stellar_mass > 1e9 Msun/h", or a list of cuts'
    message = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return _KINDS.get(kind, message)


def read_yaml(path: Path, painter: str | None = None) -> dict[str, Any]:
    """Return the mapping in a recipe file, with relative paths resolved against its directory.

    Parameters
    ----------
    path : Path
    painter : str, optional
        Name of the painter, whose class says which of its options are paths; by default the
        painter of the recipe.

    Raises
    ------
    UsageError
        The file is not an ordinary one, unreadable, too long, or not a mapping in plain YAML
        (`mockgal.system.files.plain_yaml`); or there is no such painter.
    """
    expected = f"a recipe of at most {_MAX_BYTES:,} bytes"
    try:
        values = plain_yaml.load(read_text(path, _MAX_BYTES, expected, fix=_FIX), _RECIPE)
    except MockgalError as error:
        raise UsageError(error.where, error.found, error.expected, error.fix) from error
    except plain_yaml.PlainYAMLError as error:
        where = f"{path}, line {error.line}"
        raise UsageError(where, error.found, error.expected, error.fix) from error
    if not isinstance(values, dict):
        raise UsageError(path, shown(values), "a mapping of option names", _FIX)
    if _FORMERLY in values and "matter" not in values:
        values["matter"] = values.pop(_FORMERLY)
    for key in ("sim", "matter", "out"):
        if isinstance(values.get(key), str) and values[key]:
            values[key] = str(path.parent / values[key])
    sections: list[Any] = [values]
    survey: Any = values.get("survey")
    if isinstance(survey, dict):
        survey_plan.resolve(survey, path.parent)
        cone = survey.get("light_cone")
        snapshots = cone.get("snapshots") if isinstance(cone, dict) else None
        sections += snapshots if isinstance(snapshots, list) else []
    declared = _options(painter or values.get("painter"))
    for section in sections:
        options: Any = section.get("painter_options") if isinstance(section, dict) else None
        for key, option in declared.items() if isinstance(options, dict) else ():
            if option.is_path(options.get(key)):
                options[key] = _as_text(path.parent / options[key])
    return values
