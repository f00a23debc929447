"""The calibration recovers differences put between two made-up twins."""

from dataclasses import replace

import numpy as np
import pytest

from mockgal.calibrate.hod_table import host_mass_ratio, match_hosts, measure
from mockgal.errors import HeaderError, MissingDatasetError
from mockgal.paint.draw import paint_scene
from mockgal.paint.hod import HODPainter
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
        *biased, name="biased", edges=EDGES, luminosity_floor=1e7, least_particles=20, provenance={}
    )


def test_host_mass_bias(table):
    ratio = 10 ** table.log_mass_ratio(np.linspace(10.5, 14, 30))
    np.testing.assert_allclose(ratio, 0.9, rtol=0.02)


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
    matched = host_mass_ratio(hydro.halos, dark.halos, dark.snapshot, EDGES, 1e8)
    assert matched[2].startswith("median over")
    moved = {**dark.halos.columns, "position": dark.halos["position"][::-1]}
    ranked = host_mass_ratio(
        hydro.halos, replace(dark.halos, columns=moved), dark.snapshot, EDGES, 1e8
    )
    assert ranked[2].startswith("abundance")
    np.testing.assert_allclose(10 ** (ranked[1] - matched[1])[1:], 1.0, rtol=0.02)


def test_a_pair_that_is_none_is_refused(biased):
    hydro, dark = biased
    options = {
        "name": "x",
        "edges": EDGES,
        "luminosity_floor": 1e7,
        "least_particles": 20,
        "provenance": {},
    }
    with pytest.raises(MissingDatasetError, match="no stellar masses"):
        measure(dark, dark, **options)
    for change in ({"redshift": 0.5}, {"box_size": 1001.0}):  # fault 83
        other = replace(dark, snapshot=replace(dark.snapshot, **change))
        with pytest.raises(HeaderError):
            measure(hydro, other, **options)


def test_bins_without_satellites_are_zero_rows():  # fault 48
    hydro, dark = (
        replace(scene, halos=scene.halos.take(np.flatnonzero(scene.halos["is_central"])))
        for scene in synthetic_pair(500)
    )
    table = measure(
        hydro, dark, name="x", edges=EDGES, luminosity_floor=1e7, least_particles=20, provenance={}
    )
    satellite = table.columns["kind"] == "satellite"
    for name in ("subhalos_hydro", "luminous_hydro", "number_hydro_mean", "deficit"):
        assert np.all(table.columns[name][satellite] == 0)
    galaxies = paint_scene(synthetic_pair(500)[1], HODPainter(table), seed=1)
    assert galaxies["is_central"].all()
    assert len(galaxies) > 400
