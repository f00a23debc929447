"""The plain network: against NumPy, the voxels that it sees, and randomness left alone."""

from dataclasses import replace

import network_samples as samples
import numpy as np
import pytest
import torch
from network_samples import PRESETS, TINY, awake

from mockgal.painters.cnn.network import GalaxyNetwork, seeded_network

DEMO = {"demo": PRESETS["demo"]}


@pytest.mark.parametrize("shape", (TINY | DEMO).values(), ids=TINY | DEMO)
def test_as_numpy(shape):
    network = awake(shape)
    crops = samples.white(shape, 1)[None] * np.array([1.0, 2.0, 0.5]).reshape(-1, 1, 1, 1, 1)
    crops = crops[:, ::-1].astype("f4")
    crops[1] = crops[1, :, ::-1]
    given = samples.features(shape, 3)
    with torch.inference_mode():
        found = network(torch.from_numpy(crops), torch.from_numpy(given)).numpy()
    expected = np.array([samples.naive(network, *pair) for pair in zip(crops, given, strict=True)])
    assert found.shape == (3, len(shape.outputs))
    assert expected.std(axis=0).min() > 0.05
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("shape", TINY.values(), ids=TINY)
def test_folded_convolutions_normalise_as_well(shape):
    network = awake(shape)
    x = y = torch.from_numpy(samples.white(shape, 1))[None]
    assert len(network.folded()) == len(shape.layers)
    for block, (weight, bias), layer in zip(
        network.blocks, network.folded(), shape.layers, strict=True
    ):
        assert not weight.requires_grad
        assert not bias.requires_grad
        with torch.no_grad():
            x = block(x)
            y = torch.relu(torch.conv3d(y, weight, bias, layer.stride))
        assert x.std() > 0.05
        assert (x - y).abs().max() < 1e-5


def test_folded_leaves_the_network():
    network = awake(TINY["small"])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.folded()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_each_crop_by_itself():
    """Evaluation does not depend on what else is in the batch."""
    shape = TINY["small"]
    network = awake(shape)
    tile = samples.white(shape, 2)
    crops = torch.from_numpy(np.stack([tile[:, i : i + 21, :21, :21] for i in (0, 1)]))
    given = torch.from_numpy(samples.features(shape, 2))
    with torch.inference_mode():
        both = network(crops, given)
        for row in (0, 1):
            alone = network(crops[row : row + 1], given[row : row + 1])[0]
            assert (alone - both[row]).abs().max() < 1e-5
        assert (both[0] - both[1]).abs().max() > 0.01


@pytest.mark.parametrize("column", range(7))
def test_each_feature_is_used(column):
    shape = TINY["small"]
    network = awake(shape)
    crop = torch.from_numpy(samples.white(shape, 1))[None]
    given = torch.zeros(1, 7)
    with torch.inference_mode():
        before = network(crop, given)
        given[0, column] = 3.0
        assert (network(crop, given) - before).abs().max() > 1e-3


def positive(network):
    """Weights above zero, so that no ReLU is shut where the input is above zero."""
    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.ndim > 1:  # the mean of what it takes
                value.fill_(1.0 / value[0].numel())
            elif "normalisation" not in name:
                value.zero_()
    return network.eval()


@pytest.mark.parametrize("shape", (PRESETS | TINY).values(), ids=PRESETS | TINY)
def test_support_of_the_receptive_field(shape):
    """The voxels with a gradient, relative to the target's in the middle of the crop."""
    network = positive(GalaxyNetwork(replace(shape, width=1)))
    side = shape.crop_size
    crop = torch.ones((1, 2, side, side, side), requires_grad=True)
    network(crop, torch.zeros((1, len(shape.features))))[0, 0].backward()
    seen = crop.grad[0] > 0
    first, last = {
        "paper": (-32, 26),
        "centred": (-32, 32),
        "literal": (-32, 32),
        "demo": (-16, 16),
        "small": (-10, 10),
        "paper-like": (-12, 8),
        "bare": (-7, 7),
        "uneven": (-16, 12),
    }[shape.preset]
    along = (torch.arange(side) - side // 2 >= first) & (torch.arange(side) - side // 2 <= last)
    expected = along[:, None, None] & along[None, :, None] & along[None, None, :]
    for channel in (0, 1):
        assert torch.equal(seen[channel], expected)
    if shape.is_centred:
        assert expected.all()
        # A network of equal weights does not tell left from right.
        for axis in (1, 2, 3):
            assert torch.allclose(crop.grad[0], crop.grad[0].flip(axis), rtol=1e-4, atol=0)


def test_seeds():
    shape = TINY["small"]
    first, again, other = (seeded_network(shape, seed).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["output.weight"], other["output.weight"])
    for number in range(len(shape.layers)):
        name = f"blocks.{number}.convolution.weight"
        assert not torch.equal(first[name], other[name])


def test_the_global_random_state_is_left(monkeypatch):
    def refuse(*_):
        raise AssertionError("the generators of all GPUs were seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    shape = TINY["small"]
    before = torch.random.get_rng_state()
    seeded_network(shape, 5)
    assert torch.equal(torch.random.get_rng_state(), before)
