"""Occupation: the mean number of galaxies per host halo, by the host's mass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError
from ...fields.sample import positions
from ...types import GalaxyCatalog, HaloCatalog
from .. import jackknife as jackknives
from ..result import Field, Measurement, Style
from . import bins as mass_bins
from .hosts import BIN_WIDTH, HOST_MASS, Hosts, from_catalogue, from_histogram, mass_definition

Array = NDArray[Any]

KINDS = ("centrals", "satellites", "galaxies")
INDEPENDENT = (
    "of independent hosts, sqrt(n v + 1/4) / n for n hosts: v is binomial for centrals, for "
    "satellites the larger of their number's variance and mean; for galaxies both in quadrature"
)
FIELDS = {
    **HOST_MASS,
    "mean_centrals": Field("", "centrals per host", "centrals"),
    "mean_centrals_error": Field("", "standard error of mean_centrals"),
    "mean_satellites": Field("", "satellites per host", "satellites"),
    "mean_satellites_error": Field("", "standard error of mean_satellites"),
    "mean_galaxies": Field("", "all galaxies per host", "all"),
    "mean_galaxies_error": Field("", "standard error of mean_galaxies"),
    "hosts": Field("", "host halos in the bin, with a galaxy or without", "hosts"),
    "centrals": Field("", "central galaxies in hosts of the bin", "centrals"),
    "satellites": Field("", "satellite galaxies in hosts of the bin", "satellites"),
}


def occupation(
    galaxies: GalaxyCatalog,
    hosts: HaloCatalog | None = None,
    *,
    bin_width: float = BIN_WIDTH,
    jackknife: int = 3,
) -> Measurement:
    """Measure the mean number of galaxies per host, empty hosts included, in bins of host mass.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    hosts : HaloCatalog, optional
        The halos of the simulation on which they were painted. Without it, the number of hosts is
        taken from the catalogue's provenance, and there is no jackknife, as the provenance does not
        state the positions of hosts.
    bin_width : float
        [dex]; edges are its multiples in log10 (M_host / (Msun/h)). Without ``hosts``, a multiple
        of 0.1 dex.
    jackknife : int
        Sub-volumes along each side, each with its hosts and all their galaxies, or 0 for the errors
        of independent hosts.

    Returns
    -------
    Measurement
        ``host_mass`` with the edges of the bin; ``mean_centrals``, ``mean_satellites``,
        ``mean_galaxies`` (all), and their errors; ``hosts``, ``centrals``, ``satellites``. Host
        masses are those of the input; ``settings`` has their definition.

    Raises
    ------
    UsageError
        The bin width or the jackknife is not allowed, the catalogue is not in a box, or it does not
        state the number of hosts.
    BadValueError
        ``hosts`` are not of the same simulation, or there are more centrals than hosts.
    """
    positions(galaxies)
    per_side = jackknives.check_per_side(jackknife)
    if hosts is None:
        found = from_histogram(galaxies, bin_width)
    else:
        found = from_catalogue(galaxies, hosts, bin_width, per_side)
    central = galaxies["is_central"]
    chosen = dict(zip(KINDS, (central, ~central, np.ones_like(central)), strict=True))
    counts = {
        kind: mass_bins.count(found.of_galaxy[rows], len(found.bins))
        for kind, rows in chosen.items()
    }
    if np.any(counts["centrals"] > found.number):
        raise BadValueError(
            "hosts", "more centrals than hosts in a bin of mass", "the hosts of these galaxies"
        )
    means = {kind: mass_bins.ratio(counts[kind], found.number) for kind in KINDS}
    errors, described = _independent(galaxies, found, means), INDEPENDENT
    kept: dict[str, Array] = {}
    if found.region is not None:
        errors, kept = _jackknife(found, chosen, errors, per_side)
        described = mass_bins.describe_safe(per_side, "hosts", INDEPENDENT)
    elif hosts is None and per_side:
        described += "; clustering is left out, as the hosts' places are not known"
    columns = found.bins.columns("host_mass")
    for kind in KINDS:
        columns |= {f"mean_{kind}": means[kind], f"mean_{kind}_error": errors[kind]}
    columns |= {"hosts": found.number} | {kind: counts[kind] for kind in KINDS[:2]}
    return Measurement(
        "occupation",
        columns,
        dict(FIELDS),
        axis="host_mass",
        estimates=tuple(f"mean_{kind}" for kind in KINDS),
        count="hosts",
        settings={
            **found.bins.settings(),
            "errors": described,
            "hosts_from": "provenance" if hosts is None else "simulation",
            "host_mass_definition": mass_definition(galaxies)
            if hosts is None
            else hosts.mass_definition,
            "hosts_without_mass": found.without_mass,
            "galaxies_of_hosts_without_mass": int(np.sum(found.of_galaxy < 0)),
            **galaxies.completeness.settings(),
        },
        error_degrees_of_freedom=np.inf if found.region is None else per_side**3 - 1,
        style=Style(labels=("mean number per host",)),
        left_out=kept,
    )


def _jackknife(
    found: Hosts, chosen: dict[str, Array], independent: dict[str, Array], per_side: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the errors of the means from a jackknife, and the means with each region left out.

    Where a jackknife is unreliable, errors are not less than those of independent hosts.

    Parameters
    ----------
    found : Hosts
        With regions.
    chosen : dict of str to ndarray of bool
        Galaxies of each kind.
    independent : dict of str to ndarray
        Errors for independent hosts.
    per_side : int
        Regions along each side of the box.
    """
    assert found.region is not None
    assert found.number_by_region is not None
    regions = per_side**3
    below = mass_bins.left_out(found.number_by_region)
    errors, kept = {}, {}
    for kind, rows in chosen.items():
        by_region = mass_bins.count_by_region(
            found.of_galaxy[rows], found.region[rows], len(found.bins), regions
        )
        others = mass_bins.ratio(mass_bins.left_out(by_region), below)
        moved = jackknives.error(others)
        errors[kind] = mass_bins.safe_jackknife(moved, independent[kind], found.number, regions)
        kept[f"mean_{kind}"] = mass_bins.reliable_left_out(others, found.number)
    return errors, kept


def _independent(
    galaxies: GalaxyCatalog, found: Hosts, means: dict[str, Array]
) -> dict[str, Array]:
    """Return the errors of the means for independent hosts: see `INDEPENDENT`."""
    satellite = ~galaxies["is_central"]
    _, row, each = np.unique(galaxies["halo_id"][satellite], return_index=True, return_counts=True)
    bin_of_host = found.of_galaxy[satellite][row]
    known = bin_of_host >= 0
    squares = np.bincount(
        bin_of_host[known], weights=each[known].astype(float) ** 2, minlength=len(found.bins)
    )
    share, mean = means["centrals"], means["satellites"]
    measured = (squares - found.number * mean**2) / np.maximum(found.number - 1, 1)
    errors = {
        "centrals": mass_bins.mean_error(share * (1.0 - share), found.number),
        "satellites": mass_bins.mean_error(np.fmax(measured, mean), found.number),
    }
    errors["galaxies"] = np.hypot(errors["centrals"], errors["satellites"])
    return errors
