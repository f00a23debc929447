"""Read, populate, paint, select and write, one function each; `build` does all in turn."""

from __future__ import annotations

import inspect as introspection
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..columns import GALAXY_COLUMNS
from ..errors import EmptyResultError, UsageError, listening
from ..laws.satellites import SatelliteLaw
from ..layout import WARNINGS
from ..options import check_names
from ..painters.choose import (
    check_painter_options,
    guarded,
    made,
    predict_satellites,
)
from ..painters.choose import make_painter as make_painter
from ..protocols import Painter, takes
from ..types import GalaxyCatalog, Scene
from .steps.read import read as read
from .steps.read import read_galaxies as read_galaxies
from .write import write as write

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..satellites.options import SatelliteOptions
    from .surveying.outputs import Outputs
    from .surveying.steps import Survey


@takes(Scene)
def paint(
    sim: Scene, painter: str | Painter = "hod", *, seed: int, **options: Any
) -> GalaxyCatalog:
    """Give every subhalo of ``sim`` its galaxy.

    Parameters
    ----------
    sim : Scene
    painter : str or Painter
        A name (`mockgal.registry`) or a painter.
    seed : int
        The same simulation, painter and seed give the same galaxies.
    **options
        Options of the painter, such as ``calibration="gadget4-z0.00"``.

    Returns
    -------
    GalaxyCatalog
        One row for each luminous subhalo, in comoving Mpc/h, Msun/h and peculiar km/s, with the
        painter's prediction, what was not painted, and all warnings in its provenance.

    Raises
    ------
    UsageError
        There is no such painter or option.
    DomainError
        The simulation is outside the range in which the painter is valid.
    MissingDatasetError
        It lacks something that the painter needs, such as particles.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> len(mock), mock["stellar_mass"].shape
    (333, (333,))
    """
    from ..painters.draw import join, paint_scene
    from ..survey.sky import observe

    name = painter if isinstance(painter, str) else None
    painter = made("paint", painter, options)
    with guarded(name, sim):
        pieces = (paint_scene(tile, painter, seed=seed) for tile in tiles(sim))
        galaxies = _recording(lambda: join(list(pieces), sim))
    return galaxies if galaxies.frame == "box" else observe(galaxies)


@takes(Scene)
def populate(
    sim: Scene,
    painter: str | Painter | SatelliteLaw = "hod",
    *,
    seed: int,
    numbers: str = "poisson",
    profile: str = "nfw",
    concentration: str | float = "duffy08",
    velocity: str = "jeans",
    velocity_bias: float = 1.0,
    radius_definition: str | None = None,
    **painter_options: Any,
) -> Scene:
    """Add satellites to hosts that come without subhalos, before they are painted.

    Parameters
    ----------
    sim : Scene
        A catalogue of hosts alone.
    painter : str, Painter or SatelliteLaw
        A painter that predicts satellites, by name or as an object; or the law itself.
    seed : int
        The same hosts, law, options and seed give the same satellites.
    numbers : str
        Distribution of the number of satellites: ``"poisson"``, or ``"measured"`` for the
        variance of the law.
    profile : str
        Positions of satellites: ``"nfw"`` within the host's radius, or ``"measured"`` for the
        radii of the law.
    concentration : str or float
        Concentration of the hosts: ``"duffy08"``, ``"dutton_maccio14"``, ``"catalogue"`` for the
        column of the input, or one number.
    velocity : str
        Velocities of satellites: ``"jeans"`` for isotropic orbits in an NFW halo, or
        ``"measured"`` for the dispersion of the law.
    velocity_bias : float
        Factor on the velocity dispersion.
    radius_definition : str, optional
        Only for friends-of-friends masses, which have no radius: the definition to assume for
        them, 200c, 500c, 200m or vir.
    **painter_options
        Options of a painter given by name, as for `paint`: ``calibration="my-run.ecsv"``, or
        ``model="leauthaud11", luminosity_floor="1e9 Msun/h"``.

    Returns
    -------
    Scene
        Hosts and satellites, with the options and counts in ``halos.record["populate"]``.

    Raises
    ------
    UsageError
        An option is unknown, the painter predicts no satellites, or hosts already have some.
    MockgalError
        See `mockgal.satellites.make.populate`.

    Examples
    --------
    >>> import dataclasses
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> hosts = sim.halos.take(sim.halos["is_central"].nonzero()[0])
    >>> alone = dataclasses.replace(sim, halos=hosts)
    >>> full = mockgal.populate(alone, "hod", seed=1)
    >>> len(full.halos) - len(hosts) == full.halos.record["populate"]["satellites"]
    True
    """
    arguments = locals()
    from ..satellites.options import SatelliteOptions

    options = SatelliteOptions(
        **{field.name: arguments[field.name] for field in fields(SatelliteOptions)}
    )
    if isinstance(painter, str):
        check_painter_options("populate", painter, painter_options, asdict(options))
    elif painter_options:
        raise UsageError(
            "populate",
            f"option {', '.join(painter_options)}",
            "one of " + ", ".join(asdict(options)),
            "set the options when you make the painter, or pass the painter by name",
        )
    return _populate(sim, painter, seed, options, painter_options)


