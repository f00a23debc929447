"""Priors of the free parameters: uniform, or normal within the range that a parameter may have."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError, shown
from ..painters.halotools.parameters import MODELS, SHARED, STELLAR, Parameter, value_of

Array = NDArray[Any]

EXAMPLE = '--prior "alpha=uniform(0, 2)"'
REFERENCE = "Lange 2023, arXiv:2306.16923, for galaxies of SDSS (its benchmark of w_p)"
DEFAULT = {
    "zheng07": {
        "logMmin": (9.0, 14.0),
        "sigma_logM": (0.01, 1.5),
        "logM0": (9.0, 14.0),
        "logM1": (10.7, 15.0),
        "alpha": (0.0, 2.0),
    }
}
# Models whose parameters without a prior or a value have those that were published.
PUBLISHED = ("leauthaud11",)
# Those of all models that the tables of pairs do not depend on.
FREE = ("A_cen", "A_sat", "f_ic")
_NUMBER = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*"
_IN_LEAUTHAUD = MODELS["leauthaud11"]["smhm_m0_0"].label
_PRIOR = re.compile(
    rf"\s*(\w+)\s*=\s*(uniform|normal)\s*\({_NUMBER},{_NUMBER}\)"
    rf"\s*({re.escape(_IN_LEAUTHAUD)}|[^,=]*?)\s*(?:,|$)"
)


class Prior(NamedTuple):
    """The prior of a parameter, in the unit of its model.

    Parameters
    ----------
    name : str
    kind : str
        ``"uniform"`` or ``"normal"``.
    first, second : float
        The ends; or the mean and the standard deviation.
    low, high : float
        Ends of what the parameter may be.
    unit : str
        The unit, as people write it.
    source : str
        Where it is from.

    Examples
    --------
    >>> from mockgal.fitting.priors import priors_of
    >>> priors_of("zheng07", "alpha=normal(1, 0.1)", fixed=("logMmin", "sigma_logM"))[-1].kind
    'normal'
    """

    name: str
    kind: str
    first: float
    second: float
    low: float
    high: float
    unit: str
    source: str

    def __str__(self) -> str:
        return f"{self.kind}({self.first:g}, {self.second:g}) {self.unit}".rstrip()

    def log_density(self, value: Array) -> Array:
        """Return the logarithm of the density, but for a constant; -inf outside its ends."""
        inside = (value >= self.low) & (value <= self.high)
        inner = np.zeros(np.shape(value))
        if self.kind == "normal":
            inner = -0.5 * ((value - self.first) / self.second) ** 2
        return np.where(inside, inner, -math.inf)

    def quantile(self, u: Array) -> Array:
        """Return the values below which a share ``u`` of the prior lies."""
        if self.kind == "uniform":
            return np.asarray(self.low + (self.high - self.low) * u)
        from scipy.special import ndtr, ndtri

        ends = ndtr((np.array([self.low, self.high]) - self.first) / self.second)
        score = ndtri(ends[0] + (ends[1] - ends[0]) * u)
        return np.asarray(np.clip(self.first + self.second * score, self.low, self.high))


def priors_of(
    model: str,
    stated: str | Iterable[str] | Mapping[str, Any],
    fixed: Iterable[str] = (),
) -> tuple[Prior, ...]:
    """Return the priors of the free parameters, in the order of the model.

    Parameters
    ----------
    model : str
        A key of `mockgal.painters.halotools.parameters.MODELS`.
    stated : str, iterable of str or mapping
        Such as ``"logM1=uniform(12, 14) log10(Msun/h), alpha=normal(1, 0.1)"``; from Python also
        by name: a text such as ``"normal(1, 0.1)"``, or the two ends of a uniform prior in the
        unit of the model.
    fixed : iterable of str
        Parameters with a value. Others of the model without a prior have that of `DEFAULT`; of the
        models `PUBLISHED`, the published value.

    Raises
    ------
    UsageError
        A text is none of this; a parameter is unknown, has two priors, or a value as well; a prior
        reaches beyond what the parameter may be; or a parameter of the model has neither a value
        nor a prior.
    """
    fixed, given = set(fixed), _stated(model, stated)
    own, default = list(MODELS[model]), DEFAULT.get(model, {})
    for name in given:
        if name in fixed:
            raise UsageError(
                f"fit:prior:{name}", "a value as well", "a value or a prior", "leave one out"
            )
    missing = [name for name in own if name not in {*given, *fixed, *default}]
    if missing and model not in PUBLISHED:
        raise UsageError(
            "fit:prior",
            f"neither a prior nor a value of {', '.join(missing)}",
            f"one of them for each parameter of model {model}",
            f"such as {EXAMPLE}, or --parameters",
        )
    found = []
    for name in [*own, *FREE]:
        if name in given:
            found.append(given[name])
        elif name in default and name not in fixed:
            found.append(_prior(model, name, "uniform", *default[name], REFERENCE))
    if not found:
        raise UsageError(
            "fit:parameters", "a value of every parameter", "at least one that is free", EXAMPLE
        )
    return tuple(found)


def _stated(model: str, stated: str | Iterable[str] | Mapping[str, Any]) -> dict[str, Prior]:
    parts: list[tuple[str, str, float, float, str]] = []
    if isinstance(stated, Mapping):
        for name, value in stated.items():
            if isinstance(value, str):
                parts += _parsed(f"{name}={value}")
            else:
                parts.append((name, "uniform", *_ends(name, value), ""))
    else:
        for text in [stated] if isinstance(stated, str) else stated:
            parts += _parsed(text)
    found: dict[str, Prior] = {}
    for name, kind, first, second, unit in parts:
        if name in found:
            raise UsageError(f"fit:prior:{name}", "two priors", "one", "leave one out")
        needs_unit = not isinstance(stated, Mapping)
        shift = _shift(model, name, unit, needs_unit=needs_unit)
        more = 0.0 if kind == "normal" else shift
        found[name] = _prior(model, name, kind, first + shift, second + more, "given by the user")
    return found


def _ends(name: str, value: Any) -> tuple[float, float]:
    try:
        first, second = map(float, value)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"fit:prior:{name}", shown(value), "two numbers, or a text", "such as (0.5, 1.5)"
        ) from error
    return first, second


def _parsed(text: str) -> list[tuple[str, str, float, float, str]]:
    """Return name, kind, two numbers and unit of each prior in a text."""
    parts, place = [], 0
    while place < len(text):
        match = _PRIOR.match(text, place)
        if match is None:
            raise UsageError(
                "fit:prior",
                shown(text[place:].strip()),
                "name=uniform(low, high) or name=normal(mean, deviation), with the unit of a mass",
                f'such as {EXAMPLE} or --prior "logMmin=uniform(11, 13) log10(Msun/h)"',
            )
        name, kind, first, second, unit = match.groups()
        parts.append((name, kind, float(first), float(second), unit))
        place = match.end()
    return parts


def _parameter(model: str, name: str) -> Parameter:
    allowed = {**MODELS[model], **{key: SHARED[key] for key in FREE}}
    if name not in allowed:
        fixed = "one whose value can be given, but not fitted" * (name in SHARED)
        raise UsageError(
            f"fit:prior:{name}",
            fixed or f"no parameter of model {model}",
            f"one of {', '.join(allowed)}",
        )
    return allowed[name]


def _shift(model: str, name: str, unit: str, *, needs_unit: bool) -> float:
    """Return what is added to numbers in a unit, to have them in the unit of the model."""
    parameter = _parameter(model, name)
    if not unit and (not parameter.is_mass or not needs_unit):
        return 0.0
    if unit and unit == parameter.label:
        return 0.0
    ends = "9, 12" if parameter.unit == STELLAR else "11, 14"
    units = " or ".join(dict.fromkeys((parameter.logarithm, parameter.label)))
    such = f'such as --prior "{name}=uniform({ends}) {parameter.logarithm}"'
    if parameter.is_mass and not unit.startswith("log10("):
        raise UsageError(
            f"fit:prior:{name}",
            f"the unit {unit}" if unit else "a mass without a unit",
            f"a prior of log10 of a mass, in {units}",
            such,
        )
    zero = value_of(f"fit:prior:{name}", f"0 {unit}", parameter)
    if zero.h_power:
        raise UsageError(f"fit:prior:{name}", f"the unit {unit}, which depends on h", units, such)
    return zero.value


def _prior(model: str, name: str, kind: str, first: float, second: float, source: str) -> Prior:
    parameter = _parameter(model, name)
    low, high = parameter.least, parameter.most
    if kind == "uniform":
        if not low <= first < second <= high:
            raise UsageError(
                f"fit:prior:{name}",
                f"uniform({first:g}, {second:g})",
                f"two ends that increase, within {low:g} to {high:g} {parameter.label}".rstrip(),
            )
        low, high = first, second
    elif not (second > 0 and low <= first <= high):
        raise UsageError(
            f"fit:prior:{name}",
            f"normal({first:g}, {second:g})",
            f"a mean from {low:g} to {high:g} {parameter.label}, and a deviation above 0",
        )
    return Prior(name, kind, first, second, low, high, parameter.label, source)
