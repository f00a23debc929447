"""Subfind catalogues of Gadget-4 and AREPO, with the snapshot beside them if there is one.

Rows of subhalos are read through the table `SUBHALO`, and in addition:

| native | here |
|---|---|
| row of the subhalo in the whole output | halo_id |
| Group/GroupFirstSub of the subhalo's group | host_id, is_central |
| the dataset of the stellar-mass definition, column 4, of runs with gas or stars | stellar_mass |
| SubhaloHalfmassRadType, column 4, of these runs, if present | stellar_half_mass_radius |
| Group/, by mass definition, see `HOST_MASS` | host_mass |

The names that each code uses are in its own module (`Dialect`), units in
`mockgal.readers.subfind.units`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, HeaderError, IncompleteSetError, UsageError, warn
from ...layout import (
    MASS_DEFINITIONS_IN_FILE,
    MISSING_CHUNKS,
    SEVERAL_RESOLUTIONS,
    STAR_PARTICLE_MASS,
)
from ...protocols import ReadOptions
from ...system.ids import whole
from ...types import HaloCatalog, Scene, Snapshot, SourceFile
from .. import chunks, given
from ..checks import physics, values
from ..stated_cosmology import SAME
from . import members, placement, snapshots
from .files import FOLDERS, CatalogueSet, Dialect, is_of, open_set
from .membership import check_membership
from .units import COSMOLOGY, UNITS

Array = NDArray[Any]


class _Native(NamedTuple):
    """A dataset of /Subhalo, the field of `UnitSystem` that converts it, and the shape of a row."""

    dataset: str
    unit: str = ""
    shape: tuple[int | None, ...] = ()


SUBHALO = {
    "position": _Native("SubhaloPos", "length", (3,)),  # comoving
    "velocity": _Native("SubhaloVel", "velocity", (3,)),  # peculiar
    "mass": _Native("SubhaloMass", "mass"),
    "vmax": _Native("SubhaloVmax", "velocity"),
    "n_particles": _Native("SubhaloLen"),
}
BY_TYPE, NUMBER_BY_TYPE = "SubhaloMassType", "SubhaloLenType"
RADIUS_BY_TYPE = "SubhaloHalfmassRadType"  # comoving
# Datasets of the host mass; the default is the first.
HOST_MASS = {
    "200c": "Group_M_Crit200",
    "200m": "Group_M_Mean200",
    "500c": "Group_M_Crit500",
    "vir": "Group_M_TopHat200",
    "fof": "GroupMass",
}
GAS, STARS = 0, 4
_COARSE = 2
_FIRST, _NUMBER = "Group/GroupFirstSub", "Group/GroupNsubs"
_CENTRE = "Group/GroupPos"
_M200, _R200, _GROUP_MASS = "Group/Group_M_Crit200", "Group/Group_R_Crit200", "Group/GroupMass"
# Mass and radius by definition: all that are present must fit the cosmology. The first depends on
# Omega_m alone.
SPHERES = {
    definition: (f"Group/Group_M_{name}", f"Group/Group_R_{name}")
    for definition, name in (
        ("200m", "Mean200"),
        ("200c", "Crit200"),
        ("500c", "Crit500"),
        ("vir", "TopHat200"),
    )
}


class SubfindReader:
    """Base of the readers of Subfind catalogues, which set ``dialect``: single files or sets."""

    dialect: Dialect

    def detect(self, path: Path) -> bool:
        """Return whether ``path`` is a catalogue of this code; never raise for other formats."""
        dialect = self.dialect
        return chunks.any_file(path, dialect.stems, FOLDERS, lambda file: is_of(file, dialect))

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """Return the scene at ``path``: the catalogue, and particles if a snapshot is beside it.

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
        dialect = self.dialect
        definition = _chosen("--mass-definition", options.mass_definition, HOST_MASS)
        stars = _chosen(
            "--stellar-mass-definition", options.stellar_mass_definition, dialect.stellar_mass
        )
        files = chunks.find_set(path, dialect.stems, FOLDERS)
        if files is None:
            raise FormatError(
                path,
                f"no file called {dialect.stems}_NNN[.K].hdf5",
                f"a catalogue with subhalos of {dialect.code}",
                "give a file of the catalogue or its groups_NNN folder",
            )
        catalogue = open_set(files, options, dialect)
        with chunks.sources(files) as digests:
            datasets = _read_datasets(catalogue, dialect, definition, stars)
            source = digests()
        chunks.check_distinct(
            source, [g + s for g, s in zip(catalogue.groups, catalogue.subhalos, strict=True)]
        )
        record: dict[str, Any] = {
            **catalogue.units.record,
            "files": len(files.files),
            "output_number": files.number,
            "host_mass_dataset": HOST_MASS[definition],
            MASS_DEFINITIONS_IN_FILE: [
                key
                for key, name in HOST_MASS.items()
                if chunks.present(catalogue.files, catalogue.groups, f"Group/{name}")
            ],
            "mass_definition_chosen_by": "user" if options.mass_definition else "default",
            **_missing(catalogue),
            **_check_physics(catalogue, datasets, options),
            SEVERAL_RESOLUTIONS: _has_several_resolutions(datasets),
        }
        if _has_stars(datasets):
            record |= {
                "stellar_mass_definition": stars,
                "stellar_mass_dataset": f"{dialect.stellar_mass[stars]}[{STARS}]",
                "stellar_mass_definition_chosen_by": (
                    "user" if options.stellar_mass_definition else "default"
                ),
                **_star_particle_mass(datasets, catalogue.units.mass),
            }
        particle_mass = _particle_mass(datasets, catalogue.units.mass)
        beside, table_mass, more = _matter(catalogue, dialect, options, record, particle_mass)
        particle_mass, taken = given.optional("particle_mass", table_mass or particle_mass, options)
        record["given_by_user"] = [*record["given_by_user"], *taken]
        snapshot = Snapshot(
            name=catalogue.name,
            box_size=catalogue.box_size,
            redshift=catalogue.redshift,
            cosmology=catalogue.units.cosmology,
            particle_mass=particle_mass,
            format=dialect.name,
            source=source + more,
            record=record,
        )
        halos = _halos(catalogue, dialect, snapshot, options, datasets, definition, stars)
        if beside is None:
            return Scene(snapshot, halos)
        particles = snapshots.particles(beside, options)
        bound = members.of(catalogue, beside, f"Subhalo/{dialect.group_number}")
        return Scene(snapshot, halos, particles, members=bound)


