"""Initial conditions: a lattice of particles, displaced by second-order perturbation theory.

Positions are x = q + D psi_1 + D^2 psi_2 (Scoccimarro 1998, MNRAS 299, 1097, appendix D): psi_1 is
minus the gradient of phi_1, whose Laplacian is the linear overdensity today, and psi_2 is
-3/7 Omega_m(a)^(-1/143) times the gradient of phi_2, whose Laplacian is the sum over i > j of
phi_1,ii phi_1,jj - phi_1,ij^2. Momenta follow from the growth of D and D^2, which is exact while
Omega_m is 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special

from ..cosmology import Cosmology
from ..random import uniform
from ..system.parallel import threads
from ..theory.linear import Growth

Array = NDArray[Any]


class Particles(NamedTuple):
    """Positions and momenta of particles of equal mass.

    ``position`` [comoving Mpc/h] is in [0, L); ``momentum`` is a^2 dx/dt with the time in units of
    1/H0 [Mpc/h]. Both have shape (n, 3), float64.
    """

    position: Array
    momentum: Array


def wavevectors(side: int, box_size: float) -> tuple[Array, Array, Array]:
    """Return the components of k [h/Mpc] of a real transform of ``side``^3 values.

    Each lies along its own axis.
    """
    step = 2.0 * np.pi / box_size
    whole, half = np.fft.fftfreq(side, 1.0 / side) * step, np.arange(side // 2 + 1) * step
    return whole[:, None, None], whole[None, :, None], half[None, None, :]


def linear_overdensity(
    power: Callable[[Array], Array], *, side: int, box_size: float, seed: int
) -> Array:
    """Return the Fourier coefficients of a Gaussian random field.

    The white noise of a lattice point depends only on the seed and the number of the point.

    Parameters
    ----------
    power : callable
        Power spectrum [(Mpc/h)^3] as a function of wavenumber [h/Mpc].
    side : int
        Points of the lattice along each axis, even.
    box_size : float
        [Mpc/h]
    seed : int

    Returns
    -------
    ndarray of complex, shape (N, N, N // 2 + 1)
        As ``scipy.fft.rfftn(field, norm="forward")``; the mean and the coefficients at Nyquist
        wavenumbers, which have no gradient, are zero.
    """
    noise = uniform(seed, "synthetic universe: white noise", np.arange(side**3))
    noise = special.ndtri(noise).reshape(side, side, side)
    waves = fft.rfftn(noise, norm="forward", workers=threads(), overwrite_x=True)
    kx, ky, kz = wavevectors(side, box_size)
    for plane in range(side):
        k = np.sqrt(kx[plane] ** 2 + ky[0] ** 2 + kz[0] ** 2)
        k[k == 0.0] = 1.0  # the mean, which is set to zero below
        waves[plane] *= np.sqrt(power(k) / box_size**3)
    waves *= np.sqrt(float(side) ** 3)
    middle = side // 2
    waves[middle], waves[:, middle], waves[:, :, middle], waves[0, 0, 0] = 0.0, 0.0, 0.0, 0.0
    return np.asarray(waves)


def displaced_lattice(
    waves: Array, *, box_size: float, cosmology: Cosmology, redshift: float
) -> Particles:
    """Displace the particles of a lattice, one at the centre of each of N^3 cells.

    Parameters
    ----------
    waves : ndarray of complex, shape (N, N, N // 2 + 1)
        Coefficients of the linear overdensity today: see `linear_overdensity`.
    box_size : float
        [Mpc/h]
    cosmology : Cosmology
    redshift : float
        Redshift of the particles, where the linear overdensity is D times that of today.

    Returns
    -------
    Particles
        In the order of the lattice.
    """
    side, a = len(waves), 1.0 / (1.0 + redshift)
    growth = Growth(cosmology)
    k = wavevectors(side, box_size)
    square = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    square[0, 0, 0] = 1.0
    shape = (side, side, side)

    def back(values: Array) -> Array:
        return np.asarray(fft.irfftn(values, s=shape, norm="forward", workers=threads()))

    potential = -waves / square  # phi_1
    second = back(-(k[0] ** 2) * potential)
    total = second * (other := back(-(k[1] ** 2) * potential))
    second += other
    total += second * back(-(k[2] ** 2) * potential)
    del second, other
    for i, j in ((0, 1), (0, 2), (1, 2)):
        total -= back(-k[i] * k[j] * potential) ** 2
    second_waves = fft.rfftn(total, norm="forward", workers=threads(), overwrite_x=True)
    second_waves *= 3.0 / 7.0 * growth.matter(a) ** (-1.0 / 143.0) / square
    del total

    factor, rate = growth.factor(a), growth.momentum(a)
    position, momentum = np.empty((side**3, 3)), np.empty((side**3, 3))
    cell = box_size / side
    for axis in range(3):
        lattice = ((np.arange(side) + 0.5) * cell).reshape(
            [-1 if i == axis else 1 for i in range(3)]
        )
        first = back(-1j * k[axis] * potential)
        after = back(1j * k[axis] * second_waves)
        position[:, axis] = (lattice + factor * first + factor**2 * after).ravel()
        momentum[:, axis] = (rate * (first + 2.0 * factor * after)).ravel()
    np.mod(position, box_size, out=position)
    position[position >= box_size] = 0.0  # a tiny negative wraps to the edge
    return Particles(position, momentum)
