"""Differences put between two made-up twins come back from the calibration, with their errors."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from mockgal.calibration.hod_table import measure
from mockgal.calibration.jackknife import error_columns
from mockgal.errors import BadValueError, DomainError, UsageError
from mockgal.painters.draw import draw
from mockgal.painters.hod.columns import ERRORS
from mockgal.painters.hod.painter import HODPainter
from mockgal.testing import synthetic_pair

FLOOR, SLOPE, SCATTER = 1e5, 1.7, 0.2
REQUEST = {
    "name": "injected",
    "luminosity_floor": FLOOR,
    "least_particles": 20,
    "provenance": {},
}


@pytest.fixture(scope="module")
def injected():
    return synthetic_pair(
        100_000,
        seed=31,
        box_size=1000.0,
        host_mass_factor=0.9,
        satellite_factor=0.7,
        luminous_fraction=0.6,
        slope=SLOPE,
        scatter=SCATTER,
    )


@pytest.fixture(scope="module")
def table(injected):
    return measure([injected], jackknife=2, **REQUEST)


class TestWithinTwoPercent:
    def test_host_masses(self, table):
        ratio = 10.0 ** table.columns["log_host_mass_ratio"]
        np.testing.assert_allclose(ratio[np.isfinite(ratio)], 0.9, rtol=0.02)

    def test_number_of_satellites(self, table):
        c, rows = table.columns, table.rows(1)
        kept = np.sum((c["resolved_hydro_mean"] * c["hosts_hydro"])[rows])
        of = np.sum((c["number_dark_mean"] * c["hosts_dark"])[rows])
        assert kept / of == pytest.approx(0.7, rel=0.02)
        thinned = (
            np.sum((c["thinning"] * c["subhalos_dark"])[rows]) / c["subhalos_dark"][rows].sum()
        )
        assert thinned == pytest.approx(0.7, rel=0.02)

    def test_luminous_fraction(self, table):
        c = table.columns
        for rows in (table.rows(0), table.rows(1)):
            share = np.sum(c["luminous_hydro"][rows]) / np.sum(c["subhalos_hydro"][rows])
            assert share == pytest.approx(0.6, rel=0.02)

    def test_scatter(self, table):
        c, q = table.columns, table.residual_probability
        for kind in (0, 1):
            rows = table.rows(kind)
            low, high = (
                np.array([np.interp(p, q, row) for row in c["residual_quantiles"][rows]])
                for p in stats.norm.cdf([-1.0, 1.0])
            )
            scatter = np.average((high - low) / 2, weights=c["luminous_hydro"][rows])
            assert scatter == pytest.approx(SCATTER, rel=0.02)

    def test_slope(self, table):
        x = np.linspace(11.2, 13.2, 50)
        for kind in (0, 1):
            slope = np.polyfit(x, table.median_log_stellar_mass(kind, x), 1)[0]
            assert slope == pytest.approx(SLOPE, rel=0.02)


def test_errors_are_those_of_the_differences(table):
    """What was put in is within a few of its errors, and these are neither nothing nor huge."""
    c = table.columns
    assert set(ERRORS) <= set(c)
    rows = table.rows(0)
    at = c["curve_log_mass"][rows]
    truth = 10.3 + SLOPE * (at - np.log10(0.9) - 12.0)
    error = c["curve_log_stellar_mass_error"][rows]
    expected = 1.2533 * SCATTER / np.sqrt(c["luminous_hydro"][rows])  # of a median
    assert np.all(error > expected / 4)
    assert np.median(error / expected) == pytest.approx(1.0, rel=0.5)
    pull = (c["curve_log_stellar_mass"][rows] - truth) / expected
    assert np.sqrt(np.mean(pull**2)) < 2.0
    number = c["number_hydro_mean_error"][rows] / np.sqrt(0.6 * 0.4 / c["hosts_hydro"][rows])
    assert np.median(number) == pytest.approx(1.0, rel=0.5)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_painted_residuals_follow_the_law_over_many_seeds(injected, table):
    """A thousand galaxies at a time: their KS probabilities are uniform over the seeds."""
    halos = injected[1].halos
    prediction = HODPainter(table).predict(injected[1])
    chosen = np.flatnonzero(halos["is_central"])[::50]
    truth = 10.3 + SLOPE * (np.log10(halos["host_mass"][chosen]) - 12.0)
    probability = []
    for seed in range(50):
        rows, log_mass = draw(prediction.take(chosen), halos["halo_id"][chosen], seed=seed)
        residual = (log_mass - truth[rows]) / SCATTER
        probability.append(stats.kstest(residual, "norm").pvalue)
    assert stats.kstest(probability, "uniform").pvalue > 1e-3
    assert np.mean(np.array(probability) < 0.01) < 0.08  # 1 in 100, 5 sigma above


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_identical_runs_have_ratios_of_one():
    hydro, dark = synthetic_pair(3000, seed=4)
    table = measure([(hydro, dark)], **REQUEST | {"luminosity_floor": 1.0})
    c = table.columns
    known = np.isfinite(c["log_host_mass_ratio"])
    np.testing.assert_array_equal(c["log_host_mass_ratio"][known], 0.0)
    np.testing.assert_array_equal(c["log_host_mass_ratio_error"][known], 0.0)
    some = c["subhalos_dark"] > 0
    np.testing.assert_allclose(c["thinning"][some], 1.0, atol=1e-12)
    np.testing.assert_array_equal(c["resolved_hydro_mean"], c["number_dark_mean"])
    np.testing.assert_array_equal(c["deficit"], 0.0)
    np.testing.assert_allclose(c["paper_factor"][some], 1.0, atol=1e-12)


class TestBins:
    @pytest.mark.slow
    def test_sparse_ones_are_joined_and_told(self, injected):
        table = measure([injected], jackknife=0, least_hosts=2000, **REQUEST)
        c = table.columns
        assert min(c["hosts_hydro"].min(), c["hosts_dark"].min()) >= 2000
        joined = table.provenance["bins_joined"]
        assert len(joined) == 1
        assert "hosts joined, fewer than 2000" in joined[0]
        assert not set(ERRORS) & set(c)
        assert table.provenance["errors"] == "none"

    @pytest.mark.slow
    def test_given_edges_are_taken_as_they_are(self, injected):
        edges = [10.5, 11.5, 12.5, 14.0]
        table = measure([injected], jackknife=0, edges=edges, **REQUEST)
        assert table.edges(0).tolist() == edges
        assert table.provenance["bins_joined"] == []

    def test_all_hosts_are_in_one(self, injected, table):
        assert table.columns["hosts_dark"][table.rows(0)].sum() == 100_000


class TestSeveralPairs:
    def test_two_halves_are_as_one(self):
        """Pairs of half the hosts each give the numbers of both together."""
        pairs = [synthetic_pair(4000, seed=seed, host_mass_factor=0.9) for seed in (1, 2)]
        edges = [10.5, 11.0, 11.5, 12.0, 14.0]
        both, *each = (
            measure(some, edges=edges, jackknife=2, **REQUEST)
            for some in (pairs, pairs[:1], pairs[1:])
        )
        for name in ("hosts_dark", "subhalos_hydro", "luminous_hydro"):
            np.testing.assert_array_equal(
                both.columns[name], each[0].columns[name] + each[1].columns[name]
            )
        assert len(both.provenance["pairs"]) == 2
        assert "16 with hosts" in both.provenance["errors"]  # 8 sub-volumes of each box
        error = [t.columns["number_hydro_mean_error"][t.rows(1)] for t in (both, *each)]
        assert np.median(error[0] / np.hypot(*error[1:]) * 2) == pytest.approx(1.0, rel=0.4)

    def test_those_of_other_redshifts_are_refused(self, injected):
        other = tuple(
            replace(scene, snapshot=replace(scene.snapshot, redshift=0.5))
            for scene in synthetic_pair(300, seed=9)
        )
        with pytest.raises(DomainError, match="make a table of each"):
            measure([injected, other], **REQUEST)

    def test_the_same_pair_twice_is_refused(self, injected):
        with pytest.raises(UsageError, match="the same run twice"):
            measure([injected, injected], **REQUEST)

    def test_none_is_refused(self):
        with pytest.raises(UsageError, match="one or more"):
            measure([], **REQUEST)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bin_width": 0.0},
        {"bin_width": "0.25 dex"},
        {"least_hosts": 1},
        {"jackknife": 1},
        {"jackknife": 2.5},
        {"bin_width": np.nan},
        {"edges": ["a", "b"]},
    ],
)
def test_requests_that_make_no_sense(injected, wrong):
    with pytest.raises(UsageError):
        measure([injected], **REQUEST, **wrong)


def test_the_paper_factor_by_hand(injected, table):
    """Satellites per host of either run, hosts by their own masses, times the luminous share."""
    hydro, dark = (scene.halos for scene in injected)
    for b, (low, high) in enumerate(pairwise(table.edges(0))):
        numbers = []
        for halos in (hydro, dark):
            log_host = np.log10(halos["host_mass"])
            inside = (log_host >= low) & (log_host < high)
            hosts = np.sum(inside & halos["is_central"])
            satellites = inside & ~halos["is_central"]
            numbers.append((hosts, satellites))
        if numbers[1][1].any() and numbers[0][0]:
            per_host = [np.sum(s) / n for n, s in numbers]
            luminous = np.sum(hydro["stellar_mass"][numbers[0][1]] >= FLOOR)
            expected = per_host[0] / per_host[1] * luminous / np.sum(numbers[1][1])
            row = table.rows(1).start + b
            assert table.columns["paper_factor"][row] == pytest.approx(expected, rel=1e-12)


def test_the_order_of_rows_does_not_matter(injected):
    """Not to the bit: the digest of the table is that of the mock's calibration."""
    rng = np.random.default_rng(3)
    small = synthetic_pair(3000, seed=6, satellite_factor=0.7, luminous_fraction=0.6)
    shuffled = tuple(replace(s, halos=s.halos.take(rng.permutation(len(s.halos)))) for s in small)
    tables = [measure([pair], jackknife=2, **REQUEST) for pair in (small, shuffled)]
    assert tables[0].digest == tables[1].digest


