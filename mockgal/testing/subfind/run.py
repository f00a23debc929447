"""Settings, units and headers of a synthetic run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...errors import UsageError

Array = NDArray[Any]

COSMOLOGY = Cosmology(h=0.6774, omega_m=0.3089, omega_lambda=0.6911, omega_b=0.0486)
TYPES = 6  # particle types
GAS, DARK, TRACERS, STARS = 0, 1, 3, 4  # tracers: Monte Carlo tracers of AREPO

_MPC_CM, _MSUN_G = 3.085678e24, 1.989e33


class _Length(NamedTuple):
    """A unit of length."""

    per_mpc: float
    in_mpc: float
    hubble: float  # 100 km/s/Mpc in km/s per unit


_LENGTHS = {"kpc": _Length(1e3, 1e-3, 0.1), "Mpc": _Length(1.0, 1.0, 100.0)}


@dataclass(frozen=True, kw_only=True)
class Run:
    """Settings of one output of a synthetic run.

    Parameters
    ----------
    files : int
        Number of files of the catalogue and of the snapshot; a single file gets no folder.
    number : int
        Number of the output.
    groups : int
        Number of groups. Every fortieth has no subhalo. Members of one group may be in two files.
    box_size : float
        Comoving side of the box [Mpc/h].
    redshift : float
    length : str
        Unit of length, ``"kpc"`` or ``"Mpc"``.
    h_free : bool
        Write kpc and Msun instead of kpc/h and Msun/h.
    dtype : str
        ``"f4"`` or ``"f8"``.
    hydro : bool
        Include gas and stars.
    snapshots : bool
        Write the snapshot as well.
    side : int
        Cube root of the number of dark-matter particles. Groups have at least 32 particles each,
        so many groups need a large side.
    empty_last : bool
        Leave the last file of the catalogue without groups and subhalos.
    seed : int
        Another seed gives other positions.
    arepo : bool
        Write in the form of AREPO; see `mockgal.testing.write_arepo`.
    cosmology : Cosmology

    Raises
    ------
    UsageError
        If ``length`` or ``dtype`` is not one of these.
    """

    files: int = 2
    number: int = 2
    groups: int = 420
    box_size: float = 32.0
    redshift: float = 0.0
    length: str = "kpc"
    h_free: bool = False
    dtype: str = "f4"
    hydro: bool = False
    snapshots: bool = True
    side: int = 32
    empty_last: bool = False
    seed: int = 1
    arepo: bool = False
    cosmology: Cosmology = COSMOLOGY

    def __post_init__(self) -> None:
        for name, allowed in (("length", tuple(_LENGTHS)), ("dtype", ("f4", "f8"))):
            if getattr(self, name) not in allowed:
                found = repr(getattr(self, name))
                raise UsageError(f"synthetic run:{name}", found, "one of " + ", ".join(allowed))

    @property
    def scale_factor(self) -> float:
        """Return the scale factor, 1 today."""
        return 1 / (1 + self.redshift)

    @property
    def per_length(self) -> float:
        """Return 1 Mpc/h in the length unit of the files."""
        return _LENGTHS[self.length].per_mpc / self._h

    @property
    def per_mass(self) -> float:
        """Return 1 Msun/h in the mass unit of the files."""
        return 1e-10 / self._h

    @property
    def _h(self) -> float:
        return self.cosmology.h if self.h_free else 1

    @property
    def box(self) -> float:
        """Return the side of the box in the unit of the files."""
        return self.box_size * self.per_length

    @property
    def particle(self) -> float:
        """Return the total mass of matter per dark-matter particle [Msun/h]."""
        return self.cosmology.mean_matter_density * self.box_size**3 / self.side**3

    @property
    def baryons(self) -> float:
        """Return the mass fraction of gas and stars."""
        return (self.cosmology.omega_b or 0.0) / self.cosmology.omega_m if self.hydro else 0.0

    def lengths(self, values: Array) -> Array:
        """Convert lengths [Mpc/h] to the unit and dtype of the files."""
        return (values * self.per_length).astype(self.dtype)

    def positions(self, values: Array) -> Array:
        """Convert positions [Mpc/h] like lengths; one that rounds to the box size becomes 0."""
        scaled = self.lengths(values)
        scaled[scaled >= np.dtype(self.dtype).type(self.box)] = 0
        return scaled

    def masses(self, values: Array) -> Array:
        """Convert masses [Msun/h] to the unit and dtype of the files."""
        return (values * self.per_mass).astype(self.dtype)

    @property
    def header(self) -> dict[str, Any]:
        """Return the attributes that all files have in the group ``Header``."""
        a = self.scale_factor
        shared: dict[str, Any] = {"BoxSize": self.box, "Time": a, "Redshift": 1 / a - 1}
        names = ("HubbleParam", "Omega0", "OmegaLambda") if self.arepo else ()
        return shared | {name: self._gadget4_parameters[name] for name in names}

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the attributes that all files have in the group ``Parameters``.

        Those of AREPO have no units: the format defines them.
        """
        values = self._gadget4_parameters
        return (
            {name: values[name] for name in ("OmegaBaryon", "OutputDir")} if self.arepo else values
        )

    @property
    def _gadget4_parameters(self) -> dict[str, Any]:
        unit, cosmology = _LENGTHS[self.length], self.cosmology
        return {
            "UnitLength_in_cm": _MPC_CM * unit.in_mpc,
            "UnitMass_in_g": _MSUN_G * 1e10,
            "UnitVelocity_in_cm_per_s": 1e5,
            "Hubble": unit.hubble * (cosmology.h if self.h_free else 1.0),
            "HubbleParam": 1.0 if self.h_free else cosmology.h,
            "Omega0": cosmology.omega_m,
            "OmegaLambda": cosmology.omega_lambda,
            "OmegaBaryon": cosmology.omega_b,
            "BoxSize": self.box,
            "ComovingIntegrationOn": 1,
            "OutputDir": np.bytes_(b"./out_synthetic/"),
            "SnapshotFileBase": np.bytes_(b"snap"),
        }


def spread(count: int, seed: int) -> NDArray[np.float64]:
    """Return evenly spread points in the unit cube, shape (count, 3), by an additive recurrence."""
    steps = np.array([0.8191725133961645, 0.6710436067037893, 0.5497004779019703])
    return (0.5 + seed * 0.1 + np.outer(np.arange(1, count + 1), steps)) % 1.0
