"""Quantiles of the standard normal law, as painters that predict one tabulate it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Closer and closer nodes towards both ends: what is left above a floor may be an end.
_TAIL = 10.0 ** -np.arange(1.0, 8.95, 0.1)
PROBABILITY = np.concatenate([[0.0], _TAIL[::-1], np.linspace(0.11, 0.89, 79), 1 - _TAIL, [1.0]])


@cache
def normal_quantiles() -> Array:
    """Of the standard normal law at `PROBABILITY`, its ends at 1e-9, shape (q,)."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(PROBABILITY, 1e-9, 1 - 1e-9)))
