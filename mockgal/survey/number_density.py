"""The number density of a survey by redshift: n(z) asked for, and reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cosmology import Cosmology
from ..errors import BadValueError, UsageError, warn
from ..theory.distances import distances
from ..types import GalaxyCatalog
from .sky import BLOCK
from .steps import (
    check_columns,
    check_sky,
    check_unweighted,
    chosen,
    earlier,
    mass_column,
    redshift_column,
    uniform,
)

Array = NDArray[Any]

WAYS = ("threshold", "random")
_SIGMAS = 2.0  # of the errors and velocities that lie between a bin and the end of the light cone
_LOOKED_AT = 1 << 16  # galaxies, whose scatter is that of all
_SLACK = 0.01  # of the width of a bin that may reach beyond the light cone


@dataclass(frozen=True)
class NumberDensity:
    """A number density in bins of redshift.

    Parameters
    ----------
    edges : ndarray of float, shape (m + 1,)
        Redshifts, increasing.
    density : ndarray of float, shape (m,)
        Comoving number density [h^3 Mpc^-3].
    origin : str
        ``"asked for"``, or ``"measured"`` from galaxies; for the record.

    Raises
    ------
    BadValueError
        Edges that do not increase, or densities that are negative.

    Examples
    --------
    >>> from mockgal.survey.number_density import NumberDensity
    >>> n_of_z = NumberDensity([0.4, 0.5, 0.6], [3e-4, 1e-4])
    >>> n_of_z.at(np.array([0.45, 0.7])).tolist()
    [0.0003, 0.0]
    """

    edges: Array
    density: Array
    origin: str = "asked for"

    def __post_init__(self) -> None:
        edges, density = (np.array(x, dtype=np.float64) for x in (self.edges, self.density))
        if len(edges) != len(density) + 1 or len(density) == 0:
            raise BadValueError(
                "n(z)", f"{len(edges)} edges for {len(density)} densities", "one edge more"
            )
        if not (edges[0] >= 0 and np.all(np.diff(edges) > 0) and np.isfinite(edges).all()):
            raise BadValueError("n(z)", "edges that do not increase", "redshifts from 0 on")
        if not (np.all(density >= 0) and np.isfinite(density).all()):
            raise BadValueError("n(z)", "densities that are negative or not finite", "0 or more")
        for name, values in (("edges", edges), ("density", density)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @classmethod
    def of_surface(cls, edges: Array, surface: Array, cosmology: Cosmology) -> NumberDensity:
        """Return the comoving density of numbers on the sky.

        Parameters
        ----------
        edges : ndarray of float, shape (m + 1,)
        surface : ndarray of float, shape (m,)
            Galaxies for each square degree and unit of redshift.
        cosmology : Cosmology
        """
        check = cls(edges, surface)
        return cls(edges, surface * np.diff(check.edges) / _volumes(cosmology, check.edges, 1.0))

    def at(self, redshift: Array) -> Array:
        """Return the density at redshifts [h^3 Mpc^-3]; 0 beyond the bins."""
        k = np.searchsorted(self.edges, redshift, side="right") - 1
        inside = (k >= 0) & (k < len(self.density))
        return np.where(inside, self.density[np.clip(k, 0, len(self.density) - 1)], 0.0)


def volumes(galaxies: GalaxyCatalog, edges: Array, area: float) -> Array:
    """Return the comoving volume [(Mpc/h)^3] of bins of redshift over an area of the sky.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        Whose cosmology it is.
    edges : ndarray of float, shape (m + 1,)
    area : float
        [deg^2]
    """
    return _volumes(galaxies.snapshot.cosmology, edges, area)


def _volumes(cosmology: Cosmology, edges: Array, area: float) -> Array:
    far = distances(cosmology, float(edges[-1])).distances(edges)
    return np.asarray(np.radians(1.0) ** 2 * area / 3.0 * np.diff(far**3))


def measured(galaxies: GalaxyCatalog, edges: Array, area: float) -> NumberDensity:
    """Return the number density of galaxies over an area [deg^2], by the redshift of the survey.

    Galaxies count with the weights of those for which they stand, ``weight_close_pairs``.
    """
    check_sky(galaxies, "n(z)")
    bins = _bins(galaxies, edges)
    number = np.zeros(len(edges) - 1)
    if "weight_close_pairs" in galaxies:
        weight, inside = galaxies["weight_close_pairs"], bins >= 0
        number += np.bincount(bins[inside], weight[inside], minlength=len(number))
    else:
        number += _counts(bins, len(number))
    return NumberDensity(edges, number / volumes(galaxies, edges, area), "measured")


def _bins(galaxies: GalaxyCatalog, edges: Array) -> Array:
    """Return the bin of redshift of each galaxy, -1 if it is in none, as int32, shape (n,)."""
    redshift = galaxies[redshift_column(galaxies)]
    bins = np.empty(len(redshift), dtype=np.int32)
    for start in range(0, len(bins), BLOCK):
        part = np.searchsorted(edges, redshift[start : start + BLOCK], side="right") - 1
        part[part >= len(edges) - 1] = -1
        bins[start : start + BLOCK] = part
    return bins


def _counts(bins: Array, number: int, kept: Array | None = None) -> Array:
    """Return how many galaxies, or of those that are kept, are in each bin."""
    counts = np.zeros(number + 1, dtype=np.int64)
    for start in range(0, len(bins), BLOCK):
        rows = slice(start, start + BLOCK)
        part = bins[rows] if kept is None else bins[rows][kept[rows]]
        counts += np.bincount(part + 1, minlength=number + 1)
    return counts[1:]


def _at_random(galaxies: GalaxyCatalog, bins: Array, share: Array, seed: int) -> Array:
    """Return which galaxies are kept, if a share of those in each bin is."""
    kept = np.zeros(len(bins), dtype=bool)
    draw = len(earlier(galaxies, "n(z)"))  # numbers that chose them before are below a share
    for start in range(0, len(bins), BLOCK):
        rows = start + np.flatnonzero(bins[start : start + BLOCK] >= 0)
        kept[rows] = uniform(galaxies, seed, "n(z)", draw=draw, rows=rows) < share[bins[rows]]
    return kept


def _most_massive(galaxies: GalaxyCatalog, bins: Array, number: Array, wanted: Array) -> Array:
    """Return which galaxies are the most massive in their bins; at equal masses the lowest ids.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    bins : ndarray of int, shape (n,)
        -1 for galaxies in no bin.
    number, wanted : ndarray of int, shape (m,)
        How many there are in each bin, and how many are kept at most.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    mass = galaxies[mass_column(galaxies)]
    ordered, starts = np.empty(int(number.sum()), dtype=mass.dtype), np.cumsum(number) - number
    ends = starts.copy()
    for start in range(0, len(bins), BLOCK):
        part = bins[start : start + BLOCK]
        order = np.argsort(part, kind="stable")
        counts = np.bincount(part + 1, minlength=len(number) + 1)
        first = counts[0]
        for k in np.flatnonzero(counts[1:]):
            rows = order[first : first + counts[k + 1]]
            ordered[ends[k] : ends[k] + len(rows)] = _negative(mass[start + rows])
            first, ends[k] = first + len(rows), ends[k] + len(rows)
    last, left = np.full(len(number), -np.inf, dtype=mass.dtype), np.zeros(len(number), dtype=int)
    for k in np.flatnonzero((wanted > 0) & (number > 0)):
        own = ordered[starts[k] : starts[k] + number[k]]
        place = min(int(wanted[k]), len(own)) - 1
        own.partition(place)
        last[k] = own[place]
        left[k] = place + 1 - int(np.count_nonzero(own[: place + 1] < last[k]))
    return _down_to(galaxies, bins, mass, last, left)


