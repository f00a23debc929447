"""Measure an HOD calibration on hydrodynamic runs and their gravity-only twins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..errors import BadValueError, DomainError, UsageError
from ..painters.hod.columns import KINDS
from ..painters.hod.table import HODTable
from ..statistics.jackknife import check_per_side, describe
from ..types import STELLAR_MASS_DEFINITIONS, Scene
from .host_mass import LEAST_FOR_RATIO, PairedHosts, host_mass_ratio, pair_hosts
from .jackknife import error_columns
from .laws import RESIDUAL_PROBABILITY, merge_sparse
from .matching.match import hosts, match, quality
from .matching.twins import check_twins
from .population import Population, population, together
from .rows import is_luminous, resolved_run, table_columns
from .runs import by_id, describe_run
from .satellites import heavier

Array = NDArray[Any]

COARSER = 1.1
MEASURED = ("pairs", "host_mass_ratio", "bins", "bins_joined", "errors", "version")  # recorded
BIN_WIDTH = 0.25  # dex
LEAST_HOSTS = 15


@dataclass(frozen=True)
class _Sample:
    """The subhalos of all pairs together, and the hosts that are compared."""

    hydro: Population
    dark: Population
    log_hydro: Array  # of paired hosts
    log_dark: Array
    region: Array  # likewise

    def without(self, region: int) -> _Sample:
        kept = self.region != region
        return _Sample(
            self.hydro.where(self.hydro.region != region),
            self.dark.where(self.dark.region != region),
            *(values[kept] for values in (self.log_hydro, self.log_dark, self.region)),
        )


def measure(
    pairs: Sequence[tuple[Scene, Scene]],
    *,
    name: str,
    luminosity_floor: float,
    least_particles: int,
    provenance: Mapping[str, Any],
    edges: Sequence[float] | Array | None = None,
    bin_width: float = BIN_WIDTH,
    least_hosts: int = LEAST_HOSTS,
    jackknife: int = 3,
    method: str | None = None,
    redshift_tolerance: float = 0.05,
    particle_mass_factor: float = 2.0,
    cosmology_tolerance: float = 0.05,
    progress: Callable[[int, int, str], None] | None = None,
) -> HODTable:
    """The calibration table of one pair of runs, or of several taken together.

    Parameters
    ----------
    pairs : sequence of (Scene, Scene)
        Each a hydrodynamic run and its gravity-only twin at one redshift.
    name : str
        What the table will be called.
    luminosity_floor : float
        Least stellar mass that counts as luminous [Msun/h].
    least_particles : int
        Least gravity-only particles of a resolved subhalo; of the coarsest pair, for all of them.
    provenance : mapping
        Added to what is recorded of the runs; ``references`` is a list of citations.
    edges : sequence of float, shape (bins + 1,), optional
        Bins of log10 hydro host mass [Msun/h], taken as they are. By default bins of ``bin_width``
        [dex] over all resolved hosts, those with fewer than ``least_hosts`` of them in either run
        joined to a neighbour, which is recorded.
    bin_width : float
    least_hosts : int
    jackknife : int
        Sub-volumes along each side of a box that are left out for the errors; 0 for no errors.
    method : str, optional
        How hosts are matched: see `mockgal.calibration.matching.match.match`.
    redshift_tolerance, particle_mass_factor, cosmology_tolerance : float
        Half-width of the domain in redshift; factor by which particles may be lighter (they may be
        heavier by `COARSER` only, or the least subhalos would be missing); half-width in omega_m
        and h.
    progress : callable, optional
        Called with (done, total, what).

    Raises
    ------
    UsageError
        Edges that do not increase, a floor or particle number that is not positive.
    HeaderError, DomainError, MissingDatasetError
        The runs of a pair differ in box, redshift, cosmology, phases or mass definition; stellar
        masses missing in the first, or present in the second; no particle mass; or pairs that do
        not go together.
    BadValueError
        Too few hosts for a host-mass ratio.
    """
    check_per_side(jackknife)
    _check_request(luminosity_floor, least_particles, bin_width, least_hosts)
    taken = [key for key in provenance if key in MEASURED]
    if taken:
        raise UsageError(
            "provenance", ", ".join(taken), "other keys: these are measured", "rename them"
        )
    if edges is not None:
        edges = _checked_edges(edges)
    pairs = [(by_id(hydro), by_id(dark)) for hydro, dark in pairs]
    evidence = [check_twins(hydro, dark) for hydro, dark in pairs]
    _check_together(pairs, redshift_tolerance, cosmology_tolerance)
    masses = [dark.snapshot.particle_mass or 0.0 for _, dark in pairs]
    limit = (least_particles - 0.5) * max(masses)
    sample, paired, matching = _gather(pairs, limit, jackknife, method)
    merged: list[str] = []
    bins = "as given"
    if edges is None:
        bins = (
            f"{bin_width:g} dex, joined where fewer than {least_hosts} hosts are in one of the runs"
        )
        edges, merged = _choose_edges(sample, bin_width, least_hosts, np.log10(limit))
    options = {"log_limit": np.log10(limit), "log_floor": np.log10(luminosity_floor)}

    def columns_of(part: _Sample) -> dict[str, Array]:
        ratio = host_mass_ratio(part.log_hydro, part.log_dark, edges)
        return table_columns(part.hydro, part.dark, _with_nodes(ratio), edges, **options)

    columns, errors = columns_of(sample), "none"
    if not np.any(columns["luminous_hydro"]):
        raise BadValueError(
            "luminosity floor",
            f"{luminosity_floor:.4g} Msun/h, which no galaxy of a resolved host reaches",
            "a floor below the most massive galaxies",
            "lower it",
        )
    if jackknife:
        regions = np.unique(np.concatenate([sample.hydro.region, sample.dark.region]))
        left_out = []
        for done, region in enumerate(regions.tolist()):
            left_out.append(columns_of(sample.without(region)))
            if progress is not None:
                progress(done + 1, len(regions), "jackknife")
        if len(regions) > 1:
            columns |= error_columns(columns, left_out)
            errors = f"{describe(jackknife)} of each box, {len(regions)} with hosts"
    hydro, dark = pairs[0]
    stars = str(hydro.snapshot.record.get("stellar_mass_definition", "bound"))
    return HODTable(
        columns=columns,
        name=name,
        binned_by={"central": "host", "satellite": "host"},
        mass_definition=dark.halos.mass_definition,
        stellar_mass_definition="all bound stars"
        if stars == "bound"
        else STELLAR_MASS_DEFINITIONS.get(stars, stars),
        luminosity_floor=luminosity_floor,
        least_particles=least_particles,
        particle_mass=max(masses),
        residual_probability=RESIDUAL_PROBABILITY,
        domain=_domain(pairs, redshift_tolerance, particle_mass_factor, cosmology_tolerance),
        provenance={
            "pairs": [
                _describe_pair(*pair, facts, compared, how)
                for pair, facts, compared, how in zip(
                    pairs, evidence, paired, matching, strict=True
                )
            ],
            "host_mass_ratio": "; ".join(compared.method for compared in paired),
            "bins": bins,
            "bins_joined": merged,
            "errors": errors,
            "version": __version__,
            **_left_out(sample, columns, np.log10(luminosity_floor)),
            **_heavier(sample.dark, np.log10(limit)),
        }
        | dict(provenance),
    )


def domain_around(
    redshift: float,
    particle_mass: float,
    cosmology: Mapping[str, float],
    *,
    redshift_tolerance: float = 0.05,
    particle_mass_factor: float = 2.0,
    cosmology_tolerance: float = 0.05,
) -> dict[str, list[float]]:
    """The domain of a table made at one redshift, resolution and cosmology; see `measure`."""
    domain = {
        "redshift": [redshift - redshift_tolerance, redshift + redshift_tolerance],
        "particle_mass": [particle_mass / particle_mass_factor, particle_mass * COARSER],
    }
    for key, value in cosmology.items():
        domain[key] = [round(value - cosmology_tolerance, 6), round(value + cosmology_tolerance, 6)]
    return domain


def _domain(
    pairs: Sequence[tuple[Scene, Scene]], redshift: float, particle_mass: float, cosmology: float
) -> dict[str, list[float]]:
    """The least domain that holds those around every pair."""
    each = [
        domain_around(
            dark.snapshot.redshift,
            dark.snapshot.particle_mass or 0.0,
            {key: getattr(dark.snapshot.cosmology, key) for key in ("omega_m", "h")},
            redshift_tolerance=redshift,
            particle_mass_factor=particle_mass,
            cosmology_tolerance=cosmology,
        )
        for _, dark in pairs
    ]
    return {key: [min(d[key][0] for d in each), max(d[key][1] for d in each)] for key in each[0]}


def _check_request(
    luminosity_floor: float, least_particles: int, bin_width: float, least_hosts: int
) -> None:
    for name, value, whole, low, high, unit in (
        ("luminosity floor", luminosity_floor, False, 1.0, 1e14, " Msun/h"),
        ("least particles", least_particles, True, 1, 1_000_000, ""),
        ("bin width", bin_width, False, 0.01, 5.0, " dex"),
        ("least hosts", least_hosts, True, LEAST_FOR_RATIO, 1_000_000, ""),
    ):
        kind = int | np.integer if whole else int | float | np.number
        number = isinstance(value, kind) and not isinstance(value, bool)
        if not number or not low <= value <= high:
            raise UsageError(
                name,
                f"{value!r}{unit if number else ''}",
                f"a {'whole ' * whole}number from {low:g} to {high:g}{unit}",
                "give another, or leave it out for the default",
            )


def _checked_edges(edges: Sequence[float] | Array) -> Array:
    try:
        found = np.asarray(edges, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty((0, 0))
    if found.ndim != 1 or len(found) < 2 or not np.all(np.diff(found) > 0):
        raise UsageError(
            "edges", f"{edges!r}", "two or more numbers that increase", "log10 of masses in Msun/h"
        )
    return found


def _check_together(
    pairs: Sequence[tuple[Scene, Scene]], redshift_tolerance: float, cosmology_tolerance: float
) -> None:
    """Whether the pairs can share a table."""
    if not pairs:
        raise UsageError("pairs of runs", "none", "one or more")
    first = pairs[0]
    for pair in pairs[1:]:
        facts = [
            (
                p[1].halos.mass_definition,
                p[0].snapshot.record.get("stellar_mass_definition", "bound"),
            )
            for p in (first, pair)
        ]
        a, b = (p[1].snapshot for p in (first, pair))
        differ = facts[0] != facts[1] or abs(a.redshift - b.redshift) > redshift_tolerance
        for key in ("omega_m", "h"):
            apart = abs(getattr(a.cosmology, key) - getattr(b.cosmology, key))
            differ |= apart > cosmology_tolerance
        if differ:
            found = [
                f"{s.name} (redshift {s.redshift:.4g}, omega_m {s.cosmology.omega_m:g}, "
                f"h {s.cosmology.h:g}, host masses {f[0]}, stars {f[1]})"
                for s, f in zip((a, b), facts, strict=True)
            ]
            raise DomainError(
                "pairs of runs",
                " and ".join(found),
                f"one definition of masses, redshifts within {redshift_tolerance:g}, omega_m and h "
                f"within {cosmology_tolerance:g}",
                "make a table of each",
            )
    digests = [scene.halos.digest() for pair in pairs for scene in pair]
    if len(set(digests)) < len(digests):
        raise UsageError("pairs of runs", "the same run twice", "different runs", "give each once")


def _gather(
    pairs: Sequence[tuple[Scene, Scene]], limit: float, jackknife: int, method: str | None
) -> tuple[_Sample, list[PairedHosts], list[dict[str, Any]]]:
    runs: tuple[list[Population], list[Population]] = ([], [])
    paired: list[PairedHosts] = []
    matching: list[dict[str, Any]] = []
    region: list[Array] = []
    for i, (hydro, dark) in enumerate(pairs):
        first = i * max(jackknife, 1) ** 3
        runs[0].append(population(hydro, jackknife, first))
        runs[1].append(population(dark, jackknife, first))
        matches = match(hydro, dark, method=method)
        rows = hosts(matches, hydro, dark)
        paired.append(pair_hosts(hydro, dark, rows, matches.method, limit))
        found = quality(matches, hydro, dark, _quality_edges(dark, limit))
        matching.append({"method": matches.method, **matches.record, "quality": found.to_dict()})
        region.append(runs[1][-1].region[paired[-1].dark_rows])
    sample = _Sample(
        together(runs[0]),
        together(runs[1]),
        np.concatenate([compared.log_hydro for compared in paired]),
        np.concatenate([compared.log_dark for compared in paired]),
        np.concatenate(region),
    )
    return sample, paired, matching


def _quality_edges(dark: Scene, limit: float) -> Array:
    """Half-decade bins of gravity-only mass from the resolution on."""
    low = np.floor(2.0 * np.log10(limit)) / 2.0
    heaviest = max(float(dark.halos["host_mass"].max(initial=0.0)), 2.0 * limit)
    return np.arange(low, np.log10(heaviest) + 0.5, 0.5)


def _with_nodes(ratio: tuple[Array, Array]) -> tuple[Array, Array]:
    if not np.any(np.isfinite(ratio[1])):
        raise BadValueError(
            "host-mass ratio",
            "no bin with enough hosts above the resolution",
            f"{LEAST_FOR_RATIO} hosts in a bin",
            "take wider or other bins",
        )
    return ratio


def _choose_edges(
    sample: _Sample, width: float, least: int, log_limit: float
) -> tuple[Array, list[str]]:
    """Bins over all resolved hosts, sparse ones joined, and what was joined in words."""

    def grid(log_mass: Array) -> Array:
        if not len(log_mass):
            raise BadValueError(
                "hosts", "none that is resolved", "hosts with a resolved central", "other runs"
            )
        first, last = np.floor(np.array([log_mass.min(), log_mass.max()]) / width)
        return np.round(np.arange(first, last + 2) * width, 9)

    resolved = sample.log_dark[sample.log_dark >= log_limit]
    ratio = _with_nodes(host_mass_ratio(sample.log_hydro, sample.log_dark, grid(resolved)))
    hosts = [
        resolved_run(run, grid(resolved), log_limit, ratio, is_hydro=is_hydro).host_log_mass
        for run, is_hydro in ((sample.hydro, True), (sample.dark, False))
    ]
    fine = grid(np.concatenate(hosts))
    edges = merge_sparse(hosts, fine, least)
    joined = []
    for low, high in pairwise(edges):
        parts = fine[(fine >= low) & (fine <= high)]
        if len(parts) > 2:
            numbers = np.min([np.histogram(values, parts)[0] for values in hosts], axis=0)
            joined.append(
                f"10^{low:.2f} to 10^{high:.2f} Msun/h: bins of {', '.join(map(str, numbers))} "
                f"hosts joined, fewer than {least} in one of the runs"
            )
    return edges, joined


def _left_out(sample: _Sample, columns: Mapping[str, Array], log_floor: float) -> dict[str, int]:
    """Luminous galaxies of the hydrodynamic runs that are in no bin or no resolved host."""
    runs = sample.hydro
    luminous = is_luminous(runs.log_stellar_mass, log_floor)
    return {
        f"luminous_{kind}s_left_out": int(
            np.sum(luminous & chosen) - columns["luminous_hydro"][columns["kind"] == kind].sum()
        )
        for kind, chosen in zip(KINDS, (runs.is_central, ~runs.is_central), strict=True)
    }


def _heavier(runs: Population, log_limit: float) -> dict[str, int]:
    chosen = ~runs.is_central & (runs.log_mass >= log_limit)
    return heavier(runs.log_mass[chosen], runs.log_host_mass[chosen])


def _describe_pair(
    hydro: Scene,
    dark: Scene,
    evidence: Mapping[str, Any],
    compared: PairedHosts,
    matching: Mapping[str, Any],
) -> dict[str, Any]:
    """What is recorded of a pair: plain JSON values."""
    runs = {label: describe_run(scene) for label, scene in (("hydro", hydro), ("dark", dark))}
    return {**runs, "twins": dict(evidence), "matching": dict(matching), "hosts": compared.method}
