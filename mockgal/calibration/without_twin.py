"""Measure an HOD calibration on a hydrodynamic run without its gravity-only twin.

The table lacks the columns that need a twin (`mockgal.painters.hod.columns.TWIN`), and painters use
it only on request. Centrals and satellites may come from different samples, and centrals may be
binned by bound mass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..painters.hod.columns import KINDS
from ..painters.hod.table import HODTable, mass_scale
from .laws import bin_of, luminous_share, median_and_residuals, per_host, quantiles_by_bin
from .rows import is_luminous, log_mean_mass
from .satellites import Places, SatelliteSample, after_centrals, heavier, satellite_columns

Array = NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """Subhalos of one kind in a hydrodynamic run; masses are log10 of Msun/h.

    Parameters
    ----------
    log_mass : ndarray, shape (n,)
        Mass that the rows are binned by: that of the host, or the subhalo's own bound mass.
    log_own_mass : ndarray, shape (n,)
        Bound mass.
    log_stellar_mass : ndarray, shape (n,)
        Stellar mass; -inf without stars.
    host : ndarray of int, shape (n,)
        Index into ``host_log_mass``.
    host_log_mass : ndarray, shape (hosts,)
        Mass of all hosts, including those without a subhalo of this kind.
    edges : sequence of float, shape (bins + 1,)
        Bins of ``log_mass``.
    radius, velocity : ndarray, shape (n,), optional
        For satellites: see `mockgal.calibration.satellites.Places`.
    """

    log_mass: Array
    log_own_mass: Array
    log_stellar_mass: Array
    host: Array
    host_log_mass: Array
    edges: Sequence[float] | Array
    radius: Array | None = None
    velocity: Array | None = None

    def __post_init__(self) -> None:
        lengths = {len(x) for x in (self.log_mass, self.log_own_mass, self.log_stellar_mass)}
        if lengths != {len(self.host)}:
            raise UsageError("sample of subhalos", f"lengths {sorted(lengths)}", "one length")
        edges = np.asarray(self.edges)
        if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
            raise UsageError("edges", f"{edges.tolist()}", "two or more increasing numbers")


def measure_without_twin(
    centrals: Sample,
    satellites: Sample,
    *,
    name: str,
    binned_by: Mapping[str, str],
    mass_definition: str,
    stellar_mass_definition: str,
    luminosity_floor: float,
    least_particles: int,
    particle_mass: float,
    probability_edges: Sequence[float] | Array,
    residual_probability: Sequence[float] | Array,
    domain: Mapping[str, Sequence[float]],
    provenance: Mapping[str, Any],
) -> HODTable:
    """Measure the calibration table of a hydrodynamic run alone.

    Median curve and residuals are measured from luminous subhalos, since samples are often
    complete only above a stellar mass. The luminous probability is measured from resolved
    subhalos, those of at least ``least_particles - 1/2`` times ``particle_mass``.

    Parameters
    ----------
    centrals, satellites : Sample
        A random part of the centrals is enough; satellites need all of their hosts.
    name, binned_by, mass_definition, stellar_mass_definition, luminosity_floor, least_particles
    particle_mass, residual_probability, domain
        See `HODTable`.
    probability_edges : sequence of float, shape (nodes + 1,)
        Intervals of mass, each with one node of the luminous probability; see `luminous_share`.
    provenance : mapping
        Facts to record; ``references`` is a list of citations.

    Raises
    ------
    UsageError
        The bins are not valid.
    """
    probability = np.asarray(residual_probability, dtype=np.float64)
    limit = np.log10((least_particles - 0.5) * particle_mass)
    log_floor = np.log10(luminosity_floor)
    parts = [
        _Part.of(kind, sample, limit, log_floor)
        for kind, sample in zip(KINDS, (centrals, satellites), strict=True)
    ]
    rows = [row for part in parts for row in _rows(part, probability, probability_edges)]
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    left_out = parts[0].left_out | parts[1].left_out
    resolved = parts[1].resolved
    host_mass = satellites.host_log_mass[satellites.host]
    left_out |= heavier(satellites.log_own_mass[resolved], host_mass[resolved])
    return HODTable(
        columns=columns | _satellites(parts[1], columns, limit, probability),
        name=name,
        binned_by=dict(binned_by),
        mass_definition=mass_definition,
        stellar_mass_definition=stellar_mass_definition,
        luminosity_floor=luminosity_floor,
        least_particles=least_particles,
        particle_mass=particle_mass,
        residual_probability=probability,
        domain={key: [float(x) for x in bounds] for key, bounds in domain.items()},
        provenance=left_out | dict(provenance),
    )


@dataclass(frozen=True)
class _Part:
    """A sample with its bins, and masks of its resolved and luminous subhalos.

    Parameters
    ----------
    kind : str
        Key of `mockgal.painters.hod.columns.KINDS`.
    sample : Sample
    edges : ndarray, shape (bins + 1,)
    bin, host_bin : ndarray of int
        Bin of each subhalo, and of each host; -1 outside the bins.
    resolved, luminous : ndarray of bool, shape (n,)
    """

    kind: str
    sample: Sample
    edges: Array
    bin: Array
    host_bin: Array
    resolved: Array
    luminous: Array

    @classmethod
    def of(cls, kind: str, sample: Sample, limit: float, log_floor: float) -> _Part:
        edges = np.asarray(sample.edges, dtype=np.float64)
        return cls(
            kind,
            sample,
            edges,
            bin_of(sample.log_mass, edges),
            bin_of(sample.host_log_mass, edges),
            sample.log_own_mass >= limit,
            is_luminous(sample.log_stellar_mass, log_floor),
        )

    @property
    def left_out(self) -> dict[str, int]:
        """Counts of luminous subhalos outside the bins, and of unresolved ones inside."""
        inside = self.bin >= 0
        return {
            f"luminous_{self.kind}s_left_out": int(np.sum(self.luminous & ~inside)),
            f"luminous_{self.kind}s_unresolved": int(
                np.sum(self.luminous & inside & ~self.resolved)
            ),
        }


def _rows(
    part: _Part, probability: Array, probability_edges: Sequence[float] | Array
) -> list[dict[str, Any]]:
    """Return the rows of the table for one kind, without the columns of `_satellites`."""
    sample, luminous, bins = part.sample, part.luminous, len(part.edges) - 1
    log_mass, log_stellar = sample.log_mass[luminous], sample.log_stellar_mass[luminous]
    laws = median_and_residuals(log_mass, log_stellar, part.bin[luminous], bins, probability)
    masses, _ = quantiles_by_bin(log_stellar, part.bin[luminous], bins, probability)
    luminous_by = sample.log_mass if part.kind == "central" else sample.log_own_mass
    rows = []
    for b in range(bins):
        here = part.resolved & (part.bin == b)
        luminous_here = luminous & (part.bin == b)
        mean, variance = per_host(part.host_bin, sample.host[luminous_here], b)
        resolved_mean, resolved_variance = per_host(part.host_bin, sample.host[here], b)
        nodes, share = luminous_share(
            luminous_by[here], luminous[here], bool(np.any(luminous_here)), probability_edges
        )
        rows.append(
            {
                "kind": part.kind,
                "log_mass_low": part.edges[b],
                "log_mass_high": part.edges[b + 1],
                "hosts_hydro": np.sum(part.host_bin == b),
                "log_mean_mass": log_mean_mass(sample.host_log_mass[part.host_bin == b]),
                "subhalos_hydro": np.sum(here),
                "luminous_hydro": np.sum(luminous_here),
                "number_hydro_mean": mean,
                "number_hydro_variance": variance,
                "resolved_hydro_mean": resolved_mean,
                "resolved_hydro_variance": resolved_variance,
                **laws[b],
                "stellar_mass_quantiles": masses[b],
                "luminous_log_mass": nodes,
                "luminous_probability": share,
            }
        )
    return rows


def _satellites(
    part: _Part, columns: Mapping[str, Array], limit: float, probability: Array
) -> dict[str, Array]:
    """Return the columns on masses, positions and velocities of satellites, if these are known."""
    sample = part.sample
    if sample.radius is None or sample.velocity is None:
        return {}
    counted = part.resolved & (part.bin >= 0)
    shining = counted & part.luminous
    of_satellites = columns["kind"] == "satellite"
    of_bins = satellite_columns(
        SatelliteSample(
            log_mass_ratio=(sample.log_own_mass - sample.log_mass)[counted]
            / mass_scale(sample.log_mass[counted], limit),
            bin=part.bin[counted],
            host=sample.host[counted],
        ),
        Places(sample.radius[shining], sample.velocity[shining], part.bin[shining]),
        part.host_bin,
        sample.host_log_mass,
        columns["log_mean_mass"][of_satellites],
        probability,
    )
    return after_centrals(of_bins, int(np.sum(~of_satellites)))
