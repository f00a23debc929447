"""The calibration recovers differences put between two made-up twins."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mockgal.calibration.hod_table import measure
from mockgal.calibration.host_mass import host_mass_ratio, pair_hosts
from mockgal.calibration.matching.match import match_hosts
from mockgal.calibration.population import population
from mockgal.calibration.rows import _thinning, resolved_run
from mockgal.errors import MissingDatasetError, UsageError
from mockgal.painters.draw import paint_scene
from mockgal.painters.hod.painter import HODPainter
from mockgal.painters.hod.table import median_curve
from mockgal.testing import synthetic_pair

EDGES = np.array([10.5, 11.0, 11.25, 11.5, 11.75, 12.0, 12.5, 13.0, 14.0])


@pytest.fixture(scope="module")
def biased():
    return synthetic_pair(
        60_000,
        seed=2,
        box_size=1000.0,
        host_mass_factor=0.9,
        satellite_factor=0.7,
        luminous_fraction=0.6,
    )


@pytest.fixture(scope="module")
def table(biased):
    return measure(
        [biased],
        name="biased",
        edges=EDGES,
        luminosity_floor=1e7,
        least_particles=20,
        jackknife=0,
        provenance={},
    )


@pytest.mark.slow
def test_host_mass_bias(table):
    ratio = 10 ** table.log_mass_ratio(np.linspace(10.5, 14, 30))
    np.testing.assert_allclose(ratio, 0.9, rtol=0.02)


@pytest.mark.slow
def test_satellite_number_and_luminous_fraction(table, biased):
    c, satellite = table.columns, table.columns["kind"] == "satellite"
    hosts = c["hosts_dark"][satellite]
    np.testing.assert_allclose(hosts, c["hosts_hydro"][satellite], rtol=0.02)
    ratio = c["subhalos_hydro"][satellite].sum() / c["subhalos_dark"][satellite].sum()
    assert ratio == pytest.approx(0.7, rel=0.02)
    for kind in (satellite, ~satellite):
        share = c["luminous_hydro"][kind].sum() / c["subhalos_hydro"][kind].sum()
        assert share == pytest.approx(0.6, rel=0.02)
    assert np.all(c["deficit"] == 0)


def test_painting_gives_the_hydro_numbers(table, biased):
    hydro, dark = biased
    prediction = HODPainter(table).predict(dark)
    central = dark.halos["is_central"]
    true = hydro.halos["stellar_mass"] >= 1e7
    for mine, theirs in (
        (central, hydro.halos["is_central"]),
        (~central, ~hydro.halos["is_central"]),
    ):
        assert prediction.p_luminous[mine].sum() == pytest.approx(np.sum(true & theirs), rel=0.02)
    thinned = prediction.p_luminous[~central].mean()
    assert thinned == pytest.approx(0.7 * 0.6, rel=0.02)
    assert prediction.p_luminous[central].mean() == pytest.approx(0.6, rel=0.02)
    for low, high in ((11.0, 11.5), (11.5, 12.5), (12.5, 13.5)):
        bins = [
            (np.log10(s.halos["host_mass"] * f) >= low)
            & (np.log10(s.halos["host_mass"] * f) < high)
            for s, f in ((dark, 0.9), (hydro, 1.0))
        ]
        expected = prediction.p_luminous[bins[0] & ~central].sum()
        measured = np.sum(true & bins[1] & ~hydro.halos["is_central"])
        assert expected == pytest.approx(measured, rel=0.02)


def test_painted_masses_are_those_of_the_hydro_run(table, biased):
    hydro, dark = biased
    galaxies = paint_scene(dark, HODPainter(table), seed=3)
    true = hydro.halos["stellar_mass"]
    quantiles = np.linspace(0.05, 0.95, 19)
    mine = np.quantile(np.log10(galaxies["stellar_mass"]), quantiles)
    theirs = np.quantile(np.log10(true[true >= 1e7]), quantiles)
    np.testing.assert_allclose(10**mine, 10**theirs, rtol=0.02)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_uncorrected_masses_would_be_wrong(table, biased):
    """Without the host-mass correction the median stellar mass is off by 0.9**0.8."""
    hydro, dark = biased
    flat = {**table.columns, "log_host_mass_ratio": table.columns["log_host_mass_ratio"] * 0}
    galaxies = paint_scene(dark, HODPainter(replace(table, columns=flat)), seed=3)
    true = hydro.halos["stellar_mass"]
    shift = np.median(galaxies["stellar_mass"]) / np.median(true[true >= 1e7])
    assert shift == pytest.approx(0.9**-0.8, rel=0.02)


def test_matching_and_abundance_agree(biased):
    hydro, dark = biased
    rows = match_hosts(hydro.halos, dark.halos, dark.snapshot)
    assert np.mean(hydro.halos["halo_id"][rows[0]] == dark.halos["halo_id"][rows[1]]) > 0.99
    matched = pair_hosts(hydro, dark, rows, "position", 1e8)
    assert matched.method.startswith("median over")
    ranked = pair_hosts(hydro, dark, (rows[0][:10], rows[1][:10]), "position", 1e8)
    assert ranked.method.startswith("abundance")
    ratio = [host_mass_ratio(p.log_hydro, p.log_dark, EDGES)[1] for p in (matched, ranked)]
    np.testing.assert_allclose(10 ** (ratio[1] - ratio[0])[1:], 1.0, rtol=0.02)


def test_a_pair_that_is_none_is_refused(biased):
    hydro, dark = biased
    options = {
        "name": "x",
        "edges": EDGES,
        "luminosity_floor": 1e7,
        "least_particles": 20,
        "jackknife": 0,
        "provenance": {},
    }
    with pytest.raises(MissingDatasetError, match="no stellar masses"):
        measure([(dark, dark)], **options)
    with pytest.raises(MissingDatasetError, match="gravity-only twin"):
        measure([(hydro, hydro)], **options)


@pytest.mark.fault(48)
def test_bins_without_satellites_are_zero_rows():
    hydro, dark = (
        replace(scene, halos=scene.halos.take(np.flatnonzero(scene.halos["is_central"])))
        for scene in synthetic_pair(500)
    )
    table = measure(
        [(hydro, dark)],
        name="x",
        edges=EDGES,
        luminosity_floor=1e7,
        least_particles=20,
        jackknife=0,
        provenance={},
    )
    satellite = table.columns["kind"] == "satellite"
    for name in ("subhalos_hydro", "luminous_hydro", "number_hydro_mean", "deficit"):
        assert np.all(table.columns[name][satellite] == 0)
    galaxies = paint_scene(synthetic_pair(500)[1], HODPainter(table), seed=1)
    assert galaxies["is_central"].all()
    assert len(galaxies) > 400


@pytest.fixture(scope="module")
def hard():
    """Twins that differ much, with scatter, and with luminosity that depends on mass."""
    return synthetic_pair(
        100_000,
        seed=5,
        box_size=1000.0,
        host_mass_factor=0.7,
        satellite_factor=0.6,
        luminous_fraction=0.9,
        luminous_mass=1.5e11,
        mass_scatter=0.08,
        particle_mass=1e9,
    )


@pytest.fixture(scope="module")
def hard_table(hard):
    edges = np.arange(10.5, 14.1, 0.25)
    return measure(
        [hard],
        name="hard",
        edges=edges,
        luminosity_floor=1e7,
        least_particles=20,
        jackknife=0,
        provenance={},
    )


@pytest.mark.slow
def test_scatter_does_not_bias_the_host_mass_ratio(hard_table):
    known = np.isfinite(hard_table.columns["log_host_mass_ratio"])
    ratio = 10 ** hard_table.columns["log_host_mass_ratio"][known]
    np.testing.assert_allclose(ratio[1:-1], 0.7, rtol=0.03)


def test_both_runs_are_cut_at_one_resolution(hard_table):
    """Below 2e10 Msun/h, and in bins away from the ends, satellites are lost alike."""
    c = hard_table.columns
    for row in range(hard_table.rows(1).start + 3, hard_table.rows(1).start + 10):
        per_host = c["subhalos_hydro"][row] / c["hosts_hydro"][row]
        twin = c["subhalos_dark"][row] / c["hosts_dark"][row]
        assert per_host / twin == pytest.approx(0.6, rel=0.05)


def test_luminosity_follows_mass_within_bins(hard, hard_table):
    """Painted luminous shares against the law that the pair was made with, in narrow bins."""
    dark = hard[1].halos
    p = HODPainter(hard_table).predict(hard[1]).p_luminous
    log_mass = np.log10(dark["mass"])
    for kind, factor in ((dark["is_central"], 1.0), (~dark["is_central"], 0.6)):
        for low in np.arange(10.9, 11.7, 0.1):
            chosen = kind & (log_mass >= low) & (log_mass < low + 0.1) & (dark["host_mass"] > 2e11)
            if np.sum(chosen) > 1000:
                truth = np.mean(0.9 / (1 + (1.5e11 / dark["mass"][chosen]) ** 4)) * factor
                assert np.mean(p[chosen]) == pytest.approx(truth, abs=0.06)


def test_numbers_by_host_mass_are_the_hydro_runs(hard, hard_table):
    hydro, dark = hard
    p = HODPainter(hard_table).predict(dark).p_luminous
    ratio = hard_table.log_mass_ratio(np.log10(dark.halos["host_mass"]))
    mine = np.log10(dark.halos["host_mass"]) + ratio
    theirs = np.log10(hydro.halos["host_mass"])
    luminous = hydro.halos["stellar_mass"] >= 1e7
    for low in (11.25, 11.5, 12.0, 12.5):
        for central in (True, False):
            a = (mine >= low) & (mine < low + 0.25) & (dark.halos["is_central"] == central)
            b = (theirs >= low) & (theirs < low + 0.25) & (hydro.halos["is_central"] == central)
            a_hosts = np.sum((mine >= low) & (mine < low + 0.25) & dark.halos["is_central"])
            b_hosts = np.sum((theirs >= low) & (theirs < low + 0.25) & hydro.halos["is_central"])
            assert p[a].sum() / a_hosts == pytest.approx(np.sum(luminous & b) / b_hosts, rel=0.03)


@pytest.mark.slow
def test_the_mass_function_is_right_down_to_the_floor():
    hydro, dark = synthetic_pair(150_000, seed=8, box_size=1000.0)
    floor = 2e10
    table = measure(
        [(hydro, dark)],
        name="floor",
        edges=np.arange(10.75, 14.1, 0.25),
        luminosity_floor=floor,
        least_particles=20,
        jackknife=0,
        provenance={},
    )
    galaxies = paint_scene(dark, HODPainter(table), seed=1)
    bins = np.log10(floor) + np.array([0.0, 0.05, 0.1, 0.2, 0.4, 0.8])
    mine = np.histogram(np.log10(galaxies["stellar_mass"]), bins)[0]
    theirs = np.histogram(np.log10(np.maximum(hydro.halos["stellar_mass"], 1.0)), bins)[0]
    np.testing.assert_allclose(mine / theirs, 1.0, atol=0.05)


def test_mean_and_variance_of_numbers(biased, table):
    halos = biased[0].halos
    luminous = ~halos["is_central"] & (halos["stellar_mass"] >= 1e7)
    number = np.bincount(halos.host_row[luminous], minlength=len(halos))[halos["is_central"]]
    log_host = np.log10(halos["host_mass"][halos["is_central"]])
    for b in range(len(EDGES) - 1):
        chosen = number[(log_host >= EDGES[b]) & (log_host < EDGES[b + 1])]
        row = table.rows(1).start + b
        assert table.columns["number_hydro_mean"][row] == pytest.approx(chosen.mean())
        assert table.columns["number_hydro_variance"][row] == pytest.approx(chosen.var())
    dark = table.columns["number_dark_variance"] / np.maximum(
        table.columns["number_dark_mean"], 1e-9
    )
    assert np.all(dark[table.rows(1).start + 1 : -1] > 0.9)  # Poisson numbers spread over a bin


@pytest.mark.parametrize(
    ("p", "target", "factor", "deficit"),
    [
        ([0.5, 0.5, 0.5, 0.5], 1.0, 0.5, 0.0),
        ([0.5, 0.5, 0.5, 0.5], 3.0, 1.5, 0.0),  # raised towards one before a deficit is declared
        ([0.2, 0.8], 1.5, 2.5, 0.0),
        ([0.5, 0.5], 4.0, 2.0, 0.5),
        ([0.0, 0.5], 2.0, 2.0, 0.5),
        ([0.0, 0.0], 1.0, 1.0, 1.0),
        ([], 1.0, 1.0, 1.0),
        ([0.5], 0.0, 0.0, 0.0),
    ],
)
def test_thinning(p, target, factor, deficit):
    assert _thinning(np.array(p), target) == pytest.approx((factor, deficit))


def test_scarce_bins_pool_their_residuals():
    hydro, dark = synthetic_pair(300, seed=3)
    table = measure(
        [(hydro, dark)],
        name="x",
        edges=EDGES,
        luminosity_floor=1e7,
        least_particles=20,
        jackknife=0,
        provenance={},
    )
    c = table.columns
    starry = hydro.halos["stellar_mass"] > 0
    for row, (low, high) in enumerate(pairwise(EDGES)):
        log_host = np.log10(hydro.halos["host_mass"])
        members = starry & hydro.halos["is_central"] & (log_host >= low) & (log_host < high)
        assert (c["residual_source"][row] == "pooled") == (members.sum() < 10)
        assert np.isnan(c["curve_log_mass"][row]) == (members.sum() < 10)
    assert {"bin", "pooled"} == set(c["residual_source"])


def test_a_satellite_heavier_than_its_host_counts_as_heavy_as_it():
    """Pooled with others it would give heavy hosts satellites many times their own mass."""
    pair = synthetic_pair(20_000, seed=3)
    dark = pair[1].halos
    limit = 19.5 * pair[1].snapshot.particle_mass
    satellite = ~dark["is_central"] & (dark["host_mass"] > limit)
    lightest = np.argsort(np.where(satellite, dark["host_mass"], np.inf))[:5]
    mass = dark["mass"].copy()
    mass[lightest] = 3.0 * dark["host_mass"][lightest]
    halos = replace(dark, columns={**dark.columns, "mass": mass})
    options = {"edges": EDGES, "luminosity_floor": 1e7, "least_particles": 20, "jackknife": 0}
    pair = (pair[0], replace(pair[1], halos=halos))
    table = measure([pair], name="heavy", provenance={}, **options)
    assert table.provenance["satellites_heavier_than_their_host"] == 5
    ratio = table.columns["satellite_log_mass_ratio"][table.rows(1)]
    assert ratio.max() == 0.0


def test_far_hosts_are_no_match(biased):
    hydro, dark = biased
    rng = np.random.default_rng(0)
    moved = {**dark.halos.columns, "position": rng.random((len(dark.halos), 3)) * 1000.0}
    rows = match_hosts(hydro.halos, replace(dark.halos, columns=moved), dark.snapshot)
    assert len(rows[0]) < 0.01 * dark.halos["is_central"].sum()


def test_median_curve_is_straight_beyond_its_nodes():
    x = np.array([11.0, np.nan, 12.0, 13.0])
    y = np.array([9.0, np.nan, 10.0, 10.5])
    assert median_curve(x, y, np.array([10.0, 11.0, 12.0, 13.0, 15.0])) == pytest.approx(
        [8.0, 9.0, 10.0, 10.5, 11.5]
    )
    inside = median_curve(x, y, np.linspace(11, 13, 50))
    assert np.all(np.diff(inside) > 0)
    assert np.isnan(median_curve(x[1:2], y[1:2], x[:1])).all()
    assert median_curve(x[:1], y[:1], np.array([5.0])) == pytest.approx([9.0])


@pytest.mark.parametrize(
    "options",
    [
        {"edges": [12.0, 11.0]},
        {"edges": [12.0]},
        {"luminosity_floor": 0.0},
        {"luminosity_floor": np.inf},
        {"least_particles": 0},
    ],
)
def test_requests_that_make_no_sense(biased, options):
    good = {"edges": EDGES, "luminosity_floor": 1e7, "least_particles": 20}
    with pytest.raises(UsageError):
        measure([biased], name="x", jackknife=0, provenance={}, **(good | options))


def test_one_resolution_for_a_ratio_that_depends_on_mass():
    """The ratio is a function of gravity-only mass, and has to be inverted in the hydro run."""

    nodes = np.array([9.0, 15.0])
    ratio = (nodes, -0.2 * (nodes - 12.5))
    scene = synthetic_pair(2000)[1]
    dark = scene.halos
    factor = 10 ** np.interp(np.log10(dark["host_mass"]), *ratio)
    scaled = {name: dark[name] * factor for name in ("mass", "host_mass")}
    hydro = replace(dark, columns={**dark.columns, **scaled, "stellar_mass": scaled["mass"]})
    limit = np.median(dark["mass"])
    runs = [
        resolved_run(
            population(replace(scene, halos=halos), 0),
            EDGES,
            np.log10(limit),
            ratio,
            is_hydro=is_hydro,
        )
        for halos, is_hydro in ((hydro, True), (dark, False))
    ]
    assert 0.1 < np.mean(runs[0].resolved) < 0.9
    for name in ("resolved", "host_bin", "bin"):
        assert np.array_equal(getattr(runs[0], name), getattr(runs[1], name))
    np.testing.assert_allclose(runs[0].log_mass, runs[1].log_mass)


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({}, "all bound stars"),
        ({"stellar_mass_definition": "bound"}, "all bound stars"),
        ({"stellar_mass_definition": "2rhalf"}, "stars within twice the stellar half-mass radius"),
    ],
)
def test_the_stars_that_were_counted_are_told(record, text):
    hydro, dark = synthetic_pair(300)
    hydro = replace(hydro, snapshot=replace(hydro.snapshot, record=record))
    table = measure(
        [(hydro, dark)],
        name="x",
        edges=EDGES,
        luminosity_floor=1e7,
        least_particles=20,
        jackknife=0,
        provenance={},
    )
    assert table.stellar_mass_definition == text
    assert table.binned_by == {"central": "host", "satellite": "host"}
