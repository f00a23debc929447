"""Galaxies of EAGLE: tables of its public database, SubHalo joined with FOF.

| native | unit | here |
|---|---|---|
| GalaxyID | | halo_id |
| GroupID, SubGroupNumber (0 for centrals) | | host_id: the GalaxyID of the group's central |
| CentreOfPotential_x, y, z; Velocity_x, y, z | comoving Mpc; peculiar km/s | position; velocity |
| Mass, in its absence MassType_DM | Msun | mass |
| Vmax | km/s | vmax |
| MassType_Star, HalfMassRad_Star | Msun, physical kpc | stellar_mass (bound), its radius |
| Group_M_Crit200, ...; Group_R_Crit200, ... | Msun; physical kpc | host_mass, its radius |
| Redshift, one value in all rows | | redshift |
| Spurious | | flagged rows are left out and counted |

Nothing has h, and the table states neither it nor the box. The table SubHalo has no host masses:
they are in FOF, and a query must join the two.

Sources: McAlpine et al. 2016 (arXiv:1510.01320, appendix B), which describes the tables; the text
that the database sends is described at gavo.mpa-garching.mpg.de/Millennium/Help?page=dataformats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from ....errors import BadValueError, HeaderError, MissingDatasetError, warn
from ....system.ids import Ids, whole
from ....types import Array
from ...about import About
from ...text.stream import Stream
from ..declared import Declared
from ..quantities import Taken
from ..reader import Facts
from ..table import FLOAT, INTEGER, Pieces, Table, gather

_ID, _GROUP, _RANK = "GalaxyID", "GroupID", "SubGroupNumber"
_MARKS = (_ID, _GROUP, _RANK, "CentreOfPotential_x")
_DARK = "MassType_DM"
_HEAD = 1 << 18  # bytes in which the names of the columns are
_ROWS = 1 << 20  # read at a time
_MODEL = re.compile(r"\b([A-Za-z]\w*)_SubHalo\b", re.I)


class EagleReader(Declared):
    """Galaxies of EAGLE: SubHalo joined with FOF, as its public database sends them."""

    name = "eagle"
    about = About(
        "EAGLE: SubHalo joined with FOF, of the public database (CSV, VOTable, FITS)",
        "hosts and subhalos",
        "Msun, comoving Mpc, physical kpc, km/s; free of h",
        asked="box and cosmology; redshift, if it is not among the columns",
        tested_on="made from the published layout",
    )
    columns: ClassVar = {
        "halo_id": _ID,
        "host_id": _GROUP,
        "position": "CentreOfPotential_x CentreOfPotential_y CentreOfPotential_z [comoving Mpc]",
        "velocity": "Velocity_x Velocity_y Velocity_z [km/s]",
        "mass": ("Mass [Msun]", f"{_DARK} [Msun]"),
        "vmax": "Vmax [km/s]",
        "stellar_mass": "MassType_Star [Msun]",
        "stellar_half_mass_radius": "HalfMassRad_Star [physical kpc]",
    }
    host_masses: ClassVar = {
        "200c": "Group_M_Crit200",
        "200m": "Group_M_Mean200",
        "500c": "Group_M_Crit500",
        "vir": "Group_M_TopHat200",
        "fof": "GroupMass",
    }
    mass_unit = "Msun"
    radii: ClassVar = {
        key: f"{name.replace('_M_', '_R_')} [physical kpc]"
        for key, name in host_masses.items()
        if "_M_" in name
    }
    flag = "Spurious"
    flag_means = "spurious"
    may_lack_mass = True
    stars = "bound"

    def is_mine(self, path: Path) -> bool:
        """Return whether ``path`` is a table with EAGLE's names."""
        if not path.is_file():
            return False
        begin = next(Stream(path).blocks(_HEAD), b"")
        return _RANK.encode() in begin and super().is_mine(path)

    def recognises(self, table: Table) -> bool:
        """Return whether a table has EAGLE's names."""
        return set(_MARKS) <= set(table.fields)

    def table(self, path: Path) -> Table:
        """Return the table, with the id of its central in place of the number of a group."""
        return _with_hosts(super().table(path))

    def check(self, table: Table, stated: Mapping[str, Taken]) -> None:
        """Raise if there is no host mass: it is in another table of the database.

        Raises
        ------
        MissingDatasetError
        """
        if "host_mass" in stated:
            return
        model = _model(table) or "RefL0100N1504"
        raise MissingDatasetError(
            table.place,
            f"no mass of the groups; columns: {table.listed()}",
            "the columns of SubHalo, and " + " or ".join(self.host_masses.values()) + " of FOF",
            f"join the two tables in the query: SELECT sub.GalaxyID, sub.GroupID, "
            "sub.SubGroupNumber, sub.Redshift, sub.CentreOfPotential_x, sub.CentreOfPotential_y, "
            "sub.CentreOfPotential_z, sub.Velocity_x, sub.Velocity_y, sub.Velocity_z, sub.Mass, "
            "sub.MassType_Star, sub.HalfMassRad_Star, sub.Vmax, sub.Spurious, "
            f"fof.Group_M_Crit200, fof.Group_R_Crit200 FROM {model}_SubHalo AS sub, {model}_FOF "
            "AS fof WHERE sub.GroupID = fof.GroupID AND sub.SnapNum = 28",
        )

    def facts(self, table: Table) -> Facts:
        """Return the redshift of the rows, and the name of the run in the query.

        Raises
        ------
        HeaderError
            Rows of several redshifts.
        """
        if "Mass" not in table.fields and "MassType_Star" in table.fields:
            warn(
                f"{table.place} has no column Mass: {_DARK} is taken for the bound mass, without "
                "gas and stars"
            )
        return Facts(_model(table), redshift=_redshift(table))


