"""Stellar-mass function: known counts, errors of the right size, completeness, TNG100."""

import csv
import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mass_samples import BOX, catalogue, demo_mock, same

from mockgal import read_measurement
from mockgal.errors import BadValueError, UsageError
from mockgal.selection.cuts import select
from mockgal.statistics.galaxies.mass_function import stellar_mass_function
from mockgal.types import GalaxyCatalog

DATA = Path(__file__).parents[4] / "shared/data"
VOLUME = BOX**3


def test_known_masses_give_known_numbers():
    result = stellar_mass_function(catalogue([1e9, 1.1e9, 1.7e9, 1e10]), jackknife=0)
    np.testing.assert_array_equal(result["galaxies"], [3, 0, 0, 0, 1])
    np.testing.assert_allclose(result["stellar_mass_low"], 10.0 ** np.arange(9, 10.1, 0.25))
    np.testing.assert_allclose(result["stellar_mass"], 10.0 ** np.arange(9.125, 10.2, 0.25))
    unit = 1.0 / (VOLUME * 0.25)
    expected = [3 * unit, 0, 0, 0, unit]
    np.testing.assert_allclose(result["mass_function"], expected)
    # Empty bins have the error of one galaxy.
    np.testing.assert_allclose(result["poisson_error"], np.sqrt([3, 1, 1, 1, 1]) * unit)
    np.testing.assert_array_equal(result["mass_function_error"], result["poisson_error"])
    assert result.error_degrees_of_freedom == np.inf
    assert str(result.to_table()["mass_function"].unit) == "littleh3 / (dex Mpc3)"


def test_one_galaxy_has_an_error_as_large_as_itself():
    result = stellar_mass_function(catalogue([3e10]))
    np.testing.assert_allclose(result["mass_function_error"], result["mass_function"])
    assert len(result) == 1
    assert result["galaxies"][0] == 1


def test_a_jackknife_of_few_galaxies_is_not_trusted_below_poisson():
    """One galaxy in each of 26 sub-volumes: the jackknife by itself finds next to none."""
    side = (np.arange(3) + 0.5) * BOX / 3
    place = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)[:26]
    columns = {f"position_{x}": place[:, i] for i, x in enumerate("xyz")}
    result = stellar_mass_function(catalogue(np.full(26, 2e10), **columns))
    np.testing.assert_array_equal(result["mass_function_error"], result["poisson_error"])


def test_an_empty_catalogue_has_no_bins(tmp_path):
    result = stellar_mass_function(catalogue([]))
    assert len(result) == 0
    result.save(tmp_path / "none.ecsv")
    assert len(read_measurement(tmp_path / "none.ecsv")) == 0
    result.plot()


@given(
    st.lists(st.floats(1e6, 1e13), min_size=1, max_size=50),
    st.sampled_from([0.1, 0.25, 0.4]),
    st.sampled_from([0, 2, 3]),
)
def test_galaxies_are_conserved(mass, width, jackknife):
    result = stellar_mass_function(catalogue(mass), bin_width=width, jackknife=jackknife)
    assert result["galaxies"].sum() == len(mass)
    assert np.sum(result["mass_function"]) * width * VOLUME == pytest.approx(len(mass))
    np.testing.assert_array_equal(result["mass_function"] == 0, result["galaxies"] == 0)


def test_order_of_rows_does_not_matter():
    generator = np.random.default_rng(3)
    mass, order = 10.0 ** generator.normal(10, 0.5, 300), generator.permutation(300)
    galaxies = catalogue(mass)
    columns = {name: values[order] for name, values in galaxies.columns.items()}
    columns["galaxy_id"] = columns["halo_id"] = np.arange(300)  # kept in this order
    mixed = GalaxyCatalog(columns, galaxies.snapshot, "box", {})
    assert not np.array_equal(mixed["stellar_mass"], galaxies["stellar_mass"])
    same(stellar_mass_function(galaxies), stellar_mass_function(mixed))


