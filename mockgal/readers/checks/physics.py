"""Checks of physical consistency: wrong units show as impossible densities."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...bounds import MASS
from ...cosmology import LCDM, MATTER_TOLERANCE, Cosmology
from ...errors import BadValueError, HeaderError, UnitsError, warn
from ...snapshot import BOX_SIZES

TOLERANCE = MATTER_TOLERANCE
EXACT = 0.01  # relative: far above the scatter of densities in exact runs and finders
# Least fraction of the box's matter in groups: a factor 1000^3 too much in volume gives less than
# 1e-9, a run at z = 10 gives more than this.
LEAST_IN_GROUPS = 1e-6
HOST_OVER_BOUND = (1e-3, 1e3)
RADII_APART = 100.0  # in density, between halos of one definition: a factor 4.6 in radius
# Keys in the record of a snapshot.
RADII_LEFT_OUT = "radii_left_out_of_check"
UNCHECKED = "masses_within_radii_not_checked"
PARTICLES = (500.0, 1e15)  # in a box: all runs are between
_PARTICLE_FIX = "look for a factor 1e10 in masses, or 1000^3 in the box (kpc, Mpc)"


def box_size(where: str, value: float, unit: float) -> float:
    """Return the side of a box of ``value`` lengths of ``unit`` Mpc/h, in comoving Mpc/h.

    Raises
    ------
    HeaderError
        It is outside `BOX_SIZES`: no box has such a side, and its volume might overflow.
    """
    side = value * unit
    low, high = BOX_SIZES
    if not low <= side <= high:
        raise HeaderError(
            where,
            f"{value:.6g}, which is {side:.6g} Mpc/h",
            f"a length of {low:g} to {high:g} Mpc/h",
            "correct it, or the unit of length that the file states",
        )
    return side


def likely_factors(ratio: float, cosmology: Cosmology, redshift: float) -> str:
    """Return which commonly forgotten factors make up ``ratio``, in words.

    Parameters
    ----------
    ratio : float
        Value found over value expected.
    cosmology : Cosmology
    redshift : float

    Returns
    -------
    str
        For example ``"a factor 1000^3 * h"``; the usual suspects if none fits.
    """
    h, a = cosmology.h, 1.0 / (1.0 + redshift)
    usual = "a factor h, 1e10 (mass unit), 1000^3 (kpc against Mpc) or a^3 (physical lengths)"
    if not (np.isfinite(ratio) and ratio > 0):
        return usual
    parts = (
        {"": 1.0, "1e10": 1e10, "1e-10": 1e-10},
        {"": 1.0, "1000^3": 1e9, "1000^-3": 1e-9},
        {"": 1.0, **{f"h^{n}": h**n for n in (1, 2, 3, -1, -2, -3)}},
        {"": 1.0, **({"a^3": a**3, "a^-3": a**-3} if a < 0.98 else {})},
    )
    matches = [
        (sum(map(bool, names)), " * ".join(filter(None, names)))
        for names in product(*parts)
        if any(names)
        and abs(np.log(ratio / np.prod([p[n] for p, n in zip(parts, names, strict=True)]))) < 0.03
    ]
    return f"a factor {min(matches)[1]}" if matches else usual


def _fix(ratio: float, cosmology: Cosmology, redshift: float) -> str:
    return (
        f"off by {ratio:.3g}, look for {likely_factors(ratio, cosmology, redshift)}; correct "
        "the units that the file states"
    )


def check_mean_density(
    total_mass: float, box_size: float, cosmology: Cosmology, redshift: float, where: str
) -> float:
    """Compare the matter in the box with Omega_m; return the ratio.

    Parameters
    ----------
    total_mass : float
        Mass of all particles [Msun/h].
    box_size : float
        Comoving [Mpc/h].
    cosmology : Cosmology
    redshift : float
    where : str
        For the message.

    Returns
    -------
    float
        Mass found over mass expected.

    Raises
    ------
    UnitsError
        They differ by more than 5%; the message names a likely factor. From 1% on, a warning.
    """
    taken = min(
        readings(cosmology), key=lambda known: abs(total_mass / known.matter_mass(box_size) - 1)
    )
    ratio = total_mass / taken.matter_mass(box_size)
    found = (
        f"a mean density of {ratio:.6g} times that of Omega_m = {taken.omega_m:g}, for "
        f"{total_mass:.6g} Msun/h in ({box_size:.6g} Mpc/h)^3"
    )
    if not abs(ratio - 1) <= TOLERANCE:
        raise UnitsError(
            where, found, f"1 within {TOLERANCE:.0%}", _fix(ratio, cosmology, redshift)
        )
    if abs(ratio - 1) > EXACT:
        warn(f"{where}: {found}; runs with massive neutrinos have less, others 1 within 0.1%")
    return float(ratio)


def overdensity(definition: str, cosmology: Cosmology, redshift: float) -> float:
    """Return the mean density within the radius of a mass definition, over the critical density.

    Parameters
    ----------
    definition : str
        See `mockgal.cosmology.Cosmology.halo_density`. Finders (Rockstar, Gadget-4, AREPO) use the
        virial density of flat universes also for curved ones.
    cosmology : Cosmology
    redshift : float
    """
    return cosmology.halo_density(definition, redshift) / cosmology.critical_density(redshift)


def readings(cosmology: Cosmology) -> list[Cosmology]:
    """Return the cosmology with each Omega_m that codes may use: without, or with, neutrinos.

    Gadget-4 and AREPO define halos by Omega0, which mostly includes massive neutrinos. The
    expansion is the same in both.
    """
    neutrinos = cosmology.omega_nu
    if not neutrinos:
        return [cosmology]
    return [cosmology, replace(cosmology, omega_m=cosmology.omega_m + neutrinos, omega_nu=None)]


def implied_omega_m(
    definition: str, density: float, cosmology: Cosmology, redshift: float
) -> float | None:
    """Return the Omega_m at which halos of a mass definition have a given density.

    Parameters
    ----------
    definition : str
        See `overdensity`.
    density : float
        Mean comoving density within the radius [Msun/h / (Mpc/h)^3].
    cosmology : Cosmology
        Stays flat if it is flat; its other parameters stay.
    redshift : float

    Returns
    -------
    float or None
        None if the density does not depend on Omega_m (critical, at redshift 0), or no Omega_m
        from 0.05 to 1 fits.
    """
    flat = abs(1.0 - cosmology.omega_m - cosmology.omega_lambda) < 1e-4
    tried = np.linspace(0.05, 1.0, 96)
    densities = []
    for omega_m in tried.tolist():
        other = replace(
            cosmology,
            omega_m=omega_m,
            omega_b=None,
            omega_lambda=1.0 - omega_m if flat else cosmology.omega_lambda,
        )
        densities.append(
            overdensity(definition, other, redshift) * other.critical_density(redshift)
        )
    if not densities[0] < density < densities[-1] or (np.diff(densities) <= 0).any():
        return None
    return float(np.interp(density, densities, tried))


def check_overdensity(
    mass: NDArray[np.float64],
    radius: NDArray[np.float64],
    cosmology: Cosmology,
    redshift: float,
    where: str,
    definition: str = "200c",
    *,
    exact: bool = False,
    drop_bad: bool = False,
    record: dict[str, Any] | None = None,
) -> float | None:
    """Compare masses and radii with the density that defines them.

    With ``exact``, for finders that derive one from the other (Subfind, Rockstar), the median ratio
    over groups must be 1 within `EXACT`. In all measured runs it is within 3e-4, for six groups as
    for a thousand; only another gravitational constant (1e-3 at most) or rounded text (5e-4) moves
    it. Otherwise a median that is off by more than `EXACT` raises a warning, and one that is off by
    more than `TOLERANCE` is refused.

    Parameters
    ----------
    mass, radius : ndarray, shape (n,)
        [Msun/h] and comoving [Mpc/h]; masses of 0 are ignored.
    cosmology : Cosmology
    redshift : float
    where : str
        For the message.
    definition : str
        Mass definition of both, see `overdensity`.
    exact : bool
    drop_bad : bool
        Leave impossible radii out of the check, and count them, instead of refusing them.
    record : dict, optional
        Receives the count `RADII_LEFT_OUT`.

    Returns
    -------
    float or None
        Median overdensity over that of the definition; None if there are no groups to check.

    Raises
    ------
    BadValueError
        Halos with a mass have radii that are NaN, infinite, 0, negative, or far from their mass.
    UnitsError
        The ratio differs from 1 by more than is allowed; the message names the Omega_m or the
        factor that would explain it, or says that a dark energy may be unstated.
    """
    good = _usable_radii(mass, radius, where, drop_bad, {} if record is None else record)
    if not good.any():
        return None
    density = float(np.median(mass[good] / (4 / 3 * np.pi * radius[good] ** 3)))
    critical = cosmology.critical_density(redshift)
    allowed = [overdensity(definition, reading, redshift) for reading in readings(cosmology)]
    expected = min(allowed, key=lambda value: abs(density / critical / value - 1))
    ratio = density / critical / expected
    off = abs(ratio - 1)
    if off <= EXACT:
        return ratio
    found = (
        f"a density of {density / critical:.6g} times the critical one within R{definition}, from "
        "masses and radii"
    )
    fix = _fix(ratio, cosmology, redshift)
    if reason := _expansion(definition, density, cosmology, redshift):
        fix = f"if they are right, {reason}; else {fix}"
    if exact or not off <= TOLERANCE:
        limit = f"{expected:.6g} within {EXACT if exact else TOLERANCE:.0%}"
        raise UnitsError(where, found, limit, fix)
    warn(f"{where}: {found}, where the definition has {expected:.6g}; {fix}")
    return ratio


def _usable_radii(
    mass: NDArray[np.float64],
    radius: NDArray[np.float64],
    where: str,
    drop_bad: bool,
    record: dict[str, Any],
) -> NDArray[np.bool_]:
    """Return which halos have a mass and a possible radius; refuse or count impossible radii."""
    with np.errstate(all="ignore"):
        massive = (mass > 0) & (mass <= MASS.most)  # others are refused as masses
        possible = (radius > 0) & np.isfinite(radius)
        density = np.where(massive & possible, mass / radius**3, np.nan)
        if (massive & possible).any():
            off = np.abs(np.log(density / np.nanmedian(density)))
            possible &= ~(off > np.log(RADII_APART))
    bad = np.flatnonzero(massive & ~possible)
    if len(bad) and not drop_bad:
        row = int(bad[0])
        raise BadValueError(
            where,
            f"{len(bad)} impossible radii of {np.count_nonzero(massive)} halos, the first, in "
            f"row {row}, {radius[row]:.6g} Mpc/h for a mass of {mass[row]:.6g} Msun/h",
            f"radii of one density, within a factor {RADII_APART:g}: none NaN, 0 or negative",
            "leave these radii out of the check of units with --drop-bad (the halos stay, because "
            "only their masses are used), or fetch the file again",
        )
    if len(bad):
        record[RADII_LEFT_OUT] = record.get(RADII_LEFT_OUT, 0) + len(bad)
        warn(
            f"{where}: {len(bad)} radii of {np.count_nonzero(massive)} halos are impossible, and "
            "are left out of the check of units (--drop-bad)"
        )
    return massive & possible


def without_radii(where: str, record: dict[str, Any], what: str = "radii") -> None:
    """Warn that units could not be checked with masses within radii, and record it."""
    record[UNCHECKED] = f"no {what}"
    warn(f"{where}: no {what}, so that the units of mass and length cannot be checked with them")


def _expansion(
    definition: str, density: float, cosmology: Cosmology, redshift: float
) -> str | None:
    """Return which expansion a density of halos implies, in words, or None.

    Above redshift 0 dark energy changes all densities except those relative to the mean; if it is
    not stated, they imply no Omega_m.
    """
    unstated = [name for name in LCDM if getattr(cosmology, name) is None]
    if redshift > 0 and unstated and definition[-1] != "m":
        flags = " and ".join(f"--{name}" for name in unstated)
        return (
            f"Omega_m is not {cosmology.omega_m:g}, or the run had a dark energy that is not stated"
            f" (state it with {flags})"
        )
    implied = implied_omega_m(definition, density, cosmology, redshift)
    if implied is None:
        return None
    return f"Omega_m is {implied:.4f}, not {cosmology.omega_m:g}: correct it where it is stated"


def check_share(
    total_mass: float, box_size: float, cosmology: Cosmology, where: str, what: str, least: float
) -> float:
    """Compare the mass of all groups, or of all subhalos, with the matter in the box.

    Parameters
    ----------
    total_mass : float
        [Msun/h]
    box_size : float
        Comoving [Mpc/h].
    cosmology : Cosmology
    where, what : str
        For the message: the dataset, and what the mass is in or bound to.
    least : float
        The smallest plausible fraction.

    Returns
    -------
    float
        Fraction of the box's matter.

    Raises
    ------
    UnitsError
        The fraction is above 1.05, or below ``least``.
    """
    ratio = total_mass / cosmology.matter_mass(box_size)
    if not least <= ratio <= 1 + TOLERANCE:
        raise UnitsError(
            where,
            f"{ratio:.6g} of the box's matter {what}",
            f"{least} to {1 + TOLERANCE}",
            "check the units of box size (kpc against Mpc, 1000^3) and mass (1e10, h) that the "
            "file states; if rows are repeated, leave the copies out",
        )
    return float(ratio)


def check_particle_mass(
    found: float, particle_mass: float, cosmology: Cosmology, redshift: float, where: str, what: str
) -> None:
    """Compare a mass per particle of a gravity-only run with the particle mass [both Msun/h].

    Raises
    ------
    UnitsError
        They differ by more than 5%; the message names a likely factor.
    """
    ratio = found / particle_mass
    if not abs(ratio - 1) <= TOLERANCE:
        raise UnitsError(
            where,
            f"{what} of {found:.6g} Msun/h",
            f"the particle mass, {particle_mass:.6g} Msun/h, within {TOLERANCE:.0%}",
            _fix(ratio, cosmology, redshift),
        )


def check_host_mass(ratio: float, cosmology: Cosmology, redshift: float, where: str) -> None:
    """Check the median of host masses of centrals over their bound masses.

    The two follow different definitions, and differ by tens of per cent; the check is for units, so
    its range `HOST_OVER_BOUND` is wide.

    Parameters
    ----------
    ratio : float
        Over rows where neither is 0.
    cosmology : Cosmology
    redshift : float
    where : str
        For the message.

    Raises
    ------
    UnitsError
        The median ratio is outside the range.
    """
    low, high = HOST_OVER_BOUND
    if not low <= ratio <= high:
        raise UnitsError(
            where,
            f"host masses of {ratio:.3g} times the centrals' bound masses, in the median",
            f"{low:g} to {high:g} times",
            _fix(10.0 ** round(np.log10(ratio)), cosmology, redshift),
        )


def check_particle_number(
    particle_mass: float,
    mass: NDArray[np.float64],
    box_size: float,
    cosmology: Cosmology,
    where: str,
) -> None:
    """Raise if a box or its halos cannot consist of particles of the stated mass.

    Parameters
    ----------
    particle_mass : float
        Stated [Msun/h].
    mass : ndarray, shape (n,)
        Masses of halos [Msun/h].
    box_size : float
        [Mpc/h].
    cosmology : Cosmology
    where : str
        Where the particle mass is stated, for the message.

    Raises
    ------
    UnitsError
        The box holds fewer or more such particles than any run, or the median halo is lighter than
        one particle.
    """
    check_number(particle_mass, box_size, cosmology, where)
    some = mass[mass > 0]
    if some.size and np.median(some) < particle_mass:
        raise UnitsError(
            where,
            f"{particle_mass:.6g} Msun/h, with a median halo of {np.median(some):.6g} Msun/h",
            "halos of many particles",
            _PARTICLE_FIX,
        )


def check_number(particle_mass: float, box_size: float, cosmology: Cosmology, where: str) -> None:
    """Raise if a box holds fewer or more particles of this mass [Msun/h] than any run.

    Raises
    ------
    UnitsError
    """
    number = cosmology.matter_mass(box_size) / particle_mass
    if not PARTICLES[0] <= number <= PARTICLES[1]:
        raise UnitsError(
            where,
            f"{particle_mass:.6g} Msun/h, of which {number:.3g} fill the box",
            f"{PARTICLES[0]:g} to {PARTICLES[1]:g} particles",
            _PARTICLE_FIX,
        )
