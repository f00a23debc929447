"""Contracts: what any reader, painter or writer must pass.

Independent of any test runner: a broken contract raises `AssertionError`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..columns import GALAXY_COLUMNS, HALO_COLUMNS, PAINTED, REQUIRED_HALO_COLUMNS
from ..errors import OutputExistsError
from ..paint.draw import paint_scene
from ..protocols import Painter, Reader, ReadOptions, Writer
from ..types import Array, Distribution, GalaxyCatalog, ParticleChunk, Particles, Scene


def _require(condition: object, promise: str) -> None:
    if not condition:
        raise AssertionError(f"the contract is broken: {promise}")


def _global_random_state() -> str:
    return repr(np.random.get_state(legacy=False))  # noqa: NPY002


def reader_contract(reader: Reader, path: Path) -> None:
    """What every reader promises, tried on a valid input.

    Parameters
    ----------
    reader : Reader
    path : Path
        A valid input of the reader's format.

    Raises
    ------
    AssertionError
        A promise is not kept; the message says which.
    """

    def state() -> list[tuple[str, int, int]]:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        return [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]

    files, random = state(), _global_random_state()
    _require(isinstance(reader, Reader), "it has the methods of a Reader")
    _require(reader.detect(path), "its own format is detected")
    _require(not reader.detect(Path(os.devnull)), "something else is not")
    scene = reader.read(path, ReadOptions())
    halos, snapshot = scene.halos, scene.snapshot
    _require(
        set(REQUIRED_HALO_COLUMNS) <= set(halos.columns) <= set(HALO_COLUMNS),
        "the columns are the declared ones",
    )
    _require(snapshot.format == reader.name, "the snapshot names the reader")
    _require(snapshot.source and all(s.size > 0 for s in snapshot.source), "sources have sizes")
    _require(snapshot.source[0].digest, "sources have digests")
    json.dumps([dict(snapshot.record), dict(halos.record)])
    for name in ("subhalos", "centrals", "satellites", "positions_wrapped", "dropped_bad"):
        _require(isinstance(halos.record.get(name), int), f"the record counts {name}")
    _require(halos.record["subhalos"] == len(halos), "the record agrees with the rows")
    for rows in (7, 1 << 20):
        again = reader.read(path, ReadOptions(chunk_rows=rows))
        _require(again.halos.digest() == halos.digest(), "the rows do not depend on chunk_rows")
        _require(again.snapshot == snapshot, "the snapshot does not depend on chunk_rows")
    _require(
        halos.take(np.arange(len(halos))[::-1]).digest() == halos.digest(),
        "the digest does not depend on the order of rows",
    )
    if scene.particles is not None:
        rows, mass = 0, 0.0
        for chunk in scene.particles.chunks(1000):
            _require(0 < len(chunk.mass) <= 1000, "chunks of particles are bounded")
            _require(chunk.position.dtype == chunk.mass.dtype == np.float64, "they are float64")
            _require(
                chunk.position.min() >= 0 and chunk.position.max() < snapshot.box_size,
                "particles are in the box",
            )
            rows, mass = rows + len(chunk.mass), mass + float(chunk.mass.sum())
        _require(rows == scene.particles.count, "the particles' count is that of the stream")
        matter = snapshot.cosmology.matter_mass(snapshot.box_size)
        _require(abs(mass / matter - 1) < 0.05, "the particles' mass fits Omega_m")
    _require(state() == files, "the input is not touched")
    _require(_global_random_state() == random, "the global random state is not touched")


def painter_contract(painter: Painter, scene: Scene) -> None:
    """What every painter promises, tried on a scene that it can paint.

    Parameters
    ----------
    painter : Painter
    scene : Scene

    Raises
    ------
    AssertionError
        A promise is not kept; the message says which.
    """
    halos, box_size = scene.halos, scene.snapshot.box_size
    digest, random = halos.digest(), _global_random_state()
    prediction = painter.predict(scene)

    def same(rows: Array, other: Distribution) -> bool:
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

    def close(other: Distribution) -> bool:
        return all(
            np.allclose(getattr(prediction, name), getattr(other, name), rtol=0, atol=tolerance)
            for name in ("p_luminous", "location", "scale")
        )

    every = np.arange(len(halos))
    _require(len(prediction) == len(halos), "one prediction for each subhalo")
    p = prediction.p_luminous
    _require(np.all((p >= 0) & (p <= 1)), "probabilities are in [0, 1]")
    _require(same(every, painter.predict(scene)), "the same scene has the same prediction")
    order = np.random.default_rng(0).permutation(len(halos))
    shuffled = painter.predict(replace(scene, halos=halos.take(order)))
    _require(same(order, shuffled), "the order of rows does not matter")
    for part in range(0 if getattr(painter, "whole_box", False) else 3):
        rows = np.flatnonzero(halos["host_id"] % 3 == part)  # hosts stay whole
        piece = painter.predict(replace(scene, halos=halos.take(rows)))
        _require(same(rows, piece), "what else is in the scene does not matter")
    _require(
        len(painter.predict(replace(scene, halos=halos.take(every[:0])))) == 0,
        "an empty scene has an empty prediction",
    )
    tolerance = getattr(painter, "tolerance", 0.0)
    shifted = painter.predict(shifted_scene(scene, box_size / 4))
    _require(
        same(every, shifted) if tolerance == 0.0 else close(shifted),
        "a shift of the periodic box changes nothing",
    )

    galaxies = paint_scene(scene, painter, seed=1)
    common = set(GALAXY_COLUMNS) - {"stellar_mass", "extrapolated"}
    common -= {column.name for column in PAINTED.values()}
    common -= {"vmax"} - set(halos.columns)
    provided = {column.name for column in painter.provides}
    _require(set(galaxies.columns) == common | provided, "declared columns, and no others")
    json.dumps(dict(galaxies.provenance), allow_nan=False)
    _require(painter.references, "its sources are cited")
    _require(halos.take(every).digest() == digest, "the scene is not touched")  # taken anew
    _require(_global_random_state() == random, "the global random state is not touched")


def shifted_scene(scene: Scene, shift: float) -> Scene:
    """A periodic box with all that is in it moved along all axes.

    Parameters
    ----------
    scene : Scene
    shift : float
        [Mpc/h]; where there is a density field, a whole number of its voxels.
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


def writer_contract(writer: Writer, galaxies: GalaxyCatalog, directory: Path) -> None:
    """What every writer promises, tried in an empty directory.

    Parameters
    ----------
    writer : Writer
    galaxies : GalaxyCatalog
    directory : Path

    Raises
    ------
    AssertionError
        A promise is not kept; the message says which.
    """

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
    _require(write(galaxies, "b") == first, "equal catalogues give equal files")
    _require(write(galaxies, "c", chunk_rows=7) == first, "chunks do not show")
    _require(write(galaxies, "d", units="h") != first, "units are honoured")
    rows = np.arange(len(galaxies))[::-1]
    _require(write(galaxies.take(rows), "e") == first, "the order of rows does not matter")
    write(galaxies.take(rows[:0]), "empty")
    try:
        write(galaxies.take(rows[:0]), "a")
        _require(False, "a file is not replaced unasked")
    except OutputExistsError:
        path = directory / f"a{writer.extensions[0]}"
        _require(path.read_bytes() == first, "a refusal leaves the old file")
    _require(write(galaxies, "empty", overwrite=True) == first, "a file is replaced when asked")
    _require(len(list(directory.iterdir())) == 6, "nothing else is left behind")
