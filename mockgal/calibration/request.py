"""The request of a calibration: the limits of luminous and resolved, the bins and the domain."""

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
    """A request for `mockgal.calibration.hod_table.measure`.

    Parameters
    ----------
    luminosity_floor : float
        Least stellar mass that counts as luminous [Msun/h].
    least_particles : int
        Least gravity-only particles of a resolved subhalo; the limit of the coarsest pair applies
        to all pairs.
    edges : sequence of float, shape (bins + 1,), optional
        Bins of log10 hydro host mass [Msun/h], used unchanged. By default bins of ``bin_width``
        [dex] over all resolved hosts; bins with fewer than ``least_hosts`` hosts in either run are
        merged with a neighbour, which is recorded.
    bin_width : float
    least_hosts : int
    jackknife : int
        Sub-volumes along each side of a box to leave out in turn for errors; 0 for no errors.
    method : str, optional
        How hosts are matched: see `mockgal.calibration.matching.match.match`.
    redshift_tolerance, particle_mass_factor, cosmology_tolerance : float
        Half-width of the domain in redshift; factor by which particles may be lighter (they may be
        heavier only by `COARSER`, or the smallest subhalos would be missing); half-width in omega_m
        and h.

    Raises
    ------
    UsageError
        The edges do not increase, or a number is out of its range.
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
                    "change it, or leave it out for the default",
                )
        if self.edges is not None:
            object.__setattr__(self, "edges", _checked_edges(self.edges))

    def domain(self, pairs: Sequence[tuple[Scene, Scene]]) -> dict[str, list[float]]:
        """Return the smallest domain that contains the domains around all pairs."""
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
        values = np.asarray(edges, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    if values.ndim != 1 or len(values) < 2 or not np.all(np.diff(values) > 0):
        raise UsageError(
            "edges",
            f"{edges!r}",
            "two or more increasing numbers",
            "give log10 of masses in Msun/h",
        )
    return values
