"""halotools: the files of its halo cache, and its catalogue objects.

| native | here |
|---|---|
| halo_id | halo_id |
| halo_x, halo_y, halo_z [comoving Mpc/h] | position |
| halo_vx, halo_vy, halo_vz [peculiar km/s] | velocity |
| first of `PARENT`; without any of them every row is a host | host_id, is_central |
| the host's value of a column of `names.HOST_MASS` [Msun/h] | host_mass |
| first of `names.BOUND_MASS`, else the column of the host mass [Msun/h] | mass |
| halo_vmax [km/s], if present | vmax |
| halo_mpeak [Msun/h], halo_vpeak, halo_vmax_mpeak [km/s], if present | peak_mass and others |
| the host's halo_nfw_conc, where the host mass is halo_mvir | concentration |
| halo_phantom, if present | flagged rows, interpolated between two outputs, are left out |

Facts are attributes of the root of the file or of the object: ``Lbox`` (a number, or three equal
ones), ``redshift`` (text in files), ``particle_mass``, ``simname``, and the cosmology if it is
stated (`mockgal.readers.halotools.facts`). Format: astropy/halotools,
sim_manager/user_supplied_halo_catalog.py and cached_halo_catalog.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...errors import (
    BadValueError,
    MissingDatasetError,
    MockgalError,
    UnitsError,
    UnsafeInputError,
    UsageError,
    printable,
    warn,
)
from ...layout import MASS_DEFINITIONS_IN_FILE
from ...protocols import ReadOptions
from ...system.ids import Ids, whole
from ...types import Scene, Snapshot
from .. import given
from ..about import About
from ..checks import physics, values
from ..checks.nesting import top_hosts
from ..hdf5 import headers, safe
from . import facts
from .names import (
    BOUND_MASS,
    COLUMNS,
    CONCENTRATION,
    DEFINITION,
    OF_CONCENTRATION,
    PARENT,
    PEAKS,
    PHANTOM,
    POSITION,
    RADIUS,
    VELOCITY,
    VMAX,
)
from .table import UNITS_HERE, Table, in_file, in_object

Array = NDArray[Any]

_EXACT = "rockstar"  # in the name of a finder that derives its radii from its masses
_TEXTS = ("halo_finder", "version_name")
_METADATA = (*facts.METADATA, "simname", *_TEXTS)


class HalotoolsReader:
    """Halo tables of halotools: files of its cache, and catalogue objects."""

    name = "halotools"
    about = About(
        "cached halo tables of halotools (HDF5), catalogue objects",
        "hosts and subhalos",
        "Msun/h, comoving Mpc/h, km/s",
        asked="cosmology",
        tested_on="files and objects that halotools writes",
    )

    def detect(self, path: Path) -> bool:
        """Return whether ``path`` is a file of halotools' cache; never raise for other formats."""
        if not path.is_file():
            return False
        try:
            with safe.open_hdf5(path) as file:
                return headers.has(file, "/", "halo_finder") and safe.exists(file, "data")
        except UnsafeInputError:  # `read` refuses it with the reason
            return True
        except MockgalError:
            return False

    def read(self, path: Path, options: ReadOptions) -> Scene:
        """Return the scene in the halo table at ``path``.

        Parameters
        ----------
        path : Path
        options : ReadOptions

        Returns
        -------
        Scene

        Raises
        ------
        MockgalError
            Exit code 3 for a file that is damaged, contradictory or unphysical, 4 for an unsafe
            one, 2 for options that cannot be met.
        """
        return _scene(in_file(path, _METADATA, options.chunk_rows), options)

    def read_object(self, catalogue: object, options: ReadOptions) -> Scene:
        """Return the scene in a halotools halo catalogue, or an object like it.

        Parameters
        ----------
        catalogue : object
            See `is_catalogue`.
        options : ReadOptions

        Returns
        -------
        Scene
            Its arrays are copies.

        Raises
        ------
        MockgalError
            See `read`.
        """
        return _scene(in_object(catalogue, _METADATA, COLUMNS), options)


