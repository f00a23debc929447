"""What a survey does to galaxies: the section ``survey`` of a recipe, checked.

The steps have one order, that of the fields of `SurveyPlan`. Quantities are texts with their unit,
such as ``"30 km/s"``; `mockgal.tasks.surveying` converts them when the cosmology is known.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from .errors import UsageError
from .quantity import in_unit

# The units that the steps work in, by quantity, with an example for messages.
LENGTH = "Mpc / littleh"
ANGLE = "deg"
SPEED = "km/s"
DEX = "dex"
DENSITY = "littleh^3 / Mpc^3"
SURFACE_DENSITY = "1 / deg^2"  # for each unit of redshift
POWER = "Mpc^3 / littleh^3"
_EXAMPLES = {
    LENGTH: "250 Mpc/h",
    ANGLE: "30 deg",
    SPEED: "30 km/s",
    DEX: "0.1 dex",
    DENSITY: "1e-3 h^3/Mpc^3",
    POWER: "1e4 Mpc^3/h^3",
}
_MOST = 10_000  # in vectors of a remapping
PATHS = (  # of one file each
    *(("footprint", key) for key in ("map", "coverage", "polygons", "randoms")),
    ("n_of_z", "table"),
    ("randoms", "out"),
    ("", "match_density"),
)


def is_in(text: str, unit: str) -> bool:
    """Return whether a text is a number with a unit that can be converted to ``unit``."""
    try:
        in_unit("", text, unit, 1.0)
    except UsageError:
        return False
    return True


def _quantity(*units: str) -> BeforeValidator:
    """Return a check that a value is a text with a unit of one of these kinds."""

    def check(value: Any) -> str:
        if isinstance(value, str) and any(is_in(value, unit) for unit in units):
            return value
        raise ValueError(f'a number with its unit, such as "{_EXAMPLES[units[0]]}"')

    return BeforeValidator(check)


def _densities(value: Any) -> str | tuple[str, ...]:
    one = value if isinstance(value, str) else None
    several = tuple(value) if isinstance(value, list | tuple) and value else (one,)
    if all(isinstance(text, str) and is_in(text, DENSITY) for text in several):
        return one if one is not None else several
    raise ValueError(f'a number with its unit, such as "{_EXAMPLES[DENSITY]}", or a list of them')


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number")
    return value


def _path(value: Any) -> Any:
    if isinstance(value, str) and (not value.strip() or "\0" in value):
        raise ValueError("a path")
    return value


def _increasing(values: tuple[float, ...]) -> tuple[float, ...]:
    if not all(low < high for low, high in pairwise(values)):
        raise ValueError("redshifts that increase")
    return values


Number = Annotated[float, BeforeValidator(_number)]
Redshift = Annotated[Number, Field(ge=0)]
Length = Annotated[str, _quantity(LENGTH)]
Angle = Annotated[str, _quantity(ANGLE)]
File = Annotated[Path, BeforeValidator(_path)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SnapshotPlan(_Section):
    """Another snapshot of the run, painted as the first is.

    Parameters
    ----------
    sim : Path
    painter_options : dict
        Options of the painter that differ from those of the recipe.
    """

    sim: File
    painter_options: dict[str, Any] = {}


def _vectors(value: Any) -> Any:
    if value == "fit":
        return value
    rows = value if isinstance(value, list | tuple) else ()
    numbers = [x for row in rows if isinstance(row, list | tuple) for x in row]
    if [len(row) for row in rows if isinstance(row, list | tuple)] == [3, 3, 3] and all(
        isinstance(x, int) and not isinstance(x, bool) and abs(x) < _MOST for x in numbers
    ):
        a, b, c, d, e, f, g, h, i = numbers
        if abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)) == 1:
            return tuple(map(tuple, rows))
    raise ValueError(
        "fit, or three vectors of whole numbers with a determinant of 1 or -1, such as "
        "[[1, 1, 0], [0, 1, 0], [0, 0, 1]]"
    )


class RemappingPlan(_Section):
    """How the periodic box is remapped to a cuboid.

    Parameters
    ----------
    vectors : str or tuple, shape (3, 3)
        ``fit`` for those that leave most room around the survey, or: see
        `mockgal.survey.cone.remapping.Remapping`.
    towards : tuple of str, shape (2,), optional
        Right ascension and declination to which the first side points; by default 0 deg, 0 deg.
    """

    vectors: Annotated[Any, BeforeValidator(_vectors)]
    towards: tuple[Angle, Angle] | None = None

    @model_validator(mode="after")
    def _fitted_or_given(self) -> RemappingPlan:
        if self.vectors == "fit" and self.towards is not None:
            raise ValueError("towards beside vectors only: fit points to the survey")
        return self


class LightConePlan(_Section):
    """What of the periodic boxes an observer sees: see `mockgal.survey.light_cone.light_cone`.

    Parameters
    ----------
    redshifts : tuple of float, shape (2,)
        Least and largest cosmological redshift.
    observer : tuple of str, shape (3,)
        Place in the box.
    remapping : RemappingPlan, optional
        In a recipe also ``fit``, or the vectors alone.
    snapshots : tuple of SnapshotPlan
        Further snapshots of the run, beside the recipe's ``sim``.
    """

    redshifts: Annotated[tuple[Redshift, Redshift], AfterValidator(_increasing)]
    observer: tuple[Length, Length, Length] = ("0 Mpc/h", "0 Mpc/h", "0 Mpc/h")
    remapping: RemappingPlan | None = None
    snapshots: tuple[SnapshotPlan, ...] = ()

    @field_validator("remapping", mode="before")
    @classmethod
    def _vectors_alone(cls, value: Any) -> Any:
        return {"vectors": value} if isinstance(value, str | list | tuple) else value

    @field_validator("snapshots", mode="before")
    @classmethod
    def _paths_are_snapshots(cls, value: Any) -> Any:
        paths = [value] if isinstance(value, str | os.PathLike) else value
        if not isinstance(paths, list | tuple):
            return value
        return [{"sim": one} if isinstance(one, str | os.PathLike) else one for one in paths]


def _direction(value: Any) -> Any:
    parts = value if isinstance(value, list | tuple) else ()
    if len(parts) == 2 and all(isinstance(x, str) and is_in(x, ANGLE) for x in parts):
        return tuple(parts)
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in parts)
    if len(parts) == 3 and numbers and any(parts):
        return tuple(float(x) for x in parts)
    raise ValueError(
        "[30 deg, -20 deg], a right ascension and a declination; or [1, 1, 0], a vector"
    )


class FootprintPlan(_Section):
    """Where the survey looks: borders in both angles, a cap, or a file.

    Parameters
    ----------
    ra, dec : tuple of str, shape (2,), optional
        See `mockgal.survey.footprint.SkyBox`.
    opening : str, optional
        See `mockgal.survey.footprint.SkyCap`.
    direction : tuple of str, shape (2,), or of float, shape (3,), optional
        Of the axis of the opening: on the sky, or as a vector.
    map : Path, optional
        HEALPix map in FITS: see `mockgal.survey.masks.healpix.read_map`.
    order, coordinates : str, optional
        What the file of the map does not state: ``ring`` or ``nested``, ``equatorial`` or
        ``galactic``.
    coverage : Path, optional
        Coverage map (MOC): see `mockgal.survey.masks.moc.SkyCoverage`.
    polygons : Path, optional
        Polygons of mangle: see `mockgal.survey.masks.polygons.SkyPolygons`.
    randoms : Path, optional
        A catalogue of randoms, with columns RA and DEC [deg]: see
        `mockgal.survey.masks.randoms.footprint_of_randoms`.
    nside : int, optional
        Resolution of the footprint of the randoms.
    """

    ra: tuple[Angle, Angle] | None = None
    dec: tuple[Angle, Angle] | None = None
    opening: Angle | None = None
    direction: Annotated[Any, BeforeValidator(_direction)] = None
    map: File | None = None
    order: Literal["ring", "nested"] | None = None
    coordinates: Literal["equatorial", "galactic"] | None = None
    coverage: File | None = None
    polygons: File | None = None
    randoms: File | None = None
    nside: Annotated[int, Field(ge=1, le=8192)] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> FootprintPlan:
        borders = self.ra is not None or self.dec is not None
        if borders + (self.opening is not None) + len(self.files) != 1:
            raise ValueError("ra and dec, or one of opening, map, coverage, polygons and randoms")
        if borders and (self.ra is None or self.dec is None):
            raise ValueError("both ra and dec")
        if (self.opening is None) != (self.direction is None):
            raise ValueError("opening and direction together")
        if self.map is None and (self.order or self.coordinates):
            raise ValueError("order and coordinates beside a map only")
        if (self.randoms is None) != (self.nside is None):
            raise ValueError("randoms and nside together")
        return self

    @property
    def files(self) -> list[Path]:
        """The file that it names, if it names one."""
        named = (self.map, self.coverage, self.polygons, self.randoms)
        return [path for path in named if path is not None]


class RedshiftErrorPlan(_Section):
    """Errors of measured redshifts: see `mockgal.survey.measurement.measure_redshifts`.

    Parameters
    ----------
    sigma_v : str, optional
    sigma_z : float
    catastrophic : float
    catastrophic_range : tuple of float, shape (2,), optional
    """

    sigma_v: Annotated[str, _quantity(SPEED)] | None = None
    sigma_z: Annotated[Number, Field(ge=0, le=1)] = 0.0
    catastrophic: Annotated[Number, Field(ge=0, le=1)] = 0.0
    catastrophic_range: Annotated[tuple[Redshift, Redshift], AfterValidator(_increasing)] | None = (
        None
    )

    @model_validator(mode="after")
    def _range_is_there(self) -> RedshiftErrorPlan:
        if bool(self.catastrophic) != (self.catastrophic_range is not None):
            raise ValueError("catastrophic and catastrophic_range together")
        return self


class NumberDensityPlan(_Section):
    """The number density by redshift.

    Parameters
    ----------
    by : str
        ``threshold`` or ``random``, see `mockgal.survey.number_density.to_number_density`; or
        ``measured``: all galaxies in the bins are kept, and the density is theirs.
    redshifts : tuple of float, optional
        Edges of the bins.
    density : tuple of str, optional
        Of each bin, or one for all bins.
    table : Path, optional
        A text file in place of both: see `mockgal.survey.table_file.read_table`.
    unit : str, optional
        Unit of the densities in the table: a comoving density, or one on the sky for each unit of
        redshift, such as ``1/deg^2``.
    """

    by: Literal["threshold", "random", "measured"]
    redshifts: Annotated[tuple[Redshift, ...], AfterValidator(_increasing)] = ()
    density: tuple[Annotated[str, _quantity(DENSITY, SURFACE_DENSITY)], ...] = ()
    table: File | None = None
    unit: str | None = None

    @field_validator("density", mode="before")
    @classmethod
    def _one_for_all(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | int | float) else value

    @field_validator("unit")
    @classmethod
    def _a_density(cls, value: str | None) -> str | None:
        if value is not None and not any(
            is_in(f"1 {value}", x) for x in (DENSITY, SURFACE_DENSITY)
        ):
            raise ValueError('a unit such as "h^3/Mpc^3", or "1/deg^2" for each unit of redshift')
        return value

    @model_validator(mode="after")
    def _one_source(self) -> NumberDensityPlan:
        if self.by == "measured":
            if len(self.redshifts) < 2 or self.density or self.table:
                raise ValueError("redshifts alone, which are the edges of bins, by measured")
        elif self.table is not None:
            if self.redshifts or self.density:
                raise ValueError("a table, or redshifts and density, not both")
            if self.unit is None:
                raise ValueError('the unit of the table, such as unit: "h^3/Mpc^3"')
        elif len(self.redshifts) < 2 or len(self.density) not in (1, len(self.redshifts) - 1):
            raise ValueError("redshifts, and a density for each bin between them, or for all")
        if self.unit is not None and self.table is None:
            raise ValueError("unit beside a table only")
        return self


class WeightsPlan(_Section):
    """The weights: see `mockgal.survey.weights.with_weights`.

    Parameters
    ----------
    fkp_power : str
        P0.
    """

    fkp_power: Annotated[str, _quantity(POWER)]


class RandomsPlan(_Section):
    """The randoms: see `mockgal.survey.randoms.randoms`.

    Parameters
    ----------
    times : float
        Their number over that of the galaxies.
    out : Path, optional
        Their file; by default that of the galaxies with ``-randoms`` before the extension.
    """

    times: Annotated[Number, Field(gt=0, le=1e6)]
    out: File | None = None


class SurveyPlan(_Section):
    """The steps of a survey, in the order in which they are taken; those not given are not taken.

    Parameters
    ----------
    number_density : str or tuple of str, optional
        In the box: the most massive galaxies down to this density, or to the largest of several,
        which are samples of their own. Or:
    match_density : Path, optional
        Galaxies in a box, a mock or a hydrodynamic run's own, whose number density that is.
    redshift_space : str, optional
        Axis of the box along which positions are also given in redshift space. Or:
    light_cone : LightConePlan, optional
    footprint : FootprintPlan, optional
        By default the whole sky, of a light cone that is made of boxes.
    redshift_error : RedshiftErrorPlan, optional
    stellar_mass_error : str, optional
        See `mockgal.survey.measurement.measure_stellar_masses`.
    cut : tuple of str
        Cuts on galaxies on the sky, also on measured quantities.
    n_of_z : NumberDensityPlan, optional
    close_pairs : str, optional
        Least separation of two fibres: see `mockgal.survey.close_pairs.without_close_pairs`.
    weights : WeightsPlan, optional
    randoms : RandomsPlan, optional
    regions : int, optional
        Number of regions for the jackknife, of equal numbers of randoms.

    Examples
    --------
    >>> from mockgal.survey_plan import SurveyPlan
    >>> plan = SurveyPlan.model_validate({"light_cone": {"redshifts": [0.02, 0.06]}})
    >>> plan.light_cone.observer
    ('0 Mpc/h', '0 Mpc/h', '0 Mpc/h')
    """

    number_density: Annotated[str | tuple[str, ...], BeforeValidator(_densities)] | None = None
    match_density: File | None = None
    redshift_space: Literal["x", "y", "z"] | None = None
    light_cone: LightConePlan | None = None
    footprint: FootprintPlan | None = None
    redshift_error: RedshiftErrorPlan | None = None
    stellar_mass_error: Annotated[str, _quantity(DEX)] | None = None
    cut: tuple[str, ...] = ()
    n_of_z: NumberDensityPlan | None = None
    close_pairs: Angle | None = None
    weights: WeightsPlan | None = None
    randoms: RandomsPlan | None = None
    regions: Annotated[int, Field(ge=2, le=100_000)] | None = None

    @field_validator("cut", mode="before")
    @classmethod
    def _one_cut_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _go_together(self) -> SurveyPlan:
        if self.number_density and self.match_density:
            raise ValueError("number_density or match_density, which states the same")
        if self.redshift_space and (self.light_cone or self.on_the_sky):
            raise ValueError(
                "redshift_space in the box, or steps on the sky, where redshifts have velocities"
            )
        if (self.weights or self.randoms) and self.n_of_z is None:
            raise ValueError("n_of_z beside weights and randoms, which need a number density")
        if self.regions and self.randoms is None:
            raise ValueError("randoms beside regions, which hold equal numbers of them")
        return self

    @property
    def on_the_sky(self) -> tuple[str, ...]:
        """The steps that need galaxies on the sky."""
        names = (
            "footprint",
            "redshift_error",
            "cut",
            "n_of_z",
            "close_pairs",
            "weights",
            "randoms",
            "regions",
        )
        return tuple(name for name in names if getattr(self, name))

    @property
    def inputs(self) -> list[Path]:
        """The files and folders that it names to read."""
        sky, density, cone = self.footprint, self.n_of_z, self.light_cone
        files = [*([] if sky is None else sky.files), None if density is None else density.table]
        files.append(self.match_density)
        files += [one.sim for one in (() if cone is None else cone.snapshots)]
        return [path for path in files if path is not None]

    def configuration(self) -> dict[str, Any]:
        """Return what determines the content of the outputs, as plain JSON: no folders."""
        values: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        _each_path(values, lambda path: Path(path).name)
        values.get("randoms", {}).pop("out", None)
        return values


def _each_path(values: Mapping[str, Any], change: Callable[[str], str]) -> None:
    """Change the paths in the values of a plan, in place; leave what is no path."""
    for section, key in PATHS:
        inside = values.get(section) if section else values
        if isinstance(inside, dict) and isinstance(inside.get(key), str) and inside[key]:
            inside[key] = change(inside[key])
    cone = values.get("light_cone")
    snapshots: Any = cone.get("snapshots") if isinstance(cone, dict) else None
    if isinstance(cone, dict) and isinstance(snapshots, str):
        cone["snapshots"] = change(snapshots)
    if not isinstance(snapshots, list):
        return
    for n, one in enumerate(snapshots):
        if isinstance(one, str):
            snapshots[n] = change(one)
        elif isinstance(one, dict) and isinstance(one.get("sim"), str):
            one["sim"] = change(one["sim"])


def resolve(values: Mapping[str, Any], folder: Path) -> None:
    """Take the relative paths in the values of a plan from a folder, in place."""
    _each_path(values, lambda path: str(folder / path))
