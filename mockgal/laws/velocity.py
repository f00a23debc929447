"""The velocities of galaxies relative to those of the halos that they are in."""

from __future__ import annotations

from typing import NamedTuple


class VelocityBias(NamedTuple):
    """How galaxies move relative to their hosts (Guo et al. 2015, arXiv:1407.4811).

    Parameters
    ----------
    central : float
        Dispersion of centrals along each axis, relative to the velocity of their host, over the
        host's own dispersion, sqrt(G M / 2 R) as of an isothermal sphere.
    satellite : float
        Factor on the velocities of satellites relative to the velocity of their host.
    definition : str
        Mass definition that sets the radius R of hosts.
    """

    central: float
    satellite: float
    definition: str
