"""Write a scene to our own bundle; the layout is described in `mockgal.readers.bundle`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..columns import HALO_COLUMNS
from ..errors import HeaderError
from ..layout import (
    BUNDLE_ATTRIBUTE,
    BUNDLE_DIGEST,
    BUNDLE_VERSION,
    COMPLETE,
    DENSITY,
    GRID_ATTRIBUTES,
    HALOS,
    HEADER,
    MASS,
    PARTICLES,
    POSITION,
    bundle_digest,
)
from ..system.files.atomic import atomic_output
from ..system.files.disk import Check
from ..types import Array, DensityField, Particles, Scene
from .density import Progress, put_grid
from .hdf5_file import new_hdf5
from .store import OPTIONS, STORED_ROWS, Store, set_attributes, verify

_ONE_MASS = 0.05  # tolerance of the mean density by which particles of a single mass are recognised


def write_bundle(
    scene: Scene,
    path: Path,
    *,
    overwrite: bool = False,
    chunk_rows: int = 1 << 20,
    particles: bool = True,
    density: DensityField | None = None,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write ``scene`` to one HDF5 file, byte for byte the same for the same scene.

    Parameters
    ----------
    scene : Scene
    path : Path
    overwrite : bool
        Replace an existing file.
    chunk_rows : int
        Particles read at a time; does not change the file.
    particles : bool
        Write the scene's particles, if it has any.
    density : DensityField, optional
        Grid to write; by default the scene's own, if it has one.
    progress : callable, optional
        Called as ``progress(done, total, label)``.

    Returns
    -------
    dict of str to int
        Number of particle coordinates moved: ``positions_wrapped`` into the box,
        ``positions_at_box_edge`` from its far edge (also by rounding to float32) to 0.

    Raises
    ------
    OutputExistsError, OutputError, ResourceError
        The file exists, or cannot be written.
    InputError
        From the particle stream, if the input turns out to be damaged or unphysical.
    """
    path = Path(path)
    scene.snapshot.check_periodic("pack", "build from the files of the light cone as they are")
    density = density or scene.field
    matter = scene.particles if particles else None
    inputs = [Path(source.path) for source in scene.snapshot.source]
    moved = {"positions_wrapped": 0, "positions_at_box_edge": 0}
    sums: dict[str, int] = {}
    with (
        atomic_output(
            path,
            overwrite=overwrite,
            expected_bytes=_expected_bytes(scene, matter, density),
            inputs=inputs,
            verify=lambda written: verify(written, sums),
        ) as temporary,
        new_hdf5(temporary, **OPTIONS) as (file, check),
    ):
        store = Store(file, check, sums)
        file.attrs[BUNDLE_ATTRIBUTE] = BUNDLE_VERSION
        _write_header(store, scene, matter.count if matter else 0)
        _write_halos(store, scene)
        if matter is not None and matter.count:
            _write_particles(store, scene, matter, chunk_rows, moved, progress)
        if density is not None:
            put_grid(store, density, scene.snapshot.redshift, progress)
        store.seal()
        set_attributes(file, {BUNDLE_DIGEST: _digest(file, scene)})
        file.attrs[COMPLETE] = 1
    return moved


def _digest(file: h5py.File, scene: Scene) -> str:
    """Return the `bundle_digest` of the file as written."""
    parts = {"": HEADER, "particles/": PARTICLES, "density/": DENSITY}
    facts: dict[str, Any] = {}
    for prefix, name in parts.items():
        if name not in file:
            continue
        keys = {PARTICLES: (MASS.split("/")[1],), DENSITY: GRID_ATTRIBUTES}
        attrs = file[name].attrs
        for key in keys.get(name, attrs):
            if key in attrs:
                value = attrs[key]
                facts[prefix + key] = value.decode() if isinstance(value, bytes) else value
    return bundle_digest(facts, scene.halos.digest())


def _expected_bytes(scene: Scene, matter: Particles | None, density: DensityField | None) -> int:
    """Return the size of the bundle without compression.

    Whether particles have individual masses is known only after all have been read. They are
    assumed to share one mass if, with it, they add up to the mean density of the universe.
    """
    size = 128 * len(scene.halos) + (8 * density.grid_size**3 if density else 0)
    if matter is not None:
        snapshot = scene.snapshot
        total = snapshot.cosmology.matter_mass(snapshot.box_size)
        one_mass = abs((snapshot.particle_mass or 0.0) * matter.count / total - 1) <= _ONE_MASS
        size += (12 if one_mass else 20) * matter.count
    return size


