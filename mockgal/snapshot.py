"""A simulation's box at one time, or a light cone through it, and the files that were read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from .cosmology import Cosmology
from .errors import HeaderError, UsageError
from .system import display
from .system.display import Shown

# Allowed values of a run; beyond them volumes and densities overflow or underflow.
BOX_SIZES = (1e-6, 1e9)  # comoving Mpc/h
REDSHIFTS = (-0.999, 1e5)
PARTICLE_MASSES = (1e-20, 1e20)  # Msun/h


class SourceFile(NamedTuple):
    """A file that was read: its path, size in bytes and SHA-256 digest ("" if not computed).

    Parameters
    ----------
    path : str
    size : int
        In bytes.
    digest : str
        SHA-256 in hexadecimal digits.

    Examples
    --------
    >>> mockgal.read("catalogs/demo/dark.hdf5").snapshot.source[0].size > 1000
    True
    """

    path: str
    size: int
    digest: str


class LightCone(NamedTuple):
    """What one observer sees: each halo at the time at which its light left it.

    Parameters
    ----------
    observer : tuple of float, shape (3,)
        Position of the observer, in the coordinates of the halos [comoving Mpc/h].
    redshifts : tuple of float, shape (2,)
        Least and largest cosmological redshift of the halos.

    Examples
    --------
    >>> from mockgal.types import LightCone
    >>> LightCone(observer=(0.0, 0.0, 0.0), redshifts=(0.3, 0.6)).redshifts
    (0.3, 0.6)
    """

    observer: tuple[float, float, float]
    redshifts: tuple[float, float]


@dataclass(frozen=True, repr=False)
class Snapshot(Shown):
    """A periodic box at one time, or a light cone through copies of it.

    Parameters
    ----------
    name : str
        Name of the simulation.
    box_size : float
        Side of the periodic box [comoving Mpc/h].
    redshift : float
    cosmology : Cosmology
    particle_mass : float or None
        Mass of a dark-matter particle [Msun/h]; None if the input does not state it.
    format : str
        Name of the reader.
    source : tuple of SourceFile
        The files read.
    record : mapping
        What the reader chose and counted (units assumed, values wrapped, rows dropped); goes to
        the output's provenance.
    light_cone : LightCone, optional
        If given, positions are not periodic, and may lie beyond the box; ``redshift`` is the one
        at which the halos were found.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5")
    >>> sim.snapshot.redshift < 1e-3, sim.snapshot.cosmology.h
    (True, 0.6774)
    """

    name: str
    box_size: float
    redshift: float
    cosmology: Cosmology
    particle_mass: float | None
    format: str
    source: tuple[SourceFile, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    light_cone: LightCone | None = None

    _lines = display.snapshot

    def __post_init__(self) -> None:
        bounds = {
            "box_size": (*BOX_SIZES, "Mpc/h"),
            "redshift": (*REDSHIFTS, ""),
            "particle_mass": (*PARTICLE_MASSES, "Msun/h"),
        }
        for name, (low, high, unit) in bounds.items():
            value = getattr(self, name)
            if name == "particle_mass" and value is None:
                continue
            if not low <= value <= high:
                what = name.replace("_", " ")
                expected = f"{low:g} to {high:g} {unit}".rstrip()
                raise HeaderError(self.name, f"{what} {value}", expected, f"correct the {what}")
        self.cosmology.expansion_rate(self.redshift)  # raises if there is none at this redshift
        object.__setattr__(self, "record", MappingProxyType(dict(self.record)))

    @property
    def frame(self) -> str:
        """``"box"``, periodic and Cartesian; or ``"sky"``, a light cone."""
        return "box" if self.light_cone is None else "sky"

    @property
    def period(self) -> float:
        """Length after which space repeats [Mpc/h]: infinite on a light cone."""
        return self.box_size if self.light_cone is None else float("inf")

    def check_periodic(self, what: str, fix: str) -> None:
        """Raise if this is a light cone, for what only a periodic box allows.

        Raises
        ------
        UsageError
            ``what`` was to be done; ``fix`` is the way out.
        """
        if self.light_cone is not None:
            raise UsageError(what, f"a light cone of {self.name}", "a periodic box", fix)

    @property
    def redshifts(self) -> tuple[float, float]:
        """Least and largest redshift of the halos: in a box, twice the same."""
        return (self.redshift,) * 2 if self.light_cone is None else self.light_cone.redshifts

    def facts(self) -> str:
        """Return the numbers that give the columns their meaning, for the content digest."""
        numbers: list[Any] = [self.box_size, self.redshift]
        numbers.append(sorted(self.cosmology.to_dict().items()))
        if self.light_cone is not None:
            numbers.append(self.light_cone.observer)
        return json.dumps(numbers)
