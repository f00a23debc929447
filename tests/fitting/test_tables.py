"""Tables of pairs: the kernel, and what they predict beside direct sums and populated boxes."""

import numpy as np
import pytest
from fit_samples import (
    EDGES,
    ZHENG,
    each,
    hosts_alone,
    on_a_ladder,
    painter,
    with_subhalos,
)

import mockgal
from mockgal.errors import UsageError
from mockgal.fitting.tables import pairs as tables
from mockgal.fitting.tables import reference
from mockgal.fitting.tables.hosts import numbers
from mockgal.fitting.tables.kernels import cells_of, count, quadratic
from mockgal.fitting.tables.pairs import Bins, tabulate
from mockgal.fitting.tables.points import Points, places
from mockgal.satellites.options import SatelliteOptions

MOCKS = 16
pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


@pytest.mark.parametrize(("depth", "r_max"), [(0.0, 3.0), (2.5, 1.0), (0.0, 0.4)])
def test_the_kernel_counts_as_plain_loops_do(depth, r_max):
    draw, n, size = np.random.default_rng(1), 150, 10.0
    points, weight = draw.random((n, 3)) * size, draw.random(n)
    points[:40] = points[0] + 0.3 * draw.random((40, 3))  # across the edge of the box, too
    points %= size
    label, host = draw.integers(0, 4, n), draw.integers(0, 30, n)
    factor = (draw.random(30) + 0.5)[host]
    squares = np.geomspace(0.05, r_max, 6) ** 2
    tables_of = np.zeros((2, 10, 5))
    reach = (r_max, r_max, depth or r_max)
    order, *cells = cells_of(points, label, size, reach)
    columns = [np.ascontiguousarray(x[order]) for x in (points, weight, label, host, factor)]
    for start, stop in ((0, 60), (60, n)):
        count(start, stop, *columns, *cells, size, squares, depth, tables_of[0])
    reference.count(points, weight, label, host, factor, size, squares, depth, tables_of[1])
    assert tables_of[0].sum() > 0
    np.testing.assert_allclose(*tables_of, rtol=1e-12)


def test_sums_over_the_table_are_those_of_matrices():
    draw = np.random.default_rng(2)
    occupation, table = draw.random((3, 6)), draw.random((21, 4))
    occupation[:, 2] = 0.0
    out = np.empty((2, 3, 4))
    quadratic(0, 3, occupation, table, out[0])
    reference.quadratic(occupation, table, out[1])
    np.testing.assert_allclose(*out, rtol=1e-12)


@pytest.mark.parametrize("bins", [Bins("xi", EDGES, 0.0, ""), Bins("wp", EDGES, 10.0, "x")])
def test_predictions_are_direct_sums_over_pairs_of_subhalos(bins, halotools):
    """Where a class of hosts has one mass: each pair with the chance that both are luminous."""
    sim, paints = on_a_ladder(with_subhalos()), painter()
    table = tabulate(places(sim, paints, None), bins, sim.snapshot)
    found = numbers(places(sim, paints, None).hosts, "zheng07", each(ZHENG), modulated=False)
    p = paints.predict(sim).p_luminous
    position = sim.halos["position"].copy()
    size = sim.snapshot.box_size
    if bins.line_of_sight:
        factor = sim.snapshot.cosmology.redshift_space_factor(sim.snapshot.redshift)
        position[:, 0] += factor * sim.halos["velocity"][:, 0]
        position = np.roll(position % size, 2, axis=1)
    some = np.flatnonzero(p > 0)
    apart = np.abs(position[some, None] - position[None, some])
    apart = np.minimum(apart, size - apart)
    across = (apart[..., : 2 if bins.pi_max else 3] ** 2).sum(axis=-1)
    across[(apart[..., 2] >= bins.pi_max) & (bins.pi_max > 0)] = np.inf
    np.fill_diagonal(across, np.inf)
    together = p[some, None] * p[None, some]
    pairs, _ = np.histogram(across, np.array(EDGES) ** 2, weights=together)
    ways = p.sum() ** 2 - (p**2).sum()
    xi = pairs / (ways * bins.volumes() / size**3) - 1
    expected = xi * 2 * bins.pi_max if bins.pi_max else xi
    np.testing.assert_allclose(table.predict(found)[0], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("bins", "options", "more"),
    [
        (Bins("wp", EDGES, 10.0, "z"), {}, {"pi_max": 10.0}),
        pytest.param(
            *(Bins("xi", EDGES, 0.0, ""), {"assembly_bias": "concentration"}, {}),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["wp", "xi with assembly bias"],
)
def test_predictions_are_the_mean_of_populated_boxes(bins, options, more, halotools):
    sim = hosts_alone(600, 40.0)
    values = ZHENG | ({"A_sat": 0.8, "A_cen": 0.8} if options else {})
    paints = painter(parameters=values, **options)
    where = places(sim, paints, SatelliteOptions(), 3000)
    found = numbers(where.hosts, "zheng07", each(values), modulated=False)
    predicted = tabulate(where, bins, sim.snapshot).predict(found)[0]
    measured, number = [], []
    more = {"r_min": 0.1, "r_max": 8.0, "bins": 6, "jackknife": 0, **more}
    for seed in range(MOCKS):
        mock = mockgal.paint(mockgal.populate(sim, paints, seed=seed), paints, seed=seed)
        number.append(len(mock))
        one = mockgal.measure(mock, bins.statistic, **more)
        measured.append(one[one.estimates[0]])
    assert np.mean(number) == pytest.approx(found.total[0], abs=3 * np.std(number) / MOCKS**0.5)
    error = np.std(measured, axis=0, ddof=1) / MOCKS**0.5
    distance = (np.mean(measured, axis=0) - predicted) / error
    assert (distance**2).mean() < 2.5, distance


def test_counts_do_not_depend_on_threads_or_rows(monkeypatch):
    draw, n = np.random.default_rng(3), 6_000
    whole = Points(
        draw.random((n, 3)) * 50.0,
        100.0 * draw.standard_normal((n, 3)),
        draw.random(n),
        draw.integers(0, 6, n),
        draw.integers(0, 100, n),
        draw.random(n),
        np.where(draw.random(n) < 0.5, 1.0, 0.0),
    )
    sim = hosts_alone()
    where = places(sim, painter(), SatelliteOptions(), 1000)._replace(points=whole)
    where = where._replace(hosts=where.hosts._replace(classes=3))
    monkeypatch.setattr(tables, "_BLOCK", 512)
    bins = Bins("xi", (0.5, 1.0, 2.0, 4.0, 5.0), 0.0, "xy")
    snapshot = sim.snapshot
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        monkeypatch.setattr(tables, "_TOGETHER", 3 if threads == "1" else 8)
        found.append(tabulate(where, bins, snapshot).pairs)
    assert found[0].any()
    assert np.array_equal(*found)


def test_bins_that_do_not_fit_into_the_box_are_refused():
    with pytest.raises(UsageError, match="less than a third of the box"):
        Bins("wp", (1.0, 5.0), 20.0, "z").check(hosts_alone().snapshot)