def is_catalogue(thing: object) -> bool:
    """Return whether ``thing`` has a halo table and a box, like the catalogues of halotools.

    Mocks of halotools have them too, but only with the halos that their model populates: they do
    not count.
    """
    own = getattr(thing, "__dict__", {})

    def has(name: str) -> bool:  # without triggering a read from file
        return name in own or hasattr(type(thing), name)

    return has("halo_table") and has("Lbox") and not has("galaxy_table")


def _scene(table: Table, options: ReadOptions) -> Scene:
    """Return the scene of a table, which may come from a file or an object."""
    chosen = _Columns.of(table, options)
    names = chosen.names(table)
    box_size, redshift, taken = facts.box_and_redshift(table, options)
    cosmology, record = facts.cosmology(table, options)
    native = table.read(names)
    record |= chosen.record(table, options)
    tree = _hierarchy(table, native, chosen)
    hosts = tree.central & tree.real
    record |= _check_radii(table, native, chosen.spheres, hosts, cosmology, redshift, options)
    record |= facts.check_matter(table, box_size, cosmology, redshift)
    particle_mass, of_particles = facts.particle_mass(
        table, native[chosen.bound], box_size, cosmology, options
    )
    record["given_by_user"] += [*taken, *of_particles]
    snapshot = Snapshot(
        name=printable(table.text("simname")) or table.name,
        box_size=box_size,
        redshift=redshift,
        cosmology=cosmology,
        particle_mass=particle_mass,
        format=HalotoolsReader.name,
        source=table.source,
        record=record,
    )
    columns = _internal(native, chosen, tree)
    if "box_size" in taken:
        place = chosen.where(table, "position", 0).split(", row")[0]
        given.check_box(columns["position"][tree.central], box_size, options, place)
    kept = np.flatnonzero(tree.real)
    if len(kept) < len(tree.real):
        columns = {name: rows[kept] for name, rows in columns.items()}
    halos = values.halo_catalog(
        columns,
        chosen.definition,
        snapshot,
        options,
        lambda name, row: chosen.where(table, name, int(kept[row]) if row < len(kept) else row),
        tree.counted,
        stored=np.result_type(*(native[name].dtype for name in POSITION)),
    )
    return Scene(snapshot, halos)


class _Columns(NamedTuple):
    """The columns of a table that are read.

    Parameters
    ----------
    masses : dict of str to str
        Column of the host mass by definition, for all definitions that the table has.
    definition, host_mass : str
        The chosen definition, and its column.
    bound : str
        Column of the bound mass.
    parent : str or None
    spheres : list of tuple of str
        Columns of mass and radius of the same definition.
    """

    masses: dict[str, str]
    definition: str
    host_mass: str
    bound: str
    parent: str | None
    spheres: list[tuple[str, str]]

    @classmethod
    def of(cls, table: Table, options: ReadOptions) -> _Columns:
        """Return the columns that a table has, for the user's mass definition."""
        masses = _host_masses(table)
        definition, host_mass = _host_mass(masses, options)
        return cls(
            masses,
            definition,
            host_mass,
            next((name for name in BOUND_MASS if name in table.columns), host_mass),
            next((name for name in PARENT if name in table.columns), None),
            [pair for pair in RADIUS.items() if set(pair) <= set(table.columns)],
        )

    def names(self, table: Table) -> list[str]:
        """Return the names of the columns to read.

        Raises
        ------
        MissingDatasetError
            The table lacks some that must be there.
        """
        names = ["halo_id", *POSITION, *VELOCITY, self.host_mass, self.bound]
        _check_present(table, names)
        also = {self.parent, PARENT[-1], VMAX, PHANTOM, *PEAKS.values()}
        also |= {name for pair in self.spheres for name in pair}
        if self.definition == OF_CONCENTRATION:
            also.add(CONCENTRATION)
        names += [name for name in table.columns if name in also]
        return list(dict.fromkeys(names))

    def record(self, table: Table, options: ReadOptions) -> dict[str, Any]:
        """Return where ids, hosts and masses come from."""
        return {
            **{name: printable(table.text(name)) for name in _TEXTS},
            "host_mass_column": self.host_mass,
            MASS_DEFINITIONS_IN_FILE: list(self.masses),
            "mass_definition_chosen_by": "user" if options.mass_definition else "default",
            "mass_column": self.bound,
            "hosts_from": self.parent or "no column of parents: every row is a host",
        }

    def where(self, table: Table, name: str, row: int) -> str:
        """Return the place of a value of our column ``name``."""
        origin = {
            "halo_id": "halo_id",
            "host_id": self.parent or "halo_id",
            "position": POSITION[0],
            "velocity": VELOCITY[0],
            "host_mass": self.host_mass,
            "mass": self.bound,
            "vmax": VMAX,
            **PEAKS,
        }
        return f"{table.place}[{origin[name]}], row {row}"


