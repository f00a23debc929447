"""xi(r), w_p and multipoles: halotools' numbers, clusters whose xi is known, symmetries, errors."""

import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from halotools.mock_observables import s_mu_tpcf, tpcf, tpcf_multipole, wp
from power_samples import catalogue
from scipy import stats

from mockgal import read_measurement
from mockgal.errors import ResourceError, UsageError
from mockgal.statistics.jackknife import regions
from mockgal.statistics.pairs import jackknife as pair_jackknife
from mockgal.statistics.pairs import separations
from mockgal.statistics.pairs.correlation import (
    correlation_function,
    correlation_multipoles,
    legendre_weights,
    projected_correlation_function,
)
from mockgal.statistics.pairs.counts import pair_counter
from mockgal.statistics.pairs.separations import Cylinders, Shells, Wedges
from mockgal.system import memory
from mockgal.system.progress import shown

BOX = 40.0
STATISTICS = [correlation_function, projected_correlation_function, correlation_multipoles]
BINS = {"r_min": 1.0, "r_max": 12.0, "bins": 6}
EDGES = np.geomspace(1.0, 12.0, 7)


def galaxies(points, box_size=BOX, velocity=None, order=None):
    return catalogue(points, np.ones(len(points)), box_size, velocity, order)


def at_random(seed, number=2000, box_size=BOX):
    return np.random.default_rng(seed).random((number, 3)) * box_size


def couples(seed, sigma, number=3000):
    """Points at random, and with each a companion at a Gaussian distance."""
    generator = np.random.default_rng(seed)
    points = generator.random((number, 3)) * BOX
    return np.concatenate([points, points + sigma * generator.standard_normal((number, 3))]) % BOX


def in_excess(bins, probability, number=3000):
    """xi of `couples`, from the probability that a couple is in a bin, and its standard error."""
    random = number * (2.0 * number - 1.0) * bins.volumes()[:, 0] / BOX**3
    pairs = number * probability + random * (1.0 - 1.0 / (2.0 * number - 1.0))
    return pairs / random - 1.0, np.sqrt(pairs) / random


# ---- the numbers


def test_halotools():
    """Its RR is n^2 V_bin / V, ours n (n - 1) V_bin / V."""
    points = at_random(1)
    factor = 1999 / 2000
    ours = correlation_function(galaxies(points), **BINS, jackknife=0)["xi"]
    theirs = tpcf(points, EDGES, period=BOX)
    np.testing.assert_allclose((1 + ours) * factor, 1 + theirs, rtol=1e-12)
    ours = projected_correlation_function(galaxies(points), **BINS, pi_max=9.0, jackknife=0)
    theirs = wp(points, EDGES, 9.0, period=BOX)
    np.testing.assert_allclose((18 + ours["w_p"]) * factor, 18 + theirs, rtol=1e-12)
    mu = np.linspace(0.0, 1.0, 21)
    theirs = s_mu_tpcf(points, EDGES, mu, period=BOX)
    ours = correlation_multipoles(galaxies(points), **BINS, jackknife=0)
    constant = np.array([1.0, 0.0, 0.0])  # multipoles of 1
    for k, order in enumerate((0, 2, 4)):
        expected = (1 + theirs) @ legendre_weights(20)[k] / factor - constant[k]
        np.testing.assert_allclose(ours[f"xi_{order}"], expected, atol=1e-12)
    # Its multipoles take L_l at the middle of bins of mu.
    fine = np.linspace(0.0, 1.0, 201)
    ours = correlation_multipoles(galaxies(points), **BINS, mu_bins=200, jackknife=0)
    theirs = s_mu_tpcf(points, EDGES, fine, period=BOX)
    for order in (0, 2, 4):
        expected = tpcf_multipole(theirs, fine, order=order)
        np.testing.assert_allclose(ours[f"xi_{order}"], expected, atol=1e-3)


def test_xi_of_couples():
    """Distances in a couple have the distribution of Maxwell; within 4 standard errors."""
    sigma = 1.5
    found = correlation_function(galaxies(couples(2, sigma)), **BINS, jackknife=0)
    probability = np.diff(stats.maxwell.cdf(EDGES, scale=sigma))
    expected, error = in_excess(Shells(EDGES), probability)
    assert expected[0] > 5.0 * error[0]  # or the test would show nothing
    assert np.all(np.abs(found["xi"] - expected) < 4.0 * error)


