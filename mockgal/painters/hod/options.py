"""Options of the two kinds of the painter ``hod``.

They are separate from the painters, whose modules are slow to import: all help texts need them.
"""

from __future__ import annotations

import os
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ...options import allow_extrapolation, choice, name_or_file, number, quantity
from ..halotools.laws import OCCUPATIONS, STELLAR_MASS_LAWS, THRESHOLDS

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
        "--threshold and --stellar-mass-law; leauthaud11 needs --luminosity-floor.",
        tuple(OCCUPATIONS),
        MISSING,
    )
    threshold: float | None = number(
        "For zheng07: absolute magnitude M_r - 5 log h of the faintest galaxies, from -18 to "
        "-22 in steps of 0.5.",
        choices=THRESHOLDS,
    )
    stellar_mass_law: str | None = choice(
        "For zheng07: relation that gives galaxies their stellar mass from the halo mass.",
        tuple(STELLAR_MASS_LAWS),
    )
    luminosity_floor: float | str | None = quantity(
        'For leauthaud11: least stellar mass of a galaxy, such as "1e9 Msun/h".',
        "Msun / littleh",
        example="1e9 Msun/h",
    )
    allow_extrapolation: bool = allow_extrapolation()

    option_title: ClassVar[str] = "with a model of halotools"


KINDS = (HODOptions, ModelOptions)
