"""Pairs of points on the sky: counted one by one, by regions, in parts, whatever the threads."""

import numpy as np
import pytest
from sky_samples import one_by_one, points

from mockgal.errors import ResourceError
from mockgal.statistics.sky import counts
from mockgal.statistics.sky.counts import Angles, Cylinders, Wedges, count
from mockgal.system import memory
from mockgal.system.progress import shown

BINS = {
    "small angles": Angles(np.geomspace(0.5, 20, 9)),
    "all angles": Angles(np.linspace(0.5, 180, 9)),
    "wedges": Wedges(np.geomspace(5, 150, 8), 7),
    "wide wedges": Wedges(np.linspace(5, 1500, 8), 4),
    "cylinders": Cylinders(np.geomspace(3, 60, 6), 8, 40.0),
    "narrow cylinders": Cylinders(np.geomspace(0.5, 5, 4), 5, 150.0),
    "wide cylinders": Cylinders(np.geomspace(3, 600, 6), 3, 400.0),
}
DEPTHS = {"far": (0.4, 0.9), "near": (0.1, 0.3), "at the observer": (0.001, 0.05)}


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("name", BINS)
def test_pairs_are_those_of_a_loop(name, depth):
    """Over the poles, across 0 h, around the observer; all regions at once."""
    bins, (low, high) = BINS[name], DEPTHS[depth]
    for whole in (True, False):
        first = points(160, 1, low=low, high=high, whole=whole)
        second = points(190, 2, low=low, high=high, whole=whole)
        found = count([(first, None), (first, second)], bins, "pairs")
        for one, others in zip(found, (first, second), strict=True):
            pairs, within, across = one_by_one(first, others, bins)
            np.testing.assert_array_equal(one.pairs, pairs)
            np.testing.assert_allclose(one.within, within, rtol=1e-12, atol=1e-9)
            np.testing.assert_allclose(one.across, across, rtol=1e-12, atol=1e-9)


def test_norms_are_counts_at_all_separations():
    first, second = points(120, 1), points(150, 2)
    for others in (None, second):
        (found,) = count([(first, others)], Angles(np.array([1e-9, 180.0])), "pairs")
        np.testing.assert_allclose(found.norm_within, found.within[:, 0, 0], rtol=1e-12)
        np.testing.assert_allclose(found.norm_across, found.across[:, 0, 0], rtol=1e-12)
        assert found.normalised() == pytest.approx(1.0)


def test_without_a_region():
    """Pairs with a member in it are missing, if they are taken out with a weight of 1."""
    sample, bins = points(300, 3), BINS["wedges"]
    (whole,) = count([(sample, None)], bins, "pairs")
    left = whole.left_out(1.0)
    for k in range(sample.regions):
        rest = sample.take(sample.region != k)
        (found,) = count([(rest, None)], bins, "pairs")
        np.testing.assert_allclose(left[k], found.normalised(), rtol=1e-9, atol=1e-15)


def test_bits_do_not_depend_on_threads_or_on_the_order_of_points(monkeypatch):
    monkeypatch.setattr(counts, "_LOOKED_AT", 2000)
    sample, bins = points(700, 4), BINS["wedges"]
    results = []
    for threads in ("1", "3"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        results += count([(sample, None)], bins, "pairs")
    turned = sample.take(np.random.default_rng(0).permutation(len(sample)))
    results += count([(turned, None)], bins, "pairs")
    for other in results[1:]:
        np.testing.assert_array_equal(other.within, results[0].within)
        np.testing.assert_array_equal(other.across, results[0].across)


def test_edges():
    """A lower edge is in, an upper one is not; twins without separation are in no bin."""
    sample = points(2, 1, regions=0, weighted=False)
    twins = sample.take(np.array([0, 0]))
    assert count([(twins, None)], Angles(np.array([1e-6, 180.0])), "pairs")[0].pairs.sum() == 0
    apart = float(np.sqrt(((sample.position[0] - sample.position[1]) ** 2).sum()))
    for edges, number in (([apart, 2 * apart], 1), ([apart / 2, apart], 0)):
        found = count([(sample, None)], Wedges(np.array(edges), 1), "pairs")[0]
        assert found.pairs.sum() == number


def test_nothing_to_count():
    none = points(5, 1).take(slice(0, 0))
    (found,) = count([(none, points(5, 1))], BINS["wedges"], "pairs")
    assert found.pairs.sum() == 0


def test_progress_and_memory(monkeypatch):
    monkeypatch.setattr(counts, "_LOOKED_AT", 2000)
    told, sample = [], points(500, 1)
    with shown(lambda *report: told.append(report)):
        count([(sample, None), (sample, points(300, 2))], BINS["wedges"], "pairs")
    done = [report[0] for report in told]
    assert done == sorted(done)
    assert (done[0], done[-1], told[-1][1:]) == (0, 1000, (1000, "pairs"))
    assert len(done) > 10
    monkeypatch.setattr(memory, "available", lambda: 1000)
    monkeypatch.setattr(memory, "CHECKED_FROM", 0)
    with pytest.raises(ResourceError, match="fewer randoms"):
        count([(sample, None)], BINS["wedges"], "pairs")
