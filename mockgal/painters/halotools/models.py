"""halotools' own models as a painter: a start without calibration.

`zheng07` predicts how many galaxies brighter than a magnitude a host has; their stellar masses come
from a relation of stellar to halo mass. `leauthaud11` predicts how many galaxies above any stellar
mass a host has, which gives the law of stellar mass, too. Their parameters and ranges of validity
are in `mockgal.painters.halotools.laws`; docs/explanation/halotools-models.md has the reasons.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...columns import GALAXY_COLUMNS, Column
from ...errors import BadValueError, DomainError
from ...laws.distribution import Distribution
from ...laws.normal import PROBABILITY, normal_quantiles
from ...laws.satellites import SatelliteLaw
from ...layout import POPULATED
from ...options import documented
from ...system.deferred import Deferred
from ...types import HaloCatalog, Scene
from .. import blocks
from ..hod.painter import warn_if_short
from ..validity.advice import way_out
from .chosen import ChosenModel
from .laws import STELLAR_MASS_LAWS, StellarMassLaw
from .quantiles import mass_ratio_quantiles, rows_between, stellar_mass_quantiles

Array = NDArray[Any]

_SATELLITES = "satellites"  # of a tally: those of the model, and the luminous ones
_SCALE = 2.0**-30  # scales numbers of satellites into [0, 1], exactly


@documented
@dataclass(frozen=True)
class ModelPainter(ChosenModel):
    """Paints with a model of halotools."""

    name: ClassVar[str] = "hod"
    needs: ClassVar[frozenset[str]] = frozenset({"halos"})
    predicts_hosts: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("halotools",)
    provides: ClassVar[tuple[Column, ...]] = (
        GALAXY_COLUMNS["stellar_mass"],
        GALAXY_COLUMNS["extrapolated"],
    )

    @property
    def by_mass_alone(self) -> ModelPainter:
        """The painter of the mean at each host mass."""
        return replace(self, **self._without_assembly_bias())

    def describe(self, scene: Scene) -> dict[str, Any]:
        """Return what identifies the painter for this scene: JSON values only."""
        law, low_high = self._masses(scene), self._log_mass()
        about = {
            "name": self.name,
            "mode": "model",
            "model": self.model,
            "implementation": "halotools.empirical_models",
            **self._describe_law(scene),
            **self._describe_sample(scene),
            "stellar_mass_scaling": "Msun/h^2 of the model, with h of this run",
            "log_mass_range": list(low_high),
            "redshift_range": list(self._redshift()),
            "outside_domain": self.mismatch(scene),
            "allow_extrapolation": self.allow_extrapolation,
            "references": list(self.references),
        }
        if self.luminosity_floor is not None:
            about["luminosity_floor_msun_h"] = self._floor(scene.snapshot.cosmology.h)
        if law is not None and self.stellar_mass_law is not None:
            of = STELLAR_MASS_LAWS[self.stellar_mass_law].mass_definition
            about |= {
                "satellites_modulated_by_centrals": self.modulated_satellites
                or self.model == "abacushod",
                "stellar_mass_law": self.stellar_mass_law,
                "stellar_mass_parameters": law.parameters,
                "stellar_mass_from": "host mass of centrals and mass of satellites, as they are in "
                f"the catalogue; the law is for {of} masses, of satellites at infall",
            }
        return about

    def predict(self, scene: Scene) -> Distribution:
        """Predict luminous probability and law of log M* for each subhalo of ``scene``.

        A central is luminous with the model's probability at its host's mass. Each of the n
        satellites of a host is luminous with probability <N_sat> / n, at most 1; satellites that
        `mockgal.populate` drew from `satellites` of the same model, with probability 1. Assembly
        bias moves no more of them than there are. All are multiplied by the parameter f_ic.

        Raises
        ------
        DomainError
            The model is not valid for the simulation or its masses, and ``allow_extrapolation`` is
            not set.
        BadValueError
            The host mass of a central is zero.
        """
        outside = self.check_domain(scene)
        halos, occupation, law = scene.halos, self.occupation(scene), self._masses(scene)
        h, n = scene.snapshot.cosmology.h, len(halos)
        bias = self.bias(h)
        low, high = (10.0**edge for edge in self._log_mass())
        central, host_mass = halos["is_central"], halos["host_mass"]
        _refuse_zero_hosts(scene, low)
        populated = halos.record.get(POPULATED, {}).get("law") == self._law_name(scene)
        light = None if populated or law is None else halos["mass"] < low
        share = self.chosen.shared("f_ic")
        p, mean = np.zeros(n), np.zeros(n)
        painted, above = np.empty(n, dtype=np.bool_), np.empty(n, dtype=np.bool_)

        def occupy(part: slice) -> Array:
            here = central[part]
            hosted = np.greater_equal(host_mass[part], low, out=painted[part])
            np.greater(host_mass[part], high, out=above[part])
            rows = blocks.chosen_of(here & hosted, part)
            p[rows] = occupation.centrals(host_mass[rows])
            if not populated:  # populated satellites were drawn in this number already
                mean[rows] = occupation.satellites(host_mass[rows])
            unpainted = int(np.count_nonzero(here & ~hosted))
            if light is not None:
                hosted &= here | ~light[part]
            candidate = ~here & hosted
            p[part][candidate] = 1.0
            return np.array([unpainted, np.sum(~hosted) - unpainted, np.sum(here & above[part])])

        counts = blocks.over_blocks(occupy, n) or [occupy(slice(0, 0))]
        centrals, satellites, heavy = (int(count) for count in np.sum(counts, axis=0))
        self._check_heaviest(scene, heavy)
        rows = np.flatnonzero(painted & ~central)
        host = halos.host_row[rows]
        there = np.bincount(host, minlength=n)  # satellites that can be luminous
        occupied = np.minimum(mean, there)
        if bias is not None:
            split = bias.split_of(scene, low)
            p = split.decorate(p, self.chosen.shared("A_cen"), 1.0)
            occupied = split.decorate(occupied, self.chosen.shared("A_sat"), there)
        if not populated:
            p[rows] = np.minimum(1.0, occupied[host] / there[host])
        if share < 1.0:
            p, mean = share * p, share * mean
        tally: dict[str, Any] = {
            "not_painted_centrals_below_range": centrals,
            "not_painted_satellites_below_range": satellites,
            "hosts_above_range": heavy,
        }
        if not populated:
            target = blocks.exact_sums(mean * _SCALE, central)
            there_are = blocks.exact_sums(p, central)
            tally[_SATELLITES] = [(target or (0, 0))[0], (there_are or (0, 0))[1]]
        record = self.record_of(scene, tally, bool(central.all()))
        location: Array | Deferred
        if law is None:
            location, scale, row = np.zeros(n), np.ones(n), np.zeros(n, dtype=np.int16)
            quantiles = self._by_threshold(scene, painted, location, scale, row)
        else:
            location = self._log_mean(scene, law, painted)
            scale, row = np.broadcast_to(law.scatter, n), np.broadcast_to(np.int16(0), n)
            quantiles = normal_quantiles()[None]
        floor = -math.inf if self.luminosity_floor is None else math.log10(self._floor(h))
        return Distribution(
            p_luminous=p,
            location=location,
            scale=scale,
            residual_row=row,
            residual_probability=PROBABILITY,
            residual_quantiles=quantiles,
            floor=floor,
            extrapolated=np.ones(n, dtype=bool) if outside else above,
            record=record,
            velocity=self.velocity_bias(halos),
            tally=tally,
        )

    def _beyond(self, scene: Scene, found: str) -> DomainError:
        """Return the error of a relation that is extrapolated to nonsense."""
        low, high = STELLAR_MASS_LAWS[str(self.stellar_mass_law)].redshift
        return DomainError(
            f"painter {self.name}:stellar_mass_law",
            f"{self.stellar_mass_law} at redshift {scene.snapshot.redshift:.4g}: {found}",
            f"a redshift from {low:.4g} to {high:.4g}, or near that",
            "extrapolate less far, or give another --stellar-mass-law",
        )

    def _log_mean(self, scene: Scene, law: StellarMassLaw, painted: Array) -> Deferred:
        """Return the deferred stellar-to-halo mass relation, for the few rows drawn as luminous."""
        halos, h = scene.halos, scene.snapshot.cosmology.h

        def of(rows: Array) -> Array:
            location = np.zeros(len(rows))
            where = blocks.chosen_of(painted[rows], slice(0, len(rows)))
            rows = rows[where]
            mass, satellites = halos["host_mass"][rows], np.flatnonzero(~halos["is_central"][rows])
            mass[satellites] = blocks.take(halos.columns, {"mass": "mass"}, rows[satellites])[
                "mass"
            ]
            try:
                location[where] = log_mean = law.log_mean(mass, h)
            except ValueError as error:  # of SciPy: no curve goes through its parameters
                raise self._beyond(scene, "no relation at all") from error
            if wrong := int(np.count_nonzero(~(log_mean < np.log10(mass)))):
                raise self._beyond(scene, f"{wrong} galaxies heavier than their halos")
            return location

        return Deferred(len(halos), of)

    def _by_threshold(
        self, scene: Scene, painted: Array, location: Array, scale: Array, row: Array
    ) -> Array:
        """Fill in the law of stellar mass that follows from the numbers above each threshold.

        The law of centrals is normal, truncated at the floor. The law of satellites is tabulated in
        rows by host mass, in units of its median above the floor.
        """
        halos, h = scene.halos, scene.snapshot.cosmology.h
        occupation, floor = self.occupation(scene), self.log_floor(h)
        central, log_host = halos["is_central"], np.zeros(len(halos))
        log_host[painted] = np.log10(halos["host_mass"][painted])
        scatter = occupation.parameters["scatter_model_param1"]["value"]
        grid, medians, quantiles = stellar_mass_quantiles(floor, self.chosen.values(h))

        def fill(part: slice) -> None:
            rows = part.start + np.flatnonzero((painted & central)[part])
            mean = occupation.central.mean_stellar_mass(prim_haloprop=halos["host_mass"][rows])
            location[rows] = np.log10(mean) - math.log10(h)
            scale[rows] = scatter
            rows = part.start + np.flatnonzero((painted & ~central)[part])
            location[rows] = floor - math.log10(h)
            scale[rows] = np.interp(log_host[rows], grid, medians)
            row[rows] = 1 + rows_between(grid, log_host[rows])

        blocks.over_blocks(fill, len(halos))
        return np.vstack([normal_quantiles(), quantiles])

    def satellites(self, scene: Scene) -> SatelliteLaw:
        """Return the law of the satellites of each central of ``scene``, in order of rows.

        Their number is Poisson with the model's mean. Their mass at infall follows the unevolved
        subhalo mass function (`mass_ratio_quantiles`) above the mass at which half of the centrals
        are luminous, or above a tenth of the host's mass if that is less.

        Raises
        ------
        DomainError, BadValueError
            See `predict`.
        """
        self.check_domain(scene)
        halos, occupation = scene.halos, self.occupation(scene)
        low, high = (10.0**edge for edge in self._log_mass())
        _refuse_zero_hosts(scene, low)
        central, host_mass = halos["is_central"], halos["host_mass"]
        host_mass = host_mass if central.all() else host_mass[central]
        n = len(host_mass)
        mean, row = np.zeros(n), np.zeros(n, dtype=np.int16)
        grid, quantiles = mass_ratio_quantiles(math.log10(occupation.half_mass))

        def block(part: slice) -> Array:
            mass = host_mass[part]
            hosted = mass >= low
            rows = blocks.chosen_of(hosted, part)
            mean[rows] = occupation.satellites(host_mass[rows])
            row[rows] = rows_between(grid, np.log10(host_mass[rows]))
            return np.array([np.sum(~hosted), np.sum(mass > high)])

        counts = blocks.over_blocks(block, n) or [np.zeros(2, dtype=np.int64)]
        below, heavy = (int(count) for count in np.sum(counts, axis=0))
        self._check_heaviest(scene, heavy)
        bias = self.bias(scene.snapshot.cosmology.h)
        if bias is not None:
            split, of_all = bias.split_of(scene, low), np.zeros(len(halos))
            of_all[central] = mean
            mean = split.decorate(of_all, self.chosen.shared("A_sat"), math.inf)[central]
        return SatelliteLaw(
            name=self._law_name(scene),
            mean=mean,
            variance=mean,
            row=row,
            probability=PROBABILITY,
            log_mass_ratio=quantiles,
            references=(*self.references, "Jiang & van den Bosch 2016, arXiv:1403.6827, table A1"),
            record={
                "hosts_below_range": below,
                "least_satellite_mass_msun_h": occupation.half_mass,
            },
            origin={"model": self.model, **self._describe_law(scene)},
        )

    def check_domain(self, scene: Scene) -> list[str]:
        """Return the reasons why the model is not valid for a simulation, if that is allowed.

        Raises
        ------
        DomainError
            There are reasons, and ``allow_extrapolation`` is not set.
        """
        outside = self.mismatch(scene)
        if outside and not self.allow_extrapolation:
            expected = self.mass_definition(scene)
            flagged = "give --allow-extrapolation, which flags every galaxy"
            way = way_out(scene, {expected}, flagged, by_particles=False)
            raise DomainError(
                f"simulation {scene.snapshot.name}",
                "; ".join(outside),
                f"what model {self.model} is valid for",
                way,
            )
        return outside

    def _check_heaviest(self, scene: Scene, heavy: int) -> None:
        if self.allow_extrapolation or not heavy:
            return
        halos = scene.halos
        heaviest = halos["host_mass"][halos["is_central"]].max()
        raise DomainError(
            f"simulation {scene.snapshot.name}",
            f"{heavy} hosts above 10^{self._log_mass()[1]:.2f} Msun/h, up to "
            f"10^{math.log10(heaviest):.2f}",
            f"the range of model {self.model}",
            "--allow-extrapolation, which paints them with the model's formula, and flags them",
        )

    def record_of(
        self, scene: Scene, tally: Mapping[str, Any], hosts_only: bool
    ) -> dict[str, float]:
        """Return the record of a prediction of this tally; see `mockgal.protocols.Painter`.

        Luminous satellites that are missing from the model's number are in it; warn if many are.
        """
        record = {name: number for name, number in tally.items() if name != _SATELLITES}
        if _SATELLITES not in tally:
            return record | {"satellites_short": 0.0}
        target = tally[_SATELLITES][0] / blocks.EXACT / _SCALE
        short = target - tally[_SATELLITES][1] / blocks.EXACT
        warn_if_short(f"model {self.model}", "satellite", short, target, hosts_only)
        return record | {"satellites_short": round(short, 6)}


def _refuse_zero_hosts(scene: Scene, low: float) -> None:
    halos: HaloCatalog = scene.halos
    if halos["host_mass"].min(initial=1.0) > 0:
        return
    zero = np.flatnonzero(halos["is_central"] & (halos["host_mass"] <= 0) & (halos["mass"] >= low))
    if zero.size:
        raise BadValueError(
            f"{scene.snapshot.name}:host_mass",
            f"{zero.size} centrals of 10^{math.log10(low):.2f} Msun/h and more whose host mass "
            f"({halos.mass_definition}) is zero, the first halo_id {halos['halo_id'][zero].min()}",
            "a positive mass for every painted central",
            "--drop-bad leaves them out and counts them, or choose another --mass-definition",
        )
