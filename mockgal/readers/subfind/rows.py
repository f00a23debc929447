"""Datasets of a Subfind catalogue, and the rows of halos made from them.

Rows of subhalos are read through the table `SUBHALO`, and in addition:

| native | here |
|---|---|
| row of the subhalo in the whole output | halo_id |
| Group/GroupFirstSub of the subhalo's group | host_id, is_central |
| the dataset of the stellar-mass definition, column 4, of runs with gas or stars | stellar_mass |
| SubhaloHalfmassRadType, column 4, of these runs, if present | stellar_half_mass_radius |
| Group/, by mass definition, see `HOST_MASS` | host_mass |
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError
from ...protocols import ReadOptions
from ...system.ids import whole
from ...types import HaloCatalog, Snapshot
from .. import chunks
from ..checks import values
from . import placement
from .files import CatalogueSet, Dialect
from .membership import check_membership

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
_POSITION = f"Subhalo/{SUBHALO['position'].dataset}"
# Datasets of the host mass; the default is the first.
HOST_MASS = {
    "200c": "Group_M_Crit200",
    "200m": "Group_M_Mean200",
    "500c": "Group_M_Crit500",
    "vir": "Group_M_TopHat200",
    "fof": "GroupMass",
}
GAS, STARS = 0, 4
FIRST, NUMBER = "Group/GroupFirstSub", "Group/GroupNsubs"
CENTRE = "Group/GroupPos"
M200, R200, GROUP_MASS = "Group/Group_M_Crit200", "Group/Group_R_Crit200", "Group/GroupMass"
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


class Chosen(NamedTuple):
    """The masses that the user chose, in the datasets of a dialect.

    Parameters
    ----------
    dialect : Dialect
    definition : str
        Mass definition of hosts, a key of `HOST_MASS`.
    stars : str
        Stellar-mass definition, a key of ``dialect.stellar_mass``.
    """

    dialect: Dialect
    definition: str
    stars: str

    @classmethod
    def of(cls, dialect: Dialect, options: ReadOptions) -> Chosen:
        """Return the user's choice, by default the first definitions.

        Raises
        ------
        UsageError
            The catalogue has no such mass.
        """
        stars, allowed = options.stellar_mass_definition, dialect.stellar_mass
        return cls(
            dialect,
            _one_of("--mass-definition", options.mass_definition, HOST_MASS),
            _one_of("--stellar-mass-definition", stars, allowed),
        )

    @property
    def host_mass(self) -> str:
        """Dataset of the host mass."""
        return f"Group/{HOST_MASS[self.definition]}"

    @property
    def stellar_mass(self) -> str:
        """Dataset of the stellar mass."""
        return f"Subhalo/{self.dialect.stellar_mass[self.stars]}"

    @property
    def group_number(self) -> str:
        """Dataset of the row of each subhalo's group."""
        return f"Subhalo/{self.dialect.group_number}"


def _one_of(flag: str, choice: str | None, allowed: dict[str, str]) -> str:
    """Return the user's choice, or the first one allowed."""
    chosen = choice or next(iter(allowed))
    if chosen not in allowed:
        raise UsageError(flag, repr(chosen), "one of " + ", ".join(allowed), "choose one of these")
    return chosen


def read_datasets(catalogue: CatalogueSet, chosen: Chosen) -> dict[str, Array]:
    """Return the datasets that are needed, as stored, and no others."""
    dialect = chosen.dialect
    shapes: dict[str, tuple[int | None, ...]] = {
        f"Subhalo/{item.dataset}": item.shape for item in SUBHALO.values()
    }
    shapes[chosen.group_number] = ()
    shapes[f"Subhalo/{BY_TYPE}"] = (None,)
    if dialect.rank:
        shapes[f"Subhalo/{dialect.rank}"] = ()
    for name in (FIRST, NUMBER, M200, R200, GROUP_MASS, chosen.host_mass):
        shapes[name] = ()
    if catalogue.missing:
        shapes[CENTRE] = (3,)
    optional: dict[str, tuple[int | None, ...]] = {
        f"Subhalo/{name}": (None,) for name in (NUMBER_BY_TYPE, RADIUS_BY_TYPE)
    }
    if dialect.flag:
        optional[f"Subhalo/{dialect.flag}"] = ()
    if chosen.stellar_mass != f"Subhalo/{BY_TYPE}":
        optional[chosen.stellar_mass] = (None,)
    shapes |= {
        name: shape
        for name, shape in optional.items()
        if chunks.present(catalogue.files, catalogue.subhalos, name)
    }
    for pair in SPHERES.values():
        if all(chunks.present(catalogue.files, catalogue.groups, name) for name in pair):
            shapes |= dict.fromkeys(pair, ())
    return chunks.columns(catalogue.files, catalogue.rows, shapes)


def has_stars(datasets: dict[str, Array]) -> bool:
    """Return whether the run has gas or stars."""
    by_type = datasets[f"Subhalo/{BY_TYPE}"]
    return bool(by_type.shape[1] > STARS and (by_type[:, [GAS, STARS]] > 0).any())


