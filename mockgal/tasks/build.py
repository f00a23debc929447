"""Read, populate, paint, select and write, one function each; `build` does all in turn."""

from __future__ import annotations

import inspect as introspection
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EmptyResultError, InputError, OutputError, UsageError, listening, renamed, warn
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
from ..protocols import Painter, ReadOptions, read_options, takes
from ..quantity import stated_facts
from ..system.memory import peak_memory
from ..types import GalaxyCatalog, Scene
from .write import CHUNK_ROWS, FileWriter, writer_for
from .write import write as write

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..satellites.options import SatelliteOptions


@renamed(density="matter")
def read(
    path: object,
    *,
    format: str | None = None,
    matter: str | os.PathLike[str] | None = None,
    mass_definition: str | None = None,
    drop_bad: bool = False,
    orphans: str = "refuse",
    centred_origin: bool = False,
    allow_empty_regions: bool = False,
    allow_missing_chunks: bool = False,
    superslab: str | None = None,
    uncleaned: bool = False,
    stellar_mass_definition: str | None = None,
    h: float | None = None,
    omega_m: float | None = None,
    omega_lambda: float | None = None,
    w0: float | None = None,
    wa: float | None = None,
    box_size: float | str | None = None,
    redshift: float | None = None,
    particle_mass: float | str | None = None,
    columns: str | Mapping[str, Any] | None = None,
    matter_kind: str | None = None,
    matter_assignment: str | None = None,
    matter_origin: str | None = None,
    matter_dataset: str | None = None,
    chunk_rows: int = 1 << 20,
) -> Scene:
    """Return a simulation: its halos and, where there are any, its particles or density.

    Parameters
    ----------
    path : path-like or object
        A bundle, one file of a set, or a directory; a halo catalogue of halotools; or a table of
        halos: an astropy Table, a frame of pandas or polars, or a dict of arrays.
    format : str, optional
        Name of the reader (docs/how-to/read-your-simulation.md); by default found from the content.
    matter : path-like, optional
        Its matter, in place of its own: particles or a density grid.
    mass_definition : str, optional
        Host mass to read: 200c, 500c, 200m, vir, fof or compaso. By default the reader's documented
        choice, which is recorded.
    drop_bad : bool
        Drop and count bad rows instead of refusing the file: those with NaN, infinite or negative
        masses or velocities, and centrals of zero host mass with their satellites.
    orphans : str
        Treatment of satellites whose host is not in the catalogue: ``"refuse"``, ``"drop"`` them,
        or make each a ``"central"``.
    centred_origin : bool
        Positions are in [-L/2, L/2); they are wrapped to [0, L).
    allow_empty_regions : bool
        Accept a box with regions that hold no halo.
    allow_missing_chunks : bool
        Read a catalogue with missing files: only the groups whose subhalos are all present.
    superslab : str, optional
        Superslabs of a CompaSO catalogue to read, such as ``"3"`` or ``"0-3"``; by default all.
    uncleaned : bool
        Read a CompaSO catalogue as its halos were found, without its cleaning.
    stellar_mass_definition : str, optional
        Stars counted in a hydrodynamic run: ``"bound"`` or ``"2rhalf"``. By default all bound
        stars, which is recorded.
    h, omega_m, omega_lambda : float, optional
        H0 over 100 km/s/Mpc, and density parameters today, for files that do not state them.
    w0, wa : float, optional
        Equation of state of dark energy, w0 + wa (1 - a), for files that do not state it.
    box_size : float or str, optional
        Side of the box, for files that do not state it: in comoving Mpc/h, or ``"100 Mpc"``.
    redshift : float, optional
        Redshift, for files that do not state it.
    particle_mass : float or str, optional
        The same for the mass of a dark matter particle: in Msun/h, or ``"1e9 Msun/h"``.
    columns : str or mapping, optional
        For tables: ``"position=x y z [kpc/h], ..."``, or the same by quantity.
    matter_kind, matter_assignment, matter_origin : str, optional
        What a density grid is, for files that do not state it: ``"counts"``, ``"mass"`` (in
        Msun/h), ``"delta"`` or ``"1+delta"``; NGP, CIC, TSC or PCS; ``"corner"`` or ``"centre"``.
    matter_dataset : str, optional
        Name of the grid, if there are several.
    chunk_rows : int
        Rows read at a time; the result does not depend on it.

    Returns
    -------
    Scene
        In comoving Mpc/h, Msun/h and peculiar km/s.

    Raises
    ------
    MockgalError
        See docs/reference/exit-codes.md.
    """
    options = read_options(locals())
    from ..readers.detect import read as read_scene
    from ..readers.matter.beside import check_facts, with_matter
    from ..readers.tables.quantities import map_text

    options = ReadOptions(**stated_facts(options._asdict()))
    options = options._replace(columns=map_text(options.columns) or None)
    check_facts(matter is not None, options)
    try:
        with listening() as warnings:
            scene: Scene = read_scene(path, options, format)
            if matter is not None:
                scene = with_matter(scene, Path(matter), options)
    except OSError as error:  # from a folder: readers handle errors of their files
        raise InputError(
            path,
            f"that it cannot be read ({error.strerror or error})",
            "a file or folder that may be read",
            "check the name and the permissions",
        ) from error
    defaults = ReadOptions()._asdict()
    given = {
        key: value
        for key, value in options._asdict().items()
        if value != defaults[key] and key != "chunk_rows"  # does not change the result
    }
    record = {**scene.snapshot.record}
    if given:
        record["options_given"] = {**record.get("options_given", {}), **given}
    if warnings:  # a bundle may carry the warnings of its packing
        record[WARNINGS[0]] = list(dict.fromkeys([*record.get(WARNINGS[0], ()), *warnings]))
    if record == dict(scene.snapshot.record):
        return scene
    return replace(scene, snapshot=replace(scene.snapshot, record=record))


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
    """
    from ..selection.cuts import select as apply_cuts

    return _recording(lambda: apply_cuts(galaxies, *cuts))


def read_galaxies(
    path: str | os.PathLike[str],
    columns: Iterable[str] | None = None,
    *,
    chunk_rows: int = CHUNK_ROWS,
    changed_by_hand: str | None = None,
) -> GalaxyCatalog:
    """Read a FITS, HDF5 or Parquet catalogue that `write` or `build` wrote, in internal units.

    Parameters
    ----------
    path : path-like
    columns : iterable of str, optional
        Names of `mockgal.columns.GALAXY_COLUMNS` to read; memory is used for these and for the
        two ids, which are always read. By default all columns of the file.
    chunk_rows : int
        Rows held in memory beside the result, which does not depend on it.
    changed_by_hand : str, optional
        Reason why the file was changed after it was written: other numbers, for instance by h5py;
        in FITS and Parquet also other rows or columns, by astropy or pyarrow. A warning says so,
        and the reason is kept in ``provenance["changed_by_hand"]``.

    Returns
    -------
    GalaxyCatalog
        From a file in h units: the numbers that were written, with their content digest checked.
        From an h-free file: lengths and masses to within one unit in the last place, with the
        digest of the written catalogue in ``provenance["read_from"]``.

    Raises
    ------
    MockgalError
        Exit code 3 for a damaged file, or one that mockgal did not write; 4 for an unsafe file; 2
        for a column that the file does not have.
    """
    from ..readers.mocks.reader import read_galaxies as read_catalogue

    return read_catalogue(path, columns, chunk_rows=chunk_rows, changed_by_hand=changed_by_hand)


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
    """
    from ..painters.provided import declared_columns
    from ..selection.cuts import parse
    from ..system.files.atomic import check_output
    from ..system.files.lock import output_lock
    from ..writers.provenance import sidecar_path

    started = time.time()
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
    started: float,
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
        "started": started,
        "seconds": time.time() - started,
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
