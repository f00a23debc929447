"""Pictures of a survey, from files: `mockgal plot` of galaxies on the sky."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ..one_statistic import read_randoms

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...cosmology import Cosmology
    from ...survey.number_density import NumberDensity
    from ...types import GalaxyCatalog

_FLAGS = {"pictures": "--picture", "n_of_z": "--n-of-z"}
_UNITS = '"h^3/Mpc^3", or "1/deg^2" for each unit of redshift'


def check_options(options: Mapping[str, Any]) -> None:
    """Raise, before anything is read, if options of pictures of surveys are not allowed.

    Raises
    ------
    UsageError
        See `mockgal.reports.sky.pictures.survey_picture`.
    """
    from ...reports.sky.pictures import check_names as check_pictures
    from ...reports.sky.view import declinations_of

    check_pictures(options.get("pictures", ()))
    _check_unit(options)
    if options.get("declinations") is not None:
        declinations_of(options["declinations"])


def refuse(options: Mapping[str, Any], galaxies: str) -> None:
    """Raise if there are options of pictures of surveys, for galaxies that have no such pictures.

    Raises
    ------
    UsageError
    """
    if options:
        flags = [_FLAGS.get(name, f"--{name.replace('_', '-')}") for name in options]
        raise UsageError(
            "mockgal plot",
            f"{', '.join(flags)}, with {galaxies}",
            "one catalogue on the sky",
            f"leave {'it' if len(flags) == 1 else 'them'} out, or give a light cone: "
            "`mockgal survey` makes one",
        )


def figure_of_survey(
    galaxies: GalaxyCatalog,
    options: Mapping[str, Any],
    *,
    cuts: Sequence[str],
    label: str,
    changed_by_hand: str | None = None,
) -> tuple[Figure, dict[str, str]]:
    """Return the pictures of a survey, and their captions by name.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On the sky, after the cuts.
    options : mapping
        ``pictures``; ``randoms`` and ``n_of_z`` are paths, ``n_of_z_unit`` the unit of the
        densities in the latter; the others as in
        `mockgal.reports.sky.pictures.survey_picture`.
    cuts : sequence of str
        Those on the sky and in redshift are applied to the randoms, too.
    label : str
    changed_by_hand : str, optional
        For the randoms: see `mockgal.read_galaxies`.

    Raises
    ------
    MockgalError
        A file cannot be read, or a picture cannot be drawn.
    """
    from ...reports.sky.pictures import draw_pictures
    from ...reports.sky.view import View, declinations_of

    wanted = dict(options)
    names, path = wanted.pop("pictures", ()), wanted.pop("randoms", None)
    if path is not None:
        kept = {} if changed_by_hand is None else {"changed_by_hand": changed_by_hand}
        wanted["randoms"] = read_randoms(path, cuts, **kept)
    table, unit = wanted.pop("n_of_z", None), wanted.pop("n_of_z_unit", None)
    if table is not None:
        wanted["asked"] = _density_of(table, unit, galaxies.snapshot.cosmology)
    if wanted.get("declinations") is not None:
        wanted["declinations"] = declinations_of(wanted["declinations"])
    return draw_pictures(View(galaxies, **wanted), names, label=label)


def _check_unit(options: Mapping[str, Any]) -> None:
    """Raise if a table of the number density has no unit, or a unit no table."""
    from ...survey_plan import DENSITY, SURFACE_DENSITY, is_in

    table, unit = options.get("n_of_z"), options.get("n_of_z_unit")
    if table is None:
        if unit is not None:
            raise UsageError("--n-of-z-unit", f"{unit} without --n-of-z", "both", "leave it out")
    elif unit is None:
        raise UsageError(
            "--n-of-z",
            f"{table}, and no unit of its densities",
            f"the unit: {_UNITS}",
            'state it: --n-of-z-unit "h^3/Mpc^3", as tables of surveys by mockgal have it',
        )
    elif not any(is_in(f"1 {unit}", one) for one in (DENSITY, SURFACE_DENSITY)):
        raise UsageError("--n-of-z-unit", repr(unit), _UNITS)


def _density_of(path: str | os.PathLike[str], unit: str, cosmology: Cosmology) -> NumberDensity:
    """Return the number density of a text table, such as ``survey_nz.txt``."""
    from ...survey.table_file import read_table
    from ..surveying.steps import number_density_of

    edges, numbers = read_table(Path(path))
    texts = [f"{number:.17g} {unit}" for number in numbers]
    return replace(number_density_of(edges, texts, cosmology), origin=f"in {path}")
