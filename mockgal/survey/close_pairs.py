"""Galaxies that a spectrograph misses, for their neighbours are too close on the sky."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..types import GalaxyCatalog
from .sky import directions
from .steps import check_sky, check_unweighted, chosen, uniform

Array = NDArray[Any]


def without_close_pairs(galaxies: GalaxyCatalog, *, angle: float, seed: int) -> GalaxyCatalog:
    """Return the galaxies that fibres reach, two of which cannot be closer than an angle.

    Galaxies are taken in the order of keyed numbers, and each that is closer than the angle to one
    taken before is lost. Its weight goes to the nearest one that was kept, as in the nearest-
    neighbour correction of BOSS (Anderson et al. 2012, arXiv:1203.6594, section 3.3; the pairs of
    plates that overlap, where both are observed, are not modelled).

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On the sky: all targets of the spectrograph, whatever their redshifts.
    angle : float
        Least separation of two fibres [arcsec]; 62 in BOSS.
    seed : int

    Returns
    -------
    GalaxyCatalog
        With ``weight_close_pairs``, 1 plus the weights of the galaxies for which one stands; their
        sum is that of the galaxies before.

    Raises
    ------
    UsageError
        The galaxies are in a box, or have weights; or the angle is not between 0 and 1 deg.

    Examples
    --------
    >>> from mockgal.survey.close_pairs import without_close_pairs
    >>> from mockgal.survey.light_cone import light_cone
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> cone = light_cone(mock, redshifts=(0.002, 0.01))
    >>> observed = without_close_pairs(cone, angle=62.0, seed=1)
    >>> observed["weight_close_pairs"].sum() == len(cone) > len(observed)
    True
    """
    check_sky(galaxies, "close pairs")
    check_unweighted(galaxies, "close pairs", "weight_close_pairs")
    if not 0.0 < angle <= 3600.0:
        raise UsageError("angle of close pairs", f"{angle} arcsec", "above 0, up to 3600 arcsec")
    place = directions(galaxies["ra"], galaxies["dec"])
    pairs = _close(place, math.radians(angle / 3600.0))
    ids = [galaxies[name] for name in ("copy", "galaxy_id") if name in galaxies]
    order = np.lexsort((*ids, uniform(galaxies, seed, "close pairs")))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    kept = _first_come(pairs, rank)
    weight = _weights(place, pairs, kept, rank)
    facts = {
        "angle_arcsec": float(angle),
        "pairs_that_close": len(pairs),
        "lost": int(np.count_nonzero(~kept)),
        "seed": seed,
    }
    why = f"galaxies lost to neighbours closer than {angle:g} arcsec; their weights are passed on"
    weighted = galaxies.with_columns(weight_close_pairs=weight)
    return chosen(weighted, kept, "close pairs", why, facts)


def _close(place: Array, angle: float) -> Array:
    """Return the pairs of rows that are closer than an angle [rad], shape (m, 2)."""
    from scipy.spatial import cKDTree

    if len(place) < 2:
        return np.zeros((0, 2), dtype=np.intp)
    found = cKDTree(place).query_pairs(2.0 * math.sin(angle / 2.0), output_type="ndarray")
    return np.asarray(found)


def _first_come(pairs: Array, rank: Array) -> Array:
    """Return which rows are kept, if each in turn of ``rank`` shuts out those close to it.

    All that come before their neighbours are kept at once; the rest is decided without them.
    """
    kept = np.ones(len(rank), dtype=bool)
    open_ = pairs
    while len(open_):
        later = np.where(rank[open_[:, 0]] > rank[open_[:, 1]], open_[:, 0], open_[:, 1])
        earlier = open_.sum(axis=1) - later
        waits = np.zeros(len(rank), dtype=bool)
        waits[later] = True
        lost = later[~waits[earlier]]
        kept[lost] = False
        # Pairs of which one is lost decide nothing more, nor do those whose first is kept.
        open_ = open_[kept[open_].all(axis=1) & waits[earlier]]
    return kept


def _weights(place: Array, pairs: Array, kept: Array, rank: Array) -> Array:
    """Return 1 plus the number of lost rows whose nearest kept neighbour a row is."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[~kept[both[:, 0]] & kept[both[:, 1]]]  # a lost row, and a kept one near it
    apart = ((place[both[:, 0]] - place[both[:, 1]]) ** 2).sum(axis=1)
    order = np.lexsort((rank[both[:, 1]], apart, both[:, 0]))
    both = both[order]
    first = np.ones(len(both), dtype=bool)
    first[1:] = both[1:, 0] != both[:-1, 0]
    return 1.0 + np.bincount(both[first, 1], minlength=len(kept))
