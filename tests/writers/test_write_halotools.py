"""A mock object of halotools: its table, and halotools' own functions on it."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from write_samples import H, catalogue, random_columns

import mockgal
from mockgal.columns import GALAXY_COLUMNS
from mockgal.cosmology import Cosmology
from mockgal.errors import MockgalWarning, UsageError
from mockgal.types import GalaxyCatalog, ParticleChunk, Particles, Snapshot
from mockgal.writers.halotools import to_halotools

BINS = np.logspace(-0.5, 1.0, 8)


def clustered(n=3000):
    """Satellites within 1 Mpc/h of their centrals, in a box of 100 Mpc/h."""
    rng, hosts = np.random.default_rng(8), n // 3
    place = rng.random((hosts, 3)) * 100
    place = np.concatenate([place, place[rng.integers(0, hosts, n - hosts)]])
    place[hosts:] += rng.normal(0, 0.5, (n - hosts, 3))
    columns = random_columns(n, 1)
    for i, x in enumerate("xyz"):
        columns[f"position_{x}"] = np.mod(place[:, i], 100)
    columns["is_central"] = np.arange(n) < hosts
    return catalogue(columns=columns)


@pytest.mark.parametrize("n", [0, 100])
def test_table(n):
    galaxies = catalogue(n)
    mock = mockgal.to_halotools(galaxies)
    table, central = mock.galaxy_table, galaxies["is_central"]
    same = {
        "galid": "galaxy_id",
        "halo_id": "galaxy_id",
        "halo_hostid": "halo_id",
        "x": "position_x",
        "y": "position_y",
        "z": "position_z",
        "vx": "velocity_x",
        "vy": "velocity_y",
        "vz": "velocity_z",
        "stellar_mass": "stellar_mass",
        "subhalo_mass": "subhalo_mass",
        "halo_vmax": "vmax",
        "extrapolated": "extrapolated",
        "halo_m200c_host_halo": "halo_mass",
        **{name: name for name, column in GALAXY_COLUMNS.items() if column.optional},
    }
    assert set(table.colnames) == set(same) | {"halo_upid", "gal_type"}
    for name, own in same.items():
        np.testing.assert_array_equal(table[name], galaxies[own])
        assert table[name].dtype == galaxies[own].dtype
    np.testing.assert_array_equal(table["halo_upid"], np.where(central, -1, galaxies["halo_id"]))
    assert table["gal_type"].dtype == np.dtype("U10")
    np.testing.assert_array_equal(table["gal_type"] == "centrals", central)
    np.testing.assert_array_equal(table["gal_type"] == "satellites", ~central)
    assert table["x"].description.endswith("[Mpc/h]")
    assert table["halo_m200c_host_halo"].description.endswith("[Msun/h]")
    assert mock.Ngals == n
    assert mock.number_density == pytest.approx(n * 1e-6)
    assert mock.Lbox.tolist() == [100.0] * 3
    assert (mock.redshift, mock.particle_mass, mock.simname) == (0.5, 1e9, "snap")
    if n:
        assert mock.satellite_fraction == np.mean(~central)
    else:
        assert np.isnan(mock.satellite_fraction)


@pytest.mark.parametrize(
    ("cosmology", "name"),
    [
        (Cosmology(H, 0.3089, 0.6911, omega_b=0.0486), "FlatLambdaCDM"),
        (Cosmology(0.7, 0.3, 0.6), "LambdaCDM"),
        (Cosmology(0.7, 1.0, 0.0), "FlatLambdaCDM"),
    ],
)
def test_cosmology(cosmology, name):
    snapshot = Snapshot("s", 100.0, 0.5, cosmology, None, "x")
    mock = to_halotools(GalaxyCatalog(random_columns(5, 0), snapshot, "box", {}))
    theirs = mock.cosmology
    assert type(theirs).__name__ == name
    assert theirs.h == pytest.approx(cosmology.h, abs=1e-12)
    assert (theirs.Om0, theirs.Ode0) == pytest.approx((cosmology.omega_m, cosmology.omega_lambda))
    if cosmology.omega_b:
        assert theirs.Ob0 == cosmology.omega_b
    e2 = cosmology.critical_density(1.0) * 8 / cosmology.critical_density(0.0)
    assert theirs.efunc(1.0) ** 2 == pytest.approx(e2, rel=1e-12)
    assert mock.particle_mass is None
    assert "halo_mass_host_halo" in mock.galaxy_table.colnames  # of no known definition


def test_columns_that_the_catalogue_lacks():
    columns = random_columns(20, 3)
    for name in ("vmax", "extrapolated"):
        del columns[name]
    assert "halo_vmax" not in to_halotools(catalogue(columns=columns)).galaxy_table.colnames


def test_the_mock_does_not_change_the_catalogue():
    galaxies = catalogue(10)
    digest = galaxies.digest()
    table = to_halotools(galaxies).galaxy_table
    for name in table.colnames:
        table[name][:] = "centrals" if name == "gal_type" else 0
    assert galaxies.digest() == digest


def test_other_frames_are_refused():
    galaxies = catalogue(3)
    sky = GalaxyCatalog(galaxies.columns, galaxies.snapshot, "sky", galaxies.provenance)
    with pytest.raises(UsageError, match="'sky'"):
        to_halotools(sky)


def test_the_table_can_be_written(tmp_path):
    galaxies = catalogue(50, name="dämo\nrun")
    table = to_halotools(galaxies).galaxy_table
    table.write(tmp_path / "x.fits")
    again = Table.read(tmp_path / "x.fits")
    for name in table.colnames:
        np.testing.assert_array_equal(again[name].astype(table[name].dtype), table[name])
    assert again.meta["SIMNAME"] == "d\\xe4mo\\nrun"
    assert again.meta["CONTDIG"] == galaxies.digest()
    assert again.meta["BOXSIZE"] == 100.0
    table.write(tmp_path / "x.hdf5", path="data", serialize_meta=True)
    assert Table.read(tmp_path / "x.hdf5", path="data")["x"].description == table["x"].description


def test_correlation_function_is_that_of_the_arrays(halotools):
    galaxies = clustered()
    mock = mockgal.to_halotools(galaxies)
    observables, table = halotools.mock_observables, mock.galaxy_table
    position = np.column_stack([galaxies[f"position_{x}"] for x in "xyz"])
    expected = observables.tpcf(position, BINS, period=galaxies.snapshot.box_size)
    assert expected[0] > 50  # satellites are near their centrals
    formatted = observables.return_xyz_formatted_array(table["x"], table["y"], table["z"])
    found = observables.tpcf(formatted, BINS, period=mock.Lbox)
    np.testing.assert_array_equal(found, expected)
    middle, own = mock.compute_galaxy_clustering(rbins=BINS, num_threads=1)
    np.testing.assert_allclose(own, expected, rtol=1e-12)
    np.testing.assert_allclose(middle, (BINS[1:] + BINS[:-1]) / 2)


def test_correlation_function_agrees_with_counted_pairs(halotools):
    """A check that needs nothing of halotools but its answer."""
    galaxies = clustered(600)
    position = np.column_stack([galaxies[f"position_{x}"] for x in "xyz"])
    apart = np.abs(position[:, None] - position[None])
    distance = np.sqrt((np.minimum(apart, 100 - apart) ** 2).sum(axis=2))
    pairs = np.histogram(distance[np.triu_indices(600, 1)], BINS)[0]
    shells = 4 / 3 * np.pi * np.diff(BINS**3)
    expected = pairs / (600**2 / 2 * shells / 100**3) - 1
    _, found = to_halotools(galaxies).compute_galaxy_clustering(rbins=BINS, num_threads=1)
    np.testing.assert_allclose(found + 1, expected + 1, rtol=0.01)


def test_masks_and_cross_correlation(halotools):
    galaxies = clustered()
    mock, tpcf = to_halotools(galaxies), halotools.mock_observables.tpcf
    position = np.column_stack([galaxies[f"position_{x}"] for x in "xyz"])
    central = galaxies["is_central"]
    expected = tpcf(position[central], BINS, sample2=position[~central], period=100.0)
    _, *found = mock.compute_galaxy_clustering(
        include_crosscorr=True, gal_type="centrals", rbins=BINS, num_threads=1
    )
    for theirs, own in zip(expected, found, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=1e-12)
    _, own = mock.compute_galaxy_clustering(
        mask_function=lambda table: table["gal_type"] == "satellites", rbins=BINS, num_threads=1
    )
    np.testing.assert_allclose(own, expected[2], rtol=1e-12)


def test_redshift_space(halotools):
    galaxies = catalogue(200)
    mock = to_halotools(galaxies)
    table = mock.galaxy_table
    moved = halotools.mock_observables.return_xyz_formatted_array(
        table["x"],
        table["y"],
        table["z"],
        velocity=table["vz"],
        velocity_distortion_dimension="z",
        period=mock.Lbox[0],
        redshift=mock.redshift,
        cosmology=mock.cosmology,
    )
    e = np.sqrt(0.3089 * 1.5**3 + 0.6911)
    shift = galaxies["velocity_z"] * 1.5 / (100 * e)  # (1 + z) v / H in Mpc/h
    expected = np.mod(galaxies["position_z"] + shift, 100)
    np.testing.assert_allclose(moved[:, 2], expected, rtol=1e-9)


@pytest.mark.slow
def test_halotools_changes_nothing_for_the_rest_of_the_process(tmp_path):
    """It is not imported before it is needed, and then switches no warnings of NumPy off."""
    code = """
