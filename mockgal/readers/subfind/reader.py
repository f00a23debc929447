"""Subfind catalogues of Gadget-4 and AREPO, with the snapshot beside them if there is one.

The datasets and what they become are in `mockgal.readers.subfind.rows`, the names that each code
uses in its own module (`Dialect`), and units in `mockgal.readers.subfind.units`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, HeaderError, IncompleteSetError, warn
from ...layout import (
    MASS_DEFINITIONS_IN_FILE,
    MISSING_CHUNKS,
    SEVERAL_RESOLUTIONS,
    STAR_PARTICLE_MASS,
)
from ...protocols import ReadOptions
from ...types import Scene, Snapshot, SourceFile
from .. import chunks, given
from ..checks import physics
from ..stated_cosmology import SAME
from . import members, snapshots
from .files import FOLDERS, CatalogueSet, Dialect, is_of, open_set
from .rows import (
    BY_TYPE,
    GROUP_MASS,
    HOST_MASS,
    NUMBER_BY_TYPE,
    SPHERES,
    STARS,
    Chosen,
    checked_halos,
    has_stars,
    read_datasets,
)
from .units import COSMOLOGY, UNITS

Array = NDArray[Any]

_COARSE = 2


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
        chosen = Chosen.of(dialect, options)
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
            datasets = read_datasets(catalogue, chosen)
            source = digests()
        chunks.check_distinct(
            source, [g + s for g, s in zip(catalogue.groups, catalogue.subhalos, strict=True)]
        )
        record = _record(catalogue, chosen, datasets, options)
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
        halos = checked_halos(catalogue, chosen, snapshot, options, datasets)
        if beside is None:
            return Scene(snapshot, halos)
        particles = snapshots.particles(beside, options)
        bound = members.of(catalogue, beside, f"Subhalo/{dialect.group_number}")
        return Scene(snapshot, halos, particles, members=bound)


def _record(
    catalogue: CatalogueSet, chosen: Chosen, datasets: dict[str, Array], options: ReadOptions
) -> dict[str, Any]:
    """Return what was read and chosen, and how well masses fit the cosmology."""
    record: dict[str, Any] = {
        **catalogue.units.record,
        "files": len(catalogue.files.files),
        "output_number": catalogue.files.number,
        "host_mass_dataset": HOST_MASS[chosen.definition],
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
    if not has_stars(datasets):
        return record
    return record | {
        "stellar_mass_definition": chosen.stars,
        "stellar_mass_dataset": f"{chosen.dialect.stellar_mass[chosen.stars]}[{STARS}]",
        "stellar_mass_definition_chosen_by": (
            "user" if options.stellar_mass_definition else "default"
        ),
        **_star_particle_mass(datasets, catalogue.units.mass),
    }


def _star_particle_mass(datasets: dict[str, Array], unit: float) -> dict[str, float]:
    """Return the mass of a star particle [Msun/h], the median over subhalos, if it is known."""
    number = datasets.get(f"Subhalo/{NUMBER_BY_TYPE}")
    if number is None or not np.any(starry := number[:, STARS] > 0):
        return {}
    mass = datasets[f"Subhalo/{BY_TYPE}"][starry, STARS] * np.float64(unit)
    return {STAR_PARTICLE_MASS: float(np.median(mass / number[starry, STARS]))}


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
        float(datasets[GROUP_MASS].sum(dtype=np.float64)) * units.mass,
        catalogue.box_size,
        units.cosmology,
        f"{where}:/{GROUP_MASS}",
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
        warn(f"the snapshot is left out, for it is not whole: {error}")
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
