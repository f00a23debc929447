"""A calibrated HOD as a composite model of halotools: the same numbers, the same distributions."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest

import mockgal
from mockgal.calibration.hod_table import measure
from mockgal.errors import DomainError, UsageError
from mockgal.laws.distribution import cdf
from mockgal.painters.draw import paint_scene
from mockgal.painters.halotools import laws as halotools_laws
from mockgal.painters.halotools.models import ModelPainter
from mockgal.painters.hod.painter import HODPainter, mass_limit
from mockgal.painters.hod.rows import Prediction, predict_rows
from mockgal.testing import synthetic_pair
from mockgal.types import HaloCatalog

BOX = 200.0


@pytest.fixture(scope="module")
def pair():
    return synthetic_pair(1500, seed=4, luminous_fraction=0.8)


@pytest.fixture(scope="module")
def table(pair):
    return measure(
        [pair],
        name="synthetic",
        edges=np.arange(10.5, 14.1, 0.5),
        luminosity_floor=1e8,
        least_particles=20,
        provenance={"references": ["made up"]},
    )


@pytest.fixture(scope="module")
def model(pair, table):
    return mockgal.to_halotools_model(pair[1], HODPainter(table))


def catalogue(mass, definition, redshift=0.0, particle_mass=1e9):
    """A halo catalogue of halotools: hosts of given masses, anywhere."""
    with halotools_laws.halotools_switches():
        from halotools.sim_manager import UserSuppliedHaloCatalog

    rng, n = np.random.default_rng(8), len(mass)
    radius = 0.2 * (mass / 1e12) ** (1 / 3)
    columns = {f"halo_{x}": rng.uniform(0, BOX, n) for x in "xyz"}
    columns |= {f"halo_v{x}": rng.normal(0, 200.0, n) for x in "xyz"}
    columns |= {f"halo_m{definition}": mass, f"halo_r{definition}": radius}
    return UserSuppliedHaloCatalog(
        Lbox=BOX,
        particle_mass=particle_mass,
        redshift=redshift,
        halo_id=np.arange(n),
        halo_hostid=np.arange(n),
        halo_upid=np.full(n, -1),
        halo_mvir=mass,
        halo_rvir=radius,
        halo_nfw_conc=np.full(n, 7.0),
        **columns,
    )


@pytest.fixture(scope="module")
def host_mass():
    return 10.0 ** np.random.default_rng(5).uniform(10.6, 13.2, 8000)


@pytest.fixture(scope="module")
def galaxies(model, host_mass):
    model.populate_mock(catalogue(host_mass, "200c"), seed=11)
    return model.mock.galaxy_table


def painted(table, host_mass):
    """What the painter says of a central and a satellite of each host."""
    n = len(host_mass)
    halos = HaloCatalog(
        {
            "halo_id": np.arange(2 * n),
            "host_id": np.tile(np.arange(n), 2),
            "is_central": np.arange(2 * n) < n,
            "position": np.zeros((2 * n, 3)),
            "velocity": np.zeros((2 * n, 3)),
            "mass": np.tile(host_mass, 2),
            "host_mass": np.tile(host_mass, 2),
        },
        "200c",
    )
    out = Prediction.of(2 * n)
    predict_rows(table, halos, slice(0, 2 * n), 0.0, out)
    return out


def test_mean_centrals_are_the_painters(table, model):
    mass = 10.0 ** np.linspace(10.0, 14.0, 401)
    expected = painted(table, mass).p_luminous[: len(mass)]
    assert np.array_equal(model.mean_occupation_centrals(prim_haloprop=mass), expected)
    assert expected[0] == 0 < expected.max()


def test_mean_satellites_are_those_of_the_hydro_run(pair, table, model):
    """By bin of corrected mass, over the hosts of the gravity-only run"""
    halos = pair[1].halos
    mass = halos["host_mass"][halos["is_central"]]
    mean = model.mean_occupation_satellites(prim_haloprop=mass)
    log_mass = np.log10(mass) + table.log_mass_ratio(np.log10(mass))
    rows, c = table.rows(1), table.columns
    found = 0
    for low, high, number in zip(
        *(c[key][rows] for key in ("log_mass_low", "log_mass_high", "number_hydro_mean")),
        strict=True,
    ):
        chosen = (log_mass >= low) & (log_mass < high)
        if np.sum(chosen) >= 30:
            assert mean[chosen].mean() == pytest.approx(number, rel=0.1)
            found += 1
    assert found >= 3


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.slow
def test_mean_satellites_are_those_made_and_painted(pair, table, model):
    """The hosts alone, populated and painted over seeds, against the mean occupation."""
    halos = pair[1].halos
    scene = replace(pair[1], halos=halos.take(np.flatnonzero(halos["is_central"])))
    painter, mass = HODPainter(table), scene.halos["host_mass"]
    expected = model.mean_occupation_satellites(prim_haloprop=mass)
    bins = np.digitize(np.log10(mass), [11.5, 12.0, 12.5, 13.0])
    mean = np.bincount(bins, expected)
    seeds = 20
    found = np.zeros((seeds, len(mean)))
    for seed in range(seeds):
        galaxies = paint_scene(mockgal.populate(scene, painter, seed=seed), painter, seed=seed)
        satellites = galaxies["halo_mass"][~galaxies["is_central"]]
        found[seed] = np.bincount(
            np.digitize(np.log10(satellites), [11.5, 12.0, 12.5, 13.0]), minlength=len(mean)
        )
    assert np.all(np.abs(found.mean(axis=0) - mean) < 4 * np.sqrt(mean / seeds) + 0.005 * mean)


def test_tables_and_arrays_have_the_same_occupation(model, host_mass):
    table = catalogue(host_mass, "200c").halo_table
    for kind in ("centrals", "satellites"):
        mean = getattr(model, f"mean_occupation_{kind}")
        assert np.array_equal(mean(table=table), mean(prim_haloprop=host_mass))


def test_populated_counts_agree(model, host_mass, galaxies):
    central = model.mean_occupation_centrals(prim_haloprop=host_mass)
    satellite = model.mean_occupation_satellites(prim_haloprop=host_mass)
    kind = np.asarray(galaxies["gal_type"])
    bins = np.linspace(10.6, 13.2, 6)
    log_host = np.log10(galaxies["halo_m200c"])
    for low, high in pairwise(bins):
        hosts = (np.log10(host_mass) >= low) & (np.log10(host_mass) < high)
        inside = (log_host >= low) & (log_host < high)
        for name, mean, variance in (
            ("centrals", central, central * (1 - central)),
            ("satellites", satellite, satellite),
        ):
            number = np.sum(inside & (kind == name))
            assert abs(number - mean[hosts].sum()) < 4 * math.sqrt(variance[hosts].sum())


def test_populated_stellar_masses_follow_the_law(table, model, host_mass, galaxies):
    """The probability integral transform of halotools' masses under our law is uniform"""
    from mockgal.painters.halotools.composite import TableLaw

    kind = np.asarray(galaxies["gal_type"])
    for k, name in enumerate(("centrals", "satellites")):
        chosen = kind == name
        law = TableLaw(table, mass_limit(table, None)).distribution(
            k, np.asarray(galaxies["halo_m200c"])[chosen]
        )
        place = cdf(law, np.log10(np.asarray(galaxies["stellar_mass"])[chosen]))
        assert kstest(place, "uniform").pvalue > 1e-3
        out = painted(table, np.asarray(galaxies["halo_m200c"])[chosen])
        part = slice(0, chosen.sum()) if k == 0 else slice(chosen.sum(), None)
        assert np.array_equal(law.location, out.location[part])
        assert np.array_equal(law.residual_row, out.residual_row[part])


