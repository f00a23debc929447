"""The corrected central/satellite HOD: stellar masses by mass and type.

This is the benchmark of Kasmanoff et al. 2020 (arXiv:2012.00186, section 2.3), with its correction
split into steps. Host masses are corrected for baryons first and then binned. A subhalo is luminous
with the hydro run's probability at its mass, thinned so that the mean number of luminous galaxies
per host is the hydro run's. Its stellar mass is the median at its host's mass (or, for centrals, at
its own bound mass, as the table says) plus a residual of its bin. A table made without a
gravity-only twin has no corrections, and is used only on request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...columns import GALAXY_COLUMNS, Column
from ...errors import BadValueError, DomainError, MissingDatasetError, UsageError, warn
from ...laws.distribution import Distribution
from ...laws.satellites import SatelliteLaw
from ...layout import COMPLETE_FROM
from ...options import check_options, documented
from ...types import Scene
from .. import blocks
from ..validity.advice import mended, way_out
from .columns import KINDS, TWIN
from .options import HODOptions
from .paper import paper_complete_from, predict_paper_rows
from .ranks import ranks
from .rows import Prediction, Predictor, compiled, hydro_masses, predict_rows
from .satellites import satellite_law
from .store import comes_with_mockgal, matching, named
from .table import HODTable

Array = NDArray[Any]


_HOSTS, _LUMINOUS = "hosts_by_row", "luminous"  # of a tally, beside the counts of a record
SHORT = 0.05  # share of missing galaxies above which the user is warned, if it is also 3 sigma


@documented
@dataclass(frozen=True)
class HODPainter(HODOptions):
    """Paints with a calibration table.

    Hosts above the range of the table are painted, if that is allowed, with the scatter and
    probability of its last bin and the median extrapolated.
    """

    _named: HODTable | None = field(default=None, init=False, repr=False, compare=False)

    name: ClassVar[str] = "hod"
    needs: ClassVar[frozenset[str]] = frozenset({"halos"})
    predicts_hosts: ClassVar[bool] = True
    provides: ClassVar[tuple[Column, ...]] = (
        GALAXY_COLUMNS["stellar_mass"],
        GALAXY_COLUMNS["extrapolated"],
    )
    references: ClassVar[tuple[str, ...]] = ("Kasmanoff et al. 2020, arXiv:2012.00186",)

    def __post_init__(self) -> None:
        check_options(self)
        self._check_ranking()

    def _check_ranking(self) -> None:
        ranked, correlated = self.rank_by is not None, self.rank_correlation is not None
        if ranked != correlated or (ranked and self.mode != "corrected"):
            raise UsageError(
                "painter hod:rank_by, rank_correlation",
                f"{self.rank_by!r} and {self.rank_correlation!r} in mode {self.mode}",
                "both or neither, in mode corrected",
                "such as --rank-by vmax --rank-correlation 0.6",
            )

    @property
    def whole_box(self) -> bool:
        """Whether the prediction for a subhalo depends on the others in the box."""
        return self.rank_by is not None

    def table(self, scene: Scene) -> HODTable:
        """Return the calibration used for a scene.

        Raises
        ------
        UsageError, InputError
            There is no such table, or none whose domain holds the simulation.
        """
        if self.calibration is None:
            return matching(scene, twinless=self.missing_twin is not None)
        if isinstance(self.calibration, HODTable):
            return self.calibration
        if self._named is None:  # read once, so that the table described is the one painted with
            object.__setattr__(self, "_named", named(self.calibration))
        assert self._named is not None
        return self._named

    def checked_table(self, scene: Scene, *, quiet: bool = False) -> tuple[HODTable, list[str]]:
        """Return the calibration for a scene, and the reasons why the scene is outside its domain.

        Warn of painting without corrections unless ``quiet``.

        Raises
        ------
        DomainError, MissingDatasetError
            Extrapolation, or painting without corrections, is necessary and not allowed.
        """
        table = self.table(scene)
        outside = self._check_domain(table, scene)
        self._check_twin(table, quiet=quiet)
        return table, outside

    def describe(self, scene: Scene) -> dict[str, Any]:
        """Return what identifies the painter for this scene: JSON values only."""
        table = self.table(scene)
        return {
            "name": self.name,
            "mode": self.mode if table.has_twin else self.missing_twin or "refused",
            "rank_by": self.rank_by or "none",
            "rank_correlation": float(self.rank_correlation or 0.0),
            "calibration": table.name,
            "calibration_digest": table.digest,
            "comes_with_mockgal": comes_with_mockgal(table),
            "calibration_lacks": [] if table.has_twin else list(TWIN),
            "caution": table.provenance.get("caution", ""),
            "luminosity_floor_msun_h": table.luminosity_floor if self.mode == "corrected" else 0.0,
            **({COMPLETE_FROM: paper_complete_from(table)} if self.mode == "paper" else {}),
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
        """Predict luminous probability and law of log M* for each subhalo of ``scene``.

        Raises
        ------
        DomainError
            Masses are above the table's range, or the simulation is outside its domain, and
            ``allow_extrapolation`` is not set; or the host-mass definition differs, in any case.
        MissingDatasetError
            The table has no corrections for baryons, and ``missing_twin`` is not set.
        BadValueError
            The host mass of a resolved central is zero, where it is needed.
        """
        halos, snapshot = scene.halos, scene.snapshot
        table, outside = self.checked_table(scene)
        if "caution" in table.provenance:
            text = f"calibration {table.name}: {table.provenance['caution']}"
            warn(text)
        least_mass, n = mass_limit(table, snapshot.particle_mass), len(halos)
        predict: Predictor = partial(
            predict_paper_rows if self.mode == "paper" else predict_rows, table
        )
        if self.mode == "corrected" and n >= blocks.LARGE:
            predict = compiled(table)
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
        hosts_of = blocks.take(halos.columns, {"host_id": "host_id"}, too_heavy)
        tally: dict[str, Any] = {
            "not_painted_unresolved": unresolved,
            "not_painted_centrals_below_range": centrals,
            "not_painted_satellites_below_range": satellites,
            f"not_painted_{'without_galaxies' if self.mode == 'paper' else 'below_floor'}": faint,
            "hosts_above_range": len(np.unique(hosts_of["host_id"])),
        }
        if self.mode == "corrected":
            luminous = blocks.exact_sums(out.p_luminous, halos["is_central"])
            tally |= {_HOSTS: [int(n) for n in hosts], _LUMINOUS: list(luminous or (0, 0))}
        record = _record(table, tally, bool(halos["is_central"].all()))
        flagged = bool(outside) or not table.has_twin
        return Distribution(
            p_luminous=out.p_luminous,
            location=out.location,
            scale=np.broadcast_to(1.0, n),
            residual_row=out.residual_row,
            residual_probability=table.residual_probability,
            residual_quantiles=table.columns[
                "stellar_mass_quantiles" if self.mode == "paper" else "residual_quantiles"
            ],
            floor=-math.inf if self.mode == "paper" else math.log10(table.luminosity_floor),
            extrapolated=np.ones(n, dtype=bool) if flagged else out.above,
            record=record,
            rank=self._ranks(table, scene, out),
            rank_correlation=float(self.rank_correlation or 0.0),
            tally=tally,
        )

    def record_of(
        self, scene: Scene, tally: Mapping[str, Any], hosts_only: bool
    ) -> dict[str, float]:
        """Return the record of a prediction of this tally; see `mockgal.protocols.Painter`."""
        return _record(self.table(scene), tally, hosts_only)

    def satellites(self, scene: Scene) -> SatelliteLaw:
        """Return the table's satellites of hosts without subhalos, for `mockgal.populate`.

        Raises
        ------
        DomainError, MissingDatasetError
            See `predict`; or the table has no satellites.
        """
        table, _ = self.checked_table(scene, quiet=True)
        about = self.describe(scene)
        origin = {key: about[key] for key in ("mode", "calibration", "calibration_digest")}
        return replace(satellite_law(table, scene), origin=origin)

    def _ranks(self, table: HODTable, scene: Scene, out: Prediction) -> Array | None:
        if self.rank_by is None:
            return None
        halos = scene.halos
        if self.rank_by not in halos:
            raise MissingDatasetError(
                f"simulation {scene.snapshot.name}",
                f"no {self.rank_by}",
                f"the {self.rank_by} of every subhalo, to rank by it",
                "rank by mass (--rank-by mass), or leave --rank-by out",
            )
        kind = np.where(halos["is_central"], 0, 1)
        masses = hydro_masses(table, halos["host_mass"], halos["mass"])
        by = [masses[table.binned_by[name] != "host"] for name in KINDS]
        values, painted = halos[self.rank_by], out.p_luminous > 0
        bad = np.flatnonzero(painted & ~(values > 0))
        if bad.size:
            raise BadValueError(
                f"{scene.snapshot.name}:{self.rank_by}",
                f"{bad.size} subhalos to be ranked by a value that is not positive, the first "
                f"halo_id {halos['halo_id'][bad].min()}",
                "positive values",
                "rank by the other property, or leave --rank-by out",
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            log_property = np.log10(values)
        return ranks(
            halos["halo_id"],
            out.residual_row,
            np.where(kind == 0, *by),
            log_property,
            out.p_luminous,
        )

    def _check_twin(self, table: HODTable, *, quiet: bool) -> None:
        if table.has_twin and self.missing_twin is not None:
            raise UsageError(
                "painter hod:missing_twin",
                f"{self.missing_twin!r} for calibration {table.name}, which has its twin",
                "a calibration made without one",
                "leave the option out, or take another calibration",
            )
        if table.has_twin:
            return
        if self.mode == "paper":
            raise MissingDatasetError(
                f"HOD calibration {table.name}",
                "no gravity-only twin",
                "a calibration of a pair, for mode paper",
                "leave --mode out, or take another calibration",
            )
        if self.missing_twin is None:
            table.refuse_missing_twin()
        if quiet:
            return
        warn(
            f"calibration {table.name}: made without a gravity-only twin, and painted uncorrected "
            "as requested: halo masses are not corrected for baryons, satellites are not thinned, "
            "and every galaxy is flagged as extrapolated",
        )

    def _check_domain(self, table: HODTable, scene: Scene) -> list[str]:
        outside = table.mismatch(scene)
        definition = scene.halos.mass_definition
        if definition != table.mass_definition:
            raise DomainError(
                f"simulation {scene.snapshot.name}",
                "; ".join(outside),
                f"host masses as in calibration {table.name}, which cannot be extrapolated",
                way_out(scene, {table.mass_definition}, "take another calibration, or a --model"),
            )
        if outside and not self.allow_extrapolation:
            flagged = "take another calibration, or --allow-extrapolation, which flags every galaxy"
            others = table.mismatch(mended(scene, table.mass_definition, table.particle_mass))
            raise DomainError(
                f"simulation {scene.snapshot.name}",
                "; ".join(outside),
                f"the domain of calibration {table.name}",
                flagged if others else way_out(scene, {table.mass_definition}, flagged),
            )
        return outside

    def _check_heaviest(self, table: HODTable, scene: Scene, rows: Array) -> None:
        if self.allow_extrapolation or not len(rows):
            return
        halos = scene.halos
        log_host, log_own = hydro_masses(table, halos["host_mass"][rows], halos["mass"][rows])
        scale = " (corrected for baryons)" if table.corrects_masses else ""
        central = halos["is_central"][rows]
        excess = []
        for kind, chosen in enumerate((central, ~central)):
            mass = log_host if table.binned_by[KINDS[kind]] == "host" else log_own
            if np.any(chosen):
                excess.append(
                    f"{np.sum(chosen)} {KINDS[kind]}s by {table.mass_of(kind)} above "
                    f"10^{table.edges(kind)[-1]:.2f} Msun/h{scale}, up to "
                    f"10^{mass[chosen].max():.2f}"
                )
        raise DomainError(
            f"simulation {scene.snapshot.name}",
            "; ".join(excess),
            f"the range of calibration {table.name}",
            "take a calibration that reaches as far, or --allow-extrapolation, which paints "
            "them as its last bin, with the median extrapolated, and flags them",
        )


def mass_limit(table: HODTable, particle_mass: float | None) -> float:
    """Return the lowest painted subhalo mass [Msun/h]: ``least_particles`` of the coarser run."""
    return table.least_mass * max(1.0, (particle_mass or 0.0) / table.particle_mass)


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


def _record(table: HODTable, tally: Mapping[str, Any], hosts_only: bool) -> dict[str, float]:
    """Return the counts of a prediction, and how many fewer galaxies are expected than should be.

    They should be as many as hosts of these masses have in the hydrodynamic run: `_HOSTS` are the
    numbers of resolved centrals in the mass bins of the table's rows. A shortfall is negative if
    there are more galaxies. Warn if many are missing.
    """
    record = {name: number for name, number in tally.items() if name not in (_HOSTS, _LUMINOUS)}
    if _HOSTS not in tally:
        return record
    hosts = np.array(tally[_HOSTS], dtype=np.int64)
    for kind, luminous in enumerate(tally[_LUMINOUS]):
        name, rows = KINDS[kind], table.rows(kind)
        target = float(hosts[rows] @ table.columns["number_hydro_mean"][rows])
        short = target - luminous / blocks.EXACT
        record[f"{name}s_short"] = round(short, 6)
        warn_if_short(f"calibration {table.name}", name, short, target, hosts_only)
    return record


def warn_if_short(who: str, kind: str, short: float, target: float, hosts_only: bool) -> None:
    """Warn if many of a kind's galaxies are missing from a simulation.

    Parameters
    ----------
    who : str
        The calibration or model that predicts their number.
    kind : str
        One of `mockgal.painters.hod.columns.KINDS`.
    short, target : float
        Number of missing galaxies, and the predicted number.
    hosts_only : bool
        Whether the simulation has no satellites at all.
    """
    if short > max(SHORT * target, 3.0 * math.sqrt(target)):
        warn(
            f"{who}: {short:.4g} of the {target:.4g} luminous {kind}s that it predicts here are "
            f"missing: there are too few resolved {kind}s to paint"
            + "; --populate makes satellites for hosts that come without subhalos"
            * hosts_only,
        )
