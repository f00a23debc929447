"""Batches of crops for training: how fast they are cut, and how fast the network takes them.

python benchmarks/crop_loading.py [--presets demo,centred] [--grid 256] [--width 16] [--batch 16]
    [--seconds 3] [--no-training]

Crops are cut around places that are spread evenly, which is the worst for caches. The bound is a
copy of as many bytes as the crops have, within a larger array. Training is one step of Adam on
batches that are ready: what it takes is what the loader must give at least.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from common import busy, machine, table

from mockgal.paint.architecture import FEATURES, Architecture, architecture
from mockgal.paint.network import seeded_network
from mockgal.paint.weights_header import Normalisation
from mockgal.train.samples import Batch, CropBatches, Samples, Volume

SUBHALOS = 20_000


def made_up(grid: int, shape: Architecture) -> Samples:
    """A volume of noise with subhalos anywhere."""
    rng = np.random.default_rng(1)
    channels = rng.standard_normal((2, grid, grid, grid), dtype=np.float32)
    n = SUBHALOS
    return Samples(
        (Volume(channels, 1.0, float(grid), 0.0, "noise"),),
        np.zeros(n, np.int64),
        rng.integers(0, grid, (n, 3)),
        np.arange(n),
        rng.normal(size=(n, len(shape.features))),
        rng.normal(9.0, 1.0, n),
        10.0 ** rng.uniform(10, 13, n),
        np.zeros(n, np.int8),
        {},
    )


def loader(samples: Samples, shape: Architecture, batch: int, symmetries: str) -> CropBatches:
    """All subhalos, shuffled."""
    pairs = tuple((0.0, 1.0) for _ in shape.features)
    assert set(shape.features) <= set(FEATURES)
    return CropBatches(
        samples,
        np.arange(len(samples)),
        architecture=shape,
        normalisation=Normalisation((0.0, 1.0), (0.0, 1.0), pairs, (9.0, 1.0)),
        batch_size=batch,
        symmetries=symmetries,
        seed=1,
        shuffle=True,
    )


def rate(steps: Callable[[], Iterator[int]], seconds: float) -> float:
    """Crops per second, after the first step."""
    running = steps()
    next(running)
    started, done = time.perf_counter(), 0
    for crops in running:
        done += crops
        if time.perf_counter() - started > seconds:
            break
    return done / (time.perf_counter() - started)


def cutting(batches: CropBatches) -> Iterator[int]:
    """Batches that nobody uses."""
    for epoch in itertools.count():
        for batch in batches.epoch(epoch):
            yield len(batch.rows)


def copying(samples: Samples, shape: Architecture) -> Iterator[int]:
    """Copies of as many bytes as a crop has, from one part of the volume after another."""
    flat = samples.volumes[0].channels.reshape(-1)
    number = 2 * shape.crop_size**3
    out = np.empty(number, np.float32)
    places = np.random.default_rng(2).integers(0, flat.size - number, 1 << 20)
    for place in places:
        np.copyto(out, flat[place : place + number])
        yield 1


def training(shape: Architecture, batch: Batch) -> Iterator[int]:
    """Steps on a batch that is there."""
    network = seeded_network(shape, 1).train()
    optimiser = torch.optim.Adam(network.parameters())
    while True:
        optimiser.zero_grad()
        loss = ((network(batch.crops, batch.features)[:, 0] - batch.target) ** 2).mean()
        loss.backward()
        optimiser.step()
        yield len(batch.rows)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", default="demo,centred")
    parser.add_argument("--grid", type=int, default=256)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--no-training", action="store_true")
    a = parser.parse_args()
    print(machine(("numpy", "torch", "numba")))
    print(busy(), end="")
    body = []
    for preset in a.presets.split(","):
        shape = architecture(preset, width=a.width)
        samples = made_up(a.grid, shape)
        copied = rate(lambda s=samples, k=shape: copying(s, k), a.seconds)
        taken = None
        for symmetries in ("none", "all"):
            batches = loader(samples, shape, a.batch, symmetries)
            cut = rate(lambda b=batches: cutting(b), a.seconds)
            if taken is None and not a.no_training:
                one = next(batches.epoch(0))
                taken = rate(lambda k=shape, b=one: training(k, b), a.seconds)
            row = [f"{preset}, {symmetries}", f"{cut:.0f}", f"{cut / copied:.2f}"]
            row += ["-", "-"] if taken is None else [f"{taken:.2f}", f"{cut / taken:.0f}"]
            body.append(row)
            print(row, flush=True)
    header = ["preset, symmetries", "crops/s", "of copying", "training takes: crops/s", "ratio"]
    print(f"\ngrid of {a.grid}, width {a.width}, batches of {a.batch}")
    print(table(header, body))


if __name__ == "__main__":
    main()
