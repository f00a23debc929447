"""w(theta): Corrfunc's counts of its survey mock, counting by the definition, and clusters."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_measure_pairs import COUNTERS

from mockgal.errors import BadValueError, ResourceError, UsageError
from mockgal.statistics.pairs import angular, separations
from mockgal.statistics.pairs.angular import angular_correlation_function, angular_pairs
from mockgal.system import memory
from mockgal.system.progress import shown

DATA = Path(__file__).parents[4] / "shared/data/corrfunc"
SKY = st.lists(st.tuples(st.floats(0, 360), st.floats(-90, 90)), min_size=1, max_size=20).map(
    lambda rows: np.array(rows).T
)


def fast_food(path):
    """Columns of a fast-food file: Fortran records, each between two copies of its length."""
    raw, records, place = path.read_bytes(), [], 0
    while place < len(raw):
        size = int.from_bytes(raw[place : place + 4], "little")
        records.append(raw[place + 4 : place + 4 + size])
        assert raw[place + 4 + size : place + 8 + size] == raw[place : place + 4]
        place += size + 8
    rows = int(np.frombuffer(records[0], "<i4")[1])
    columns = [np.frombuffer(record, "<f8") for record in records[3:]]
    assert [len(column) for column in columns] == [rows] * 4
    return columns


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not DATA.exists(), reason="Corrfunc's test data are not here")
@pytest.mark.parametrize("kind", COUNTERS)
def test_counts_that_corrfunc_expects(kind, monkeypatch):
    """84,383 galaxies of an SDSS-like mock; the file's counts have each pair twice."""
    monkeypatch.setattr(angular, "pair_counter", kind)
    right_ascension, declination = fast_food(DATA / "Mr19_mock_northonly.rdcz.ff")[:2]
    assert len(right_ascension) == 84_383
    bins = np.loadtxt(DATA / "angular_bins")
    expected = np.loadtxt(DATA / "Mr19_mock_wtheta.DD", dtype=np.int64, usecols=0)
    edges = np.append(bins[:, 0], bins[-1, 1])
    found = angular_pairs(right_ascension, declination, edges)
    assert np.array_equal(2 * found, expected)


def angles(first, second):
    """Great-circle distances by Vincenty's formula, shape (n, m) [deg]."""
    (a, b), (c, d) = np.radians(first)[:, :, None], np.radians(second)[:, None, :]
    y = np.hypot(
        np.cos(d) * np.sin(a - c), np.cos(b) * np.sin(d) - np.sin(b) * np.cos(d) * np.cos(a - c)
    )
    x = np.sin(b) * np.sin(d) + np.cos(b) * np.cos(d) * np.cos(a - c)
    return np.degrees(np.arctan2(y, x))


@settings(max_examples=40)
@given(SKY, SKY)
def test_counting_by_the_definition(first, second):
    """Over the poles and across 0 h; of pairs within rounding of an edge no more is asked."""
    edges = np.array([0.013, 0.7, 13.1, 77.0, 131.0, 179.0])
    for sample, pairs, other in (
        (first, angles(first, first)[np.triu_indices(first.shape[1], 1)], None),
        (first, angles(first, second).ravel(), tuple(second)),
    ):
        if np.min(np.abs(pairs[:, None] - edges), initial=1.0) < 1e-9:
            continue
        found = angular_pairs(*sample, edges, other=other)
        assert np.array_equal(found, np.histogram(pairs, edges)[0])


def test_small_angles():
    """Seconds of arc, where the cosine of an angle has no digits left."""
    step = 1.0 / 3600.0
    declination = 30.0 + step * np.array([0.0, 1.0, 3.0, 7.0])
    found = angular_pairs(
        np.full(4, 200.0), declination, step * np.array([0.5, 1.5, 2.5, 3.5, 7.5])
    )
    assert found.tolist() == [1, 1, 1, 3]


def random_sky(generator, number):
    """In a cap around the pole, where right ascension is of little use."""
    return np.array(
        [
            generator.random(number) * 360.0,
            np.degrees(np.arcsin(generator.uniform(np.sin(np.radians(70.0)), 1.0, number))),
        ]
    )


def test_points_at_random_have_none():
    """Within 3 standard deviations of chi square; random points add noise of their own."""
    generator = np.random.default_rng(1)
    edges = np.geomspace(0.3, 10.0, 9)
    random = random_sky(generator, 8000)
    found = angular_correlation_function(*random_sky(generator, 2000), *random, edges=edges)
    chi_square = np.sum((found["w"] / found["w_error"] / (1.0 + 2000 / 8000)) ** 2)
    assert chi_square < len(found) + 3.0 * np.sqrt(2.0 * len(found))
    assert found.settings["random_points"] == 8000
    assert np.array_equal(found["random_pairs"], angular_pairs(*random, edges))


def test_pairs_at_a_known_angle():
    """Each point has a companion 1 deg away: w is the number of pairs in excess of chance."""
    generator = np.random.default_rng(2)
    points = random_sky(generator, 500)
    companion = np.array([points[0], np.where(points[1] > 80.0, points[1] - 1.0, points[1] + 1.0)])
    edges = np.array([0.5, 0.95, 1.05, 2.0])
    random = random_sky(generator, 10_000)
    both = np.concatenate([points, companion], axis=1)
    found = angular_correlation_function(*both, *random, edges=edges)
    chance = found["random_pairs"][1] / (10_000 * 9_999) * (1000 * 999)
    assert found["w"][1] == pytest.approx(500 / chance, abs=4 / np.sqrt(chance))
    assert abs(found["w"][0]) < 5 * found["w_error"][0]


