"""Where two catalogues differ: which galaxies, and which columns by how much."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...digests import identity
from ...types import GalaxyCatalog
from ...writers.provenance import FileColumn, file_columns

_LAST_BITS = 2.5e-7  # of single precision, in which stellar masses are
_ROWS = 1 << 18  # compared at a time


class Difference(NamedTuple):
    """A column in which galaxies of two catalogues differ.

    Parameters
    ----------
    column : str
    unit : str
        Of ``largest``.
    rows : int
        Galaxies that differ.
    largest : float
        Largest difference.
    relative : float
        Largest difference over the larger of the two values.

    Examples
    --------
    >>> from mockgal.tasks.verification.differences import Difference
    >>> Difference("stellar_mass", "Msun", 2, 1e5, 1e-4).words
    'stellar_mass: 2 galaxies, by at most 1e+05 Msun (1e-04 of the value)'
    """

    column: str
    unit: str
    rows: int
    largest: float
    relative: float

    @property
    def words(self) -> str:
        """The difference in a line."""
        amount = f"{self.largest:.3g} {self.unit}".rstrip()
        text = f"{self.column}: {self.rows:,} galaxies, by at most {amount}"
        return text + (f" ({self.relative:.0e} of the value)" if self.relative else "")


class Compared(NamedTuple):
    """What two catalogues have in common, and what not.

    Parameters
    ----------
    common, only_first, only_second : int
        Numbers of galaxies.
    differences : tuple of Difference
        Among the galaxies that are in both.
    """

    common: int
    only_first: int
    only_second: int
    differences: tuple[Difference, ...]

    @property
    def is_rounding(self) -> bool:
        """Whether all galaxies are in both, with numbers alike but for their last bits."""
        few = all(0 < one.relative <= _LAST_BITS for one in self.differences)
        return few and not (self.only_first or self.only_second)


def compare_catalogues(first: GalaxyCatalog, second: GalaxyCatalog, units: str) -> Compared:
    """Compare the galaxies of two catalogues, in the units of a file.

    Parameters
    ----------
    first : GalaxyCatalog
        May have fewer columns, as one that was read from a file of a data model.
    second : GalaxyCatalog
    units : str
        ``"h-free"`` or ``"h"``.
    """
    keys = [name for name in identity(first.columns) if name in second]
    one, other = _ids(first, keys), _ids(second, keys)
    _, here, there = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    columns = [
        {column.name: column for column in file_columns(galaxies, units)}
        for galaxies in (first, second)
    ]
    found = (
        _difference(column, columns[1][name], here, there)
        for name, column in columns[0].items()
        if name in columns[1]
    )
    return Compared(
        len(here),
        len(first) - len(here),
        len(second) - len(here),
        tuple(one for one in found if one.rows),
    )


def _ids(galaxies: GalaxyCatalog, keys: list[str]) -> NDArray[Any]:
    """Return what tells galaxies apart, as one array: of integers, or of records."""
    if len(keys) == 1:
        return galaxies[keys[0]]
    dtype = [(name, galaxies[name].dtype) for name in keys]
    ids = np.empty(len(galaxies), dtype=dtype)
    for name in keys:
        ids[name] = galaxies[name]
    return ids


def _difference(
    one: FileColumn, other: FileColumn, here: NDArray[np.intp], there: NDArray[np.intp]
) -> Difference:
    rows, largest, relative = 0, 0.0, 0.0
    for a, b in _pairs(one, other, here, there):
        differ = (a != b) & ~((a != a) & (b != b))  # what is no number in both is the same
        if not differ.any():
            continue
        a, b = a[differ].astype(np.float64), b[differ].astype(np.float64)
        rows += len(a)
        apart, size = np.abs(a - b), np.maximum(np.abs(a), np.abs(b))
        largest = max(largest, float(apart.max()))
        if one.dtype.kind == "f":
            relative = max(relative, float((apart / size).max()))
    unit = one.column.unit_label if one.h_power else one.base_unit
    return Difference(one.name, unit, rows, largest, relative)


def _pairs(
    one: FileColumn, other: FileColumn, here: NDArray[np.intp], there: NDArray[np.intp]
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield the numbers of the galaxies in both, as a file has them."""
    whole = [column.rows(0, len(column.values)) for column in (one, other)]
    for start in range(0, len(here), _ROWS):
        part = slice(start, start + _ROWS)
        yield whole[0][here[part]], whole[1][there[part]]
