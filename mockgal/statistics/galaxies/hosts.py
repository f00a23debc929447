"""All hosts, with or without a galaxy: their numbers by mass, and their sub-volumes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, UsageError
from ...layout import HOST_BIN, host_bin
from ...types import GalaxyCatalog, HaloCatalog
from .. import jackknife as jackknives
from .bins import MassBins, axis_fields, bin_masses, check_masses, check_width, count
from .bins import count_by_region as by_region

Array = NDArray[Any]

BIN_WIDTH = 0.2  # dex
HOST_MASS = axis_fields("host_mass", "mass of the host halo", r"$M_{\rm host}$ [$M_\odot/h$]")
_AGREEMENT = 1e-5  # relative difference allowed between two masses of one host, after conversions


class Hosts(NamedTuple):
    """Hosts in bins of mass, and the bin of each galaxy's host.

    ``number``, shape (bins,), has the hosts in each bin; ``of_galaxy``, shape (galaxies,), is -1
    where the host mass is zero; ``without_mass`` counts hosts without a mass. With a jackknife
    there are also ``number_by_region``, shape (R, bins), and ``region``, the sub-volume of each
    galaxy's host.
    """

    bins: MassBins
    number: Array
    of_galaxy: Array
    without_mass: int
    number_by_region: Array | None = None
    region: Array | None = None


def mass_definition(galaxies: GalaxyCatalog) -> str:
    """Return the definition of host masses that the provenance states."""
    return str(galaxies.provenance.get("simulation", {}).get("mass_definition") or "not stated")


def from_catalogue(
    galaxies: GalaxyCatalog, halos: HaloCatalog, bin_width: float, per_side: int
) -> Hosts:
    """Return the hosts in the simulation on which the galaxies were painted.

    Raises
    ------
    BadValueError
        ``halos`` are of another simulation, or were read with other options.
    """
    width = check_width(bin_width)
    central = np.flatnonzero(halos["is_central"])
    ids, mass = halos["halo_id"][central], halos["host_mass"][central]
    order = np.argsort(ids, kind="stable")
    host_id = galaxies["halo_id"]
    place = np.minimum(np.searchsorted(ids[order], host_id), max(len(ids) - 1, 0))
    row = order[place] if len(ids) else np.zeros(len(host_id), dtype=np.int64)
    known = ids[row] == host_id if len(ids) else np.zeros(len(host_id), dtype=bool)
    _check_same(galaxies, halos, central, known, row)
    bins, number = bin_masses(mass, width, "host_mass")
    hosts, of_galaxy = count(number, len(bins)), number[row]
    without = int(np.sum(number < 0))
    if not per_side:
        return Hosts(bins, hosts, of_galaxy, without)
    region = jackknives.regions(halos["position"][central], galaxies.snapshot.box_size, per_side)
    numbers = by_region(number, region, len(bins), per_side**3)
    return Hosts(bins, hosts, of_galaxy, without, numbers, region[row])


def _check_same(
    galaxies: GalaxyCatalog, halos: HaloCatalog, central: Array, known: Array, row: Array
) -> None:
    expected = "the simulation that the galaxies were painted on, read in the same way"
    stated = galaxies.provenance.get("simulation", {})
    definition, counted = stated.get("mass_definition"), stated.get("hosts")
    if definition is not None and definition != halos.mass_definition:
        raise BadValueError(
            "hosts",
            f"host masses {halos.mass_definition}, where those of the galaxies are {definition}",
            expected,
            f"read the simulation with --mass-definition {definition}",
        )
    farthest, size = halos["position"].max(initial=0.0), galaxies.snapshot.box_size
    if farthest >= size:
        found = f"positions up to {farthest:.6g} Mpc/h, the galaxies' box being {size:.6g} Mpc/h"
        raise BadValueError("hosts", found, expected)
    if counted is not None:
        _, numbers, without = _read(counted)
        total = int(numbers.sum()) + without
        if total != len(central):
            found = f"{len(central)} hosts, where {total} were painted"
            raise BadValueError("hosts", found, expected)
    if not known.all():
        found = f"{np.sum(~known)} galaxies whose hosts are missing"
        raise BadValueError(
            "hosts", f"{found}, the first {galaxies['halo_id'][~known][0]}", expected
        )
    own, theirs = galaxies["halo_mass"], halos["host_mass"][central[row]]
    other = np.abs(own - theirs) > _AGREEMENT * np.abs(theirs)
    if other.any():
        found = f"{np.sum(other)} galaxies whose hosts have another mass"
        raise BadValueError(
            "hosts", f"{found}, the first {galaxies['halo_id'][other][0]}", expected
        )


def from_histogram(galaxies: GalaxyCatalog, bin_width: float) -> Hosts:
    """Return the hosts that the catalogue's provenance counts in bins of `HOST_BIN`.

    Raises
    ------
    UsageError
        The provenance has no such counts, or its bins do not add up to the width.
    BadValueError
        The counts are damaged, or lack the hosts of some galaxies.
    """
    width = check_width(bin_width)
    counted = galaxies.provenance.get("simulation", {}).get("hosts")
    if counted is None:
        raise UsageError(
            "hosts",
            "no number of hosts in the catalogue's provenance",
            "the simulation on which it was painted",
            "give it with --sim, or as hosts=sim.halos",
        )
    merged = round(width / HOST_BIN)
    if merged < 1 or abs(merged * HOST_BIN - width) > 1e-9:
        raise UsageError(
            "bin width",
            f"{width} dex",
            f"a multiple of {HOST_BIN} dex, in which the catalogue counts its hosts",
            "give the simulation with --sim for bins of any width",
        )
    lowest, numbers, without = _read(counted)
    mass = np.asarray(galaxies["halo_mass"], dtype=np.float64)
    check_masses(mass, "halo_mass")
    of_galaxy = np.full(len(mass), -1, dtype=np.int64)
    first = lowest // merged
    fine = host_bin(mass[mass > 0])  # as the hosts were counted
    outside = (fine < lowest) | (fine >= lowest + len(numbers))
    if outside.any():
        raise BadValueError(
            "provenance:simulation:hosts",
            f"{np.sum(outside)} galaxies whose host masses are in none of the bins",
            "counts that include the hosts of these galaxies",
            "give the simulation with --sim",
        )
    of_galaxy[mass > 0] = fine // merged - first
    coarse = (lowest + np.arange(len(numbers))) // merged - first
    bins = MassBins(width, first, int(coarse[-1]) + 1 if len(coarse) else 0)
    hosts = np.zeros(len(bins), dtype=np.int64)
    np.add.at(hosts, coarse, numbers)
    return Hosts(bins, hosts, of_galaxy, without)


def _read(counted: Any) -> tuple[int, Array, int]:
    """Return the number of the lowest bin, the hosts per bin, and the hosts without a mass."""
    try:
        numbers = np.asarray(counted["counts"], dtype=np.int64)
        edges = np.asarray(counted["log10_mass_edges"], dtype=np.float64)
        lowest = round(float(edges[0]) / HOST_BIN) if len(edges) else 0
        expected = lowest + np.arange(len(numbers) + 1) if len(numbers) else np.empty(0)
        if not np.allclose(edges, HOST_BIN * expected) or numbers.min(initial=0) < 0:
            raise ValueError("impossible bins or counts")
        return lowest, numbers, int(counted.get("without_mass", 0))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadValueError(
            "provenance:simulation:hosts",
            f"damaged counts ({error})",
            f"counts between log10_mass_edges {HOST_BIN} dex apart",
            "give the simulation with --sim",
        ) from error
