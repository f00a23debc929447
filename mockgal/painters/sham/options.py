"""Options of the painters ``sham`` and ``smhm``, which all help texts need."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ...errors import UsageError, shown
from ...laws.mass_functions import EXTENSION, MEASURED, PUBLISHED
from ...options import (
    allow_extrapolation,
    choice,
    name_or_file,
    number,
    options_of,
    quantity,
    whole,
)
from ...quantity import in_unit

PROXIES = ("vpeak", "v_alpha", "mpeak", "vmax", "mass")
RELATIONS = ("behroozi2013", "behroozi2019", "moster2013", "moster2018")
LEAST = 100  # particles
LEHMANN = 0.57  # alpha of Lehmann et al. 2017, arXiv:1510.05651


def _scatter() -> Any:
    return quantity(
        "Scatter of log stellar mass at a given proxy, or at a given halo mass (default of smhm: "
        "that of the relation).",
        "dex",
        example="0.2 dex",
    )


def _floor() -> Any:
    return quantity(
        "Least stellar mass of a galaxy (default of sham: the one above which the mock is "
        "complete; of smhm: that of the least halo that is resolved).",
        "Msun / littleh",
        example="1e9 Msun/h",
    )


def _least_particles() -> Any:
    return whole("Least number of particles of a subhalo that is resolved.", LEAST, least=1)


@dataclass(frozen=True)
class SHAMOptions:
    """Options of subhalo abundance matching."""

    proxy: str | None = choice(
        "Property of subhalos that stellar mass follows: vpeak or mpeak (the largest vmax or "
        "mass in their history), v_alpha (see --alpha), or vmax or mass as they are now, after "
        "stripping.",
        PROXIES,
    )
    mass_function: str | os.PathLike[str] | None = name_or_file(
        f"Stellar-mass function to match: {', '.join(PUBLISHED)}, a table {EXTENSION} whose "
        f"comments state its units, or one of mockgal measure, {MEASURED}.",
        extension=EXTENSION,
    )
    scatter: str | float | None = _scatter()
    alpha: float | None = number(
        "Exponent of v_alpha = v_vir (vmax / v_vir)^alpha when the mass was largest, from 0, the "
        f"virial velocity, to 1, vmax (default: {LEHMANN}, Lehmann et al. 2017).",
        least=0,
        most=1,
    )
    least_particles: int = _least_particles()
    floor: str | float | None = _floor()
    satellite_fraction: float | None = number(
        "Share of satellites among galaxies of any stellar mass. Centrals and satellites are "
        "then ranked apart (default: the table's column of that name, or all ranked together).",
        least=0.001,
        most=0.999,
    )
    allow_extrapolation: bool = allow_extrapolation()


@dataclass(frozen=True)
class RelationOptions:
    """Options of published stellar-to-halo mass relations."""

    relation: str | None = choice("Published relation of stellar to halo mass.", RELATIONS)
    scatter: str | float | None = _scatter()
    floor: str | float | None = _floor()
    least_particles: int = _least_particles()
    allow_extrapolation: bool = allow_extrapolation()


def check_given(made: SHAMOptions | RelationOptions, name: str, needed: tuple[str, ...]) -> None:
    """Raise if an option that a painter needs is not given, or a quantity cannot be.

    Raises
    ------
    UsageError
    """
    declared = options_of(type(made))
    for key in needed:
        if getattr(made, key) is None:
            option = declared[key]
            allowed = "a name or a file: " + ", ".join(PUBLISHED)
            allowed = allowed if key == "mass_function" else option.allowed
            raise UsageError(f"painter {name}:{key}", "none", allowed, f"give {option.flag}")
    for key, low, high, unit in (
        ("scatter", 0.0, 1.0, "dex"),
        ("floor", 1e3, 1e14, "Msun / littleh"),
    ):
        value = getattr(made, key)
        if value is not None and not low <= in_unit(key, value, unit, 1.0) <= high:
            label = "Msun/h" if key == "floor" else unit
            raise UsageError(f"painter {name}:{key}", shown(value), f"{low:g} to {high:g} {label}")