def test_projected_couples():
    across, along = 1.5, 3.0
    points = couples(3, np.array([across, across, along]))
    found = projected_correlation_function(galaxies(points), **BINS, pi_max=5.0, jackknife=0)
    probability = np.diff(stats.rayleigh.cdf(EDGES, scale=across))
    probability *= 1.0 - 2.0 * stats.norm.sf(5.0, scale=along)
    expected, error = in_excess(Cylinders(EDGES, 5.0), probability)
    assert np.all(np.abs(found["w_p"] - 10.0 * expected) < 4.0 * 10.0 * error)


def test_multipoles_of_couples():
    """Stretched along the line of sight: the density of companions, projected on L_l."""
    across, along = 0.6, 1.5
    points = couples(4, np.array([across, across, along]))
    found = correlation_multipoles(galaxies(points), **BINS, mu_bins=40, jackknife=0)
    node, weight = np.polynomial.legendre.leggauss(60)
    mu, weight = 0.5 + 0.5 * node, 0.5 * weight
    for k, (low, high) in enumerate(pairwise(EDGES)):
        s = (low + high + (high - low) * node[:, None]) / 2.0
        density = stats.norm.pdf(s * mu, scale=along) * np.exp(
            -0.5 * (s / across) ** 2 * (1 - mu**2)
        )
        density /= 2.0 * np.pi * across**2
        shell = 3.0 * s[:, 0] ** 2 * (high - low) / (high**3 - low**3) * weight
        for order in (0, 2, 4):
            legendre = np.polynomial.Legendre.basis(order)(mu)
            # One companion each among n - 1 points: the others make up for it.
            xi = shell @ (density * BOX**3 / 5999.0) @ (weight * (2 * order + 1) * legendre)
            xi -= (order == 0) / 5999.0
            assert abs(found[f"xi_{order}"][k] - xi) < 4.0 * found[f"xi_{order}_error"][k]
    assert np.max(found["xi_2"] / found["xi_2_error"]) > 5.0


@pytest.mark.parametrize("statistic", STATISTICS)
def test_points_at_random_have_none(statistic):
    """chi square with Poisson errors, within 3 standard deviations of its mean."""
    found = statistic(galaxies(at_random(5, 4000)), **BINS, jackknife=0)
    for name in found.estimates:
        chi_square = np.sum((found[name] / found[name + "_error"]) ** 2)
        assert chi_square < len(found) + 3.0 * np.sqrt(2.0 * len(found))


def test_multipoles_of_what_has_no_direction():
    weights = legendre_weights(20)
    np.testing.assert_allclose(weights.sum(axis=1), [1.0, 0.0, 0.0], atol=1e-14)
    assert weights.shape == (3, 20)


# ---- symmetries


def equal(first, second, errors=0.0):
    assert np.array_equal(first["pairs"], second["pairs"])
    for name in first.estimates:
        assert np.array_equal(first[name], second[name])
        ours, theirs = first[name + "_error"], second[name + "_error"]
        np.testing.assert_allclose(ours, theirs, rtol=errors)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_row_order_is_nothing(statistic):
    points = couples(6, 1.0, 500)
    order = np.random.default_rng(7).permutation(len(points))
    first, second = (statistic(galaxies(points, order=o), **BINS) for o in (None, order))
    equal(first, second)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_places_and_axes_are_nothing(statistic):
    points = couples(8, 1.0, 500)
    found = statistic(galaxies(points), **BINS, line_of_sight="z")
    third = BOX / 3  # moves sub-volumes onto each other
    moved = (points + np.array([third, 2 * third, third])) % BOX
    equal(found, statistic(galaxies(moved), **BINS, line_of_sight="z"), errors=0.02)
    for axis, roll in (("x", 1), ("y", 2)):
        turned = statistic(galaxies(np.roll(points, roll, axis=1)), **BINS, line_of_sight=axis)
        equal(found, turned, errors=1e-12)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_common_velocity_is_nothing(statistic):
    points = at_random(9, 500)
    found = statistic(galaxies(points), **BINS, line_of_sight="y", jackknife=0)
    flow = np.full((500, 3), [1e4, -700.0, 333.0])
    moving = statistic(galaxies(points, velocity=flow), **BINS, line_of_sight="y", jackknife=0)
    equal(found, moving, errors=1e-12)


