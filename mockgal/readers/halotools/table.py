"""A halotools halo table with its metadata, the same for a file and an object."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, FormatError, InputError, UnitsError, listed
from ...system import scalars
from ...system.memory import PEAK, check_memory
from ...types import SourceFile
from .. import chunks
from ..checks import expansion
from ..hdf5 import headers, safe

Array = NDArray[Any]

UNITS_HERE = "halotools has comoving Mpc/h, Msun/h and km/s (Rockstar's own radii are in kpc/h)"
_PLAIN = "correct it: a plain number without a unit, in the units of halotools"
# Spellings, without blanks, of the units that the columns have anyway; keyed by the first of each.
_SAME_UNITS = {
    "Mpc/h": ("Mpc/h", "Mpc/littleh"),
    "Msun/h": ("Msun/h", "solMass/h", "Msun/littleh", "solMass/littleh"),
    "km/s": ("km/s",),
}


class Table(NamedTuple):
    """A halo table, in a file or an object.

    Parameters
    ----------
    place, header : str
        Location of its columns, and of its metadata, for messages.
    columns : tuple of str
        Names of all columns.
    metadata : mapping
        Values as stored; None for missing ones.
    read : callable
        ``read(names)`` returns columns, a dict of arrays of shape (rows,).
    source : tuple of SourceFile
        The file that it comes from, if any.
    name : str
        Name to use for a simulation without one.
    fix : str
        How to add columns, for messages.
    statements : list of tuple
        Further statements about the expansion; see `mockgal.readers.checks.expansion`.
    """

    place: str
    header: str
    columns: tuple[str, ...]
    metadata: Mapping[str, Any]
    read: Callable[[Sequence[str]], dict[str, Array]]
    source: tuple[SourceFile, ...]
    name: str
    fix: str
    statements: list[expansion.Statement]

    def listed(self) -> str:
        """Return the names of the columns, or the first of them if there are many."""
        return listed(self.columns)

    def text(self, name: str) -> str:
        """Return an item of metadata that is text; "" if it is missing or not text."""
        return _text(self.metadata[name])

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return the finite numbers of an item of metadata, shape (n,); n = 0 if it is missing.

        Raises
        ------
        HeaderError
            They are not finite numbers.
        """
        value = self.metadata[name]
        if value is None:
            return np.empty(0)
        return scalars.numbers(f"{self.header}@{name}", value, fix=_PLAIN)

    def number(self, name: str, above: float = -np.inf) -> float | None:
        """Return an item of metadata that is one number above ``above``; None if it is missing.

        Raises
        ------
        HeaderError
            It is not such a number.
        """
        value = self.metadata[name]
        if value is None:
            return None
        return scalars.number(f"{self.header}@{name}", value, above=above, fix=_PLAIN)


def in_file(path: Path, metadata: Collection[str], chunk_rows: int) -> Table:
    """Return the table in a file of halotools' cache.

    Parameters
    ----------
    path : Path
    metadata : collection of str
        Names of the attributes to read.
    chunk_rows : int
        Rows to read at a time.

    Raises
    ------
    MockgalError
        `mockgal.readers.hdf5.safe` refuses the file.
    """
    with safe.open_hdf5(path) as file:
        data = safe.dataset(file, "data", records=True)
        kind, shape = data.dtype, data.shape
        attributes = {name: headers.attribute(file, "/", name, None) for name in metadata}
        statements = expansion.in_file(file, ["/"])
    place = f"{path}:/data"
    if len(shape) != 1:
        raise FormatError(
            place, f"shape {shape}", "a table of shape (n,)", "check the format of the file"
        )

    def read(names: Sequence[str]) -> dict[str, Array]:
        for name in names:
            if kind[name].kind not in "iufb":
                raise InputError(
                    f"{place}[{name}]",
                    f"values of type {kind[name]}",
                    "one number for each halo",
                    "cache the catalogue again with numbers in this column",
                )
        held = shape[0] * sum(kind[name].itemsize for name in names)
        check_memory(place, int(PEAK * held))
        columns = {name: np.empty(shape, kind[name].newbyteorder("=")) for name in names}
        rows = max(1, min(chunk_rows, shape[0]))
        piece = np.empty(rows, [(name, column.dtype) for name, column in columns.items()])
        with safe.open_hdf5(path) as file:
            data = safe.dataset(file, "data", records=True)
            for start in range(0, shape[0], rows):
                stop = min(start + rows, shape[0])
                part = safe.read_rows(data, start, stop, out=piece[: stop - start])
                for name, column in columns.items():
                    column[start:stop] = part[name]
        return columns

    return Table(
        place=place,
        header=f"{path}:/",
        columns=tuple(kind.names),
        metadata=attributes,
        read=read,
        source=(chunks.source(path),),
        name=path.stem,
        fix="add the columns to the table, and cache the catalogue again",
        statements=statements,
    )


