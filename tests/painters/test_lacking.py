"""Galaxies of hosts that the input lacks: where hosts end, and how many galaxies that is."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import mockgal
from mockgal.completeness import NO_SATELLITES, TOO_FEW, Completeness
from mockgal.cosmology import Cosmology
from mockgal.errors import MockgalWarning
from mockgal.layout import HOST_BIN, STAR_PARTICLE_MASS
from mockgal.painters import blocks
from mockgal.painters.draw import count_hosts, floor_of
from mockgal.painters.halotools.models import ModelPainter
from mockgal.painters.hydro import own_galaxies
from mockgal.painters.validity.caveats import in_words
from mockgal.painters.validity.host_edge import Untold, count_lacking, host_edge
from mockgal.painters.validity.lacking import WARN, _by_stellar_mass, completeness
from mockgal.system.columns import on_disk
from mockgal.theory.abundance import halo_abundance
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


@pytest.mark.parametrize("redshift", [0.0, 2.0])
@pytest.mark.parametrize("size", [60.0, 600.0, 2000.0])
@pytest.mark.parametrize("truth", [0.75, 0.9, 1.0, "fof"])
def test_tails_of_another_cosmology_or_fit_are_no_edge(redshift, size, truth):
    """Whole boxes, and trimmed ones, whose exponential tails are not those expected."""
    generator, bins = np.random.default_rng(3), np.arange(10.05, 16.0, HOST_BIN)
    own = replace(COSMOLOGY, sigma_8=0.81)
    true = own if truth == "fof" else replace(own, sigma_8=truth)
    expected, there = (
        halo_abundance(cosmology, bins, mass_definition=definition, redshift=redshift)
        * HOST_BIN
        * size**3
        for cosmology, definition in ((own, "200m"), (true, "fof" if truth == "fof" else "200m"))
    )
    for _ in range(5):
        whole = generator.poisson(there)
        assert host_edge(whole, expected)[0] == 0
        for edge in (13, 23):  # 2e11, 2e12 Msun/h
            if whole[edge:].sum() < 100:
                continue
            for below in (0.0, 0.1):  # sharp, and not
                found = np.where(
                    np.arange(len(bins)) < edge, generator.poisson(there * below), whole
                )
                assert abs(host_edge(found, expected)[0] - edge) <= 1


def test_a_deficit_whose_counts_still_rise_is_found_where_they_should_rise_more():
    """From an edge on counts are as M^-0.2, and should be as M^-0.9."""
    expected = power_law(1e6)
    softly = expected * np.minimum(1.0, 10.0 ** (0.7 * (BINS - 10.55)))
    edge, *_ = host_edge(np.random.default_rng(4).poisson(softly), expected)
    assert 0 < edge <= 15


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


def painted(scene, painter="hod", **options):
    """Galaxies, and whether so many lack that it was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        galaxies = mockgal.paint(scene, painter, seed=1, **options)
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
    assert "lacks hosts below" in said["because"]
    assert any(said["because"] in line for line in in_words(part.provenance, part.columns))
    limit = part.completeness.limit
    if "threshold" in options:  # selected by luminosity
        assert limit is None
        assert "M_r < -18" in str(part.completeness)
        return
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
    assert 0.4 < galaxies.provenance["lacking"]["share"] < 0.9
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
    # where it is complete but for satellites, which the run has too few of
    limit = part.completeness.low
    central = [g["stellar_mass"][g["is_central"]] for g in (part, whole)]
    assert np.sum(central[0] >= limit) >= 0.97 * np.sum(central[1] >= limit) > 0
    assert whole.completeness.low < 5e9
    assert whole.completeness.lacks == part.completeness.lacks == (TOO_FEW["satellite"],)


def test_hosts_alone_have_no_satellites(hosts):
    galaxies, _ = painted(hosts[0.1], **ZHENG)
    assert galaxies.completeness.limit is None
    assert "no satellites" in str(galaxies.completeness)
    assert not any(digit in NO_SATELLITES for digit in "0123456789")  # same for all laws
    short = galaxies.provenance["painter"]["prediction"]["satellites_short"]
    assert galaxies.provenance["lacking"]["galaxies"] == pytest.approx(short, rel=0.05)


def without_satellites(scene, share):
    generator, central = np.random.default_rng(4), scene.halos["is_central"]
    kept = central | (generator.random(len(central)) >= share)
    return replace(scene, halos=scene.halos.take(np.flatnonzero(kept)))


