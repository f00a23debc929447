"""Cross-correlation functions of two samples of galaxies in one periodic box: xi_ab(r), w_p(r_p).

- xi_ab = D_a D_b / RR - 1, with RR = (n_a n_b - n_ab) V_bin / V known in a periodic box; n_ab is
  the number of galaxies in both samples, which form no pair with themselves. So a sample with
  itself gives its own xi. For a and b together, with pairs counted in both orders,
  DD = D_a D_a + D_b D_b + 2 D_a D_b.
- w_p as in `mockgal.statistics.pairs.correlation`, which also has the rules for bins and for bins
  without pairs.

Errors are those of a jackknife that leaves sub-volumes out of both samples together. Poisson
errors, sqrt(D_a D_b) / RR, take all pairs as independent; of two samples that share all galaxies
they are too small by sqrt(2), since each pair is counted twice.
"""

from __future__ import annotations

import numpy as np

from ...fields.sample import check_axis
from ...types import GalaxyCatalog
from ..result import Field, Measurement
from ..two_samples import check_one_box
from .correlation import BINS, LENGTH, R_MIN, estimate, pairs_result
from .separations import PI_MAX, Cylinders, Shells, logarithmic_edges, reach, warn_of_pi_max


def cross_correlation(
    galaxies: GalaxyCatalog,
    other: GalaxyCatalog,
    *,
    r_min: float = R_MIN,
    r_max: float | None = None,
    bins: int = BINS,
    line_of_sight: str | None = None,
    jackknife: int = 3,
    weigh_by: str | None = None,
) -> Measurement:
    """Measure the cross-correlation function xi_ab(r) of two samples.

    Parameters
    ----------
    galaxies, other : GalaxyCatalog
        In one periodic box.
    r_min, r_max, bins, line_of_sight, jackknife, weigh_by
        See `mockgal.statistics.pairs.correlation.correlation_function`.

    Returns
    -------
    Measurement
        Columns ``r_low``, ``r_high``, ``r`` (the mean over the bin's volume) [Mpc/h], ``xi`` with
        ``xi_error``, and ``pairs`` of one galaxy of each sample. xi is -1 in bins without pairs.

    Raises
    ------
    UsageError
        An option has a value that is not allowed, or the samples are not of one box and redshift.
    """
    check_one_box(galaxies.snapshot, other.snapshot)
    edges = logarithmic_edges(r_min, r_max, bins, galaxies.snapshot.box_size)
    one = np.ones(1)
    found = estimate(
        galaxies,
        other,
        line_of_sight,
        Shells(edges),
        one[:, None],
        one,
        jackknife,
        "pairs of cross_xi",
        weigh_by,
    )
    estimates = {"xi": Field("", "cross-correlation function", r"$\xi_{ab}(r)$")}
    return pairs_result("cross_xi", "r", edges, 3, estimates, found)


def projected_cross_correlation(
    galaxies: GalaxyCatalog,
    other: GalaxyCatalog,
    *,
    line_of_sight: str = "z",
    r_min: float = R_MIN,
    r_max: float | None = None,
    bins: int = BINS,
    pi_max: float | None = None,
    jackknife: int = 3,
    weigh_by: str | None = None,
) -> Measurement:
    """Measure the projected cross-correlation function w_p(r_p) of two samples, in redshift space.

    Parameters
    ----------
    galaxies, other : GalaxyCatalog
        In one periodic box.
    line_of_sight, r_min, r_max, bins, pi_max, jackknife, weigh_by
        See `mockgal.statistics.pairs.correlation.projected_correlation_function`.

    Returns
    -------
    Measurement
        Columns ``r_p_low``, ``r_p_high``, ``r_p`` (the mean over the bin's area) [Mpc/h], ``w_p``
        with ``w_p_error`` [Mpc/h], and ``pairs`` of one galaxy of each sample. w_p is -2 pi_max in
        bins without pairs.

    Raises
    ------
    UsageError
        An option has a value that is not allowed, or the samples are not of one box and redshift.
    """
    check_axis(line_of_sight)
    check_one_box(galaxies.snapshot, other.snapshot)
    box_size = galaxies.snapshot.box_size
    edges = logarithmic_edges(r_min, r_max, bins, box_size)
    pi_max = reach("pi_max", pi_max, box_size, PI_MAX)
    warn_of_pi_max(pi_max, edges)
    length = np.array([2.0 * pi_max])
    found = estimate(
        galaxies,
        other,
        line_of_sight,
        Cylinders(edges, pi_max),
        length[:, None],
        length,
        jackknife,
        "pairs of cross_wp",
        weigh_by,
    )
    found.settings["pi_max_mpc_h"] = float(pi_max)
    label = r"$w_{p,ab}(r_p)$ [Mpc/$h$]"
    estimates = {"w_p": Field(LENGTH, "projected cross-correlation function", label)}
    return pairs_result("cross_wp", "r_p", edges, 2, estimates, found)