def _negative(mass: Array) -> Array:
    """Return negative masses; infinity where a mass is no number, which comes last."""
    return np.where(np.isnan(mass), np.inf, -mass).astype(mass.dtype)


def _down_to(galaxies: GalaxyCatalog, bins: Array, mass: Array, last: Array, left: Array) -> Array:
    """Return which galaxies are more massive than the last of their bin, or among these the lowest.

    ``last`` is the negative mass of the last galaxy of each bin, -inf where none is kept, and
    ``left`` how many of that mass are kept.
    """
    kept, equal = np.zeros(len(bins), dtype=bool), [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(bins), BLOCK):
        rows = start + np.flatnonzero(bins[start : start + BLOCK] >= 0)
        limit, own = last[bins[rows]], _negative(mass[rows])
        kept[rows] = own < limit
        equal.append(rows[own == limit])
    rows = np.concatenate(equal)
    keys = [galaxies[name][rows] for name in ("copy", "galaxy_id") if name in galaxies]
    rows = rows[np.lexsort((*keys, bins[rows]))]
    counts = np.bincount(bins[rows], minlength=len(left))
    rank = np.arange(len(rows)) - (np.cumsum(counts) - counts)[bins[rows]]
    kept[rows[rank < left[bins[rows]]]] = True
    return kept


