"""The domain types refuse what cannot be, whoever makes them."""

from dataclasses import replace

import numpy as np
import pytest

from mockgal.cosmology import CRITICAL_DENSITY, Cosmology, h_free
from mockgal.errors import BadValueError, HeaderError, MissingDatasetError
from mockgal.testing import synthetic_pair
from mockgal.types import DensityField, GalaxyCatalog, Snapshot

COSMOLOGY = Cosmology(0.7, 0.3, 0.7)


@pytest.mark.parametrize(
    "change",
    [
        {"box_size": 0.0},
        {"box_size": np.inf},
        {"redshift": -1.0},
        {"redshift": np.nan},
        {"particle_mass": 0.0},
        {"particle_mass": np.inf},
    ],
)
def test_snapshots(change):
    with pytest.raises(HeaderError):
        Snapshot(
            **(
                {
                    "name": "x",
                    "box_size": 1.0,
                    "redshift": 0.0,
                    "cosmology": COSMOLOGY,
                    "particle_mass": 1e9,
                    "format": "x",
                }
                | change
            )
        )


@pytest.fixture(scope="module")
def halos():
    return synthetic_pair(50)[1].halos


def test_halo_catalogues(halos):
    columns = dict(halos.columns)
    first = {name: values.copy() for name, values in columns.items()}
    for change, error in (
        ({"mass": columns["mass"][:-1]}, BadValueError),
        ({"position": columns["position"][:, 0]}, BadValueError),
        ({"colour": columns["mass"]}, BadValueError),
        ({"halo_id": np.zeros_like(columns["halo_id"])}, BadValueError),
        ({"host_id": columns["host_id"][::-1]}, BadValueError),
        ({"is_central": np.zeros_like(columns["is_central"])}, BadValueError),
    ):
        with pytest.raises(error):
            replace(halos, columns=first | change)
    with pytest.raises(MissingDatasetError, match="velocity"):
        replace(halos, columns={k: v for k, v in columns.items() if k != "velocity"})
    assert "vmax" not in replace(halos, columns={k: v for k, v in columns.items() if k != "vmax"})
    with pytest.raises(BadValueError, match="201c"):
        replace(halos, mass_definition="201c")
    with pytest.raises(ValueError, match="read-only"):
        halos["mass"][0] = 1.0


def test_masses_of_another_definition(halos):
    digest = halos.digest()
    other = halos.with_mass_definition("vir")
    checked = replace(halos, mass_definition="vir")
    assert other.mass_definition == "vir"
    assert other.digest() == checked.digest() != digest
    assert halos.digest() == digest
    assert other.hosts is other
    with pytest.raises(BadValueError, match="201c"):
        halos.with_mass_definition("201c")


def test_scenes():
    scene = synthetic_pair(50)[1]
    columns = {**scene.halos.columns, "position": scene.halos["position"] + 1000.0}
    with pytest.raises(BadValueError, match="position"):
        replace(scene, halos=replace(scene.halos, columns=columns))


def test_grids_and_frames():
    with pytest.raises(BadValueError, match="kind"):
        DensityField(8, 1.0, "colour", "CIC", "corner", lambda a, b: np.zeros(0))
    snapshot = Snapshot("x", 1.0, 0.0, COSMOLOGY, 1e9, "x")
    ids = {"galaxy_id": np.array([2, 1, 3]), "halo_id": np.array([2, 2, 1])}
    with pytest.raises(BadValueError, match="frame"):
        GalaxyCatalog(ids, snapshot, "sphere", {})
    galaxies = GalaxyCatalog(ids, snapshot, "box", {})
    assert galaxies["galaxy_id"].tolist() == [3, 1, 2]


def test_cosmology():
    # Planck 2018 VI: rho_crit = 2.775e11 h^2 Msun/Mpc^3
    assert pytest.approx(2.77536627e11, rel=1e-6) == CRITICAL_DENSITY
    assert COSMOLOGY.critical_density(0.0) == pytest.approx(CRITICAL_DENSITY)
    # At high redshift matter is all there is: rho_crit per comoving volume is Omega_m rho_crit,0.
    assert COSMOLOGY.critical_density(99.0) == pytest.approx(
        COSMOLOGY.mean_matter_density, rel=1e-5
    )
    assert h_free(7.0, -1, 0.7) == pytest.approx(10.0)
    assert h_free(7.0, 0, 0.7) == 7.0
