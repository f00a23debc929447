"""The HOD as the paper's public code paints it, quirks included, for comparison.

Kasmanoff et al. 2020 (arXiv:2012.00186), section 2.3: every resolved subhalo gets a stellar mass
from the distribution of its kind in its host's bin in the hydrodynamic run, and the masses of
satellites are multiplied by ratios that stand for the effects of baryons. The consequences for the
catalogue are in docs/explanation/hod.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...types import HaloCatalog
from .columns import KINDS
from .rows import COUNTS, Prediction, table_row
from .table import HODTable

Array = NDArray[Any]


def predict_paper_rows(
    table: HODTable, halos: HaloCatalog, part: slice, least_mass: float, out: Prediction
) -> tuple[Array, Array]:
    """Predict the law of the subhalos in some rows, as `mockgal.painters.hod.rows.predict_rows`.

    Host masses are binned uncorrected. Subhalos that are not painted because there is no
    distribution are counted where `predict_rows` counts those below the luminosity floor.
    """
    host_mass, own_mass = halos["host_mass"][part], halos["mass"][part]
    central = halos["is_central"][part]
    kind = np.where(central, 0, 1)
    with np.errstate(divide="ignore"):
        mass = np.log10(host_mass)
    resolved = own_mass >= least_mass
    first, last = (np.array([table.edges(k)[end] for k in (0, 1)])[kind] for end in (0, -1))
    too_light, above = resolved & (mass < first), mass >= last
    row = table_row(table, kind, mass)
    factor = table.columns["paper_factor"][row]
    lacking = (table.columns["luminous_hydro"][row] == 0) | (factor == 0)
    painted = resolved & ~too_light
    p = np.where(painted & ~lacking, 1.0, 0.0)
    with np.errstate(divide="ignore"):
        location = np.where(p > 0, np.log10(factor), 0.0)
    for column, values in zip(out, (p, location, row, above), strict=True):
        column[part] = values
    counts = {
        "unresolved": ~resolved,
        "resolved centrals below the first bin": too_light & central,
        "resolved satellites below the first bin": too_light & ~central,
        "never above the luminosity floor": painted & lacking,
        "resolved and above the last bin": above & resolved,
        "resolved centrals without a host mass": resolved & central & (host_mass <= 0),
    }
    hosts = np.zeros(len(table.columns["kind"]), dtype=np.int64)
    inside = painted & central
    for k in range(len(KINDS)):
        rows = table_row(table, np.full(int(np.sum(inside)), k), mass[inside])
        hosts += np.bincount(rows, minlength=len(hosts))
    return hosts, np.array([np.sum(counts[name]) for name in COUNTS])


def paper_complete_from(table: HODTable) -> float:
    """Return the stellar mass [Msun/h] above which the mode has all galaxies of its distributions.

    It is the table's luminosity floor, times the largest factor on the masses of satellites if that
    is above 1.
    """
    return table.luminosity_floor * max(1.0, float(table.columns["paper_factor"].max()))
