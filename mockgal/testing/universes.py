"""A synthetic pair of runs with known differences."""

from __future__ import annotations

import numpy as np

from ..cosmology import Cosmology
from ..types import HaloCatalog, Scene, Snapshot


def synthetic_pair(
    hosts: int = 2000,
    *,
    seed: int = 1,
    box_size: float = 200.0,
    host_mass_factor: float = 1.0,
    satellite_factor: float = 1.0,
    luminous_fraction: float = 1.0,
    luminous_mass: float = 0.0,
    mass_scatter: float = 0.0,
    slope: float = 0.8,
    scatter: float = 0.2,
    particle_mass: float = 1e7,
) -> tuple[Scene, Scene]:
    """Return a synthetic hydrodynamic run and its gravity-only twin, with known differences.

    Host masses follow a power law. The number of satellites is Poisson, with a mean proportional
    to host mass. Stellar mass is a power of host mass with log-normal scatter, lower for
    satellites than for centrals.

    Parameters
    ----------
    hosts : int
        Number of hosts.
    seed : int
    box_size : float
        Side of the box [Mpc/h].
    host_mass_factor : float
        Ratio of hydro to gravity-only masses.
    satellite_factor : float
        Share of the gravity-only satellites that the hydro run keeps.
    luminous_fraction : float
        Share of the hydro run's massive subhalos that have stars.
    luminous_mass : float
        Gravity-only mass at which half of that share have stars [Msun/h].
    mass_scatter : float
        Scatter of hydro over gravity-only masses, the same for a host and its subhalos [dex].
    slope, scatter : float
        Slope of log10 of stellar mass against log10 of gravity-only host mass, and the scatter
        about it [dex].
    particle_mass : float
        Particle mass of the gravity-only run [Msun/h].

    Returns
    -------
    hydro, dark : Scene
        ``dark`` has no stellar mass; ids are the same in both.

    Examples
    --------
    >>> from mockgal.testing import synthetic_pair
    >>> hydro, dark = synthetic_pair(600, seed=1, box_size=60.0)
    >>> "stellar_mass" in hydro.halos, "stellar_mass" in dark.halos
    (True, False)
    """
    generator = np.random.default_rng(seed)
    log_mass = 11.0 - np.log10(1.0 - generator.random(hosts) * (1.0 - 10.0**-2.5))
    number = generator.poisson(3.0 * 10.0 ** (log_mass - 12.0))
    host = np.concatenate([np.arange(hosts), np.repeat(np.arange(hosts), number)])
    central = np.arange(len(host)) < hosts
    host_mass = 10.0 ** log_mass[host]
    mass = host_mass * np.where(central, 0.9, 10.0 ** generator.uniform(-1.5, -0.5, len(host)))
    place = generator.random((hosts, 3))[host] * box_size
    place += np.where(central, 0.0, 0.1)[:, None] * generator.standard_normal((len(host), 3))
    columns = {
        "halo_id": np.arange(len(host)) * 7 + 3,
        "host_id": host * 7 + 3,
        "is_central": central,
        "position": np.mod(place, box_size),
        "velocity": 100.0 * generator.standard_normal((len(host), 3)),
        "mass": mass,
        "vmax": 100.0 * np.cbrt(mass / 1e12),
        "host_mass": host_mass,
    }
    log_stellar = 10.3 + slope * (log_mass[host] - 12.0) - np.where(central, 0.0, 0.4)
    log_stellar += scatter * generator.standard_normal(len(host))
    share = luminous_fraction / (1.0 + (luminous_mass / mass) ** 4)
    luminous = generator.random(len(host)) < share
    kept = central | (generator.random(len(host)) < satellite_factor)
    factor = host_mass_factor * 10.0 ** (mass_scatter * generator.standard_normal(hosts))[host]
    moved = columns["position"] + 0.01 * generator.standard_normal((len(host), 3))
    hydro = columns | {
        "mass": mass * factor,
        "host_mass": host_mass * factor,
        "position": np.mod(moved, box_size),
        "stellar_mass": np.where(luminous, 10.0**log_stellar, 0.0),
    }
    cosmology = Cosmology(h=0.6774, omega_m=0.3089, omega_lambda=0.6911)
    scenes = []
    for name, values in (
        ("synthetic hydro", {k: v[kept] for k, v in hydro.items()}),
        ("synthetic dark", columns),
    ):
        snapshot = Snapshot(name, box_size, 0.0, cosmology, particle_mass, "synthetic")
        scenes.append(Scene(snapshot, HaloCatalog(values, "200c")))
    return scenes[0], scenes[1]
