"""A made-up pair of runs whose differences are known."""

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
) -> tuple[Scene, Scene]:
    """A made-up hydrodynamic run and its gravity-only twin, with known differences.

    Hosts follow a power law in mass, satellites a Poisson number proportional to it; stellar mass
    is a power of host mass with log-normal scatter, satellites below centrals.

    Parameters
    ----------
    hosts : int
    seed : int
    box_size : float
        [Mpc/h]
    host_mass_factor : float
        Every hydro mass over its gravity-only one.
    satellite_factor : float
        Share of the gravity-only satellites that the hydro run keeps.
    luminous_fraction : float
        Share of the hydro run's subhalos that have stars.

    Returns
    -------
    hydro, dark : Scene
        ``dark`` has no stellar mass; ids are the same in both.
    """
    generator = np.random.default_rng(seed)
    log_mass = 11.0 - np.log10(1.0 - generator.random(hosts) * (1.0 - 10.0**-2.5)) / 1.0
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
    log_stellar = 10.3 + 0.8 * (log_mass[host] - 12.0) - np.where(central, 0.0, 0.4)
    log_stellar += 0.2 * generator.standard_normal(len(host))
    luminous = generator.random(len(host)) < luminous_fraction
    kept = central | (generator.random(len(host)) < satellite_factor)
    hydro = columns | {
        "mass": mass * host_mass_factor,
        "host_mass": host_mass * host_mass_factor,
        "stellar_mass": np.where(luminous, 10.0**log_stellar, 0.0),
    }
    cosmology = Cosmology(h=0.6774, omega_m=0.3089, omega_lambda=0.6911)
    scenes = []
    for name, values in (
        ("synthetic hydro", {k: v[kept] for k, v in hydro.items()}),
        ("synthetic dark", columns),
    ):
        snapshot = Snapshot(name, box_size, 0.0, cosmology, 1e7, "synthetic")
        scenes.append(Scene(snapshot, HaloCatalog(values, "200c")))
    return scenes[0], scenes[1]
