"""Options of the two kinds of the painter ``hod``.

They are separate from the painters, whose modules are slow to import: all help texts need them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...options import allow_extrapolation, choice, flag, name_or_file, named, number, quantity
from ..halotools.laws import OCCUPATIONS, STELLAR_MASS_LAWS, THRESHOLDS
from ..halotools.parameters import EXAMPLE, PROPERTIES, SOURCES

if TYPE_CHECKING:
    from .table import HODTable

SHIPPED = Path(__file__).with_name("calibrations")
EXTENSION = ".ecsv"


@dataclass(frozen=True)
class HODOptions:
    """Options of the HOD with a calibration table."""

    calibration: str | os.PathLike[str] | HODTable | None = name_or_file(
        "Calibration of the HOD: a name that `mockgal calibrations` lists, or an .ecsv file "
        "(default: the one that is valid for the simulation).",
        extension=EXTENSION,
        shipped=SHIPPED,
        objects=("HODTable",),
    )
    allow_extrapolation: bool = allow_extrapolation()
    missing_twin: str | None = choice(
        "Accept a calibration made without a gravity-only twin, and paint without the "
        "corrections for baryons. Galaxies are then flagged in the column extrapolated.",
        ("uncorrected",),
    )
    mode: str = choice(
        "Form of the HOD: corrected (the default), or as in the paper's public code.",
        ("corrected", "paper"),
        "corrected",
    )
    rank_by: str | None = choice(
        "Property of subhalos that stellar mass follows at a given host mass (conditional "
        "abundance matching). Needs --rank-correlation.",
        ("vmax", "mass"),
    )
    rank_correlation: float | None = number(
        "Rank correlation of stellar mass with --rank-by, from -1 to 1.", least=-1, most=1
    )

    option_title: ClassVar[str] = "with a calibration"


@dataclass(frozen=True)
class ModelOptions:
    """Options of the HOD with a model of halotools."""

    model: str = choice(
        "Model of halotools to paint with in place of a calibration. zheng07 needs "
        "--stellar-mass-law, and --threshold or all --parameters; abacushod, the same model with "
        "the parameters of AbacusHOD, --stellar-mass-law and --parameters; leauthaud11 needs "
        "--luminosity-floor.",
        tuple(OCCUPATIONS),
        MISSING,
    )
    threshold: float | None = number(
        "For zheng07: absolute magnitude M_r - 5 log h of the faintest galaxies, from -18 to "
        "-22 in steps of 0.5. Gives the published parameters.",
        choices=THRESHOLDS,
    )
    stellar_mass_law: str | None = choice(
        "For zheng07 and abacushod: relation that gives galaxies their stellar mass from the halo "
        "mass.",
        tuple(STELLAR_MASS_LAWS),
    )
    luminosity_floor: float | str | None = quantity(
        'For leauthaud11: least stellar mass of a galaxy, such as "1e9 Msun/h".',
        "Msun / littleh",
        example="1e9 Msun/h",
    )
    allow_extrapolation: bool = allow_extrapolation()
    parameters: str | Mapping[str, Any] | None = named(
        "Parameters in place of the published ones, separated by commas or in several options, "
        'such as "logMmin=12.02 log10(Msun/h), alpha=1.06". Of all models: A_cen and A_sat '
        "(assembly bias), alpha_c and alpha_s (velocity bias), f_ic (incompleteness).",
        example=EXAMPLE,
    )
    modulated_satellites: bool = flag(
        "For zheng07: multiply the number of satellites by that of centrals, as abacushod and "
        "leauthaud11 always do."
    )
    assembly_bias: str | None = choice(
        "Property of hosts that galaxies depend on at a given host mass. Needs A_cen or A_sat "
        "among the parameters.",
        PROPERTIES,
    )
    assembly_bias_split: float | None = number(
        "Share of hosts below the split by that property (default: 0.5).", least=0.05, most=0.95
    )
    environment_radius: float | str | None = quantity(
        "Radius of the sphere around a host in which --assembly-bias environment and shear "
        "average the density (default: 5 Mpc/h).",
        "Mpc / littleh",
        example="5 Mpc/h",
    )
    environment_from: str | None = choice(
        "What that density is made of: halos (the default), or matter: particles or a grid.",
        SOURCES,
    )

    option_title: ClassVar[str] = "with a model of halotools"


KINDS = (HODOptions, ModelOptions)