def satellite_options(options: dict[str, Any]) -> SatelliteOptions:
    """Return the checked options of `populate`.

    Raises
    ------
    UsageError
        An option is unknown, or its value is not allowed.
    """
    from ..satellites.options import SatelliteOptions

    check_names("populate", options, introspection.signature(SatelliteOptions).parameters)
    return SatelliteOptions(**options)


def _populate(
    sim: Scene,
    painter: str | Painter | SatelliteLaw,
    seed: int,
    options: SatelliteOptions,
    painter_options: dict[str, Any],
) -> Scene:
    from ..satellites.make import check_hosts_only
    from ..satellites.make import populate as make_satellites

    check_hosts_only(sim)
    with listening() as warnings:
        if isinstance(painter, SatelliteLaw):
            law = painter
        else:
            with guarded(painter if isinstance(painter, str) else None, sim):
                law = predict_satellites(sim, made("populate", painter, painter_options))
        populated = make_satellites(sim, law, seed=seed, options=options)
    if not warnings:
        return populated
    record = {**populated.snapshot.record, WARNINGS[1]: warnings}
    return replace(populated, snapshot=replace(populated.snapshot, record=record))


def _recording(make: Callable[[], GalaxyCatalog]) -> GalaxyCatalog:
    """Return the catalogue from ``make``, with the warnings of that call in its provenance."""
    with listening() as warnings:
        galaxies = make()
    return galaxies.with_provenance(warnings=[*galaxies.provenance.get("warnings", []), *warnings])


def tiles(sim: Scene) -> Iterator[Scene]:
    """Yield the tiles of a box; a box whose halos fit in memory is one tile."""
    yield sim


@takes(GalaxyCatalog)
def select(galaxies: GalaxyCatalog, *cuts: str) -> GalaxyCatalog:
    """Return the galaxies that pass all cuts.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    *cuts : str
        Such as ``"stellar_mass > 1e9 Msun/h"``: a column, a comparison, and a number with its unit
        (docs/reference/cuts.md).

    Returns
    -------
    GalaxyCatalog
        Each cut is recorded, with the numbers of galaxies before and after.

    Raises
    ------
    CutError
        A cut cannot be parsed, or lacks its unit.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> bright = mockgal.select(mock, "stellar_mass > 3e9 Msun/h")
    >>> len(bright), bright.provenance["cuts"][0]["before"]
    (297, 333)
    """
    from ..selection.cuts import select as apply_cuts

    return _recording(lambda: apply_cuts(galaxies, *cuts))


@dataclass(frozen=True)
class Report:
    """The result of a build.

    Parameters
    ----------
    path : Path
        File of the catalogue.
    scene : Scene
        The simulation that was painted.
    galaxies : GalaxyCatalog
        The galaxies that were written.
    randoms : GalaxyCatalog or None
        The randoms of a survey, and
    randoms_path : Path or None
        their file.
    density_path : Path or None
        File of the number density by redshift, which some data models have.
    digests : tuple of str
        Content digests of the galaxies, and of the randoms or "".
    """

    path: Path
    scene: Scene
    galaxies: GalaxyCatalog
    randoms: GalaxyCatalog | None
    randoms_path: Path | None
    density_path: Path | None
    digests: tuple[str, str]