def test_bins_without_pairs():
    found = angular_correlation_function(
        [1.0, 2.0], [0.0, 0.0], [1.0], [0.0], edges=[0.1, 0.5, 1.5]
    )
    assert found["pairs"].tolist() == [0, 1]
    assert np.isnan(found["w"]).all()  # one random point has no pairs
    found = angular_correlation_function(
        [1.0, 2.0], [0.0, 0.0], [1.0, 1.3, 2.2], [0.0, 0.0, 0.0], edges=[0.1, 0.5, 0.8, 1.5]
    )
    assert found["pairs"].tolist() == [0, 0, 1]
    assert found["random_pairs"].tolist() == [1, 0, 2]
    # (DD - 2 DR + RR) / RR with DD = 0, DR = 2 of 6, RR = 1 of 3
    assert found["w"][0] == pytest.approx(-1.0)
    assert np.isnan(found["w"]).tolist() == [False, True, False]
    assert found["w_error"][0] == pytest.approx(3.0)  # of one pair: 1 over RR
    assert angular_pairs([], [], [1.0, 2.0]).tolist() == [0]
    assert "w_theta" in found.to_ecsv()


@pytest.mark.parametrize(
    ("position", "message"),
    [
        (([1.0], [91.0]), "1 impossible rows, the first 0: 1.0, 91.0"),
        (([1.0, np.nan], [0.0, 0.0]), "the first 1"),
        (([1.0, np.inf], [0.0, 0.0]), "the first 1"),
        (([1.0, 2.0], [0.0]), r"shapes \(2,\) and \(1,\)"),
    ],
)
def test_no_places_on_the_sky(position, message):
    with pytest.raises(BadValueError, match=message):
        angular_pairs(*position, [1.0, 2.0])


@pytest.mark.parametrize(
    "edges", [[1.0], [0.0, 1.0], [2.0, 1.0], [1.0, 1.0], [1.0, 181.0], [1.0, np.nan], [[1.0, 2.0]]]
)
def test_no_bins(edges):
    with pytest.raises(UsageError, match="edges"):
        angular_pairs([1.0], [1.0], edges)


def test_errors_are_positive_where_the_estimator_is_below_minus_one(monkeypatch):
    """With few random points the estimator can be below -1 although there are pairs."""
    counts = [np.array([1.0]), np.array([400.0]), np.array([150.0])]  # DD, RR, DR
    monkeypatch.setattr(angular, "_count", lambda *_: counts)
    galaxies, random = (
        random_sky(np.random.default_rng(1), 10),
        random_sky(np.random.default_rng(2), 100),
    )
    result = angular_correlation_function(*galaxies, *random, edges=[1.0, 2.0])
    normal = 400.0 / (100 * 99 / 2)
    assert result["w"][0] == pytest.approx((1 / 45 - 2 * 150 / 1000 + normal) / normal)
    assert result["w"][0] < -1
    assert result["w_error"][0] == pytest.approx(1 / 45 / normal)


@pytest.mark.fault(55)
@pytest.mark.parametrize("shift", [0.0, 77.0])
def test_counting_some_at_a_time_changes_nothing(shift, monkeypatch):
    """Not even where angles are on the edges: time decides which points are counted together."""
    declination, right_ascension = np.mgrid[-30.0:31.0:2.0, 0.0:60.0:2.0].reshape(2, -1)
    right_ascension += shift
    edges, other = [0.5, 2.0, 4.0, 10.0], (right_ascension[::3] + 0.5, declination[::3])
    whole = [angular_pairs(right_ascension, declination, edges, other=o) for o in (None, other)]
    calls, told = [], []
    counter = angular.pair_counter()

    class Recording:
        name = counter.name

        def spherical(self, first, second, chords, box_size):
            calls.append([len(first), len(second)])
            return counter.spherical(first, second, chords, box_size)

    monkeypatch.setattr(angular, "pair_counter", Recording)
    monkeypatch.setattr(separations, "AT_ONCE", 0)
    monkeypatch.setattr(separations, "ROWS", 150)
    monkeypatch.setattr(separations, "OTHERS", 350)
    with shown(lambda done, total, label: told.append(done / total)):
        parts = [angular_pairs(right_ascension, declination, edges, other=o) for o in (None, other)]
    assert np.array_equal(parts, whole)
    assert np.all(np.max(calls, axis=0) <= [150, 350])
    assert told.count(1.0) == 2


@pytest.mark.fault(76)
def test_too_little_memory_is_told_before_pairs_are_counted(monkeypatch):
    sky, edges = random_sky(np.random.default_rng(3), 50), [1.0, 2.0]
    monkeypatch.setattr(memory, "CHECKED_FROM", 0)
    monkeypatch.setattr(memory, "available", lambda: 100 * separations.BYTES - 1)
    angular_pairs(*sky, edges)
    for count in (
        lambda: angular_pairs(*sky, edges, other=sky),
        lambda: angular_correlation_function(*sky, *sky, edges=edges),
    ):
        with pytest.raises(ResourceError, match="9600 bytes"):
            count()