import sys
import numpy as np
import mockgal
from write_samples import catalogue
before = np.geterr()
mock = mockgal.to_halotools(catalogue(300))
print("halotools" in sys.modules)
mock.compute_galaxy_clustering(num_threads=1)
print("halotools" in sys.modules, np.geterr() == before)
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)},
    )
    assert result.stdout.split() == ["False", "True", "True"]


def test_a_mock_is_where_the_galaxies_of_a_build_are(halotools, demo_bundle):
    """The density of halotools' table is that of the catalogue in the file."""
    sim = mockgal.read(demo_bundle)
    with mockgal.errors.listening(quiet=True):
        galaxies = mockgal.select(mockgal.paint(sim, seed=3), "stellar_mass > 1e9 Msun/h")
    mock = mockgal.to_halotools(galaxies)
    assert mock.Ngals == len(galaxies) > 50
    assert mock.galaxy_table.meta["CUT1"] == "stellar_mass > 1e9 Msun/h"
    assert mock.provenance["seed"] == 3
    hosts = halotools.utils.crossmatch(
        np.asarray(mock.galaxy_table["halo_hostid"]), sim.halos["halo_id"]
    )[1]
    np.testing.assert_array_equal(
        mock.galaxy_table["halo_m200c_host_halo"], sim.halos["host_mass"][hosts]
    )