def test_errors_are_the_scatter_of_poisson_galaxies():
    """Over 300 boxes the jackknife's and the Poisson errors are the scatter between boxes.

    The scatter is known to 1 / sqrt(600) = 4%; four of these.
    """
    generator, found = np.random.default_rng(5), []
    for seed in range(300):
        number = generator.poisson(600)
        mass = 10.0 ** (9.0 + 0.5 * generator.random(number))
        found.append(stellar_mass_function(catalogue(mass, seed=seed), bin_width=0.25))
    values = np.array([r["mass_function"] for r in found])
    scatter = values.std(axis=0, ddof=1)
    for name in ("mass_function_error", "poisson_error"):
        mean = np.sqrt(np.mean(np.array([r[name] for r in found]) ** 2, axis=0))
        np.testing.assert_allclose(mean / scatter, 1.0, atol=4 / np.sqrt(600), err_msg=name)
    assert found[0].error_degrees_of_freedom == 26
    bias = (values.mean(axis=0) * VOLUME * 0.25 - 300) / (np.sqrt(300) / np.sqrt(300))
    assert np.all(np.abs(bias) < 4)


def test_jackknife_sees_clustering_that_poisson_errors_do_not():
    centres = np.random.default_rng(1).random((30, 3)) * BOX
    position = np.repeat(centres, 20, axis=0).T
    galaxies = catalogue(
        np.full(600, 1e10), **{f"position_{x}": p for x, p in zip("xyz", position, strict=True)}
    )
    result = stellar_mass_function(galaxies)
    # clusters of 20: the variance is 20 times Poisson's; the jackknife knows it to 1 / sqrt(52)
    ratio = result["mass_function_error"][0] / result["poisson_error"][0]
    assert ratio / np.sqrt(20) == pytest.approx(1.0, abs=4 / np.sqrt(52))


FROM_ZERO = {"completeness": {"from_msun_h": 0.0, "because": "made up"}}


def test_bins_below_the_limit_or_a_cut_are_incomplete():
    stated = {"completeness": {"from_msun_h": 2e9, "because": "a floor"}}
    mass = 10.0 ** np.arange(9.0, 11.0, 0.1)
    result = stellar_mass_function(catalogue(mass, provenance=stated))
    np.testing.assert_array_equal(result["complete"], result["stellar_mass_low"] >= 2e9)
    assert result.settings["complete_from_msun_h"] == 2e9
    assert "complete_to_msun_h" not in result.settings
    cuts = ("2e10 Msun > stellar_mass", "stellar_mass >= 3e9 Msun/h")  # 1e10 Msun/h, h being 0.5
    cut = select(catalogue(mass, provenance=stated), *cuts)
    result = stellar_mass_function(cut)
    assert result.settings["complete_from_msun_h"] == pytest.approx(3e9)
    assert result.settings["complete_to_msun_h"] == pytest.approx(1e10)
    expected = (result["stellar_mass_low"] >= 3e9) & (result["stellar_mass_high"] < 1.0001e10)
    np.testing.assert_array_equal(result["complete"], expected)
    assert expected.any()


def test_a_catalogue_that_says_nothing_is_not_taken_to_be_complete():
    old = {"painter": {"luminosity_floor_msun_h": 1e9}, "cuts": []}  # of a file of an older version
    result = stellar_mass_function(catalogue([2e9, 2e10], provenance=old))
    assert not result["complete"].any()
    assert result.settings["complete_from_msun_h"] == "not stated"


@pytest.mark.parametrize("choose", ["rows", "vmax"])
def test_a_selection_by_anything_else_is_no_complete_sample(choose):
    mass = 10.0 ** np.linspace(9.0, 11.0, 20)
    galaxies = catalogue(mass, provenance=FROM_ZERO, vmax=np.linspace(300.0, 30.0, 20))
    chosen = (
        galaxies.take(np.argsort(mass)[-10:])
        if choose == "rows"
        else select(galaxies, "vmax > 100 km/s")
    )
    result = stellar_mass_function(chosen)
    assert stellar_mass_function(galaxies)["complete"].all()
    assert not result["complete"].any()
    assert choose in result.settings["completeness"]


