"""Which model of halotools the user chose, with which parameters, and what it is valid for."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...errors import UsageError, shown
from ...laws.velocity import VelocityBias
from ...layout import POPULATED, SELECTED_BY
from ...options import check_options
from ...quantity import in_unit
from ...types import HaloCatalog, Scene
from ..hod.options import ModelOptions
from .decoration import REFERENCE as DECORATED
from .laws import (
    ANY,
    OCCUPATIONS,
    STELLAR_MASS_LAWS,
    STELLAR_RANGE,
    Occupation,
    StellarMassLaw,
    Validity,
    abacushod,
    leauthaud11,
    stellar_mass_law,
    zheng07,
)
from .parameters import WITHOUT, Chosen
from .surroundings import Property

_LEAST_FLOOR, _LARGEST_FLOOR = 1e3, 1e14  # Msun/h: beyond them formulas overflow
_ROUNDING = 1e-6  # of redshifts that were computed from a scale factor
_NEEDED = {
    "zheng07": ("stellar_mass_law",),
    "abacushod": ("stellar_mass_law",),
    "leauthaud11": ("luminosity_floor",),
}
_MAY_HAVE = {"zheng07": ("threshold", "modulated_satellites")}
_RADIUS = 5.0  # Mpc/h, as AbacusHOD has it by default
_STRENGTHS = ("A_cen", "A_sat")


@dataclass(frozen=True)
class ChosenModel(ModelOptions):
    """A model of halotools with its parameters."""

    def __post_init__(self) -> None:
        check_options(self)
        self._check_needed()
        low, high = _LEAST_FLOOR, _LARGEST_FLOOR
        if self.luminosity_floor is not None and not low <= self._floor(1.0) <= high:
            raise UsageError(
                "painter hod:luminosity_floor",
                shown(self.luminosity_floor),
                f"a stellar mass from {low:g} to {high:g} Msun/h",
                'such as "1e9 Msun/h"',
            )
        self._check_parameters()
        self._check_assembly_bias()

    def _check_needed(self) -> None:
        needed, takes = _NEEDED[self.model], _MAY_HAVE.get(self.model, ())
        for key in ("threshold", "stellar_mass_law", "luminosity_floor", "modulated_satellites"):
            value = getattr(self, key) or None
            option = f"--{key.replace('_', '-')}"
            if key not in takes and (value is None) == (key in needed):
                raise UsageError(
                    f"painter hod:{key}",
                    "none" if value is None else repr(value),
                    f"{'one' if value is None else 'none'} with model {self.model}, which takes "
                    + ", ".join((*takes, *needed)),
                    f"give {option}" if value is None else f"leave {option} out",
                )

    def _check_parameters(self) -> None:
        missing, own = self.chosen.missing, self.chosen.own
        if self.model == "leauthaud11":
            return
        if self.threshold is None and missing:
            published = ", or --threshold for published ones" * (self.model == "zheng07")
            raise UsageError(
                "painter hod:threshold, parameters" if published else "painter hod:parameters",
                f"no {', '.join(missing)}",
                f"all parameters of model {self.model}{published}",
                f'--parameters "{", ".join(f"{name}=..." for name in missing)}"',
            )
        if self.threshold is not None and own and not missing:
            raise UsageError(
                "painter hod:threshold",
                f"{self.threshold:g} beside all parameters of model {self.model}",
                "published parameters, or one's own",
                "leave --threshold out, or those parameters that are the published ones",
            )

    def _check_assembly_bias(self) -> None:
        given = [name for name in _STRENGTHS if self.chosen.is_given(name)]
        if (self.assembly_bias is None) == bool(given):
            raise UsageError(
                "painter hod:assembly_bias",
                f"{self.assembly_bias or 'none'}, with parameters {', '.join(given) or 'none'}",
                f"a property, and {' or '.join(_STRENGTHS)} among the parameters",
                'such as --assembly-bias concentration --parameters "A_cen=0.5"',
            )
        in_spheres = self.assembly_bias in ("environment", "shear")
        for key, needs in (
            ("assembly_bias_split", self.assembly_bias is not None),
            ("environment_radius", in_spheres),
            ("environment_from", in_spheres),
        ):
            if getattr(self, key) is not None and not needs:
                raise UsageError(
                    f"painter hod:{key}",
                    f"{shown(getattr(self, key))} with --assembly-bias {self.assembly_bias}",
                    "none" if self.assembly_bias is None else "environment or shear",
                    f"leave --{key.replace('_', '-')} out, or give --assembly-bias",
                )

    @cached_property
    def chosen(self) -> Chosen:
        """The parameters that the user gave."""
        return Chosen.of(self.model, self.parameters)

    @property
    def is_free(self) -> bool:
        """Whether all parameters of the model are the user's, so that no published range holds."""
        return not self.chosen.missing

    @property
    def whole_box(self) -> bool:
        """Whether the prediction for a subhalo depends on the hosts in the box."""
        return self.assembly_bias is not None

    @property
    def references(self) -> tuple[str, ...]:
        """Sources of the model."""
        return (
            *(part.reference for part in self._parts()),
            *((DECORATED,) if self.assembly_bias else ()),
            "Hearin et al. 2017, arXiv:1606.04106 (halotools)",
        )

    def _parts(self) -> tuple[Validity, ...]:
        occupation = OCCUPATIONS[self.model]
        if self.is_free:
            log_mass = occupation.log_mass if self.model == "leauthaud11" else ANY[1]
            occupation = occupation._replace(
                reference=occupation.form, redshift=ANY[0], log_mass=log_mass
            )
        law = self.stellar_mass_law
        return (occupation, *([STELLAR_MASS_LAWS[law]] if law else []))

    def _law_name(self, scene: Scene) -> str:
        """Return the name of the satellites' law; satellites of others are ordinary subhalos."""
        h = scene.snapshot.cosmology.h
        floor, magnitude = self._floor(h), self.threshold
        what = f"M* > {floor!r} Msun/h" if self.luminosity_floor is not None else ""
        if magnitude is not None:
            what = f"M_r < {magnitude:g}"
        if self.modulated_satellites:
            what += ", modulated by centrals"
        bias = self.bias(h)
        facts = {
            "own": self.chosen.values(h),
            "bias": None if bias is None else [*bias, self.chosen.shared("A_sat")],
        }
        if any(facts.values()):
            digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=6).hexdigest()
            what = ", ".join(part for part in (what, f"parameters {digest}") if part)
        return f"halotools {self.model} ({what}), masses by the unevolved subhalo mass function"

    def _redshift(self) -> tuple[float, float]:
        parts = [part.redshift for part in self._parts()]
        return max(low for low, _ in parts), min(high for _, high in parts)

    def _log_mass(self) -> tuple[float, float]:
        parts = [part.log_mass for part in self._parts()]
        return max(low for low, _ in parts), min(high for _, high in parts)

    def log_floor(self, h: float) -> float:
        """Return log10 of the luminosity floor in halotools' unit, Msun/h^2."""
        return math.log10(self._floor(h) * h)

    @property
    def least_mass(self) -> float:
        """The least mass of hosts, and of satellites with a stellar mass law, that are painted."""
        return float(10.0 ** self._log_mass()[0])

    def _floor(self, h: float) -> float:
        """Return the luminosity floor [Msun/h]; 0 for a model without one."""
        return in_unit("luminosity floor", self.luminosity_floor or 0.0, "Msun / littleh", h)

    def occupation(self, scene: Scene) -> Occupation:
        """Return halotools' occupation model for a simulation, without assembly bias."""
        h = scene.snapshot.cosmology.h
        given = self.chosen.values(h)
        if self.model == "abacushod":
            return abacushod(given)
        if self.model == "zheng07":
            magnitude = None if self.threshold is None else float(self.threshold)
            return zheng07(magnitude, given, modulated=self.modulated_satellites)
        return leauthaud11(self.log_floor(h), given)

    def _masses(self, scene: Scene) -> StellarMassLaw | None:
        if self.stellar_mass_law is None:
            return None
        return stellar_mass_law(self.stellar_mass_law, max(scene.snapshot.redshift, 0.0))

    def bias(self, h: float) -> Property | None:
        """Return the property that galaxies depend on beside host mass, in a run of this h."""
        if self.assembly_bias is None:
            return None
        radius = _RADIUS if self.environment_radius is None else self.environment_radius
        return Property(
            self.assembly_bias,
            0.5 if self.assembly_bias_split is None else float(self.assembly_bias_split),
            in_unit("painter hod:environment_radius", radius, "Mpc / littleh", h),
            self.environment_from or "halos",
        )

    def velocity_bias(self, halos: HaloCatalog) -> VelocityBias | None:
        """Return the velocity bias of galaxies; None if there is none.

        Raises
        ------
        UsageError
            Centrals are biased, and their hosts have no radius.
        """
        central, satellite = (self.chosen.shared(name) for name in ("alpha_c", "alpha_s"))
        if (central, satellite) == (WITHOUT["alpha_c"], WITHOUT["alpha_s"]):
            return None
        definition = halos.record.get(POPULATED, {}).get("radius_definition")
        definition = str(definition or halos.mass_definition)
        if central and definition == "fof":
            raise UsageError(
                "painter hod:parameters:alpha_c",
                "friends-of-friends masses, which have no radius, and so no dispersion",
                "another mass definition",
                "choose another --mass-definition; or --radius-definition, with --populate",
            )
        return VelocityBias(central, satellite, definition)

    def mismatch(self, scene: Scene) -> list[str]:
        """Return the reasons why the model is not valid for a simulation; empty if it is."""
        halos, (first, last) = scene.halos, scene.snapshot.redshifts
        expected, reasons = self.mass_definition(scene), []
        if halos.mass_definition != expected:
            reasons.append(f"host mass is {halos.mass_definition}, not {expected}")
        if "stellar_mass" in halos:
            reasons.append("the run is hydrodynamic, and the models are for gravity-only halos")
        low, high = self._redshift()
        if not low - _ROUNDING <= first <= last <= high + _ROUNDING:
            here = f"{first:.4g}" + f" to {last:.4g}" * (first != last)
            reasons.append(f"redshift {here} outside [{low:.4g}, {high:.4g}]")
        if self.luminosity_floor is not None:
            h = scene.snapshot.cosmology.h
            low, high = STELLAR_RANGE
            if not low <= self.log_floor(h) <= high:
                bounds = [10.0**edge / h for edge in STELLAR_RANGE]
                reasons.append(
                    f"luminosity floor {self._floor(h):.4g} Msun/h outside "
                    f"[{bounds[0]:.4g}, {bounds[1]:.4g}]"
                )
        return reasons

    def mass_definition(self, scene: Scene) -> str:
        """Return the definition of host mass that the parameters are for.

        Those of the user are for the masses as they are.
        """
        return scene.halos.mass_definition if self.is_free else self._parts()[0].mass_definition

    def _describe_law(self, scene: Scene) -> dict[str, Any]:
        """Return the parameters and where they come from: JSON values."""
        about: dict[str, Any] = {"parameters": self.occupation(scene).parameters}
        if self.chosen.stated:
            about["parameters_given"] = self.chosen.record(scene.snapshot.cosmology.h)
        bias = self.bias(scene.snapshot.cosmology.h)
        if bias is not None:
            strengths = {name: self.chosen.shared(name) for name in _STRENGTHS}
            about["assembly_bias"] = bias.describe(scene) | strengths
        return about

    def _describe_sample(self, scene: Scene) -> dict[str, Any]:
        """Return which galaxies are in the sample, and how they move: JSON values."""
        about: dict[str, Any] = {"mass_definition": self.mass_definition(scene)}
        if self.is_free:
            about["parameters_for"] = "host masses as they are in the catalogue"
        velocity = self.velocity_bias(scene.halos)
        if velocity is not None:
            about["velocity_bias"] = {
                "alpha_c": velocity.central,
                "alpha_s": velocity.satellite,
                "host_dispersion": f"sqrt(G M / 2 R) for {velocity.definition} masses",
            }
        if self.threshold is not None:
            changed = ", with parameters of the user" if self.chosen.own else ""
            about |= {
                "threshold_m_r": float(self.threshold),
                SELECTED_BY: f"M_r < {self.threshold:g}{changed}",
            }
        elif self.luminosity_floor is None:
            about[SELECTED_BY] = "the parameters of the HOD"
        share = self.chosen.shared("f_ic")
        if share < 1.0:
            about |= {"f_ic": share, SELECTED_BY: f"a share f_ic = {share:g} of the galaxies"}
        return about

    def _without_assembly_bias(self) -> dict[str, Any]:
        """Return changes that take the assembly bias away."""
        if self.assembly_bias is None:
            return {}
        kept = self.chosen.without(*_STRENGTHS)
        names = ("assembly_bias", "assembly_bias_split", "environment_radius", "environment_from")
        return dict.fromkeys(names) | {"parameters": kept or None}
