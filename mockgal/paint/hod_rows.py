"""What an HOD table says of each subhalo, a block of rows at a time.

The law stands here once (`predict_rows`). What it looks up in the table is found with NumPy
(`reference`) or, for catalogues of many rows, with compiled code that gives the same bits
(`compiled`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..types import HaloCatalog
from .hod_table import CURVE, KINDS, RATIO, HODTable

Array = NDArray[Any]


COUNTS = (
    "unresolved",
    "resolved centrals below the first bin",
    "resolved satellites below the first bin",
    "never above the luminosity floor",
    "resolved and above the last bin",
    "resolved centrals without a host mass",
)


class Lookup(NamedTuple):
    """How things are looked up in a table, for arrays of shape (n,).

    ``edges`` and ``first_row`` are those of the kinds (0 centrals, 1 satellites). ``bin`` gives,
    for a kind and log masses, the bins, the first or the last for masses outside; ``median``, for
    the same, the median log10 of stellar mass; ``log_mass_ratio``, for log masses, what
    `HODTable.log_mass_ratio` does; ``luminous_probability``, for rows and log masses, what the
    function of that name does.
    """

    edges: tuple[Array, ...]
    first_row: tuple[int, ...]
    bin: Callable[[int, Array], Array]
    median: Callable[[int, Array], Array]
    log_mass_ratio: Callable[[Array], Array]
    luminous_probability: Callable[[Array, Array], Array]


class Rows(NamedTuple):
    """The prediction for n subhalos, and counts.

    Parameters
    ----------
    p_luminous, location : ndarray, shape (n,)
    residual_row : ndarray of int, shape (n,)
        Row of the table.
    above : ndarray of bool, shape (n,)
        At or above the upper edge of the last bin.
    hosts : tuple of two ndarray, shape (bins of the kind,)
        Resolved centrals, by the mass that the table's centrals are binned by, and by the one that
        its satellites are.
    counts : ndarray of int, shape (6,)
        As `COUNTS` says.
    """

    p_luminous: Array
    location: Array
    residual_row: Array
    above: Array
    hosts: tuple[Array, Array]
    counts: Array


def predict_rows(
    table: HODTable, look_up: Lookup, halos: HaloCatalog, part: slice, least_mass: float
) -> Rows:
    """The law of the subhalos in some rows.

    Parameters
    ----------
    table : HODTable
    look_up : Lookup
        Of this table.
    halos : HaloCatalog
    part : slice
        Which rows, n of them.
    least_mass : float
        Of a subhalo that is painted [Msun/h].
    """
    host_mass, own_mass = halos["host_mass"][part], halos["mass"][part]
    central = halos["is_central"][part]
    n = len(central)
    resolved = own_mass >= least_mass
    log_host, log_own = hydro_masses(table, look_up, host_mass, own_mass)
    floor, highest = math.log10(table.luminosity_floor), table.columns["residual_quantiles"][:, -1]

    p, location = np.zeros(n), np.zeros(n)
    row = np.empty(n, dtype=np.min_scalar_type(len(highest)))
    above = np.empty(n, dtype=bool)
    hosts, below, faint = [], [0, 0], 0
    is_host = resolved & central
    for kind, chosen in enumerate((np.flatnonzero(central), np.flatnonzero(~central))):
        first, last = look_up.edges[kind][[0, -1]]
        mass = log_host if table.binned_by[KINDS[kind]] == "host" else log_own
        counted = mass[is_host]
        bins = look_up.bin(kind, counted[counted >= first])
        hosts.append(np.bincount(bins, minlength=len(look_up.edges[kind]) - 1))

        x, painted = mass[chosen], resolved[chosen]
        above[chosen] = x >= last
        table_row = row[chosen] = look_up.first_row[kind] + look_up.bin(kind, x)
        in_range = ~(x < first)
        below[kind] = int(np.count_nonzero(painted & ~in_range))
        painted &= in_range
        if not np.all(painted):
            chosen, x, table_row = chosen[painted], x[painted], table_row[painted]
        luminous_by = x if kind == 0 else log_own[chosen]
        probability = look_up.luminous_probability(table_row, luminous_by)
        median = look_up.median(kind, x)
        with np.errstate(invalid="ignore"):
            never = ~(median + highest[table_row] > floor)  # also where the kind has no curve
        probability[never], median[never] = 0.0, 0.0
        faint += int(np.count_nonzero(never))
        p[chosen], location[chosen] = probability, median
    counts = [
        n - np.count_nonzero(resolved),
        *below,
        faint,
        np.count_nonzero(above & resolved),
        np.count_nonzero(is_host & (host_mass <= 0)),
    ]
    return Rows(p, location, row, above, (hosts[0], hosts[1]), np.array(counts))


def hydro_masses(
    table: HODTable, look_up: Lookup, host_mass: Array, own_mass: Array
) -> tuple[Array, Array]:
    """log10 of host mass and of own mass on the hydro scale; -inf where the host mass is zero."""
    with np.errstate(divide="ignore"):
        log_host, log_own = np.log10(host_mass), np.log10(own_mass)
    if table.has_twin:
        known = np.isfinite(log_host)
        rows = slice(None) if np.all(known) else known
        ratio = look_up.log_mass_ratio(log_host[rows])
        log_host[rows] += ratio
        log_own[rows] += ratio
    return log_host, log_own


def luminous_probability(table: HODTable, row: Array, log_mass: Array) -> Array:
    """Luminous probability, thinned where the table has a thinning.

    Parameters
    ----------
    table : HODTable
    row : ndarray of int, shape (n,)
        Rows of the table.
    log_mass : ndarray, shape (n,)
        log10 of mass on the hydro scale [Msun/h]: for centrals the one that their rows are binned
        by, for satellites their own.

    Returns
    -------
    ndarray, shape (n,)
        Straight between the row's nodes, constant beyond them.
    """
    x, y, thinning = _luminous_law(table)
    p = np.empty(len(row))
    for r in np.unique(row):
        chosen = row == r
        p[chosen] = thinning[r] * np.interp(log_mass[chosen], x[r], y[r])
    return np.minimum(p, 1.0)


def _luminous_law(table: HODTable) -> tuple[Array, Array, Array]:
    """Nodes in log mass, probabilities at them, and the factor on these, row by row."""
    c = table.columns
    x, y = c["luminous_log_mass"], c["luminous_probability"]
    return x, y, c.get("thinning", np.ones(len(x)))


def _bins(table: HODTable) -> tuple[tuple[Array, ...], tuple[int, ...]]:
    kinds = range(len(KINDS))
    return tuple(table.edges(kind) for kind in kinds), tuple(table.rows(k).start for k in kinds)


def reference(table: HODTable) -> Lookup:
    """Look up with NumPy and SciPy."""
    edges, first_row = _bins(table)

    def bins(kind: int, log_mass: Array) -> Array:
        index = np.searchsorted(edges[kind], log_mass, side="right") - 1
        return np.asarray(np.clip(index, 0, len(edges[kind]) - 2))

    return Lookup(
        edges,
        first_row,
        bins,
        table.median_log_stellar_mass,
        table.log_mass_ratio,
        lambda row, log_mass: luminous_probability(table, row, log_mass),
    )


def compiled(table: HODTable) -> Lookup:
    """Look up in compiled code."""
    from scipy.interpolate import PchipInterpolator

    from . import kernels

    edges, first_row = _bins(table)
    curves = []
    for kind in range(len(KINDS)):
        x, y = (table.columns[name][table.rows(kind)] for name in CURVE)
        known = np.isfinite(x) & np.isfinite(y)
        x, y = x[known], y[known]
        curve = PchipInterpolator(x, y) if len(x) > 1 else None
        curves.append((x, y, None if curve is None else np.ascontiguousarray(curve.c)))
    law = _luminous_law(table)
    if table.has_twin:
        known = np.isfinite(table.columns[RATIO[0]])
        ratio_nodes = [np.ascontiguousarray(table.columns[name][known]) for name in RATIO]

    def bins(kind: int, log_mass: Array) -> Array:
        result = np.empty(len(log_mass), dtype=np.int64)
        kernels.bin_of(log_mass, edges[kind], result)
        return result

    def median(kind: int, log_mass: Array) -> Array:
        x, y, coefficients = curves[kind]
        if coefficients is None:
            return table.median_log_stellar_mass(kind, log_mass)
        result = np.empty(len(log_mass))
        kernels.median_curve(log_mass, x, y, coefficients, result)
        return result

    def log_mass_ratio(log_mass: Array) -> Array:
        result = np.empty(len(log_mass))
        kernels.interpolate(log_mass, *ratio_nodes, result)
        return result

    def luminous(row: Array, log_mass: Array) -> Array:
        result = np.empty(len(log_mass))
        kernels.luminous_probability(log_mass, np.asarray(row, np.int64), *law, result)
        return result

    return Lookup(edges, first_row, bins, median, log_mass_ratio, luminous)
