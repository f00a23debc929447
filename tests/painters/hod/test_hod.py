"""The corrected HOD: contract, expectation, domain, and refusals."""

import os
import warnings
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from mockgal.calibration.hod_table import measure
from mockgal.cosmology import Cosmology
from mockgal.errors import (
    BadValueError,
    CorruptFileError,
    DomainError,
    MissingDatasetError,
    MockgalError,
    MockgalWarning,
    UsageError,
)
from mockgal.painters.draw import join, paint_scene
from mockgal.painters.hod import columns as hod_columns
from mockgal.painters.hod import store as hod_store
from mockgal.painters.hod.painter import HODPainter, mass_limit
from mockgal.tasks.build import make_painter
from mockgal.testing import painter_contract, synthetic_pair

EDGES = np.arange(10.5, 14.1, 0.5)


@pytest.fixture(scope="module")
def pair():
    return synthetic_pair(1500, seed=4, luminous_fraction=0.8)


@pytest.fixture(scope="module")
def table(pair):
    return measure(
        [pair],
        name="synthetic",
        edges=EDGES,
        luminosity_floor=1e8,
        least_particles=20,
        provenance={"references": ["made up"]},
    )


def test_contract(pair, table):
    painter_contract(HODPainter(table), pair[1])


@pytest.mark.slow
def test_counts_agree_with_the_expectation_over_200_seeds(pair, table):
    some = np.flatnonzero(pair[1].halos["host_id"] < 7 * 400)  # whole hosts
    dark = replace(pair[1], halos=pair[1].halos.take(some))
    assert np.sum(~dark.halos["is_central"]) > 100
    painter = HODPainter(table)
    p = painter.predict(dark).p_luminous
    assert 0 < p.sum() < 0.95 * len(p)
    painted = [paint_scene(dark, painter, seed=s)["is_central"] for s in range(200)]
    counts = np.array([len(is_central) for is_central in painted])
    variance = np.sum(p * (1 - p))
    assert abs(counts.mean() - p.sum()) < 4 * np.sqrt(variance / 200)
    assert 0.6 < counts.var(ddof=1) / variance < 1.5  # chi-square of 199, 4 sigma
    by_type = np.array([np.sum(is_central) for is_central in painted])
    central = dark.halos["is_central"]
    assert abs(by_type.mean() - p[central].sum()) < 4 * np.sqrt(
        np.sum((p * (1 - p))[central]) / 200
    )


def test_digest_ignores_order_and_tiles_and_follows_the_seed(pair, table):
    dark, painter = pair[1], HODPainter(table)
    digest = paint_scene(dark, painter, seed=1).digest()
    rows = np.random.default_rng(2).permutation(len(dark.halos))
    shuffled = replace(dark, halos=dark.halos.take(rows))
    assert paint_scene(shuffled, painter, seed=1).digest() == digest
    tiles = [
        replace(dark, halos=dark.halos.take(np.flatnonzero(dark.halos["host_id"] % 4 == k)))
        for k in range(4)
    ]
    joined = join([paint_scene(tile, painter, seed=1) for tile in tiles], dark)
    assert joined.digest() == digest
    whole = paint_scene(dark, painter, seed=1).provenance
    assert joined.provenance["painted"] == whole["painted"]
    for key, value in whole["painter"]["prediction"].items():
        assert joined.provenance["painter"]["prediction"][key] == pytest.approx(value, abs=1e-4)
    assert paint_scene(dark, painter, seed=2).digest() != digest


def test_stellar_masses_follow_the_hydro_run(pair, table):
    hydro, dark = pair
    galaxies = paint_scene(dark, HODPainter(table), seed=1)
    for central in (True, False):
        true = hydro.halos
        chosen = (true["stellar_mass"] >= 1e8) & (true["is_central"] == central)
        for low in (11.0, 11.5, 12.0):
            a = np.log10(true["stellar_mass"][chosen & in_bin(true["host_mass"], low)])
            mine = (galaxies["is_central"] == central) & in_bin(galaxies["halo_mass"], low)
            b = np.log10(galaxies["stellar_mass"][mine])
            error = np.hypot(a.std() / np.sqrt(len(a)), b.std() / np.sqrt(len(b)))
            assert abs(a.mean() - b.mean()) < 4 * error
            assert abs(a.std() / b.std() - 1) < 4 * np.sqrt(0.5 / len(a) + 0.5 / len(b))


def in_bin(mass, low):
    return (np.log10(mass) >= low) & (np.log10(mass) < low + 0.5)


