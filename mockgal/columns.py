"""Every shared column once: name, unit, dtype, meaning and reference; and the digest over columns.

Readers fill, painters add, and cuts, writers and docs look up, the columns declared here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bounds import CONCENTRATION, MASS, NUMBER, RADIUS, SPEED, STELLAR_MASS, VMAX, Bounds
from .errors import BadValueError, shown
from .ids import whole


@dataclass(frozen=True)
class Column:
    """A quantity: what it is called, and what its numbers mean.

    Parameters
    ----------
    name : str
        Snake case, the field's standard term.
    unit : str
        Unit without its power of h, in a form that `astropy.units.Unit` parses; "" if none.
    h_power : int
        Power of h that goes with the unit: -1 for Msun/h and Mpc/h.
    a_power : int
        Power of the scale factor that turns the number into a physical one: 1 for comoving lengths.
    dtype : str
        Little-endian NumPy type of the stored numbers; also what the content digest sees.
    shape : tuple of int
        Shape of one row.
    meaning : str
        One line; goes to the output's column comment.
    reference : str
        Where the definition comes from.
    bounds : Bounds or None
        What its values can be, in the internal unit.
    """

    name: str
    unit: str
    h_power: int
    a_power: int
    dtype: str
    shape: tuple[int, ...]
    meaning: str
    reference: str = ""
    bounds: Bounds | None = None

    @property
    def unit_label(self) -> str:
        """The internal unit as people write it: ``"Msun/h"``."""
        return self.unit + "/h" * (self.h_power == -1)


_BLOCK = 1 << 17  # rows looked at at a time
_ROW: tuple[int, ...] = ()
_GCR = "LSST DESC generic catalogue reader schema"


def _table(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


HALO_COLUMNS: dict[str, Column] = _table(
    Column("halo_id", "", 0, 0, "<i8", _ROW, "id of the subhalo, unique in the snapshot"),
    Column("host_id", "", 0, 0, "<i8", _ROW, "id of the central subhalo of its host halo"),
    Column("is_central", "", 0, 0, "|b1", _ROW, "true for the central subhalo of a host halo"),
    Column("position", "Mpc", -1, 1, "<f8", (3,), "comoving position, in [0, box size)"),
    Column("velocity", "km/s", 0, 0, "<f8", (3,), "peculiar velocity", bounds=SPEED),
    Column("mass", "Msun", -1, 0, "<f8", _ROW, "mass bound to the subhalo", bounds=MASS),
    Column(
        "vmax", "km/s", 0, 0, "<f8", _ROW, "maximum of the circular velocity curve", bounds=VMAX
    ),
    Column(
        "host_mass",
        "Msun",
        -1,
        0,
        "<f8",
        _ROW,
        "mass of the host halo, see mass_definition",
        bounds=MASS,
    ),
    Column("n_particles", "", 0, 0, "<i8", _ROW, "particles bound to the subhalo", bounds=NUMBER),
    Column(
        "stellar_mass",
        "Msun",
        -1,
        0,
        "<f8",
        _ROW,
        "mass of all bound stars (hydro runs)",
        bounds=STELLAR_MASS,
    ),
    Column(
        "stellar_half_mass_radius",
        "Mpc",
        -1,
        1,
        "<f8",
        _ROW,
        "comoving radius that holds half the mass of the bound stars; 0 without (hydro runs)",
        bounds=RADIUS,
    ),
    Column(
        "concentration",
        "",
        0,
        0,
        "<f8",
        _ROW,
        "concentration of the host halo: radius, see mass_definition, over scale radius",
        bounds=CONCENTRATION,
    ),
)
REQUIRED_HALO_COLUMNS = (
    "halo_id",
    "host_id",
    "is_central",
    "position",
    "velocity",
    "mass",
    "host_mass",
)

# Columns of a hydrodynamic run that a network can be trained on beside stellar mass, and what they
# are called where they are painted: what the gravity-only run has as well, under a name of its own.
PAINTED: dict[str, Column] = {
    "stellar_half_mass_radius": Column(
        "stellar_half_mass_radius",
        "Mpc",
        -1,
        1,
        "<f4",
        _ROW,
        "comoving radius that holds half the stellar mass, given by the painter",
        bounds=RADIUS,
    ),
    "vmax": Column(
        "hydro_vmax",
        "km/s",
        0,
        0,
        "<f4",
        _ROW,
        "maximum circular velocity, baryons included, given by the painter",
        bounds=VMAX,
    ),
    "mass": Column(
        "hydro_subhalo_mass",
        "Msun",
        -1,
        0,
        "<f4",
        _ROW,
        "mass bound to the subhalo, baryons included, given by the painter",
        bounds=MASS,
    ),
}

GALAXY_COLUMNS: dict[str, Column] = _table(
    Column("galaxy_id", "", 0, 0, "<i8", _ROW, "id of the galaxy: that of its subhalo", _GCR),
    Column("halo_id", "", 0, 0, "<i8", _ROW, "id of the host halo: that of its central", _GCR),
    Column("is_central", "", 0, 0, "|b1", _ROW, "true for the galaxy of a central subhalo", _GCR),
    *(
        Column(f"position_{x}", "Mpc", -1, 1, "<f8", _ROW, f"comoving position, {x} axis", _GCR)
        for x in "xyz"
    ),
    *(
        Column(
            f"velocity_{x}",
            "km/s",
            0,
            0,
            "<f8",
            _ROW,
            f"peculiar velocity, {x} axis",
            _GCR,
            bounds=SPEED,
        )
        for x in "xyz"
    ),
    Column(
        "stellar_mass",
        "Msun",
        -1,
        0,
        "<f4",
        _ROW,
        "stellar mass given by the painter",
        _GCR,
        bounds=STELLAR_MASS,
    ),
    Column(
        "halo_mass",
        "Msun",
        -1,
        0,
        "<f8",
        _ROW,
        "mass of the host halo in the input",
        _GCR,
        bounds=MASS,
    ),
    Column(
        "subhalo_mass",
        "Msun",
        -1,
        0,
        "<f8",
        _ROW,
        "mass bound to the subhalo in the input",
        bounds=MASS,
    ),
    Column(
        "vmax", "km/s", 0, 0, "<f8", _ROW, "maximum circular velocity of the subhalo", bounds=VMAX
    ),
    Column("extrapolated", "", 0, 0, "|b1", _ROW, "true outside the range the painter is valid in"),
    *PAINTED.values(),
)


def frozen_columns(
    columns: Mapping[str, NDArray[Any]], declared: Mapping[str, Column], what: str
) -> Mapping[str, NDArray[Any]]:
    """Read-only views of ``columns``, of the declared type and shape, equal in length.

    Parameters
    ----------
    columns : mapping of str to ndarray
    declared : mapping of str to Column
    what : str
        What they are of, to be named in an error.

    Raises
    ------
    BadValueError
        A column that is not declared or has another shape; unequal lengths; integers that come as
        floats which do not hold them (`mockgal.ids.whole`).
    """
    result: dict[str, NDArray[Any]] = {}
    for name, values in columns.items():
        if name not in declared:
            raise BadValueError(
                f"{what} column {name}",
                "a column that is not declared",
                "one of " + ", ".join(declared),
                "declare it in mockgal/columns.py",
            )
        array, kind = np.asarray(values), np.dtype(declared[name].dtype).newbyteorder("=")
        if kind.kind == "i" and array.dtype.kind != "i" and array.ndim == 1:
            array = whole(array, partial("{} column {}, row {}".format, what, name))
        array = array.astype(kind, copy=False).view()
        if array.shape[1:] != declared[name].shape:
            raise BadValueError(
                f"{what} column {name}", f"shape {array.shape}", f"(n, *{declared[name].shape})"
            )
        array.flags.writeable = False
        result[name] = array
    lengths = {name: len(values) for name, values in result.items()}
    if len(set(lengths.values())) > 1:
        raise BadValueError(what, f"columns of different lengths {lengths}", "equal lengths")
    return MappingProxyType(result)


def check_bounds(
    columns: Mapping[str, NDArray[Any]], declared: Mapping[str, Column], what: str
) -> None:
    """Raise if values are beyond the bounds of their column.

    Parameters
    ----------
    columns, declared, what
        As of `frozen_columns`.

    Raises
    ------
    BadValueError
    """
    for name, array in columns.items():
        bounds = declared[name].bounds
        if bounds is None or (bad := bounds.outside(array)) is None:
            continue
        row, unit = int(np.argmax(bad)), declared[name].unit_label
        raise BadValueError(
            f"{what} column {name}, row {row}",
            f"{np.count_nonzero(bad)} values that cannot be, the first {shown(array[row])}",
            bounds.text(unit),
            f"correct their unit, which is {unit or 'none'}, or leave the rows out",
        )


def sorting_order(
    columns: Mapping[str, NDArray[Any]], sort_by: Sequence[str]
) -> NDArray[np.intp] | None:
    """Rows in the order of ``sort_by``, most significant column first; None if they are already.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n,)
    sort_by : sequence of str

    Returns
    -------
    ndarray of int, shape (n,), or None
    """
    keys = [columns[name] for name in sort_by]
    for start in range(0, len(keys[0]) - 1, _BLOCK):
        after = np.zeros(1, dtype=bool)  # rows that belong after the next, by the keys so far
        for key in reversed(keys):
            this, following = key[start : start + _BLOCK], key[start + 1 : start + _BLOCK + 1]
            this = this[: len(following)]
            after = (this > following) | ((this == following) & after)
        if np.any(after):
            return np.lexsort(keys[::-1])
    return None


class StoredDigests:
    """A digest of each column as a file stores it, taken while its rows go by.

    The content digest is of the numbers in memory, which an h-free file does not give back to the
    last bit; these are of the very numbers in the file, in any format.

    Parameters
    ----------
    names : iterable of str
        Columns of `GALAXY_COLUMNS`.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._digests = {name: hashlib.blake2b(digest_size=16) for name in names}

    def add(self, name: str, values: NDArray[Any]) -> None:
        """Add the next rows of a column, shape (n,), in any byte order."""
        part = np.ascontiguousarray(values, dtype=GALAXY_COLUMNS[name].dtype)
        self._digests[name].update(part.data)

    def hexadecimal(self) -> dict[str, str]:
        """Return 32 hexadecimal digits for each column."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}


def content_digest(
    columns: Mapping[str, NDArray[Any]],
    declared: Mapping[str, Column],
    sort_by: Iterable[str],
    facts: str = "",
) -> str:
    """BLAKE2b-256 of the columns, rows sorted by id: the same for any row order or chunking.

    Blocks of rows are put in order one at a time: no column is copied whole.

    Parameters
    ----------
    columns : mapping of str to ndarray
        Columns of equal length.
    declared : mapping of str to Column
        Their definitions; numbers are hashed in the declared little-endian type.
    sort_by : iterable of str
        Integer columns that order the rows, most significant first.
    facts : str
        What else identifies the content (box, redshift, units), hashed first.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    order = sorting_order(columns, list(sort_by))
    digest = hashlib.blake2b(facts.encode(), digest_size=32)
    for name in sorted(columns):
        values, dtype = columns[name], declared[name].dtype
        digest.update(f"\0{name}\0{dtype}\0{values.shape}\0".encode())
        for start in range(0, len(values), _BLOCK):
            rows = slice(start, start + _BLOCK) if order is None else order[start : start + _BLOCK]
            digest.update(np.ascontiguousarray(values[rows], dtype=dtype).data)
    return digest.hexdigest()
