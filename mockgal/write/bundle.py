"""Write a scene to our own bundle; the layout is described in `mockgal.read.bundle`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import h5py
import numpy as np

from ..columns import HALO_COLUMNS
from ..errors import CorruptFileError, HeaderError
from ..files.atomic import atomic_output
from ..layout import (
    BUNDLE_ATTRIBUTE,
    BUNDLE_DIGEST,
    BUNDLE_VERSION,
    COMPLETE,
    DENSITY,
    GRID_ATTRIBUTES,
    GRID_UNITS,
    HALOS,
    HEADER,
    MASS,
    PARTICLES,
    POSITION,
    bundle_digest,
)
from ..types import Array, DensityField, Particles, Scene
from .hdf5_file import Check, new_hdf5, read_through

Progress = Callable[[int, int, str], object]

_ROWS = 1 << 16  # rows of a stored chunk: 768 kB of positions, within the chunk cache below
_CACHE = 16 << 20
_SLAB_BYTES = 64 << 20  # of a density grid read at a time: to read a row decompresses whole chunks
_ONE_MASS = 0.05  # by which the particles' mean density may be off if all have the same mass


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
        Replace a file of this name.
    chunk_rows : int
        Particles read at a time; does not change the file.
    particles : bool
        Write the scene's particles, if it has any.
    density : DensityField, optional
        A grid to write; without it the scene's own, if it has one.
    progress : callable, optional
        Called as ``progress(done, total, label)``.

    Returns
    -------
    dict of str to int
        Coordinates of particles that were moved: ``positions_wrapped`` into the box,
        ``positions_at_box_edge`` from its far edge (also by rounding to float32) to 0.

    Raises
    ------
    OutputExistsError, OutputError, ResourceError
        The file exists, or cannot be written.
    InputError
        From the particle stream, where the input turns out to be damaged or unphysical.
    """
    path = Path(path)
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
            verify=lambda written: _verify(written, sums),
        ) as temporary,
        new_hdf5(temporary, libver=("v110", "v110"), rdcc_nbytes=_CACHE) as (file, check),
    ):
        store = _Store(file, check, sums)
        file.attrs[BUNDLE_ATTRIBUTE] = BUNDLE_VERSION
        _write_header(store, scene, matter.count if matter else 0)
        _write_halos(store, scene)
        if matter is not None and matter.count:
            _write_particles(store, scene, matter, chunk_rows, moved, progress)
        if density is not None:
            _write_density(store, scene, density, progress)
        _set(file, {BUNDLE_DIGEST: _digest(file, scene)})
        file.attrs[COMPLETE] = 1
    return moved


def _digest(file: h5py.File, scene: Scene) -> str:
    """See `bundle_digest`: of what was written."""
    parts = {"": HEADER, "particles/": PARTICLES, "density/": DENSITY}
    facts: dict[str, Any] = {}
    for prefix, name in parts.items():
        if name not in file:
            continue
        wanted = {PARTICLES: (MASS.split("/")[1],), DENSITY: GRID_ATTRIBUTES}
        attrs = file[name].attrs
        for key in wanted.get(name, attrs):
            if key in attrs:
                value = attrs[key]
                facts[prefix + key] = value.decode() if isinstance(value, bytes) else value
    return bundle_digest(facts, scene.halos.digest())


def _expected_bytes(scene: Scene, matter: Particles | None, density: DensityField | None) -> int:
    """Size of the bundle if nothing were compressed.

    Whether particles carry their own masses is known only when all have been read; they do not
    where, with one mass for all, they make up the mean density of the universe.
    """
    size = 128 * len(scene.halos) + (8 * density.grid_size**3 if density else 0)
    if matter is not None:
        snapshot = scene.snapshot
        total = snapshot.cosmology.mean_matter_density * snapshot.box_size**3
        one_mass = abs((snapshot.particle_mass or 0.0) * matter.count / total - 1) <= _ONE_MASS
        size += (12 if one_mass else 20) * matter.count
    return size


class _Store:
    """The file, and the CRC-32 of all that was written to each of its datasets."""

    def __init__(self, file: h5py.File, check: Check, sums: dict[str, int]) -> None:
        self.file, self.check, self.sums = file, check, sums

    def new(
        self, name: str, shape: tuple[int, ...], dtype: Any, chunk: tuple[int, ...]
    ) -> h5py.Dataset:
        """A checked, compressed dataset without time stamps."""
        options: dict[str, Any] = {"track_times": False}
        if 0 not in shape:
            options.update(
                chunks=tuple(min(n, c) for n, c in zip(shape, chunk, strict=True)),
                fletcher32=True,
                compression="gzip",
                compression_opts=4,
                shuffle=True,
            )
        self.sums[name] = 0
        return self.file.create_dataset(name, shape, dtype, **options)

    def put(self, name: str, start: int, values: Array) -> None:
        """Write rows from ``start`` on: those that follow the rows written last."""
        data = self.file[name]
        rows = np.ascontiguousarray(values, dtype=data.dtype)
        data[start : start + len(rows)] = rows
        self.sums[name] = crc32(rows.data, self.sums[name])
        self.check()


