"""The number density of a survey by redshift: n(z) asked for, and reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, UsageError
from ..theory.distances import distances
from ..types import GalaxyCatalog
from .steps import check_sky, chosen, redshift_column, uniform

Array = NDArray[Any]

WAYS = ("threshold", "random")


@dataclass(frozen=True)
class NumberDensity:
    """A number density in bins of redshift.

    Parameters
    ----------
    edges : ndarray of float, shape (m + 1,)
        Redshifts, increasing.
    density : ndarray of float, shape (m,)
        Comoving number density [h^3 Mpc^-3].

    Raises
    ------
    BadValueError
        Edges that do not increase, or densities that are negative.
    """

    edges: Array
    density: Array

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
    far = distances(galaxies.snapshot.cosmology, float(edges[-1])).distances(edges)
    return np.asarray(np.radians(1.0) ** 2 * area / 3.0 * np.diff(far**3))


def measured(galaxies: GalaxyCatalog, edges: Array, area: float) -> NumberDensity:
    """Return the number density of galaxies over an area [deg^2], by the redshift of the survey."""
    check_sky(galaxies, "n(z)")
    number, _ = np.histogram(galaxies[redshift_column(galaxies)], edges)
    return NumberDensity(edges, number / volumes(galaxies, edges, area))


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
        ``"threshold"``: the galaxies of the highest stellar mass in each bin of redshift; at equal
        masses those of the lowest id. ``"random"``: each galaxy with equal chance in each bin.
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
        ``by`` is unknown, or the seed is missing.
    BadValueError
        The mock has too few galaxies in some bins, which the message lists.
    """
    check_sky(galaxies, "n(z)")
    if by not in WAYS:
        raise UsageError("n(z) by", repr(by), "one of " + ", ".join(WAYS))
    if by == "random" and seed is None:
        raise UsageError("n(z) by random", "no seed", "a seed", "give one")
    volume = volumes(galaxies, target.edges, area)
    wanted = target.density * volume
    name = redshift_column(galaxies)
    bins = np.searchsorted(target.edges, galaxies[name], side="right") - 1
    inside = (bins >= 0) & (bins < len(wanted))
    number = np.bincount(bins[inside], minlength=len(wanted))
    _check_enough(target, wanted, number)
    kept = np.zeros(len(galaxies), dtype=bool)
    if by == "random":
        share = wanted / np.maximum(number, 1)
        u = uniform(galaxies, int(seed or 0), "n(z)")
        kept[inside] = u[inside] < share[bins[inside]]
        why = "thinned at random to n(z)"
    else:
        keys = [galaxies[name] for name in ("copy", "galaxy_id") if name in galaxies]
        order = np.lexsort((*keys, -galaxies["stellar_mass"], bins))
        starts = np.searchsorted(bins[order], np.arange(len(wanted)))
        rank = np.arange(len(order)) - starts[np.clip(bins[order], 0, len(wanted) - 1)]
        most = np.rint(wanted).astype(np.int64)
        within = inside[order]
        chosen_ones = order[within]
        kept[chosen_ones] = rank[within] < most[bins[chosen_ones]]
        why = "the most massive in bins of redshift, whose threshold is not one stellar mass"
    reached = np.bincount(bins[kept], minlength=len(wanted)) / volume
    facts: dict[str, Any] = {
        "by": by,
        "redshifts": name,
        "area_deg2": area,
        "edges": target.edges.tolist(),
        "asked_h3_mpc3": target.density.tolist(),
        "reached_h3_mpc3": reached.tolist(),
        "beyond_the_bins": int(np.count_nonzero(~inside)),
    }
    if by == "random":
        facts["seed"] = seed
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