@pytest.mark.parametrize(("share", "number"), [(0.0, 39.4), (0.95, 90.0)])
def test_missing_satellites_are_counted_in_what_lacks(demo_bundle, share, number):
    """Of 95 satellites of the law, 39 lack in the demo run itself."""
    galaxies, _ = painted(without_satellites(mockgal.read(demo_bundle), share))
    short = galaxies.provenance["painter"]["prediction"]["satellites_short"]
    assert short == pytest.approx(number, abs=3)
    assert galaxies.completeness.limit is None
    assert galaxies.completeness.lacks == (TOO_FEW["satellite"],)
    said = galaxies.provenance["lacking"]
    assert said["galaxies"] > short
    assert said["share"] == pytest.approx(
        said["galaxies"] / (said["galaxies"] + len(galaxies)), 0.01
    )
    assert f"{short:.4g} of the law's 95.38 satellites" in said["because"]
    assert any(
        "satellites are missing" in x for x in in_words(galaxies.provenance, galaxies.columns)
    )


def few_satellites(short, satellites=1000, centrals=9000):
    """Completeness of centrals of 1e8 to 1e12 Msun/h and satellites of at most 1e10."""
    mass = np.concatenate([np.geomspace(1e8, 1e12, centrals), np.geomspace(1e8, 1e10, satellites)])
    columns = {"stellar_mass": mass, "is_central": np.arange(len(mass)) < centrals}
    prediction = {
        "expected_centrals": float(centrals),
        "expected_satellites": float(satellites),
        "satellites_short": short,
    }
    scene = box(20.0, 12.0)
    halos = {name: np.array(values) for name, values in scene.halos.columns.items()}
    halos["is_central"][1] = False
    halos["host_id"][1] = halos["halo_id"][0]
    halos = HaloCatalog(halos, scene.halos.mass_definition)
    start = Completeness(1e8, because="floor")
    return completeness(start, None, columns, replace(scene, halos=halos), prediction)


def test_few_missing_satellites_matter_where_there_are_satellites():
    found, said = few_satellites(150.0)
    assert not found.lacks
    assert found.limit == pytest.approx(1e10, rel=0.6)
    assert said["galaxies"] == 150
    assert few_satellites(60.0)[0].limit == 1e8  # within the scatter of their number
    assert few_satellites(-300.0)[0].limit == 1e8
    assert few_satellites(90.0, satellites=100)[0].limit == 1e8  # fewer than 1% of all
    assert few_satellites(400.0)[0].limit is None


def test_painters_that_do_not_count_satellites():
    hosts_only = box(20.0, 11.5)
    columns = {"stellar_mass": np.full(20, 1e9), "is_central": np.ones(20, dtype=bool)}
    found, _ = completeness(Completeness(1e8), None, columns, hosts_only, {})
    assert found.lacks == (NO_SATELLITES,)


def test_laws_that_state_no_floor_are_not_called_complete():
    assert not floor_of({"name": "of someone"}).is_stated
    assert floor_of({"luminosity_floor_msun_h": 2e9}).limit == 2e9
    assert floor_of({"luminosity_floor_msun_h": 0.0, "complete_from_msun_h": 3e9}).limit == 3e9


def test_a_magnitude_limited_sample_is_not_complete_in_stellar_mass(demo_bundle):
    galaxies, _ = painted(
        mockgal.read(demo_bundle), **ZHENG | {"threshold": -20.0}, allow_extrapolation=True
    )
    assert not mockgal.measure(galaxies, "mass_function", jackknife=0)["complete"].any()
    assert "M_r < -20, not by stellar mass" in str(galaxies.completeness)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"empty_regions": 2}, "--allow-empty-regions"),
        ({"dropped_bad": 5}, None),
        ({"dropped_bad": 400}, "left out"),
        ({"dropped_with_their_host": 400}, "left out"),
        ({"orphans_dropped": 400}, "left out"),
    ],
)
def test_what_was_accepted_at_reading_is_no_complete_sample(hosts, record, words):
    scene = trimmed(hosts[0.3], 2e12)
    halos = replace(scene.halos, record={**scene.halos.record, **record})
    scene = mockgal.populate(replace(scene, halos=halos), ModelPainter(**LEAUTHAUD), seed=1)
    galaxies, _ = painted(scene, **LEAUTHAUD)
    if words is None:
        assert not galaxies.completeness.lacks
    else:
        assert words in str(galaxies.completeness)
        assert galaxies.completeness.limit is None


def test_a_hydrodynamic_run_says_what_it_lacks(hosts):
    scene = trimmed(hosts[0.1], 1e12)
    columns = {**scene.halos.columns, "stellar_mass": 0.01 * scene.halos["host_mass"]}
    snapshot = replace(scene.snapshot, record={STAR_PARTICLE_MASS: 1e7})
    scene = Scene(snapshot, HaloCatalog(columns, scene.halos.mass_definition))
    with pytest.warns(MockgalWarning, match="galaxies that the run has"):
        galaxies = own_galaxies(scene)
    assert galaxies.provenance["lacking"]["share"] > 0.5
    assert any("that the run has" in text for text in galaxies.provenance["warnings"])


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


