"""The dm2gal network at the subhalos of a tile: shared evaluation against one crop for each.

python benchmarks/shared_network.py [--presets paper,centred] [--width 16] [--device cpu]
    [--crops 64] [--targets 10,250,1000,5000] [--tile 128] [--repeats 2]

Time per crop is that of the plain network over at least 64 crops in batches of 8, as it is (the
gain is over this) and with channels last (over the best: the faster of the two); that of
n crops is n times as much. The bound is the ratio of multiplications: n whole crops to those of the
plan. The machine's convolution peak is the fastest of the network's own layers at large sizes.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import Any

import numpy as np
import torch
from common import busy, machine, table

from mockgal.painters.cnn.architecture import Architecture, architecture
from mockgal.painters.cnn.evaluation.plan import cost_of, multiplications, plan
from mockgal.painters.cnn.evaluation.shared import SharedNetwork
from mockgal.painters.cnn.network import GalaxyNetwork, seeded_network

MEMBERS, RADIUS = 25, 3.0  # of a cluster of targets: mean number, and rms offset in voxels


def targets(number: int, side: int, layout: str, seed: int = 1) -> np.ndarray:
    """Voxels in a tile, shape (number, 3): uniform, or clustered as satellites are."""
    generator = np.random.default_rng(seed)
    if layout == "uniform":
        return generator.integers(0, side, (number, 3))
    centres = generator.integers(0, side, (max(1, number // MEMBERS), 3))
    chosen = centres[generator.integers(0, len(centres), number)]
    return np.mod(np.rint(chosen + generator.normal(0, RADIUS, (number, 3))).astype(int), side)


def seconds(work: Any, device: str, repeats: int) -> float:
    """The least time of some calls, after one that does not count."""
    best = float("inf")
    for turn in range(repeats + 1):
        started = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        if turn:
            best = min(best, time.perf_counter() - started)
    return best


def per_crop(
    network: GalaxyNetwork, device: str, crops: int, batch: int, repeats: int
) -> tuple[float, float]:
    """Seconds of one crop by the plain network, as it is and with channels last."""
    side, times = network.architecture.crop_size, []
    network = network.to(device)
    for layout in (torch.contiguous_format, torch.channels_last_3d):
        x = torch.randn(batch, 2, side, side, side, device=device).to(memory_format=layout)
        f = torch.zeros(batch, len(network.architecture.features), device=device)
        plain = network.to(memory_format=layout)  # type: ignore[call-overload]

        def work(x: Any = x, f: Any = f, plain: Any = plain) -> None:
            with torch.inference_mode():
                for _ in range(-(-crops // batch)):
                    plain(x, f)

        times.append(seconds(work, device, repeats) / (-(-crops // batch) * batch))
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return times[0], times[1]


def peak(shape: Architecture, device: str, repeats: int) -> float:
    """Multiplications per second of the fastest layer, 64 voxels wide."""
    best = 0.0
    for layer in shape.layers:
        x = torch.randn(1, layer.channels_in, 64, 64, 64, device=device)
        w = torch.randn(layer.channels_out, layer.channels_in, *3 * (layer.kernel,), device=device)
        x, w = (v.to(memory_format=torch.channels_last_3d) for v in (x, w))
        out = (64 - layer.kernel) // layer.stride + 1
        cost = float(out**3 * layer.kernel**3 * layer.channels_in * layer.channels_out)

        def work(x: Any = x, w: Any = w, stride: int = layer.stride) -> None:
            with torch.inference_mode():
                torch.conv3d(x, w, None, stride)

        best = max(best, cost / seconds(work, device, repeats + 2))
    return best


def main() -> None:
    """Measure and print a table for each preset."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", default="paper,centred")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--crops", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--targets", default="10,250,1000,5000")
    parser.add_argument("--tile", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=1)
    a = parser.parse_args()
    print(machine(("torch", "mockgal")))
    print(busy(), end="")
    for preset in a.presets.split(","):
        shape = architecture(preset, width=a.width)
        network = seeded_network(shape, 1).eval()
        one, last = per_crop(network, a.device, a.crops, a.batch, a.repeats)
        best = peak(shape, a.device, a.repeats)
        sizes = zip(shape.layers, shape.sizes[1:], strict=True)
        whole = sum(float(n**3 * k.kernel**3 * k.channels_in * k.channels_out) for k, n in sizes)
        print(
            f"\n{preset}, width {a.width}: {whole / 1e9:.1f}e9 multiplications a crop "
            f"({multiplications(shape).sum() / 1e9:.1f}e9 of the receptive field), {one:.3f} s "
            f"({last:.3f} with channels last, {whole / last / best:.2f} of the peak of "
            f"{best / 1e9:.0f}e9/s)"
        )
        shared = SharedNetwork(network, device=a.device, precision=a.precision)
        margin = shape.windows[0] - 1
        tile = np.random.default_rng(0).normal(size=(2, *3 * (a.tile + margin,))).astype("f4")
        body = []
        for number in map(int, a.targets.split(",")):
            for layout in ("uniform", "clustered"):
                starts = targets(number, a.tile, layout)
                features = np.zeros((number, len(shape.features)), dtype=np.float32)
                once = seconds(partial(shared, tile, starts, features), a.device, a.repeats)
                distinct = np.unique(starts, axis=0)
                started = time.perf_counter()
                boxes = plan(shape, distinct)
                planning = time.perf_counter() - started
                cost = cost_of(shape, distinct, boxes)
                gain, bound = number * one / once, number * whole / cost
                body.append(
                    [
                        f"{number} {layout}",
                        f"{len(boxes)}",
                        f"{once:.2f}",
                        f"{planning:.3f}",
                        f"{number / once:.1f}",
                        f"{gain:.1f}",
                        f"{gain * min(one, last) / one:.1f}",
                        f"{bound:.1f}",
                        f"{gain / bound:.2f}",
                        f"{cost / once / best:.2f}",
                    ]
                )
        header = [
            "targets",
            "boxes",
            "s",
            "planning: s",
            "targets/s",
            "gain",
            "over the best",
            "bound",
        ]
        print(table([*header, "of the bound", "of the peak"], body))


if __name__ == "__main__":
    main()
