"""What is asked of a calibration: what counts as luminous and resolved, its bins and its domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..statistics.jackknife import check_per_side
from ..types import Scene
from .host_mass import LEAST_FOR_RATIO

Array = NDArray[Any]

COARSER = 1.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """What is asked of `mockgal.calibration.hod_table.measure`.

    Parameters
    ----------
    luminosity_floor : float
        Least stellar mass that counts as luminous [Msun/h].
    least_particles : int
        Least gravity-only particles of a resolved subhalo; of the coarsest pair, for all of them.
    edges : sequence of float, shape (bins + 1,), optional
        Bins of log10 hydro host mass [Msun/h], taken as they are. By default bins of ``bin_width``
        [dex] over all resolved hosts, those with fewer than ``least_hosts`` of them in either run
        joined to a neighbour, which is recorded.
    bin_width : float
    least_hosts : int
    jackknife : int
        Sub-volumes along each side of a box that are left out for the errors; 0 for no errors.
    method : str, optional
        How hosts are matched: see `mockgal.calibration.matching.match.match`.
    redshift_tolerance, particle_mass_factor, cosmology_tolerance : float
        Half-width of the domain in redshift; factor by which particles may be lighter (they may be
        heavier by `COARSER` only, or the least subhalos would be missing); half-width in omega_m
        and h.

    Raises
    ------
    UsageError
        Edges that do not increase, a number that is out of its range.
    """

    luminosity_floor: float
    least_particles: int
    edges: Sequence[float] | Array | None = None
    bin_width: float = 0.25
    least_hosts: int = 15
    jackknife: int = 3
    method: str | None = None
    redshift_tolerance: float = 0.05
    particle_mass_factor: float = 2.0
    cosmology_tolerance: float = 0.05

    def __post_init__(self) -> None:
        check_per_side(self.jackknife)
        for name, whole, low, high, unit in (
            ("luminosity_floor", False, 1.0, 1e14, " Msun/h"),
            ("least_particles", True, 1, 1_000_000, ""),
            ("bin_width", False, 0.01, 5.0, " dex"),
            ("least_hosts", True, LEAST_FOR_RATIO, 1_000_000, ""),
        ):
            value = getattr(self, name)
            kind = int | np.integer if whole else int | float | np.number
            number = isinstance(value, kind) and not isinstance(value, bool)
            if not number or not low <= value <= high:
                raise UsageError(
                    name.replace("_", " "),
                    f"{value!r}{unit if number else ''}",
                    f"a {'whole ' * whole}number from {low:g} to {high:g}{unit}",
                    "give another, or leave it out for the default",
                )
        if self.edges is not None:
            object.__setattr__(self, "edges", _checked_edges(self.edges))

    def domain(self, pairs: Sequence[tuple[Scene, Scene]]) -> dict[str, list[float]]:
        """Return the least domain that holds those around every pair."""
        each = [
            domain_around(
                dark.snapshot.redshift,
                dark.snapshot.particle_mass or 0.0,
                {key: getattr(dark.snapshot.cosmology, key) for key in ("omega_m", "h")},
                redshift_tolerance=self.redshift_tolerance,
                particle_mass_factor=self.particle_mass_factor,
                cosmology_tolerance=self.cosmology_tolerance,
            )
            for _, dark in pairs
        ]
        return {
            key: [min(d[key][0] for d in each), max(d[key][1] for d in each)] for key in each[0]
        }


def domain_around(
    redshift: float,
    particle_mass: float,
    cosmology: Mapping[str, float],
    *,
    redshift_tolerance: float = Request.redshift_tolerance,
    particle_mass_factor: float = Request.particle_mass_factor,
    cosmology_tolerance: float = Request.cosmology_tolerance,
) -> dict[str, list[float]]:
    """Return the domain of a table made at one redshift, resolution and cosmology.

    Parameters
    ----------
    redshift : float
    particle_mass : float
        [Msun/h].
    cosmology : mapping
        ``omega_m`` and ``h``.
    redshift_tolerance, particle_mass_factor, cosmology_tolerance : float
        See `Request`.
    """
    domain = {
        "redshift": [redshift - redshift_tolerance, redshift + redshift_tolerance],
        "particle_mass": [particle_mass / particle_mass_factor, particle_mass * COARSER],
    }
    for key, value in cosmology.items():
        domain[key] = [round(value - cosmology_tolerance, 6), round(value + cosmology_tolerance, 6)]
    return domain


def _checked_edges(edges: Sequence[float] | Array) -> Array:
    try:
        found = np.asarray(edges, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty((0, 0))
    if found.ndim != 1 or len(found) < 2 or not np.all(np.diff(found) > 0):
        raise UsageError(
            "edges", f"{edges!r}", "two or more numbers that increase", "log10 of masses in Msun/h"
        )
    return found
