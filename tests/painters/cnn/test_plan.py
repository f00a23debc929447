"""Plans: each window once, costs that are those of the work done, divided where that is cheaper."""

from itertools import product

import network_samples as samples
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_samples import PRESETS, TINY, awake

from mockgal.painters.cnn.architecture import architecture
from mockgal.painters.cnn.evaluation import plan as module
from mockgal.painters.cnn.evaluation import shared as shared_module
from mockgal.painters.cnn.evaluation.plan import CALL, Box, cost_of, costs, multiplications, plan
from mockgal.painters.cnn.evaluation.shared import SharedNetwork

WIDE = {name: architecture(name) for name in PRESETS}


def rows_of(boxes):
    return sorted(row for box in boxes for row in box.rows.tolist())


def windows(lists):
    return np.unique(np.array(lists), axis=0).reshape(-1, 3)


PLACES = st.tuples(*3 * (st.integers(0, 127),))
SETS = st.lists(PLACES, min_size=1, max_size=60).map(windows)


@st.composite
def clusters(draw):
    """Some groups of neighbours."""
    found = []
    for centre in draw(st.lists(PLACES, min_size=1, max_size=5)):
        near = st.tuples(*3 * (st.integers(0, draw(st.integers(0, 12))),))
        offsets = draw(st.lists(near, min_size=1, max_size=40))
        found += [tuple(np.add(centre, offset)) for offset in offsets]
    return windows(found)


@settings(max_examples=60)
@given(starts=SETS | clusters(), preset=st.sampled_from([*WIDE, *TINY]))
def test_what_a_plan_is(starts, preset):
    shape = (WIDE | TINY)[preset]
    boxes = plan(shape, starts)
    assert rows_of(boxes) == list(range(len(starts)))  # each once
    assert all(0 <= box.split <= len(shape.layers) for box in boxes)
    cost, number = cost_of(shape, starts, boxes), len(starts)
    assert cost == pytest.approx(sum(cost_of(shape, starts, [box]) for box in boxes))
    # No more than every window by itself, or all in one box.
    assert cost <= number * multiplications(shape).sum() * (1 + 1e-12)
    for split in range(len(shape.layers) + 1):
        together = cost_of(shape, starts, [Box(np.arange(number), split)])
        assert cost <= together * (1 + 1e-12)
        # Nor is any box better served by another split.
        for box in boxes:
            other = cost_of(shape, starts, [box._replace(split=split)])
            assert cost_of(shape, starts, [box]) <= other * (1 + 1e-12)


