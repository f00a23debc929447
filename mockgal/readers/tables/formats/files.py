"""Tables in files: the format is known by the first bytes, never by the name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...hdf5 import safe
from ..table import Table
from . import fits, hdf5, numpy_files, parquet, text, votable

# Columns of numbers that a table of halos has at least: positions and masses.
LEAST_COLUMNS = 4
FORMATS = ("CSV", "TSV", "FITS", "ECSV", "VOTable", "Parquet", "HDF5", "npz")

_BEGIN = 512  # bytes
_MAGIC: dict[bytes, Callable[[Path], list[Table]]] = {
    fits.MAGIC: fits.tables,
    hdf5.MAGIC: hdf5.tables,
    parquet.MAGIC: parquet.tables,
    numpy_files.MAGIC: numpy_files.tables,
}


def tables(path: Path) -> list[Table]:
    """Return the tables in a file; none if it is of no format that has them.

    Raises
    ------
    MockgalError
        A file of such a format that is damaged or unsafe.
    """
    safe.check_regular(path)
    with open(path, "rb") as file:
        begin = file.read(_BEGIN)
    for magic, found in _MAGIC.items():
        if begin.startswith(magic):
            return found(path)
    if votable.begins(begin):
        return votable.tables(path)
    return text.tables(path)
