"""Write catalogues and snapshots of a synthetic run, in any number of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .halos import Table, tables
from .run import DARK, GAS, STARS, TRACERS, TYPES, Array, Run, spread


def write_gadget4(directory: Path, **options: Any) -> Path:
    """Write a small Gadget-4 run, consistent in itself and with `COSMOLOGY`.

    Parameters
    ----------
    directory : Path
        Created if it does not exist.
    **options
        Fields of `mockgal.testing.subfind.run.Run`, such as ``files``, ``groups`` and ``hydro``.

    Returns
    -------
    Path
        The folder of the catalogue, or its file if there is only one.

    Raises
    ------
    UsageError
        If an option has a value that is not allowed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mockgal.testing import write_gadget4
    >>> mockgal.read(write_gadget4(Path("gadget"))).snapshot.format
    'gadget4'
    """
    run = Run(**options)
    catalogue = _paths(directory, run, "groups", "fof_subhalo_tab")
    _write_catalogue(catalogue, run)
    if run.snapshots:
        _write_snapshot(_paths(directory, run, "snapdir", "snap"), run)
    return catalogue[0] if run.files == 1 else catalogue[0].parent


def write_arepo(directory: Path, **options: Any) -> Path:
    """Write the run of `write_gadget4` in the form of AREPO.

    Lengths are ckpc/h by definition. There are no ranks of subhalos, but flags and tracers.

    Parameters
    ----------
    directory : Path
    **options
        Those of `write_gadget4`, except the units.

    Returns
    -------
    Path
        Like that of `write_gadget4`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mockgal.testing import write_arepo
    >>> mockgal.read(write_arepo(Path("arepo"))).snapshot.format
    'arepo'
    """
    return write_gadget4(directory, length="kpc", h_free=False, arepo=True, **options)


def _paths(directory: Path, run: Run, folder: str, stem: str) -> list[Path]:
    """Return the paths of the catalogue or of the snapshot, and create their folder."""
    name = f"{stem}_{run.number:03d}"
    below = directory if run.files == 1 else directory / f"{folder}_{run.number:03d}"
    below.mkdir(parents=True, exist_ok=True)
    if run.files == 1:
        return [below / f"{name}.hdf5"]
    return [below / f"{name}.{k}.hdf5" for k in range(run.files)]


def _write_header(file: h5py.File, run: Run, facts: dict[str, Any]) -> None:
    for name, value in {**run.header, **facts}.items():
        file.require_group("Header").attrs[name] = value
    for name, value in run.parameters.items():
        file.require_group("Parameters").attrs[name] = value


def _write_catalogue(paths: Sequence[Path], run: Run) -> None:
    groups, subhalos = tables(run)
    kind, name = (np.int32, "Nsubgroups") if run.arepo else (np.uint64, "Nsubhalos")
    total = {"Ngroups": len(groups["GroupLen"]), name: len(subhalos["SubhaloLen"])}
    parts = zip(paths, _split(groups, run), _split(subhalos, run), strict=True)
    for path, group_part, subhalo_part in parts:
        here = {"Ngroups": len(group_part["GroupLen"]), name: len(subhalo_part["SubhaloLen"])}
        counts = {f"{one}_ThisFile": kind(count) for one, count in here.items()}
        counts |= {f"{one}_Total": kind(count) for one, count in total.items()}
        with h5py.File(path, "w") as file:
            _write_header(file, run, {"NumFiles": np.int32(run.files), **counts})
            _write_table(file.create_group("Group"), group_part)
            _write_table(file.create_group("Subhalo"), subhalo_part)
            if here[name]:
                _write_wide_ids(file["Subhalo"], "SubhaloIDMostbound", here[name])


def _split(table: Table, run: Run) -> list[Table]:
    """Return the rows of each file."""
    parts: list[Table] = [{} for _ in range(run.files)]
    for name, values in table.items():
        rows = np.array_split(values, run.files - run.empty_last)
        for part, own in zip(parts, rows + [values[:0]] * run.empty_last, strict=True):
            part[name] = own
    return parts


def _write_table(group: h5py.Group, table: Table) -> None:
    for name, values in table.items():
        if len(values):
            _write(group, name, values, rows=64)


def _write(group: h5py.Group, name: str, values: Array, rows: int) -> None:
    """Write a dataset in chunks of ``rows`` rows."""
    chunks = (min(rows, len(values)), *values.shape[1:])
    group.create_dataset(name, data=values, fletcher32=True, chunks=chunks)


def _write_wide_ids(group: h5py.Group, name: str, count: int) -> None:
    """Write a dataset of 48-bit integers, a type that NumPy lacks."""
    kind = h5py.h5t.STD_U64LE.copy()
    kind.set_size(6)
    kind.set_precision(48)
    h5py.h5d.create(group.id, name.encode(), kind, h5py.h5s.create_simple((count,)))


def _particles(run: Run) -> Array:
    """Return the number of particles of each type; the tracers of AREPO have no mass."""
    total = run.side**3
    numbers = np.zeros(TYPES, dtype=np.int64)
    numbers[DARK] = total
    if run.baryons:
        numbers[STARS] = total // 6
        numbers[GAS] = total - numbers[STARS]
        numbers[TRACERS] = total // 3 if run.arepo else 0
    return numbers


def _write_snapshot(paths: Sequence[Path], run: Run) -> None:
    """Write the snapshot.

    Dark matter has its mass in the mass table. Gas, and a fifth as many stars, have a dataset of
    masses. Ids are shuffled; those of dark matter are 1 to ``side``**3.
    """
    numbers = _particles(run)
    table = np.zeros(TYPES)
    table[DARK] = run.particle * (1 - run.baryons) * run.per_mass
    bounds = [np.linspace(0, n, len(paths) + 1).astype(int) for n in numbers]
    mixed = np.random.default_rng(run.seed).permutation(run.side**3)
    for k, path in enumerate(paths):
        here = [slice(edge[k], edge[k + 1]) for edge in bounds]
        counts = np.array([rows.stop - rows.start for rows in here])
        facts = {
            "NumFilesPerSnapshot": np.int32(len(paths)),
            "MassTable": table,
            "NumPart_ThisFile": counts.astype("i4" if run.arepo else "u8"),
            "NumPart_Total": numbers.astype("u4" if run.arepo else "u8"),
        }
        if run.arepo:
            facts["NumPart_Total_HighWord"] = numbers.astype("u4") * 0
        with h5py.File(path, "w") as file:
            _write_header(file, run, facts)
            for kind in np.flatnonzero(counts).tolist():
                _write_particles(file.create_group(f"PartType{kind}"), run, kind, here[kind], mixed)


def _write_particles(group: h5py.Group, run: Run, kind: int, rows: slice, mixed: Array) -> None:
    """Write the rows of one type that belong in this file; ``mixed`` is the order of the ids."""
    total, count = run.side**3, rows.stop - rows.start
    if kind == TRACERS:
        _write(group, "TracerID", np.arange(count), rows=8192)
        return
    place = spread(total, run.seed + kind)[rows]
    ids = 1 + total * (kind != DARK) * kind + mixed[rows]
    columns = {
        "Coordinates": run.positions(place * run.box_size),
        "ParticleIDs": ids.astype("u8" if run.arepo else "u4"),
    }
    if kind != DARK:
        columns["Masses"] = run.masses(np.full(count, run.particle * run.baryons))
    for name, values in columns.items():
        _write(group, name, values, rows=8192)