def _chosen(flag: str, choice: str | None, allowed: dict[str, str]) -> str:
    """Return the user's choice, or the first one allowed."""
    chosen = choice or next(iter(allowed))
    if chosen not in allowed:
        raise UsageError(flag, repr(chosen), "one of " + ", ".join(allowed), "choose one of these")
    return chosen


def _read_datasets(
    catalogue: CatalogueSet, dialect: Dialect, definition: str, stars: str
) -> dict[str, Array]:
    """Return the datasets that are needed, as stored, and no others."""
    shapes: dict[str, tuple[int | None, ...]] = {
        f"Subhalo/{item.dataset}": item.shape for item in SUBHALO.values()
    }
    shapes[f"Subhalo/{dialect.group_number}"] = ()
    shapes[f"Subhalo/{BY_TYPE}"] = (None,)
    if dialect.rank:
        shapes[f"Subhalo/{dialect.rank}"] = ()
    for name in (_FIRST, _NUMBER, _M200, _R200, _GROUP_MASS, f"Group/{HOST_MASS[definition]}"):
        shapes[name] = ()
    if catalogue.missing:
        shapes[_CENTRE] = (3,)
    optional: dict[str, tuple[int | None, ...]] = {
        f"Subhalo/{name}": (None,) for name in (NUMBER_BY_TYPE, RADIUS_BY_TYPE)
    }
    if dialect.flag:
        optional[f"Subhalo/{dialect.flag}"] = ()
    if dialect.stellar_mass[stars] != BY_TYPE:
        optional[f"Subhalo/{dialect.stellar_mass[stars]}"] = (None,)
    shapes |= {
        name: shape
        for name, shape in optional.items()
        if chunks.present(catalogue.files, catalogue.subhalos, name)
    }
    for pair in SPHERES.values():
        if all(chunks.present(catalogue.files, catalogue.groups, name) for name in pair):
            shapes |= dict.fromkeys(pair, ())
    return chunks.columns(catalogue.files, catalogue.rows, shapes)


