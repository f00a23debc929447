"""A last correction of a network's outputs: constants, fitted where it was not trained.

The steps of Adam leave the bias of the last layer somewhere about its optimum, so that all masses
are a little too large or too small, and a network that has learnt its training subhalos by heart is
too sure of itself. Constants added to the outputs mend both; they are few, so that the validation
subhalos are enough to fit them (compare Guo et al. 2017, arXiv:1706.04599).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...painters.cnn.weights.header import WeightsHeader
from ..data.samples import Batch, CropBatches
from ..devices import on_device
from ..losses import Loss

RULE = (
    "constants added to the outputs, the most probable given the validation subhalos and a normal "
    "prior of width 1, where the log-likelihood rises by more than their number (Akaike 1974); "
    "subhalos of a box that is held out at several redshifts count once"
)
_STEPS = 200


def recalibrated(
    module: torch.nn.Module,
    header: WeightsHeader,
    batches: CropBatches,
    device: torch.device,
    independent: float,
) -> tuple[Tensor, dict[str, Any]]:
    """What is to be added to the outputs of a network.

    Parameters
    ----------
    module : Module
        Put into evaluation mode.
    header : WeightsHeader
        Of its weights. A network that gives the mean alone has no likelihood: it stays as it is.
    batches : CropBatches
        Of the validation subhalos.
    device : torch.device
    independent : float
        The part of the subhalos that is independent, as `Samples.independent` says.

    Returns
    -------
    shift : Tensor, shape (o,)
        In standardised units, on the CPU; zeros where the subhalos do not ask for it.
    record : dict
        Plain JSON values: the rule, the shift of each output that was found and whether it was
        applied, by how much the log-likelihood rises with it, and the independent part.
    """
    loss, shape = Loss(header), header.architecture
    shift = torch.zeros(len(shape.outputs), dtype=torch.float64)
    if loss.name != "likelihood":
        return shift, {"applied": False, "rule": "none, for a network that gives the mean alone"}
    output, batch = _seen(module, batches, device)
    shift.requires_grad_()
    search = torch.optim.LBFGS([shift], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def total(added: Tensor) -> Tensor:
        each, weight = loss.each(output + added, batch)
        return independent * (weight.double() * each.double()).sum()

    def step() -> Tensor:
        search.zero_grad()
        found = total(shift) + 0.5 * (shift**2).sum()  # all luminous: else a logit of infinity
        found.backward()  # type: ignore[no-untyped-call]
        return found

    search.step(step)  # type: ignore[no-untyped-call]
    found = shift.detach()
    with torch.no_grad():
        gain = float(total(torch.zeros_like(found)) - total(found))
    applied = math.isfinite(gain) and gain > len(found) and bool(torch.isfinite(found).all())
    record = {
        "rule": RULE,
        "applied": applied,
        "independent": independent,
        "log_likelihood_gain": gain if math.isfinite(gain) else None,
        "shift": dict(zip(shape.outputs, found.tolist(), strict=True)) if applied else None,
    }
    return found if applied else torch.zeros_like(found), record


def _seen(
    module: torch.nn.Module, batches: CropBatches, device: torch.device
) -> tuple[Tensor, Batch]:
    """Outputs for all subhalos, and what the loss needs of them, on the CPU."""
    module.eval()
    outputs: list[Tensor] = []
    parts: list[Batch] = []
    with torch.inference_mode():
        for batch in batches.epoch(0):
            moved = on_device(batch, device)
            outputs.append(module(moved.crops, moved.features).double().cpu())
            parts.append(batch._replace(crops=batch.crops[:0]))
    whole: dict[str, Any] = {
        name: torch.cat([getattr(part, name) for part in parts])
        for name in Batch._fields
        if name != "rows"
    }
    return torch.cat(outputs), Batch(**whole, rows=np.concatenate([part.rows for part in parts]))
