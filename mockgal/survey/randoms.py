"""Points at random on the sky of a survey, to compare its galaxies with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import random
from ..errors import UsageError
from ..layout import MADE_WITH
from ..system.memory import check_memory
from ..system.progress import advance
from ..theory.distances import distances
from ..types import GalaxyCatalog
from .footprint import Footprint, SkyBox, SkyCap
from .number_density import NumberDensity, volumes
from .sky import angles, axes_at
from .steps import STEPS, check_sky, drawn

Array = NDArray[Any]

_BYTES = 160  # per point: its columns, and what making them needs
_BLOCK = 1 << 18  # candidates drawn at a time
_LEAST_SHARE = 1e-5  # of the candidates that a footprint may hold


def randoms(
    galaxies: GalaxyCatalog,
    footprint: Footprint,
    target: NumberDensity,
    *,
    number: int,
    seed: int,
) -> GalaxyCatalog:
    """Return points at random in a footprint, with redshifts of a number density.

    Redshifts are those of the density that was asked for, not of the galaxies, whose structure
    along the line of sight they would take away. Within a bin the comoving density is constant.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        Whose survey it is: its cosmology and its provenance are taken.
    footprint : Footprint
    target : NumberDensity
    number : int
        How many points.
    seed : int
        Point i is the i-th candidate that the footprint accepts; each candidate is keyed by the
        seed and its own number, so that more points begin with the same ones.

    Returns
    -------
    GalaxyCatalog
        With ``galaxy_id``, ``halo_id`` (the same numbers), ``ra``, ``dec``, ``distance`` and both
        redshifts, which are equal.

    Raises
    ------
    UsageError
        A number below 1, a footprint without area, or a density of 0 throughout.

    Examples
    --------
    >>> from mockgal.survey.footprint import SkyBox
    >>> from mockgal.survey.light_cone import light_cone
    >>> from mockgal.survey.number_density import NumberDensity
    >>> from mockgal.survey.randoms import randoms
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> cone = light_cone(mock, redshifts=(0.002, 0.004))
    >>> n_of_z = NumberDensity([0.0025, 0.0035], [1e-2])
    >>> points = randoms(cone, SkyBox((0, 90), (0, 90)), n_of_z, number=500, seed=1)
    >>> len(points), bool((points["redshift"] < 0.0035).all())
    (500, True)
    """
    check_sky(galaxies, "randoms")
    if not (isinstance(number, int | np.integer) and number > 0):
        raise UsageError("randoms", repr(number), "a number of points, from 1 on")
    if not footprint.area > 0:
        raise UsageError("randoms", "a footprint without area", "places that are observed")
    weight = target.density * volumes(galaxies, target.edges, 1.0)
    if not weight.sum() > 0:
        raise UsageError("randoms", "a number density of 0 in all bins", "a density above 0")
    check_memory(f"{number:,} randoms", _BYTES * int(number), "ask for fewer")
    parts = list(_places(footprint, int(number), random.check_seed(seed)))
    ids, ra, dec = (np.concatenate([part[k] for part in parts])[:number] for k in range(3))
    far = distances(galaxies.snapshot.cosmology, float(target.edges[-1]))
    distance = _distances(far.distances(target.edges), weight, ids, seed)
    redshift = far.redshifts(distance)
    columns = {
        "galaxy_id": ids,
        "halo_id": ids,
        "ra": ra,
        "dec": dec,
        "distance": distance,
        "redshift_cosmological": redshift,
        "redshift": redshift,
    }
    step = {
        "step": "randoms",
        "number": int(number),
        "seed": seed,
        "footprint": footprint.describe(),
        "area_deg2": footprint.area,
        "redshifts_of": f"the number density that was {target.origin}",
        "edges": target.edges.tolist(),
        "density_h3_mpc3": target.density.tolist(),
    }
    provenance = {
        "version": galaxies.provenance.get("version"),
        MADE_WITH: galaxies.provenance.get(MADE_WITH, {}),
        "simulation": galaxies.provenance.get("simulation", {}),
        "painter": {"name": "randoms"},
        "seed": seed,
        "cuts": [],
        STEPS: [step],
    }
    return GalaxyCatalog(columns, galaxies.snapshot, "sky", provenance)


def _places(footprint: Footprint, number: int, seed: int) -> Iterator[tuple[Array, Array, Array]]:
    """Yield the ids and places of accepted candidates, until there are enough."""
    west, east, south, north = 0.0, 360.0, -1.0, 1.0
    if isinstance(footprint, SkyBox):  # no others are accepted
        west, east = footprint.ra[0], footprint.ra[0] + footprint.width
        south, north = np.sin(np.radians(footprint.dec))
    found = tried = 0
    while found < number:
        ids = np.arange(tried, tried + _BLOCK, dtype=np.int64)
        u, v, w = (drawn(seed, "randoms", ids, k) for k in range(3))
        ra = np.mod(west + (east - west) * u, 360.0)
        dec = np.degrees(np.arcsin(south + (north - south) * v))
        if isinstance(footprint, SkyCap):  # no others are accepted
            ra, dec = _in_cap(footprint, u, v)
        kept = w < footprint.completeness(ra, dec)
        found, tried = found + int(np.count_nonzero(kept)), tried + _BLOCK
        advance(min(found, number), number, "randoms")
        if found < _LEAST_SHARE * tried:
            raise UsageError(
                "randoms",
                f"a footprint that holds {found} of {tried} places on the sky",
                f"at least {_LEAST_SHARE:g} of the sky",
                "give a footprint of right ascensions and declinations around it",
            )
        yield ids[kept], ra[kept], dec[kept]


def _in_cap(cap: SkyCap, u: Array, v: Array) -> tuple[Array, Array]:
    """Return places at random in a cap, of numbers in (0, 1)."""
    height = 2.0 * math.sin(math.radians(cap.opening) / 2.0) ** 2 * v
    across, turn = np.sqrt(height * (2.0 - height)), 2.0 * math.pi * u
    x, y, z = 1.0 - height, across * np.cos(turn), across * np.sin(turn)
    axes = axes_at(*cap.direction)
    ra, dec, _ = angles(np.stack([a * x + b * y + c * z for a, b, c in axes], axis=1))
    return ra, dec


def _distances(edges: Array, weight: Array, ids: Array, seed: int) -> Array:
    """Return distances: a bin by its weight, and a place in it by comoving volume."""
    share = np.concatenate([[0.0], np.cumsum(weight)]) / weight.sum()
    u = drawn(seed, "randoms", ids, 3)
    bins = np.clip(np.searchsorted(share, u, side="right") - 1, 0, len(weight) - 1)
    part = (u - share[bins]) / (share[bins + 1] - share[bins])
    low, high = edges[bins] ** 3, edges[bins + 1] ** 3
    return np.asarray(np.cbrt(low + np.clip(part, 0.0, 1.0) * (high - low)))