def _halos(
    catalogue: CatalogueSet,
    dialect: Dialect,
    snapshot: Snapshot,
    options: ReadOptions,
    datasets: dict[str, Array],
    definition: str,
    stars: str,
) -> HaloCatalog:
    """Return the checked rows in internal units."""
    units, group_number = catalogue.units, f"Subhalo/{dialect.group_number}"
    host_dataset = f"Group/{HOST_MASS[definition]}"

    def integers(name: str, none: Array | None = None) -> Array:
        count = catalogue.rows[name.split("/")[0]]
        at = partial(chunks.place, catalogue.files, count, name)
        return whole(datasets[name], at, none=none)

    # -1 may be stored unsigned.
    first, number = integers(_FIRST, none=np.empty(0)), integers(_NUMBER)
    rows = placement.place(
        catalogue,
        integers(group_number),
        first,
        number,
        datasets.get(_CENTRE),
        datasets[f"Subhalo/{SUBHALO['position'].dataset}"],
    )
    rank = integers(f"Subhalo/{dialect.rank}")[rows.subhalos] if dialect.rank else None

    def place(name: str, row: int) -> str:
        group = name.split("/")[0]
        used = rows.groups if group == "Group" else rows.subhalos
        return chunks.place(catalogue.files, catalogue.rows[group], name, int(used[row]))

    names = (dialect.group_number, dialect.rank)
    check_membership(place, names, rows.group, rank, rows.first, number[rows.groups])
    own = np.arange(len(rows.subhalos))
    central = rows.first[rows.group] if len(own) else own  # row of each subhalo's central; -1: none
    columns: dict[str, Array] = {
        "halo_id": rows.ids,
        "host_id": np.where(central >= 0, rows.ids[central], -1) if len(own) else own,
        "is_central": central == own,
        "host_mass": (datasets[host_dataset] * np.float64(units.mass))[rows.groups[rows.group]],
    }
    for name, item in SUBHALO.items():
        dataset = f"Subhalo/{item.dataset}"
        native = datasets[dataset] if item.unit else integers(dataset)
        native = native[rows.subhalos] if catalogue.missing else native
        columns[name] = native * np.float64(getattr(units, item.unit)) if item.unit else native
    counted: dict[str, Any] = {
        "groups": len(rows.groups),
        "groups_without_subhalos": int(np.count_nonzero(rows.first < 0)),
        **rows.record,
    }
    if _has_stars(datasets):
        stellar = datasets[f"Subhalo/{dialect.stellar_mass[stars]}"][rows.subhalos, STARS]
        columns["stellar_mass"] = stellar * np.float64(units.mass)
        radius = datasets.get(f"Subhalo/{RADIUS_BY_TYPE}")
        if radius is not None and radius.shape[1] > STARS:
            length = np.float64(units.length)
            columns["stellar_half_mass_radius"] = radius[rows.subhalos, STARS] * length
    kept = own
    flag = datasets.get(f"Subhalo/{dialect.flag}")
    if flag is not None and len(own):
        galaxy = flag[rows.subhalos] != 0
        kept = np.flatnonzero(galaxy | columns["is_central"])
        columns = {name: column[kept] for name, column in columns.items()}
        counted["dropped_flagged_as_no_galaxy"] = len(own) - len(kept)
        counted["centrals_flagged_as_no_galaxy"] = int(np.count_nonzero(~galaxy[kept]))
    elsewhere = {
        "halo_id": group_number,
        "host_id": group_number,
        "stellar_mass": f"Subhalo/{dialect.stellar_mass[stars]}",
        "stellar_half_mass_radius": f"Subhalo/{RADIUS_BY_TYPE}",
    }

    def where(name: str, row: int) -> str:
        own_row = int(kept[row]) if len(kept) else 0
        if name == "host_mass":
            return place(host_dataset, int(rows.group[own_row])) if len(own) else host_dataset
        dataset = f"Subhalo/{SUBHALO[name].dataset}" if name in SUBHALO else elsewhere[name]
        return place(dataset, own_row) if len(own) else dataset

    stored = datasets[f"Subhalo/{SUBHALO['position'].dataset}"].dtype
    return values.halo_catalog(
        columns, definition, snapshot, options, where, counted, stored=stored
    )


