"""PIT: uniform for draws from the predictions, and not for others; how small a flaw it shows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mass_samples import demo_mock
from scipy import stats

from mockgal import read_measurement
from mockgal.errors import BadValueError, UsageError
from mockgal.laws.distribution import Distribution, cdf
from mockgal.painters.draw import draw
from mockgal.statistics.pit import probability_integral_transform, smallest_detectable_distance

PROBABILITY = np.linspace(0.0, 1.0, 41)
GAUSSIAN = stats.norm.ppf(np.clip(PROBABILITY, 1e-3, 1 - 1e-3))


def predictions(n, seed=1, *, floor=9.0, scale=0.3):
    """Subhalos with medians around the floor, of all probabilities of being luminous."""
    generator = np.random.default_rng(seed)
    return Distribution(
        p_luminous=generator.random(n),
        location=generator.normal(9.5, 0.5, n),
        scale=np.full(n, scale),
        residual_row=np.arange(n) % 2,
        residual_probability=PROBABILITY,
        residual_quantiles=np.stack([GAUSSIAN, np.expm1(0.5 * GAUSSIAN)]),
        floor=floor,
        extrapolated=np.zeros(n, dtype=bool),
    )


def truth(distribution, seed):
    """Masses drawn from the predictions, 0 where there is no galaxy."""
    rows, log_mass = draw(distribution, np.arange(len(distribution)), seed=seed)
    mass = np.zeros(len(distribution))
    mass[rows] = 10.0**log_mass
    return mass


def pit(distribution, mass, seed=11, **options):
    return probability_integral_transform(
        distribution, mass, ids=np.arange(len(mass)), seed=seed, **options
    )


def p_value(result, name="all"):
    return result.settings["kolmogorov_smirnov"][name]["p_value"]


@pytest.mark.slow
def test_it_is_uniform_for_draws_from_the_predictions():
    """Over 400 draws p-values below 5% come at 5%, to four sigma, and are uniform themselves."""
    d, p_values = predictions(500), {"all": [], "luminous": []}
    for seed in range(400):
        result = pit(d, truth(d, seed), seed=seed)
        for name, values in p_values.items():
            values.append(p_value(result, name))
    for values in p_values.values():
        assert np.mean(np.array(values) < 0.05) == pytest.approx(
            0.05, abs=4 * np.sqrt(0.05 * 0.95 / 400)
        )
        assert stats.kstest(values, "uniform").pvalue > 1e-3


def test_the_histogram_is_1_within_its_errors():
    d = predictions(20_000)
    result = pit(d, truth(d, 3))
    for name in result.estimates:
        chi_square = np.sum(((result[name] - 1.0) / result[f"{name}_error"]) ** 2) * 19 / 20
        assert 1e-3 < stats.chi2.sf(chi_square, 19) < 1 - 1e-3
        assert result[name].mean() == pytest.approx(1.0)
    assert result["subhalos"].sum() == 20_000
    assert result["luminous"].sum() == result.settings["luminous"]
    assert result.settings["luminous"] + result.settings["not_luminous"] == 20_000


@pytest.mark.parametrize("factor", [1.3, 1 / 1.3])
def test_a_wrong_scatter_is_detected(factor):
    d = predictions(5000)
    mass = truth(predictions(5000, scale=0.3 * factor), 2)
    result = pit(d, mass)
    assert p_value(result, "luminous") < 1e-4
    ends = result["density_luminous"][[0, -1]]
    assert np.all(ends > 1.2) if factor > 1 else np.all(ends < 0.8)


@pytest.mark.parametrize("factor", [0.9, 0.75])
def test_a_wrong_probability_of_being_luminous_is_detected(factor):
    """The law of the luminous is right and says nothing; the whole law is not."""
    d = predictions(20_000)
    result = pit(replace(d, p_luminous=factor * d.p_luminous), truth(d, 4))
    assert p_value(result) < 1e-3
    assert p_value(result, "luminous") > 1e-3


def test_a_shifted_median_is_detected():
    d = predictions(5000)
    assert p_value(pit(replace(d, location=d.location + 0.05), truth(d, 5)), "luminous") < 1e-4


def test_the_transform_is_the_mixture_of_its_definition():
    d = predictions(6)
    mass = np.array([0.0, 5e8, 1e9, 2e9, 1e10, 0.0])
    result = pit(d, mass, bins=1000)
    uniform = result["subhalos"]
    luminous = mass >= 1e9
    expected = 1.0 - d.p_luminous + d.p_luminous * cdf(d, np.log10(np.maximum(mass, 1.0)))
    expected = expected[luminous]
    placed = np.histogram(expected, np.linspace(0, 1, 1001))[0]
    assert np.all(uniform >= placed)
    assert result.settings["luminous"] == 3
    assert result.settings["not_luminous"] == 3
    assert result.settings["not_luminous_with_stars"] == 1
    rest = np.flatnonzero(np.repeat(np.arange(1000), uniform - placed) >= 0)
    assert len(rest) == 3


def test_keys_are_ids_not_rows():
    d, order = predictions(300), np.random.default_rng(1).permutation(300)
    mass, ids = truth(d, 1), np.arange(300) * 7 + 3
    one = probability_integral_transform(d, mass, ids=ids, seed=4)
    other = probability_integral_transform(d.take(order), mass[order], ids=ids[order], seed=4)
    np.testing.assert_array_equal(one["subhalos"], other["subhalos"])
    assert one.settings == other.settings
    another = probability_integral_transform(d, mass, ids=ids, seed=5)
    assert not np.array_equal(one["subhalos"], another["subhalos"])


@given(st.integers(0, 30), st.integers(0, 2**32))
def test_every_subhalo_is_in_a_bin(n, seed):
    d = predictions(n, seed)
    mass = 10.0 ** np.random.default_rng(seed).normal(9.3, 2.0, n)
    result = pit(d, mass, bins=5)
    assert result["subhalos"].sum() == n
    assert result["luminous"].sum() == np.sum(mass >= 1e9)
    result.to_ecsv()


def test_certain_predictions_that_fail_are_at_the_ends():
    d = replace(predictions(2), p_luminous=np.array([0.0, 1.0]))
    result = pit(d, np.array([3e9, 0.0]), bins=10)  # one is luminous that cannot be, one is not
    np.testing.assert_array_equal(result["subhalos"], [1, 0, 0, 0, 0, 0, 0, 0, 0, 1])


def test_a_law_below_the_floor_has_no_luminous():
    d = replace(predictions(3), location=np.full(3, 3.0))
    result = pit(d, np.full(3, 1e10))
    assert result.settings["luminous_outside_the_law"] == 3
    assert result["luminous"][-1] == 3


def test_nothing_gives_nan(tmp_path):
    result = pit(predictions(0), np.zeros(0))
    assert np.isnan(result["density"]).all()
    assert result.settings["kolmogorov_smirnov"] == {}
    result.save(tmp_path / "pit.ecsv")
    assert np.isnan(read_measurement(tmp_path / "pit.ecsv")["density_error"]).all()


@pytest.mark.slow_but("0.5-50")
@pytest.mark.parametrize("n", [50, 1000])
@pytest.mark.parametrize("place", [0.05, 0.5, 0.9])
def test_the_smallest_detectable_distance_is_detected(n, place):
    """In 80% of samples or more, for the distribution that hides the distance best: a step.

    Values are uniform but that those in [place, place + d] are moved to its lower end. 1000 samples
    know the share to 1.3%; three of these.
    """
    d = smallest_detectable_distance(n)
    values = np.random.default_rng(1).random((1000, n))
    low = min(place, 1.0 - d)
    values[(values > low) & (values < low + d)] = low
    found = [stats.kstest(sample, "uniform").pvalue < 0.05 for sample in values]
    assert np.mean(found) > 0.80 - 3 * 0.013


def test_the_smallest_detectable_distance_shrinks_with_numbers():
    assert smallest_detectable_distance(1) == 1.0
    distance = [smallest_detectable_distance(n) for n in (10, 100, 10_000)]
    assert distance[0] > distance[1] > distance[2]
    # 1.358 of the asymptotic law, and half of z(0.8)
    assert distance[2] * 100 == pytest.approx(1.358 + 0.4208, rel=0.01)


def test_what_cannot_be_measured_is_refused():
    d, mass = predictions(3), np.ones(3)
    for bins in (1, 0, 10_000):
        with pytest.raises(UsageError, match="bins"):
            pit(d, mass, bins=bins)
    with pytest.raises(UsageError, match="seed"):
        pit(d, mass, seed=-1)
    with pytest.raises(BadValueError, match="3 predictions, 2 masses, 2 ids"):
        pit(d, mass[:2])
    with pytest.raises(BadValueError, match="stellar_mass"):
        pit(d, np.array([1.0, np.nan, 1.0]))
    with pytest.raises(BadValueError, match="p_luminous"):
        pit(replace(d, p_luminous=np.array([0.5, np.nan, 0.5])), mass)


def test_a_painters_own_mock_is_calibrated(demo_bundle):
    from mockgal.errors import listening
    from mockgal.painters.hod.painter import HODPainter

    sim, mock = demo_mock(demo_bundle)
    with listening(quiet=True):
        distribution = HODPainter().predict(sim)
    mass = np.zeros(len(sim.halos))
    row = np.argsort(sim.halos["halo_id"])
    place = row[np.searchsorted(sim.halos["halo_id"][row], mock["galaxy_id"])]
    mass[place] = mock["stellar_mass"]
    result = probability_integral_transform(distribution, mass, ids=sim.halos["halo_id"], seed=99)
    assert result.settings["luminous"] == len(mock)
    assert p_value(result) > 1e-3
    assert p_value(result, "luminous") > 1e-3
    result.plot()
