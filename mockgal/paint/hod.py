"""The corrected central/satellite HOD: stellar masses by host mass and type.

The benchmark of Kasmanoff et al. 2020 (arXiv:2012.00186, section 2.3), with its correction taken
apart: host masses are corrected for baryons first and then binned; a subhalo is luminous with the
hydro run's probability at its mass, thinned so that the mean number of luminous galaxies per host
is the hydro run's; its stellar mass is the median at its host's mass plus a residual of its bin.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..columns import GALAXY_COLUMNS, Column
from ..errors import BadValueError, DomainError, UsageError, warn
from ..types import Distribution, Scene
from .hod_store import matching, named
from .hod_table import HODTable

Array = NDArray[Any]


SHORT = 0.05  # share of the galaxies missing at which the user is warned, if it is also 3 sigma


@dataclass(frozen=True)
class HODPainter:
    """Paints with a calibration table.

    Parameters
    ----------
    calibration : str, path-like or HODTable, optional
        Name or path of the table; by default the shipped one whose domain holds the simulation.
    allow_extrapolation : bool
        Paint hosts above the table's range with the scatter and probability of its last bin and
        the median extended, and simulations outside the table's domain; recorded, and flagged per
        galaxy.
    """

    calibration: str | os.PathLike[str] | HODTable | None = None
    allow_extrapolation: bool = False

    name: ClassVar[str] = "hod"
    needs: ClassVar[frozenset[str]] = frozenset({"halos"})
    provides: ClassVar[tuple[Column, ...]] = (
        GALAXY_COLUMNS["stellar_mass"],
        GALAXY_COLUMNS["extrapolated"],
    )
    references: ClassVar[tuple[str, ...]] = ("Kasmanoff et al. 2020, arXiv:2012.00186",)

    def __post_init__(self) -> None:
        if not isinstance(self.calibration, str | os.PathLike | HODTable | None):
            raise UsageError(
                "painter hod:calibration", repr(self.calibration), "a name or a path", "quote it"
            )
        if not isinstance(self.allow_extrapolation, bool):
            raise UsageError(
                "painter hod:allow_extrapolation",
                repr(self.allow_extrapolation),
                "true or false",
                "write it without quotes",
            )

    def table(self, scene: Scene) -> HODTable:
        """The calibration used for a scene.

        Raises
        ------
        UsageError, InputError
            No such table, or none whose domain holds the simulation.
        """
        if self.calibration is None:
            return matching(scene)
        if isinstance(self.calibration, HODTable):
            return self.calibration
        return named(os.fspath(self.calibration))

    def describe(self, scene: Scene) -> dict[str, Any]:
        """What identifies the painter for this scene: JSON values only."""
        table = self.table(scene)
        return {
            "name": self.name,
            "mode": "corrected",
            "calibration": table.name,
            "calibration_digest": table.digest,
            "caution": table.provenance.get("caution", ""),
            "luminosity_floor_msun_h": table.luminosity_floor,
            "stellar_mass_definition": table.stellar_mass_definition,
            "least_subhalo_mass_msun_h": mass_limit(table, scene.snapshot.particle_mass),
            "domain": table.domain,
            "log_host_mass_range": [float(table.edges[0]), float(table.edges[-1])],
            "outside_domain": table.mismatch(scene),
            "allow_extrapolation": self.allow_extrapolation,
            "references": [*self.references, *table.provenance.get("references", [])],
        }

    def predict(self, scene: Scene) -> Distribution:
        """Luminous probability and law of log M* for each subhalo of ``scene``.

        Raises
        ------
        DomainError
            Hosts above the table's range, or a simulation outside its domain, without
            ``allow_extrapolation``; another host-mass definition in any case.
        BadValueError
            A resolved central whose host mass is zero.
        """
        table, halos, snapshot = self.table(scene), scene.halos, scene.snapshot
        outside = self._check_domain(table, scene)
        if "caution" in table.provenance:
            text = f"calibration {table.name}: {table.provenance['caution']}"
            warn(text, stacklevel=2)
        resolved = halos["mass"] >= mass_limit(table, snapshot.particle_mass)
        _refuse_zero_hosts(scene, resolved)
        with np.errstate(divide="ignore"):
            log_host, log_own = np.log10(halos["host_mass"]), np.log10(halos["mass"])
        known = np.isfinite(log_host)
        ratio = table.log_mass_ratio(log_host[known])
        log_host[known] += ratio
        log_own[known] += ratio

        edges = table.edges
        above, below = log_host >= edges[-1], log_host < edges[0]
        self._check_heaviest(table, scene, above & resolved, log_host)
        paintable = resolved & ~below
        index = np.clip(np.searchsorted(edges, log_host, side="right") - 1, 0, table.bins - 1)
        satellite = ~halos["is_central"]
        row = index + table.bins * satellite

        p, location = np.zeros(len(halos)), np.zeros(len(halos))
        mass = np.where(satellite, log_own, log_host)
        p[paintable] = luminous_probability(table, row[paintable], mass[paintable])
        for kind, chosen in ((0, paintable & ~satellite), (1, paintable & satellite)):
            location[chosen] = table.median_log_stellar_mass(kind, log_host[chosen])
        floor = math.log10(table.luminosity_floor)
        highest = location + table.columns["residual_quantiles"][row, -1]
        with np.errstate(invalid="ignore"):
            faint = paintable & ~(highest > floor)  # also where the kind has no median curve
        p[faint], location[faint] = 0.0, 0.0

        record = {
            "not_painted_unresolved": int(np.sum(~resolved)),
            "not_painted_host_below_range": int(np.sum(resolved & below)),
            "not_painted_below_floor": int(np.sum(faint)),
            "hosts_above_range": int(np.unique(halos["host_id"][above & resolved]).size),
            **_shortfall(table, index[paintable & ~satellite], p, satellite),
        }
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

    def _check_domain(self, table: HODTable, scene: Scene) -> list[str]:
        outside = table.mismatch(scene)
        definition = scene.halos.mass_definition
        if definition != table.mass_definition:
            raise DomainError(
                f"simulation {scene.snapshot.name}",
                "; ".join(outside),
                f"host masses as in calibration {table.name}, which cannot be extrapolated",
                f"read the simulation with --mass-definition {table.mass_definition}",
            )
        if outside and not self.allow_extrapolation:
            raise DomainError(
                f"simulation {scene.snapshot.name}",
                "; ".join(outside),
                f"the domain of calibration {table.name}",
                "take another calibration, or --allow-extrapolation, which flags every galaxy",
            )
        return outside

    def _check_heaviest(self, table: HODTable, scene: Scene, above: Array, log_host: Array) -> None:
        if np.any(above) and not self.allow_extrapolation:
            hosts = np.unique(scene.halos["host_id"][above]).size
            raise DomainError(
                f"simulation {scene.snapshot.name}",
                f"{hosts} hosts above 10^{table.edges[-1]:.2f} Msun/h (corrected for baryons), "
                f"up to 10^{log_host.max():.2f}",
                f"the range of calibration {table.name}",
                "take a calibration that reaches as far, or --allow-extrapolation, which paints "
                "them as its last bin, with the median extended, and flags them",
            )


def mass_limit(table: HODTable, particle_mass: float | None) -> float:
    """Least subhalo mass that is painted [Msun/h]: ``least_particles`` of the coarser run.

    Half a particle of slack absorbs the rounding of single-precision mass sums.
    """
    coarser = max(table.particle_mass, particle_mass or 0.0)
    return (table.least_particles - 0.5) * coarser


def luminous_probability(table: HODTable, row: Array, log_mass: Array) -> Array:
    """Thinned luminous probability.

    Parameters
    ----------
    table : HODTable
    row : ndarray of int, shape (n,)
        Rows of the table.
    log_mass : ndarray, shape (n,)
        log10 of mass on the hydro scale [Msun/h]: the host's for centrals, their own for
        satellites.

    Returns
    -------
    ndarray, shape (n,)
    """
    p = np.empty(len(row))
    for r in range(2 * table.bins):
        chosen = row == r
        p[chosen] = table.columns["thinning"][r] * np.interp(
            log_mass[chosen],
            table.columns["luminous_log_mass"][r],
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


def _shortfall(table: HODTable, host_bin: Array, p: Array, satellite: Array) -> dict[str, float]:
    """How many fewer galaxies are expected than these hosts have in the hydrodynamic run.

    Negative where there are more; a warning where many are missing.
    """
    hosts = np.bincount(host_bin, minlength=table.bins)
    number = table.columns["number_hydro_mean"]
    record = {}
    for kind, chosen, rows in (
        ("centrals", ~satellite, slice(0, table.bins)),
        ("satellites", satellite, slice(table.bins, None)),
    ):
        target = float(hosts @ number[rows])
        short = target - math.fsum(p[chosen])
        record[f"{kind}_short"] = round(short, 6)
        if short > max(SHORT * target, 3.0 * math.sqrt(target)):
            warn(
                f"calibration {table.name}: {short:.4g} of the {target:.4g} luminous {kind} that "
                f"the hydrodynamic run would have here are missing: the simulation has too few "
                f"resolved {kind}, which probabilities cannot make up for",
                stacklevel=3,
            )
    return record
