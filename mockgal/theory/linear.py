"""Linear theory: growth with time, and the power spectrum that a universe starts from.

The transfer function is that of Eisenstein & Hu 1998 (ApJ 496, 605) without baryonic wiggles. Its
shape ignores dark energy and massive neutrinos; the growth includes those that a cosmology states.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import integrate

from ..cosmology import LCDM, Cosmology
from ..errors import HeaderError

Array = NDArray[Any]

_TEMPERATURE = 2.7255  # of the microwave background [K]: Fixsen 2009, ApJ 707, 916
_SIGMA_RADIUS = 8.0  # Mpc/h
_START = 1e-8  # scale factor from which growth is integrated
_WAVENUMBERS = np.geomspace(1e-5, 1e3, 4000)  # h/Mpc; integrals go over these


@dataclass(frozen=True)
class Growth:
    """The growing mode of linear theory: ``d(a^3 E dD/da)/da = 3/2 Omega_m D / (a^2 E)``.

    E is H / H0. For matter, curvature and Lambda the solution is that of Heath 1977 (MNRAS 179,
    351), ``D(a) = 5/2 Omega_m E(a) int_0^a da' / (a' E(a'))^3 / D(1)``. With another dark energy,
    radiation or massive neutrinos that does not hold, and the equation is solved numerically, to
    1e-8. Dark energy, radiation and neutrinos are taken as smooth, which holds for neutrinos on the
    scales of halos.

    Parameters
    ----------
    cosmology : Cosmology
    """

    cosmology: Cosmology

    def factor(self, a: float) -> float:
        """Return D at scale factor a; 1 today."""
        if not self._has_integral:
            return self._solution(a)[0] / self._solution(1.0)[0]
        return self._raw(a) / self._raw(1.0)

    def momentum(self, a: float) -> float:
        """Return ``a^3 E dD/da``, the growth of the momentum a^2 dx/dt with t in units of 1/H0."""
        if not self._has_integral:
            return self._solution(a)[1] / self._solution(1.0)[0]
        rate = self._rate(a)
        slope = self._rate_squared_slope(a) / (2.0 * rate**2) * self._raw(a)
        slope += 2.5 * self.cosmology.omega_m / (a**3 * rate**2)
        return a**3 * rate * slope / self._raw(1.0)

    def matter(self, a: float) -> float:
        """Return Omega_m at scale factor a."""
        return self.cosmology.omega_m / (a**3 * self._rate(a) ** 2)

    @property
    def _has_integral(self) -> bool:
        """Whether the cosmology has only matter, curvature and Lambda."""
        own = self.cosmology
        is_lambda = own.w0 in (None, LCDM["w0"]) and not own.wa
        return is_lambda and not own.omega_r and not own.omega_nu

    def _raw(self, a: float) -> float:
        def integrand(x: float) -> float:
            return float((x * self._rate(x)) ** -3) if x > 0 else 0.0

        integral = integrate.quad(integrand, 0.0, a, epsabs=0.0, epsrel=1e-10)[0]
        return float(2.5 * self.cosmology.omega_m * self._rate(a) * integral)

    def _solution(self, a: float) -> tuple[float, float]:
        """Integrate the equation: return D in arbitrary units, and ``a^3 E dD/da``."""
        own, share = self.cosmology, self.matter(_START)  # 0 if radiation or dark energy dominates
        if own.omega_r:  # d ln D / d ln a of Meszaros 1974, A&A 37, 225
            slope = 1.5 * share / (1.0 + 0.5 * share)
        else:  # neutrinos may be part of the matter: Bond, Efstathiou & Silk 1980, PRL 45, 1980
            slope = (math.sqrt(1.0 + 24.0 * share) - 1.0) / 4.0
        start = (1.0, _START**2 * self._rate(_START) * slope)

        def change(log_a: float, now: Array) -> tuple[float, float]:
            x = math.exp(log_a)
            rate = self._rate(x)
            return now[1] / (x**2 * rate), 1.5 * own.omega_m * now[0] / (x * rate)

        end = math.log(a)
        solved = integrate.solve_ivp(
            change, (math.log(_START), end), start, "DOP853", t_eval=[end], rtol=1e-10, atol=1e-20
        )
        return float(solved.y[0, 0]), float(solved.y[1, 0])

    def _rate(self, a: float) -> float:
        return self.cosmology.expansion_rate(1.0 / a - 1.0)

    def _rate_squared_slope(self, a: float) -> float:
        own = self.cosmology
        curvature = 1.0 - own.omega_m - own.omega_lambda
        return -3.0 * own.omega_m / a**4 - 2.0 * curvature / a**3


def transfer_function(wavenumber: Array, cosmology: Cosmology) -> Array:
    """Return the transfer function without wiggles: Eisenstein & Hu 1998, eqs. 26 and 28 to 31.

    Parameters
    ----------
    wavenumber : ndarray
        [h/Mpc], above 0.
    cosmology : Cosmology
        With ``omega_b``.

    Returns
    -------
    ndarray
        1 at large scales; of the shape of ``wavenumber``.

    Raises
    ------
    HeaderError
        The cosmology does not state ``omega_b``.
    """
    h, baryons = cosmology.h, _stated(cosmology, "omega_b")
    matter, share = cosmology.omega_m * h**2, baryons / cosmology.omega_m
    sound = 44.5 * np.log(9.83 / matter) / np.sqrt(1.0 + 10.0 * (baryons * h**2) ** 0.75)  # Mpc
    alpha = 1.0 - 0.328 * np.log(431.0 * matter) * share
    alpha += 0.38 * np.log(22.3 * matter) * share**2
    shape = alpha + (1.0 - alpha) / (1.0 + (0.43 * wavenumber * h * sound) ** 4)
    q = wavenumber * (_TEMPERATURE / 2.7) ** 2 / (cosmology.omega_m * h * shape)
    logarithm = np.log(2.0 * np.e + 1.8 * q)
    curve = 14.2 + 731.0 / (1.0 + 62.5 * q)
    return np.asarray(logarithm / (logarithm + curve * q**2))


def linear_power(cosmology: Cosmology) -> Callable[[Array], Array]:
    """Return the linear power spectrum today, normalised to ``sigma_8``.

    Parameters
    ----------
    cosmology : Cosmology
        With ``omega_b``, ``sigma_8`` and ``n_s``.

    Returns
    -------
    callable
        ``power(k)`` [(Mpc/h)^3] for k in h/Mpc, above 0.

    Raises
    ------
    HeaderError
        The cosmology does not state one of them.
    """
    index, sigma_8 = _stated(cosmology, "n_s"), _stated(cosmology, "sigma_8")

    def shape(wavenumber: Array) -> Array:
        return np.asarray(wavenumber**index * transfer_function(wavenumber, cosmology) ** 2)

    amplitude = (sigma_8 / rms_overdensity(shape, _SIGMA_RADIUS)) ** 2
    return lambda wavenumber: amplitude * shape(wavenumber)


def rms_overdensity(power: Callable[[Array], Array], radius: float) -> float:
    """Return the root mean square overdensity in spheres of ``radius`` [Mpc/h]."""
    x = _WAVENUMBERS * radius
    with np.errstate(invalid="ignore"):
        window = np.where(x < 1e-2, 1.0 - x**2 / 10.0, 3.0 * (np.sin(x) - x * np.cos(x)) / x**3)
    integrand = _WAVENUMBERS**3 * power(_WAVENUMBERS) * window**2 / (2.0 * np.pi**2)
    return float(np.sqrt(integrate.simpson(integrand, x=np.log(_WAVENUMBERS))))


def _stated(cosmology: Cosmology, name: str) -> float:
    value = getattr(cosmology, name)
    if value is None:
        raise HeaderError(
            f"cosmology {name}", "none", "a value", "state it: the power spectrum depends on it"
        )
    return float(value)
