"""The cosmology of a run, and the only conversion of little h.

Internal units are comoving Mpc/h, Msun/h and peculiar km/s. A column states the power of h in its
unit (`mockgal.columns.Column.h_power`), and `h_free` is the only conversion.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .errors import HeaderError

# In Mpc (km/s)^2 / Msun: CODATA 2018 G; IAU 2015 solar mass parameter and parsec.
GRAVITY = 4.300917270e-9
# Today's critical density, 3 (100 km/s/Mpc)^2 / (8 pi G), in Msun/h per (Mpc/h)^3.
CRITICAL_DENSITY = 3.0e4 / (8.0 * math.pi * GRAVITY)

LCDM = {"w0": -1.0, "wa": 0.0}  # of a cosmological constant
_FLAT = 1e-9  # curvature that is only rounding
_DIGITS = 1e-6  # relative rounding of single precision
_COMPASO = 200.0 / (18.0 * math.pi**2)  # density at the edge of its halos over the virial one
_PHOTONS, _KELVIN = 2.472824e-5, 2.7255  # Omega h^2 of photons at that temperature

# Relative difference allowed between the matter in a box and Omega_m: only wrong units exceed it.
MATTER_TOLERANCE = 0.05


@dataclass(frozen=True)
class Cosmology:
    """Background of a run: LambdaCDM, flat or curved, unless the run states more.

    Most N-body codes integrate without radiation and neutrinos, so these are 0 unless stated.
    E(z)^2 is the sum of radiation, matter, massive neutrinos, curvature and dark energy with
    equation of state w0 + wa (1 - a) (Chevallier & Polarski 2001; Linder 2003).

    Parameters
    ----------
    h : float
        Hubble constant over 100 km/s/Mpc.
    omega_m, omega_lambda : float
        Density parameters today.
    omega_b, sigma_8, n_s : float, optional
        If the run states them; carried to the output, not needed by any painter. Baryons are part
        of the matter.
    w0, wa : float, optional
        Equation of state of dark energy; -1 and 0 unless stated.
    omega_r : float, optional
        Density parameter of photons and massless neutrinos today.
    omega_nu : float, optional
        Density parameter of massive neutrinos today, in addition to ``omega_m``, the matter that
        particles represent. They dilute as matter, which is within 1e-4 of E(z) up to redshift 10
        for masses of 0.05 eV and more.

    Examples
    --------
    >>> from mockgal.types import Cosmology
    >>> run = Cosmology(h=0.6774, omega_m=0.3089, omega_lambda=0.6911)
    >>> round(run.expansion_rate(0.0), 6)
    1.0
    """

    h: float
    omega_m: float
    omega_lambda: float
    omega_b: float | None = None
    sigma_8: float | None = None
    n_s: float | None = None
    w0: float | None = None
    wa: float | None = None
    omega_r: float | None = None
    omega_nu: float | None = None

    def __post_init__(self) -> None:
        bounds = {
            "h": (0.3, 1.5),
            "omega_m": (0.01, 2.0),
            "omega_lambda": (-1.0, 2.0),
            "w0": (-3.0, 0.0),
            "wa": (-5.0, 5.0),
            "omega_r": (0.0, 0.01),
            "omega_nu": (0.0, 0.5),
            "omega_b": (0.0, round((self.omega_m + (self.omega_nu or 0.0)) * (1 + _DIGITS), 9)),
            "sigma_8": (0.001, 5.0),
            "n_s": (-3.0, 3.0),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if value is not None and not (low <= value <= high):
                raise HeaderError(
                    f"cosmology {name}",
                    f"{value}",
                    f"a value in [{low}, {high}]",
                    "check the run's parameters",
                )

    @property
    def mean_matter_density(self) -> float:
        """Comoving mean matter density [Msun/h / (Mpc/h)^3]."""
        return self.omega_m * CRITICAL_DENSITY

    def matter_mass(self, box_size: float) -> float:
        """Return the mass [Msun/h] of all matter in a box of side ``box_size`` [comoving Mpc/h]."""
        return self.mean_matter_density * box_size**3

    def critical_density(self, redshift: float) -> float:
        """Return the critical density at a redshift per *comoving* volume [Msun/h / (Mpc/h)^3]."""
        a = 1.0 / (1.0 + redshift)
        return CRITICAL_DENSITY * self._expansion_rate_squared(a) * a**3

    def halo_density(self, mass_definition: str, redshift: float) -> float:
        """Return the mean density within a halo's radius per comoving volume [Msun/h / (Mpc/h)^3].

        Parameters
        ----------
        mass_definition : str
            A key of `mockgal.types.MASS_DEFINITIONS`. The virial one is Bryan & Norman 1998,
            arXiv:astro-ph/9710107, eq. 6. CompaSO's is 200 / (18 pi^2) of it (Hadzhiyska et al.
            2022, arXiv:2110.11408, section 2.3).
        redshift : float

        Returns
        -------
        float
            NaN for friends-of-friends masses, which have no radius.
        """
        critical = self.critical_density(redshift)
        if mass_definition in ("vir", "compaso"):
            x = self.mean_matter_density / critical - 1.0
            virial = (18.0 * math.pi**2 + 82.0 * x - 39.0 * x**2) * critical
            return virial if mass_definition == "vir" else virial * _COMPASO
        if mass_definition == "fof":
            return math.nan
        reference = {"c": critical, "m": self.mean_matter_density}[mass_definition[-1]]
        return float(mass_definition[:-1]) * reference

    def halo_scale(self, mass: Any, mass_definition: str, redshift: float) -> tuple[Any, Any]:
        """Return the comoving radius [Mpc/h] of halos and the circular velocity there [km/s].

        ``mass`` is in Msun/h; the velocity is sqrt(G M / (a R)). See `halo_density` for the
        definitions.
        """
        density = self.halo_density(mass_definition, redshift)
        radius = np.cbrt(mass / (4.0 / 3.0 * math.pi * density))
        with np.errstate(divide="ignore", invalid="ignore"):
            velocity = np.sqrt(GRAVITY * (1.0 + redshift) * mass / radius)
        return radius, velocity

    def expansion_rate(self, redshift: float) -> float:
        """Return H(z) / H0."""
        return math.sqrt(self._expansion_rate_squared(1.0 / (1.0 + redshift)))

    @property
    def curvature(self) -> float:
        """Density parameter of curvature today: what the others lack to 1."""
        others = (self.omega_r or 0.0) + (self.omega_nu or 0.0)
        return 1.0 - self.omega_m - self.omega_lambda - others

    def _expansion_rate_squared(self, a: float) -> float:
        radiation, neutrinos = self.omega_r or 0.0, self.omega_nu or 0.0
        matter = (self.omega_m + neutrinos) / a**3
        squared = radiation / a**4 + matter + self.curvature / a**2 + self.dark_energy(a)
        if not squared > 0:
            raise HeaderError(
                "cosmology omega_lambda",
                f"{self.omega_lambda} with omega_m {self.omega_m}: a universe that never passes "
                f"through redshift {1.0 / a - 1.0:.4g}",
                "one that expands from a Big Bang",
                "check the run's parameters",
            )
        return squared

    def dark_energy(self, a: float) -> float:
        """Return the dark-energy density at scale factor ``a`` over today's critical density."""
        w0, wa = LCDM["w0"] if self.w0 is None else self.w0, self.wa or 0.0
        if (w0, wa) == (LCDM["w0"], LCDM["wa"]):
            return self.omega_lambda
        growth = -3.0 * (1.0 + w0 + wa) * math.log(a) - 3.0 * wa * (1.0 - a)
        return self.omega_lambda * math.exp(min(growth, 300.0))  # above it all else is negligible

    def as_astropy(self) -> Any:
        """Return the same background as an astropy cosmology (`astropy.cosmology.FLRW`)."""
        from astropy.cosmology import FlatLambdaCDM, LambdaCDM, w0waCDM

        neutrinos, radiation = self.omega_nu or 0.0, self.omega_r or 0.0
        known = {"H0": 100.0 * self.h, "Om0": self.omega_m + neutrinos, "Tcmb0": 0.0}
        if radiation:  # as photons alone, hot enough to make up all of it
            known |= {"Neff": 0.0, "Tcmb0": _KELVIN * (radiation * self.h**2 / _PHOTONS) ** 0.25}
        if self.omega_b is not None:
            known["Ob0"] = self.omega_b
        if self.w0 is not None or self.wa is not None:
            dark = {"w0": LCDM["w0"] if self.w0 is None else self.w0, "wa": self.wa or 0.0}
            return w0waCDM(Ode0=self.omega_lambda, **dark, **known)
        if not radiation and abs(1.0 - known["Om0"] - self.omega_lambda) < _FLAT:
            return FlatLambdaCDM(**known)
        return LambdaCDM(Ode0=self.omega_lambda, **known)

    def redshift_space_factor(self, redshift: float) -> float:
        """Return (1 + z) / H(z): comoving Mpc/h in redshift space per km/s of peculiar velocity."""
        return (1.0 + redshift) / (100.0 * self.expansion_rate(redshift))

    def to_dict(self) -> dict[str, float]:
        """Return the known parameters as plain numbers."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def h_free(value: Any, h_power: int, h: float) -> Any:
    """Return ``value``, in a unit with ``h**h_power`` (Msun/h has -1), in the unit without h."""
    return value if h_power == 0 else value * h**h_power
