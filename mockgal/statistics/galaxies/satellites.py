"""Satellite fraction: the fraction of galaxies that are satellites, by stellar mass."""

from __future__ import annotations

import numpy as np

from ...fields.sample import positions
from ...types import GalaxyCatalog
from .. import jackknife as jackknives
from ..result import Field, Measurement, Style
from . import bins as mass_bins
from .completeness import COMPLETE, complete
from .mass_function import STELLAR_MASS

INDEPENDENT = "binomial, sqrt(n f (1 - f) + 1/4) / n for a fraction f of n galaxies"


def satellite_fraction(
    galaxies: GalaxyCatalog, *, bin_width: float = mass_bins.BIN_WIDTH, jackknife: int = 3
) -> Measurement:
    """Measure the fraction of galaxies that are satellites, in bins of stellar mass.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    bin_width : float
        [dex]; edges are its multiples in log10 (M* / (Msun/h)).
    jackknife : int
        Sub-volumes along each side, or 0 for binomial errors, which assume independent galaxies;
        satellites of one host are not independent.

    Returns
    -------
    Measurement
        ``stellar_mass`` with the edges of the bin, ``satellite_fraction``, its error,
        ``satellites``, ``galaxies`` (all), and ``complete`` as in the mass function.

    Raises
    ------
    UsageError
        The bin width or the jackknife is not allowed, or the catalogue is not in a box.
    BadValueError
        A stellar mass is negative or not finite.
    """
    position = positions(galaxies)
    per_side = jackknives.check_per_side(jackknife)
    bins, number = mass_bins.bin_masses(galaxies["stellar_mass"], bin_width, "stellar_mass")
    satellite = ~galaxies["is_central"]
    counts = mass_bins.count(number, len(bins))
    satellites = mass_bins.count(number[satellite], len(bins))
    fraction = mass_bins.ratio(satellites, counts)
    error, described = mass_bins.mean_error(fraction * (1.0 - fraction), counts), INDEPENDENT
    kept = {}
    if per_side:
        regions = per_side**3
        region = jackknives.regions(position, galaxies.snapshot.box_size, per_side)
        above, below = (
            mass_bins.left_out(
                mass_bins.count_by_region(number[chosen], region[chosen], len(bins), regions)
            )
            for chosen in (satellite, slice(None))
        )
        others = mass_bins.ratio(above, below)
        error = mass_bins.safe_jackknife(jackknives.error(others), error, counts, regions)
        kept["satellite_fraction"] = mass_bins.reliable_left_out(others, counts)
        described = mass_bins.describe_safe(per_side, "galaxies", INDEPENDENT)
    whole, limits = complete(galaxies, bins)
    return Measurement(
        "satellite_fraction",
        {
            **bins.columns("stellar_mass"),
            "satellite_fraction": fraction,
            "satellite_fraction_error": error,
            "satellites": satellites,
            "galaxies": counts,
            "complete": whole,
        },
        {
            **STELLAR_MASS,
            "satellite_fraction": Field("", "satellites over all galaxies", "satellite fraction"),
            "satellite_fraction_error": Field("", "standard error of satellite_fraction"),
            "satellites": Field("", "satellites in the bin", "satellites"),
            "galaxies": Field("", "galaxies in the bin", "galaxies"),
            "complete": COMPLETE,
        },
        axis="stellar_mass",
        estimates=("satellite_fraction",),
        count="galaxies",
        settings={
            **bins.settings(),
            **limits,
            "errors": described,
            "galaxies_without_stellar_mass": int(np.sum(number < 0)),
        },
        error_degrees_of_freedom=per_side**3 - 1 if per_side else np.inf,
        style=Style(log_y=False),
        left_out=kept,
    )