def test_stellar_masses_agree_with_a_painted_simulation(pair, table, model):
    """halotools populates the hosts of the gravity-only run; mockgal paints its subhalos"""
    dark = pair[1]
    mock = [paint_scene(dark, HODPainter(table), seed=s) for s in range(3)]
    hosts = dark.halos["host_mass"][dark.halos["is_central"]]
    model.populate_mock(catalogue(hosts, "200c"), seed=5)
    theirs = model.mock.galaxy_table
    for name, central in (("centrals", True), ("satellites", False)):
        ours = np.concatenate([g["stellar_mass"][g["is_central"] == central] for g in mock])
        other = np.asarray(theirs["stellar_mass"])[np.asarray(theirs["gal_type"]) == name]
        assert len(other) > 200
        assert ks_2samp(ours, other).pvalue > 1e-3
        sigma = math.sqrt(len(other) + len(ours) / 9)
        assert abs(len(other) - len(ours) / 3) < 4 * sigma


def test_light_hosts_are_populated_too(model):
    """halotools leaves out hosts of less than 300 particles, unless told otherwise"""
    mass = np.full(2000, 10.0**12)
    model.populate_mock(catalogue(mass, "200c", particle_mass=1e11), seed=2)
    assert np.sum(np.asarray(model.mock.galaxy_table["gal_type"]) == "centrals") > 1000


