"""The luminosity floor of pairs of runs: the least stellar mass that counts as a galaxy."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import MissingDatasetError, UsageError, warn
from ..layout import LEAST_STARS, STAR_PARTICLE_MASS
from ..quantity import in_unit
from ..types import Scene
from .matching.twins import check_twins


def floor_of(given: float | str | None, pairs: Sequence[tuple[Scene, Scene]]) -> tuple[float, str]:
    """Return the luminosity floor [Msun/h], and its origin in words.

    Parameters
    ----------
    given : float or str, optional
        The user's floor in Msun/h, or a text with a unit. By default the mass of `LEAST_STARS`
        star particles of the coarsest run. A smaller floor gives a warning.
    pairs : sequence of (Scene, Scene)
        Each a hydrodynamic run and its gravity-only twin.

    Raises
    ------
    UsageError
        The text is not a mass, or not the same mass in Msun/h for all runs.
    MissingDatasetError
        There is no floor, and a run does not state the mass of a star particle.
    """
    stated, floor = "given", given
    if floor is None:
        floor, stated = _of_stars(pairs)
    elif isinstance(floor, str):
        floor = _of_text(floor, pairs)
    _warn_of_few_stars(floor, pairs)
    return floor, stated


def _of_text(text: str, pairs: Sequence[tuple[Scene, Scene]]) -> float:
    values = {hydro.snapshot.cosmology.h for hydro, _ in pairs} or {1.0}
    floors = {in_unit("luminosity floor", text, "Msun / littleh", h) for h in values}
    if min(floors) < 0.0:
        raise UsageError("luminosity floor", text, "a mass of 0 or more")
    if max(floors) > min(floors) * (1.0 + 1e-6):
        raise UsageError(
            "luminosity floor",
            f"{text}, for runs whose h is {', '.join(f'{h:g}' for h in sorted(values))}",
            "one mass in Msun/h for all runs",
            "give it in Msun/h",
        )
    return min(floors)


def _warn_of_few_stars(floor: float, pairs: Sequence[tuple[Scene, Scene]]) -> None:
    """Warn if the floor is below `LEAST_STARS` star particles, where galaxies are noise."""
    known = [hydro.snapshot.record.get(STAR_PARTICLE_MASS, 0.0) for hydro, _ in pairs]
    star = max(known, default=0.0)
    if isinstance(floor, int | float) and floor < 0.99 * LEAST_STARS * star:
        warn(
            f"luminosity floor {floor:.4g} Msun/h: less than {LEAST_STARS} star particles of "
            f"{star:.4g} Msun/h: galaxies near it are not resolved",
        )


def _of_stars(pairs: Sequence[tuple[Scene, Scene]]) -> tuple[float, str]:
    """Return the floor of `LEAST_STARS` star particles of the coarsest run, and its origin."""
    masses = []
    for hydro, dark in pairs:
        if "stellar_mass" not in hydro.halos:
            check_twins(hydro, dark)  # raises that it is not a hydrodynamic run
        mass = hydro.snapshot.record.get(STAR_PARTICLE_MASS)
        if not isinstance(mass, float):
            raise MissingDatasetError(
                hydro.snapshot.name,
                "no mass of a star particle",
                "one, to derive the least stellar mass that counts as luminous",
                'give --luminosity-floor, such as "1e8 Msun/h"',
            )
        masses.append(mass)
    star = max(masses, default=0.0)
    floor = LEAST_STARS * star
    digit = 10.0 ** (math.floor(math.log10(floor)) - 3)  # rounded down, to include all
    text = f"{LEAST_STARS} star particles of {star:.5g} Msun/h (median of subhalos)"
    return math.floor(floor / digit) * digit, text
