"""Gravity on a mesh, and the motion of particles under it.

The potential is that of the mass that CIC deposits on the mesh, with -1/k^2 for the inverse
Laplacian. Forces are its fourth-order differences, interpolated with the same kernel as the
deposit, so that the particles' forces on each other cancel (Hockney & Eastwood 1988, chapter 5).
They fall below Newton's within about two voxels: nothing smaller is resolved.

Particles move by leapfrog steps (kick, drift, kick), evenly spaced in the scale factor. Kicks and
drifts have the factors of FastPM (Feng et al. 2016, arXiv:1603.00476, section 2): linear growth is
exact for steps of any size, and their number matters only for non-linear growth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ..cosmology import Cosmology
from ..errors import UsageError
from ..fields.assign import deposit
from ..system import progress
from ..system.memory import check_memory
from ..system.parallel import over, threads
from ..theory.linear import Growth
from .initial import Particles, wavevectors

Array = NDArray[Any]

_PART_ROWS = 1 << 17  # particles moved in one call
_ARRAYS = 4  # arrays of the size of the mesh held at once


def potential(position: Array, *, mesh_size: int, box_size: float, omega_m: float) -> Array:
    """Solve ``Laplacian(potential) = 3/2 Omega_m delta`` on the mesh.

    Parameters
    ----------
    position : ndarray, shape (n, 3)
        Positions of particles of equal mass, in [0, box_size) [Mpc/h].
    mesh_size : int
        Voxels along each side; the potential is that at their centres.
    box_size : float
        [Mpc/h]
    omega_m : float
        Omega_m today.

    Returns
    -------
    ndarray, shape (N, N, N)
        [(Mpc/h)^2]
    """
    check_memory(f"mesh of {mesh_size}^3 voxels", 8 * _ARRAYS * mesh_size**3)
    mass = deposit(position, 1.0, grid_size=mesh_size, box_size=box_size)
    mass *= 1.5 * omega_m * mesh_size**3 / len(position)  # 3/2 Omega_m (1 + delta)
    waves = fft.rfftn(mass, workers=threads(), overwrite_x=True)
    del mass
    kx, ky, kz = wavevectors(mesh_size, box_size)

    def divide(plane: int) -> None:
        square = kx[plane] ** 2 + ky[0] ** 2 + kz[0] ** 2
        square[square == 0.0] = np.inf  # the mean has no force
        waves[plane] /= -square

    over(divide, range(mesh_size))
    shape = (mesh_size,) * 3
    return np.asarray(fft.irfftn(waves, s=shape, workers=threads(), overwrite_x=True))


def evolve(
    start: Particles,
    *,
    cosmology: Cosmology,
    redshifts: tuple[float, float],
    steps: int,
    mesh_size: int,
    box_size: float,
) -> Particles:
    """Return the particles at another time.

    Parameters
    ----------
    start : Particles
        Particles at the first redshift, all of the same mass; they are all the matter there is.
    cosmology : Cosmology
    redshifts : tuple of two float
        The first redshift, and the last, which is lower.
    steps : int
        Steps, evenly spaced in the scale factor; the mesh is filled once per step, and once before
        the first.
    mesh_size : int
        Voxels along each side.
    box_size : float
        [Mpc/h]

    Returns
    -------
    Particles
        At the last redshift, in the same order; identical to the bit for any number of threads.

    Raises
    ------
    UsageError
        The redshifts do not decrease, or there is no step.
    ResourceError
        The mesh does not fit in memory.
    """
    if not -1.0 < redshifts[1] < redshifts[0] or steps < 1:
        raise UsageError(
            "synthetic universe",
            f"{steps} steps from redshift {redshifts[0]} to {redshifts[1]}",
            "one or more, to a lower redshift",
        )
    from . import gravity_kernels as kernels

    growth, omega_m = Growth(cosmology), cosmology.omega_m
    first, last = (1.0 / (1.0 + z) for z in redshifts)
    times = np.linspace(first, last, steps + 1)
    middles = (times[:-1] + times[1:]) / 2.0
    position, momentum = start.position.copy(), start.momentum.copy()
    parts = [slice(i, i + _PART_ROWS) for i in range(0, len(position), _PART_ROWS)]

    def kick(a: float, begin: float, end: float) -> None:
        """Kick by the forces at a, for the time from ``begin`` to ``end``."""
        duration = growth.momentum(end) - growth.momentum(begin)
        duration /= 1.5 * omega_m * growth.factor(a)
        field = potential(position, mesh_size=mesh_size, box_size=box_size, omega_m=omega_m)

        def work(rows: slice) -> None:
            kernels.kick(position[rows], momentum[rows], field, box_size, duration)

        over(work, parts)

    def drift(a: float, begin: float, end: float) -> None:
        """Drift by the momenta at a, for the time from ``begin`` to ``end``."""
        duration = (growth.factor(end) - growth.factor(begin)) / growth.momentum(a)
        over(lambda rows: kernels.drift(position[rows], momentum[rows], box_size, duration), parts)

    kick(times[0], times[0], middles[0])
    for step in range(steps):
        drift(middles[step], times[step], times[step + 1])
        after = middles[step + 1] if step + 1 < steps else times[-1]
        kick(times[step + 1], middles[step], after)
        progress.advance(step + 1, steps, "gravity")
    return Particles(position, momentum)