def test_velocities_count_along_the_line_of_sight_only():
    points, velocity = at_random(10, 500), np.zeros((500, 3))
    velocity[:, 0] = np.random.default_rng(11).standard_normal(500) * 1000.0
    still, moving = galaxies(points), galaxies(points, velocity=velocity)
    options = {**BINS, "jackknife": 0}
    real = correlation_function(still, **options)
    assert real.settings["space"] == "real"
    equal(real, correlation_function(moving, **options))
    equal(real, correlation_function(moving, **options, line_of_sight="z"))
    shifted = correlation_function(moving, **options, line_of_sight="x")
    assert shifted.settings["space"] == "redshift"
    assert not np.array_equal(real["pairs"], shifted["pairs"])


def test_monopole_is_xi():
    sample = galaxies(couples(12, 1.0, 500))
    xi = correlation_function(sample, **BINS)
    multipoles = correlation_multipoles(sample, **BINS)
    assert np.array_equal(xi["pairs"], multipoles["pairs"])
    np.testing.assert_allclose(multipoles["xi_0"], xi["xi"], rtol=1e-12)
    # Its errors are a mean over bins of mu, whose volumes are averaged over other points.
    np.testing.assert_allclose(multipoles["xi_0_error"], xi["xi_error"], rtol=0.05)


# ---- errors


@pytest.mark.parametrize("per_side", [2, 3, 5])
def test_pairs_that_are_left(per_side):
    """Counted again without the galaxies of each sub-volume."""
    points = couples(13, 1.0, 200)
    counter, region = pair_counter(), regions(points, BOX, per_side)
    for bins in (Shells(EDGES), Wedges(EDGES, 4), Cylinders(EDGES, 7.0)):
        first, both = pair_jackknife.count_by_region(points, BOX, per_side, bins, counter)
        total = bins.count(counter, points, None, BOX)
        assert np.array_equal(first.sum(axis=0), total)
        for i in (0, per_side**3 - 1):
            remaining = bins.count(counter, points[region != i], None, BOX)
            assert np.array_equal(total - 2 * first[i] + both[i], remaining)


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("jackknife", [0, 2])
def test_counting_some_at_a_time_changes_nothing(statistic, jackknife, monkeypatch):
    sample = galaxies(couples(24, 1.0, 300))
    whole = statistic(sample, **BINS, jackknife=jackknife)
    monkeypatch.setattr(separations, "ROWS", 97)
    monkeypatch.setattr(separations, "OTHERS", 400)
    monkeypatch.setattr(separations, "AT_ONCE", 0)
    equal(statistic(sample, **BINS, jackknife=jackknife), whole)


@pytest.mark.fault(55)
@pytest.mark.parametrize("box_size", [BOX, None])
def test_a_call_has_few_of_the_other_points(box_size, monkeypatch):
    """Its fixed cost is theirs: with millions of them nothing would interrupt it for seconds."""
    counter, sizes = pair_counter(), []

    class Recording:
        def spherical(self, first, second, edges, box_size):
            sizes.append([len(first), len(second)])
            return counter.spherical(first, second, edges, box_size)

    points, bins = at_random(3), Shells(np.array([0.5, 1.0, 4.0]))
    points[:4, 0] = 0.0, np.nextafter(BOX, 0.0), 4.0, BOX - 4.0
    expected = bins.count(counter, points, points[::2], box_size)
    monkeypatch.setattr(separations, "AT_ONCE", 0)
    monkeypatch.setattr(separations, "ROWS", 200)
    monkeypatch.setattr(separations, "OTHERS", 300)
    samples = [(points, points[::2])]
    found = separations.count_pairs(bins, Recording(), samples, box_size, "pairs")[0]
    assert np.array_equal(found, expected)
    assert np.all(np.max(sizes, axis=0) <= [200, 300])
    near = np.sum(np.prod(sizes, axis=1)) / (len(points) * len(points[::2]))
    assert near < 2 * 4.0 / BOX + 0.11, "of all couples"


