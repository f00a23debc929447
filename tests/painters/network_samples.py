"""Small networks whose every number matters, and NumPy's word on what they answer."""

from functools import cache

import numpy as np
import torch
from cnn_samples import PAPER_LIKE, SMALL, lively
from scipy.signal import correlate

from mockgal.painters.cnn.architecture import Architecture, architecture

BARE = Architecture("bare", ((), (), ()), crop_size=15, width=3, hidden=4)
UNEVEN = Architecture(
    "uneven", ((5, 3), (), (3,)), crop_size=33, width=2, hidden=3, features=("offset_z", "log_mass")
)
TINY = {shape.preset: shape for shape in (SMALL, PAPER_LIKE, BARE, UNEVEN)}
PRESETS = {name: architecture(name, width=2) for name in ("paper", "centred", "literal", "demo")}


@cache
def awake(shape, seed=1):
    """`lively`, with normalisations that are not those of an untrained network."""
    network = lively(shape, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for block in network.blocks:
            normalisation = block.normalisation
            noise = torch.rand((2, len(normalisation.bias)), generator=generator)
            normalisation.weight.mul_(0.8 + 0.4 * noise[0])
            normalisation.bias.add_(0.2 * noise[1])
    return network


def white(shape, side, seed=2):
    """A tile with room for windows that start at 0 to side - 1 along each axis."""
    margin = shape.crop_size - 1
    generator = np.random.default_rng(seed)
    return generator.normal(size=(2, *3 * (side + margin,))).astype("f4")


def features(shape, number, seed=3):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(number, len(shape.features))).astype("f4")


def naive(network, crop, given):
    """One crop in float64: SciPy's direct sums, layer by layer as written in the paper."""
    state = {name: value.double().numpy() for name, value in network.state_dict().items()}
    seen = np.asarray(crop, dtype=float)
    for number, layer in enumerate(network.architecture.layers):
        own = {
            name.removeprefix(f"blocks.{number}."): value
            for name, value in state.items()
            if name.startswith(f"blocks.{number}.")
        }
        made = []
        for channel, kernels in enumerate(own["convolution.weight"]):
            total = own["convolution.bias"][channel]
            for field, kernel in zip(seen, kernels, strict=True):
                method = "direct" if layer.kernel == 3 else "fft"
                total = total + correlate(field, kernel, mode="valid", method=method)
            total = total[:: layer.stride, :: layer.stride, :: layer.stride]
            mean = own["normalisation.running_mean"][channel]
            deviation = np.sqrt(own["normalisation.running_var"][channel] + 1e-5)
            total = (total - mean) / deviation * own["normalisation.weight"][channel]
            made.append(np.maximum(total + own["normalisation.bias"][channel], 0.0))
        seen = np.array(made)
    assert seen.shape[1:] == (1, 1, 1)
    x = np.concatenate([seen.ravel(), np.asarray(given, dtype=float)])
    x = np.maximum(state["hidden.weight"] @ x + state["hidden.bias"], 0.0)
    return state["output.weight"] @ x + state["output.bias"]
