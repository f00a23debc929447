"""The painter's other forms: the paper's own, and conditional abundance matching."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mockgal.calibration.hod_table import measure
from mockgal.errors import BadValueError, MissingDatasetError, UsageError
from mockgal.laws.distribution import cdf, inverse_cdf
from mockgal.painters import blocks
from mockgal.painters.draw import draw, paint_scene
from mockgal.painters.hod.painter import HODPainter
from mockgal.painters.hod.store import named
from mockgal.testing import painter_contract, synthetic_pair

pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


@pytest.fixture(scope="module")
def pair():
    return synthetic_pair(
        20_000, seed=12, host_mass_factor=0.9, satellite_factor=0.7, luminous_fraction=0.6
    )


@pytest.fixture(scope="module")
def table(pair):
    return measure(
        [pair], name="modes", luminosity_floor=1e7, least_particles=20, jackknife=0, provenance={}
    )


def by_mass(table, correlation=0.7):
    return HODPainter(table, rank_by="mass", rank_correlation=correlation)


@pytest.mark.parametrize(
    "options",
    [{"mode": "paper"}, {"rank_by": "mass", "rank_correlation": 0.7}],
    ids=["paper", "rank"],
)
def test_contract(options, table):
    small = synthetic_pair(600, seed=3)[1]
    painter_contract(HODPainter(table, allow_extrapolation=True, **options), small)


class TestPaper:
    def test_every_satellite_shines_with_the_factor_of_its_bin(self, pair, table):
        """Quirk by quirk: all are painted, and their masses times the ratios of numbers."""
        hydro, dark = (scene.halos for scene in pair)
        galaxies = paint_scene(pair[1], HODPainter(table, mode="paper"), seed=1)
        low, high = table.edges(1)[3:5]
        masses = []
        for halos, column in ((hydro, "host_mass"), (galaxies, "halo_mass")):
            log_host = np.log10(halos[column])
            inside = (log_host >= low) & (log_host < high) & ~halos["is_central"]
            masses.append(halos["stellar_mass"][inside])
        log_host = np.log10(dark["host_mass"])
        satellites = (log_host >= low) & (log_host < high) & ~dark["is_central"]
        assert len(masses[1]) == np.sum(satellites)
        shining = np.log10(masses[0][masses[0] >= 1e7])
        factor = table.columns["paper_factor"][table.rows(1).start + 3]
        assert 0.2 < factor < 0.5  # 0.7 by number, times 0.7 * 0.6 luminous of all
        assert stats.ks_2samp(np.log10(masses[1]) - np.log10(factor), shining).pvalue > 1e-3

    def test_centrals_are_not_corrected(self, pair, table):
        """Hosts are binned as they are: centrals of a given host mass are the hydro run's."""
        galaxies = paint_scene(pair[1], HODPainter(table, mode="paper"), seed=1)
        hydro = pair[0].halos
        low, high = table.edges(0)[2:4]
        log_mass = [np.log10(g[c]) for g, c in ((galaxies, "halo_mass"), (hydro, "host_mass"))]
        inside = [
            (x >= low) & (x < high) & g["is_central"]
            for x, g in zip(log_mass, (galaxies, hydro), strict=True)
        ]
        assert np.sum(inside[0]) == np.sum(
            pair[1].halos["is_central"]
            & (np.log10(pair[1].halos["host_mass"]) >= low)
            & (np.log10(pair[1].halos["host_mass"]) < high)
        )
        theirs = hydro["stellar_mass"][inside[1]]
        mine = np.log10(galaxies["stellar_mass"][inside[0]])
        assert stats.ks_2samp(mine, np.log10(theirs[theirs >= 1e7])).pvalue > 1e-3

    def test_it_says_so(self, pair, table):
        said = HODPainter(table, mode="paper").describe(pair[1])
        assert said["mode"] == "paper"
        assert said["luminosity_floor_msun_h"] == 0.0
        assert HODPainter(table).describe(pair[1])["mode"] == "corrected"

    def test_bins_without_a_distribution_are_counted(self, pair, table):
        dead = {**table.columns, "luminous_hydro": table.columns["luminous_hydro"] * 0}
        prediction = HODPainter(replace(table, columns=dead), mode="paper").predict(pair[1])
        assert not prediction.p_luminous.any()
        counted = sum(v for k, v in prediction.record.items() if k.startswith("not_painted"))
        assert counted == len(pair[1].halos)

    def test_a_table_without_a_twin_is_refused(self, pair):
        lacking = HODPainter(
            named("tng100-1"),
            mode="paper",
            missing_twin="uncorrected",
            allow_extrapolation=True,
        )
        with pytest.raises(MissingDatasetError, match="no gravity-only twin"):
            lacking.predict(pair[1])


