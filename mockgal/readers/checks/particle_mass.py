"""Checks of the particle mass against the masses of halos and the matter in the box.

**Halo masses.** Finders count particles, so that the masses of gravity-only halos are whole
multiples of the particle mass, which light halos show. From the phases m / q of n halos lighter
than 100 q, the length of the mean of exp(2 pi i m / q) is 1 if q is the particle mass, and about
n^-1/2 if q is unrelated. The stated mass is contradicted only if its length is below 0.5 and that
of another q within a factor of 4 is above 0.9, or if a multiple of it fits equally well. Masses
without a quantum (hydrodynamic runs, smoothed or fitted masses) have no such q, and nothing is
concluded. With the required 30 halos or more, chance gives such a q in fewer than one catalogue in
10^7: exp(-0.81 n) times some 10^3 trial values.

**Whole cubes.** Initial conditions are grids of N^3 particles, where N is a product of 2, 3, 5, 7
and at most one 11, 13 or (glasses of EAGLE) 47, so that Omega_m rho_crit L^3 / m must be such a
cube. Codes differ in the gravitational constant, and files round, so that `Cube.tolerance` is
allowed; near a large N there is always a cube within it. The test has no power where more than a
quarter of all numbers near N would pass. It raises a warning at most, because it fails for runs
with massive neutrinos in Omega_m, subsamples, and particles on other lattices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...errors import UnitsError, warn

Array = NDArray[Any]

SAME_NUMBER = 1e-3  # relative: the constants of codes differ; for Bolshoi-Planck by 5e-4
MANY = 0.25  # of all numbers: if more pass, the test has no power
_SMOOTH, _ONCE = (2, 3, 5, 7), (11, 13, 47)
_DIGITS = 3  # least number of decimals that Omega_m is assumed to have

# Keys in the record of halos.
STRENGTH = "halo_masses_in_whole_particles"  # 1: all masses are whole multiples; 0: unrelated
QUANTUM = "particle_mass_of_halo_masses"  # [Msun/h], if it is not the stated one
SIDE, RATIO = "particles_per_side", "particle_mass_over_expected"
CHANCE = "chance_of_a_whole_cube"  # above `MANY`, the two above mean nothing
MEASURED = (STRENGTH, QUANTUM, RATIO, CHANCE)  # numbers that are no counts

LEAST_HALOS = 30
_MOST_HALOS = 3000  # the lightest: rounding washes out the phases of others
_MOST_PARTICLES = 100
_KINDS = 6  # different numbers of particles: fewer fit too many quanta
_FITS, _DOES_NOT = 0.9, 0.5
_RANGE = 4.0  # factor around the stated mass within which quanta are tried
OFF, FAR_OFF = 0.01, 0.03  # relative differences that raise a warning and an error


class Cube(NamedTuple):
    """How many particles fill a box, and whether a grid of particles has that number.

    Parameters
    ----------
    number : float
        Omega_m rho_crit L^3 / m.
    side : int
        Particles along a side of the nearest grid.
    tolerance : float
        Relative tolerance of the number.
    chance : float
        Fraction of numbers nearby that pass.
    """

    number: float
    side: int
    tolerance: float
    chance: float

    @property
    def fits(self) -> bool:
        """Whether the number is that of a grid, within the tolerance."""
        return abs(self.side**3 / self.number - 1) <= self.tolerance

    @property
    def has_power(self) -> bool:
        """Whether the test would mostly detect a wrong number."""
        return self.chance <= MANY


def is_grid(side: int) -> bool:
    """Return whether initial conditions are generated on grids of this side."""
    for factor in _SMOOTH:
        while side > 0 and side % factor == 0:
            side //= factor
    return side in (1, *_ONCE)


def rounding(value: float, least_digits: int = 0) -> float:
    """Return the relative rounding error of a number, from its written digits.

    Parameters
    ----------
    value : float
    least_digits : int
        Least number of decimals that it is assumed to have: 0.3 is 0.300 with 3.
    """
    mantissa, _, exponent = f"{value!r}".partition("e")
    decimals = len(mantissa.partition(".")[2].rstrip("0")) - int(exponent or 0)
    if "." in mantissa and mantissa.endswith(".0") and not exponent:
        whole = mantissa[:-2]
        decimals = len(whole.rstrip("0")) - len(whole)
    return 0.5 * 10.0 ** -max(decimals, least_digits or decimals) / abs(value)


def cube(particle_mass: float, box_size: float, omega: float, cosmology: Cosmology) -> Cube:
    """Return how many particles fill the box.

    Parameters
    ----------
    particle_mass : float
        [Msun/h]
    box_size : float
        [Mpc/h]
    omega : float
        Density parameter of the component that consists of these particles.
    cosmology : Cosmology
    """
    number = cosmology.matter_mass(box_size) * omega / cosmology.omega_m / particle_mass
    root = number ** (1 / 3)
    tolerance = SAME_NUMBER + rounding(particle_mass) + rounding(omega, _DIGITS)
    side = min(_grids(0.5 * root - 2, 2.0 * root + 2), key=lambda n: abs(n - root), default=1)
    low, high = 0.8 * root, 1.25 * root
    inside = sum(2 * tolerance / 3 * n for n in _grids(low, high))
    return Cube(number, side, tolerance, min(1.0, inside / (high - low)))


def _grids(low: float, high: float) -> Iterator[int]:
    """Return all sides of grids from ``low`` to ``high``."""
    return (n for n in range(max(1, math.ceil(low)), math.floor(high) + 1) if is_grid(n))


def quantum(mass: Array, stated: float) -> tuple[float, float | None]:
    """Return how well halo masses are multiples of a particle mass, and any better particle mass.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Masses of halos [Msun/h].
    stated : float
        [Msun/h]

    Returns
    -------
    strength : float
        From 0 to 1; NaN if there are too few light halos.
    other : float or None
        The particle mass of which they are multiples instead.
    """
    some = lightest(mass, stated)
    strength, counted = _strength(some, stated)
    if counted < LEAST_HALOS:
        return math.nan, None
    if strength >= _FITS:  # a fraction of the true particle mass also fits
        whole = [k for k in range(2, int(_RANGE) + 1) if _fits(some, k * stated)]
        return strength, max(whole) * stated if whole else None
    if strength >= _DOES_NOT:
        return strength, None
    steps = int(math.log(_RANGE**2) * 8 * _MOST_PARTICLES)
    tried = stated * np.geomspace(1 / _RANGE, _RANGE, steps)
    good = [(_strength(some, q)[0], q) for q in tried if _fits(some, q)]
    if not good:
        return strength, None
    # Fractions of the true quantum fit as well as it does: it is the largest.
    top = max(q for _, q in good)
    start = max((s, q) for s, q in good if q > top / 1.02)[1]
    near = start * np.linspace(0.999, 1.001, 201)
    return strength, float(max(near, key=lambda q: _strength(some, q)[0]))


def lightest(mass: Array, stated: float) -> Array:
    """Return the lightest halos that may show a particle mass, in order."""
    some = mass[np.isfinite(mass) & (mass > 0.1 * stated)]
    if len(some) > 4 * _MOST_HALOS:
        some = np.partition(some, _MOST_HALOS)[:_MOST_HALOS]
    return np.sort(some)[:_MOST_HALOS]


def _fits(mass: Array, quantum_mass: float) -> bool:
    """Return whether sorted masses are multiples of a mass, and enough of them are light."""
    strength, counted = _strength(mass, quantum_mass)
    if strength < _FITS or counted < LEAST_HALOS:
        return False
    return len(np.unique(np.rint(mass[:counted] / quantum_mass))) >= _KINDS


def _strength(mass: Array, quantum_mass: float) -> tuple[float, int]:
    """Return the length of the mean phase vector of the light halos, and their number."""
    light = mass[: np.searchsorted(mass, _MOST_PARTICLES * quantum_mass)]
    if not len(light):
        return 0.0, 0
    return float(abs(np.exp(2j * np.pi * light / quantum_mass).mean())), len(light)


def check_quantum(stated: float, mass: Array, where: str) -> dict[str, float]:
    """Compare a particle mass with the masses of halos.

    Parameters
    ----------
    stated : float
        [Msun/h]
    mass : ndarray, shape (n,)
        Masses of halos of a gravity-only run [Msun/h].
    where : str
        Where the masses are, for the message.

    Returns
    -------
    dict of str to float
        Entries for the record; empty if there are too few light halos.

    Raises
    ------
    UnitsError
        The masses are multiples of a mass that differs by more than `FAR_OFF`.
    """
    strength, other = quantum(mass, stated)
    if math.isnan(strength):
        return {}
    record = {STRENGTH: strength}
    if other is None:
        return record
    record[QUANTUM] = other
    off = abs(stated / other - 1)
    found = (
        f"masses that are multiples of {other:.6g} Msun/h, with a particle mass of {stated:.6g} "
        f"Msun/h, {stated / other:.4g} times that"
    )
    if off > FAR_OFF:
        raise UnitsError(
            where,
            found,
            f"multiples of the particle mass, within {FAR_OFF:.0%}",
            f"state the particle mass {other:.6g} Msun/h with the catalogue; or look for a factor "
            "h in one of the two",
        )
    if off > OFF:
        warn(f"{where}: {found}; particle numbers, and the mass resolution, are off by {off:.1%}")
    return record


def check_cube(
    particle_mass: float, box_size: float, omega: float, cosmology: Cosmology, where: str
) -> dict[str, float | int]:
    """Warn if no grid has as many particles as fill the box.

    Parameters
    ----------
    particle_mass, box_size, omega, cosmology
        See `cube`.
    where : str
        For the message.

    Returns
    -------
    dict of str to float or int
        Entries for the record.
    """
    found = cube(particle_mass, box_size, omega, cosmology)
    if found.has_power and not found.fits:
        factor = found.side**3 / found.number
        warn(
            f"{where}: {found.number:.6g} = {found.number ** (1 / 3):.3f}^3 particles of "
            f"{particle_mass:.6g} Msun/h fill {box_size:.6g} Mpc/h at Omega = {omega:.5g}, and no "
            f"particle grid has this size; {found.side}^3 would need Omega = {omega * factor:.5g}, "
            f"or {particle_mass / factor:.6g} Msun/h{_forgotten(found, cosmology)}. Check particle "
            "mass, box and cosmology (a factor h?); in runs with massive neutrinos and in "
            "subsamples of particles this is no error"
        )
    return {SIDE: found.side, RATIO: found.number / found.side**3, CHANCE: found.chance}


def _forgotten(found: Cube, cosmology: Cosmology) -> str:
    """Return the power of h that would make the number that of a grid, in words."""
    for power in (2, 1, -1, -2, 3, -3):
        number = found.number * cosmology.h**power
        side = round(number ** (1 / 3))
        if is_grid(side) and abs(side**3 / number - 1) <= found.tolerance:
            return f"; a factor h^{power} would make it {side}^3"
    return ""