def test_what_was_dropped_in_reading_is_in_the_table():
    pair = synthetic_pair(1000, seed=7)
    dropped = replace(
        pair[1],
        snapshot=replace(pair[1].snapshot, record={"options_given": {"drop_bad": True}}),
        halos=replace(pair[1].halos, record={"dropped_bad": 38}),
    )
    table = measure([(pair[0], dropped)], jackknife=0, **REQUEST)
    reading = table.provenance["pairs"][0]["dark"]["reading"]
    assert reading == {"options_given": {"drop_bad": True}, "dropped_bad": 38}
    assert table.provenance["version"]


def test_pairs_of_other_cosmologies_are_refused(injected):
    other = synthetic_pair(300, seed=9)
    changed = tuple(
        replace(
            s, snapshot=replace(s.snapshot, cosmology=replace(s.snapshot.cosmology, omega_m=0.45))
        )
        for s in other
    )
    with pytest.raises(DomainError, match=r"omega_m 0\.45"):
        measure([injected, changed], **REQUEST)


@pytest.mark.slow
def test_a_floor_that_nothing_reaches_is_refused(injected):
    with pytest.raises(BadValueError, match="no galaxy"):
        measure([injected], jackknife=0, **REQUEST | {"luminosity_floor": 1e14})


def test_what_is_measured_cannot_be_overwritten(injected):
    with pytest.raises(UsageError, match="these are measured"):
        measure([injected], jackknife=0, **REQUEST | {"provenance": {"pairs": "nothing"}})


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_hosts_that_one_run_lacks_do_not_thin():
    """Numbers are per host: a third fewer hosts in the hydro run change no satellite's chance."""
    hydro, dark = synthetic_pair(20_000, seed=17, satellite_factor=0.7, luminous_fraction=0.6)
    halos = hydro.halos
    kept = np.random.default_rng(2).random(len(halos)) < 0.67  # of centrals, and with them theirs
    fewer = replace(hydro, halos=halos.take(np.flatnonzero(kept[halos.host_row])))
    thinning = []
    for run in (hydro, fewer):
        table = measure([(run, dark)], jackknife=0, **REQUEST)
        c, rows = table.columns, table.rows(1)
        thinning.append(np.average(c["thinning"][rows], weights=c["subhalos_dark"][rows]))
    assert thinning[0] == pytest.approx(0.7, rel=0.03)
    assert thinning[1] == pytest.approx(thinning[0], rel=0.03)


