"""Measure an HOD calibration on hydrodynamic runs and their gravity-only twins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..errors import BadValueError, UsageError
from ..painters.hod.columns import KINDS
from ..painters.hod.table import HODTable
from ..statistics.jackknife import describe
from ..types import STELLAR_MASS_DEFINITIONS, Scene
from .host_mass import LEAST_FOR_RATIO, host_mass_ratio
from .jackknife import error_columns
from .laws import RESIDUAL_PROBABILITY, merge_sparse
from .matching.twins import check_twins
from .paired import PairedSample, check_together, gather
from .request import Request
from .rows import is_luminous, resolved_run, table_columns
from .runs import by_id
from .satellites import heavier

Array = NDArray[Any]
Progress = Callable[[int, int, str], None]

MEASURED = ("pairs", "host_mass_ratio", "bins", "bins_joined", "errors", "version")  # recorded keys


@dataclass(frozen=True)
class _Rows:
    """Bin edges and thresholds that turn a sample into rows of the table, log10 of Msun/h."""

    edges: Array
    log_limit: float
    log_floor: float

    def columns(self, sample: PairedSample) -> dict[str, Array]:
        ratio = host_mass_ratio(sample.log_hydro, sample.log_dark, self.edges)
        return table_columns(
            sample.hydro,
            sample.dark,
            _with_nodes(ratio),
            self.edges,
            log_limit=self.log_limit,
            log_floor=self.log_floor,
        )

    def left_out(self, sample: PairedSample, columns: Mapping[str, Array]) -> dict[str, int]:
        """Count galaxies that no row includes, and satellites heavier than their host.

        The former are luminous galaxies of the hydrodynamic runs outside all bins or in an
        unresolved host, the latter gravity-only satellites.
        """
        runs = sample.hydro
        luminous = is_luminous(runs.log_stellar_mass, self.log_floor)
        counts = {
            f"luminous_{kind}s_left_out": int(
                np.sum(luminous & chosen) - columns["luminous_hydro"][columns["kind"] == kind].sum()
            )
            for kind, chosen in zip(KINDS, (runs.is_central, ~runs.is_central), strict=True)
        }
        dark = sample.dark
        chosen = ~dark.is_central & (dark.log_mass >= self.log_limit)
        return counts | heavier(dark.log_mass[chosen], dark.log_host_mass[chosen])


def measure(
    pairs: Sequence[tuple[Scene, Scene]],
    *,
    name: str,
    provenance: Mapping[str, Any],
    progress: Progress | None = None,
    **options: Any,
) -> HODTable:
    """Measure the calibration table of one pair of runs, or of several together.

    Parameters
    ----------
    pairs : sequence of (Scene, Scene)
        Hydrodynamic runs, each with its gravity-only twin at the same redshift.
    name : str
        Name of the table.
    provenance : mapping
        Added to the record of the runs; ``references`` is a list of citations.
    progress : callable, optional
        Called with (done, total, what).
    **options
        Fields of `mockgal.calibration.request.Request`; ``luminosity_floor`` and
        ``least_particles`` are required.

    Raises
    ------
    UsageError
        If bin edges do not increase, or a floor or number of particles is not positive.
    HeaderError, DomainError, MissingDatasetError
        If the runs of a pair differ in box, redshift, cosmology, phases or mass definition; if the
        first lacks stellar masses or the second has them; if the particle mass is unknown; or if
        the pairs cannot be combined.
    BadValueError
        If there are too few hosts for a host-mass ratio, or no galaxy reaches the floor.
    """
    request = Request(**options)
    taken = [key for key in provenance if key in MEASURED]
    if taken:
        raise UsageError(
            "provenance", ", ".join(taken), "other keys: these are measured", "rename them"
        )
    pairs = [(by_id(hydro), by_id(dark)) for hydro, dark in pairs]
    evidence = [check_twins(hydro, dark) for hydro, dark in pairs]
    check_together(pairs, request)
    particle_mass = max(dark.snapshot.particle_mass or 0.0 for _, dark in pairs)
    limit = (request.least_particles - 0.5) * particle_mass
    sample, records = gather(pairs, evidence, request, limit)
    edges, bins = _bins(sample, request, np.log10(limit))
    rows = _Rows(edges, np.log10(limit), np.log10(request.luminosity_floor))
    columns, errors = _columns(rows, sample, request, progress)
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
        luminosity_floor=request.luminosity_floor,
        least_particles=request.least_particles,
        particle_mass=particle_mass,
        residual_probability=RESIDUAL_PROBABILITY,
        domain=request.domain(pairs),
        provenance={
            "pairs": records,
            "host_mass_ratio": "; ".join(record["hosts"] for record in records),
            **bins,
            "errors": errors,
            "version": __version__,
            **rows.left_out(sample, columns),
        }
        | dict(provenance),
    )


def _columns(
    rows: _Rows, sample: PairedSample, request: Request, progress: Progress | None
) -> tuple[dict[str, Array], str]:
    """Return the columns, with jackknife errors if requested, and a description of the errors."""
    columns = rows.columns(sample)
    if not np.any(columns["luminous_hydro"]):
        raise BadValueError(
            "luminosity floor",
            f"{request.luminosity_floor:.4g} Msun/h, which no galaxy of a resolved host reaches",
            "a floor below the most massive galaxies",
            "lower it",
        )
    regions = sample.regions if request.jackknife else []
    left_out = []
    for done, region in enumerate(regions):
        left_out.append(rows.columns(sample.without(region)))
        if progress is not None:
            progress(done + 1, len(regions), "jackknife")
    if len(regions) < 2:
        return columns, "none"
    errors = f"{describe(request.jackknife)} of each box, {len(regions)} with hosts"
    return columns | error_columns(columns, left_out), errors


def _with_nodes(ratio: tuple[Array, Array]) -> tuple[Array, Array]:
    if not np.any(np.isfinite(ratio[1])):
        raise BadValueError(
            "host-mass ratio",
            "no bin with enough hosts above the resolution",
            f"{LEAST_FOR_RATIO} hosts in a bin",
            "take wider or other bins",
        )
    return ratio


def _bins(
    sample: PairedSample, request: Request, log_limit: float
) -> tuple[Array, dict[str, str | list[str]]]:
    """Return the bin edges, and the record of how they were chosen."""
    if request.edges is not None:
        return np.asarray(request.edges), {"bins": "as given", "bins_joined": []}
    width, least = request.bin_width, request.least_hosts
    bins = f"{width:g} dex, joined where fewer than {least} hosts are in one of the runs"
    edges, joined = _choose_edges(sample, width, least, log_limit)
    return edges, {"bins": bins, "bins_joined": joined}


def _choose_edges(
    sample: PairedSample, width: float, least: int, log_limit: float
) -> tuple[Array, list[str]]:
    """Return bin edges over all resolved hosts, sparse bins joined, and a text for each join."""

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
