"""Measure the laws in the rows of a calibration: median curve, residuals, luminous probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..painters.hod.table import median_curve

Array = NDArray[Any]

# Fine steps in the tails: of thousands of galaxies, the few most massive ones matter.
_TAIL = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.13)
_LOWER = (0.0, *_TAIL, 0.16, *(round(0.05 * k, 2) for k in range(4, 10)))
RESIDUAL_PROBABILITY = np.array([*_LOWER, 0.5, *(round(1 - p, 6) for p in reversed(_LOWER))])
LEAST_IN_BIN = 10  # with fewer subhalos a bin has no node and pooled residuals
LEAST_PER_NODE = 20  # resolved subhalos per node of the luminous probability
NODES = 6


def bin_of(values: Array, edges: Array) -> Array:
    """Return the bin of each value, shape (n,); -1 outside the edges."""
    index = np.searchsorted(edges, values, side="right") - 1
    return np.where((index >= 0) & (index < len(edges) - 1), index, -1)


def median_and_residuals(
    log_mass: Array,
    log_stellar_mass: Array,
    bins_of: Array,
    bins: int,
    probability: Array = RESIDUAL_PROBABILITY,
) -> list[dict[str, Any]]:
    """Return nodes of the median curve, and quantiles of log M* about it, bin by bin.

    Each node is at the median mass of its bin and at the median log M*, corrected for the trend
    within the bin.

    Parameters
    ----------
    log_mass, log_stellar_mass : ndarray, shape (n,)
        Masses of the subhalos that the law describes [log10 Msun/h].
    bins_of : ndarray of int, shape (n,)
        Bin of ``log_mass``; -1 outside.
    bins : int
        Number of bins.
    probability : ndarray, shape (q,)
        Probabilities of the quantiles.

    Returns
    -------
    list of dict
        For each bin the columns from ``curve_log_mass`` to ``residual_quantiles``.
    """
    inside = [bins_of == b for b in range(bins)]
    x, y = np.full(bins, np.nan), np.full(bins, np.nan)
    for b in range(bins):
        if np.sum(inside[b]) >= LEAST_IN_BIN:
            x[b] = np.median(log_mass[inside[b]])
            y[b] = np.median(log_stellar_mass[inside[b]])
    anywhere = bins_of >= 0
    if not np.any(np.isfinite(x)) and np.any(anywhere):  # one node for the whole kind
        b = int(np.bincount(bins_of[anywhere], minlength=bins).argmax())
        x[b] = np.median(log_mass[anywhere])
        y[b] = np.median(log_stellar_mass[anywhere])
    # Where masses are skewed and the trend is steep, the median of a bin is not the value at its
    # median mass: move nodes by the median residual. Only once: more would fit neighbours' noise.
    residual = log_stellar_mass - median_curve(x, y, log_mass)
    for b in range(bins):
        if np.isfinite(x[b]) and np.any(inside[b]):
            y[b] += np.median(residual[inside[b]])
    residual = log_stellar_mass - median_curve(x, y, log_mass)
    quantiles, source = quantiles_by_bin(residual, bins_of, bins, probability)
    return [
        {
            "curve_log_mass": x[b],
            "curve_log_stellar_mass": y[b],
            "residual_source": "bin" if source[b] == "bin" else "pooled",
            "residual_quantiles": quantiles[b],
        }
        for b in range(bins)
    ]


def quantiles_by_bin(
    values: Array, bins_of: Array, bins: int, probability: Array = RESIDUAL_PROBABILITY
) -> tuple[Array, Array]:
    """Return quantiles of the values in each bin, or of all bins where a bin has too few values.

    Parameters
    ----------
    values : ndarray, shape (n,)
    bins_of : ndarray of int, shape (n,)
        -1 outside.
    bins : int
    probability : ndarray, shape (q,)

    Returns
    -------
    quantiles : ndarray, shape (bins, q)
        Zero if there are no values in any bin.
    source : ndarray of str, shape (bins,)
        bin, or pooled (fewer than `LEAST_IN_BIN`), or none.
    """
    quantiles = np.zeros((bins, len(probability)))
    source = np.full(bins, "pooled" if np.any(bins_of >= 0) else "none")
    for b in range(bins):
        inside = bins_of == b
        if np.sum(inside) >= LEAST_IN_BIN:
            source[b] = "bin"
        else:
            inside = bins_of >= 0
        if np.any(inside):
            quantiles[b] = np.quantile(values[inside], probability, method="hazen")
    return quantiles, source


def luminous_share(
    log_mass: Array,
    luminous: Array,
    any_luminous: np.bool_ | bool,
    edges: Sequence[float] | Array | None = None,
) -> tuple[Array, Array]:
    """Return the luminous share of subhalos at nodes of mass.

    Parameters
    ----------
    log_mass : ndarray, shape (n,)
        Masses of resolved subhalos.
    luminous : ndarray of bool, shape (n,)
    any_luminous : bool
        The share if there is no resolved subhalo: all or none.
    edges : sequence of float, shape (nodes + 1,), optional
        Intervals of mass with a node each; the first and the last are open. By default `NODES`
        groups of equally many subhalos. A group of fewer than `LEAST_PER_NODE` is merged with the
        next lower one.

    Returns
    -------
    log_mass, share : ndarray, shape (nodes,)
        Nodes in increasing mass, at the medians of the groups, then padding.
    """
    n = len(log_mass)
    order = np.argsort(log_mass, kind="stable")
    nodes = NODES if edges is None else len(edges) - 1
    groups: list[Array] = []
    if edges is None:
        number = min(max(n // LEAST_PER_NODE, 1), nodes) if n else 0
        groups = np.array_split(order, number) if number else []
    else:
        for group in np.split(order, np.searchsorted(log_mass[order], edges[1:-1])):
            groups.append(group)
            while len(groups) > 1 and len(groups[-1]) < LEAST_PER_NODE:
                groups[-2:] = [np.concatenate(groups[-2:])]
    x: list[float] = []
    p: list[float] = []
    for members in groups:
        if len(members) == 0:
            continue
        node = float(np.median(log_mass[members]))
        if not x or node > x[-1]:
            x.append(node)
            p.append(float(np.mean(luminous[members])))
    if not x:  # nothing resolved: the thinning and its deficit tell how many are missing
        x, p = [0.0], [float(any_luminous)]
    while len(x) < nodes:
        x.append(x[-1] + 1.0)
        p.append(p[-1])
    return np.array(x), np.array(p)


def per_host(host_bin: Array, host: Array, b: int) -> tuple[float, float]:
    """Return mean and variance of the number of subhalos per host in bin ``b``.

    Parameters
    ----------
    host_bin : ndarray of int, shape (hosts,)
    host : ndarray of int, shape (n,)
        Index into ``host_bin`` of each counted subhalo.
    b : int
    """
    hosts = host_bin == b
    if not np.any(hosts):
        return 0.0, 0.0
    number = np.bincount(host, minlength=len(host_bin))[hosts]
    return float(np.mean(number)), float(np.var(number))


def merge_sparse(samples: Sequence[Array], edges: Sequence[float] | Array, least: int) -> Array:
    """Return edges of bins that each hold at least ``least`` values of each sample.

    A sparse bin is merged with the next lower bin, the lowest with the next higher one. Values
    outside ``edges`` are not counted.
    """
    merged = [float(edge) for edge in edges]
    number = np.array([np.histogram(values, merged)[0] for values in samples])
    b = number.shape[1] - 1
    while b >= 0 and number.shape[1] > 1:
        if number[:, b].min() < least:
            other = b - 1 if b else 1
            number[:, other] += number[:, b]
            number = np.delete(number, b, axis=1)
            del merged[b if b else 1]
        b -= 1
    return np.array(merged)
