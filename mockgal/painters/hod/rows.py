"""The prediction of an HOD table for each subhalo, a block of rows at a time.

`predict_rows` is the law, in NumPy. `compiled` returns a function that does the same in compiled
code (`mockgal.painters.kernels.predict_rows`), identical to the bit, for catalogues of many rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...types import HaloCatalog
from .columns import CURVE, KINDS, RATIO
from .table import HODTable

if TYPE_CHECKING:
    from ..kernels import Law

Array = NDArray[Any]

COUNTS = (
    "unresolved",
    "resolved centrals below the first bin",
    "resolved satellites below the first bin",
    "never above the luminosity floor",
    "resolved and above the last bin",
    "resolved centrals without a host mass",
)


class Prediction(NamedTuple):
    """Columns of shape (n,) that the predictions of blocks of rows are written to.

    ``residual_row`` is the row of the table; ``above`` says whether the mass is at or above the
    upper edge of the last bin; the others are as in `mockgal.laws.distribution.Distribution`.
    """

    p_luminous: Array
    location: Array
    residual_row: Array
    above: Array

    @classmethod
    def of(cls, rows: int) -> Prediction:
        """Return empty columns for a number of rows."""
        return cls(
            np.empty(rows), np.empty(rows), np.empty(rows, np.int16), np.empty(rows, np.bool_)
        )


# (halos, rows, lowest mass of a painted subhalo [Msun/h], columns to write to) -> the result of
# `predict_rows`
Predictor = Callable[[HaloCatalog, slice, float, Prediction], tuple[Array, Array]]


def predict_rows(
    table: HODTable, halos: HaloCatalog, part: slice, least_mass: float, out: Prediction
) -> tuple[Array, Array]:
    """Predict the law of the subhalos in some rows.

    Parameters
    ----------
    table : HODTable
    halos : HaloCatalog
    part : slice
        The rows.
    least_mass : float
        Lowest mass of a painted subhalo [Msun/h].
    out : Prediction
        Columns of all rows; those of ``part`` are filled.

    Returns
    -------
    hosts : ndarray of int, shape (rows of the table,)
        Resolved centrals in the mass bin of each row, by the mass that the row's kind is binned by.
    counts : ndarray of int, shape (6,)
        The numbers that `COUNTS` names.
    """
    host_mass, own_mass = halos["host_mass"][part], halos["mass"][part]
    central = halos["is_central"][part]
    kind = np.where(central, 0, 1)
    resolved = own_mass >= least_mass
    log_host, log_own = hydro_masses(table, host_mass, own_mass)
    by = [log_host if table.binned_by[name] == "host" else log_own for name in KINDS]
    mass = np.where(central, *by)
    first, last = (np.array([table.edges(k)[end] for k in (0, 1)])[kind] for end in (0, -1))
    too_light, above = resolved & (mass < first), mass >= last
    painted = resolved & ~too_light
    row = table_row(table, kind, mass)

    p, location = np.zeros(len(kind)), np.zeros(len(kind))
    luminous_by = np.where(central, mass, log_own)
    p[painted] = luminous_probability(table, row[painted], luminous_by[painted])
    for k in (0, 1):
        chosen = painted & (kind == k)
        location[chosen] = table.median_log_stellar_mass(k, mass[chosen])
    highest = location + table.columns["residual_quantiles"][row, -1]
    with np.errstate(invalid="ignore"):
        faint = painted & ~(highest > math.log10(table.luminosity_floor))  # NaN without a curve
    p[faint], location[faint] = 0.0, 0.0
    for column, values in zip(out, (p, location, row, above), strict=True):
        column[part] = values

    host = np.flatnonzero(resolved & central)
    hosts = np.zeros(len(table.columns["kind"]), dtype=np.int64)
    for k in (0, 1):
        x = by[k][host]
        x = x[x >= table.edges(k)[0]]
        hosts += np.bincount(table_row(table, np.full(len(x), k), x), minlength=len(hosts))
    counts = [
        np.sum(~resolved),
        np.sum(too_light & central),
        np.sum(too_light & ~central),
        np.sum(faint),
        np.sum(above & resolved),
        np.sum(host_mass[host] <= 0),
    ]
    return hosts, np.array(counts)


def hydro_masses(table: HODTable, host_mass: Array, own_mass: Array) -> tuple[Array, Array]:
    """Return log10 of host and own mass on the hydro scale; -inf where the host mass is zero."""
    with np.errstate(divide="ignore"):
        log_host, log_own = np.log10(host_mass), np.log10(own_mass)
    if table.has_twin:
        known = np.isfinite(log_host)
        ratio = table.log_mass_ratio(log_host[known])
        log_host[known] += ratio
        log_own[known] += ratio
    return log_host, log_own


def table_row(table: HODTable, kind: Array, log_mass: Array) -> Array:
    """Return rows of the table for kinds and masses; a kind's first or last row for those outside.

    Parameters
    ----------
    table : HODTable
    kind : ndarray of int, shape (n,)
        0 for centrals, 1 for satellites.
    log_mass : ndarray, shape (n,)
        log10 of the mass that the kind is binned by, on the hydro scale [Msun/h].

    Returns
    -------
    ndarray of int, shape (n,)
    """
    row = np.empty(len(kind), dtype=np.int64)
    for k in (0, 1):
        edges, chosen = table.edges(k), kind == k
        index = np.searchsorted(edges, log_mass[chosen], side="right") - 1
        row[chosen] = table.rows(k).start + np.clip(index, 0, len(edges) - 2)
    return row


def luminous_probability(table: HODTable, row: Array, log_mass: Array) -> Array:
    """Return the luminous probability, thinned if the table has a thinning.

    Parameters
    ----------
    table : HODTable
    row : ndarray of int, shape (n,)
        Rows of the table.
    log_mass : ndarray, shape (n,)
        log10 of mass on the hydro scale [Msun/h]: for centrals the mass that their rows are binned
        by, for satellites their own.

    Returns
    -------
    ndarray, shape (n,)
        Linear between the row's nodes, constant beyond them.
    """
    c, p = table.columns, np.empty(len(row))
    for r in np.unique(row):
        chosen = row == r
        p[chosen] = np.interp(
            log_mass[chosen], c["luminous_log_mass"][r], c["luminous_probability"][r]
        )
        if table.has_twin:
            p[chosen] *= c["thinning"][r]
    return np.minimum(p, 1.0)


def compiled(table: HODTable) -> Predictor:
    """Return `predict_rows` of a table in compiled code."""
    from .. import kernels

    law, rows = _kernel_law(table), len(table.columns["kind"])

    def predict(
        halos: HaloCatalog, part: slice, least_mass: float, out: Prediction
    ) -> tuple[Array, Array]:
        host_mass, own_mass = (
            np.require(halos[name][part], np.float64, ("C", "A")) for name in ("host_mass", "mass")
        )
        central = np.require(halos["is_central"][part], np.bool_, ("C",)).view(np.uint8)
        hosts, counts = np.zeros(rows, dtype=np.int64), np.zeros(len(COUNTS), dtype=np.int64)
        with np.errstate(divide="ignore"):
            log_host, log_own = np.log10(host_mass), np.log10(own_mass)
        masses = kernels.Masses(log_host, log_own, host_mass, own_mass, central)
        p, location, row, above = (column[part] for column in out)
        results = kernels.Results(p, location, row, above.view(np.uint8), hosts, counts)
        kernels.predict_rows(kernels.read_only(masses), least_mass, law, results)
        return hosts, counts

    return predict


def _kernel_law(table: HODTable) -> Law:
    """Return a table as arguments of `mockgal.painters.kernels.predict_rows`.

    The kinds are side by side, padded to the same length.
    """
    from scipy.interpolate import PchipInterpolator

    from ..kernels import Law, read_only, slopes

    c, edges = table.columns, [table.edges(k) for k in (0, 1)]
    padded_edges = np.full((2, max(map(len, edges))), np.inf)
    curve_x = np.full((2, max(map(len, edges))), np.inf)
    coefficients = np.zeros((2, 4, max(map(len, edges))))
    coefficients[:, 3] = np.nan  # where a kind has no curve
    ends = np.zeros((2, 4))  # of the curve: first and last node, and the slopes beyond
    intervals = np.zeros(2, dtype=np.int64)
    for k in (0, 1):
        padded_edges[k, : len(edges[k])] = edges[k]
        x, y = (c[name][table.rows(k)] for name in CURVE)
        known = np.isfinite(x) & np.isfinite(y)
        x, y = x[known], y[known]
        curve_x[k, : len(x)] = x
        if len(x):
            ends[k, :2], coefficients[k, 3, 0] = x[[0, -1]], y[0]
            intervals[k] = 1
        if len(x) > 1:
            intervals[k] = len(x) - 1
            coefficients[k, :, : len(x) - 1] = PchipInterpolator(x, y).c
            ends[k, 2:] = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
    ratio = [np.zeros(1), np.zeros(1)]  # none
    if table.has_twin:
        known = np.isfinite(c[RATIO[0]]) & np.isfinite(c[RATIO[1]])
        ratio = [c[name][known] for name in RATIO]
    luminous = (c["luminous_log_mass"], c["luminous_probability"])
    law = Law(
        has_ratio=table.has_twin,
        ratio_nodes=ratio[0],
        ratio_values=ratio[1],
        ratio_slopes=slopes(*ratio),
        centrals_by_host=table.binned_by["central"] == "host",
        satellites_by_host=table.binned_by["satellite"] == "host",
        edges=padded_edges,
        bins=np.array([len(e) - 1 for e in edges], dtype=np.int64),
        luminous_nodes=luminous[0],
        luminous_values=luminous[1],
        luminous_slopes=slopes(*luminous),
        thinning=c["thinning"] if table.has_twin else np.ones(len(c["kind"])),
        curve_nodes=curve_x,
        coefficients=coefficients,
        ends=ends,
        intervals=intervals,
        highest=c["residual_quantiles"][:, -1],
        floor=math.log10(table.luminosity_floor),
    )
    return read_only(law)  # type: ignore[no-any-return]
