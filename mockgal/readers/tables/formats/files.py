"""Tables in files: the format is known by the first bytes, never by the name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ....errors import FormatError, in_shell
from ....system.files import gzipped
from ...hdf5 import safe
from ..table import Table
from . import fits, hdf5, numpy_files, parquet, text, votable

# Columns of numbers that a table of halos has at least: positions and masses.
LEAST_COLUMNS = 4
FORMATS = ("CSV", "TSV", "FITS", "ECSV", "VOTable", "Parquet", "HDF5", "npz", "npy")

_BEGIN = 512  # bytes
_MAGIC: dict[bytes, Callable[[Path], list[Table]]] = {
    fits.MAGIC: fits.tables,
    hdf5.MAGIC: hdf5.tables,
    parquet.MAGIC: parquet.tables,
    numpy_files.MAGIC: numpy_files.tables,
    numpy_files.ARRAY: numpy_files.array,
}


def tables(path: Path) -> list[Table]:
    """Return the tables in a file; none if it is of no format that has them.

    Raises
    ------
    MockgalError
        A file of such a format that is damaged or unsafe, or compressed where only texts and FITS
        may be.
    """
    safe.check_regular(path)
    with open(path, "rb") as file:
        begin = file.read(_BEGIN)
    if begin.startswith(gzipped.MAGIC):
        with gzipped.opened(path) as content:
            begin = content.read(_BEGIN)
        if votable.begins(begin) or begin.startswith((*_MAGIC.keys() - {fits.MAGIC},)):
            raise FormatError(
                path,
                "a table compressed with gzip as a whole",
                "text or FITS compressed so; other formats have a compression of their own",
                f"unpack it with `gunzip --keep {in_shell(path)}`, and give the unpacked file",
            )
    for magic, found in _MAGIC.items():
        if begin.startswith(magic):
            return found(path)
    if votable.begins(begin):
        return votable.tables(path)
    return text.tables(path)
