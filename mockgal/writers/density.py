"""Write a density grid, slab by slab; `mockgal.readers.density` describes and reads it.

The file has the dataset ``/density``, with the attributes of `mockgal.layout.GRID_ATTRIBUTES` and
``quantity``; if it holds both channels, a second such dataset ``/subhalo_mass``; ``/provenance``,
JSON as bytes; and on the root, written last, the attribute ``complete``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..layout import (
    COMPLETE,
    DENSITY,
    GRID_ATTRIBUTES,
    GRID_UNITS,
    PROVENANCE,
    QUANTITY,
    SUBHALO_MASS,
    SUBHALOS,
)
from ..system.files.atomic import atomic_output
from ..types import DensityField, Snapshot
from .hdf5_file import new_hdf5
from .store import OPTIONS, Store, set_attributes, verify

Progress = Callable[[int, int, str], object]

SLAB_BYTES = 64 << 20  # bytes of a grid made at a time: reading a row decompresses whole chunks
_BYTES_FILLED = 12  # most bytes, compressed, of a filled voxel among empty ones
_EMPTY_PER_BYTE = 60  # empty voxels that compress to one byte, with the overhead of HDF5
_FACTS = {DENSITY: "grid", SUBHALO_MASS: "subhalo_grid"}  # keys in the provenance
_OVERHEAD = 1 << 18  # bytes that HDF5 itself adds to such a file


def write_density(
    field: DensityField,
    snapshot: Snapshot,
    path: Path,
    *,
    quantity: str,
    provenance: Mapping[str, Any],
    overwrite: bool = False,
    inputs: Iterable[Path] = (),
    most_filled: int | None = None,
    subhalos: DensityField | None = None,
    most_filled_by_subhalos: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a grid to one HDF5 file, byte for byte the same for the same grid and provenance.

    Parameters
    ----------
    field : DensityField
        Never in memory as a whole.
    snapshot : Snapshot
        The snapshot of the field.
    path : Path
    quantity : str
        The gridded quantity: ``"matter"``, ``"stellar mass"``, ``"galaxies"``.
    provenance : mapping
        How the field was made; plain JSON values. Entries ``snapshot`` and ``grid`` are added, and
        ``subhalo_grid`` with ``subhalos``.
    overwrite : bool
        Replace an existing file.
    inputs : iterable of Path
        Files that the field was made from; the output must not be one of them.
    most_filled : int, optional
        Most voxels that can be filled, by default all; it limits the disk space required.
    subhalos : DensityField, optional
        The mass of subhalos, written in addition to the field.
    most_filled_by_subhalos : int, optional
        The same as ``most_filled``, for the subhalos.
    progress : callable, optional
        Called as ``progress(planes done, planes, label)``.

    Raises
    ------
    UsageError, OutputExistsError, OutputError, ResourceError
        See `mockgal.system.files.atomic.atomic_output`.
    """
    sums: dict[str, int] = {}
    size = grid_bytes(field.grid_size, most_filled)
    grids = {DENSITY: (field, quantity)}
    if subhalos is not None:
        size += grid_bytes(subhalos.grid_size, most_filled_by_subhalos)
        grids[SUBHALO_MASS] = (subhalos, SUBHALOS)
    with (
        atomic_output(
            Path(path),
            overwrite=overwrite,
            expected_bytes=size,
            inputs=inputs,
            verify=lambda written: verify(written, sums),
        ) as temporary,
        new_hdf5(temporary, **OPTIONS) as (file, check),
    ):
        store = Store(file, check, sums)
        for name, (grid, what) in grids.items():
            put_grid(store, grid, snapshot.redshift, progress, name)
            set_attributes(file[name], {QUANTITY: what})
        store.put_json(PROVENANCE, {**provenance, **_facts(grids, snapshot)})
        store.seal()
        file.attrs[COMPLETE] = 1


def grid_bytes(grid_size: int, most_filled: int | None = None) -> int:
    """Return the largest possible size of a file with one grid; see `write_density`."""
    voxels = grid_size**3
    size = 8 * voxels + voxels // 12
    if most_filled is not None:
        size = min(size, _BYTES_FILLED * most_filled + voxels // _EMPTY_PER_BYTE)
    return size + _OVERHEAD


def put_grid(
    store: Store,
    field: DensityField,
    redshift: float,
    progress: Progress | None,
    name: str = DENSITY,
) -> None:
    """Write the dataset ``name`` and its attributes."""
    size = field.grid_size
    data = store.new(name, (size,) * 3, "<f8", (1, 256, 256))
    rows = max(1, SLAB_BYTES // (8 * size**2))
    for start in range(0, size, rows):
        slab = field.read_slab(start, min(start + rows, size))
        store.check()
        for row in range(len(slab)):
            store.put(name, start + row, slab[row : row + 1])
            if progress is not None:
                progress(start + row + 1, size, name)
    values = (
        field.voxel_size * size,
        GRID_UNITS[field.kind],
        field.kind,
        field.assignment,
        redshift,
        field.origin,
    )
    set_attributes(data, dict(zip(GRID_ATTRIBUTES, values, strict=True)))


def _facts(
    grids: Mapping[str, tuple[DensityField, str]], snapshot: Snapshot
) -> dict[str, dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = {
        "snapshot": {
            "name": snapshot.name,
            "box_size": snapshot.box_size,
            "redshift": snapshot.redshift,
            "cosmology": snapshot.cosmology.to_dict(),
        }
    }
    for name, (field, quantity) in grids.items():
        facts[_FACTS[name]] = {
            "quantity": quantity,
            "grid_size": field.grid_size,
            "voxel_size": field.voxel_size,
            "kind": field.kind,
            "assignment": field.assignment,
            "origin": field.origin,
        }
    return facts