def test_a_cut_within_a_bin_makes_it_incomplete():
    galaxies = select(
        catalogue([1.1e9, 2e9, 4e9, 7e9], provenance=FROM_ZERO),
        "1.05e9 Msun/h < stellar_mass < 8e9 Msun/h",
    )
    result = stellar_mass_function(galaxies)
    np.testing.assert_array_equal(result["galaxies"], [1, 1, 1, 1])
    np.testing.assert_array_equal(result["complete"], [False, True, True, False])


@pytest.mark.parametrize(
    ("cut", "low", "high"),
    [
        ("1e9 Msun/h < stellar_mass < 1e10 Msun/h", 1e9, 1e10),
        ("1e10 Msun h^-1 >= stellar_mass >= 2e9 Msun", 1e9, 1e10),
        ("stellar_mass == 4e9 Msun/h", 4e9, 4e9),
    ],
)
def test_limits_are_those_that_select_applied(cut, low, high):
    galaxies = select(catalogue([1e9, 4e9, 9e9], provenance=FROM_ZERO), cut)
    settings = stellar_mass_function(galaxies).settings
    assert settings["complete_from_msun_h"] == pytest.approx(low)
    assert settings["complete_to_msun_h"] == pytest.approx(high)


def test_the_limit_of_a_painted_catalogue_is_found(demo_bundle):
    _, mock = demo_mock(demo_bundle)
    assert mock.completeness.lacks  # too few satellites
    assert not stellar_mass_function(mock)["complete"].any()
    mock = mock.with_completeness(replace(mock.completeness, lacks=()))
    result = stellar_mass_function(mock)
    limit = mock.completeness.limit
    floor = mock.provenance["painter"]["luminosity_floor_msun_h"]
    assert result.settings["complete_from_msun_h"] == limit >= floor > 0
    low = result["stellar_mass_low"] * (1 + 1e-9)
    np.testing.assert_array_equal(result["complete"], low >= limit)
    assert result["complete"].any()
    assert not result["complete"].all()


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(UsageError, match="frame 'sky'"):
        stellar_mass_function(catalogue([1e9], frame="sky"))
    with pytest.raises(UsageError, match="jackknife"):
        stellar_mass_function(catalogue([1e9]), jackknife=1)
    with pytest.raises(BadValueError, match="stellar_mass"):
        stellar_mass_function(catalogue([1e9, -1.0]))
    assert (
        stellar_mass_function(catalogue([1e9, 0.0])).settings["galaxies_without_stellar_mass"] == 1
    )


@pytest.mark.real_data
@pytest.mark.skipif(not (DATA / "tng100-1/tables").is_dir(), reason="no TNG100 tables here")
def test_tng100_is_as_published():
    """Twice the random half of TNG100-1 against Pillepich et al. 2018, table of figure 14.

    Published bins are 0.2 dex of stellar mass in Msun. Ours are as wide, but 0.04 dex off with h
    taken out, so that the published function is interpolated. Theirs are the stars within 30 kpc,
    ours all that are bound, which are more above 1e11 Msun.
    """
    h = 0.6774
    with gzip.open(DATA / "tng100-1/tables/galaxies_half.csv.gz", "rt") as text:
        mass = [float(row["SubhaloMassStellar"]) * 1e10 for row in csv.DictReader(text)]
    result = stellar_mass_function(catalogue(mass, box_size=75.0), bin_width=0.2)
    published = np.loadtxt(DATA / "published/Pillepich2018_TNG100.txt")[:, :2]
    log_mass, phi = np.log10(published[published[:, 1] > 0]).T
    ours = 2.0 * result["mass_function"] * h**3
    place = np.log10(result["stellar_mass"] / h)
    theirs = 10.0 ** np.interp(place, log_mass, phi)
    shown = (place > 8.4) & (place < 11.1)
    assert shown.sum() == 14
    np.testing.assert_allclose(ours[shown] / theirs[shown], 1.0, atol=0.10)