def _star_particle_mass(datasets: dict[str, Array], unit: float) -> dict[str, float]:
    """Return the mass of a star particle [Msun/h], the median over subhalos, if it is known."""
    number = datasets.get(f"Subhalo/{NUMBER_BY_TYPE}")
    if number is None or not np.any(starry := number[:, STARS] > 0):
        return {}
    mass = datasets[f"Subhalo/{BY_TYPE}"][starry, STARS] * np.float64(unit)
    return {STAR_PARTICLE_MASS: float(np.median(mass / number[starry, STARS]))}


def _has_stars(datasets: dict[str, Array]) -> bool:
    """Return whether the run has gas or stars."""
    by_type = datasets[f"Subhalo/{BY_TYPE}"]
    return bool(by_type.shape[1] > STARS and (by_type[:, [GAS, STARS]] > 0).any())


def _has_several_resolutions(datasets: dict[str, Array]) -> bool:
    """Return whether subhalos hold heavier dark-matter particles, type 2 in zoom simulations."""
    by_type = datasets[f"Subhalo/{BY_TYPE}"]
    return bool(by_type.shape[1] > _COARSE and (by_type[:, _COARSE] > 0).any())


def _missing(catalogue: CatalogueSet) -> dict[str, Any]:
    """Return the record of an output with missing files."""
    if not catalogue.missing:
        return {}
    return {
        MISSING_CHUNKS: catalogue.missing,
        "files_of_the_whole_output": catalogue.declared_files,
        "groups_of_the_whole_output": catalogue.totals[0],
        "subhalos_of_the_whole_output": catalogue.totals[1],
    }


def _check_physics(
    catalogue: CatalogueSet, datasets: dict[str, Array], options: ReadOptions
) -> dict[str, Any]:
    """Compare masses and radii of groups, and the box size, with the cosmology; return a record."""
    if not sum(catalogue.groups):
        return {}
    units, where = catalogue.units, catalogue.files.where
    record: dict[str, Any] = {}
    for definition, (mass, radius) in SPHERES.items():
        if mass in datasets and radius in datasets:
            record[f"overdensity_within_r{definition}_over_expected"] = physics.check_overdensity(
                datasets[mass] * np.float64(units.mass),
                datasets[radius] * np.float64(units.length),
                units.cosmology,
                catalogue.redshift,
                f"{where}:/{radius}",
                definition,
                exact=True,
                drop_bad=options.drop_bad,
                record=record,
            )
    if not any(radius in datasets for _, radius in SPHERES.values()):
        physics.without_radii(f"{where}:/Group", record, "radii of groups")
    in_groups = physics.check_share(
        float(datasets[_GROUP_MASS].sum(dtype=np.float64)) * units.mass,
        catalogue.box_size,
        units.cosmology,
        f"{where}:/{_GROUP_MASS}",
        "in groups",
        0.0 if catalogue.missing else physics.LEAST_IN_GROUPS,
    )
    return {**record, "mass_fraction_in_groups": in_groups}


