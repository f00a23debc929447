"""Painted galaxies against the hydrodynamic run's, as studies/hod_on_gadget4.py compares them."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mockgal
from mockgal.statistics.result import Field, Measurement
from mockgal.testing import synthetic_pair

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared/data/gadget4"
sys.path.insert(0, str(ROOT / "studies"))
import hod_on_gadget4 as script  # noqa: E402

quiet = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
CUBES, FLOOR, SEEDS = 27, 1e9, 8
MASSES, _, FRACTION, CENTRALS, SATELLITES = range(5)  # of the statistics


def number_of(above):
    return script.Counts(above, np.full(above.shape, 1.0 / CUBES))


class TestCompare:
    def test_the_same_numbers_are_known_to_half_a_galaxy(self):
        true = np.full((CUBES, 2), 4.0) * [1, 5]
        found = script.compare(number_of(true), number_of(np.stack([true] * 3)))
        np.testing.assert_allclose(found.deviation, 0.0, atol=1e-12)
        np.testing.assert_allclose(found.true, [108, 540])
        np.testing.assert_allclose(found.error, [0.5 / 108, 0.5 / 540])

    def test_errors_are_those_of_independent_numbers(self):
        """Averaged over 400 bins, to 4 sigma of that average (14% each, from 26 degrees)."""
        rng = np.random.default_rng(1)
        true, other = rng.poisson(1000.0, (2, CUBES, 400)).astype(float)
        found = script.compare(number_of(true), number_of(np.stack([other] * 2)))
        expected = np.sqrt(2.0 / (1000.0 * CUBES))
        assert np.mean(found.error) / expected == pytest.approx(1.0, abs=4 * 0.14 / 20 + 0.01)
        assert np.std(found.deviation) / expected == pytest.approx(1.0, abs=4 / np.sqrt(800))

    def test_what_twins_share_drops_out(self):
        rng = np.random.default_rng(2)
        dense = rng.lognormal(5.0, 1.0, (CUBES, 1))
        found = script.compare(number_of(dense), number_of(0.9 * np.stack([dense] * 2)))
        np.testing.assert_allclose(found.deviation, -0.1)
        np.testing.assert_allclose(found.error, 0.5 / dense.sum())

    def test_scatter_of_seeds(self):
        """The error of the mean over seeds alone, where cubes do not differ."""
        true = np.full((CUBES, 1), 100.0)
        level = np.array([90.0, 100.0, 110.0, 120.0])[:, None, None]
        found = script.compare(number_of(true), number_of(np.broadcast_to(level, (4, CUBES, 1))))
        np.testing.assert_allclose(found.deviation, 0.05)
        np.testing.assert_allclose(found.error, np.std([90, 100, 110, 120], ddof=1) / 200)

    def test_fractions(self):
        """A fraction of the mean numbers, also where a seed has no galaxy in the bin."""
        true = script.Counts(np.full((CUBES, 1), 2.0), np.full((CUBES, 1), 8.0))
        above = np.stack([np.full((CUBES, 1), x) for x in (0.0, 3.0)])
        below = np.stack([np.full((CUBES, 1), x) for x in (0.0, 6.0)])
        found = script.compare(true, script.Counts(above, below))
        np.testing.assert_allclose(found.deviation, 1.0)  # 0.5 for 0.25
        np.testing.assert_allclose(found.error, 0.5 / 54)  # both seeds lie on the fraction

    def test_smallest_detectable_deviation_is_that_of_a_measurement(self):
        rng = np.random.default_rng(3)
        true = rng.poisson(50.0, (CUBES, 3)).astype(float)
        found = script.compare(number_of(true), number_of(rng.poisson(50.0, (5, CUBES, 3))))
        columns = {"x": np.arange(3), "n": np.arange(3), "y": found.true}
        columns["y_error"] = found.error * found.true
        fields = dict.fromkeys(columns, Field("", ""))
        same = Measurement("s", columns, fields, "x", ("y",), "n", {}, CUBES - 1)
        np.testing.assert_allclose(found.detectable, same.smallest_detectable_deviation("y"))

    @pytest.mark.parametrize(
        ("deviation", "detectable", "verdict", "cell"),
        [
            (0.04, 0.05, "within", "+4.0 ± 2.0 (5.0) within"),
            (-0.06, 0.05, "beyond", "**-6.0** ± 2.0 (5.0) beyond"),
            (0.0, 0.051, "no power", "+0.0 ± 2.0 (5.1) no power"),
            (-0.6, 0.2, "beyond", "**-60.0** ± 2.0 (20.0) beyond"),
            (-0.06, 0.2, "no power", "-6.0 ± 2.0 (20.0) no power"),
            (np.nan, np.nan, "no power", "none painted"),
        ],
    )
    def test_verdict(self, deviation, detectable, verdict, cell):
        values = (np.array([x]) for x in (10.0, deviation, 0.02, detectable))
        found = script.Comparison(*values)
        assert found.verdict().tolist() == [verdict]
        assert script._cell(found, 0) == cell

    def test_an_unknown_error_is_no_number(self):
        """All galaxies of a bin in one cube: there is no ratio without it."""
        true = np.zeros((CUBES, 1))
        true[0] = 7.0
        found = script.compare(number_of(true), number_of(np.stack([true] * 2)))
        assert script._cell(found, 0) == "+0.0 (error not known) no power"


@pytest.fixture(scope="module")
def pair():
    """Painting should give the hydrodynamic run back: what differs has no say in stellar mass.

    Masses and vmax of the dark run scatter at given host mass, for ranks to go by.
    """
    hydro, dark = synthetic_pair(3000, seed=5, host_mass_factor=0.9)
    rng, columns = np.random.default_rng(7), dict(dark.halos.columns)
    for name in ("mass", "vmax"):
        columns[name] = columns[name] * 10.0 ** (0.1 * rng.standard_normal(len(dark.halos)))
    return hydro, replace(dark, halos=replace(dark.halos, columns=columns))


@pytest.fixture(scope="module")
def result(pair):
    return script.run(pair, luminosity_floor=FLOOR, seeds=SEEDS)


@pytest.mark.slow
class TestSyntheticPair:
    @pytest.mark.slow
    def test_calibrated_modes_give_the_run_back(self, result):
        for mode in (m for m in script.CALIBRATED if m != "paper"):
            for found in result.comparisons[mode]:
                assert np.all(np.abs(found.deviation) < 4.0 * found.error), mode
            for i in (MASSES, CENTRALS, SATELLITES):
                assert abs(result.comparisons[mode][i].deviation[-1]) < 0.03, mode

    def test_models_are_found_to_differ(self, result):
        found = result.comparisons["zheng07 behroozi10"][CENTRALS]
        assert found.verdict()[0] == "beyond"

    def test_true_values_against_plain_counting(self, pair, result):
        halos = pair[0].halos
        luminous = halos["stellar_mass"] >= FLOOR
        satellite = luminous & ~halos["is_central"]
        true = [found.true for found in result.comparisons["corrected"]]
        edges = result.statistics[MASSES].edges
        number = np.histogram(np.log10(halos["stellar_mass"][luminous]), edges)[0]
        np.testing.assert_allclose(true[MASSES], [*number, luminous.sum()])
        assert number.min() >= script.LEAST
        assert true[FRACTION][-1] == pytest.approx(satellite.sum() / luminous.sum())
        edges = result.statistics[SATELLITES].edges
        log_host = np.log10(halos["host_mass"])
        above, below = (
            np.histogram(log_host[chosen], edges)[0] for chosen in (satellite, halos["is_central"])
        )
        np.testing.assert_allclose(true[SATELLITES][:-1], above / below)

    @quiet
    @pytest.mark.slow
    def test_satellites_that_the_twin_lacks(self, pair):
        """Without 3 of 10 of its satellites it has 30% fewer to paint, to 4 sigma of drawing."""
        hydro, dark = pair
        halos, rng = dark.halos, np.random.default_rng(6)
        kept = np.flatnonzero(halos["is_central"] | (rng.random(len(halos)) < 0.7))
        poor = replace(dark, halos=halos.take(kept))
        result = script.run((hydro, poor), luminosity_floor=FLOOR, seeds=2)
        found = result.comparisons["corrected"]
        sigma = np.sqrt(0.3 * 0.7 / np.sum(~halos["is_central"]))
        assert found[SATELLITES].deviation[-1] == pytest.approx(-0.3, abs=4 * sigma + 0.01)
        assert found[SATELLITES].verdict()[-1] == "beyond"
        assert found[CENTRALS].verdict()[-1] == "within"

    @quiet
    def test_the_profile_of_satellites_changes_no_number(self, pair, result):
        hosts = script.hosts_alone(pair[1])
        nfw, measured = (
            script.populated(hosts, result.table, 3, profile) for profile in ("nfw", "measured")
        )
        assert np.sum(~nfw["is_central"]) > 100
        for column in ("galaxy_id", "stellar_mass", "halo_mass"):
            np.testing.assert_array_equal(nfw[column], measured[column])
        assert not np.array_equal(nfw["position_x"], measured["position_x"])

    def test_halves_are_the_box(self, pair):
        halves = [script.half(pair[1], left).halos for left in (True, False)]
        ids = np.concatenate([halos["halo_id"] for halos in halves])
        np.testing.assert_array_equal(np.sort(ids), np.sort(pair[1].halos["halo_id"]))
        place = halves[0]["position"][halves[0]["is_central"], 0]
        assert place.max() < 0.5 * pair[1].snapshot.box_size

    def test_tables(self, result):
        tables = script.blocks(result)
        assert "nan" not in "".join(tables.values())
        page = "# Page\n" + "".join(
            f"<!-- {name}: made by studies/hod_on_gadget4.py -->\n<!-- end -->\ntext\n"
            for name in tables
        )
        filled = script.with_blocks(page, tables)
        assert all(table in filled for table in tables.values())
        assert filled.count("text") == page.count("text")
        assert script.with_blocks(filled, tables) == filled

    def test_figure(self, result):
        left, *_ = script.draw(result).axes
        assert [text.get_text() for text in left.figure.legends[0].get_texts()][1:] == list(
            result.comparisons
        )


@pytest.fixture(scope="module")
def real():
    if not DATA.is_dir():
        pytest.skip("the shared simulation is not here")
    return script.run(
        tuple(mockgal.read(DATA / run / "groups_002", drop_bad=True) for run in ("hydro", "dark"))
    )


@pytest.mark.slow
@pytest.mark.real_data
class TestGadget4:
    def test_the_page_is_current(self, real):
        page = (ROOT / script.PAGE).read_text(encoding="utf-8")
        assert script.with_blocks(page, script.blocks(real)) == page, "run the script"

    def test_satellites_are_short_by_those_without_a_subhalo(self, real):
        facts = real.facts
        lacking = 1.0 - facts["resolved satellite subhalos of the gravity-only run"] / 97
        found = real.comparisons["corrected"][SATELLITES]
        assert facts["of these, satellites"] == 97
        assert found.deviation[-1] == pytest.approx(-lacking, abs=0.05)
        assert abs(found.deviation[-1]) > found.detectable[-1]
