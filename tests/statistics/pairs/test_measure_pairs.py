"""Pairs: both libraries against counting by the definition, on edges, too, and across the wrap."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockgal.statistics.pairs.counts import Corrfunc, Halotools, pair_counter
from mockgal.statistics.pairs.separations import Cylinders, Shells, Wedges

BOX = 8.0
HAS_CORRFUNC = importlib.util.find_spec("Corrfunc") is not None
COUNTERS = [Halotools] + [Corrfunc] * HAS_CORRFUNC
LATTICE = st.lists(st.tuples(*[st.integers(0, 63)] * 3), min_size=1, max_size=25).map(
    lambda rows: np.array(rows) / 8.0
)
EDGES = np.array([0.5, 1.0, 1.25, 2.0, 2.625])  # on the lattice, like their squares


@pytest.fixture(params=COUNTERS, ids=lambda kind: kind.__name__)
def counter(request):
    return request.param()


def separations(first, second, box_size):
    """Components of all separations, shape (3, pairs); a point is no pair with itself."""
    away = (first[:, None] - second[None]).reshape(-1, 3).T
    if box_size is not None:
        away = away - box_size * np.rint(away / box_size)
    return away


def by_definition(first, second, edges, box_size, pi_max=None, mu_bins=None):
    x, y, z = separations(first, first if second is None else second, box_size)
    square = x**2 + y**2 + (z**2 if pi_max is None else 0.0)
    in_bin = (square >= edges[:-1, None] ** 2) & (square < edges[1:, None] ** 2)
    if pi_max is not None:
        in_bin &= np.abs(z) < pi_max
    if mu_bins is None:
        return in_bin.sum(axis=1)
    with np.errstate(invalid="ignore"):
        mu = np.abs(z) / np.sqrt(square)
    return np.array([np.histogram(mu[chosen], mu_bins, (0, 1))[0] for chosen in in_bin])


@settings(max_examples=50)
@given(LATTICE, st.one_of(st.none(), LATTICE), st.sampled_from([0.25, 0.75, 1.0, 1.5, 2.5]))
@pytest.mark.parametrize("kind", COUNTERS)
def test_on_edges_and_across_the_wrap(kind, first, second, pi_max):
    """The lower edge is in a bin and the upper one is not, exactly."""
    counter = kind()
    found = counter.spherical(first, second, EDGES, BOX)
    assert np.array_equal(found, by_definition(first, second, EDGES, BOX))
    found = counter.spherical(first, second, EDGES, None)
    assert np.array_equal(found, by_definition(first, second, EDGES, None))
    found = counter.projected(first, second, EDGES, pi_max, BOX)
    assert np.array_equal(found, by_definition(first, second, EDGES, BOX, pi_max=pi_max))
    # mu = 1/2 is between no two points of the lattice: 3 is no sum of two squares of fractions.
    found = counter.wedges(first, second, EDGES, 2, BOX)
    assert np.array_equal(found, by_definition(first, second, EDGES, BOX, mu_bins=2))


@pytest.mark.parametrize("number", [2, 300])
@pytest.mark.parametrize("reach", [0.5, 2.6])
def test_points_at_random(counter, number, reach):
    generator = np.random.default_rng(1)
    first, second = generator.random((number, 3)) * BOX, generator.random((170, 3)) * BOX
    edges = np.geomspace(0.05, reach, 12)
    for other in (None, second):
        for found, expected in (
            (counter.spherical(first, other, edges, BOX), {}),
            (counter.projected(first, other, edges, 0.7, BOX), {"pi_max": 0.7}),
            (counter.wedges(first, other, edges, 20, BOX), {"mu_bins": 20}),
        ):
            assert found.dtype == np.int64
            assert np.array_equal(found, by_definition(first, other, edges, BOX, **expected))


def test_close_to_the_limit(counter):
    """A third of the box, in a box whose size is no round number."""
    box_size = 7.3
    points = np.random.default_rng(2).random((200, 3)) * box_size
    edges = np.geomspace(0.1, np.nextafter(box_size / 3, 0), 6)
    found = counter.spherical(points, None, edges, box_size)
    assert np.array_equal(found, by_definition(points, None, edges, box_size))


def test_along_the_line_of_sight(counter):
    """mu = 1 is in the last bin, and mu = 0 in the first."""
    points = np.array([[1.0, 1, 1], [1, 1, 2], [1, 7.5, 1]])
    edges = np.array([0.5, 1.25, 2.0])
    expected = [[0, 0, 0, 2], [2, 0, 2, 0]]
    assert counter.wedges(points, None, edges, 4, BOX).tolist() == expected
    assert counter.spherical(points, None, edges, BOX).tolist() == [2, 4]


def test_empty_samples(counter):
    none, points = np.empty((0, 3)), np.ones((2, 3))
    for bins, shape in ((Shells(EDGES), (4, 1)), (Wedges(EDGES, 3), (4, 3))):
        for first, second in ((none, None), (none, points), (points, none)):
            assert np.array_equal(bins.count(counter, first, second, BOX), np.zeros(shape))
    assert Cylinders(EDGES, 1.0).count(counter, points, None, BOX).shape == (4, 1)


@pytest.mark.skipif(not HAS_CORRFUNC, reason="Corrfunc is not installed")
def test_both_libraries_agree():
    generator = np.random.default_rng(3)
    points = generator.random((30_000, 3)) * 50.0
    some, edges = points[:2000], np.geomspace(0.1, 12.0, 16)
    for bins in (Shells(edges), Cylinders(edges, 12.3), Wedges(edges, 20)):
        for first, second in ((points, None), (some, points)):
            ours, theirs = (
                bins.count(kind(), first, second, 50.0) for kind in (Halotools, Corrfunc)
            )
            assert np.array_equal(ours, theirs)


def test_the_counter_is_named():
    found = pair_counter()
    assert isinstance(found, Corrfunc if HAS_CORRFUNC else Halotools)
    assert found.name.split()[0] in ("Corrfunc", "halotools")
    assert found.name.split()[1][0].isdigit()


def test_warnings_of_numpy_stay_on():
    """halotools switches them off where it is imported."""
    before = np.geterr()
    Halotools()
    assert np.geterr() == before