def test_a_call_takes_no_longer_where_points_are_many(monkeypatch):
    """With a library of 40 ms a call and 1 ms a point, later 4 ms: nothing interrupts a call."""
    now, calls = [0.0], []

    class Slow:
        def spherical(self, first, second, edges, box_size):
            calls.append(0.04 + (0.001 if now[0] < 20.0 else 0.004) * len(first))
            now[0] += calls[-1]
            return np.full(len(edges) - 1, len(first))

    monkeypatch.setattr(separations, "perf_counter", lambda: now[0])
    points, bins = np.zeros((50_000, 3)), Shells(np.array([1.0, 2.0]))
    found = separations.count_pairs(bins, Slow(), [(points, None)], BOX, "pairs")
    assert found.tolist() == [[[50_000]]]
    assert np.max(calls) < 2.5
    assert np.median(calls) == pytest.approx(0.58, abs=0.05)
    assert 0.04 * len(calls) < 0.1 * now[0], "little of the time is the calls' own"


CROWD = """
import sys
import numpy as np
from mockgal.statistics.pairs import correlation
from mockgal.system import progress
sys.path.insert(0, {tests!r})
from power_samples import catalogue
points = np.random.default_rng(1).random(({number}, 3)) * 100.0
sample = catalogue(points, np.ones(len(points)), 100.0)
with progress.shown(lambda done, total, label: done > 1 and print(done, flush=True)):
    correlation.correlation_function(sample, r_min=1.0, r_max=33.0, bins=8, jackknife=0)
"""


@pytest.mark.parametrize(
    "number", [20_000, pytest.param(300_000, marks=pytest.mark.slow)], ids=["quick", "slow"]
)
def test_an_interruption_is_answered_while_pairs_are_counted(number):
    """Of a crowd: a call with as many points as there is memory for would take minutes."""
    program = CROWD.format(tests=str(Path(__file__).parents[1]), number=number)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline(), process.stderr.read()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert time.monotonic() - began < 2.5
    assert process.returncode == -signal.SIGINT


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("jackknife", [0, 2])
def test_progress_goes_from_nothing_to_all(statistic, jackknife, monkeypatch):
    told = []
    monkeypatch.setattr(separations, "ROWS", 37)
    monkeypatch.setattr(separations, "AT_ONCE", 0)
    sample = galaxies(couples(24, 1.0, 300))
    with shown(lambda *step: told.append(step)):
        statistic(sample, **BINS, jackknife=jackknife)
    done, totals, labels = zip(*told, strict=True)
    assert done[0] == 0
    assert np.all(np.diff(done) > 0)
    assert np.max(np.diff(done)) <= 37
    assert {done[-1]} == set(totals)
    assert len(set(labels)) == 1


@pytest.mark.parametrize("per_side", [3, 6])
def test_volumes_inside_a_cube(per_side):
    """Set covariance of the cube: its formula to r = l, else pairs of random points in it."""
    side, edges = BOX / per_side, np.array([1.0, 3.0, 6.0, 9.0, 13.0])
    points = at_random(14, 10)
    generator = np.random.default_rng(15)
    one, two = generator.random((2, 400_000, 3)) * side
    x, y, z = np.abs(one - two).T
    for bins in (Shells(edges), Cylinders(edges, 4.0), Wedges(edges, 3)):
        found = pair_jackknife.neighbours_inside(points, BOX, per_side, bins)[2]
        if isinstance(bins, Cylinders):
            counts = np.histogram(np.hypot(x, y)[z < 4.0], edges)[0][:, None]
        else:
            r = np.sqrt(x**2 + y**2 + z**2)
            m = found.shape[1]
            counts = np.histogram2d(r, z / r, [edges, np.linspace(0, 1, m + 1)])[0]
        expected = counts / len(x) * side**3 / bins.volumes()
        error = np.sqrt(counts) / len(x) * side**3 / bins.volumes()
        assert np.all(np.abs(found - expected) < 4.0 * error + 3e-3)
    if per_side == 3:
        r = np.linspace(edges[:-1], edges[1:], 1001)
        mean = 1 - 1.5 * r / side + 2 / np.pi * (r / side) ** 2 - (r / side) ** 3 / (4 * np.pi)
        found = pair_jackknife.neighbours_inside(points, BOX, 3, Shells(edges))[2][:, 0]
        np.testing.assert_allclose(found, np.average(mean, axis=0, weights=r**2), atol=3e-4)


