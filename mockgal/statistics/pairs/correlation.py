"""Two-point correlation functions of galaxies in a periodic box: xi(r), w_p(r_p), multipoles.

- xi = DD / RR - 1. RR, the expected number of pairs of random points, is known in a periodic box:
  n (n - 1) V_bin / V.
- w_p = 2 times the integral of xi(r_p, pi) over pi from 0 to pi_max (Davis & Peebles 1983, ApJ 267,
  465). As RR is proportional to the length along pi, that is 2 pi_max (DD / RR - 1) with all pi in
  one bin: bins along pi would change nothing.
- xi_l = (2 l + 1) times the integral of xi(s, mu) L_l(mu) over mu from 0 to 1, with L_l integrated
  over each bin of mu, so that a xi independent of mu has no quadrupole.

Each galaxy counts as one, unless ``weigh_by`` names columns: then a pair counts as the product of
its weights, and n (n - 1) is the square of the sum of the weights less the sum of their squares. A
bin of separations includes its lower edge but not its upper one.

A bin without pairs has the value of the estimator, DD / RR - 1 = -1 (w_p = -2 pi_max; xi_0 = -1,
xi_2 = xi_4 = 0), so that the mean over realisations is unbiased, however sparse they are: leaving
such bins out would average only over the realisations that have a pair. Its error is that of one
pair. Values are NaN only if RR = 0, with fewer than two galaxies.

Errors are from a jackknife (`mockgal.statistics.pairs.jackknife`). They were tested with 27
sub-volumes of a box of side L, over 400 boxes of 2000 points. Errors of xi are 1.06 (at L/50) to
1.5 (at L/4) times the scatter between boxes for random points, where each pair across a boundary is
left out twice; 0.85 (within the clusters) to 1.24 times for clustered points, and 1.0 to 1.2 times
for a log-normal field. Jackknife errors of correlation functions are known to be somewhat too
large: Norberg et al. 2009, arXiv:0810.1885; Mohammad & Percival 2022, arXiv:2109.07071.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...fields.sample import check_axis, positions
from ...system.memory import check_memory
from ...types import GalaxyCatalog
from .. import jackknife as jackknives
from ..galaxies.bins import describe_safe, reliable_left_out, safe_jackknife
from ..result import ERROR, Field, Measurement, Style
from .counts import pair_counter
from .jackknife import count_by_region, count_two_by_region, left_out
from .separations import (
    BYTES,
    PI_MAX,
    Cylinders,
    Separations,
    Shells,
    Wedges,
    check_bins,
    count_pairs,
    logarithmic_edges,
    reach,
    warn_of_pi_max,
)
from .weighted import Sample, count_weighted, mean_square, themselves, weights_of

Array = NDArray[Any]

LENGTH = "Mpc / littleh"
R_MIN, BINS, MU_BINS = 0.1, 15, 20
ESTIMATOR = "DD / RR - 1, RR = n (n - 1) V_bin / V"
CROSS_ESTIMATOR = "D_a D_b / RR - 1, RR = (n_a n_b - shared) V_bin / V"
WEIGHTED_ESTIMATOR = "sum of w w over pairs / RR - 1, RR = ((sum of w)^2 - sum of w^2) V_bin / V"
WEIGHTED_CROSS_ESTIMATOR = (
    "sum of w_a w_b over pairs / RR - 1, "
    "RR = (sum of w_a times sum of w_b - sum of w_a w_b of shared galaxies) V_bin / V"
)
POISSON = "Poisson, sqrt(max(DD, 1)) / RR"
EMPTY_BINS = "-1, as DD / RR - 1 gives; not a number where RR = 0"
ORDERS = (0, 2, 4)


def correlation_function(
    galaxies: GalaxyCatalog,
    *,
    r_min: float = R_MIN,
    r_max: float | None = None,
    bins: int = BINS,
    line_of_sight: str | None = None,
    jackknife: int = 3,
    weigh_by: str | None = None,
) -> Measurement:
    """Measure the correlation function xi(r).

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    r_min, r_max : float
        Ends of the bins [Mpc/h]; r_max must be below a third of the box. Its default is a quarter
        of the box, but at most 30 Mpc/h.
    bins : int
        Number of bins, equal in log r.
    line_of_sight : str, optional
        ``"x"``, ``"y"`` or ``"z"``: measure in redshift space.
    jackknife : int
        Sub-volumes along each side of the box, or 0 for Poisson errors, sqrt(DD) / RR; in bins
        without pairs the error of one pair.
    weigh_by : str, optional
        Columns whose product is the weight of a galaxy, joined by commas; by default each counts
        as one.

    Returns
    -------
    Measurement
        Columns ``r_low``, ``r_high``, ``r`` (the mean over the bin's volume) [Mpc/h], ``xi`` with
        ``xi_error``, and ``pairs``, each counted once. xi is -1 in bins without pairs.

    Raises
    ------
    UsageError
        An option has a value that is not allowed.

    Notes
    -----
    The run time is that of counting all pairs once in each direction: tens of seconds for 1e6
    galaxies with halotools, a tenth of that or less with Corrfunc (docs/explanation/speed.md).
    """
    edges = logarithmic_edges(r_min, r_max, bins, galaxies.snapshot.box_size)
    one = np.ones(1)
    found = estimate(
        galaxies,
        None,
        line_of_sight,
        Shells(edges),
        one[:, None],
        one,
        jackknife,
        "pairs of xi",
        weigh_by,
    )
    estimates = {"xi": Field("", "correlation function", r"$\xi(r)$")}
    return pairs_result("xi", "r", edges, 3, estimates, found)


def projected_correlation_function(
    galaxies: GalaxyCatalog,
    *,
    line_of_sight: str = "z",
    r_min: float = R_MIN,
    r_max: float | None = None,
    bins: int = BINS,
    pi_max: float | None = None,
    jackknife: int = 3,
    weigh_by: str | None = None,
) -> Measurement:
    """Measure the projected correlation function w_p(r_p), in redshift space.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    line_of_sight : str
        ``"x"``, ``"y"`` or ``"z"``.
    r_min, r_max : float
        Ends of the bins of r_p, the separation across the line of sight [Mpc/h]; limit and
        default as in `correlation_function`.
    bins : int
        Number of bins, equal in log r_p.
    pi_max : float, optional
        Largest separation along the line of sight [Mpc/h], below a third of the box; by default a
        quarter of the box, but at most 40 Mpc/h.
    jackknife, weigh_by
        See `correlation_function`.

    Returns
    -------
    Measurement
        Columns ``r_p_low``, ``r_p_high``, ``r_p`` (the mean over the bin's area) [Mpc/h], ``w_p``
        with ``w_p_error`` [Mpc/h], and ``pairs``, each counted once. w_p is -2 pi_max in bins
        without pairs.

    Raises
    ------
    UsageError
        An option has a value that is not allowed.
    """
    check_axis(line_of_sight)
    box_size = galaxies.snapshot.box_size
    edges = logarithmic_edges(r_min, r_max, bins, box_size)
    pi_max = reach("pi_max", pi_max, box_size, PI_MAX)
    warn_of_pi_max(pi_max, edges)
    length = np.array([2.0 * pi_max])
    found = estimate(
        galaxies,
        None,
        line_of_sight,
        Cylinders(edges, pi_max),
        length[:, None],
        length,
        jackknife,
        "pairs of wp",
        weigh_by,
    )
    found.settings["pi_max_mpc_h"] = float(pi_max)
    estimates = {
        "w_p": Field(LENGTH, "projected correlation function", r"$w_p(r_p)$ [Mpc/$h$]"),
    }
    return pairs_result("wp", "r_p", edges, 2, estimates, found)


def correlation_multipoles(
    galaxies: GalaxyCatalog,
    *,
    line_of_sight: str = "z",
    r_min: float = R_MIN,
    r_max: float | None = None,
    bins: int = BINS,
    mu_bins: int = MU_BINS,
    jackknife: int = 3,
    weigh_by: str | None = None,
) -> Measurement:
    """Measure the multipoles xi_0(s), xi_2(s) and xi_4(s) of xi in redshift space.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    line_of_sight : str
        ``"x"``, ``"y"`` or ``"z"``.
    r_min, r_max : float
        Ends of the bins of the separation s [Mpc/h]; limit and default as in
        `correlation_function`.
    bins : int
        Number of bins, equal in log s.
    mu_bins : int
        Number of bins of mu from 0 to 1, the cosine of the angle to the line of sight.
    jackknife, weigh_by
        See `correlation_function`.

    Returns
    -------
    Measurement
        Columns ``s_low``, ``s_high``, ``s`` (the mean over the bin's volume) [Mpc/h], ``xi_0``,
        ``xi_2``, ``xi_4`` with their errors, and ``pairs``, each counted once. In bins without
        pairs xi_0 is -1, the others 0.

    Raises
    ------
    UsageError
        An option has a value that is not allowed.
    """
    check_axis(line_of_sight)
    edges = logarithmic_edges(r_min, r_max, bins, galaxies.snapshot.box_size)
    check_bins("mu_bins", mu_bins)
    found = estimate(
        galaxies,
        None,
        line_of_sight,
        Wedges(edges, mu_bins),
        legendre_weights(mu_bins),
        np.array([1.0, 0.0, 0.0]),
        jackknife,
        "pairs of xi_multipoles",
        weigh_by,
    )
    found.settings["mu_bins"] = mu_bins
    names = ("monopole", "quadrupole", "hexadecapole")
    estimates = {
        f"xi_{order}": Field("", f"{name} of the correlation function", rf"$\xi_{order}(s)$")
        for order, name in zip(ORDERS, names, strict=True)
    }
    return pairs_result(
        "xi_multipoles",
        "s",
        edges,
        3,
        estimates,
        found,
        Style(labels=(r"$\xi_\ell(s)$",)),
    )


def legendre_weights(mu_bins: int) -> Array:
    """Return (2 l + 1) times the integral of L_l over each bin of mu, shape (3, mu_bins)."""
    edges = np.linspace(0.0, 1.0, mu_bins + 1)
    integrals = [np.polynomial.Legendre.basis(order).integ()(edges) for order in ORDERS]
    return (2 * np.array(ORDERS)[:, None] + 1) * np.diff(integrals, axis=1)


class Found(NamedTuple):
    """Estimates and errors, shape (n, estimates), the pairs, each once, and what they are of.

    ``left_out``, shape (R, n, estimates), has the estimates with each sub-volume left out; None
    without a jackknife.
    """

    values: Array
    errors: Array
    pairs: Array
    degrees_of_freedom: float
    settings: dict[str, Any]
    left_out: Array | None = None


def estimate(
    galaxies: GalaxyCatalog,
    other: GalaxyCatalog | None,
    line_of_sight: str | None,
    bins: Separations,
    weights: Array,
    of_one: Array,
    jackknife: int,
    label: str,
    weigh_by: str | None = None,
) -> Found:
    """Return the estimates: sums of xi over each row of m bins times ``weights``.

    ``other`` is the sample of the second members of pairs, None for the first again. ``weights``
    have shape (estimates, m); ``of_one``, shape (estimates,), is their exact sum for xi = 1;
    ``label`` names the work in progress reports; ``weigh_by`` see `weighted.weights_of`.
    """
    per_side = jackknives.check_per_side(jackknife)
    box_size = galaxies.snapshot.box_size
    number = len(galaxies) + (0 if other is None else len(other))
    check_memory(label, BYTES * number, "count fewer galaxies, with --cut")
    catalogues = [one for one in (galaxies, other) if one is not None]
    samples = [Sample(_places(one, line_of_sight), weights_of(one, weigh_by)) for one in catalogues]
    same = themselves(catalogues, samples)
    ways = samples[0].sum() * samples[-1].sum() - same.sum()
    each = 2 if other is None else 1  # how often a pair is counted
    random = ways * bins.volumes() / box_size**3
    found = _count(samples, same, box_size, per_side, bins, label)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (found.products / random) @ weights.T - of_one
        total = found.pairs.sum(axis=1)
        # In rows without pairs, one pair is spread over the bins.
        spread = np.where(total[:, None] > 0, found.pairs, each / random.shape[1])
        errors = np.sqrt(each * spread / random**2 @ weights.T**2) * mean_square(samples)
        described = f"{POISSON}; too small for clustered galaxies"
        others = found.left_out
        if others is not None:
            others = others @ weights.T
            counted = np.broadcast_to(total[:, None] // each, errors.shape)
            errors = safe_jackknife(jackknives.error(others), errors, counted, per_side**3)
            others = reliable_left_out(others, counted)
            described = describe_safe(per_side, "pairs", POISSON)
    if ways <= 0:  # RR = 0
        values[:] = errors[:] = np.nan
    settings = {
        "space": "real" if line_of_sight is None else "redshift",
        "line_of_sight": "none" if line_of_sight is None else line_of_sight,
        **_estimator(samples),
        "bins_without_pairs": EMPTY_BINS,
        "r_min_mpc_h": float(bins.edges[0]),
        "r_max_mpc_h": float(bins.edges[-1]),
        "bins": f"{len(total)}, equal in the logarithm, lower edge in",
        "weight": "number" if samples[0].weight is None else weigh_by,
        "galaxies": len(galaxies),
        **({} if other is None else {"others": len(other), "shared_objects": len(same.place)}),
        "pair_counter": found.counter,
        "errors": described,
    }
    freedom = per_side**3 - 1 if per_side else np.inf
    return Found(values, errors, total // each, freedom, settings, others)


def _estimator(samples: list[Sample]) -> dict[str, str]:
    if samples[0].weight is None:
        return {"estimator": ESTIMATOR if len(samples) == 1 else CROSS_ESTIMATOR}
    return {
        "estimator": WEIGHTED_ESTIMATOR if len(samples) == 1 else WEIGHTED_CROSS_ESTIMATOR,
        "pairs": "their number, without weights",
    }


def _places(galaxies: GalaxyCatalog, line_of_sight: str | None) -> Array:
    """Return positions, with the line of sight along z."""
    position = positions(galaxies, line_of_sight)
    if line_of_sight is None:
        return position
    return np.roll(position, 2 - check_axis(line_of_sight), axis=1)


class _Counted(NamedTuple):
    """Ordered pairs, and the products of their weights, shape (n, m); xi with parts left out."""

    pairs: Array
    products: Array
    left_out: Array | None
    counter: str


def _count(
    samples: list[Sample],
    same: Sample,
    box_size: float,
    per_side: int,
    bins: Separations,
    label: str,
) -> _Counted:
    """Return the pairs in each bin, and xi with each sub-volume left out, if there are any.

    Parameters
    ----------
    samples : list of one or two Sample
    same, box_size, per_side, bins, label
        See `mockgal.statistics.pairs.jackknife`.
    """
    first, *more = samples
    second = more[0] if more else None
    rest = (box_size, per_side, bins)
    if first.weight is not None:
        sums = count_weighted(first, second, *rest, label)
        left = left_out(samples, same, *rest, sums.left_out()) if per_side else None
        return _Counted(sums.pairs, sums.total(), left, f"scipy {version('scipy')}")
    counter = pair_counter()
    if not per_side:
        others = None if second is None else second.place
        pairs = count_pairs(bins, counter, [(first.place, others)], box_size, label)[0]
        return _Counted(pairs, pairs, None, counter.name)
    if second is None:
        own, both = count_by_region(first.place, *rest, counter, label)
        pairs = own.sum(axis=0)
        remaining = pairs - 2 * own + both
    else:
        pairs, remaining = count_two_by_region((first.place, second.place), *rest, counter, label)
    left = left_out(samples, same, *rest, remaining)
    return _Counted(pairs, pairs, left, counter.name)


def pairs_result(
    statistic: str,
    axis: str,
    edges: Array,
    dimensions: int,
    estimates: dict[str, Field],
    found: Found,
    style: Style | None = None,
) -> Measurement:
    """Return the result, with the mean separation over each bin in 2 or 3 dimensions."""
    d = dimensions
    extent = {2: "area", 3: "volume"}[d]
    mean = d / (d + 1) * np.diff(edges ** (d + 1)) / np.diff(edges**d)
    unit, label = LENGTH, {"r": "$r$", "r_p": "$r_p$", "s": "$s$"}.get(axis, "") + " [Mpc/$h$]"
    if axis == "theta":
        unit, label = "deg", r"$\theta$ [deg]"
    columns = {f"{axis}_low": edges[:-1], f"{axis}_high": edges[1:], axis: mean}
    fields = {
        f"{axis}_low": Field(unit, "least separation in the bin"),
        f"{axis}_high": Field(unit, "upper edge of the bin, which is not in it"),
        axis: Field(unit, f"mean separation over the bin's {extent}", label),
        "pairs": Field("", "pairs of galaxies in the bin, each counted once", "pairs"),
    }
    for k, (name, what) in enumerate(estimates.items()):
        columns |= {name: found.values[:, k], name + ERROR: found.errors[:, k]}
        fields |= {name: what, name + ERROR: Field(what.unit, f"standard error of {name}")}
    columns["pairs"] = found.pairs
    others = found.left_out
    return Measurement(
        statistic,
        columns,
        fields,
        axis=axis,
        estimates=tuple(estimates),
        count="pairs",
        settings=found.settings,
        error_degrees_of_freedom=found.degrees_of_freedom,
        style=style or Style(),
        left_out={}
        if others is None
        else {name: others[:, :, k] for k, name in enumerate(estimates)},
    )
