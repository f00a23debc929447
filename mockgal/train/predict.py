"""A network at the rows of batches, as it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InternalError
from .devices import on_device
from .losses import Loss
from .samples import CropBatches

Array = NDArray[Any]


def outputs(
    module: torch.nn.Module,
    batches: CropBatches,
    rows: Array,
    device: torch.device,
    loss: Loss,
) -> tuple[Array, float]:
    """What a network gives for rows, and the loss over all of them.

    Parameters
    ----------
    module : Module
        Put into evaluation mode.
    batches : CropBatches
        Of these rows, none of them twice.
    rows : ndarray of int, shape (n,)
    device : torch.device
    loss : Loss

    Returns
    -------
    output : ndarray of float64, shape (n, o)
        In the order of ``rows``.
    loss : float
    """
    module.eval()
    seen, found, sums = [], [], []
    with torch.inference_mode():
        for batch in batches.epoch(0):
            batch = on_device(batch, device)
            output = module(batch.crops, batch.features)
            sums.append([float(value) for value in loss(output, batch)])
            found.append(output.double().cpu().numpy())
            seen.append(batch.rows)
    order = np.argsort(np.concatenate(seen))
    if not np.array_equal(np.concatenate(seen)[order], np.sort(rows)):
        raise InternalError("batches", "other rows than were asked for", "each of them once")
    back = np.empty(len(rows), dtype=int)
    back[np.argsort(rows)] = order
    totals = np.array(sums)
    return np.concatenate(found)[back], math.fsum(totals[:, 0]) / max(
        math.fsum(totals[:, 1]), 1e-300
    )