def test_positions(host_mass, galaxies):
    central = np.asarray(galaxies["gal_type"]) == "centrals"
    assert np.array_equal(galaxies["x"][central], galaxies["halo_x"][central])
    offset = np.asarray(galaxies["x"] - galaxies["halo_x"])[~central]
    offset -= BOX * np.rint(offset / BOX)
    assert np.all(abs(offset) <= np.asarray(galaxies["halo_r200c"])[~central] * (1 + 1e-9))
    assert offset.std() > 0


def test_seeds_are_halotools(model, host_mass):
    halos = catalogue(host_mass[:500], "200c")
    drawn = []
    before = repr(np.random.get_state(legacy=False))  # noqa: NPY002
    for seed in (1, 1, 2):
        model.populate_mock(halos, seed=seed)
        drawn.append(np.asarray(model.mock.galaxy_table["stellar_mass"]))
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    assert repr(np.random.get_state(legacy=False)) == before  # noqa: NPY002


class TestRefusals:
    def test_what_depends_on_more_than_the_host(self, pair, table):
        bound = replace(table, binned_by={"central": "bound", "satellite": "host"})
        for painter in (
            HODPainter(bound),
            HODPainter(table, mode="paper"),
            HODPainter(table, rank_by="mass", rank_correlation=0.5),
        ):
            with pytest.raises(UsageError, match="mass of their host"):
                mockgal.to_halotools_model(pair[1], painter)

    def test_elsewhere(self, pair, table):
        later = replace(pair[1], snapshot=replace(pair[1].snapshot, redshift=3.0))
        with pytest.raises(DomainError, match="redshift"):
            mockgal.to_halotools_model(later, HODPainter(table))

    def test_other_painters_and_options(self, pair, table):
        with pytest.raises(UsageError, match="beside a painter object"):
            mockgal.to_halotools_model(pair[1], HODPainter(table), calibration="x")


class TestOwnModels:
    @pytest.mark.parametrize(
        ("painter", "z"),
        [
            (ModelPainter("zheng07", -20.0, "moster13"), 0.1),
            (ModelPainter("leauthaud11", luminosity_floor=3e9), 0.3),
        ],
        ids=["zheng07", "leauthaud11"],
    )
    def test_the_occupation_is_that_of_the_painter(self, pair, painter, z):
        dark = pair[1]
        scene = replace(
            dark,
            halos=replace(dark.halos, mass_definition="200m"),
            snapshot=replace(dark.snapshot, redshift=z),
        )
        model, mass = mockgal.to_halotools_model(scene, painter), 10.0 ** np.linspace(11, 15, 60)
        occupation = painter.occupation(scene)
        assert np.allclose(
            model.mean_occupation_centrals(prim_haloprop=mass), occupation.centrals(mass)
        )
        expected = occupation.satellites(mass)
        assert np.allclose(model.mean_occupation_satellites(prim_haloprop=mass), expected)
        hosts = np.full(1000, 10**13.5)
        model.populate_mock(catalogue(hosts, "200m", redshift=z), seed=3)
        number = np.sum(np.asarray(model.mock.galaxy_table["gal_type"]) == "satellites")
        mean = 1000 * occupation.satellites(hosts[:1])[0]
        assert abs(number - mean) < 4 * math.sqrt(mean)
