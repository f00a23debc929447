"""Evaluate a network at the rows of batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import InternalError
from ..data.samples import CropBatches
from ..devices import on_device
from ..losses import Loss

Array = NDArray[Any]


def outputs(
    module: torch.nn.Module,
    batches: CropBatches,
    rows: Array,
    device: torch.device,
    loss: Loss,
) -> tuple[Array, float, float]:
    """Return the output of a network for rows, and the loss over all of them.

    Parameters
    ----------
    module : Module
        The network; it is put into evaluation mode.
    batches : CropBatches
        Batches of these rows, each row once.
    rows : ndarray of int, shape (n,)
    device : torch.device
    loss : Loss

    Returns
    -------
    output : ndarray of float64, shape (n, o)
        Outputs in the order of ``rows``.
    loss, error : float
        Mean loss over the rows, and its standard error.
    """
    module.eval()
    seen, results, losses, weights = [], [], [], []
    with torch.inference_mode():
        for batch in batches.epoch(0):
            batch = on_device(batch, device)
            output = module(batch.crops, batch.features)
            each, weight = loss.each(output, batch)
            losses.append(each.double().cpu().numpy())
            weights.append(weight.double().cpu().numpy())
            results.append(output.double().cpu().numpy())
            seen.append(batch.rows)
    order = np.argsort(np.concatenate(seen))
    if not np.array_equal(np.concatenate(seen)[order], np.sort(rows)):
        raise InternalError("batches", "other rows than requested", "each requested row once")
    back = np.empty(len(rows), dtype=int)
    back[np.argsort(rows)] = order
    counts = np.concatenate(weights)
    values = np.where(counts > 0, np.concatenate(losses), 0.0)
    total = max(math.fsum(counts), 1e-300)
    mean = math.fsum(counts * values) / total
    error = math.sqrt(math.fsum((counts * (values - mean)) ** 2)) / total
    return np.concatenate(results)[back], mean, error
