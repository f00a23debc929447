"""Small catalogues of known masses, for the statistics that count galaxies."""

import warnings

import numpy as np

import mockgal
from mockgal.cosmology import Cosmology
from mockgal.errors import MockgalWarning
from mockgal.types import GalaxyCatalog, HaloCatalog, Snapshot

BOX = 30.0
COSMOLOGY = Cosmology(h=0.5, omega_m=0.3, omega_lambda=0.7)


def catalogue(stellar_mass, *, provenance=None, box_size=BOX, frame="box", seed=1, **columns):
    """Galaxies at random places, each the central of its own host unless ``columns`` say else."""
    stellar_mass = np.asarray(stellar_mass, dtype=np.float32)
    n = len(stellar_mass)
    position = np.random.default_rng(seed).random((3, n)) * box_size
    values = {
        "galaxy_id": np.arange(n),
        "halo_id": np.arange(n),
        "is_central": np.ones(n, dtype=bool),
        **{f"position_{x}": p for x, p in zip("xyz", position, strict=True)},
        **{f"velocity_{x}": np.zeros(n) for x in "xyz"},
        "stellar_mass": stellar_mass,
        "halo_mass": np.full(n, 1e12),
        "subhalo_mass": np.full(n, 1e11),
        "extrapolated": np.zeros(n, dtype=bool),
        **columns,
    }
    snapshot = Snapshot("made up", box_size, 0.0, COSMOLOGY, None, "none")
    return GalaxyCatalog(values, snapshot, frame, provenance or {})


def host_catalogue(mass, *, mass_definition="200c", box_size=BOX, seed=1):
    """Hosts 0, 1, ... without satellites, at the places of `catalogue`'s galaxies."""
    n = len(mass)
    columns = {
        "halo_id": np.arange(n),
        "host_id": np.arange(n),
        "is_central": np.ones(n, dtype=bool),
        "position": (np.random.default_rng(seed).random((3, n)) * box_size).T,
        "velocity": np.zeros((n, 3)),
        "mass": np.asarray(mass, dtype=float),
        "host_mass": np.asarray(mass, dtype=float),
    }
    return HaloCatalog(columns, mass_definition)


def populated(seed, *, hosts=1500, mean=2.0, box_size=BOX):
    """Hosts of one mass range, 70% with a central, each with a Poisson number of satellites.

    Everything is independent: errors of independent hosts are right.
    """
    generator = np.random.default_rng(seed)
    mass = 10.0 ** generator.uniform(12.0, 13.0, hosts)
    halos = host_catalogue(mass, seed=seed, box_size=box_size)
    number = generator.poisson(mean, hosts)
    central = generator.random(hosts) < 0.7
    host = np.concatenate([np.flatnonzero(central), np.repeat(np.arange(hosts), number)])
    n = len(host)
    position = halos["position"][host].T
    galaxies = catalogue(
        10.0 ** generator.normal(10.0, 0.3, n),
        galaxy_id=np.arange(n),
        halo_id=host,
        is_central=np.arange(n) < central.sum(),
        halo_mass=mass[host],
        box_size=box_size,
        **{f"position_{x}": p for x, p in zip("xyz", position, strict=True)},
    )
    return galaxies, halos


def demo_mock(bundle):
    """The demo simulation, and the galaxies painted on it."""
    sim = mockgal.read(bundle)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MockgalWarning)
        return sim, mockgal.paint(sim, "hod", seed=1)


def same(a, b):
    """Whether two results are equal in every number and setting."""
    assert list(a.columns) == list(b.columns)
    for name, values in a.columns.items():
        np.testing.assert_array_equal(values, b[name], err_msg=name)
    assert dict(a.settings) == dict(b.settings)