@settings(max_examples=30)
@given(starts=clusters(), seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(starts, seed):
    shape = WIDE["centred"]
    order = np.random.default_rng(seed).permutation(len(starts))

    def found(boxes, rows):
        return {(box.split, tuple(sorted(rows[box.rows].tolist()))) for box in boxes}

    first = found(plan(shape, starts), np.arange(len(starts)))
    assert found(plan(shape, starts[order]), order) == first
    assert found(plan(shape, starts), np.arange(len(starts))) == first


@given(starts=clusters(), shift=st.tuples(*3 * (st.integers(0, 100),)))
@settings(max_examples=20)
def test_where_the_windows_are_does_not_matter(starts, shift):
    shape = WIDE["paper"]
    first, second = plan(shape, starts), plan(shape, starts + shift)
    for one, other in zip(first, second, strict=True):
        assert one.split == other.split
        assert np.array_equal(one.rows, other.rows)


def test_nothing_to_plan():
    starts = np.empty((0, 3), dtype=int)
    assert plan(WIDE["demo"], starts) == []
    assert cost_of(WIDE["demo"], starts, []) == 0.0


@pytest.mark.parametrize(
    ("preset", "expected"),
    # In 1e9 at width 16; `paper` is 17.7 on its whole crop, and reads less of it.
    [("paper", 12.26), ("centred", 10.39), ("literal", 25.95), ("demo", 0.311)],
)
def test_multiplications_of_one_window(preset, expected):
    shape = WIDE[preset]
    assert multiplications(shape).sum() / 1e9 == pytest.approx(expected, rel=1e-3)
    assert multiplications(shape).shape == (len(shape.layers),)
    first = shape.layers[0]
    assert multiplications(shape)[0] == first.kernel**3 * 2 * 16 * shape.windows[1] ** 3
    assert multiplications(shape)[-1] == 27 * 64 * 128


class Counter:
    """Multiplications of the convolutions with kernels of more than one voxel, and their calls.

    They give zeros, in far less time.
    """

    def __init__(self, monkeypatch):
        self.total, self.calls = 0.0, 0
        convolve = torch.conv3d

        def counted(x, weight, bias, stride=1):
            if weight.shape[2] == 1:
                return convolve(x, weight, bias)
            sides = [(side - weight.shape[2]) // stride + 1 for side in x.shape[2:]]
            assert min(sides) > 0
            assert x.shape[1] == weight.shape[1]
            self.total += float(len(x) * np.prod(sides)) * weight.numel()
            self.calls += 1
            return x.new_zeros((len(x), len(weight), *sides))

        monkeypatch.setattr(torch, "conv3d", counted)
        monkeypatch.setattr(module, "CALL", 0.0)
        monkeypatch.setattr(shared_module, "_SMALL", 0)  # which does some of the work twice

    def of(self, shape, starts, boxes=None):
        """The work on the windows, which must be sorted."""
        self.total, self.calls = 0.0, 0
        tile = samples.white(shape, int(starts.max()) + 1)
        with pytest.MonkeyPatch.context() as patch:
            if boxes is not None:
                patch.setattr(shared_module, "plan", lambda *_: boxes)
            SharedNetwork(awake(shape))(tile, starts, samples.features(shape, len(starts)))
        return self.total


@pytest.fixture
def counter(monkeypatch):
    return Counter(monkeypatch)


SMALL_ONES = TINY | {"demo": PRESETS["demo"]}


@pytest.mark.parametrize(
    ("shape", "sides"),
    [(TINY["small"], (8, 16, 8)), *((shape, (8, 8, 8)) for shape in SMALL_ONES.values())],
    ids=["long", *SMALL_ONES],
)
def test_costs_are_the_work_done_where_windows_start_everywhere(shape, sides, counter):
    """All parities of all strides have as many windows then, at every split."""
    starts = np.array(list(product(*map(range, sides))))
    for split in range(len(shape.layers) + 1):
        boxes = [Box(np.arange(len(starts)), split)]
        assert cost_of(shape, starts, boxes) == counter.of(shape, starts, boxes)


@pytest.mark.parametrize("shape", SMALL_ONES.values(), ids=SMALL_ONES)
def test_costs_of_windows_apart(shape, counter):
    starts = np.array([[0, 0, 0], [3, 9, 2], [11, 1, 4]])
    boxes = [Box(np.array([row]), 0) for row in range(3)]
    expected = 3 * multiplications(shape).sum()
    assert cost_of(shape, starts, boxes) == expected
    assert cost_of(shape, starts, [Box(np.arange(3), 0)]) == expected
    assert counter.of(shape, starts, boxes) == expected


@pytest.mark.parametrize("shape", SMALL_ONES.values(), ids=SMALL_ONES)
def test_costs_of_few_windows_of_different_parities(shape, counter):
    """Each has grids of its own from the first stride on."""
    starts = np.array([[0, 0, 0], [2, 7, 3], [5, 2, 4]])
    for split in range(len(shape.layers) + 1):
        boxes = [Box(np.arange(3), split)]
        assert cost_of(shape, starts, boxes) == counter.of(shape, starts, boxes)


@pytest.mark.parametrize("shape", SMALL_ONES.values(), ids=SMALL_ONES)
@settings(max_examples=12)
@given(data=st.data())
def test_costs_of_plans_bound_the_work_done(shape, data):
    """Parities that no window has, and grids that are narrower, are counted: little."""
    number = data.draw(st.sampled_from([1, 2, 5, 12, 30, 100, 400]), "number")
    side = data.draw(st.integers(1, 14), "side")
    generator = np.random.default_rng(data.draw(st.integers(0, 999), "seed"))
    starts = np.unique(generator.integers(0, side, (number, 3)), axis=0)
    with pytest.MonkeyPatch.context() as patch:
        counter = Counter(patch)
        cost, done = cost_of(shape, starts, plan(shape, starts)), counter.of(shape, starts)
    assert done <= cost * (1 + 1e-12)
    assert cost <= 2 * done
    assert done <= len(starts) * multiplications(shape).sum()


@pytest.mark.parametrize("shape", SMALL_ONES.values(), ids=SMALL_ONES)
def test_calls_are_counted(shape, counter, monkeypatch):
    """One for each dense layer on each grid of parities that it reads."""
    starts = np.array(list(product(*3 * (range(8),))))
    monkeypatch.setattr(module, "CALL", 0.0)
    strides = np.cumsum([layer.stride == 2 for layer in shape.layers])
    for split in range(1, len(shape.layers) + 1):
        boxes = [Box(np.arange(len(starts)), split)]
        monkeypatch.setattr(module, "CALL", 0.0)
        free = cost_of(shape, starts, boxes)
        monkeypatch.setattr(module, "CALL", 1e12)
        calls = round((cost_of(shape, starts, boxes) - free) / 1e12)
        strided = np.array([layer.stride == 2 for layer in shape.layers])
        assert calls == sum(8 ** (strides - strided)[:split])  # one call makes all grids
        if split == len(shape.layers):
            counter.of(shape, starts, boxes)
            assert calls == counter.calls


@pytest.mark.parametrize("shape", WIDE.values(), ids=WIDE)
def test_far_clusters_are_divided_and_near_ones_are_not(shape):
    cluster = np.array(list(product(*3 * (range(0, 8, 2),))))
    near = np.concatenate([cluster, cluster + np.array([8, 0, 0])])
    far = np.concatenate([cluster, cluster + np.array([0, 110, 0])])
    assert len(plan(shape, near)) == 1
    boxes = plan(shape, far)
    assert sorted(tuple(sorted(box.rows)) for box in boxes) == [
        tuple(range(64)),
        tuple(range(64, 128)),
    ]
    apart = cost_of(shape, cluster, plan(shape, cluster))
    assert cost_of(shape, far, boxes) == pytest.approx(2 * apart)


@pytest.mark.parametrize("axis", range(3))
def test_gaps_are_found_beside_the_median(axis):
    """A few far from many; by the median the many would be divided as well."""
    shape = WIDE["centred"]
    many = np.array(list(product(*3 * (range(6),))))
    few = many[:3] + 120 * np.eye(3, dtype=int)[axis]
    boxes = plan(shape, np.concatenate([few, many]))
    assert sorted(min(box.rows) for box in boxes)[-1] == 3
    assert {tuple(sorted(box.rows)) for box in boxes} >= {tuple(range(3, 219))}


@pytest.mark.parametrize("shape", WIDE.values(), ids=WIDE)
def test_splits_go_deeper_with_more_windows(shape):
    """Crops, then the first stage together, then grids of half the resolution."""
    every = np.array(list(product(*3 * (range(8),))))
    order = np.random.default_rng(1).permutation(len(every))
    found = []
    for number in (1, 4, 40, 512):
        boxes = plan(shape, every[np.sort(order[:number])])
        found.append(max(box.split for box in boxes))
    assert found == sorted(found)
    assert found[0] == 0
    first_stride = next(i for i, layer in enumerate(shape.layers) if layer.stride == 2)
    assert 0 < found[1] <= first_stride < found[3]


def test_windows_that_share_nothing():
    wide = np.array(list(product(range(0, 600, 40), range(0, 600, 40), [0])))
    boxes = plan(WIDE["demo"], wide)
    assert rows_of(boxes) == list(range(225))
    assert {box.split for box in boxes} == {0}


def test_pairs_are_found_however_many():
    """Taking off one after another is cheaper at each step than to halve the rest."""
    pair = np.array([[0, 0, 0], [0, 0, 1]])
    starts = np.concatenate([pair + 40 * number for number in range(200)])
    boxes = plan(WIDE["demo"], starts)
    assert sorted(tuple(sorted(box.rows)) for box in boxes) == [
        (2 * number, 2 * number + 1) for number in range(200)
    ]


@pytest.mark.slow
def test_divisions_nest_no_deeper_than_python_allows(monkeypatch):
    """Slices could be taken off many hundred times, one in another."""
    generator, depths, divide = np.random.default_rng(5), [], module._divide

    def spy(*arguments):
        depths.append(arguments[4] if len(arguments) > 4 else 0)
        return divide(*arguments)

    monkeypatch.setattr(module, "_divide", spy)
    centres = generator.integers(0, 508, (1000, 1, 3))
    starts = (centres + generator.integers(0, 4, (1000, 6, 3))).reshape(-1, 3)
    starts = np.unique(starts, axis=0)
    assert rows_of(plan(WIDE["centred"], starts)) == list(range(len(starts)))
    assert module._DEEP < max(depths) < module._DEEP + 3 * 9  # halves of 512 planes of each axis


@given(
    extent=st.lists(st.tuples(*3 * (st.integers(1, 40),)), min_size=1, max_size=5),
    number=st.integers(1, 1000),
)
def test_costs_row_by_row(extent, number):
    """Many boxes at once cost what each does, and more room or windows never less.

    But for the calls that are saved where there are enough grids to convolve them at once.
    """
    shape, extent = WIDE["paper"], np.array(extent)
    number = np.full(len(extent), number)
    found = costs(shape, extent, number)
    assert found.shape == (len(extent), len(shape.layers) + 1)
    for row in range(len(extent)):
        part = slice(row, row + 1)
        np.testing.assert_array_equal(costs(shape, extent[part], number[part])[0], found[row])
    assert (costs(shape, extent + 1, number) >= found).all()
    strided = sum(layer.stride == 2 for layer in shape.layers)
    saved = CALL * number[:, None] * strided
    assert (costs(shape, extent, number + 1) >= found - saved).all()