def test_galaxies_are_never_below_the_floor(pair):
    hydro, dark = pair
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = measure(
            [(hydro, dark)],
            name="bright",
            edges=EDGES,
            luminosity_floor=5e9,
            least_particles=20,
            provenance={},
        )
        galaxies = paint_scene(dark, HODPainter(table), seed=1)
    assert galaxies["stellar_mass"].min() >= np.float32(5e9)
    true = hydro.halos["stellar_mass"] >= 5e9
    assert len(galaxies) == pytest.approx(true.sum(), rel=0.1)


def with_hosts(scene, factor):
    columns = {**scene.halos.columns, "host_mass": scene.halos["host_mass"] * factor}
    return replace(scene, halos=replace(scene.halos, columns=columns))


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_hosts_above_the_range(pair, table):
    heavy = with_hosts(pair[1], 50.0)
    with pytest.raises(DomainError, match="allow-extrapolation") as caught:
        HODPainter(table).predict(heavy)
    assert caught.value.exit_code == 3
    prediction = HODPainter(table, allow_extrapolation=True).predict(heavy)
    assert 0 < prediction.extrapolated.sum() < len(prediction)
    assert prediction.record["hosts_above_range"] > 0
    galaxies = paint_scene(heavy, HODPainter(table, allow_extrapolation=True), seed=1)
    assert np.array_equal(galaxies["extrapolated"], np.log10(galaxies["halo_mass"]) >= EDGES[-1])


def test_hosts_below_the_range_are_counted_not_painted(pair, table):
    prediction = HODPainter(table).predict(with_hosts(pair[1], 1e-3))
    below = np.log10(pair[1].halos["host_mass"] * 1e-3) < EDGES[0]
    assert np.all(prediction.p_luminous[below] == 0)
    central = pair[1].halos["is_central"]
    assert prediction.record["not_painted_centrals_below_range"] == np.sum(below & central) > 0
    assert prediction.record["not_painted_satellites_below_range"] == np.sum(below & ~central) > 0


def test_unresolved_subhalos_are_counted_not_painted(pair):
    hydro, dark = pair
    coarse = {
        label: replace(scene, snapshot=replace(scene.snapshot, particle_mass=5e9))
        for label, scene in (("hydro", hydro), ("dark", dark))
    }
    table = measure(
        [(coarse["hydro"], coarse["dark"])],
        name="coarse",
        edges=EDGES,
        luminosity_floor=1e8,
        least_particles=20,
        provenance={},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prediction = HODPainter(table).predict(coarse["dark"])
    unresolved = dark.halos["mass"] < 19.5 * 5e9
    assert 0 < unresolved.sum() == prediction.record["not_painted_unresolved"]
    assert np.all(prediction.p_luminous[unresolved] == 0)


@pytest.mark.fault(36)
def test_zero_host_mass_of_a_painted_central_is_refused(pair, table, exit_code):
    dark = pair[1]
    row = np.flatnonzero(~dark.halos["is_central"])[0]
    host = dark.halos.host_row[row]
    columns = {**dark.halos.columns, "host_mass": dark.halos["host_mass"].copy()}
    columns["host_mass"][row] = 0.0  # of a satellite: allowed
    satellite = replace(dark, halos=replace(dark.halos, columns=columns))
    assert HODPainter(table).predict(satellite).p_luminous[row] == 0
    columns["host_mass"][host] = 0.0
    with pytest.raises(BadValueError, match=r"drop-bad") as caught:
        HODPainter(table).predict(replace(dark, halos=replace(dark.halos, columns=columns)))
    assert caught.value.exit_code == exit_code
    assert str(dark.halos["halo_id"][host]) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"redshift": 1.0}, "redshift 1 outside"),
        ({"particle_mass": 1e9}, "particle mass 1e"),
        ({"particle_mass": 1.95e7}, "particle mass 1.95e"),  # coarser: subhalos would be missing
        ({"particle_mass": 4e6}, "particle mass 4e"),
        ({"particle_mass": None}, "particle mass is unknown"),
        ({"cosmology": Cosmology(0.6774, 0.2, 0.8)}, "omega_m 0.2 outside"),
        ({"cosmology": Cosmology(0.8, 0.3089, 0.6911)}, "h 0.8 outside"),
    ],
)
def test_outside_the_domain(pair, table, change, reason):
    other = replace(pair[1], snapshot=replace(pair[1].snapshot, **change))
    with pytest.raises(DomainError, match=reason):
        HODPainter(table).predict(other)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        galaxies = paint_scene(other, HODPainter(table, allow_extrapolation=True), seed=1)
    if len(galaxies):
        assert galaxies["extrapolated"].all()
    assert any(reason in why for why in galaxies.provenance["painter"]["outside_domain"])


