"""The bundle: one HDF5 file with halos and, optionally, particles and a density grid.

Values are in internal units (`mockgal.columns`). `mockgal.writers.bundle` writes bundles.

| path | content |
|---|---|
| / @mockgal_bundle, @complete | version of the layout; 1, written last |
| /header | attributes: box, redshift, cosmology, counts; datasets of JSON: records, source files |
| /halos/COLUMN | each with unit, h_power, description; rows in any order |
| /particles/position | float32 [Mpc/h] |
| /particles/mass | dataset, or an attribute of /particles if all masses are equal [Msun/h] |
| /density | see `mockgal.readers.density` |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from ..columns import HALO_COLUMNS, REQUIRED_HALO_COLUMNS
from ..cosmology import Cosmology
from ..digests import content_digest
from ..errors import (
    CorruptFileError,
    FormatError,
    MissingDatasetError,
    MockgalError,
    UnitsError,
    UsageError,
    listed,
    shown,
)
from ..layout import (
    BUNDLE_ATTRIBUTE,
    BUNDLE_DIGEST,
    BUNDLE_FACTS,
    BUNDLE_VERSION,
    COMPLETE,
    DENSITY,
    GRID_ATTRIBUTES,
    HALOS,
    HEADER,
    MASS,
    MASS_DEFINITIONS_IN_FILE,
    MATTER_FRACTION,
    ORIGINAL_FORMAT,
    PARTICLES,
    POSITION,
    bundle_digest,
)
from ..protocols import ReadOptions
from ..system.files import plain_json
from ..types import MASS_DEFINITIONS, HaloCatalog, ParticleChunk, Particles, Scene, Snapshot
from . import chunks, given
from .about import About
from .checks import physics
from .checks.units import MEASURED
from .checks.values import halo_catalog
from .chunks import FileSet
from .density import AT_HOSTS, read_density
from .hdf5 import headers, safe
from .particle_stream import stream_particles
from .raw import Rows, of_dataset
from .stated_cosmology import check_given, make_cosmology

_AGAIN = "pack the original catalogue again"
_DIGEST_BYTES = 1 << 30  # larger bundles are mostly particles and are not hashed


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
    facts: dict[str, Any]
    digest: str


class BundleReader:
    """Reader of the bundles that `mockgal pack` writes."""

    name = "bundle"
    about = About(
        "bundle of mockgal (HDF5)",
        "hosts, subhalos, particles",
        "Msun/h, comoving Mpc/h, km/s",
        tested_on="bundles that mockgal packs",
    )

    def detect(self, path: Path) -> bool:
        """Return whether ``path`` is a bundle; never raise for other formats."""
        try:
            with safe.open_hdf5(path) as file:
                return headers.has(file, "/", BUNDLE_ATTRIBUTE)
        except MockgalError:
            return False

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """Return the scene in the bundle at ``path``.

        Parameters
        ----------
        path : Path
        options : ReadOptions
            The mass definition, if set, must be the one that was packed.

        Returns
        -------
        Scene

        Raises
        ------
        MockgalError
            Exit code 3 for a damaged, incomplete or inconsistent bundle, 4 for an unsafe one, 2
            for a mass definition that the bundle does not hold.
        """
        with safe.open_hdf5(path) as file:
            header = _header(file, options)
        if options.mass_definition not in (None, header.mass_definition):
            raise UsageError(
                "--mass-definition",
                f"{options.mass_definition!r}",
                f"{header.mass_definition!r}, the one in {path}",
                "pack the original catalogue again with the definition that you want",
            )
        record = {
            **header.json["record"],
            MASS_DEFINITIONS_IN_FILE: [header.mass_definition],
            ORIGINAL_FORMAT: header.original_format,
            "original_source": header.json["source"],
        }
        if header.uniform_mass is not None and header.particles:
            record["mean_density_over_omega_m"] = _check_mass(
                path, header, header.uniform_mass * header.particles
            )
        particle_mass, taken = given.optional("particle_mass", header.particle_mass, options)
        if taken:
            record["given_by_user"] = [*record.get("given_by_user", []), *taken]
        digests = path.stat().st_size <= _DIGEST_BYTES
        snapshot = Snapshot(
            header.name,
            header.box_size,
            header.redshift,
            header.cosmology,
            particle_mass,
            self.name,
            (chunks.source(path, digests=digests),),
            record,
        )
        halos = _halos(path, header, snapshot, options)
        _check_particle_mass(path, header, halos)
        field = None
        if header.has_density:
            fit: dict[str, Any] = {}
            field = read_density(path, snapshot, halos=halos, record=fit)
            snapshot = replace(snapshot, record={**snapshot.record, AT_HOSTS: fit})
        return Scene(snapshot, halos, _particles(path, header, options), field)


def _header(file: h5py.File, options: ReadOptions) -> _Header:
    path = file.filename
    version = headers.count(file, "/", BUNDLE_ATTRIBUTE)
    if version != BUNDLE_VERSION:
        raise FormatError(
            f"{path}@{BUNDLE_ATTRIBUTE}",
            f"version {version}",
            f"{BUNDLE_VERSION}",
            "pack the original catalogue again with this version",
        )
    if headers.count(file, "/", COMPLETE, 0) != 1:
        raise CorruptFileError(
            f"{path}@{COMPLETE}",
            "a bundle that was not completely written",
            f"{COMPLETE} = 1",
            _AGAIN,
        )

    where = f"{path}:/{HEADER}"

    def number(name: str, default: Any = ..., above: float = -np.inf) -> Any:
        return headers.number(file, HEADER, name, default, above=above)

    values = {
        item.name: number(item.name, ... if item.default is MISSING else None)
        for item in fields(Cosmology)
    }
    group, mass = MASS.split("/")
    return _Header(
        physics.box_size(f"{where}@box_size", number("box_size"), 1.0),
        number("redshift", above=-1.0),
        _cosmology(where, values, options),
        headers.count(file, HEADER, "halos"),
        headers.count(file, HEADER, "particles"),
        number("particle_mass", None, above=0.0),
        headers.number(file, group, mass, None, above=0.0),
        headers.text(file, HEADER, "name"),
        headers.text(file, HEADER, "mass_definition", allowed=MASS_DEFINITIONS),
        headers.text(file, HEADER, "original_format"),
        safe.members(file, HALOS),
        safe.exists(file, DENSITY),
        {
            "record": _record(file),
            "halo_record": _halo_record(file),
            "source": _json(file, f"{HEADER}/source", list),
        },
        _facts(file),
        headers.text(file, "/", BUNDLE_DIGEST),
    )


def _cosmology(where: str, values: dict[str, Any], options: ReadOptions) -> Cosmology:
    """Return the cosmology of a bundle, which states all parameters; the user's only must agree."""
    cosmology = make_cosmology(where, {}, values, options._replace(w0=None, wa=None))
    check_given(where, cosmology, options)
    return cosmology


