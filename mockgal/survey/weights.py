"""Weights of galaxies and randoms."""

from __future__ import annotations

import math

import numpy as np

from ..errors import UsageError
from ..types import GalaxyCatalog
from .number_density import NumberDensity
from .steps import check_sky, recorded, redshift_column

WEIGHT_COLUMNS = ("number_density", "weight", "weight_fkp")  # of `with_weights`


def with_weights(galaxies: GalaxyCatalog, density: NumberDensity, *, power: float) -> GalaxyCatalog:
    """Return galaxies, or randoms, with the number density of their sample and their weights.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On the sky.
    density : NumberDensity
        Of the sample where it is complete.
    power : float
        P0, the power at which the variance is to be least [Mpc^3 h^-3].

    Returns
    -------
    GalaxyCatalog
        With ``number_density`` at the observed redshift, ``weight_fkp`` = 1 / (1 + number_density
        P0) (Feldman, Kaiser & Peacock 1994, arXiv:astro-ph/9304022), and ``weight``, which is
        ``weight_close_pairs`` where fibres missed galaxies, else the weight that there was, else 1.

    Raises
    ------
    UsageError
        The galaxies are in a box, or P0 is negative or not finite.

    Examples
    --------
    >>> from mockgal.survey.light_cone import light_cone
    >>> from mockgal.survey.number_density import NumberDensity
    >>> from mockgal.survey.weights import with_weights
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> cone = light_cone(mock, redshifts=(0.002, 0.004))
    >>> weighted = with_weights(cone, NumberDensity([0.001, 0.006], [1e-2]), power=1e3)
    >>> float(weighted["weight_fkp"].max()) == 1 / 11
    True
    """
    check_sky(galaxies, "weights")
    if not 0.0 <= power < math.inf:
        raise UsageError("P0 of the FKP weights", f"{power}", "a power from 0 on [Mpc^3 h^-3]")
    name = redshift_column(galaxies)
    number = density.at(galaxies[name])
    former = [name for name in ("weight_close_pairs", "weight") if name in galaxies]
    columns = {
        "number_density": number,
        "weight": np.array(galaxies[former[0]]) if former else np.ones(len(galaxies)),
        "weight_fkp": 1.0 / (1.0 + number * power),
    }
    return recorded(
        galaxies.with_columns(**columns),
        "weights",
        fkp_power_mpc3_h3=float(power),
        redshifts=name,
    )