def _model(table: Table) -> str:
    """Return the name of the run, as the query in the comments has it; "" if there is none."""
    found = (_MODEL.search(comment) for comment in table.comments)
    return next((match[1] for match in found if match), "")


def _redshift(table: Table) -> float | None:
    """Return the redshift that all rows have; None if they have none."""
    if "Redshift" not in table.fields:
        return None
    low, high = np.inf, -np.inf
    for piece in table.read({"Redshift": FLOAT}, _ROWS):
        values = piece["Redshift"]
        if len(values):
            low, high = min(low, values.min()), max(high, values.max())
    if not low <= high:  # no rows, or NaN
        return None
    if high - low > 1e-6:
        raise HeaderError(
            table.at("Redshift"),
            f"several redshifts, from {low:g} to {high:g}",
            "the galaxies of one time",
            "add one to the query, such as: AND sub.SnapNum = 28",
        )
    return float(low)


def _with_hosts(table: Table) -> Table:
    """Return a table in which the number of a group is the id of its central, -1 in its row."""

    def read(wanted: Mapping[str, str], chunk_rows: int) -> Pieces:
        if _GROUP not in wanted:
            yield from table.read(wanted, chunk_rows)
            return
        names = dict.fromkeys((_ID, _GROUP, _RANK), INTEGER)
        hosts, start = _hosts(table, gather(table, names, chunk_rows)), 0
        for piece in table.read(wanted, chunk_rows):
            stop = start + len(piece[_GROUP])
            yield {**piece, _GROUP: hosts[start:stop]}
            start = stop

    return table._replace(read=read)


def _hosts(table: Table, columns: Mapping[str, Array]) -> Ids:
    """Return the id of each row's central, -1 for centrals, and a new id for one that is missing.

    Raises
    ------
    BadValueError
        A group has two centrals, or numbers are no ids.
    """

    def numbers(name: str) -> Ids:
        return whole(columns[name], lambda row: f"{table.at(name)}, row {row}")

    ids, groups, central = numbers(_ID), numbers(_GROUP), numbers(_RANK) == 0
    rows = np.flatnonzero(central)
    rows = rows[np.argsort(groups[rows], kind="stable")]
    twice = np.flatnonzero(np.diff(groups[rows]) == 0)
    if twice.size:
        row = int(rows[twice[0] + 1])
        raise BadValueError(
            f"{table.at(_GROUP)}, row {row}",
            f"{twice.size} groups with two rows whose {_RANK} is 0, the first {groups[row]}",
            "one central in each group",
            "ask for the galaxies of one run and one time, each once",
        )
    hosts = np.full(len(ids), -1, np.int64)
    place = np.searchsorted(groups[rows], groups)
    place[place == len(rows)] = 0
    there = groups[rows[place]] == groups if len(rows) else np.zeros(len(ids), bool)
    hosts[there] = ids[rows[place[there]]]
    missing, which = np.unique(groups[~there], return_inverse=True)
    if missing.size:
        hosts[~there] = ids.max() + 1 + which
    hosts[central] = -1
    return hosts
