"""Measure, grid and plot the galaxies at a path, into files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import registry
from ..errors import IncompleteError, InputError, MockgalError, ResourceError, UsageError, warn
from ..layout import EMPTY_REGIONS, MISSING_CHUNKS
from ..system.progress import shown
from ..types import DensityField, GalaxyCatalog, HaloCatalog, Scene
from .build import read, read_galaxies, select
from .one_statistic import measure, read_randoms

if TYPE_CHECKING:
    from ..statistics.result import Measurement

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Looked:
    """A catalogue that was read from a path.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    hosts : HaloCatalog or None
        The halos of its simulation, if that was read too.
    files : tuple of Path
        The files that were read.
    """

    galaxies: GalaxyCatalog
    hosts: HaloCatalog | None
    files: tuple[Path, ...]


def look(
    path: str | os.PathLike[str],
    *,
    sim: str | os.PathLike[str] | None = None,
    cuts: Iterable[str] = (),
    changed_by_hand: str | None = None,
    **options: Any,
) -> Looked:
    """Return the galaxies at ``path``: a mock that mockgal wrote, or a hydrodynamic run's own.

    Parameters
    ----------
    path : path-like
    sim : path-like, optional
        The simulation that a mock was painted on, to count its hosts.
    cuts : iterable of str
        Such as ``"stellar_mass > 1e9 Msun/h"``.
    changed_by_hand : str, optional
        For a mock: see `mockgal.read_galaxies`.
    **options
        See `mockgal.read`.

    Raises
    ------
    UsageError
        Reading options are given but no simulation is read, or ``sim`` is given beside a
        simulation.
    """
    from ..painters.hydro import own_galaxies
    from ..readers.mocks.reader import is_catalogue

    if is_catalogue(path):
        if options and sim is None:
            raise UsageError(
                path,
                f"{', '.join(options)}, for reading a simulation",
                "none: this is a mock",
                "leave them out",
            )
        galaxies, files = read_galaxies(path, changed_by_hand=changed_by_hand), [Path(path)]
        scene = None if sim is None else read(sim, **options)
    else:
        if sim is not None:
            raise UsageError(
                "--sim", f"{sim}, beside the simulation {path}", "one of them", "leave it out"
            )
        if changed_by_hand is not None:
            raise UsageError(
                "--changed-by-hand", f"the simulation {path}", "a mock", "leave it out"
            )
        scene = read(path, **options)
        galaxies, files = own_galaxies(scene), []
    if scene is not None:
        files += [Path(file.path) for file in scene.snapshot.source]
    reading = galaxies.provenance.get("simulation", {}).get("reading", {})
    missing, empty = reading.get(MISSING_CHUNKS), reading.get(EMPTY_REGIONS)
    if empty:
        warn(
            f"the simulation has {empty} empty regions, which were accepted "
            "(--allow-empty-regions): if halos are missing there, densities and clustering are "
            "those of a box with holes",
            stacklevel=2,
        )
    if missing:
        warn(
            f"the simulation was read without its chunks {missing}: densities and clustering are "
            "those of a box with holes",
            stacklevel=2,
        )
    return Looked(select(galaxies, *cuts), None if scene is None else scene.halos, tuple(files))


def measure_files(
    path: str | os.PathLike[str],
    statistics: Iterable[str],
    out: str | os.PathLike[str],
    *,
    sim: str | os.PathLike[str] | None = None,
    cross: str | os.PathLike[str] | None = None,
    cross_matter: str | os.PathLike[str] | None = None,
    randoms: str | os.PathLike[str] | None = None,
    cuts: Sequence[str] = (),
    read_options: Mapping[str, Any] | None = None,
    plots: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
    written: Callable[[Path, Measurement], None] | None = None,
    kept: Callable[[Path], None] | None = None,
    **options: Any,
) -> dict[Path, Measurement]:
    """Measure the galaxies at ``path``, and write a table and a plot for each statistic.

    Each statistic stands alone. Its table is written before the next one is measured, and a
    refusal, for want of memory or because this box does not allow it, does not affect the others.

    Parameters
    ----------
    path : path-like
        See `look`.
    statistics : iterable of str
    out : path-like
        Folder for ``<statistic>.ecsv`` and ``<statistic>.png``, created if it does not exist.
    sim, cuts, read_options
        See `look`.
    cross : path-like, optional
        Galaxies of the second sample, for statistics of two; read as those at ``path``, with the
        same cuts.
    cross_matter : path-like, optional
        Simulation whose matter is the second sample; or, beside ``sim``, a file with the matter of
        that simulation.
    randoms : path-like, optional
        For statistics on the sky: the randoms of the survey, which cuts on the sky or in redshift
        are applied to as well.
    plots : bool
    overwrite : bool
    progress : callable, optional
        Called with (done, total, what), for the statistics and for long work within them.
    written : callable, optional
        Called with the path of each table after it is written, or kept, and the result.
    kept : callable, optional
        Keep the tables that are there of the same galaxies, with the same options and by the same
        version of mockgal, and call this with the path of each.
    **options
        Options of the statistics; each goes to the statistics that have it.

    Returns
    -------
    dict of Path to Measurement
        The results, by path of the table.

    Raises
    ------
    IncompleteError
        Some statistics were refused; a warning for each gives the way out. The tables of the
        others are written.
    MockgalError
        All statistics were refused: the error of the first.
    """
    from ..reports.figures import save_figure, single
    from ..statistics.names import (
        asked,
        check,
        check_cross,
        check_randoms,
        is_of_two,
        is_on_the_sky,
        options_of,
        takes_hosts,
        values_of,
    )
    from ..system.files.atomic import check_output

    names, folder = list(dict.fromkeys(statistics)), Path(out)
    check(names, options)
    tables = {name: folder / f"{name}.ecsv" for name in names}
    if not os.path.isdir(folder):
        check_output(folder, overwrite=False)
    else:
        for table in tables.values() if kept is None else ():
            for target in (table, table.with_suffix(".png"))[: 1 + plots]:
                check_output(target, overwrite, [Path(path)])
    looked, second = _samples(path, cross, cross_matter, sim, cuts, read_options or {})
    check_cross(names, second)
    points = None
    if randoms is not None:
        own_file = {key: x for key, x in (read_options or {}).items() if key == "changed_by_hand"}
        points = read_randoms(randoms, cuts, **own_file)
    check_randoms(names, points)
    h = looked.galaxies.snapshot.cosmology.h
    own = {name: values_of(name, options, h) for name in names}  # before anything is measured
    results: dict[Path, Measurement] = {}
    refused: dict[str, MockgalError] = {}
    for done, (name, table) in enumerate(tables.items()):
        if progress is not None:
            progress(done, len(names), "statistics")
        samples: dict[str, Any] = {
            "hosts": looked.hosts if takes_hosts(name) else None,
            "cross": second if is_of_two(name) else None,
            "randoms": points if is_on_the_sky(name) else None,
        }
        if kept is not None:
            stored = _stored(table, name, asked(looked.galaxies, **samples, options=own[name]))
            if stored is not None:
                kept(table)
                results[table] = stored
                if written is not None:
                    written(table, stored)
                continue
            if table.exists():
                check_output(table, overwrite, [Path(path)])
        try:
            with shown(progress):
                result = measure(looked.galaxies, name, **samples, **own[name])
        except (UsageError, InputError, ResourceError, MemoryError) as error:
            refused[name] = _refusal(name, error)
            continue
        _make_folder(folder)
        result.save(table, overwrite=overwrite)
        results[table] = result
        if written is not None:
            written(table, result)
        if plots:
            save_figure(single(result), table.with_suffix(".png"), overwrite=overwrite)
    if progress is not None:
        progress(len(names), len(names), "statistics")
    for option in options if results else ():
        without = [name for name in names if option not in options_of(name)]
        if without:
            warn(f"option {option} has no effect on {', '.join(without)}", stacklevel=2)
    _check_all_measured(refused, bool(results))
    return results


def _stored(table: Path, name: str, wanted: Mapping[str, Any]) -> Measurement | None:
    """Return the result in a table, if it is of this statistic, and says all that is wanted."""
    from ..statistics.stored import read as read_result

    if not table.is_file():
        return None
    try:
        result = read_result(table)
    except MockgalError:
        return None
    same = all(result.settings.get(key) == value for key, value in wanted.items())
    return result if same and result.statistic == name else None


def _samples(
    path: str | os.PathLike[str],
    cross: str | os.PathLike[str] | None,
    matter: str | os.PathLike[str] | None,
    sim: str | os.PathLike[str] | None,
    cuts: Sequence[str],
    options: Mapping[str, Any],
) -> tuple[Looked, GalaxyCatalog | Scene | None]:
    """Return the galaxies to measure, and the second sample if there is one.

    An option that is about mocks or about simulations is for the inputs of that kind.
    """
    from ..readers.mocks.reader import is_catalogue

    if cross is not None and matter is not None:
        raise UsageError(
            "--cross-matter", f"{matter}, beside --cross {cross}", "one of them", "leave one out"
        )
    facts = {key: options[key] for key in options if key.startswith("matter_")}
    apart = matter is not None and sim is not None
    apart = apart and os.path.realpath(sim) != os.path.realpath(matter)  # type: ignore[arg-type]
    if facts and not apart:
        flag = "--" + next(iter(facts)).replace("_", "-")
        raise UsageError(
            flag,
            "no file of matter beside a simulation",
            "--sim SIM --cross-matter FILE, about which it states a fact",
            f"leave {flag} out, or give both",
        )
    options = {key: value for key, value in options.items() if key not in facts}
    of_mocks = {key: options[key] for key in options if key == "changed_by_hand"}
    of_simulations = {key: options[key] for key in options if key not in of_mocks}
    own, kept = is_catalogue(path), dict(options)
    other = cross is not None and is_catalogue(cross)
    if own and sim is None and (matter is not None or (cross is not None and not other)):
        kept = of_mocks  # the second sample has the rest
    elif not own and other:
        kept = of_simulations
    looked = look(path, sim=sim, cuts=cuts, **kept)
    if cross is not None:
        return looked, look(cross, cuts=cuts, **(of_mocks if other else of_simulations)).galaxies
    if matter is None:
        return looked, None
    if not apart:
        return looked, read(matter, **of_simulations)
    return looked, read(sim, matter=matter, **of_simulations, **facts)


def _refusal(name: str, error: Exception) -> MockgalError:
    """Return why a statistic was not measured."""
    if isinstance(error, MockgalError):
        return error
    return ResourceError(
        name, "too little memory for it", "", "measure it on its own, or on a machine with more"
    )


def _make_folder(folder: Path) -> None:
    from ..system.files.lock import output_error

    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


def _check_all_measured(refused: Mapping[str, MockgalError], some: bool) -> None:
    """Raise if a statistic was refused; warn of the reasons that the error does not give.

    Raises
    ------
    IncompleteError
        Other statistics were measured.
    MockgalError
        None was measured.
    """
    if not refused:
        return
    if not some:
        first, *others = refused.values()
        for error in {str(other): other for other in others if str(other) != str(first)}.values():
            warn(f"not measured either: {error}", stacklevel=3)
        raise first
    for name, error in refused.items():
        warn(f"{name} was not measured: {error}", stacklevel=3)
    raise IncompleteError(
        "measure",
        f"{', '.join(refused)} not measured; the tables of the others are written",
        "all statistics",
        f"follow the warnings, then measure these alone with --statistic {','.join(refused)}",
    )


def all_statistics(
    *, of_two: bool | None = False, on_the_sky: bool | None = False
) -> tuple[str, ...]:
    """Return the names of the available statistics.

    Parameters
    ----------
    of_two : bool or None
        Those of two samples, those of one, or either (None).
    on_the_sky : bool or None
        Those of galaxies on the sky, those of a box, or either (None).
    """
    from ..statistics.names import is_of_two, is_on_the_sky

    names = [name for name, _ in registry.working("statistics")]
    return tuple(
        name
        for name in names
        if of_two in (None, is_of_two(name)) and on_the_sky in (None, is_on_the_sky(name))
    )


def field_file(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    grid_size: int,
    assignment: str = "CIC",
    weight: str = "stellar_mass",
    cuts: Iterable[str] = (),
    read_options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> DensityField:
    """Write the stellar mass of the galaxies at ``path`` on a grid.

    Parameters
    ----------
    path : path-like
        See `look`.
    out : path-like
        .hdf5 or .h5; see docs/reference/density-grid.md.
    grid_size : int
        Voxels along each side. The whole grid is never held in memory.
    assignment : str
        NGP, CIC, TSC or PCS.
    weight : str
        ``"stellar_mass"`` [Msun/h], or ``"number"`` for 1 each.
    cuts, read_options
        See `look`.
    overwrite : bool
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    DensityField
        The grid that was written.
    """
    from ..fields.assign import SUPPORT
    from ..fields.painted import painted_field
    from ..fields.sample import WEIGHTS
    from ..system.files.atomic import check_output
    from ..system.files.lock import output_lock
    from ..writers.density import write_density

    target = Path(out)
    if target.suffix.lower() not in (".hdf5", ".h5"):
        raise UsageError(out, f"extension {target.suffix!r}", ".hdf5 or .h5", "name it so")
    check_output(target, overwrite, [Path(path)])
    with output_lock(target):
        looked = look(path, cuts=cuts, **(read_options or {}))
        galaxies = looked.galaxies
        grid = painted_field(galaxies, grid_size=grid_size, assignment=assignment, weight=weight)
        write_density(
            grid,
            galaxies.snapshot,
            target,
            quantity=WEIGHTS[weight],
            provenance={**galaxies.provenance, "content_digest": galaxies.digest()},
            overwrite=overwrite,
            inputs=looked.files,
            # Empty voxels compress to next to nothing.
            most_filled=len(galaxies) * SUPPORT[assignment] ** 3,
            progress=progress,
        )
    return grid