class _Hierarchy(NamedTuple):
    """The hosts of all rows.

    Parameters
    ----------
    ids, host_id : ndarray of int64, shape (n,)
    central : ndarray of bool, shape (n,)
        Whether a row is a host.
    top : ndarray of int, shape (n,)
        Row of the host.
    real : ndarray of bool, shape (n,)
        False for phantoms.
    counted : dict
        What was counted, for the record of the halos.
    """

    ids: Ids
    host_id: Ids
    central: Array
    top: Array
    real: Array
    counted: dict[str, Any]


def _hierarchy(table: Table, native: dict[str, Array], chosen: _Columns) -> _Hierarchy:
    """Return the hosts of all rows; warn where the table does not tell them."""

    def where(name: str, row: int) -> str:
        return chosen.where(table, name, row)

    ids = whole(native["halo_id"], lambda row: where("halo_id", row))
    _check_ids(ids, where)
    counted: dict[str, Any] = {}
    host_id, central, top = ids, np.ones(len(ids), dtype=bool), np.arange(len(ids))
    if chosen.parent is None:
        warn(
            f"{table.place} has none of {', '.join(PARENT)}: every row is taken for a host halo, "
            "and its galaxy for a central",
        )
    else:
        host_id, central, top, counted["nested_satellites"] = _hosts(
            table, ids, native, chosen.parent
        )
    real = native[PHANTOM] == 0 if PHANTOM in native else np.ones(len(ids), dtype=bool)
    counted["groups"] = int(np.count_nonzero(central & real))
    counted["phantoms_dropped"] = int(np.count_nonzero(~real))
    return _Hierarchy(ids, host_id, central, top, real, counted)


def _internal(native: dict[str, Array], chosen: _Columns, tree: _Hierarchy) -> dict[str, Array]:
    """Return all rows in internal units, phantoms included."""
    columns = {
        "halo_id": tree.ids,
        "host_id": tree.host_id,
        "is_central": tree.central,
        "position": _vectors(native, POSITION),
        "velocity": _vectors(native, VELOCITY),
        "mass": native[chosen.bound].astype(np.float64),
        "host_mass": native[chosen.host_mass][tree.top].astype(np.float64),
    }
    if VMAX in native:
        columns["vmax"] = native[VMAX].astype(np.float64)
    for name, own in PEAKS.items():
        if own in native:
            columns[name] = native[own].astype(np.float64)
    if CONCENTRATION in native:
        columns["concentration"] = native[CONCENTRATION][tree.top].astype(np.float64)
    return columns


def _vectors(native: dict[str, Array], names: Sequence[str]) -> Array:
    return np.column_stack([native[name].astype(np.float64) for name in names])


def _host_masses(table: Table) -> dict[str, str]:
    """Return the host mass column of each definition present, the default first."""
    present: dict[str, str] = {}
    for name, definition in DEFINITION.items():
        if name in table.columns:
            present.setdefault(definition, name)
    if not present:
        raise MissingDatasetError(
            table.place,
            f"no host mass of a known definition; columns: {table.listed()}",
            "one of " + ", ".join(DEFINITION),
            "name the mass by its definition, such as halo_m200c, in Msun/h",
        )
    return present


def _host_mass(present: dict[str, str], options: ReadOptions) -> tuple[str, str]:
    """Return the definition of the host mass, and its column."""
    if options.mass_definition is None:
        return next(iter(present.items()))
    if options.mass_definition not in present:
        raise UsageError(
            "--mass-definition",
            repr(options.mass_definition),
            "one that the table has: "
            + ", ".join(f"{key} ({name})" for key, name in present.items()),
            "choose one of these",
        )
    return options.mass_definition, present[options.mass_definition]


