"""Properties of subhalos that stellar mass follows, and where a catalogue is complete in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...columns import HALO_COLUMNS
from ...errors import MissingDatasetError
from ...types import Scene
from .options import PROXIES

Array = NDArray[Any]

NEEDS = {
    "vpeak": ("peak_vmax",),
    "v_alpha": ("peak_mass", "vmax_at_peak_mass", "peak_mass_scale"),
    "mpeak": ("peak_mass",),
    "vmax": ("vmax",),
    "mass": ("mass",),
}
_WIDTH = 1.25  # mass range of the centrals at the edge
_SLOPES = {"mpeak": 1.0}  # of a proxy with mass; that of velocities is 1/3
_FEW = 100  # centrals at the edge
_QUANTILE = 0.95  # of their proxies: above, few of the halos below the edge are missing


class Edge(NamedTuple):
    """Where a catalogue is complete in a proxy.

    Parameters
    ----------
    proxy : float
        Least value of the proxy that is complete, in its unit.
    mass : float
        Bound mass below which subhalos are not resolved [Msun/h].
    why : str
        What sets the mass.
    """

    proxy: float
    mass: float
    why: str


def unit_of(name: str) -> str:
    """Return the unit of a proxy."""
    return HALO_COLUMNS["vmax" if name == "v_alpha" else NEEDS[name][0]].unit_label


def peak_definition(scene: Scene) -> str:
    """Return the definition of the masses of subhalos, and of those at their peak."""
    return str(scene.snapshot.record.get("mass_column_definition", "vir"))


def present(scene: Scene) -> list[str]:
    """Return the names of the proxies that a simulation has."""
    return [name for name in PROXIES if all(column in scene.halos for column in NEEDS[name])]


def check_proxy(scene: Scene, name: str) -> None:
    """Raise if a simulation lacks what a proxy is made of.

    Raises
    ------
    MissingDatasetError
        The simulation lacks a column.
    """
    lacking = [column for column in NEEDS[name] if column not in scene.halos]
    if lacking:
        others = " or ".join(present(scene))
        raise MissingDatasetError(
            f"simulation {scene.snapshot.name}",
            f"no {', '.join(lacking)} of subhalos",
            f"what the proxy {name} is made of",
            f"give --proxy {others}; peaks of a history are in hlist files of consistent-trees, "
            'or name columns of a table: --columns "peak_mass=Mpeak [Msun/h]"',
        )


def proxy_of(scene: Scene, name: str, alpha: float) -> Array:
    """Return a proxy of each subhalo, in km/s or Msun/h, shape (n,).

    v_alpha is v_vir (vmax / v_vir)^alpha when the mass was largest (Mao, Williamson & Wechsler
    2015, arXiv:1503.02637; Lehmann et al. 2017, arXiv:1510.05651, eq. 2).

    Raises
    ------
    MissingDatasetError
        See `check_proxy`.
    """
    check_proxy(scene, name)
    halos = scene.halos
    if name != "v_alpha":
        return np.asarray(halos[NEEDS[name][0]], dtype=np.float64)
    mass, scale = halos["peak_mass"], halos["peak_mass_scale"]
    definition = peak_definition(scene)
    scales, place = np.unique(scale, return_inverse=True)  # as many as outputs of the run
    of_unit_mass = np.zeros(len(scales))
    for k in np.flatnonzero(scales > 0):
        _, of_unit_mass[k] = scene.snapshot.cosmology.halo_scale(1.0, definition, 1 / scales[k] - 1)
    virial = of_unit_mass[place] * np.cbrt(mass)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = virial * (halos["vmax_at_peak_mass"] / virial) ** alpha
    return np.where(np.isfinite(value), value, 0.0)


def edge_of(scene: Scene, proxy: Array, name: str, least_particles: int) -> Edge:
    """Return where a catalogue is complete in a proxy.

    Subhalos are resolved from a bound mass on: that of the least number of particles, or of the
    lightest subhalo if that is larger or the particles' mass is not known. Other proxies scatter
    at a given mass. They are complete where 95% of the centrals of that mass have less: of those
    just above, whose proxies are scaled to that mass.

    Parameters
    ----------
    scene : Scene
    proxy : ndarray, shape (n,)
    name : str
    least_particles : int
    """
    mass, central = scene.halos["mass"], scene.halos["is_central"]
    lightest = float(np.min(mass, initial=np.inf, where=mass > 0))
    particle = scene.snapshot.particle_mass
    least, why = lightest, "the lightest subhalo, as the mass of a particle is not known"
    if particle is not None:
        least = least_particles * particle
        why = f"{least_particles} particles of {particle:.4g} Msun/h"
        if np.isfinite(lightest) and lightest > least:
            least, why = lightest, f"the lightest subhalo, above that of {why}"
    if name == "mass" or not len(mass):
        return Edge(least, least, why)
    rows = np.flatnonzero(central & (mass >= least) & (mass < _WIDTH * least))
    if len(rows) < _FEW:
        above = np.sort(mass[central & (mass >= least)])[:_FEW]
        most = above[-1] if len(above) else least
        rows = np.flatnonzero(central & (mass >= least) & (mass <= most))
    if not len(rows):
        return Edge(np.inf, least, why)
    scaled = proxy[rows] * (least / mass[rows]) ** _SLOPES.get(name, 1 / 3)
    return Edge(float(np.quantile(scaled, _QUANTILE)), least, why)
