"""The corrected central/satellite HOD: stellar masses by host mass and type.

The benchmark of Kasmanoff et al. 2020 (arXiv:2012.00186, section 2.3), with its correction taken
apart: host masses are corrected for baryons first and then binned; a subhalo is luminous with the
hydro run's probability at its mass relative to its host, thinned so that the mean number of
luminous galaxies per host is the hydro run's; its stellar mass is the median at its host's mass
plus a residual of its bin.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import GALAXY_COLUMNS, Column
from ..errors import BadValueError, DomainError, MockgalWarning
from ..types import Distribution, Scene
from .hod_table import HODTable, choose

Array = NDArray[Any]


@dataclass(frozen=True)
class HODPainter:
    """Paints with a calibration table.

    Parameters
    ----------
    calibration : str or HODTable, optional
        Name or path of the table; by default the shipped one whose domain holds the simulation.
    allow_extrapolation : bool
        Paint hosts above the table's range with its last bin, and simulations outside the domain
        of a table that is named; recorded, and flagged per galaxy.
    """

    calibration: str | HODTable | None = None
    allow_extrapolation: bool = False

    name = "hod"
    needs = frozenset({"halos"})
    provides: tuple[Column, ...] = (
        GALAXY_COLUMNS["stellar_mass"],
        GALAXY_COLUMNS["extrapolated"],
    )
    references = ("Kasmanoff et al. 2020, arXiv:2012.00186",)

    def table(self, scene: Scene) -> HODTable:
        """The calibration used for a scene.

        Raises
        ------
        UsageError, InputError
            No such table, or none whose domain holds the simulation.
        """
        if isinstance(self.calibration, HODTable):
            return self.calibration
        return choose(
            scene.snapshot, scene.halos.mass_definition, self.calibration, self.allow_extrapolation
        )

    def describe(self, scene: Scene) -> dict[str, Any]:
        """What identifies the painter for this scene: JSON values only."""
        table = self.table(scene)
        return {
            "name": self.name,
            "mode": "corrected",
            "calibration": table.name,
            "calibration_digest": table.digest,
            "luminosity_floor_msun_h": table.luminosity_floor,
            "stellar_mass_definition": table.stellar_mass_definition,
            "caution": table.provenance.get("caution", ""),
            "least_subhalo_mass_msun_h": mass_limit(table, scene.snapshot.particle_mass),
            "allow_extrapolation": self.allow_extrapolation,
            "outside_domain": table.mismatch(scene.snapshot, scene.halos.mass_definition),
            "references": [*self.references, *table.provenance.get("references", [])],
        }

    def predict(self, scene: Scene) -> Distribution:
        """Luminous probability and law of log M* for each subhalo of ``scene``.

        Raises
        ------
        DomainError
            Hosts above the table's range, or a simulation outside its domain, without
            ``allow_extrapolation``.
        BadValueError
            A resolved central whose host mass is zero.
        """
        table, halos, snapshot = self.table(scene), scene.halos, scene.snapshot
        outside = table.mismatch(snapshot, halos.mass_definition)
        if outside and not self.allow_extrapolation:
            raise DomainError(
                f"simulation {snapshot.name}",
                "; ".join(outside),
                f"the domain of calibration {table.name}",
                "--allow-extrapolation",
            )

        if "caution" in table.provenance:
            warnings.warn(
                f"calibration {table.name}: {table.provenance['caution']}",
                MockgalWarning,
                stacklevel=2,
            )
        resolved = halos["mass"] >= mass_limit(table, snapshot.particle_mass)
        _refuse_zero_hosts(scene, resolved)
        with np.errstate(divide="ignore"):
            log_host = np.log10(halos["host_mass"])
        known = np.isfinite(log_host)
        log_host[known] += table.log_mass_ratio(log_host[known])
        edges = table.edges
        above, below = log_host >= edges[-1], log_host < edges[0]
        if np.any(above & resolved) and not self.allow_extrapolation:
            hosts = np.unique(halos["host_id"][above & resolved]).size
            raise DomainError(
                f"simulation {snapshot.name}",
                f"{hosts} hosts above 10^{edges[-1]:.2f} Msun/h (corrected for baryons), "
                f"up to 10^{log_host.max():.2f}",
                f"the range of calibration {table.name}",
                "take a calibration that reaches as far, or --allow-extrapolation, which paints "
                "them with its last bin and flags them",
            )
        paintable = resolved & ~below
        index = np.clip(np.searchsorted(edges, log_host, side="right") - 1, 0, table.bins - 1)
        satellite = ~halos["is_central"]
        row = index + table.bins * satellite

        p = np.zeros(len(halos))
        p[paintable] = luminous_probability(
            table,
            row[paintable],
            np.log10(halos["mass"][paintable]) - np.log10(halos["host_mass"][paintable]),
        )
        location = np.zeros(len(halos))
        for kind, chosen in ((0, paintable & ~satellite), (1, paintable & satellite)):
            location[chosen] = table.median_log_stellar_mass(kind, log_host[chosen])
        floor = math.log10(table.luminosity_floor)
        highest = location + table.columns["residual_quantiles"][row, -1]
        with np.errstate(invalid="ignore"):
            faint = paintable & ~(highest > floor)  # also where the kind has no median curve
        p[faint], location[faint] = 0.0, 0.0

        record: dict[str, float] = {
            "subhalos": len(halos),
            "not_painted_unresolved": int(np.sum(~resolved)),
            "not_painted_host_below_range": int(np.sum(resolved & below)),
            "not_painted_below_floor": int(np.sum(faint)),
            "hosts_above_range": int(np.unique(halos["host_id"][above & resolved]).size),
            "expected_centrals": round(math.fsum(p[~satellite]), 6),
            "expected_satellites": round(math.fsum(p[satellite]), 6),
        }
        record |= _shortfall(table, index[paintable & ~satellite])
        if record["satellites_short"] > 0.01 * record["expected_satellites"]:
            total = record["expected_satellites"] + record["satellites_short"]
            warnings.warn(
                f"calibration {table.name}: {record['satellites_short']:.4g} of the {total:.4g} "
                "luminous satellites that the hydrodynamic run would have here are missing: the "
                "gravity-only run resolves too few satellites, which thinning cannot make up for",
                MockgalWarning,
                stacklevel=2,
            )
        return Distribution(
            p_luminous=p,
            location=location,
            scale=np.ones(len(halos)),
            residual_row=row,
            residual_probability=table.residual_probability,
            residual_quantiles=table.columns["residual_quantiles"],
            floor=floor,
            extrapolated=above | bool(outside),
            record=record,
        )


def mass_limit(table: HODTable, particle_mass: float | None) -> float:
    """Least subhalo mass that is painted [Msun/h]: ``least_particles`` of the coarser run.

    Half a particle of slack absorbs the rounding of single-precision mass sums.
    """
    coarser = max(table.particle_mass, particle_mass or 0.0)
    return (table.least_particles - 0.5) * coarser


def luminous_probability(table: HODTable, row: Array, log_mass_ratio: Array) -> Array:
    """Thinned luminous probability, shape (n,), from log10 (subhalo mass / host mass)."""
    p = np.empty(len(row))
    for r in range(2 * table.bins):
        chosen = row == r
        p[chosen] = table.columns["thinning"][r] * np.interp(
            log_mass_ratio[chosen],
            table.columns["luminous_log_mass_ratio"][r],
            table.columns["luminous_probability"][r],
        )
    return np.minimum(p, 1.0)


def _refuse_zero_hosts(scene: Scene, resolved: Array) -> None:
    halos = scene.halos
    zero = np.flatnonzero(halos["is_central"] & resolved & (halos["host_mass"] <= 0))
    if zero.size:
        first = zero[np.argmin(halos["halo_id"][zero])]
        raise BadValueError(
            f"{scene.snapshot.name}:host_mass",
            f"{zero.size} resolved centrals whose host mass ({halos.mass_definition}) is zero, the "
            f"first halo_id {halos['halo_id'][first]}",
            "a positive mass for every painted central",
            "--drop-bad leaves them out and counts them, or choose another --mass-definition",
        )


def _shortfall(table: HODTable, central_bin: Array) -> dict[str, float]:
    """Galaxies that the thinning cannot make, expected for these hosts."""
    hosts = np.bincount(central_bin, minlength=table.bins)
    short = table.columns["deficit"] * table.columns["number_hydro_mean"]
    return {
        "centrals_short": round(float(hosts @ short[: table.bins]), 6),
        "satellites_short": round(float(hosts @ short[table.bins :]), 6),
    }
