"""A catalogue as an astropy table, with units, descriptions and provenance."""

from __future__ import annotations

import json
from typing import Any

import astropy.units as u
from astropy.cosmology.units import littleh
from astropy.table import QTable

from ..types import GalaxyCatalog
from .provenance import plain_table


def to_table(galaxies: GalaxyCatalog, units: str = "h-free") -> Any:
    """Return ``galaxies`` as an `astropy.table.QTable`.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    units : str
        ``"h-free"``: Mpc, Msun, km/s. ``"h"``: the numbers as in memory, in Mpc and Msun over
        `astropy.cosmology.units.littleh`.

    Returns
    -------
    astropy.table.QTable
        It has n rows and the columns of the writers' files; columns with a unit are quantities, the
        others are plain. ``meta`` has the facts of the files' headers, and ``provenance`` as a
        dictionary.
    """
    content = plain_table(galaxies, units).describe()
    table = QTable()
    for column in content.columns:
        values = column.rows(0, content.rows)
        if column.base_unit:
            table[column.name] = u.Quantity(
                values, u.Unit(column.base_unit) * littleh**column.h_power, dtype=column.dtype
            )
        else:
            table[column.name] = values
        table[column.name].info.description = column.meaning
    table.meta.update({item.name: item.value for item in content.essentials})
    table.meta["provenance"] = json.loads(content.provenance)
    return table
