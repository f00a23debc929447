"""Training of the network: how much of the machine it uses, and what cutting the crops takes.

python benchmarks/training_throughput.py [--presets demo,centred,paper] [--width 16] [--batch 32]
    [--device cpu] [--precision float32] [--layouts channels-last,contiguous] [--grid 256]
    [--symmetries all] [--steps 5]

A step is what `mockgal.training.loop` does, with channels last: a batch cut out of the volume,
moved to the device, the network, its loss, the gradients, Adam. Times are medians over the steps,
after one that does not count. Multiplications are those of the layers forward, of their weights'
gradients, and of their inputs' gradients, which the first layer does not need. The machine's
convolution peak is the fastest of the network's own layers forward, at large sizes.

Crops are cut around places that are spread evenly, which is the worst for caches; a copy of as many
bytes as the crops have, within a larger array, is the bound.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from common import best_of, busy, machine, table
from shared_network import peak

from mockgal.painters.cnn.architecture import MEAN_ONLY, Architecture, architecture
from mockgal.painters.cnn.network import seeded_network
from mockgal.painters.cnn.weights.header import Domain, Normalisation, WeightsHeader
from mockgal.training.data.crops import SYMMETRIES
from mockgal.training.data.samples import Batch, CropBatches, Samples, Volume
from mockgal.training.devices import fabric_of, on_device, torch_settings
from mockgal.training.losses import Loss
from mockgal.training.options import TrainingOptions

SUBHALOS, LUMINOUS = 20_000, 0.5
FLOOR, MEAN = 1e8, 9.0  # Msun/h, and log10 of it
LAYOUTS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last_3d}


def made_up(grid: int, shape: Architecture) -> Samples:
    """A volume of noise with subhalos anywhere."""
    rng = np.random.default_rng(1)
    channels = rng.standard_normal((2, grid, grid, grid), dtype=np.float32)
    n = SUBHALOS
    target = rng.uniform(8.0, 11.0, n)
    if shape.outputs != MEAN_ONLY:
        target[rng.random(n) > LUMINOUS] = np.nan
    return Samples(
        (Volume(channels, 1.0, float(grid), 0.0, "noise"),),
        np.zeros(n, np.int64),
        rng.integers(0, grid, (n, 3)),
        np.arange(n),
        rng.normal(size=(n, len(shape.features))),
        target,
        10.0 ** rng.uniform(10, 13, n),
        np.zeros(n, np.int8),
        {},
    )


def header(shape: Architecture) -> WeightsHeader:
    """Of weights that are trained on such samples."""
    domain = Domain(
        voxel_size=1.0,
        origin="corner",
        assignment="CIC",
        particle_mass=1e9,
        least_subhalo_mass=0.0,
        redshift=(0.0, 0.0),
        cosmology={"h": 0.7, "omega_m": 0.3, "omega_lambda": 0.7},
        mass_definition="200c",
        stellar_mass_definition="bound",
        luminosity_floor=FLOOR,
        log_mass=(10.0, 13.0),
        log_host_mass=(10.0, 13.0),
        log_vmax=(1.5, 3.0),
    )
    features = tuple((0.0, 1.0) for _ in shape.features)
    return WeightsHeader(
        name="noise",
        architecture=shape,
        normalisation=Normalisation((0.0, 1.0), (0.0, 1.0), features, (MEAN, 1.0)),
        domain=domain,
        target="subhalo",
        provenance={},
    )


def multiplications(shape: Architecture) -> float:
    """Of a step, for one crop."""
    pairs = list(zip(shape.layers, shape.sizes[1:], strict=True))
    each = [float(n**3 * k.kernel**3 * k.channels_in * k.channels_out) for k, n in pairs]
    inputs = shape.layers[-1].channels_out + len(shape.features)
    connected = float(shape.hidden * (inputs + len(shape.outputs)))
    return 3.0 * (sum(each) + connected) - each[0]


@dataclass
class Timing:
    """Seconds of a step: medians of the whole, and of cutting its batch."""

    step: float
    loading: float


class Training:
    """Steps of a training."""

    def __init__(
        self, samples: Samples, shape: Architecture, options: TrainingOptions, layout: str
    ) -> None:
        about = header(shape)
        self.batches = CropBatches(
            samples,
            np.arange(len(samples)),
            architecture=shape,
            normalisation=about.normalisation,
            batch_size=options.batch_size,
            symmetries=options.symmetries,
            seed=options.seed,
            shuffle=True,
        )
        self.fabric, self.loss = fabric_of(options), Loss(about)
        self.layout = LAYOUTS[layout]
        network = seeded_network(shape, options.seed).train()
        network = network.to(memory_format=self.layout)  # type: ignore[call-overload]
        adam = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
        self.module, self.adam = self.fabric.setup(network, adam)

    def loaded(self) -> Iterator[Batch]:
        """Batches of epoch after epoch."""
        for epoch in itertools.count():
            yield from self.batches.epoch(epoch)

    def step(self, batch: Batch) -> float:
        """One step, done when its loss is known."""
        batch = on_device(batch, self.fabric.device)
        crops = batch.crops.to(memory_format=self.layout)
        total, weight = self.loss(self.module(crops, batch.features), batch)
        loss = total / weight
        self.adam.zero_grad()
        self.fabric.backward(loss)
        self.adam.step()
        if self.fabric.device.type == "cuda":
            torch.cuda.synchronize()
        return float(loss.detach())

    def timed(self, steps: int) -> Timing:
        """Of some steps, after one."""
        running, times = self.loaded(), []
        self.step(next(running))
        for _ in range(steps):
            started = time.perf_counter()
            batch = next(running)
            there = time.perf_counter()
            self.step(batch)
            times.append((time.perf_counter() - started, there - started))
        return Timing(*map(float, np.median(times, axis=0)))


def copying(samples: Samples, shape: Architecture, crops: int) -> float:
    """Seconds for copies of as many bytes as crops have, from places all over the volume."""
    flat = samples.volumes[0].channels.reshape(-1)
    number = 2 * shape.crop_size**3
    out = np.empty((crops, number), np.float32)
    places = np.random.default_rng(2).integers(0, flat.size - number, crops)

    def work() -> None:
        for place, row in zip(places, out, strict=True):
            np.copyto(row, flat[place : place + number])

    return best_of(5, work)


def main(given: list[str] | None = None) -> list[list[str]]:
    """Measure and print a table, and give its rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", default="demo,centred,paper")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["float32", "tf32"], default="float32")
    parser.add_argument("--layouts", default="channels-last")
    parser.add_argument("--grid", type=int, default=256)
    parser.add_argument("--symmetries", choices=SYMMETRIES, default="all")
    parser.add_argument("--steps", type=int, default=5)
    a = parser.parse_args(given)
    print(machine(("numpy", "torch", "numba")))
    print(busy(), end="")
    options = TrainingOptions(
        seed=1,
        batch_size=a.batch,
        symmetries=a.symmetries,
        precision=a.precision,
        accelerator={"cpu": "cpu", "cuda": "gpu"}[a.device],
    )
    body: list[list[str]] = []
    for preset in a.presets.split(","):
        shape = architecture(preset, width=a.width)
        samples, work = made_up(a.grid, shape), multiplications(shape)
        copied = copying(samples, shape, a.batch)
        tf32 = a.precision == "tf32"
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=tf32):
            best = peak(shape, a.device, 2)
        for layout in a.layouts.split(","):
            with torch_settings(options):
                found = Training(samples, shape, options, layout).timed(a.steps)
            body.append(
                [
                    f"{preset}, {layout}",
                    f"{work / 1e9:.2f}",
                    f"{1.0 / found.step:.3g}",
                    f"{a.batch / found.step:.3g}",
                    f"{best / 1e9:.0f}",
                    f"{work * a.batch / found.step / best:.2f}",
                    f"{found.loading / found.step:.1%}",
                    f"{copied / found.loading:.2f}",
                ]
            )
            print(body[-1], flush=True)
    print(f"\ngrid of {a.grid}, width {a.width}, batches of {a.batch}, symmetries {a.symmetries}")
    columns = ["preset, layout", "1e9 multiplications a crop", "steps/s", "crops/s"]
    columns += ["peak: 1e9/s", "of the peak", "loader's share", "loader: of copying"]
    print(table(columns, body))
    return body


if __name__ == "__main__":
    main()