def _set(item: h5py.HLObject, values: dict[str, Any]) -> None:
    """Set attributes; text in fixed length, so that reading it never walks the file's heap."""
    for name, value in values.items():
        if isinstance(value, str):
            value = np.array(value.encode() or b"\0", dtype=f"S{max(1, len(value.encode()))}")
        item.attrs[name] = value


def _write_json(store: _Store, name: str, value: Any) -> None:
    """As bytes in a dataset: an attribute holds no more than 64 kB."""
    text = np.frombuffer(json.dumps(value, sort_keys=True, ensure_ascii=True).encode(), np.uint8)
    store.new(name, text.shape, "u1", (_ROWS,))
    store.put(name, 0, text)


def _write_header(store: _Store, scene: Scene, count: int) -> None:
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
    _set(store.file.create_group(HEADER), facts)
    _write_json(store, f"{HEADER}/record", dict(snapshot.record))
    _write_json(store, f"{HEADER}/halo_record", dict(scene.halos.record))
    # Names, not paths: the bundle is the same wherever its input was.
    source = [file._replace(path=Path(file.path).name)._asdict() for file in snapshot.source]
    _write_json(store, f"{HEADER}/source", source)


def _write_halos(store: _Store, scene: Scene) -> None:
    for name, values in scene.halos.columns.items():
        column, path = HALO_COLUMNS[name], f"{HALOS}/{name}"
        data = store.new(path, values.shape, column.dtype, (_ROWS, *column.shape))
        for start in range(0, len(values), _ROWS):
            store.put(path, start, values[start : start + _ROWS])
        _set(data, {"unit": column.unit, "h_power": column.h_power, "description": column.meaning})


def _write_particles(
    store: _Store,
    scene: Scene,
    matter: Particles,
    chunk_rows: int,
    moved: dict[str, int],
    progress: Progress | None,
) -> None:
    """Positions, and masses: an attribute if all are equal, else a dataset."""
    group = store.file.create_group(PARTICLES)
    store.new(POSITION, (matter.count, 3), "<f4", (_ROWS, 3))
    first, done = 0.0, 0
    for position, mass in _blocks(scene, matter, chunk_rows, moved, store.check):
        first = float(mass[0]) if done == 0 else first
        store.put(POSITION, done, position)
        if MASS not in store.sums and (mass != first).any():
            store.new(MASS, (matter.count,), "<f8", (_ROWS,))
            for start in range(0, done, _ROWS):  # blocks are whole until the last
                store.put(MASS, start, np.full(_ROWS, first))
        if MASS in store.sums:
            store.put(MASS, done, mass)
        done += len(mass)
        if progress is not None:
            progress(done, matter.count, "particles")
    if MASS not in store.sums:
        _set(group, {MASS.rpartition("/")[2]: first})
    _set(group, {**moved, "unit": "Mpc/h", "mass_unit": "Msun/h"})


def _blocks(
    scene: Scene, matter: Particles, chunk_rows: int, moved: dict[str, int], check: Check
) -> Iterator[tuple[Array, Array]]:
    """All particles as the file holds them, in its own chunks whatever the stream's are.

    Yields positions, shape (n, 3), in the box in float32 too, and masses, shape (n,); they are
    valid until the next. Counts the coordinates moved in ``moved``.
    """
    box = np.float32(scene.snapshot.box_size)
    positions, masses = np.empty((_ROWS, 3), np.float32), np.empty(_ROWS)
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
            size = min(_ROWS - filled, len(rounded) - start)
            positions[filled : filled + size] = rounded[start : start + size]
            masses[filled : filled + size] = chunk.mass[start : start + size]
            filled, start = filled + size, start + size
            if filled == _ROWS:
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


def _write_density(
    store: _Store, scene: Scene, density: DensityField, progress: Progress | None
) -> None:
    size = density.grid_size
    data = store.new(DENSITY, (size,) * 3, "<f8", (1, 256, 256))
    rows = max(1, _SLAB_BYTES // (8 * size**2))
    for start in range(0, size, rows):
        slab = density.read_slab(start, min(start + rows, size))
        store.check()
        for row in range(len(slab)):
            store.put(DENSITY, start + row, slab[row : row + 1])
            if progress is not None:
                progress(start + row + 1, size, "density")
    values = (
        density.voxel_size * size,
        GRID_UNITS[density.kind],
        density.kind,
        density.assignment,
        scene.snapshot.redshift,
        density.origin,
    )
    _set(data, dict(zip(GRID_ATTRIBUTES, values, strict=True)))


def _verify(path: Path, sums: dict[str, int]) -> None:
    """Whether every dataset of the closed file holds what was written, by its checksum."""
    found: dict[str, int] = {}

    def add(name: str, rows: Array) -> None:
        found[name] = crc32(np.ascontiguousarray(rows).data, found.get(name, 0))

    found = dict.fromkeys(read_through(path, add), 0) | found
    wrong = sorted(name for name in found.keys() | sums if found.get(name) != sums.get(name))
    if wrong:
        raise CorruptFileError(f"{path}:/{wrong[0]}", "other values than those written", "the same")