def _facts(file: h5py.File) -> dict[str, Any]:
    """Return the attributes that the bundle's digest covers."""
    names = {
        "": (HEADER, (*BUNDLE_FACTS, *(item.name for item in fields(Cosmology)))),
        "particles/": (PARTICLES, (MASS.split("/")[1],)),
        "density/": (DENSITY, GRID_ATTRIBUTES),
    }
    attributes = {
        prefix + key: headers.attribute(file, group, key, None)
        for prefix, (group, keys) in names.items()
        for key in keys
    }
    return {key: value for key, value in attributes.items() if isinstance(value, str | int | float)}


def _json(file: h5py.File, name: str, kind: type) -> Any:
    try:
        text = safe.read_rows(safe.dataset(file, name)).tobytes()
        value = plain_json.load(text)
    except ValueError as error:
        value = error
    if not isinstance(value, kind):
        raise CorruptFileError(
            f"{file.filename}:/{name}", shown(value), f"JSON of a {kind.__name__}", _AGAIN
        )
    return value


def _record(file: h5py.File) -> dict[str, Any]:
    """Return the snapshot's record. Later steps add to its table of options, which is checked."""
    name = f"{HEADER}/record"
    record: dict[str, Any] = _json(file, name, dict)
    if not isinstance(record.get("options_given", {}), dict):
        raise CorruptFileError(
            f"{file.filename}:/{name}",
            f"options_given {shown(record['options_given'])}",
            "a table of options",
            _AGAIN,
        )
    return record


def _halo_record(file: h5py.File) -> dict[str, Any]:
    """Return the halos' record: counts, and the measured fractions in `MEASURED`."""
    name = f"{HEADER}/halo_record"
    record: dict[str, Any] = _json(file, name, dict)
    for key, value in record.items():
        share = key in MEASURED and isinstance(value, float) and np.isfinite(value)
        whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62
        if not (share or whole):
            raise CorruptFileError(
                f"{file.filename}:/{name}", f"{key} = {shown(value)}", "a count", _AGAIN
            )
    return record


