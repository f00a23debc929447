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

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bounds import VOXEL
from ..errors import (
    BadValueError,
    HeaderError,
    MissingDatasetError,
    UsageError,
    in_python,
    shown,
)
from ..layout import DENSITY, GRID_ATTRIBUTES, GRID_KINDS, GRID_UNITS, MATTER, QUANTITY
from ..types import DensityField, HaloCatalog, Snapshot
from .checks import physics
from .checks.orientation import Sampler
from .matter.grids import GridFile, open_hdf5
from .stated_cosmology import SAME

# Units allowed for each kind: the one that is written and, if dimensionless, its other name.
UNITS = {kind: (unit,) if unit else ("", "1") for kind, unit in GRID_UNITS.items()}
_OPTIONS = {"kind": "--matter-kind", "mas": "--matter-assignment", "origin": "--matter-origin"}
_EXAMPLES = {
    "--matter-kind": "mass (in Msun/h; or counts, delta, 1+delta)",
    "--matter-assignment": "CIC (or NGP, TSC, PCS)",
    "--matter-origin": "corner (or centre: voxel 0 is centred on the origin, as in Pylians and "
    "nbodykit)",
}
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


class GridFacts(NamedTuple):
    """What the user states of a grid whose file does not.

    Parameters
    ----------
    kind : str or None
        What the values are, a key of `mockgal.layout.GRID_KINDS`.
    assignment, origin : str or None
        See `mockgal.types.DensityField`.
    dataset : str or None
        Name of the dataset or block, if the file has several.
    """

    kind: str | None = None
    assignment: str | None = None
    origin: str | None = None
    dataset: str | None = None


def read_density(
    path: Path,
    snapshot: Snapshot | None = None,
    *,
    dataset: str = DENSITY,
    halos: HaloCatalog | None = None,
    record: dict[str, Any] | None = None,
) -> DensityField:
    """Return a density grid of an HDF5 file that describes itself; see `read_grid`."""
    return read_grid(open_hdf5(path, dataset), GridFacts(), snapshot, halos=halos, record=record)


def read_grid(
    grid: GridFile,
    facts: GridFacts,
    snapshot: Snapshot | None = None,
    *,
    halos: HaloCatalog | None = None,
    record: dict[str, Any] | None = None,
) -> DensityField:
    """Return a density grid. All values are checked once; rows are read on request.

    Parameters
    ----------
    grid : GridFile
    facts : GridFacts
        What the file need not state.
    snapshot : Snapshot, optional
        The grid must hold the matter of this snapshot: have its box size, its redshift and, for
        kind mass, its mean density. Box and redshift are taken from it if the file lacks them.
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
    MissingDatasetError, HeaderError, UsageError
        Facts that neither the file nor the user states, that are not allowed, or that contradict
        each other; or the grid is not of matter.
    BadValueError, UnitsError
        NaN, delta below -1, a mean delta that is not 0, negative mass, or a total mass that does
        not fit Omega_m.
    """
    where, size = grid.where, grid.size
    stated = _complete(grid, facts, snapshot)
    kind = GRID_KINDS[stated["kind"]]
    if stated["unit"] not in UNITS[kind]:
        raise HeaderError(
            f"{where}@unit",
            shown(stated["unit"]),
            " or ".join(map(repr, UNITS[kind])) + f", for a grid of {kind}",
            "convert the values, and set the attribute",
        )
    if snapshot is not None:
        _check_run(grid, stated, snapshot)
    side = physics.box_size(f"{where}@boxsize", stated["boxsize"], 1.0)
    less = 1.0 if stated["kind"] != kind else 0.0
    held: list[tuple[int, NDArray[Any]]] = []  # rows of the stored chunk that was read last

    def read_slab(start: int, stop: int) -> NDArray[Any]:
        block = grid.block
        if block == 1 or start // block != (stop - 1) // block:
            held.clear()
            return grid.read(start, stop).astype(np.float64) - less
        first = start // block * block
        if not held or held[0][0] != first:
            held.clear()
            held.append((first, grid.read(first, min(first + block, size))))
        return held[0][1][start - first : stop - first].astype(np.float64) - less

    try:
        field = DensityField(size, side / size, kind, stated["mas"], stated["origin"], read_slab)
    except BadValueError as error:
        raise HeaderError(
            where, error.found, error.expected, "set the attributes mas and origin"
        ) from error
    fit = _check_values(field, where, snapshot, halos)
    if record is not None:
        record.update(fit)
    return field


