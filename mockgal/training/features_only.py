"""A small network that sees properties of subhalos and no field: a baseline of the dm2gal network.

It gives the same law: mean and scatter of log M*, cut off below a floor, and the probability of
being luminous (`mockgal.training.losses.Loss`). Several networks are trained, each on all parts of
the box but one, and each predicts the part that it has not seen (cross-fitting: Stone 1974, JRSS B
36, 111). So every subhalo of a pair of runs is predicted by a network that was not trained on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, silu

from ..painters.cnn.architecture import OUTPUTS
from ..system import progress
from .losses import truncated_normal

Array = NDArray[Any]

HIDDEN = 32  # neurons of each of two layers
STEPS, EVERY = 400, 20  # steps of Adam, and after how many the validation part is looked at
BATCH = 4096  # rows in a step
LEARNING_RATE, WEIGHT_DECAY = 1e-2, 1e-3
_LOG_SCATTER = (-4.0, 1.0)  # range of the log of the scatter in dex


class Predicted(NamedTuple):
    """The law of each of n subhalos: mean and scatter of log10 M* [dex], probability of stars."""

    mean: Array
    scatter: Array
    p_luminous: Array


def cross_fitted(
    features: Array, log_mass: Array, part: Array, *, floor: float, seed: int
) -> Predicted:
    """Return the prediction for each subhalo, by a network trained on other parts of the box.

    Each network takes the part after its own, in turn, to choose among its steps, and the others to
    learn from.

    Parameters
    ----------
    features : ndarray, shape (n, f)
    log_mass : ndarray, shape (n,)
        log10 of the true stellar mass [Msun/h]; below the floor, or -inf, without a galaxy.
    part : ndarray of int, shape (n,)
        Part of the box that a subhalo is in, counted from 0; at least three parts.
    floor : float
        log10 of the least stellar mass of a galaxy [Msun/h].
    seed : int
        Of the initial weights and the order of rows. Global random state is not touched.

    Returns
    -------
    Predicted
    """
    parts = int(part.max()) + 1
    luminous = log_mass >= floor
    inputs = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-12)
    target = np.where(luminous, log_mass - floor, 0.0)  # no mean of masses that are to be predicted
    held = torch.as_tensor(part[None] == np.arange(parts)[:, None])
    chooses = held.roll(-1, 0)
    data = _Data(
        torch.as_tensor(inputs, dtype=torch.float32),
        torch.as_tensor(target, dtype=torch.float32),
        torch.as_tensor(luminous),
    )
    with _one_thread():
        networks = _trained(data, ~held & ~chooses, chooses, seed)
        output = np.concatenate(
            [_outputs(networks, rows).numpy() for rows in torch.split(data.inputs, BATCH)], axis=1
        )
    own = output[part, np.arange(len(part))].astype(np.float64)
    return Predicted(
        floor + own[:, 0],
        np.exp(np.clip(own[:, 1], *_LOG_SCATTER)),
        1.0 / (1.0 + np.exp(-own[:, 2])),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run on one thread: more would wait for each other in steps as small as these."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Data(NamedTuple):
    """Standardised inputs (n, f), log10 of M* over the floor (n,), and which are luminous (n,)."""

    inputs: Tensor
    target: Tensor
    luminous: Tensor

    def loss(self, output: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
        """Return the mean loss of each network over its rows, shape (networks,)."""
        mean, log_scatter, logit = output.unbind(2)
        log_scatter = log_scatter.clamp(*_LOG_SCATTER)
        luminous, target = (x[rows].expand(len(output), -1) for x in (self.luminous, self.target))
        each = binary_cross_entropy_with_logits(logit, luminous.float(), reduction="none")
        mass = truncated_normal(target, mean, log_scatter, 0.0)
        each = each + torch.where(luminous, mass, torch.zeros_like(mass))
        return (weight * each).sum(1) / weight.sum(1).clamp_min(1.0)


def _trained(data: _Data, learns: Tensor, chooses: Tensor, seed: int) -> list[Tensor]:
    """Return the weights of all networks, stacked along the first axis, at their best steps.

    ``learns`` and ``chooses`` have shape (networks, n): the rows that each network learns from, and
    those that choose among its steps.
    """
    generator = torch.Generator().manual_seed(seed % 2**63)
    sizes = (data.inputs.shape[1], HIDDEN, HIDDEN, len(OUTPUTS))
    networks = []
    for before, after in pairwise(sizes):
        reach = 1.0 / math.sqrt(before)
        for shape in ((len(learns), before, after), (len(learns), 1, after)):
            drawn = torch.rand(shape, generator=generator)
            networks.append(((2.0 * drawn - 1.0) * reach).requires_grad_())
    optimiser = torch.optim.AdamW(networks, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    n, every = len(data.inputs), torch.arange(len(data.inputs))
    best = [one.detach().clone() for one in networks]
    least = torch.full((len(learns),), math.inf)
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            progress.advance(step, STEPS, "features-only network")
            with torch.inference_mode():
                rows = every if n <= BATCH else torch.randperm(n, generator=generator)[:BATCH]
                found = data.loss(_outputs(networks, data.inputs[rows]), rows, chooses[:, rows])
                better = found < least
                least = torch.where(better, found, least)
                for kept, one in zip(best, networks, strict=True):
                    kept[better] = one[better]
        rows = every if n <= BATCH else torch.randint(n, (BATCH,), generator=generator)
        optimiser.zero_grad()
        loss = data.loss(_outputs(networks, data.inputs[rows]), rows, learns[:, rows])
        torch.autograd.backward(loss.sum())  # networks share no weights
        optimiser.step()
        schedule.step()
    return best


def _outputs(networks: list[Tensor], inputs: Tensor) -> Tensor:
    """Return the outputs of all networks, shape (networks, rows, 3)."""
    value = inputs.expand(len(networks[0]), -1, -1)
    for k in range(0, len(networks), 2):
        value = torch.baddbmm(networks[k + 1], value, networks[k])
        if k + 2 < len(networks):
            value = silu(value)
    return value
