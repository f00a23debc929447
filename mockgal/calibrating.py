"""Joins the rooms that calibrate: pairs of runs to a table of the HOD painter."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import MissingDatasetError, UsageError, listening, warn
from .layout import STAR_PARTICLE_MASS
from .painters import check_options
from .pipeline import read
from .types import Scene

if TYPE_CHECKING:
    from .paint.hod_table import HODTable

LEAST_PARTICLES = 32
MEASURE_OPTIONS = (
    *("edges", "bin_width", "least_hosts", "jackknife", "method"),
    *("redshift_tolerance", "particle_mass_factor", "cosmology_tolerance"),
)
LEAST_STARS = 10  # star particles of the least luminous galaxy

Run = str | os.PathLike[str] | Scene


def calibrate(
    pairs: Sequence[tuple[Run, Run]],
    out: str | os.PathLike[str] | None = None,
    *,
    name: str | None = None,
    luminosity_floor: float | str | None = None,
    least_particles: int = LEAST_PARTICLES,
    provenance: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
    measure_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> HODTable:
    """Measure the HOD calibration of one pair of runs, or of several together.

    Parameters
    ----------
    pairs : sequence of (run, run)
        Each a hydrodynamic run and its gravity-only twin: paths (see `mockgal.read`) or scenes.
    out : path-like, optional
        The table's file, ``.ecsv``; nothing is written without it.
    name : str, optional
        What the table is called; by default the name of the file.
    luminosity_floor : float or str, optional
        Least stellar mass that counts as luminous: in Msun/h, or a text with a unit. By default
        that of `LEAST_STARS` star particles of the hydrodynamic run.
    least_particles : int
        Least gravity-only particles of a resolved subhalo.
    provenance : mapping, optional
        Recorded in the table: ``summary``, ``caution``, ``references`` and whatever else.
    overwrite : bool
    progress : callable, optional
        Called with (done, total, what).
    measure_options : mapping, optional
        Of `mockgal.calibrate.hod_table.measure`: ``edges``, ``bin_width``, ``least_hosts``,
        ``jackknife``, ``method`` and the tolerances of the domain.
    **options
        See `mockgal.read`.

    Returns
    -------
    HODTable
        The painter takes it as ``calibration``.

    Raises
    ------
    MockgalError
        Runs that are no twins, or lack what is needed; an output that cannot be written, before
        any work.
    """
    from .calibrate.hod_table import measure
    from .files.atomic import atomic_output, check_output
    from .files.lock import output_lock
    from .paint.hod_store import to_ecsv

    if out is None:
        scenes = [_read_pair(pair, options) for pair in pairs]
    else:
        path = Path(out)
        if path.suffix != ".ecsv":
            raise UsageError(path, f"extension {path.suffix!r}", ".ecsv", "name it so")
        given = [Path(run) for pair in pairs for run in pair if not isinstance(run, Scene)]
        check_output(path, overwrite, given)
        with output_lock(path):
            table = calibrate(
                pairs,
                name=name or path.stem,
                luminosity_floor=luminosity_floor,
                least_particles=least_particles,
                provenance=provenance,
                progress=progress,
                measure_options=measure_options,
                **options,
            )
            with atomic_output(path, overwrite=overwrite, inputs=given) as temporary:
                temporary.write_text(to_ecsv(table), encoding="utf-8")
        return table
    check_options("calibrate", measure_options or {}, MEASURE_OPTIONS)
    with listening() as told:
        stated = "given"
        if luminosity_floor is None:
            luminosity_floor, stated = _floor_of_stars(scenes)
        elif isinstance(luminosity_floor, str):
            luminosity_floor = _floor_of_text(luminosity_floor, scenes)
        _warn_of_few_stars(luminosity_floor, scenes)
        table = measure(
            scenes,
            name=name or "calibration",
            luminosity_floor=luminosity_floor,
            least_particles=least_particles,
            provenance={"luminosity_floor": stated} | dict(provenance or {}),
            progress=progress,
            **(measure_options or {}),
        )
    return replace(table, provenance=table.provenance | {"warnings": told})


def _read_pair(pair: tuple[Run, Run], options: Mapping[str, Any]) -> tuple[Scene, Scene]:
    stars = "stellar_mass_definition"
    of_hydro = dict(options)
    of_dark = {key: value for key, value in options.items() if key != stars}
    hydro, dark = (
        run if isinstance(run, Scene) else read(run, **given)
        for run, given in zip(pair, (of_hydro, of_dark), strict=True)
    )
    return hydro, dark


def _floor_of_text(text: str, pairs: Sequence[tuple[Scene, Scene]]) -> float:
    from .quantity import in_unit

    values = {hydro.snapshot.cosmology.h for hydro, _ in pairs} or {1.0}
    floors = {in_unit("luminosity floor", text, "Msun / littleh", h) for h in values}
    if max(floors) > min(floors) * (1.0 + 1e-6):
        raise UsageError(
            "luminosity floor",
            f"{text}, for runs whose h is {', '.join(f'{h:g}' for h in sorted(values))}",
            "one mass in Msun/h for all of them",
            "give it in Msun/h",
        )
    return min(floors)


def _warn_of_few_stars(floor: float, pairs: Sequence[tuple[Scene, Scene]]) -> None:
    """Below some star particles a stellar mass is noise of the run, not a galaxy of its."""
    known = [hydro.snapshot.record.get(STAR_PARTICLE_MASS, 0.0) for hydro, _ in pairs]
    star = max(known, default=0.0)
    if isinstance(floor, int | float) and floor < 0.99 * LEAST_STARS * star:
        warn(
            f"luminosity floor {floor:.4g} Msun/h: less than {LEAST_STARS} star particles of "
            f"{star:.4g} Msun/h: galaxies near it are not resolved",
            stacklevel=3,
        )


def _floor_of_stars(pairs: Sequence[tuple[Scene, Scene]]) -> tuple[float, str]:
    """Stellar mass of `LEAST_STARS` star particles of the coarsest run [Msun/h], and in words."""
    from .calibrate.twins import check_twins

    masses = []
    for hydro, dark in pairs:
        if "stellar_mass" not in hydro.halos:
            check_twins(hydro, dark)  # says that it is no hydrodynamic run
        mass = hydro.snapshot.record.get(STAR_PARTICLE_MASS)
        if not isinstance(mass, float):
            raise MissingDatasetError(
                hydro.snapshot.name,
                "no mass of a star particle",
                "one, for the least stellar mass that counts as luminous",
                'give --luminosity-floor, such as "1e8 Msun/h"',
            )
        masses.append(mass)
    star = max(masses, default=0.0)
    floor = LEAST_STARS * star
    digit = 10.0 ** (math.floor(math.log10(floor)) - 3)  # rounded down, so that all are in
    text = f"{LEAST_STARS} star particles of {star:.5g} Msun/h (median of subhalos)"
    return math.floor(floor / digit) * digit, text
