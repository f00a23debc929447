"""Density grids: a cubic HDF5 dataset with attributes that describe it, read slab by slab.

| attribute | meaning |
|---|---|
| boxsize | side of the grid [comoving Mpc/h] |
| kind | counts, mass or delta |
| unit | unit of the values, see `UNITS` |
| mas | mass assignment: NGP, CIC, TSC or PCS |
| redshift | of the snapshot |
| origin | corner or centre: where voxel 0 is |
| quantity | optional: what the grid is the density of; default matter |
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bounds import VOXEL
from ..errors import BadValueError, HeaderError, MissingDatasetError, in_python, shown, warn
from ..layout import DENSITY, GRID_ATTRIBUTES, GRID_UNITS, MATTER, QUANTITY
from ..types import DensityField, HaloCatalog, Scene, Snapshot
from . import chunks
from .checks import physics
from .checks.orientation import Sampler
from .hdf5 import headers, safe
from .stated_cosmology import SAME

# Units allowed for each kind: the one that is written and, if dimensionless, its other name.
UNITS = {kind: (unit,) if unit else ("", "1") for kind, unit in GRID_UNITS.items()}
_ALLOWED = {
    "boxsize": "its side in Mpc/h",
    "kind": "one of " + ", ".join(UNITS),
    "unit": ", ".join(f"{' or '.join(map(repr, u))} of {kind}" for kind, u in UNITS.items()),
    "mas": "one of NGP, CIC, TSC, PCS",
    "redshift": "that of the snapshot",
    "origin": "corner or centre",
}
MEAN_DELTA = 1e-3  # largest |mean(delta)|: far above rounding, far below a wrong mean
AT_HOSTS = "density_at_hosts"  # in the record of the snapshot: how well grid and halos fit
_SLAB_BYTES = 64 << 20


def read_density(
    path: Path,
    snapshot: Snapshot | None = None,
    *,
    dataset: str = DENSITY,
    halos: HaloCatalog | None = None,
    record: dict[str, Any] | None = None,
) -> DensityField:
    """Return a density grid. All values are checked once; rows are read on request.

    Parameters
    ----------
    path : Path
    snapshot : Snapshot, optional
        The grid must hold the matter of this snapshot: have its box size, its redshift and, for
        kind mass, its mean density.
    dataset : str
    halos : HaloCatalog, optional
        Halos that must lie where the matter is.
    record : dict, optional
        Receives how well halos and grid fit; see
        `mockgal.readers.checks.orientation.Sampler.verdict`.

    Returns
    -------
    DensityField
        ``read_slab(start, stop)`` returns float64 of shape (stop - start, N, N).

    Raises
    ------
    MissingDatasetError, HeaderError
        The dataset is missing or no cube; attributes are missing or not allowed; or the grid is
        not of matter.
    BadValueError, UnitsError
        NaN, delta below -1, a mean delta that is not 0, negative mass, or a total mass that does
        not fit Omega_m.
    """
    where = f"{path}:/{dataset}"
    with safe.open_hdf5(path) as file:
        data = safe.dataset(file, dataset)
        if data.ndim != 3 or len(set(data.shape)) != 1 or data.shape[0] < 1:
            raise HeaderError(
                where,
                f"shape {data.shape}",
                "a cube (N, N, N)",
                "write the grid as one cubic dataset",
            )
        size = int(data.shape[0])
        _check_attributes(file, dataset, where)
        side = headers.side(file, dataset, "boxsize")
        z = headers.number(file, dataset, "redshift")
        text = {
            name: headers.text(file, dataset, name)
            for name in GRID_ATTRIBUTES
            if name not in ("boxsize", "redshift")
        }
        quantity = headers.text(file, dataset, QUANTITY, MATTER)
        block = min(int(data.chunks[0]), size) if data.chunks else 1
        if block * size**2 * data.dtype.itemsize > safe.MAX_CHUNK:
            block = 1  # a row of stored chunks is too large to hold
    if text["kind"] not in UNITS:
        raise HeaderError(
            f"{where}@kind",
            shown(text["kind"]),
            "one of " + ", ".join(UNITS),
            "set the attribute to what the values are",
        )
    if text["unit"] not in UNITS[text["kind"]]:
        raise HeaderError(
            f"{where}@unit",
            shown(text["unit"]),
            " or ".join(map(repr, UNITS[text["kind"]])) + f", for a grid of {text['kind']}",
            "convert the values, and set the attribute",
        )
    if snapshot is not None:
        if quantity != MATTER:
            raise HeaderError(
                f"{where}@{QUANTITY}", shown(quantity), repr(MATTER), "use the grid of the matter"
            )
        for name, here, there, tolerance in (
            ("boxsize", side, snapshot.box_size, 1e-6 * snapshot.box_size),
            # a halo list has the redshift from a scale factor of five digits
            ("redshift", z, snapshot.redshift, SAME * (1.0 + snapshot.redshift)),
        ):
            if not abs(here - there) <= tolerance:
                raise HeaderError(
                    f"{where}@{name}",
                    f"{here}",
                    f"{there}, as the catalogue has",
                    "use the grid of the same snapshot",
                )
    side = physics.box_size(f"{where}@boxsize", side, 1.0)

    held: list[tuple[int, NDArray[Any]]] = []  # rows of the stored chunk that was read last

    def read_slab(start: int, stop: int) -> NDArray[Any]:
        if block == 1 or start // block != (stop - 1) // block:
            held.clear()
            with safe.open_hdf5(path) as file:
                return safe.read_rows(safe.dataset(file, dataset), start, stop).astype(np.float64)
        first = start // block * block
        if not held or held[0][0] != first:
            held.clear()
            with safe.open_hdf5(path) as file:
                data = safe.dataset(file, dataset)
                held.append((first, safe.read_rows(data, first, min(first + block, size))))
        return held[0][1][start - first : stop - first].astype(np.float64)

    try:
        field = DensityField(
            size, side / size, text["kind"], text["mas"], text["origin"], read_slab
        )
    except BadValueError as error:
        raise HeaderError(
            where, error.found, error.expected, "set the attributes mas and origin"
        ) from error
    fit = _check_values(field, where, snapshot, halos)
    if record is not None:
        record.update(fit)
    return field


def _check_attributes(file: safe.File, dataset: str, where: str) -> None:
    """Raise if required attributes are missing.

    Raises
    ------
    MissingDatasetError
        The message lists the missing attributes with their allowed values.
    """
    missing = [n for n in GRID_ATTRIBUTES if headers.attribute(file, dataset, n, None) is None]
    if missing:
        raise MissingDatasetError(
            where,
            "no attribute " + ", ".join(missing),
            "; ".join(f"{name}, {_ALLOWED[name]}" for name in missing),
            f"set them, such as `h5py.File({in_python(file.filename)}, 'r+')"
            f"[{in_python(dataset, 'NAME')}].attrs[{missing[0]!r}] = ...`, to what the values are",
        )


def with_density(scene: Scene, path: Path) -> Scene:
    """Return the scene with the grid at ``path`` as its field and among its source files.

    Parameters
    ----------
    scene : Scene
    path : Path
        A grid of the scene's matter; it replaces the scene's own grid, if it has one.

    Raises
    ------
    MockgalError
        See `read_density`.
    """
    fit: dict[str, Any] = {}
    field = read_density(path, scene.snapshot, halos=scene.halos, record=fit)
    if fit["fits"] is None:
        warn(
            f"{path}: {fit['hosts']} hosts and a grid this smooth cannot show whether the grid "
            "belongs to these halos, and whether its axes and origin are theirs",
            stacklevel=3,
        )
    file = chunks.source(path)
    facts = {
        "file": path.name,
        "bytes": file.size,
        "sha256": file.digest,
        "grid_size": field.grid_size,
        "kind": field.kind,
        "assignment": field.assignment,
        "origin": field.origin,
        "in_place_of_own": scene.field is not None,
    }
    snapshot = replace(
        scene.snapshot,
        source=(*scene.snapshot.source, file),
        record={**scene.snapshot.record, "density": facts, AT_HOSTS: fit},
    )
    return replace(scene, snapshot=snapshot, field=field)


def _check_values(
    field: DensityField, where: str, snapshot: Snapshot | None, halos: HaloCatalog | None
) -> dict[str, Any]:
    """Check all values in one pass; return how well they fit the halos."""
    sampler = None
    if halos is not None and snapshot is not None:
        matter = snapshot.cosmology.matter_mass(snapshot.box_size)
        sampler = Sampler(halos, field, matter / field.grid_size**3)
    rows = max(1, _SLAB_BYTES // (8 * field.grid_size**2))
    total, beyond, first = 0.0, 0, ""
    bounds = VOXEL[field.kind]
    for start in range(0, field.grid_size, rows):
        slab = field.read_slab(start, min(start + rows, field.grid_size))
        if sampler is not None:
            sampler.see(start, slab)
        with np.errstate(all="ignore"):
            total += float(slab.sum())
        outside = bounds.outside(slab.ravel())
        if outside is not None:
            if not beyond:
                place = np.unravel_index(int(np.flatnonzero(outside)[0]), slab.shape)
                first = f"[{start + place[0]}, {place[1]}, {place[2]}]: {slab[place]:.6g}"
            beyond += int(np.count_nonzero(outside))
    mean = total / field.grid_size**3
    if beyond:
        raise BadValueError(
            where,
            f"{beyond} of {field.grid_size}^3 voxels with a {field.kind} that is NaN, infinite or "
            f"outside its possible range, the first {first}",
            bounds.text(GRID_UNITS[field.kind]),
            "check the attribute kind (counts, mass or delta), or write the grid again",
        )
    if snapshot is not None and field.kind == "counts" and not total:
        raise BadValueError(where, "counts that are all 0", "some matter", "write the grid again")
    if field.kind == "delta" and abs(mean) > MEAN_DELTA:
        raise BadValueError(
            where,
            f"a mean delta of {mean:.6g}",
            f"0 within {MEAN_DELTA}",
            "check the attribute kind (counts, mass or delta)",
        )
    if field.kind == "mass" and snapshot is not None:
        physics.check_mean_density(
            total, snapshot.box_size, snapshot.cosmology, snapshot.redshift, where
        )
    if sampler is None:
        return {}
    return sampler.verdict(mean, where)
