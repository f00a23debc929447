"""The corrected central/satellite HOD: stellar masses by mass and type.

The benchmark of Kasmanoff et al. 2020 (arXiv:2012.00186, section 2.3), with its correction taken
apart: host masses are corrected for baryons first and then binned; a subhalo is luminous with the
hydro run's probability at its mass, thinned so that the mean number of luminous galaxies per host
is the hydro run's; its stellar mass is the median at its host's mass (or, for centrals, at its own
bound mass, as the table says) plus a residual of its bin. A table made without a gravity-only twin
has no corrections, and is used on request alone.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..columns import GALAXY_COLUMNS, Column
from ..errors import BadValueError, DomainError, UsageError, warn
from ..types import Distribution, Scene
from . import blocks
from .hod_rows import Prediction, compiled, hydro_masses, predict_rows
from .hod_store import matching, named
from .hod_table import KINDS, TWIN, HODTable

Array = NDArray[Any]


MISSING_TWIN = ("uncorrected",)
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
    missing_twin : str, optional
        How to paint with a table that was made without a gravity-only twin, and so without
        corrections for baryons: ``"uncorrected"`` takes masses as they are and thins nothing;
        recorded, warned of, and every galaxy is flagged. By default such a table is refused.
    """

    calibration: str | os.PathLike[str] | HODTable | None = None
    allow_extrapolation: bool = False
    missing_twin: str | None = None

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
        if self.missing_twin is not None and self.missing_twin not in MISSING_TWIN:
            raise UsageError(
                "painter hod:missing_twin",
                repr(self.missing_twin),
                "one of " + ", ".join(MISSING_TWIN),
                "leave it out to have tables without a gravity-only twin refused",
            )

    def table(self, scene: Scene) -> HODTable:
        """The calibration used for a scene.

        Raises
        ------
        UsageError, InputError
            No such table, or none whose domain holds the simulation.
        """
        if self.calibration is None:
            return matching(scene, twinless=self.missing_twin is not None)
        if isinstance(self.calibration, HODTable):
            return self.calibration
        return named(os.fspath(self.calibration))

    def describe(self, scene: Scene) -> dict[str, Any]:
        """What identifies the painter for this scene: JSON values only."""
        table = self.table(scene)
        return {
            "name": self.name,
            "mode": "corrected" if table.has_twin else self.missing_twin or "refused",
            "calibration": table.name,
            "calibration_digest": table.digest,
            "calibration_lacks": [] if table.has_twin else list(TWIN),
            "caution": table.provenance.get("caution", ""),
            "luminosity_floor_msun_h": table.luminosity_floor,
            "stellar_mass_definition": table.stellar_mass_definition,
            "least_subhalo_mass_msun_h": mass_limit(table, scene.snapshot.particle_mass),
            "domain": table.domain,
            "binned_by": table.binned_by,
            "log_mass_range": {
                kind: [float(edge) for edge in table.edges(k)[[0, -1]]]
                for k, kind in enumerate(KINDS)
            },
            "outside_domain": table.mismatch(scene),
            "allow_extrapolation": self.allow_extrapolation,
            "references": [*self.references, *table.provenance.get("references", [])],
        }

    def predict(self, scene: Scene) -> Distribution:
        """Luminous probability and law of log M* for each subhalo of ``scene``.

        Raises
        ------
        DomainError
            Masses above the table's range, or a simulation outside its domain, without
            ``allow_extrapolation``; another host-mass definition in any case.
        MissingDatasetError
            A table without corrections for baryons, and ``missing_twin`` not given.
        BadValueError
            A resolved central whose host mass is zero, where that mass is needed.
        """
        table, halos, snapshot = self.table(scene), scene.halos, scene.snapshot
        outside = self._check_domain(table, scene)
        self._check_twin(table)
        if "caution" in table.provenance:
            text = f"calibration {table.name}: {table.provenance['caution']}"
            warn(text, stacklevel=2)
        least_mass, n = mass_limit(table, snapshot.particle_mass), len(halos)
        predict = compiled(table) if n >= blocks.LARGE else partial(predict_rows, table)
        out = Prediction.of(n)

        def block(part: slice) -> tuple[Array, Array]:
            return predict(halos, part, least_mass, out)

        pieces = blocks.over_blocks(block, n) or [block(slice(0, 0))]
        hosts, counts = (np.sum(column, axis=0) for column in zip(*pieces, strict=True))
        unresolved, centrals, satellites, faint, heavy, massless = (int(count) for count in counts)
        if massless and (table.has_twin or table.binned_by["central"] == "host"):
            _refuse_zero_hosts(scene, halos["mass"] >= least_mass)
        too_heavy = np.flatnonzero(out.above & (halos["mass"] >= least_mass) if heavy else [])
        self._check_heaviest(table, scene, too_heavy)
        record = {
            "not_painted_unresolved": unresolved,
            "not_painted_centrals_below_range": centrals,
            "not_painted_satellites_below_range": satellites,
            "not_painted_below_floor": faint,
            "hosts_above_range": _distinct(halos.host_row[too_heavy], n),
            **_shortfall(table, hosts, out.p_luminous, halos["is_central"]),
        }
        flagged = bool(outside) or not table.has_twin
        return Distribution(
            p_luminous=out.p_luminous,
            location=out.location,
            scale=np.broadcast_to(1.0, n),
            residual_row=out.residual_row,
            residual_probability=table.residual_probability,
            residual_quantiles=table.columns["residual_quantiles"],
            floor=math.log10(table.luminosity_floor),
            extrapolated=np.ones(n, dtype=bool) if flagged else out.above,
            record=record,
        )

    def _check_twin(self, table: HODTable) -> None:
        if table.has_twin and self.missing_twin is not None:
            raise UsageError(
                "painter hod:missing_twin",
                f"{self.missing_twin!r} for calibration {table.name}, which has its twin",
                "a calibration made without one",
                "leave the option out, or take another calibration",
            )
        if table.has_twin:
            return
        if self.missing_twin is None:
            table.refuse_missing_twin()
        warn(
            f"calibration {table.name}: made without a gravity-only twin, and painted uncorrected "
            "as asked: masses are taken as they are, though baryons change those of halos; "
            "satellites are not thinned; every galaxy is flagged as extrapolated",
            stacklevel=3,
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

    def _check_heaviest(self, table: HODTable, scene: Scene, rows: Array) -> None:
        if self.allow_extrapolation or not len(rows):
            return
        halos = scene.halos
        log_host, log_own = hydro_masses(table, halos["host_mass"][rows], halos["mass"][rows])
        scale = " (corrected for baryons)" if table.has_twin else ""
        central = halos["is_central"][rows]
        found = []
        for kind, chosen in enumerate((central, ~central)):
            mass = log_host if table.binned_by[KINDS[kind]] == "host" else log_own
            if np.any(chosen):
                found.append(
                    f"{np.sum(chosen)} {KINDS[kind]}s by {table.mass_of(kind)} above "
                    f"10^{table.edges(kind)[-1]:.2f} Msun/h{scale}, up to "
                    f"10^{mass[chosen].max():.2f}"
                )
        raise DomainError(
            f"simulation {scene.snapshot.name}",
            "; ".join(found),
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


def _distinct(rows: Array, total: int) -> int:
    """How many different rows there are, of ``total`` that there may be."""
    seen = np.zeros(total, dtype=bool)
    seen[rows] = True
    return int(np.count_nonzero(seen))


def _shortfall(table: HODTable, hosts: Array, p: Array, is_central: Array) -> dict[str, float]:
    """How many fewer galaxies are expected than these hosts have in the hydrodynamic run.

    ``hosts`` are the numbers of resolved centrals in the mass bins of the table's rows.
    Negative where there are more; a warning where many are missing.
    """
    record = {}
    for kind, expected in enumerate(blocks.sums(p, is_central)):
        name, rows = KINDS[kind], table.rows(kind)
        target = float(hosts[rows] @ table.columns["number_hydro_mean"][rows])
        short = target - expected
        record[f"{name}s_short"] = round(short, 6)
        if short > max(SHORT * target, 3.0 * math.sqrt(target)):
            warn(
                f"calibration {table.name}: {short:.4g} of the {target:.4g} luminous {name}s that "
                f"the hydrodynamic run would have here are missing: the simulation has too few "
                f"resolved {name}s, which probabilities cannot make up for",
                stacklevel=3,
            )
    return record
