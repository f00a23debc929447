"""The functions of `mockgal.fitting.tables.kernels` in plain loops, for their tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def count(
    points: Array,
    weight: Array,
    label: Array,
    host: Array,
    factor: Array,
    box_size: float,
    squares: Array,
    depth: float,
    table: Array,
) -> None:
    """Add the weights of all pairs to a table: see `mockgal.fitting.tables.kernels.count`."""
    for i in range(len(points)):
        for j in range(i + 1, len(points)):
            apart = np.abs(points[i] - points[j])
            apart = np.minimum(apart, box_size - apart)
            square = apart[0] ** 2 + apart[1] ** 2
            if depth > 0:
                if apart[2] >= depth:
                    continue
            else:
                square += apart[2] ** 2
            k = np.searchsorted(squares, square, side="right") - 1
            if 0 <= k < len(squares) - 1:
                together = weight[i] * weight[j]
                if host[i] == host[j] and label[i] == label[j]:
                    together *= factor[i]
                first, second = max(label[i], label[j]), min(label[i], label[j])
                table[first * (first + 1) // 2 + second, k] += together


def quadratic(occupation: Array, table: Array, out: Array) -> None:
    """Fill in sums of products of occupations: see `mockgal.fitting.tables.kernels.quadratic`."""
    first, second = np.tril_indices(occupation.shape[1])
    out[...] = (occupation[:, first] * occupation[:, second]) @ table