def build(recipe: Recipe) -> Report:
    """Read, paint, select, survey and write as a recipe describes.

    Parameters
    ----------
    recipe : Recipe
        Made from the keys of a recipe (docs/reference/recipe.md) by `mockgal.recipe.check`.

    Raises
    ------
    MockgalError
        Any step failed; the output files are left untouched.

    Returns
    -------
    Report
        The path of the file, the simulation that was painted, the galaxies and the randoms.

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> recipe = {"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "seed": 1, "out": "mock.fits"}
    >>> len(mockgal.build(check(recipe, "an example")).galaxies)
    333
    """
    from ..painters.provided import declared_columns
    from ..selection.cuts import parse
    from .surveying.outputs import Outputs

    # Bad options are refused before any work.
    outputs = Outputs.of(recipe, recipe.output)
    painter = make_painter(recipe.painter, recipe.painter_options)
    for cut in recipe.cut:
        parse(cut, declared_columns(painter))
    satellites = satellite_options(recipe.populate_options) if recipe.populate else None
    snapshots = _snapshots(recipe, painter)
    survey = None
    if recipe.survey is not None:
        from .surveying.steps import Survey  # with scipy's splines, which take a while to import

        survey = Survey.of(recipe.survey)
    outputs.check(_inputs(recipe))
    with outputs.locked():  # a second run is stopped before it computes anything
        return _build(recipe, outputs, snapshots, satellites, survey)


def _snapshots(recipe: Recipe, painter: Painter) -> list[tuple[Path, Painter]]:
    """Return the snapshots of a recipe, each with its painter."""
    cone = None if recipe.survey is None else recipe.survey.light_cone
    others = () if cone is None else cone.snapshots
    return [
        (recipe.sim, painter),
        *(
            (one.sim, make_painter(recipe.painter, recipe.painter_options | one.painter_options))
            for one in others
        ),
    ]


def _inputs(recipe: Recipe) -> list[Path]:
    """Return the paths that a recipe names to read."""
    paths = [recipe.sim, recipe.matter]
    if recipe.survey is not None:
        paths += recipe.survey.inputs
    return [path for path in paths if path is not None]


def _columns(sim: Scene, survey: Survey | None) -> list[str]:
    """Return the columns that the galaxies of a simulation have after a survey."""
    from ..survey.sky import SKY_COLUMNS

    sky = SKY_COLUMNS if sim.snapshot.frame == "sky" else ()
    return [*GALAXY_COLUMNS, *sky, *(() if survey is None else survey.columns)]


def _build(
    recipe: Recipe,
    outputs: Outputs,
    snapshots: list[tuple[Path, Painter]],
    satellites: SatelliteOptions | None,
    survey: Survey | None,
) -> Report:
    """Do the work of `build`, with the outputs locked."""
    from ..painters.provided import bytes_of_a_galaxy

    scenes, boxes = [], []
    inputs = _inputs(recipe)
    for path, painter in snapshots:
        matter = recipe.matter if path is recipe.sim else None
        sim = read(path, format=recipe.format, matter=matter, **recipe.read_options._asdict())
        if survey is not None:
            survey.check_frame(sim.snapshot.frame == "sky")
        if satellites is not None:
            with guarded(recipe.painter, sim):
                sim = _populate(sim, painter, recipe.seed, satellites, {})
        inputs += [Path(file.path) for file in sim.snapshot.source]
        outputs.writer.check_columns(_columns(sim, survey), outputs.galaxies)
        outputs.check(inputs, bytes_of_a_galaxy(painter) * len(sim.halos))
        with guarded(recipe.painter, sim):
            galaxies = paint(sim, painter, seed=recipe.seed)
        scenes.append(sim)
        boxes.append(select(galaxies, *recipe.cut))
    galaxies, randoms = boxes[0], None
    if survey is not None:
        galaxies, randoms = survey.carry_out(boxes, recipe.seed)
    if recipe.require_nonempty and not len(galaxies):
        raise EmptyResultError(
            recipe.sim,
            "no galaxy that passes the cuts",
            "at least one",
            "loosen the cuts, or omit --require-nonempty",
        )
    stated = {
        "configuration": recipe.configuration(),
        "configuration_digest": recipe.configuration_digest(),
    }
    galaxies = galaxies.with_provenance(**stated)
    randoms = randoms and randoms.with_provenance(**stated)
    density = outputs.write(galaxies, randoms, inputs)
    source = [file for sim in scenes for file in sim.snapshot.source]
    digests = outputs.record(galaxies, randoms, source)
    return Report(outputs.galaxies, scenes[0], galaxies, randoms, outputs.randoms, density, digests)