def test_none_fits_lists_what_there_is(pair):
    with pytest.raises(DomainError) as caught:
        HODPainter().predict(replace(pair[1], snapshot=replace(pair[1].snapshot, redshift=7.0)))
    for shipped in hod_store.shipped():
        assert shipped.name in str(caught.value)


def test_unknown_name_lists_what_there_is(pair):
    with pytest.raises(MockgalError) as caught:
        HODPainter("nonesuch").predict(pair[1])
    assert caught.value.exit_code == 2
    assert hod_store.shipped()[0].name in str(caught.value)


def test_table_without_a_twin_is_refused(pair, table):
    columns = {k: v for k, v in table.columns.items() if k not in hod_columns.TWIN}
    with pytest.raises(MissingDatasetError, match="log_host_mass_ratio"):
        HODPainter(replace(table, columns=columns)).predict(pair[1])


def test_satellites_that_thinning_cannot_make_are_reported(pair):
    hydro, dark = pair
    rows = dark.halos["is_central"] | (dark.halos["halo_id"] % 2 == 0)
    poor = replace(dark, halos=dark.halos.take(np.flatnonzero(rows)))
    table = measure(
        [(hydro, poor)],
        name="poor",
        edges=EDGES,
        luminosity_floor=1e8,
        least_particles=20,
        provenance={},
    )
    with pytest.warns(MockgalWarning, match="luminous satellites"):
        prediction = HODPainter(table).predict(poor)
    true = np.sum(~hydro.halos["is_central"] & (hydro.halos["stellar_mass"] >= 1e8))
    short = prediction.record["satellites_short"]
    assert short > 0.2 * true
    expected = prediction.p_luminous[~poor.halos["is_central"]].sum()
    assert short + expected == pytest.approx(true, rel=0.02)


def test_what_this_simulation_lacks_is_reported(pair, table):
    """Measured on the simulation that is painted, not on the calibration's twin."""
    hydro, dark = pair
    assert abs(HODPainter(table).predict(dark).record["satellites_short"]) < 1
    bare = replace(dark, halos=dark.halos.take(np.flatnonzero(dark.halos["is_central"])))
    with pytest.warns(MockgalWarning, match="of the .* luminous satellites"):
        record = HODPainter(table).predict(bare).record
    true = np.sum(~hydro.halos["is_central"] & (hydro.halos["stellar_mass"] >= 1e8))
    assert record["satellites_short"] == pytest.approx(true, rel=0.01)
    more = table.columns["number_hydro_mean"] * np.where(table.columns["kind"] == "central", 2, 1)
    greedy = replace(table, columns={**table.columns, "number_hydro_mean": more})
    with pytest.warns(MockgalWarning, match="luminous centrals"):
        record = HODPainter(greedy).predict(dark).record
    assert record["centrals_short"] == pytest.approx(
        0.5
        * np.sum(
            more[: table.rows(1).start]
            @ np.histogram(np.log10(dark.halos["host_mass"][dark.halos["is_central"]]), EDGES)[0]
        ),
        rel=0.02,
    )


def test_a_hydrodynamic_run_is_not_painted_unasked(pair, table):
    with pytest.raises(DomainError, match="hydrodynamic"):
        HODPainter(table).predict(pair[0])
    assert HODPainter(table, allow_extrapolation=True).predict(pair[0]).extrapolated.all()


def test_another_mass_definition_is_never_extrapolated(pair, table):
    other = replace(pair[1], halos=replace(pair[1].halos, mass_definition="fof"))
    with pytest.raises(DomainError, match="cannot be extrapolated") as caught:
        HODPainter(table, allow_extrapolation=True).predict(other)
    assert "--mass-definition 200c" in str(caught.value)


def test_the_limit_is_that_of_the_coarser_run(table):
    assert mass_limit(table, None) == mass_limit(table, 1e6) == 19.5e7
    assert mass_limit(table, 2e7) == 2 * mass_limit(table, 1e7)


def test_subhalos_too_faint_for_the_floor_are_counted(pair):
    hydro, dark = pair
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = measure(
            [(hydro, dark)],
            name="bright",
            edges=EDGES,
            luminosity_floor=5e10,
            least_particles=20,
            provenance={},
        )
        prediction = HODPainter(table).predict(dark)
    q = table.columns["residual_quantiles"][prediction.residual_row, -1]
    central = dark.halos["is_central"]
    log_host = np.log10(dark.halos["host_mass"])
    median = np.where(
        central,
        table.median_log_stellar_mass(0, log_host),
        table.median_log_stellar_mass(1, log_host),
    )
    faint = median + q <= np.log10(5e10) - 0.02
    assert prediction.record["not_painted_below_floor"] >= faint.sum() > 100
    assert np.all(prediction.p_luminous[faint] == 0)