def _particle_mass(datasets: dict[str, Array], unit: float) -> float | None:
    """Return the dark-matter particle mass [Msun/h] from bound masses and counts.

    It is None if subhalos differ, or if the catalogue does not count particles by type.
    """
    by_type, number_by_type = (
        datasets[f"Subhalo/{BY_TYPE}"],
        datasets.get(f"Subhalo/{NUMBER_BY_TYPE}"),
    )
    if number_by_type is None:
        return None
    if min(by_type.shape[1], number_by_type.shape[1]) <= snapshots.DARK_MATTER:
        return None
    number = number_by_type[:, snapshots.DARK_MATTER]
    some = number > 0
    if not some.any():
        return None
    each = by_type[some, snapshots.DARK_MATTER] * np.float64(unit) / number[some]
    mass = float(np.median(each))
    return mass if mass > 0 and np.abs(each / mass - 1).max() <= 1e-3 else None


def _matter(
    catalogue: CatalogueSet,
    dialect: Dialect,
    options: ReadOptions,
    record: dict[str, Any],
    particle_mass: float | None,
) -> tuple[snapshots.SnapshotSet | None, float | None, tuple[SourceFile, ...]]:
    """Return the snapshot beside the catalogue, its particle mass [Msun/h] and its files.

    ``particle_mass`` is the value that the catalogue implies.
    """
    record["snapshot"] = None
    files = snapshots.find_snapshot(catalogue.files, catalogue.snapshot_base)
    if files is None:
        return None, None, ()
    try:
        snapshot = snapshots.open_snapshot(files, options, dialect.statement)
    except IncompleteSetError as error:
        if not options.allow_missing_chunks:
            raise
        warn(f"the snapshot is left out, for it is not whole: {error}", stacklevel=3)
        record["snapshot_left_out"] = str(error)
        return None, None, ()

    def same(name: str, here: float, there: float, tolerance: float) -> None:
        if not abs(there - here) <= tolerance * abs(here):
            raise HeaderError(
                f"{files.files[0]}:/{name}",
                f"{there:.9g}",
                f"{here:.9g}, as in {catalogue.files.files[0]}",
                "put the snapshot of the same run and output beside the catalogue, or move this "
                "snapshot away",
            )

    same("Header@BoxSize (in Mpc/h)", catalogue.box_size, snapshot.box_size, 1e-6)
    same("Header@Time", catalogue.time, snapshot.time, 1e-6)
    ours, theirs, place = catalogue.units, snapshot.units, dialect.statement.groups[0]
    for native, name in COSMOLOGY.items():
        here, there = getattr(ours.cosmology, name), getattr(theirs.cosmology, name)
        same(f"{place}@{native}", here, there, SAME)
    for native, name in UNITS.items():
        same(f"{place}@{native}", getattr(ours, name), getattr(theirs, name), SAME)
    record.update(
        snapshot=files.files[0].name,
        snapshot_files=len(files.files),
        particles=snapshot.particle_count,
        tracers_left_out=snapshot.tracers,
    )
    if snapshot.table_mass is not None:
        record["mean_density_over_omega_m"] = snapshots.check_mass(snapshot, snapshot.table_mass)
    mass = snapshot.masses[snapshots.DARK_MATTER] if len(snapshot.masses) > 1 else 0.0
    if mass and particle_mass is not None:
        same("Header@MassTable[1] (in Msun/h)", particle_mass, float(mass), 1e-3)
    # Snapshots can take terabytes: their sizes are recorded, but no digests.
    listed = tuple(chunks.source(path, digests=False) for path in files.files)
    return snapshot, float(mass) or None, listed