def painted(demo_bundle):
    sim = mockgal.read(demo_bundle)
    with mockgal.errors.listening(quiet=True):
        return sim, mockgal.paint(sim, "hod", seed=1)


def test_default_bins_fit_in_a_small_box(halotools, demo_bundle):
    """They reach 17.8 Mpc/h, and halotools counts pairs up to a third of the box."""
    _, galaxies = painted(demo_bundle)
    mock = to_halotools(galaxies)
    with pytest.warns(MockgalWarning, match="up to 4.047 Mpc/h"):
        middle, xi = mock.compute_galaxy_clustering(num_threads=1)
    bins = halotools.empirical_models.model_defaults.default_rbins[:11]
    np.testing.assert_allclose(middle, (bins[1:] + bins[:-1]) / 2)
    position = np.column_stack([galaxies[f"position_{x}"] for x in "xyz"])
    expected = halotools.mock_observables.tpcf(position, bins, period=16.0)
    np.testing.assert_allclose(xi, expected, rtol=1e-12)
    with pytest.raises(UsageError, match=r"up to 6 Mpc/h.*5.33333"):
        mock.compute_galaxy_clustering(rbins=[1, 6])


def test_correlation_with_matter(halotools, demo_bundle):
    sim, galaxies = painted(demo_bundle)
    mock = mockgal.to_halotools(galaxies, sim)
    table = mock.ptcl_table
    assert abs(len(table) - 98_500) < 1500
    bins = np.array([0.2, 0.5, 1.0, 2.0])
    found = [
        mock.compute_galaxy_matter_cross_clustering(rbins=bins, num_threads=1)[1] for _ in range(2)
    ]
    np.testing.assert_array_equal(*found)
    matter = np.concatenate([chunk.position for chunk in sim.particles.chunks()])
    position = np.column_stack([galaxies[f"position_{x}"] for x in "xyz"])
    expected = halotools.mock_observables.tpcf(
        position, bins, sample2=matter, period=16.0, do_auto=False
    )
    np.testing.assert_allclose(found[0], expected, rtol=0.03)  # of all particles
    _, centrals, satellites = mock.compute_galaxy_matter_cross_clustering(
        rbins=bins, gal_type="centrals", include_complement=True, num_threads=1
    )
    assert np.all(satellites > centrals)


def test_matter_is_the_same_in_any_order_and_by_mass(demo_bundle):
    sim, galaxies = painted(demo_bundle)
    chunks = [chunk.position for chunk in sim.particles.chunks()]
    position = np.concatenate(chunks)[::-1]
    heavy = np.where(position[:, 0] < 8, 2e9, 1e9)

    def scene(mass, rows):
        def stream(chunk_rows):
            for i in range(0, len(position), rows):
                yield ParticleChunk(position[i : i + rows], mass[i : i + rows])

        return replace(sim, particles=Particles(len(position), stream))

    def drawn(scene):
        table = to_halotools(galaxies, scene).ptcl_table
        return np.sort(np.column_stack([table[x] for x in "xyz"]), axis=0)

    equal = np.ones(len(position))
    np.testing.assert_array_equal(drawn(scene(equal, 1000)), drawn(sim))
    left = np.mean(drawn(scene(heavy, 5000))[:, 0] < 8)
    share = np.mean(position[:, 0] < 8)
    assert left == pytest.approx(2 * share / (1 + share), abs=0.01)


