"""Particle masses against the masses of halos, and against the matter in the box.

**Halo masses.** Finders count particles: the masses of gravity-only halos are whole multiples of
one particle's, which light halos show. With the phases m / q of n halos lighter than 100 q, the
length of the mean of exp(2 pi i m / q) is 1 where q is the particle mass and about n^-1/2 where it
has nothing to do with it. The stated mass is contradicted only where it has a length below 0.5 and
another q within a factor of 4 has one above 0.9, or where a multiple of it fits as well as it does.
For masses without a quantum (hydrodynamic runs, smoothed or fitted masses) no q has, and nothing is
concluded. With the 30 halos or more that are asked for, chance alone gives such a q in fewer than
one catalogue in 10^7: exp(-0.81 n) times some 10^3 values tried.

**Whole cubes.** Initial conditions are grids of N^3 particles, N being a product of 2, 3, 5, 7 and
at most one 11, 13 or (glasses of EAGLE) 47, so Omega_m rho_crit L^3 / m must be such a cube. Codes
differ in the gravitational constant, and files round, so `Cube.tolerance` is allowed for; near a
large N there is always a cube within it. The test says nothing where more than a quarter of all
numbers near N would pass, and is a warning at most: it fails for runs with massive neutrinos in
Omega_m, subsamples, and particles on other lattices.
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

SAME_NUMBER = 1e-3  # relative: constants of codes differ; of Bolshoi-Planck it is 5e-4
MANY = 0.25  # of all numbers: a test that so many pass has no power
_SMOOTH, _ONCE = (2, 3, 5, 7), (11, 13, 47)
_DIGITS = 3  # to which Omega_m is at least taken to be stated

# Of the record of halos.
STRENGTH = "halo_masses_in_whole_particles"  # 1: all; 0: they have nothing to do with it
QUANTUM = "particle_mass_of_halo_masses"  # [Msun/h], where it is not the stated one
SIDE, RATIO = "particles_per_side", "particle_mass_over_expected"
CHANCE = "chance_of_a_whole_cube"  # above `MANY`, the two above mean nothing
MEASURED = (STRENGTH, QUANTUM, RATIO, CHANCE)  # numbers that are no counts

LEAST_HALOS = 30
_MOST_HALOS = 3000  # the lightest: the phases of others are washed out by rounding
_MOST_PARTICLES = 100
_KINDS = 6  # of masses, in particles: fewer fit too many quanta
_FITS, _DOES_NOT = 0.9, 0.5
_RANGE = 4.0  # of the quanta that are tried, about the stated one
OFF, FAR_OFF = 0.01, 0.03  # relative difference that is warned of, and that is refused


class Cube(NamedTuple):
    """How many particles fill a box, and whether a grid of particles has that number.

    Parameters
    ----------
    number : float
        Omega_m rho_crit L^3 / m.
    side : int
        Of the nearest grid.
    tolerance : float
        Relative, of the number.
    chance : float
        Share of numbers nearby that pass.
    """

    number: float
    side: int
    tolerance: float
    chance: float

    @property
    def fits(self) -> bool:
        """Whether the number is that of the grid."""
        return abs(self.side**3 / self.number - 1) <= self.tolerance

    @property
    def has_power(self) -> bool:
        """Whether a wrong number would be told from a right one, mostly."""
        return self.chance <= MANY


def is_grid(side: int) -> bool:
    """Return whether initial conditions are made on grids of this side."""
    for factor in _SMOOTH:
        while side > 0 and side % factor == 0:
            side //= factor
    return side in (1, *_ONCE)


def rounding(value: float, least_digits: int = 0) -> float:
    """Return the relative rounding of a number that is written with the digits it has.

    Parameters
    ----------
    value : float
    least_digits : int
        Decimals that it is at least taken to have: 0.3 is 0.300 with 3.
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
        Density parameter of what consists of these particles.
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
    """All sides of grids from ``low`` to ``high``."""
    return (n for n in range(max(1, math.ceil(low)), math.floor(high) + 1) if is_grid(n))