def _complete(grid: GridFile, facts: GridFacts, snapshot: Snapshot | None) -> dict[str, Any]:
    """Return all attributes of a grid: the file's, or else the user's or the snapshot's.

    Raises
    ------
    MissingDatasetError
        Some are stated nowhere; the message lists them with their allowed values and options.
    UsageError
        The user contradicts the file.
    HeaderError
        A kind that there is not.
    """
    stated = dict(grid.stated)
    for (name, option), user in zip(_OPTIONS.items(), facts[:3], strict=True):
        if user is not None and stated.setdefault(name, user) != user:
            raise UsageError(
                option, user, f"{stated[name]}, as {grid.where} says", f"leave {option} out"
            )
    if snapshot is not None:
        stated.setdefault("boxsize", snapshot.box_size)
        stated.setdefault("redshift", snapshot.redshift)
    if stated.get("kind", "mass") not in GRID_KINDS:
        raise HeaderError(
            f"{grid.where}@kind",
            shown(stated["kind"]),
            "one of " + ", ".join(UNITS),
            "set the attribute to what the values are",
        )
    if "kind" in stated and snapshot is not None:
        stated.setdefault("unit", GRID_UNITS[GRID_KINDS[stated["kind"]]])
    missing = [name for name in GRID_ATTRIBUTES if name not in stated]
    if missing and snapshot is not None:
        missing = [name for name in missing if name != "unit"]
        lacking = [_OPTIONS[name] for name in missing]
        raise MissingDatasetError(
            grid.where,
            "no " + ", ".join(missing),
            "; ".join(f"{name}, {_ALLOWED[name]}" for name in missing),
            "say what the grid is: give " + " ".join(f"{o} {_EXAMPLES[o]}" for o in lacking),
        )
    if missing:
        raise MissingDatasetError(
            grid.where,
            "no attribute " + ", ".join(missing),
            "; ".join(f"{name}, {_ALLOWED[name]}" for name in missing),
            f"set them, such as `h5py.File({in_python(grid.files[0])}, 'r+')"
            f"[{in_python(grid.where.rpartition(':/')[2], 'NAME')}].attrs[{missing[0]!r}] = ...`, "
            "to what the values are",
        )
    return stated


def _check_run(grid: GridFile, stated: Mapping[str, Any], snapshot: Snapshot) -> None:
    """Raise if a grid is not of the matter of this snapshot."""
    quantity = stated.get(QUANTITY, MATTER)
    if quantity != MATTER:
        raise HeaderError(
            f"{grid.where}@{QUANTITY}", shown(quantity), repr(MATTER), "use the grid of the matter"
        )
    for name, there, tolerance in (
        ("boxsize", snapshot.box_size, 1e-6 * snapshot.box_size),
        # a halo list has the redshift from a scale factor of five digits
        ("redshift", snapshot.redshift, SAME * (1.0 + snapshot.redshift)),
    ):
        if not abs(stated[name] - there) <= tolerance:
            raise HeaderError(
                f"{grid.where}@{name}",
                f"{stated[name]}",
                f"{there}, as the catalogue has",
                "use the grid of the same snapshot",
            )


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
            "use --matter-kind 1+delta, if that is what the values are; check the attribute kind "
            "(counts, mass or delta)",
        )
    if field.kind == "mass" and snapshot is not None:
        physics.check_mean_density(
            total, snapshot.box_size, snapshot.cosmology, snapshot.redshift, where
        )
    if sampler is None:
        return {}
    return sampler.verdict(mean, where)