def in_object(catalogue: object, metadata: Collection[str], units: Mapping[str, str]) -> Table:
    """Return the table of a catalogue object.

    Parameters
    ----------
    catalogue : object
        Has a ``halo_table``.
    metadata : collection of str
        Names of the attributes to read.
    units : mapping of str to str
        Units of the known columns, "" for none.

    Raises
    ------
    InputError
        It has no table.
    BadValueError
        A known column is an attribute of the object instead of a column of the table.
    """
    kind = type(catalogue).__name__
    place = f"{kind}.halo_table"
    try:
        table: Any = catalogue.halo_table  # type: ignore[attr-defined] # asked for by the caller
        columns: tuple[str, ...] = tuple(table.dtype.names)
        rows = len(table)
    except Exception as error:  # a cached catalogue reads its file here, which may fail in any way
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            place,
            f"no table ({reason})",
            "a table of halos, as UserSuppliedHaloCatalog has",
            "check that the catalogue works in halotools",
        ) from error
    for name in units:
        if name not in columns and getattr(catalogue, name, None) is not None:
            raise BadValueError(
                f"{kind}.{name}",
                f"an attribute ({_shown(getattr(catalogue, name))}) beside a halo table of {rows} "
                "rows",
                "a column of the halo table",
                "halotools makes a column only from a plain NumPy array with one value for each "
                "halo: give it np.asarray(values); from a Quantity, the numbers in Mpc/h, Msun/h "
                "or km/s; from a masked column, the rows that are not masked",
            )

    def read(names: Sequence[str]) -> dict[str, Array]:
        return {
            name: _column(f"{place}[{name}]", table[name], units.get(name, "")) for name in names
        }

    path = _text(getattr(catalogue, "fname", None))
    # No digest: the table in memory may have been changed since it was read.
    source = (chunks.source(Path(path), digests=False),) if path and Path(path).is_file() else ()
    return Table(
        place=place,
        header=kind,
        columns=columns,
        metadata={name: getattr(catalogue, name, None) for name in metadata},
        read=read,
        source=source,
        name=kind,
        fix="pass them to UserSuppliedHaloCatalog as NumPy arrays",
        statements=[
            (f"{kind}@{name}", name, value)
            for name, value in getattr(catalogue, "__dict__", {}).items()
            if expansion.meaning(name) and value is not None
        ],
    )


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value) if isinstance(value, str) else ""


def _shown(value: object) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ + (f" of shape {shape}" if shape is not None else "")


def _column(where: str, column: Any, unit: str) -> Array:
    """Return a copy of a column of an astropy table or structured array, shape (n,)."""
    stated = str(getattr(column, "unit", None) or "").replace(" ", "")
    if stated and stated not in _SAME_UNITS.get(unit, ()):
        raise UnitsError(
            where,
            f"unit {stated}",
            f"no unit{f', or {unit}' if unit else ''}",
            f"convert the column and remove its unit: {UNITS_HERE}",
        )
    masked = np.flatnonzero(np.ma.getmaskarray(column)) if hasattr(column, "mask") else np.empty(0)
    if masked.size:
        raise BadValueError(
            f"{where}, row {masked[0]}",
            f"{masked.size} masked values, of which this is the first",
            "a value for each halo",
            "leave these rows out of the table",
        )
    copy = np.array(column)
    if copy.ndim != 1 or copy.dtype.kind not in "iufb":
        raise BadValueError(
            where,
            f"values of shape {copy.shape} and type {copy.dtype}",
            "one number for each halo",
            "convert the column to a plain array of numbers",
        )
    return copy