def test_volumes_around_galaxies():
    """In the sub-volume that random neighbours of each galaxy lie in, at the shell's distances.

    The galaxy is drawn anywhere in its cell, of 24 along a side.
    """
    points, edges = at_random(16, 300), np.array([2.0, 5.0])
    all_in, own_in, _ = pair_jackknife.neighbours_inside(points, BOX, 3, Shells(edges))
    assert all_in.sum() == pytest.approx(300, rel=1e-12)
    generator, region, draws = np.random.default_rng(17), regions(points, BOX, 3), 4000
    step = generator.standard_normal((draws, 300, 3))
    step *= np.cbrt(generator.uniform(8.0, 125.0, (draws, 300, 1))) / np.linalg.norm(
        step, axis=2, keepdims=True
    )
    cell = np.floor(points * 24 / BOX) + generator.random((draws, 300, 3))
    there = (cell * BOX / 24 + step) % BOX
    there = regions(there.reshape(-1, 3), BOX, 3).reshape(draws, 300)
    expected = np.bincount(there.ravel(), minlength=27) / draws
    np.testing.assert_allclose(all_in[:, 0, 0], expected, atol=0.1)  # 4 standard errors, of 11
    expected = [np.count_nonzero(there[:, region == i] == i) / draws for i in range(27)]
    np.testing.assert_allclose(own_in[:, 0, 0], expected, atol=0.1)


@pytest.mark.slow
def test_errors_are_about_the_scatter():
    """Mean variance over that between 40 boxes of random points.

    The scatter is known to 1 / sqrt(80) = 11%; with larger separations errors are too large, as
    `mockgal.statistics.pairs.correlation` says.
    """
    found = [
        correlation_function(galaxies(at_random(seed, 500)), **{**BINS, "bins": 4})
        for seed in range(100, 140)
    ]
    scatter = np.std([result["xi"] for result in found], axis=0, ddof=1)
    error = np.sqrt(np.mean([result["xi_error"] ** 2 for result in found], axis=0))
    assert np.all(np.abs(error[:2] / scatter[:2] - 1.1) < 0.4)
    assert np.all(error / scatter < 1.8)
    assert np.all(error / scatter > 0.8)
    assert found[0].error_degrees_of_freedom == 26


# ---- what is refused, and what is said


EMPTY = {"xi": -1.0, "w_p": -10.0, "xi_0": -1.0, "xi_2": 0.0, "xi_4": 0.0}  # DD / RR - 1


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("jackknife", [0, 2, 3])
def test_bins_without_pairs(statistic, jackknife):
    """They have what the estimator gives, exactly, and the error of one pair at least."""
    sample = galaxies(np.array([[1.0, 1, 1], [1, 2, 4], [30, 30, 30]]))
    options = {"pi_max": 5.0} if statistic is projected_correlation_function else {}
    found = statistic(sample, r_min=0.1, r_max=9.0, bins=4, jackknife=jackknife, **options)
    empty = found["pairs"] == 0
    assert empty.sum() == 3
    for name in found.estimates:
        assert np.all(found[name][empty] == EMPTY[name])
        assert np.all(np.isfinite(found[name]))
        assert np.all(found[name + "_error"] > 0)
    assert "-1" in found.settings["bins_without_pairs"]
    found.to_ecsv()


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_mean_over_sparse_samples_is_unbiased(statistic):
    """Of 300 boxes of 6 points at random; most have no pair in the smaller bins."""
    found = [statistic(galaxies(at_random(seed, 6)), **BINS, jackknife=0) for seed in range(300)]
    pairs = np.array([one["pairs"] for one in found])
    assert np.mean(pairs[:, 0] > 0) < 0.1
    for name in found[0].estimates:
        values = np.array([one[name] for one in found])[:, 3:]  # some hundred pairs in all
        error = np.std(values, axis=0, ddof=1) / np.sqrt(len(values))
        assert np.all(np.abs(np.mean(values, axis=0)) < 4 * error)
    first = np.array([one[found[0].estimates[0]] for one in found])[:, 3:]
    seen = np.where(pairs[:, 3:] > 0, first, np.nan)
    assert np.nanmean(seen[:, 0]) > 5 * error[0]  # what leaving empty bins out would give


