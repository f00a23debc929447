"""The unit system and cosmology of a Gadget run, from the ``/Parameters`` group of its files."""

from __future__ import annotations

from typing import Any, NamedTuple

import h5py

from ..cosmology import Cosmology
from ..errors import HeaderError, MissingDatasetError
from . import headers

_MPC_CM = (3.085678e24, "Mpc", {"kpc": 1e-3, "Mpc": 1.0})
_MSUN_G = (1.989e33, "Msun", {"1e10 Msun": 1e10, "Msun": 1.0, "1e5 Msun": 1e5})
SNAP = 1e-3  # parsecs and solar masses differ by less than this between codes

_NEEDED = (
    "UnitLength_in_cm",
    "UnitMass_in_g",
    "UnitVelocity_in_cm_per_s",
    "Hubble",
    "HubbleParam",
    "Omega0",
    "OmegaLambda",
)


class UnitSystem(NamedTuple):
    """Factors from the file's numbers to internal units, and what was concluded on the way.

    ``length`` gives comoving Mpc/h, ``mass`` Msun/h, ``velocity`` km/s.
    """

    length: float
    mass: float
    velocity: float
    cosmology: Cosmology
    record: dict[str, Any]


def _factor(value: float, table: tuple[float, str, dict[str, float]]) -> tuple[float, str]:
    """``value`` [cgs] over the unit of ``table``, exact where it is a known one within `SNAP`."""
    cgs, unit, known = table
    for name, factor in known.items():
        if abs(value / (cgs * factor) - 1) < SNAP:
            return factor, name
    return value / cgs, f"{value / cgs:.9g} {unit}"


def read_units(file: h5py.File) -> UnitSystem:
    """The unit system that a Gadget-4 file states.

    Parameters
    ----------
    file : h5py.File

    Returns
    -------
    UnitSystem

    Raises
    ------
    MissingDatasetError
        ``/Parameters`` or one of its entries is not there.
    HeaderError
        The Hubble constant fits neither a run in units with h nor one without; a run that is not
        comoving.
    """
    where = f"{file.filename}:/Parameters"
    missing = [
        name for name in _NEEDED if headers.attribute(file, "Parameters", name, None) is None
    ]
    if missing:
        raise MissingDatasetError(
            where,
            "no " + ", ".join(missing),
            "the run's cosmology and units, which Gadget-4 writes as attributes there",
            "copy the group /Parameters from another file of the run, or write these attributes",
        )
    value = {name: headers.number(file, "Parameters", name) for name in _NEEDED}
    for name in _NEEDED[:4]:
        if value[name] <= 0:
            raise HeaderError(
                f"{where}@{name}",
                f"{value[name]}",
                "a positive number",
                "write the run's parameters again",
            )
    if headers.number(file, "Parameters", "ComovingIntegrationOn", 1.0) == 0:
        raise HeaderError(
            f"{where}@ComovingIntegrationOn",
            "0",
            "a cosmological, comoving run",
            "use a run with ComovingIntegrationOn 1",
        )
    length, length_name = _factor(value["UnitLength_in_cm"], _MPC_CM)
    mass, mass_name = _factor(value["UnitMass_in_g"], _MSUN_G)
    velocity = value["UnitVelocity_in_cm_per_s"] / 1e5
    hubble = value["Hubble"] * velocity / length  # km/s/Mpc in the run's own units
    if abs(hubble / 100 - 1) < 5e-3:
        h, h_free = value["HubbleParam"], False
    elif value["HubbleParam"] == 1 and 30 < hubble < 150:
        h, h_free = hubble / 100, True
    else:
        raise HeaderError(
            f"{where}@Hubble",
            f"{value['Hubble']}, which is {hubble:.6g} km/s/Mpc, with "
            f"HubbleParam {value['HubbleParam']}",
            "100 (units with h), or the true Hubble constant with HubbleParam 1 (units without)",
            "correct Hubble, HubbleParam or the units that the file states (a factor 1000: kpc "
            "against Mpc)",
        )
    if h_free:
        length, mass = length * h, mass * h

    def stated(name: str) -> float | None:
        found = headers.number(file, "Parameters", name, 0.0)
        return found if found > 0 else None

    cosmology = Cosmology(
        h=h,
        omega_m=value["Omega0"],
        omega_lambda=value["OmegaLambda"],
        omega_b=stated("OmegaBaryon"),
        sigma_8=stated("Sigma8"),
        n_s=stated("PrimordialIndex"),
    )
    over_h = "" if h_free else "/h"
    record = {
        "length_unit": length_name + over_h,
        "mass_unit": mass_name + over_h,
        "velocity_unit_km_s": velocity,
        "h_free_run": h_free,
        "stated_UnitLength_in_cm": value["UnitLength_in_cm"],
        "stated_UnitMass_in_g": value["UnitMass_in_g"],
    }
    return UnitSystem(length, mass, velocity, cosmology, record)
