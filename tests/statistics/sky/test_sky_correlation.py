"""w(theta), w_p, multipoles and wedges on the sky, against their definitions."""

import numpy as np
import pytest
from sky_samples import COSMOLOGY, one_by_one, points, survey

import mockgal
from mockgal.errors import UsageError
from mockgal.statistics.sky.angular import w_theta_of
from mockgal.statistics.sky.correlation import multipoles_of, w_p_of, wedges_of
from mockgal.statistics.sky.counts import Angles, Cylinders, Wedges
from mockgal.statistics.sky.estimator import across_share, count_survey
from mockgal.statistics.sky.sample import SkySample
from mockgal.statistics.sky.surveys import Survey

WEDGES = Wedges(np.linspace(10.0, 200.0, 6), 4)
CYLINDERS = Cylinders(np.geomspace(5.0, 100.0, 5), 6, 60.0)
ANGLES = Angles(np.linspace(1.0, 20.0, 6))


@pytest.fixture(scope="module")
def made():
    return Survey(points(150, 1, whole=False), points(600, 2, whole=False))


def landy_szalay(survey, bins):
    """xi, and xi without each region with pairs across its border weighted, from a loop."""
    data, randoms = survey.data, survey.randoms
    counts, norms = [], []
    for one, two in ((data, data), (data, randoms), (randoms, randoms)):
        _, within, across = one_by_one(one, two, bins)
        own, other = (np.bincount(s.region, s.weight, s.regions) for s in (one, two))
        squares = np.bincount(one.region, one.weight**2, one.regions)
        same = (own**2 - squares) / 2 if one is two else own * other
        apart = own * (other.sum() - other)
        apart = apart if one is two else apart + other * (own.sum() - own)
        counts.append((within, across))
        norms.append((same, apart))

    def xi(share, k):
        dd, dr, rr = (
            (w.sum(axis=0) + a.sum(axis=0) / 2 - (0 if k is None else w[k] + share * a[k]))
            / (s.sum() + c.sum() / 2 - (0 if k is None else s[k] + share * c[k]))
            for (w, a), (s, c) in zip(counts, norms, strict=True)
        )
        return (dd - 2 * dr + rr) / rr

    share = 4 / (2 + np.sqrt(2) * 3)
    return xi(share, None), np.array([xi(share, k) for k in range(4)])


def test_share_of_pairs_across_a_border():
    """With it, the jackknife of counts of independent pairs has the right variance."""
    regions, trials = 12, 20_000
    random = np.random.default_rng(1)
    pairs = np.triu(random.poisson(4.0, (trials, regions, regions)), 1).astype(float)
    of_region = pairs.sum(axis=1) + pairs.sum(axis=2)
    share, total = across_share(regions), pairs.sum(axis=(1, 2))
    ways = regions * (regions - 1) / 2
    left = (total[:, None] - share * of_region) * ways / (ways - share * (regions - 1))
    deviation = left - left.mean(axis=1, keepdims=True)
    variance = (regions - 1) / regions * (deviation**2).sum(axis=1)
    assert variance.mean() == pytest.approx(total.var(), rel=0.1)


@pytest.mark.parametrize("bins", [WEDGES, CYLINDERS, ANGLES], ids=lambda b: type(b).__name__)
def test_estimator_and_jackknife_by_the_definition(made, bins):
    pairs = count_survey(made, bins, "pairs")
    xi, left = landy_szalay(made, bins)
    np.testing.assert_allclose(pairs.correlation(), xi, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pairs.left_out(), left, rtol=1e-9, atol=1e-12)


