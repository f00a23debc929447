"""What a calibration says of hosts without subhalos, and that it comes out when it is painted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import mockgal
from mockgal.calibration.hod_table import measure
from mockgal.errors import CorruptFileError, DomainError, MissingDatasetError
from mockgal.painters import blocks
from mockgal.painters.hod.columns import SATELLITES
from mockgal.painters.hod.painter import HODPainter
from mockgal.painters.hod.satellites import mean_luminous_satellites
from mockgal.painters.hod.store import named, read, to_ecsv
from mockgal.painters.hod.table import mass_scale, mean_number
from mockgal.testing import synthetic_pair

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


@pytest.fixture(scope="module")
def pair():
    return synthetic_pair(
        20_000, seed=21, host_mass_factor=0.9, satellite_factor=0.7, luminous_fraction=0.6
    )


@pytest.fixture(scope="module")
def table(pair):
    return measure(
        [pair], name="made", luminosity_floor=1e7, least_particles=20, jackknife=0, provenance={}
    )


@pytest.fixture(scope="module")
def hosts(pair):
    return _hosts(pair)


class TestMeanNumber:
    @given(st.floats(0.01, 100.0))
    def test_in_proportion_to_mass_it_is_exact(self, slope):
        nodes = np.array([11.0, 11.4, np.nan, 12.3, 13.1])
        mass = np.logspace(10, 14, 50)
        number = slope * 10.0 ** (nodes - 12.0)
        np.testing.assert_allclose(mean_number(nodes, number, mass), slope * mass / 1e12)

    def test_no_hosts_anywhere(self):
        assert mean_number(np.full(3, np.nan), np.ones(3), np.ones(4)).tolist() == [0.0] * 4

    def test_the_mean_of_each_bin_is_that_of_the_run(self, pair, table):
        hosts = _hosts(pair)
        law = HODPainter(table).satellites(hosts)
        mass = hosts.halos["host_mass"]
        edges = table.edges_as_read(1)
        c, rows = table.columns, table.rows(1)
        for b in range(len(edges) - 1):
            inside = (mass >= edges[b]) & (mass < edges[b + 1])
            expected = c["number_dark_mean"][rows][b]
            assert np.sum(inside) == c["hosts_dark"][rows][b]
            assert law.mean[inside].mean() == pytest.approx(expected, rel=0.03)


def _hosts(pair):
    halos = pair[1].halos
    return replace(pair[1], halos=halos.take(np.flatnonzero(halos["is_central"])))


def test_edges_in_masses_as_read(table):
    log_edges = np.log10(table.edges_as_read(1))
    np.testing.assert_allclose(
        log_edges + table.log_mass_ratio(log_edges), table.edges(1), rtol=1e-12
    )
    tng = named("tng100-1")
    np.testing.assert_allclose(tng.edges_as_read(1), 10.0 ** tng.edges(1))


def test_a_ratio_that_depends_on_mass_is_inverted():
    base = named("gadget4-z0.00")
    log_edges = np.log10(base.edges_as_read(0))
    np.testing.assert_allclose(log_edges + base.log_mass_ratio(log_edges), base.edges(0), atol=1e-9)


def test_numbers_and_masses_are_those_of_the_run(pair, table, hosts):
    """Satellites made, against those of the gravity-only run."""
    made = mockgal.populate(hosts, HODPainter(table), seed=1).halos
    run = pair[1].halos
    counts, ratios = [], []
    for halos in (made, run):
        satellite = ~halos["is_central"]
        counts.append(np.sum(satellite))
        host = halos["host_mass"][satellite]
        heavy = host > 3e12
        ratios.append(np.log10(halos["mass"][satellite][heavy] / host[heavy]))
    assert abs(counts[0] - counts[1]) < 4 * np.sqrt(sum(counts))
    assert stats.ks_2samp(*ratios).pvalue > 1e-3


def test_none_is_below_the_resolution(table, hosts):
    made = mockgal.populate(hosts, HODPainter(table), seed=2).halos
    above = made["host_mass"] > table.least_mass * 10**0.1
    assert np.all(made["mass"][above & ~made["is_central"]] > 0.99 * table.least_mass)
    assert np.all(mass_scale(np.array([1.0, 9.0]), 8.0) == [0.1, 1.0])


def test_painted_they_are_as_many_as_in_the_hydro_run(pair, table, hosts):
    painter, numbers = HODPainter(table), []
    for seed in range(4):
        mock = mockgal.paint(mockgal.populate(hosts, painter, seed=seed), painter, seed=seed)
        numbers.append(np.sum(~mock["is_central"]))
    halos = pair[0].halos
    true = np.sum((halos["stellar_mass"] >= 1e7) & ~halos["is_central"])
    assert np.mean(numbers) == pytest.approx(true, abs=4 * np.sqrt(true * 1.25))
    mean = mean_luminous_satellites(table, hosts.halos["host_mass"], table.least_mass)
    assert mean.sum() == pytest.approx(np.mean(numbers), abs=4 * np.sqrt(true / 4))


def test_many_rows_give_the_same_bits(table, hosts, monkeypatch):
    painter = HODPainter(table)
    one = painter.satellites(hosts)
    monkeypatch.setattr(blocks, "LARGE", 1000)
    monkeypatch.setattr(blocks, "LARGE_BLOCK", 100)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 1 << 11)
    many = painter.satellites(hosts)
    for name in ("mean", "variance", "row", "mass_scale"):
        assert np.array_equal(getattr(one, name), getattr(many, name)), name
    assert one.record == many.record


def test_the_variance_is_that_about_the_law(pair, table):
    """Poisson numbers in the made-up run, whatever the width of the bins."""
    c, rows = table.columns, table.rows(1)
    index, some = c["satellite_dispersion_index"][rows], c["subhalos_dark"][rows] > 500
    error = np.sqrt(2.0 / c["hosts_dark"][rows][some]) + 0.02
    assert np.all(np.abs(index[some] - 1.0) < 4 * error)


def test_hosts_below_the_table_have_none_and_are_counted(table, hosts):
    light = {**hosts.halos.columns, "host_mass": hosts.halos["host_mass"] * 1e-3}
    scene = replace(hosts, halos=replace(hosts.halos, columns=light))
    law = HODPainter(table).satellites(scene)
    below = light["host_mass"] < table.edges_as_read(1)[0]
    assert law.record["hosts_below_range"] == np.sum(below) > 0
    assert not law.mean[below].any()


def test_a_table_that_does_not_say_is_refused(table, hosts):
    columns = {k: v for k, v in table.columns.items() if k not in SATELLITES}
    with pytest.raises(MissingDatasetError, match="satellite_radius"):
        HODPainter(replace(table, columns=columns)).satellites(hosts)


def test_another_domain_is_refused(table, hosts):
    other = replace(hosts, snapshot=replace(hosts.snapshot, redshift=3.0))
    with pytest.raises(DomainError, match="redshift"):
        HODPainter(table).satellites(other)
    assert len(HODPainter(table, allow_extrapolation=True).satellites(other)) == len(hosts.halos)


def test_without_a_twin_on_request(hosts):
    tng = named("tng100-1")
    with pytest.raises(MissingDatasetError, match="without a gravity-only twin"):
        HODPainter(tng, allow_extrapolation=True).satellites(hosts)
    law = HODPainter(tng, allow_extrapolation=True, missing_twin="uncorrected").satellites(hosts)
    mass = hosts.halos["host_mass"]
    assert np.all(law.mean[mass < 7e12] == 0)
    assert np.all(law.mean[mass > 1e13] > 5)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("log_mean_mass", lambda v: v[::-1]),
        ("log_mean_mass", lambda v: v * 0 + 3.0),
        ("log_mean_mass", lambda v: v * np.nan),
        ("satellite_log_mass_ratio", lambda v: v + 3.0),
        ("satellite_radius", lambda v: v * 500),
        ("satellite_radius", lambda v: v - 1.0),
        ("resolved_hydro_mean", lambda v: -v - 1),
        ("hosts_dark", lambda v: -v - 1),
        ("satellite_source", lambda v: np.full(len(v), "guess")),
        ("residual_source", lambda v: np.full(len(v), "guess")),
        ("log_host_mass_ratio", lambda v: -2.0 * np.arange(len(v)) + 0 * v),
    ],
)
def test_damaged_columns_are_refused(table, column, change):
    damaged = {**table.columns, column: change(table.columns[column])}
    with pytest.raises(CorruptFileError):
        replace(table, columns=damaged)


@pytest.mark.parametrize("value", [31.9, True, "32", 0])
def test_particles_are_counted_in_whole_numbers(table, value):
    with pytest.raises((CorruptFileError, TypeError)):
        replace(table, least_particles=value)


def test_a_shortened_file_is_refused(table, tmp_path):
    path = tmp_path / "t.ecsv"
    lines = to_ecsv(table).splitlines()
    path.write_text("\n".join(lines[:-2]) + "\n", encoding="utf-8")
    with pytest.raises(CorruptFileError):
        read(path)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert read(path).digest == table.digest


def test_the_law_says_where_it_is_from(table, hosts):
    made = mockgal.populate(hosts, HODPainter(table), seed=1)
    origin = made.halos.record["populate"]["law_origin"]
    assert origin["calibration_digest"] == table.digest


def test_mode_paper_without_a_twin_is_refused_with_a_way_out(hosts):
    painter = HODPainter(
        named("tng100-1"), mode="paper", missing_twin="uncorrected", allow_extrapolation=True
    )
    with pytest.raises(MissingDatasetError, match="leave --mode out"):
        painter.predict(hosts)


def test_a_coarser_run_has_fewer(table, hosts):
    """Satellites that it would not resolve are made, and not painted."""
    coarse = replace(hosts, snapshot=replace(hosts.snapshot, particle_mass=5e9))
    painter = HODPainter(table, allow_extrapolation=True)
    least = painter.describe(coarse)["least_subhalo_mass_msun_h"]
    assert least > 100 * table.least_mass
    numbers = [
        np.sum(
            ~mockgal.paint(mockgal.populate(coarse, painter, seed=s), painter, seed=s)["is_central"]
        )
        for s in range(4)
    ]
    mean = mean_luminous_satellites(table, hosts.halos["host_mass"], least)
    light = (
        hosts.halos["mass"] < least
    )  # centrals that are not resolved have satellites none the less
    assert light.any()
    assert mean.sum() == pytest.approx(np.mean(numbers), abs=4 * np.sqrt(mean.sum() / 4))
    every = mean_luminous_satellites(table, hosts.halos["host_mass"], table.least_mass)
    assert mean.sum() < 0.9 * every.sum()
