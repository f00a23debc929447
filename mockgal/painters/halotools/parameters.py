"""The parameters of occupation models, as users give them: which there are, their units and ranges.

Masses may be logarithms, ``12.02 log10(Msun/h)``, or not, ``1.05e12 Msun/h``. Without a power of h
in their unit they are converted with an h: that of the fit, which is among the parameters, or that
of the simulation. The models compute in log10 of Msun/h; Leauthaud et al. 2011 in log10 of Msun
with h = 0.72, in which halotools has its parameters too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...errors import UsageError, shown
from ...quantity import UnitError, conversion, finite, named_values, split

PROPERTIES = ("concentration", "environment", "shear")  # that galaxies may depend on beside mass
SOURCES = ("halos", "matter")  # of the density field
EXAMPLE = "logMmin=12.02 log10(Msun/h), sigma_logM=0.26, alpha=1.06"
HALO, STELLAR = "Msun / littleh", "Msun / littleh^2"  # stellar masses scale with distance squared
H_LEAUTHAUD = 0.72
_NOMINAL_H = 0.7  # to check ranges with before the simulation is known
_ALIASES = {  # halotools' and AbacusHOD's names of what all models share
    "mean_occupation_centrals_assembias_param1": "A_cen",
    "mean_occupation_satellites_assembias_param1": "A_sat",
    "ic": "f_ic",
}


class Parameter(NamedTuple):
    """A parameter of a model.

    Parameters
    ----------
    meaning : str
        For the documentation.
    least, most : float
        Allowed values, in the unit of the model.
    unit : str
        Unit of a mass, `HALO` or `STELLAR`; "dex" for widths, and "" for plain numbers.
    shift : float
        What turns log10 of a mass in ``unit`` into the number that the model has.
    """

    meaning: str
    least: float
    most: float
    unit: str = ""
    shift: float = 0.0

    @property
    def is_mass(self) -> bool:
        """Whether it is the logarithm of a mass."""
        return self.unit in (HALO, STELLAR)

    @property
    def label(self) -> str:
        """The unit of the number that the model has, as people write it."""
        if not self.is_mass:
            return self.unit
        if self.shift:
            return f"log10(Msun), h = {H_LEAUTHAUD:g}"
        return self.logarithm

    @property
    def logarithm(self) -> str:
        """The unit in which users give the logarithm of a mass."""
        return f"log10({self.unit.replace(' ', '').replace('littleh', 'h')})"

    def text(self, value: float) -> str:
        """Return a number that the model has as a text with a unit, which users can give."""
        if not self.is_mass:
            return f"{value!r} {self.unit}".rstrip()
        return f"{value - self.shift!r} {self.logarithm}"


def _mass(meaning: str, unit: str = HALO, shift: float = 0.0, least: float = 5.0) -> Parameter:
    return Parameter(meaning, least, 18.0, unit, shift)


_SHIFT = -math.log10(H_LEAUTHAUD)
_POWER = Parameter("slope of the number of satellites at high mass", 0.0, 5.0)
_M1 = _mass("mass of hosts with one satellite")
MODELS: dict[str, dict[str, Parameter]] = {
    "zheng07": {
        "logMmin": _mass("mass at which half of the centrals are luminous"),
        "sigma_logM": Parameter("width of the step of centrals", 1e-3, 5.0, "dex"),
        "logM0": _mass("mass below which hosts have no satellites", least=0.0),
        "logM1": _M1,
        "alpha": _POWER,
    },
    "abacushod": {
        "logM_cut": _mass("mass at which half of the centrals are luminous"),
        "sigma": Parameter("width of the step of centrals: sigma_logM / sqrt(2)", 1e-3, 5.0, "dex"),
        "kappa": Parameter("mass below which hosts have no satellites, over M_cut", 0.0, 100.0),
        "logM1": _M1,
        "alpha": _POWER,
    },
    "leauthaud11": {
        "smhm_m1_0": _mass("halo mass of the stellar-to-halo mass relation", HALO, _SHIFT),
        "smhm_m0_0": _mass("stellar mass of that relation", STELLAR, 2 * _SHIFT, 3.0),
        "smhm_beta_0": Parameter("its slope at low mass", 0.01, 5.0),
        "smhm_delta_0": Parameter("its curvature at high mass", 0.0, 5.0),
        "smhm_gamma_0": Parameter("its transition", -5.0, 10.0),
        "scatter_model_param1": Parameter("scatter of stellar mass", 1e-3, 2.0, "dex"),
        "alphasat": Parameter("slope of the number of satellites", 0.0, 5.0),
        "bsat": Parameter("normalization of the mass of hosts with one satellite", 1e-3, 1e4),
        "betasat": Parameter("its slope with the mass at the floor", -5.0, 5.0),
        "bcut": Parameter("normalization of the cut-off of satellites", 0.0, 1e4),
        "betacut": Parameter("its slope with the mass at the floor", -5.0, 5.0),
    },
}
SHARED = {
    "A_cen": Parameter("assembly bias of centrals", -1.0, 1.0),
    "A_sat": Parameter("assembly bias of satellites", -1.0, 1.0),
    "alpha_c": Parameter("velocity dispersion of centrals over that of their host", 0.0, 10.0),
    "alpha_s": Parameter("velocities of satellites over those that they have", 0.0, 10.0),
    "f_ic": Parameter("share of galaxies that are in the sample", 0.0, 1.0),
    "h": Parameter("h of the fit, for masses in Msun", 0.1, 2.0),
}
WITHOUT = {"A_cen": 0.0, "A_sat": 0.0, "alpha_c": 0.0, "alpha_s": 1.0, "f_ic": 1.0}  # no effect


class Value(NamedTuple):
    """A value at h = 1, and the factor of log10 h that is added to it."""

    value: float
    h_power: int = 0


@dataclass(frozen=True)
class Chosen:
    """The parameters that a user gave.

    Parameters
    ----------
    model : str
        A key of `MODELS`.
    stated : mapping of str to str or float
        As they were given, by name.

    Raises
    ------
    UsageError
        A name is unknown, a value has no unit or a wrong one, or is out of range.
    """

    model: str
    stated: Mapping[str, str | float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        allowed = {**MODELS[self.model], **SHARED}
        values: dict[str, Value] = {}
        for name, text in self.stated.items():
            known = _ALIASES.get(name, name)
            if known not in allowed:
                raise UsageError(
                    f"painter hod:parameters:{name}",
                    f"no parameter of model {self.model}",
                    f"one of {', '.join(allowed)}",
                )
            if known in values:
                raise UsageError(f"painter hod:parameters:{name}", f"{known} twice", "once")
            values[known] = value_of(f"painter hod:parameters:{name}", text, allowed[known])
        object.__setattr__(self, "_values", values)
        self._check_h()
        for name, value in self._at(_NOMINAL_H).items():
            one = allowed[name]
            if not one.least <= value <= one.most:
                raise UsageError(
                    f"painter hod:parameters:{name}",
                    shown(self._text(name)),
                    f"from {one.least:g} to {one.most:g} {one.label}".rstrip(),
                    "correct the value, or its unit",
                )

    @classmethod
    def of(cls, model: str, parameters: str | Mapping[str, Any] | None) -> Chosen:
        """Return the parameters in an option's value.

        Raises
        ------
        UsageError
        """
        values = named_values("painter hod:parameters", parameters or {}, EXAMPLE)
        return cls(model, values)

    def _check_h(self) -> None:
        depending = [name for name, value in self._values.items() if value.h_power]
        if "h" in self._values and not depending:
            raise UsageError(
                "painter hod:parameters:h",
                f"h={self._text('h')}, and no parameter that depends on it",
                "h beside masses without it, in Msun or log10(Msun)",
                "leave it out",
            )
        if self.model == "leauthaud11" and depending and "h" not in self._values:
            raise UsageError(
                f"painter hod:parameters:{depending[0]}",
                f"{self._text(depending[0])}, which depends on h",
                "the h of the fit as well, or halo masses in Msun/h and stellar masses in Msun/h^2",
                f"add h={H_LEAUTHAUD:g}, if the fit is one of Leauthaud et al.",
            )

    def _text(self, name: str) -> str:
        names = {_ALIASES.get(key, key): value for key, value in self.stated.items()}
        return str(names[name])

    _values: dict[str, Value] = field(init=False, repr=False, compare=False)

    @property
    def own(self) -> tuple[str, ...]:
        """Those of the model itself that are given."""
        return tuple(name for name in MODELS[self.model] if name in self._values)

    @property
    def missing(self) -> tuple[str, ...]:
        """Those of the model itself that are not given."""
        return tuple(name for name in MODELS[self.model] if name not in self._values)

    def shared(self, name: str) -> float:
        """Return a parameter that all models share; the value without effect if it is not given."""
        return self._values[name].value if name in self._values else WITHOUT[name]

    def is_given(self, name: str) -> bool:
        """Return whether a parameter is given."""
        return name in self._values

    def without(self, *names: str) -> dict[str, str | float]:
        """Return the parameters as they were given, without some of them."""
        return {k: v for k, v in self.stated.items() if _ALIASES.get(k, k) not in names}

    def _at(self, h: float) -> dict[str, float]:
        h = self._values["h"].value if "h" in self._values else h
        log_h = math.log10(h) if h > 0 else math.nan
        return {
            name: one.value + (one.h_power * log_h if one.h_power else 0.0)
            for name, one in self._values.items()
        }

    def values(self, h: float) -> tuple[tuple[str, float], ...]:
        """Return the model's own parameters in its units, in an order of their own.

        Parameters
        ----------
        h : float
            Of the simulation, for masses in Msun; that among the parameters goes before it.
        """
        at = self._at(h)
        return tuple((name, at[name]) for name in self.own)

    def record(self, h: float) -> dict[str, dict[str, Any]]:
        """Return every parameter that was given: JSON values."""
        allowed = {**MODELS[self.model], **SHARED}
        return {
            name: {
                "value": value,
                "unit": allowed[name].label,
                "given": self._text(name),
                "source": "given by the user",
            }
            for name, value in self._at(h).items()
        }


def value_of(where: str, text: str | float, parameter: Parameter) -> Value:
    """Return a value in the unit of the model.

    Raises
    ------
    UsageError
        The text is no number with such a unit.
    """
    if not isinstance(text, str):
        return Value(float(text))
    parts = split(text.strip())
    number = finite(parts[0]) if parts else None
    if parts is None or number is None:
        raise _unlike(where, text, "no number", parameter)
    unit = parts[1]
    if not parameter.is_mass:
        if unit not in ("", parameter.unit):
            raise _unlike(where, text, f"the unit {shown(unit)}", parameter)
        return Value(number)
    if not unit:
        raise _unlike(where, text, "a mass without a unit", parameter)
    in_log = unit.startswith("log10(") and unit.endswith(")")
    try:
        factor, h_power = conversion(unit[6:-1] if in_log else unit, parameter.unit)
    except UnitError as error:
        raise _unlike(where, text, f"the unit {shown(unit)}, {error}", parameter) from error
    if not in_log and number <= 0:
        raise _unlike(where, text, "a mass that is not positive", parameter)
    log_mass = number if in_log else math.log10(number)
    return Value(log_mass + math.log10(factor) + parameter.shift, h_power)


def _unlike(where: str, text: str, found: str, parameter: Parameter) -> UsageError:
    if not parameter.is_mass:
        unit = f" or a number of {parameter.unit}" if parameter.unit else ""
        return UsageError(
            where, f"{shown(text)}, {found}", "a plain number" + unit, 'such as "0.5"'
        )
    unit = parameter.unit.replace(" ", "").replace("littleh", "h")
    return UsageError(
        where,
        f"{shown(text)}, {found}",
        f"a mass in {unit} or Msun, or its logarithm",
        f'such as "12.02 log10({unit})" or "1.05e12 {unit}"',
    )
