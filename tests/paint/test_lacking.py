"""Galaxies of hosts that the input lacks: where hosts end, and how many galaxies that is."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import mockgal
from mockgal.abundance import halo_abundance
from mockgal.cosmology import Cosmology
from mockgal.errors import MockgalWarning
from mockgal.layout import HOST_BIN
from mockgal.paint.draw import count_hosts
from mockgal.paint.halotools_models import ModelPainter
from mockgal.paint.host_edge import count_lacking, host_edge
from mockgal.paint.lacking import WARN
from mockgal.types import HaloCatalog, Scene, Snapshot

COSMOLOGY = Cosmology(0.7, 0.3, 0.7, 0.045, 0.82, 0.96)
BINS = np.arange(9.05, 15.0, HOST_BIN)
ZHENG = {"model": "zheng07", "threshold": -18.0, "stellar_mass_law": "behroozi10"}
LEAUTHAUD = {"model": "leauthaud11", "luminosity_floor": 3e9}


def power_law(number):
    """Expected hosts by mass, n ~ M^-0.9 per dex, so many of them in all."""
    density = 10.0 ** (-0.9 * BINS)
    return density / density.sum() * number


@pytest.mark.parametrize("number", [30, 1000, 1e6])
def test_whole_catalogues_have_no_edge(number):
    """1500 boxes, whose abundance is off by up to 30%, and its slope by 0.1: no false alarm."""
    generator, expected = np.random.default_rng(1), power_law(number)
    for _ in range(500):
        tilt = 10.0 ** (generator.uniform(-0.1, 0.1) * (BINS - 12))
        found = generator.poisson(expected * tilt * generator.uniform(0.7, 1.3))
        assert host_edge(found, expected)[0] == 0


@pytest.mark.parametrize("number", [1000, 1e6])
@pytest.mark.parametrize("soft", [False, True])
def test_trimmed_catalogues_end_where_they_do(number, soft):
    generator, expected = np.random.default_rng(2), power_law(number)
    for _ in range(100):
        edge = generator.integers(5, 12)
        whole = np.arange(len(BINS)) >= edge
        share = np.where(whole, 1.0, 0.1 if soft else 0.0)
        found = generator.poisson(expected * share)
        got, scale, uncertainty = host_edge(found, expected)
        assert abs(got - edge) <= (1 if number < 1e4 else 0)
        assert abs(np.log(scale)) < 3 * uncertainty


def box(size, low, seed=1, redshift=0.1, definition="200m", high=14.9):
    """Hosts alone of the mass function, from 10^low Msun/h on, at random places."""
    generator = np.random.default_rng(seed)
    fine = np.arange(low, high, 0.01) + 0.005
    density = halo_abundance(COSMOLOGY, fine, mass_definition=definition, redshift=redshift)
    number = generator.poisson(density * 0.01 * size**3)
    log_mass = np.repeat(fine, number) + generator.uniform(-0.005, 0.005, number.sum())
    n = len(log_mass)
    columns = {
        "halo_id": np.arange(n),
        "host_id": np.arange(n),
        "is_central": np.ones(n, dtype=bool),
        "position": generator.random((n, 3)) * size,
        "velocity": np.zeros((n, 3)),
        "mass": 10.0**log_mass,
        "host_mass": 10.0**log_mass,
    }
    snapshot = Snapshot("box", size, redshift, COSMOLOGY, None, "made up")
    return Scene(snapshot, HaloCatalog(columns, definition))


def trimmed(scene, mass):
    """The scene without hosts of less than a mass, and without what is in them."""
    host = scene.halos["host_mass"][scene.halos.host_row]
    return replace(scene, halos=scene.halos.take(np.flatnonzero(host >= mass)))


def painted(scene, **options):
    """Galaxies, and whether so many lack that it was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        galaxies = mockgal.paint(scene, "hod", seed=1, **options)
    return galaxies, any("are missing: the input lacks" in str(w.message) for w in caught)


@pytest.fixture(scope="module")
def hosts():
    return {z: box(60.0, 10.3, redshift=z) for z in (0.1, 0.3)}


