"""Recalibrate a network: fit constants, added to its outputs, on the validation subhalos.

The steps of Adam leave the bias of the last layer only near its optimum, so that all masses are a
little too large or too small; and a network that has overfitted its training subhalos is
overconfident. Constants added to the outputs correct both. They are few, so the validation
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
    """Return the constants to add to the outputs of a network.

    Parameters
    ----------
    module : Module
        The network; it is put into evaluation mode.
    header : WeightsHeader
        Header of its weights. A network that gives only the mean has no likelihood, and is not
        changed.
    batches : CropBatches
        Batches of the validation subhalos.
    device : torch.device
    independent : float
        Independent fraction of the subhalos; see `Samples.independent`.

    Returns
    -------
    shift : Tensor, shape (o,)
        Constants in standardised units, on the CPU; zeros if the likelihood does not justify them.
    record : dict
        Plain JSON values: the rule, the fitted shift of each output and whether it was applied, the
        rise of the log-likelihood, and the independent fraction.
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
        # Without the prior, the logit would go to infinity if all subhalos are luminous.
        cost = total(shift) + 0.5 * (shift**2).sum()
        cost.backward()  # type: ignore[no-untyped-call]
        return cost

    search.step(step)  # type: ignore[no-untyped-call]
    fitted = shift.detach()
    with torch.no_grad():
        gain = float(total(torch.zeros_like(fitted)) - total(fitted))
    applied = math.isfinite(gain) and gain > len(fitted) and bool(torch.isfinite(fitted).all())
    record = {
        "rule": RULE,
        "applied": applied,
        "independent": independent,
        "log_likelihood_gain": gain if math.isfinite(gain) else None,
        "shift": dict(zip(shape.outputs, fitted.tolist(), strict=True)) if applied else None,
    }
    return fitted if applied else torch.zeros_like(fitted), record


def _seen(
    module: torch.nn.Module, batches: CropBatches, device: torch.device
) -> tuple[Tensor, Batch]:
    """Return the outputs for all subhalos, and a batch with the columns of the loss, on the CPU."""
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
