"""Our own bundle: one HDF5 file with halos and, where there are any, particles and a density grid.

Units are the internal ones (`mockgal.columns`); `mockgal.write.bundle` writes it.

| path | content |
|---|---|
| / @mockgal_bundle, @complete | version of the layout; 1, written last |
| /header | attributes: box, redshift, cosmology, counts; datasets of JSON: records, source files |
| /halos/COLUMN | each with unit, h_power, description; rows in any order |
| /particles/position | float32 [Mpc/h] |
| /particles/mass | dataset, or attribute of /particles where all are equal [Msun/h] |
| /density | see `mockgal.read.density` |
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from ..columns import HALO_COLUMNS, REQUIRED_HALO_COLUMNS
from ..cosmology import Cosmology
from ..errors import (
    BadValueError,
    CorruptFileError,
    FormatError,
    MissingDatasetError,
    MockgalError,
    UnitsError,
    UsageError,
)
from ..layout import BUNDLE_ATTRIBUTE, BUNDLE_VERSION
from ..protocols import ReadOptions
from ..types import HaloCatalog, ParticleChunk, Particles, Scene, Snapshot
from . import chunks, headers, physics, safe
from .chunks import FileSet
from .density import read_density
from .values import halo_catalog, wrap

_COSMOLOGY = ("h", "omega_m", "omega_lambda", "omega_b", "sigma_8", "n_s")
_DIGEST_BYTES = 1 << 30  # larger bundles are mostly particles; no digest of them is taken


class _Header(NamedTuple):
    box_size: float
    redshift: float
    cosmology: Cosmology
    halos: int
    particles: int
    particle_mass: float | None
    uniform_mass: float | None
    name: str
    mass_definition: str
    original_format: str
    columns: list[str]
    has_density: bool
    json: dict[str, Any]


class BundleReader:
    """The bundle that `mockgal pack` writes."""

    name = "bundle"

    def detect(self, path: Path) -> bool:
        """Whether ``path`` is a bundle: never raises for other formats."""
        try:
            with safe.open_hdf5(path) as file:
                return headers.attribute(file, "/", BUNDLE_ATTRIBUTE, None) is not None
        except MockgalError:
            return False

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """The scene in the bundle at ``path``.

        Parameters
        ----------
        path : Path
        options : ReadOptions
            A mass definition must be the one that was packed.

        Returns
        -------
        Scene

        Raises
        ------
        MockgalError
            Exit code 3 for a damaged, incomplete or contradictory bundle, 4 for an unsafe one, 2
            for a mass definition that it does not hold.
        """
        with safe.open_hdf5(path) as file:
            header = _header(file)
        if options.mass_definition not in (None, header.mass_definition):
            raise UsageError(
                "--mass-definition",
                f"{options.mass_definition!r}",
                f"{header.mass_definition!r}, the one in {path}",
                "pack the original catalogue again with the definition meant",
            )
        halos = _halos(path, header, options)
        record = {
            **header.json["record"],
            "original_format": header.original_format,
            "original_source": header.json["source"],
        }
        if header.uniform_mass is not None and header.particles:
            record["mean_density_over_omega_m"] = _check_mass(
                path, header, header.uniform_mass * header.particles
            )
        digests = path.stat().st_size <= _DIGEST_BYTES
        snapshot = Snapshot(
            header.name,
            header.box_size,
            header.redshift,
            header.cosmology,
            header.particle_mass,
            self.name,
            (chunks.source(path, digests=digests),),
            record,
        )
        field = read_density(path, snapshot) if header.has_density else None
        return Scene(snapshot, halos, _particles(path, header, options), field)


def _header(file: h5py.File) -> _Header:
    path = file.filename
    version = headers.attribute(file, "/", BUNDLE_ATTRIBUTE)
    if version != BUNDLE_VERSION:
        raise FormatError(
            f"{path}@{BUNDLE_ATTRIBUTE}",
            f"version {version}",
            f"{BUNDLE_VERSION}",
            "pack the original catalogue again with this version",
        )
    if headers.attribute(file, "/", "complete", 0) != 1:
        raise CorruptFileError(
            f"{path}@complete",
            "a bundle whose writing did not end",
            "complete = 1",
            "pack the original catalogue again",
        )

    def number(name: str, default: Any = ...) -> Any:
        return headers.number(file, "header", name, default)

    def text(name: str) -> str:
        return str(headers.attribute(file, "header", name))

    def count(name: str) -> int:
        return int(headers.counts(file, "header", name)[0])

    values = {name: number(name, None) for name in _COSMOLOGY}
    for name in ("h", "omega_m", "omega_lambda"):
        values[name] = number(name)
    return _Header(
        number("box_size"),
        number("redshift"),
        Cosmology(**values),
        count("halos"),
        count("particles"),
        number("particle_mass", None),
        headers.number(file, "particles", "mass", None),
        text("name"),
        text("mass_definition"),
        text("original_format"),
        safe.members(file, "halos"),
        safe.exists(file, "density"),
        {
            name: _json(file, f"header/{name}", kind)
            for name, kind in (("record", dict), ("halo_record", dict), ("source", list))
        },
    )


def _json(file: h5py.File, name: str, kind: type) -> Any:
    try:
        value = json.loads(safe.read_rows(safe.dataset(file, name)).tobytes())
    except (ValueError, RecursionError) as error:
        value = error
    if not isinstance(value, kind):
        raise CorruptFileError(
            f"{file.filename}:/{name}",
            f"{value!r}"[:200],
            f"JSON of a {kind.__name__}",
            "pack the original catalogue again",
        )
    return value


def _halos(path: Path, header: _Header, options: ReadOptions) -> HaloCatalog:
    missing = [name for name in REQUIRED_HALO_COLUMNS if name not in header.columns]
    if missing:
        raise MissingDatasetError(
            f"{path}:/halos/{missing[0]}",
            "no such dataset; present: " + (", ".join(header.columns) or "none"),
            ", ".join(REQUIRED_HALO_COLUMNS),
            "pack the original catalogue again",
        )
    columns: dict[str, NDArray[Any]] = {}
    for name in header.columns:
        where = f"{path}:/halos/{name}"
        if name not in HALO_COLUMNS:
            raise FormatError(
                where,
                "a column unknown to this version",
                "one of " + ", ".join(HALO_COLUMNS),
                "update mockgal, or pack the original catalogue again",
            )
        declared = HALO_COLUMNS[name]
        with safe.open_hdf5(path) as file:
            unit = (
                str(headers.attribute(file, f"halos/{name}", "unit")),
                int(headers.number(file, f"halos/{name}", "h_power")),
            )
            shape = safe.dataset(file, f"halos/{name}").shape
        if unit != (declared.unit, declared.h_power):
            raise UnitsError(
                where,
                f"unit {unit[0]!r} with h to the power {unit[1]}",
                f"{declared.unit!r} with {declared.h_power}",
                "pack the original catalogue again",
            )
        if shape != (header.halos, *declared.shape):
            raise CorruptFileError(
                where,
                f"shape {shape}",
                f"{(header.halos, *declared.shape)}",
                "pack the original catalogue again",
            )
        found = chunks.column(
            FileSet((path,), ""), [header.halos], f"halos/{name}", options.chunk_rows
        )
        columns[name] = found if header.halos else np.empty((0, *declared.shape), declared.dtype)
    return halo_catalog(
        columns,
        header.mass_definition,
        header.box_size,
        options,
        lambda name, row: f"{path}:/halos/{name}, row {row}",
        dict(header.json["halo_record"]),
    )


def _check_mass(path: Path, header: _Header, total: float) -> float:
    return physics.check_mean_density(
        total, header.box_size, header.cosmology, header.redshift, f"{path}:/particles@mass"
    )


def _particles(path: Path, header: _Header, options: ReadOptions) -> Particles | None:
    """The particles as a stream that checks their mean density at its end."""
    if header.particles == 0:
        return None
    with safe.open_hdf5(path) as file:
        place = chunks.checked(file, "particles/position", header.particles)
        if place.shape[1:] != (3,):
            raise CorruptFileError(
                f"{path}:/particles/position",
                f"shape {place.shape}",
                "(n, 3)",
                "pack the original catalogue again",
            )
        stored = place.dtype
        if header.uniform_mass is None:
            chunks.checked(file, "particles/mass", header.particles)

    def stream(chunk_rows: int) -> Iterator[ParticleChunk]:
        ignored: dict[str, Any] = {}
        total, start = 0.0, 0
        where = f"{path}:/particles/position"
        for native in chunks.stream(path, "particles/position", header.particles, chunk_rows):
            position = wrap(
                native.astype(np.float64),
                header.box_size,
                stored=stored,
                centred=options.centred_origin,
                record=ignored,
                where=partial(chunks.row_at, where, start),
            )
            if header.uniform_mass is None:
                with safe.open_hdf5(path) as file:
                    data = safe.dataset(file, "particles/mass")
                    mass = safe.read_rows(data, start, start + len(position)).astype(np.float64)
                if not (np.isfinite(mass).all() and (mass >= 0).all()):
                    raise BadValueError(
                        f"{path}:/particles/mass",
                        "NaN or negative masses",
                        "masses",
                        "pack the original catalogue again",
                    )
            else:
                mass = np.full(len(position), header.uniform_mass)
            total, start = total + float(mass.sum()), start + len(position)
            yield ParticleChunk(position, mass)
        _check_mass(path, header, total)

    return Particles(header.particles, stream)