def in_bins(
    galaxies: GalaxyCatalog, edges: Array, *, area: float
) -> tuple[GalaxyCatalog, NumberDensity]:
    """Return the galaxies in bins of redshift, and the number density that they have.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On the sky, within a footprint.
    edges : ndarray of float, shape (m + 1,)
    area : float
        Of the footprint, weighted with its completeness [deg^2].

    Returns
    -------
    galaxies : GalaxyCatalog
    density : NumberDensity

    Raises
    ------
    UsageError
        Bins reach beyond the light cone.

    Examples
    --------
    >>> from mockgal.survey.footprint import WHOLE_SKY
    >>> from mockgal.survey.light_cone import light_cone
    >>> from mockgal.survey.number_density import in_bins
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> cone = light_cone(mock, redshifts=(0.002, 0.004))
    >>> sample, n_of_z = in_bins(cone, np.array([0.0025, 0.0035]), area=WHOLE_SKY)
    >>> n_of_z.origin, len(sample) < len(cone)
    ('measured', True)
    """
    check_unweighted(galaxies, "n(z)")
    density = measured(galaxies, edges, area)
    check_reach(galaxies, density)
    inside = _bins(galaxies, density.edges) >= 0
    facts = {
        "by": "measured",
        "redshifts": redshift_column(galaxies),
        "area_deg2": area,
        "edges": density.edges.tolist(),
        "reached_h3_mpc3": density.density.tolist(),
        "beyond_the_bins": int(np.count_nonzero(~inside)),
    }
    return chosen(galaxies, inside, "n(z)", "", facts), density


def check_reach(galaxies: GalaxyCatalog, density: NumberDensity) -> None:
    """Raise if bins that are to hold galaxies reach beyond the redshifts of the light cone.

    Velocities and errors move galaxies across the ends of the light cone, and none beyond it takes
    their place: bins that reach so far are warned of.

    Raises
    ------
    UsageError
        The bins are listed.
    """
    low, high = galaxies.snapshot.redshifts
    start, stop = density.edges[:-1], density.edges[1:]
    slack = _SLACK * (stop - start)
    beyond = (density.density > 0) & ((start < low - slack) | (stop > high + slack))
    if density.origin == "measured":
        beyond |= (stop <= low) | (start >= high)
    if beyond.any():
        raise UsageError(
            "n(z)",
            f"{np.count_nonzero(beyond)} of {len(start)} bins beyond the light cone, such as "
            f"{start[beyond][0]:.4g} to {stop[beyond][0]:.4g}",
            f"bins within its redshifts, {low:.4g} to {high:.4g}",
            "leave these bins out, or make the light cone deeper",
        )
    moved = _SIGMAS * _scatter(galaxies)
    near = (density.density > 0) & ((start < low + moved) | (stop > high - moved))
    if near.any():
        warn(
            f"{np.count_nonzero(near)} of {len(start)} bins of n(z), such as {start[near][0]:.4g} "
            f"to {stop[near][0]:.4g}, reach to within {moved:.2g} of the ends of the light cone, "
            f"{low:.4g} and {high:.4g}: velocities and errors of redshifts move galaxies out of "
            "it, and none in. Make the light cone wider by that, or leave these bins out",
        )


