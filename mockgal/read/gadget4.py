"""Gadget-4: Subfind catalogues, with the snapshot beside them where there is one.

Rows of subhalos are read through the table `SUBHALO`; beside it:

| native | here |
|---|---|
| row of the subhalo in the whole set | halo_id |
| Group/GroupFirstSub of Subhalo/SubhaloGroupNr | host_id, is_central |
| Subhalo/SubhaloMassType[:, 4] of runs with gas or stars | stellar_mass |
| Group/, by mass definition, see `HOST_MASS` | host_mass |

Units come from /Parameters (`mockgal.read.units`). Format: weiguangcui/Gadget4, src/fof/fof_io.cc.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, HeaderError, MockgalError, UnsafeInputError, UsageError, printable
from ..protocols import ReadOptions
from ..types import HaloCatalog, Particles, Scene, Snapshot
from . import chunks, headers, physics, safe, snapshots, values
from .chunks import FileSet
from .membership import check_membership, signed
from .units import COSMOLOGY, SAME, STATED, UNITS, UnitSystem, read_units, stated

Array = NDArray[Any]


class _Native(NamedTuple):
    """A dataset of /Subhalo: the field of `UnitSystem` that converts it, numbers in a row."""

    dataset: str
    unit: str = ""
    width: int | None = None


SUBHALO = {
    "position": _Native("SubhaloPos", "length", 3),  # comoving
    "velocity": _Native("SubhaloVel", "velocity", 3),  # peculiar
    "mass": _Native("SubhaloMass", "mass"),
    "vmax": _Native("SubhaloVmax", "velocity"),
    "n_particles": _Native("SubhaloLen"),
}
BY_TYPE = "SubhaloMassType"
_ELSEWHERE = {
    "halo_id": "SubhaloGroupNr",
    "host_id": "SubhaloGroupNr",
    "stellar_mass": BY_TYPE,
}
# Datasets of the host mass; the default is the first.
HOST_MASS = {
    "200c": "Group_M_Crit200",
    "200m": "Group_M_Mean200",
    "500c": "Group_M_Crit500",
    "vir": "Group_M_TopHat200",
    "fof": "GroupMass",
}
GAS, STARS = 0, 4
_STEMS, _FOLDERS = "fof_subhalo_tab", r"groups_\d+"


class _Catalogue(NamedTuple):
    """A set of catalogue files whose headers were checked."""

    files: FileSet
    units: UnitSystem
    box_size: float
    time: float
    redshift: float
    groups: list[int]
    subhalos: list[int]
    name: str
    snapshot_base: str


class Gadget4Reader:
    """Subfind catalogues of Gadget-4, single files or sets, in any unit system."""

    name = "gadget4"

    def detect(self, path: Path) -> bool:
        """Whether ``path`` is a Gadget-4 catalogue: never raises for other formats."""
        files = chunks.candidates(path, _STEMS, _FOLDERS)
        return any(_looks_right(file) for file in files[:16])

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """The scene at ``path``: catalogue, and particles where a snapshot is beside it.

        Parameters
        ----------
        path : Path
            A file, any file of a set, the ``groups_NNN`` folder, or a run's folder with one output.
        options : ReadOptions

        Returns
        -------
        Scene

        Raises
        ------
        MockgalError
            Exit code 3 for files that are damaged, incomplete, contradictory or unphysical, 4 for
            unsafe ones, 2 for options that cannot be met.
        """
        definition = options.mass_definition or next(iter(HOST_MASS))
        if definition not in HOST_MASS:
            raise UsageError(
                "--mass-definition",
                repr(definition),
                "one of " + ", ".join(HOST_MASS),
                "choose one of these",
            )
        files = chunks.find_set(path, _STEMS, _FOLDERS)
        if files is None:
            raise FormatError(
                path,
                "no fof_subhalo_tab_NNN[.K].hdf5",
                "a Gadget-4 catalogue with subhalos",
                "give a file of the catalogue or its groups_NNN folder",
            )
        catalogue = _open(files, options)
        source = chunks.sources(files)
        chunks.check_distinct(
            source, [g + s for g, s in zip(catalogue.groups, catalogue.subhalos, strict=True)]
        )
        record: dict[str, Any] = {
            **catalogue.units.record,
            "files": len(files.files),
            "output_number": files.number,
            "host_mass_dataset": HOST_MASS[definition],
            "mass_definition_chosen_by": "user" if options.mass_definition else "default",
        }
        native = partial(_native, catalogue, options)
        record.update(_check_physics(catalogue, native))
        particle_mass = _particle_mass(catalogue, native)
        particles, stated, more = _matter(catalogue, options, record, particle_mass)
        snapshot = Snapshot(
            name=catalogue.name,
            box_size=catalogue.box_size,
            redshift=catalogue.redshift,
            cosmology=catalogue.units.cosmology,
            particle_mass=stated or particle_mass,
            format=self.name,
            source=source + more,
            record=record,
        )
        return Scene(snapshot, _halos(catalogue, definition, snapshot, options, native), particles)


def _looks_right(path: Path) -> bool:
    try:
        with safe.open_hdf5(path) as file:
            if safe.exists(file, "Subhalo/SubhaloGroupNr"):
                return True
            ours = headers.attribute(file, "Header", "Nsubhalos_Total", None) is not None
            units = headers.attribute(file, "Parameters", "UnitLength_in_cm", None) is not None
            return ours and units and not safe.exists(file, "Subhalo/SubhaloGrNr")
    except UnsafeInputError:  # `read` refuses it with the reason
        return True
    except MockgalError:
        return False


def _open(files: FileSet, options: ReadOptions) -> _Catalogue:
    """Check the headers of a set."""
    facts: list[tuple[float, ...]] = []
    parameters: list[tuple[float | None, ...]] = []
    groups: list[int] = []
    subhalos: list[int] = []
    for path in files.files:
        with safe.open_hdf5(path) as file:
            if not facts:
                units = read_units(file, options)
                name = _name(headers.attribute(file, "Parameters", "OutputDir", ""), files)
                base = str(headers.attribute(file, "Parameters", "SnapshotFileBase", "snap"))
                chunks.check_numbers(files, int(headers.counts(file, "Header", "NumFiles")[0]))
            facts.append(
                tuple(
                    headers.number(file, "Header", key)
                    for key in (
                        "Time",
                        "Redshift",
                        "BoxSize",
                        "NumFiles",
                        "Ngroups_Total",
                        "Nsubhalos_Total",
                    )
                )
            )
            parameters.append(stated(file))
            groups.append(int(headers.counts(file, "Header", "Ngroups_ThisFile")[0]))
            subhalos.append(int(headers.counts(file, "Header", "Nsubhalos_ThisFile")[0]))
    chunks.check_same(files, facts, "/Header (Time, Redshift, BoxSize, NumFiles, totals)")
    chunks.check_same(files, parameters, f"/Parameters ({', '.join(STATED)})")
    time, redshift, box = facts[0][:3]
    chunks.check_total(files, groups, int(facts[0][4]), "/Header@Ngroups_Total")
    chunks.check_total(files, subhalos, int(facts[0][5]), "/Header@Nsubhalos_Total")
    snapshots.check_header_time(files.files[0], time, redshift)
    if box <= 0:
        raise HeaderError(
            f"{files.files[0]}:/Header@BoxSize", f"{box}", "a positive length", "correct the header"
        )
    return _Catalogue(
        files, units, box * units.length, time, redshift, groups, subhalos, name, base
    )


def _name(output_dir: object, files: FileSet) -> str:
    """The run's name: that of its output folder as the run knew it, else the folder's here."""
    stated = PurePosixPath(str(output_dir)).name
    if stated in ("", ".", "..", "output", "out"):
        folder = files.folder.resolve()
        stated = (folder.parent if folder.name.startswith("groups_") else folder).name
    return printable(stated)


def _native(
    catalogue: _Catalogue,
    options: ReadOptions,
    name: str,
    *,
    width: int | None = None,
    factor: float | None = None,
) -> Array:
    """A dataset of all files, shape (n,) or (n, width); any width for 0; times ``factor``."""
    rows = catalogue.groups if name.startswith("Group/") else catalogue.subhalos
    row_shape = () if width is None else (width or None,)
    found = chunks.column(catalogue.files, rows, name, options.chunk_rows, row_shape)
    return found if factor is None else found * np.float64(factor)


def _halos(
    catalogue: _Catalogue,
    definition: str,
    snapshot: Snapshot,
    options: ReadOptions,
    native: Callable[..., Array],
) -> HaloCatalog:
    """The rows in internal units, checked."""
    files, units = catalogue.files, catalogue.units
    total = sum(catalogue.subhalos)
    group = native("Subhalo/SubhaloGroupNr").astype(np.int64)
    rank = native("Subhalo/SubhaloRankInGr").astype(np.int64)
    first = signed(native("Group/GroupFirstSub"))
    number = native("Group/GroupNsubs").astype(np.int64)
    check_membership(files, catalogue.groups, catalogue.subhalos, group, rank, first, number)
    host_mass = native(f"Group/{HOST_MASS[definition]}", factor=units.mass)
    columns: dict[str, Array] = {
        "halo_id": np.arange(total, dtype=np.int64),
        "host_id": first[group] if total else np.empty(0, np.int64),
        "is_central": rank == 0,
        "host_mass": host_mass[group] if total else np.empty(0),
    }
    stored = np.dtype(np.float64)
    for name, item in SUBHALO.items():
        found = native(f"Subhalo/{item.dataset}", width=item.width)
        stored = found.dtype if name == "position" else stored
        columns[name] = found * np.float64(getattr(units, item.unit)) if item.unit else found
    columns["is_central"] &= columns["host_id"] >= 0
    by_type = native(f"Subhalo/{BY_TYPE}", width=0, factor=units.mass)
    if by_type.shape[1] > STARS and (by_type[:, [GAS, STARS]] > 0).any():
        columns["stellar_mass"] = by_type[:, STARS]

    def where(name: str, row: int) -> str:
        if name == "host_mass":
            place = int(group[row]) if total else 0
            return chunks.place(files, catalogue.groups, f"Group/{HOST_MASS[definition]}", place)
        dataset = SUBHALO[name].dataset if name in SUBHALO else _ELSEWHERE[name]
        return chunks.place(files, catalogue.subhalos, f"Subhalo/{dataset}", row)

    counted: dict[str, Any] = {
        "groups": len(first),
        "groups_without_subhalos": int(np.count_nonzero(first < 0)),
    }
    return values.halo_catalog(
        columns, definition, snapshot, options, where, counted, stored=stored
    )


def _check_physics(catalogue: _Catalogue, native: Callable[..., Array]) -> dict[str, Any]:
    """Masses, radii and box size of the groups against the cosmology."""
    if not sum(catalogue.groups):
        return {}
    units, where = catalogue.units, catalogue.files.where
    expected = (units.cosmology, catalogue.redshift)
    overdensity = physics.check_overdensity(
        native("Group/Group_M_Crit200", factor=units.mass),
        native("Group/Group_R_Crit200", factor=units.length),
        *expected,
        f"{where}:/Group/Group_R_Crit200",
    )
    in_groups = physics.check_share(
        float(native("Group/GroupMass", factor=units.mass).sum()),
        catalogue.box_size,
        units.cosmology,
        f"{where}:/Group/GroupMass",
        "in groups",
        physics.LEAST_IN_GROUPS,
    )
    return {"overdensity_within_r200c_over_200": overdensity, "mass_fraction_in_groups": in_groups}


def _particle_mass(catalogue: _Catalogue, native: Callable[..., Array]) -> float | None:
    """Dark-matter particle mass [Msun/h] from bound masses and counts.

    None if they differ, or if the catalogue does not count particles by type.
    """
    for path, rows in zip(catalogue.files.files, catalogue.subhalos, strict=True):
        with safe.open_hdf5(path) as file:
            if rows and not safe.exists(file, "Subhalo/SubhaloLenType"):
                return None
    mass_of_type = native(f"Subhalo/{BY_TYPE}", width=0, factor=catalogue.units.mass)
    number_of_type = native("Subhalo/SubhaloLenType", width=0)
    if min(mass_of_type.shape[1], number_of_type.shape[1]) <= snapshots.DARK_MATTER:
        return None
    number = number_of_type[:, snapshots.DARK_MATTER]
    some = number > 0
    if not some.any():
        return None
    each = mass_of_type[some, snapshots.DARK_MATTER] / number[some]
    mass = float(np.median(each))
    return mass if mass > 0 and np.abs(each / mass - 1).max() <= 1e-3 else None


def _matter(
    catalogue: _Catalogue,
    options: ReadOptions,
    record: dict[str, Any],
    particle_mass: float | None,
) -> tuple[Particles | None, float | None, tuple[Any, ...]]:
    """Particles, particle mass [Msun/h] and source files of the snapshot beside the catalogue.

    ``particle_mass`` is what the catalogue implies.
    """
    found = snapshots.find_snapshot(catalogue.files, catalogue.snapshot_base)
    if found is None:
        record["snapshot"] = None
        return None, None, ()
    snapshot = snapshots.open_snapshot(found, options)

    def same(name: str, here: float, there: float, tolerance: float) -> None:
        if not abs(there - here) <= tolerance * abs(here):
            raise HeaderError(
                f"{found.files[0]}:/{name}",
                f"{there:.9g}",
                f"{here:.9g}, as in {catalogue.files.files[0]}",
                "put the snapshot of the same run and output beside the catalogue, or move this "
                "one away",
            )

    same("Header@BoxSize (in Mpc/h)", catalogue.box_size, snapshot.box_size, 1e-6)
    same("Header@Time", catalogue.time, snapshot.time, 1e-6)
    ours, theirs = catalogue.units, snapshot.units
    for native, name in COSMOLOGY.items():
        here, there = getattr(ours.cosmology, name), getattr(theirs.cosmology, name)
        same(f"Parameters@{native}", here, there, SAME)
    for native, name in UNITS.items():
        same(f"Parameters@{native}", getattr(ours, name), getattr(theirs, name), SAME)
    record.update(
        snapshot=found.files[0].name,
        snapshot_files=len(found.files),
        particles=snapshot.particle_count,
    )
    if snapshot.table_mass is not None:
        record["mean_density_over_omega_m"] = snapshots.check_mass(snapshot, snapshot.table_mass)
    mass = snapshot.masses[snapshots.DARK_MATTER] if len(snapshot.masses) > 1 else 0.0
    if mass and particle_mass is not None:
        same("Header@MassTable[1] (in Msun/h)", particle_mass, float(mass), 1e-3)
    return (
        snapshots.particles(snapshot, options),
        float(mass) or None,
        chunks.sources(found, digests=False),
    )
