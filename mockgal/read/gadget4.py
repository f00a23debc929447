"""Gadget-4: Subfind catalogues, with the snapshot beside them where there is one.

| native (Subhalo/, Group/) | unit | here |
|---|---|---|
| row of the subhalo in the whole set | | halo_id |
| Group/GroupFirstSub of SubhaloGroupNr | row | host_id, is_central |
| SubhaloPos | UnitLength (comoving) | position [Mpc/h] |
| SubhaloVel | UnitVelocity (peculiar) | velocity [km/s] |
| SubhaloMass | UnitMass | mass [Msun/h] |
| SubhaloVmax | UnitVelocity | vmax [km/s] |
| SubhaloLen | | n_particles |
| SubhaloMassType[:, 4] of runs with gas or stars | UnitMass | stellar_mass [Msun/h] |
| Group/, by mass definition, see `HOST_MASS` | UnitMass | host_mass [Msun/h] |

Units come from /Parameters (`mockgal.read.units`). Format: weiguangcui/Gadget4, src/fof/fof_io.cc.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, FormatError, HeaderError, MockgalError, UsageError, printable
from ..types import HaloCatalog, Particles, ReadOptions, Scene, Snapshot
from . import chunks, physics, safe, snapshots, values
from .chunks import FileSet
from .units import UnitSystem, read_units

Array = NDArray[Any]

# Datasets of the host mass; the default is the first.
HOST_MASS = {
    "200c": "Group_M_Crit200", "200m": "Group_M_Mean200", "500c": "Group_M_Crit500",
    "vir": "Group_M_TopHat200", "fof": "GroupMass",
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
        try:
            files = chunks.find_set(path, _STEMS, _FOLDERS)
            return files is not None and any(_looks_right(file) for file in files.files[:8])
        except UsageError:  # several outputs: ours, and `read` lists them
            return True
        except MockgalError:
            return False

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
            raise UsageError("--mass-definition", repr(definition), "one of " + ", ".join(
                HOST_MASS), "choose one of these")
        files = chunks.find_set(path, _STEMS, _FOLDERS)
        if files is None:
            raise FormatError(path, "no fof_subhalo_tab_NNN[.K].hdf5",
                              "a Gadget-4 catalogue with subhalos",
                              "give a file of the catalogue or its groups_NNN folder")
        catalogue = _open(files)
        source = chunks.sources(files)
        chunks.check_distinct(source, [g + s for g, s in zip(
            catalogue.groups, catalogue.subhalos, strict=True)])
        record: dict[str, Any] = {
            **catalogue.units.record, "files": len(files.files), "output_number": files.number,
            "host_mass_dataset": HOST_MASS[definition],
            "mass_definition_chosen_by": "user" if options.mass_definition else "default",
        }
        halos, catalogue_mass = _halos(catalogue, definition, options, record)
        particles, snapshot_mass, more = _matter(catalogue, options, record)
        snapshot = Snapshot(
            name=catalogue.name, box_size=catalogue.box_size, redshift=catalogue.redshift,
            cosmology=catalogue.units.cosmology, particle_mass=snapshot_mass or catalogue_mass,
            format=self.name, source=source + more, record=record,
        )
        return Scene(snapshot, halos, particles)


def _looks_right(path: Path) -> bool:
    try:
        with safe.open_hdf5(path) as file:
            if safe.exists(file, "Subhalo/SubhaloGroupNr"):
                return True
            ours = safe.attribute(file, "Header", "Nsubhalos_Total", None) is not None
            units = safe.attribute(file, "Parameters", "UnitLength_in_cm", None) is not None
            return ours and units and not safe.exists(file, "Subhalo/SubhaloGrNr")
    except MockgalError:
        return False


def _open(files: FileSet) -> _Catalogue:
    """Check the headers of a set."""
    facts: list[tuple[float, ...]] = []
    groups: list[int] = []
    subhalos: list[int] = []
    for path in files.files:
        with safe.open_hdf5(path) as file:
            if not facts:
                units = read_units(file)
                name = _name(safe.attribute(file, "Parameters", "OutputDir", ""), files)
                base = str(safe.attribute(file, "Parameters", "SnapshotFileBase", "snap"))
                chunks.check_numbers(files, int(safe.counts(file, "Header", "NumFiles")[0]))
            facts.append(tuple(
                safe.number(file, "Header", key) for key in
                ("Time", "Redshift", "BoxSize", "NumFiles", "Ngroups_Total", "Nsubhalos_Total")
            ))
            groups.append(int(safe.counts(file, "Header", "Ngroups_ThisFile")[0]))
            subhalos.append(int(safe.counts(file, "Header", "Nsubhalos_ThisFile")[0]))
    chunks.check_same(files, facts, "/Header (Time, Redshift, BoxSize, NumFiles, totals)")
    time, redshift, box = facts[0][:3]
    chunks.check_total(files, groups, int(facts[0][4]), "/Header@Ngroups_Total")
    chunks.check_total(files, subhalos, int(facts[0][5]), "/Header@Nsubhalos_Total")
    snapshots.check_header_time(files.files[0], time, redshift)
    if box <= 0:
        raise HeaderError(f"{files.files[0]}:/Header@BoxSize", f"{box}", "a positive length",
                          "correct the header")
    return _Catalogue(files, units, box * units.length, time, redshift, groups, subhalos, name,
                      base)


def _name(output_dir: object, files: FileSet) -> str:
    """The run's name: that of its output folder as the run knew it, else the folder's here."""
    stated = PurePosixPath(str(output_dir)).name
    if stated in ("", ".", "..", "output", "out"):
        folder = files.folder.resolve()
        stated = (folder.parent if folder.name.startswith("groups_") else folder).name
    return printable(stated)


def _halos(
    catalogue: _Catalogue, definition: str, options: ReadOptions, record: dict[str, Any]
) -> tuple[HaloCatalog, float | None]:
    """The rows, checked; and the particle mass [Msun/h] that they imply."""
    files, units = catalogue.files, catalogue.units
    total = sum(catalogue.subhalos)

    def native(name: str, shape: tuple[int, ...] = (), factor: float | None = None) -> Array:
        rows = catalogue.groups if name.startswith("Group/") else catalogue.subhalos
        found = chunks.column(files, rows, name, options.chunk_rows)
        if sum(rows) == 0:
            return np.empty((0, *shape))
        if found.ndim != 1 + len(shape) or (shape and shape[0] >= 0 and found.shape[1:] != shape):
            raise HeaderError(chunks.place(files, rows, name, 0), f"rows of shape "
                              f"{found.shape[1:]}", f"rows of shape {shape}", "check the file")
        return found if factor is None else found * np.float64(factor)

    group = native("Subhalo/SubhaloGroupNr").astype(np.int64)
    rank = native("Subhalo/SubhaloRankInGr").astype(np.int64)
    first = _signed(native("Group/GroupFirstSub"))
    number = native("Group/GroupNsubs").astype(np.int64)
    _check_membership(catalogue, group, rank, first, number)
    host_mass = native(f"Group/{HOST_MASS[definition]}", factor=units.mass)
    by_type = native("Subhalo/SubhaloMassType", (-1,), units.mass)
    position = native("Subhalo/SubhaloPos", (3,))
    columns: dict[str, Array] = {
        "halo_id": np.arange(total, dtype=np.int64),
        "host_id": first[group] if total else np.empty(0, np.int64),
        "is_central": rank == 0,
        "position": position * np.float64(units.length),
        "velocity": native("Subhalo/SubhaloVel", (3,), units.velocity),
        "mass": native("Subhalo/SubhaloMass", factor=units.mass),
        "vmax": native("Subhalo/SubhaloVmax", factor=units.velocity),
        "host_mass": host_mass[group] if total else np.empty(0),
        "n_particles": native("Subhalo/SubhaloLen").astype(np.int64),
    }
    columns["is_central"] &= columns["host_id"] >= 0
    source = {"host_id": "SubhaloGroupNr", "halo_id": "SubhaloGroupNr", "position": "SubhaloPos",
              "velocity": "SubhaloVel", "mass": "SubhaloMass", "vmax": "SubhaloVmax",
              "stellar_mass": "SubhaloMassType", "n_particles": "SubhaloLen"}
    if by_type.shape[1:] and by_type.shape[1] > STARS and (by_type[:, [GAS, STARS]] > 0).any():
        columns["stellar_mass"] = by_type[:, STARS]

    def where(name: str, row: int) -> str:
        if name == "host_mass":
            return chunks.place(files, catalogue.groups, f"Group/{HOST_MASS[definition]}",
                                int(group[row]))
        return chunks.place(files, catalogue.subhalos, f"Subhalo/{source[name]}", row)

    counted: dict[str, Any] = {
        "groups": len(first), "groups_without_subhalos": int(np.count_nonzero(first < 0)),
    }
    halos = values.halo_catalog(columns, definition, catalogue.box_size, options, where, counted,
                                stored=position.dtype)
    record.update(_check_physics(catalogue, native))
    return halos, _particle_mass(by_type, native("Subhalo/SubhaloLenType", (-1,)))


def _signed(first: Array) -> NDArray[np.int64]:
    """Row numbers; -1 may have been stored unsigned (4294967295 in 32 bits)."""
    if first.dtype.kind == "u":
        first = first.view(f"i{first.dtype.itemsize}")
    return first.astype(np.int64)


def _check_membership(
    catalogue: _Catalogue, group: Array, rank: Array, first: Array, number: Array
) -> None:
    """Whether groups and subhalos say the same about who belongs to whom."""
    def fail(bad: Array, rows: list[int], name: str, found: str, expected: str) -> None:
        wrong = np.flatnonzero(bad)
        if wrong.size:
            row = int(wrong[0])
            raise BadValueError(
                chunks.place(catalogue.files, rows, name, row),
                f"{wrong.size} rows with {found.format(row)}", expected,
                "fetch the catalogue again: its files are damaged or from different runs",
            )

    groups, subhalos, total = catalogue.groups, catalogue.subhalos, len(group)
    fail((group < 0) | (group >= len(first)), subhalos, "Subhalo/SubhaloGroupNr",
         "a group that does not exist", f"rows from 0 to {len(first) - 1}")
    fail((first < -1) | (first >= total), groups, "Group/GroupFirstSub",
         "a subhalo that does not exist", f"rows from -1 to {total - 1}")
    fail((number == 0) != (first == -1), groups, "Group/GroupNsubs",
         "GroupFirstSub -1 and subhalos, or the reverse", "GroupFirstSub -1 where it is 0")
    has = np.flatnonzero(first >= 0)
    elsewhere = np.zeros(len(first), dtype=bool)
    elsewhere[has] = group[first[has]] != has
    fail(elsewhere, groups, "Group/GroupFirstSub", "a subhalo of another group",
         "the first subhalo of the group itself")
    central = np.zeros(total, dtype=bool)
    central[first[has]] = True
    # A subhalo of rank 0 in a group that says it has none is an orphan, not a contradiction here.
    fail((central != (rank == 0)) & (first[group] >= 0) if total else central, subhalos,
         "Subhalo/SubhaloRankInGr", "a rank that contradicts GroupFirstSub", "rank 0 for the "
         "subhalo at GroupFirstSub, and for no other")
    members = np.bincount(group.astype(np.int64), minlength=len(first))
    fail((members != number) & (first >= 0), groups, "Group/GroupNsubs",
         "a number that is not that of the group's subhalos", "the count of SubhaloGroupNr")


def _check_physics(catalogue: _Catalogue, native: Any) -> dict[str, Any]:
    """Masses, radii and box size of the groups against the cosmology."""
    if not sum(catalogue.groups):
        return {}
    units, where = catalogue.units, catalogue.files.where
    expected = (units.cosmology, catalogue.redshift)
    overdensity = physics.check_overdensity(
        native("Group/Group_M_Crit200", factor=units.mass),
        native("Group/Group_R_Crit200", factor=units.length), *expected,
        f"{where}:/Group/Group_R_Crit200",
    )
    in_groups = physics.check_group_mass(
        float(native("Group/GroupMass", factor=units.mass).sum()), catalogue.box_size, *expected,
        f"{where}:/Group/GroupMass",
    )
    return {"overdensity_within_r200c_over_200": overdensity, "mass_fraction_in_groups": in_groups}


def _particle_mass(by_type: Array, length_by_type: Array) -> float | None:
    """Dark-matter particle mass [Msun/h] from bound masses and counts; None if they differ."""
    if not len(by_type):
        return None
    number = length_by_type[:, snapshots.DARK_MATTER]
    some = number > 0
    each = by_type[some, snapshots.DARK_MATTER] / number[some]
    if not each.size:
        return None
    mass = float(np.median(each))
    return mass if mass > 0 and np.abs(each / mass - 1).max() <= 1e-3 else None


def _matter(
    catalogue: _Catalogue, options: ReadOptions, record: dict[str, Any]
) -> tuple[Particles | None, float | None, tuple[Any, ...]]:
    """Particles, particle mass [Msun/h] and source files of the snapshot beside the catalogue."""
    found = snapshots.find_snapshot(catalogue.files, catalogue.snapshot_base)
    if found is None:
        record["snapshot"] = None
        return None, None, ()
    snapshot = snapshots.open_snapshot(found)
    for name, here, there in (("BoxSize", catalogue.box_size, snapshot.box_size),
                              ("Time", catalogue.time, snapshot.time)):
        if abs(there / here - 1) > 1e-6:
            raise HeaderError(
                f"{found.files[0]}:/Header@{name}", f"{there:.9g} (box in Mpc/h)",
                f"{here:.9g}, as in {catalogue.files.files[0]}",
                "put the snapshot of the same output beside the catalogue, or move this one away",
            )
    record.update(snapshot=found.files[0].name, snapshot_files=len(found.files),
                  particles=snapshot.particle_count)
    if snapshot.table_mass is not None:
        record["mean_density_over_omega_m"] = snapshots.check_mass(snapshot, snapshot.table_mass)
    mass = snapshot.masses[snapshots.DARK_MATTER] if len(snapshot.masses) > 1 else 0.0
    return (snapshots.particles(snapshot, options), float(mass) or None,
            chunks.sources(found, digests=False))
