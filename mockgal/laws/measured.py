"""The stellar-mass function that `mockgal measure` wrote, as one to match abundances to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ..errors import BadValueError, CorruptFileError, FormatError
from ..layout import MEASUREMENT
from ..system.files.ecsv import read_ecsv
from .mass_functions import MassFunction, Table

_AGAIN = "measure it again: mockgal measure PATH --statistic mass_function --out FOLDER"
_LEAST = 3  # bins
_SAME = 1e-3  # of redshift


def measured_mass_function(path: Path) -> MassFunction:
    """Return the mass function in a table that `mockgal measure` wrote.

    Bins are taken from the lowest one on from which all are complete and have galaxies. Masses are
    those of a simulation, in Msun/h for its h.

    Parameters
    ----------
    path : Path
        ``mass_function.ecsv``, of one catalogue or of several mocks.

    Raises
    ------
    InputError, CorruptFileError
        The file cannot be read, is damaged, or is no measurement.
    FormatError
        It is of another statistic.
    BadValueError
        Fewer than three bins are complete and have galaxies.
    """
    table = read_ecsv(
        path, MEASUREMENT, what="ECSV file of `mockgal measure`", fix="check the path", again=_AGAIN
    )
    statistic = table.meta.get("statistic")
    if statistic != "mass_function":
        raise FormatError(path, f"a measurement of {statistic}", "one of mass_function", _AGAIN)
    try:
        catalogue = table.meta["settings"]["catalogue"]
        h, redshift = float(catalogue["cosmology"]["h"]), float(catalogue["redshift"])
        mass, density, complete = (
            np.asarray(table.columns[name].values, dtype=np.float64)
            for name in ("stellar_mass", "mass_function", "complete")
        )
        if not (0.1 < h < 2.0 and np.all(np.diff(mass) > 0) and mass[0] > 0):
            raise ValueError(f"h = {h}, or masses that do not increase")
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CorruptFileError(path, f"damaged values ({error})", MEASUREMENT, _AGAIN) from error
    usable = (complete > 0) & (density > 0)
    last = int(np.max(np.flatnonzero(usable), initial=-1))
    gaps = np.flatnonzero(~usable[: last + 1])
    first = int(gaps[-1]) + 1 if len(gaps) else 0
    if last + 1 - first < _LEAST:
        raise BadValueError(
            path,
            f"{max(last + 1 - first, 0)} bins next to each other that are complete and have "
            "galaxies",
            f"{_LEAST} or more",
            'measure it in wider bins, such as --bin-width "0.4 dex"'
            if (complete > 0).any()
            else "measure galaxies that are a complete sample, or state right numbers in a table "
            ".txt",
        )
    log_mass = np.log10(mass[first : last + 1] / h)
    log_density = np.log10(density[first : last + 1] * h**3)
    return MassFunction(
        path.name,
        f"measured of {catalogue.get('simulation', 'a catalogue')} by mockgal",
        "that of the galaxies that were measured",
        h,
        (max(redshift - _SAME, 0.0), redshift + _SAME),
        (float(log_mass[0]), float(log_mass[-1])),
        Table(log_mass, log_density),
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
