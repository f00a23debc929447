"""Stellar-mass function: the number of galaxies per volume and decade of stellar mass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fields.sample import positions
from ...types import GalaxyCatalog
from .. import jackknife as jackknives
from ..result import Field, Measurement
from .bins import (
    BIN_WIDTH,
    axis_fields,
    bin_masses,
    count,
    count_by_region,
    describe_safe,
    left_out,
    reliable_left_out,
    safe_jackknife,
)
from .completeness import COMPLETE, complete

Array = NDArray[Any]

POISSON = "Poisson: square root of the number of galaxies, one in empty bins"
UNIT = "littleh3 / (Mpc3 dex)"
LABEL = r"$\phi$ [$h^3\,{\rm Mpc}^{-3}\,{\rm dex}^{-1}$]"
STELLAR_MASS = axis_fields("stellar_mass", "stellar mass", r"$M_*$ [$M_\odot/h$]")


def stellar_mass_function(
    galaxies: GalaxyCatalog, *, bin_width: float = BIN_WIDTH, jackknife: int = 3
) -> Measurement:
    """Measure the comoving number density per decade of stellar mass, dn / dlog10 M*.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    bin_width : float
        [dex]; edges are its multiples in log10 (M* / (Msun/h)).
    jackknife : int
        Sub-volumes along each side, or 0 for Poisson errors.

    Returns
    -------
    Measurement
        ``stellar_mass`` with the edges of the bin, ``mass_function``, its error, ``poisson_error``
        (the square root of the count, or of 1 in bins without galaxies), ``galaxies``, and
        ``complete``: whether the whole bin is where the catalogue is complete
        (`mockgal.types.GalaxyCatalog.completeness`); ``settings`` has the limits. In other bins the
        numbers are too low, or not known to be right.

    Raises
    ------
    UsageError
        The bin width or the jackknife is not allowed, or the catalogue is not in a box.
    BadValueError
        A stellar mass is negative or not finite.
    """
    position, volume = positions(galaxies), galaxies.snapshot.box_size**3
    per_side = jackknives.check_per_side(jackknife)
    bins, number = bin_masses(galaxies["stellar_mass"], bin_width, "stellar_mass")
    counts = count(number, len(bins))
    unit = 1.0 / (volume * bins.width)
    density = counts * unit  # 0 in empty bins, so that the mean over realisations is unbiased
    poisson = np.sqrt(np.maximum(counts, 1)) * unit
    error, described, kept = poisson, POISSON, {}
    if per_side:
        regions = per_side**3
        region = jackknives.regions(position, galaxies.snapshot.box_size, per_side)
        others = left_out(count_by_region(number, region, len(bins), regions))
        others = others * (unit * regions / (regions - 1))
        error = safe_jackknife(jackknives.error(others), poisson, counts, regions)
        kept["mass_function"] = reliable_left_out(others, counts)
        described = describe_safe(per_side, "galaxies", "Poisson (one galaxy's in empty bins)")
    whole, limits = complete(galaxies, bins)
    return Measurement(
        "mass_function",
        {
            **bins.columns("stellar_mass"),
            "mass_function": density,
            "mass_function_error": error,
            "poisson_error": poisson,
            "galaxies": counts,
            "complete": whole,
        },
        {
            **STELLAR_MASS,
            "mass_function": Field(UNIT, "galaxies per comoving volume and decade", LABEL),
            "mass_function_error": Field(UNIT, "standard error of mass_function"),
            "poisson_error": Field(UNIT, "error of mass_function from the number of galaxies"),
            "galaxies": Field("", "galaxies in the bin", "galaxies"),
            "complete": COMPLETE,
        },
        axis="stellar_mass",
        estimates=("mass_function",),
        count="galaxies",
        settings={
            **bins.settings(),
            **limits,
            "errors": described,
            "volume_mpc3_h3": float(volume),
            "galaxies_without_stellar_mass": int(np.sum(number < 0)),
        },
        error_degrees_of_freedom=per_side**3 - 1 if per_side else np.inf,
        left_out=kept,
    )


def stated_mass_function(
    edges: Array, values: Array, error: Array, settings: dict[str, Any]
) -> Measurement:
    """Return a mass function from elsewhere as a measurement.

    Parameters
    ----------
    edges : ndarray, shape (n + 1,)
        Of the bins [Msun/h].
    values, error : ndarray, shape (n,)
        [h^3 Mpc^-3 dex^-1]
    settings : dict
    """
    low, high = edges[:-1], edges[1:]
    return Measurement(
        "mass_function",
        {
            "stellar_mass": np.sqrt(low * high),
            "stellar_mass_low": low,
            "stellar_mass_high": high,
            "mass_function": values,
            "mass_function_error": error,
            "galaxies": np.ones(len(values), dtype=np.int64),
        },
        {
            **STELLAR_MASS,
            "mass_function": Field(UNIT, "galaxies per comoving volume and decade", LABEL),
            "mass_function_error": Field(UNIT, "standard error of mass_function"),
            "galaxies": Field("", "one for each bin: numbers of galaxies are not known"),
        },
        axis="stellar_mass",
        estimates=("mass_function",),
        count="galaxies",
        settings=settings,
        error_degrees_of_freedom=np.inf,
    )
