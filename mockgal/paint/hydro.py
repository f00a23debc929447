"""The galaxies that a hydrodynamic run has itself, in the form of a painted catalogue."""

from __future__ import annotations

import numpy as np

from .. import __version__
from ..completeness import Completeness
from ..errors import MissingDatasetError
from ..layout import LEAST_STARS, STAR_PARTICLE_MASS
from ..types import GalaxyCatalog, Scene
from .draw import describe_simulation, galaxy_columns

NAME = "hydrodynamic run"  # in place of a painter's


def own_galaxies(scene: Scene) -> GalaxyCatalog:
    """Every subhalo of a hydrodynamic run that has stars, with its stellar mass.

    Parameters
    ----------
    scene : Scene

    Returns
    -------
    GalaxyCatalog
        No luminosity floor is applied: cut by stellar mass for that. It is complete from
        `mockgal.layout.LEAST_STARS` star particles on, where the run says what one weighs.

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
            "those of a hydrodynamic run",
            "paint it first: mockgal build",
        )
    rows = np.flatnonzero(halos["stellar_mass"] > 0)
    provenance = {
        "version": __version__,
        "simulation": describe_simulation(scene, halos.digest()),
        "painter": {"name": NAME},
        "cuts": [],
        "painted": len(rows),
    }
    columns = galaxy_columns(
        halos, rows, np.log10(halos["stellar_mass"][rows]), np.zeros(len(halos), dtype=bool)
    )
    galaxies = GalaxyCatalog(columns, scene.snapshot, "box", provenance)
    star = scene.snapshot.record.get(STAR_PARTICLE_MASS)
    if not isinstance(star, float):
        return galaxies
    because = f"{LEAST_STARS} star particles of {star:.4g} Msun/h"
    return galaxies.with_completeness(Completeness(LEAST_STARS * star, because=because))
