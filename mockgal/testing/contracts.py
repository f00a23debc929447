"""Contracts that any reader, painter or writer must keep.

They do not depend on a test runner: a broken contract raises `AssertionError`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..columns import GALAXY_COLUMNS, HALO_COLUMNS, REQUIRED_HALO_COLUMNS
from ..errors import OutputExistsError, UsageError
from ..laws.distribution import Distribution
from ..options import UNDECLARED, options_of
from ..painters.draw import paint_scene
from ..protocols import Painter, Reader, ReadOptions, Writer
from ..types import Array, GalaxyCatalog, ParticleChunk, Particles, Scene
from .promises import global_random_state, made, require, skip_without, state_of


def reader_contract(
    reader: Any,
    path: Path,
    *,
    detected: bool = True,
    requires: Iterable[str] = (),
    **options: Any,
) -> None:
    """Check the promises of every reader on a valid input.

    Parameters
    ----------
    reader : str, Reader or callable
        A registered name, a class, or a reader.
    path : Path
        A valid input of the reader's format.
    detected : bool
        Whether the format can be detected; if not, it is read only on request.
    requires : iterable of str
        Libraries that the reader needs, by the name to import.
    **options
        `mockgal.protocols.ReadOptions` that the format needs, such as ``mass_definition="fof"``.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.
    unittest.SkipTest
        A library is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mockgal.testing import reader_contract
    >>> reader_contract("bundle", Path("catalogs/demo/dark.hdf5"))
    """
    skip_without(requires)
    reader, reading = made("readers", reader), ReadOptions(**options)
    files, random = state_of(path), global_random_state()
    require(isinstance(reader, Reader), "it has the methods of a Reader")
    if detected:
        require(reader.detect(path), "its own format is detected")
    else:
        require(not reader.detect(path), "a format without a signature is not detected")
    require(not reader.detect(Path(os.devnull)), "another format is not detected")
    scene = reader.read(path, reading)
    halos, snapshot = scene.halos, scene.snapshot
    require(
        set(REQUIRED_HALO_COLUMNS) <= set(halos.columns) <= set(HALO_COLUMNS),
        "the columns are the declared ones",
    )
    if reading.mass_definition is not None:
        as_requested = halos.mass_definition == reading.mass_definition
        require(as_requested, "host masses have the requested definition")
    require(snapshot.format == reader.name, "the snapshot names the reader")
    require(snapshot.source and all(s.size > 0 for s in snapshot.source), "sources have sizes")
    require(snapshot.source[0].digest, "sources have digests")
    json.dumps([dict(snapshot.record), dict(halos.record)])
    for name in ("subhalos", "centrals", "satellites", "positions_wrapped", "dropped_bad"):
        require(isinstance(halos.record.get(name), int), f"the record counts {name}")
    require(halos.record["subhalos"] == len(halos), "the record agrees with the rows")
    for rows in (7, 1 << 20):
        again = reader.read(path, reading._replace(chunk_rows=rows))
        require(again.halos.digest() == halos.digest(), "the rows do not depend on chunk_rows")
        require(again.snapshot == snapshot, "the snapshot does not depend on chunk_rows")
    require(
        halos.take(np.arange(len(halos))[::-1]).digest() == halos.digest(),
        "the digest does not depend on the order of rows",
    )
    if scene.particles is not None:
        rows, mass = 0, 0.0
        for chunk in scene.particles.chunks(1000):
            require(0 < len(chunk.mass) <= 1000, "chunks of particles are bounded")
            require(chunk.position.dtype == chunk.mass.dtype == np.float64, "they are float64")
            require(
                chunk.position.min() >= 0 and chunk.position.max() < snapshot.box_size,
                "particles are in the box",
            )
            rows, mass = rows + len(chunk.mass), mass + float(chunk.mass.sum())
        require(rows == scene.particles.count, "the stream has as many particles as stated")
        matter = snapshot.cosmology.matter_mass(snapshot.box_size)
        require(abs(mass / matter - 1) < 0.05, "the particles' mass fits Omega_m")
    require(state_of(path) == files, "the input is not touched")
    require(global_random_state() == random, "the global random state is not touched")


def options_contract(made_by: Any) -> None:
    """Check the promises of a painter's options.

    Parameters
    ----------
    made_by : class or callable
        The class or function that makes the painter.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.
    """
    for name, option in options_of(made_by).items():
        require(
            option.kind != UNDECLARED,
            f"option {name} is a field of a dataclass, declared by a function of mockgal.options",
        )
        require(
            option.help[:1].isupper() and option.help.endswith("."),
            f"the help of option {name} is a sentence",
        )
        require(
            isinstance(option.changes_result, bool),
            f"option {name} says whether it changes the result",
        )
        if option.default is not None and option.default is not MISSING:
            try:
                option.check("default", option.default)
            except UsageError as error:
                require(False, f"the default of option {name} is allowed ({error})")


def painter_contract(
    painter: Any,
    scene: Scene,
    *,
    requires: Iterable[str] = (),
    **options: Any,
) -> None:
    """Check the promises of every painter on a scene that it can paint.

    Parameters
    ----------
    painter : str, Painter or callable
        A registered name, a class, or a painter.
    scene : Scene
    requires : iterable of str
        Libraries that the painter needs, by the name to import.
    **options
        Options to make the painter with, for a name or a class.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.
    unittest.SkipTest
        A library is not installed.

    Examples
    --------
    >>> from mockgal.testing import painter_contract
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> painter_contract("hod", sim)
    """
    skip_without(requires)
    painter = made("painters", painter, options)
    require(isinstance(painter, Painter), "it has the methods of a Painter")
    options_contract(type(painter))
    halos, box_size = scene.halos, scene.snapshot.box_size
    digest, random = halos.digest(), global_random_state()
    prediction = painter.predict(scene)

    require(len(prediction) == len(halos), "one prediction for each subhalo")
    p = prediction.p_luminous
    require(np.all((p >= 0) & (p <= 1)), "probabilities are in [0, 1]")
    every = np.arange(len(halos))
    require(
        _same(prediction, every, painter.predict(scene)), "the same scene gives the same prediction"
    )
    _order_and_parts(painter, scene, prediction)
    tolerance = getattr(painter, "tolerance", 0.0)
    shifted = painter.predict(shifted_scene(scene, box_size / 4))
    require(
        _same(prediction, every, shifted)
        if tolerance == 0.0
        else _close(prediction, shifted, tolerance),
        "a shift of the periodic box changes nothing",
    )
    _galaxies(painter, scene)
    require(painter.references, "its sources are cited")
    require(halos.take(every).digest() == digest, "the scene is not touched")  # by a fresh copy
    require(global_random_state() == random, "the global random state is not touched")


def _same(prediction: Distribution, rows: Array, other: Distribution) -> bool:
    """Return whether the rows of a prediction are another prediction, to the bit."""
    chosen = {name: law.take(rows) for name, law in prediction.further.items()}
    if set(chosen) != set(other.further) or not all(
        np.array_equal(law, other.further[name]) for name, law in chosen.items()
    ):
        return False
    return all(
        np.array_equal(getattr(prediction, name)[rows], getattr(other, name))
        for name in ("p_luminous", "location", "scale", "residual_row", "extrapolated")
    ) and (
        (prediction.rank is None and other.rank is None)
        or (
            prediction.rank is not None
            and other.rank is not None
            and np.array_equal(prediction.rank[rows], other.rank)
        )
    )


def _close(prediction: Distribution, other: Distribution, tolerance: float) -> bool:
    return all(
        np.allclose(getattr(prediction, name), getattr(other, name), rtol=0, atol=tolerance)
        for name in ("p_luminous", "location", "scale")
    )


def _order_and_parts(painter: Painter, scene: Scene, prediction: Distribution) -> None:
    """Check that predictions depend neither on the order of rows nor on other hosts."""
    halos, every = scene.halos, np.arange(len(scene.halos))
    order = np.random.default_rng(0).permutation(len(halos))
    shuffled = painter.predict(replace(scene, halos=halos.take(order)))
    require(_same(prediction, order, shuffled), "the order of rows does not matter")
    for part in range(0 if getattr(painter, "whole_box", False) else 3):
        rows = np.flatnonzero(halos["host_id"] % 3 == part)  # hosts stay whole
        piece = painter.predict(replace(scene, halos=halos.take(rows)))
        require(
            _same(prediction, rows, piece),
            "a prediction does not depend on other hosts in the scene",
        )
    require(
        len(painter.predict(replace(scene, halos=halos.take(every[:0])))) == 0,
        "an empty scene gives an empty prediction",
    )


def _galaxies(painter: Painter, scene: Scene) -> None:
    """Check that the galaxies have the declared columns, and a plain provenance."""
    galaxies = paint_scene(scene, painter, seed=1)
    common = {name for name, column in GALAXY_COLUMNS.items() if not column.optional}
    common -= {"stellar_mass", "extrapolated"}
    common -= {"vmax"} - set(scene.halos.columns)
    provided = {column.name for column in painter.provides}
    require(all(column.meaning for column in painter.provides), "each column has a meaning")
    require(set(galaxies.columns) == common | provided, "the columns are the declared ones")
    json.dumps(dict(galaxies.provenance), allow_nan=False)


def shifted_scene(scene: Scene, shift: float) -> Scene:
    """Return a periodic box with all its contents shifted along all axes.

    Parameters
    ----------
    scene : Scene
    shift : float
        Shift [Mpc/h]; with a density field, a whole number of its voxels.
    """
    halos, size = scene.halos, scene.snapshot.box_size
    moved = {**halos.columns, "position": np.mod(halos["position"] + shift, size)}
    particles, field = scene.particles, scene.field
    if particles is not None:
        whole = particles

        def stream(rows: int) -> Iterator[ParticleChunk]:
            for chunk in whole.chunks(rows):
                yield chunk._replace(position=np.mod(chunk.position + shift, size))

        particles = Particles(whole.count, stream)
    if field is not None:
        by = round(shift / field.voxel_size)
        grid = np.roll(field.read_slab(0, field.grid_size), (by, by, by), (0, 1, 2))
        field = replace(field, read_slab=lambda start, stop: grid[start:stop])
    return replace(scene, halos=replace(halos, columns=moved), particles=particles, field=field)


def writer_contract(
    writer: Any,
    galaxies: GalaxyCatalog,
    directory: Path,
    *,
    requires: Iterable[str] = (),
) -> None:
    """Check the promises of every writer, in an empty directory.

    Parameters
    ----------
    writer : str, Writer or callable
        A registered name, a class, or a writer.
    galaxies : GalaxyCatalog
    directory : Path
    requires : iterable of str
        Libraries that the writer needs, by the name to import.

    Raises
    ------
    AssertionError
        A promise is broken; the message says which.
    unittest.SkipTest
        A library is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mockgal.testing import writer_contract
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> Path("written").mkdir()
    >>> writer_contract("fits", mock, Path("written"))
    """
    skip_without(requires)
    writer = made("writers", writer)
    require(isinstance(writer, Writer), "it has the methods of a Writer")

    def write(
        catalogue: GalaxyCatalog,
        name: str,
        units: str = "h-free",
        overwrite: bool = False,
        chunk_rows: int = 1000,
    ) -> bytes:
        path = directory / f"{name}{writer.extensions[0]}"
        writer.write(catalogue, path, units=units, overwrite=overwrite, chunk_rows=chunk_rows)
        return path.read_bytes()

    first = write(galaxies, "a")
    require(write(galaxies, "b") == first, "equal catalogues give equal files")
    require(write(galaxies, "c", chunk_rows=7) == first, "the file does not depend on chunk_rows")
    require(write(galaxies, "d", units="h") != first, "units are honoured")
    rows = np.arange(len(galaxies))[::-1]
    require(write(galaxies.take(rows), "e") == first, "the order of rows does not matter")
    write(galaxies.take(rows[:0]), "empty")
    try:
        write(galaxies.take(rows[:0]), "a")
        require(False, "a file is not replaced without overwrite")
    except OutputExistsError:
        path = directory / f"a{writer.extensions[0]}"
        require(path.read_bytes() == first, "a refusal leaves the old file")
    require(write(galaxies, "empty", overwrite=True) == first, "a file is replaced with overwrite")
    require(len(list(directory.iterdir())) == 6, "nothing else is left behind")
