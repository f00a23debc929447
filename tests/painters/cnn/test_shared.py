"""Shared evaluation is exact: whatever is shared, it answers as the plain network does."""

import warnings
from dataclasses import replace
from functools import cache

import network_samples as samples
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_samples import PRESETS, TINY, awake

from mockgal.errors import InternalError
from mockgal.painters.cnn.evaluation import shared as module
from mockgal.painters.cnn.evaluation.plan import Box, plan
from mockgal.painters.cnn.evaluation.shared import SharedNetwork, reference
from mockgal.painters.cnn.symmetries import symmetries

TOLERANCE = 1e-4  # of standardised outputs
WIDE = {"demo of width 16": replace(PRESETS["demo"], width=16, hidden=64)}
FAST = TINY | PRESETS | WIDE


def places(number, side, layout, seed=4):
    """Starts of windows, some of them at both ends of the tile, some the same."""
    generator = np.random.default_rng(seed)
    if layout == "uniform":
        found = generator.integers(0, side, (number, 3))
    else:
        centres = generator.integers(0, side, (max(1, number // 25), 3))
        chosen = centres[generator.integers(0, len(centres), number)]
        found = np.rint(chosen + generator.normal(0, 3, (number, 3))).astype(int) % side
    if number > 2:
        found[0], found[-1], found[number // 2] = 0, side - 1, found[1]
    return found


def compare(shape, side, starts, rows=slice(None), precision="float32", tolerance=TOLERANCE):
    """Shared against plain at some of the rows; the largest difference."""
    network, tile, given = awake(shape), samples.white(shape, side), features_of(shape, starts)
    found = SharedNetwork(network, precision=precision)(tile, starts, given)
    assert found.shape == (len(starts), len(shape.outputs))
    expected = reference(network, tile, starts[rows], given[rows])
    if len(expected) >= 10:
        assert expected.std(axis=0).min() > 0.1  # a network that answers
    difference = np.abs(found[rows] - expected).max()
    assert difference <= tolerance
    return difference


def features_of(shape, starts):
    return samples.features(shape, len(starts))


def forced(*splits):
    """A plan of a box for each split, the rows shared out among them in turn."""

    def plan_so(_, starts):
        rows = np.arange(len(starts))
        boxes = [Box(rows[i :: len(splits)], split) for i, split in enumerate(splits)]
        return [box for box in boxes if len(box.rows)]

    return plan_so


@pytest.fixture
def threads():
    """Any number of threads, and afterwards as many as before."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("shape", FAST.values(), ids=FAST)
@pytest.mark.parametrize("number", [1, 10])
@pytest.mark.slow_but("10-centred")
def test_as_plain(shape, number):
    compare(shape, 12, places(number, 12, "uniform"))


@pytest.mark.parametrize("shape", TINY.values(), ids=TINY)
@pytest.mark.parametrize("layout", ["uniform", "clustered"])
def test_as_plain_at_many(shape, layout):
    compare(shape, 40, places(500, 40, layout), slice(None, None, 7))


@pytest.mark.parametrize("shape", TINY.values(), ids=TINY)
def test_reference_is_one_crop_for_each(shape):
    network, starts = awake(shape), places(11, 5, "uniform")
    tile, given = samples.white(shape, 5), features_of(shape, starts)
    found = reference(network, tile, starts, given, batch=4)
    for row, (i, j, k) in enumerate(starts):
        side = shape.crop_size
        crop = tile[:, i : i + side, j : j + side, k : k + side]
        if row < 3:
            expected = samples.naive(network, crop, given[row])
            assert np.abs(found[row] - expected).max() < TOLERANCE


@pytest.mark.parametrize("shape", (TINY | WIDE).values(), ids=TINY | WIDE)
def test_at_every_split(shape, monkeypatch):
    starts = places(4, 9, "uniform")
    network, tile, given = awake(shape), samples.white(shape, 9), features_of(shape, starts)
    expected, shared = reference(network, tile, starts, given), SharedNetwork(network)
    for split in range(len(shape.layers) + 1):
        monkeypatch.setattr(module, "plan", forced(split))
        assert np.abs(shared(tile, starts, given) - expected).max() <= TOLERANCE, split


@pytest.mark.slow_but("uneven", "small", "bare")
@pytest.mark.parametrize("shape", FAST.values(), ids=FAST)
def test_at_all_splits_at_once(shape, monkeypatch):
    """Two windows at each."""
    every = range(len(shape.layers) + 1)
    monkeypatch.setattr(module, "plan", forced(*every))
    compare(shape, 5, places(2 * len(every), 5, "uniform"), slice(None, None, 2))


@cache
def sixteen(preset):
    """A tile of 16 starts along each axis, and the plain answer for each of the starts."""
    shape = replace(TINY[preset], width=2, features=())
    network, tile = awake(shape), samples.white(shape, 16)
    with torch.inference_mode():
        slabs = [torch.from_numpy(tile[None, :, i : i + shape.windows[0]]) for i in range(16)]
        x = torch.stack([_at_all(network, slab) for slab in slabs])
        answer = network.output(torch.relu(network.hidden(x))).numpy()
    return shape, network, tile, answer


def _at_all(network, slab):
    """What the convolutions make of each window of a slab, shape (Y, Z, channels).

    For windows that start at every voxel a stride of 2 is none at all, and twice as far between the
    voxels that later kernels take.
    """
    x, apart = slab, 1
    for block, layer in zip(network.blocks, network.architecture.layers, strict=True):
        convolution = block.convolution
        x = torch.conv3d(x, convolution.weight, convolution.bias, dilation=apart)
        x = torch.relu(block.normalisation(x))
        apart *= layer.stride
    return x[0, :, 0].permute(1, 2, 0)


@pytest.mark.parametrize("preset", TINY)
@settings(max_examples=40)
@given(data=st.data())
def test_any_boxes_of_any_parities(preset, data):
    """Boxes of any windows at any split, among them windows of one parity alone."""
    shape, network, tile, answer = sixteen(preset)
    step = data.draw(st.sampled_from([1, 1, 2, 4, 8]), "step")  # windows of the same phase
    first = data.draw(st.tuples(*3 * (st.integers(0, step - 1),)), "first")
    place = st.tuples(*3 * (st.integers(0, 16 // step - 1),))
    some = data.draw(st.lists(place, min_size=1, max_size=24), "windows")
    starts = np.array(some) * step + first
    splits = st.lists(st.integers(0, len(shape.layers)), min_size=1, max_size=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "plan", forced(*data.draw(splits, "splits")))
        patch.setattr(module, "BATCH_BYTES", data.draw(st.sampled_from([1, 1 << 16, 1 << 30])))
        found = SharedNetwork(network)(tile, starts, features_of(shape, starts))
    assert np.abs(found - answer[tuple(starts.T)]).max() <= TOLERANCE


def test_the_answers_at_all_starts_are_plain():
    shape, network, tile, answer = sixteen("small")
    starts = places(12, 16, "uniform")
    expected = reference(network, tile, starts, features_of(shape, starts))
    assert np.abs(answer[tuple(starts.T)] - expected).max() <= TOLERANCE
    assert answer.reshape(-1, answer.shape[-1]).std(axis=0).min() > 0.1


@pytest.mark.parametrize("split", [0, 1, 2, 5])
@pytest.mark.parametrize("windows", [1, 3])
def test_batches_that_are_full_are_finished(split, windows, monkeypatch):
    """All but the last few windows are evaluated when as many wait as memory allows."""
    shape = TINY["small"]
    starts = np.unique(places(10, 6, "uniform"), axis=0)
    network, tile, given = awake(shape), samples.white(shape, 6), features_of(shape, starts)
    expected = SharedNetwork(network)(tile, starts, given)
    monkeypatch.setattr(module, "plan", forced(split))
    monkeypatch.setattr(SharedNetwork, "_batch", lambda *_: windows)
    sizes, finish = [], SharedNetwork._finish

    def spy(self, split):
        sizes.append(len(self._waiting[split][0]))
        finish(self, split)

    monkeypatch.setattr(SharedNetwork, "_finish", spy)
    found = SharedNetwork(network)(tile, starts, given)
    assert sizes == [windows] * (len(starts) // windows) + [len(starts) % windows]
    assert np.abs(found - expected).max() <= TOLERANCE


@pytest.mark.parametrize("preset", PRESETS)
def test_batches_fit_in_memory(preset, monkeypatch):
    """No layer takes or gives more than half of the bound, nor is the bound wasted."""
    monkeypatch.setattr(module, "BATCH_BYTES", 1 << 28)
    shape = replace(PRESETS[preset], width=16)
    channels = [2, *(layer.channels_out for layer in shape.layers)]
    shared = SharedNetwork(awake(replace(shape, width=2)))
    shared.architecture = shape
    for split in range(len(shape.layers) + 1):
        batch = shared._batch(split)
        largest = max(4 * channels[i] * shape.windows[i] ** 3 for i in range(split, len(channels)))
        assert batch * largest <= 1 << 27 < (batch + 1) * largest


def test_a_window_larger_than_the_bound_is_evaluated(monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 1)
    compare(TINY["small"], 6, places(10, 6, "uniform"))


def test_memory_is_given_back():
    shape, starts = TINY["small"], places(30, 6, "uniform")
    shared = SharedNetwork(awake(shape))
    before = set(vars(shared))
    shared(samples.white(shape, 6), starts, features_of(shape, starts))
    assert set(vars(shared)) == before


@pytest.mark.parametrize("number", [2, 15, 16, 17, 40])
def test_fully_connected_layers_in_parts(number, monkeypatch):
    shape, starts = TINY["small"], places(number, 6, "uniform")
    network, tile, given = awake(shape), samples.white(shape, 6), features_of(shape, starts)
    expected = SharedNetwork(network)(tile, starts, given)
    monkeypatch.setattr(module, "_HEAD_ROWS", 16)
    found = SharedNetwork(network)(tile, starts, given)
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize("preset", ["small", "paper-like"])
def test_order_and_mates(preset):
    """The order of rows changes no bit; those of a voxel differ by their features alone."""
    shape = TINY[preset]
    starts, order = places(80, 6, "uniform"), np.random.default_rng(7).permutation(80)
    assert len(np.unique(starts, axis=0)) < 80
    shared, tile = SharedNetwork(awake(shape)), samples.white(shape, 6)
    given = features_of(shape, starts)
    expected = shared(tile, starts, given)
    assert np.array_equal(shared(tile, starts[order], given[order]), expected[order])
    twice = np.concatenate([starts, starts[::-1]])
    found = shared(tile, twice, np.concatenate([given, given[::-1]]))
    assert np.array_equal(found[:80], expected)
    assert np.array_equal(found[80:], expected[::-1])
    mates = shared(tile, starts, np.zeros_like(given))
    _, row = np.unique(starts, axis=0, return_inverse=True)
    for voxel in range(row.max() + 1):
        here = mates[row.reshape(-1) == voxel]
        assert np.array_equal(here, np.broadcast_to(here[0], here.shape))
    assert (mates != expected).all() == bool(shape.features)


def test_subsets():
    """Other company, other sharing: the same answers but for rounding."""
    shape, starts = TINY["uneven"], places(200, 12, "clustered")
    shared, tile = SharedNetwork(awake(shape)), samples.white(shape, 12)
    given = features_of(shape, starts)
    expected = shared(tile, starts, given)
    for some in (slice(0, 1), slice(5, 20), slice(None, None, 3)):
        assert np.abs(shared(tile, starts[some], given[some]) - expected[some]).max() <= TOLERANCE


def test_a_part_of_the_tile():
    """What lies beyond the receptive fields is not seen, not even where it is no number."""
    shape, starts = TINY["paper-like"], 3 + places(9, 4, "uniform")
    network, tile, given = awake(shape), samples.white(shape, 12), features_of(shape, starts)
    expected = SharedNetwork(network)(tile, starts, given)
    seen = np.zeros(tile.shape[1:], dtype=bool)
    for i, j, k in starts:
        side = shape.windows[0]
        seen[i : i + side, j : j + side, k : k + side] = True
    assert 0 < seen.mean() < 1
    holes = np.where(seen, tile, np.nan).astype("f4")
    for splits in ((0,), (1,)):  # of the first, each by itself; of the others, in their box
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "plan", forced(*splits))
            found = SharedNetwork(network)(holes, starts, given)
        assert np.abs(found - expected).max() <= TOLERANCE


@pytest.mark.parametrize("preset", [*TINY, "demo", "demo of width 16"])
@pytest.mark.parametrize("number", [1, 7, 60])
def test_threads_change_no_bit(preset, number, threads):
    shape = FAST[preset]
    starts = places(number, 8, "uniform")
    tile, given = samples.white(shape, 8), features_of(shape, starts)
    found = []
    for count in (1, 2, 3):
        threads(count)
        found.append(SharedNetwork(awake(shape))(tile, starts, given))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


@pytest.mark.parametrize("preset", ["small", "bare", "uneven"])
def test_threads_change_no_bit_at_any_split(preset, threads, monkeypatch):
    shape, starts = TINY[preset], places(5, 8, "uniform")
    tile, given = samples.white(shape, 8), features_of(shape, starts)
    shared = SharedNetwork(awake(shape))
    for split in range(len(shape.layers) + 1):
        monkeypatch.setattr(module, "plan", forced(split))
        found = []
        for count in (1, 3):
            threads(count)
            found.append([shared(tile, starts[:n], given[:n]) for n in (1, 2, 5)])
        for one, other in zip(*found, strict=True):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("preset", ["small", "uneven"])
@pytest.mark.parametrize("symmetry", symmetries(), ids=str)
def test_symmetries_turn_the_crops(preset, symmetry):
    """As the plain network on what each sees, turned; off-centre ones see as much as before."""
    shape, starts = replace(TINY[preset], features=()), places(6, 4, "uniform")
    network, tile, side = awake(shape), samples.white(shape, 4), shape.windows[0]
    given = features_of(shape, starts)
    found = SharedNetwork(network, symmetry=symmetry)(tile, starts, given)
    crops = [tile[:, i : i + side, j : j + side, k : k + side] for i, j, k in starts]
    turned = symmetry.turn(torch.from_numpy(np.stack(crops)))
    with torch.inference_mode():
        expected = network(turned.contiguous(), torch.from_numpy(given)).numpy()
    assert np.abs(found - expected).max() <= TOLERANCE
    if symmetry != symmetries()[0]:
        plain = SharedNetwork(network)(tile, starts, given)
        assert np.abs(found - plain).max() > 0.1


def test_bfloat16_is_close():
    shape, starts = TINY["small"], places(40, 8, "uniform")
    tile, given = samples.white(shape, 8), features_of(shape, starts)
    exact = SharedNetwork(awake(shape))(tile, starts, given)
    found = SharedNetwork(awake(shape), precision="bfloat16")(tile, starts, given)
    assert 1e-3 < np.abs(found - exact).max() < 0.3 * exact.std(axis=0).min()
    assert found.dtype == exact.dtype == np.float64


def test_no_subhalos():
    shape = TINY["small"]
    tile, starts = samples.white(shape, 2), np.empty((0, 3), dtype=int)
    for found in (
        SharedNetwork(awake(shape))(tile, starts, features_of(shape, starts)),
        reference(awake(shape), tile, starts, features_of(shape, starts)),
    ):
        assert found.shape == (0, 3)


@pytest.mark.parametrize("place", [[-1, 0, 0], [0, 0, 3], [0, 20, 0]])
@pytest.mark.parametrize("company", [0, 4])
def test_receptive_fields_beyond_the_tile(place, company):
    """Also where a single voxel is left, which NumPy and torch would spread over a window."""
    shape = TINY["small"]
    starts = np.concatenate([places(company, 3, "uniform"), [place]])
    with pytest.raises(InternalError, match=r"start at .* expected 0 to \[2 2 2\]"):
        SharedNetwork(awake(shape))(samples.white(shape, 3), starts, features_of(shape, starts))


def test_inputs_are_left():
    shape, starts = TINY["small"], places(20, 6, "uniform")
    network = awake(shape)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    inputs = samples.white(shape, 6), starts, features_of(shape, starts)
    copies = [value.copy() for value in inputs]
    for value in inputs:
        value.flags.writeable = False
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        SharedNetwork(network, symmetry=symmetries()[20])(*inputs)
    for value, copy in zip(inputs, copies, strict=True):
        assert np.array_equal(value, copy)
    for name, value in network.state_dict().items():
        assert torch.equal(value, state[name])


def switches():
    cudnn = torch.backends.cudnn
    flags = cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    return (*flags, torch.is_grad_enabled(), torch.is_inference_mode_enabled())


@pytest.fixture(params=[True, False])
def other_switches(request, monkeypatch):
    """Switches that someone has set."""
    for name in ("benchmark", "deterministic", "allow_tf32"):
        monkeypatch.setattr(torch.backends.cudnn, name, request.param)
    return switches()


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_switches_are_restored(precision, other_switches, monkeypatch):
    shape, starts = TINY["small"], places(3, 4, "uniform")
    inputs = samples.white(shape, 4), starts, features_of(shape, starts)
    seen, convolve = [], torch.conv3d

    def spy(x, weight, *rest):
        seen.append((weight.shape[2], *switches()))
        return convolve(x, weight, *rest)

    monkeypatch.setattr(torch, "conv3d", spy)
    SharedNetwork(awake(shape), precision=precision)(*inputs)
    assert switches() == other_switches
    # The fully connected layers, of kernels of one voxel, are in float32 always.
    tf32 = precision == "tf32"
    expected = {
        (3, True, False, True, tf32, False, True),
        (1, True, False, True, False, False, True),
    }
    assert set(seen) == expected


def test_switches_are_restored_after_errors(other_switches, monkeypatch):
    shape, starts = TINY["small"], places(3, 4, "uniform")
    inputs = samples.white(shape, 4), starts, features_of(shape, starts)
    shared = SharedNetwork(awake(shape), precision="tf32")
    for name in ("_convolve_all", "_fully_connected"):
        with monkeypatch.context() as patch:
            patch.setattr(shared, name, _fail)
            with pytest.raises(MemoryError):
                shared(*inputs)
        assert switches() == other_switches


def _fail(*_):
    raise MemoryError


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["uniform", "clustered"])
@pytest.mark.parametrize("number", [1, 10, 250, 1000, 5000])
@pytest.mark.parametrize("preset", PRESETS)
def test_as_plain_in_a_large_tile(preset, number, layout):
    """A tile of 128 voxels a side, at 64 of the targets."""
    rows = np.unique(np.linspace(0, number - 1, 64).astype(int))
    compare(PRESETS[preset], 128, places(number, 128, layout), rows)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "centred"])
def test_as_plain_at_full_width(preset):
    """Other code of torch serves 16 channels; dense clusters, so that all is shared."""
    shape = replace(PRESETS[preset], width=16, hidden=256)
    starts = np.concatenate([places(300, 12, "uniform"), 27 + places(5, 5, "uniform")])
    splits = {box.split for box in plan(shape, np.unique(starts, axis=0))}
    assert len(splits) > 1
    compare(shape, 32, starts, slice(None, None, 20))
