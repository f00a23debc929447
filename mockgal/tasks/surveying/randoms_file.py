"""The footprint of a survey from a file of its randoms, of any format that tables have."""

from __future__ import annotations

from pathlib import Path

from ...errors import FormatError, MissingDatasetError, UnitsError, listed
from ...readers.tables.formats.files import tables
from ...readers.tables.table import FLOAT, Table, gather
from ...survey.footprint import SkyMap
from ...survey.masks.randoms import footprint_of_randoms

_DEGREES = ("", "deg", "degree", "degrees")
_CHUNK_ROWS = 1 << 20


def read_randoms(path: Path, *, nside: int) -> SkyMap:
    """Return the footprint of the randoms in a file, such as those of DESI and BOSS.

    Parameters
    ----------
    path : Path
        A table with the columns RA and DEC [deg], whatever the case of the letters.
    nside : int
        See `mockgal.survey.masks.randoms.footprint_of_randoms`.

    Raises
    ------
    FormatError, MissingDatasetError, UnitsError
        The file has no table, not these columns, or they are in another unit.
    MockgalError
        The file is damaged, or the randoms are too few for the resolution.
    """
    found = tables(path)
    if not found:
        raise FormatError(path, "no table", "a table of randoms", "give FITS, Parquet or a text")
    names = {}
    for table in found:
        names = {name.lower(): name for name in table.fields}
        if {"ra", "dec"} <= names.keys():
            break
    else:
        raise MissingDatasetError(
            found[0].place,
            f"no RA and DEC; columns: {listed(found[0].fields)}",
            "right ascensions and declinations [deg]",
            "rename the columns",
        )
    columns = [names["ra"], names["dec"]]
    for name in columns:
        _check_degrees(table, name)
    values = gather(table, dict.fromkeys(columns, FLOAT), _CHUNK_ROWS)
    return footprint_of_randoms(*(values[name] for name in columns), nside=nside, name=path.name)


def _check_degrees(table: Table, name: str) -> None:
    unit = table.fields[name].unit
    if unit.strip().lower() not in _DEGREES:
        raise UnitsError(table.at(name), f"the unit {unit!r}", "deg", "convert the column first")
