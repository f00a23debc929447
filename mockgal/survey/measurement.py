"""Errors of what a survey measures: redshifts and stellar masses."""

from __future__ import annotations

import math

import numpy as np

from ..errors import UsageError
from ..theory.distances import SPEED_OF_LIGHT
from ..types import GalaxyCatalog
from .steps import check_columns, check_sky, check_unweighted, normal, recorded, uniform


def measure_redshifts(
    galaxies: GalaxyCatalog,
    *,
    seed: int,
    sigma_v: float = 0.0,
    sigma_z: float = 0.0,
    catastrophic: float = 0.0,
    catastrophic_range: tuple[float, float] | None = None,
) -> GalaxyCatalog:
    """Return galaxies with the column ``redshift_measured``.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On the sky.
    seed : int
    sigma_v : float
        Standard deviation of a Gaussian error as a velocity [km/s]: dz = (1 + z) v / c.
    sigma_z : float
        The same as a redshift over 1 + z. Both errors add in quadrature.
    catastrophic : float
        Share of galaxies, from 0 to 1, whose redshift has nothing to do with their own.
    catastrophic_range : tuple of float, optional
        Redshifts between which these are uniform; needed for a share above 0.

    Returns
    -------
    GalaxyCatalog

    Raises
    ------
    UsageError
        The galaxies are in a box; errors are negative, shares out of range, or the range missing.

    Examples
    --------
    >>> from mockgal.survey.light_cone import light_cone
    >>> from mockgal.survey.measurement import measure_redshifts
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> cone = light_cone(mock, redshifts=(0.002, 0.004))
    >>> seen = measure_redshifts(cone, seed=1, sigma_v=30.0)
    >>> bool((abs(seen["redshift_measured"] - seen["redshift"]) < 0.001).all())
    True
    """
    check_sky(galaxies, "redshift errors")
    check_columns(galaxies, "redshift errors", "redshift")
    check_unweighted(galaxies, "redshift errors")
    for name, value, most in (
        ("sigma_v", sigma_v, SPEED_OF_LIGHT),
        ("sigma_z", sigma_z, 1.0),
        ("catastrophic share", catastrophic, 1.0),
    ):
        if not 0.0 <= value <= most:
            raise UsageError(f"redshift errors, {name}", f"{value}", f"from 0 to {most:g}")
    if catastrophic and not (
        catastrophic_range and 0.0 <= catastrophic_range[0] < catastrophic_range[1] < math.inf
    ):
        raise UsageError(
            "redshift errors", f"the range {catastrophic_range}", "two redshifts, the least first"
        )
    true = galaxies["redshift"]
    sigma = math.hypot(sigma_v / SPEED_OF_LIGHT, sigma_z)
    found = true + (1 + true) * sigma * normal(galaxies, seed, "redshift error")
    lost = np.zeros(len(galaxies), dtype=bool)
    if catastrophic and catastrophic_range:
        lost = uniform(galaxies, seed, "catastrophic redshift") < catastrophic
        low, high = catastrophic_range
        elsewhere = low + (high - low) * uniform(galaxies, seed, "catastrophic redshift", draw=1)
        found = np.where(lost, elsewhere, found)
    return recorded(
        galaxies.with_columns(redshift_measured=found),
        "redshift errors",
        sigma_v_km_s=sigma_v,
        sigma_z_over_1_plus_z=sigma_z,
        catastrophic_share=catastrophic,
        catastrophic_range=None if catastrophic_range is None else list(catastrophic_range),
        catastrophic=int(np.count_nonzero(lost)),
        seed=seed,
    )


def measure_stellar_masses(galaxies: GalaxyCatalog, *, seed: int, sigma: float) -> GalaxyCatalog:
    """Return galaxies with the column ``stellar_mass_measured``.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    seed : int
    sigma : float
        Standard deviation of a Gaussian error of the logarithm [dex].

    Returns
    -------
    GalaxyCatalog

    Raises
    ------
    UsageError
        ``sigma`` is not from 0 to 2 dex.

    Examples
    --------
    >>> from mockgal.survey.measurement import measure_stellar_masses
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> "stellar_mass_measured" in measure_stellar_masses(mock, seed=1, sigma=0.1)
    True
    """
    if not 0.0 <= sigma <= 2.0:
        raise UsageError("stellar-mass error", f"{sigma} dex", "from 0 to 2 dex")
    check_columns(galaxies, "stellar-mass error", "stellar_mass")
    mass = galaxies["stellar_mass"].astype(np.float64)
    mass = mass * 10.0 ** (sigma * normal(galaxies, seed, "stellar-mass error"))
    return recorded(
        galaxies.with_columns(stellar_mass_measured=mass.astype(np.float32)),
        "stellar-mass error",
        sigma_dex=sigma,
        seed=seed,
    )
