"""Write a scene to our own bundle; the layout is described in `mockgal.read.bundle`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..columns import HALO_COLUMNS
from ..errors import HeaderError, InternalError, OutputError
from ..layout import BUNDLE_ATTRIBUTE, BUNDLE_VERSION
from ..types import DensityField, Scene
from .atomic import atomic_output

Progress = Callable[[int, int, str], object]

_ROWS = 1 << 16  # rows of a stored chunk: 768 kB of positions, within the chunk cache below
_CACHE = 16 << 20
_UNITS = {"counts": "", "mass": "Msun/h", "delta": ""}


def write_bundle(
    scene: Scene,
    path: Path,
    *,
    overwrite: bool = False,
    chunk_rows: int = 1 << 20,
    particles: bool = True,
    density: DensityField | None = None,
    progress: Progress | None = None,
) -> None:
    """Write ``scene`` to one HDF5 file, byte for byte the same for the same scene.

    Parameters
    ----------
    scene : Scene
    path : Path
    overwrite : bool
        Replace a file of this name.
    chunk_rows : int
        Particles held in memory at a time; does not change the file.
    particles : bool
        Write the scene's particles, if it has any.
    density : DensityField, optional
        A grid to write; without it the scene's own, if it has one.
    progress : callable, optional
        Called as ``progress(done, total, label)``.

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
    count = matter.count if matter else 0
    size = 128 * len(scene.halos) + 12 * count + (8 * density.grid_size**3 if density else 0)
    inputs = [Path(source.path) for source in scene.snapshot.source]
    with atomic_output(
        path,
        overwrite=overwrite,
        expected_bytes=size,
        inputs=inputs,
        verify=lambda written: _verify(written, scene, count),
    ) as temporary:
        try:
            with h5py.File(temporary, "w", libver=("v110", "v110"), rdcc_nbytes=_CACHE) as file:
                file.attrs[BUNDLE_ATTRIBUTE] = BUNDLE_VERSION
                _write_header(file, scene, count)
                _write_halos(file, scene)
                if matter is not None and count:
                    _write_particles(file, scene, chunk_rows, progress)
                if density is not None:
                    _write_density(file, scene, density, progress)
                file.attrs["complete"] = 1
        except RuntimeError as error:  # of HDF5, where closing fails on a full disk
            raise OutputError(
                path,
                str(error),
                "an output that can be written",
                "free some space or write to another disk",
            ) from error


def _create(
    group: h5py.Group, name: str, shape: tuple[int, ...], dtype: Any, chunk: tuple[int, ...]
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
    return group.create_dataset(name, shape, dtype, **options)


def _set(item: h5py.HLObject, values: dict[str, Any]) -> None:
    """Set attributes; text in fixed length, so that reading it never walks the file's heap."""
    for name, value in values.items():
        if isinstance(value, str):
            value = np.array(value.encode() or b"\0", dtype=f"S{max(1, len(value.encode()))}")
        item.attrs[name] = value


def _write_json(group: h5py.Group, name: str, value: Any) -> None:
    """As bytes in a dataset: an attribute holds no more than 64 kB."""
    text = np.frombuffer(json.dumps(value, sort_keys=True, ensure_ascii=True).encode(), np.uint8)
    _create(group, name, text.shape, "u1", (_ROWS,))[:] = text


def _write_header(file: h5py.File, scene: Scene, count: int) -> None:
    snapshot, header = scene.snapshot, file.create_group("header")
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
    _set(header, facts)
    _write_json(header, "record", dict(snapshot.record))
    _write_json(header, "halo_record", dict(scene.halos.record))
    # Names, not paths: the bundle is the same wherever its input was.
    source = [file._replace(path=Path(file.path).name)._asdict() for file in snapshot.source]
    _write_json(header, "source", source)


def _write_halos(file: h5py.File, scene: Scene) -> None:
    group = file.create_group("halos")
    for name, values in scene.halos.columns.items():
        column = HALO_COLUMNS[name]
        data = _create(group, name, values.shape, column.dtype, (_ROWS, *column.shape))
        if len(values):
            data[:] = values
        _set(data, {"unit": column.unit, "h_power": column.h_power, "description": column.meaning})


def _write_particles(
    file: h5py.File, scene: Scene, chunk_rows: int, progress: Progress | None
) -> None:
    """Positions, and masses: an attribute if all are equal, else a dataset."""
    matter, box = scene.particles, np.float32(scene.snapshot.box_size)
    assert matter is not None
    group = file.create_group("particles")
    place = _create(group, "position", (matter.count, 3), "<f4", (_ROWS, 3))
    masses: h5py.Dataset | None = None
    first, done, edge = 0.0, 0, 0
    for position, mass, *_ in matter.chunks(chunk_rows):
        stop = done + len(mass)
        if stop > matter.count or not len(mass):
            raise HeaderError(
                scene.snapshot.name, f"{stop} particles", f"{matter.count}", "read the input again"
            )
        rounded = position.astype(np.float32)
        at_edge = rounded >= box
        edge += int(np.count_nonzero(at_edge))
        rounded[at_edge] = 0
        place[done:stop] = rounded
        first = float(mass[0]) if done == 0 else first
        if masses is None and (mass != first).any():
            masses = _create(group, "mass", (matter.count,), "<f8", (_ROWS,))
            for start in range(0, done, chunk_rows):
                masses[start : min(start + chunk_rows, done)] = first
        if masses is not None:
            masses[done:stop] = mass
        done = stop
        if progress is not None:
            progress(done, matter.count, "particles")
    if done != matter.count:
        raise HeaderError(
            scene.snapshot.name, f"{done} particles", f"{matter.count}", "read the input again"
        )
    if masses is None:
        _set(group, {"mass": first})
    _set(group, {"positions_at_box_edge": edge, "unit": "Mpc/h", "mass_unit": "Msun/h"})


def _write_density(
    file: h5py.File, scene: Scene, density: DensityField, progress: Progress | None
) -> None:
    size = density.grid_size
    data = _create(file, "density", (size,) * 3, "<f8", (1, 256, 256))
    for start in range(size):
        data[start : start + 1] = density.read_slab(start, start + 1)
        if progress is not None:
            progress(start + 1, size, "density")
    _set(
        data,
        {
            "boxsize": density.voxel_size * size,
            "unit": _UNITS[density.kind],
            "kind": density.kind,
            "mas": density.assignment,
            "redshift": scene.snapshot.redshift,
            "origin": density.origin,
        },
    )


def _verify(path: Path, scene: Scene, count: int) -> None:
    """Whether the closed file holds every row, and the halos exactly."""
    with h5py.File(path, "r") as file:
        good = file.attrs.get("complete", 0) == 1 and all(
            np.array_equal(file["halos"][name][:], values)
            for name, values in scene.halos.columns.items()
        )
        if count:
            place = file["particles/position"]
            good &= place.shape == (count, 3)
            for start in range(0, count, _ROWS):  # passes every chunk through its checksum
                good &= len(place[start : start + _ROWS]) > 0
    if not good:
        raise InternalError(
            path,
            "a bundle that differs from what was written",
            "the same",
            "write again; if it recurs, check the disk and memory",
        )
