"""The objects that flow between the rooms: frozen, and checked once when created.

Lengths are comoving Mpc/h, masses Msun/h, velocities peculiar km/s; every array is read-only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from .columns import (
    HALO_COLUMNS,
    REQUIRED_HALO_COLUMNS,
    Column,
    check_bounds,
    declared_with,
    frozen_columns,
)
from .completeness import BY_ROWS, Completeness, is_all
from .completeness import KEY as COMPLETENESS
from .cosmology import Cosmology as Cosmology
from .digests import content_digest, identity, sorting_order
from .errors import BadValueError, MissingDatasetError
from .particles import DensityField as DensityField
from .particles import Members as Members
from .particles import ParticleChunk as ParticleChunk
from .particles import Particles as Particles
from .snapshot import LightCone as LightCone
from .snapshot import Snapshot as Snapshot
from .snapshot import SourceFile as SourceFile
from .system import display
from .system.columns.on_disk import taken_of
from .system.deferred import parts
from .system.display import Shown
from .system.rows import is_settled as is_settled
from .system.rows import row_numbers
from .system.rows import settle as settle

MASS_DEFINITIONS = {
    "200c": "mass within the radius of 200 times the critical density",
    "500c": "mass within the radius of 500 times the critical density",
    "200m": "mass within the radius of 200 times the mean matter density",
    "vir": "mass within the virial radius of Bryan & Norman 1998",
    "fof": "mass of the friends-of-friends group",
    "compaso": "mass of the CompaSO halo, cut off at 1.126 times the virial density of Bryan & "
    "Norman 1998",
}
# Those of all mass within a sphere of a given density.
RADIUS_DEFINITIONS = tuple(name for name in MASS_DEFINITIONS if name not in ("fof", "compaso"))

STELLAR_MASS_DEFINITIONS = {
    "bound": "all stars bound to the subhalo",
    "2rhalf": "stars within twice the stellar half-mass radius",
}

Array = NDArray[Any]


@dataclass(frozen=True, repr=False)
class HaloCatalog(Shown):
    """One row per subhalo, centrals included; the columns are `mockgal.columns.HALO_COLUMNS`.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,) or (n, 3)
        At least `mockgal.columns.REQUIRED_HALO_COLUMNS`.
    mass_definition : str
        Key of `MASS_DEFINITIONS` that ``host_mass`` follows.
    record : mapping
        The reader's counts for these rows.

    Raises
    ------
    MissingDatasetError, BadValueError
        Columns missing or unequal in length, values out of bounds, repeated ids, a host that is not
        a central, unknown mass definition.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> halos = sim.halos.take(sim.halos["is_central"].nonzero()[0])
    >>> bool(halos["is_central"].all()), "vmax" in halos
    (True, True)
    """

    columns: Mapping[str, Array]
    mass_definition: str
    record: Mapping[str, Any] = field(default_factory=dict)

    _lines = display.halos

    def __post_init__(self) -> None:
        missing = [name for name in REQUIRED_HALO_COLUMNS if name not in self.columns]
        if missing:
            raise MissingDatasetError(
                "halo catalogue",
                f"no column {', '.join(missing)}",
                ", ".join(REQUIRED_HALO_COLUMNS),
            )
        _check_mass_definition(self.mass_definition)
        columns = frozen_columns(self.columns, HALO_COLUMNS, "halo")
        check_bounds(columns, HALO_COLUMNS, "halo")
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "record", MappingProxyType(dict(self.record)))
        ids, order = self["halo_id"], self._id_order
        repeated = np.flatnonzero(np.diff(ids[order]) == 0)
        if repeated.size:
            raise BadValueError(
                "halo_id",
                f"{repeated.size} repeated ids, the first {ids[order][repeated[0]]}",
                "unique ids",
                "look for a chunk or file read twice",
            )
        hosts = self["host_id"][self["is_central"]]
        if not np.array_equal(hosts, ids[self["is_central"]]):
            raise BadValueError("host_id", "a central with another host", "its own halo_id")
        host = self.host_row
        orphans = np.flatnonzero(host < 0)
        if orphans.size == 0:
            orphans = np.flatnonzero(~self["is_central"][host])
        if orphans.size:
            raise BadValueError(
                "host_id",
                f"{orphans.size} satellites without a central in the catalogue, "
                f"the first halo_id {ids[orphans[0]]}",
                "the id of a central",
                "choose --orphans drop or --orphans central",
            )

    def __len__(self) -> int:
        return len(self.columns["halo_id"])

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    @cached_property
    def _id_order(self) -> Array:
        return np.argsort(self["halo_id"], kind="stable")

    @cached_property
    def host_row(self) -> Array:
        """Row of each subhalo's central, shape (n,); -1 where it is not in the catalogue."""
        ids, order = self["halo_id"], self._id_order
        if len(ids) == 0:
            return np.empty(0, dtype=np.intp)
        row = np.arange(len(ids))
        before = np.maximum.accumulate(np.where(self["is_central"], row, 0))
        if np.array_equal(ids[before], self["host_id"]):  # each host is followed by its satellites
            return before
        other = np.flatnonzero(self["host_id"] != ids)
        host, in_order = self["host_id"][other], ids[order]
        place = np.minimum(np.searchsorted(in_order, host), len(ids) - 1)
        row[other] = np.where(in_order[place] == host, order[place], -1)
        return row

    def take(self, rows: Array) -> HaloCatalog:
        """Return the catalogue of the chosen rows, in the chosen order."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return replace(self, columns=settle(columns))

    def with_mass_definition(self, definition: str) -> HaloCatalog:
        """Return the same rows, with ``host_mass`` declared to follow another definition.

        Raises
        ------
        BadValueError
            There is no such definition.
        """
        _check_mass_definition(definition)
        other = copy(self)  # its rows need no second check
        object.__setattr__(other, "mass_definition", definition)
        other.__dict__.pop("_kept", None)  # digests depend on the definition
        if "_made_for" in other.__dict__:
            object.__setattr__(other, "_made_for", self.hosts.with_mass_definition(definition))
        return other

    @property
    def hosts(self) -> HaloCatalog:
        """The catalogue of hosts for which satellites were made; else this catalogue."""
        return self.__dict__.get("_made_for", self)  # type: ignore[no-any-return]

    def once(self, what: str, make: Callable[[], Any]) -> Any:
        """Return ``make()``, cached as ``what`` if the columns can no longer change (`settle`)."""
        columns = self.columns
        settled = all(is_settled(x) for name in columns for x in parts(columns, name))
        kept = self.__dict__.setdefault("_kept", {}) if settled else {}
        if what not in kept:
            kept[what] = make()
        return kept[what]

    def digest(self) -> str:
        """Return the content digest: independent of row order and of how files split the rows."""
        facts = HALO_COLUMNS, ["halo_id"], self.mass_definition
        return str(self.once("digest", lambda: content_digest(self.columns, *facts)))


def _check_mass_definition(definition: str) -> None:
    if definition not in MASS_DEFINITIONS:
        raise BadValueError(
            "halo catalogue",
            f"mass definition {definition!r}",
            "one of " + ", ".join(MASS_DEFINITIONS),
        )


@dataclass(frozen=True, repr=False)
class Scene(Shown):
    """The input of a painter: one snapshot, its halos and, if available, its matter.

    A scene is the whole box, a tile of it, or a light cone. ``members`` is used to match two runs.

    Parameters
    ----------
    snapshot : Snapshot
        The box that it is in.
    halos : HaloCatalog
        Its n subhalos, centrals included.
    particles : Particles, optional
        Its matter, as particles.
    field : DensityField, optional
        Its matter, as a density grid.
    members : Members, optional
        Ids of the particles in each subhalo.

    Raises
    ------
    BadValueError
        A position is outside the box.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> sorted(sim.contents)
    ['field', 'halos']
    """

    snapshot: Snapshot
    halos: HaloCatalog
    particles: Particles | None = None
    field: DensityField | None = None
    members: Members | None = None

    _lines = display.scene

    def __post_init__(self) -> None:
        held, size = parts(self.halos.columns, "position"), self.snapshot.box_size
        if self.snapshot.frame != "box":
            return
        if not all(x.min() >= 0 and x.max() < size for x in held if len(x)):
            position = self.halos["position"]
            raise BadValueError(
                "position",
                f"values from {position.min():.6g} to {position.max():.6g} Mpc/h",
                f"[0, {size:.6g})",
                "readers wrap positions before this point",
            )

    @property
    def contents(self) -> frozenset[str]:
        """What the scene contains, in the words of `Painter.needs`."""
        matter = self.field is not None or self.particles is not None
        return frozenset({"halos", "field"} if matter else {"halos"})


@dataclass(frozen=True, repr=False)
class GalaxyCatalog(Shown):
    """Galaxies, one row each, sorted by (halo_id, galaxy_id).

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
        `mockgal.columns.GALAXY_COLUMNS`, in internal units (Mpc/h, Msun/h, km/s).
    snapshot : Snapshot
        The box they are in.
    frame : str
        ``"box"`` (comoving Cartesian) or ``"sky"``.
    provenance : mapping
        How they were made; plain JSON values only.
    plugin_columns : tuple of Column
        Columns that a plug-in declares: see `mockgal.protocols.Painter`.

    Raises
    ------
    BadValueError
        A column is not declared, or has another shape or length; or the frame is neither.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> mock = mockgal.paint(sim, "hod", seed=1)
    >>> centrals = mock[mock["is_central"]]
    >>> len(centrals) < len(mock), centrals.completeness.low is None
    (True, False)
    """

    columns: Mapping[str, Array]
    snapshot: Snapshot
    frame: str
    provenance: Mapping[str, Any]
    plugin_columns: tuple[Column, ...] = ()

    _lines = display.galaxies

    def __post_init__(self) -> None:
        declared = self.declared
        columns = frozen_columns(self.columns, declared, "galaxy")
        order = sorting_order(columns, identity(columns))
        if order is not None:
            columns = frozen_columns(
                {name: values[order] for name, values in columns.items()}, declared, "galaxy"
            )
        object.__setattr__(self, "columns", columns)
        if self.frame not in ("box", "sky"):
            raise BadValueError("galaxy frame", repr(self.frame), "'box' or 'sky'")
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))

    def __len__(self) -> int:
        return len(self.columns["galaxy_id"])

    @overload
    def __getitem__(self, index: str) -> Array: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | Array) -> GalaxyCatalog: ...

    def __getitem__(self, index: Any) -> Array | GalaxyCatalog:
        """Return a column by name, or the catalogue of some rows by slice, mask or row numbers.

        A selection of fewer than all rows is recorded among the cuts, with the numbers of rows
        before and after.
        """
        if isinstance(index, str):
            return self.columns[index]
        chosen = self.take(row_numbers(index, len(self), "GalaxyCatalog"))
        if len(chosen) == len(self):
            return chosen
        cut = {"cut": "rows chosen by index", "before": len(self), "after": len(chosen)}
        return chosen.with_provenance(cuts=[*self.provenance.get("cuts", []), cut])

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    @property
    def declared(self) -> Mapping[str, Column]:
        """All columns that it can have, mockgal's and those of plug-ins, keyed by name."""
        return declared_with(self.plugin_columns, "galaxies")

    @property
    def completeness(self) -> Completeness:
        """The stellar masses at which the catalogue is complete, as its provenance states."""
        return Completeness.of(self.provenance)

    def take(self, rows: Array) -> GalaxyCatalog:
        """Return the chosen rows; fewer than all rows are marked as an incomplete sample.

        `mockgal.select` and `mockgal.most_massive` select by stellar mass, and keep track of
        completeness.
        """
        taken = replace(self, columns={n: taken_of(x, rows) for n, x in self.columns.items()})
        if is_all(rows, len(self)):
            return taken
        return taken.with_completeness(self.completeness.lacking(BY_ROWS))

    def with_columns(self, *declared: Column, **columns: Array) -> GalaxyCatalog:
        """Return the catalogue with columns added or replaced, in the order of its rows.

        Parameters
        ----------
        *declared : Column
            Declarations of columns that are not among mockgal's: cuts, writers and readers know
            them from then on.
        **columns : ndarray, shape (n,)
            By name, in internal units.
        """
        known = {column.name: column for column in (*self.plugin_columns, *declared)}
        return replace(
            self, columns={**self.columns, **columns}, plugin_columns=tuple(known.values())
        )

    def with_completeness(self, completeness: Completeness) -> GalaxyCatalog:
        """Return the catalogue with its statement of completeness replaced or removed."""
        provenance = {key: value for key, value in self.provenance.items() if key != COMPLETENESS}
        if completeness.is_stated:
            provenance[COMPLETENESS] = completeness.record()
        other = copy(self)
        object.__setattr__(other, "provenance", MappingProxyType(provenance))
        return other

    def with_provenance(self, **entries: Any) -> GalaxyCatalog:
        """Return the catalogue with entries of its provenance added or replaced."""
        other = copy(self)  # its rows need no second check
        provenance = MappingProxyType({**self.provenance, **entries})
        object.__setattr__(other, "provenance", provenance)
        return other

    def digest(self) -> str:
        """Return the content digest: independent of row order, chunks, workers and file format."""
        facts = self.snapshot.facts() + self.frame
        return content_digest(self.columns, self.declared, identity(self.columns), facts)
