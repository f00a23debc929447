"""Check that pairs of runs can share a table, and combine their subhalos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError, UsageError
from ..types import Scene
from .host_mass import PairedHosts, pair_hosts
from .matching.match import hosts, match, quality
from .population import Population, population, together
from .request import Request
from .runs import describe_run

Array = NDArray[Any]


@dataclass(frozen=True)
class PairedSample:
    """The subhalos of all pairs, and the hosts whose masses are compared.

    Parameters
    ----------
    hydro, dark : Population
    log_hydro, log_dark : ndarray, shape (n,)
        log10 of the masses of paired hosts [Msun/h].
    region : ndarray of int, shape (n,)
        Sub-volume of each paired host.
    """

    hydro: Population
    dark: Population
    log_hydro: Array
    log_dark: Array
    region: Array

    @property
    def regions(self) -> list[int]:
        """The sub-volumes that contain hosts."""
        occupied = np.unique(np.concatenate([self.hydro.region, self.dark.region]))
        return list(map(int, occupied))

    def without(self, region: int) -> PairedSample:
        """Return the sample outside a sub-volume."""
        kept = self.region != region
        return PairedSample(
            self.hydro.where(self.hydro.region != region),
            self.dark.where(self.dark.region != region),
            *(values[kept] for values in (self.log_hydro, self.log_dark, self.region)),
        )


def check_together(pairs: Sequence[tuple[Scene, Scene]], request: Request) -> None:
    """Raise if the pairs cannot share a table.

    Raises
    ------
    UsageError
        There is no pair, or a run is repeated.
    DomainError
        The pairs differ in definitions of masses, redshifts or cosmologies.
    """
    if not pairs:
        raise UsageError("pairs of runs", "none", "one or more")
    for pair in pairs[1:]:
        _check_alike(pairs[0], pair, request)
    digests = [scene.halos.digest() for pair in pairs for scene in pair]
    if len(set(digests)) < len(digests):
        raise UsageError("pairs of runs", "the same run twice", "different runs", "give each once")


def _check_alike(first: tuple[Scene, Scene], pair: tuple[Scene, Scene], request: Request) -> None:
    facts = [
        (
            dark.halos.mass_definition,
            hydro.snapshot.record.get("stellar_mass_definition", "bound"),
        )
        for hydro, dark in (first, pair)
    ]
    a, b = (dark.snapshot for _, dark in (first, pair))
    differ = facts[0] != facts[1] or abs(a.redshift - b.redshift) > request.redshift_tolerance
    for key in ("omega_m", "h"):
        apart = abs(getattr(a.cosmology, key) - getattr(b.cosmology, key))
        differ |= apart > request.cosmology_tolerance
    if differ:
        found = [
            f"{s.name} (redshift {s.redshift:.4g}, omega_m {s.cosmology.omega_m:g}, "
            f"h {s.cosmology.h:g}, host masses {masses}, stars {stars})"
            for s, (masses, stars) in zip((a, b), facts, strict=True)
        ]
        raise DomainError(
            "pairs of runs",
            " and ".join(found),
            f"one definition of masses, redshifts within {request.redshift_tolerance:g}, omega_m "
            f"and h within {request.cosmology_tolerance:g}",
            "make a table of each",
        )


def gather(
    pairs: Sequence[tuple[Scene, Scene]],
    evidence: Sequence[Mapping[str, Any]],
    request: Request,
    limit: float,
) -> tuple[PairedSample, list[dict[str, Any]]]:
    """Match the hosts of every pair, and combine the pairs.

    Parameters
    ----------
    pairs : sequence of (Scene, Scene)
    evidence : sequence of mapping
        Evidence that each pair is a pair of twins, to record.
    request : Request
    limit : float
        Least mass of a resolved subhalo [Msun/h].

    Returns
    -------
    PairedSample
    list of dict
        The record of each pair: plain JSON values.
    """
    hydros: list[Population] = []
    darks: list[Population] = []
    compared: list[PairedHosts] = []
    records: list[dict[str, Any]] = []
    region: list[Array] = []
    for i, (hydro, dark) in enumerate(pairs):
        first = i * max(request.jackknife, 1) ** 3
        hydros.append(population(hydro, request.jackknife, first))
        darks.append(population(dark, request.jackknife, first))
        matches = match(hydro, dark, method=request.method)
        rows = hosts(matches, hydro, dark)
        compared.append(pair_hosts(hydro, dark, rows, matches.method, limit))
        region.append(darks[-1].region[compared[-1].dark_rows])
        how_well = quality(matches, hydro, dark, _quality_edges(dark, limit)).to_dict()
        records.append(
            {
                "hydro": describe_run(hydro),
                "dark": describe_run(dark),
                "twins": dict(evidence[i]),
                "matching": {"method": matches.method, **matches.record, "quality": how_well},
                "hosts": compared[-1].method,
            }
        )
    sample = PairedSample(
        together(hydros),
        together(darks),
        np.concatenate([each.log_hydro for each in compared]),
        np.concatenate([each.log_dark for each in compared]),
        np.concatenate(region),
    )
    return sample, records


def _quality_edges(dark: Scene, limit: float) -> Array:
    """Return edges of half-decade bins of gravity-only mass above the resolution."""
    low = np.floor(2.0 * np.log10(limit)) / 2.0
    heaviest = max(float(dark.halos["host_mass"].max(initial=0.0)), 2.0 * limit)
    return np.arange(low, np.log10(heaviest) + 0.5, 0.5)
