"""What the network is to predict: stellar masses of subhalos, or of the voxels that hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...columns import FURTHER_TARGETS
from ...errors import BadValueError, DomainError, UsageError
from ...painters.cnn.architecture import Architecture
from ...painters.cnn.inputs import Grid, feature_values, fits
from ...types import HaloCatalog, Scene
from .representative import check_representative
from .same_structures import check_unrelated, structures_of
from .samples import PARTS, TRAIN, Samples, Volume
from .split import Split

Array = NDArray[Any]

_FURTHER = "further "  # before the names of further targets, some of which samples have, too


class _Targets(NamedTuple):
    """Of one volume: rows of its catalogue, their voxels and targets, and what was counted."""

    rows: Array
    voxel: Array
    offset: Array
    log_stellar_mass: Array
    record: dict[str, Any]
    further: Mapping[str, Array] = MappingProxyType({})


def targets_of(text: str) -> tuple[str, tuple[str, ...]]:
    """What is asked for as the target.

    Parameters
    ----------
    text : str
        ``stellar_mass``, alone or followed by names in `mockgal.columns.FURTHER_TARGETS`, with
        commas
        between; or ``voxel``.

    Returns
    -------
    target : str
        A key of `mockgal.painters.cnn.weights.header.TARGETS`.
    further : tuple of str
        Targets beside stellar mass.

    Raises
    ------
    UsageError
        Something else.
    """
    if text == "voxel":
        return text, ()
    first, *further = (name.strip() for name in text.split(","))
    if (
        first != "stellar_mass"
        or set(further) - set(FURTHER_TARGETS)
        or len(set(further)) < len(further)
    ):
        raise UsageError(
            "target",
            repr(text),
            f"voxel, or stellar_mass, and after it any of {', '.join(FURTHER_TARGETS)}, each once",
            "--target stellar_mass,stellar_half_mass_radius",
        )
    return "subhalo", tuple(further)


def subhalo_samples(
    volumes: Sequence[Volume],
    scenes: Sequence[Scene],
    stellar_mass: Sequence[Array],
    *,
    floor: float,
    architecture: Architecture,
    split: Split,
    further: Sequence[Mapping[str, Array]] | None = None,
) -> Samples:
    """Every gravity-only subhalo, with the stellar mass of its galaxy and what else it has.

    Parameters
    ----------
    volumes : sequence of Volume
    scenes : sequence of Scene
        The gravity-only runs that they are of. Subhalos from the volume's least mass on are taken.
    stellar_mass : sequence of ndarray, shape (n,)
        Of the hydrodynamic galaxy that each subhalo is matched with [Msun/h]; 0 or NaN where there
        is none.
    floor : float
        Least stellar mass that counts as luminous [Msun/h].
    architecture : Architecture
        Whose features and further targets are taken.
    split : Split
    further : sequence of mapping of str to ndarray, shape (n,)
        The further targets of these galaxies, in the units of
        `mockgal.columns.FURTHER_TARGETS`. They are learnt by their logarithm: what is not positive
        is unknown, and counted.

    Returns
    -------
    Samples
        In the order of (volume, halo_id).

    Raises
    ------
    UsageError
        Unequal numbers of things, volumes of different grids, a floor that is none.
    BadValueError
        Stellar masses that are none; as of `mockgal.painters.cnn.inputs.feature_values`.
    MissingDatasetError
        A column that a feature needs is not there.
    DomainError
        No subhalo left to train on; boxes of one structure in different parts.
    """

    def targets(volume: Volume, scene: Scene, given: tuple[Array, Mapping[str, Array]]) -> _Targets:
        halos, (mass, others) = scene.halos, given
        rows, voxel, offset = _placed(volume, halos)
        found = np.asarray(mass, dtype=np.float64)
        if found.shape != (len(halos),) or np.any(found < 0) or np.any(np.isinf(found)):
            raise BadValueError(
                f"stellar masses for {volume.name}",
                f"shape {found.shape}, or values that are no masses",
                f"{len(halos)} numbers from 0 on, one per subhalo",
            )
        found = found[rows]
        galaxies = found > 0  # of NaN, no
        target = _log10(found, galaxies & (found >= floor))
        record = {"with_a_galaxy_below_floor": int(np.sum(galaxies & (found < floor)))}
        logs = {}
        for name in architecture.further:
            value = np.asarray(others[name], dtype=np.float64)[rows]
            known = np.isfinite(target) & (value > 0) & (value < np.inf)
            logs[name] = _log10(value, known)
            record[f"luminous_without_{name}"] = int(np.sum(np.isfinite(target) & ~known))
        return _Targets(rows, voxel, offset, target, record, logs)

    others = [{}] * len(stellar_mass) if further is None else further
    given = list(zip(stellar_mass, others, strict=True))
    made = _each(targets, volumes, scenes, given, split, floor)
    return _samples("subhalo", volumes, scenes, made, floor, architecture, split)


def voxel_samples(
    volumes: Sequence[Volume],
    scenes: Sequence[Scene],
    galaxies: Sequence[tuple[Array, Array]],
    *,
    floor: float,
    architecture: Architecture,
    split: Split,
) -> Samples:
    """Every voxel that holds a gravity-only subhalo, with the stellar mass in it.

    The target is log10(1 + M), M being the mass of the hydrodynamic galaxies whose positions are in
    the voxel (nearest grid point). The voxel goes by its heaviest subhalo: the id and the features
    are of that, and of equal ones of the one with the least id.

    Parameters
    ----------
    volumes, scenes, architecture, split
        As for `subhalo_samples`.
    galaxies : sequence of (ndarray, ndarray)
        Of the hydrodynamic twin of each: positions, shape (m, 3) [Mpc/h], in the box, and stellar
        masses, shape (m,) [Msun/h].
    floor : float
        Least stellar mass of a voxel that counts as luminous [Msun/h].

    Returns
    -------
    Samples
        In the order of (volume, halo_id). What stellar mass is in voxels without a subhalo, where
        the network is not asked, is in the record.

    Raises
    ------
    UsageError, BadValueError, MissingDatasetError, DomainError
        As of `subhalo_samples`.
    """

    def targets(volume: Volume, scene: Scene, given: tuple[Array, Array]) -> _Targets:
        halos, size = scene.halos, volume.grid_size
        rows, voxel, offset = _placed(volume, halos)
        cell = _cell(voxel, size)
        order = np.lexsort((halos["halo_id"][rows], -halos["mass"][rows], cell))
        cells, first = np.unique(cell[order], return_index=True)
        position, mass = (np.asarray(x, dtype=np.float64) for x in given)
        inside = np.all((position >= 0) & (position < volume.box_size))
        if (
            position.shape != (len(mass), 3)
            or not inside
            or not np.all((mass >= 0) & (mass < np.inf))
        ):
            raise BadValueError(
                f"galaxies for {volume.name}",
                "positions outside the box, or masses that are none",
                f"positions in [0, {volume.box_size:g}) Mpc/h, and masses from 0 on",
            )
        where = _cell(_grid(volume).voxels(position)[0], size)
        by_place = np.lexsort((mass, where))  # sums do not depend on the order of galaxies
        where, mass = where[by_place], mass[by_place]
        place = np.searchsorted(cells, where)
        hit = place < len(cells)
        hit[hit] = cells[place[hit]] == where[hit]
        total = np.bincount(place[hit], mass[hit], minlength=len(cells))
        chosen = order[first]
        record = {
            "voxels_with_several_subhalos": int(
                np.sum(np.bincount(np.searchsorted(cells, cell)) > 1)
            ),
            "stellar_mass_share_outside_voxels": float(
                mass[~hit].sum() / mass.sum() if mass.any() else 0.0
            ),
        }
        target = _log10(1.0 + total, (total > 0) & (total >= floor))
        return _Targets(rows[chosen], voxel[chosen], offset[chosen], target, record)

    made = _each(targets, volumes, scenes, galaxies, split, floor)
    return _samples("voxel", volumes, scenes, made, floor, architecture, split)


def _each(
    targets: Any,
    volumes: Sequence[Volume],
    scenes: Sequence[Scene],
    given: Sequence[Any],
    split: Split,
    floor: float,
) -> list[_Targets]:
    """``targets`` of each volume, after a look at what belongs together."""
    numbers = {len(volumes), len(scenes), len(given), len(split.boxes)}
    if len(numbers) > 1 or not volumes:
        raise UsageError(
            "pairs of runs", f"{sorted(numbers)} of volumes, scenes, masses", "equal ones"
        )
    if not 0.0 <= floor < math.inf:
        raise UsageError("luminosity floor", f"{floor}", "a mass from 0 on, in Msun/h")
    first = volumes[0]
    for volume, scene, box in zip(volumes, scenes, split.boxes, strict=True):
        alike = fits(volume.voxel_size, first.voxel_size)
        facts = ("origin", "assignment", "least_subhalo_mass")
        if not (alike and all(getattr(volume, f) == getattr(first, f) for f in facts)):
            raise UsageError(
                f"volumes of {first.name} and {volume.name}",
                "different voxel sizes, origins, assignments or least subhalo masses",
                "the same grid for all that a network is trained on",
                "choose a voxel size that all boxes are whole numbers of",
            )
        if box.grid_size != volume.grid_size or scene.snapshot.box_size != volume.box_size:
            raise UsageError(
                f"volume {volume.name}", "another grid or box", "that of its split and its scene"
            )
    return [targets(*three) for three in zip(volumes, scenes, given, strict=True)]


def _samples(
    target: str,
    volumes: Sequence[Volume],
    scenes: Sequence[Scene],
    made: Sequence[_Targets],
    floor: float,
    architecture: Architecture,
    split: Split,
) -> Samples:
    columns: dict[str, list[Array]] = {}
    boxes = []
    for index, (volume, scene, found) in enumerate(zip(volumes, scenes, made, strict=True)):
        halos = scene.halos
        order = np.argsort(halos["halo_id"][found.rows], kind="stable")
        rows, voxel = found.rows[order], found.voxel[order]
        asked_by = f"the architecture {architecture.preset}"
        part = split.parts(index, voxel)
        values = {
            "volume": np.full(len(rows), index, dtype=np.int64),
            "voxel": voxel,
            "halo_id": halos["halo_id"][rows],
            "features": feature_values(
                scene, architecture.features, rows, found.offset[order], asked_by=asked_by
            ),
            "log_stellar_mass": found.log_stellar_mass[order],
            "mass": halos["mass"][rows].astype(np.float64),
            "part": part,
            **{_FURTHER + name: found.further[name][order] for name in architecture.further},
        }
        for name, value in values.items():
            columns.setdefault(name, []).append(value)
        luminous = np.isfinite(values["log_stellar_mass"])
        above = halos["mass"] >= volume.least_subhalo_mass
        boxes.append(
            {
                "name": volume.name,
                "redshift": float(volume.redshift),
                "grid_size": volume.grid_size,
                "volume": dict(volume.record),
                "subhalos": len(halos),
                "subhalos_below_least_mass": int(np.sum(~above)),
                "targets": {name: int(np.sum(part == k)) for k, name in PARTS.items()},
                "luminous": {name: int(np.sum(luminous[part == k])) for k, name in PARTS.items()},
                **found.record,
            }
        )
    structures = structures_of(volumes)
    check_unrelated(volumes, split, structures)
    record = {
        "target": target,
        "luminosity_floor_msun_h": float(floor),
        "least_subhalo_mass_msun_h": volumes[0].least_subhalo_mass,
        "boxes": boxes,
        "split": split.to_dict(),
        "boxes_compared": structures.compared,
        "universes": structures.number,
    }
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    if split.kind != "box" and not np.any(joined["part"] == TRAIN):
        raise DomainError(
            "split", "no subhalo left to train on", "some", "smaller held-out regions"
        )
    further = {name: joined.pop(_FURTHER + name) for name in architecture.further}
    samples = Samples(tuple(volumes), **joined, record=record, further=further)
    return check_representative(samples, split)


def _grid(volume: Volume) -> Grid:
    return Grid(volume.grid_size, volume.voxel_size, volume.origin, given=True)


def _placed(volume: Volume, halos: HaloCatalog) -> tuple[Array, Array, Array]:
    """Rows of subhalos from the least mass on, their voxels, and offsets from the centres."""
    least = max(volume.least_subhalo_mass, 5e-324)
    rows = np.flatnonzero(halos["mass"] >= least)
    return rows, *_grid(volume).voxels(halos["position"][rows])


def _cell(voxel: Array, size: int) -> Array:
    return np.asarray((voxel[:, 0] * size + voxel[:, 1]) * size + voxel[:, 2])


def _log10(value: Array, known: Array) -> Array:
    """log10, and NaN where not ``known``."""
    result = np.full(len(value), np.nan)
    result[known] = np.log10(value[known])
    return result
