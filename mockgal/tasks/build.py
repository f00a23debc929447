"""Read, populate, paint, select and write, one function each; `build` does all in turn."""

from __future__ import annotations

import inspect as introspection
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EmptyResultError, OutputError, UsageError, listening, warn
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
from ..system.memory import peak_memory
from ..types import GalaxyCatalog, Scene
from .steps.read import read as read
from .steps.read import read_galaxies as read_galaxies
from .write import CHUNK_ROWS, FileWriter, writer_for
from .write import write as write

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..satellites.options import SatelliteOptions


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
    """

    path: Path
    scene: Scene
    galaxies: GalaxyCatalog


def build(recipe: Recipe) -> Report:
    """Read, paint, select and write as a recipe describes.

    Parameters
    ----------
    recipe : Recipe
        Made from the keys of a recipe (docs/reference/recipe.md) by `mockgal.recipe.check`.

    Raises
    ------
    MockgalError
        Any step failed; the output file is left untouched.

    Returns
    -------
    Report
        The path of the file, the simulation that was painted, and the galaxies.

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> recipe = {"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "seed": 1, "out": "mock.fits"}
    >>> len(mockgal.build(check(recipe, "an example")).galaxies)
    333
    """
    from ..painters.provided import declared_columns
    from ..selection.cuts import parse
    from ..system.files.atomic import check_output
    from ..system.files.lock import output_lock
    from ..writers.provenance import sidecar_path

    started = time.time(), time.process_time()
    out, overwrite = recipe.output, recipe.overwrite

    def preflight(inputs: list[Path], expected_bytes: int = 0) -> None:
        check_output(out, overwrite, inputs, expected_bytes)
        check_output(sidecar_path(out), overwrite, inputs)

    # Bad options are refused before any work.
    writer = writer_for(out, compress=recipe.compress)
    painter = make_painter(recipe.painter, recipe.painter_options)
    for cut in recipe.cut:
        parse(cut, declared_columns(painter))
    satellites = satellite_options(recipe.populate_options) if recipe.populate else None
    preflight([path for path in (recipe.sim, recipe.matter) if path is not None])
    # The lock stops a second run before it computes anything.
    with output_lock(out) as cleaned_up, output_lock(sidecar_path(out)) as beside:
        return _build(recipe, writer, painter, satellites, preflight, started, cleaned_up + beside)


def _build(
    recipe: Recipe,
    writer: FileWriter,
    painter: Painter,
    satellites: SatelliteOptions | None,
    preflight: Callable[[list[Path], int], None],
    started: tuple[float, float],
    cleaned_up: list[str],
) -> Report:
    """Do the work of `build`, with the output locked."""
    from ..painters.provided import bytes_of_a_galaxy
    from ..writers.provenance import write_sidecar

    out, overwrite = recipe.output, recipe.overwrite
    options = recipe.read_options._asdict()
    sim = read(recipe.sim, format=recipe.format, matter=recipe.matter, **options)
    if satellites is not None:
        with guarded(recipe.painter, sim):
            sim = _populate(sim, painter, recipe.seed, satellites, {})
    inputs = [Path(file.path) for file in sim.snapshot.source]
    preflight(inputs, bytes_of_a_galaxy(painter) * len(sim.halos))

    with guarded(recipe.painter, sim):
        galaxies = paint(sim, painter, seed=recipe.seed)
    galaxies = select(galaxies, *recipe.cut)
    if recipe.require_nonempty and not len(galaxies):
        raise EmptyResultError(
            recipe.sim,
            "no galaxy that passes the cuts",
            "at least one",
            "loosen the cuts, or omit --require-nonempty",
        )
    galaxies = galaxies.with_provenance(
        configuration=recipe.configuration(), configuration_digest=recipe.configuration_digest()
    )
    writer.write(
        galaxies,
        out,
        units=recipe.units,
        overwrite=overwrite,
        chunk_rows=CHUNK_ROWS,
        inputs=inputs,
    )
    facts = {
        "host": platform.node(),
        "started": started[0],
        "seconds": time.time() - started[0],
        "cpu_seconds": time.process_time() - started[1],
        "peak_memory_bytes": peak_memory(),
        "python": platform.python_version(),
        "arguments": sys.argv,
        "input_files": [file._asdict() for file in sim.snapshot.source],
        "content_digest": galaxies.digest(),
        "cleaned_up": cleaned_up,
    }
    try:
        write_sidecar(out, facts, overwrite=overwrite)
    except OutputError as error:  # the catalogue is written and complete
        warn(f"the record of the run was not written: {error}", stacklevel=2)
    return Report(out, sim, galaxies)