class TestRanks:
    def test_no_correlation_is_no_rank(self, pair, table):
        plain = paint_scene(pair[1], HODPainter(table), seed=1)
        none = paint_scene(pair[1], by_mass(table, 0.0), seed=1)
        assert plain.digest() == none.digest()

    @pytest.mark.parametrize("correlation", [-0.6, 0.5, 0.9, 1.0])
    def test_the_correlation_is_the_one_asked_for(self, pair, table, correlation):
        """Spearman's of bivariate normal scores: 6 / pi asin(r / 2) (Pearson 1907)."""
        painter = by_mass(table, correlation)
        prediction = painter.predict(pair[1])
        rows, log_mass = draw(prediction, pair[1].halos["halo_id"], seed=2)
        residual = log_mass - prediction.location[rows]
        expected = 6.0 / np.pi * np.arcsin(correlation / 2.0)
        for row in range(2, 8):
            inside = prediction.residual_row[rows] == row
            found = stats.spearmanr(prediction.rank[rows][inside], residual[inside]).statistic
            assert found == pytest.approx(expected, abs=5.0 / np.sqrt(np.sum(inside)))

    def test_the_distribution_of_stellar_mass_stays(self, pair, table):
        ids = pair[1].halos["halo_id"]
        plain, with_rank = (p.predict(pair[1]) for p in (HODPainter(table), by_mass(table, 0.9)))
        values = [
            draw(d, ids, seed=3)[1] - d.location[draw(d, ids, seed=3)[0]]
            for d in (plain, with_rank)
        ]
        assert stats.ks_2samp(*values).pvalue > 1e-3

    def test_ranks_of_galaxies_are_uniform(self, pair, table):
        prediction = by_mass(table).predict(pair[1])
        rows, _ = draw(prediction, pair[1].halos["halo_id"], seed=4)
        assert stats.kstest(prediction.rank[rows], "uniform").pvalue > 1e-3

    def test_the_trend_with_host_mass_is_taken_out(self, pair, table):
        """Vmax of centrals here is a power of their mass: given that, its ranks are arbitrary."""
        halos = pair[1].halos
        noise = 10 ** (0.05 * np.random.default_rng(5).standard_normal(len(halos)))
        scene = replace(
            pair[1], halos=replace(halos, columns={**halos.columns, "vmax": halos["vmax"] * noise})
        )
        prediction = HODPainter(table, rank_by="vmax", rank_correlation=0.5).predict(scene)
        row = prediction.residual_row
        chosen = (row == 2) & (prediction.p_luminous > 0)
        with_mass = stats.spearmanr(prediction.rank[chosen], halos["host_mass"][chosen]).statistic
        assert abs(with_mass) < 4.0 / np.sqrt(np.sum(chosen))
        with_noise = stats.spearmanr(prediction.rank[chosen], noise[chosen]).statistic
        assert with_noise > 0.99

    def test_a_property_that_is_mass_itself_ranks_nothing(self, pair, table):
        """Vmax of centrals is a power of their mass here: what is left is rounding."""
        prediction = HODPainter(table, rank_by="vmax", rank_correlation=0.5).predict(pair[1])
        halos = pair[1].halos
        for row in range(1, 5):
            chosen = (prediction.residual_row == row) & (prediction.p_luminous > 0)
            found = stats.spearmanr(prediction.rank[chosen], halos["host_mass"][chosen]).statistic
            assert abs(found) < 4.5 / np.sqrt(np.sum(chosen))

    def test_ranks_are_weighted_with_the_chance_to_be_luminous(self):
        """Where the light ones are dark, ranks of the galaxies are uniform none the less."""
        twins = synthetic_pair(20_000, seed=8, luminous_mass=1.5e11, particle_mass=1e9)
        steep = measure(
            [twins],
            name="steep",
            luminosity_floor=1e7,
            least_particles=20,
            jackknife=0,
            provenance={},
        )
        prediction = by_mass(steep).predict(twins[1])
        rows, _ = draw(prediction, twins[1].halos["halo_id"], seed=5)
        satellites = rows[~twins[1].halos["is_central"][rows]]
        assert stats.kstest(prediction.rank[satellites], "uniform").pvalue > 1e-3

    def test_full_correlation_orders_the_masses(self, pair, table):
        prediction = by_mass(table, 1.0).predict(pair[1])
        rows, log_mass = draw(prediction, pair[1].halos["halo_id"], seed=6)
        inside = prediction.residual_row[rows] == 4
        order = np.argsort(prediction.rank[rows][inside])
        residual = (log_mass - prediction.location[rows])[inside][order]
        assert np.all(np.diff(residual) >= 0)

    @pytest.mark.parametrize("correlation", [-0.8, 0.3, 0.95])
    def test_the_integral_transform_undoes_the_draw(self, pair, table, correlation):
        prediction = by_mass(table, correlation).predict(pair[1])
        chosen = prediction.take(np.flatnonzero(prediction.p_luminous > 0)[:5000])
        u = np.random.default_rng(7).uniform(0.02, 0.98, len(chosen))
        value = inverse_cdf(chosen, u)
        place = cdf(chosen, value)
        np.testing.assert_allclose(inverse_cdf(chosen, np.clip(place, 1e-15, 1 - 1e-15)), value)
        flat = np.abs(place - u) > 1e-6  # of equal masses, where a law has a step
        assert np.mean(flat) < 0.01

    def test_many_rows_give_the_same_bits(self, pair, table, monkeypatch):
        painter = by_mass(table)
        one = paint_scene(pair[1], painter, seed=8).digest()
        monkeypatch.setattr(blocks, "LARGE", 1000)
        monkeypatch.setattr(blocks, "BLOCK_ROWS", 1 << 12)
        assert paint_scene(pair[1], painter, seed=8).digest() == one

    def test_order_of_rows_does_not_matter(self, pair, table):
        order = np.random.default_rng(9).permutation(len(pair[1].halos))
        other = replace(pair[1], halos=pair[1].halos.take(order))
        digests = {paint_scene(s, by_mass(table), seed=1).digest() for s in (pair[1], other)}
        assert len(digests) == 1

    def test_no_vmax_is_refused(self, pair, table):
        columns = {k: v for k, v in pair[1].halos.columns.items() if k != "vmax"}
        scene = replace(pair[1], halos=replace(pair[1].halos, columns=columns))
        painter = HODPainter(table, rank_by="vmax", rank_correlation=0.5)
        with pytest.raises(MissingDatasetError, match="no vmax"):
            painter.predict(scene)

    def test_zero_vmax_is_refused(self, pair, table):
        columns = {**pair[1].halos.columns, "vmax": pair[1].halos["vmax"] * 0}
        scene = replace(pair[1], halos=replace(pair[1].halos, columns=columns))
        painter = HODPainter(table, rank_by="vmax", rank_correlation=0.5)
        with pytest.raises(BadValueError, match="not positive"):
            painter.predict(scene)

    def test_it_says_so(self, pair, table):
        said = by_mass(table).describe(pair[1])
        assert (said["rank_by"], said["rank_correlation"]) == ("mass", 0.7)


@pytest.mark.parametrize(
    "options",
    [
        {"rank_by": "mass"},
        {"rank_correlation": 0.5},
        {"rank_by": "age", "rank_correlation": 0.5},
        {"rank_by": "mass", "rank_correlation": 1.5},
        {"rank_by": "mass", "rank_correlation": np.nan},
        {"rank_by": "mass", "rank_correlation": "0.5"},
        {"rank_by": "mass", "rank_correlation": 0.5, "mode": "paper"},
        {"mode": "papers"},
        {"mode": None},
    ],
)
def test_options_that_make_no_sense(table, options):
    with pytest.raises(UsageError):
        HODPainter(table, **options)
