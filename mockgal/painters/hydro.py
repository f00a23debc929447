"""The galaxies of a hydrodynamic run itself, in the form of a painted catalogue."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import __version__
from ..completeness import Completeness
from ..errors import MissingDatasetError, listening
from ..layout import LEAST_STARS, STAR_PARTICLE_MASS
from ..types import Array, GalaxyCatalog, Scene
from .draw import describe_simulation, galaxy_columns, reading_warnings
from .validity.lacking import completeness, lacking_galaxies, warn_of

NAME = "hydrodynamic run"  # in place of a painter's name
MATCHED = "hydrodynamic run, matched with its gravity-only twin"
_UNMATCHED = "galaxies without a counterpart in the gravity-only run"


def own_galaxies(scene: Scene) -> GalaxyCatalog:
    """Return every subhalo of a hydrodynamic run that has stars, with its stellar mass.

    Parameters
    ----------
    scene : Scene

    Returns
    -------
    GalaxyCatalog
        No luminosity floor is applied; cut by stellar mass to have one. The catalogue is complete
        from `mockgal.layout.LEAST_STARS` star particles on, if the run states the mass of one.

    Raises
    ------
    MissingDatasetError
        The run has no stellar masses.
    """
    halos = scene.halos
    if "stellar_mass" not in halos:
        raise MissingDatasetError(
            f"simulation {scene.snapshot.name}",
            "no stellar masses",
            "the stellar masses of a hydrodynamic run",
            "paint it first: mockgal build",
        )
    rows = np.flatnonzero(halos["stellar_mass"] > 0)
    provenance: dict[str, Any] = {
        "version": __version__,
        "simulation": describe_simulation(scene, halos.digest()),
        "painter": {"name": NAME},
        "cuts": [],
        "painted": len(rows),
        "warnings": reading_warnings(scene),
    }
    columns = galaxy_columns(
        halos, rows, np.log10(halos["stellar_mass"][rows]), np.zeros(len(halos), dtype=bool)
    )
    galaxies = GalaxyCatalog(columns, scene.snapshot, scene.snapshot.frame, provenance)
    star = scene.snapshot.record.get(STAR_PARTICLE_MASS)
    if not isinstance(star, float):
        return galaxies
    because = f"{LEAST_STARS} star particles of {star:.4g} Msun/h"
    start = Completeness(LEAST_STARS * star, because=because)
    floor = {"luminosity_floor_msun_h": LEAST_STARS * star}
    counted = provenance["simulation"]["hosts"]
    lack = lacking_galaxies(scene, None, floor, galaxies.columns, counted)
    complete, lacking = completeness(start, lack, galaxies.columns, scene, {})
    galaxies = galaxies.with_completeness(complete)
    if not lacking:
        return galaxies
    with listening() as warnings:
        warn_of(lacking, "the run")
    said = [*provenance["warnings"], *warnings]
    return galaxies.with_provenance(lacking=lacking, warnings=said)


def galaxies_at(dark: Scene, stellar_mass: Array, truth: GalaxyCatalog) -> GalaxyCatalog:
    """Return the galaxies of a hydrodynamic run at the subhalos of its twin that match theirs.

    Parameters
    ----------
    dark : Scene
        The gravity-only twin.
    stellar_mass : ndarray, shape (n,)
        Stellar mass of the galaxy matched with each subhalo [Msun/h]; 0 without one.
    truth : GalaxyCatalog
        The galaxies of the run itself (`own_galaxies`), whose floor and definition hold here, too.

    Returns
    -------
    GalaxyCatalog
        It is not complete if galaxies of the truth have no counterpart.
    """
    halos, rows = dark.halos, np.flatnonzero(stellar_mass > 0)
    stars = truth.provenance["simulation"].get("reading", {}).get("stellar_mass_definition")
    provenance = {
        "version": __version__,
        "simulation": describe_simulation(dark, halos.digest()),
        "painter": {"name": MATCHED, "stellar_mass_definition": stars},
        "cuts": [],
        "painted": len(rows),
        "warnings": reading_warnings(dark),
    }
    columns = galaxy_columns(
        halos, rows, np.log10(stellar_mass[rows]), np.zeros(len(halos), dtype=bool)
    )
    galaxies = GalaxyCatalog(columns, dark.snapshot, "box", provenance)
    complete = truth.completeness
    if len(rows) < len(truth):
        complete = complete.lacking(_UNMATCHED)
    return galaxies.with_completeness(complete)