def test_sums_over_bins(made):
    """w_p is 2 times the integral over pi, multipoles are those of a xi(s, mu) that is known."""
    pairs = count_survey(made, CYLINDERS, "pairs")
    found = w_p_of(made, CYLINDERS)
    np.testing.assert_allclose(found["w_p"], pairs.correlation().sum(axis=1) * 2 * 10.0)
    xi = count_survey(made, WEDGES, "pairs").correlation()
    wedges, poles = wedges_of(made, WEDGES), multipoles_of(made, WEDGES)
    np.testing.assert_allclose([wedges[f"xi_mu_{k}"] for k in (1, 2, 3, 4)], xi.T)
    np.testing.assert_allclose(poles["xi_0"], xi.mean(axis=1), rtol=1e-9)
    mu = np.linspace(0, 1, 5)
    quadrupole = 5 * xi @ np.diff((mu**3 - mu) / 2)
    np.testing.assert_allclose(poles["xi_2"], quadrupole, rtol=1e-9, atol=1e-12)


def test_covariance_between_bins_and_files(made, tmp_path):
    found = w_theta_of(made, ANGLES)
    left = np.array(landy_szalay(made, ANGLES)[1])[:, :, 0]
    expected = 3 * np.cov(left, rowvar=False, ddof=0)
    np.testing.assert_allclose(found.jackknife_covariance("w"), expected, rtol=1e-8)
    np.testing.assert_allclose(found["w_error"] ** 2, np.diag(expected), rtol=1e-8)
    found.save(tmp_path / "w.ecsv")
    again = mockgal.read_measurement(tmp_path / "w.ecsv")
    np.testing.assert_array_equal(again.jackknife_covariance("w"), found.jackknife_covariance("w"))


def test_parts_of_the_randoms():
    """Fewer pairs of randoms, each part alone; DD and DR are of all."""
    whole = Survey(points(100, 1, whole=False), points(1000, 2, whole=False))
    one, four = (count_survey(whole, WEDGES, "pairs", parts) for parts in (None, 4))
    assert (one.parts, four.parts) == (1, 4)
    for name in ("dd", "dr"):
        np.testing.assert_array_equal(getattr(one, name).pairs, getattr(four, name).pairs)
    parts = [whole.randoms.take(slice(k, None, 4)) for k in range(4)]
    expected = sum(one_by_one(part, part, WEDGES)[0] for part in parts)
    np.testing.assert_array_equal(four.rr.pairs, expected)
    np.testing.assert_allclose(four.rr.normalised(), one.rr.normalised(), rtol=0.2)


def test_weights_of_two_stand_for_two():
    """Points of weight 2 count as twins do, but for the pairs of each with its twin."""
    data, randoms = points(80, 1, whole=False, weighted=False), points(400, 2, whole=False)
    heavy = SkySample(data.direction, data.redshift, data.distance, 2 * data.weight, data.region, 4)
    twins = data.take(np.repeat(np.arange(80), 2))
    bins = Wedges(np.linspace(10, 200, 4), 2)
    one, two = (count_survey(Survey(x, randoms), bins, "pairs") for x in (heavy, twins))
    # The norm of twins has the 80 pairs of zero separation in it.
    share = (160 * 159 / 2) / (160 * 159 / 2 - 80)
    np.testing.assert_allclose(one.dd.normalised(), two.dd.normalised() * share)
    np.testing.assert_allclose(one.dr.normalised(), two.dr.normalised())


STATISTICS = {
    "w_theta": {"theta_min": 1.0, "theta_max": 20.0, "bins": 6},
    "sky_wp": {"r_min": 5.0, "r_max": 60.0, "bins": 5},
    "sky_xi_multipoles": {"r_min": 10.0, "r_max": 80.0, "bins": 5, "mu_bins": 6},
    "sky_xi_wedges": {"r_min": 10.0, "r_max": 80.0, "bins": 5, "spacing": "linear"},
}