def test_nodes_that_move_along_the_curve_are_no_error():
    """Left-out curves are compared where the whole one has its nodes."""
    kind = np.array(["central", "central", "satellite", "satellite"])

    def columns(nodes):
        x = np.tile(nodes, 2)
        return {"kind": kind, "curve_log_mass": x, "curve_log_stellar_mass": 2.0 * x}

    whole = columns([11.0, 12.0])
    found = error_columns(whole, [columns([11.1, 12.1]), columns([10.8, 12.2])])
    np.testing.assert_allclose(found["curve_log_stellar_mass_error"], 0.0, atol=1e-12)


def test_places_are_those_of_the_luminous_ones(injected, table):
    halos = injected[0].halos
    log_host = np.log10(halos["host_mass"])
    low, high = table.edges(1)[4:6]
    shining = ~halos["is_central"] & (halos["stellar_mass"] >= FLOOR)
    rows = np.flatnonzero(shining & (log_host >= low) & (log_host < high))
    apart = halos["position"][rows] - halos["position"][halos.host_row[rows]]
    apart -= 1000.0 * np.round(apart / 1000.0)
    radius, circular = injected[0].snapshot.cosmology.halo_scale(
        halos["host_mass"][rows], "200c", 0.0
    )
    row = table.rows(1).start + 4
    expected = np.quantile(
        np.sqrt(np.sum(apart**2, axis=1)) / radius, table.residual_probability, method="hazen"
    )
    np.testing.assert_allclose(table.columns["satellite_radius"][row], expected, rtol=1e-9)
    relative = halos["velocity"][rows] - halos["velocity"][halos.host_row[rows]]
    dispersion = np.sqrt(np.mean(relative**2 / circular[:, None] ** 2))
    assert table.columns["satellite_velocity_dispersion"][row] == pytest.approx(dispersion)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_the_coarsest_pair_sets_the_resolution():
    pairs = [synthetic_pair(1500, seed=s, particle_mass=m) for s, m in ((1, 1e8), (2, 1e9))]
    table = measure(pairs, jackknife=0, **REQUEST)
    assert table.particle_mass == 1e9
    resolved = sum(np.sum(dark.halos["mass"] >= table.least_mass) for _, dark in pairs)
    assert table.columns["subhalos_dark"].sum() == resolved