@pytest.mark.parametrize(
    "options",
    [
        {"calibration": 3},
        {"allow_extrapolation": "no"},
        {"allow_extrapolation": 1},
        {"allow_extrapolation": float("nan")},
        {"provides": 5},
        {"nonesuch": 1},
    ],
)
def test_options_are_checked(options):
    with pytest.raises(UsageError):
        make_painter("hod", options)


class TestTableFile:
    def test_round_trip(self, table, tmp_path):
        path = tmp_path / "table.ecsv"
        path.write_text(hod_store.to_ecsv(table), encoding="utf-8")
        again = hod_store.read(path)
        assert again.digest == table.digest
        assert hod_store.to_ecsv(again) == hod_store.to_ecsv(table)

    def test_shipped_tables_are_valid_and_documented(self):
        tables = hod_store.shipped()
        assert len({t.name for t in tables}) == len(tables) >= 1
        for t in tables:
            assert t.provenance["references"]
            assert t.provenance["summary"]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("format: mockgal HOD calibration 3", "format: other"),
            ("central", "centre"),
            ("mass_definition: 200c", "mass_definition: 300c"),
            ("luminosity_floor: 100000000.0", "luminosity_floor: -1.0"),
            ("luminosity_floor: 100000000.0", "luminosity_floor: x"),
            ("- {name: thinning,", "- {name: thickening,"),
            ("# %ECSV 1.0", "<html>"),
        ],
    )
    def test_damage_is_refused(self, table, tmp_path, old, new):
        path, text = tmp_path / "table.ecsv", hod_store.to_ecsv(table)
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(MockgalError) as caught:
            hod_store.read(path)
        assert caught.value.exit_code == 3
        assert caught.value.fix

    def test_truncation_is_refused(self, table, tmp_path):
        path, text = tmp_path / "table.ecsv", hod_store.to_ecsv(table)
        for cut in np.linspace(0, len(text) - 30, 25).astype(int):
            path.write_text(text[:cut], encoding="utf-8")
            with pytest.raises(MockgalError):
                hod_store.read(path)

    def test_contradictions_are_refused(self, table):
        for name, value in (
            ("thinning", -1.0),
            ("thinning", np.inf),
            ("deficit", 2.0),
            ("luminous_probability", 1.5),
            ("residual_quantiles", np.nan),
            ("curve_log_mass", 1.0),
            ("ratio_log_host_mass", 1.0),
            ("log_host_mass_ratio", np.nan),
        ):
            columns = {**table.columns, name: np.full_like(table.columns[name], value)}
            with pytest.raises(CorruptFileError):
                replace(table, columns=columns)
        for change in (
            {"domain": {"redshift": [0, 1]}},
            {"domain": {**table.domain, "omega_m": 3}},
            {"domain": {**table.domain, "redshift": ["a", "b"]}},
            {"luminosity_floor": np.inf},
            {"least_particles": 0},
            {"residual_probability": []},
            {"provenance": {"references": "Smith 2020"}},
            {"provenance": {"made_by": date(2024, 5, 1)}},
            {"provenance": {"x": np.nan}},
        ):
            with pytest.raises(CorruptFileError):
                replace(table, **change)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("references: [made up]", "made_by: 2024-05-01"),
            ("references: [made up]", "references: made up"),
            ("omega_m: [", "omega_m: 3 #["),
            ("redshift: [", "redshift: [a, "),
            ("luminosity_floor: 100000000.0", "luminosity_floor: .inf"),
            ("residual_probability: [", "residual_probability: [] #"),
            ("- domain:", "- domain: 3 #"),
        ],
    )
    def test_odd_metadata_is_refused(self, table, tmp_path, old, new):
        path, text = tmp_path / "table.ecsv", hod_store.to_ecsv(table)
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(MockgalError) as caught:
            hod_store.read(path)
        assert caught.value.exit_code == 3
        assert str(path) in str(caught.value)

    def test_odd_files_are_refused(self, tmp_path):
        os.mkfifo(tmp_path / "fifo.ecsv")
        for path in (tmp_path, tmp_path / "fifo.ecsv", Path("/dev/zero"), tmp_path / "none.ecsv"):
            with pytest.raises(MockgalError) as caught:
                hod_store.read(path)
            assert caught.value.exit_code == 3

    def test_numbers_of_any_kind_have_one_digest(self, table):
        same = replace(table, luminosity_floor=10**8, least_particles=np.int64(20))
        assert same.digest == table.digest
