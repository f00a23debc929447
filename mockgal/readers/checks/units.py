"""Masses against the box, the particles and each other: sums and medians of whole catalogues.

They are added up piece by piece, so that a catalogue need not be in memory as a whole, and do not
depend on how the rows are divided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...layout import SEVERAL_RESOLUTIONS
from ...types import Snapshot
from . import particle_mass, physics, plausible

Array = NDArray[Any]

BOUND = "bound_mass_over_matter"  # in the record beside the counts
MEASURED = (BOUND, *particle_mass.MEASURED)  # entries of the record that are no counts
_LEAST_OMEGA = 1e-3  # of dark matter: with less, the number of its particles is not checked
_BLOCK = 1 << 17
_PARTS = 2.0**20  # of 1 Msun/h, in which masses are summed
_SUMMED = 2.0**62  # masses up to this are summed exactly
_FEW = 1 << 20  # numbers of which the median is exact
_STEP, _DECADES = 1e-4, 30  # dex of the medians of more, and their range around 1


class Median:
    """The median of positive numbers that come in pieces.

    That of more than a million numbers is exact within 1e-4 dex.
    """

    def __init__(self) -> None:
        self.number = 0
        self._held: list[Array] = []
        self._counts: Array | None = None

    def add(self, values: Array) -> None:
        """Add numbers, shape (n,)."""
        self.number += len(values)
        if self._counts is None and self.number <= _FEW:
            self._held.append(values)
            return
        if self._counts is None:
            self._counts = np.zeros(round(2 * _DECADES / _STEP) + 1, dtype=np.int64)
        for piece in (*self._held, values):
            for start in range(0, len(piece), _BLOCK):
                with np.errstate(all="ignore"):
                    place = (np.log10(piece[start : start + _BLOCK]) + _DECADES) / _STEP
                place = np.clip(np.nan_to_num(place), 0, len(self._counts) - 1)
                self._counts += np.bincount(
                    np.rint(place).astype(np.int64), minlength=len(self._counts)
                )
        self._held = []

    def value(self) -> float:
        """Return the median; NaN of no numbers."""
        if self._counts is not None:
            below = np.cumsum(self._counts)
            at = int(np.searchsorted(below, (self.number + 1) // 2))
            return float(10.0 ** (at * _STEP - _DECADES))
        return float(np.median(np.concatenate(self._held))) if self.number else float("nan")


class Masses:
    """Sums and medians of the masses of a catalogue, for `check`.

    Parameters
    ----------
    snapshot : Snapshot
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.rows = 0
        self.names: set[str] = set()
        self.lightest = np.empty(0)
        self.of_a_particle, self.host_over_bound, self.vmax = Median(), Median(), Median()
        self._total = 0  # in 1 / `_PARTS` Msun/h

    def add(self, columns: Mapping[str, Array]) -> Masses:
        """Add rows in internal units, and return the object."""
        snapshot, mass, central = self.snapshot, columns["mass"], columns["is_central"]
        self.rows += len(mass)
        self.names.update(columns)
        self._total += _total(mass)
        particle = snapshot.particle_mass
        if particle is not None:
            light = np.append(self.lightest, particle_mass.lightest(mass, particle))
            self.lightest = particle_mass.lightest(light, particle)
        if "n_particles" in columns:
            good = (mass > 0) & (columns["n_particles"] > 0)
            self.of_a_particle.add(mass[good] / columns["n_particles"][good])
        host, own = columns["host_mass"][central], mass[central]
        good = (host > 0) & (own > 0)
        self.host_over_bound.add(host[good] / own[good])
        if "vmax" in columns:
            with np.errstate(all="ignore"):
                ratio = plausible.vmax_over_circular(columns["vmax"], mass, snapshot)
            self.vmax.add(ratio)
        return self

    @property
    def total(self) -> float:
        """The sum of all masses [Msun/h], whatever their order."""
        return self._total / int(_PARTS)


def _total(mass: Array) -> int:
    """Return the sum of masses in parts of 1 Msun/h, each rounded to these."""
    total = 0
    for start in range(0, len(mass), _BLOCK):
        block = np.asarray(mass[start : start + _BLOCK], dtype=np.float64)
        if not block.max() <= _SUMMED:  # no masses; the sum only has to show that
            total += int(np.nan_to_num(block).sum() * _PARTS)
            continue
        whole = np.floor(block)
        high = np.floor(whole / _PARTS)  # two sums, of which neither overflows
        low, rest = whole - high * _PARTS, np.rint((block - whole) * _PARTS)
        sums = [int(part.astype(np.int64).sum()) for part in (high, low, rest)]
        total += (((sums[0] << 20) + sums[1]) << 20) + sums[2]
    return total


def check(masses: Masses, where: Any) -> dict[str, float | int]:
    """Compare masses with the box, the particles and each other; return entries for the record.

    Parameters
    ----------
    masses : Masses
    where : callable
        ``where(column, row)`` returns where a value is.

    Raises
    ------
    UnitsError
    """
    snapshot = masses.snapshot
    expected = (snapshot.cosmology, snapshot.redshift)

    def dataset(name: str) -> str:
        return str(where(name, 0)).split(", row")[0]

    measured: dict[str, float | int] = {}
    if snapshot.frame == "box":
        measured[BOUND] = physics.check_share(
            masses.total,
            snapshot.box_size,
            snapshot.cosmology,
            dataset("mass"),
            "bound to subhalos",
            0.0,
        )
    gravity_only = "stellar_mass" not in masses.names
    several = snapshot.record.get(SEVERAL_RESOLUTIONS)  # of particles, in zoom simulations
    particle = None if several else snapshot.particle_mass
    if particle is not None:
        physics.check_number(particle, snapshot.box_size, snapshot.cosmology, dataset("mass"))
    if gravity_only and particle is not None and masses.of_a_particle.number:
        physics.check_particle_mass(
            masses.of_a_particle.value(),
            particle,
            *expected,
            dataset("mass"),
            "a median mass / n_particles",
        )
    if gravity_only and particle is not None:
        measured |= particle_mass.check_quantum(particle, masses.lightest, dataset("mass"))
    if particle is not None:
        measured |= _check_cube(particle, snapshot, gravity_only, dataset("mass"))
    if masses.host_over_bound.number:
        ratio = masses.host_over_bound.value()
        physics.check_host_mass(ratio, *expected, dataset("host_mass"))
    if "vmax" in masses.names:
        plausible.check_vmax(masses.vmax.value(), masses.vmax.number, dataset("vmax"))
    return measured


def _check_cube(
    particle: float, snapshot: Snapshot, gravity_only: bool, where: str
) -> dict[str, float | int]:
    """Check the number of dark-matter particles in the box, if all have the same mass."""
    cosmology, box_size = snapshot.cosmology, snapshot.box_size
    baryons = 0.0 if gravity_only else cosmology.omega_b
    if baryons is None:
        return {}
    possible = [
        omega
        for known in physics.readings(cosmology)
        if (omega := round(known.omega_m - baryons, 12)) > _LEAST_OMEGA
    ]
    if not possible:
        return {}
    fits = (o for o in possible if particle_mass.cube(particle, box_size, o, cosmology).fits)
    omega = next(fits, possible[0])
    return particle_mass.check_cube(particle, box_size, omega, cosmology, where)