def _write_header(store: Store, scene: Scene, count: int) -> None:
    snapshot = scene.snapshot
    facts: dict[str, Any] = {
        "name": snapshot.name,
        "box_size": snapshot.box_size,
        "redshift": snapshot.redshift,
        **snapshot.cosmology.to_dict(),
        "mass_definition": scene.halos.mass_definition,
        "original_format": snapshot.format,
        "halos": len(scene.halos),
        "particles": count,
    }
    if snapshot.particle_mass is not None:
        facts["particle_mass"] = snapshot.particle_mass
    set_attributes(store.file.create_group(HEADER), facts)
    store.put_json(f"{HEADER}/record", dict(snapshot.record))
    store.put_json(f"{HEADER}/halo_record", dict(scene.halos.record))
    # Names, not paths: the bundle does not depend on where its input was.
    source = [file._replace(path=Path(file.path).name)._asdict() for file in snapshot.source]
    store.put_json(f"{HEADER}/source", source)


def _write_halos(store: Store, scene: Scene) -> None:
    for name, values in scene.halos.columns.items():
        column, path = HALO_COLUMNS[name], f"{HALOS}/{name}"
        data = store.new(path, values.shape, column.dtype, (STORED_ROWS, *column.shape))
        for start in range(0, len(values), STORED_ROWS):
            store.put(path, start, values[start : start + STORED_ROWS])
        set_attributes(
            data, {"unit": column.unit, "h_power": column.h_power, "description": column.meaning}
        )


def _write_particles(
    store: Store,
    scene: Scene,
    matter: Particles,
    chunk_rows: int,
    moved: dict[str, int],
    progress: Progress | None,
) -> None:
    """Write positions, and masses: an attribute if all are equal, else a dataset."""
    group = store.file.create_group(PARTICLES)
    store.new(POSITION, (matter.count, 3), "<f4", (STORED_ROWS, 3))
    first, done = 0.0, 0
    for position, mass in _blocks(scene, matter, chunk_rows, moved, store.check):
        first = float(mass[0]) if done == 0 else first
        store.put(POSITION, done, position)
        if MASS not in store.sums and (mass != first).any():
            store.new(MASS, (matter.count,), "<f8", (STORED_ROWS,))
            for start in range(0, done, STORED_ROWS):  # all blocks but the last are full
                store.put(MASS, start, np.full(STORED_ROWS, first))
        if MASS in store.sums:
            store.put(MASS, done, mass)
        done += len(mass)
        if progress is not None:
            progress(done, matter.count, "particles")
    if MASS not in store.sums:
        set_attributes(group, {MASS.rpartition("/")[2]: first})
    set_attributes(group, {**moved, "unit": "Mpc/h", "mass_unit": "Msun/h"})


def _blocks(
    scene: Scene, matter: Particles, chunk_rows: int, moved: dict[str, int], check: Check
) -> Iterator[tuple[Array, Array]]:
    """Yield all particles as the file holds them, in its chunks whatever those of the stream.

    Yields positions, shape (n, 3), which are float32 and inside the box, and masses, shape (n,).
    The arrays are valid until the next ones. Moved coordinates are counted in ``moved``.
    """
    box = np.float32(scene.snapshot.box_size)
    positions, masses = np.empty((STORED_ROWS, 3), np.float32), np.empty(STORED_ROWS)
    filled = done = 0
    for chunk in matter.chunks(chunk_rows):
        check()
        done += len(chunk.mass)
        if done > matter.count:
            break
        rounded = chunk.position.astype(np.float32)
        at_edge = rounded >= box
        rounded[at_edge] = 0
        moved["positions_wrapped"] += int(chunk.wrapped)
        moved["positions_at_box_edge"] += int(chunk.at_edge) + int(np.count_nonzero(at_edge))
        start = 0
        while start < len(rounded):
            size = min(STORED_ROWS - filled, len(rounded) - start)
            positions[filled : filled + size] = rounded[start : start + size]
            masses[filled : filled + size] = chunk.mass[start : start + size]
            filled, start = filled + size, start + size
            if filled == STORED_ROWS:
                yield positions, masses
                filled = 0
    if done != matter.count:
        raise HeaderError(
            scene.snapshot.name,
            f"{done} particles" + " or more" * (done > matter.count),
            f"{matter.count}",
            "read the input again",
        )
    if filled:
        yield positions[:filled], masses[:filled]