@pytest.mark.parametrize(
    ("cosmology", "says"),
    [
        ({"sigma_8": 0.05}, "times the hosts"),
        ({"n_s": 900.0}, "cannot be computed"),
        ({"sigma_8": 1e200}, "cannot be computed"),
        ({"omega_m": 0.02, "omega_lambda": 1.9}, "cannot be computed"),
    ],
)
def test_a_mass_function_that_says_nothing_of_the_hosts(hosts, cosmology, says):
    """Numbers of a file give neither an absurd share nor an error: nothing is stated, and why."""
    scene = mockgal.populate(trimmed(hosts[0.1], 1e12), ModelPainter(**ZHENG), seed=1)
    odd = replace(scene.snapshot, cosmology=unchecked(**cosmology))
    galaxies, warned = painted(replace(scene, snapshot=odd), **ZHENG, allow_extrapolation=True)
    assert len(galaxies) > 100
    assert not warned
    assert "mass_function" not in galaxies.provenance.get("lacking", {})
    assert galaxies.completeness.low is None
    assert says in galaxies.completeness.because


def test_hosts_of_a_time_without_any(hosts):
    scene = trimmed(hosts[0.1], 1e12)
    scene = replace(scene, snapshot=replace(scene.snapshot, redshift=50.0))
    with pytest.raises(Untold, match="times the hosts"):
        count_lacking(scene, count_hosts(scene.halos))


def unchecked(**stated):
    """A cosmology, without the bounds on what files may state."""
    cosmology = replace(COSMOLOGY)
    for name, value in stated.items():
        object.__setattr__(cosmology, name, value)
    return cosmology


class Plugin:
    """A stranger's painter, which reads a column that only its own inputs have."""

    name, needs, references = "stranger", frozenset({"halos"}), ()
    provides = ModelPainter.provides

    def __init__(self, **declared):
        self.own = ModelPainter(**ZHENG)
        self.__dict__.update(declared)

    def predict(self, scene):
        if not np.all(scene.halos.columns["concentration"] > 0):
            raise ValueError("no concentration")
        return self.own.predict(scene)

    def describe(self, scene):
        return self.own.describe(scene)


def test_painters_are_asked_for_hosts_only_if_they_say_that_they_can_be(hosts):
    scene = mockgal.populate(trimmed(hosts[0.1], 1.1e12), ModelPainter(**ZHENG), seed=1)
    further = {"concentration": np.full(len(scene.halos), 5.0)}
    halos = HaloCatalog({**scene.halos.columns, **further}, scene.halos.mass_definition)
    scene = replace(scene, halos=halos)
    own, trend, failing = (
        painted(scene, painter)[0]
        for painter in (ModelPainter(**ZHENG), Plugin(), Plugin(predicts_hosts=True))
    )
    assert own.provenance["lacking"]["share"] > 0.3
    assert trend.provenance["lacking"]["mass_function"]  # with the trend of the galaxies
    assert len(failing) == len(own)
    assert "stranger" in failing.completeness.because
    assert "mass_function" not in failing.provenance.get("lacking", {})


def test_what_is_not_known_is_not_stated_and_says_why():
    unknown = Completeness(1e9, because="a floor").unknown("no reason at all")
    assert str(unknown) == "not stated: no reason at all"
    assert not unknown.is_stated
    assert unknown.limit is None
    assert Completeness.of({"completeness": unknown.record()}) == unknown


def test_galaxies_are_counted_in_blocks(monkeypatch):
    mass = 10.0 ** np.random.default_rng(5).uniform(3, 13, 1000).astype(np.float32)
    mass[:3] = 0.0
    columns = {"stellar_mass": mass, "is_central": mass < 1e9}
    whole = _by_stellar_mass(columns)
    assert whole.sum() == np.sum(mass > 1e4)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 64)
    monkeypatch.setattr(blocks, "LARGE", 10)
    np.testing.assert_array_equal(_by_stellar_mass(columns), whole)
    monkeypatch.setattr(on_disk, "BLOCK_ROWS", 100)
    np.testing.assert_array_equal(_by_stellar_mass(columns), whole)
    kinds = [_by_stellar_mass(columns, kind) for kind in (True, False)]
    np.testing.assert_array_equal(np.sum(kinds, axis=0), whole)
    assert not _by_stellar_mass({name: x[:0] for name, x in columns.items()}).any()