@pytest.mark.parametrize(("options", "z"), [(ZHENG, 0.1), (LEAUTHAUD, 0.3)])
@pytest.mark.parametrize("edge", [5e11, 1.1e12, 4e12])
def test_the_galaxies_that_a_trimmed_list_lacks(hosts, options, z, edge):
    """As many are counted as the whole list has more, and none lack above the limit."""
    scene = mockgal.populate(hosts[z], ModelPainter(**options), seed=1)
    whole, warned = painted(scene, **options)
    assert not warned
    assert whole.provenance.get("lacking", {"share": 0.0})["share"] < 0.02
    part, warned = painted(trimmed(scene, edge), **options)
    said = part.provenance["lacking"]
    lost = len(whole) - len(part)
    assert warned == (said["share"] - 2 * said["uncertainty"] > WARN)
    assert said["galaxies"] == pytest.approx(lost, rel=0.25)
    assert said["share"] == pytest.approx(lost / len(whole), abs=0.05)
    limit = part.completeness.limit
    assert "lacks hosts below" in str(part.completeness)
    above = [int(np.sum(g["stellar_mass"] >= limit)) for g in (whole, part)]
    assert above[1] >= 0.97 * above[0] > 0
    # not far too high: a third of the limit is incomplete
    below = [
        int(np.sum((g["stellar_mass"] >= limit / 4) & (g["stellar_mass"] < limit / 3)))
        for g in (whole, part)
    ]
    assert below[1] < 0.97 * below[0]
    counted = mockgal.measure(part, "mass_function", jackknife=0)
    np.testing.assert_array_equal(
        counted["complete"], counted["stellar_mass_low"] * (1 + 1e-9) >= limit
    )


def test_half_of_the_galaxies(hosts):
    """The case of a list from 1.1e12 Msun/h on, painted down to M_r = -18."""
    with pytest.warns(MockgalWarning, match="missing"):
        galaxies = mockgal.paint(trimmed(hosts[0.1], 1.1e12), "hod", seed=1, **ZHENG)
    assert 0.4 < galaxies.provenance["lacking"]["share"] < 0.8
    assert any("are missing" in text for text in galaxies.provenance["warnings"])


def test_a_calibrated_hod_on_trimmed_hosts(demo_bundle):
    scene = mockgal.read(demo_bundle)
    whole, _ = painted(scene)
    part, warned = painted(trimmed(scene, 3e11))
    said = part.provenance["lacking"]
    assert warned
    # those of the whole box that lack themselves included
    lost = len(whole) - len(part) + whole.provenance["lacking"]["galaxies"]
    share = lost / (lost + len(part))
    assert said["share"] == pytest.approx(share, abs=3 * said["uncertainty"])
    limit = part.completeness.limit
    assert np.sum(part["stellar_mass"] >= limit) >= 0.97 * np.sum(whole["stellar_mass"] >= limit)
    assert whole.completeness.limit < 5e9


def test_hosts_alone_have_no_satellites(hosts):
    galaxies, _ = painted(hosts[0.1], **ZHENG)
    assert galaxies.completeness.limit is None
    assert "no satellites" in str(galaxies.completeness)


def test_a_part_of_a_set_is_no_complete_sample(demo_bundle):
    scene = mockgal.read(demo_bundle)
    snapshot = replace(scene.snapshot, record={**scene.snapshot.record, "missing_chunks": "1-3"})
    galaxies, _ = painted(replace(scene, snapshot=snapshot))
    assert "chunks 1-3" in str(galaxies.completeness)


def test_few_hosts_say_nothing():
    scene = box(8.0, 12.0)
    assert len(scene.halos) < 10
    hosts = count_lacking(scene, count_hosts(scene.halos))
    assert hosts.edge == -np.inf
    assert not hosts.lacking.any()


def test_a_cosmology_without_a_spectrum_is_completed_and_said():
    scene = box(60.0, 12.0)
    bare = replace(scene.snapshot, cosmology=Cosmology(0.7, 0.3, 0.7))
    hosts = count_lacking(replace(scene, snapshot=bare), count_hosts(scene.halos))
    assert hosts.edge == pytest.approx(12.0)
    assert "sigma_8" in hosts.function
    assert "Planck 2018" in hosts.function


def test_the_order_of_rows_does_not_matter(hosts):
    scene = trimmed(hosts[0.1], 1e12)
    order = np.random.default_rng(3).permutation(len(scene.halos))
    one, other = (
        painted(replace(scene, halos=scene.halos.take(rows)), **ZHENG)[0]
        for rows in (np.sort(order), order)
    )
    assert one.provenance["lacking"] == other.provenance["lacking"]
    assert one.completeness == other.completeness
