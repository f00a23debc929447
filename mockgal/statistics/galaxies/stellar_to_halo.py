"""Stellar-to-halo relation: the stellar mass of galaxies by host mass, and its scatter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...fields.sample import positions
from ...types import GalaxyCatalog
from .. import jackknife as jackknives
from ..result import Field, Measurement, Style
from .bins import (
    MASS,
    bin_masses,
    check_masses,
    count,
    count_by_region,
    describe_safe,
    left_out,
    ratio,
    reliable_left_out,
    safe_jackknife,
)
from .hosts import BIN_WIDTH, HOST_MASS, mass_definition

Array = NDArray[Any]

KINDS, ESTIMATES = ("central", "satellite"), ("stellar_mass", "scatter")
PERCENTILES = (0.16, 0.50, 0.84)
LEAST = 5  # fewest galaxies in a bin for an error
INDEPENDENT = "of independent galaxies, from the density of masses at the percentiles"


def stellar_to_halo_relation(
    galaxies: GalaxyCatalog, *, bin_width: float = BIN_WIDTH, jackknife: int = 3
) -> Measurement:
    """Measure the median stellar mass and its scatter by host mass, for centrals and satellites.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    bin_width : float
        [dex]; edges are its multiples in log10 (M_host / (Msun/h)).
    jackknife : int
        Sub-volumes along each side, or 0 for errors of independent galaxies.

    Returns
    -------
    Measurement
        ``host_mass`` with the edges of the bin and, with ``central`` and ``satellite`` for
        ``<type>``: ``<type>_stellar_mass``, ten to the median of log10 M*, and its error;
        ``<type>_scatter``, half of the range from the 16th to the 84th percentile of log10 M* [dex]
        (NaN for fewer than two galaxies, and biased low for few: by about 15% for ten), and its
        error; ``<type>_standard_deviation`` of log10 M* [dex]; and ``<type>s``, their number.
        ``galaxies`` counts all. Errors are NaN for fewer than 5 galaxies. The scatter includes that
        of host masses within the bin.

    Raises
    ------
    UsageError
        The bin width or the jackknife is not allowed, or the catalogue is not in a box.
    BadValueError
        A mass is negative or not finite.

    Notes
    -----
    Host masses are those of the input. The error of a percentile Q_p is that of the fraction of
    galaxies below it, divided by their density per dex there (Woodruff 1952, JASA 47, 635): a
    jackknife of percentiles does not converge, but one of fractions does. For log-normal masses
    these errors are right to 10% for 60 galaxies and more, and up to 35% too large for 10 to 20.
    """
    position, size = positions(galaxies), galaxies.snapshot.box_size
    per_side = jackknives.check_per_side(jackknife)
    stellar_mass = np.asarray(galaxies["stellar_mass"], dtype=np.float64)
    check_masses(stellar_mass, "stellar_mass")
    bins, number = bin_masses(galaxies["halo_mass"], bin_width, "halo_mass")
    massless = int(np.sum(number < 0))
    starless = stellar_mass <= 0
    number = np.where(starless, -1, number)
    log_mass = np.log10(np.where(starless, 1.0, stellar_mass))
    region = jackknives.regions(position, size, per_side) if per_side else None
    columns, fields = bins.columns("host_mass"), dict(HOST_MASS)
    kept: dict[str, Array] = {}
    for kind, chosen in zip(KINDS, (galaxies["is_central"], ~galaxies["is_central"]), strict=True):
        values, others = _by_bin(
            number[chosen],
            log_mass[chosen],
            None if region is None else region[chosen],
            len(bins),
            per_side,
        )
        columns |= {name.replace("<type>", kind): value for name, value in values.items()}
        kept |= {name.replace("<type>", kind): value for name, value in others.items()}
        fields |= _fields(kind)
    columns["galaxies"] = count(number, len(bins))
    fields["galaxies"] = Field("", "galaxies in the bin", "galaxies")
    return Measurement(
        "stellar_to_halo",
        columns,
        fields,
        axis="host_mass",
        estimates=tuple(f"{kind}_{what}" for what in ESTIMATES for kind in KINDS),
        count="galaxies",
        settings={
            **bins.settings(),
            "errors": describe_safe(per_side, "galaxies", INDEPENDENT) if per_side else INDEPENDENT,
            "least_galaxies_for_errors": LEAST,
            "scatter": "half of the range from the 16th to the 84th percentile of log10 M*",
            "host_mass_definition": mass_definition(galaxies),
            "galaxies_of_hosts_without_mass": massless,
            "galaxies_without_stellar_mass": int(np.sum(starless)),
            **galaxies.completeness.settings(),
        },
        error_degrees_of_freedom=per_side**3 - 1 if per_side else np.inf,
        style=Style(labels=(r"median $M_*$ [$M_\odot/h$]", r"scatter of $\log M_*$ [dex]")),
        left_out=kept,
    )


def _fields(kind: str) -> dict[str, Field]:
    mass_label = rf"median $M_*$ of {kind}s [$M_\odot/h$]"
    scatter_label = rf"scatter of $\log M_*$ of {kind}s [dex]"
    scatter = "half of the 16-84% range of log10 of stellar mass"
    return {
        f"{kind}_stellar_mass": Field(MASS, f"median stellar mass of {kind}s", mass_label),
        f"{kind}_stellar_mass_error": Field(MASS, f"standard error of {kind}_stellar_mass"),
        f"{kind}_scatter": Field("dex", scatter, scatter_label),
        f"{kind}_scatter_error": Field("dex", f"standard error of {kind}_scatter"),
        f"{kind}_standard_deviation": Field("dex", "of log10 of stellar mass"),
        f"{kind}s": Field("", f"{kind}s in the bin", f"{kind}s"),
    }


def _by_bin(
    number: Array, log_mass: Array, region: Array | None, bins: int, per_side: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the columns of one type, shape (bins,), and those with each sub-volume left out.

    Percentiles without a sub-volume are those to first order in the fraction of galaxies below.
    """
    counts = count(number, bins)
    quantile, sparsity = np.full((2, len(PERCENTILES), bins), np.nan)
    deviation = np.full(bins, np.nan)
    order = np.lexsort((log_mass, number))  # groups the rows of each bin
    ends = np.searchsorted(number[order], np.arange(bins + 1))
    for i in range(bins):
        values = log_mass[order[ends[i] : ends[i + 1]]]
        if len(values):
            quantile[:, i] = np.quantile(values, PERCENTILES)
        if len(values) >= 2:
            deviation[i] = np.std(values, ddof=1)
        if len(values) >= LEAST:
            sparsity[:, i] = [_sparsity(values, p) for p in PERCENTILES]
    median_error, scatter_error = _independent_errors(sparsity, counts)
    scatter = np.where(counts >= 2, 0.5 * (quantile[2] - quantile[0]), np.nan)
    kept = {}
    if region is not None:
        regions = per_side**3
        total = left_out(count_by_region(number, region, bins, regions))
        moved = np.empty((len(PERCENTILES), regions, bins))
        for p, level in enumerate(quantile):
            place = np.maximum(number, 0)
            # A galaxy exactly at the percentile counts as half below.
            below = np.where(log_mass < level[place], number, -1)
            at = np.where(log_mass == level[place], number, -1)
            fraction = ratio(
                left_out(count_by_region(below, region, bins, regions))
                + 0.5 * left_out(count_by_region(at, region, bins, regions)),
                total,
            )
            moved[p] = (PERCENTILES[p] - fraction) * sparsity[p]
        widened = 0.5 * (moved[2] - moved[0])
        for error, what in ((median_error, moved[1]), (scatter_error, widened)):
            error[:] = safe_jackknife(jackknives.error(what), error, counts, regions)
        kept = {
            "<type>_stellar_mass": 10.0 ** (quantile[1] + reliable_left_out(moved[1], counts)),
            "<type>_scatter": scatter + reliable_left_out(widened, counts),
        }
    median = 10.0 ** quantile[1]
    columns = {
        "<type>_stellar_mass": median,
        "<type>_stellar_mass_error": math.log(10.0) * median * median_error,
        "<type>_scatter": scatter,
        "<type>_scatter_error": scatter_error,
        "<type>_standard_deviation": deviation,
        "<type>s": counts,
    }
    return columns, kept


def _sparsity(values: Array, p: float) -> float:
    """Return one over the density at the quantile ``p``: the slope of the quantile function [dex].

    The slope is taken between the quantiles two binomial standard deviations of p to either side,
    within 0 and 1.
    """
    reach = 2.0 * math.sqrt(p * (1.0 - p) / len(values))
    low, high = max(p - reach, 0.0), min(p + reach, 1.0)
    ends = np.quantile(values, [low, high])
    return float((ends[1] - ends[0]) / (high - low))


def _independent_errors(sparsity: Array, counts: Array) -> tuple[Array, Array]:
    """Return errors of the median and of half the range of percentiles [dex], shape (bins,).

    Quantiles of n independent values have the covariance s_p s_q p (1 - q) / n for p <= q, with s
    the sparsity.
    """
    low, middle, high = PERCENTILES
    n = np.maximum(counts, 1)
    median = sparsity[1] * np.sqrt(middle * (1.0 - middle) / n)
    variance = sparsity[0] ** 2 * low * (1.0 - low) + sparsity[2] ** 2 * high * (1.0 - high)
    variance = variance - 2.0 * sparsity[0] * sparsity[2] * low * (1.0 - high)
    return median, 0.5 * np.sqrt(variance / n)
