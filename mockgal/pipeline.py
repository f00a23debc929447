"""Joins the rooms: read, paint, select, write, one function each, and `build` for all four."""

from __future__ import annotations

import inspect as introspection
import os
import platform
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import registry
from .errors import EmptyResultError, MockgalWarning, UsageError
from .protocols import Painter, ReadOptions, Writer
from .types import GalaxyCatalog, Scene

if TYPE_CHECKING:
    from astropy.table import QTable

    from .recipe import Recipe

CHUNK_ROWS = 1 << 16


def read(path: str | os.PathLike[str], *, format: str | None = None, **options: Any) -> Scene:
    """A simulation: its halos and, where there are any, its particles or density.

    Parameters
    ----------
    path : path-like
        A bundle, one file of a set, or a directory.
    format : str, optional
        Name of the reader; by default found from the content.
    **options
        Fields of `mockgal.protocols.ReadOptions`, such as ``mass_definition="200m"``.

    Returns
    -------
    Scene
        In comoving Mpc/h, Msun/h and peculiar km/s.

    Raises
    ------
    MockgalError
        See docs/reference/exit-codes.md.
    """
    from .read.detect import read as read_scene

    _check_options("read", options, ReadOptions._fields)
    scene: Scene = read_scene(Path(path), ReadOptions(**options), format)
    return scene


def make_painter(name: str, options: dict[str, Any]) -> Painter:
    """The painter ``name`` with its options.

    Raises
    ------
    UsageError
        No such painter, or an option that it does not have.
    """
    painter_class = registry.load("painters", name)
    allowed = introspection.signature(painter_class).parameters
    _check_options(f"painter {name}", options, allowed)
    painter: Painter = painter_class(**options)
    return painter


def _check_options(where: str, options: dict[str, Any], allowed: Iterable[str]) -> None:
    unknown = [key for key in options if key not in allowed]
    if unknown:
        raise UsageError(where, f"option {', '.join(unknown)}", "one of " + ", ".join(allowed))


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
        Same simulation, painter and seed: same galaxies.
    **options
        The painter's own, such as ``calibration="gadget4-z0.00"``.
    """
    from .paint.draw import join, paint_scene

    if isinstance(painter, str):
        painter = make_painter(painter, options)
    return join([paint_scene(tile, painter, seed=seed) for tile in tiles(sim)], sim)


def tiles(sim: Scene) -> Iterator[Scene]:
    """The tiles of a box; a box whose halos fit in memory is one tile."""
    yield sim


def select(galaxies: GalaxyCatalog, *cuts: str) -> GalaxyCatalog:
    """The galaxies that pass all ``cuts``, such as ``"stellar_mass > 1e9 Msun/h"``."""
    from .select.cuts import select as apply_cuts

    return apply_cuts(galaxies, *cuts)


def to_table(galaxies: GalaxyCatalog, units: str = "h-free") -> QTable:
    """The catalogue as an astropy `QTable` with units (``"h-free"`` or ``"h"``)."""
    from .write.table import to_table as make_table

    return make_table(galaxies, units)


def writer_for(path: Path) -> Writer:
    """The writer whose extension ``path`` has.

    Raises
    ------
    UsageError
        No writer has it.
    """
    extensions: list[str] = []
    for name in registry.names("writers"):
        writer: Writer = registry.load("writers", name)()
        if path.suffix.lower() in writer.extensions:
            return writer
        extensions += writer.extensions
    raise UsageError(
        path,
        f"extension {path.suffix!r}",
        "one of " + ", ".join(extensions),
        "the extension of --out names the format",
    )


def write(
    galaxies: GalaxyCatalog,
    path: str | os.PathLike[str],
    *,
    units: str = "h-free",
    overwrite: bool = False,
) -> None:
    """Write a catalogue, whole or not at all; the extension names the format."""
    writer_for(Path(path)).write(
        galaxies, Path(path), units=units, overwrite=overwrite, chunk_rows=CHUNK_ROWS
    )


def pack(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    particles: bool = True,
    density: str | os.PathLike[str] | None = None,
    format: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    **options: Any,
) -> Scene:
    """Put a simulation into one bundle file, and return what was packed.

    Parameters
    ----------
    path, out : path-like
    overwrite : bool
    particles : bool
        Whether to pack the particles, where there are any.
    density : path-like, optional
        A density grid to pack with it.
    format, **options
        See `read`.
    progress : callable, optional
        Called with (done, total, what).
    """
    from .read.density import read_density
    from .write.atomic import check_output
    from .write.bundle import write_bundle

    check_output(Path(out), overwrite=overwrite, inputs=_files_below(Path(path)))
    sim = read(path, format=format, **options)
    grid = None if density is None else read_density(Path(density), sim.snapshot)
    write_bundle(
        sim, Path(out), overwrite=overwrite, particles=particles, density=grid, progress=progress
    )
    return sim


@dataclass(frozen=True)
class Report:
    """What a build did.

    Parameters
    ----------
    path : Path
        The catalogue.
    scene : Scene
        What was painted.
    galaxies : GalaxyCatalog
        What was written.
    warnings : tuple of str
        Also in the catalogue's provenance.
    """

    path: Path
    scene: Scene
    galaxies: GalaxyCatalog
    warnings: tuple[str, ...]


def build(recipe: Recipe) -> Report:
    """Read, paint, select and write what ``recipe`` describes.

    Raises
    ------
    MockgalError
        The output is then what it was before.
    """
    from .select.cuts import parse
    from .write.atomic import check_output
    from .write.provenance import write_sidecar

    started = time.time()
    # Whatever can be refused is refused before any work.
    writer = writer_for(recipe.output)
    for cut in recipe.cut:
        parse(cut)
    painter = make_painter(recipe.painter, recipe.painter_options)
    inputs = _files_below(recipe.sim)
    check_output(recipe.output, overwrite=recipe.overwrite, inputs=inputs)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MockgalWarning)
        sim = read(recipe.sim, format=recipe.format, **recipe.read_options._asdict())
        galaxies = select(paint(sim, painter, seed=recipe.seed), *recipe.cut)
    told = tuple(str(w.message) for w in caught if issubclass(w.category, MockgalWarning))
    for warning in caught:
        if not issubclass(warning.category, MockgalWarning):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    if recipe.require_nonempty and not len(galaxies):
        raise EmptyResultError(
            recipe.sim,
            "no galaxy that passes the cuts",
            "at least one",
            "loosen the cuts, or leave --require-nonempty out",
        )
    galaxies = galaxies.take(
        np.arange(len(galaxies)),
        warnings=list(told),
        configuration=recipe.configuration(),
        configuration_digest=recipe.configuration_digest(),
    )
    writer.write(
        galaxies,
        recipe.output,
        units=recipe.units,
        overwrite=recipe.overwrite,
        chunk_rows=CHUNK_ROWS,
        inputs=inputs,
    )
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    write_sidecar(
        recipe.output,
        {
            "host": platform.node(),
            "started": started,
            "seconds": time.time() - started,
            "peak_memory_bytes": peak,
            "python": platform.python_version(),
            "arguments": sys.argv,
            "input_files": [file._asdict() for file in sim.snapshot.source],
            "content_digest": galaxies.digest(),
        },
    )
    return Report(recipe.output, sim, galaxies, told)


def _files_below(path: Path) -> list[Path]:
    """The input files that an output must not replace."""
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file())
    return [path]