@pytest.mark.parametrize("name", STATISTICS)
def test_randoms_alone_give_nothing(name):
    """Ten samples at random: deviations from 0 are as large as the errors."""
    deviations = []
    for seed in range(10):
        galaxies, randoms = survey(300, 3000, seed)
        found = mockgal.measure(galaxies, name, randoms=randoms, **STATISTICS[name])
        deviations.append([found[e] / found[f"{e}_error"] for e in found.estimates])
    assert np.mean(np.square(deviations)) == pytest.approx(1.0, abs=0.35)
    assert abs(np.mean(deviations)) < 0.3


@pytest.mark.parametrize("name", STATISTICS)
def test_results_of_catalogues(name):
    galaxies, randoms = survey(200, 2000)
    found = mockgal.measure(galaxies, name, randoms=randoms, **STATISTICS[name])
    assert found.statistic == name
    assert found.error_degrees_of_freedom == 31
    assert found.settings["regions"] == 32
    without = mockgal.measure(galaxies, name, randoms=randoms, jackknife=0, **STATISTICS[name])
    assert not without.left_out
    assert "Poisson" in without.settings["errors"]
    for estimate in found.estimates:
        np.testing.assert_array_equal(found[estimate], without[estimate])
        ratio = found[f"{estimate}_error"] / without[f"{estimate}_error"]
        assert 0.5 < np.median(ratio) < 2.0  # of points at random
    assert found.settings["catalogue"]["redshifts"] == pytest.approx([0.1, 0.16], rel=0.05)
    assert found.settings["randoms_catalogue"]["galaxies"] == 2000


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"r_min": 0.0}, "r_min"),
        ({"r_max": 0.01}, "r_min"),
        ({"bins": 0}, "bins"),
        ({"spacing": "cubic"}, "spacing"),
        ({"pi_max": -1.0}, "pi_max"),
        ({"pi_max": 2000.0}, "pi_max"),
        ({"random_parts": 0}, "random_parts"),
        ({"jackknife": 1}, "jackknife"),
    ],
)
def test_options_are_checked(options, match):
    galaxies, randoms = survey(50, 500)
    with pytest.raises(UsageError, match=match):
        mockgal.measure(galaxies, "sky_wp", randoms=randoms, **options)


def test_another_fiducial_cosmology_moves_pairs():
    """A pair along the line of sight is longer where the universe expands more slowly."""
    pair = survey(60, 600)
    stretched = "omega_m=0.9"
    found = [
        mockgal.measure(pair[0], "sky_xi_multipoles", randoms=pair[1], r_max=100.0, **options)
        for options in ({}, {"fiducial_cosmology": stretched}, {"fiducial_cosmology": COSMOLOGY})
    ]
    assert "that of the simulation" in found[0].settings["fiducial_cosmology_is"]
    assert "Alcock" in found[1].settings["fiducial_cosmology_is"]
    assert found[1].settings["fiducial_cosmology"]["omega_lambda"] == pytest.approx(0.1)
    assert found[1]["random_pairs"].sum() > found[0]["random_pairs"].sum()
    np.testing.assert_array_equal(found[2]["xi_0"], found[0]["xi_0"])


def test_poisson_errors_are_of_weighted_pairs():
    """Of points at random with weights of wide spread: the scatter of xi over surveys."""
    found = []
    for seed in range(30):
        both = survey(300, 3000, seed, weight=lambda n, random: random.exponential(1.0, n) + 1e-3)
        options = {"r_min": 10.0, "r_max": 40.0, "bins": 2, "jackknife": 0, "weigh_by": "weight"}
        found.append(mockgal.measure(both[0], "sky_xi_multipoles", randoms=both[1], **options))
    scatter = np.std([one["xi_0"] for one in found], axis=0)
    stated = np.mean([one["xi_0_error"] for one in found], axis=0)
    np.testing.assert_allclose(stated / scatter, 1.0, atol=0.4)


def test_parts_of_too_few_randoms_are_refused():
    galaxies, randoms = survey(100, 1000)
    with pytest.raises(UsageError, match="random_parts"):
        mockgal.measure(galaxies, "sky_wp", randoms=randoms, random_parts=50)
