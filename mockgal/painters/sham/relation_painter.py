"""Stellar masses by a published relation of stellar to halo mass, with log-normal scatter."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...columns import GALAXY_COLUMNS, Column
from ...errors import DomainError, UsageError, warn
from ...laws.distribution import Distribution
from ...options import check_options, documented
from ...quantity import in_unit
from ...types import Scene
from ..validity.advice import way_out
from .options import RELATIONS, RelationOptions, check_given
from .proxies import peak_definition
from .relations import LAWS, Relation

Array = NDArray[Any]

_LEAST_SCATTER = 1e-6  # dex, in place of 0
_ROUNDING = 1e-3  # of redshifts


@documented
@dataclass(frozen=True)
class RelationPainter(RelationOptions):
    """Paints by a published relation of stellar to halo mass."""

    name: ClassVar[str] = "smhm"
    needs: ClassVar[frozenset[str]] = frozenset({"halos"})
    predicts_hosts: ClassVar[bool] = True
    provides: ClassVar[tuple[Column, ...]] = (
        GALAXY_COLUMNS["stellar_mass"],
        GALAXY_COLUMNS["extrapolated"],
    )

    def __post_init__(self) -> None:
        check_options(self)
        check_given(self, self.name, ("relation",))

    @property
    def law(self) -> Relation:
        """The relation."""
        return LAWS[str(self.relation)]

    @property
    def references(self) -> tuple[str, ...]:
        """Source of the relation."""
        return (self.law.reference,)

    def mismatch(self, scene: Scene) -> list[str]:
        """Return the reasons why the relation is not valid for a simulation; empty if it is."""
        (first, last), (low, high) = scene.snapshot.redshifts, self.law.redshift
        reasons = []
        if scene.halos.mass_definition != self.law.mass_definition:
            reasons.append(
                f"host mass is {scene.halos.mass_definition}, not {self.law.mass_definition}"
            )
        if not low - _ROUNDING <= first <= last <= high + _ROUNDING:
            reasons.append(f"redshift {scene.snapshot.redshift:.4g} outside {low:g} to {high:g}")
        if "stellar_mass" in scene.halos:
            reasons.append("the run is hydrodynamic, and relations are for gravity-only halos")
        return reasons

    def check(self, scene: Scene) -> list[str]:
        """Return the reasons why the relation is not valid for a simulation, if that is allowed.

        Raises
        ------
        DomainError
            There are reasons, and ``allow_extrapolation`` is not set.
        UsageError
            Neither the floor nor the mass of a particle is known.
        """
        self._floor(scene)
        outside = self.mismatch(scene)
        if outside and not self.allow_extrapolation:
            raise DomainError(
                f"simulation {scene.snapshot.name}",
                "; ".join(outside),
                f"what the relation {self.relation} holds for",
                way_out(
                    scene,
                    {self.law.mass_definition},
                    "give --allow-extrapolation, which flags every galaxy",
                    by_particles=False,
                ),
            )
        return outside

    def predict(self, scene: Scene) -> Distribution:
        """Predict luminous probability and law of log M* for each subhalo of ``scene``.

        Centrals have the mass of their host, satellites their mass at its peak, or their bound
        mass where the input has no peaks. Some relations take peaks for centrals, too.

        Raises
        ------
        DomainError
            See `check`.
        """
        outside = self.check(scene)
        halos, snapshot = scene.halos, scene.snapshot
        h, redshift = snapshot.cosmology.h, max(snapshot.redshift, 0.0)
        own, central = halos["mass"], halos["is_central"]
        peaks = "peak_mass" in halos
        mass = np.where(central, halos["host_mass"], halos["peak_mass"] if peaks else own)
        if peaks and self.law.peak == "all":
            mass = np.where(central, np.maximum(mass, halos["peak_mass"]), mass)
        if not peaks and not central.all():
            warn(
                "satellites have their mass after stripping, as the input has no peak_mass: their "
                "stellar masses are too small"
            )
        resolved = (own >= self._least_mass(scene)) & (mass > 0)
        log_mass = np.log10(np.where(resolved, mass, h * 1e12)) - math.log10(h)
        (low, _), high = self.law.log_mass, self.law.highest(redshift)
        median = self.law.log_stellar_mass(np.minimum(log_mass, high), redshift) + math.log10(h)
        beyond = resolved & ((log_mass < low) | (log_mass > high))
        return Distribution.normal(
            np.where(resolved, median, -np.inf),
            max(self._scatter(redshift), _LEAST_SCATTER),
            floor=math.log10(self._floor(scene)),
            extrapolated=np.ones(len(halos), dtype=np.bool_) if outside else beyond,
            record={
                "not_painted_unresolved": int(np.count_nonzero(~resolved)),
                "not_painted_unresolved_satellites": int(np.count_nonzero(~resolved & ~central)),
                "orphans_of_the_input": int(snapshot.record.get("orphans_of_the_model", 0)),
                "below_the_relation": int(np.count_nonzero(resolved & (log_mass < low))),
                "above_the_relation": int(np.count_nonzero(resolved & (log_mass > high))),
            },
        )

    def describe(self, scene: Scene) -> dict[str, Any]:
        """Return what identifies the painter for this scene: JSON values only."""
        h, redshift = scene.snapshot.cosmology.h, max(scene.snapshot.redshift, 0.0)
        peaks = "peak_mass" in scene.halos
        stated = self.scatter is not None
        return {
            "name": self.name,
            "relation": self.relation,
            "scatter_dex": self._scatter(redshift),
            "scatter_from": "the user" if stated else self.law.scatter_from,
            "imf": "Chabrier",
            "stellar_mass_scaling": "Msun of the paper, with h of this run",
            "mass_definition": self.law.mass_definition,
            "mass_of_satellites": f"at its peak ({peak_definition(scene)})"
            if peaks
            else "bound mass, after stripping",
            "redshift": redshift,
            "redshift_range": list(self.law.redshift),
            "log_mass_range": [
                edge + math.log10(h) for edge in (self.law.log_mass[0], self.law.highest(redshift))
            ],
            "least_subhalo_mass_msun_h": self._least_mass(scene),
            "luminosity_floor_msun_h": self._floor(scene),
            "outside_domain": self.mismatch(scene),
            "allow_extrapolation": self.allow_extrapolation,
            "references": list(self.references),
        }

    def _scatter(self, redshift: float) -> float:
        if self.scatter is None:
            return self.law.scatter(redshift)
        return in_unit("scatter", self.scatter, "dex", 1.0)

    def _floor(self, scene: Scene) -> float:
        """Return the least stellar mass of a galaxy [Msun/h].

        Raises
        ------
        UsageError
            It is not given, and does not follow from the mass of a particle.
        """
        h, least = scene.snapshot.cosmology.h, self._least_mass(scene)
        if self.floor is not None:
            return in_unit("floor", self.floor, "Msun / littleh", h)
        if not least:
            raise UsageError(
                "painter smhm:floor",
                "none, and a simulation whose particles have no known mass",
                "the least stellar mass of a galaxy",
                'give --floor "1e9 Msun/h", or --particle-mass "1e9 Msun/h"',
            )
        lightest = np.array([max(math.log10(least / h), self.law.log_mass[0])])
        redshift = max(scene.snapshot.redshift, 0.0)
        return float(10.0 ** self.law.log_stellar_mass(lightest, redshift)[0] * h)

    def _least_mass(self, scene: Scene) -> float:
        """Return the least bound mass of a subhalo that is painted [Msun/h]; 0 if not known."""
        return self.least_particles * (scene.snapshot.particle_mass or 0.0)


def _alternatives() -> Iterator[tuple[dict[str, Any], ...]]:
    for extrapolate in ({}, {"allow_extrapolation": True}):
        yield tuple(
            {"relation": name, **floor, **extrapolate}
            for name in RELATIONS
            for floor in ({}, {"floor": "1e9 Msun/h"})
        )


RelationPainter.alternatives = _alternatives  # type: ignore[attr-defined]