def test_matter_of_another_simulation_or_of_none(demo_bundle):
    sim, galaxies = painted(demo_bundle)
    with pytest.raises(UsageError, match=r"to_halotools\(mock, sim\)"):
        to_halotools(galaxies).compute_galaxy_matter_cross_clustering()
    with pytest.raises(UsageError, match="without particles"):
        to_halotools(galaxies, replace(sim, particles=None))
    with pytest.raises(UsageError, match="redshift 1"):
        to_halotools(galaxies, replace(sim, snapshot=replace(sim.snapshot, redshift=1.0)))


def test_groups(halotools):
    """Two pairs that are close in real space; velocities bring one of them apart."""
    columns = random_columns(4, 0)
    place = np.array([[50, 50, 50], [50, 50, 50.5], [20, 20, 99.9], [20, 20, 0.2]], dtype=float)
    for i, x in enumerate("xyz"):
        columns[f"position_{x}"] = place[:, i]
        columns[f"velocity_{x}"] = np.zeros(4)
    columns["velocity_z"][1] = 1000.0
    columns["halo_id"] = columns["galaxy_id"] = np.arange(4)
    mock = to_halotools(catalogue(columns=columns))
    z = np.array(mock.galaxy_table["z"])

    def sizes(**options):
        ids = mock.compute_fof_group_ids(b_perp=0.05, b_para=0.05, num_threads=1, **options)
        return ids[0] == ids[1], ids[2] == ids[3]

    assert sizes(zspace=False) == (True, True)
    assert sizes() == (False, True)
    assert sizes() == (False, True)  # nothing was moved for good
    np.testing.assert_array_equal(mock.galaxy_table["z"], z)


def test_redshift_space_of_groups_is_that_of_the_redshift(halotools):
    """(1 + z) v / H(z) = 1.5 / (100 sqrt(0.3089 1.5^3 + 0.6911)) Mpc/h for 1 km/s."""
    columns = random_columns(2, 0)
    for i, x in enumerate("xyz"):
        columns[f"position_{x}"] = np.array([50.0, 50.0 + 10 * (i == 2)])
        columns[f"velocity_{x}"] = np.zeros(2)
    e = np.sqrt(0.3089 * 1.5**3 + 0.6911)
    columns["velocity_z"][0] = 9.9 * 100 * e / 1.5  # to 0.1 of the other
    mock = to_halotools(catalogue(columns=columns))
    ids = mock.compute_fof_group_ids(b_perp=0.01, b_para=0.005, num_threads=1)  # of 79 Mpc/h
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda mock: mock.compute_galaxy_clustering(gal_tpye="centrals"), "gal_tpye.*gal_type"),
        (lambda mock: mock.compute_galaxy_clustering(rbins=BINS, gal_type="x"), "Zero mock"),
        (
            lambda mock: mock.compute_galaxy_clustering(rbins=BINS, x=1, y=2),
            "Only a single mask",
        ),
        (lambda mock: mock.compute_fof_group_ids(b_para=50.0), "Lbox/3"),
        (lambda mock: mock[0].compute_fof_group_ids(), "no galaxies"),
    ],
)
def test_what_cannot_be_computed(halotools, call, says):
    galaxies = clustered(300)
    mock = to_halotools(galaxies)
    with pytest.raises(UsageError, match=says):
        call([to_halotools(galaxies[[]])] if says == "no galaxies" else mock)


@pytest.mark.parametrize("name", ["populate", "model", "halo_table", "something_else"])
def test_what_a_mock_without_a_model_lacks(name):
    mock = to_halotools(catalogue(3))
    assert not hasattr(mock, name)
    with pytest.raises(AttributeError, match=name):
        getattr(mock, name)


def test_it_has_what_users_call_on_the_mocks_of_halotools(halotools):
    """Public names of halotools' own factories are here, or say why they are not."""
    factories = halotools.empirical_models
    mock = to_halotools(catalogue(3))
    for factory in (factories.HodMockFactory, factories.SubhaloMockFactory):
        for name in (name for name in dir(factory) if name[0] != "_"):
            if name in dir(type(mock)):
                continue
            with pytest.raises(AttributeError, match="to_halotools_model"):
                getattr(mock, name)