def quantum(mass: Array, stated: float) -> tuple[float, float | None]:
    """Return how well halo masses are multiples of a particle mass, and of which other they are.

    Parameters
    ----------
    mass : ndarray, shape (n,)
        Of halos [Msun/h].
    stated : float
        [Msun/h]

    Returns
    -------
    strength : float
        From 0 to 1; NaN where the halos are too few, or too heavy, to tell.
    other : float or None
        The particle mass that they have instead.
    """
    some = np.sort(mass[np.isfinite(mass) & (mass > 0.1 * stated)])[:_MOST_HALOS]
    strength, counted = _strength(some, stated)
    if counted < LEAST_HALOS:
        return math.nan, None
    if strength >= _FITS:  # so it does where it is a fraction of theirs
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


def _fits(mass: Array, quantum_mass: float) -> bool:
    """Whether sorted masses are multiples of a mass, and many and light enough to tell."""
    strength, counted = _strength(mass, quantum_mass)
    if strength < _FITS or counted < LEAST_HALOS:
        return False
    return len(np.unique(np.rint(mass[:counted] / quantum_mass))) >= _KINDS


def _strength(mass: Array, quantum_mass: float) -> tuple[float, int]:
    """Length of the mean phase of the light halos, and how many they are."""
    light = mass[: np.searchsorted(mass, _MOST_PARTICLES * quantum_mass)]
    if not len(light):
        return 0.0, 0
    return float(abs(np.exp(2j * np.pi * light / quantum_mass).mean())), len(light)


def check_quantum(stated: float, mass: Array, where: str) -> dict[str, float]:
    """Hold a particle mass against the masses of halos.

    Parameters
    ----------
    stated : float
        [Msun/h]
    mass : ndarray, shape (n,)
        Of halos of a gravity-only run [Msun/h].
    where : str
        Where the masses are, for the message.

    Returns
    -------
    dict of str to float
        What goes to the record; empty where halos are too few or too heavy to tell.

    Raises
    ------
    UnitsError
        They are multiples of a mass that differs by more than `FAR_OFF`.
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
        f"masses that are multiples of {other:.6g} Msun/h, where a particle has {stated:.6g} "
        f"Msun/h: {stated / other:.4g} times that"
    )
    if off > FAR_OFF:
        raise UnitsError(
            where,
            found,
            f"a particle mass that the halos are made of, within {FAR_OFF:.0%}",
            f"state the particle mass {other:.6g} Msun/h with the catalogue; or look for a factor "
            "h in one of the two",
        )
    if off > OFF:
        warn(f"{where}: {found}; numbers of particles, and what is resolved, are off by {off:.1%}")
    return record


def check_cube(
    particle_mass: float, box_size: float, omega: float, cosmology: Cosmology, where: str
) -> dict[str, float | int]:
    """Warn where no grid has as many particles as fill the box.

    Parameters
    ----------
    particle_mass, box_size, omega, cosmology
        As of `cube`.
    where : str
        For the message.

    Returns
    -------
    dict of str to float or int
        What goes to the record.
    """
    found = cube(particle_mass, box_size, omega, cosmology)
    if found.has_power and not found.fits:
        factor = found.side**3 / found.number
        warn(
            f"{where}: {found.number:.6g} = {found.number ** (1 / 3):.3f}^3 particles of "
            f"{particle_mass:.6g} Msun/h fill {box_size:.6g} Mpc/h at Omega = {omega:.5g}, and no "
            f"grid of particles is so; {found.side}^3 would take an Omega of {omega * factor:.5g}, "
            f"or {particle_mass / factor:.6g} Msun/h{_forgotten(found, cosmology)}. Check particle "
            "mass, box and cosmology (a factor h?); runs with massive neutrinos or subsamples of "
            "their particles are so, and right"
        )
    return {SIDE: found.side, RATIO: found.number / found.side**3, CHANCE: found.chance}


def _forgotten(found: Cube, cosmology: Cosmology) -> str:
    """The powers of h with which the number would be that of a grid, in words."""
    for power in (2, 1, -1, -2, 3, -3):
        number = found.number * cosmology.h**power
        side = round(number ** (1 / 3))
        if is_grid(side) and abs(side**3 / number - 1) <= found.tolerance:
            return f"; a factor h^{power} would make it {side}^3"
    return ""
