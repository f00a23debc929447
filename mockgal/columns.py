"""The declaration of every shared column (name, unit, dtype, meaning, reference), and the digest.

Readers fill the columns declared here, painters add to them, and cuts, writers and docs look
them up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bounds import (
    CONCENTRATION,
    DECLINATION,
    MASS,
    NUMBER,
    RADIUS,
    REDSHIFT,
    RIGHT_ASCENSION,
    SCALE_FACTOR,
    SHARE,
    SPEED,
    STELLAR_MASS,
    VMAX,
    Bounds,
)
from .errors import BadValueError, shown
from .layout import FITS_CODES
from .quantity import UnitError, parse_unit
from .system.columns.on_disk import OnDisk
from .system.ids import whole


@dataclass(frozen=True)
class Column:
    """A quantity: its name and the meaning of its numbers.

    Parameters
    ----------
    name : str
        Snake case, the field's standard term.
    unit : str
        Unit without its power of h, in a form that `astropy.units.Unit` parses; "" if there is
        none.
    h_power : int
        Power of h in the unit: -1 for Msun/h and Mpc/h.
    a_power : int
        Power of the scale factor that makes the number a physical one: 1 for comoving lengths.
    dtype : str
        Little-endian NumPy type of the stored numbers, which is also the type that the content
        digest hashes.
    shape : tuple of int
        Shape of one row.
    meaning : str
        One line; goes to the output's column comment.
    reference : str
        Source of the definition.
    bounds : Bounds or None
        Range of its values, in the internal unit.
    optional : bool
        Whether a catalogue is complete without it. Halos have such a column if their input does;
        galaxies have it if their painter provides it.
    trained_on : str
        Column of a hydrodynamic run's halos from which a network learns to paint this one; "" if
        there is none. The painted column has another name if the gravity-only run also has the
        column it is trained on.

    Examples
    --------
    >>> from mockgal.columns import Column
    >>> rate = Column("star_formation_rate", "Msun/yr", h_power=0, a_power=0)
    >>> rate.unit_label, rate.file_unit
    ('Msun/yr', 'solMass yr-1')
    """

    name: str
    unit: str
    h_power: int
    a_power: int
    dtype: str = "<f4"
    shape: tuple[int, ...] = ()
    meaning: str = ""
    reference: str = ""
    bounds: Bounds | None = None
    optional: bool = False
    trained_on: str = ""

    @property
    def unit_label(self) -> str:
        """The internal unit as people write it: ``"Msun/h"``."""
        if not self.h_power:
            return self.unit
        h = "h" if abs(self.h_power) == 1 else f"h^{abs(self.h_power)}"
        return f"{self.unit}/{h}" if self.h_power < 0 else f"{h} {self.unit}".rstrip()

    @property
    def file_unit(self) -> str:
        """The unit without its power of h, as the FITS standard writes it: ``"solMass"``."""
        powers = sorted(parse_unit(self.unit).items() if self.unit else (), key=lambda x: -x[1])
        names = ((_FITS_NAMES.get(name, name), power) for name, power in powers)
        return " ".join(name + (str(power) if power != 1 else "") for name, power in names)

    @property
    def definition(self) -> tuple[Any, ...]:
        """The facts that two columns of one name must share for their numbers to be comparable."""
        return self.file_unit, self.h_power, self.a_power, self.dtype, self.shape


_FITS_NAMES = {"Msun": "solMass", "Lsun": "solLum", "Rsun": "solRad"}
_NAME = re.compile("[a-z][a-z0-9_]{0,62}")
_MOST_POWER, _LONGEST_MEANING = 9, 200

COPY_OF_THE_BOX = 500_500_500  # in the column `copy`: the box itself
NEXT_SNAPSHOT = 1_000_000_000  # in the column `copy`: from a snapshot to that of higher redshift

_ROW: tuple[int, ...] = ()
_GCR = "LSST DESC generic catalogue reader schema"


def _table(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


_integer = partial(Column, unit="", h_power=0, a_power=0, dtype="<i8", shape=_ROW)
_flag = partial(Column, unit="", h_power=0, a_power=0, dtype="|b1", shape=_ROW)
_number = partial(Column, unit="", h_power=0, a_power=0, dtype="<f8", shape=_ROW)
_speed = partial(Column, unit="km/s", h_power=0, a_power=0, dtype="<f8", shape=_ROW, bounds=SPEED)
_mass = partial(Column, unit="Msun", h_power=-1, a_power=0, dtype="<f8", shape=_ROW, bounds=MASS)
_angle = partial(Column, unit="deg", h_power=0, a_power=0, dtype="<f8", shape=_ROW, optional=True)
_share = partial(
    Column, unit="", h_power=0, a_power=0, dtype="<f8", shape=_ROW, bounds=SHARE, optional=True
)
_length = partial(Column, unit="Mpc", h_power=-1, a_power=1, dtype="<f8", shape=_ROW)

HALO_COLUMNS: dict[str, Column] = _table(
    _integer("halo_id", meaning="id of the subhalo, unique in the snapshot"),
    _integer("host_id", meaning="id of the central subhalo of its host halo"),
    _flag("is_central", meaning="true for the central subhalo of a host halo"),
    _length("position", shape=(3,), meaning="comoving position, in [0, box size)"),
    _speed("velocity", shape=(3,), meaning="peculiar velocity"),
    _mass("mass", meaning="mass bound to the subhalo"),
    _speed("vmax", meaning="maximum of the circular velocity curve", bounds=VMAX, optional=True),
    _mass("host_mass", meaning="mass of the host halo, see mass_definition"),
    _integer("n_particles", meaning="particles bound to the subhalo", bounds=NUMBER, optional=True),
    _mass(
        "stellar_mass",
        meaning="mass of all bound stars (hydro runs)",
        bounds=STELLAR_MASS,
        optional=True,
    ),
    _length(
        "stellar_half_mass_radius",
        meaning="comoving radius that holds half the mass of the bound stars; "
        "0 without (hydro runs)",
        bounds=RADIUS,
        optional=True,
    ),
    _number(
        "concentration",
        meaning="concentration of the host halo: radius, see mass_definition, over scale radius",
        bounds=CONCENTRATION,
        optional=True,
    ),
    _mass("peak_mass", meaning="largest mass bound to it in its history", optional=True),
    _speed("peak_vmax", meaning="largest vmax in its history", bounds=VMAX, optional=True),
    _speed(
        "vmax_at_peak_mass",
        meaning="vmax when its mass was largest",
        bounds=VMAX,
        optional=True,
    ),
    _number(
        "peak_mass_scale",
        meaning="scale factor when its mass was largest",
        bounds=SCALE_FACTOR,
        optional=True,
    ),
    _number(
        "half_mass_scale",
        meaning="scale factor when it first had half of its largest mass",
        bounds=SCALE_FACTOR,
        optional=True,
    ),
    _number(
        "last_major_merger_scale",
        meaning="scale factor of its last major merger, 0 without one; what is major, the "
        "trees say (consistent-trees: a ratio of masses above 0.3)",
        bounds=SCALE_FACTOR,
        optional=True,
    ),
    _mass(
        "infall_mass",
        meaning="mass when it became a satellite; of a central its mass now",
        optional=True,
    ),
    _speed(
        "infall_vmax",
        meaning="vmax when it became a satellite; of a central its vmax now",
        bounds=VMAX,
        optional=True,
    ),
)
# What merger trees add to a catalogue
HISTORY_COLUMNS = (
    *("peak_mass", "peak_vmax", "vmax_at_peak_mass", "peak_mass_scale", "half_mass_scale"),
    *("last_major_merger_scale", "infall_mass", "infall_vmax"),
)
REQUIRED_HALO_COLUMNS = tuple(name for name, column in HALO_COLUMNS.items() if not column.optional)

GALAXY_COLUMNS: dict[str, Column] = _table(
    _integer("galaxy_id", meaning="id of the galaxy: that of its subhalo", reference=_GCR),
    _integer("halo_id", meaning="id of the host halo: that of its central", reference=_GCR),
    _flag("is_central", meaning="true for the galaxy of a central subhalo", reference=_GCR),
    *(
        _length(f"position_{x}", meaning=f"comoving position, {x} axis", reference=_GCR)
        for x in "xyz"
    ),
    *(
        _speed(f"velocity_{x}", meaning=f"peculiar velocity, {x} axis", reference=_GCR)
        for x in "xyz"
    ),
    _mass(
        "stellar_mass",
        dtype="<f4",
        meaning="stellar mass given by the painter",
        reference=_GCR,
        bounds=STELLAR_MASS,
    ),
    _mass("halo_mass", meaning="mass of the host halo in the input", reference=_GCR),
    _mass("subhalo_mass", meaning="mass bound to the subhalo in the input"),
    _speed("vmax", meaning="maximum circular velocity of the subhalo", bounds=VMAX),
    _flag("extrapolated", meaning="true outside the range the painter is valid in"),
    _length(
        "stellar_half_mass_radius",
        dtype="<f4",
        meaning="comoving radius that holds half the stellar mass, given by the painter",
        bounds=RADIUS,
        optional=True,
        trained_on="stellar_half_mass_radius",
    ),
    _speed(
        "hydro_vmax",
        dtype="<f4",
        meaning="maximum circular velocity, baryons included, given by the painter",
        bounds=VMAX,
        optional=True,
        trained_on="vmax",
    ),
    _mass(
        "hydro_subhalo_mass",
        dtype="<f4",
        meaning="mass bound to the subhalo, baryons included, given by the painter",
        optional=True,
        trained_on="mass",
    ),
)

# What the steps of a survey add to galaxies, and what light cones have.
SURVEY_COLUMNS: dict[str, Column] = _table(
    *(
        _length(
            f"position_{x}_rsd",
            meaning=f"comoving position in redshift space, {x} axis",
            reference="Kaiser 1987, MNRAS 227, 1",
            optional=True,
        )
        for x in "xyz"
    ),
    Column(
        "cumulative_number_density",
        "Mpc-3",
        3,
        -3,
        "<f8",
        meaning="comoving number density down to this stellar mass; the galaxy itself is a half",
        optional=True,
    ),
    _angle("ra", meaning="right ascension, in [0, 360)", reference=_GCR, bounds=RIGHT_ASCENSION),
    _angle("dec", meaning="declination", reference=_GCR, bounds=DECLINATION),
    _integer(
        "copy",
        meaning="copy of the box, x y z in groups of three digits plus 500, after the number of "
        "the snapshot by redshift: 500500500 is the box of the first",
        optional=True,
    ),
    _length("distance", meaning="comoving distance to the observer", optional=True),
    _number(
        "redshift_cosmological",
        meaning="redshift of the expansion alone",
        bounds=REDSHIFT,
        optional=True,
    ),
    _number(
        "redshift",
        meaning="observed redshift, with the peculiar velocity",
        reference=_GCR,
        bounds=REDSHIFT,
        optional=True,
    ),
    _number(
        "redshift_measured",
        meaning="observed redshift with the error of its measurement",
        bounds=REDSHIFT,
        optional=True,
    ),
    _mass(
        "stellar_mass_measured",
        dtype="<f4",
        meaning="stellar mass with the error of its measurement",
        bounds=STELLAR_MASS,
        optional=True,
    ),
    _share("completeness", meaning="completeness of the footprint at the place"),
    Column(
        "number_density",
        "Mpc-3",
        3,
        -3,
        "<f8",
        meaning="comoving number density of the sample at the redshift",
        optional=True,
    ),
    _number(
        "weight_close_pairs",
        meaning="1 and the weights of neighbours that fibres missed",
        reference="Anderson et al. 2012, arXiv:1203.6594",
        optional=True,
    ),
    _number("weight", meaning="product of all weights but that of FKP", optional=True),
    _number(
        "weight_fkp",
        meaning="1 / (1 + number_density P0)",
        reference="Feldman, Kaiser & Peacock 1994, arXiv:astro-ph/9304022",
        optional=True,
    ),
    _integer("region", meaning="region of the jackknife, from 0", optional=True),
)

OUR_COLUMNS = GALAXY_COLUMNS | SURVEY_COLUMNS  # that mockgal declares

# What a network can be trained on beside stellar mass: columns of a hydrodynamic run, each with the
# galaxy column that is painted from it.
FURTHER_TARGETS: dict[str, Column] = {
    column.trained_on: column for column in GALAXY_COLUMNS.values() if column.trained_on
}


def declared_with(own: Iterable[Column], where: str) -> Mapping[str, Column]:
    """Return `OUR_COLUMNS` followed by the columns of a plug-in's painter, keyed by name.

    Parameters
    ----------
    own : iterable of Column
        Columns of the plug-in. One that mockgal also declares must have the same definition, and
        mockgal's declaration is used.
    where : str
        Who declares them, for messages.

    Raises
    ------
    BadValueError
        A column that no file could hold, or whose name belongs to a column of another definition.
    """
    declared = dict(OUR_COLUMNS)
    for column in own:
        if column.name not in declared:
            _check_column(column, f"{where}, column {shown(column.name)}")
            declared[column.name] = column
        elif column.definition != (known := declared[column.name]).definition:
            raise BadValueError(
                f"{where}, column {column.name}",
                f"unit, powers of h and a, type and shape {shown(column.definition)}",
                f"{known.definition}, as another column of that name has",
                "give it a name of its own",
            )
    return MappingProxyType(declared)


def _check_column(column: Column, where: str) -> None:
    """Raise if a column could not be stored in a file, or not be named in a cut."""
    fix = "correct the declaration of the column"
    if not (isinstance(column.name, str) and _NAME.fullmatch(column.name)):
        found = f"the name {shown(column.name)}"
        raise BadValueError(where, found, "a-z, 0-9 and _, at most 63 of them", fix)
    if column.dtype not in FITS_CODES or column.shape != ():
        found = f"type and shape {shown((column.dtype, column.shape))}"
        raise BadValueError(where, found, f"one of {', '.join(FITS_CODES)}, and shape ()", fix)
    for power in (column.h_power, column.a_power):
        if type(power) is not int or abs(power) > _MOST_POWER:
            found = f"the power {shown(power)} of h or a"
            raise BadValueError(where, found, f"integers up to {_MOST_POWER}", fix)
    text = column.meaning
    if not (isinstance(text, str) and text.isprintable() and len(text) <= _LONGEST_MEANING):
        expected = f"a line of at most {_LONGEST_MEANING} characters"
        raise BadValueError(where, f"the meaning {shown(text)}", expected, fix)
    try:
        if "h" in parse_unit(column.unit or "Msun"):
            raise UnitError("little h, whose power is stated separately")
        if column.unit:
            from astropy import units

            units.Unit(column.file_unit, format="fits")
    except (UnitError, ValueError, TypeError) as error:
        found = f"the unit {shown(column.unit)} ({shown(str(error))})"
        raise BadValueError(where, found, "one that the FITS standard has", fix) from error


def frozen_columns(
    columns: Mapping[str, NDArray[Any]], declared: Mapping[str, Column], what: str
) -> Mapping[str, NDArray[Any]]:
    """Return read-only views of ``columns``, of the declared type and shape and of equal length.

    Parameters
    ----------
    columns : mapping of str to ndarray
    declared : mapping of str to Column
    what : str
        What the columns describe ("halo", "galaxy"), for errors.

    Raises
    ------
    BadValueError
        A column that is not declared or has another shape; unequal lengths; integers stored as
        floats that cannot represent them (`mockgal.system.ids.whole`).
    """
    result: dict[str, NDArray[Any]] = {}
    for name, values in columns.items():
        if name not in declared:
            raise BadValueError(
                f"{what} column {name}",
                "a column that is not declared",
                "one of " + ", ".join(declared),
                "give its Column to with_columns, or list it in what a painter provides"
                if what == "galaxy"
                else "halos have no others: take them into the mock (bring-your-own-columns.md)",
            )
        kind = np.dtype(declared[name].dtype).newbyteorder("=")
        on_disk: object = values
        if isinstance(on_disk, OnDisk) and on_disk.has(kind, declared[name].shape):
            result[name] = values
            continue
        array = np.asarray(values)
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
    """Raise if values lie outside the bounds of their column.

    Parameters
    ----------
    columns, declared, what
        See `frozen_columns`.

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
            f"{np.count_nonzero(bad)} impossible values, the first {shown(array[row])}",
            bounds.text(unit),
            f"correct their unit, which is {unit or 'none'}, or leave the rows out",
        )
