"""A training in a process of its own, to be killed: FOLDER [search]."""

import sys
from pathlib import Path

import loop_samples
import torch

from mockgal.training.loop import train
from mockgal.training.options import TrainingOptions
from mockgal.training.search import Ranges, search

OPTIONS = TrainingOptions(
    seed=5, epochs=4, learning_rate=1e-2, batch_size=8, checkpoint_seconds=0.0
)
SEARCHED = TrainingOptions(seed=5, epochs=2, batch_size=16, checkpoint_seconds=0.0)
RANGES = Ranges(width=(1, 2), batch_size=(8, 16))


def data():
    return loop_samples.samples(240)


def trained(folder):
    samples = data()
    return train(samples, loop_samples.NET, OPTIONS, Path(folder), **loop_samples.given(samples))


def searched(folder, trials=3):
    samples = data()
    about = loop_samples.given(samples)
    return search(samples, loop_samples.NET, SEARCHED, Path(folder), trials, ranges=RANGES, **about)


if __name__ == "__main__":
    torch.set_num_threads(1)
    (searched if sys.argv[2:] else trained)(sys.argv[1])
