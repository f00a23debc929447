"""The state of the published network, with random numbers."""

from collections import OrderedDict

import torch

WIDTH = 4
KERNELS = {1: 7, 2: 3, 3: 5, 4: 3, 5: 3, 6: 3}
TIMES = {1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 8}  # the width


def blocks(width=WIDTH):
    """Number of the layer, name of the block, channels in and out."""
    channels = {0: 2} | {n: times * width for n, times in TIMES.items()}
    for n in KERNELS:
        for i in range(2 if n % 2 else 1):
            yield n, f"_model.layer{n}.{i}", channels[n if i else n - 1], channels[n]


def published_state(seed=0, width=WIDTH):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape, low=-1.0, high=1.0):
        return low + (high - low) * torch.rand(*shape, generator=generator)

    state = OrderedDict()
    for n, block, channels_in, channels_out in blocks(width):
        k = KERNELS[n]
        bound = (channels_in * k**3) ** -0.5
        state[f"{block}.conv1.weight"] = bound * draw(channels_out, channels_in, k, k, k)
        state[f"{block}.conv1.bias"] = draw(channels_out)
        state[f"{block}.bn1.weight"] = draw(channels_out, low=0.5, high=1.5)
        state[f"{block}.bn1.bias"] = draw(channels_out)
        state[f"{block}.bn1.running_mean"] = draw(channels_out)
        state[f"{block}.bn1.running_var"] = draw(channels_out, low=0.1, high=0.5)
        state[f"{block}.bn1.num_batches_tracked"] = torch.tensor(100 + n)
    for name, (rows, columns) in {"fc1": (256, 8 * width), "fc2": (1, 256)}.items():
        state[f"_model.{name}.weight"] = 0.1 * draw(rows, columns)
        state[f"_model.{name}.bias"] = draw(rows)
    state._metadata = OrderedDict({"": {"version": 1}})  # as torch's own has
    return state
