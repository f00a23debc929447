"""The laws that fill the rows of a calibration: median curve, residuals, luminous probability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..paint.hod_table import median_curve

Array = NDArray[Any]

RESIDUAL_PROBABILITY = np.array(
    [
        0,
        0.01,
        0.025,
        0.05,
        0.1,
        0.16,
        *np.arange(0.2, 0.81, 0.05).round(2),
        0.84,
        0.9,
        0.95,
        0.975,
        0.99,
        1,
    ]
)
LEAST_IN_BIN = 10  # fewer subhalos than this: no node, and residuals pooled over bins
LEAST_PER_NODE = 20  # resolved subhalos behind each node of the luminous probability
NODES = 6


def bin_of(values: Array, edges: Array) -> Array:
    """Bin of each value, shape (n,); -1 outside."""
    index = np.searchsorted(edges, values, side="right") - 1
    return np.where((index >= 0) & (index < len(edges) - 1), index, -1)


def median_and_residuals(
    log_mass: Array,
    log_stellar_mass: Array,
    bins_of: Array,
    bins: int,
    probability: Array = RESIDUAL_PROBABILITY,
) -> list[dict[str, Any]]:
    """Nodes of the median curve, and quantiles of log M* about it, bin by bin.

    Parameters
    ----------
    log_mass, log_stellar_mass : ndarray, shape (n,)
        Of the subhalos that the law is about [log10 Msun/h].
    bins_of : ndarray of int, shape (n,)
        Bin of ``log_mass``; -1 outside.
    bins : int
    probability : ndarray, shape (q,)
        Of the quantiles.

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
    residual = log_stellar_mass - median_curve(x, y, log_mass)
    rows = []
    for b in range(bins):
        enough = np.sum(inside[b]) >= LEAST_IN_BIN
        sample = residual[inside[b] if enough else anywhere]
        rows.append(
            {
                "curve_log_mass": x[b],
                "curve_log_stellar_mass": y[b],
                "residual_source": "bin" if enough else "pooled",
                "residual_quantiles": (
                    np.quantile(sample, probability, method="hazen")
                    if len(sample)
                    else np.zeros(len(probability))
                ),
            }
        )
    return rows


def luminous_share(
    log_mass: Array,
    luminous: Array,
    any_luminous: np.bool_ | bool,
    edges: Sequence[float] | Array | None = None,
) -> tuple[Array, Array]:
    """Luminous share at nodes of mass.

    Parameters
    ----------
    log_mass : ndarray, shape (n,)
        Of resolved subhalos.
    luminous : ndarray of bool, shape (n,)
    any_luminous : bool
        The share where there is no resolved subhalo: all or none.
    edges : sequence of float, shape (nodes + 1,), optional
        Intervals of mass with a node each, above and below which all is taken together; by
        default `NODES` groups of equally many subhalos. Groups of fewer than `LEAST_PER_NODE`
        are joined to the next lower one.

    Returns
    -------
    log_mass, share : ndarray, shape (nodes,)
        Increasing in mass: the medians of the groups, then padded.
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
    if not x:  # nothing resolved here: the thinning and its deficit say how many are missing
        x, p = [0.0], [float(any_luminous)]
    while len(x) < nodes:
        x.append(x[-1] + 1.0)
        p.append(p[-1])
    return np.array(x), np.array(p)


def per_host(host_bin: Array, host: Array, b: int) -> tuple[float, float]:
    """Mean and variance of the number of subhalos per host of bin ``b``.

    Parameters
    ----------
    host_bin : ndarray of int, shape (hosts,)
    host : ndarray of int, shape (n,)
        Index into ``host_bin`` of each subhalo that counts.
    b : int
    """
    hosts = host_bin == b
    if not np.any(hosts):
        return 0.0, 0.0
    number = np.bincount(host, minlength=len(host_bin))[hosts]
    return float(np.mean(number)), float(np.var(number))


def merge_sparse(log_mass: Array, edges: Sequence[float] | Array, least: int) -> Array:
    """Edges of which each bin holds ``least`` values or more: sparse bins join the next lower one.

    The lowest joins the next higher one. Values outside ``edges`` do not count.
    """
    merged = [float(edge) for edge in edges]
    number = [int(k) for k in np.histogram(log_mass, merged)[0]]
    b = len(number) - 1
    while b >= 0 and len(number) > 1:
        if number[b] < least:
            other = b - 1 if b else 1
            number[other] += number.pop(b)
            del merged[b if b else 1]
        b -= 1
    return np.array(merged)