def checked_halos(
    catalogue: CatalogueSet,
    chosen: Chosen,
    snapshot: Snapshot,
    options: ReadOptions,
    datasets: dict[str, Array],
) -> HaloCatalog:
    """Return the checked rows in internal units."""
    rows = _placed(catalogue, chosen, datasets)
    columns = _hierarchy(rows) | _masses_of_hosts(catalogue, chosen, datasets, rows)
    columns |= _of_subhalos(catalogue, datasets, rows) | _stars(catalogue, chosen, datasets, rows)
    counted: dict[str, Any] = {
        "groups": len(rows.groups),
        "groups_without_subhalos": int(np.count_nonzero(rows.first < 0)),
        **rows.record,
    }
    kept = np.arange(len(rows.subhalos))
    flag = datasets.get(f"Subhalo/{chosen.dialect.flag}")
    if flag is not None and len(kept):
        galaxy = flag[rows.subhalos] != 0
        kept = np.flatnonzero(galaxy | columns["is_central"])
        columns = {name: column[kept] for name, column in columns.items()}
        counted["dropped_flagged_as_no_galaxy"] = len(galaxy) - len(kept)
        counted["centrals_flagged_as_no_galaxy"] = int(np.count_nonzero(~galaxy[kept]))
    return values.halo_catalog(
        columns,
        chosen.definition,
        snapshot,
        options,
        partial(_where, catalogue, chosen, rows, kept),
        counted,
        stored=datasets[_POSITION].dtype,
    )


def _integers(
    catalogue: CatalogueSet, datasets: dict[str, Array], name: str, none: Array | None = None
) -> Array:
    """Return a dataset of integers; ``none`` may stand for -1."""
    count = catalogue.rows[name.split("/")[0]]
    at = partial(chunks.place, catalogue.files, count, name)
    return whole(datasets[name], at, none=none)


def _placed(catalogue: CatalogueSet, chosen: Chosen, datasets: dict[str, Array]) -> placement.Rows:
    """Return the rows that are used, whose groups and ranks fit together."""
    integers = partial(_integers, catalogue, datasets)
    # -1 may be stored unsigned.
    first, number = integers(FIRST, none=np.empty(0)), integers(NUMBER)
    rows = placement.place(
        catalogue,
        integers(chosen.group_number),
        first,
        number,
        datasets.get(CENTRE),
        datasets[_POSITION],
    )
    dialect = chosen.dialect
    rank = integers(f"Subhalo/{dialect.rank}")[rows.subhalos] if dialect.rank else None
    place = partial(_place, catalogue, rows)
    names = (dialect.group_number, dialect.rank)
    check_membership(place, names, rows.group, rank, rows.first, number[rows.groups])
    return rows


def _hierarchy(rows: placement.Rows) -> dict[str, Array]:
    """Return the ids of subhalos and of their centrals."""
    own = np.arange(len(rows.subhalos))
    central = rows.first[rows.group] if len(own) else own  # row of each subhalo's central; -1: none
    return {
        "halo_id": rows.ids,
        "host_id": np.where(central >= 0, rows.ids[central], -1) if len(own) else own,
        "is_central": central == own,
    }


def _masses_of_hosts(
    catalogue: CatalogueSet, chosen: Chosen, datasets: dict[str, Array], rows: placement.Rows
) -> dict[str, Array]:
    mass = datasets[chosen.host_mass] * np.float64(catalogue.units.mass)
    return {"host_mass": mass[rows.groups[rows.group]]}


def _of_subhalos(
    catalogue: CatalogueSet, datasets: dict[str, Array], rows: placement.Rows
) -> dict[str, Array]:
    """Return the columns of `SUBHALO`."""
    columns = {}
    for name, item in SUBHALO.items():
        dataset = f"Subhalo/{item.dataset}"
        native = datasets[dataset] if item.unit else _integers(catalogue, datasets, dataset)
        native = native[rows.subhalos] if catalogue.missing else native
        factor = getattr(catalogue.units, item.unit) if item.unit else None
        columns[name] = native if factor is None else native * np.float64(factor)
    return columns


def _stars(
    catalogue: CatalogueSet, chosen: Chosen, datasets: dict[str, Array], rows: placement.Rows
) -> dict[str, Array]:
    """Return stellar masses and radii, in runs with gas or stars."""
    if not has_stars(datasets):
        return {}
    units = catalogue.units
    stellar = datasets[chosen.stellar_mass][rows.subhalos, STARS]
    columns = {"stellar_mass": stellar * np.float64(units.mass)}
    radius = datasets.get(f"Subhalo/{RADIUS_BY_TYPE}")
    if radius is not None and radius.shape[1] > STARS:
        length = np.float64(units.length)
        columns["stellar_half_mass_radius"] = radius[rows.subhalos, STARS] * length
    return columns


def _place(catalogue: CatalogueSet, rows: placement.Rows, dataset: str, row: int) -> str:
    """Return the place in the files of one of the used rows of a dataset."""
    group = dataset.split("/")[0]
    used = rows.groups if group == "Group" else rows.subhalos
    return chunks.place(catalogue.files, catalogue.rows[group], dataset, int(used[row]))


def _where(
    catalogue: CatalogueSet, chosen: Chosen, rows: placement.Rows, kept: Array, name: str, row: int
) -> str:
    """Return the place in the files of a value of our column ``name``, in one of the kept rows."""
    elsewhere = {
        "halo_id": chosen.group_number,
        "host_id": chosen.group_number,
        "host_mass": chosen.host_mass,
        "stellar_mass": chosen.stellar_mass,
        "stellar_half_mass_radius": f"Subhalo/{RADIUS_BY_TYPE}",
    }
    dataset = f"Subhalo/{SUBHALO[name].dataset}" if name in SUBHALO else elsewhere[name]
    if not len(rows.subhalos):
        return dataset
    subhalo = int(kept[row]) if len(kept) else 0
    used = int(rows.group[subhalo]) if name == "host_mass" else subhalo
    return _place(catalogue, rows, dataset, used)