def _check_present(table: Table, required: Sequence[str]) -> None:
    missing = [name for name in required if name not in table.columns]
    if missing:
        fix = table.fix
        if set(missing) <= set(VELOCITY):
            fix += "; if the simulation kept no velocities, columns of zeros say so"
        raise MissingDatasetError(
            table.place,
            f"no {', '.join(missing)}; columns: {table.listed()}",
            "ids, positions [Mpc/h], peculiar velocities [km/s] and a mass [Msun/h]",
            fix,
        )


def _check_radii(
    table: Table,
    native: dict[str, Array],
    pairs: Sequence[tuple[str, str]],
    central: Array,
    cosmology: Cosmology,
    redshift: float,
    options: ReadOptions,
) -> dict[str, Any]:
    """Compare the masses of hosts with their radii, for each definition that has both."""
    record: dict[str, Any] = {}
    # Definitions by the mean density first: they depend on Omega_m alone.
    for mass, radius in sorted(pairs, key=lambda pair: DEFINITION[pair[0]][-1] != "m"):
        definition = DEFINITION[mass]
        try:
            ratio = physics.check_overdensity(
                native[mass][central].astype(np.float64),
                native[radius][central].astype(np.float64),
                cosmology,
                redshift,
                f"{table.place}[{radius}]",
                definition,
                exact=_EXACT in table.text("halo_finder").lower(),
                drop_bad=options.drop_bad,
                record=record,
            )
        except UnitsError as error:
            fix = f"{error.fix}; {UNITS_HERE}, and the names of its masses state their definition"
            raise UnitsError(error.where, error.found, error.expected, fix) from error
        record[f"overdensity_within_r{definition}_over_expected"] = ratio
    if not pairs:
        physics.without_radii(table.place, record, "column of radii, as halo_rvir")
    return record


def _check_ids(ids: Ids, where: values.Where) -> None:
    negative = np.flatnonzero(ids < 0)
    if negative.size:
        raise BadValueError(
            where("halo_id", int(negative[0])),
            f"{negative.size} negative ids, the first {ids[negative[0]]}",
            "ids from 0 on, for -1 means no halo",
            "number the halos anew",
        )
    values.check_unique(ids, where)


def _hosts(
    table: Table, ids: Ids, native: dict[str, Array], parent: str
) -> tuple[Ids, Array, Array, int]:
    """Return host ids, a mask of host rows, rows of the hosts, and the count of nested satellites.

    A satellite whose host is missing keeps the host's id, and gets the row of the highest halo in
    its own chain.
    """

    def where(row: int, name: str = parent) -> str:
        return f"{table.place}[{name}], row {row}"

    own = parent == "halo_hostid"
    stated = whole(native[parent], where, none=ids)
    central = stated == (ids if own else -1)
    odd = np.flatnonzero((stated < 0) & ~central)
    if odd.size:
        raise BadValueError(
            where(int(odd[0])),
            f"{odd.size} negative ids, the first {stated[odd[0]]}",
            "the id of the host" + ", or -1 for a host" * (not own),
            "correct the column",
        )
    above: Ids = np.where(central, ids, stated)
    host_id, top, nested = top_hosts(ids, above, central, where)
    if "halo_hostid" in native and not own:
        # It may be the parent as stated (add_halo_hostid), the host at the top, or, where that is
        # missing, the row itself (compute_uber_hostid).
        other = whole(native["halo_hostid"], lambda row: where(row, "halo_hostid"), none=ids)
        fits = (other == above) | (other == host_id) | (~central[top] & (other == ids))
        wrong = np.flatnonzero(~fits)
        if wrong.size:
            row = int(wrong[0])
            raise BadValueError(
                where(row, "halo_hostid"),
                f"{wrong.size} hosts other than {parent} says, the first {other[row]}",
                f"{host_id[row]}",
                "correct one of the two columns, or leave one out",
            )
    return host_id, central, top, nested
