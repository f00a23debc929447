"""Halos for the formats of `mockgal.readers.tables.known`, in the units of a halo list."""

import numpy as np
from rockstar_samples import universe

from mockgal.testing import COSMOLOGY

BOX = 40.0  # Mpc/h
H = 0.6774  # of COSMOLOGY
Z = 1.0
COSMOLOGY_GIVEN = {"h": H, "omega_m": COSMOLOGY.omega_m, "omega_lambda": COSMOLOGY.omega_lambda}


def halos(redshift=Z, hosts=80):
    """Columns of `rockstar_samples.universe`; positions as (n, 3), and radii of M200c [Mpc/h]."""
    table = universe(hosts=hosts, redshift=redshift)
    comoving = 200 * COSMOLOGY.critical_density(redshift)
    table["position"] = np.stack([table[x] for x in "xyz"], axis=1)
    table["velocity"] = np.stack([table[f"v{x}"] for x in "xyz"], axis=1)
    table["r200c"] = (table["m200c"] / (4 / 3 * np.pi * comoving)) ** (1 / 3)
    row = {int(key): n for n, key in enumerate(table["id"])}
    table["host_row"] = np.array([row.get(int(key), -1) for key in table["upid"]])
    table["central"] = table["upid"] < 0
    return table


def check(scene, table, *, host_mass="m200c", mass="mvir", rtol=1e-6):
    """The scene has the halos of a table, in Mpc/h, Msun/h and km/s."""
    found = scene.halos
    assert len(found) == len(table["id"])
    np.testing.assert_array_equal(found["is_central"], table["central"])
    np.testing.assert_allclose(found["position"], table["position"], rtol=rtol)
    np.testing.assert_allclose(found["velocity"], table["velocity"], rtol=rtol)
    np.testing.assert_allclose(found["mass"], table[mass], rtol=rtol)
    top = np.where(table["central"], np.arange(len(table["id"])), table["host_row"])
    np.testing.assert_array_equal(found["host_id"], found["halo_id"][top])
    np.testing.assert_allclose(found["host_mass"], table[host_mass][top], rtol=rtol)
    if "vmax" in found:
        np.testing.assert_allclose(found["vmax"], table["vmax"], rtol=rtol)