def _scatter(galaxies: GalaxyCatalog) -> float:
    """Return half the range of the middle 68% of redshifts less cosmological ones, which is sigma.

    It is 0 where cosmological redshifts are not known.
    """
    if "redshift_cosmological" not in galaxies or not len(galaxies):
        return 0.0
    rows = slice(None, None, max(len(galaxies) // _LOOKED_AT, 1))
    moved = galaxies[redshift_column(galaxies)][rows] - galaxies["redshift_cosmological"][rows]
    low, high = np.percentile(moved, [16, 84])
    return float(high - low) / 2.0


def to_number_density(
    galaxies: GalaxyCatalog, target: NumberDensity, *, area: float, by: str, seed: int | None = None
) -> GalaxyCatalog:
    """Return galaxies that have a number density by redshift.

    The redshift is the one that the survey sees: ``redshift_measured`` if there is one, else
    ``redshift``.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On the sky, within a footprint.
    target : NumberDensity
    area : float
        Of the footprint, weighted with its completeness [deg^2].
    by : str
        ``"threshold"``: the galaxies of the highest stellar mass in each bin of redshift, as
        measured if they have ``stellar_mass_measured``; at equal masses those of the lowest id.
        ``"random"``: each galaxy with equal chance in each bin.
    seed : int, optional
        Of ``"random"``.

    Returns
    -------
    GalaxyCatalog
        Without the galaxies beyond the bins; the record of the step has the density that was asked
        for and the one that was reached.

    Raises
    ------
    UsageError
        ``by`` is unknown, the seed is missing, or bins reach beyond the light cone.
    BadValueError
        The mock has too few galaxies in some bins, which the message lists.

    Examples
    --------
    >>> from mockgal.survey.footprint import WHOLE_SKY
    >>> from mockgal.survey.light_cone import light_cone
    >>> from mockgal.survey.number_density import NumberDensity, to_number_density
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> cone = light_cone(mock, redshifts=(0.002, 0.004))
    >>> n_of_z = NumberDensity([0.0025, 0.0035], [1e-2])
    >>> sample = to_number_density(cone, n_of_z, area=WHOLE_SKY, by="threshold")
    >>> len(sample) < len(cone)
    True
    """
    check_sky(galaxies, "n(z)")
    if by not in WAYS:
        raise UsageError("n(z) by", repr(by), "one of " + ", ".join(WAYS))
    if by == "random" and seed is None:
        raise UsageError("n(z) by random", "no seed", "a seed", "give one")
    check_unweighted(galaxies, "n(z)", "weight_close_pairs")
    if by == "threshold":
        check_columns(galaxies, "n(z) by threshold", mass_column(galaxies))
    check_reach(galaxies, target)
    volume = volumes(galaxies, target.edges, area)
    wanted = target.density * volume
    bins = _bins(galaxies, target.edges)
    number = _counts(bins, len(wanted))
    _check_enough(target, wanted, number)
    if by == "random":
        kept = _at_random(galaxies, bins, wanted / np.maximum(number, 1), int(seed or 0))
        why = "thinned at random to n(z)"
    else:
        kept = _most_massive(galaxies, bins, number, np.rint(wanted).astype(np.int64))
        why = "the most massive in bins of redshift, whose threshold is not one stellar mass"
    reached = _counts(bins, len(wanted), kept) / volume
    facts: dict[str, Any] = {
        "by": by,
        "redshifts": redshift_column(galaxies),
        "area_deg2": area,
        "edges": target.edges.tolist(),
        "asked_h3_mpc3": target.density.tolist(),
        "reached_h3_mpc3": reached.tolist(),
        "beyond_the_bins": len(galaxies) - int(number.sum()),
    }
    facts |= {"seed": seed} if by == "random" else {"masses": mass_column(galaxies)}
    return chosen(galaxies, kept, "n(z)", why, facts)


def _check_enough(target: NumberDensity, wanted: Array, number: Array) -> None:
    """Raise if bins hold fewer galaxies than asked for, by more than rounding."""
    few = np.flatnonzero(number < np.floor(wanted))
    if few.size:
        listed = "; ".join(
            f"{target.edges[k]:.4g} to {target.edges[k + 1]:.4g}: {number[k]} of {wanted[k]:.1f}"
            for k in few[:6]
        )
        raise BadValueError(
            "n(z)",
            f"too few galaxies in {few.size} of {len(wanted)} bins of redshift: {listed}",
            "as many as asked for, in each bin",
            "ask for fewer, paint a deeper sample, or leave these redshifts out",
        )
