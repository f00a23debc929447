"""Writes made-up Subfind catalogues and snapshots of Gadget-4 and AREPO, in any number of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ..cosmology import Cosmology

COSMOLOGY = Cosmology(h=0.6774, omega_m=0.3089, omega_lambda=0.6911, omega_b=0.0486)

_MPC_CM, _MSUN_G = 3.085678e24, 1.989e33
_TYPES = 6
_TRACERS = 3  # AREPO's type of Monte Carlo tracers
_SATELLITE = 20  # particles of every satellite
# Definition of each mass of groups, and the mass over that within 200 times the critical density.
_SPHERES = {
    "Crit200": ("200c", 1.0),
    "Mean200": ("200m", 1.2),
    "Crit500": ("500c", 0.7),
    "TopHat200": ("vir", 1.1),
}


def _spread(count: int, seed: int) -> NDArray[np.float64]:
    """Points of the unit cube that leave no region empty (an additive recurrence), (count, 3)."""
    steps = np.array([0.8191725133961645, 0.6710436067037893, 0.5497004779019703])
    return (0.5 + seed * 0.1 + np.outer(np.arange(1, count + 1), steps)) % 1.0


def _split(values: NDArray[Any], files: int, empty_last: bool) -> list[NDArray[Any]]:
    parts = np.array_split(values, files - empty_last)
    return parts + [values[:0]] * empty_last


def _write(group: h5py.Group, name: str, values: NDArray[Any], dtype: str | None = None) -> None:
    group.create_dataset(
        name,
        data=values.astype(dtype or values.dtype),
        fletcher32=True,
        chunks=(min(64, len(values)), *values.shape[1:]),
    )


def _write_wide_ids(group: h5py.Group, name: str, count: int) -> None:
    """48-bit integers, for which NumPy has no type."""
    kind = h5py.h5t.STD_U64LE.copy()
    kind.set_size(6)
    kind.set_precision(48)
    h5py.h5d.create(group.id, name.encode(), kind, h5py.h5s.create_simple((count,)))


def write_gadget4(
    directory: Path,
    *,
    files: int = 2,
    number: int = 2,
    groups: int = 420,
    box_size: float = 32.0,
    redshift: float = 0.0,
    length: str = "kpc",
    h_free: bool = False,
    dtype: str = "f4",
    hydro: bool = False,
    snapshots: bool = True,
    side: int = 32,
    empty_last: bool = False,
    seed: int = 1,
    arepo: bool = False,
) -> Path:
    """Write a small Gadget-4 run whose numbers agree with each other and with `COSMOLOGY`.

    Parameters
    ----------
    directory : Path
        Made if it is not there.
    files : int
        Files of the catalogue and of the snapshot; with 1 they are not in folders of their own.
    number : int
        Of the output.
    groups : int
        Every fortieth has no subhalo; members of groups span files.
    box_size : float
        [Mpc/h].
    redshift : float
    length : str
        Unit of length, ``"kpc"`` or ``"Mpc"``.
    h_free : bool
        Write kpc and Msun instead of kpc/h and Msun/h.
    dtype : str
        ``"f4"`` or ``"f8"``.
    hydro : bool
        With gas and stars.
    snapshots : bool
        Write the snapshot too.
    side : int
        Cube root of the number of dark-matter particles; groups have 32 of them or more, so many
        groups need many.
    empty_last : bool
        The last file of the catalogue holds no groups and no subhalos.
    seed : int
        Other positions.
    arepo : bool
        As AREPO writes it; see `write_arepo`.

    Returns
    -------
    Path
        The folder of the catalogue, or its file where there is one only.
    """
    cosmology, a = COSMOLOGY, 1 / (1 + redshift)
    per_length = {"kpc": 1e3, "Mpc": 1.0}[length] / (cosmology.h if h_free else 1)
    per_mass = 1e-10 / (cosmology.h if h_free else 1)
    box = box_size * per_length
    particle = cosmology.mean_matter_density * box_size**3 / side**3  # Msun/h, all matter
    rng = np.random.default_rng(seed)

    group_len = np.sort((32 * rng.uniform(size=groups) ** -0.4).astype(int).clip(32, 900))[::-1]
    satellites = group_len // 80
    empty = np.arange(groups) % 40 == 39
    nsubs = np.where(empty, 0, satellites + 1)
    first = np.where(empty, -1, np.cumsum(np.r_[0, nsubs[:-1]]))
    group_of = np.repeat(np.arange(groups), nsubs)
    rank = np.arange(len(group_of)) - first[group_of]
    sub_len = np.where(rank == 0, (group_len - _SATELLITE * satellites)[group_of], _SATELLITE)

    m200 = 0.8 * group_len * particle
    density = cosmology.critical_density(redshift)
    radius = (m200 / (4 / 3 * np.pi * 200 * density)) ** (1 / 3)
    centre = _spread(groups, seed) * box_size
    offset = rng.normal(size=(len(group_of), 3))
    offset *= (np.where(rank == 0, 0, 0.5) * radius[group_of] / np.linalg.norm(offset, axis=1))[
        :, None
    ]
    position = (centre[group_of] + offset) % box_size
    velocity = 200 * rng.normal(size=(groups, 3))
    sub_velocity = velocity[group_of] + 50 * (rank > 0)[:, None] * rng.normal(size=position.shape)

    baryons = (cosmology.omega_b or 0.0) / cosmology.omega_m if hydro else 0.0
    stellar = np.where(np.arange(len(group_of)) % 2 == 0, 0.3, 0.0)  # of the baryons
    fractions = np.zeros((len(group_of), _TYPES))
    fractions[:, 0], fractions[:, 1] = baryons * (1 - stellar), 1 - baryons
    fractions[:, 4] = baryons * stellar
    sub_mass = sub_len * particle
    len_type = np.where(fractions > 0, sub_len[:, None], 0)
    group_len_type = np.where(fractions[:1] > 0, group_len[:, None], 0)
    in_group = np.cumsum(len_type, axis=0) - len_type
    before = np.cumsum(group_len_type, axis=0) - group_len_type
    offset_type = (before[group_of] + in_group - in_group[first[group_of]]).astype("i8")

    def mass(values: NDArray[Any]) -> NDArray[Any]:
        return values * per_mass

    def own_length(values: NDArray[Any]) -> NDArray[Any]:
        scaled: NDArray[Any] = (values * per_length).astype(dtype)
        scaled[scaled >= np.dtype(dtype).type(box)] = 0
        return scaled

    group_data = {
        "GroupLen": group_len.astype("i4"),
        "GroupLenType": group_len_type.astype("i4"),
        "GroupFirstSub": first.astype("i8"),
        "GroupNsubs": nsubs.astype("i4"),
        "GroupPos": own_length(centre),
        "GroupVel": (a * velocity).astype(dtype),
        "GroupMass": mass(group_len * particle).astype(dtype),
    }
    for name, (definition, share) in _SPHERES.items():
        group_data[f"Group_M_{name}"] = mass(m200 * share).astype(dtype)
        size, _ = cosmology.halo_scale(m200 * share, definition, redshift)
        group_data[f"Group_R_{name}"] = (size * per_length).astype(dtype)
    sub_data = {
        "SubhaloGroupNr": group_of.astype("i8"),
        "SubhaloRankInGr": rank.astype("i4"),
        "SubhaloLen": len_type.sum(axis=1).astype("i4"),
        "SubhaloLenType": len_type.astype("i4"),
        "SubhaloOffsetType": offset_type,
        "SubhaloMass": mass(sub_mass).astype(dtype),
        "SubhaloPos": own_length(position),
        "SubhaloMassType": mass(sub_mass[:, None] * fractions).astype(dtype),
        "SubhaloVel": sub_velocity.astype(dtype),
        **(
            {
                "SubhaloHalfmassRadType": (
                    0.02 * np.cbrt(sub_mass / 1e12)[:, None] * (fractions > 0) * per_length
                ).astype(dtype)
            }
            if hydro
            else {}
        ),
        "SubhaloVmax": (100 * (sub_mass / 1e12) ** (1 / 3)).astype(dtype),
    }
    if arepo:
        del sub_data["SubhaloRankInGr"], sub_data["SubhaloOffsetType"]
        sub_data["SubhaloGrNr"] = sub_data.pop("SubhaloGroupNr").astype("i4")
        group_data["GroupFirstSub"] = group_data["GroupFirstSub"].astype("i4")
        if hydro:
            sub_data["SubhaloFlag"] = np.arange(len(group_of)) % 11 != 10
            inner = np.array([0.2, 0.1, 0, 0, 0.6, 0])
            sub_data["SubhaloMassInRadType"] = sub_data["SubhaloMassType"] * inner.astype(dtype)
    count, subhalos = ("i4", "Nsubgroups") if arepo else ("u8", "Nsubhalos")
    unit_velocity = 1e5
    parameters: dict[str, Any] = {
        "UnitLength_in_cm": _MPC_CM * {"kpc": 1e-3, "Mpc": 1.0}[length],
        "UnitMass_in_g": _MSUN_G * 1e10,
        "UnitVelocity_in_cm_per_s": unit_velocity,
        "Hubble": {"kpc": 0.1, "Mpc": 100.0}[length] * (cosmology.h if h_free else 1.0),
        "HubbleParam": 1.0 if h_free else cosmology.h,
        "Omega0": cosmology.omega_m,
        "OmegaLambda": cosmology.omega_lambda,
        "OmegaBaryon": cosmology.omega_b,
        "BoxSize": box,
        "ComovingIntegrationOn": 1,
        "OutputDir": np.bytes_(b"./out_synthetic/"),
        "SnapshotFileBase": np.bytes_(b"snap"),
    }
    shared = {"BoxSize": box, "Time": a, "Redshift": 1 / a - 1}
    if arepo:  # units are the format's own
        names = ("HubbleParam", "Omega0", "OmegaLambda")
        shared |= {name: parameters[name] for name in names}
        parameters = {name: parameters[name] for name in ("OmegaBaryon", "OutputDir")}

    def paths(folder: str, stem: str) -> list[Path]:
        if files == 1:
            directory.mkdir(parents=True, exist_ok=True)
            return [directory / f"{stem}_{number:03d}.hdf5"]
        below = directory / f"{folder}_{number:03d}"
        below.mkdir(parents=True, exist_ok=True)
        return [below / f"{stem}_{number:03d}.{k}.hdf5" for k in range(files)]

    def header(file: h5py.File, facts: dict[str, Any]) -> None:
        for name, value in {**shared, **facts}.items():
            file.require_group("Header").attrs[name] = value
        for name, value in parameters.items():
            file.require_group("Parameters").attrs[name] = value

    catalogue = paths("groups", "fof_subhalo_tab")
    parts = [
        [
            dict(zip(table, row, strict=True))
            for row in zip(
                *(_split(values, files, empty_last) for values in table.values()), strict=True
            )
        ]
        for table in (group_data, sub_data)
    ]
    for path, group_part, sub_part in zip(catalogue, *parts, strict=True):
        here = len(group_part["GroupLen"]), len(sub_part["SubhaloLen"])
        with h5py.File(path, "w") as file:
            header(
                file,
                {
                    "NumFiles": np.int32(files),
                    "Ngroups_ThisFile": np.dtype(count).type(here[0]),
                    f"{subhalos}_ThisFile": np.dtype(count).type(here[1]),
                    "Ngroups_Total": np.dtype(count).type(groups),
                    f"{subhalos}_Total": np.dtype(count).type(len(group_of)),
                },
            )
            for group_name, part, rows in (
                ("Group", group_part, here[0]),
                ("Subhalo", sub_part, here[1]),
            ):
                group = file.create_group(group_name)
                for name, values in part.items() if rows else ():
                    _write(group, name, values)
            if here[1]:
                _write_wide_ids(file["Subhalo"], "SubhaloIDMostbound", here[1])
    if snapshots:
        _write_snapshot(
            paths("snapdir", "snap"),
            header,
            side,
            particle,
            baryons,
            per_mass,
            lambda x: own_length(x * box_size),
            seed,
            dtype,
            arepo,
        )
    return catalogue[0] if files == 1 else catalogue[0].parent


def write_arepo(directory: Path, **options: Any) -> Path:
    """Write the same run as AREPO writes it: ckpc/h by definition, no rank, flags, tracers.

    Parameters
    ----------
    directory : Path
    **options
        Those of `write_gadget4`, but for the units.

    Returns
    -------
    Path
        As of `write_gadget4`.
    """
    return write_gadget4(directory, length="kpc", h_free=False, arepo=True, **options)


def _write_snapshot(
    paths: Sequence[Path],
    header: Any,
    side: int,
    particle: float,
    baryons: float,
    per_mass: float,
    length: Any,
    seed: int,
    dtype: str,
    arepo: bool,
) -> None:
    """Dark matter by mass table; gas and a fifth as many stars with masses of their own.

    Ids are in no order; those of dark matter are 1 to ``side``**3.

    AREPO's hydrodynamic runs have tracers, too, which are no matter.
    """
    total = side**3
    numbers = np.zeros(_TYPES, dtype=np.int64)
    numbers[1] = total
    if baryons:
        numbers[4] = total // 6
        numbers[0] = total - numbers[4]
        numbers[_TRACERS] = total // 3 if arepo else 0
    table = np.zeros(_TYPES)
    table[1] = particle * (1 - baryons) * per_mass
    bounds = [np.linspace(0, n, len(paths) + 1).astype(int) for n in numbers]
    mixed = np.random.default_rng(seed).permutation(total)
    for k, path in enumerate(paths):
        here = np.array([edge[k + 1] - edge[k] for edge in bounds])
        with h5py.File(path, "w") as file:
            header(
                file,
                {
                    "NumFilesPerSnapshot": np.int32(len(paths)),
                    "MassTable": table,
                    "NumPart_ThisFile": here.astype("i4" if arepo else "u8"),
                    "NumPart_Total": numbers.astype("u4" if arepo else "u8"),
                    **({"NumPart_Total_HighWord": numbers.astype("u4") * 0} if arepo else {}),
                },
            )
            for kind in np.flatnonzero(here):
                group = file.create_group(f"PartType{kind}")
                if kind == _TRACERS:
                    _write_large(group, "TracerID", np.arange(here[kind]))
                    continue
                place = _spread(total, seed + int(kind))[bounds[kind][k] : bounds[kind][k + 1]]
                _write_large(group, "Coordinates", length(place))
                ids = 1 + total * (kind != 1) * kind + mixed[bounds[kind][k] : bounds[kind][k + 1]]
                _write_large(group, "ParticleIDs", ids.astype("u8" if arepo else "u4"))
                if kind != 1:
                    own = np.full(here[kind], particle * baryons * per_mass)
                    _write_large(group, "Masses", own.astype(dtype))


def _write_large(group: h5py.Group, name: str, values: NDArray[Any]) -> None:
    group.create_dataset(
        name, data=values, fletcher32=True, chunks=(min(8192, len(values)), *values.shape[1:])
    )
