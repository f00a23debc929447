"""The targets of the network: stellar masses of subhalos, or of the voxels that hold them."""

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

_FURTHER = "further "  # prefix of further targets, some of which are also names of samples


class _Targets(NamedTuple):
    """Targets of one volume: rows of its catalogue, their voxels and targets, and counts."""

    rows: Array
    voxel: Array
    offset: Array
    log_stellar_mass: Array
    record: dict[str, Any]
    further: Mapping[str, Array] = MappingProxyType({})


def targets_of(text: str) -> tuple[str, tuple[str, ...]]:
    """Parse the user's choice of targets.

    Parameters
    ----------
    text : str
        ``stellar_mass``, alone or followed by names in `mockgal.columns.FURTHER_TARGETS`,
        separated by commas; or ``voxel``.

    Returns
    -------
    target : str
        A key of `mockgal.painters.cnn.weights.header.TARGETS`.
    further : tuple of str
        Targets beside stellar mass.

    Raises
    ------
    UsageError
        The text is none of these.
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
    """Return every gravity-only subhalo, with stellar mass and further targets of its galaxy.

    Parameters
    ----------
    volumes : sequence of Volume
    scenes : sequence of Scene
        The gravity-only runs of the volumes. Subhalos below a volume's least mass are left out.
    stellar_mass : sequence of ndarray, shape (n,)
        Stellar mass of the hydrodynamic galaxy matched with each subhalo [Msun/h]; 0 or NaN
        without a galaxy.
    floor : float
        Least stellar mass that counts as luminous [Msun/h].
    architecture : Architecture
        It defines the features and the further targets.
    split : Split
    further : sequence of mapping of str to ndarray, shape (n,)
        The further targets of these galaxies, in the units of
        `mockgal.columns.FURTHER_TARGETS`. Their logarithm is learnt: values that are not positive
        are unknown, and counted.

    Returns
    -------
    Samples
        Sorted by (volume, halo_id).

    Raises
    ------
    UsageError
        The sequences differ in length, the volumes differ in grid, or the floor is not valid.
    BadValueError
        Stellar masses are not valid; see also `mockgal.painters.cnn.inputs.feature_values`.
    MissingDatasetError
        A column for a feature is missing.
    DomainError
        No subhalo is left to train on, or boxes of one structure are in different parts.
    """

    def targets(volume: Volume, scene: Scene, given: tuple[Array, Mapping[str, Array]]) -> _Targets:
        halos, (mass, others) = scene.halos, given
        rows, voxel, offset = _placed(volume, halos)
        stars = np.asarray(mass, dtype=np.float64)
        if stars.shape != (len(halos),) or np.any(stars < 0) or np.any(np.isinf(stars)):
            raise BadValueError(
                f"stellar masses for {volume.name}",
                f"shape {stars.shape}, or negative or infinite values",
                f"{len(halos)} numbers of 0 or more, one per subhalo",
            )
        stars = stars[rows]
        galaxies = stars > 0  # False for NaN
        target = _log10(stars, galaxies & (stars >= floor))
        record = {"with_a_galaxy_below_floor": int(np.sum(galaxies & (stars < floor)))}
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
    """Return every voxel that holds a gravity-only subhalo, with its stellar mass.

    The target is log10(1 + M), where M is the mass of the hydrodynamic galaxies whose positions
    are in the voxel (nearest grid point). Id and features of the voxel are those of its heaviest
    subhalo; ties go to the lowest id.

    Parameters
    ----------
    volumes, scenes, architecture, split
        As for `subhalo_samples`.
    galaxies : sequence of (ndarray, ndarray)
        Galaxies of each hydrodynamic twin: positions in the box, shape (m, 3) [Mpc/h], and stellar
        masses, shape (m,) [Msun/h].
    floor : float
        Least stellar mass of a voxel that counts as luminous [Msun/h].

    Returns
    -------
    Samples
        Sorted by (volume, halo_id). The record has the share of stellar mass in voxels without a
        subhalo, where the network is not evaluated.

    Raises
    ------
    UsageError, BadValueError, MissingDatasetError, DomainError
        See `subhalo_samples`.
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
                "positions outside the box, or negative or infinite masses",
                f"positions in [0, {volume.box_size:g}) Mpc/h, and finite masses of 0 or more",
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
    """Check that volumes, scenes and split match, and return ``targets`` of each volume."""
    numbers = {len(volumes), len(scenes), len(given), len(split.boxes)}
    if len(numbers) > 1 or not volumes:
        raise UsageError(
            "pairs of runs", f"{sorted(numbers)} volumes, scenes and masses", "equal numbers"
        )
    if not 0.0 <= floor < math.inf:
        raise UsageError("luminosity floor", f"{floor}", "a mass of 0 or more, in Msun/h")
    first = volumes[0]
    for volume, scene, box in zip(volumes, scenes, split.boxes, strict=True):
        alike = fits(volume.voxel_size, first.voxel_size)
        facts = ("origin", "assignment", "least_subhalo_mass")
        if not (alike and all(getattr(volume, f) == getattr(first, f) for f in facts)):
            raise UsageError(
                f"volumes of {first.name} and {volume.name}",
                "different voxel sizes, origins, assignments or least subhalo masses",
                "the same grid for all volumes of a training",
                "choose a voxel size that divides all boxes into whole numbers of voxels",
            )
        if box.grid_size != volume.grid_size or scene.snapshot.box_size != volume.box_size:
            raise UsageError(
                f"volume {volume.name}", "another grid or box", "those of its split and its scene"
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
    for index, (volume, scene, targets) in enumerate(zip(volumes, scenes, made, strict=True)):
        halos = scene.halos
        order = np.argsort(halos["halo_id"][targets.rows], kind="stable")
        rows, voxel = targets.rows[order], targets.voxel[order]
        asked_by = f"the architecture {architecture.preset}"
        part = split.parts(index, voxel)
        values = {
            "volume": np.full(len(rows), index, dtype=np.int64),
            "voxel": voxel,
            "halo_id": halos["halo_id"][rows],
            "features": feature_values(
                scene, architecture.features, rows, targets.offset[order], asked_by=asked_by
            ),
            "log_stellar_mass": targets.log_stellar_mass[order],
            "mass": halos["mass"][rows].astype(np.float64),
            "part": part,
            **{_FURTHER + name: targets.further[name][order] for name in architecture.further},
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
                **targets.record,
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
            "split", "no subhalo left to train on", "at least one", "hold out smaller regions"
        )
    further = {name: joined.pop(_FURTHER + name) for name in architecture.further}
    samples = Samples(tuple(volumes), **joined, record=record, further=further)
    return check_representative(samples, split)


def _grid(volume: Volume) -> Grid:
    return Grid(volume.grid_size, volume.voxel_size, volume.origin, given=True)


def _placed(volume: Volume, halos: HaloCatalog) -> tuple[Array, Array, Array]:
    """Return rows of subhalos above the least mass, their voxels, and offsets from the centres."""
    least = max(volume.least_subhalo_mass, 5e-324)
    rows = np.flatnonzero(halos["mass"] >= least)
    return rows, *_grid(volume).voxels(halos["position"][rows])


def _cell(voxel: Array, size: int) -> Array:
    return np.asarray((voxel[:, 0] * size + voxel[:, 1]) * size + voxel[:, 2])


def _log10(value: Array, known: Array) -> Array:
    """Return log10 of the values, NaN where not ``known``."""
    result = np.full(len(value), np.nan)
    result[known] = np.log10(value[known])
    return result
