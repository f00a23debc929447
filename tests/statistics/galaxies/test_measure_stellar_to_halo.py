"""Stellar-to-halo relation: known medians and scatter, errors of the right size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mass_samples import BOX, catalogue, demo_mock, same

from mockgal.errors import BadValueError, UsageError
from mockgal.statistics.galaxies.stellar_to_halo import stellar_to_halo_relation
from mockgal.types import GalaxyCatalog

LN10 = np.log(10.0)


def drawn(seed, number=600, satellites=0.5, scatter=0.25):
    """Galaxies of log-normal mass in hosts of 1e12, and in some of 1e13."""
    generator = np.random.default_rng(seed)
    heavy = np.arange(number) < number // 4
    central = generator.random(number) >= satellites
    log_mass = 10.0 + 0.5 * heavy - 0.3 * ~central + scatter * generator.standard_normal(number)
    return catalogue(
        10.0**log_mass, halo_mass=np.where(heavy, 1e13, 1e12), is_central=central, seed=seed
    )


@pytest.mark.parametrize("jackknife", [0, 3])
def test_known_masses_give_known_medians(jackknife):
    log_mass = np.array([9.0, 10.0, 11.0, 9.5, 10.5, 8.0])
    central = np.array([True, True, True, False, False, True])
    host = np.array([1e12, 1e12, 1e12, 1e12, 1e12, 1e13])
    galaxies = catalogue(10.0**log_mass, is_central=central, halo_mass=host)
    result = stellar_to_halo_relation(galaxies, bin_width=1.0, jackknife=jackknife)
    np.testing.assert_allclose(result["central_stellar_mass"], [1e10, 1e8], rtol=1e-6)
    np.testing.assert_allclose(result["satellite_stellar_mass"], [1e10, np.nan], rtol=1e-6)
    np.testing.assert_allclose(result["central_standard_deviation"], [1.0, np.nan], rtol=1e-6)
    np.testing.assert_allclose(result["central_scatter"], [0.68, np.nan], rtol=1e-6)
    np.testing.assert_array_equal(result["centrals"], [3, 1])
    np.testing.assert_array_equal(result["satellites"], [2, 0])
    np.testing.assert_array_equal(result["galaxies"], [5, 1])
    assert np.isnan(result["central_stellar_mass_error"]).all()  # too few
    assert result.settings["host_mass_definition"] == "not stated"


@pytest.mark.parametrize("jackknife", [0, 3])
@pytest.mark.parametrize(("number", "too_large"), [(60, 0.50), (2000, 0.15)])
def test_errors_are_the_scatter_of_independent_galaxies(jackknife, number, too_large):
    """Over 200 boxes, which know the scatter to 1 / sqrt(400) = 5%; three of these.

    For few galaxies, 15 and 45 here, the larger of two errors is taken: up to 35% too large.
    """
    found = [
        stellar_to_halo_relation(drawn(seed, number, satellites=0.0), jackknife=jackknife)
        for seed in range(200)
    ]
    for bin_ in (0, -1):
        log_median = np.log10([r["central_stellar_mass"][bin_] for r in found])
        error = [
            r["central_stellar_mass_error"][bin_] / r["central_stellar_mass"][bin_] / LN10
            for r in found
        ]
        scatter = [r["central_scatter"][bin_] for r in found]
        scatter_error = [r["central_scatter_error"][bin_] for r in found]
        for errors, values in ((error, log_median), (scatter_error, scatter)):
            ratio = np.sqrt(np.mean(np.square(errors))) / np.std(values)
            assert 0.85 < ratio < 1.0 + too_large
        truth = 10.0 + 0.5 * (bin_ == -1)
        assert np.mean(log_median) == pytest.approx(truth, abs=4 * np.std(log_median) / 200**0.5)
    # the percentiles of a Gaussian are at -0.994 and 0.994 of its width
    assert np.mean(scatter) == pytest.approx(0.2486, rel=0.01 if number == 2000 else 0.12)


def test_the_jackknife_sees_galaxies_that_go_together():
    """Masses that depend on the place: errors of independent galaxies are too small."""
    position = np.random.default_rng(1).random((3, 3000)) * BOX
    cell = (position[0] // 10).astype(int)
    log_mass = 10.0 + np.array([0.0, 0.4, -0.4])[cell]
    log_mass += 0.05 * np.random.default_rng(2).standard_normal(3000)
    galaxies = catalogue(
        10.0**log_mass, **{f"position_{x}": p for x, p in zip("xyz", position, strict=True)}
    )
    errors = [
        stellar_to_halo_relation(galaxies, jackknife=j)["central_stellar_mass_error"][0]
        for j in (3, 0)
    ]
    assert errors[0] > 3 * errors[1]


def test_types_are_apart():
    result = stellar_to_halo_relation(drawn(1, 4000))
    ratio = np.log10(result["satellite_stellar_mass"] / result["central_stellar_mass"])
    np.testing.assert_allclose(ratio[[0, -1]], -0.3, atol=0.05)
    assert np.isnan(ratio[1:-1]).all()
    np.testing.assert_array_equal(result["centrals"] + result["satellites"], result["galaxies"])
    for kind in ("central", "satellite"):
        np.testing.assert_allclose(result[f"{kind}_scatter"][[0, -1]], 0.25, atol=0.03)
        spread = result[f"{kind}_standard_deviation"][[0, -1]]
        np.testing.assert_allclose(spread, 0.25, atol=0.03)


@given(
    st.lists(st.tuples(st.floats(1e6, 1e13), st.floats(1e10, 1e15), st.booleans()), max_size=40),
    st.sampled_from([0, 2]),
)
@pytest.mark.slow
def test_galaxies_are_conserved(rows, jackknife):
    mass, host, central = zip(*rows, strict=True) if rows else ((), (), ())
    galaxies = catalogue(mass, halo_mass=np.array(host), is_central=np.array(central, dtype=bool))
    result = stellar_to_halo_relation(galaxies, jackknife=jackknife)
    assert result["galaxies"].sum() == len(rows)
    assert result["centrals"].sum() == sum(central)
    for kind in ("central", "satellite"):
        np.testing.assert_array_equal(
            np.isnan(result[f"{kind}_stellar_mass"]), result[f"{kind}s"] == 0
        )
    result.to_ecsv()


def test_order_of_rows_does_not_matter():
    galaxies = drawn(2)
    order = np.random.default_rng(3).permutation(len(galaxies))
    columns = {name: values[order] for name, values in galaxies.columns.items()}
    columns["galaxy_id"] = columns["halo_id"] = np.arange(len(order))
    mixed = GalaxyCatalog(columns, galaxies.snapshot, "box", {})
    same(stellar_to_halo_relation(galaxies), stellar_to_halo_relation(mixed))


def test_equal_masses_have_no_scatter():
    result = stellar_to_halo_relation(catalogue(np.full(50, 1e10)))
    assert result["central_stellar_mass"][0] == pytest.approx(1e10)
    assert result["central_scatter"][0] == 0
    assert result["central_stellar_mass_error"][0] == 0


def test_what_has_no_place_is_counted():
    galaxies = catalogue([1e10, 0.0, 1e9], halo_mass=np.array([1e12, 1e12, 0.0]))
    result = stellar_to_halo_relation(galaxies)
    assert result["galaxies"].sum() == 1
    assert result.settings["galaxies_of_hosts_without_mass"] == 1
    assert result.settings["galaxies_without_stellar_mass"] == 1
    with pytest.raises(BadValueError, match="halo_mass"):
        stellar_to_halo_relation(catalogue([1e10], halo_mass=np.array([np.nan])))
    with pytest.raises(UsageError, match="frame"):
        stellar_to_halo_relation(catalogue([1e10], frame="sky"))


def test_a_mock(demo_bundle):
    _, mock = demo_mock(demo_bundle)
    result = stellar_to_halo_relation(mock, bin_width=0.5)
    assert result["galaxies"].sum() == len(mock)
    assert result.settings["host_mass_definition"] == "200c"
    filled = np.isfinite(result["central_stellar_mass"])
    assert np.all(np.diff(result["central_stellar_mass"][filled]) > 0)
    result.plot()