def test_a_catalogue_of_less_than_two_galaxies_has_no_correlation_function():
    for statistic in STATISTICS:
        for number in (0, 1):
            found = statistic(galaxies(at_random(18, number)), **BINS)
            assert not found["pairs"].any()
            assert all(np.isnan(found[name]).all() for name in found.estimates)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_results_are_kept_and_drawn(statistic, tmp_path):
    found = statistic(galaxies(at_random(19, 400)))
    assert found.settings["r_max_mpc_h"] == BOX / 4
    assert found.settings["pair_counter"] == pair_counter().name
    assert "27 cubic sub-volumes" in found.settings["errors"]
    low, high, mean = (found[found.axis + end] for end in ("_low", "_high", ""))
    assert np.all((low < mean) & (mean < high))
    assert np.array_equal(low[1:], high[:-1])
    found.save(tmp_path / "result.ecsv")
    again = read_measurement(tmp_path / "result.ecsv")
    for name, values in found.columns.items():
        np.testing.assert_array_equal(again[name], values)
    assert dict(again.settings) == dict(found.settings)
    assert found.plot().get_xscale() == "log"


def test_default_reach_of_large_boxes():
    found = projected_correlation_function(galaxies(at_random(20, 50, 500.0), 500.0), jackknife=0)
    assert found.settings["r_max_mpc_h"] == 30.0
    assert found.settings["pi_max_mpc_h"] == 40.0


@pytest.mark.parametrize(
    ("statistic", "options", "message"),
    [
        (correlation_function, {"r_max": BOX / 3}, "less than a third of the box, 13.3333 Mpc/h"),
        (correlation_function, {"r_max": np.nan}, "r_max"),
        (correlation_function, {"r_min": 0.0}, "r_min"),
        (correlation_function, {"r_min": 10.0}, "less than r_max, 10 Mpc/h"),
        (correlation_function, {"bins": 0}, "bins"),
        (correlation_function, {"jackknife": 1}, "jackknife"),
        (correlation_function, {"line_of_sight": "w"}, "x, y or z"),
        (projected_correlation_function, {"pi_max": 20.0}, "pi_max"),
        (projected_correlation_function, {"line_of_sight": None}, "x, y or z"),
        (correlation_multipoles, {"mu_bins": 0}, "mu_bins"),
        (correlation_multipoles, {"line_of_sight": None}, "x, y or z"),
    ],
)
def test_refusals(statistic, options, message):
    with pytest.raises(UsageError, match=message):
        statistic(galaxies(at_random(21, 10)), **options)


def test_few_pairs_have_the_errors_of_pairs_at_least():
    """Two galaxies in one sub-volume: without it there is nothing, which says nothing of errors."""
    points = np.array([[1.0, 1.0, 1.0], [2.5, 1.0, 1.0], [30.0, 30.0, 30.0]])
    for statistic in STATISTICS:
        jackknifed = statistic(galaxies(points), **BINS)
        poisson = statistic(galaxies(points), **BINS, jackknife=0)
        one = jackknifed["pairs"] == 1
        assert one.sum() == 1
        name = jackknifed.estimates[0]
        assert jackknifed[f"{name}_error"][one] >= poisson[f"{name}_error"][one]
        assert np.isfinite(jackknifed[f"{name}_error"][one])


@pytest.mark.fault(76)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_too_little_memory_is_told_before_pairs_are_counted(statistic, monkeypatch):
    few = galaxies(at_random(1, 100))
    monkeypatch.setattr(memory, "CHECKED_FROM", 0)
    monkeypatch.setattr(memory, "available", lambda: 100 * separations.BYTES - 1)
    with pytest.raises(ResourceError, match=r"pairs of .*9600 bytes.*--cut"):
        statistic(few, **BINS, jackknife=0)
    monkeypatch.setattr(memory, "available", lambda: 100 * separations.BYTES)
    statistic(few, **BINS, jackknife=0)