def _halos(path: Path, header: _Header, snapshot: Snapshot, options: ReadOptions) -> HaloCatalog:
    missing = [name for name in REQUIRED_HALO_COLUMNS if name not in header.columns]
    if missing:
        raise MissingDatasetError(
            f"{path}:/{HALOS}/{missing[0]}",
            f"no such dataset; present: {listed(header.columns)}",
            ", ".join(REQUIRED_HALO_COLUMNS),
            _AGAIN,
        )
    columns = {name: _column(path, name, header.halos) for name in header.columns}
    stored = content_digest(columns, HALO_COLUMNS, ["halo_id"], header.mass_definition)
    if bundle_digest(header.facts, stored) != header.digest:
        raise CorruptFileError(
            f"{path}@{BUNDLE_DIGEST}",
            "a header or halos that changed since they were written",
            f"the digest {header.digest}",
            "copy or download the file again, or pack the original catalogue again",
        )
    return halo_catalog(
        columns,
        header.mass_definition,
        snapshot,
        options,
        lambda name, row: f"{path}:/{HALOS}/{name}, row {row}",
        dict(header.json["halo_record"]),
    )


def _column(path: Path, name: str, rows: int) -> NDArray[Any]:
    """Return a column of halos, whose unit, shape and type are the declared ones."""
    dataset = f"{HALOS}/{name}"
    where = f"{path}:/{dataset}"
    if name not in HALO_COLUMNS:
        raise FormatError(
            where,
            "a column unknown to this version",
            "one of " + ", ".join(HALO_COLUMNS),
            "update mockgal, or pack the original catalogue again",
        )
    declared = HALO_COLUMNS[name]
    with safe.open_hdf5(path) as file:
        data = safe.dataset(file, dataset)  # check it before its attributes: it may be hostile
        shape, kind = data.shape, data.dtype.kind
        unit = (
            headers.text(file, dataset, "unit"),
            headers.count(file, dataset, "h_power", least=-9, most=9),
        )
    if unit != (declared.unit, declared.h_power):
        raise UnitsError(
            where,
            f"unit {unit[0]!r} with h to the power {unit[1]}",
            f"{declared.unit!r} with {declared.h_power}",
            _AGAIN,
        )
    expected = (rows, *declared.shape), np.dtype(declared.dtype).kind
    if (shape, kind) != expected:
        raise CorruptFileError(
            where,
            f"shape {shape} of type {kind!r}",
            f"{expected[0]} of type {expected[1]!r}",
            _AGAIN,
        )
    stored = chunks.columns(FileSet((path,), ""), {HALOS: [rows]}, {dataset: declared.shape})
    return stored[dataset].astype(declared.dtype, copy=False)


def _check_particle_mass(path: Path, header: _Header, halos: HaloCatalog) -> None:
    """Compare the mass of the stored particles with the header's, in runs of one particle type."""
    if "stellar_mass" in halos or header.uniform_mass is None or header.particle_mass is None:
        return
    share = header.json["record"].get(MATTER_FRACTION)  # of samples, which stand for all matter
    physics.check_particle_mass(
        header.uniform_mass * (share if isinstance(share, float) and 0 < share < 1 else 1.0),
        header.particle_mass,
        header.cosmology,
        header.redshift,
        f"{path}:/{PARTICLES}@mass",
        "particles",
    )


def _check_mass(path: Path, header: _Header, total: float) -> float:
    return physics.check_mean_density(
        total, header.box_size, header.cosmology, header.redshift, f"{path}:/{PARTICLES}@mass"
    )


def _particles(path: Path, header: _Header, options: ReadOptions) -> Particles | None:
    """Return the particles as a stream that checks their mean density at its end."""
    if header.particles == 0:
        return None

    def datasets(file: h5py.File) -> tuple[Rows, Rows | float]:
        place = of_dataset(chunks.checked(file, POSITION, header.particles, (3,)))
        if header.uniform_mass is not None:
            return place, float(header.uniform_mass)
        return place, of_dataset(chunks.checked(file, MASS, header.particles))

    with safe.open_hdf5(path) as file:
        datasets(file)

    def stream(chunk_rows: int) -> Iterator[ParticleChunk]:
        total = 0.0
        with safe.open_hdf5(path) as file:
            for chunk in stream_particles(
                *datasets(file), header.box_size, (1.0, 1.0), options, chunk_rows
            ):
                total += float(chunk.mass.sum())
                yield chunk
        _check_mass(path, header, total)

    return Particles(header.particles, stream)
